/*
 * What a start knows, and its two ways to deal with another copy: waiting.c. Both end the program
 * with a message where the start is refused.
 */
#ifndef START_H
#define START_H

#include "holder.h"
#include "identity.h"
#include "lockfile.h"
#include "options.h"

#include <stdbool.h>
#include <stdint.h>

struct start {
	const struct options *o;
	struct lock lock;
	struct identity self;  /* scope 0 where /proc does not tell it */
	struct holder found;   /* in the last look for another copy */
	bool is_ours;          /* then: we have the lock */
	int64_t waiting_since; /* 0 while nobody was told of a wait */
};

/* main.c: takes the lock, and looks for another copy. False: it is ours, and there is none. */
bool find_another_copy(struct start *s);

/* The recorded process lives, or may, without the lock: that is what --force is about. */
bool can_be_forced(const struct start *s);

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

/* How long it took, with --verbose. */
void tell_waited(const struct start *s);

#endif
