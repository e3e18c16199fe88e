#include "handover.h"

#include "number.h"
#include "status.h"

#include <alloca.h>
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static const char lock_is[] = "ONLYONE_LOCK=";
static const char fd_is[] = "ONLYONE_FD=";
static const char directory_is[] = "ONLYONE_DIRECTORY_FD=";

/* What an outer onlyone has set is not for this command. */
static bool is_ours(const char *variable)
{
	return strncmp(variable, lock_is, strlen(lock_is)) == 0 ||
	       strncmp(variable, fd_is, strlen(fd_is)) == 0 ||
	       strncmp(variable, directory_is, strlen(directory_is)) == 0;
}

static void give(const struct lock *l, int fd, bool inherit)
{
	if (fd != -1 && fcntl(fd, F_SETFD, inherit ? 0 : FD_CLOEXEC) == -1)
		err(EX_OSERR, "%s", l->path);
}

void handover_exec(const struct lock *l, bool inherit, char **command)
{
	char lock[sizeof lock_is + PATH_MAX]; /* the path was opened: it fits */
	char fd[sizeof fd_is + NUMBER_SIZE], directory[sizeof directory_is + NUMBER_SIZE];
	size_t count = 0;

	give(l, l->fd, inherit);
	give(l, l->directory, inherit);
	while (environ[count] != NULL)
		count++;
	/*
	 * On the stack, of which the kernel gives arguments and environment a quarter at most: the
	 * heap, for this alone, would be a twentieth of the whole start.
	 */
	char **environment = alloca((count + 3 + 1) * sizeof *environment), **end = environment;
	for (size_t i = 0; i < count; i++)
		if (!is_ours(environ[i]))
			*end++ = environ[i];
	if (!l->adopted) {
		stpcpy(stpcpy(lock, lock_is), l->path);
		*end++ = lock;
	}
	if (inherit) {
		number_write(stpcpy(fd, fd_is), (uint64_t) l->fd);
		*end++ = fd;
	}
	if (inherit && l->directory != -1) {
		number_write(stpcpy(directory, directory_is), (uint64_t) l->directory);
		*end++ = directory;
	}
	*end = NULL;
	execvpe(command[0], command, environment);
}
