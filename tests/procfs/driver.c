/*
 * Lets the tests ask the parsers of src/procfs.c, and the tables of src/mounts.c, about standard
 * input:
 *   driver locks | driver stat | driver mount ID | driver where ID | driver field NAME
 */
#include "mounts.h"
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
		printf("%s %s %x:%x:%" PRIu64 " %" PRIu64 "\n", families[l.family],
			l.exclusive ? "write" : "read", l.major, l.minor, l.inode, l.end);
}

/* What its locks are like: how far they reach, and what else is said of them. */
static int print_mount(const struct procfs_mount *m)
{
	static const char *reaches[] = { "shared", "local", "unsure" };
	struct filesystem fs;

	if (filesystem_look(&fs, m, -1) == -1)
		return EXIT_FAILURE;
	printf("%u:%u %s%s%s%s%s%s\n", m->major, m->minor, reaches[fs.reach],
		fs.plain ? " plain" : "", fs.fcntl_only ? " fcntl" : "",
		fs.eacces_is_held ? " eacces" : "", fs.remote ? " remote" : "",
		fs.keeps_hidden_locks ? " hidden" : "");
	return EXIT_SUCCESS;
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
		printf("%d %s %" PRIu64 "\n", (int) s.pid,
			s.ended     ? "ended"
			: s.stopped ? "stopped"
				    : "lives",
			s.start);
	} else if (argc == 3 && (strcmp(argv[1], "mount") == 0 || strcmp(argv[1], "where") == 0)) {
		if (procfs_find_mount(text, strtoull(argv[2], NULL, 10), &m) == -1)
			return EXIT_FAILURE;
		if (*argv[1] == 'm')
			return print_mount(&m);
		printf("%s at %s\n", m.root, m.point);
	} else if (argc == 3 && strcmp(argv[1], "field") == 0) {
		printf("%" PRIu64 "\n", procfs_field(text, argv[2]));
	} else {
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
