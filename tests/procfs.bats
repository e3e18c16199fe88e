#!/usr/bin/env bats
# What the kernel says in /proc, from recorded lines: the lists that cannot be had at will, and what
# becomes of locks on the file systems that they tell of.

load helper

setup_file() {
	cc -std=gnu11 -D_GNU_SOURCE -I "$BATS_TEST_DIRNAME/../src" -o "$BATS_FILE_TMPDIR/driver" \
		"$BATS_TEST_DIRNAME/procfs/driver.c" "$BATS_TEST_DIRNAME"/../src/{procfs,mounts,fdinfo}.c
}

ask() {
	"$BATS_FILE_TMPDIR/driver" "$@"
}

# mount_of ID: in this list, of a machine with NFS mounts of every kind.
mount_of() {
	ask mount "$1" <<-'EOF'
		25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
		31 25 0:45 / /srv rw,relatime shared:20 - nfs host:/srv rw,vers=3,hard,proto=tcp,local_lock=none,addr=10.0.0.1
		32 31 0:46 / /srv/inner rw,relatime shared:21 - nfs host:/inner rw,vers=3,hard,nolock,local_lock=all,addr=10.0.0.1
		33 25 0:47 / /mnt/with\040blank\040-\040dash rw,relatime - nfs host:/a\040b rw,vers=3,local_lock=posix,addr=10.0.0.1
		34 25 0:48 / /mnt/flock rw,relatime - nfs host:/c rw,vers=3,local_lock=flock,addr=10.0.0.1
		35 25 0:49 / /mnt/four rw,relatime shared:1 master:2 propagate_from:3 - nfs4 host:/ rw,vers=4.2,local_lock=none,addr=10.0.0.1
		36 25 0:50 / /mnt/local_lock=all rw,relatime - nfs4 host:/local_lock=all rw,vers=4.2,local_lock=none
		37 25 8:2 / /mnt/disk rw,relatime - ext4 /dev/sdb1 rw,local_lock=all
		38 25 0:51 / /mnt/longer rw - nfs host:/d rw,local_lock=allmost,notlocal_lock=all
		39 31 8:3 / /srv/local rw,relatime - ext4 /dev/sdc1 rw
		310 25 0:52 / /mnt/last rw - nfs host:/e rw,local_lock=all
	EOF
}

@test "NFS locks that stay on this host are recognised: local_lock=all and posix" {
	[[ $(mount_of 32) == "0:46 local fcntl remote" ]]
	[[ $(mount_of 33) == "0:47 local fcntl remote" ]]
}

@test "NFS locks that reach the server are not mistaken for local ones" {
	[[ $(mount_of 31) == "0:45 shared fcntl remote" ]]
	[[ $(mount_of 34) == "0:48 shared fcntl remote" ]]
	[[ $(mount_of 35) == "0:49 shared fcntl remote" ]]
}

@test "an option counts as a whole, and only among the file system's own" {
	[[ $(mount_of 36) == "0:50 shared fcntl remote" ]]
	[[ $(mount_of 38) == "0:51 shared fcntl remote" ]]
}

@test "only NFS keeps locks local by that option" {
	[[ $(mount_of 37) == "8:2 shared plain" ]]
}

@test "of nested mounts the one that holds the file counts" {
	[[ $(mount_of 31) == *" shared "* && $(mount_of 32) == *" local "* && $(mount_of 39) == "8:3 shared plain" ]]
}

@test "a mount is found by its whole number, the last line as well, and not where it is missing" {
	[[ $(mount_of 310) == "0:52 local fcntl remote" ]]
	run -1 mount_of 3
	run -1 mount_of 99
	run -1 ask mount 31 </dev/null
}

@test "a line as long as paths can be is read to its end" {
	long=$(printf '%16000s' '' | tr ' ' x)
	[[ $(ask mount 7 <<<"7 1 0:9 /$long /$long rw - nfs host:/$long rw,local_lock=all") == "0:9 local fcntl remote" ]]
}

