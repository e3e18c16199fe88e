/*
 * The record in a lock file: which process locked it.
 *
 * Its content is the PID, a newline and an empty line, for people and scripts. The empty line tells
 * it from a counter and from another program's PID file, survives cp, rsync and tar, and is
 * invisible to all who read PID files.
 *
 * The extended attribute user.onlyone is for us, and decides: which incarnation of that PID it was,
 * so that a later process that bears the same number is not taken for it. It is
 * `PID START LOCKED WRITTEN SCOPE MARK` in hexadecimal: the identity of the process and the mark of
 * the lock (identity.h); CLOCK_BOOTTIME and CLOCK_REALTIME in milliseconds when it was written; a
 * WRITTEN of 0 vouches for nothing. Version 1.0.0 wrote four decimal numbers, which are understood.
 *
 * A file that is locked as it is has content of its own and the record in an attribute alone, of
 * another name, so that it never passes for a lock file.
 */
#ifndef RECORD_H
#define RECORD_H

#include "attribute.h"
#include "deadline.h"
#include "identity.h"
#include "lockfile.h"
#include "process.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { RECORD_SIZE = 256 }; /* what is longer is no record, even where scripts add PIDs */

/* The clock may have been set by that, in nanoseconds, and a record vouches all the same. */
#define RECORD_CLOCK_TOLERANCE (100 * MILLISECOND)

struct record {
	enum {
		RECORD_EMPTY, /* none yet */
		RECORD_PID,
		RECORD_FOREIGN, /* the file is somebody's, not a lock file */
	} kind;
	pid_t pid;
	/*
	 * Whether start tells which process: the record is of this boot and PID namespace, and was
	 * written under this name.
	 */
	bool has_incarnation;
	uint64_t start;    /* procfs_stat */
	int64_t locked_at; /* CLOCK_BOOTTIME in nanoseconds; 0 if not known */
	/*
	 * Since when, in nanoseconds of CLOCK_REALTIME, nothing has been done to the file: when the
	 * record was written into it under this name, in this boot, by root or the caller. 0 where
	 * that cannot be said, as on every file system without attributes.
	 */
	int64_t untouched_since;
	struct stat file;
	/* As found, so that it can be put back. */
	char text[RECORD_SIZE + 1], attribute[ATTRIBUTE_SIZE + 1];
	size_t length, attribute_length;
};

/*
 * Reads the record of l. scope is our own identity's, 0 if that is not known: no record is, then.
 * -1 with errno.
 */
int record_read(const struct lock *l, uint32_t scope, struct record *r);

/* Whether s tells of a file that nobody but root and the caller can have written into. */
bool record_is_trusted(const struct stat *s);

/*
 * Whether the very process that wrote the record lives. PROCESS_ENDED also where its incarnation is
 * not known, and for ourselves.
 */
enum process_life record_life(const struct record *r);

struct record_request {
	struct identity who; /* pid 0: nobody; scope 0: without its incarnation, on purpose */
	bool vouches;        /* nothing stands in the way of untouched_since */
	bool keep_guard;     /* the process of the old record still guards, as --force allows */
};

enum record_written {
	RECORD_WITH_INCARNATION, /* with its incarnation */
	RECORD_WITHOUT_INCARNATION, /* without: as asked, or the file system has no attributes for us */
	/* errno tells; what was there is back as far as that is possible */
	RECORD_NO_CONTENT,
	RECORD_NO_ATTRIBUTE,
};

/* Makes w the record of l, which the caller has locked and whose record it has read into *old. */
enum record_written record_write(
	const struct lock *l, const struct record_request *w, const struct record *old);

/* What was there before record_write(), as far as that is possible. */
void record_put_back(const struct lock *l, const struct record *old);

/* Empties the record. -1 with errno. */
int record_clear(const struct lock *l);

#endif
