/*
 * Which safeguards do not work here, for --verbose.
 */
#ifndef GAPS_H
#define GAPS_H

#include "lockfile.h"

#include <stdbool.h>

/* Of a lock that was taken: how far it reaches, and what would not be noticed. */
void gaps_tell(const struct lock *l, bool list_is_missing);

/* The record does not tell the incarnation, for want of what is missing. */
void gaps_tell_no_incarnation(const struct lock *l, const char *missing, bool has_keeper);

#endif
