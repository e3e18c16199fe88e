/*
 * onlyone LOCK COMMAND [ARG...]: run COMMAND as the only copy of itself under LOCK.
 *
 *   open LOCK without harm to it, and lock it     lockfile.c  mark.c  limit.c
 *   see that no copy runs that lost its lock      record.c  holder.c
 *   write the PID into LOCK                       record.c
 *   exec COMMAND, which keeps the PID and         handover.c  keeper.c
 *     inherits the locked descriptor
 *
 * The other way round, question.c asks who holds it, and signals them.
 *
 * From then on the kernel does the rest: the lock ends with the last process that inherited it.
 */
#include "handover.h"
#include "holder.h"
#include "keeper.h"
#include "lockfile.h"
#include "mark.h"
#include "options.h"
#include "question.h"
#include "record.h"
#include "status.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A lock that was taken, and what has to be known to write the record into it. */
struct claim {
	struct lock lock;
	uint64_t origin;
	struct record found;
	bool waited; /* as -v has told */
	struct timespec since;
};

static void tell(const struct options *o, const struct lock *l, const char *what)
{
	if (o->verbose)
		warnx("%s: %s", l->path, what);
}

/* Says who holds the lock, unless -q, and ends with the status for that. */
static _Noreturn void refuse(const struct options *o, const struct lock *l, const struct holder *h)
{
	lock_restore(l);
	if (!o->quiet)
		warnx("%s: %s%s", l->path, holder_describe(h, false),
			h->kind == HOLDER_WITHOUT_LOCK ? "; --force starts all the same" : "");
	exit(o->held_status);
}

/* Who holds the lock that we did not get. What cannot be found out is unknown, and still held. */
static struct holder find_holder(struct lock *l)
{
	struct holder h;

	if (l->adopted) {
		lock_restore(l); /* it may have got one of the two locks */
	} else {
		lock_close(l);
		lock_open_to_ask(l, l->path);
	}
	if (holder_find(&h, l, true) == -1)
		h = (struct holder){ .kind = HOLDER_UNSEEN };
	return h;
}

static enum lock_outcome try_lock(const struct options *o, struct lock *l, struct limit limit)
{
	struct lock_wish wish = {
		.shared = o->shared, .force = o->force, .mode = o->mode, .limit = limit
	};

	return o->fd == -1 ? lock_acquire(l, o->lock, &wish) : lock_adopt(l, o->fd, &wish);
}

static void take_lock(const struct options *o, struct lock *l)
{
	for (int tries = 3; try_lock(o, l, o->limit) == LOCK_HELD; tries--) {
		struct holder h = find_holder(l);
		/* It was given back in between; or /proc/locks hides it in our PID namespace. */
		if (h.kind == HOLDER_NONE && tries == 0)
			h.kind = HOLDER_UNSEEN;
		if (h.kind != HOLDER_NONE)
			refuse(o, l, &h);
		lock_close(l);
	}
}

static void tell_waiting(const struct options *o, struct claim *c, const struct holder *h)
{
	if (!o->verbose || limit_reached(&o->limit))
		return;
	warnx("%s: waiting: %s", c->lock.path, holder_describe(h, false));
	if (!c->waited)
		clock_gettime(CLOCK_MONOTONIC, &c->since);
	c->waited = true;
}

static void tell_waited(const struct claim *c)
{
	struct timespec now;

	if (!c->waited)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	double seconds = difftime(now.tv_sec, c->since.tv_sec) +
			 (double) (now.tv_nsec - c->since.tv_nsec) / 1e9;
	warnx("%s: waited %.3f s", c->lock.path, seconds);
}

/* As take_lock, and says who is waited for. */
static void take_lock_aloud(const struct options *o, struct claim *c)
{
	if (try_lock(o, &c->lock, limit_none()) == LOCK_TAKEN)
		return;
	struct holder h = find_holder(&c->lock);
	tell_waiting(o, c, &h);
	lock_close(&c->lock);
	take_lock(o, &c->lock);
}

/* The lock is ours, but a copy runs that lost it: true once it has ended within the limit. */
static bool outlasts_displaced(const struct options *o, struct claim *c)
{
	const struct lock *l = &c->lock;
	struct holder h;
	int found = holder_find_displaced(&h, l);

	if (found == -1 && errno != ENOENT)
		err(EX_OSERR, "%s: it cannot be seen whether its file was replaced", l->path);
	if (found == -1)
		tell(o, l, "no /proc/locks here: that its file was replaced would not be seen");
	if (found != 1)
		return false;
	/*
	 * It may be a start like us whose file was replaced, and which waits for us in turn: give our
	 * lock back and look again every second. What that one opens next is what LOCK names now.
	 */
	if (!c->waited)
		tell_waiting(o, c, &h);
	struct limit second = limit_within(&o->limit, (struct timespec){ .tv_sec = 1 });
	int ended = holder_wait(&h, &second);
	if (ended == -1 || (ended == 0 && limit_reached(&o->limit)))
		refuse(o, l, &h);
	return true;
}

/*
 * The recorded process may still have the lock beside us: shared as ours is, or by the very
 * descriptor of --fd. Or the caller itself takes what it has closed.
 */
