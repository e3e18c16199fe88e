#!/usr/bin/env bats
# Subvolumes that are moved: the ctime of one is in memory alone, and forgotten with it.

load helper

@test "a subvolume that is set aside for another directory, and comes back, and is forgotten: the next start is refused" {
	mkdir "$PLACE/top"
	btrfs -q subvolume create "$PLACE/top/data"
	LOCK=$PLACE/top/data/lock
	sleep 0.4 # far longer than any clock of files lags
	free "$LOCK"
	sleep 0.4
	free "$LOCK" # leaves a record that vouches
	sleep 0.4
	mv "$PLACE/top/data" "$PLACE/top/old"
	mkdir "$PLACE/top/data"
	hold "$LOCK"
	mv "$PLACE/top/data" "$PLACE/top/new"
	mv "$PLACE/top/old" "$PLACE/top/data"
	sync -f "$PLACE"
	# As when memory is short.
	{ echo 2 >/proc/sys/vm/drop_caches; } 2>/dev/null || skip "nothing can be forgotten here"
	refused "onlyone: $LOCK: held by PID $HOLDER (sh)*" "$LOCK"
	release
	free "$LOCK"
}
