#include "keeper.h"

#include "process.h"
#include "status.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* close_range(2) came with Linux 5.9, and sandboxes forbid it. -1 with errno. */
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
		if (kept[i] == -1) /* there is no directory */
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
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): the loader tells addresses as numbers */
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

/* In the second child: never returns. What fails here ends it, and the parent reads no byte. */
static _Noreturn void keep(const struct lock *l, int command, int ready)
{
	int kept[] = { l->fd, l->directory, command, ready };
	struct pollfd end = { .fd = command, .events = POLLIN };

	if (setsid() == -1 || chdir("/") == -1 || prctl(PR_SET_NAME, KEEPER_NAME) == -1)
		_exit(EX_OSERR);
	if (close_all_but(kept, sizeof kept / sizeof *kept) == -1 || write(ready, "", 1) != 1)
		_exit(EX_OSERR);
	close(ready);
	forget_program();
	/* Whatever else poll may say: in doubt the lock stays. */
	while (poll(&end, 1, -1) != 1)
		;
	_exit(EXIT_SUCCESS);
}

/*
 * fork(2) without the SIGCHLD for its end, which a caller that has that signal blocked would hand
 * on to the command as pending.
 */
static pid_t fork_quietly(void)
{
	return (pid_t) syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
}

/*
 * Forks twice, so that the keeper is no child of the command's: a server that waits for all its
 * children would wait for itself. Where the command is PID 1 the keeper does become its child; it
 * cannot outlive it there.
 */
static pid_t fork_keeper(const struct lock *l, int command, int ready)
{
	pid_t child = fork_quietly();

	if (child != 0)
		return child;
	switch (fork_quietly()) {
	case -1:
		_exit(EX_OSERR);
	case 0:
		keep(l, command, ready);
	default:
		_exit(EXIT_SUCCESS);
	}
}

/* The first child is ours to reap; __WALL, since it sends no SIGCHLD (wait(2)). */
static void reap(pid_t child)
{
	while (waitpid(child, NULL, __WALL) == -1 && errno == EINTR)
		;
}

void keeper_start(const struct lock *l)
{
	sigset_t all, found;
	int ready[2];
	char byte;
	ssize_t got;
	int command = process_open(getpid());

	if (command == -1)
		err(EX_OSERR, "%s: no keeper", l->path);
	if (pipe2(ready, O_CLOEXEC) == -1)
		err(EX_OSERR, "%s: no keeper", l->path);
	/* Blocked before the fork: a signal to the group must find no keeper that it can end. */
	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, &found) == -1)
		err(EX_OSERR, "%s: no keeper", l->path);
	pid_t child = fork_keeper(l, command, ready[1]);
	if (child == -1)
		err(EX_OSERR, "%s: no keeper", l->path);
	close(ready[1]);
	close(command);
	reap(child);
	do
		got = read(ready[0], &byte, 1);
	while (got == -1 && errno == EINTR);
	if (got != 1)
		errx(EX_OSERR, "%s: no keeper: it could not be set up", l->path);
	close(ready[0]);
	if (sigprocmask(SIG_SETMASK, &found, NULL) == -1)
		err(EX_OSERR, "%s: no keeper", l->path);
}
