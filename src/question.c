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

static int wait_until_free(const char *path, const struct limit *limit, int held_status)
{
	for (;;) {
		struct lock l;
		struct holder h = ask(&l, path);
		lock_close(&l);
		if (h.kind == HOLDER_NONE)
			return EXIT_SUCCESS;
		if (holder_wait(&h, limit) != 1) {
			warnx("%s: %s", path, holder_describe(&h, false));
			return held_status;
		}
	}
}

int question_signal(const char *path, int signal, const struct limit *limit, int held_status)
{
	struct lock l;
	struct holder h;

	lock_open_to_ask(&l, path);
	if (holder_signal(&h, &l, signal) == -1) {
		if (errno != ESRCH)
			err(errno == EPERM ? EX_NOPERM : EX_OSERR, "%s: PID %d", path,
				(int) h.record.pid);
		warnx("%s: %s: nothing signalled", path, holder_describe(&h, false));
		return h.kind == HOLDER_NONE ? STATUS_FREE : held_status;
	}
	lock_close(&l);
	return limit_reached(limit) ? EXIT_SUCCESS : wait_until_free(path, limit, held_status);
}
