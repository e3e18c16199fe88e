#include "holder.h"

#include "deadline.h"
#include "displaced.h"
#include "fdinfo.h"
#include "keeper.h"
#include "lockers.h"
#include "process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int add(struct holder *h, pid_t pid)
{
	pid_t *larger = reallocarray(h->pids, h->count + 1, sizeof *larger);

	if (larger == NULL)
		return -1;
	h->pids = larger;
	h->pids[h->count++] = pid;
	return 0;
}

static int add_lockers(struct holder *h, const struct lockers *found)
{
	h->is_shared = h->names_lockers = found->count > 0;
	for (size_t i = 0; i < found->count; i++) {
		h->is_shared = h->is_shared && !found->all[i].exclusive;
		h->names_lockers = h->names_lockers &&
				   (found->all[i].may_be_named || h->is_displaced);
		if (i > 0 && found->all[i].pid == found->all[i - 1].pid)
			continue; /* it has the file and its directory */
		/* A displaced lock is on another file, which may be a trap. */
		if (h->is_displaced && !found->all[i].may_be_named)
			continue;
		if (add(h, found->all[i].pid) == -1)
			return -1;
	}
	h->kind = h->count > 0 ? HOLDER_OTHERS : HOLDER_UNSEEN;
	return 0;
}

static int set_recorded(struct holder *h, enum holder_kind kind)
{
	h->kind = kind;
	h->count = 0;
	return h->is_trusted ? add(h, h->record.pid) : 0;
}

/* -- locked? -- */

/* Where a lock can be: on the lock file and, if LOCK is a directory, on that. */
static int set_targets(
	struct locker_target *targets, bool *unique, size_t *count, const struct lock *l)
{
	const int fds[] = { l->fd, l->directory };

	*count = 0;
	for (size_t i = 0; i < 2; i++) {
		struct locker_target *t = &targets[*count];
		if (fds[i] == -1)
			continue;
		*t = (struct locker_target){ .file_is_known = true };
		int told = fdinfo_numbers(fds[i], &t->lock);
		if (told == -1 || fstat(fds[i], &t->file) == -1)
			return -1;
		t->flock_alone = fds[i] != l->fd;
		t->lock.end = l->mark != 0 ? l->mark : UINT64_MAX;
		unique[(*count)++] = told == 1;
	}
	return 0;
}

/* Like lock_state(), but with flock(2) locks. -1 with errno. */
static int look_at_lock(const struct lock *l, bool can_name)
{
	struct locker_target targets[2];
	bool unique[2];
	size_t count;
	int state = lock_state(l), flocked = 0;

	if (state != LOCK_FREE)
		return state;
	if (set_targets(targets, unique, &count, l) == -1)
		return -1;
	size_t first = l->fd != -1 && l->fs.fcntl_only ? 1 : 0; /* the file comes first */
	for (size_t i = first; flocked == 0 && i < count; i++)
		flocked = lockers_flocked(&targets[i], unique[i], can_name);
	if (flocked != 1)
		return flocked == -1 ? -1 : LOCK_FREE;
	return l->as_is ? LOCK_HELD_BY_ONE : LOCK_HELD_BY_ANY;
}

/*
 * Whether the recorded process has the lock open, or a locker is its keeper. Then it is the very
 * process, even if the record does not tell its start: which we then take from /proc. But that goes
 * only for an exclusive lock of ours, and only for whoever has that very one: any reader may have
 * another, beyond the mark or on the directory, or hand it on, and have a pidfd.
 */
static bool is_among(struct record *r, const struct lockers *found, bool by_onlyone)
{
	struct procfs_stat s;
	bool is = false;

	if (r->kind != RECORD_PID || process_stat(r->pid, &s) == -1 || s.ended ||
		(r->has_incarnation ? r->start != s.start : !by_onlyone))
		return false;
	for (size_t i = 0; !is && i < found->count; i++) {
		const struct locker *at = &found->all[i];
		if (by_onlyone && !at->has_ours)
			continue;
		is = at->pid == r->pid || (by_onlyone && keeper_keeps(at->pid) == r->pid);
	}
	if (is)
		r->start = s.start;
	r->has_incarnation = r->has_incarnation || is;
	return is;
}

