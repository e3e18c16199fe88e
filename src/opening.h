/*
 * Opening what LOCK names without harm to it: nothing is emptied, no FIFO or device is touched, and
 * what cannot be a lock file is left as it is.
 *
 * Where that fails the program ends with a message and the status for it.
 */
#ifndef OPENING_H
#define OPENING_H

#include "lockfile.h"

#include <sys/stat.h>

/* LOCK itself, where it is a directory. */
void open_directory(struct lock *l);

/* What the lock file stands in, with look_at_place(); returns its name there, or NULL with errno. */
const char *open_place(struct lock *l);

/* The mark and the file system of file in the directory parent, into *l. */
void look_at_place(struct lock *l, int parent, const char *file);

/*
 * The file, in an open place, which is created if need be. -1 where somebody has a lease on it
 * (fcntl(2)): that one is told now, and the file counts as held until the lease is given back.
 * Also where it was removed by a server that keeps its name, half of it, as long as somebody has it
 * open (SMB, 9p).
 */
int open_file(const struct lock *l, const char *file, const struct lock_request *r);

/* For questions: what is there, without creating it; -1 where that is nothing, or leased. */
int open_existing_to_ask(const struct lock *l, const char *file);

/* The directory that path stands in, and *name in it. -1 with errno. */
int open_parent(const char *path, const char **name);

/*
 * Moves fd, close-on-exec, to the highest free number in 10..63, and returns that: out of reach of a
 * shell's `exec 3>` and of systemd's LISTEN_FDS, and inside the first 64 slots of the kernel's
 * descriptor table, so that the command's own forks copy no larger table.
 */
int raise_descriptor(int fd, const char *name);

/* End the program, by errno, or by what the file is or holds. */
_Noreturn void cannot_open(const char *name);
_Noreturn void refuse_content(const struct lock *l);
void refuse_what_is_no_file(const struct stat *s, const char *name);

#endif
