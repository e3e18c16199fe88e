#!/usr/bin/env bats
# A file system that others share, though its locks stay on this host.
# shellcheck disable=SC2154 # run sets stderr

load helper

@test "a start is refused and told why, unless --local says that one host is enough" {
	run -71 --separate-stderr in_time onlyone "$LOCK" touch ran
	[[ $stderr == "onlyone: $LOCK: locks on this file system ("*") reach this host only; --local "* ]]
	[[ ! -e ran ]]
	run -0 --separate-stderr in_time onlyone --local "$LOCK" true
}
