#include "keeper.h"

#include "process.h"
#include "retry.h"
#include "status.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char keeper_name[] = "onlyone-keeper"; /* the kernel keeps 15 characters */

/* One by one: as many as are open, not as many as RLIMIT_NOFILE allows, which can be 2^30. */
static int close_listed(unsigned first, unsigned last)
{
	DIR *list = opendir("/proc/self/fd");
	struct dirent *entry;

	if (list == NULL)
		return -1;
	while ((entry = readdir(list)) != NULL) {
		unsigned fd = (unsigned) strtoul(entry->d_name, NULL, 10);
		if (*entry->d_name != '.' && fd >= first && fd <= last &&
			fd != (unsigned) dirfd(list))
			close((int) fd);
	}
	return closedir(list);
}

/* close_range(2) came with Linux 5.9, and some sandboxes forbid it. -1 with errno. */
static int close_between(unsigned first, unsigned last)
{
	return syscall(SYS_close_range, first, last, 0) == 0 ? 0 : close_listed(first, last);
}

static int ascending(const void *a, const void *b)
{
	return *(const int *) a - *(const int *) b;
}

/* An inherited pipe that stays open would keep `$(onlyone -o ...)` and pipelines waiting for us. */
static int close_all_but(int *kept, size_t count)
{
	unsigned first = 0;

	qsort(kept, count, sizeof *kept, ascending);
	for (size_t i = 0; i < count; i++) {
		if (kept[i] == -1) /* LOCK is not a directory */
			continue;
		unsigned fd = (unsigned) kept[i];
		if (fd > first && close_between(first, fd - 1) == -1)
			return -1;
		first = fd + 1;
	}
	return close_between(first, UINT_MAX);
}

/* The parts of the program that can be read in again: all that was never written to. */
struct segments {
	struct {
		void *start;
		size_t length;
	} of[8];
	size_t count;
};

static int add_segments(struct dl_phdr_info *object, size_t size, void *found)
{
	const uintptr_t page = (uintptr_t) sysconf(_SC_PAGESIZE);
	struct segments *s = found;

	(void) size;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + segment->p_vaddr;
		if (segment->p_type != PT_LOAD || segment->p_flags & PF_W || s->count == 8)
			continue;
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): the loader gives us numbers */
		s->of[s->count].start = (void *) (start & ~(page - 1));
		s->of[s->count++].length = segment->p_memsz;
	}
	return 0;
}

/*
 * Start-up has mapped far more of the program than waiting needs, a third of a megabyte that would
 * count as the keeper's. What is still needed comes back from the page cache.
 */
static void forget_program(void)
{
	struct segments s = { .count = 0 };

	dl_iterate_phdr(add_segments, &s);
	for (size_t i = 0; i < s.count; i++)
		madvise(s.of[i].start, s.of[i].length, MADV_DONTNEED);
}

/* In the keeper: never returns. Any failure ends it, and the parent reads no byte. */
static _Noreturn void keep(const struct lock *l, int command, int ready)
{
	int kept[] = { l->fd, l->directory, command, ready };
	struct pollfd end = { .fd = command, .events = POLLIN };

	if (setsid() == -1 || chdir("/") == -1 || prctl(PR_SET_NAME, keeper_name) == -1)
		_exit(EX_OSERR);
	if (close_all_but(kept, sizeof kept / sizeof *kept) == -1 || write(ready, "", 1) != 1)
		_exit(EX_OSERR);
	close(ready);
	forget_program();
	/* Whatever else poll may say: if in doubt, the lock stays. */
	while (poll(&end, 1, -1) != 1)
		;
	_exit(EXIT_SUCCESS);
}

/* Whether orphans become our children: a keeper that is forked twice would come back to us. */
static bool gets_orphans(void)
{
	int subreaper = 0;

	return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0 && subreaper != 0);
}

/*
 * Usually forks twice, so that the keeper is not a child of the command: a server that waits for
 * all its children would wait for itself. An orphan that comes back to us would send SIGCHLD after
 * all (reparent_leader() in the kernel's kernel/exit.c), whereas wait(2) passes over a child that
 * was cloned without it. Returns the child to reap, 0 if there is none, or -1 with errno.
 */
static pid_t fork_keeper(const struct lock *l, int command, int ready)
{
	bool once = gets_orphans();
	pid_t child = process_fork_quietly();

	if (child == 0 && once)
		keep(l, command, ready);
	if (child != 0)
		return child == -1 || !once ? child : 0;
	switch (process_fork_quietly()) {
	case -1:
		_exit(EX_OSERR);
	case 0:
		keep(l, command, ready);
	default:
		_exit(EXIT_SUCCESS);
	}
}

static _Noreturn void no_keeper(const struct lock *l)
{
	lock_release(l); /* a descriptor of the caller's outlives us */
	err(EX_OSERR, "%s: no keeper", l->name);
}

void keeper_start(const struct lock *l)
{
	sigset_t all, found;
	int ready[2];
	char byte;
	int command = process_open(getpid());

	if (command == -1 || pipe2(ready, O_CLOEXEC) == -1)
		no_keeper(l);
	/* Blocked before the fork: a signal to the group must find no keeper that it can end. */
	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, &found) == -1)
		no_keeper(l);
	pid_t child = fork_keeper(l, command, ready[1]);
	if (child == -1)
		no_keeper(l);
	close(ready[1]);
	close(command);
	/* __WALL, since it sends no SIGCHLD (wait(2)). */
	if (child != 0)
		RETRY(waitpid(child, NULL, __WALL));
	if (RETRY(read(ready[0], &byte, 1)) != 1) {
		lock_release(l);
		errx(EX_OSERR, "%s: no keeper: it could not be set up", l->name);
	}
	close(ready[0]);
	if (sigprocmask(SIG_SETMASK, &found, NULL) == -1)
		no_keeper(l);
}

pid_t keeper_keeps(pid_t pid)
{
	char path[PROCESS_PATH], fdinfo[1024];

	for (int fd = 0; fd < 64;
		fd++) { /* those of a keeper are low, or where locks are raised to */
		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int) pid, fd);
		ssize_t length = readlink(path, fdinfo, sizeof fdinfo - 1);
		fdinfo[length == -1 ? 0 : length] = '\0';
		if (strstr(fdinfo, "pidfd") == NULL) /* others may hang (lockers.c) */
			continue;
		snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int) pid, fd);
		const char *at;
		if (procfs_peek(path, fdinfo, sizeof fdinfo) == -1 ||
			(at = strstr(fdinfo, "\nPid:\t")) == NULL)
			continue;
		return (pid_t) strtol(at + strlen("\nPid:\t"), NULL, 10);
	}
	return 0;
}

bool keeper_is_late(pid_t pid)
{
	char name[sizeof keeper_name + 1];
	struct procfs_stat s;

	if (process_stat(pid, &s) == -1 || s.ended)
		return true;
	process_name(pid, name, sizeof name);
	if (strcmp(name, keeper_name) != 0)
		return false;
	pid_t kept = keeper_keeps(pid);
	return kept == -1 || (kept > 0 && process_stat(kept, &s) == 0 && s.ended);
}
