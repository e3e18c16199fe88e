#!/usr/bin/env bats
# NFS 3: locks are another server's, which may not answer while files are there as ever.

load unanswered

lock_manager_is_silent() {
	local port
	port=$(rpcinfo -p "$NFS3_ADDRESS" | awk '$3 == "tcp" && $5 == "nlockmgr" { print $4; exit }')
	[[ -n $port ]]
	drop "$NFS3_ADDRESS" "$port"
}

@test "where the lock manager does not answer a start ends after ten seconds, and a wait at its limit" {
	lock_manager_is_silent
	does_not_answer 10 onlyone "$LOCK" touch ran
	does_not_answer 2 onlyone -w 2 "$LOCK" touch ran
	answer_again
	free "$LOCK"
	run -0 there timeout "$PATIENCE" onlyone "$LOCK" true
}

@test "where the lock manager does not answer a question ends after ten seconds" {
	: >"$LOCK"
	lock_manager_is_silent
	does_not_answer 10 onlyone --status "$LOCK"
}

@test "where the lock manager does not answer TERM and INT end a start, and one that waits for ever" {
	lock_manager_is_silent
	ended_by TERM 143 "$LOCK" touch ran
	ended_by INT 130 -b "$LOCK" touch ran
	[[ ! -e ran ]]
}

@test "where the lock manager does not answer a descriptor keeps the lock that it had" {
	exec 9<>"$LOCK"
	run -0 start -s --fd 9
	lock_manager_is_silent
	does_not_answer 2 onlyone -w 2 --fd 9 touch ran
	answer_again
	run -75 there timeout "$PATIENCE" onlyone "$LOCK" true
	exec 9<&-
	run -0 there timeout "$PATIENCE" onlyone "$LOCK" true
}
