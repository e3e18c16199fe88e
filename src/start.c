#include "start.h"

#include "opening.h"
#include "status.h"

#include <err.h>
#include <unistd.h>

static void look(struct start *s, const struct lock *l, enum holder_view view)
{
	holder_free(&s->found);
	if (holder_find(&s->found, l, view, &s->self) == 0)
		return;
	/* Whoever refused us is there, if unknown; once the lock is ours, overlook nobody. */
	if (view == VIEW_OURS) {
		lock_release(l);
		err(EX_OSERR, "%s: cannot tell whether another copy runs", l->name);
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
	/* Refused before the file was open: by its directory's lock, or by a lease. */
	lock_open_to_ask(&asked, s->o->request.deadline);
	look(s, &asked, VIEW_REFUSED);
	lock_close(&asked);
}

bool can_be_forced(const struct start *s)
{
	return s->is_ours &&
	       (s->found.kind == HOLDER_WITHOUT_LOCK || s->found.kind == HOLDER_HIDDEN);
}

/*
 * Whoever refused us may have given the lock back before we look, or may be hidden from us. And
 * where readers hold the lock, another reader may be refused by a waiter in passing.
 */
static bool take(struct start *s)
{
	enum { TRIES = 10 };

	for (int tries = 0; tries <= TRIES; tries++) {
		if (lock_take(&s->lock, &s->o->request, DEADLINE_NOW) == LOCK_TAKEN)
			return true;
		look_at_refusal(s);
		bool in_passing = s->o->request.shared && s->found.is_shared;
		if (s->found.is_locked && !in_passing)
			return false;
	}
	if (!s->found.is_locked)
		s->found = (struct holder){ .kind = HOLDER_UNSEEN };
	return false;
}

/*
 * A look that takes long is worth something only if our file had its name all the while. Take slow
 * starts A and B, and somebody who moves the file away and back:
 *
 *   B locks the file, looks for others, and finds none.
 *   The file is moved away. A makes a new one and locks it. The old one is moved back, over it.
 *   B writes its record into the old file, runs, and ends.
 *   A looks for others, and no longer finds any.
 *   C locks the old file, where B's record vouches for it, and runs.
 *
 * A, whose file nobody finds, must not run now. So after the look it checks its file once more, and
 * starts over if that has not stayed.
 */
static bool is_worth_something(const struct start *s)
{
	return !s->is_ours || !s->found.took_long || s->found.is_displaced ||
	       lock_has_stayed(&s->lock, &s->found.seen);
}

bool is_the_caller(const struct start *s)
{
	return s->is_ours && s->o->command == NULL && s->found.kind == HOLDER_WITHOUT_LOCK &&
	       s->found.record.pid == getppid();
}

bool is_under_its_lock(const struct start *s)
{
	return is_the_caller(s) || (s->is_ours && s->found.kind == HOLDER_NONE &&
					   record_life(&s->found.record) == PROCESS_LIVES);
}

static bool is_forced(const struct start *s)
{
	return s->o->force && can_be_forced(s);
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
			refuse_content(&s->lock);
		}
		if (is_worth_something(s))
			return s->found.kind != HOLDER_NONE && !is_the_caller(s) && !is_forced(s);
	}
	errx(EX_OSERR, "%s: is moved or changed again and again", s->lock.name);
}
