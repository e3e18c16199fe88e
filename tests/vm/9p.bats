#!/usr/bin/env bats
# 9p: a folder shared with a virtual machine.
# shellcheck disable=SC2154,SC2016 # run sets stderr; what stands in single quotes is for a shell

load ../fs/helper

# Here the file may be there to open(2) and not to stat(2), or the other way round, for a while.
not_started() {
	run --separate-stderr start "$@" touch ran
	[[ ($status == 75 || $status == 73) && ! -e ran ]] || fail "status $status: $output$stderr"
}

@test "a held file that the other side removes lets nobody in, and nothing loops" {
	hold "$LOCK"
	there rm "$LOCK"
	not_started "$LOCK"
	not_started -w 1 "$LOCK"
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
