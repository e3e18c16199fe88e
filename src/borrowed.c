#include "borrowed.h"

#include "deadline.h"
#include "fdinfo.h"
#include "opening.h"
#include "record.h"
#include "status.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct lock lock_of(int fd)
{
	char *name;

	if (asprintf(&name, "descriptor %d", fd) == -1) /* lives as long as the lock */
		err(EX_OSERR, "descriptor");
	struct lock l = lock_named(NULL, name);
	l.fd = fd;
	l.borrowed = true;
	return l;
}

/* How it is open (F_GETFL), and on which file; ends the program if it is not. */
static int look_at(const struct lock *l, struct stat *s)
{
	int flags = fcntl(l->fd, F_GETFL);

	if (flags == -1 || flags & O_PATH)
		errx(EX_USAGE, "%s: is not open", l->name);
	if (fstat(l->fd, s) == -1)
		err(EX_OSERR, "%s", l->name);
	return flags;
}

/* Ends the program if the descriptor cannot take the lock. */
static void check(
	const struct lock *l, const struct lock_request *r, int flags, const struct stat *s)
{
	if (S_ISDIR(s->st_mode))
		errx(EX_DATAERR, "%s: is a directory; name it as LOCK instead", l->name);
	refuse_what_is_no_file(s, l->name);
	if (!r->as_is && s->st_size > RECORD_SIZE)
		refuse_content(l);
	if (!r->shared && !r->as_is && (flags & O_ACCMODE) == O_RDONLY)
		errx(EX_USAGE,
			"%s: is open for reading only; an exclusive lock needs writing, as in "
			"%d>>FILE",
			l->name, l->fd);
	if (r->shared && (flags & O_ACCMODE) == O_WRONLY)
		errx(EX_USAGE,
			"%s: is open for writing only; a shared lock needs reading, as in %d<FILE",
			l->name, l->fd);
}

/*
 * `9>>FILE` opens for writing and appending only: it cannot be read, and pwrite(2) on it appends
 * whatever the offset. Then the record gets a descriptor of its own, on the same file; otherwise
 * the caller's will do, even if its user could no longer open the file. -1 with errno.
 */
static int open_record(const struct lock *l, int flags, bool to_write)
{
	char link[FDINFO_PATH];
	bool readable = (flags & O_ACCMODE) != O_WRONLY;
	bool writable = (flags & O_ACCMODE) == O_RDWR && !(flags & O_APPEND);

	if (to_write ? writable : readable)
		return l->fd;
	fdinfo_path(link, l->fd);
	int fd = open(link, (to_write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd == -1 ? -1 : raise_descriptor(fd, l->name);
}

/* The path by which the kernel knows fd's file, into path of PATH_MAX. -1 with errno. */
static int path_of(int fd, char *path)
{
	char link[FDINFO_PATH];

	fdinfo_path(link, fd);
	ssize_t length = readlink(link, path, PATH_MAX - 1);
	path[length == -1 ? 0 : length] = '\0';
	return length == -1 ? -1 : 0;
}

static void look_at_file(struct lock *l)
{
	char path[PATH_MAX];
	const char *file;

	if (path_of(l->fd, path) == -1)
		err(EX_OSERR, "%s: no /proc", l->name);
	l->found_as = strdup(path);
	l->parent_fd = open_parent(path, &file);
	if (l->parent_fd == -1 || l->found_as == NULL)
		cannot_open(l->name);
	look_at_place(l, l->parent_fd, file);
}

bool borrowed_is_current(const struct lock *l)
{
	char path[PATH_MAX];

	return path_of(l->fd, path) == 0 && strcmp(path, l->found_as) == 0;
}

/* The locks that the descriptor already has. Without /proc it counts as having none. */
static void remember(struct lock *l)
{
	char fdinfo[FDINFO_SIZE];
	const char *at = fdinfo;
	struct procfs_lock lock;

	if (fdinfo_read(l->fd, fdinfo) == -1) {
		if (errno == ENOENT)
			return;
		err(EX_OSERR, "%s", l->name);
	}
	while (procfs_next_lock(&at, &lock))
		for (size_t i = 0; i < l->locking.count; i++)
			/*
			 * NFS 3 shows OFD locks as POSIX; the caller's POSIX locks are not shown.
			 */
			if ((lock.family == PROCFS_FLOCK) ==
				(l->locking.parts[i].kind == KIND_FLOCK))
				l->locking.parts[i].before = lock.exclusive ? F_WRLCK : F_RDLCK;
}

void borrowed_lock(struct lock *l, int fd, const struct lock_request *r)
{
	struct stat s;

	*l = lock_of(fd);
	l->as_is = r->as_is;
	int flags = look_at(l, &s);
	check(l, r, flags, &s);
	/* A shared lock writes no record, but removes that of an exclusive lock before it. */
	l->record_fd = r->as_is ? fd : open_record(l, flags, !r->shared);
	if (l->record_fd == -1 && errno == ENOENT)
		errx(EX_OSERR, "%s: cannot be opened once more without /proc", l->name);
	if (l->record_fd == -1)
		cannot_open(l->name);
	look_at_file(l);
	lock_check_file_system(l, r);
	lock_set_parts(l, r);
	remember(l);
}

bool borrowed_was_exclusive(const struct lock *l)
{
	for (size_t i = 0; i < l->locking.count; i++)
		if (l->locking.parts[i].before == F_WRLCK)
			return true;
	return false;
}

bool borrowed_take_to_unlock(struct lock *l, int fd, bool as_is)
{
	const struct lock_request r = { .shared = true, .local = true }; /* whatever it has */
	struct stat s;

	*l = lock_of(fd);
	l->as_is = as_is;
	int flags = look_at(l, &s);
	if (!S_ISREG(s.st_mode))
		refuse_what_is_no_file(&s, l->name);
	lock_check_file_system(l, &r);
	lock_set_parts(l, &r);
	l->locking.shared = false;
	if ((flags & O_ACCMODE) == O_RDONLY || s.st_nlink == 0 ||
		(!as_is && s.st_size > RECORD_SIZE))
		return false;
	l->record_fd = as_is ? fd : open_record(l, flags, true);
	if (l->record_fd == -1)
		return false;
	look_at_file(l);
	l->locking.mark = l->mark;
	return locking_take(&l->locking, DEADLINE_NOW) == LOCK_TAKEN;
}
