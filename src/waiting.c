#include "waiting.h"

#include "deadline.h"
#include "describe.h"
#include "signalled.h"
#include "status.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Says who holds the lock, unless -q, and ends with the status for that. */
static _Noreturn void refuse(const struct start *s, const char *suffix)
{
	const struct options *o = s->o;
	const struct holder *h = &s->found;
	const bool overdue = holder_is_overdue(h, o->overdue);

	lock_release(&s->lock);
	if (overdue)
		warnx("%s: overdue: %s%s%s", s->lock.name, holder_describe(h, false),
			holder_since(h), suffix);
	else if (!o->quiet)
		warnx("%s: %s%s%s", s->lock.name, holder_describe(h, false),
			o->overdue == -1 ? "" : holder_since(h), suffix);
	exit(o->held_status);
}

/* Once, with -v or if standard error is a terminal. */
static void tell_waiting(struct start *s)
{
	const bool tell = s->o->verbose || (!s->o->quiet && isatty(STDERR_FILENO));

	if (s->told_at != 0 || !tell)
		return;
	/* A process that ends gives the lock back a moment before it is gone: not worth a word. */
	if (s->found.kind == HOLDER_WITHOUT_LOCK &&
		holder_wait(
			&s->found, deadline_within(s->o->request.deadline, 100 * MILLISECOND)) == 1)
		return;
	warnx("%s: waiting: %s", s->lock.name, holder_describe(&s->found, false));
	s->told_at = clock_now(CLOCK_MONOTONIC);
}

void tell_waited(const struct start *s)
{
	int64_t waited = clock_now(CLOCK_MONOTONIC) - s->told_at;

	if (s->told_at != 0 && s->o->verbose)
		warnx("%s: waited %.3f s", s->lock.name, (double) waited / (double) SECOND);
}

static void wait_for_process(const struct start *s, int64_t deadline)
{
	if (holder_wait(&s->found, deadline) == -1)
		err(EX_OSERR, "%s: the holder cannot be waited for", s->lock.name);
}

void wait_or_refuse(struct start *s)
{
	const int64_t deadline = s->o->request.deadline;

	if (deadline_reached(deadline))
		refuse(s, can_be_forced(s) ? "; --force starts all the same" : "");
	lock_release(&s->lock);
	tell_waiting(s);
	if (s->is_ours) {
		/*
		 * A displaced lock may be that of another start, whose file was replaced and which
		 * waits for us in turn: what it opens next is what LOCK names now. So look again
		 * every second.
		 */
		wait_for_process(
			s, s->found.is_displaced ? deadline_within(deadline, SECOND) : deadline);
	} else if (lock_take(&s->lock, &s->o->request, deadline) == LOCK_HELD &&
		   !deadline_reached(deadline)) {
		/* It could not even be opened, because of a lease. */
		wait_for_process(s, deadline_within(deadline, SECOND));
	}
}

void replace(struct start *s)
{
	const struct options *o = s->o;
	struct signalled signalled;
	bool sent = false;

	while (find_another_copy(s)) {
		lock_release(&s->lock);
		if (!sent && o->overdue != -1 && !holder_is_overdue(&s->found, o->overdue))
			refuse(s, ": not overdue, nothing signalled");
		if (!sent &&
			signalled_send(&signalled, &s->found, o->signal, o->kill_after) == -1) {
			if (errno == ESRCH)
				refuse(s, ": nothing signalled");
			err(errno == EPERM ? EX_NOPERM : EX_OSERR, "%s: PID %d", s->lock.name,
				(int) s->found.record.pid);
		}
		if (sent && !signalled_still_holds(&signalled, &s->found))
			refuse(s, "");
		sent = true;
		tell_waiting(s);
		switch (signalled_wait(&signalled, &s->found, o->request.deadline)) {
		case -1:
			err(EX_OSERR, "%s: the holder cannot be waited for", s->lock.name);
		case 0:
			refuse(s, "");
		}
	}
}
