/*
 * The mark: the name of a lock, in a number that every user finds in /proc/locks.
 *
 * A name is the place where the lock is, told in two ways, either of which is enough: the directory
 * (device and inode) and the name in it, which sees through bind mounts and containers that share a
 * volume; and the file system and the path inside it, which outlives the directory's removal.
 * Neither depends on the mount namespace: /run/lock in a service with a private /tmp is the same
 * place as outside, and /tmp/lock is not.
 *
 * The mark is that name as a number that can be the end of a lock's range: two hashes of 30 bits.
 * Every fcntl lock of ours covers the bytes from 0 to its mark, far beyond the end of any file, so
 * it conflicts with every other program's lock of the whole file. And since /proc/locks shows the
 * last byte of every lock to every user, the mark tells whether somebody holds a lock that was
 * taken under this name, whatever has become of the file since. It is there from the moment of the
 * lock, so of two starts the later one sees it. By chance two names agree in one of the hashes once
 * in five hundred million pairs.
 */
#ifndef MARK_H
#define MARK_H

#include "procfs.h"
#include "way.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The mark of name in the directory open as parent, which is on the mount m; 0 with errno. If the
 * path inside the file system cannot be told (m is NULL, or the path is too long) the directory
 * serves for both halves.
 *
 * *way describes the directories above parent.
 */
uint64_t mark_of(int parent, const char *name, const struct procfs_mount *m, struct way *way);

/* Whether end, where some lock ends, is a mark. */
bool mark_is(uint64_t end);

/* Whether it is a lock as we take them: of fcntl(2), from the first byte to a mark. */
bool mark_is_borne_by(const struct procfs_lock *lock);

bool mark_same_directory(uint64_t a, uint64_t b);
bool mark_same_path(uint64_t a, uint64_t b);

/* Whether the mark includes the path inside the file system. */
bool mark_has_path(uint64_t mark);

#endif
