#!/usr/bin/env bats
# A file system that hands locks on and does not show them.
# shellcheck disable=SC2154 # run sets stderr

load helper

@test "a lock that the file system does not show is none: the command is not started" {
	run -71 --separate-stderr in_time onlyone "$LOCK" touch ran
	echo "$stderr"
	[[ $stderr == "onlyone: $LOCK: "* && ! -e ran ]]
}
