#include "opening.h"

#include "fdinfo.h"
#include "mark.h"
#include "record.h"
#include "status.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Should the name become a link, a FIFO or a terminal after we have looked, it must lead nowhere,
 * not block, and not become our terminal.
 */
enum { SAFELY = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY };

/* -- messages -- */

static _Noreturn void refuse_link(const char *name)
{
	errx(EX_DATAERR,
		"%s: is a symbolic link; name the file itself, or a directory with a slash behind "
		"it",
		name);
}

void cannot_open(const char *name)
{
	switch (errno) {
	case EACCES:
	case EPERM:
		err(EX_NOPERM, "%s", name);
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		err(EX_OSERR, "%s", name);
	case ELOOP:
		refuse_link(name);
	default:
		err(EX_CANTCREAT, "%s", name);
	}
}

void refuse_what_is_no_file(const struct stat *s, const char *name)
{
	if (S_ISLNK(s->st_mode))
		refuse_link(name);
	if (!S_ISREG(s->st_mode))
		errx(EX_DATAERR, "%s: is not a regular file, left alone", name);
}

void refuse_content(const struct lock *l)
{
	if (l->as_is)
		errx(EX_DATAERR, "%s: is a lock file, not one to be locked --as-is", l->name);
	errx(EX_DATAERR,
		"%s: holds something that is no lock record, left alone; empty it if it is an old "
		"PID "
		"file, or see --as-is",
		lock_file_name(l));
}

/* -- opening -- */

/* Also, fd may be where standard error should be: a message would end up in the lock file. */
int raise_descriptor(int fd, const char *name)
{
	enum { LOWEST = 10, HIGHEST = 63 };
	int raised = -1;

	/* dup3 fails above RLIMIT_NOFILE: there may be room below. */
	for (int n = HIGHEST; raised == -1 && n >= LOWEST; n--)
		if (fcntl(n, F_GETFD) == -1 && errno == EBADF)
			raised = dup3(fd, n, O_CLOEXEC);
	if (raised == -1)
		raised = fcntl(fd, F_DUPFD_CLOEXEC, HIGHEST + 1);
	if (raised == -1)
		raised = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int why = errno;
	close(fd); /* before any message, see above */
	errno = why;
	if (raised == -1)
		err(EX_OSERR, "%s", name);
	return raised;
}

int open_parent(const char *path, const char **name)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t length = slash == NULL ? 0 : (size_t) (slash - path) + 1;

	*name = path + length;
	if (length >= sizeof parent) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(parent, path, length);
	strcpy(parent + length, length == 0 ? "." : "");
	return open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/*
 * An executable file must not be open for writing while it is run (ETXTBSY), so a script that locks
 * itself is opened for reading, and gets a flock(2) lock alone.
 */
static int access_for(const struct lock_request *r, const struct stat *s)
{
	bool read_only = r->shared || (r->as_is && (s->st_mode & 0111) != 0);

	return read_only ? O_RDONLY : O_RDWR;
}

static int open_existing(
	const struct lock *l, const char *file, const struct lock_request *r, const struct stat *s)
{
	int fd = openat(l->parent_fd, file, SAFELY | access_for(r, s));

	if (fd == -1 && r->as_is && (errno == EACCES || errno == EROFS || errno == ETXTBSY))
		fd = openat(l->parent_fd, file, SAFELY | O_RDONLY);
	return fd;
}

static void refuse_foreign(const struct lock *l, const struct stat *s, bool as_is)
{
	refuse_what_is_no_file(s, lock_file_name(l));
	if (!as_is && s->st_size > RECORD_SIZE)
		refuse_content(l);
}

/*
 * First without O_CREAT, which with fs.protected_regular (proc(5)) refuses even root another user's
 * file in /tmp; and not before fstatat(2): opening a FIFO wakes its writer, and opening a device
 * can do anything.
 */
int open_file(const struct lock *l, const char *file, const struct lock_request *r)
{
	const char *name = lock_file_name(l);
	enum { ROUNDS = 100 };
	struct stat s;

	for (int round = 0;; round++) {
		bool exists = fstatat(l->parent_fd, file, &s, AT_SYMLINK_NOFOLLOW) == 0;
		if (!exists && (errno != ENOENT || r->as_is))
			cannot_open(name);
		if (exists)
			refuse_foreign(l, &s, r->as_is);

		int fd = exists ? open_existing(l, file, r, &s)
				: openat(l->parent_fd, file, SAFELY | O_RDWR | O_CREAT | O_EXCL,
					  r->mode);
		if (fd != -1) {
			fd = raise_descriptor(fd, name); /* before any message, see there */
			if (fstat(fd, &s) == -1)
				err(EX_OSERR, "%s", name);
			refuse_foreign(
				l, &s, r->as_is); /* what came under the name since we looked */
			return fd;
		}
		if (errno == EWOULDBLOCK)
			return -1;
		/* It went, or came, between the two calls: look again. */
		if (errno != (exists ? ENOENT : EEXIST))
			cannot_open(name);
		/* A removed file that somebody has open stays like this on SMB and 9p. */
		if (round == ROUNDS && l->fs.remote)
			return -1;
		if (round == ROUNDS)
			cannot_open(name);
	}
}

void open_directory(struct lock *l)
{
	int directory = open(l->path, O_RDONLY | O_DIRECTORY | SAFELY);

	if (directory == -1)
		cannot_open(l->name);
	l->directory = raise_descriptor(directory, l->name);
	free(l->inside);
	l->inside = malloc(strlen(l->name) + sizeof "/" LOCK_IN_DIRECTORY);
	if (l->inside == NULL)
		err(EX_OSERR, "%s", l->name);
	stpcpy(stpcpy(l->inside, l->name), "/" LOCK_IN_DIRECTORY);
}

/* The mark, the way and the file system, which are the directory's. */
static int look_at_mount(struct lock *l, int parent, const char *file)
{
	struct procfs_mount m, *found = &m;
	char *text;

	switch (fdinfo_mount(parent, &m, &text)) {
	case -1:
		return -1;
	case 0:
		found = NULL;
		m.id = UINT64_MAX;
	}
	l->mount = m.id;
	l->mark = mark_of(parent, file, found, &l->way);
	int failed = l->mark == 0 ? -1 : filesystem_look(&l->fs, found, parent);
	free(text);
	return failed;
}

void look_at_place(struct lock *l, int parent, const char *file)
{
	if (look_at_mount(l, parent, file) == -1)
		err(EX_OSERR, "%s", l->name);
}

const char *open_place(struct lock *l)
{
	const char *file = LOCK_IN_DIRECTORY;

	if (l->parent_fd == -1)
		l->parent_fd = l->directory != -1 ? l->directory : open_parent(l->path, &file);
	else if (l->directory == -1)
		file = strrchr(l->path, '/') == NULL ? l->path : strrchr(l->path, '/') + 1;
	if (l->parent_fd == -1)
		return NULL;
	look_at_place(l, l->parent_fd, file);
	return file;
}

int open_existing_to_ask(const struct lock *l, const char *file)
{
	struct stat s;
	int fd = -1;

	if (fstatat(l->parent_fd, file, &s, AT_SYMLINK_NOFOLLOW) == 0) {
		refuse_what_is_no_file(&s, lock_file_name(l));
		fd = openat(l->parent_fd, file, O_RDONLY | SAFELY);
	}
	if (fd == -1 && errno != ENOENT && errno != EWOULDBLOCK)
		cannot_open(l->name);
	return fd;
}
