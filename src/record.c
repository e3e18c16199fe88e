#include "record.h"

#include "attribute.h"
#include "deadline.h"
#include "mark.h"
#include "number.h"
#include "retry.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PID_HIGHEST = 1 << 22 }; /* PID_MAX_LIMIT of the kernel's linux/threads.h */

/* -- reading -- */

/* Digits, as many as a PID may have, and newlines. */
static bool is_pids(const char *text)
{
	uint64_t pid;

	while (*text != '\0') {
		if (*text == '\n')
			text++;
		else if (number_read(&text, 10, PID_HIGHEST, &pid) == -1)
			return false;
	}
	return true;
}

/*
 * After the empty line there may be the end of a longer record, if a process was killed between its
 * pwrite and its ftruncate, or PIDs that a script has added.
 */
static bool is_a_record(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return *text != '0' && digits > 0 && text[digits] == '\n' && text[digits + 1] == '\n' &&
	       is_pids(text);
}

/*
 * Whether the file is ours, by its content. The attribute makes it ours even if a script has
 * written PIDs of its own into it, and so does the place, in a directory.
 */
static bool is_ours(const struct lock *l, const struct record *r)
{
	/* What has content but no size is the kernel's, such as a setting in /proc/sys. */
	if (r->file.st_size > RECORD_SIZE || r->file.st_size == 0 || r->length > strlen(r->text))
		return false;
	if (r->attribute_length > 0)
		return r->text[strspn(r->text, "0123456789\n")] == '\0';
	return is_a_record(r->text) || (l->directory != -1 && is_pids(r->text));
}

static bool is_nul(const char *text, size_t length)
{
	while (length > 0 && text[length - 1] == '\0')
		length--;
	return length == 0;
}

static void judge_content(const struct lock *l, struct record *r)
{
	const char *at = r->text;
	uint64_t pid;

	/* NULs alone are what a power failure leaves on XFS and vfat. */
	bool is_blank = (r->attribute_length > 0 || l->directory != -1) &&
			r->file.st_size <= RECORD_SIZE && is_nul(r->text, r->length);
	if (r->length == 0 || is_blank)
		return;
	r->kind = is_ours(l, r) ? RECORD_PID : RECORD_FOREIGN;
	if (r->kind == RECORD_PID && number_read(&at, 10, PID_HIGHEST, &pid) == 0)
		r->pid = (pid_t) pid;
}

struct attribute {
	uint64_t pid, start, locked, written, scope, mark;
};

static int parse_numbers(const char *at, unsigned base, uint64_t *const numbers[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && *at++ != ' ')
			return -1;
		if (number_read(&at, base, UINT64_MAX, numbers[i]) == -1)
			return -1;
	}
	return *at == '\0' ? 0 : -1;
}

/* When the host was booted, by the clock as it is now: it moves when the clock is set. */
static int64_t boot_moment(void)
{
	return clock_now(CLOCK_REALTIME) - clock_now(CLOCK_BOOTTIME);
}

/* What comes from a file may be any number, and the difference of two may overflow. */
static bool is_near(int64_t a, int64_t b, int64_t tolerance)
{
	int64_t difference;

	return !__builtin_sub_overflow(a, b, &difference) && difference >= -tolerance &&
	       difference <= tolerance;
}

/*
 * `PID TIME WRITTEN ORIGIN` of version 1.0.0: a process that began before TIME. ORIGIN was made
 * from what this version no longer looks at, so place and PID namespace are not compared.
 */
static int parse_old_attribute(const char *text, struct record *r)
{
	uint64_t pid = 0, time = 0, written = 0, origin = 0;
	uint64_t *const numbers[] = { &pid, &time, &written, &origin };
	struct procfs_stat s;

	if (parse_numbers(text, 10, numbers, 4) == -1 || pid == 0 || pid > PID_HIGHEST)
		return -1;
	r->pid = (pid_t) pid;
	r->has_incarnation = time < INT64_MAX && written < INT64_MAX / MILLISECOND &&
			     is_near((int64_t) written * MILLISECOND - (int64_t) time,
				     boot_moment(), SECOND) /* of this boot */
			     && process_stat(r->pid, &s) == 0 &&
			     process_began(&s) <= (int64_t) time;
	if (r->has_incarnation) {
		r->start = s.start;
		r->locked_at = (int64_t) time;
	}
	return 0;
}

