#!/usr/bin/env bats
# FUSE file systems of other names, and what is said of them: a bindfs that bears the name is one to us.
# shellcheck disable=SC2154 # run sets stderr

load helper

# mount_as NAME [OPTION...]: on ./mounted.
mount_as() {
	local name=$1
	shift
	mkdir -p below mounted
	bindfs "$@" -o "subtype=$name" below mounted 3>&-
}

@test "where locks reach this host only and nobody knows whether others share it, --verbose says so" {
	run -0 --separate-stderr start -v "$LOCK" true
	[[ $stderr == "onlyone: $LOCK: locks on this file system (fuse) reach this host only" ]]
	run -0 --separate-stderr start "$LOCK" true
	[[ -z $stderr ]]
}

@test "where others are known to share it a start is refused, unless --local says that one host is enough" {
	local name
	for name in rclone s3fs gcsfuse mountpoint-s3; do
		mount_as "$name"
		run -71 --separate-stderr start mounted/lock touch ran
		[[ $stderr == "onlyone: mounted/lock: locks on this file system (fuse.$name) reach this host only; --local "* ]]
		[[ ! -e ran ]]
		run -0 --separate-stderr start --local mounted/lock true
		umount mounted
	done
}

@test "where locks are hidden and yet given back a start is made, and --verbose says what would not be seen" {
	mount_as glusterfs --multithreaded --enable-lock-forwarding
	run -0 --separate-stderr start -v mounted/lock true
	[[ $stderr == "onlyone: mounted/lock: this file system (fuse.glusterfs) hides its locks: that its file was replaced would not be seen" ]]
	umount mounted
}

@test "where an attribute cannot be written for want of the server, it is the attribute that is named" {
	need strace
	run -74 --separate-stderr in_time strace -qq -o /dev/null -e inject=fsetxattr:error=EIO \
		onlyone "$LOCK" touch ran
	[[ $stderr == "onlyone: $LOCK: the record's attribute could not be written: Input/output error" ]]
	[[ ! -e ran ]]
}
