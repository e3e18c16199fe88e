/*
 * What a start does about another copy: it refuses, waits, or takes its place. Where the start is
 * refused the program ends with a message and the status for it.
 */
#ifndef WAITING_H
#define WAITING_H

#include "start.h"

/*
 * Refuses where the deadline has come; else returns when it is time to look again, with the lock or
 * without: the next look takes it once more, which changes nothing where we have it.
 */
void wait_or_refuse(struct start *s);

/*
 * --signal with a command: signals the holder once, and takes its place when it has given the lock
 * up. Whoever else has it by then is not signalled, and not waited for: the start is refused.
 */
void replace(struct start *s);

/* How long it took since the wait was told, with --verbose. */
void tell_waited(const struct start *s);

#endif
