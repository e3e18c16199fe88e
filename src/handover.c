#include "handover.h"

#include "number.h"
#include "status.h"

#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char path_is[] = "ONLYONE_LOCK=", fd_is[] = "ONLYONE_FD=",
		  directory_is[] = "ONLYONE_DIRECTORY_FD=";
enum { WORDS = 3, WORD_SIZE = sizeof directory_is + NUMBER_SIZE };

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

static char *number_word(char *room, const char *word, int fd)
{
	number_write(stpcpy(room, word), (uint64_t) fd);
	return room;
}

static void keep_open(const struct lock *l, int fd, bool open)
{
	if (fd != -1 && fcntl(fd, F_SETFD, open ? 0 : FD_CLOEXEC) == -1)
		err(EX_OSERR, "%s", l->path);
}

void handover_exec(const struct lock *l, bool inherit, char **command)
{
	enum { FEW = 256 };
	char path[sizeof path_is + PATH_MAX]; /* a longer one could not have been opened */
	char fd[WORD_SIZE], directory[WORD_SIZE];
	char *few[FEW], **all = few;
	size_t count = 0, n = 0;

	keep_open(l, l->fd, inherit);
	keep_open(l, l->directory, inherit);
	while (environ[count] != NULL)
		count++;
	/* Not setenv(3): to wake the allocator would cost more than all the rest of this. */
	if (count + WORDS >= FEW)
		all = reallocarray(NULL, count + WORDS + 1, sizeof *all);
	if (all == NULL)
		err(EX_OSERR, "%s", l->path);
	if (!l->adopted)
		all[n++] = strcat(strcpy(path, path_is), l->path);
	if (inherit)
		all[n++] = number_word(fd, fd_is, l->fd);
	if (inherit && l->directory != -1)
		all[n++] = number_word(directory, directory_is, l->directory);
	for (size_t i = 0; i < count; i++)
		if (!is_ours(environ[i]))
			all[n++] = environ[i];
	all[n] = NULL;
	execvpe(command[0], command, all);
}
