#!/usr/bin/env bats
# The command line.

load helper

# usage_error ARG...: refused for its command line, in one line, before anything was done.
usage_error() {
	run -64 --separate-stderr onlyone "$@"
	[[ -z $output && $stderr == "onlyone: "* && $stderr != *$'\n'* ]] ||
		fail "onlyone $*: $output$stderr"
	nothing_made || fail "onlyone $*: left $(ls -A)"
}

# nothing_made: no file but bats' own.
nothing_made() {
	[[ -z $(find . -mindepth 1 ! -name 'separate-stderr-*') ]]
}

# refused [OPTION...]: with these, LOCK `lock` is held, and onlyone does not wait long for it.
refused() {
	run -75 timeout "$PATIENCE" onlyone "$@" lock touch ran
	[[ ! -e ran ]]
}

# waits [OPTION...]: with these, onlyone waits for the holder of `lock` to end.
waits() {
	hold lock
	start_waiter lock "$@" lock touch ran
	[[ ! -e ran ]]
	release
	await "$WAITER"
	rm ran
}

# -- usage errors --

@test "a number of seconds is digits with an optional fraction, and nothing else" {
	local seconds
	for seconds in -1 nan inf infinity 5s '' . 1e99 1e1 0x1 ' 1' '1 ' +1 1,5 1.5. 99999999999; do
		usage_error -w "$seconds" lock touch ran
	done
	usage_error --wait=5s lock touch ran
	usage_error --timeout 5s lock touch ran
	for seconds in 0 1 1.5 .25 1. 0.000000001; do
		run -0 onlyone -w "$seconds" lock true
	done
}

@test "a conflict's exit status is 0 to 255" {
	local status
	for status in 600 256 -1 x '' 0x10 1.5 ' 1' 99999999999999999999; do
		usage_error -E "$status" lock touch ran
	done
	usage_error --conflict-exit-code=600 lock touch ran
}

@test "a mode is octal and at most 777" {
	local mode
	for mode in 888 9999 1777 -1 0x1ff rw '' ' 600'; do
		usage_error -m "$mode" lock touch ran
	done
	usage_error --mode=888 lock touch ran
}

@test "without a lock there is nothing to do" {
	usage_error
	usage_error -n
	usage_error -w 1 --
	usage_error --status
}

@test "the name of a lock is not empty" {
	usage_error '' touch ran
	usage_error -w 1 -- '' touch ran
}

@test "without a command there is nothing to do" {
	usage_error lock
	usage_error -b lock
	usage_error --close lock
}

@test "who names a descriptor as with flock(1) is told how to" {
	usage_error 9
	[[ $stderr == *--fd* ]]
}

@test "-c takes exactly one string" {
	usage_error lock -c
	usage_error lock --command
	usage_error lock -c 'touch ran' 'touch ran'
	usage_error lock --command 'touch ran' ''
}

@test "an unknown option, a missing and a needless argument are usage errors" {
	usage_error -z lock touch ran
	usage_error --frobnicate lock touch ran
	usage_error -nz lock touch ran
	usage_error --no lock touch ran # --nonblock or --no-fork?
	usage_error --block=1 lock touch ran
	usage_error -w
	usage_error --mode
}

@test "one question at a time, and no command with it" {
	usage_error --status --pid lock
	usage_error --pid --signal TERM lock
	usage_error --status lock touch ran
	usage_error --pid lock touch ran
	usage_error --signal FROBNICATE lock
	usage_error --unlock lock
}

@test "a usage error behind good options is one all the same" {
	usage_error -n -s -q -w 5s lock touch ran
	usage_error -w 5s --help
}

# -- operands --

@test "options end at the first operand: the command's own are never read" {
	run -0 --separate-stderr onlyone lock printf '%s\n' -b -w x --help -V --
	[[ $output == $'-b\n-w\nx\n--help\n-V\n--' && -z $stderr ]]
}

@test "-- ends the options: a lock's name may begin with a dash" {
	run -0 onlyone -n -- -lock true
	[[ -f ./-lock ]]
}

@test "short options can be written together" {
	hold lock
	run -9 --separate-stderr onlyone -nqFxE9 lock true
	[[ -z $stderr ]]
	release
}

# -- waiting: see also wait.bats --

@test "-n, --nonblock, --nonblocking, --nb and nothing at all do not wait" {
	hold lock
	refused
	refused -n
	refused --nonblock
	refused --nonblocking
	refused --nb
	release
}

@test "-b and --block wait" {
	waits -b
	waits --block
}

@test "-w, --wait and --timeout wait" {
	waits -w 120
	waits --wait 120
	waits --timeout=120
}

@test "of -n, -b and -w the last one wins" {
	hold lock
	refused -b -n
	refused -w 120 -n
	refused -b -w 0
	refused -w 120 -w 0
	refused -b -w 0.05
	release
	waits -n -b
	waits -w 0 -b
	waits -n -w 120
}

# -- the kind of lock --

@test "-x, -e and --exclusive are the default, and undo an earlier -s" {
	hold -s lock
	refused
	refused -x
	refused -s -x
	refused -s -e
	refused -s --exclusive
	release
}

@test "-s and --shared share, and undo an earlier -x" {
	hold -s lock
	run -0 onlyone -s lock true
	run -0 onlyone --shared lock true
	run -0 onlyone -x -s lock true
	release
}

# -- the rest --

@test "-E and --conflict-exit-code choose the status of a conflict" {
	hold lock
	run -9 onlyone -E 9 lock true
	run -0 onlyone -E 0 lock touch ran
	run -255 onlyone --conflict-exit-code=255 lock true
	run -9 onlyone -E 9 -w 0.05 lock true
	[[ ! -e ran ]]
	release
}

