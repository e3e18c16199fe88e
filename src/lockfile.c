#include "lockfile.h"

#include "descriptor.h"
#include "mark.h"
#include "number.h"
#include "record.h"
#include "status.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/*
 * Should the name become a link, a FIFO or a terminal after we have looked, it must lead nowhere,
 * not block, and not become our terminal.
 */
enum { SAFELY = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY };
enum { LOWEST = 10, HIGHEST = 63 };
enum { NFS_MAGIC = 0x6969 }; /* statfs(2) */

static _Noreturn void cannot_open(const char *path)
{
	switch (errno) {
	case EACCES:
	case EPERM:
		err(EX_NOPERM, "%s", path);
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		err(EX_OSERR, "%s", path);
	case ELOOP:
		errx(EX_DATAERR, "%s: is a symbolic link; name the file itself", path);
	default:
		err(EX_CANTCREAT, "%s", path);
	}
}

/*
 * Moves fd, close-on-exec, to the highest free number in 10..63: out of reach of a shell's
 * `exec 3>` and of systemd's LISTEN_FDS, and inside the first 64 slots of the kernel's descriptor
 * table, so that the command's own forks copy no larger table. Also, fd may be where standard
 * error should be: a message would end up in the lock file.
 */
static int raise_descriptor(int fd, const char *path)
{
	int raised = -1;

	/* dup3 fails above RLIMIT_NOFILE: there may be room below. */
	for (int n = HIGHEST; raised == -1 && n >= LOWEST; n--)
		if (fcntl(n, F_GETFD) == -1 && errno == EBADF)
			raised = dup3(fd, n, O_CLOEXEC);
	if (raised == -1)
		raised = fcntl(fd, F_DUPFD_CLOEXEC, HIGHEST + 1);
	if (raised == -1)
		raised = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	descriptor_close(fd); /* before any message, see above */
	if (raised == -1)
		err(EX_OSERR, "%s", path);
	return raised;
}

/* -- opening -- */

static struct lock unopened(const char *path)
{
	return (struct lock){
		.path = path, .fd = -1, .content = -1, .directory = -1, .parent = -1
	};
}

const char *lock_file_name(const struct lock *l)
{
	return l->inside != NULL ? l->inside : l->path;
}

static void refuse_foreign(const char *path, const struct stat *s)
{
	if (S_ISLNK(s->st_mode)) {
		errno = ELOOP;
		cannot_open(path);
	}
	if (!S_ISREG(s->st_mode))
		errx(EX_DATAERR, "%s: is not a regular file, left alone", path);
	if (s->st_size > RECORD_SIZE)
		errx(EX_DATAERR, "%s: holds something that is no lock record, left alone", path);
}

/*
 * First without O_CREAT, which with fs.protected_regular (proc(5)) refuses even root another
 * user's file in /tmp; and not before lstat, for to open a FIFO wakes its writer, and to open a
 * device can do anything.
 */
static int open_file(int parent, const char *name, const char *path, const struct lock_wish *w)
{
	struct stat s;

	for (;;) {
		bool exists = fstatat(parent, name, &s, AT_SYMLINK_NOFOLLOW) == 0;
		if (!exists && errno != ENOENT)
			cannot_open(path);
		if (exists)
			refuse_foreign(path, &s);

		int fd = exists ? openat(parent, name, SAFELY | (w->shared ? O_RDONLY : O_RDWR))
				: openat(parent, name, SAFELY | O_RDWR | O_CREAT | O_EXCL, w->mode);
		if (fd != -1) {
			fd = raise_descriptor(fd, path); /* before any message, see there */
			if (fstat(fd, &s) == -1)
				err(EX_OSERR, "%s", path);
			refuse_foreign(path, &s); /* what came under the name since we looked */
			return fd;
		}
		/* It went, or came, between the two calls: look again. */
		if (errno != (exists ? ENOENT : EEXIST))
			cannot_open(path);
	}
}

/* The directory that path stands in, for *name in it. -1 with errno. */
static int open_parent(const char *path, const char **name)
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

static int open_directory(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | SAFELY);
}

static void set_mark(struct lock *l, int parent, const char *name)
{
	l->mark = mark_of(parent, name);
	if (l->mark == 0)
		err(EX_OSERR, "%s", l->path);
}

/* `LOCK/.onlyone`, for messages. */
static char *path_inside(const char *directory)
{
	char *path = malloc(strlen(directory) + sizeof "/" + sizeof LOCK_IN_DIRECTORY);

	if (path == NULL)
		err(EX_OSERR, "%s", directory);
	stpcpy(stpcpy(stpcpy(path, directory), "/"), LOCK_IN_DIRECTORY);
	return path;
}

