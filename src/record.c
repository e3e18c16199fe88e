#include "record.h"

#include "descriptor.h"
#include "hash.h"
#include "mark.h"
#include "number.h"
#include "process.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* The second is root's alone (xattr(7)): tmpfs has the first only since Linux 6.6. */
static const char attribute[] = "user.onlyone", roots_attribute[] = "trusted.onlyone";

enum {
	PID_HIGHEST = 1 << 22, /* PID_MAX_LIMIT of the kernel's linux/threads.h */
	ATTRIBUTE_SIZE = 4 * NUMBER_SIZE,
};

/* By errno: ENOSYS and EPERM where a sandbox forbids the calls, or a file system their use. */
static bool is_unsupported(void)
{
	return errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM;
}

static uint64_t now(clockid_t clock, uint64_t per_second)
{
	struct timespec t;
	uint64_t unit = 1000000000 / per_second;

	clock_gettime(clock, &t); /* cannot fail for the clocks used here */
	return (uint64_t) t.tv_sec * per_second + (uint64_t) t.tv_nsec / unit;
}

bool record_is_trusted(const struct stat *s)
{
	return (s->st_uid == 0 || s->st_uid == geteuid()) &&
	       (s->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Where the kernel has no such namespaces (time: since Linux 5.6) there is but one. -1 with errno. */
static int hash_namespace(uint64_t *h, const char *link)
{
	char namespace[64]; /* pid:[4026531836] */
	ssize_t length = readlink(link, namespace, sizeof namespace);

	if (length == -1)
		return errno == ENOENT ? 0 : -1;
	*h = hash_bytes(*h, namespace, (size_t) length);
	return 0;
}

/* One half says whose the PID is, the other in addition by which path the file was found. */
static const uint64_t half = UINT32_MAX;

int record_origin(uint64_t mark, uint64_t *origin)
{
	char boot[36 + 1]; /* a UUID; its newline would take another read */
	const uint64_t directory = mark_directory(mark);

	*origin = 0;
	int agree = process_numbers_agree();
	if (agree != 1)
		return agree;
	ssize_t boot_length = procfs_peek("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
	if (boot_length == -1)
		return errno == ENOENT ? 0 : -1;
	uint64_t h = hash_bytes(HASH_START, boot, (size_t) boot_length);
	if (hash_namespace(&h, "/proc/self/ns/pid") == -1 ||
		hash_namespace(&h, "/proc/self/ns/time") == -1)
		return -1;
	h = hash_bytes(h, &directory, sizeof directory);
	uint64_t of_path = hash_bytes(h, &mark, sizeof mark);
	*origin = (of_path & ~half) | (h & half);
	if (*origin == 0)
		*origin = 1;
	return 0;
}

/* Digits and, before an optional rest, a newline. */
static void parse_content(const char *text, struct record *r)
{
	uint64_t pid;
	const char *rest = text;

	r->kind = RECORD_FOREIGN;
	if (*text == '\0' && r->length == 0)
		r->kind = RECORD_EMPTY;
	if (number_read(&rest, PID_HIGHEST, &pid) == -1 || pid == 0)
		return;
	/*
	 * Behind the first line there may be the end of a longer record, of a process that was
	 * killed between its pwrite and its ftruncate.
	 */
	if (*rest == '\n')
		rest += strspn(rest, "0123456789\n");
	if (rest != text + r->length)
		return;
	r->kind = RECORD_PID;
	r->pid = (pid_t) pid;
}

struct incarnation {
	uint64_t pid, time, written, origin;
};

static int parse_attribute(const char *at, struct incarnation *i)
{
	if (number_read(&at, PID_HIGHEST, &i->pid) == -1 || *at++ != ' ' ||
		number_read(&at, UINT64_MAX, &i->time) == -1 || *at++ != ' ' ||
		number_read(&at, UINT64_MAX, &i->written) == -1 || *at++ != ' ' ||
		number_read(&at, UINT64_MAX, &i->origin) == -1 || *at != '\0')
		return -1;
	return 0;
}

/*
 * The record is written last and sets both times of the file to that moment. Whatever is done to it
 * later, a rename, a link, touch(1), a restored copy, moves ctime, which nobody can set: away from
 * mtime, or both away from the moment. Unless the clock was set meanwhile.
 */
static bool is_untouched(const struct stat *s, const struct incarnation *i)
{
	const int64_t tick = 10; /* of the kernel's clock for file times: up to 10 ms */
	int64_t changed = s->st_ctim.tv_sec * INT64_C(1000) + s->st_ctim.tv_nsec / 1000000;
	int64_t later = changed - (int64_t) i->written;
	int64_t then = (int64_t) (i->written - i->time / 1000000);
	int64_t today = (int64_t) (now(CLOCK_REALTIME, 1000) - now(CLOCK_BOOTTIME, 1000));

	return s->st_mtim.tv_sec == s->st_ctim.tv_sec && s->st_mtim.tv_nsec == s->st_ctim.tv_nsec &&
	       later >= -tick && later <= tick && today - then <= 1000 && then - today <= 1000;
}

static ssize_t get_attribute(int fd, char *text)
{
	ssize_t length = fgetxattr(fd, attribute, text, ATTRIBUTE_SIZE);

	if (length == -1 && is_unsupported())
		length = fgetxattr(fd, roots_attribute, text, ATTRIBUTE_SIZE);
	return length;
}

/* The attribute counts only if it speaks of this PID in this boot, namespaces and place. */
static int read_attribute(int fd, uint64_t origin, const struct stat *s, struct record *r)
{
	char text[ATTRIBUTE_SIZE + 1];
	struct incarnation i;
	ssize_t length = get_attribute(fd, text);

	if (length == -1)
		return errno == ENODATA || errno == ERANGE || is_unsupported() ? 0 : -1;
	text[length] = '\0';
	if (parse_attribute(text, &i) == -1 || i.pid != (uint64_t) r->pid)
		return 0;
	r->strange = origin == 0 || ((i.origin ^ origin) & half) != 0;
	if (r->strange)
		return 0;
	r->locked_at = i.time;
	if (i.origin == origin && record_is_trusted(s) && is_untouched(s, &i))
		r->untouched_since = i.written;
	return 0;
}

int record_read(int fd, uint64_t origin, struct record *r)
{
	char text[RECORD_SIZE + 1 + 1]; /* one more than a record, and a NUL */
	struct stat s;

	*r = (struct record){ 0 };
	ssize_t length = pread(fd, text, sizeof text - 1, 0);
	if (length == -1 || fstat(fd, &s) == -1)
		return -1;
	text[length] = '\0';
	r->length = (size_t) length;
	parse_content(text, r);
	/* What has content but no size is the kernel's: a setting in /proc/sys, say. */
	if (length > RECORD_SIZE || (length > 0 && s.st_size == 0))
		r->kind = RECORD_FOREIGN;
	if (r->kind != RECORD_PID)
		return 0;

	memcpy(r->text, text, r->length);
	return read_attribute(fd, origin, &s, r);
}

/*
 * 1 written, 0 not to be had on this file system, -1 with errno. At most 64 bytes, which ext4 keeps
 * in an inode of 256.
 */
static int write_attribute(int fd, pid_t pid, uint64_t time, uint64_t origin)
{
	const uint64_t numbers[] = { (uint64_t) pid, time, now(CLOCK_REALTIME, 1000), origin };
	char text[ATTRIBUTE_SIZE], *end = text;

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		if (i > 0)
			*end++ = ' ';
		end = number_write(end, numbers[i]);
	}
	size_t length = (size_t) (end - text);
	int failed = fsetxattr(fd, attribute, text, length, 0);
	if (failed && is_unsupported())
		failed = fsetxattr(fd, roots_attribute, text, length, 0);
	if (!failed)
		return 1;
	return is_unsupported() ? 0 : -1;
}

/* The record without its incarnation: 0, or -1 with errno. */
static int remove_attribute(int fd)
{
	int failed = fremovexattr(fd, attribute);

	if (failed && is_unsupported())
		failed = fremovexattr(fd, roots_attribute);
	return !failed || errno == ENODATA || is_unsupported() ? 0 : -1;
}

/*
 * pwrite and only then ftruncate: a reader finds the first line whole at every moment, never an
 * empty file. Both, also where the length stays: on NFS only then other hosts see it at once.
 */
static int write_content(int fd, const char *text, size_t length)
{
	if (length > 0) {
		ssize_t written;
		do
			written = pwrite(fd, text, length, 0);
		while (written == -1 && errno == EINTR);
		if (written != -1 && (size_t) written != length)
			errno = ENOSPC; /* a part was written: the disk is full, or a file limit
					   reached */
		if (written != (ssize_t) length)
			return -1;
	}
	int failed;
	do
		failed = ftruncate(fd, (off_t) length);
	while (failed && errno == EINTR);
	return failed;
}

static enum record_written write_both(int fd, pid_t pid, uint64_t origin)
{
	char text[NUMBER_SIZE + 1]; /* and a newline */
	char *end = number_write(text, (uint64_t) pid);
	int dated = 0;

	*end++ = '\n';
	if (origin != 0)
		dated = write_attribute(fd, pid, now(CLOCK_BOOTTIME, 1000000000), origin);
	else if (remove_attribute(fd) == -1)
		dated = -1;
	size_t length = pid == 0 ? 0 : (size_t) (end - text);
	if (dated == -1 || write_content(fd, text, length) == -1)
		return RECORD_FAILED;
	return dated == 1 ? RECORD_DATED : RECORD_UNDATED;
}

static void put_back(int fd, uint64_t origin, const struct record *old)
{
	write_content(fd, old->text, old->length);
	if (old->locked_at != 0)
		write_attribute(fd, old->pid, old->locked_at, origin);
}

enum record_written record_write(int fd, pid_t pid, uint64_t origin, const struct record *old)
{
	/* Beyond the file size limit (setrlimit(2)) shall be EFBIG and a message, not our death. */
	struct sigaction found, ignore = { .sa_handler = SIG_IGN };

	if (sigaction(SIGXFSZ, &ignore, &found) == -1)
		return RECORD_FAILED;
	enum record_written written = write_both(fd, pid, origin);
	int why = errno;
	if (written == RECORD_FAILED)
		put_back(fd, origin, old);
	if (sigaction(SIGXFSZ, &found, NULL) == -1)
		return RECORD_FAILED;
	errno = why;
	return written;
}

int record_clear(int fd)
{
	if (remove_attribute(fd) == -1)
		return -1;
	return write_content(fd, "", 0);
}

enum life record_life(const struct record *r)
{
	struct procfs_stat s;

	if (r->kind != RECORD_PID || r->locked_at == 0 || r->pid == getpid())
		return LIFE_ENDED;
	/* Nearly always this settles it, and for less than a look into /proc. */
	if (kill(r->pid, 0) == -1 && errno == ESRCH)
		return LIFE_ENDED;
	/*
	 * It may have ended just now, or be another user's and hidden from us (hidepid, proc(5)):
	 * what cannot be known counts as living.
	 */
	if (process_stat(r->pid, &s) == -1)
		return LIFE_LIVES;
	return s.ended || process_start(&s) > r->locked_at ? LIFE_ENDED : LIFE_LIVES;
}

int record_wait(const struct record *r, const struct limit *limit)
{
	int process = process_open(r->pid);

	if (process == -1)
		return errno == ESRCH ? 1 : -1;
	/* Only now, with the number pinned, is it certain that we wait for the right one. */
	int ended = record_life(r) == LIFE_ENDED ? 1 : limit_wait_readable(limit, process);
	descriptor_close(process);
	return ended;
}
