/*
 * The mark: what a lock is called, in a number that fits behind the end of a lock's range.
 *
 * Every fcntl lock of ours covers the bytes from 0 to its mark, far behind the end of any file, so
 * it conflicts with every other program's lock of the whole file. And since /proc/locks shows the
 * last byte of every lock to every user, the mark tells whether somebody holds a lock that was
 * taken under this name, whatever has become of the file since: removed, renamed, replaced. It is
 * there from the moment of the lock, so of two starts the later one sees it.
 *
 * A mark is two hashes of 30 bits: of directory (device and inode) and name, which see through
 * bind mounts and containers that share a volume; and of the path, in its root and mount namespace,
 * which outlives the directory's removal. Either is enough; by chance
 * two names agree in one once in five hundred million pairs.
 */
#ifndef MARK_H
#define MARK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The mark of name in the directory open as parent; 0 with errno. Without /proc the path does not
 * count.
 */
uint64_t mark_of(int parent, const char *name);

/* The half that is directory and name. */
uint64_t mark_directory(uint64_t mark);

bool mark_same_directory(uint64_t a, uint64_t b);
bool mark_same_path(uint64_t a, uint64_t b);

#endif
