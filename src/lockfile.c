#include "lockfile.h"

#include "borrowed.h"
#include "deadline.h"
#include "fdinfo.h"
#include "mark.h"
#include "opening.h"
#include "probe.h"
#include "record.h"
#include "status.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lock lock_named(const char *path, const char *name)
{
	return (struct lock){ .path = path,
		.name = name,
		.fd = -1,
		.record_fd = -1,
		.directory = -1,
		.parent_fd = -1,
		.mount = UINT64_MAX };
}

const char *lock_file_name(const struct lock *l)
{
	return l->inside != NULL ? l->inside : l->name;
}

/* -- locking -- */

/* The file may be on a different mount than its directory: one that is mounted over LOCK. */
static void look_at_file_system(struct lock *l)
{
	struct procfs_mount m;
	char *text;

	l->is_mounted_over = fdinfo_mount_id(l->fd) != l->mount;
	if (!l->is_mounted_over)
		return;
	int found = fdinfo_mount(l->fd, &m, &text);
	if (found == -1 || filesystem_look(&l->fs, found == 1 ? &m : NULL, l->fd) == -1)
		err(EX_OSERR, "%s", l->name);
	free(text);
}

/* Before the first lock call, which might never return. */
static void require_answer(const struct lock *l, int64_t deadline)
{
	int answered = l->fs.remote ? probe_server(l->fd, deadline) : 1;

	if (answered == -1)
		err(EX_OSERR, "%s", l->name);
	if (answered == 0)
		errx(EX_OSERR, "%s: the file server does not answer", l->name);
}

static void require_reach(const struct lock *l, const struct lock_request *r)
{
	if (l->fs.reach == REACH_HOST && !r->local)
		errx(EX_OSERR,
			"%s: locks on this file system (%s) reach this host only; --local says "
			"that "
			"one host is enough",
			l->name, l->fs.type);
}

static void add_part(struct lock *l, int fd, enum lock_kind kind)
{
	l->locking.parts[l->locking.count++] = (struct lock_part){
		.fd = fd, .kind = kind, .before = F_UNLCK
	};
}

void lock_check_file_system(struct lock *l, const struct lock_request *r)
{
	look_at_file_system(l);
	require_reach(l, r);
	require_answer(l, r->deadline);
}

void lock_set_parts(struct lock *l, const struct lock_request *r)
{
	int flags = fcntl(l->fd, F_GETFL);
	/* A write lock of fcntl(2) needs a writable descriptor. */
	bool can_fcntl = r->shared || (flags & O_ACCMODE) != O_RDONLY;

	if (flags == -1)
		err(EX_OSERR, "%s", l->name);
	l->locking = (struct locking){
		.shared = r->shared, .eacces_is_held = l->fs.eacces_is_held, .mark = l->mark
	};
	if (l->directory != -1)
		add_part(l, l->directory, KIND_FLOCK);
	if (!l->fs.fcntl_only)
		add_part(l, l->fd, KIND_FLOCK);
	if (can_fcntl)
		add_part(l, l->fd, KIND_FCNTL);
	if (l->locking.count == 0)
		errx(EX_OSERR, "%s: cannot be locked for reading only on this file system",
			l->name);
}

