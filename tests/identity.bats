#!/usr/bin/env bats
# What is named is what is meant, also where the kernel gives two files the same numbers: the
# subvolumes of btrfs, the layers of overlayfs.
# shellcheck disable=SC2016 # the scripts in single quotes are for other shells

load helper

# For the scripts: start LOCK [closed] runs a server, $SERVER, that may have closed the lock.
start() {
	local close=
	[[ ${2:-} != closed ]] || close='exec {ONLYONE_FD}>&-; '
	[[ -p $BATS_TEST_TMPDIR/ready ]] || mkfifo "$BATS_TEST_TMPDIR/ready"
	# From another directory: this one must not be what keeps the kernel's idea of LOCK's.
	(cd / && exec onlyone "$OLDPWD/$1" bash -c "$close"'echo >"$0"; exec sleep 600' "$BATS_TEST_TMPDIR/ready") \
		3>&- >/dev/null 2>&1 &
	# shellcheck disable=SC2034 # the scripts read it
	SERVER=$!
	hear "$BATS_TEST_TMPDIR/ready"
}

# is STATUS COMMAND...
is() {
	local expected=$1 status=0
	shift
	"$@" || status=$?
	[[ $status == "$expected" ]] || {
		echo "status $status: $*" >&2
		return 1
	}
}

is_refused() {
	is 75 onlyone "$1" touch "$BATS_TEST_TMPDIR/ran" 2>message
	[[ ! -e $BATS_TEST_TMPDIR/ran && $(<message) == "onlyone: $1: held by PID $2 (sleep)"* ]] || {
		cat message >&2
		return 1
	}
}
export -f start is is_refused

need_btrfs() {
	need mkfs.btrfs btrfs
	truncate -s 128M disk
	mkfs.btrfs -q disk
	mkdir btrfs
	need_unshare --mount --pid --fork --kill-child --mount-proc mount -o loop disk btrfs
}

on_btrfs() {
	unshare --mount --pid --fork --kill-child --mount-proc bash -euc 'mount -o loop disk btrfs && cd btrfs && eval "$0"' "$1"
}

# Finds `lower`, `upper` and `merged`.
mount_overlay() {
	mount -t overlay -o lowerdir=lower,upperdir=upper/new,workdir=upper/work none merged
}
export -f mount_overlay

# The script finds `lower`, and `merged`, whose new files are on another file system.
on_overlayfs() {
	mkdir -p tree
	unshare --mount --pid --fork --kill-child --mount-proc bash -euc '
		cd tree
		mkdir -p lower upper merged
		mount -t tmpfs none lower
		mount -t tmpfs none upper
		mkdir upper/new upper/work
		eval "$0"' "$1"
}

need_overlayfs() {
	need_unshare --mount --pid --fork --kill-child --mount-proc mount -t tmpfs none .
	on_overlayfs mount_overlay || missing overlayfs "no overlayfs" "a kernel with overlayfs"
}

@test "btrfs: the server of a subvolume is not that of its snapshot" {
	need_btrfs
	run -0 on_btrfs '
		btrfs -q subvolume create s
		start s/lock
		btrfs -q subvolume snapshot s snap
		[[ $(stat -c %i s/lock) == "$(stat -c %i snap/lock)" ]]
		is 1 onlyone --status snap/lock
		is 1 onlyone --signal KILL snap/lock
		is 0 onlyone snap/lock true
		is_refused s/lock "$SERVER"
		[[ $(onlyone --pid s/lock) == "$SERVER" ]]'
}

@test "btrfs: files of the same number in two subvolumes are two" {
	need_btrfs
	run -0 on_btrfs '
		for name in one two; do
			btrfs -q subvolume create "$name"
			: >"$name/lock"
		done
		[[ $(stat -c %i one/lock) == "$(stat -c %i two/lock)" ]]
		start one/lock
		one=$SERVER
		is 1 onlyone --status two/lock
		is 1 onlyone --signal KILL two/lock
		start two/lock
		[[ $(onlyone --pid one/lock) == "$one" && $(onlyone --pid two/lock) == "$SERVER" ]]
		is 0 onlyone --signal KILL two/lock
		is_refused one/lock "$one"
		rm one/lock
		is_refused one/lock "$one"
		is 0 onlyone -w 120 two/lock true'
}

@test "btrfs: flock of the same number in another subvolume is told from one here" {
	need flock
	need_btrfs
	run -0 on_btrfs '
		for name in one two; do
			btrfs -q subvolume create "$name"
			: >"$name/lock"
		done
		flock -n one/lock bash -c "
			[[ \$(onlyone --status one/lock) == held* ]]
			is 1 onlyone --status two/lock"'
}

@test "btrfs: a snapshot that is rolled back to under the server is the same lock" {
	need_btrfs
	run -0 on_btrfs '
		btrfs -q subvolume create s
		start s/lock
		mv s old
		btrfs -q subvolume snapshot old s
		is_refused s/lock "$SERVER"
		is_refused s/lock "$SERVER"
		kill "$SERVER"
		is 0 onlyone -w 120 s/lock true'
}

@test "btrfs: a snapshot that is rolled back to under a server that has closed the lock" {
	need_btrfs
	run -0 on_btrfs '
		btrfs -q subvolume create s
		start s/lock closed
		mv s old
		btrfs -q subvolume snapshot old s
		is_refused s/lock "$SERVER"
		kill "$SERVER"
		is 0 onlyone -w 120 s/lock true'
}

@test "overlayfs: a file that nobody holds is free, whatever file of another layer has its number" {
	need_overlayfs
	run -0 on_overlayfs '
		for n in {1..64}; do : >"lower/old$n"; done
		mount_overlay
		start merged/lock
		inode=$(stat -c %i merged/lock) same=
		for n in {1..64}; do
			[[ $(stat -c %i "merged/old$n") != "$inode" ]] || same=merged/old$n
		done
		[[ -n $same ]]
		is 1 onlyone --status "$same"
		is 1 onlyone --signal KILL "$same"
		is_refused merged/lock "$SERVER"
		rm merged/lock
		is_refused merged/lock "$SERVER"'
}

@test "overlayfs: a directory whose number has changed is the same: a server that has closed the lock is guarded" {
	need_overlayfs
	run -0 on_overlayfs '
		mount_overlay
		mkdir merged/run
		number=$(stat -c %i merged/run)
		start merged/run/lock closed
		for _ in {1..50}; do
			echo 2 >/proc/sys/vm/drop_caches
			[[ $(stat -c %i merged/run) == "$number" ]] || break
			sleep 0.05
		done
		[[ $(stat -c %i merged/run) != "$number" ]]
		is_refused merged/run/lock "$SERVER"
		kill "$SERVER"
		is 0 onlyone -w 120 merged/run/lock true'
}
