#!/usr/bin/env bats
# What onlyone exits with: the command's own status, or one of its own that says why it did not run.
# shellcheck disable=SC2016 # what stands in single quotes is for the shells that are started

load helper

# cannot_run STATUS WHAT COMMAND...: one line says why, and the lock is free again.
cannot_run() {
	local what=$2
	run "-$1" --separate-stderr onlyone lock "${@:3}"
	# shellcheck disable=SC2154 # run sets stderr
	[[ -z $output && $stderr == "onlyone: $3: $what" ]] || fail "$output$stderr"
	run -0 onlyone lock true
}

# -- the command's own --

@test "the command's status is onlyone's" {
	local status
	for status in 0 1 2 64 65 71 73 74 75 77 126 127 128 255; do
		run "-$status" onlyone lock sh -c "exit $status"
		[[ -z $output ]]
	done
}

@test "a command that was killed was killed, not ended" {
	need perl
	local signal
	for signal in KILL TERM HUP PIPE; do
		run -0 perl -e 'system(@ARGV[1 .. $#ARGV]); exit($? != $ARGV[0])' "$(kill -l "$signal")" \
			onlyone lock sh -c "kill -$signal \$\$"
	done
}

@test "a signal to onlyone is one to the command" {
	mkfifo ready
	"$ONLYONE" lock sh -c 'trap "exit 7" TERM; echo >ready; while :; do sleep 0.01; done' 3>&- &
	hear ready
	kill -TERM "$!"
	local status=0
	await "$!" || status=$?
	((status == 7))
}

@test "what the command reads and prints is its own" {
	run -0 --separate-stderr onlyone lock sh -c 'cat; echo said >&2' <<<"heard"
	[[ $output == heard && $stderr == said ]]
}

@test "the command gets its arguments as they were given" {
	run -0 onlyone lock printf '<%s>' '' ' a  b ' '*' '$HOME' -- -n $'\t'
	[[ $output == $'<>< a  b ><*><$HOME><--><-n><\t>' ]]
}

@test "the command is looked for in PATH" {
	mkdir one two
	printf '#!/bin/sh\necho two\n' >two/tool
	chmod +x two/tool
	PATH=$PWD/one:$PWD/two:$PATH run -0 onlyone lock tool
	[[ $output == two ]]
	printf '#!/bin/sh\necho one\n' >one/tool # may not be executed: passed over
	PATH=$PWD/one:$PWD/two:$PATH run -0 onlyone lock tool
	[[ $output == two ]]
	chmod +x one/tool
	PATH=$PWD/one:$PWD/two:$PATH run -0 onlyone lock tool
	[[ $output == one ]]
}

@test "a command with a slash is not looked for" {
	mkdir bin
	printf '#!/bin/sh\necho bin\n' >bin/tool
	chmod +x bin/tool
	run -0 onlyone lock bin/tool
	[[ $output == bin ]]
	PATH=$PWD/bin:$PATH cannot_run 127 "No such file or directory" ./tool
}

# -- 126 and 127 --

@test "a command that is not found is 127" {
	# A folder in PATH that is shut to us would make it 126.
	PATH=${ONLYONE%/*}:/usr/bin:/bin cannot_run 127 "No such file or directory" no-such-command
	cannot_run 127 "No such file or directory" ./missing --help
	cannot_run 127 "No such file or directory" ''
}

@test "a script whose interpreter is not found is 127" {
	printf '#!/no/such/interpreter\n' >script
	chmod +x script
	cannot_run 127 "No such file or directory" ./script
}

@test "a file without execute permission is 126" {
	printf '#!/bin/sh\n' >my-script
	chmod 644 my-script
	cannot_run 126 "Permission denied" ./my-script
	PATH=$PWD:$PATH cannot_run 126 "Permission denied" my-script
}

@test "a directory is 126" {
	mkdir directory
	cannot_run 126 "Permission denied" ./directory
	cannot_run 126 "Permission denied" /
}

@test "a path through a file is 126" {
	: >file
	cannot_run 126 "Not a directory" file/command
}

@test "a file that is open for writing is 126" {
	cp "$(type -P true)" busy
	exec 9>>busy
	cannot_run 126 "Text file busy" ./busy 9>&-
	exec 9>&-
}

# -- onlyone's own: src/status.h --

@test "64: the command line makes no sense" {
	run -64 onlyone
	[[ $output == "onlyone: "* ]]
}

@test "65: LOCK is something else" {
	echo precious >file
	run -65 onlyone file true
	[[ $output == "onlyone: file: "* && $(cat file) == precious ]]
}

@test "71: the system failed" {
	need prlimit
	run -71 prlimit --nofile=5 onlyone lock touch ran 3>/dev/null 4>&-
	[[ $output == "onlyone: lock: "*file* && ! -e ran ]] # in the words of the C library
}

@test "71: LOCK cannot be locked" {
	need strace
	local errno
	for errno in ENOLCK EOPNOTSUPP ENOSYS EINVAL; do
		run -71 strace -qqq -o /dev/null -e trace=fcntl \
			-e "inject=fcntl:error=$errno" onlyone lock touch ran
		[[ $output == "onlyone: lock: "* && ! -e ran && ! -s lock ]]
	done
}

@test "73: LOCK cannot be created" {
	run -73 onlyone missing/lock touch ran
	[[ $output == "onlyone: missing/lock: No such file or directory" && ! -e ran ]]
}

@test "74: the PID cannot be written" {
	need prlimit
	run -74 prlimit --fsize=0 onlyone lock touch ran
	[[ $output == "onlyone: lock: the PID could not be written: File too large" && ! -e ran ]]
}

@test "75: somebody holds it" {
	hold lock
	run -75 onlyone lock touch ran
	[[ ! -e ran ]]
	release
}

@test "77: permission is missing" {
	((EUID != 0)) || need_nobody
	mkdir -m 555 shut
	cp "$ONLYONE" onlyone
	chmod 755 .
	if ((EUID == 0)); then
		run -77 as_nobody ./onlyone shut/lock true
	else
		run -77 ./onlyone shut/lock true
	fi
	[[ $output == "onlyone: shut/lock: Permission denied" ]]
}

@test "1: a question, and nobody holds it" {
	onlyone lock true
	run -1 onlyone --status lock
	run -1 onlyone --pid lock
	run -1 onlyone --signal TERM lock
	hold lock
	run -0 onlyone --status lock
	release
}

@test "every status of src/status.h is tested here" {
	local name number
	grep -oE '[0-9]+ EX_[A-Z]+' "$TREE/src/status.h" >numbers
	[[ $(wc -l <numbers) == "$(grep -ohE '\bEX_[A-Z]+' "$TREE"/src/*.[ch] | grep -v EX_TEMPFAIL | sort -u | wc -l)" ]]
	while read -r number name; do
		grep -q "^@test \"$number: " "$BATS_TEST_FILENAME" || fail "$number $name"
	done <numbers
	run -0 grep -oE 'STATUS_[A-Z_]+ = [A-Z0-9_]+' "$TREE/src/status.h"
	[[ $output == "STATUS_FREE = 1
STATUS_HELD = EX_TEMPFAIL
STATUS_CANNOT_EXECUTE = 126
STATUS_NOT_FOUND = 127" ]]
}
