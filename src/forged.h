/*
 * Anybody can work out the mark of a lock (mark.h) and lock a file of his own with it, to keep
 * others from starting. A lock is told to be such a one only where that is certain.
 */
#ifndef FORGED_H
#define FORGED_H

#include "lockfile.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* A process that bears a lock, and the file that it has locked. */
struct bearer {
	pid_t pid;
	struct stat file;    /* where that cannot be seen, one of root's without a name */
	char path[PATH_MAX]; /* as /proc/PID/fd shows it; empty where that cannot be seen */
};

/*
 * Whether the file can never have been the one that l names: its owner cannot put files there, it
 * did not stand there, and where it did stand he can have made it himself.
 */
bool forged(const struct lock *l, const struct bearer *b);

#endif
