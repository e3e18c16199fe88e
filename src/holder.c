#include "holder.h"

#include "descriptor.h"
#include "keeper.h"
#include "mark.h"
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char unknown[] = "held by an unknown process";
enum { NAME_SIZE = 64, COMMAND_SIZE = 160, FDINFO_SIZE = 4096 };

/* Where a lock can be: on the lock file and, if LOCK is a directory, on that. */
struct target {
	struct procfs_lock files[2];
	size_t count;
};

static bool is_target(const struct target *t, const struct procfs_lock *lock)
{
	for (size_t i = 0; i < t->count; i++)
		/* A target found in a list has an end, too: its inode may be another file's by now. */
		if (procfs_same_file(lock, &t->files[i]) &&
			(t->files[i].end == 0 || t->files[i].end == lock->end))
			return true;
	return false;
}

/* -- the descriptors of one process -- */

struct descriptors {
	pid_t pid;
	DIR *list;        /* NULL if we may not look */
	const char *name; /* the current one */
};

static struct descriptors open_descriptors(pid_t pid)
{
	char path[PROCESS_PATH];

	process_path(path, pid, "fdinfo");
	return (struct descriptors){ .pid = pid, .list = opendir(path) };
}

/* The next descriptor's fdinfo, cut to FDINFO_SIZE; the locks stand at the beginning. */
static bool next_descriptor(struct descriptors *d, char *fdinfo)
{
	char path[PROCESS_PATH], name[sizeof "fdinfo/2147483647"];
	struct dirent *entry;

	while (d->list != NULL && (entry = readdir(d->list)) != NULL) {
		if (*entry->d_name == '.' || strlen(entry->d_name) > strlen("2147483647"))
			continue;
		stpcpy(stpcpy(name, "fdinfo/"), entry->d_name);
		process_path(path, d->pid, name);
		d->name = entry->d_name;
		if (procfs_peek(path, fdinfo, FDINFO_SIZE) != -1)
			return true; /* else it was closed in between */
	}
	return false;
}

static void close_descriptors(struct descriptors *d)
{
	if (d->list != NULL)
		closedir(d->list);
}

/* The current descriptor's file. */
static void look_at_file(const struct descriptors *d, struct bearer *b)
{
	char path[PROCESS_PATH], name[sizeof "fd/2147483647"];

	stpcpy(stpcpy(name, "fd/"), d->name);
	process_path(path, d->pid, name);
	if (stat(path, &b->file) == -1)
		b->file = (struct stat){ .st_nlink = 0 };
	ssize_t length = readlink(path, b->path, sizeof b->path - 1);
	b->path[length == -1 ? 0 : length] = '\0';
	b->pid = d->pid;
}

/* Whether pid has a descriptor that bears a lock on the target, as far as we may look. */
static bool bears(pid_t pid, const struct target *t, struct bearer *b)
{
	struct descriptors d = open_descriptors(pid);
	bool found = false;
	char fdinfo[FDINFO_SIZE];
	struct procfs_lock lock;

	while (!found && next_descriptor(&d, fdinfo)) {
		const char *at = strstr(fdinfo, "\nlock:");
		while (!found && at != NULL && procfs_next_lock(&at, &lock))
			found = is_target(t, &lock);
		if (found)
			look_at_file(&d, b);
	}
	close_descriptors(&d);
	return found;
}

/*
 * Whom a keeper holds the lock for: it has a pidfd of that process. 0 if pid is no keeper, or one
 * of a user who could deceive us; -1 if that process is gone.
 */
static pid_t kept_by(pid_t pid)
{
	char name[NAME_SIZE], path[PROCESS_PATH], fdinfo[FDINFO_SIZE];
	struct stat s;
	uint64_t kept = UINT64_MAX;

	process_name(pid, name, sizeof name);
	process_path(path, pid, "");
	if (strcmp(name, KEEPER_NAME) != 0 || stat(path, &s) == -1 ||
		(s.st_uid != 0 && s.st_uid != geteuid()))
		return 0;
	struct descriptors d = open_descriptors(pid);
	while (kept == UINT64_MAX && next_descriptor(&d, fdinfo))
		kept = procfs_field(fdinfo, "Pid");
	close_descriptors(&d);
	return kept == UINT64_MAX ? -1 : (pid_t) kept;
}

