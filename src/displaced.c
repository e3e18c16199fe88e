#include "displaced.h"

#include "fdinfo.h"
#include "mark.h"
#include "way.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* -- the list -- */

struct candidates {
	struct locker_target *all;
	size_t count;
};

/* NFS 3 shows ours as POSIX. */
static bool is_of_our_kind(const struct lock *l, const struct procfs_lock *lock)
{
	return lock->family == PROCFS_OFD || (lock->family == PROCFS_POSIX && l->fs.fcntl_only);
}

static bool is_candidate(
	const struct lock *l, const struct procfs_lock *lock, const struct procfs_lock *own)
{
	return is_of_our_kind(l, lock) && lock->exclusive && lock->start == 0 &&
	       lock->major == own->major && lock->minor == own->minor &&
	       (mark_same_directory(lock->end, l->mark) || mark_same_path(lock->end, l->mark));
}

static int add(struct candidates *c, const struct procfs_lock *lock)
{
	for (size_t i = 0; i < c->count; i++)
		if (procfs_same_numbers(&c->all[i].lock, lock) && c->all[i].lock.end == lock->end)
			return 0;
	struct locker_target *larger = reallocarray(c->all, c->count + 1, sizeof *larger);
	if (larger == NULL)
		return -1;
	c->all = larger;
	c->all[c->count++] = (struct locker_target){ .lock = *lock };
	return 0;
}

/* Which lines with our own file's numbers are not candidates. */
struct own {
	struct procfs_lock numbers;
	enum {
		OWN_FIRST, /* one: our lock */
		OWN_ALL,   /* for a question: that of whoever has just taken the lock */
		OWN_NONE,  /* for a question, if other files may have the same numbers */
	} lines;
	bool seen;
};

/*
 * Our own line is not a candidate. A second line with its numbers is: one file cannot have two
 * exclusive locks, so that is another file which has the same numbers (a btrfs snapshot).
 */
static int collect(const char *list, const struct lock *l, struct own *own, struct candidates *c)
{
	struct procfs_lock lock;
	bool passed = own->lines == OWN_NONE;

	while (procfs_next_lock(&list, &lock)) {
		bool is_own = !passed && is_of_our_kind(l, &lock) && lock.end == l->mark &&
			      lock.exclusive == !l->locking.shared &&
			      procfs_same_numbers(&lock, &own->numbers);
		own->seen = own->seen || is_own;
		passed = passed || (is_own && own->lines == OWN_FIRST);
		if (!is_own && is_candidate(l, &lock, &own->numbers) && add(c, &lock) == -1)
			return -1;
	}
	return 0;
}

/*
 * A list longer than a page comes in pieces, and a lock that is given back between two of them
 * moves the rest, so that one can be missed: look until the list is the same twice, at most three
 * times.
 */
static int read_list(const struct lock *l, struct own *own, struct candidates *c)
{
	enum { PASSES = 3 };
	char *before = NULL, *list = NULL;
	size_t pieces;
	int failed = 0;
	bool again = true;

	for (int pass = 0; !failed && again && pass < PASSES; pass++) {
		free(before);
		before = list;
		list = procfs_read("/proc/locks", &pieces);
		failed = list == NULL ? -1 : collect(list, l, own, c);
		again = !failed && pieces > 1 && (before == NULL || strcmp(before, list) != 0);
	}
	int why = errno;
	free(before);
	free(list);
	errno = why;
	return failed;
}

/* -- what counts -- */

/*
 * LOCK is a directory, the lock is that of another directory that was there before, and its
 * .onlyone is still in it. If that was removed (it then shows as ` (deleted)`) the copy that runs
 * may well write into the successor, by path.
 */
static bool has_gone_along(const struct lock *l, const struct locker *locker, uint64_t end)
{
	const char *slash = strrchr(locker->path, '/');

	return l->directory != -1 && !mark_same_directory(end, l->mark) && slash != NULL &&
	       strcmp(slash + 1, LOCK_IN_DIRECTORY) == 0;
}

/* Keeps only the lockers of one target. */
static void keep_only(struct lockers *found, size_t target)
{
	size_t kept = 0;

	for (size_t i = 0; i < found->count; i++)
		if (found->all[i].target == target)
			found->all[kept++] = found->all[i];
	found->count = kept;
}

static bool went(const struct lock *l, const struct candidates *c, size_t target,
	const struct lockers *found)
{
	for (size_t i = 0; i < found->count; i++)
		if (found->all[i].target == target &&
			has_gone_along(l, &found->all[i], c->all[target].lock.end))
			return true;
	return false;
}

static int judge(
	struct displaced *d, const struct lock *l, const struct candidates *c, bool can_name)
{
	d->lockers = (struct lockers){ .complete = false };
	if (c->count > 0 && can_name && lockers_find(&d->lockers, c->all, c->count) == -1)
		return -1;
	for (size_t i = 0; i < c->count && !d->is_held; i++) {
		if (went(l, c, i, &d->lockers)) {
			d->went = true;
			continue;
		}
		d->is_held = true;
		d->lock = c->all[i].lock;
		keep_only(&d->lockers, i);
	}
	return 0;
}

int displaced_find(struct displaced *d, const struct lock *l, bool ours, bool can_name)
{
	struct candidates c = { .count = 0 };
	struct own own = { .lines = OWN_FIRST };

	*d = (struct displaced){ .is_held = false };
	int unique = fdinfo_numbers(l->fd != -1 ? l->fd : l->parent_fd, &own.numbers);
	if (unique == -1)
		return -1;
	if (!ours)
		own.lines = unique ? OWN_ALL : OWN_NONE;
	int failed = read_list(l, &own, &c);
	d->list_is_missing = failed ? errno == ENOENT : ours && !own.seen;
	if (failed)
		failed = errno == ENOENT ? 0 : -1;
	else
		failed = judge(d, l, &c, can_name);
	int why = errno;
	free(c.all);
	errno = why;
	return failed;
}

/* -- what vouches -- */

bool displaced_is_ruled_out(const struct lock *l, const struct record *r)
{
	return r->untouched_since != 0 && l->fs.moves_show && !l->borrowed && !l->fs.remote &&
	       !l->is_mounted_over && l->mount != UINT64_MAX &&
	       way_is_older(&l->way, l->parent_fd, r->untouched_since);
}
