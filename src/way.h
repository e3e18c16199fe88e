/*
 * The way to a lock: the directories above it, and whether the lock file or one of them was moved.
 * Their ctimes tell, which nobody can set back.
 *
 * To move something changes its own ctime and that of the directory it stands in. So where of any
 * two neighbours on the way one is as it was, nothing on it was moved; and in a directory others may
 * make files of their own as they like. But where two names of one directory change places
 * (RENAME_EXCHANGE), some file systems change that directory's ctime alone (fs/xfs/xfs_inode.c,
 * xfs_cross_rename): there each directory must be as it was.
 */
#ifndef WAY_H
#define WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct way {
	int depth; /* how many lie above the parent, up to what is mounted; -1 where that cannot be told */
	bool is_whole;   /* the file system itself is mounted, and not a directory of it */
	bool moves_show; /* in the ctime of whatever was moved, too (mounts.h) */
};

/*
 * Whether nothing on the way from parent up was moved since then (CLOCK_REALTIME, in nanoseconds),
 * to a lock file that was not touched since. False in doubt.
 */
bool way_is_older(const struct way *way, int parent, int64_t since);

/* The ctimes on the way at one moment; what lies further up than fits is summed up in the last. */
enum { WAY_LEVELS = 40 };
struct way_seen {
	size_t count;
	int64_t file;
	uint64_t directories[WAY_LEVELS];
};

/* From the file open as fd in parent up, as far as we may look. -1 with errno. */
int way_see(const struct way *way, int fd, int parent, struct way_seen *seen);

/* Whether nothing was moved between the two. */
bool way_is_as_it_was(
	const struct way *way, const struct way_seen *before, const struct way_seen *now);

#endif
