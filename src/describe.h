/*
 * A holder in one line, for messages and for --status.
 */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include "holder.h"

#include <stdint.h>

/*
 * `held by PID 1234 (redis-server)` or whatever else is the case, in one line that the caller
 * frees; in_full adds whole command lines and for how long.
 */
char *holder_describe(const struct holder *h, bool in_full);

/*
 * Whether the recorded process has had the lock for longer than limit nanoseconds (-1: no limit).
 * False if nobody knows since when: the lock is shared, or there are no attributes.
 */
bool holder_is_overdue(const struct holder *h, int64_t limit);

/* `, since 2026-11-26 03:00:00`, or `, since unknown`, in static memory. */
const char *holder_since(const struct holder *h);

#endif
