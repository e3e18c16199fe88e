#include "question.h"

#include "holder.h"
#include "lockfile.h"
#include "status.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Opens *l, which the caller closes. */
static struct holder ask(struct lock *l, const char *path)
{
	struct holder h;

	lock_open_to_ask(l, path);
	if (holder_find(&h, l, false) == -1)
		err(EX_OSERR, "%s: it cannot be told who holds it", path);
	return h;
}

static int answer(const struct holder *h)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		err(EX_IOERR, "standard output");
	return h->kind == HOLDER_NONE ? STATUS_FREE : EXIT_SUCCESS;
}

int question_status(const char *path)
{
	struct lock l;
	struct holder h = ask(&l, path);

	puts(holder_describe(&h, true)); /* answer() sees whether that went out */
	return answer(&h);
}

int question_pid(const char *path)
{
	struct lock l;
	struct holder h = ask(&l, path);

	if (h.kind == HOLDER_UNSEEN)
		errx(EX_NOPERM, "%s: %s", path, holder_describe(&h, true));
	for (size_t i = 0; i < h.count; i++)
		printf("%d\n", (int) h.pids[i]);
	return answer(&h);
}

/* 1 when it is time to look again, 0 when the limit was reached first, -1 with errno. */
static int wait_for(const struct holder *h, const struct limit *limit)
{
	int ended = holder_wait(h, limit);

	if (ended != -1 || errno != ESRCH)
		return ended;
	/* Whom we cannot see we cannot wait for, and a question takes no lock, not even for a moment.
	 */
	struct limit second = limit_within(limit, (struct timespec){ .tv_sec = 1 });
	if (limit_wait_readable(&second, -1) == -1)
		return -1;
	return !limit_reached(limit);
}

static bool becomes_free(struct holder *h, const char *path, const struct limit *limit)
{
	for (;;) {
		struct lock l;
		*h = ask(&l, path);
		lock_close(&l);
		if (h->kind == HOLDER_NONE)
			return true;
		if (wait_for(h, limit) != 1)
			return false;
	}
}

int question_signal(
	const char *path, int signal, const struct limit *limit, int held_status, bool quiet)
{
	const char *and = ": nothing signalled";
	struct lock l;
	struct holder h;

	lock_open_to_ask(&l, path);
	if (holder_signal(&h, &l, signal) == 0) {
		lock_close(&l);
		if (limit->kind == LIMIT_NONE || becomes_free(&h, path, limit))
			return EXIT_SUCCESS;
		and = "";
	} else if (errno != ESRCH) {
		err(errno == EPERM ? EX_NOPERM : EX_OSERR, "%s: PID %d", path, (int) h.record.pid);
	}
	if (!quiet)
		warnx("%s: %s%s", path, holder_describe(&h, false), and);
	return h.kind == HOLDER_NONE ? STATUS_FREE : held_status;
}
