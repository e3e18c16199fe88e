/*
 * What the command inherits: the lock's descriptors, and some words about them in its environment.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include "lockfile.h"

#include <stdbool.h>

/*
 * Becomes the command. In its environment ONLYONE_LOCK is the path as given and ONLYONE_PID its
 * PID: together they tell the guarded process from its children, which inherit both. ONLYONE_FD is
 * the number of the inherited descriptor, and ONLYONE_DIRECTORY_FD that of LOCK itself if it is a
 * directory. Unless inherit, the descriptors are closed at exec and neither number is set.
 *
 * On failure it returns the status to exit with, and sets errno.
 */
int handover_exec(const struct lock *l, bool inherit, char **command);

#endif
