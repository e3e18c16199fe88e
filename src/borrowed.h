/*
 * A descriptor of the caller's (--fd): borrowed once, before the first wait, so that whatever
 * happens to its file meanwhile cannot change the name of the lock.
 *
 * Any failure ends the program with a message.
 */
#ifndef BORROWED_H
#define BORROWED_H

#include "lockfile.h"

/* Fills *l for lock_take(). Refuses a descriptor that cannot take such a lock. */
void borrowed_lock(struct lock *l, int fd, const struct lock_request *r);

/*
 * Whether the kernel still knows its file by the path that the lock's name was made from. Otherwise
 * somebody may have locked the file that is there now, and found nobody.
 */
bool borrowed_is_current(const struct lock *l);

/* Whether the descriptor brought an exclusive lock along. */
bool borrowed_was_exclusive(const struct lock *l);

/*
 * Fills *l for lock_unlock(), which works on whatever is open on a file. True if the record is ours
 * to empty: the file can be written, and the lock is ours alone or could be taken. Then we have it,
 * until lock_unlock().
 */
bool borrowed_take_to_unlock(struct lock *l, int fd, bool as_is);

#endif
