/*
 * onlyone LOCK COMMAND [ARG...]: run COMMAND as the only copy of itself under LOCK.
 *
 *   lock LOCK                         lockfile.c  opening.c  locking.c  mounts.c  (--fd: borrowed.c)
 *   look for another copy             start.c  holder.c  displaced.c  mark.c  way.c  lockers.c
 *   wait for it, or refuse            waiting.c  signalled.c  describe.c
 *   record who we are                 record.c  identity.c
 *   exec COMMAND, which keeps the     handover.c  keeper.c
 *     PID and inherits the lock
 *
 * From then on the kernel does the rest: the lock ends with the last process that inherited it.
 * Questions about a lock, and signals to its holder, are in ask.c.
 *
 * Words of our own, and where they are explained:
 *   mark         the lock's name, as a number that every user finds in /proc/locks   mark.h
 *   displaced    of a lock: on a file that LOCK no longer names                      displaced.h
 *   record       which process locked it, in the lock file                           record.h
 *   incarnation  what tells that process from others with its PID                    record.h
 *   to vouch     of a record: to say that nobody has moved its file since            displaced.h
 *   way          the directories above the lock file                                 way.h
 *   gate         the part of the lock that all starts take first                     locking.h
 *   keeper       a process that holds the lock for the command (--close)             keeper.h
 *   survivor     a child that has outlived the command and keeps the lock
 */
#include "ask.h"
#include "borrowed.h"
#include "gaps.h"
#include "handover.h"
#include "holder.h"
#include "keeper.h"
#include "lockfile.h"
#include "opening.h"
#include "options.h"
#include "record.h"
#include "start.h"
#include "status.h"
#include "unlock.h"
#include "waiting.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int run(const struct options *o);
static struct start prepare(const struct options *o);
static void write_record(const struct start *s);
static _Noreturn void fail_to_run(const struct start *s, int status);

int main(int argc, char **argv)
{
	static char line[BUFSIZ];
	struct options o;

	/* A message goes out in one piece: a log may be shared with others. */
	setvbuf(stderr, line, _IOLBF, sizeof line);
	options_read(&o, argc, argv);
	switch (o.job) {
	case JOB_RUN:
		return run(&o);
	case JOB_UNLOCK:
		return unlock(&o);
	case JOB_STATUS:
		return ask_status(&o);
	case JOB_PID:
		return ask_pid(&o);
	case JOB_SIGNAL:
		return ask_signal(&o);
	}
}

static int run(const struct options *o)
{
	struct start s = prepare(o);

	if (o->signal != -1)
		replace(&s);
	else
		while (find_another_copy(&s))
			wait_or_refuse(&s);
	/* The lock is ours, and nothing stands in the way of a start. */
	tell_waited(&s);
	if (o->verbose && can_be_forced(&s) && !is_the_caller(&s))
		warnx("%s: the recorded process still runs, as --force allows", s.lock.name);
	if (o->verbose)
		gaps_tell(&s.lock, s.found.list_is_missing);
	/* The keeper first: the record, once written, takes no failure back. */
	if (o->close)
		keeper_start(&s.lock);
	write_record(&s);
	if (o->command == NULL)
		return EXIT_SUCCESS; /* the caller's descriptor keeps the lock */
	int status = handover_exec(&s.lock, !o->close, o->command);
	fail_to_run(&s, status);
}

static struct start prepare(const struct options *o)
{
	struct start s = { .o = o, .lock = lock_named(o->lock, o->name) };

	if (o->fd != -1)
		borrowed_lock(&s.lock, o->fd, &o->request);
	if (identity_of_self(&s.self) == -1)
		err(EX_OSERR, "%s: cannot tell who we are", s.lock.name);
	return s;
}

/* -- the record -- */

static _Noreturn void cannot_write(const struct start *s, const char *what)
{
	lock_release(&s->lock);
	err(EX_IOERR, "%s: %s could not be written", s->lock.name, what);
}

/* With --fd alone the caller may close its descriptor on purpose: no incarnation, no safeguard. */
static void write_record(const struct start *s)
{
	const bool for_caller = s->o->command == NULL;
	struct record_request r = { .who = s->self,
		.vouches = s->found.vouches,
		.keep_guard = s->found.kind != HOLDER_NONE };

	/*
	 * A shared lock writes no record. If it was an exclusive one before, the record of that
	 * goes: it would keep out readers who may not look into its process.
	 */
	if (s->o->request.shared) {
		if (borrowed_was_exclusive(&s->lock) && record_clear(&s->lock) == -1)
			cannot_write(s, "the record");
		return;
	}
	if (is_under_its_lock(s))
		return;
	if (r.who.pid == 0)
		r.who.pid = getpid(); /* /proc did not tell it */
	if (for_caller)
		r.who = (struct identity){ .pid = getppid() }; /* 0: in another PID namespace */
	enum record_written written = record_write(&s->lock, &r, &s->found.record);
	switch (written) {
	case RECORD_NO_CONTENT:
		cannot_write(s, "the PID");
	case RECORD_NO_ATTRIBUTE:
		cannot_write(s, "the record's attribute");
	case RECORD_WITH_INCARNATION:
	case RECORD_WITHOUT_INCARNATION:
		break;
	}
	if (written == RECORD_WITHOUT_INCARNATION && !for_caller && s->o->verbose)
		gaps_tell_no_incarnation(&s->lock,
			s->self.scope == 0 ? "/proc"
			: errno == EACCES  ? "right to set attributes"
					   : "user attributes",
			s->o->close);
}

/*
 * The command could not be run. If it was forced to start although the record guards a process,
 * that record comes back; and a descriptor of the caller's, which outlives us, gets back what it
 * had.
 */
static _Noreturn void fail_to_run(const struct start *s, int status)
{
	int why = errno;

	if (s->found.kind != HOLDER_NONE && !s->o->request.shared)
		record_put_back(&s->lock, &s->found.record);
	lock_release(&s->lock);
	errno = why;
	err(status, "%s", status == EX_OSERR ? s->lock.name : s->o->command[0]);
}
