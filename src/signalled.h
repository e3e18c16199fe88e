/*
 * The holder that was signalled, once, and the wait for it to give up the lock. Nobody else is ever
 * signalled: what is sent goes through one pidfd.
 */
#ifndef SIGNALLED_H
#define SIGNALLED_H

#include "holder.h"

#include <stdbool.h>
#include <stdint.h>

struct signalled {
	int pidfd;
	struct record record; /* of that holder */
	int64_t kill_at;      /* a deadline; DEADLINE_NEVER if it is not to be killed, or was */
};

/*
 * Sends signal to h, if that is the recorded process, and SIGCONT as well if it is stopped, as
 * timeout(1) does. kill_after nanoseconds later (never if -1) signalled_wait() will send SIGKILL.
 * -1 with errno: ESRCH if the holder is not the recorded process, and nothing was sent.
 */
int signalled_send(struct signalled *s, const struct holder *h, int signal, int64_t kill_after);

/*
 * Whether the lock that is held now is still that one: held by the process itself, or by those that
 * it has left behind with it.
 */
bool signalled_still_holds(const struct signalled *s, const struct holder *h);

/* As holder_wait(), for a holder that still holds the lock; and sends SIGKILL at kill_at. */
int signalled_wait(struct signalled *s, const struct holder *h, int64_t deadline);

#endif
