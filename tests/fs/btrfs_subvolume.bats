#!/usr/bin/env bats
# Subvolumes and snapshots: files of the same number on what /proc shows as the same device.

load helper

# snapshot: of all that is there now. $COPY is what was $LOCK.
snapshot() {
	btrfs -q subvolume snapshot "$FS" "$PLACE/snapshot"
	COPY=$PLACE/snapshot/${PLACE##*/}/lock
	[[ $(stat -c %i "$COPY") == "$(stat -c %i "$LOCK")" ]]
}

@test "a lock and its copy in a snapshot are two: each has its own holder" {
	hold "$LOCK"
	original=$HOLDER
	snapshot
	run -1 onlyone --status "$COPY"
	run -1 onlyone --pid "$COPY"
	run -1 onlyone --signal KILL "$COPY"
	hold "$COPY"
	[[ $(onlyone --pid "$COPY") == "$HOLDER" ]]
	refused "onlyone: $COPY: held by PID $HOLDER (sh)" "$COPY"
	[[ $(onlyone --pid "$LOCK") == "$original" ]]
	refused "onlyone: $LOCK: held by PID $original (sh)" "$LOCK"
}

@test "only the holder of that lock is signalled" {
	hold "$LOCK"
	original=$HOLDER
	snapshot
	hold "$COPY"
	run -0 in_time onlyone --signal KILL -b "$COPY"
	ended 137 "$HOLDER"
	kill -0 "$original"
	[[ $(onlyone --pid "$LOCK") == "$original" ]]
}

@test "a command that has closed the lock keeps nobody from its copy in a snapshot" {
	desert "$LOCK"
	original=$HOLDER
	snapshot
	free "$COPY"
	refused "onlyone: $LOCK: held by PID $original (bash): it has closed the lock, but runs on*" "$LOCK"
}
