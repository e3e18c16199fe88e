#include "handover.h"

#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST = sizeof "ONLYONE_DIRECTORY_FD=2147483647", WORDS = 4 };

/* What we have to say in the command's environment. */
struct words {
	char lock[sizeof "ONLYONE_LOCK=" + PATH_MAX]; /* a longer path could not have been opened */
	char pid[LONGEST], fd[LONGEST], directory[LONGEST];
};

/* Stores the words that apply in entries, and returns how many. */
static size_t write_words(const struct lock *l, bool inherit, struct words *w, char **entries)
{
	size_t n = 0;

	snprintf(w->pid, sizeof w->pid, "ONLYONE_PID=%d", (int) getpid());
	entries[n++] = w->pid;
	if (l->path != NULL) {
		snprintf(w->lock, sizeof w->lock, "ONLYONE_LOCK=%s", l->path);
		entries[n++] = w->lock;
	}
	if (inherit) {
		snprintf(w->fd, sizeof w->fd, "ONLYONE_FD=%d", l->fd);
		entries[n++] = w->fd;
	}
	if (inherit && l->directory != -1) {
		snprintf(
			w->directory, sizeof w->directory, "ONLYONE_DIRECTORY_FD=%d", l->directory);
		entries[n++] = w->directory;
	}
	return n;
}

/* What an outer onlyone has set is not for this command. */
static bool is_ours(const char *entry)
{
	static const char *const names[] = {
		"ONLYONE_LOCK=", "ONLYONE_PID=", "ONLYONE_FD=", "ONLYONE_DIRECTORY_FD="
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strncmp(entry, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static int keep_open(int fd, bool open)
{
	return fd == -1 ? 0 : fcntl(fd, F_SETFD, open ? 0 : FD_CLOEXEC);
}

int handover_exec(const struct lock *l, bool inherit, char **command)
{
	enum { FEW = 256 };
	char *few[FEW], **many = NULL;
	struct words w;
	size_t count = 0;

	if (keep_open(l->fd, inherit) == -1 || keep_open(l->directory, inherit) == -1)
		return EX_OSERR;
	while (environ[count] != NULL)
		count++;
	/* Not setenv(3): waking the allocator would cost more than all the rest of this. */
	bool fits = count + WORDS < FEW;
	if (!fits && (many = reallocarray(NULL, count + WORDS + 1, sizeof *many)) == NULL)
		return EX_OSERR;
	char **all = fits ? few : many;
	size_t n = write_words(l, inherit, &w, all);
	for (size_t i = 0; i < count; i++)
		if (!is_ours(environ[i]))
			all[n++] = environ[i];
	all[n] = NULL;
	execvpe(command[0], command, all);
	int why = errno;
	free(many);
	errno = why;
	return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_EXECUTE;
}
