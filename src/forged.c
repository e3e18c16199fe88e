#include "forged.h"

#include "descriptor.h"
#include "process.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool may_write(uid_t owner, const struct stat *s)
{
	return s->st_uid == owner || (s->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* In doubt he may. */
static bool may_put_files(uid_t owner, const struct lock *l)
{
	struct stat s;

	if (owner == 0 || owner == geteuid() || l->parent == -1 || fstat(l->parent, &s) == -1)
		return true;
	return may_write(owner, &s);
}

/* A user namespace of his own lets him mount what he likes, and so have any path. */
static bool has_our_user_namespace(pid_t pid)
{
	char path[PROCESS_PATH], his[64], ours[64]; /* user:[4026531837] */

	process_path(path, pid, "ns/user");
	ssize_t length = readlink(path, his, sizeof his);
	ssize_t our_length = readlink("/proc/self/ns/user", ours, sizeof ours);
	return length == -1 || (length == our_length && memcmp(his, ours, (size_t) length) == 0);
}

static bool stood_in(const char *path, const struct lock *l)
{
	char link[DESCRIPTOR_PATH], parent[PATH_MAX];
	const char *slash = strrchr(path, '/');

	descriptor_path(link, "fd", l->parent);
	ssize_t length = readlink(link, parent, sizeof parent);
	if (length == -1 || slash == NULL)
		return true;
	if (length == 1)
		length = 0; /* the root */
	return slash - path == length && memcmp(path, parent, (size_t) length) == 0;
}

/* A memfd and the like, of no directory at all, shows as if it were removed from the root. */
static bool stood_nowhere(const char *path)
{
	static const char removed[] = " (deleted)";
	size_t length = strlen(path), end = sizeof removed - 1;

	return strrchr(path, '/') == path && length > end &&
	       strcmp(path + length - end, removed) == 0;
}

/*
 * From the root down: below the first directory that he may write to anything can be his, links
 * too. In a sticky one (/tmp) that is only what does not belong to others.
 */
static bool may_have_made(uid_t owner, const char *path)
{
	char above[PATH_MAX];
	bool writable = false;
	struct stat s;

	for (const char *slash = path; slash != NULL; slash = strchr(slash + 1, '/')) {
		size_t length = slash == path ? 1 : (size_t) (slash - path);
		memcpy(above, path, length);
		above[length] = '\0';
		if (lstat(above, &s) == -1)
			return errno == ENOENT && writable;
		writable = may_write(owner, &s);
		if (s.st_uid == owner || (writable && !(s.st_mode & S_ISVTX)))
			return true;
	}
	return writable;
}

bool forged(const struct lock *l, const struct bearer *b)
{
	uid_t owner = b->file.st_uid;

	if (may_put_files(owner, l))
		return false;
	if (!S_ISREG(b->file.st_mode) || !has_our_user_namespace(b->pid))
		return true;
	if (*b->path != '/' || stood_in(b->path, l))
		return false;
	return stood_nowhere(b->path) || may_have_made(owner, b->path);
}
