/*
 * The keeper (-o): a process that holds the lock for a command that does not inherit it.
 */
#ifndef KEEPER_H
#define KEEPER_H

#include "lockfile.h"

/* What it calls itself; the kernel keeps 15 characters. */
#define KEEPER_NAME "onlyone-keeper"

/*
 * Leaves a process behind that holds the lock until the caller, or what the caller execs, has
 * ended. It is nobody's child but init's or the nearest subreaper's, in a session of its own, with
 * every signal blocked, no descriptor but the lock's and a pidfd, and / as its directory. Returns
 * once all that is so; ends the program with a message otherwise. Linux 5.3.
 */
void keeper_start(const struct lock *l);

#endif