/* Opens what the lock file stands in, and returns its name there; NULL with errno. */
static const char *open_place(struct lock *l)
{
	const char *name = LOCK_IN_DIRECTORY;

	l->parent = l->directory != -1 ? l->directory : open_parent(l->path, &name);
	if (l->parent == -1)
		return NULL;
	set_mark(l, l->parent, name);
	return name;
}

static void open_locked_file(struct lock *l, const struct lock_wish *w)
{
	if (l->directory != -1)
		l->inside = path_inside(l->path);
	const char *name = open_place(l);
	if (name == NULL)
		cannot_open(l->path);
	l->fd = l->content = open_file(l->parent, name, lock_file_name(l), w);
}

/* -- locking -- */

enum family { FCNTL, FLOCK };

/* One attempt; -1 with errno. */
static int attempt(const struct lock *l, int fd, enum family family, bool wait)
{
	if (family == FLOCK)
		return flock(fd, (l->shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB));
	struct flock range = {
		.l_type = l->shared ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = 0,
		.l_len = (off_t) l->mark + 1,
	};
	return fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range);
}

/* Blocks in the kernel until the lock is ours or the limit is reached; -1 with errno. */
static int attempt_until(
	const struct lock *l, int fd, enum family family, const struct limit *limit)
{
	struct limit_alarm alarm;
	int failed, why;

	if (limit_arm(limit, &alarm) == -1)
		err(EX_OSERR, "%s: no timer", l->path);
	do
		failed = attempt(l, fd, family, true);
	while (failed && errno == EINTR && !limit_reached(limit));
	why = errno;
	if (limit_disarm(&alarm) == -1)
		err(EX_OSERR, "%s: no timer", l->path);
	errno = why;
	return failed;
}

enum taking { TAKEN, HELD, REPLACED };

static enum taking take(const struct lock *l, int fd, enum family family, const struct limit *limit)
{
	int failed;

	do
		failed = attempt(l, fd, family, false);
	while (failed && errno == EINTR); /* not to wait can take time too, on NFS and FUSE */
	if (failed && (errno == EAGAIN || errno == EACCES)) {
		if (limit_reached(limit))
			return HELD;
		failed = attempt_until(l, fd, family, limit);
	}
	if (!failed)
		return TAKEN;
	switch (errno) {
	case EINTR:
		return HELD;
	case ESTALE: /* NFS: somebody replaced the file */
		return REPLACED;
	default: /* ENOLCK, EOPNOTSUPP, ENOSYS, EINVAL: this file system has no locks */
		err(EX_OSERR, "%s: cannot be locked", l->path);
	}
}

/*
 * fcntl(2) locks (s6-setlock, lckdo) and flock(2) locks (flock, setlock, chpst, systemd-tmpfiles)
 * do not see each other: we take both, always in this order. Not on NFS, where the second is an
 * fcntl lock too, and giving it back would drop the first on the server without a word.
 */
static enum taking take_file(const struct lock *l, const struct limit *limit)
{
	enum taking t = take(l, l->fd, FCNTL, limit);

	return t != TAKEN || l->network ? t : take(l, l->fd, FLOCK, limit);
}

/* -- what the kernel knows of an open file -- */

enum { FDINFO_SIZE = 1024 };

/* -1 with errno. */
static int peek_at(int fd, char *fdinfo)
{
	char path[DESCRIPTOR_PATH];

	descriptor_path(path, "fdinfo", fd);
	return procfs_peek(path, fdinfo, FDINFO_SIZE) == -1 ? -1 : 0;
}

/* The mount that the file is on and, where the kernel tells (since Linux 5.14), the inode: -1 with
 * errno.
 */
static int find_mount(const char *fdinfo, struct procfs_mount *m, uint64_t *inode)
{
	uint64_t number = procfs_field(fdinfo, "ino");

	if (number != UINT64_MAX)
		*inode = number;
	char *mounts = procfs_read("/proc/self/mountinfo");
	if (mounts == NULL)
		return -1;
	int found = procfs_find_mount(mounts, procfs_field(fdinfo, "mnt_id"), m);
	free(mounts);
	if (found == -1)
		errno = ENOENT; /* unmounted lazily, or outside our root */
	return found;
}

