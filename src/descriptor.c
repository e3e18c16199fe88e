#include "descriptor.h"

#include "number.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void descriptor_close(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

void descriptor_path(char *path, const char *folder, int fd)
{
	char number[NUMBER_SIZE];

	number_write(number, (uint64_t) fd);
	stpcpy(stpcpy(stpcpy(stpcpy(path, "/proc/self/"), folder), "/"), number);
}
