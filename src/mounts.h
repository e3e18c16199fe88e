/*
 * What the file system of a lock makes of locks: which kinds it has, how far they reach, and
 * whether a lock call can hang on a server. Told by the mount's type and options; after the lock is
 * taken, our own fdinfo shows what has become of it.
 */
#ifndef MOUNTS_H
#define MOUNTS_H

#include "procfs.h"

#include <stdbool.h>
#include <stdint.h>

struct filesystem {
	char type[32]; /* as in mountinfo */
	bool plain;    /* keeps locks in this kernel alone, and is known to show them */
	bool moves_show; /* in the ctime of what is moved, also where two files change places (way.h) */
	/*
	 * Only fcntl(2) locks: flock(2) ones are locks of the same bytes there (NFS, 9p), or conflict
	 * with them (SMB).
	 */
	bool fcntl_only;
	bool eacces_is_held; /* SMB; elsewhere it is a security module's word */
	bool remote; /* a lock call can wait for a server, and file times are that server's */
	bool keeps_hidden_locks; /* fdinfo shows no lock, but it is given back when it should be */
	enum {
		REACH_ALL,        /* whoever can open the file */
		REACH_HOST,       /* this host alone, though others share the file system */
		REACH_HOST_MAYBE, /* this host alone, and nobody knows whether others share it */
	} reach;
};

/*
 * What the mount m says, by type and options and not by statfs(2), which on 9p tells the server's
 * type. Where mountinfo has no line for it (m is NULL: a chroot) it is by the statfs(2) of fd, and
 * what may be shared counts as shared. -1 with errno.
 */
int filesystem_look(struct filesystem *fs, const struct procfs_mount *m, int fd);

/*
 * Whether the kernel keeps the fcntl(2) lock that fd has just been given, up to the mark, as it
 * must: 1. 0 where it is not shown, so that nobody can tell whether it will ever be given back.
 * -1 with errno.
 */
int filesystem_keeps_lock(int fd, const struct filesystem *fs, uint64_t mark);

#endif
