/*
 * queue SECONDS COUNT WRAPPER... LOCK COMMAND: holds LOCK while COUNT copies of the rest of the line
 * queue for it. Prints how many microseconds of processor time all of them together took while
 * they waited for SECONDS, and then how many microseconds one hand-over took on average, from the
 * lock's release until the last of them had ended.
 */
#include <err.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

static void nap(long milliseconds)
{
	struct timespec t = { milliseconds / 1000, milliseconds % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/*
 * How many requests for a lock on the file wait in the kernel, each below the one before it and so
 * indented by one blank more.
 */
static long count_blocked(const struct stat *s)
{
	char *line = NULL, inode[32];
	size_t size = 0;
	long count = 0;
	FILE *locks = fopen("/proc/locks", "re");

	if (locks == NULL)
		err(1, "/proc/locks");
	snprintf(inode, sizeof inode, ":%lu ", (unsigned long) s->st_ino);
	while (getline(&line, &size, locks) != -1)
		count += strstr(line, "->") != NULL && strstr(line, inode) != NULL;
	free(line);
	fclose(locks);
	return count;
}

/* Until all wait: a list that grows while it is read may show some twice, so it is read again. */
static void wait_for_queue(const struct stat *s, long count)
{
	double deadline = now() + 60e6;

	while (count_blocked(s) != count || count_blocked(s) != count) {
		if (waitpid(-1, NULL, WNOHANG) > 0)
			errx(1, "one of the queue does not wait");
		if (now() > deadline)
			errx(1, "the queue does not form");
		nap(10);
	}
}

/* The first number of /proc/PID/schedstat: nanoseconds on a processor. */
static double processor_time(const pid_t *pids, long count)
{
	double sum = 0;

	for (long i = 0; i < count; i++) {
		char path[64];
		double nanoseconds;
		snprintf(path, sizeof path, "/proc/%d/schedstat", (int) pids[i]);
		FILE *f = fopen(path, "re");
		if (f == NULL || fscanf(f, "%lf", &nanoseconds) != 1)
			errx(1, "%s: not to be read", path);
		fclose(f);
		sum += nanoseconds / 1e3;
	}
	return sum;
}

static int hold(const char *path)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd == -1 || fcntl(fd, F_OFD_SETLK, &whole) == -1)
		err(1, "%s", path);
	return fd;
}

static void wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) == -1 || status != 0)
		errx(1, "one of the queue failed");
}

int main(int argc, char **argv)
{
	if (argc < 6)
		errx(64, "usage: queue SECONDS COUNT WRAPPER... LOCK COMMAND");
	long seconds = atol(argv[1]), count = atol(argv[2]);
	pid_t *pids = calloc((size_t) count, sizeof *pids);
	int lock = hold(argv[argc - 2]);
	struct stat s;

	fstat(lock, &s);
	for (long i = 0; i < count; i++)
		if (posix_spawn(&pids[i], argv[3], NULL, NULL, argv + 3, environ) != 0)
			errx(1, "%s", argv[3]);
	wait_for_queue(&s, count);

	double before = processor_time(pids, count);
	nap(seconds * 1000);
	double idle = processor_time(pids, count) - before;
	double begin = now();
	close(lock);
	for (long i = 0; i < count; i++)
		wait_for(pids[i]);
	printf("%.0f %.1f\n", idle, (now() - begin) / (double) count);
	free(pids);
	return 0;
}
