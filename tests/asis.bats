#!/usr/bin/env bats
# --as-is: the lock is a file with content of its own, which stays as it is.
# shellcheck disable=SC2016 # the scripts in single quotes are for other shells

load helper

AS_IS='holds something that is no lock record, left alone; '

# left_alone FILE: without the option it is refused, with a hint at it, and neither run nor changed.
left_alone() {
	cp "$1" before
	run -65 --separate-stderr onlyone "$1" touch ran
	# shellcheck disable=SC2154 # run sets it
	[[ ! -e ran && $stderr == "onlyone: $1: $AS_IS"*"see --as-is" ]]
	cmp "$1" before
}

# refused FILE HOLDER [NAME [MORE]]: with it another start is.
refused() {
	run -75 --separate-stderr onlyone --as-is "$1" touch ran
	[[ ! -e ran && $stderr == "onlyone: $1: held by PID $2 (${3:-sh})${4:-}" ]] || fail "told: $stderr"
}

# -- the content stays --

@test "a script, a counter, a data file: locked, and not changed" {
	printf '#!/bin/sh\necho "$@"\n' >script
	chmod 755 script
	echo 41 >counter
	head -c 5000 /dev/zero >data
	: >empty
	chmod 640 data
	for file in script counter data empty; do
		cp -p "$file" copy
		hold --as-is "$file"
		refused "$file" "$HOLDER"
		release
		cmp "$file" copy
		[[ $(stat -c '%a %s %Y' "$file") == "$(stat -c '%a %s %Y' copy)" ]]
	done
}

@test "the command may write it" {
	echo 41 >counter
	run -0 onlyone --as-is counter sh -c 'echo $(($(cat counter) + 1)) >counter'
	run -0 onlyone --as-is counter sh -c 'echo $(($(cat counter) + 1)) >counter'
	[[ $(cat counter) == 43 ]]
}

@test "a program that runs can be its own lock" {
	cp "$(command -v sleep)" program
	"$ONLYONE" --as-is program ./program 60 3>&- &
	eventually "it runs" is_held program
	refused program $! program
	kill $!
	ended 143 $!
}

is_held() {
	onlyone --as-is --status "$1" >/dev/null
}

@test "it has to be there" {
	run -73 --separate-stderr onlyone --as-is missing touch ran
	[[ $stderr == "onlyone: missing: No such file or directory" ]]
	[[ ! -e ran && ! -e missing ]]
	run -1 onlyone --as-is --status missing
}

@test "a symbolic link, a FIFO and a directory are refused" {
	echo content >file
	ln -s file link
	mkfifo fifo
	mkdir folder
	for file in link fifo folder; do
		run -65 onlyone --as-is "$file" touch ran
	done
	[[ ! -e ran && -z $(ls -A folder) ]]
}

# -- who is kept out --

@test "another start is, with and without a keeper, and when the command has closed its descriptors" {
	need_attributes
	echo content >file
	hold --as-is -o file
	refused file "$HOLDER"
	release
	desert --as-is file
	run -75 --separate-stderr onlyone --as-is file touch ran
	[[ ! -e ran && $stderr == "onlyone: file: held by PID $HOLDER (bash): it has closed the lock, but runs on; --force starts all the same" ]] ||
		fail "told: $stderr"
	release
	run -0 onlyone --as-is file true
}

@test "flock(1) and onlyone exclude each other there, also where only flock(2) can be had" {
	need flock
	need_attributes
	echo content >file
	printf '#!/bin/sh\n' >script
	chmod 755 script
	for file in file script; do
		hold --as-is "$file"
		run -1 flock -n "$file" true
		release
		hold_by flock -F "$file"
		refused "$file" "$OTHER" sh ": the recorded process $HOLDER has ended"
		let_go
	done
}

@test "readers share it, and a writer waits for them" {
	echo content >file
	hold --as-is -s file
	run -0 onlyone --as-is -s file echo ran
	[[ $output == ran ]]
	refused file "$HOLDER"
	start_waiter file -b --as-is file touch ran
	release
	ended 0 "$WAITER"
	[[ -e ran ]]
}

