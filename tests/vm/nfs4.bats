#!/usr/bin/env bats
# NFS 4: locks are the file server's own, so what does not answer is all of it.

load unanswered

@test "where the server does not answer a descriptor's lock ends at its limit" {
	exec 9<>"$LOCK"
	drop "$NFS4_ADDRESS"
	does_not_answer 2 onlyone -w 2 --fd 9 touch ran
	answer_again
	exec 9<&-
	free "$LOCK"
}

@test "where the server does not answer TERM and INT end a start that is to open LOCK" {
	drop "$NFS4_ADDRESS"
	ended_by TERM 143 "$PLACE/another/lock" touch ran
	ended_by INT 130 -b "$PLACE/another/lock" touch ran
	[[ ! -e ran ]]
}
