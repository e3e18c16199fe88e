/*
 * What the command inherits: the lock's descriptors and two words about them in its environment.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include "lockfile.h"

#include <stdbool.h>

/*
 * Becomes the command, or ends the program with a message. In the command's environment
 * ONLYONE_LOCK is the path as given; ONLYONE_FD the number of the inherited descriptor, and
 * ONLYONE_DIRECTORY_FD that of LOCK itself where it is a directory. Unless inherit, the descriptors
 * end at exec and neither number is set.
 */
_Noreturn void handover_exec(const struct lock *l, bool inherit, char **command);

#endif
