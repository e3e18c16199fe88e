/*
 * Any text at all for whatever reads text that others may have written: the record, numbers, and
 * the lists of /proc. The first byte chooses the parser. Built and run by `make fuzz`.
 */
#include "limit.h"
#include "number.h"
#include "procfs.h"
#include "record.h"
#include "signals.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void locks(const char *text)
{
	struct procfs_lock lock;
	size_t lines = 0;

	for (const char *at = text; procfs_next_lock(&at, &lock); lines++)
		assert(at > text && at <= text + strlen(text));
	assert(lines <= strlen(text));
}

static void numbers(const char *text)
{
	const char *at = text;
	char again[NUMBER_SIZE];
	uint64_t n;

	if (number_read(&at, UINT64_MAX, &n) == -1)
		return;
	assert(number_write(again, n) == again + (at - text)); /* what is read is what is written */
	assert(strncmp(again, text, (size_t) (at - text)) == 0);
}

/* What a record says must be what it would be written as, or it is not a record. */
static void record(const uint8_t *data, size_t size)
{
	struct record r;
	char first[NUMBER_SIZE];
	int fd = memfd_create("record", 0);

	if (fd == -1 || write(fd, data, size) != (ssize_t) size)
		abort();
	fsetxattr(fd, "user.onlyone", data, size, 0); /* since Linux 6.6 */
	if (record_read(fd, 1, &r) == 0) {
		assert((r.kind == RECORD_EMPTY) == (size == 0));
		if (r.kind == RECORD_PID) {
			char *end = number_write(first, (uint64_t) r.pid);
			assert(size <= RECORD_SIZE && r.pid > 0 && r.pid <= 1 << 22);
			assert(memcmp(first, data, (size_t) (end - first)) == 0);
		}
		record_life(&r);
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct procfs_stat s;
	struct procfs_mount m;
	struct limit limit;

	if (size == 0)
		return 0;
	uint8_t choice = *data++;
	char *text = calloc(1, size--);
	memcpy(text, data, size);
	switch (choice % 8) {
	case 0:
		locks(text);
		break;
	case 1:
		procfs_parse_stat(text, &s);
		break;
	case 2:
		procfs_find_mount(text, 36, &m);
		break;
	case 3:
		procfs_field(text, "mnt_id");
		break;
	case 4:
		numbers(text);
		break;
	case 5:
		record(data, size);
		break;
	case 6:
		limit_parse(&limit, text);
		break;
	case 7:
		assert(signal_number(text) >= -1 && signal_number(text) <= 64);
		break;
	}
	free(text);
	return 0;
}
