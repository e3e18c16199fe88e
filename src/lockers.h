/*
 * The processes that have a lock open: those with a descriptor whose fdinfo shows it. Only if /proc
 * numbers processes as we do (process_stat_self()).
 */
#ifndef LOCKERS_H
#define LOCKERS_H

#include "procfs.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What to look for. */
struct locker_target {
	/*
	 * The file's numbers; the last byte that a lock of ours covers; and, if the file is not
	 * known, the family.
	 */
	struct procfs_lock lock;
	bool file_is_known; /* and proves what the numbers only suggest */
	struct stat file;
	bool marked;      /* only locks as we take them count (mark_is_borne_by) */
	bool flock_alone; /* a directory: only flock(2) locks count */
};

struct locker {
	pid_t pid;
	size_t target; /* which of the targets */
	bool exclusive;
	bool has_ours;     /* an exclusive lock as we take it (mark_is_borne_by) */
	bool may_be_named; /* by the file that it has open, see locker_may_be_named() */
	/* As /proc/PID/fd shows its name: "/path", "/path (deleted)", or "" if that is hidden. */
	char path[256]; /* the end of it */
};

struct lockers {
	struct locker *all; /* ascending, as in /proc; each process once per target */
	size_t count;
	bool complete; /* no process was seen that could not be looked into */
};

/*
 * Finds the processes, except ourselves, that have a lock on any of the targets open, in one pass
 * over /proc. -1 with errno. The caller frees with lockers_free(), also then.
 */
int lockers_find(struct lockers *found, const struct locker_target *targets, size_t count);

void lockers_free(struct lockers *found);

/*
 * Whether pid may be named as holding a lock on the file that s describes: it belongs to root, to
 * the caller or to the user of that process, and nobody else may write it. Otherwise its owner
 * could have a bystander named, and signalled, by whoever asks.
 */
bool locker_may_be_named(pid_t pid, const struct stat *s);

/* Whether pid is one of them; false also if that cannot be seen. */
bool locker_is(pid_t pid, const struct locker_target *targets, size_t count);

/*
 * Whether somebody has a flock(2) lock on the target, on which nobody has one of fcntl(2): 1, 0, or
 * -1 with errno. If other files may bear the same numbers (not is_unique), a process that has this
 * one open proves it, and what cannot be seen counts. Where the list of locks is not whole, the
 * processes are asked in any case.
 */
int lockers_flocked(const struct locker_target *t, bool is_unique, bool can_name);

#endif
