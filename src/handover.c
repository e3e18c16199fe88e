#include "handover.h"

#include "number.h"
#include "status.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char path_is[] = "ONLYONE_LOCK=", fd_is[] = "ONLYONE_FD=",
		  directory_is[] = "ONLYONE_DIRECTORY_FD=";

/* What we have to say in the command's environment. */
struct words {
	char path[sizeof path_is + PATH_MAX]; /* a longer path could not have been opened */
	char fd[sizeof fd_is + NUMBER_SIZE];
	char directory[sizeof directory_is + NUMBER_SIZE];
};
enum { WORDS = 3 };

/* Stores the words that apply in entries; how many. */
static size_t tell(const struct lock *l, bool inherit, struct words *w, char **entries)
{
	size_t n = 0;

	if (!l->adopted) {
		stpcpy(stpcpy(w->path, path_is), l->path);
		entries[n++] = w->path;
	}
	if (inherit) {
		number_write(stpcpy(w->fd, fd_is), (uint64_t) l->fd);
		entries[n++] = w->fd;
	}
	if (inherit && l->directory != -1) {
		number_write(stpcpy(w->directory, directory_is), (uint64_t) l->directory);
		entries[n++] = w->directory;
	}
	return n;
}

static bool begins_with(const char *entry, const char *word)
{
	return strncmp(entry, word, strlen(word)) == 0;
}

/* What an outer onlyone has set is not for this command. */
static bool is_ours(const char *entry)
{
	return begins_with(entry, path_is) || begins_with(entry, fd_is) ||
	       begins_with(entry, directory_is);
}

static void keep_open(const struct lock *l, int fd, bool open)
{
	if (fd != -1 && fcntl(fd, F_SETFD, open ? 0 : FD_CLOEXEC) == -1)
		err(EX_OSERR, "%s", l->path);
}

void handover_exec(const struct lock *l, bool inherit, char **command)
{
	enum { FEW = 256 };
	char *few[FEW], **all = few;
	struct words w;
	size_t count = 0;

	keep_open(l, l->fd, inherit);
	keep_open(l, l->directory, inherit);
	while (environ[count] != NULL)
		count++;
	/* Not setenv(3): to wake the allocator would cost more than all the rest of this. */
	if (count + WORDS >= FEW)
		all = reallocarray(NULL, count + WORDS + 1, sizeof *all);
	if (all == NULL)
		err(EX_OSERR, "%s", l->path);
	size_t n = tell(l, inherit, &w, all);
	for (size_t i = 0; i < count; i++)
		if (!is_ours(environ[i]))
			all[n++] = environ[i];
	all[n] = NULL;
	execvpe(command[0], command, all);
	err(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_EXECUTE, "%s", command[0]);
}
