/*
 * What a start does about another copy: it refuses, waits, or takes its place. If the start is
 * refused the program ends with a message and the status for it.
 */
#ifndef WAITING_H
#define WAITING_H

#include "start.h"

/*
 * Refuses if the deadline has passed; otherwise returns when it is time to look again, with or
 * without the lock: the next look takes it again, which changes nothing if we have it.
 */
void wait_or_refuse(struct start *s);

/*
 * --signal with a command: signals the holder once, and takes its place when it has given up the
 * lock. Whoever else has it by then is neither signalled nor waited for: the start is refused.
 */
void replace(struct start *s);

/* Says how long it took since the wait was announced, with --verbose. */
void tell_waited(const struct start *s);

#endif
