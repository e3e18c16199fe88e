#!/usr/bin/env bats
# An overlay: files of the layer below, and inode numbers that may be others next time.

load helper

@test "a lock file of the lower layer that is held shared keeps an exclusive start out, which copies it up" {
	hold -s "$FS/below"
	refused "onlyone: $FS/below: held by PID $HOLDER (sh)" "$FS/below"
	[[ -e $FS/below ]]
	release
	free "$FS/below"
}

@test "a directory whose inode the kernel has forgotten is the same lock, also when it was emptied" {
	mkdir "$LOCK"
	hold "$LOCK"
	echo 2 >/proc/sys/vm/drop_caches
	refused "onlyone: $LOCK: held by PID $HOLDER (sh)" "$LOCK"
	echo 2 >/proc/sys/vm/drop_caches
	rm "$LOCK/.onlyone"
	refused "onlyone: $LOCK: held by *PID $HOLDER (sh)*" "$LOCK"
	release
	free "$LOCK"
}

@test "a lock file that was removed is found after the kernel has forgotten its directory's inode" {
	hold "$LOCK"
	rm "$LOCK"
	echo 2 >/proc/sys/vm/drop_caches
	refused "onlyone: $LOCK: held by PID $HOLDER (sh)*" "$LOCK"
	release
	free "$LOCK"
}
