/*
 * The command line, read once. Nobody but main() knows of it.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "limit.h"

#include <stdbool.h>
#include <sys/types.h>

enum job {
	JOB_RUN,    /* lock, then exec the command (or, with --fd alone, leave the lock) */
	JOB_UNLOCK, /* -u */
	JOB_STATUS,
	JOB_PID,
	JOB_SIGNAL,
};

struct options {
	enum job job;
	const char *lock; /* LOCK; NULL with --fd */
	int fd;           /* --fd; -1 without */
	char **command;   /* NULL-terminated; NULL where there is none */
	char *string;     /* -c behind --fd; NULL without */
	char *shell[4];   /* -c: what command then points to */
	struct limit limit;
	mode_t mode;
	int held_status; /* what to exit with when LOCK is held */
	int signal;
	bool shared;
	bool close;
	bool force;
	bool quiet;
	bool verbose;
};

/*
 * Fills *o from the command line. Prints help and version and exits with 0; prints what is wrong
 * and exits with EX_USAGE. The limit counts from this call.
 */
void options_read(struct options *o, int argc, char **argv);

#endif
