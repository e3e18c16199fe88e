#!/usr/bin/env bats
# What onlyone promises on every file system, or says that it does not hold there.
# shellcheck disable=SC2016 # what stands in single quotes is for the shells that are started

load helper

@test "a second start is refused and told who holds the lock, and the next may start" {
	hold "$LOCK"
	refused "onlyone: $LOCK: held by PID $HOLDER (sh)" "$LOCK"
	release
	free "$LOCK"
}

@test "the lock is free when its holder was killed" {
	hold "$LOCK"
	kill -KILL "$HOLDER"
	ended 137 "$HOLDER"
	free "$LOCK"
}

@test "--status and --pid tell who holds the lock, and --signal ends it" {
	run -1 onlyone --status "$LOCK"
	hold "$LOCK"
	run -0 onlyone --status "$LOCK"
	[[ $output == "held by PID $HOLDER (sh -c "*") for "*" s" ]]
	[[ $(onlyone --pid "$LOCK") == "$HOLDER" ]]
	run -0 in_time onlyone --signal KILL -b "$LOCK"
	ended 137 "$HOLDER"
	run -1 --separate-stderr onlyone --status "$LOCK"
	[[ $output == free ]]
}

@test "a wait ends at its limit, and not before" {
	hold "$LOCK"
	begin=${EPOCHREALTIME/./}
	refused "onlyone: $LOCK: held by PID $HOLDER (sh)" -w 1.5 "$LOCK"
	((${EPOCHREALTIME/./} - begin >= 1500000))
}

@test "a waiter gets the lock when it is free" {
	hold "$LOCK"
	start_waiter "$LOCK" touch ran
	[[ ! -e ran ]]
	release
	ended 0 "$WAITER"
	[[ -e ran ]]
}

@test "shared locks share, and keep an exclusive one out" {
	hold -s "$LOCK"
	run -0 start -s "$LOCK" true
	refused "onlyone: $LOCK: held by PID $HOLDER (sh)" "$LOCK"
	release
	free "$LOCK"
}

@test "a command that has closed the lock is still the only copy, or --verbose says that it is not" {
	desert -v "$LOCK" 2>said
	if is undated; then
		grep -q "^onlyone: $LOCK: no user attributes here: .* only with --close" said
		return
	fi
	[[ $(grep -v 'reach this host only' said) == "" ]]
	refused "onlyone: $LOCK: held by PID $HOLDER (bash): it has closed the lock, but runs on*" "$LOCK"
	release
	free "$LOCK"
}

@test "with --close the lock is held whatever the command closes" {
	desert --close "$LOCK"
	if is mandatory; then
		refused "onlyone: $LOCK: held by PID * (onlyone-keeper)" "$LOCK"
	else
		refused "onlyone: $LOCK: held by PID $HOLDER (bash)" "$LOCK"
	fi
	release
	eventually "the keeper has given it up" free "$LOCK"
}

@test "a child that outlives the command keeps the lock and is named" {
	mkfifo go
	hold_by onlyone "${HERE[@]}" "$LOCK" bash -c '"$@" & echo $! >child; wait' bash
	eventually "the child is told" test -s child
	child=$(cat child)
	kill -KILL "$OTHER"
	ended 137 "$OTHER"
	refused "onlyone: $LOCK: held by PID $child (sh)*" "$LOCK"
	echo >other/go
	eventually "it is free" free "$LOCK"
}

@test "a lock file that was removed, renamed or replaced keeps a second copy out" {
	hold "$LOCK"
	mv "$LOCK" "$PLACE/elsewhere"
	refused "onlyone: $LOCK: held by PID $HOLDER (sh)*" "$LOCK"
	rm -f "$LOCK"
	refused "onlyone: $LOCK: held by PID $HOLDER (sh)*" "$LOCK"
	rm -f "$LOCK"
	: >"$LOCK"
	refused "onlyone: $LOCK: held by PID $HOLDER (sh)*" "$LOCK"
	rm -f "$LOCK" "$PLACE/elsewhere"
	refused "onlyone: $LOCK: held by PID $HOLDER (sh)*" "$LOCK"
	release
	free "$LOCK"
}

@test "a directory is a lock, also when it was emptied" {
	mkdir "$LOCK"
	hold "$LOCK"
	refused "onlyone: $LOCK: held by PID $HOLDER (sh)" "$LOCK"
	[[ $(onlyone --pid "$LOCK") == "$HOLDER" ]]
	rm -f "$LOCK"/.onlyone
	refused "onlyone: $LOCK: held by *PID $HOLDER (sh)*" "$LOCK"
	release
	free "$LOCK"
}

@test "a descriptor that is refused keeps the lock that it had" {
	hold -s "$LOCK"
	exec 9<>"$LOCK"
	run -0 start -s --fd 9
	refused "onlyone: descriptor 9: held by *" --fd 9
	release 9<&-
	refused "onlyone: $LOCK: held by *PID $BASHPID (bash)*" "$LOCK" 9<&-
	exec 9<&-
	free "$LOCK"
}
