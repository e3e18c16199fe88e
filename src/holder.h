/*
 * Who holds a lock, and what else stands in the way of a start. The kernel does not tell who owns
 * an OFD lock, so the answer is pieced together, in this order, for starts and questions alike:
 *
 *   is it locked?                        the lock tells whether, the record and /proc tell who
 *   if not, is there a displaced lock?   displaced.h
 *   if not, does the recorded process live on, having closed the lock?
 *
 * Looking takes no lock, writes nothing and prints nothing: waiting and refusing are up to the
 * caller.
 */
#ifndef HOLDER_H
#define HOLDER_H

#include "identity.h"
#include "lockfile.h"
#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum holder_kind {
	HOLDER_NONE,
	HOLDER_RECORDED,     /* the recorded process */
	HOLDER_OTHERS,       /* processes that have the lock open, not the recorded one */
	HOLDER_UNSEEN,       /* somebody whom /proc does not show us */
	HOLDER_WITHOUT_LOCK, /* the recorded process closed the lock, but lives */
	HOLDER_OURSELVES,    /* this very process has inherited the lock */
	HOLDER_HIDDEN, /* the recorded process, or another that has its PID now: hidden from us */
};

struct holder {
	enum holder_kind kind;
	/*
	 * Whether the file may name a process: otherwise its owner could name a bystander in it,
	 * and have it signalled by whoever asks.
	 */
	bool is_trusted;
	bool is_locked;          /* what LOCK names is locked, by those described here */
	bool is_displaced;       /* the lock is on a file that LOCK no longer names */
	struct procfs_lock lock; /* if so: its device and inode */
	struct record record;
	pid_t *pids; /* ascending; empty if nobody is seen, or may be named; see holder_free() */
	size_t count;
	bool names_lockers; /* these pids hold the lock; else they merely have it open */
	bool is_shared;     /* all of them share it */
	bool is_by_onlyone; /* it is an exclusive lock, as we take them */

	/* Of the look itself. */
	bool vouches;         /* a record written now may vouch for what was seen */
	bool took_long;       /* displaced locks were looked for: much may have happened */
	struct way_seen seen; /* if so, and the lock is ours: the way to it before that */
	bool list_is_missing; /* displaced locks could not be looked for */
};

enum holder_view {
	VIEW_ASKING,  /* the lock is not ours */
	VIEW_REFUSED, /* the lock was just refused: a holder not to be seen yet gets a moment */
	VIEW_OURS,    /* we hold it: who else stands in the way? */
};

/*
 * Fills *h for a lock whose file is open, if there is one. self is our identity, with a scope of 0
 * if that is not known. -1 with errno. The caller frees with holder_free(), also then.
 */
int holder_find(
	struct holder *h, const struct lock *l, enum holder_view view, const struct identity *self);

void holder_free(struct holder *h);

/*
 * Whether pid, too, has open the lock that we hold: shared as ours is, or through the very
 * descriptor that we were lent. False also if that cannot be seen.
 */
bool holder_is_beside_us(const struct lock *l, pid_t pid);

/*
 * Waits until it is time to look again: until one of the holders has ended or, if that cannot be
 * waited for, for a second. 1, or 0 if the deadline came first; -1 with errno.
 */
int holder_wait(const struct holder *h, int64_t deadline);

/*
 * A pidfd of the recorded process, if that is the holder, for the caller to close; -1 with errno,
 * ESRCH if it is not.
 */
int holder_open(const struct holder *h);

#endif
