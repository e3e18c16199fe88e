#include "process.h"

#include "number.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int process_numbers_agree(void)
{
	char seen[NUMBER_SIZE], own[NUMBER_SIZE];
	ssize_t length = readlink("/proc/self", seen, sizeof seen - 1);

	if (length == -1)
		return errno == ENOENT ? 0 : -1;
	seen[length] = '\0';
	number_write(own, (uint64_t) getpid());
	return strcmp(seen, own) == 0;
}

/* By number, not by way of the libc: glibc has these calls since 2.36, musl has not. */
int process_open(pid_t pid)
{
	int process = (int) syscall(SYS_pidfd_open, pid, 0);

	/* The number is a thread's now: EINVAL, on later kernels ENOENT. */
	if (process == -1 && (errno == EINVAL || errno == ENOENT))
		errno = ESRCH;
	return process;
}

int process_signal(int pidfd, int signal)
{
	return (int) syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

void process_path(char *path, pid_t pid, const char *what)
{
	char *end = number_write(stpcpy(path, "/proc/"), (uint64_t) pid);

	*end++ = '/';
	strcpy(end, what); /* a constant or the name of a descriptor, both short */
}

int process_stat(pid_t pid, struct procfs_stat *s)
{
	char path[PROCESS_PATH], text[1024];

	process_path(path, pid, "stat");
	if (procfs_peek(path, text, sizeof text) == -1)
		return -1;
	if (procfs_parse_stat(text, s) == -1) {
		errno = ENOMSG;
		return -1;
	}
	return 0;
}

uint64_t process_start(const struct procfs_stat *s)
{
	return s->start * (UINT64_C(1000000000) / (uint64_t) sysconf(_SC_CLK_TCK));
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

static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
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

	/* A NUL behind each argument; some programs write a title there and pad it with NULs. */
	while (length > 0 && (line[length - 1] == '\0' || line[length - 1] == ' '))
		line[--length] = '\0';
	for (ssize_t i = 0; i < length; i++)
		if (line[i] == '\0')
			line[i] = ' ';
	make_printable(line);
	if (*line == '\0')
		process_name(pid, line, size);
}
