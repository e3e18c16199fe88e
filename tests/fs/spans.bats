#!/usr/bin/env bats
# Two hosts, on a file system whose locks reach both.

load helper

@test "a copy on this host keeps out one on another host, which does not know who it is" {
	hold "$LOCK"
	run -75 there onlyone "$LOCK" touch ran
	[[ $output == "onlyone: $LOCK: held by an unknown process" && ! -e ran ]]
	release
	run -0 there onlyone "$LOCK" true
}

@test "another host's holder is unknown, is not signalled, and frees the lock" {
	hold_elsewhere "$LOCK"
	refused "onlyone: $LOCK: held by an unknown process" "$LOCK"
	run -0 onlyone --status "$LOCK"
	[[ $output == "held, by a process that cannot be seen from here" ]]
	run -77 onlyone --pid "$LOCK"
	run -75 onlyone --signal TERM "$LOCK"
	release
	free "$LOCK"
}

@test "two hosts take turns" {
	hold_elsewhere "$LOCK"
	start_waiter "$LOCK" touch ran
	[[ ! -e ran ]]
	release
	ended 0 "$WAITER"
	[[ -e ran ]]
}

@test "a directory is a lock for all hosts" {
	mkdir "$LOCK"
	hold_elsewhere "$LOCK"
	refused "onlyone: $LOCK: held by an unknown process" "$LOCK"
	release
	free "$LOCK"
}
