/*
 * What the file system of a lock does with locks: which kinds it has, how far they reach, and
 * whether a lock call can hang on a server. Judged by the mount's type and options; once the lock
 * is taken, our own fdinfo shows what became of it.
 */
#ifndef MOUNTS_H
#define MOUNTS_H

#include "procfs.h"

#include <stdbool.h>
#include <stdint.h>

struct filesystem {
	char type[32]; /* as in mountinfo */
	bool plain;    /* keeps locks in this kernel alone, and is known to show them */
	/*
	 * Moving a file or directory changes its own ctime, too, also where two change places: else
	 * no record can vouch. XFS changes that of their directory alone (xfs_cross_rename), and
	 * overlayfs does as the file system below it.
	 */
	bool moves_show;
	/*
	 * Only fcntl(2) locks: here flock(2) locks are locks of the same bytes (NFS, 9p), or
	 * conflict with them (SMB).
	 */
	bool fcntl_only;
	bool eacces_is_held; /* SMB; elsewhere it comes from a security module */
	bool remote; /* a lock call can wait for a server, and file times are that server's */
	bool keeps_hidden_locks; /* fdinfo shows no lock, yet it is given back when it should be */
	enum {
		REACH_ALL,        /* whoever can open the file */
		REACH_HOST,       /* this host alone, though others share the file system */
		REACH_HOST_MAYBE, /* this host alone, and it is not known whether others share it */
	} reach;
};

/*
 * Judges the mount m by its type and options, not by statfs(2), which on 9p tells the server's
 * type. If mountinfo has no line for it (m is NULL: a chroot), statfs(2) of fd decides, and what
 * may be shared counts as shared. -1 with errno.
 */
int filesystem_look(struct filesystem *fs, const struct procfs_mount *m, int fd);

/*
 * Whether the kernel keeps the fcntl(2) lock that fd has just been given, up to the mark, as it
 * must: 1. 0 if it does not show it, so that nobody can tell whether it will ever be given back. -1
 * with errno.
 */
int filesystem_keeps_lock(int fd, const struct filesystem *fs, uint64_t mark);

#endif
