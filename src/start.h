/*
 * What a start knows, and its look for another copy. If it cannot look, it ends the program with a
 * message: nobody may be overlooked.
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
	struct identity self; /* scope 0 if /proc does not tell it */
	struct holder found;  /* in the last look for another copy */
	bool is_ours;         /* in that look: we have the lock */
	int64_t told_at;      /* when a wait was announced; 0 until then */
};

/*
 * Takes the lock and looks for another copy. True: there is one, or somebody has the lock, and
 * COMMAND must not start. False: the lock is ours, and there is none.
 */
bool find_another_copy(struct start *s);

/* The recorded process lives, or may, without the lock: that is what --force is for. */
bool can_be_forced(const struct start *s);

/* And it is the caller of --fd without a command, who takes back the lock that it had closed. */
bool is_the_caller(const struct start *s);

/*
 * The recorded process is the caller, or an ancestor that has lent us its lock (--fd). Its record
 * stays, and guards it.
 */
bool is_under_its_lock(const struct start *s);

#endif
