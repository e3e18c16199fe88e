#include "mark.h"

#include "descriptor.h"
#include "hash.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Bit 62 is set: the range is longer than any file. Bit 0 is not, so that it never is the highest
 * offset there is, which the kernel shows as EOF.
 */
#define MARK_BIT (UINT64_C(1) << 62)
enum { DIRECTORY_SHIFT = 31, PATH_SHIFT = 1 };
static const uint64_t half = (1 << 30) - 1;

static uint64_t fold(uint64_t hash)
{
	return (hash ^ hash >> 32) & half;
}

static uint64_t hash_file(uint64_t h, const struct stat *s)
{
	h = hash_bytes(h, &s->st_dev, sizeof s->st_dev);
	return hash_bytes(h, &s->st_ino, sizeof s->st_ino);
}

static int hash_directory(int parent, const char *name, uint64_t *h)
{
	struct stat s;

	if (fstat(parent, &s) == -1)
		return -1;
	*h = hash_bytes(hash_file(HASH_START, &s), name, strlen(name));
	return 0;
}

/*
 * A path says something only together with the root and the mounts that it is seen from: each of a
 * hundred containers may have its own /run/app.lock, and each service a private /tmp.
 */
static int hash_path(int parent, const char *name, uint64_t *h)
{
	char link[DESCRIPTOR_PATH], path[PATH_MAX];
	char mounts[64]; /* mnt:[4026531841] */
	struct stat root;

	descriptor_path(link, "fd", parent);
	ssize_t length = readlink(link, path, sizeof path);
	ssize_t mounts_length = readlink("/proc/self/ns/mnt", mounts, sizeof mounts);
	if (length == -1 || mounts_length == -1 || stat("/", &root) == -1)
		return -1;
	*h = hash_bytes(hash_file(HASH_START, &root), mounts, (size_t) mounts_length);
	*h = hash_bytes(*h, path, (size_t) length);
	*h = hash_bytes(*h, "/", 1);
	*h = hash_bytes(*h, name, strlen(name));
	return 0;
}

uint64_t mark_of(int parent, const char *name)
{
	uint64_t directory, path;

	if (hash_directory(parent, name, &directory) == -1)
		return 0;
	if (hash_path(parent, name, &path) == -1) {
		if (errno != ENOENT)
			return 0;
		path = directory; /* no /proc here */
	}
	return MARK_BIT | fold(directory) << DIRECTORY_SHIFT | fold(path) << PATH_SHIFT;
}

uint64_t mark_directory(uint64_t mark)
{
	return mark >> DIRECTORY_SHIFT & half;
}

/* Another program's lock that happens to end there would lack the bit. */
static bool same_bits(uint64_t a, uint64_t b, int shift)
{
	return (a & b & MARK_BIT) != 0 && b < 2 * MARK_BIT && ((a ^ b) >> shift & half) == 0;
}

bool mark_same_directory(uint64_t a, uint64_t b)
{
	return same_bits(a, b, DIRECTORY_SHIFT);
}

bool mark_same_path(uint64_t a, uint64_t b)
{
	return same_bits(a, b, PATH_SHIFT);
}