/* Who holds the lock, which is known to be held. */
static int identify(struct holder *h, const struct lock *l, int state, const struct identity *self)
{
	struct locker_target targets[2];
	struct lockers found;
	bool unique[2];
	size_t count;

	h->kind = HOLDER_UNSEEN;
	h->is_locked = true;
	h->is_by_onlyone = state == LOCK_HELD_BY_ONE;
	if (h->is_by_onlyone && h->record.has_incarnation && h->record.pid == self->pid &&
		h->record.start == self->start) {
		h->kind = HOLDER_OURSELVES;
		return 0;
	}
	/* An exclusive lock of ours is the recorded process's, if only through its keeper. */
	enum process_life life = record_life(&h->record);
	if (h->is_trusted && h->is_by_onlyone && life != PROCESS_ENDED)
		return set_recorded(h, life == PROCESS_LIVES ? HOLDER_RECORDED : HOLDER_HIDDEN);
	if (self->scope == 0)
		return 0;
	if (set_targets(targets, unique, &count, l) == -1)
		return -1;
	int failed = lockers_find(&found, targets, count);
	if (!failed)
		failed = h->is_trusted &&
					 is_among(&h->record, &found, h->is_by_onlyone && !l->as_is)
				 ? set_recorded(h, HOLDER_RECORDED)
				 : add_lockers(h, &found);
	lockers_free(&found);
	return failed;
}

/* -- displaced? -- */

static int find_displaced(struct holder *h, const struct lock *l, bool ours, bool can_name)
{
	struct displaced d;

	if (!lock_has_mark(l))
		return 0;
	if (displaced_is_ruled_out(l, &h->record))
		return 0;
	if (ours && way_see(&l->way, l->fd, l->parent_fd, &h->seen) == -1)
		return -1;
	int failed = displaced_find(&d, l, ours, can_name);
	h->list_is_missing = d.list_is_missing;
	h->vouches = !d.went && !d.list_is_missing;
	h->took_long = true;
	if (!failed && d.is_held) {
		h->is_displaced = true;
		h->lock = d.lock;
		failed = add_lockers(h, &d.lockers);
	}
	lockers_free(&d.lockers);
	return failed;
}

/* -- does the recorded process live? -- */

bool holder_is_beside_us(const struct lock *l, pid_t pid)
{
	struct locker_target targets[2];
	bool unique[2];
	size_t count;

	if (set_targets(targets, unique, &count, l) == -1)
		return false;
	for (size_t i = 0; i < count; i++)
		targets[i].marked = lock_has_mark(l); /* another program's lock excuses nobody */
	return locker_is(pid, targets, count);
}

static int find_recorded(struct holder *h, const struct lock *l, bool ours)
{
	enum process_life life = record_life(&h->record);

	if (life == PROCESS_ENDED)
		return 0;
	/*
	 * Two children of a shell that were lent one descriptor exclude each other; but a process may
	 * lend its own to its children.
	 */
	if (ours && holder_is_beside_us(l, h->record.pid))
		return process_is_ancestor(h->record.pid) ? 0 : set_recorded(h, HOLDER_RECORDED);
	return set_recorded(h, life == PROCESS_LIVES ? HOLDER_WITHOUT_LOCK : HOLDER_HIDDEN);
}

/* -- the chain -- */

static int find_once(
	struct holder *h, const struct lock *l, enum holder_view view, const struct identity *self)
{
	const bool ours = view == VIEW_OURS, can_name = self->scope != 0;
	int state = LOCK_FREE;

