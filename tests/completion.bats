#!/usr/bin/env bats
# What the Tab key offers, asked of a real interactive bash.

load helper

# completed LINE: sets ${lines[@]} to the words of LINE with all that Tab would offer put in.
# Meta-* puts it in, Control-a goes to the front, where a command that prints the words is typed.
completed() {
	{
		printf '%s\n' 'PS1= PS2= HISTFILE='
		[[ -z ${BASH_COMPLETION:-} ]] || printf '. %s\n' "$BASH_COMPLETION"
		printf '. %s\n' "$TREE/src/onlyone.bash-completion"
	} >rc
	run -0 --separate-stderr setsid --wait bash --noprofile --rcfile rc -i \
		< <(printf '%s\e*\x01printf "%%s\\\\n" \n' "$1")
}

# offers LINE WORD...: in place of the last word of LINE, Tab offers these and nothing else.
offers() {
	local line=$1
	shift
	completed "$line"
	[[ $(offered "$line") == "$(printf '%s\n' "$@" | sort)" ]] || fail "$line: $output"
}

# What was put in behind the words that LINE had before its last one.
offered() {
	local -a before
	read -ra before <<<"${1% *}"
	printf '%s\n' "${lines[@]:${#before[@]}}" | sort
}

# The options of --help but -c, which comes behind LOCK.
told_options() {
	onlyone --help | grep -E '^ {2,6}-' | grep -v -e --command | cut -c1-29 |
		grep -oE '(^|[ ,])--?[a-zA-Z][a-z-]*' | tr -d ' ,' | sort
}

@test "options are offered, all that --help tells of" {
	completed 'onlyone -'
	[[ $(offered 'onlyone -') == "$(told_options)" ]]
}

@test "an option is completed, also behind another one and its value" {
	offers 'onlyone --sta' --status
	offers 'onlyone -q -w 5 --sta' --status
	offers 'onlyone -qw 5 --sta' --status
	offers 'onlyone --wait=5 --sta' --status
}

@test "--signal offers the names of signals, with SIG for who types SIG" {
	offers 'onlyone --signal TE' TERM
	offers 'onlyone --signal SIGTE' SIGTERM
	offers 'onlyone --signal=TE' --signal=TERM
	completed 'onlyone --signal '
	[[ " ${lines[*]} " == *' HUP '* && " ${lines[*]} " != *SIG* ]]
}

@test "onlyone knows every signal that is offered" {
	completed 'onlyone --signal '
	((${#lines[@]} > 30))
	for name in "${lines[@]:2}"; do
		run -1 onlyone --signal "$name" lock
	done
}

@test "for a number nothing is offered" {
	touch 5.lock
	for option in -w --wait --timeout -E --conflict-exit-code -m --mode --fd; do
		offers "onlyone $option 5" 5
	done
}

@test "LOCK is a file or a directory, whatever its name" {
	touch 'app lock' app.lock
	mkdir apps
	offers 'onlyone ap' 'app lock' app.lock apps
	offers 'onlyone -b -w 5 app.' app.lock
	offers 'onlyone --status app.' app.lock
	offers 'onlyone --signal TERM app.' app.lock
	offers 'onlyone --signal=TERM app.' app.lock
	touch -- -lock
	offers 'onlyone -- -l' -lock
}

# The tests' own commands, beside which there are no others.
with_commands() {
	mkdir bin
	ln -s "$(type -P true)" bin/onlyone-test-server
	PATH=$PWD/bin:$PATH
	touch onlyone-test-file
}

@test "behind LOCK a command is offered, and behind that files" {
	with_commands
	offers 'onlyone lock onlyone-test-' onlyone-test-server
	offers 'onlyone -w 5 lock onlyone-test-' onlyone-test-server
	offers 'onlyone -- lock onlyone-test-' onlyone-test-server
	offers 'onlyone a:b onlyone-test-' onlyone-test-server
	offers 'onlyone --fd 9 onlyone-test-' onlyone-test-server
	offers 'onlyone lock ./onlyone-test-' ./onlyone-test-file
	offers 'onlyone lock onlyone-test-server onlyone-test-' onlyone-test-file
}

@test "behind LOCK and --fd, -c is offered, and for its string nothing" {
	touch string
	offers 'onlyone lock -' -c --command
	offers 'onlyone lock -c str' str
	offers 'onlyone --fd 9 --com' --command
	offers 'onlyone --fd 9 -c str' str
	offers 'onlyone --fd 9 -c string str' str
}

@test "a command's own options are none of onlyone's" {
	with_commands
	offers 'onlyone lock onlyone-test-server --sta' --sta
	offers 'onlyone --fd 9 onlyone-test-server --sta' --sta
}

@test "behind the lock that is asked about nothing is offered" {
	touch app.lock
	offers 'onlyone --status lock app' app
	offers 'onlyone --pid lock app' app
	offers 'onlyone --signal TERM lock app' app
	offers 'onlyone --unlock --fd 9 app' app
}

# What a system with bash-completion has loaded before.
with_bash_completion() {
	BASH_COMPLETION=/usr/share/bash-completion/bash_completion
	[[ -e $BASH_COMPLETION ]] || need bash_completion
}

@test "with bash-completion the command's own completion follows" {
	with_bash_completion
	with_commands
	offers 'onlyone lock onlyone-test-' onlyone-test-server
	offers 'onlyone -w 5 lock timeout --pre' --preserve-status
	offers 'onlyone --fd 9 timeout --pre' --preserve-status
	offers 'onlyone a:b timeout --pre' --preserve-status
}

@test "with bash-completion options, signals and files are offered as without" {
	with_bash_completion
	touch app.lock
	offers 'onlyone --sta' --status
	offers 'onlyone --signal=TE' --signal=TERM
	offers 'onlyone app.' app.lock
}
