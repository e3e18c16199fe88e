/*
 * A displaced lock: one that was taken under our name, on a file that has lost that name since. The
 * file was removed, renamed or replaced, or its directory was; what LOCK names now is another file,
 * which can be locked although a copy is running.
 *
 * Every lock of ours carries its name in the mark (mark.h), which /proc/locks shows to all
 * users. An exclusive one on the lock's own file system counts, whoever has it: forging one takes
 * the right to make a file there. Two kinds do not count: shared locks and, if LOCK is a directory,
 * the lock of a directory that was renamed and took its lock along with the data.
 *
 * To show /proc/locks the kernel waits for an RCU grace period, some milliseconds. To save that, a
 * record vouches, if it can, that nobody has touched the file or the way to it since it was
 * written.
 */
#ifndef DISPLACED_H
#define DISPLACED_H

#include "lockers.h"
#include "lockfile.h"
#include "record.h"

#include <stdbool.h>

struct displaced {
	bool is_held;            /* there is one */
	struct procfs_lock lock; /* its device and inode */
	struct lockers lockers;  /* who has it open, as far as that can be seen */
	bool went; /* one has gone along with its directory: if that is removed, it counts again */
	bool list_is_missing; /* no /proc/locks, or one that does not show our own lock */
};

/*
 * Looks for one other than l, which we hold or which nobody holds. can_name: /proc numbers
 * processes as we do. -1 with errno. The caller frees d->lockers, also then.
 */
int displaced_find(struct displaced *d, const struct lock *l, bool ours, bool can_name);

/*
 * Whether the record vouches that there is none: nobody has touched the file, nor moved a directory
 * above it, since it was written. False if in doubt.
 */
bool displaced_is_ruled_out(const struct lock *l, const struct record *r);

#endif