@test "a file that is replaced while it is locked keeps others out" {
	echo content >file
	hold --as-is file
	mv file away
	echo content >file
	run -75 --separate-stderr onlyone --as-is file touch ran
	[[ ! -e ran && $stderr == "onlyone: file: held by PID $HOLDER (sh): the file that it locked was removed or replaced" ]]
	release
}

@test "of a script, which has a flock(2) lock alone, the new one is another lock" {
	printf '#!/bin/sh\n' >script
	chmod 755 script
	hold --as-is script
	mv script away
	cp -p away script
	run -0 onlyone --as-is script echo ran
	[[ $output == ran ]]
	release
}

@test "one who may only read the file is kept out, and keeps out" {
	let_nobody_in
	echo content >file
	chmod 644 file
	hold --as-is file
	run -75 as_nobody "$ONLYONE" --as-is file touch ran
	release

	mkfifo -m 666 ready go
	as_nobody "$ONLYONE" --as-is file sh -c 'echo >ready; read -r _ <go' 3>&- &
	hear ready
	run -75 onlyone --as-is file touch ran
	run -75 as_nobody "$ONLYONE" --as-is file touch ran
	run -0 onlyone --as-is --status file
	[[ ! -e ran && $(cat file) == content ]]
	say go
	ended 0 $!
	run -0 as_nobody "$ONLYONE" --as-is file echo ran
	[[ $output == ran ]]
}

# -- it is nobody's lock file --

@test "without the option it is refused, with a hint" {
	need_attributes
	for content in 41 'port = 80' $'1\n2' ''; do
		printf '%s' "$content" >file
		[[ -z $content ]] || left_alone file
		run -0 onlyone --as-is file true
		left_alone file
	done
}

@test "also when it is emptied, and when it is a record by its content" {
	need_attributes
	echo 41 >counter
	run -0 onlyone --as-is counter true
	: >counter
	left_alone counter
	by_hand 4711 counter
	left_alone counter
}

@test "nor is a lock file locked as it is" {
	need_attributes
	run -0 onlyone lock true
	run -65 --separate-stderr onlyone --as-is lock touch ran
	[[ ! -e ran && $stderr == "onlyone: lock: is a lock file, not one to be locked --as-is" ]]
	run -0 onlyone lock true
}

@test "questions and descriptors without the option get the same answer" {
	echo 41 >counter
	hold --as-is counter
	for question in --status --pid '--signal KILL'; do
		# shellcheck disable=SC2086 # two words
		run -65 --separate-stderr onlyone $question counter
		[[ $stderr == *"see --as-is" ]]
	done
	run -65 bash -c 'onlyone --fd 9 touch ran 9<>counter'
	[[ ! -e ran && $(cat counter) == 41 ]]
	release
}

# -- questions --

@test "questions with the option have the same answers as elsewhere" {
	need_attributes
	echo 41 >counter
	printf '#!/bin/sh\n' >script
	chmod 755 script
	for file in counter script; do
		run -1 onlyone --as-is --status "$file"
		hold --as-is "$file"
		run -0 onlyone --as-is --status "$file"
		[[ $output =~ ^"held by PID $HOLDER (sh -c".*") for "[0-9]+" s"$ ]]
		run -0 onlyone --as-is --pid "$file"
		[[ $output == "$HOLDER" ]]
		run -0 onlyone --as-is --signal KILL -w 120 "$file"
		ended 137 "$HOLDER"
		run -1 onlyone --as-is --pid "$file"
	done
}

@test "it is replaced" {
	need_attributes
	echo 41 >counter
	hold --as-is counter
	run -0 onlyone --as-is --signal KILL -w 120 counter cat counter
	[[ $output == 41 ]]
}

# -- descriptors --

@test "a descriptor of the caller's is locked and unlocked, and its file stays as it is" {
	echo 41 >counter
	for redirection in '9<>counter' '9>>counter' '9<counter'; do
		run -0 bash -c "exec $redirection"'; onlyone --as-is --fd 9; onlyone --as-is counter touch ran 9>&-
			echo $?; onlyone -u --as-is --fd 9; onlyone --as-is counter echo ran'
		[[ ${lines[*]: -2} == '75 ran' && ! -e ran && $(cat counter) == 41 ]] || fail "$redirection: $output"
	done
}
