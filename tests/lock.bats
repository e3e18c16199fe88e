#!/usr/bin/env bats
# The main job: one copy runs, the second is refused.

load helper

@test "the command runs and its status comes back" {
	run -0 --separate-stderr onlyone lock echo hello
	[[ $output == hello && -z $stderr ]]
	run -42 onlyone lock sh -c 'exit 42'
}

# bats test_tags=native
@test "a second copy is refused while the first runs, and told who holds the lock" {
	hold lock
	run -75 --separate-stderr onlyone lock touch ran
	[[ -z $output && $stderr == "onlyone: lock: held by PID $HOLDER (sh)" ]]
	[[ ! -e ran ]]
	release
}

@test "the lock is free again when the command has ended" {
	hold lock
	release
	run -0 onlyone lock true
}

@test "the lock is free again when the command was killed" {
	hold lock
	kill -KILL "$HOLDER"
	status=0
	await "$HOLDER" || status=$?
	[[ $status == 137 ]]
	run -0 onlyone lock true
}

@test "the file holds the command's PID, a newline and an empty line, nothing else" {
	hold lock
	cmp lock <(printf '%s\n\n' "$HOLDER")
	release
}

@test "the process is the command itself: onlyone has left nothing in between" {
	"$ONLYONE" lock sleep 600 3>&- &
	eventually "sleep runs" test "$(command -v sleep)" -ef "/proc/$!/exe"
	[[ $(cat lock) == "$!" ]]
}

@test "a shorter PID leaves no digits of a longer one behind" {
	by_hand 4194304 lock
	run -0 onlyone lock sh -c 'printf "%s\n\n" $$ | cmp lock -'
}

@test "the file stays when the command ends" {
	onlyone lock true
	[[ -f lock ]]
}

@test "children that outlive the command keep the lock" {
	run -0 onlyone lock sh -c 'sleep 600 3>&- >/dev/null 2>&1 & echo $!'
	child=$output
	run -75 onlyone lock true
	[[ $output == "onlyone: lock: held by PID $child (sleep)"* ]] # and more, where there are attributes
}

@test "different locks do not exclude each other" {
	hold one
	run -0 onlyone two true
	release
}

@test "a lock file with a time beyond 2038 is one all the same, also for 32 bits" {
	touch -d 2040-01-01 lock
	run -0 onlyone lock true
}
