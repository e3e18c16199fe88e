#!/usr/bin/env bats
# NFS 4: locks are the file server's own, so what does not answer is all of it.

load unanswered

# Looks at the file are answered without the server, for ten minutes.
mount_remembering() {
	mkdir remembering
	mount -t nfs -o retry=0,vers=4.2,nosharecache,actimeo=600 "$NFS4_ADDRESS:/${PLACE##*/}" remembering
}

@test "where the server does not answer a descriptor's lock ends at its limit, and is the one that it was" {
	mount_remembering
	exec 9<>remembering/lock
	run -0 start -s --fd 9
	stat remembering/lock
	drop "$NFS4_ADDRESS"
	does_not_answer 2 onlyone -w 2 --fd 9 touch ran
	answer_again
	run -75 there timeout "$PATIENCE" onlyone "$LOCK" true
	exec 9<&-
	run -0 there timeout "$PATIENCE" onlyone "$LOCK" true
	umount remembering
}

@test "where the server does not answer TERM and INT end a start that is to open LOCK" {
	drop "$NFS4_ADDRESS"
	ended_by TERM 143 "$PLACE/another/lock" touch ran
	ended_by INT 130 -b "$PLACE/another/lock" touch ran
	[[ ! -e ran ]]
}
