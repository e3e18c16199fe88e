#include "describe.h"

#include "deadline.h"
#include "process.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { NAME_SIZE = 64, COMMAND_SIZE = 160 };

static void print_duration(FILE *out, int64_t nanoseconds)
{
	long long s = nanoseconds / SECOND;
	long long days = s / 86400, hours = s / 3600 % 24, minutes = s / 60 % 60;

	if (days > 0)
		fprintf(out, " for %lld d %lld h", days, hours);
	else if (hours > 0)
		fprintf(out, " for %lld h %lld min", hours, minutes);
	else if (minutes > 0)
		fprintf(out, " for %lld min %lld s", minutes, s % 60);
	else
		fprintf(out, " for %lld s", s);
}

/* Since the lock was taken or, where the record does not tell, since the process began. */
static void print_since(FILE *out, const struct holder *h, pid_t pid, const struct procfs_stat *s)
{
	bool recorded = pid == h->record.pid && h->record.locked_at != 0;
	int64_t since = recorded ? h->record.locked_at : process_began(s);
	int64_t now = clock_now(CLOCK_BOOTTIME);

	if (since != 0 && since <= now)
		print_duration(out, now - since);
}

static void print_processes(FILE *out, const struct holder *h, bool in_full)
{
	char what[COMMAND_SIZE];
	struct procfs_stat s;

	for (size_t i = 0; i < h->count; i++) {
		bool seen = process_stat(h->pids[i], &s) == 0;
		if (in_full)
			process_command(h->pids[i], what, sizeof what);
		else
			process_name(h->pids[i], what, NAME_SIZE);
		fprintf(out, "%s PID %d", i == 0 ? "" : ",", (int) h->pids[i]);
		if (*what != '\0')
			fprintf(out, " (%s)", what);
		if (seen && s.stopped)
			fputs(" (stopped)", out);
		if (in_full && h->count == 1 && seen)
			print_since(out, h, h->pids[i], &s);
	}
}

/* The processes that have the lock open, some of which the file's owner may have chosen. */
static void print_others(FILE *out, const struct holder *h, bool in_full)
{
	const struct record *r = &h->record;

	fputs(h->names_lockers ? "held by" : "held, and open in", out);
	print_processes(out, h, in_full);
	if (h->is_trusted && !h->is_displaced && !h->is_shared && r->has_incarnation &&
		record_life(r) == PROCESS_ENDED)
		fprintf(out, ": the recorded process %d has ended", (int) r->pid);
}

static void print_without_lock(FILE *out, const struct holder *h, bool in_full)
{
	if (!h->is_trusted) {
		fputs("held by a process that another user has recorded: it runs on", out);
		return;
	}
	fputs("held by", out);
	print_processes(out, h, in_full);
	fputs(": it has closed the lock, but runs on", out);
}

static void print_hidden(FILE *out, const struct holder *h)
{
	if (h->is_trusted)
		fprintf(out,
			"held by PID %d, if that is the recorded process still: it is hidden from "
			"here",
			(int) h->record.pid);
	else
		fputs("held by a process that another user has recorded: it is hidden from here",
			out);
}

static void print_holder(FILE *out, const struct holder *h, bool in_full)
{
	switch (h->kind) {
	case HOLDER_NONE:
		fputs("free", out);
		break;
	case HOLDER_RECORDED:
		fputs("held by", out);
		print_processes(out, h, in_full);
		break;
	case HOLDER_OTHERS:
		print_others(out, h, in_full);
		break;
	case HOLDER_OURSELVES:
		fputs("held by this very process, which has inherited the lock", out);
		break;
	case HOLDER_UNSEEN:
		fputs(in_full ? "held, by a process that cannot be seen from here"
			      : "held by an unknown process",
			out);
		break;
	case HOLDER_WITHOUT_LOCK:
		print_without_lock(out, h, in_full);
		break;
	case HOLDER_HIDDEN:
		print_hidden(out, h);
		break;
	}
	if (h->is_displaced)
		fputs(": the file that it locked was removed or replaced", out);
	if (h->is_displaced && h->kind == HOLDER_UNSEEN)
		fprintf(out, " (inode %ju of device %u:%u)", (uintmax_t) h->lock.inode,
			h->lock.major, h->lock.minor);
}

char *holder_describe(const struct holder *h, bool in_full)
{
	char *line = NULL;
	size_t size;
	FILE *out = open_memstream(&line, &size);

	if (out == NULL)
		return strdup("held by an unknown process");
	print_holder(out, h, in_full);
	return fclose(out) == EOF ? strdup("held by an unknown process") : line;
}

/* -1 if that is not known. */
static int64_t held_for(const struct holder *h)
{
	bool recorded = h->kind == HOLDER_RECORDED || h->kind == HOLDER_WITHOUT_LOCK;
	int64_t length = clock_now(CLOCK_BOOTTIME) - h->record.locked_at;

	return recorded && h->record.locked_at != 0 && length >= 0 ? length : -1;
}

bool holder_is_overdue(const struct holder *h, int64_t limit)
{
	return limit != -1 && held_for(h) > limit;
}

const char *holder_since(const struct holder *h)
{
	static char text[sizeof ", since 2147483647-12-31 23:59:59"];
	int64_t length = held_for(h);
	time_t since = (time_t) ((clock_now(CLOCK_REALTIME) - length) / SECOND);
	struct tm local;

	if (length == -1 || localtime_r(&since, &local) == NULL ||
		strftime(text, sizeof text, ", since %Y-%m-%d %H:%M:%S", &local) == 0)
		return ", since unknown";
	return text;
}
