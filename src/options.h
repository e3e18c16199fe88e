/*
 * The command line, read once. Any mistake in it ends the program.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "lockfile.h"

#include <stdbool.h>
#include <stdint.h>

enum job {
	JOB_RUN,    /* lock, then exec the command (or, with --fd alone, leave the lock) */
	JOB_UNLOCK, /* -u */
	JOB_STATUS,
	JOB_PID,
	JOB_SIGNAL, /* --signal without a command */
};

struct options {
	enum job job;
	const char *lock; /* LOCK; NULL with --fd */
	const char
		*name;  /* the same for messages, with a question mark for each control character */
	int fd;         /* --fd; -1 without */
	char **command; /* NULL-terminated; NULL if there is none */
	char *string;   /* -c after --fd; NULL without */
	char *shell[4]; /* -c: what command then points to */
	struct lock_request request; /* its deadline counts from options_read() */
	int64_t kill_after;          /* nanoseconds; -1 without */
	int64_t overdue;             /* nanoseconds; -1 without */
	int held_status;             /* what to exit with when LOCK is held */
	int signal;                  /* --signal, also with a command; -1 without */
	bool close;
	bool force;
	bool quiet;
	bool verbose;
};

/*
 * Fills *o from the command line. Prints help and version and exits with 0; prints what is wrong
 * and exits with EX_USAGE.
 */
void options_read(struct options *o, int argc, char **argv);

#endif
