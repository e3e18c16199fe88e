/*
 * Questions about a lock, and signals to who holds it. Each takes LOCK's path, prints the answer on
 * standard output and returns the exit status: 0 held, STATUS_FREE. Nothing is created or written,
 * and no lock taken, so that no start is ever refused because of a question.
 */
#ifndef QUESTION_H
#define QUESTION_H

#include "limit.h"

#include <stdbool.h>

/* --status: one line, of all who hold it. */
int question_status(const char *path);

/* --pid: the holder's PID; one a line where there are several, EX_NOPERM where it is hidden. */
int question_pid(const char *path);

/*
 * --signal: 0 when the recorded process holds the lock and was signalled; with a limit, once the
 * lock is free. held_status when the lock is still held then, or only by others than the recorded
 * process, who are not signalled. EX_NOPERM when we may not. quiet: no line but for errors.
 */
int question_signal(
	const char *path, int signal, const struct limit *limit, int held_status, bool quiet);

#endif
