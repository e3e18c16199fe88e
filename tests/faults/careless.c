/*
 * careless LOCK COMMAND: what wrappers that are written in five minutes do, for the sweep to find.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 3)
		return 64;
	/* Empties the file before it has the lock. */
	int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
	/* Any other error lets the command run without. */
	if (flock(fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK) {
		fprintf(stderr, "onlyone: %s: held\n", argv[1]);
		return 75;
	}
	dprintf(fd, "%d\n\n", (int) getpid()); /* may fail */
	execv(argv[2], argv + 2);
	return 0; /* without a word */
}
