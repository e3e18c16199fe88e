/*
 * The extended attribute of a record, user.onlyone. Where there are no user attributes, as on tmpfs
 * before Linux 6.6, root uses trusted.onlyone. A file that is locked as it is has one under another
 * name, so that it never passes for a lock file.
 */
#ifndef ATTRIBUTE_H
#define ATTRIBUTE_H

#include "lockfile.h"

#include <stdbool.h>
#include <sys/types.h>

/* Ours has at most 64 bytes, which ext4 keeps in an inode of 256. */
enum { ATTRIBUTE_SIZE = 100 };

/*
 * Reads l's attribute, of a lock file or of a file that is locked as_is, into text of
 * ATTRIBUTE_SIZE + 1. Its length; 0 also if there is none, or can be none; -1 with errno.
 */
ssize_t attribute_get(const struct lock *l, bool as_is, char *text);

/* 1 if written, 0 if there can be none here (errno tells why), -1 with errno. */
int attribute_set(const struct lock *l, const char *text, size_t length);

/* 0, also if there is none; -1 with errno. */
int attribute_remove(const struct lock *l);

#endif
