#include "process.h"

#include "deadline.h"
#include "number.h"
#include "printable.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void process_path(char *path, pid_t pid, const char *what)
{
	snprintf(path, PROCESS_PATH, "/proc/%d/%s", (int) pid, what);
}

static int read_stat(const char *path, struct procfs_stat *s)
{
	char text[1024];

	if (procfs_peek(path, text, sizeof text) == -1)
		return -1;
	if (procfs_parse_stat(text, s) == -1) {
		errno = ENOMSG;
		return -1;
	}
	return 0;
}

int process_stat(pid_t pid, struct procfs_stat *s)
{
	char path[PROCESS_PATH];

	process_path(path, pid, "stat");
	return read_stat(path, s);
}

int process_stat_self(struct procfs_stat *s)
{
	if (read_stat("/proc/self/stat", s) == -1)
		return errno == ENOENT ? 0 : -1;
	return s->pid == getpid();
}

enum process_life process_life(pid_t pid, uint64_t start)
{
	struct procfs_stat s;

	/* Nearly always this settles it, for less than a look into /proc, and without any right. */
	if (getpgid(pid) == -1 && errno == ESRCH)
		return PROCESS_ENDED;
	if (process_stat(pid, &s) == 0)
		return s.ended || s.start != start ? PROCESS_ENDED : PROCESS_LIVES;
	/* It has ended between the two looks, or is another user's and hidden from us. */
	return getpgid(pid) == -1 && errno == ESRCH ? PROCESS_ENDED : PROCESS_HIDDEN;
}

bool process_is_ancestor(pid_t pid)
{
	struct procfs_stat s = { .parent = getppid() };

	while (s.parent > 0 && s.parent != pid)
		if (process_stat(s.parent, &s) == -1)
			return false;
	return s.parent > 0;
}

int64_t process_began(const struct procfs_stat *s)
{
	return (int64_t) s->start * (SECOND / sysconf(_SC_CLK_TCK));
}

bool process_is_of(pid_t pid, uid_t uid)
{
	char path[PROCESS_PATH], status[2048];
	unsigned real, effective, saved;

	process_path(path, pid, "status");
	if (procfs_peek(path, status, sizeof status) == -1)
		return false;
	const char *at = strstr(status, "\nUid:");
	return at != NULL && sscanf(at, "\nUid: %u %u %u", &real, &effective, &saved) == 3 &&
	       real == uid && effective == uid && saved == uid;
}

pid_t process_fork_quietly(void)
{
	return (pid_t) syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
}

/* By number, not through the libc: glibc has these calls since 2.36, musl does not. */
int process_open(pid_t pid)
{
	int pidfd = (int) syscall(SYS_pidfd_open, pid, 0);

	/* The number is a thread's now: EINVAL, on later kernels ENOENT. */
	if (pidfd == -1 && (errno == EINVAL || errno == ENOENT))
		errno = ESRCH;
	return pidfd;
}

int process_signal(int pidfd, int signal)
{
	return (int) syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

static ssize_t read_text(pid_t pid, const char *what, char *text, size_t size)
{
	char path[PROCESS_PATH];

	process_path(path, pid, what);
	ssize_t length = procfs_peek(path, text, size);
	if (length == -1)
		*text = '\0';
	return length;
}

void process_name(pid_t pid, char *name, size_t size)
{
	read_text(pid, "comm", name, size);
	name[strcspn(name, "\n")] = '\0';
	make_printable(name);
}

void process_command(pid_t pid, char *line, size_t size)
{
	ssize_t length = read_text(pid, "cmdline", line, size);

	/* A NUL after each argument; some programs write a title there and pad it with NULs. */
	while (length > 0 && (line[length - 1] == '\0' || line[length - 1] == ' '))
		line[--length] = '\0';
	for (ssize_t i = 0; i < length; i++)
		if (line[i] == '\0')
			line[i] = ' ';
	make_printable(line);
	if (*line == '\0')
		process_name(pid, line, size);
}
