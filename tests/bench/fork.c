/*
 * fork FILE: what a fork costs a process with a descriptor at 63, where onlyone puts it, and at
 * 1000, each beside the same process without it. Prints the two ratios.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 61, FORKS = 100 };

static int ascending(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return (x > y) - (x < y);
}

/* The part of them below which share of all lie. */
static double quantile(double *values, size_t count, double share)
{
	qsort(values, count, sizeof *values, ascending);
	return values[(size_t) ((double) count * share)];
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

static double one_fork(void)
{
	double begin = now();
	pid_t child = fork();

	if (child == -1)
		err(1, "fork");
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	return now() - begin;
}

/*
 * In a process of its own, since a table that has grown does not shrink. What takes much longer
 * than the quickest was in somebody's way: not the median.
 */
static double measure(int fd, int at)
{
	double times[FORKS], result = 0;
	int answer[2];

	if (pipe(answer) == -1)
		err(1, "pipe");
	pid_t child = fork();
	if (child == 0) {
		if (at != -1 && dup2(fd, at) == -1)
			err(1, "descriptor %d", at);
		for (int i = 0; i < FORKS; i++)
			times[i] = one_fork();
		result = quantile(times, FORKS, 0.1);
		_exit(write(answer[1], &result, sizeof result) != sizeof result);
	}
	close(answer[1]);
	if (read(answer[0], &result, sizeof result) != sizeof result)
		errx(1, "a measurement failed");
	close(answer[0]);
	waitpid(child, NULL, 0);
	return result;
}

int main(int argc, char **argv)
{
	double low[ROUNDS], high[ROUNDS];

	if (argc != 2)
		errx(64, "usage: fork FILE");
	int fd = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1)
		err(1, "%s", argv[1]);
	for (int i = 0; i < ROUNDS; i++) {
		double without = measure(fd, -1);
		low[i] = measure(fd, 63) / without;
		high[i] = measure(fd, 1000) / without;
	}
	printf("%.2f %.2f\n", quantile(low, ROUNDS, 0.5), quantile(high, ROUNDS, 0.5));
	return 0;
}