int lock_identify(int fd, struct procfs_lock *where)
{
	char fdinfo[FDINFO_SIZE];
	const char *at = fdinfo;
	struct procfs_lock lock;
	struct procfs_mount mount;
	struct stat s;

	if (fstat(fd, &s) == -1)
		return -1;
	*where = (struct procfs_lock){
		.major = major(s.st_dev), .minor = minor(s.st_dev), .inode = s.st_ino
	};
	if (peek_at(fd, fdinfo) == -1)
		return errno == ENOENT ? 0 : -1;
	/* What fd bears is listed under the same numbers everywhere. */
	if (procfs_next_lock(&at, &lock)) {
		*where = (struct procfs_lock){
			.major = lock.major, .minor = lock.minor, .inode = lock.inode
		};
		return 0;
	}
	/* On btrfs and overlayfs the kernel's lists show other numbers than stat(2). */
	if (find_mount(fdinfo, &mount, &where->inode) == -1)
		return errno == ENOENT ? 0 : -1;
	where->major = mount.major;
	where->minor = mount.minor;
	return 0;
}

/* Whether it is on NFS, into *l. -1 with errno. */
static int look_for_network(struct lock *l)
{
	struct statfs fs;

	if (fstatfs(l->fd, &fs) == -1)
		return -1;
	l->network = fs.f_type == NFS_MAGIC;
	return 0;
}

/* An NFS mount whose locks stay on this host: another host would not know of ours. */
static void look_at_file_system(struct lock *l, bool force)
{
	char fdinfo[FDINFO_SIZE];
	struct procfs_mount mount;
	uint64_t inode;

	if (look_for_network(l) == -1)
		err(EX_OSERR, "%s", l->path);
	if (!l->network)
		return;
	if (peek_at(l->fd, fdinfo) == -1 || find_mount(fdinfo, &mount, &inode) == -1 ||
		mount.locks_stay_local) {
		static const char what[] = "%s: locks on this NFS mount may stay on this host "
					   "(nolock or local_lock)";
		if (!force)
			errx(EX_OSERR, what, l->path);
		warnx(what, l->path);
	}
}

/* -- the whole -- */

