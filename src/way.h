/*
 * The way to a lock: the directories above it, and whether the lock file or one of them was moved.
 * Their ctimes show that, which nobody can set back.
 *
 * Moving something changes its own ctime and that of the directory it is in. So if of any two
 * neighbours on the way one is as it was, nothing on it was moved; and others may make files of
 * their own in these directories as they like. Not every file system changes both (mounts.h): where
 * one does not, none of this holds.
 */
#ifndef WAY_H
#define WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct way {
	int depth;     /* levels above the parent, up to the mount's root; -1 if not known */
	bool is_whole; /* the file system itself is mounted, not a directory in it */
};

/*
 * Whether nothing on the way from parent up was moved since then (CLOCK_REALTIME, in nanoseconds),
 * if the lock file itself was not touched since. False if in doubt.
 */
bool way_is_older(const struct way *way, int parent, int64_t since);

/*
 * The ctimes on the way at one moment; those of the levels that do not fit are added up in the
 * last.
 */
enum { WAY_LEVELS = 40 };
struct way_seen {
	size_t count;
	int64_t file;
	uint64_t directories[WAY_LEVELS];
};

/* Stores them, from the file open as fd in parent up, as far as we may look. -1 with errno. */
int way_see(const struct way *way, int fd, int parent, struct way_seen *seen);

/* Whether nothing was moved between the two. */
bool way_is_as_it_was(
	const struct way *way, const struct way_seen *before, const struct way_seen *now);

#endif
