#include "procfs.h"

#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* read(2) until end of file or size: the count, or -1 with errno. */
static ssize_t read_all(int fd, char *buffer, size_t size)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = read(fd, buffer + got, size - got);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		got += (size_t) n;
	}
	return (ssize_t) got;
}

char *procfs_read(const char *path)
{
	size_t size = 4096, got = 0;
	char *text = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return NULL;
	for (;;) {
		char *larger = realloc(text, size);
		if (larger == NULL)
			break;
		text = larger;
		ssize_t n = read_all(fd, text + got, size - 1 - got);
		if (n == -1)
			break;
		got += (size_t) n;
		if (got < size - 1) {
			text[got] = '\0';
			close(fd);
			return text;
		}
		size *= 2;
	}
	descriptor_close(fd);
	free(text);
	return NULL;
}

ssize_t procfs_peek(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	ssize_t n = read_all(fd, text, size - 1);
	descriptor_close(fd);
	if (n != -1)
		text[n] = '\0';
	return n;
}

/* Copies the line at *at into line (cut to size) and moves *at behind it. */
static bool next_line(const char **at, char *line, size_t size)
{
	if (**at == '\0')
		return false;
	size_t length = strcspn(*at, "\n");
	size_t kept = length < size ? length : size - 1;

	memcpy(line, *at, kept);
	line[kept] = '\0';
	*at += length + ((*at)[length] == '\n');
	return true;
}

/*
 * `1: OFDLCK ADVISORY  WRITE -1 fe:00:10952738 0 EOF`: proc_pid_fdinfo(5), and lock_get_status() in
 * the kernel's fs/locks.c. In fdinfo `lock:` and a tab stand before it.
 */
static bool parse_lock(const char *line, struct procfs_lock *lock)
{
	char family[8], kind[8], end[24];

	if (strncmp(line, "lock:", 5) == 0)
		line += 5;
	*lock = (struct procfs_lock){ 0 };
	/* The pid of an NFS server's lock for a client may lie outside int; nobody asks for it. */
	if (sscanf(line, " %*[0-9]: %7s %*9s %7s %d %x:%x:%" SCNu64 " %*[0-9] %23s", family, kind,
		    &lock->pid, &lock->major, &lock->minor, &lock->inode, end) != 7)
		return false;
	if (strcmp(family, "OFDLCK") == 0)
		lock->family = PROCFS_OFD;
	else if (strcmp(family, "POSIX") == 0)
		lock->family = PROCFS_POSIX;
	else if (strcmp(family, "FLOCK") == 0)
		lock->family = PROCFS_FLOCK;
	else
		return false;
	lock->exclusive = strcmp(kind, "WRITE") == 0;
	lock->end = strcmp(end, "EOF") == 0 ? UINT64_MAX : strtoull(end, NULL, 10);
	return true;
}

bool procfs_next_lock(const char **at, struct procfs_lock *lock)
{
	char line[160];

	while (next_line(at, line, sizeof line))
		if (parse_lock(line, lock))
			return true;
	return false;
}

bool procfs_same_file(const struct procfs_lock *a, const struct procfs_lock *b)
{
	return a->inode == b->inode && a->major == b->major && a->minor == b->minor;
}

int procfs_parse_stat(const char *text, struct procfs_stat *s)
{
	/* The command's name stands in parentheses and may itself hold any of `) Z 1`. */
	const char *after = strrchr(text, ')');
	char state;
	long threads;

	if (after == NULL ||
		sscanf(after + 1,
			" %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d"
			" %*d %ld %*d %" SCNu64,
			&state, &threads, &s->start) != 3)
		return -1;
	/* The first thread may have ended, a zombie, while the process lives on in the others. */
	s->ended = (state == 'Z' || state == 'X') && threads <= 1;
	return 0;
}

/* One of the comma-separated options is exactly option. */
static bool has_option(const char *options, const char *option)
{
	size_t length = strlen(option);

	for (;; options++) {
		size_t n = strcspn(options, ",");
		if (n == length && strncmp(options, option, n) == 0)
			return true;
		options += n;
		if (*options == '\0')
			return false;
	}
}

/*
 * `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`: proc(5). A
 * blank in a path is written \040, so the first ` - ` is the end of the optional fields.
 */
static void parse_mount(const char *line, struct procfs_mount *m)
{
	const char *rest = strstr(line, " - "), *options = strrchr(line, ' ');
	char type[8];

	m->locks_stay_local = rest != NULL && sscanf(rest, " - %7s", type) == 1 &&
			      (strcmp(type, "nfs") == 0 || strcmp(type, "nfs4") == 0) &&
			      (has_option(options + 1, "local_lock=all") ||
				      has_option(options + 1, "local_lock=posix"));
}

int procfs_find_mount(const char *mountinfo, uint64_t id, struct procfs_mount *m)
{
	char line[1 << 16]; /* two paths, each up to PATH_MAX bytes of four characters, and options
			     */
	uint64_t line_id;

	while (next_line(&mountinfo, line, sizeof line))
		if (sscanf(line, "%" SCNu64 " %*d %u:%u", &line_id, &m->major, &m->minor) == 3 &&
			line_id == id) {
			parse_mount(line, m);
			return 0;
		}
	return -1;
}

uint64_t procfs_field(const char *fdinfo, const char *name)
{
	char line[160];
	size_t length = strlen(name);

	while (next_line(&fdinfo, line, sizeof line))
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			return strtoull(line + length + 1, NULL, 10);
	return UINT64_MAX;
}
