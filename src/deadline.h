/*
 * Until when to wait, and the alarm that ends a blocking call in time.
 *
 * A deadline is a moment of CLOCK_MONOTONIC in nanoseconds, so the earlier of two is the smaller
 * one. DEADLINE_NOW has passed already: do not wait. DEADLINE_NEVER does not come.
 */
#ifndef DEADLINE_H
#define DEADLINE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define DEADLINE_NOW INT64_C(0)
#define DEADLINE_NEVER INT64_MAX
#define MILLISECOND INT64_C(1000000)
#define SECOND INT64_C(1000000000)

/* What a clock shows, in nanoseconds. */
int64_t clock_now(clockid_t clock);

/* For the time of a file, say, which may not fit: then it is the nearest that does. */
int64_t in_nanoseconds(const struct timespec *t);

/* length nanoseconds from now, or the deadline if that is earlier. */
int64_t deadline_within(int64_t deadline, int64_t length);

/*
 * Reads digits with an optional fraction, to nanoseconds. -1: not such a number, or more than
 * 2147483647 seconds.
 */
int64_t seconds_parse(const char *seconds);

bool deadline_reached(int64_t deadline);

/*
 * Waits until fd is readable: 1, or 0 if the deadline came first; -1 with errno. If fd is -1 it
 * just waits. Unlike a lock call, poll(2) has a limit of its own, so this one needs no alarm.
 */
int deadline_wait(int64_t deadline, int fd);

/* Pauses for so many nanoseconds. -1 with errno. */
int pause_for(int64_t length);

/* What deadline_arm() changed and deadline_disarm() puts back. */
struct deadline_alarm {
	bool armed;
	timer_t timer;
	struct sigaction disposition;
	sigset_t mask;
};

/*
 * From the deadline on, and until disarmed, every blocking call ends with EINTR: a signal comes
 * every millisecond, so that it does no harm if one arrives between the look at the clock and the
 * call. Does nothing for DEADLINE_NOW and DEADLINE_NEVER. -1 with errno: give up.
 */
int deadline_arm(int64_t deadline, struct deadline_alarm *a);

/* Puts mask and disposition back: the command inherits them. -1 with errno: give up. */
int deadline_disarm(struct deadline_alarm *a);

#endif
