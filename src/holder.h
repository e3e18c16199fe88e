/*
 * Who holds a lock, and what else stands in the way of a start. The kernel does not keep the owner
 * of an OFD lock, so the answer is put together, in this order, for starts and questions alike:
 *
 *   is it locked?                        the lock tells whether, the record and /proc tell who
 *   if not, is a displaced lock there?   displaced.h
 *   if not, does the recorded process live, which has closed the lock?
 *
 * Looking takes no lock, writes nothing, and tells nobody: waiting and refusing are the caller's.
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
	HOLDER_OTHERS,       /* processes that have the lock open; the recorded one is none */
	HOLDER_UNSEEN,       /* somebody whom /proc does not show to us */
	HOLDER_WITHOUT_LOCK, /* the recorded process closed the lock, but lives */
	HOLDER_OURSELVES,    /* this very process has inherited the lock */
	HOLDER_HIDDEN, /* the recorded process, or another that bears its PID: hidden from us */
};

struct holder {
	enum holder_kind kind;
	/*
	 * Whether the file may name a process: else its owner could name a bystander in it, and have
	 * that signalled by whoever asks.
	 */
	bool is_trusted;
	bool is_locked;          /* what LOCK names, by those who are told here */
	bool is_displaced;       /* on a file that LOCK does not name any more */
	struct procfs_lock lock; /* then: its device and inode */
	struct record record;
	pid_t *pids; /* ascending; empty where nobody is seen or may be named; see holder_free() */
	size_t count;
	bool names_lockers;   /* those pids hold the lock; else they just have it open */
	bool is_shared;       /* by all of those */
	bool is_by_onlyone;   /* what is locked is an exclusive lock of ours */
	bool vouches;         /* a record that is written now may vouch for what was seen */
	bool took_long;       /* displaced locks were looked for, and much may have happened */
	struct way_seen seen; /* then, of a lock of ours: the way to it before that */
	bool list_is_missing; /* displaced locks could not be looked for */
};

enum holder_view {
	VIEW_ASKING,  /* the lock is not ours */
	VIEW_REFUSED, /* the lock was just refused: who is not to be seen yet is given a moment */
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
 * Whether pid has a lock that we hold open, too: shared as ours is, or by the very descriptor that we
 * were lent. false also where that cannot be seen.
 */
bool holder_is_beside_us(const struct lock *l, pid_t pid);

/*
 * Waits until it is time to look again: until one of the holders has ended or, where nobody can be
 * waited for, for a second. 1, or 0 when the deadline came first; -1 with errno.
 */
int holder_wait(const struct holder *h, int64_t deadline);

/* A pidfd of the recorded process, if that is the holder; -1 with errno, ESRCH if it is not. */
int holder_open(const struct holder *h);

#endif