static bool is_directory(const char *path)
{
	struct stat s;

	return lstat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/*
 * The directory itself is locked with flock(2), since a write lock of fcntl(2) needs a writable
 * descriptor: that lock stays when everything inside is removed. And it is locked first, so that a
 * directory that somebody else has locked gets no file.
 */
static enum lock_outcome take_directory(
	struct lock *l, const struct lock_request *r, int64_t deadline)
{
	if (l->directory == -1)
		open_directory(l);
	l->locking = (struct locking){ .shared = r->shared };
	add_part(l, l->directory, KIND_FLOCK);
	return locking_take(&l->locking, deadline);
}

static enum lock_outcome open_and_take(
	struct lock *l, const struct lock_request *r, int64_t deadline)
{
	if (l->fd == -1) {
		/* A directory is open already if somebody else had it the last time. */
		if (l->directory != -1 || is_directory(l->path)) {
			if (r->as_is)
				errx(EX_DATAERR, "%s: is a directory; --as-is is for files",
					l->name);
			enum lock_outcome outcome = take_directory(l, r, deadline);
			if (outcome != LOCK_TAKEN)
				return outcome;
		}
		const char *file = open_place(l);
		if (file == NULL)
			cannot_open(l->name);
		l->fd = l->record_fd = open_file(l, file, r);
		l->as_is = r->as_is;
		if (l->fd == -1) {
			lock_release(l);
			return LOCK_HELD;
		}
		lock_check_file_system(l, r);
		lock_set_parts(l, r);
	}
	return locking_take(&l->locking, deadline);
}

/* Whether path, in parent, is the file that fd is open on. */
static bool leads_to(int parent, const char *path, int fd, const char *name)
{
	struct stat named, opened;

	if (fstatat(parent, path, &named, AT_SYMLINK_NOFOLLOW) == -1) {
		if (errno == ENOENT || errno == ESTALE)
			return false;
		cannot_open(name);
	}
	if (fstat(fd, &opened) == -1)
		cannot_open(name);
	return is_same_file(&named, &opened);
}

/*
 * Between open and lock somebody may have replaced the file, and where lock files are unlinked that
 * is what a waiter usually finds: our lock would be on something that the next start does not look
 * at.
 */
static bool is_current(const struct lock *l)
{
	struct stat s;

	if (l->borrowed)
		return borrowed_is_current(l) && fstat(l->fd, &s) == 0 && s.st_nlink > 0;
	if (l->directory == -1)
		return leads_to(AT_FDCWD, l->path, l->fd, l->name);
	return leads_to(AT_FDCWD, l->path, l->directory, l->name) &&
	       leads_to(l->directory, LOCK_IN_DIRECTORY, l->fd, l->inside);
}

/* Where no record can vouch, every start looks, and to be current is enough (tests/model). */
bool lock_has_stayed(const struct lock *l, const struct way_seen *seen)
{
	struct way_seen now;

	if (!is_current(l))
		return false;
	return !l->fs.moves_show || (way_see(&l->way, l->fd, l->parent_fd, &now) == 0 &&
					    way_is_as_it_was(&l->way, seen, &now));
}

bool lock_has_mark(const struct lock *l)
{
	bool flock_alone = l->locking.count > 0;

	for (size_t i = 0; i < l->locking.count; i++)
		flock_alone = flock_alone && l->locking.parts[i].kind == KIND_FLOCK;
	return l->mark != 0 && !flock_alone;
}

static void require_kept(const struct lock *l)
{
	int kept = lock_has_mark(l) ? filesystem_keeps_lock(l->fd, &l->fs, l->mark) : 1;

	if (kept == 1)
		return;
	lock_release(l);
	if (kept == -1)
		err(EX_OSERR, "%s", l->name);
	errx(EX_OSERR, "%s: this file system (%s) hides its locks and may never give them back",
		l->name, l->fs.type);
}

enum lock_outcome lock_take(struct lock *l, const struct lock_request *r, int64_t deadline)
{
	enum {
		ROUNDS = 1000
	}; /* for 9p, where a file that the other side removed is never current */

	for (int round = 0; round < ROUNDS; round++) {
		enum lock_outcome outcome = open_and_take(l, r, deadline);
		if (outcome == LOCK_HELD)
			return outcome;
		if (outcome == LOCK_FAILED) {
			lock_release(l);
			err(EX_OSERR, "%s: cannot be locked", l->name);
		}
		if (outcome == LOCK_TAKEN && is_current(l)) {
			require_kept(l);
			return outcome;
		}
		lock_release(l);
		if (l->borrowed)
			errx(EX_OSERR, "%s: its file was removed or renamed; open it again",
				l->name);
		lock_close(l);
	}
	errx(EX_OSERR, "%s: is replaced again and again", l->name);
}

void lock_release(const struct lock *l)
{
	locking_release(&l->locking);
}

int lock_unlock(const struct lock *l)
{
	return locking_unlock(&l->locking);
}

void lock_close(struct lock *l)
{
	if (l->borrowed)
		return; /* its descriptors are as they were found */
	if (l->fd != -1)
		close(l->fd);
	if (l->parent_fd != l->directory && l->parent_fd != -1)
		close(l->parent_fd);
	if (l->directory != -1)
		close(l->directory);
	free(l->inside);
	*l = lock_named(l->path, l->name);
}

/* -- questions -- */

void lock_open_to_ask(struct lock *l, int64_t deadline)
{
	if (l->directory == -1 && is_directory(l->path))
		open_directory(l);
	const char *file = open_place(l);
	if (file == NULL && errno == ENOENT)
		return;
	if (file == NULL)
		cannot_open(l->name);
	l->fd = l->record_fd = open_existing_to_ask(l, file);
	if (l->fd == -1)
		return;
	look_at_file_system(l);
	require_answer(l, deadline);
}

int lock_state(const struct lock *l)
{
	/* A lock beyond our range is in nobody's way. */
	struct flock range = { .l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_len = l->mark == 0 ? 0 : (off_t) l->mark + 1 };

	if (l->fd == -1)
		return LOCK_FREE;
	if (fcntl(l->fd, F_OFD_GETLK, &range) == -1)
		return -1;
	if (range.l_type == F_UNLCK)
		return LOCK_FREE;
	bool ours = range.l_start == 0 && mark_is((uint64_t) range.l_len - 1);
	return ours && range.l_type == F_WRLCK ? LOCK_HELD_BY_ONE : LOCK_HELD_BY_ANY;
}