@test "which directory is mounted, and where, is read with blanks, line breaks and backslashes in it" {
	[[ $(ask where 7 <<<'7 1 0:9 /a\040b\011c /mnt/back\134040slash rw shared:1 - tmpfs none rw') == $'/a b\tc at /mnt/back\\040slash' ]]
	[[ $(ask where 7 <<<'7 1 0:9 / /mnt\012next rw - tmpfs  rw') == $'/ at /mnt\nnext' ]] # its source has no name
	run -1 ask where 7 <<<'7 1 0:9 / /mnt rw - tmpfs'
	run -1 ask where 7 <<<'7 1 0:9 /'
}

@test "the machine's own list is understood" {
	exec 9<"$BATS_TEST_DIRNAME/helper.bash"
	id=$(ask field mnt_id </proc/self/fdinfo/9)
	grep -q "^$id " /proc/self/mountinfo ||
		missing mountinfo "the mount is outside of /" "a / that is a mount point"
	[[ $(ask mount "$id" </proc/self/mountinfo) =~ ^[0-9]+:[0-9]+" "[a-z] ]]
	[[ $(ask where "$id" </proc/self/mountinfo) == /*" at "/* ]]
	exec 9<&-
}

@test "locks of all three families are told, those that wait and leases are not" {
	run -0 ask locks <<-'EOF'
		1: OFDLCK ADVISORY  WRITE -1 fe:00:10952738 0 6864505570531439572
		1: -> OFDLCK ADVISORY  WRITE -1 fe:00:10952738 0 6864505570531439572
		2: FLOCK  ADVISORY  WRITE 4235 fe:1b:10952782 0 EOF
		2:  -> FLOCK  ADVISORY  WRITE 4236 fe:1b:10952782 0 EOF
		3: LEASE  ACTIVE    READ 12 00:2a:7 0 EOF
		4: DELEG  ACTIVE    READ 12 00:2a:8 0 EOF
		5: POSIX  ADVISORY  READ 0 00:1b:18446744073709551615 100 200
	EOF
	[[ $output == "\
ofd write fe:0:10952738 6864505570531439572
flock write fe:1b:10952782 18446744073709551615
posix read 0:1b:18446744073709551615 200" ]]
}

@test "a lock line of fdinfo is read like one of /proc/locks" {
	[[ $(ask locks <<<$'pos:\t0\nlock:\t1: FLOCK  ADVISORY  READ 7 08:01:5 0 EOF') == "flock read 8:1:5 18446744073709551615" ]]
}

@test "a process's name may hold what else separates the fields" {
	[[ $(ask stat <<<'7 (a) Z (b) S 1 7 7 0 -1 4194560 118 0 0 0 0 0 0 0 20 0 1 0 186118 567 4') == "7 lives 186118" ]]
	[[ $(ask stat <<<'7 () S 1 () Z 1 7 7 0 -1 4194560 118 0 0 0 0 0 0 0 20 0 1 0 9 567 4') == "7 ended 9" ]]
}

@test "a zombie has ended, but not while its other threads live" {
	[[ $(ask stat <<<'7 (a) Z 1 7 7 0 -1 4194560 118 0 0 0 0 0 0 0 20 0 1 0 5 0 0') == "7 ended 5" ]]
	[[ $(ask stat <<<'7 (a) Z 1 7 7 0 -1 4194560 118 0 0 0 0 0 0 0 20 0 3 0 5 0 0') == "7 lives 5" ]]
	[[ $(ask stat <<<'7 (a) X 1 7 7 0 -1 4194560 118 0 0 0 0 0 0 0 20 0 0 0 5 0 0') == "7 ended 5" ]]
}

@test "a process that a signal or a debugger has stopped is no ended one" {
	for state in T t; do
		[[ $(ask stat <<<"7 (a) $state 1 7 7 0 -1 4194560 118 0 0 0 0 0 0 0 20 0 1 0 5 0 0") == "7 stopped 5" ]]
	done
}

@test "half a stat line is none" {
	run -1 ask stat <<<'7 (a) S 1 7'
	run -1 ask stat </dev/null
}

@test "a field is found by its whole name, at the start of a line" {
	text=$'pos:\t0\nxino:\t5\ninode:\t6\nino:\t18446744073709551614\nPid:\t-1'
	[[ $(ask field ino <<<"$text") == 18446744073709551614 ]]
	[[ $(ask field Pid <<<"$text") == 18446744073709551615 ]]
	[[ $(ask field mnt_id <<<"$text") == 18446744073709551615 ]]
}
