/*
 * Lets the tests ask the parsers of src/procfs.c, which read standard input:
 *   driver locks | driver stat | driver mount ID | driver field NAME
 */
#include "procfs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_locks(const char *at)
{
	static const char *families[] = { "posix", "ofd", "flock" };
	struct procfs_lock l;

	while (procfs_next_lock(&at, &l))
		printf("%s %s %d %x:%x:%" PRIu64 " %" PRIu64 "\n", families[l.family],
			l.exclusive ? "write" : "read", (int) l.pid, l.major, l.minor, l.inode, l.end);
}

int main(int argc, char **argv)
{
	char text[1 << 18];
	size_t length = fread(text, 1, sizeof text - 1, stdin);
	struct procfs_stat s;
	struct procfs_mount m;

	text[length] = '\0';
	if (argc == 2 && strcmp(argv[1], "locks") == 0) {
		print_locks(text);
	} else if (argc == 2 && strcmp(argv[1], "stat") == 0) {
		if (procfs_parse_stat(text, &s) == -1)
			return EXIT_FAILURE;
		printf("%s %" PRIu64 "\n", s.ended ? "ended" : "lives", s.start);
	} else if (argc == 3 && strcmp(argv[1], "mount") == 0) {
		if (procfs_find_mount(text, strtoull(argv[2], NULL, 10), &m) == -1)
			return EXIT_FAILURE;
		printf("%u:%u %s\n", m.major, m.minor, m.locks_stay_local ? "local" : "shared");
	} else if (argc == 3 && strcmp(argv[1], "field") == 0) {
		printf("%" PRIu64 "\n", procfs_field(text, argv[2]));
	} else {
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
