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
	/* The lock is ours, and nothing speaks against a start. */
	tell_waited(&s);
	if (o->verbose)
		gaps_tell(&s.lock, s.found.list_is_missing);
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
bool can_be_forced(const struct start *s)
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

bool find_another_copy(struct start *s)
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
		if (!s->is_ours || !s->found.took_long || s->found.is_displaced ||
			lock_has_stayed(&s->lock, &s->found.seen))
			return s->found.kind != HOLDER_NONE && !is_the_caller(s) && !is_forced(s);
		lock_release(&s->lock);
		lock_close(&s->lock);
	}
	errx(EX_OSERR, "%s: is moved or changed again and again", s->lock.name);
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

/*
 * The command could not be run. Where it was forced to start beside a process that its record guards,
 * that record comes back; and a descriptor of the caller's, which outlives us, bears what it bore.
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