static bool has_ended(pid_t pid)
{
	struct procfs_stat s;

	return process_stat(pid, &s) == -1 ? errno == ENOENT || errno == ESRCH : s.ended;
}

/* -- all processes -- */

static bool is_among(const struct holder *h, pid_t pid)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->pids[i] == pid)
			return true;
	return false;
}

static int add(struct holder *h, pid_t pid)
{
	if (is_among(h, pid))
		return 0; /* a keeper and whom it keeps may both have it */
	pid_t *larger = reallocarray(h->pids, h->count + 1, sizeof *h->pids);
	if (larger == NULL)
		return -1;
	h->pids = larger;
	h->pids[h->count++] = pid;
	return 0;
}

static int add_bearer(struct holder *h, pid_t pid)
{
	pid_t kept = kept_by(pid);

	if (kept == 0)
		return add(h, pid);
	if (kept != -1 && !has_ended(kept))
		return add(h, kept);
	h->keeper = pid;
	return 0;
}

/* Adds every process that bears a lock on the target. -1 with errno. */
static int search(struct holder *h, const struct target *t)
{
	struct dirent *entry;
	int failed = 0;

	if (process_numbers_agree() != 1)
		return 0; /* nobody whom we could name */
	DIR *processes = opendir("/proc");
	if (processes == NULL)
		return -1;
	while (!failed && (entry = readdir(processes)) != NULL) {
		pid_t pid = (pid_t) strtol(entry->d_name, NULL, 10);
		if (pid <= 0 || pid == getpid() || !bears(pid, t, &h->bearer))
			continue;
		failed = add_bearer(h, pid);
	}
	closedir(processes);
	return failed;
}

/*
 * A record counts only in a file that root or the caller owns and nobody else may write. Else a
 * user could hold a lock file of his own in /tmp, name a bystander in it, and have root signal it.
 */
static bool is_trusted(const struct lock *l)
{
	struct stat s;

	return fstat(l->content, &s) == 0 && record_is_trusted(&s);
}

static int set_recorded(struct holder *h)
{
	h->kind = HOLDER_RECORDED;
	h->count = 0;
	return add(h, h->record.pid);
}

static int set_target(struct target *t, const struct lock *l)
{
	*t = (struct target){ .count = 0 };
	if (l->fd != -1 && lock_identify(l->fd, &t->files[t->count++]) == -1)
		return -1;
	if (l->directory != -1 && lock_identify(l->directory, &t->files[t->count++]) == -1)
		return -1;
	return 0;
}

bool holder_bears(const struct lock *l, pid_t pid)
{
	struct bearer b;
	struct target t;

	return process_numbers_agree() == 1 && set_target(&t, l) == 0 && bears(pid, &t, &b);
}

/* Who holds the lock that is known to be held. A living recorded holder takes no search. */
static int identify(struct holder *h, const struct lock *l)
{
	struct target t;
	bool recorded = h->record.kind == RECORD_PID;

	if (recorded && is_trusted(l) && record_life(&h->record) == LIFE_LIVES)
		return set_recorded(h);
	h->kind = HOLDER_UNSEEN;
	if (process_numbers_agree() != 1)
		return 0;
	if (set_target(&t, l) == -1)
		return -1;
	if (recorded && bears(h->record.pid, &t, &h->bearer))
		return set_recorded(h);
	if (search(h, &t) == -1)
		return -1;
	if (recorded && is_among(h, h->record.pid))
		return set_recorded(h);
	if (h->count > 0)
		h->kind = HOLDER_OTHERS;
	return 0;
}

static int read_record(struct holder *h, const struct lock *l)
{
	h->record = (struct record){ .kind = RECORD_EMPTY };
	if (l->content == -1)
		return 0;
	uint64_t origin;
	if (record_origin(l->mark, &origin) == -1)
		return -1;
	return record_read(l->content, origin, &h->record);
}

