/*
 * The lock of a file, and of its directory if LOCK is one, in both of the kernel's families, taken
 * and given up as one.
 *
 * fcntl(2) locks (s6-setlock, lckdo) and flock(2) locks (flock, setlock, chpst, systemd-tmpfiles)
 * do not see each other, so a lock has up to three parts: flock(2) on the directory, flock(2) on
 * the file, and an fcntl(2) lock of the file's open description (OFD) from byte 0 to the mark
 * (mark.h). They are taken in this order and given up in reverse, as the kernel itself does at
 * the end of a process (locks_remove_file() in fs/locks.c): so all waiters sleep on the first part,
 * the gate, and whoever gets it finds the rest free.
 *
 * A waiter holds no part. It sleeps on the part that was refused and, once it gets that, tries the
 * others without waiting: so nobody waits for a sleeper, and no reader is refused because of one.
 * Two that slept on different parts may refuse each other this way, but not for ever: the one that
 * has the gate insists for some milliseconds, the one that came by another part gives it back at
 * once.
 */
#ifndef LOCKING_H
#define LOCKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lock_outcome {
	LOCK_TAKEN,
	LOCK_HELD,
	LOCK_REPLACED, /* LOCK no longer names the file */
	LOCK_FAILED,   /* errno tells: this file system has no such locks, or there was no timer */
};

enum lock_kind { KIND_FLOCK, KIND_FCNTL };

struct locking {
	struct lock_part {
		int fd;
		enum lock_kind kind;
		short before; /* what fd had when it was lent to us: F_UNLCK, F_RDLCK, F_WRLCK */
	} parts[3];
	size_t count;
	bool shared;
	bool eacces_is_held; /* mounts.h */
	uint64_t mark;
};

/*
 * Takes all parts, waiting at most until the deadline. Unless LOCK_TAKEN, each part is as it was
 * before; but a shared lock that the descriptor brought along and that is to become an exclusive
 * one is given up before the first wait, as flock(2) does: two that wait for each other to give it
 * up would wait for ever.
 */
enum lock_outcome locking_take(struct locking *l, int64_t deadline);

/* Puts each part back to what it was before. Keeps errno. */
void locking_release(const struct locking *l);

/* Gives up every part. -1 with errno. */
int locking_unlock(const struct locking *l);

#endif
