#include "mounts.h"

#include "fdinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

/* f_type of file systems that keep locks in this kernel alone and show them: linux/magic.h. */
static const uint32_t local_magic[] = {
	0xef53,     /* ext2, ext3, ext4 */
	0x58465342, /* xfs */
	0x9123683e, /* btrfs */
	0x01021994, /* tmpfs */
	0x794c7630, /* overlayfs */
	0xf2f52010, /* f2fs */
	0x858458f6, /* ramfs */
	0x4d44,     /* vfat */
	0x2011bab0, /* exfat */
	0x2fc12fc1, /* zfs */
};

enum { NFS_MAGIC = 0x6969, SMB_MAGIC = 0x517b, FUSE_MAGIC = 0x65735546 };
static const uint32_t cifs_magic = 0xff534d42, smb2_magic = 0xfe534d42;

/*
 * The first row that fits counts. Where a type has locks that reach every host only with or without
 * an option, the row with the option stands first.
 */
static const struct {
	const char *type, *option;
	struct filesystem fs;
} table[] = {
	/* nfs(5): also how the kernel shows nolock, fs/nfs/super.c. NFS 4 ignores them. */
	{ "nfs", "local_lock=all", { .fcntl_only = true, .remote = true, .reach = REACH_HOST } },
	{ "nfs", "local_lock=posix", { .fcntl_only = true, .remote = true, .reach = REACH_HOST } },
	{ "nfs", NULL, { .fcntl_only = true, .remote = true } },
	{ "nfs4", NULL, { .fcntl_only = true, .remote = true } },
	/* mount.cifs(8): nobrl sends no byte-range locks to the server. */
	{ "cifs", "nobrl",
		{ .fcntl_only = true,
			.eacces_is_held = true,
			.remote = true,
			.reach = REACH_HOST } },
	{ "smb3", "nobrl",
		{ .fcntl_only = true,
			.eacces_is_held = true,
			.remote = true,
			.reach = REACH_HOST } },
	{ "cifs", NULL, { .fcntl_only = true, .eacces_is_held = true, .remote = true } },
	{ "smb3", NULL, { .fcntl_only = true, .eacces_is_held = true, .remote = true } },
	/* fs/9p/vfs_file.c hands locks on; the servers of QEMU and WSL say yes to everybody. */
	{ "9p", NULL, { .fcntl_only = true, .remote = true, .reach = REACH_HOST } },
	/* lustre: mount.lustre(8); gfs2: gfs2(5); ocfs2: mount.ocfs2(8). */
	{ "lustre", "localflock", { .remote = true, .reach = REACH_HOST } },
	{ "lustre", "noflock", { .remote = true, .reach = REACH_HOST } },
	{ "lustre", NULL, { .remote = true } },
	{ "gfs2", "localflocks", { .remote = true, .reach = REACH_HOST } },
	{ "gfs2", NULL, { .remote = true } },
	{ "ocfs2", "localflocks", { .remote = true, .reach = REACH_HOST } },
	{ "ocfs2", NULL, { .remote = true } },
	{ "ceph", NULL, { .remote = true } },
	/* Folders that a host shares with its virtual machines. */
	{ "virtiofs", NULL, { .remote = true, .reach = REACH_HOST } },
	{ "vboxsf", NULL, { .remote = true, .reach = REACH_HOST } },
	{ "vmhgfs", NULL, { .remote = true, .reach = REACH_HOST } },
	{ "prl_fs", NULL, { .remote = true, .reach = REACH_HOST } },
	{ "fuse.vmhgfs-fuse", NULL, { .remote = true, .reach = REACH_HOST } },
	/* FUSE: seen to give locks back. */
	{ "fuse.glusterfs", NULL, { .remote = true, .keeps_hidden_locks = true } },
	/* FUSE: without lock operations in their sources, over storage that others share. */
	{ "fuse.sshfs", NULL, { .remote = true, .reach = REACH_HOST } },
	{ "fuse.rclone", NULL, { .remote = true, .reach = REACH_HOST } },
	{ "fuse.s3fs", NULL, { .remote = true, .reach = REACH_HOST } },
	{ "fuse.mountpoint-s3", NULL, { .remote = true, .reach = REACH_HOST } },
	{ "fuse.goofys", NULL, { .remote = true, .reach = REACH_HOST } },
	{ "fuse.gcsfuse", NULL, { .remote = true, .reach = REACH_HOST } },
	{ "fuse.blobfuse", NULL, { .remote = true, .reach = REACH_HOST } },
	{ "fuse.blobfuse2", NULL, { .remote = true, .reach = REACH_HOST } },
	{ "fuse.curlftpfs", NULL, { .remote = true, .reach = REACH_HOST } },
	{ "fuse.davfs", NULL, { .remote = true, .reach = REACH_HOST } },
};

static void look_up(const struct procfs_mount *m, struct filesystem *fs)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (strcmp(m->type, table[i].type) != 0)
			continue;
		if (table[i].option != NULL && !procfs_has_option(m->options, table[i].option))
			continue;
		*fs = table[i].fs;
		break;
	}
	if (fs->reach == REACH_ALL && !fs->remote && strncmp(m->type, "fuse", 4) == 0)
		fs->reach = REACH_HOST_MAYBE;
	snprintf(fs->type, sizeof fs->type, "%s", m->type);
}

/* A mount that mountinfo does not tell of (a chroot): what may be shared counts as shared. */
static void look_up_by_magic(uint32_t magic, struct filesystem *fs)
{
	bool smb = magic == SMB_MAGIC || magic == cifs_magic || magic == smb2_magic;

	fs->fcntl_only = fs->remote = magic == NFS_MAGIC || smb;
	fs->eacces_is_held = smb;
	if (fs->remote || magic == FUSE_MAGIC)
		fs->reach = REACH_HOST;
	snprintf(fs->type, sizeof fs->type, "of type %x", magic);
}

int filesystem_look(int fd, struct filesystem *fs)
{
	struct procfs_mount m;
	struct statfs s;
	char *text;

	*fs = (struct filesystem){ .reach = REACH_ALL };
	if (fstatfs(fd, &s) == -1)
		return -1;
	uint32_t magic = (uint32_t) s.f_type;
	for (size_t i = 0; i < sizeof local_magic / sizeof *local_magic; i++)
		if (magic == local_magic[i])
			return 0;
	switch (fdinfo_mount(fd, &m, &text)) {
	case -1:
		return -1;
	case 0:
		look_up_by_magic(magic, fs);
		return 0;
	default:
		look_up(&m, fs);
		free(text);
		return 0;
	}
}

int filesystem_keeps_lock(int fd, const struct filesystem *fs, uint64_t mark)
{
	char fdinfo[FDINFO_SIZE];
	const char *at = fdinfo;
	struct procfs_lock lock;

	if (*fs->type == '\0' || fs->keeps_hidden_locks)
		return 1;
	if (fdinfo_read(fd, fdinfo) == -1)
		return errno == ENOENT ? 1 : -1; /* without /proc there is nothing to see anyway */
	while (procfs_next_lock(&at, &lock))
		if (lock.family != PROCFS_FLOCK && lock.end == mark)
			return 1;
	return 0;
}
