#include "mark.h"

#include "fdinfo.h"
#include "hash.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t hash_text(uint64_t h, const char *text)
{
	return hash_bytes(h, text, strlen(text));
}

/*
 * Bit 62 is set: the range is longer than any file. Bit 0 is not, so that a mark is never the
 * highest offset there is, which the kernel shows as EOF.
 */
#define MARK_BIT (UINT64_C(1) << 62)
enum { DIRECTORY_SHIFT = 31, PATH_SHIFT = 1 };

static int hash_directory(int parent, const char *name, uint64_t *h)
{
	struct stat s;

	if (fstat(parent, &s) == -1)
		return -1;
	*h = hash_bytes(HASH_START, &s.st_dev, sizeof s.st_dev);
	*h = hash_bytes(*h, &s.st_ino, sizeof s.st_ino);
	*h = hash_text(*h, name);
	return 0;
}

/* What is left of path below the mount point: "" for the point itself; NULL if it is not below. */
static const char *below(const char *path, const char *point)
{
	size_t length = strcmp(point, "/") == 0 ? 0 : strlen(point);

	if (strncmp(path, point, length) != 0 || (path[length] != '/' && path[length] != '\0'))
		return NULL;
	return strcmp(path + length, "/") == 0 ? "" : path + length;
}

static bool hash_below(const struct procfs_mount *m, const char *path, const char *name,
	uint64_t *h, struct way *way)
{
	const char *rest = below(path, m->point);

	if (rest == NULL)
		return false;
	*h = hash_bytes(HASH_START, &m->major, sizeof m->major);
	*h = hash_bytes(*h, &m->minor, sizeof m->minor);
	*h = hash_text(*h, strcmp(m->root, "/") == 0 ? "" : m->root);
	*h = hash_text(*h, rest);
	*h = hash_text(hash_text(*h, "/"), name);
	/* A root one directory deep (a subvolume) can be moved itself, but nothing above it. */
	way->is_whole = strcmp(m->root, "/") == 0;
	way->depth = strchr(m->root + 1, '/') == NULL ? 0 : -1;
	for (; way->depth != -1 && *rest != '\0'; rest++)
		way->depth += *rest == '/';
	return true;
}

/*
 * Hashes the file system and the path inside it: 1, 0 if that cannot be told, -1 with errno. The
 * kernel tells the directory's path as seen from our root, and the mount point in mountinfo
 * likewise.
 */
static int hash_path(
	int parent, const char *name, const struct procfs_mount *m, uint64_t *h, struct way *way)
{
	char link[FDINFO_PATH], path[PATH_MAX];

	if (m == NULL)
		return 0;
	fdinfo_path(link, parent);
	ssize_t length = readlink(link, path, sizeof path - 1);
	if (length == -1)
		return errno == ENAMETOOLONG ? 0 : -1;
	path[length] = '\0';
	return hash_below(m, path, name, h, way);
}

uint64_t mark_of(int parent, const char *name, const struct procfs_mount *m, struct way *way)
{
	uint64_t directory, path;

	*way = (struct way){ .depth = -1 };
	if (hash_directory(parent, name, &directory) == -1)
		return 0;
	switch (hash_path(parent, name, m, &path, way)) {
	case -1:
		return 0;
	case 0:
		path = directory;
	}
	return MARK_BIT | hash_fold(directory) << DIRECTORY_SHIFT | hash_fold(path) << PATH_SHIFT;
}

bool mark_is(uint64_t end)
{
	return end >> 62 == 1 && (end & 1) == 0;
}

bool mark_is_borne_by(const struct procfs_lock *lock)
{
	return lock->family != PROCFS_FLOCK && lock->start == 0 && mark_is(lock->end);
}

static bool same_bits(uint64_t a, uint64_t b, int shift)
{
	return mark_is(a) && mark_is(b) && ((a ^ b) >> shift & HASH_FOLDED) == 0;
}

bool mark_same_directory(uint64_t a, uint64_t b)
{
	return same_bits(a, b, DIRECTORY_SHIFT);
}

bool mark_same_path(uint64_t a, uint64_t b)
{
	return same_bits(a, b, PATH_SHIFT);
}

bool mark_has_path(uint64_t mark)
{
	return (mark >> DIRECTORY_SHIFT & HASH_FOLDED) != (mark >> PATH_SHIFT & HASH_FOLDED);
}
