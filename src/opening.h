/*
 * Opening what LOCK names without harming it: nothing is emptied, no FIFO or device is touched, and
 * what cannot be a lock file is left as it is.
 *
 * Any failure ends the program with a message and the status for it.
 */
#ifndef OPENING_H
#define OPENING_H

#include "lockfile.h"

#include <sys/stat.h>

/* Opens LOCK itself, which is a directory. */
void open_directory(struct lock *l);

/*
 * Opens the directory that the lock file is in, and calls look_at_place(). Returns the file's name
 * there, or NULL with errno.
 */
const char *open_place(struct lock *l);

/* Stores in *l the mark, the way and the file system of file in the directory parent. */
void look_at_place(struct lock *l, int parent, const char *file);

/*
 * Opens the file, after open_place(), creating it if need be. -1 if somebody has a lease on it
 * (fcntl(2)): they are told now, and the file counts as held until they give it back. Also if it
 * was removed, but the server half keeps its name as long as somebody has it open (SMB, 9p).
 */
int open_file(const struct lock *l, const char *file, const struct lock_request *r);

/* For questions: opens the file if there is one; -1 if there is none, or it is leased. */
int open_existing_to_ask(const struct lock *l, const char *file);

/* Opens the directory that path is in; *name is its name there. -1 with errno. */
int open_parent(const char *path, const char **name);

/*
 * Moves fd, close-on-exec, to the highest free number in 10..63, and returns that: out of reach of
 * a shell's `exec 3>` and of systemd's LISTEN_FDS, and within the first 64 slots of the kernel's
 * descriptor table, so that the command's own forks copy no larger table.
 */
int raise_descriptor(int fd, const char *name);

/*
 * End the program with a message: by errno, by what the file holds, and, if it is not a regular
 * file, by what it is.
 */
_Noreturn void cannot_open(const char *name);
_Noreturn void refuse_content(const struct lock *l);
void refuse_what_is_no_file(const struct stat *s, const char *name);

#endif
