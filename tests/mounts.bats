#!/usr/bin/env bats
# What becomes of locks on each file system, told from the line that mountinfo has of it.

load helper

setup_file() {
	cc -std=gnu11 -D_GNU_SOURCE -I "$BATS_TEST_DIRNAME/../src" -o "$BATS_FILE_TMPDIR/driver" \
		"$BATS_TEST_DIRNAME/procfs/driver.c" "$BATS_TEST_DIRNAME"/../src/{procfs,mounts,fdinfo}.c
}

# is_said WORDS TYPE[,OPTION]...: so are the locks of each, whatever other options it has.
is_said() {
	local words=$1 mount type said
	shift
	for mount; do
		type=${mount%%,*}
		said=$("$BATS_FILE_TMPDIR/driver" mount 7 <<<"7 1 0:9 / /mnt rw - $type source rw${mount#"$type"},relatime")
		[[ $said == "0:9 $words" ]] || fail "$mount: $said"
	done
}

@test "folders that a host shares with virtual machines have locks of this host only" {
	is_said "local fcntl remote" 9p
	is_said "local remote" virtiofs vboxsf vmhgfs prl_fs fuse.vmhgfs-fuse
}

@test "FUSE file systems over what others share have locks of this host only" {
	is_said "local remote" fuse.{sshfs,rclone,s3fs,mountpoint-s3,goofys,gcsfuse,blobfuse,blobfuse2,curlftpfs,davfs}
}

@test "SMB, GFS2, OCFS2, Lustre and NFS 3 have locks of all hosts, but by an option" {
	is_said "shared fcntl eacces remote" cifs smb3
	is_said "local fcntl eacces remote" cifs,nobrl smb3,nobrl
	is_said "shared fcntl remote" nfs
	is_said "local fcntl remote" nfs,local_lock=all nfs,local_lock=posix
	is_said "shared remote" gfs2 ocfs2 lustre ceph lustre,flock
	is_said "local remote" {gfs2,ocfs2},localflocks lustre,localflock lustre,noflock
}

@test "NFS 4 has locks of all hosts, whatever the options of NFS 3 say" {
	is_said "shared fcntl remote" nfs4 nfs4,local_lock=all
}

@test "GlusterFS hides its locks, and gives them back" {
	is_said "shared remote hidden" fuse.glusterfs
}

@test "of other FUSE file systems it is not known whether others share them" {
	is_said unsure fuse fuseblk fuse.bindfs fuse.mergerfs fuse.gocryptfs fuse.encfs fuse.sshfs2
}

@test "a disk's file system has locks of this host, and nobody else has it" {
	is_said "shared plain" ext4 xfs btrfs tmpfs overlay f2fs vfat exfat zfs
}
