/*
 * Questions about a lock, and signals to who holds it. Each prints the answer on standard output
 * and returns the exit status: 0 held, STATUS_FREE. Nothing is created or written, and no lock is
 * taken, so that no start is ever refused because of a question.
 *
 * What cannot be answered ends the program with a message.
 */
#ifndef ASK_H
#define ASK_H

#include "options.h"

/* --status: one line, of all who hold it. */
int ask_status(const struct options *o);

/* --pid: the holder's PID; one a line where there are several, EX_NOPERM where it is hidden. */
int ask_pid(const struct options *o);

/*
 * --signal: 0 when the recorded process holds the lock and was signalled; with a deadline, once the
 * lock is free. The held status when the lock is still held then, or only by others than the
 * recorded process, who are not signalled. EX_NOPERM when we may not.
 */
int ask_signal(const struct options *o);

#endif
