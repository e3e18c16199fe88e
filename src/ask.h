/*
 * Questions about a lock, and signals to whoever holds it. Each prints the answer on standard
 * output and returns the exit status: 0 if held, STATUS_FREE if not. Nothing is created or written,
 * and no lock is taken, so that no start is ever refused because of a question.
 *
 * A question that cannot be answered ends the program with a message.
 */
#ifndef ASK_H
#define ASK_H

#include "options.h"

/* --status: one line about all who hold it. */
int ask_status(const struct options *o);

/* --pid: the holder's PID; one per line if there are several, EX_NOPERM if it is hidden. */
int ask_pid(const struct options *o);

/*
 * --signal: 0 when the recorded process holds the lock and was signalled; with a deadline, once the
 * lock is free. The held status if the lock is still held then, or only by others than the recorded
 * process, who are not signalled. EX_NOPERM if we may not signal it.
 */
int ask_signal(const struct options *o);

#endif
