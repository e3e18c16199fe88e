/*
 * The lock: opening what LOCK names without harm to it, locking it, and making sure that it is
 * still what LOCK names.
 *
 * Calling sequence: lock_named() or borrowed_lock(), then lock_take() as often as need be. A lock
 * that was taken is given up with lock_release() (its descriptors bear again what they bore before,
 * for another try) or lock_unlock(). lock_close() closes what we opened, and may be followed by
 * another lock_named().
 *
 * These functions end the program with a message where LOCK is no lock file, cannot be opened, or
 * where the file system has no locks that could be trusted.
 */
#ifndef LOCKFILE_H
#define LOCKFILE_H

#include "identity.h"
#include "locking.h"
#include "mounts.h"
#include "way.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The lock file in a LOCK that is a directory. */
#define LOCK_IN_DIRECTORY ".onlyone"

struct lock {
	const char *path; /* as the user gave it; NULL for a descriptor of the caller's */
	const char *name; /* what messages call it */
	int fd;           /* the lock file; -1 while not open */
	int record_fd;    /* reads and writes the record: mostly fd itself */
	int directory;    /* LOCK where it is a directory, and fd then is .onlyone in it; else -1 */
	int parent_fd;    /* what the file stands in: directory, or the one above LOCK, or -1 */
	char *inside;     /* LOCK/.onlyone for messages, where LOCK is a directory; else NULL */
	bool borrowed;    /* fd is the caller's, and stays open */
	char *found_as;   /* then: the path that the kernel knew it by when it was lent */
	bool as_is;       /* the file has content of its own, and the record is in an attribute */
	uint64_t mark;    /* its name (identity.h); 0 where there is no such parent */
	uint64_t mount;   /* the mnt_id of the parent; UINT64_MAX if not known */
	struct way way;   /* from the parent up */
	bool is_mounted_over; /* the file is on another mount, which may come and go without a trace */
	struct filesystem fs;
	struct locking locking;
};

/* What is asked for. */
struct lock_request {
	bool shared;
	bool local; /* locks that reach this host only will do */
	bool as_is;
	mode_t mode;
	int64_t deadline; /* of -n, -b and -w; a file server has as long to answer, but ten seconds for -n */
};

/* Nothing is open yet. The name is for messages, and lives as long as the lock. */
struct lock lock_named(const char *path, const char *name);

/*
 * Opens what is not open yet, and creates it if need be; takes all parts of the lock, at most until
 * the deadline; and begins anew where LOCK names another file by then: LOCK_TAKEN or LOCK_HELD.
 * The descriptors are close-on-exec, at 10 or above.
 */
enum lock_outcome lock_take(struct lock *l, const struct lock_request *r, int64_t deadline);

/*
 * Whether a lock that was taken is on what LOCK names, and was so all the time since the way to it
 * was seen.
 */
bool lock_has_stayed(const struct lock *l, const struct way_seen *seen);

/* Its descriptors bear again what they bore before lock_take(). Keeps errno. */
void lock_release(const struct lock *l);

/* Gives the lock up. -1 with errno. */
int lock_unlock(const struct lock *l);

/* What to call the file that fd is open on: LOCK, or .onlyone in it. */
const char *lock_file_name(const struct lock *l);

/* Closes the descriptors that we opened, which unlocks them. */
void lock_close(struct lock *l);

/*
 * Opens for questions only what is not open yet: creates and changes nothing. Where there is no
 * such file, fd stays -1, and mark 0 if there is no such directory either. Of the deadline see struct
 * lock_request.
 */
void lock_open_to_ask(struct lock *l, int64_t deadline);

/* Whether l shows its mark to others, as far as we know: a flock(2) lock alone has none. */
bool lock_has_mark(const struct lock *l);

enum lock_state {
	LOCK_FREE,
	LOCK_HELD_BY_ONE, /* exclusively, by onlyone: the record tells by whom */
	LOCK_HELD_BY_ANY, /* shared, or by another program */
};

/* Who could hold l, found out without taking it; flock(2) locks are not seen. -1 with errno. */
int lock_state(const struct lock *l);

/*
 * For borrowed.c, with fd and mark known: what its file system makes of locks, which may take as long
 * as a file server does; and the parts of its lock, as the file system has them.
 */
void lock_check_file_system(struct lock *l, const struct lock_request *r);
void lock_set_parts(struct lock *l, const struct lock_request *r);

#endif
