#!/usr/bin/env bats
# SMB: locks that conflict with each other, and are mandatory.

load ../fs/helper

@test "a record that cannot be read is no error: the other host is told that LOCK is held" {
	hold "$LOCK"
	run -0 there onlyone --status "$LOCK"
	[[ $output == "held, by a process that cannot be seen from here" ]]
	run -77 there onlyone --pid "$LOCK"
	run -75 there onlyone --signal TERM "$LOCK"
	kill -0 "$HOLDER"
}

@test "the file holds the PID when the command has ended" {
	hold "$LOCK"
	release
	[[ $(cat "$LOCK") == "$HOLDER" ]]
}
