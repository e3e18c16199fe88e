/*
 * One process, by its number, and whether that number still means it.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include "procfs.h"

#include <stdint.h>
#include <sys/types.h>

/*
 * Reads /proc/PID/stat. -1 with errno: ENOENT or ESRCH if there is no such process or, with hidepid
 * (proc(5)), if it is hidden from us.
 */
int process_stat(pid_t pid, struct procfs_stat *s);

/*
 * As process_stat(), for ourselves: 1. 0 if /proc is missing or numbers processes differently from
 * us, as in a PID namespace that still has its parent's /proc (unshare --pid without --mount-proc):
 * what it says about a number is about another process. -1 with errno.
 *
 * The start survives exec(2), even from a thread (de_thread() in the kernel's fs/exec.c).
 */
int process_stat_self(struct procfs_stat *s);

enum process_life {
	PROCESS_ENDED, /* or another one has the number now */
	PROCESS_LIVES,
	PROCESS_HIDDEN, /* somebody has the number, and /proc does not show us who */
};

/*
 * Whether the process that had this PID and began at start (procfs_stat) still lives. The number
 * may be reused at any time; but another process has another start, unless it began in the same
 * tick.
 */
enum process_life process_life(pid_t pid, uint64_t start);

/* Whether pid is our parent, or its parent, and so on. false also if that cannot be seen. */
bool process_is_ancestor(pid_t pid);

/* When a process began, as CLOCK_BOOTTIME in nanoseconds, rounded down to the clock tick. */
int64_t process_began(const struct procfs_stat *s);

/* Whether its real, effective and saved user IDs are uid. false also if that cannot be seen. */
bool process_is_of(pid_t pid, uid_t uid);

/*
 * fork(2) without a SIGCHLD when the child ends: if it was blocked when we started, the command
 * would inherit it as pending. waitpid(2) finds such a child with __WALL.
 */
pid_t process_fork_quietly(void);

/* A pidfd, which the caller closes; -1 with errno: ESRCH, or ENOSYS before Linux 5.3. */
int process_open(pid_t pid);

/* Sends through a pidfd, so that no other process can be hit. -1 with errno. */
int process_signal(int pidfd, int signal);

/*
 * How it names itself (the comm), or its whole command line, cut to size, NUL-terminated, and with
 * a question mark for whatever could play tricks on a terminal. "" if that cannot be read.
 */
void process_name(pid_t pid, char *name, size_t size);
void process_command(pid_t pid, char *line, size_t size);

/* "/proc/PID/WHAT" in path, which has room for PROCESS_PATH. */
enum { PROCESS_PATH = 64 };
void process_path(char *path, pid_t pid, const char *what);

#endif
