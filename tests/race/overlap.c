/*
 * overlap MARKER MILLISECONDS [closing]: the command of the storms. It finds out whether a second
 * copy of it runs at the same moment; closing, it first closes all its descriptors, as sudo does.
 *
 * It locks MARKER, which is not onlyone's file, with fcntl(2). Nobody else does: where the lock is
 * taken another copy runs, and that is a line in MARKER.overlaps. Each run is a line in
 * MARKER.runs. It keeps the lock for so long. The kernel gives it back also when the copy is
 * killed, and does so before it gives back onlyone's, whose descriptor is a higher one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A status that no start may have: the storm fails on it. */
static _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(99);
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);

	if (fd == -1)
		give_up(path);
	return fd;
}

/* A line in MARKER.WHAT; O_APPEND keeps it whole. */
static void note(const char *marker, const char *what)
{
	char path[4096], line[32];

	snprintf(path, sizeof path, "%s.%s", marker, what);
	int fd = open_file(path), length = snprintf(line, sizeof line, "%d\n", (int) getpid());
	if (write(fd, line, (size_t) length) != length)
		give_up(path);
	close(fd);
}

static void close_descriptors(void)
{
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
		close(fd);
}

static bool is_alone(const char *marker)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open_file(marker); /* stays open: the lock ends with it */

	if (fcntl(fd, F_SETLK, &whole) == 0)
		return true;
	if (errno != EAGAIN && errno != EACCES)
		give_up(marker);
	return false;
}

static void run_for(long milliseconds)
{
	struct timespec left = { milliseconds / 1000, milliseconds % 1000 * 1000000 };

	while (nanosleep(&left, &left) == -1 && errno == EINTR)
		;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 99;
	if (argc > 3 && strcmp(argv[3], "closing") == 0)
		close_descriptors();
	if (!is_alone(argv[1]))
		note(argv[1], "overlaps");
	note(argv[1], "runs");
	run_for(strtol(argv[2], NULL, 10));
	return EXIT_SUCCESS;
}
