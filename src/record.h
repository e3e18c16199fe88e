/*
 * The record in a lock file: which process locked it.
 *
 * Its content is the PID, a newline and an empty line, for people and scripts. The empty line tells
 * it from a counter and from another program's PID file, survives cp, rsync and tar, and goes
 * unnoticed by whoever reads PID files.
 *
 * The extended attribute user.onlyone is for us, and decides: it tells which incarnation of that
 * PID it was, so that a later process with the same number is not mistaken for it. It is `PID START
 * LOCKED WRITTEN SCOPE MARK` in hexadecimal: the identity of the process (identity.h) and the mark
 * of the lock (mark.h); CLOCK_BOOTTIME and CLOCK_REALTIME in milliseconds when it was written; a WRITTEN of
 * 0 vouches for nothing. Version 1.0.0 wrote four decimal numbers, which are still understood.
 *
 * A file that is locked as it is has content of its own. Its record is in an attribute alone, under
 * another name, so that the file never passes for a lock file.
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

enum { RECORD_SIZE = 256 }; /* anything longer is no record, even if scripts add PIDs */

/* A record still vouches if the clock was set by up to this, in nanoseconds. */
#define RECORD_CLOCK_TOLERANCE (100 * MILLISECOND)

struct record {
	enum {
		RECORD_EMPTY, /* none yet */
		RECORD_PID,
		RECORD_FOREIGN, /* the file is somebody else's, not a lock file */
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
	 * record was written into it under this name, in this boot, by root or the caller. 0 if
	 * that cannot be said, as on every file system without attributes.
	 */
	int64_t untouched_since;
	struct stat file;
	/* As found, so that it can be put back. */
	char text[RECORD_SIZE + 1], attribute[ATTRIBUTE_SIZE + 1];
	size_t length, attribute_length;
};

/*
 * Reads the record of l. scope is our own identity's; if it is 0, not known, no record is known
 * either. -1 with errno.
 */
int record_read(const struct lock *l, uint32_t scope, struct record *r);

/* Whether s describes a file that nobody but root and the caller can have written to. */
bool record_is_trusted(const struct stat *s);

/*
 * Whether the very process that the record names lives. PROCESS_ENDED also if its incarnation is
 * not known, and for ourselves.
 */
enum process_life record_life(const struct record *r);

struct record_request {
	struct identity who; /* pid 0: nobody; scope 0: without its incarnation, on purpose */
	bool vouches;        /* it may vouch, by untouched_since */
	bool keep_guard;     /* the old record still guards its process, as --force allows */
};

enum record_written {
	RECORD_WITH_INCARNATION,
	RECORD_WITHOUT_INCARNATION, /* as asked, or for want of attributes */
	/* errno tells; what was there is back, as far as possible */
	RECORD_NO_CONTENT,
	RECORD_NO_ATTRIBUTE,
};

/* Makes w the record of l, which the caller has locked and whose record it has read into *old. */
enum record_written record_write(
	const struct lock *l, const struct record_request *w, const struct record *old);

/* Puts back what was there before record_write(), as far as possible. */
void record_put_back(const struct lock *l, const struct record *old);

/* Empties the record. -1 with errno. */
int record_clear(const struct lock *l);

#endif
