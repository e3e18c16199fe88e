/*
 * How long to wait, and the alarm that ends a blocking call in time.
 */
#ifndef LIMIT_H
#define LIMIT_H

#include <signal.h>
#include <stdbool.h>
#include <time.h>

struct limit {
	enum { LIMIT_NONE, LIMIT_NEVER, LIMIT_UNTIL } kind; /* do not wait; for ever; until */
	struct timespec until;                              /* CLOCK_MONOTONIC */
};

struct limit limit_none(void);
struct limit limit_never(void);

struct limit limit_after(struct timespec length); /* from now */

/* The earlier of *l and length from now. */
struct limit limit_within(const struct limit *l, struct timespec length);

/* Digits with an optional fraction, counted from now; 0 is limit_none(). -1: not such a number. */
int limit_parse(struct limit *l, const char *seconds);

/* Nothing of the limit is left (always so for limit_none(), never for limit_never()). */
bool limit_reached(const struct limit *l);

/*
 * Waits until fd is readable: 1, or 0 when the limit was reached first; -1 with errno. Unlike a
 * lock call, poll(2) has a limit of its own, so this one needs no alarm.
 */
int limit_wait_readable(const struct limit *l, int fd);

/* What limit_arm() changed and limit_disarm() puts back. */
struct limit_alarm {
	bool armed;
	timer_t timer;
	struct sigaction disposition;
	sigset_t mask;
};

/*
 * From the limit on, and until disarmed, every blocking call ends with EINTR: a signal comes every
 * millisecond, so that one which arrives between the test of the clock and the call is not missed.
 * Does nothing for limits that are no time. -1 with errno: give up.
 */
int limit_arm(const struct limit *l, struct limit_alarm *a);

/* Puts mask and disposition back as found: the command inherits them. -1 with errno: give up. */
int limit_disarm(struct limit_alarm *a);

#endif