@test "-E leaves every other status alone" {
	run -75 onlyone -E 9 lock sh -c 'exit 75'
	run -127 onlyone -E 9 lock ./missing
	echo precious >foreign
	run -65 onlyone -E 9 foreign true
}

@test "-c and --command run a string with \$SHELL" {
	# shellcheck disable=SC2016 # for the script
	printf '%s\n' '#!/bin/sh' 'printf "%s|" "$0" "$@"' >shell
	chmod +x shell
	SHELL=$PWD/shell run -0 onlyone lock -c 'a  b; c'
	[[ $output == "$PWD/shell|-c|a  b; c|" ]]
	SHELL=$PWD/shell run -0 onlyone lock --command ''
	[[ $output == "$PWD/shell|-c||" ]]
}

@test "-c without \$SHELL runs /bin/sh" {
	# shellcheck disable=SC2016 # for the shell that onlyone starts
	run -0 env -u SHELL onlyone lock -c 'readlink -f "/proc/$$/exe"; exit 0'
	[[ $output == "$(readlink -f /bin/sh)" ]]
	run -3 env SHELL= onlyone lock -c 'exit 3'
}

@test "-F, --no-fork and --fcntl change nothing: the command is never forked" {
	local option
	for option in -F --no-fork --fcntl; do
		# shellcheck disable=SC2016 # for the shell that onlyone starts
		"$ONLYONE" "$option" lock sh -c 'echo $$' >pid 3>&- &
		await "$!"
		[[ $(cat pid) == "$!" ]]
	done
}

@test "-m and --mode give a new lock file its mode" {
	umask 0
	onlyone -m 640 one true
	onlyone --mode=604 two true
	[[ $(stat -c %a one two) == $'640\n604' ]]
}

@test "-f and --force never override a lock that is held" {
	hold lock
	refused -f
	refused --force
	release
	run -0 onlyone -f lock true
	run -0 onlyone --force lock true
}

@test "-l and --local change nothing where locks reach everybody" {
	hold lock
	refused -l
	refused --local
	release
	run -0 onlyone -l lock true
	run -0 onlyone --local lock true
}

@test "-q and --quiet say nothing about a conflict" {
	hold lock
	run -75 --separate-stderr onlyone -q lock true
	[[ -z $output && -z $stderr ]]
	run -75 --separate-stderr onlyone --quiet -w 0.05 lock true
	[[ -z $output && -z $stderr ]]
	release
}

@test "-q does not hide errors" {
	echo precious >foreign
	run -65 --separate-stderr onlyone -q foreign true
	[[ $stderr == "onlyone: foreign: "* ]]
	run -127 --separate-stderr onlyone -q lock ./missing
	[[ $stderr == "onlyone: ./missing: "* ]]
}

@test "-v and --verbose say who is waited for and how long it took" {
	need_mountinfo
	need_attributes
	local option
	for option in -v --verbose; do
		hold lock
		start_waiter lock "$option" -b lock true 2>said
		release
		await "$WAITER"
		mapfile -t lines <said
		[[ ${lines[0]} == "onlyone: lock: waiting: held by PID $HOLDER (sh)" ]]
		[[ ${lines[1]} =~ ^"onlyone: lock: waited "[0-9]+\.[0-9]{3}" s"$ ]]
		[[ ${#lines[@]} == 2 ]]
	done
}

@test "-v has nothing to say where nothing is waited for or amiss" {
	need_mountinfo
	need_attributes
	run -0 --separate-stderr onlyone -v lock true
	[[ -z $output && -z $stderr ]]
}

@test "without -v a wait is silent" {
	hold lock
	start_waiter lock -b lock true 2>said
	release
	await "$WAITER"
	[[ ! -s said ]]
}

@test "-h and --help print the usage on standard output, with every option in it" {
	local option
	for option in -h --help; do
		run -0 --separate-stderr onlyone "$option"
		[[ -z $stderr && $output == "usage: onlyone [OPTION...] [--] LOCK COMMAND [ARG...]"* ]]
	done
	for option in -{n,b,w,x,e,s,E,o,F,m,f,q,v,c,u,h,V} --{nonblock,block,wait,timeout,exclusive} \
		--{shared,conflict-exit-code,close,no-fork,mode,force,quiet,verbose,command,fd} \
		--{unlock,status,pid,signal,help,version}; do
		grep -qwe "$option" <<<"$output" || fail "$option is missing"
	done
}

@test "the usage fits a terminal" {
	run -0 onlyone --help
	run -1 grep -E '.{81}' <<<"$output"
}

@test "-V and --version print the version on standard output" {
	local option version
	version=$(sed -n 's/^VERSION = //p' "$TREE/Makefile")
	for option in -V --version; do
		run -0 --separate-stderr onlyone "$option"
		[[ $output == "onlyone $version" && -z $stderr ]]
	done
}

@test "help and version that cannot be written are no success" {
	local option
	for option in -h -V; do
		# shellcheck disable=SC2016 # for the shell that onlyone starts in
		run -74 sh -c 'exec onlyone "$0" >/dev/full' "$option"
		[[ $output == "onlyone: standard output: "* ]]
		# shellcheck disable=SC2016
		run -74 sh -c 'exec onlyone "$0" >&-' "$option"
	done
}

@test "help and version need no lock and take none" {
	run -0 onlyone -n --help lock touch ran
	run -0 onlyone -w 1 -V lock touch ran
	nothing_made
}
