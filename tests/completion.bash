# What the tests of the three completions share. In each of them `offered LINE` prints what its shell
# would put in place of LINE's last word, one a line, sorted; the word itself where it has nothing.
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