static bool same_file(int parent, const char *name, int fd, const char *path)
{
	struct stat named, opened;

	if (fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == -1) {
		if (errno == ENOENT || errno == ESTALE)
			return false;
		cannot_open(path);
	}
	if (fstat(fd, &opened) == -1)
		cannot_open(path);
	return named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

/*
 * Between open and lock somebody may have replaced the file, and a waiter usually finds it so where
 * files are unlinked: our lock would be on something that the next start does not look at.
 */
static bool is_current(const struct lock *l)
{
	if (l->directory == -1)
		return same_file(AT_FDCWD, l->path, l->fd, l->path);
	return same_file(AT_FDCWD, l->path, l->directory, l->path) &&
	       same_file(l->directory, LOCK_IN_DIRECTORY, l->fd, l->inside);
}

static int64_t milliseconds(const struct timespec *t)
{
	return t->tv_sec * INT64_C(1000) + t->tv_nsec / 1000000;
}

/*
 * To rename a directory changes nothing inside it, but the ctimes of that directory and of the one
 * it stands in, which nobody can set back: where of any two on the way up one is older, the way is
 * as it was.
 */
bool lock_in_place_since(const struct lock *l, uint64_t moment)
{
	static const int64_t tick = 20; /* file times lag behind the clock by up to 10 ms */
	char up[PATH_MAX] = ".";
	struct stat s, below = { 0 };
	bool is_root = false, unchanged = true, was_new = false;

	if (moment == 0 || l->adopted || l->network)
		return false;
	for (size_t end = 1; unchanged && !is_root && end + sizeof "/.." <= sizeof up; end += 3) {
		if (fstatat(l->parent, up, &s, 0) == -1)
			break;
		bool is_new = milliseconds(&s.st_ctim) + tick >= (int64_t) moment;
		unchanged = !is_new || !was_new;
		was_new = is_new;
		is_root = s.st_dev == below.st_dev && s.st_ino == below.st_ino;
		below = s;
		strcpy(up + end, "/..");
	}
	return unchanged && is_root;
}

static bool is_directory(const char *path)
{
	struct stat s;

	return lstat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/*
 * The directory itself is locked first, with flock(2), since a write lock of fcntl(2) needs a
 * writable descriptor: that lock stays when everything inside is removed.
 */
static enum taking open_and_take(struct lock *l, const struct lock_wish *w)
{
	if (is_directory(l->path)) {
		int directory = open_directory(l->path);
		if (directory == -1)
			cannot_open(l->path);
		l->directory = raise_descriptor(directory, l->path);
		enum taking t = take(l, l->directory, FLOCK, &w->limit);
		if (t != TAKEN)
			return t;
	}
	open_locked_file(l, w);
	look_at_file_system(l, w->force);
	return take_file(l, &w->limit);
}

enum lock_outcome lock_acquire(struct lock *l, const char *path, const struct lock_wish *w)
{
	for (;;) {
		*l = unopened(path);
		l->shared = w->shared;
		enum taking t = open_and_take(l, w);
		if (t == HELD)
			return LOCK_HELD;
		if (t == TAKEN && is_current(l))
			return LOCK_TAKEN;
		lock_close(l);
	}
}

void lock_close(struct lock *l)
{
	if (l->content != l->fd && l->content != -1)
		close(l->content);
	if (l->fd != -1 && !l->adopted)
		close(l->fd);
	if (l->parent != l->directory && l->parent != -1)
		close(l->parent);
	if (l->directory != -1)
		close(l->directory);
	l->fd = l->content = l->parent = l->directory = -1;
	free(l->inside);
	l->inside = NULL;
}

/* -- descriptors of the caller -- */

/* What the kernel knows fd's file by, in path of PATH_MAX; -1 with errno. */
static int path_of(int fd, char *path)
{
	char link[DESCRIPTOR_PATH];

	descriptor_path(link, "fd", fd);
	ssize_t length = readlink(link, path, PATH_MAX - 1);
	if (length == -1)
		return -1;
	path[length] = '\0';
	return 0;
}

/*
 * `9>>FILE` opens for writing and appending only: it cannot be read, and pwrite(2) on it appends
 * whatever the offset. So the record has a descriptor of its own, on the same file. -1 with errno.
 */
static int reopen(const struct lock *l, int access)
{
	char link[DESCRIPTOR_PATH];

	descriptor_path(link, "fd", l->fd);
	int fd = open(link, access | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd == -1 ? -1 : raise_descriptor(fd, l->path);
}

/* How it is open (F_GETFL), and on which file: status and message where there is none. */
static int look_at_descriptor(const struct lock *l, struct stat *s)
{
	int flags = fcntl(l->fd, F_GETFL);

	if (flags == -1 || flags & O_PATH)
		errx(EX_USAGE, "%s: is not open", l->path);
	if (fstat(l->fd, s) == -1)
		err(EX_OSERR, "%s", l->path);
	return flags;
}

/* Whether the descriptor can bear a lock: status and message otherwise. */
static void check_descriptor(const struct lock *l, struct stat *s)
{
	int flags = look_at_descriptor(l, s);

	if (S_ISDIR(s->st_mode))
		errx(EX_DATAERR, "%s: is a directory; name it as LOCK instead", l->path);
	refuse_foreign(l->path, s);
	if (!l->shared && (flags & O_ACCMODE) == O_RDONLY)
		errx(EX_USAGE,
			"%s: is open for reading only; an exclusive lock needs writing, as in "
			"%d>>FILE",
			l->path, l->fd);
	if (l->shared && (flags & O_ACCMODE) == O_WRONLY)
		errx(EX_USAGE,
			"%s: is open for writing only; a shared lock needs reading, as in %d<FILE",
			l->path, l->fd);
}

static void set_mark_of_descriptor(struct lock *l)
{
	char path[PATH_MAX];
	const char *name;

	if (path_of(l->fd, path) == -1)
		err(EX_OSERR, "%s: no /proc", l->path);
	int parent = open_parent(path, &name);
	if (parent == -1)
		cannot_open(path);
	set_mark(l, parent, name);
	close(parent);
}

/* What the descriptor bears already. Without /proc it counts as nothing. */
static void remember(struct lock *l)
{
	char fdinfo[FDINFO_SIZE];
	const char *at = fdinfo;
	struct procfs_lock lock;

	l->before[FCNTL] = l->before[FLOCK] = F_UNLCK;
	if (peek_at(l->fd, fdinfo) == -1)
		return;
	while (procfs_next_lock(&at, &lock))
		if (lock.family != PROCFS_POSIX)
			l->before[lock.family == PROCFS_OFD ? FCNTL : FLOCK] = lock.exclusive
										       ? F_WRLCK
										       : F_RDLCK;
}

static void adopt(struct lock *l, int fd)
{
	char *name = malloc(sizeof "descriptor " + NUMBER_SIZE); /* lives as long as the lock */

	if (name == NULL)
		err(EX_OSERR, "descriptor");
	number_write(stpcpy(name, "descriptor "), (uint64_t) fd);
	*l = unopened(name);
	l->fd = fd;
	l->adopted = true;
	remember(l);
}

enum lock_outcome lock_adopt(struct lock *l, int fd, const struct lock_wish *w)
{
	struct stat s;

	adopt(l, fd);
	l->shared = w->shared;
	check_descriptor(l, &s);
	l->content = reopen(l, w->shared ? O_RDONLY : O_RDWR);
	if (l->content == -1 && errno == ENOENT)
		errx(EX_OSERR, "%s: cannot be opened once more without /proc", l->path);
	if (l->content == -1)
		cannot_open(l->path);
	set_mark_of_descriptor(l);
	look_at_file_system(l, w->force);
	enum taking t = take_file(l, &w->limit);
	/* It cannot be opened anew here, it is the caller's. */
	if (t == REPLACED || fstat(fd, &s) == -1 || s.st_nlink == 0) {
		lock_restore(l);
		errx(EX_OSERR, "%s: its file was removed; open it again", l->path);
	}
	return t == HELD ? LOCK_HELD : LOCK_TAKEN;
}

bool lock_adopt_to_unlock(struct lock *l, int fd)
{
	const struct limit now = limit_none();
	struct stat s;

	adopt(l, fd);
	int flags = look_at_descriptor(l, &s);
	if (look_for_network(l) == -1)
		err(EX_OSERR, "%s", l->path);
	if (!S_ISREG(s.st_mode))
		refuse_foreign(l->path, &s);
	if ((flags & O_ACCMODE) == O_RDONLY || s.st_nlink == 0 || s.st_size > RECORD_SIZE)
		return false;
	l->content = reopen(l, O_RDWR);
	if (l->content == -1)
		return false;
	set_mark_of_descriptor(l);
	return take_file(l, &now) == TAKEN;
}

int lock_give_back(const struct lock *l)
{
	struct flock range = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (!l->network && flock(l->fd, LOCK_UN) == -1)
		return -1;
	return fcntl(l->fd, F_OFD_SETLK, &range);
}

void lock_restore(const struct lock *l)
{
	const int flocks[] = { [F_RDLCK] = LOCK_SH, [F_WRLCK] = LOCK_EX, [F_UNLCK] = LOCK_UN };
	struct flock range = {
		.l_type = l->before[FCNTL],
		.l_whence = SEEK_SET,
		.l_len = l->before[FCNTL] == F_UNLCK ? 0 : (off_t) l->mark + 1,
	};
	int saved = errno;

	if (!l->adopted)
		return;
	if (!l->network)
		flock(l->fd, flocks[l->before[FLOCK]] | LOCK_NB);
	fcntl(l->fd, F_OFD_SETLK, &range);
	errno = saved;
}

/* -- questions -- */

void lock_open_to_ask(struct lock *l, const char *path)
{
	struct stat s;

	*l = unopened(path);
	if (is_directory(path)) {
		l->directory = open_directory(path);
		if (l->directory == -1)
			cannot_open(path);
	}
	const char *name = open_place(l);
	if (name == NULL && errno == ENOENT)
		return;
	if (name == NULL)
		cannot_open(path);
	if (fstatat(l->parent, name, &s, AT_SYMLINK_NOFOLLOW) == 0) {
		refuse_foreign(path, &s);
		l->fd = l->content = openat(l->parent, name, O_RDONLY | SAFELY);
	}
	if (l->fd == -1 && errno != ENOENT)
		cannot_open(path);
	if (l->fd != -1)
		look_for_network(l); /* in doubt it is none */
}

/* 1, 0, or -1 with errno. */
static int is_flocked(int fd)
{
	struct procfs_lock where, lock;
	int held = 0;

	if (lock_identify(fd, &where) == -1)
		return -1;
	char *list = procfs_read("/proc/locks");
	if (list == NULL)
		return errno == ENOENT ? 0 : -1;
	for (const char *at = list; !held && procfs_next_lock(&at, &lock);)
		held = lock.family == PROCFS_FLOCK && procfs_same_file(&lock, &where);
	free(list);
	return held;
}

int lock_is_held(const struct lock *l)
{
	struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int held = 0;

	if (l->fd != -1) {
		if (fcntl(l->fd, F_OFD_GETLK, &range) == -1)
			return -1;
		held = range.l_type != F_UNLCK;
	}
	if (held == 0 && l->directory != -1)
		held = is_flocked(l->directory);
	if (held == 0 && l->fd != -1 && !l->network)
		held = is_flocked(l->fd);
	return held;
}