static int find_once(struct holder *h, const struct lock *l, bool held)
{
	*h = (struct holder){ .kind = HOLDER_NONE };
	int holds = held ? 1 : lock_is_held(l);

	if (holds == -1 || read_record(h, l) == -1)
		return -1;
	if (holds)
		return identify(h, l);
	if (is_trusted(l) && record_life(&h->record) == LIFE_LIVES) {
		h->kind = HOLDER_WITHOUT_LOCK;
		return add(h, h->record.pid);
	}
	return l->mark == 0 || holder_find_displaced(h, l) != -1 || errno == ENOENT ? 0 : -1;
}

/*
 * The holder has taken the lock and is about to write its record, or has ended and its keeper has
 * not woken up yet: false when that has been given time enough, a tenth of a second or a second.
 */
static bool give_it_a_moment(const struct holder *h, int *tries)
{
	const struct timespec moment = { .tv_nsec = 5000000 }, second = { .tv_sec = 1 };
	struct limit limit = limit_after(second);

	if (h->kind != HOLDER_UNSEEN || (*tries)-- == 0)
		return false;
	if (h->keeper != 0)
		return holder_wait(h, &limit) == 1;
	return nanosleep(&moment, NULL) == 0 || errno == EINTR;
}

int holder_find(struct holder *h, const struct lock *l, bool held)
{
	int tries = 20;

	do
		if (find_once(h, l, held && tries == 20) == -1)
			return -1;
	while (give_it_a_moment(h, &tries));
	return 0;
}

/* -- a lock under this name on another file -- */

static bool is_named(const struct bearer *b, const char *name)
{
	const char *slash = strrchr(b->path, '/');

	return slash != NULL && strcmp(slash + 1, name) == 0;
}

/*
 * Two kinds of locks bear our name and do not matter. A directory that was renamed has taken its
 * lock along, with the data; one that was removed has not (its file then shows as ` (deleted)`):
 * the copy that runs in it may well write into its successor, by path. And there are forged ones.
 * In doubt it matters.
 */
static bool matters(const struct procfs_lock *lock, const struct lock *l)
{
	struct target t = { .files = { *lock }, .count = 1 };
	struct holder h = { .count = 0 };
	bool went = l->directory != -1 && !mark_same_directory(lock->end, l->mark);

	if (search(&h, &t) == -1 || (h.count == 0 && h.keeper == 0))
		return true;
	free(h.pids);
	return !(went && is_named(&h.bearer, LOCK_IN_DIRECTORY)) && !forged(l, &h.bearer);
}

static bool bears_name(const struct procfs_lock *lock, const struct lock *l)
{
	return lock->family == PROCFS_OFD && (lock->exclusive || !l->shared) &&
	       (mark_same_directory(lock->end, l->mark) || mark_same_path(lock->end, l->mark));
}

static int find_in(
	const char *list, const struct lock *l, const struct target *own, struct procfs_lock *found)
{
	while (procfs_next_lock(&list, found))
		if (bears_name(found, l) && !is_target(own, found) && matters(found, l))
			return 1;
	return 0;
}

/*
 * A list longer than a page comes in pieces, and a lock that is given back between two of them
 * moves the rest, so that one can be missed: look several times. Only the first takes long.
 */
static int find_elsewhere(const struct lock *l, struct procfs_lock *where)
{
	enum { PASSES = 3 };
	struct target own;
	int found = 0;

	if (set_target(&own, l) == -1)
		return -1;
	for (int pass = 0; pass < PASSES && !found; pass++) {
		char *list = procfs_read("/proc/locks");
		if (list == NULL)
			return -1;
		found = find_in(list, l, &own, where);
		free(list);
	}
	return found;
}

int holder_find_displaced(struct holder *h, const struct lock *l)
{
	struct target t = { .count = 1 };
	int tries = 20;

	do {
		*h = (struct holder){ .kind = HOLDER_NONE };
		int found = find_elsewhere(l, &t.files[0]);
		if (found != 1)
			return found;
		h->displaced = true;
		if (search(h, &t) == -1)
			return -1;
		h->kind = h->count > 0 ? HOLDER_OTHERS : HOLDER_UNSEEN;
	} while (give_it_a_moment(h, &tries));
	return 1;
}

/* -- telling -- */