static bool is_of_the_holder(const struct options *o, const struct claim *c)
{
	if (o->command == NULL && c->found.pid == getppid())
		return true;
	return holder_bears(&c->lock, c->found.pid);
}

/* Who ends gives the lock back a moment before it is gone: that is nothing to tell of. */
static int wait_for_recorded(const struct options *o, struct claim *c, const struct holder *h)
{
	struct limit moment = limit_within(&o->limit, (struct timespec){ .tv_nsec = 100000000 });
	int ended = record_wait(&c->found, &moment);

	if (ended != 0 || limit_reached(&o->limit))
		return ended;
	tell_waiting(o, c, h);
	return record_wait(&c->found, &o->limit);
}

static bool outlasts_recorded(const struct options *o, struct claim *c)
{
	struct holder h = { .kind = HOLDER_WITHOUT_LOCK, .record = c->found };
	pid_t pid = c->found.pid;

	if (record_life(&c->found) == LIFE_ENDED)
		return false;
	if (is_of_the_holder(o, c))
		return false;
	if (o->force) {
		tell(o, &c->lock, "the recorded process still runs, as --force allows");
		return false;
	}
	h.pids = &pid;
	h.count = 1;
	switch (wait_for_recorded(o, c, &h)) {
	case 1:
		return true;
	case 0:
		refuse(o, &c->lock, &h);
	default:
		err(EX_OSERR, "%s: the recorded process cannot be waited for", c->lock.path);
	}
}

/* Its origin, too: a safeguard that fails, other than by not being there, ends the program. */
static uint64_t read_record(const struct lock *l, struct record *r)
{
	uint64_t origin;

	if (record_origin(l->mark, &origin) == -1)
		err(EX_OSERR, "%s: it cannot be told which process the record names", l->path);
	if (record_read(l->content, origin, r) == -1)
		err(EX_IOERR, "%s", l->path);
	return origin;
}

/* Returns with a lock that nothing speaks against. */
static struct claim claim(const struct options *o)
{
	struct claim c = { .waited = false };

	for (;; lock_close(&c.lock)) {
		if (o->verbose && !limit_reached(&o->limit))
			take_lock_aloud(o, &c);
		else
			take_lock(o, &c.lock);
		c.origin = read_record(&c.lock, &c.found);
		if (c.found.kind == RECORD_FOREIGN) {
			lock_restore(&c.lock);
			errx(EX_DATAERR, "%s: holds something that is no lock record, left alone",
				lock_file_name(&c.lock));
		}
		/* Before the wait below, and again after it: the file may be replaced meanwhile. */
		if (!lock_in_place_since(&c.lock, c.found.untouched_since) &&
			outlasts_displaced(o, &c))
			continue;
		if (!outlasts_recorded(o, &c)) {
			tell_waited(&c);
			return c;
		}
	}
}

static void tell_unguarded(const struct options *o, const struct claim *c)
{
	const char *missing = c->origin == 0 ? "/proc" : "user attributes";
	const char *guarded = o->close ? "by the keeper alone" : "only with --close";

	if (o->verbose)
		warnx("%s: no %s here: a command that closes its descriptors is guarded %s",
			c->lock.path, missing, guarded);
}

/* The caller of --fd alone may close its descriptor on purpose: no incarnation, no safeguard. */
static void write_record(const struct options *o, const struct claim *c)
{
	bool for_caller = o->command == NULL;
	pid_t pid = for_caller ? getppid() : getpid(); /* 0 for one of another PID namespace */

	if (o->shared)
		return;
	enum record_written written = record_write(
		c->lock.content, pid, for_caller ? 0 : c->origin, &c->found);
	if (written == RECORD_FAILED) {
		lock_restore(&c->lock);
		err(EX_IOERR, "%s: the PID could not be written", c->lock.path);
	}
	if (written == RECORD_UNDATED && !for_caller)
		tell_unguarded(o, c);
}

static int run(const struct options *o)
{
	struct claim c = claim(o);

	if (o->close)
		keeper_start(&c.lock);
	write_record(o, &c);
	if (o->command == NULL)
		return EXIT_SUCCESS; /* the caller's descriptor keeps the lock */
	handover_exec(&c.lock, !o->close, o->command);
}

/* Empties the record, but that of a process that lives and has merely closed its lock. */
static void clear_record(const struct lock *l)
{
	struct record r;

	read_record(l, &r);
	bool ours = record_life(&r) == LIFE_ENDED || holder_bears(l, r.pid);
	if (ours && r.kind != RECORD_FOREIGN && record_clear(l->content) == -1)
		err(EX_IOERR, "%s: the record could not be cleared", l->path);
}

static int unlock(const struct options *o)
{
	struct lock l;

	/* Only who has the lock, or could have it, may empty the record. */
	if (lock_adopt_to_unlock(&l, o->fd) && !o->shared)
		clear_record(&l);
	if (lock_give_back(&l) == -1)
		err(EX_OSERR, "%s", l.path);
	return EXIT_SUCCESS;
}

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
		return question_status(o.lock);
	case JOB_PID:
		return question_pid(o.lock);
	case JOB_SIGNAL:
		return question_signal(o.lock, o.signal, &o.limit, o.held_status, o.quiet);
	}
}
