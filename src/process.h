/*
 * One process, by its number.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include "procfs.h"

#include <stdint.h>
#include <sys/types.h>

/*
 * Whether /proc numbers processes as we do: 1, 0, or -1 with errno. In a PID namespace that still
 * has its parent's /proc (unshare --pid without --mount-proc) it does not, and what it says of a
 * number is of another process. Nor where it is not mounted.
 */
int process_numbers_agree(void);

/* A pidfd, which the caller closes; -1 with errno: ESRCH, or ENOSYS before Linux 5.3. */
int process_open(pid_t pid);

/* Sends through a pidfd, so that no other process can be hit. -1 with errno. */
int process_signal(int pidfd, int signal);

/*
 * Reads /proc/PID/stat. -1 with errno: ENOENT or ESRCH when there is no such process or, with
 * hidepid (proc(5)), when it is hidden from us.
 */
int process_stat(pid_t pid, struct procfs_stat *s);

/* When it began, CLOCK_BOOTTIME in nanoseconds, rounded down to the clock tick. */
uint64_t process_start(const struct procfs_stat *s);

/*
 * How it names itself (the comm), or its whole command line, cut to size with a NUL behind it and
 * with a question mark for whatever could play with a terminal. "" where that cannot be read.
 */
void process_name(pid_t pid, char *name, size_t size);
void process_command(pid_t pid, char *line, size_t size);

/* "/proc/PID/WHAT" in path, which has room for PROCESS_PATH. */
enum { PROCESS_PATH = 64 };
void process_path(char *path, pid_t pid, const char *what);

#endif
