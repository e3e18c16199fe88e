#include "signalled.h"

#include "deadline.h"
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* Whether a stopped process is to be continued for it: not if it stops, kills, or does nothing. */
static bool wants_to_be_heard(int signal)
{
	switch (signal) {
	case 0:
	case SIGCONT:
	case SIGKILL:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return false;
	default:
		return true;
	}
}

int signalled_send(struct signalled *s, const struct holder *h, int signal, int64_t kill_after)
{
	struct procfs_stat stat;

	*s = (struct signalled){ .record = h->record, .kill_at = DEADLINE_NEVER };
	s->pidfd = holder_open(h);
	if (s->pidfd == -1)
		return -1;
	bool stopped = process_stat(h->record.pid, &stat) == 0 && stat.stopped;
	if (process_signal(s->pidfd, signal) == -1)
		return -1;
	if (stopped && wants_to_be_heard(signal))
		process_signal(s->pidfd, SIGCONT); /* as permitted as the signal was */
	if (kill_after != -1)
		s->kill_at = deadline_within(DEADLINE_NEVER, kill_after);
	return 0;
}

static bool has_ended(const struct signalled *s)
{
	return deadline_wait(DEADLINE_NOW, s->pidfd) == 1;
}

bool signalled_still_holds(const struct signalled *s, const struct holder *h)
{
	const struct record *now = &h->record, *then = &s->record;
	bool same = now->pid == then->pid && now->start == then->start &&
		    now->locked_at == then->locked_at;

	/* Another program's lock, with the old record in the file, is not that one. */
	return same && h->is_trusted && !h->is_displaced && (!has_ended(s) || h->is_by_onlyone);
}

int signalled_wait(struct signalled *s, const struct holder *h, int64_t deadline)
{
	int64_t second = deadline_within(
		deadline, SECOND); /* it may give the lock up and live on */
	bool ended = has_ended(s);

	if (!ended && deadline_reached(s->kill_at)) {
		s->kill_at = DEADLINE_NEVER;
		if (process_signal(s->pidfd, SIGKILL) == -1 && errno != ESRCH)
			return -1;
	}
	if (s->kill_at < second)
		second = s->kill_at;
	int woken = ended ? holder_wait(h, second) : deadline_wait(second, s->pidfd);
	return woken == -1 ? -1 : !deadline_reached(deadline);
}
