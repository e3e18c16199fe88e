#include "ask.h"

#include "deadline.h"
#include "describe.h"
#include "holder.h"
#include "lockfile.h"
#include "opening.h"
#include "record.h"
#include "signalled.h"
#include "status.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct holder find(const struct options *o)
{
	struct lock l = lock_named(o->lock, o->name);
	struct identity self = { .scope = 0 };
	struct holder h;

	l.as_is = o->request.as_is;
	lock_open_to_ask(&l, o->request.deadline);
	if (identity_of_self(&self) == -1 || holder_find(&h, &l, VIEW_ASKING, &self) == -1)
		err(EX_OSERR, "%s: cannot tell who holds it", o->name);
	if (h.record.kind == RECORD_FOREIGN)
		refuse_content(&l);
	lock_close(&l);
	return h;
}

static int answer(const struct holder *h)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		err(EX_IOERR, "standard output");
	return h->kind == HOLDER_NONE ? STATUS_FREE : EXIT_SUCCESS;
}

int ask_status(const struct options *o)
{
	struct holder h = find(o);
	char *line = holder_describe(&h, true);

	/* answer() sees whether that went out */
	printf("%s%s\n", line, holder_is_overdue(&h, o->overdue) ? ": overdue" : "");
	free(line);
	return answer(&h);
}

int ask_pid(const struct options *o)
{
	struct holder h = find(o);

	bool is_named = h.count > 0 && (h.names_lockers || h.kind != HOLDER_OTHERS);
	if (h.kind != HOLDER_NONE && !is_named)
		errx(EX_NOPERM, "%s: %s", o->name, holder_describe(&h, true));
	for (size_t i = 0; i < h.count; i++)
		printf("%d\n", (int) h.pids[i]);
	return answer(&h);
}

/* Signalled, and still held: waits until it is free. */
static bool becomes_free(const struct options *o, struct signalled *s, struct holder *h)
{
	for (;;) {
		holder_free(h);
		*h = find(o);
		if (h->kind == HOLDER_NONE)
			return true;
		int woken = signalled_still_holds(s, h) ? signalled_wait(s, h, o->request.deadline)
							: holder_wait(h, o->request.deadline);
		if (woken == -1)
			err(EX_OSERR, "%s: cannot be waited for", o->name);
		if (woken == 0)
			return false;
	}
}

int ask_signal(const struct options *o)
{
	const char *suffix = ": nothing signalled";
	struct holder h = find(o);
	struct signalled s;

	if (h.kind != HOLDER_NONE && o->overdue != -1 && !holder_is_overdue(&h, o->overdue)) {
		suffix = ": not overdue, nothing signalled";
	} else if (signalled_send(&s, &h, o->signal, o->kill_after) == 0) {
		if (o->request.deadline == DEADLINE_NOW || becomes_free(o, &s, &h))
			return EXIT_SUCCESS;
		suffix = "";
	} else if (errno != ESRCH) {
		err(errno == EPERM ? EX_NOPERM : EX_OSERR, "%s: PID %d", o->name,
			(int) h.record.pid);
	}
	if (!o->quiet)
		warnx("%s: %s%s", o->name, holder_describe(&h, false), suffix);
	return h.kind == HOLDER_NONE ? STATUS_FREE : o->held_status;
}
