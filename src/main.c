/*
 * onlyone LOCK COMMAND [ARG...]: run COMMAND as the only copy of itself under LOCK.
 *
 *   lock LOCK                         lockfile.c  locking.c  mounts.c   (--fd: borrowed.c)
 *   find another copy beside us       holder.c  displaced.c  lockers.c
 *   wait for it, or refuse            here  signalled.c  describe.c
 *   record who we are                 record.c  identity.c
 *   exec COMMAND, which keeps the     handover.c  keeper.c
 *     PID and inherits the lock
 *
 * From then on the kernel does the rest: the lock ends with the last process that inherited it. The
 * other way round, ask.c tells who holds it, and signals them.
 *
 * Words of our own, and where they are at home:
 *   mark       the lock's name, in a number that every user finds in /proc/locks     identity.h
 *   displaced  a lock on a file that LOCK does not name any more                     displaced.h
 *   record     which process locked it, in the lock file                             record.h
 *   keeper     a process that holds the lock in the command's stead (--close)        keeper.h
 *   survivor   a child that has outlived the command and keeps the lock
 */
#include "ask.h"
#include "borrowed.h"
#include "deadline.h"
#include "describe.h"
#include "gaps.h"
#include "handover.h"
#include "holder.h"
#include "keeper.h"
#include "lockfile.h"
#include "opening.h"
#include "options.h"
#include "record.h"
#include "signalled.h"
#include "status.h"
#include "unlock.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What a start knows. */
struct start {
	const struct options *o;
	struct lock lock;
	struct identity self;  /* scope 0 where /proc does not tell it */
	struct holder found;   /* in the last look for another copy */
	bool is_ours;          /* then: we have the lock */
	int64_t waiting_since; /* 0 while nobody was told of a wait */
};

static int run(const struct options *o);
static struct start prepare(const struct options *o);
static bool find_another_copy(struct start *s);
static void wait_or_refuse(struct start *s);
static void replace(struct start *s);
static void tell_waited(const struct start *s);
static void write_record(const struct start *s);

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
	/* The lock is ours, and nothing speaks against a start. */
	tell_waited(&s);
	if (o->verbose)
		gaps_tell(&s.lock, s.found.list_is_missing);
	if (o->close)
		keeper_start(&s.lock);
	write_record(&s);
	if (o->command == NULL)
		return EXIT_SUCCESS; /* the caller's descriptor keeps the lock */
	handover_exec(&s.lock, !o->close, o->command);
}

static struct start prepare(const struct options *o)
{
	struct start s = { .o = o, .lock = lock_named(o->lock, o->name) };

	if (o->fd != -1)
		borrowed_lock(&s.lock, o->fd, &o->request);
	if (identity_of_self(&s.self) == -1)
		err(EX_OSERR, "%s: it cannot be told who we are", s.lock.name);
	return s;
}

/* -- another copy? -- */

static void look(struct start *s, const struct lock *l, enum holder_view view)
{
	holder_free(&s->found);
	if (holder_find(&s->found, l, view, &s->self) == 0)
		return;
	/* Whoever has refused us is unknown, and still there; but beside us nobody may be overlooked. */
	if (view == VIEW_OURS) {
		lock_release(l);
		err(EX_OSERR, "%s: it cannot be seen whether another copy runs", l->name);
	}
	s->found = (struct holder){ .kind = HOLDER_UNSEEN, .is_locked = true };
}

/* The lock was refused: who has it? */
static void look_at_refusal(struct start *s)
{
	struct lock asked = lock_named(s->o->lock, s->o->name);

	if (s->lock.fd != -1) {
		look(s, &s->lock, VIEW_REFUSED);
		return;
	}
	/* Its directory was, before the file was even opened. */
	lock_open_to_ask(&asked, s->o->request.deadline);
	look(s, &asked, VIEW_REFUSED);
	lock_close(&asked);
}

/* The caller of --fd takes again what it has closed. */
static bool is_the_caller(const struct start *s)
{
	return s->is_ours && s->o->command == NULL && s->found.kind == HOLDER_WITHOUT_LOCK &&
	       s->found.record.pid == getppid();
}

/* The recorded process lives, or may, without the lock: that is what --force is about. */
static bool can_be_forced(const struct start *s)
{
	return s->is_ours &&
	       (s->found.kind == HOLDER_WITHOUT_LOCK || s->found.kind == HOLDER_HIDDEN);
}

static bool is_forced(const struct start *s)
{
	if (!s->o->force || !can_be_forced(s))
		return false;
	if (s->o->verbose)
		warnx("%s: the recorded process still runs, as --force allows", s->lock.name);
	return true;
}

/*
 * Who has refused us may have given the lock back before we look; or is hidden from us. And a reader
 * is refused by a waiter in passing, where other readers hold the lock.
 */
static bool take(struct start *s)
{
	for (int tries = 10; lock_take(&s->lock, &s->o->request, DEADLINE_NOW) == LOCK_HELD;
		tries--) {
		look_at_refusal(s);
		if (!s->found.is_locked && tries == 0)
			s->found = (struct holder){ .kind = HOLDER_UNSEEN };
		bool in_passing = s->o->request.shared && s->found.is_shared;
		if ((s->found.is_locked && !in_passing) || tries == 0)
			return false;
	}
	return true;
}

