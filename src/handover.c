#include "handover.h"

#include "number.h"
#include "status.h"

#include <err.h>
#include <fcntl.h>
#include <stdlib.h>

/* NULL removes it: what an outer onlyone has set is not for this command. */
static void set(const struct lock *l, const char *name, const char *value)
{
	if ((value == NULL ? unsetenv(name) : setenv(name, value, 1)) == -1)
		err(EX_OSERR, "%s: %s", l->path, name);
}

static void give(const struct lock *l, const char *name, int fd, bool inherit)
{
	char number[NUMBER_SIZE];

	if (fd != -1 && fcntl(fd, F_SETFD, inherit ? 0 : FD_CLOEXEC) == -1)
		err(EX_OSERR, "%s", l->path);
	if (fd != -1 && inherit)
		number_write(number, (uint64_t) fd);
	set(l, name, fd != -1 && inherit ? number : NULL);
}

void handover_prepare(const struct lock *l, bool inherit)
{
	set(l, "ONLYONE_LOCK", l->adopted ? NULL : l->path);
	give(l, "ONLYONE_FD", l->fd, inherit);
	give(l, "ONLYONE_DIRECTORY_FD", l->directory, inherit);
}
