#!/usr/bin/env bats
# What a refused copy is told: who holds the lock, or that it cannot be told.
# shellcheck disable=SC2016 # what stands in single quotes is for the shells that are started

load helper

# told WHAT [COMMAND...]: a copy, started by COMMAND, is refused with just this line, and not run.
told() {
	local what=$1
	shift
	run -75 --separate-stderr "$@" onlyone lock touch ran
	# shellcheck disable=SC2154 # run sets stderr
	[[ -z $output && $stderr == "onlyone: lock: $what" && ! -e ran ]] ||
		fail "not '$what': $output$stderr"
}

# hold_named COMM: a holder that gives itself that name, whatever is in it, until the test ends.
hold_named() {
	mkfifo ready never
	"$ONLYONE" lock sh -c 'printf "$0" >/proc/$$/comm; echo >ready; read -r _ <never' "$1" 3>&- &
	HOLDER=$!
	disown "$!" # teardown ends it: not to be reported
	hear ready || fail "no holder: $1"
}

# hold_to_the_end TOOL...: another tool holds `lock` until the test ends. $OTHER is the PID of the process
# that it runs.
hold_to_the_end() {
	need "$1"
	mkfifo ready never
	"$@" sh -c 'echo $$ >ready; read -r _ <never' 3>&- &
	disown "$!"
	hear ready OTHER || fail "no holder: $*"
}

# A process that has nothing to do with the lock.
bystander() {
	sleep 600 3>&- &
	BYSTANDER=$!
	disown "$!"
}

# In a directory that another user can work in: the folders above may be shut to that user, paths
# from inside are not.
shared_with_nobody() {
	need_nobody
	mkdir -m 777 open
	cp "$ONLYONE" open/onlyone
	cd open || return
	PATH=.:$PATH ONLYONE=./onlyone
}

# -- who it is --

@test "the holder is named with its PID and its command" {
	hold lock
	told "held by PID $HOLDER (sh)"
	release
}

@test "the command is what it calls itself, not the interpreter" {
	printf '#!/bin/sh\necho >ready; read -r _ <never\n' >backup.sh
	chmod +x backup.sh
	mkfifo ready never
	"$ONLYONE" lock ./backup.sh 3>&- &
	disown "$!"
	hear ready
	told "held by PID $! (backup.sh)"
}

@test "the holder is named after a wait that was in vain" {
	hold lock
	run -75 onlyone -w 0.1 lock true
	[[ $output == "onlyone: lock: held by PID $HOLDER (sh)" ]]
	release
}

@test "the lock is called as it was given" {
	mkdir run
	hold run/lock
	run -75 onlyone ./run/../run/lock true
	[[ $output == "onlyone: ./run/../run/lock: held by PID $HOLDER (sh)" ]]
	release
}

@test "another user's holder is named to root" {
	need_sight
	shared_with_nobody
	mkfifo -m 666 ready never
	"${NOBODY[@]}" ./onlyone lock sh -c 'echo >ready; read -r _ <never' 3>&- &
	disown "$!"
	hear ready
	told "held by PID $! (sh)"
}

@test "another user's command is named to root, not the keeper that holds the lock for it" {
	shared_with_nobody
	mkfifo -m 666 ready never
	"${NOBODY[@]}" ./onlyone -o lock sh -c 'echo >ready; read -r _ <never' 3>&- &
	disown "$!"
	hear ready
	told "held by PID $! (sh)"
}

# As in a container, where root may look into nobody else's process.
@test "another user's holder is named to root without CAP_SYS_PTRACE, by the user's own record" {
	need_attributes
	shared_with_nobody
	need_no_sight
	mkfifo -m 666 ready never
	"${NOBODY[@]}" ./onlyone -m 644 lock sh -c 'echo >ready; read -r _ <never' 3>&- &
	disown "$!"
	hear ready
	told "held by PID $! (sh)" without_sight
	chmod 666 lock # now anybody can have written it
	told "held by an unknown process" without_sight
}

@test "root's holder is named to a user who may read the lock file" {
	need_attributes
	shared_with_nobody
	hold -m 644 lock
	run -75 "${NOBODY[@]}" ./onlyone -s lock true
	[[ $output == "onlyone: lock: held by PID $HOLDER (sh)" ]]
	release
}

