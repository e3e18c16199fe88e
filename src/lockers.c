#include "lockers.h"

#include "fdinfo.h"
#include "mark.h"
#include "number.h"
#include "process.h"
#include "record.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool fits(const struct procfs_lock *lock, const struct locker_target *t)
{
	if (!procfs_same_numbers(lock, &t->lock) || (t->marked && !mark_is_borne_by(lock)))
		return false;
	if (t->file_is_known && lock->family == PROCFS_FLOCK)
		return true;
	if (t->file_is_known)
		return !t->flock_alone && lock->start <= t->lock.end;
	return lock->family == t->lock.family && lock->end == t->lock.end;
}

static int add(struct lockers *found, const struct locker *l)
{
	for (size_t i = 0; i < found->count; i++)
		if (found->all[i].pid == l->pid && found->all[i].target == l->target) {
			found->all[i].has_ours = found->all[i].has_ours || l->has_ours;
			return 0;
		}
	struct locker *larger = reallocarray(found->all, found->count + 1, sizeof *larger);
	if (larger == NULL)
		return -1;
	found->all = larger;
	found->all[found->count++] = *l;
	return 0;
}

static void read_path(const char *link, char *path, size_t size)
{
	char whole[PATH_MAX];
	ssize_t length = readlink(link, whole, sizeof whole - 1);
	size_t cut = length >= (ssize_t) size ? (size_t) length - size + 1 : 0;

	whole[length == -1 ? 0 : length] = '\0';
	strcpy(path, whole + cut);
}

bool locker_may_be_named(pid_t pid, const struct stat *s)
{
	if ((s->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return false;
	return record_is_trusted(s) || process_is_of(pid, s->st_uid);
}

/* Whether the descriptor's file is the target's, as far as that can be told. */
static bool is_proven(
	struct lockers *found, const char *link, const struct locker_target *t, struct locker *l)
{
	struct stat s;

	if (stat(link, &s) == -1) {
		if (errno == EACCES)
			found->complete = false;
		return !t->file_is_known; /* else it was closed in between */
	}
	l->may_be_named = locker_may_be_named(l->pid, &s);
	return !t->file_is_known || is_same_file(&s, &t->file);
}

static int look_at_descriptor(struct lockers *found, pid_t pid, const char *fd,
	const struct locker_target *targets, size_t count)
{
	char link[PROCESS_PATH + NAME_MAX], path[PROCESS_PATH + NAME_MAX], fdinfo[FDINFO_SIZE];
	struct procfs_lock lock;

	/*
	 * Files only: to show an epoll instance the kernel waits for whoever is polling it, and
	 * that may be for ever, on a file server of that user's own.
	 */
	snprintf(link, sizeof link, "/proc/%d/fd/%s", (int) pid, fd);
	if (readlink(link, fdinfo, 1) == 1 && *fdinfo != '/')
		return 0;
	snprintf(path, sizeof path, "/proc/%d/fdinfo/%s", (int) pid, fd);
	if (procfs_peek(path, fdinfo, sizeof fdinfo) == -1)
		return 0; /* closed in between */
	for (const char *at = strstr(fdinfo, "\nlock:");
		at != NULL && procfs_next_lock(&at, &lock);)
		for (size_t i = 0; i < count; i++) {
			struct locker l = { .pid = pid,
				.target = i,
				.exclusive = lock.exclusive,
				.has_ours = lock.exclusive && mark_is_borne_by(&lock) };
			if (!fits(&lock, &targets[i]) || !is_proven(found, link, &targets[i], &l))
				continue;
			read_path(link, l.path, sizeof l.path);
			if (add(found, &l) == -1)
				return -1;
		}
	return 0;
}

static int look_at_process(
	struct lockers *found, pid_t pid, const struct locker_target *targets, size_t count)
{
	char path[PROCESS_PATH];
	struct dirent *entry;
	int failed = 0;

	process_path(path, pid, "fdinfo");
	DIR *list = opendir(path);
	if (list == NULL) {
		if (errno == EACCES)
			found->complete = false;
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -1 : 0;
	}
	while (!failed && (entry = readdir(list)) != NULL)
		if (*entry->d_name != '.')
			failed = look_at_descriptor(found, pid, entry->d_name, targets, count);
	closedir(list);
	return failed;
}

int lockers_find(struct lockers *found, const struct locker_target *targets, size_t count)
{
	struct dirent *entry;
	uint64_t pid;
	int failed = 0;

	*found = (struct lockers){ .complete = true };
	DIR *processes = opendir("/proc");
	if (processes == NULL)
		return -1;
	while (!failed && (entry = readdir(processes)) != NULL) {
		const char *at = entry->d_name;
		if (number_read(&at, 10, INT_MAX, &pid) == 0 && (pid_t) pid != getpid())
			failed = look_at_process(found, (pid_t) pid, targets, count);
	}
	int why = errno;
	closedir(processes);
	errno = why;
	return failed;
}

void lockers_free(struct lockers *found)
{
	free(found->all);
	*found = (struct lockers){ .count = 0 };
}

bool locker_is(pid_t pid, const struct locker_target *targets, size_t count)
{
	struct lockers found = { .complete = true };
	bool is = look_at_process(&found, pid, targets, count) == 0 && found.count > 0;

	lockers_free(&found);
	return is;
}

/*
 * How many flock(2) locks /proc/locks lists with the target's numbers, or -1 with errno; and how many
 * marked locks of fcntl(2). Nobody has one of these on the target itself (lock_state), so they are on
 * other files, and so, as it seems, are as many of the former: that is how we lock.
 */
static int count_listed(const struct locker_target *t, int *marked)
{
	struct procfs_lock lock;
	size_t pieces;
	int flocked = 0;

	*marked = 0;
	char *list = procfs_read("/proc/locks", &pieces);
	if (list == NULL)
		return errno == ENOENT ? 0 : -1;
	for (const char *at = list; procfs_next_lock(&at, &lock);) {
		bool same = procfs_same_numbers(&lock, &t->lock);
		flocked += same && lock.family == PROCFS_FLOCK;
		*marked += same && mark_is_borne_by(&lock);
	}
	free(list);
	return flocked;
}

/*
 * In another PID namespace than the first /proc/locks leaves out the flock(2) locks whose taker has
 * ended, or is outside (locks_translate_pid() in fs/locks.c).
 */
static bool is_list_whole(void)
{
	static const char first[] = "pid:[4026531836]"; /* PROC_PID_INIT_INO of linux/proc_ns.h */
	char namespace[64];
	ssize_t length = readlink("/proc/self/ns/pid", namespace, sizeof namespace);

	return length == (ssize_t) strlen(first) && memcmp(namespace, first, strlen(first)) == 0;
}

int lockers_flocked(const struct locker_target *t, bool is_unique, bool can_name)
{
	struct lockers found;
	int marked, listed = count_listed(t, &marked);

	if (listed == -1)
		return -1;
	if (!can_name || (listed > 0 && is_unique) || (listed == 0 && is_list_whole()))
		return listed > 0;
	if (lockers_find(&found, t, 1) == -1)
		return -1;
	bool hidden = !found.complete || geteuid() != 0;
	int held = found.count > 0 || (listed > marked && hidden);
	lockers_free(&found);
	return held;
}
