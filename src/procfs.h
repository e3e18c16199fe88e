/*
 * What the kernel says in /proc, from text to values. The parsers take any text at all (see the
 * fuzz target) and never write outside what they are handed.
 */
#ifndef PROCFS_H
#define PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The whole file, NUL-terminated, in memory that the caller frees; *pieces is the number of read(2)
 * calls that returned something. NULL with errno, which is ENOENT if /proc is not mounted.
 */
char *procfs_read(const char *path, size_t *pieces);

/* The first size - 1 bytes of the file and a NUL, without the heap: the count, or -1 with errno. */
ssize_t procfs_peek(const char *path, char *text, size_t size);

/* A granted lock, from a line of /proc/locks or a `lock:` line of /proc/PID/fdinfo/N. */
struct procfs_lock {
	enum { PROCFS_POSIX, PROCFS_OFD, PROCFS_FLOCK } family;
	bool exclusive;
	unsigned major, minor; /* of the super block, which is not st_dev on btrfs */
	uint64_t inode;        /* not unique on btrfs: each subvolume counts anew */
	uint64_t start, end;   /* the first and last byte; UINT64_MAX where the kernel says EOF */
};

/* Whether both have the same numbers: a filter, not a proof, since numbers are not unique. */
bool procfs_same_numbers(const struct procfs_lock *a, const struct procfs_lock *b);

/*
 * Steps through text from *at on and fills *lock from the next line that shows a granted lock;
 * false if there is none left. Requests that still wait (`->`), leases and delegations are skipped.
 */
bool procfs_next_lock(const char **at, struct procfs_lock *lock);

/* From /proc/PID/stat: what tells one process from the next with its number. */
struct procfs_stat {
	pid_t pid;      /* in the PID namespace that /proc was mounted for */
	pid_t parent;   /* 0 if that one is outside */
	bool ended;     /* a zombie with no thread left, or dead */
	bool stopped;   /* by a signal or a debugger */
	uint64_t start; /* since boot, in clock ticks (sysconf(_SC_CLK_TCK)) */
};

/* -1 if text is no such line. */
int procfs_parse_stat(const char *text, struct procfs_stat *s);

/* A mount, from a line of /proc/self/mountinfo: proc(5). The texts point into that line. */
struct procfs_mount {
	uint64_t id;           /* mnt_id */
	unsigned major, minor; /* of the super block */
	char *root;            /* which directory of the file system is mounted */
	char *point;           /* where, as seen from our root directory */
	char *type;            /* `ext4`, `fuse.sshfs` */
	char *options;         /* of the super block, comma-separated */
};

/*
 * Finds the mount by the mnt_id of /proc/PID/fdinfo/N and cuts its line of mountinfo into texts. -1
 * if mountinfo does not show it.
 */
int procfs_find_mount(char *mountinfo, uint64_t id, struct procfs_mount *m);

/* Whether one of the comma-separated options is exactly option. */
bool procfs_has_option(const char *options, const char *option);

/*
 * The number after `name:` in /proc/PID/fdinfo/N, in base 10, or the first of several; UINT64_MAX
 * for -1 or if there is none.
 */
uint64_t procfs_field(const char *fdinfo, const char *name);

#endif
