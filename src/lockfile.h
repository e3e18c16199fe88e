/*
 * The lock: opening what LOCK names without harming it, locking it, and making sure that it is
 * still what LOCK names.
 *
 * Calling sequence: lock_named() or borrowed_lock(), then lock_take() as often as needed. A lock
 * that was taken is given up with lock_release() (its descriptors go back to what they had before,
 * for another try) or lock_unlock(). lock_close() closes what we opened, and may be followed by
 * another lock_named().
 *
 * These functions end the program with a message if LOCK is not a lock file or cannot be opened, or
 * if its file system has no locks that can be trusted.
 */
#ifndef LOCKFILE_H
#define LOCKFILE_H

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
	const char *path; /* as the user gave it; NULL if the descriptor is the caller's */
	const char *name; /* what messages call it */
	int fd;           /* the lock file; -1 while not open */
	int record_fd;    /* reads and writes the record: usually fd itself */
	int directory;    /* LOCK if it is a directory, and fd is .onlyone in it; else -1 */
	int parent_fd;    /* the file's parent: directory, or the one above LOCK, or -1 */
	char *inside;     /* LOCK/.onlyone for messages, if LOCK is a directory; else NULL */
	bool borrowed;    /* fd is the caller's, and stays open */
	char *found_as;   /* if so: the path by which the kernel knew it when it was lent */
	bool as_is;       /* the file has content of its own, and the record is in an attribute */
	uint64_t mark;    /* its name (mark.h); 0 if there is no such parent */
	uint64_t mount;   /* the mnt_id of the parent; UINT64_MAX if not known */
	struct way way;   /* from the parent up */
	bool is_mounted_over; /* the file is on another mount, which may come and go without a trace */
	struct filesystem fs;
	struct locking locking;
};

/* What the user asks for. */
struct lock_request {
	bool shared;
	bool local; /* locks that reach this host only will do */
	bool as_is;
	mode_t mode;
	int64_t deadline; /* of -n, -b, -w; as long for a file server, but ten seconds for -n */
};

/* Nothing is open yet. The name is for messages, and lives as long as the lock. */
struct lock lock_named(const char *path, const char *name);

/*
 * Opens what is not open yet, creating it if need be; takes all parts of the lock, waiting at most
 * until the deadline; and starts over if LOCK names another file by then. LOCK_TAKEN or LOCK_HELD.
 * The descriptors are close-on-exec, at 10 or above.
 */
enum lock_outcome lock_take(struct lock *l, const struct lock_request *r, int64_t deadline);

/*
 * Whether a lock that was taken is on what LOCK names, and has been all the while since way_see()
 * filled seen.
 */
bool lock_has_stayed(const struct lock *l, const struct way_seen *seen);

/* Puts the descriptors back to what they had before lock_take(). Keeps errno. */
void lock_release(const struct lock *l);

/* Gives up the lock. -1 with errno. */
int lock_unlock(const struct lock *l);

/* What to call the file that fd is open on: LOCK, or .onlyone in it. */
const char *lock_file_name(const struct lock *l);

/* Closes the descriptors that we opened, which unlocks them. */
void lock_close(struct lock *l);

/*
 * Opens what is not open yet, for questions only: creates and changes nothing. If there is no such
 * file, fd stays -1, and mark stays 0 if its parent does not exist either. For the deadline see
 * struct lock_request.
 */
void lock_open_to_ask(struct lock *l, int64_t deadline);

/* Whether l shows its mark to others, as far as we know: a flock(2) lock alone has none. */
bool lock_has_mark(const struct lock *l);

enum lock_state {
	LOCK_FREE,
	LOCK_HELD_BY_ONE, /* exclusively, by onlyone: the record tells by whom */
	LOCK_HELD_BY_ANY, /* shared, or by another program */
};

/* Who may hold l, found out without taking it; flock(2) locks are not seen. -1 with errno. */
int lock_state(const struct lock *l);

/*
 * For borrowed.c, once fd and mark are known: what the file system does with locks, which takes as
 * long as a file server does; and the parts of the lock that the file system has.
 */
void lock_check_file_system(struct lock *l, const struct lock_request *r);
void lock_set_parts(struct lock *l, const struct lock_request *r);

#endif
