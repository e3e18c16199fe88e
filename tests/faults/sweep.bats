#!/usr/bin/env bats
# The sweep itself: it finds what is wrong with a wrapper that hopes for the best.

# The sweep calls what is defined here, and sets what is read here.
# shellcheck disable=SC2317,SC2034,SC2153

load ../helper
load sweep

setup_file() {
	need_sweep
	need cc
}

careless() {
	cc -o careless "$BATS_TEST_DIRNAME/careless.c"
	PROGRAM=$PWD/careless
	LOCKS=FLOCK:WRITE:lock
}

found() {
	grep -qxF "$1" <<<"$output" || fail "not found: $1"
}

@test "a command that runs without the lock is found, and a record that is not the command's" {
	careless
	run -1 sweep errors 3>/dev/null
	found "flock 1 ENOLCK: the command ran, without the lock"
	found "flock 1 EINTR: the command ran, without the lock"
	[[ $output =~ "write 1 ENOSPC: the command ran, with the record "$'\n' ]]
}

@test "a failure that is not told is found, and one with the wrong status" {
	careless
	run -1 sweep errors 3>/dev/null
	found "execve 1 ENOENT: status 0"
	found "execve 1 ENOENT: status 0 with the message ''"
}

@test "a record that is lost when the program is killed is found" {
	given() {
		echo 4194304 >lock
	}
	careless
	run -1 sweep kills 3>/dev/null
	found "write 1 SIGKILL: the record is '', was \$'4194304\\n'"
}
