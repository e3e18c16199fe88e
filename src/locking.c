#include "locking.h"

#include "deadline.h"
#include "mark.h"
#include "retry.h"

#include <fcntl.h>
#include <sys/file.h>

static struct flock range_of(const struct locking *l, short type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_len = (off_t) l->mark + 1 };
}

/* The fcntl(2) types stand for both families. -1 with errno. */
static int set(const struct locking *l, const struct lock_part *p, short type, bool wait)
{
	static const int flocks[] = {
		[F_RDLCK] = LOCK_SH, [F_WRLCK] = LOCK_EX, [F_UNLCK] = LOCK_UN
	};
	struct flock range = range_of(l, type);

	if (p->kind == KIND_FLOCK)
		return flock(p->fd, flocks[type] | (wait ? 0 : LOCK_NB));
	if (type == F_UNLCK)
		range.l_len = 0;
	return fcntl(p->fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range);
}

/* What the errno of a failed attempt means. */
static enum lock_outcome judge(const struct locking *l)
{
	switch (errno) {
	case EAGAIN:
	case EINTR: /* the deadline's alarm */
		return LOCK_HELD;
	case EACCES:
		return l->eacces_is_held ? LOCK_HELD : LOCK_FAILED;
	case ESTALE: /* NFS: somebody replaced the file */
		return LOCK_REPLACED;
	default: /* ENOLCK, EOPNOTSUPP, ENOSYS, EINVAL */
		return LOCK_FAILED;
	}
}

static short wanted(const struct locking *l)
{
	return l->shared ? F_RDLCK : F_WRLCK;
}

static enum lock_outcome attempt(const struct locking *l, const struct lock_part *p)
{
	/* Even a call that does not wait can take time, on NFS and FUSE, and be interrupted. */
	return RETRY(set(l, p, wanted(l), false)) == 0 ? LOCK_TAKEN : judge(l);
}

/*
 * Whether what refuses p while we have the gate may be a lock in passing: that of a waiter that
 * came by this part, and will find us at the gate. If it is an fcntl(2) lock it has a mark; a
 * flock(2) lock cannot be asked.
 */
static bool may_be_passing(const struct locking *l, const struct lock_part *p)
{
	struct flock range = range_of(l, F_WRLCK);

	if (p->kind == KIND_FLOCK)
		return true;
	if (fcntl(p->fd, F_OFD_GETLK, &range) == -1)
		return false;
	return range.l_type == F_UNLCK || mark_is((uint64_t) range.l_len - 1);
}

static enum lock_outcome insist(const struct locking *l, const struct lock_part *p)
{
	enum { PATIENCE = 20 }; /* milliseconds; the other needs one call */
	enum lock_outcome outcome;

	for (int tries = 0;
		(outcome = attempt(l, p)) == LOCK_HELD && tries < PATIENCE && may_be_passing(l, p);
		tries++)
		pause_for(MILLISECOND);
	return outcome;
}

/*
 * Takes all parts but the one that we have already, if any (have is l->count for none). If one
 * cannot be had, none is kept, and *refused tells which. Only a start that came by the gate insists
 * on the rest: two that came by different parts would insist on each other's.
 */
static enum lock_outcome take_others(const struct locking *l, size_t have, size_t *refused)
{
	bool has_gate = have == 0;
	enum lock_outcome outcome = LOCK_TAKEN;

	for (size_t i = 0; outcome == LOCK_TAKEN && i < l->count; i++) {
		if (i == have)
			continue;
		outcome = has_gate ? insist(l, &l->parts[i]) : attempt(l, &l->parts[i]);
		has_gate = has_gate || (i == 0 && have == l->count);
		*refused = i;
	}
	if (outcome != LOCK_TAKEN)
		locking_release(l);
	return outcome;
}

/* Sleeps in the kernel until the part is ours or the deadline has come. */
static enum lock_outcome wait_for(
	const struct locking *l, const struct lock_part *p, int64_t deadline)
{
	struct deadline_alarm alarm;
	int failed;

	if (deadline_arm(deadline, &alarm) == -1)
		return LOCK_FAILED;
	do
		failed = set(l, p, wanted(l), true);
	while (failed && errno == EINTR && !deadline_reached(deadline));
	enum lock_outcome outcome = failed ? judge(l) : LOCK_TAKEN;
	int why = errno;
	if (deadline_disarm(&alarm) == -1)
		return LOCK_FAILED;
	errno = why;
	return outcome;
}

/*
 * Whether a borrowed shared lock is to become an exclusive one. Then fcntl(2) goes first, since its
 * conversion loses nothing if it is refused: flock(2) gives up the shared lock before it tries.
 */
static bool converts(const struct locking *l)
{
	return !l->shared && l->count == 2 &&
	       (l->parts[0].before == F_RDLCK || l->parts[1].before == F_RDLCK);
}

static void put_first(struct locking *l, enum lock_kind kind)
{
	if (l->count == 2 && l->parts[0].kind != kind) {
		struct lock_part other = l->parts[0];
		l->parts[0] = l->parts[1];
		l->parts[1] = other;
	}
}

/* From now on it waits like any other. */
static void give_up_shared(struct locking *l)
{
	locking_unlock(l);
	for (size_t i = 0; i < l->count; i++)
		l->parts[i].before = F_UNLCK;
	put_first(l, KIND_FLOCK);
}

enum lock_outcome locking_take(struct locking *l, int64_t deadline)
{
	size_t refused;

	if (converts(l))
		put_first(l, KIND_FCNTL);
	enum lock_outcome outcome = take_others(l, l->count, &refused);
	if (outcome == LOCK_HELD && !deadline_reached(deadline) && converts(l)) {
		give_up_shared(l);
		outcome = take_others(l, l->count, &refused);
	}
	while (outcome == LOCK_HELD && !deadline_reached(deadline)) {
		outcome = wait_for(l, &l->parts[refused], deadline);
		if (outcome == LOCK_TAKEN)
			outcome = take_others(l, refused, &refused);
	}
	return outcome;
}

/*
 * A shared flock(2) lock is lost if its conversion is refused (flock(2) gives up the old one
 * first), and a waiter may have slipped in; it will be refused by the rest of ours, and give up
 * soon.
 */
static void restore(const struct locking *l, const struct lock_part *p)
{
	for (int tries = 0; set(l, p, p->before, false) == -1 && errno == EAGAIN && tries < 1000;
		tries++)
		pause_for(MILLISECOND);
}

void locking_release(const struct locking *l)
{
	int why = errno;

	for (size_t i = l->count; i-- > 0;)
		restore(l, &l->parts[i]);
	errno = why;
}

int locking_unlock(const struct locking *l)
{
	for (size_t i = l->count; i-- > 0;)
		if (set(l, &l->parts[i], F_UNLCK, false) == -1)
			return -1;
	return 0;
}
