#include "procfs.h"

#include "number.h"
#include "retry.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* read(2) until end of file or size: the count, or -1 with errno. */
static ssize_t read_all(int fd, char *buffer, size_t size, size_t *pieces)
{
	size_t got = 0;
	ssize_t n;

	while (got < size && (n = RETRY(read(fd, buffer + got, size - got))) != 0) {
		if (n == -1)
			return -1;
		got += (size_t) n;
		++*pieces;
	}
	return (ssize_t) got;
}

static char *read_growing(int fd, size_t *pieces)
{
	size_t size = 4096, got = 0;
	char *text = NULL;

	for (;; size *= 2) {
		char *larger = realloc(text, size);
		if (larger == NULL)
			break;
		text = larger;
		ssize_t n = read_all(fd, text + got, size - 1 - got, pieces);
		if (n == -1)
			break;
		got += (size_t) n;
		if (got < size - 1) {
			text[got] = '\0';
			return text;
		}
	}
	free(text); /* keeps errno since glibc 2.33, and musl always did */
	return NULL;
}

char *procfs_read(const char *path, size_t *pieces)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*pieces = 0;
	if (fd == -1)
		return NULL;
	char *text = read_growing(fd, pieces);
	int why = errno;
	close(fd);
	errno = why;
	return text;
}

ssize_t procfs_peek(const char *path, char *text, size_t size)
{
	size_t pieces = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	ssize_t n = read_all(fd, text, size - 1, &pieces);
	int why = errno;
	close(fd);
	errno = why;
	text[n == -1 ? 0 : n] = '\0';
	return n;
}

/* Copies the line at *at into line (cut to size) and moves *at past it. */
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
	/* The PID may not fit an int (of an NFS server's lock for a client); nobody asks for it. */
	if (sscanf(line, " %*[0-9]: %7s %*9s %7s %*[-0-9] %x:%x:%" SCNu64 " %" SCNu64 " %23s",
		    family, kind, &lock->major, &lock->minor, &lock->inode, &lock->start, end) != 7)
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

bool procfs_same_numbers(const struct procfs_lock *a, const struct procfs_lock *b)
{
	return a->inode == b->inode && a->major == b->major && a->minor == b->minor;
}

/*
 * The numbered field of /proc/PID/stat (proc(5)), from 3 on, where after is the parenthesis that
 * ends field 2. Not sscanf(3): it would make every start a twentieth slower.
 */
static const char *stat_field(const char *after, int number)
{
	while (after != NULL && number-- > 2)
		if ((after = strchr(after, ' ')) != NULL)
			after++;
	return after != NULL ? after : "";
}

int procfs_parse_stat(const char *text, struct procfs_stat *s)
{
	/* The command's name stands in parentheses and may itself hold any of `) Z 1`. */
	const char *after = strrchr(text, ')'), *threads = stat_field(after, 20),
		   *start = stat_field(after, 22), *parent = stat_field(after, 4);
	const char state = *stat_field(after, 3);
	uint64_t pid, parent_pid, count;

	if (number_read(&text, 10, INT_MAX, &pid) == -1 ||
		number_read(&parent, 10, INT_MAX, &parent_pid) == -1 ||
		number_read(&threads, 10, INT_MAX, &count) == -1 ||
		number_read(&start, 10, UINT64_MAX, &s->start) == -1)
		return -1;
	s->pid = (pid_t) pid;
	s->parent = (pid_t) parent_pid;
	/* The first thread may have ended, a zombie, while the process lives on in the others. */
	s->ended = (state == 'Z' || state == 'X') && count <= 1;
	s->stopped = state == 'T' || state == 't';
	return 0;
}

/* Cuts the text at *at after its next word, which is returned; NULL if there is none. */
static char *next_word(char **at)
{
	char *word = *at + strspn(*at, " ");
	size_t length = strcspn(word, " ");

	if (length == 0)
		return NULL;
	*at = word + length;
	if (**at != '\0')
		*(*at)++ = '\0';
	return word;
}

/* mountinfo shows a blank as \040, and tab, newline and backslash likewise. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text != '\0'; to++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
			text[2] <= '7' && text[3] >= '0' && text[3] <= '7') {
			*to = (char) ((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
			text += 4;
		} else {
			*to = *text++;
		}
	}
	*to = '\0';
}

static int parse_device(const char *at, struct procfs_mount *m)
{
	uint64_t major, minor;

	if (at == NULL || number_read(&at, 10, UINT32_MAX, &major) == -1 || *at++ != ':' ||
		number_read(&at, 10, UINT32_MAX, &minor) == -1 || *at != '\0')
		return -1;
	m->major = (unsigned) major;
	m->minor = (unsigned) minor;
	return 0;
}

/* `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`: proc(5). */
static int parse_mount(char *line, struct procfs_mount *m)
{
	char *rest = strstr(line, " - "), *source;

	if (rest == NULL)
		return -1;
	*rest = '\0';
	rest += strlen(" - ");
	next_word(&line);
	next_word(&line);
	if (parse_device(next_word(&line), m) == -1)
		return -1;
	m->root = next_word(&line);
	m->point = next_word(&line);
	m->type = next_word(&rest);
	source = next_word(&rest);
	m->options = next_word(&rest);
	if (m->options == NULL) /* the source may be empty */
		m->options = source;
	if (m->root == NULL || m->point == NULL || m->options == NULL)
		return -1;
	unescape(m->root);
	unescape(m->point);
	return 0;
}

int procfs_find_mount(char *mountinfo, uint64_t id, struct procfs_mount *m)
{
	char *line, *rest = mountinfo;

	while ((line = strsep(&rest, "\n")) != NULL) {
		const char *at = line;
		uint64_t line_id;
		if (number_read(&at, 10, UINT64_MAX, &line_id) == 0 && *at == ' ' &&
			line_id == id) {
			m->id = id;
			return parse_mount(line, m);
		}
	}
	return -1;
}

bool procfs_has_option(const char *options, const char *option)
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

uint64_t procfs_field(const char *fdinfo, const char *name)
{
	char line[160];
	size_t length = strlen(name);
	uint64_t n;

	while (next_line(&fdinfo, line, sizeof line)) {
		if (strncmp(line, name, length) != 0 || line[length] != ':')
			continue;
		const char *at = line + length + 1;
		at += strspn(at, " \t");
		return number_read(&at, 10, UINT64_MAX, &n) == 0 ? n : UINT64_MAX;
	}
	return UINT64_MAX;
}
