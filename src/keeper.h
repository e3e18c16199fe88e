/*
 * The keeper (--close), `onlyone-keeper` in ps(1): a process that holds the lock for a command that
 * does not inherit it.
 */
#ifndef KEEPER_H
#define KEEPER_H

#include "lockfile.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * Leaves behind a process that holds the lock until the caller, or what the caller execs, has
 * ended. It is a child of init or the nearest subreaper or, if the caller itself is one of these,
 * its child, which wait(2) does not see without __WCLONE. It is in a session of its own, with every
 * signal blocked, no descriptors but the lock's and a pidfd, and / as its directory. Returns once
 * all that is done; ends the program with a message otherwise. Linux 5.3.
 */
void keeper_start(const struct lock *l);

/*
 * The process that pid has a pidfd of, as a keeper has: -1 if that process is gone, 0 if there is
 * no pidfd. Anybody may have one, so it confirms what is known otherwise, and proves nothing by
 * itself.
 */
pid_t keeper_keeps(pid_t pid);

/* Whether pid has ended, or looks like a keeper that will in a moment, since its process has. */
bool keeper_is_late(pid_t pid);

#endif
