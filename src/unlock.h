/*
 * --unlock: gives up the lock of a descriptor of the caller's, and empties the record if that is
 * ours. Any failure ends the program with a message.
 */
#ifndef UNLOCK_H
#define UNLOCK_H

#include "options.h"

/* Returns the exit status. */
int unlock(const struct options *o);

#endif
