#include "fdinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

int fdinfo_read(int fd, char *text)
{
	char path[FDINFO_PATH];

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	return procfs_peek(path, text, FDINFO_SIZE) == -1 ? -1 : 0;
}

void fdinfo_path(char *path, int fd)
{
	snprintf(path, FDINFO_PATH, "/proc/self/fd/%d", fd);
}

static int find_mount(const char *fdinfo, struct procfs_mount *m, char **text)
{
	size_t pieces;

	*text = procfs_read("/proc/self/mountinfo", &pieces);
	if (*text == NULL)
		return errno == ENOENT ? 0 : -1;
	if (procfs_find_mount(*text, procfs_field(fdinfo, "mnt_id"), m) == 0)
		return 1;
	free(*text);
	*text = NULL;
	return 0;
}

int fdinfo_mount(int fd, struct procfs_mount *m, char **text)
{
	char fdinfo[FDINFO_SIZE];

	*text = NULL;
	if (fdinfo_read(fd, fdinfo) == -1)
		return errno == ENOENT ? 0 : -1;
	return find_mount(fdinfo, m, text);
}

uint64_t fdinfo_mount_id(int fd)
{
	char fdinfo[FDINFO_SIZE];

	return fdinfo_read(fd, fdinfo) == -1 ? UINT64_MAX : procfs_field(fdinfo, "mnt_id");
}

/* Those of a lock that fd itself has or, if it has none, its inode and super block. */
static int find_numbers(int fd, struct procfs_lock *numbers)
{
	char fdinfo[FDINFO_SIZE], *text;
	const char *at = fdinfo;
	struct procfs_mount m;

	if (fdinfo_read(fd, fdinfo) == -1)
		return errno == ENOENT ? 0 : -1;
	struct procfs_lock lock;
	if (procfs_next_lock(&at, &lock)) {
		*numbers = lock;
		return 0;
	}
	uint64_t inode = procfs_field(fdinfo, "ino"); /* since Linux 5.14 */
	if (inode != UINT64_MAX)
		numbers->inode = inode;
	int found = find_mount(fdinfo, &m, &text);
	if (found != 1)
		return found;
	numbers->major = m.major;
	numbers->minor = m.minor;
	free(text);
	return 0;
}

int fdinfo_numbers(int fd, struct procfs_lock *numbers)
{
	struct stat s;

	if (fstat(fd, &s) == -1)
		return -1;
	const struct procfs_lock by_stat = {
		.major = major(s.st_dev), .minor = minor(s.st_dev), .inode = s.st_ino
	};
	*numbers = by_stat;
	return find_numbers(fd, numbers) == -1 ? -1 : procfs_same_numbers(numbers, &by_stat);
}

bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}
