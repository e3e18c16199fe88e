/*
 * The record in a lock file: the PID of who locked it, as text, for people and scripts; and in the
 * extended attribute user.onlyone which incarnation of that PID it was, so that a later process
 * that bears the same number is not taken for it. Where there are no user attributes, as on tmpfs
 * before Linux 6.6, root's records have it in trusted.onlyone.
 *
 * The attribute is `PID TIME WRITTEN ORIGIN` in decimal: the PID once more, since content and
 * attribute are written one after the other; CLOCK_BOOTTIME in nanoseconds when it was written,
 * which is later than the process began and earlier than any that can inherit its number;
 * CLOCK_REALTIME at that moment, in milliseconds, which the file's own times then show; and a hash
 * of boot, PID and time namespace, directory and name, outside of which PID and TIME mean nothing.
 * Not of the inode: a copy that replaces the file still tells of a process that has closed its lock.
 */
#ifndef RECORD_H
#define RECORD_H

#include "limit.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The longest record, seven digits and a newline: a longer file is not a lock file. */
enum { RECORD_SIZE = 8 };

struct record {
	enum {
		RECORD_EMPTY, /* none yet */
		RECORD_PID,
		RECORD_FOREIGN, /* the file is somebody's, not a lock file */
	} kind;
	pid_t pid;
	char text[RECORD_SIZE]; /* the content as found, so that it can be put back */
	size_t length;
	bool strange; /* of another boot, namespace or place: the number says nothing here */
	uint64_t locked_at; /* its incarnation: CLOCK_BOOTTIME in nanoseconds; 0 if not known */
	/*
	 * Since when, in milliseconds of CLOCK_REALTIME, nothing has been done to the file: when the
	 * record was written into it under this name, in this boot, by root or the caller. 0 where
	 * that cannot be said, as on every file system without attributes.
	 */
	uint64_t untouched_since;
};

/*
 * The hash of boot, PID and time namespace and the lock's place that a record of this process would
 * bear: 0 where there is no /proc that tells, and so no incarnations. -1 with errno where there is
 * one but it cannot be asked.
 */
int record_origin(uint64_t mark, uint64_t *origin);

/* Whether nobody but root and the caller can have written the record into such a file. */
bool record_is_trusted(const struct stat *s);

/* Reads the record of fd. -1 with errno. */
int record_read(int fd, uint64_t origin, struct record *r);

enum record_written {
	RECORD_FAILED,  /* errno tells; what was there is back as far as that is possible */
	RECORD_DATED,   /* with its incarnation */
	RECORD_UNDATED, /* without: origin is 0, or the file system has no attributes for us */
};

/*
 * Makes pid (0: nobody) the record of fd, which the caller has locked and read into *old. An origin
 * of 0 leaves the incarnation out on purpose.
 */
enum record_written record_write(int fd, pid_t pid, uint64_t origin, const struct record *old);

/* Empties the record. -1 with errno. */
int record_clear(int fd);

enum life {
	LIFE_ENDED, /* or another process bears the number now, or nothing is known of it */
	LIFE_LIVES, /* the recorded process, beyond doubt, or with a doubt that cannot be cleared */
};

/* Whether the very process that wrote the record lives, which is not the caller. */
enum life record_life(const struct record *r);

/*
 * Waits for the recorded process to end: 1, or 0 when the limit was reached first, or -1 with
 * errno (ENOSYS before Linux 5.3).
 */
int record_wait(const struct record *r, const struct limit *limit);

#endif
