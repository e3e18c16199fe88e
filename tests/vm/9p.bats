#!/usr/bin/env bats
# 9p: a folder shared with a virtual machine.
# shellcheck disable=SC2154,SC2016 # run sets status; what stands in single quotes is for a shell

load ../fs/helper

@test "a held file that the other side removes lets nobody in, and nothing loops" {
	hold "$LOCK"
	there rm "$LOCK"
	refused "onlyone: $LOCK: held by *" "$LOCK"
	refused "onlyone: $LOCK: held by *" -w 1 "$LOCK"
	run in_time onlyone --status "$LOCK"
	[[ $status != 124 ]]
	release
	eventually "it is free" free "$LOCK"
}

@test "a held file that the other side replaces lets nobody in, and nothing loops" {
	hold "$LOCK"
	there sh -c 'rm "$1"; : >"$1"' sh "$LOCK"
	refused "onlyone: $LOCK: held by *" "$LOCK"
	release
	free "$LOCK"
}