@test "another tool's holder is named, though it records nothing" {
	hold_to_the_end setlock lock
	told "held by PID $OTHER (sh)"
}

@test "so is one with the other kind of lock" {
	hold_to_the_end s6-setlock lock
	told "held by PID $OTHER (sh)"
}

@test "all who inherited another tool's lock are named" {
	hold_to_the_end flock lock
	local parent
	parent=$(sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$OTHER/stat")
	told "held by PID $parent (flock), PID $OTHER (sh)"
}

@test "a descriptor that got one of the two kinds does not make its shell a holder" {
	need flock
	mkfifo ready never
	flock --no-fork lock sh -c 'echo $$ >ready; read -r _ <never' 3>&- &
	disown "$!"
	local locker
	hear ready locker
	run -75 bash -c 'exec 9>>lock; onlyone --fd 9; exit "$?"'
	[[ $output == "onlyone: descriptor 9: held by PID $locker (sh)" ]]
	bash -c 'exec 9>>lock; onlyone -v -b --fd 9; exit "$?"' 2>said 3>&- &
	eventually "it names whom it waits for" \
		grep -qsx "onlyone: descriptor 9: waiting: held by PID $locker (sh)" said
}

@test "who holds what the command has left behind is named" {
	need_attributes
	run -0 onlyone lock sh -c 'sleep 600 3>&- >/dev/null 2>&1 & echo $$ $!'
	told "held by PID ${output#* } (sleep): the recorded process ${output% *} has ended"
}

# Its record is taken away, and comes back while the refused copy, which cannot see it otherwise, is
# held up in the pause after its first look.
@test "a holder that has not written its record yet is given a moment" {
	need strace
	need_attributes
	shared_with_nobody
	hold -m 644 lock
	local incarnation
	incarnation=$(getfattr --only-values -n user.onlyone lock)
	setfattr -x user.onlyone lock
	: >lock
	"${NOBODY[@]}" strace -qq -o calls -e trace=ppoll -e inject=ppoll:delay_enter=1s:when=1 \
		./onlyone -s lock true 2>said 3>&- &
	eventually "the refused copy looks again" test -s calls
	setfattr -n user.onlyone -v "$incarnation" lock
	by_hand "$HOLDER" lock
	await "$!" || :
	[[ $(cat said) == "onlyone: lock: held by PID $HOLDER (sh)" ]]
	release
}

@test "a holder that ends while it is given a moment is none" {
	need strace
	shared_with_nobody
	hold lock
	: >lock
	chmod 666 lock
	"${NOBODY[@]}" strace -qq -o calls -e trace=ppoll -e inject=ppoll:delay_enter=1s:when=1 \
		./onlyone lock touch ran 3>&- &
	eventually "the copy looks again" test -s calls
	release
	await "$!"
	[[ -e ran ]]
}

# -- a name that plays with the terminal --

@test "control characters in a command's name are made harmless" {
	hold_named '\033]0;gotcha\a'
	told "held by PID $HOLDER (?]0;gotcha?)"
}

@test "so are bytes that are no ASCII" {
	hold_named '\233\033[2J\377\r\t'
	told "held by PID $HOLDER (??[2J???)"
}

@test "a name of several lines does not make several lines" {
	hold_named 'a\nonlyone: b'
	told "held by PID $HOLDER (a)"
}

@test "a name with parentheses, or of blanks, or of nothing is not taken for another" {
	hold_named ') Z 1'
	told "held by PID $HOLDER () Z 1)"
}

@test "a holder without a name is known by its number" {
	hold_named '\n'
	told "held by PID $HOLDER"
}

# -- who it is not --

@test "a process whose PID merely stands in the file is not named" {
	bystander
	by_hand "$BYSTANDER" lock
	hold_to_the_end setlock lock
	told "held by PID $OTHER (sh)"
}

@test "nor is one that inherited the PID of the recorded process" {
	need_attributes
	onlyone lock true
	bystander
	local _ start rest
	forge lock "$BYSTANDER"
	read -r _ start rest <<<"$(getfattr --only-values -n user.onlyone lock)"
	# What was recorded began a clock tick earlier.
	setfattr -n user.onlyone -v "$(printf '%x %x %s' "$BYSTANDER" $((0x$start - 1)) "$rest")" lock
	by_hand "$BYSTANDER" lock
	hold_to_the_end setlock lock
	told "held by PID $OTHER (sh): the recorded process $BYSTANDER has ended"
}

@test "nor is a bystander whom another user has written into a lock file of his" {
	need_attributes
	need_sight
	shared_with_nobody
	bystander
	mkfifo -m 666 ready never
	"${NOBODY[@]}" ./onlyone lock sh -c 'echo >ready; read -r _ <never' 3>&- &
	disown "$!"
	local planter=$!
	hear ready
	forge lock "$BYSTANDER"
	by_hand "$BYSTANDER" lock
	told "held by PID $planter (sh)"
}

@test "nor one whom anybody could have written into the file" {
	need_attributes
	bystander
	hold -m 666 lock
	forge lock "$BYSTANDER"
	by_hand "$BYSTANDER" lock
	chmod 666 lock
	told "held, and open in PID $HOLDER (sh)"
	release
}

@test "nor is anybody by a record that another user has written into a file of his: it is refused, and PID 1 not named" {
	need_attributes
	shared_with_nobody
	"${NOBODY[@]}" ./onlyone lock true
	forge lock 1
	by_hand 1 lock
	told "held by a process that another user has recorded: it runs on; --force starts all the same"
	run -0 onlyone --status lock
	[[ $output == "held by a process that another user has recorded: it runs on" ]]
}

@test "nor does a shared holder have to do with the process that was recorded before" {
	onlyone lock true
	hold -s lock
	told "held by PID $HOLDER (sh)"
	run -0 onlyone --status lock
	[[ $output == "held by PID $HOLDER (sh -c "*")"*" s" ]]
	release
}

# -- when it cannot be told --

@test "root's holder is unknown to a user who has to take anybody's word for it" {
	shared_with_nobody
	hold lock
	chmod 666 lock
	told "held by an unknown process" "${NOBODY[@]}"
	release
}

@test "root's holder is unknown to a user where it has no record" {
	shared_with_nobody
	: >lock
	chmod 644 lock
	hold_to_the_end setlock lock
	run -75 "${NOBODY[@]}" ./onlyone -s lock true
	[[ $output == "onlyone: lock: held by an unknown process" ]]
}

@test "root's holder is unknown to a user where it has an undated record" {
	shared_with_nobody
	bystander
	by_hand "$BYSTANDER" lock
	chmod 644 lock
	hold_to_the_end setlock lock
	run -75 "${NOBODY[@]}" ./onlyone -s lock true
	[[ $output == "onlyone: lock: held by an unknown process" ]]
}

@test "on a file system without user attributes a holder is named by what /proc shows of it" {
	shared_with_nobody
	mkdir fs
	need_unshare --mount mount -t ramfs none fs
	run -0 unshare -m bash -euc '
		mount -t ramfs none fs
		cp onlyone fs
		cd fs
		mkfifo ready go
		./onlyone -m 644 lock sh -c "echo >ready; read -r _ <go" 3>&- &
		hear ready
		echo "$!"
		./onlyone lock true || :
		"$@" ./onlyone -s lock true || :
		say go
		await "$!"' bash "${NOBODY[@]}"
	[[ ${lines[1]} == "onlyone: lock: held by PID ${lines[0]} (sh)" ]]
	[[ ${lines[2]} == "onlyone: lock: held by an unknown process" && ${#lines[@]} == 3 ]]
}

@test "a holder that cannot be seen is a holder" {
	shared_with_nobody
	hold lock
	chmod 666 lock
	run -75 "${NOBODY[@]}" ./onlyone -w 0.1 lock touch ran
	[[ $output == "onlyone: lock: held by an unknown process" && ! -e ran ]]
	run -9 "${NOBODY[@]}" ./onlyone -q -E 9 lock touch ran
	[[ -z $output && ! -e ran ]]
	release
	run -0 "${NOBODY[@]}" ./onlyone lock true
}

@test "a lock of which nothing can be seen from a container, not even in /proc/locks, is held" {
	need_unshare --pid --fork --kill-child --mount-proc
	hold_to_the_end flock lock
	run -75 timeout -k 1 "$PATIENCE" unshare --pid --fork --kill-child --mount-proc "$ONLYONE" lock touch ran
	[[ $output == "onlyone: lock: held by an unknown process" && ! -e ran ]]
}