	*h = (struct holder){ .kind = HOLDER_NONE, .vouches = true };
	h->pids =
		NULL; /* for clang-tidy 14, which loses sight of these in so large an initializer */
	h->count = 0;
	if (l->record_fd != -1 && record_read(l, self->scope, &h->record) == -1)
		return -1;
	h->is_trusted = l->record_fd == -1 || locker_may_be_named(h->record.pid, &h->record.file);
	if (!ours)
		state = look_at_lock(l, can_name);
	if (state == -1)
		return -1;
	if (state != LOCK_FREE || view == VIEW_REFUSED)
		return identify(h, l, state, self);
	if (find_displaced(h, l, ours, can_name) == -1)
		return -1;
	return h->kind == HOLDER_NONE ? find_recorded(h, l, ours) : 0;
}

/*
 * The holder may have taken the lock and not yet written its record: a tenth of a second is enough
 * for that. Or it has ended and its keeper has not: a second. A displaced one may have ended after
 * it was seen in the list. And while somebody reads its descriptors in /proc, a lock outlives its
 * process, and nobody is found. On a busy machine all that takes longer, so do not go by the clock
 * alone.
 */
static bool give_it_a_moment(const struct holder *h, bool ours, int64_t began, int looks)
{
	int64_t passed = clock_now(CLOCK_MONOTONIC) - began;

	/*
	 * A process that ends gives the lock back a moment before it is gone. To let go of ours then,
	 * and wait, would make a hand-over several times as long.
	 */
	if (ours && h->kind == HOLDER_WITHOUT_LOCK)
		return looks == 1 &&
		       holder_wait(h, deadline_within(DEADLINE_NEVER, 10 * MILLISECOND)) == 1;
	if (h->kind == HOLDER_OTHERS && h->count == 1 && keeper_is_late(h->pids[0]))
		return passed < SECOND &&
		       holder_wait(h, deadline_within(DEADLINE_NEVER, SECOND)) == 1;
	/* Another look at the list of locks takes long, and shows no more of a hidden holder. */
	bool patient = h->is_displaced ? passed < 15 * MILLISECOND
				       : looks < 10 || passed < 100 * MILLISECOND;
	return h->kind == HOLDER_UNSEEN && patient && pause_for(5 * MILLISECOND) == 0;
}

int holder_find(
	struct holder *h, const struct lock *l, enum holder_view view, const struct identity *self)
{
	if (find_once(h, l, view, self) == -1)
		return -1;
	const int64_t began = clock_now(CLOCK_MONOTONIC);
	for (int looks = 1; give_it_a_moment(h, view == VIEW_OURS, began, looks); looks++) {
		holder_free(h);
		if (find_once(h, l, view == VIEW_OURS ? view : VIEW_ASKING, self) == -1)
			return -1;
	}
	return 0;
}

void holder_free(struct holder *h)
{
	free(h->pids);
	h->pids = NULL;
	h->count = 0;
}

/* -- acting -- */

int holder_wait(const struct holder *h, int64_t deadline)
{
	int pidfd = h->count > 0 ? process_open(h->pids[0]) : -1;

	if (pidfd == -1 && h->count > 0 && errno == ESRCH)
		return 1;
	if (pidfd != -1) {
		int ended = deadline_wait(deadline, pidfd);
		close(pidfd);
		return ended;
	}
	/* We cannot wait for a process that we cannot see, or may not open. */
	if (deadline_wait(deadline_within(deadline, SECOND), -1) == -1)
		return -1;
	return !deadline_reached(deadline);
}

int holder_open(const struct holder *h)
{
	errno = ESRCH;
	if (!h->is_trusted || (h->kind != HOLDER_RECORDED && h->kind != HOLDER_WITHOUT_LOCK))
		return -1;
	int pidfd = process_open(h->record.pid);
	/* Only now, with the number pinned, is it certain that it is the right one. */
	if (pidfd != -1 && record_life(&h->record) != PROCESS_LIVES) {
		close(pidfd);
		errno = ESRCH;
		return -1;
	}
	return pidfd;
}
