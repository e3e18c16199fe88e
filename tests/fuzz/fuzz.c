/*
 * Any text at all for whatever reads text that others may have written: the record, numbers, and
 * the lists of /proc. The first byte, a digit, chooses the parser. Built and run by `make fuzz`.
 */
#include "deadline.h"
#include "lockfile.h"
#include "mounts.h"
#include "number.h"
#include "procfs.h"
#include "record.h"
#include "signals.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
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

static void mounts(char *text)
{
	struct procfs_mount m;
	struct filesystem fs;

	if (procfs_find_mount(text, 36, &m) == 0)
		assert(filesystem_look(&fs, &m, -1) == 0);
}

/* As strtoull(3) would read these digits, and nothing else. */
static void numbers(const char *text, unsigned base)
{
	const char *at = text;
	uint64_t n = 0;

	errno = 0;
	if (number_read(&at, base, UINT64_MAX, &n) == -1) {
		assert(at == text && n == 0);
		return;
	}
	char *digits = strndup(text, (size_t) (at - text)), *end;
	assert(at > text && strtoull(digits, &end, (int) base) == n && errno == 0 && *end == '\0');
	free(digits);
	assert(number_read(&(const char *){ text }, base, n, &(uint64_t){ 0 }) == 0);
	if (n > 0)
		assert(number_read(&(const char *){ text }, base, n - 1, &(uint64_t){ 0 }) == -1);
}

/*
 * The content of a lock file behind the text of its attribute and a NUL, or without an attribute.
 * What a record says must be what it would be written as, or it is not a record.
 */
static void record(const uint8_t *data, size_t size, bool in_directory)
{
	static const uint32_t scope = 1;
	const uint8_t *nul = memchr(data, '\0', size);
	size_t attribute = nul == NULL ? 0 : (size_t) (nul - data);
	const uint8_t *content = nul == NULL ? data : nul + 1;
	size_t length = size - (size_t) (content - data);
	struct record r;
	struct lock l = lock_named(NULL, "fuzz");

	l.fd = l.record_fd = memfd_create("record", 0);
	l.mark = UINT64_C(0x4000000080000002);
	if (in_directory)
		l.directory = l.fd;
	if (l.fd == -1 || write(l.fd, content, length) != (ssize_t) length)
		abort();
	/* User attributes on tmpfs came with Linux 6.6. */
	if (attribute > 0 && fsetxattr(l.fd, "user.onlyone", data, attribute, 0) == -1)
		attribute = 0;
	if (record_read(&l, scope, &r) == 0) {
		assert(r.pid >= 0 && r.pid <= 1 << 22);
		assert(r.has_incarnation || (r.start == 0 && r.untouched_since == 0));
		assert(!r.has_incarnation || (r.pid > 0 && attribute > 0));
		/* NULs alone are what a power failure leaves of a record. */
		bool blank = length <= RECORD_SIZE && (attribute > 0 || in_directory);
		for (size_t i = 0; i < length; i++)
			blank = blank && content[i] == '\0';
		assert(r.kind != RECORD_EMPTY || length == 0 || blank);
		if (!blank && (length > RECORD_SIZE || memchr(content, '\0', length) != NULL))
			assert(r.kind == RECORD_FOREIGN);
		if (r.kind == RECORD_PID && attribute == 0 && !in_directory) {
			char again[16];
			int n = snprintf(again, sizeof again, "%d\n\n", (int) r.pid);
			assert(r.pid > 0 && (size_t) n <= length);
			assert(memcmp(again, content, (size_t) n) == 0);
		}
		record_life(&r);
	}
	close(l.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct procfs_stat s;

	if (size == 0)
		return 0;
	uint8_t choice = *data++;
	char *text = calloc(1, size--);
	memcpy(text, data, size);
	switch ((unsigned) (choice - '0') % 10) {
	case 0:
		locks(text);
		break;
	case 1:
		procfs_parse_stat(text, &s);
		break;
	case 2:
		mounts(text);
		break;
	case 3:
		procfs_field(text, "mnt_id");
		break;
	case 4:
		numbers(text, 10);
		break;
	case 5:
		record(data, size, false);
		break;
	case 6:
		assert(seconds_parse(text) >= -1);
		assert(seconds_parse(text) <= (INT32_MAX + INT64_C(1)) * SECOND);
		break;
	case 7:
		assert(signal_number(text) >= -1 && signal_number(text) <= 64);
		break;
	case 8:
		numbers(text, 16);
		break;
	case 9:
		record(data, size, true);
		break;
	}
	free(text);
	return 0;
}