bool record_is_trusted(const struct stat *s)
{
	return (s->st_uid == 0 || s->st_uid == geteuid()) &&
	       (s->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/*
 * The record is written last and sets both times of the file to that moment. Whatever is done to it
 * later (a rename, a link, touch(1), a restored copy) moves ctime, which nobody can set: away from
 * mtime, or both away from that moment; unless the clock was set meanwhile. A time without a
 * fraction is that of a file system that keeps none, and says too little.
 */
static bool is_untouched(const struct stat *s, int64_t written, int64_t locked)
{
	const int64_t tick = 10 * MILLISECOND; /* file times lag behind the clock by up to that */
	int64_t changed = in_nanoseconds(&s->st_ctim);

	return s->st_mtim.tv_sec == s->st_ctim.tv_sec && s->st_mtim.tv_nsec == s->st_ctim.tv_nsec &&
	       s->st_ctim.tv_nsec != 0 && is_near(changed, written, tick) &&
	       is_near(written - locked, boot_moment(), RECORD_CLOCK_TOLERANCE);
}

/* The attribute counts only if it is about this boot, PID namespace and place. */
static void judge_attribute(const struct lock *l, uint32_t scope, struct record *r)
{
	struct attribute a = { 0 };
	uint64_t *const numbers[] = { &a.pid, &a.start, &a.locked, &a.written, &a.scope, &a.mark };

	if (scope == 0 || parse_old_attribute(r->attribute, r) == 0)
		return;
	if (parse_numbers(r->attribute, 16, numbers, 6) == -1 || a.pid == 0 ||
		a.pid > PID_HIGHEST || a.locked > INT64_MAX / MILLISECOND ||
		a.written > INT64_MAX / MILLISECOND)
		return;
	r->pid = (pid_t) a.pid;
	bool here = mark_same_directory(a.mark, l->mark) || mark_same_path(a.mark, l->mark);
	if (a.scope != scope || !here)
		return;
	r->has_incarnation = true;
	r->start = a.start;
	r->locked_at = (int64_t) a.locked * MILLISECOND;
	int64_t written = (int64_t) a.written * MILLISECOND;
	if (a.mark == l->mark && record_is_trusted(&r->file) &&
		is_untouched(&r->file, written, r->locked_at))
		r->untouched_since = written;
}

static int read_content(const struct lock *l, struct record *r)
{
	ssize_t length = l->as_is ? 0 : pread(l->record_fd, r->text, RECORD_SIZE, 0);

	if (length == -1 && errno == EACCES && l->fs.eacces_is_held)
		length = 0; /* another host's lock is mandatory there: it cannot be read */
	if (length == -1 || fstat(l->record_fd, &r->file) == -1)
		return -1;
	r->length = (size_t) length;
	return 0;
}

/* A lock file that is to be locked as it is, or the other way round: 1, 0, or -1 with errno. */
static int is_of_the_other_kind(const struct lock *l, const struct record *r)
{
	char other[ATTRIBUTE_SIZE + 1];

	if (r->attribute_length > 0)
		return 0;
	ssize_t length = attribute_get(l, !l->as_is, other);
	return length == -1 ? -1 : length > 0;
}

int record_read(const struct lock *l, uint32_t scope, struct record *r)
{
	*r = (struct record){ .kind = RECORD_EMPTY };
	if (read_content(l, r) == -1)
		return -1;
	ssize_t length = attribute_get(l, l->as_is, r->attribute);
	if (length == -1)
		return -1;
	r->attribute_length = (size_t) length;
	int other = is_of_the_other_kind(l, r);
	if (other == -1)
		return -1;
	judge_content(l, r);
	if (other == 1)
		r->kind = RECORD_FOREIGN;
	if (r->kind != RECORD_FOREIGN && r->attribute_length > 0)
		judge_attribute(l, scope, r);
	if (r->kind == RECORD_EMPTY && r->pid != 0)
		r->kind = RECORD_PID;
	return 0;
}

enum process_life record_life(const struct record *r)
{
	if (r->kind != RECORD_PID || !r->has_incarnation || r->pid == getpid())
		return PROCESS_ENDED;
	return process_life(r->pid, r->start);
}

/* -- writing -- */

static int write_attribute(const struct lock *l, const struct record_request *w)
{
	char text[ATTRIBUTE_SIZE];
	int64_t written = w->vouches ? clock_now(CLOCK_REALTIME) : 0;

	if (w->who.scope == 0)
		return attribute_remove(l);
	int length = snprintf(text, sizeof text,
		"%x %" PRIx64 " %" PRIx64 " %" PRIx64 " %x %" PRIx64, (unsigned) w->who.pid,
		w->who.start, (uint64_t) (clock_now(CLOCK_BOOTTIME) / MILLISECOND),
		(uint64_t) (written / MILLISECOND), w->who.scope, l->mark);
	return attribute_set(l, text, (size_t) length);
}

/*
 * pwrite and only then ftruncate: at every moment a reader finds the first line whole, never an
 * empty file. Both, even if the length stays the same: on NFS other hosts see it at once only then.
 */
static int write_content(const struct lock *l, const char *text, size_t length)
{
	if (l->as_is)
		return 0;
	if (length > 0) {
		ssize_t written = RETRY(pwrite(l->record_fd, text, length, 0));
		if (written != -1 && (size_t) written != length)
			errno = ENOSPC; /* the disk is full, or a file limit reached */
		if (written != (ssize_t) length)
			return -1;
	}
	return RETRY(ftruncate(l->record_fd, (off_t) length));
}

static int write_pid(const struct lock *l, pid_t pid)
{
	char text[16];
	int length = pid == 0 ? 0 : snprintf(text, sizeof text, "%d\n\n", (int) pid);

	return write_content(l, text, (size_t) length);
}

/*
 * The attribute decides whose record it is. Usually it goes first, so that the file's times, which
 * vouch for the record, are those of the content. Where the old record still guards its process it
 * goes last: if we are killed between the two, that guard must still be there.
 */
static enum record_written write_both(const struct lock *l, const struct record_request *w)
{
	if (w->keep_guard && write_pid(l, w->who.pid) == -1)
		return RECORD_NO_CONTENT;
	int dated = write_attribute(l, w);
	if (dated == -1)
		return RECORD_NO_ATTRIBUTE;
	if (!w->keep_guard && write_pid(l, w->who.pid) == -1)
		return RECORD_NO_CONTENT;
	return dated == 1 ? RECORD_WITH_INCARNATION : RECORD_WITHOUT_INCARNATION;
}

void record_put_back(const struct lock *l, const struct record *old)
{
	write_content(l, old->text, old->length);
	if (old->attribute_length > 0)
		attribute_set(l, old->attribute, old->attribute_length);
	else
		attribute_remove(l);
}

enum record_written record_write(
	const struct lock *l, const struct record_request *w, const struct record *old)
{
	/* Beyond the file size limit (setrlimit(2)) we want EFBIG and a message, not death. */
	struct sigaction found, ignore = { .sa_handler = SIG_IGN };

	if (sigaction(SIGXFSZ, &ignore, &found) == -1)
		return RECORD_NO_CONTENT;
	enum record_written written = write_both(l, w);
	int why = errno;
	/*
	 * Since Linux 6.13 a change after a stat(2) gets a time of its own, even in the same tick:
	 * so ask now, or a change to this file might go unseen.
	 */
	struct stat s;
	fstat(l->record_fd, &s);
	if (written == RECORD_NO_CONTENT || written == RECORD_NO_ATTRIBUTE)
		record_put_back(l, old);
	if (sigaction(SIGXFSZ, &found, NULL) == -1)
		return RECORD_NO_CONTENT;
	errno = why;
	return written;
}

int record_clear(const struct lock *l)
{
	return attribute_remove(l) == -1 ? -1 : write_content(l, "", 0);
}
