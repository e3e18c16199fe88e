#include "way.h"

#include "deadline.h"
#include "record.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Looks at the directory that many levels above parent. -1 with errno. */
static int look(int parent, int level, struct stat *s)
{
	char up[PATH_MAX] = ".", *end = up + 1;

	if ((size_t) level * strlen("/..") > sizeof up - sizeof ".") {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (level == 0)
		return fstat(parent, s); /* which needs no right to search it */
	while (level-- > 0)
		end = stpcpy(end, "/..");
	return fstatat(parent, up, s, 0);
}

/*
 * Old is what is older by more than the clock may have been set back unnoticed. A time without a
 * fraction is that of a file system that keeps none, and says too little.
 */
static bool is_new(const struct stat *s, int64_t since)
{
	const int64_t tick = 20 * MILLISECOND; /* file times lag behind the clock by up to 10 ms */

	return s->st_ctim.tv_nsec == 0 ||
	       in_nanoseconds(&s->st_ctim) >= since - tick - RECORD_CLOCK_TOLERANCE;
}

/* The topmost directory may be in another one, which cannot be seen. */
static bool hides_parent(const struct way *way, int level)
{
	return level == way->depth && !way->is_whole;
}

/* Whether a directory that was changed may have been moved, or what is in it and on the way. */
static bool may_be_moved(const struct way *way, int level, bool changed, bool below_changed)
{
	return changed && (below_changed || hides_parent(way, level));
}

/*
 * When a subvolume of btrfs is moved, its new ctime is not written to the disk (btrfs_rename), and
 * is gone once its inode is dropped from memory: it may have been moved although it seems old.
 */
static bool forgets(const struct stat *s)
{
	const ino_t subvolume = 256; /* BTRFS_FIRST_FREE_OBJECTID */

	return s->st_ino == subvolume;
}

bool way_is_older(const struct way *way, int parent, int64_t since)
{
	bool below_changed = false;
	struct stat s;

	for (int level = 0; level <= way->depth; level++) {
		if (look(parent, level, &s) == -1)
			return false;
		if (may_be_moved(way, level, is_new(&s, since), below_changed))
			return false;
		if (hides_parent(way, level) && forgets(&s))
			return false;
		below_changed = is_new(&s, since) || forgets(&s);
	}
	return way->depth != -1;
}

int way_see(const struct way *way, int fd, int parent, struct way_seen *seen)
{
	struct stat s;

	*seen = (struct way_seen){ .count = 0 };
	if (fstat(fd, &s) == -1)
		return -1;
	seen->file = in_nanoseconds(&s.st_ctim);
	for (int level = 0; level <= way->depth || level == 0; level++) {
		if (look(parent, level, &s) == -1)
			return level == 0 ? -1 : 0;
		seen->count += seen->count < WAY_LEVELS;
		seen->directories[seen->count - 1] += (uint64_t) in_nanoseconds(&s.st_ctim);
	}
	return 0;
}

bool way_is_as_it_was(
	const struct way *way, const struct way_seen *before, const struct way_seen *now)
{
	bool below_changed = before->file != now->file;

	for (size_t i = 0; i < before->count; i++) {
		bool changed = before->directories[i] != now->directories[i];
		bool is_sum = i == WAY_LEVELS - 1;
		if (may_be_moved(way, (int) i, changed, below_changed || is_sum))
			return false;
		below_changed = changed;
	}
	return before->count == now->count;
}
