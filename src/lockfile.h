/*
 * The lock: opening what LOCK names without harm to it, locking it in both of the kernel's lock
 * families, and making sure that it is still what LOCK names.
 */
#ifndef LOCKFILE_H
#define LOCKFILE_H

#include "limit.h"
#include "procfs.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The lock file in a LOCK that is a directory. */
#define LOCK_IN_DIRECTORY ".onlyone"

struct lock {
	const char *path; /* as the user gave it; for an adopted descriptor, what to call it */
	int fd;           /* bears the locks; -1 while not open */
	int content;      /* reads and writes the record: fd itself, but for adopted descriptors */
	int directory;    /* LOCK where it is a directory, and fd then is .onlyone in it; else -1 */
	int parent;       /* what the file stands in: directory, or the one above LOCK, or -1 */
	char *inside;     /* the path of .onlyone in LOCK where that is a directory; else NULL */
	bool adopted;     /* fd is the caller's, and stays open */
	short before[2];  /* what that bore already, of fcntl(2) and of flock(2): F_UNLCK, ... */
	bool shared;
	bool network;  /* on NFS, where flock(2) is an fcntl lock of the same bytes */
	uint64_t mark; /* mark.h: the last byte of the fcntl lock */
};

struct lock_wish {
	bool shared;
	bool force; /* only warn where locks stay on this host */
	mode_t mode;
	struct limit limit;
};

enum lock_outcome { LOCK_TAKEN, LOCK_HELD };

/*
 * Takes the lock that path names. The descriptors in *l are close-on-exec, at 10 or above, and are
 * the caller's to close, also when the lock is held. Ends the program with a message when path
 * is no lock file, or cannot be opened or locked.
 */
enum lock_outcome lock_acquire(struct lock *l, const char *path, const struct lock_wish *w);

/*
 * Whether path has led to the locked file ever since moment (CLOCK_REALTIME in milliseconds; 0 is
 * no moment), so that nobody can have locked another file under this name. False in doubt.
 */
bool lock_in_place_since(const struct lock *l, uint64_t moment);

/* The same for a descriptor that the caller of the program opened, which stays where it is. */
enum lock_outcome lock_adopt(struct lock *l, int fd, const struct lock_wish *w);

/*
 * To unlock fd: ends the program only where that is no descriptor of a file. Whether it has the
 * lock alone, and the record can be written.
 */
bool lock_adopt_to_unlock(struct lock *l, int fd);

/* Unlocks and leaves the descriptor open. -1 with errno. */
int lock_give_back(const struct lock *l);

/*
 * Where the caller's descriptor does not get the lock, or not what belongs to it, it shall have
 * what it had before: nothing, or a lock of the caller's own. Nothing to be done for other locks.
 * Keeps errno.
 */
void lock_restore(const struct lock *l);

/* What to call the file that fd is open on: LOCK, or .onlyone in it. */
const char *lock_file_name(const struct lock *l);

/* Closes the descriptors that we opened, which unlocks them. */
void lock_close(struct lock *l);

/*
 * Opens path for questions only: creates and changes nothing. Where there is no such file, fd is
 * -1, and mark is 0 if there is no such directory either.
 */
void lock_open_to_ask(struct lock *l, const char *path);

/* Where the kernel's lists show the locks of an open file. -1 with errno. */
int lock_identify(int fd, struct procfs_lock *where);

/*
 * Whether somebody holds a lock on the files of *l, found out without taking one: 1, 0, or -1 with
 * errno. A flock(2) lock shows in /proc/locks alone.
 */
int lock_is_held(const struct lock *l);

#endif
