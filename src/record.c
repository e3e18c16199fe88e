#include "record.h"

#include "hash.h"
#include "number.h"
#include "process.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static const char attribute[] = "user.onlyone";

enum {
	PID_HIGHEST = 1 << 22, /* PID_MAX_LIMIT of the kernel's linux/threads.h */
	ATTRIBUTE_SIZE = 3 * NUMBER_SIZE,
};

uint64_t record_origin(int fd)
{
	char boot[64];
	struct stat file, namespace;
	ssize_t length = procfs_peek("/proc/sys/kernel/random/boot_id", boot, sizeof boot);

	if (length == -1 || stat("/proc/self/ns/pid", &namespace) == -1 || fstat(fd, &file) == -1)
		return 0;
	uint64_t h = hash_bytes(HASH_START, boot, (size_t) length);
	h = hash_bytes(h, &namespace.st_ino, sizeof namespace.st_ino);
	h = hash_bytes(h, &file.st_dev, sizeof file.st_dev);
	h = hash_bytes(h, &file.st_ino, sizeof file.st_ino);
	return h != 0 ? h : 1;
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

/* The incarnation, if the attribute speaks of this PID in this boot, PID namespace and file. */
static void parse_attribute(const char *text, uint64_t origin, struct record *r)
{
	const char *at = text;
	uint64_t pid, time, from;

	if (number_read(&at, PID_HIGHEST, &pid) == -1 || *at++ != ' ' ||
		number_read(&at, UINT64_MAX, &time) == -1 || *at++ != ' ' ||
		number_read(&at, UINT64_MAX, &from) == -1 || *at != '\0')
		return;
	if (pid == (uint64_t) r->pid && from == origin && origin != 0)
		r->locked_at = time;
}

/*
 * Writing the record sets both times of the file to the same value, and attribute goes first;
 * whatever is done to the inode later (a rename, a link, a restore) moves its ctime alone. That a
 * file was here all the time since cannot be said of one that was renamed, nor of a copy.
 */
static bool untouched(const struct stat *s)
{
	return s->st_mtim.tv_sec == s->st_ctim.tv_sec && s->st_mtim.tv_nsec == s->st_ctim.tv_nsec;
}

int record_read(int fd, uint64_t origin, struct record *r)
{
	char text[RECORD_SIZE + 1 + 1]; /* one more than a record, and a NUL */
	char incarnation[ATTRIBUTE_SIZE + 1];
	struct stat s;

	*r = (struct record){ 0 };
	ssize_t length = pread(fd, text, sizeof text - 1, 0);
	if (length == -1 || fstat(fd, &s) == -1)
		return -1;
	text[length] = '\0';
	r->length = (size_t) length;
	parse_content(text, r);
	if (length > RECORD_SIZE)
		r->kind = RECORD_FOREIGN;
	if (r->kind != RECORD_PID)
		return 0;

	memcpy(r->text, text, r->length);
	length = fgetxattr(fd, attribute, incarnation, ATTRIBUTE_SIZE);
	if (length >= 0) {
		incarnation[length] = '\0';
		parse_attribute(incarnation, origin, r);
		r->vouches = r->locked_at != 0 && untouched(&s);
	} else if (errno == EOPNOTSUPP) {
		r->vouches = untouched(&s);
	} else if (errno != ENODATA && errno != ERANGE) {
		return -1;
	}
	return 0;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t); /* since Linux 2.6.39; cannot fail */
	return (uint64_t) t.tv_sec * 1000000000 + (uint64_t) t.tv_nsec;
}

/* 1 written, 0 not to be had on this file system, -1 with errno. */
static int write_attribute(int fd, pid_t pid, uint64_t time, uint64_t origin)
{
	char text[ATTRIBUTE_SIZE], *end = text;

	end = number_write(end, (uint64_t) pid);
	*end++ = ' ';
	end = number_write(end, time);
	*end++ = ' ';
	end = number_write(end, origin);
	if (fsetxattr(fd, attribute, text, (size_t) (end - text), 0) == 0)
		return 1;
	/* ENOSYS, EPERM: a sandbox forbids the call, or a file system its use. */
	return errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM ? 0 : -1;
}

/* The record without its incarnation: 0, or -1 with errno. */
static int remove_attribute(int fd)
{
	if (fremovexattr(fd, attribute) == 0 || errno == ENODATA || errno == EOPNOTSUPP ||
		errno == ENOSYS || errno == EPERM)
		return 0;
	return -1;
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

enum record_written record_write(int fd, pid_t pid, uint64_t origin, const struct record *old)
{
	char text[NUMBER_SIZE + 1]; /* and a newline */
	char *end = number_write(text, (uint64_t) pid);
	int dated = 0;

	*end++ = '\n';
	if (origin != 0)
		dated = write_attribute(fd, pid, now(), origin);
	else if (remove_attribute(fd) == -1)
		dated = -1;
	if (dated != -1 && write_content(fd, text, (size_t) (end - text)) == 0)
		return dated == 1 ? RECORD_DATED : RECORD_UNDATED;

	int saved = errno;
	write_content(fd, old->text, old->length);
	if (old->locked_at != 0)
		write_attribute(fd, old->pid, old->locked_at, origin);
	errno = saved;
	return RECORD_FAILED;
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
	if (process_stat(r->pid, &s) == 0)
		return s.ended || process_start(&s) > r->locked_at ? LIFE_ENDED : LIFE_LIVES;
	/*
	 * It may just have ended, or be another user's and hidden from us (hidepid, proc(5)): then
	 * its number is still taken, and what cannot be known counts as living.
	 */
	return kill(r->pid, 0) == -1 && errno == ESRCH ? LIFE_ENDED : LIFE_LIVES;
}

int record_wait(const struct record *r, const struct limit *limit)
{
	int process = process_open(r->pid);

	if (process == -1)
		return errno == ESRCH ? 1 : -1;
	/* Only now, with the number pinned, is it certain that we wait for the right one. */
	int ended = record_life(r) == LIFE_ENDED ? 1 : limit_wait_readable(limit, process);
	int saved = errno;
	close(process);
	errno = saved;
	return ended;
}