static void tell_duration(FILE *out, uint64_t nanoseconds)
{
	uint64_t s = nanoseconds / 1000000000;
	unsigned long days = s / 86400, hours = s / 3600 % 24, minutes = s / 60 % 60;

	if (days > 0)
		fprintf(out, " for %lu d %lu h", days, hours);
	else if (hours > 0)
		fprintf(out, " for %lu h %lu min", hours, minutes);
	else if (minutes > 0)
		fprintf(out, " for %lu min %lu s", minutes, (unsigned long) s % 60);
	else
		fprintf(out, " for %lu s", (unsigned long) s);
}

/* Since the lock was taken or, where the record does not tell, since the process began. */
static void tell_since(FILE *out, const struct holder *h, pid_t pid)
{
	uint64_t since = pid == h->record.pid ? h->record.locked_at : 0;
	struct procfs_stat s;
	struct timespec t;

	if (since == 0 && process_stat(pid, &s) == 0)
		since = process_start(&s);
	clock_gettime(CLOCK_BOOTTIME, &t);
	uint64_t now = (uint64_t) t.tv_sec * 1000000000 + (uint64_t) t.tv_nsec;
	if (since != 0 && since <= now)
		tell_duration(out, now - since);
}

static void tell_processes(FILE *out, const struct holder *h, bool in_full)
{
	char what[COMMAND_SIZE];

	for (size_t i = 0; i < h->count; i++) {
		if (in_full)
			process_command(h->pids[i], what, sizeof what);
		else
			process_name(h->pids[i], what, NAME_SIZE);
		fprintf(out, "%s PID %d", i == 0 ? "held by" : ",", (int) h->pids[i]);
		if (*what != '\0')
			fprintf(out, " (%s)", what);
		if (in_full && h->count == 1)
			tell_since(out, h, h->pids[i]);
	}
}

static void tell_holder(FILE *out, const struct holder *h, bool in_full)
{
	switch (h->kind) {
	case HOLDER_NONE:
		fputs("free", out);
		break;
	case HOLDER_UNSEEN:
		fputs(in_full ? "held, by a process that cannot be seen from here" : unknown, out);
		break;
	default:
		tell_processes(out, h, in_full);
	}
	if (h->kind == HOLDER_OTHERS && h->record.kind == RECORD_PID && !h->record.strange &&
		has_ended(h->record.pid))
		fprintf(out, ": the recorded process %d has ended", (int) h->record.pid);
	if (h->kind == HOLDER_WITHOUT_LOCK)
		fputs(": it has closed the lock, but runs on", out);
	if (h->displaced)
		fputs(": the file that it locked was removed or replaced", out);
}

const char *holder_describe(const struct holder *h, bool in_full)
{
	char *line = NULL;
	size_t size;
	FILE *out = open_memstream(&line, &size);

	if (out == NULL)
		return unknown;
	tell_holder(out, h, in_full);
	return fclose(out) == EOF ? unknown : line;
}

/* -- acting -- */

int holder_wait(const struct holder *h, const struct limit *limit)
{
	pid_t pid = h->count > 0 ? h->pids[0] : h->keeper;

	if (pid == 0) {
		errno = ESRCH;
		return -1;
	}
	int process = process_open(pid);
	if (process == -1)
		return errno == ESRCH ? 1 : -1;
	int ended = limit_wait_readable(limit, process);
	descriptor_close(process);
	return ended;
}

int holder_signal(struct holder *h, const struct lock *l, int signal)
{
	int process, failed = -1;

	if (read_record(h, l) == -1)
		return -1;
	pid_t pid = h->record.kind == RECORD_PID ? h->record.pid : 0;
	/* First the pidfd, then the check: what is checked is what the pidfd holds fast. */
	process = pid == 0 ? -1 : process_open(pid);
	if (process == -1 && pid != 0 && errno != ESRCH)
		return -1;
	if (holder_find(h, l, false) == -1)
		return -1;
	errno = ESRCH;
	if (process != -1 && h->record.pid == pid &&
		(h->kind == HOLDER_RECORDED || h->kind == HOLDER_WITHOUT_LOCK))
		failed = process_signal(process, signal);
	if (process != -1)
		descriptor_close(process);
	return failed;
}