static bool find_another_copy(struct start *s)
{
	enum { ROUNDS = 100 };

	for (int round = 0; round < ROUNDS; round++) {
		s->is_ours = take(s);
		if (s->is_ours)
			look(s, &s->lock, VIEW_OURS);
		if (s->found.record.kind == RECORD_FOREIGN) {
			lock_release(&s->lock);
			is_no_lock_file(&s->lock);
		}
		/*
		 * A look is worth something only if our file stood under its name all the while: else one
		 * who was away, too, can have locked another file, looked before us, and run.
		 */
		if (!s->is_ours || !s->found.took_long || lock_has_stayed(&s->lock))
			return s->found.kind != HOLDER_NONE && !is_the_caller(s) && !is_forced(s);
		lock_release(&s->lock);
		lock_close(&s->lock);
	}
	errx(EX_OSERR, "%s: is moved or changed again and again", s->lock.name);
}

/* -- waiting and refusing -- */

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

/* Once, with -v or where somebody sits before a terminal. */
static void tell_waiting(struct start *s)
{
	const bool tell = s->o->verbose || (!s->o->quiet && isatty(STDERR_FILENO));

	if (s->waiting_since != 0 || !tell)
		return;
	/* Who ends gives the lock back a moment before it is gone: that is not worth a word. */
	if (s->found.kind == HOLDER_WITHOUT_LOCK &&
		holder_wait(
			&s->found, deadline_within(s->o->request.deadline, 100 * MILLISECOND)) == 1)
		return;
	warnx("%s: waiting: %s", s->lock.name, holder_describe(&s->found, false));
	s->waiting_since = clock_now(CLOCK_MONOTONIC);
}

static void tell_waited(const struct start *s)
{
	int64_t waited = clock_now(CLOCK_MONOTONIC) - s->waiting_since;

	if (s->waiting_since != 0 && s->o->verbose)
		warnx("%s: waited %.3f s", s->lock.name, (double) waited / (double) SECOND);
}

static void wait_for_process(const struct start *s, int64_t deadline)
{
	if (holder_wait(&s->found, deadline) == -1)
		err(EX_OSERR, "%s: the holder cannot be waited for", s->lock.name);
}

/*
 * Returns when it is time to look again, with the lock or without: the next look takes it once more,
 * which changes nothing where we have it.
 */
static void wait_or_refuse(struct start *s)
{
	const int64_t deadline = s->o->request.deadline;

	if (deadline_reached(deadline))
		refuse(s, can_be_forced(s) ? "; --force starts all the same" : "");
	lock_release(&s->lock);
	tell_waiting(s);
	if (s->is_ours) {
		/*
		 * A displaced lock may be that of a start like us, whose file was replaced and which waits
		 * for us in turn: what it opens next is what LOCK names now. So look again every second.
		 */
		wait_for_process(
			s, s->found.is_displaced ? deadline_within(deadline, SECOND) : deadline);
	} else if (lock_take(&s->lock, &s->o->request, deadline) == LOCK_HELD &&
		   !deadline_reached(deadline)) {
		/* It could not even be opened, because of a lease. */
		wait_for_process(s, deadline_within(deadline, SECOND));
	}
}

/*
 * --signal with a command: signals the holder once, and takes its place when it has given the lock
 * up. Whoever else has it by then is not signalled, and not waited for.
 */
static void replace(struct start *s)
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

/* -- the record -- */

static _Noreturn void cannot_write(const struct start *s, const char *what)
{
	lock_release(&s->lock);
	err(EX_IOERR, "%s: %s could not be written", s->lock.name, what);
}

/* The caller of --fd alone may close its descriptor on purpose: no incarnation, no safeguard. */
static void write_record(const struct start *s)
{
	const bool for_caller = s->o->command == NULL;
	struct record_request r = { .who = s->self,
		.vouches = s->found.vouches,
		.keep_guard = s->found.kind != HOLDER_NONE };

	/*
	 * A shared lock writes no record. Where it was an exclusive one before, that one's goes: it would
	 * keep readers out who may not look into its process.
	 */
	if (s->o->request.shared) {
		if (borrowed_was_exclusive(&s->lock) && record_clear(&s->lock) == -1)
			cannot_write(s, "the record");
		return;
	}
	if (is_the_caller(s))
		return; /* it stays guarded as the command that it is */
	if (r.who.pid == 0)
		r.who.pid = getpid(); /* its own /proc does not tell it */
	if (for_caller)
		r.who = (struct identity){ .pid = getppid() }; /* 0: of another PID namespace */
	enum record_written written = record_write(&s->lock, &r, &s->found.record);
	switch (written) {
	case RECORD_NO_CONTENT:
		cannot_write(s, "the PID");
	case RECORD_NO_ATTRIBUTE:
		cannot_write(s, "the record's attribute");
	case RECORD_DATED:
	case RECORD_UNDATED:
		break;
	}
	if (written == RECORD_UNDATED && !for_caller && s->o->verbose)
		gaps_tell_undated(&s->lock,
			s->self.scope == 0 ? "/proc"
			: errno == EACCES  ? "right to set attributes"
					   : "user attributes",
			s->o->close);
}
