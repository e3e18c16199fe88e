# What the tests of the three completions share. In each of them `offered LINE` prints what its shell
# would put in place of LINE's last word, one a line, sorted; the word itself where it has nothing.
# DIRECTORY_MARK is what it puts behind the name of a directory.
# shellcheck shell=bash

# offers LINE WORD...: these and nothing else.
offers() {
	local line=$1 got
	shift
	got=$(offered "$line")
	[[ $got == "$(printf '%s\n' "$@" | sort)" ]] || fail "$line: ${got//$'\n'/ }"
}

offers_nothing() {
	offers "$1" "${1##* }"
}

# The options of --help but -c, which comes behind LOCK.
told_options() {
	onlyone --help | grep -E '^ {2,6}-' | grep -v -e --command | sed 's/^ *//; s/  .*//' |
		grep -oE '(^|[ ,])--?[a-zA-Z][a-z-]*' | tr -d ' ,' | sort
}

# The tests' own command, beside which there is no other.
with_command() {
	mkdir bin
	ln -s "$(type -P true)" bin/onlyone-test-server
	PATH=$PWD/bin:$PATH
	touch onlyone-test-file
	chmod +x onlyone-test-file
}

# behind LINE: of the words that are read, those from where LINE had its last one.
behind() {
	local -a before
	read -ra before <<<"${1% *}"
	tail -n +$((${#before[@]} + 1)) | sort
}

# -- the promises, which each of the three files makes for its shell --

it_offers_all_options() {
	[[ $(offered 'onlyone -') == "$(told_options)" ]]
}

it_offers_an_option() {
	offers 'onlyone --sta' --status
	offers 'onlyone -q -w 5 --sta' --status
	offers 'onlyone -qw 5 --sta' --status
	offers 'onlyone --wait=5 --sta' --status
	offers 'onlyone -k 5 --overdue 5 --sta' --status
}

it_offers_signals() {
	offers 'onlyone --signal TE' TERM
	offers 'onlyone --signal SIGTE' SIGTERM
	offers 'onlyone --signal=TE' --signal=TERM
	local all
	all=" $(offered 'onlyone --signal ' | xargs) "
	[[ $all == *' HUP '* && $all == *' USR1 '* && $all != *SIG* ]]
}

it_offers_only_signals() {
	local names name
	mapfile -t names < <(offered 'onlyone --signal ')
	((${#names[@]} >= 30))
	for name in "${names[@]}"; do
		run -1 onlyone --signal "$name" lock
	done
}

it_offers_no_number() {
	touch 5.lock
	for option in -w --wait --timeout -E --conflict-exit-code -m --mode --overdue --fd -k --kill-after; do
		offers_nothing "onlyone $option 5"
	done
}

it_offers_a_lock() {
	touch 'app lock' app.lock
	mkdir apps
	offers 'onlyone ap' 'app lock' app.lock "apps${DIRECTORY_MARK:-}"
	offers 'onlyone -b -w 5 app.' app.lock
	offers 'onlyone --status app.' app.lock
	offers 'onlyone --signal TERM app.' app.lock
	offers 'onlyone --signal=TERM app.' app.lock
	touch -- -lock
	offers 'onlyone -- -l' -lock
}

it_offers_a_command() {
	with_command
	offers 'onlyone lock onlyone-test-' onlyone-test-server
	offers 'onlyone -w 5 lock onlyone-test-' onlyone-test-server
	offers 'onlyone -- lock onlyone-test-' onlyone-test-server
	offers 'onlyone a:b onlyone-test-' onlyone-test-server
	offers 'onlyone --fd 9 onlyone-test-' onlyone-test-server
	offers 'onlyone --signal TERM lock onlyone-test-' onlyone-test-server
	offers 'onlyone lock ./onlyone-test-' ./onlyone-test-file
	offers 'onlyone lock onlyone-test-server onlyone-test-' onlyone-test-file
}

it_offers_a_string() {
	touch string
	offers 'onlyone lock -' -c --command
	offers_nothing 'onlyone lock -c str'
	offers 'onlyone --fd 9 --com' --command
	offers_nothing 'onlyone --fd 9 -c str'
	offers_nothing 'onlyone --fd 9 -c string str'
}

it_offers_no_options_of_a_command() {
	with_command
	offers_nothing 'onlyone lock onlyone-test-server --sta'
	offers_nothing 'onlyone --fd 9 onlyone-test-server --sta'
}

it_offers_nothing_behind_a_question() {
	touch app.lock
	offers_nothing 'onlyone --status lock app'
	offers_nothing 'onlyone --pid lock app'
	offers_nothing 'onlyone --unlock --fd 9 app'
}
