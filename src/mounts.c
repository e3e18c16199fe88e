#include "mounts.h"

#include "fdinfo.h"
#include "printable.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

/* Keep locks in this kernel alone, and show them. */
static const char *const plain_types[] = { "ext4", "xfs", "btrfs", "tmpfs", "overlay", "ext3",
	"ext2", "f2fs", "ramfs", "vfat", "exfat", "zfs", "bcachefs" };

/* ext4_cross_rename(), simple_rename_exchange() and btrfs_rename_exchange() see to it. */
static const char *const types_that_show_moves[] = { "ext4", "tmpfs", "btrfs", "ext3", "ext2" };

/* f_type in statfs(2): linux/magic.h. */
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

static bool is_one_of(const char *type, const char *const types[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

static void look_up(struct filesystem *fs, const struct procfs_mount *m)
{
	fs->plain = is_one_of(m->type, plain_types, sizeof plain_types / sizeof *plain_types);
	fs->moves_show = is_one_of(m->type, types_that_show_moves,
		sizeof types_that_show_moves / sizeof *types_that_show_moves);
	for (size_t i = 0; i < sizeof table / sizeof *table && !fs->plain; i++) {
		const char *option = table[i].option;
		if (strcmp(m->type, table[i].type) == 0 &&
			(option == NULL || procfs_has_option(m->options, option))) {
			*fs = table[i].fs;
			break;
		}
	}
	if (!fs->remote && strncmp(m->type, "fuse", 4) == 0)
		fs->reach = REACH_HOST_MAYBE;
	snprintf(fs->type, sizeof fs->type, "%s", m->type);
	make_printable(fs->type); /* a FUSE subtype may play tricks on a terminal */
}

static void look_up_by_magic(struct filesystem *fs, uint32_t magic)
{
	bool smb = magic == SMB_MAGIC || magic == cifs_magic || magic == smb2_magic;

	fs->fcntl_only = fs->remote = magic == NFS_MAGIC || smb;
	fs->eacces_is_held = smb;
	if (fs->remote || magic == FUSE_MAGIC)
		fs->reach = REACH_HOST;
	snprintf(fs->type, sizeof fs->type, "statfs type %x", magic);
}

int filesystem_look(struct filesystem *fs, const struct procfs_mount *m, int fd)
{
	struct statfs s;

	*fs = (struct filesystem){ .reach = REACH_ALL };
	if (m != NULL) {
		look_up(fs, m);
		return 0;
	}
	if (fstatfs(fd, &s) == -1)
		return -1;
	look_up_by_magic(fs, (uint32_t) s.f_type);
	return 0;
}

int filesystem_keeps_lock(int fd, const struct filesystem *fs, uint64_t mark)
{
	char fdinfo[FDINFO_SIZE];
	const char *at = fdinfo;
	struct procfs_lock lock;

	if (fs->plain || fs->keeps_hidden_locks)
		return 1;
	if (fdinfo_read(fd, fdinfo) == -1)
		return errno == ENOENT ? 1 : -1; /* without /proc there is nothing to see anyway */
	while (procfs_next_lock(&at, &lock))
		if (lock.family != PROCFS_FLOCK && lock.end == mark)
			return 1;
	return 0;
}
