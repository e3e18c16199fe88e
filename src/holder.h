/*
 * Who holds a lock. The kernel does not keep the owner of an OFD lock, so the answer is put
 * together: the lock tells whether, the record who, and /proc whether that is true.
 */
#ifndef HOLDER_H
#define HOLDER_H

#include "forged.h"
#include "lockfile.h"
#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct holder {
	enum {
		HOLDER_NONE,
		HOLDER_RECORDED, /* the recorded process */
		HOLDER_OTHERS,   /* processes that keep the descriptor, the recorded one not among
				    them */
		HOLDER_UNSEEN,   /* somebody whom /proc does not show to us */
		HOLDER_WITHOUT_LOCK, /* the recorded process closed the descriptor, but lives */
	} kind;
	bool displaced;       /* on a file that LOCK does not name any more */
	struct bearer bearer; /* one of those who were found */
	struct record record; /* empty where the holder is displaced: that file is gone */
	pid_t *pids; /* of the first four kinds, ascending as /proc lists them; freed by nobody */
	size_t count;
	pid_t keeper; /* that holds on for a process that has ended already, and will end now; else
			 0 */
};

/*
 * Fills *h for a lock opened by lock_open_to_ask(). A caller who has just been refused the lock
 * says that it is held: then a holder who is not to be seen yet, or any more, is given a moment,
 * and if nobody holds it then, the answer is HOLDER_NONE all the same. Takes no lock, writes
 * nothing. -1 with errno.
 */
int holder_find(struct holder *h, const struct lock *l, bool held);

/*
 * `held by PID 1234 (redis-server)` or what else is the case, in one line that nobody frees;
 * in_full with whole command lines and since when.
 */
const char *holder_describe(const struct holder *h, bool in_full);

/*
 * Whether somebody holds a lock that was taken under the name of l, but on another file: what LOCK
 * names now has replaced the one that is locked. *h then tells who. 1, 0, or -1 with errno (ENOENT:
 * there is no /proc/locks).
 *
 * Not free: for /proc/locks the kernel waits for an RCU grace period, some milliseconds.
 */
int holder_find_displaced(struct holder *h, const struct lock *l);

/* Whether pid has a descriptor that bears a lock of l; false also if that cannot be seen. */
bool holder_bears(const struct lock *l, pid_t pid);

/*
 * Waits until h, as far as it is known, has ended or the limit is reached: 1 or 0; -1 with errno,
 * ESRCH if there is nobody known to wait for.
 */
int holder_wait(const struct holder *h, const struct limit *limit);

/*
 * Sends signal to the recorded process of l, if it holds the lock, and tells in *h who does. 0
 * when sent, -1 with errno: ESRCH when the recorded process is not the holder.
 */
int holder_signal(struct holder *h, const struct lock *l, int signal);

#endif
