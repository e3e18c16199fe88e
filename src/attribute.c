#include "attribute.h"

#include <errno.h>
#include <sys/xattr.h>

/* The second is root's alone (xattr(7)): tmpfs has the first only since Linux 6.6. */
static const char *const lock_files[] = { "user.onlyone", "trusted.onlyone" },
			 *const as_is_files[] = { "user.onlyone.as-is", "trusted.onlyone.as-is" };

/* By errno: EPERM and ENOSYS where a sandbox forbids the calls, or a file system their use. */
static bool is_unsupported(void)
{
	return errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM;
}

/*
 * We may have no right to read that of a borrowed descriptor's file: then we could not have written
 * it either.
 */
ssize_t attribute_get(const struct lock *l, bool as_is, char *text)
{
	const char *const *names = as_is ? as_is_files : lock_files;
	ssize_t length = fgetxattr(l->record_fd, names[0], text, ATTRIBUTE_SIZE);

	if (length == -1 && is_unsupported())
		length = fgetxattr(l->record_fd, names[1], text, ATTRIBUTE_SIZE);
	if (length == -1 && (errno == ENODATA || errno == ERANGE || is_unsupported() ||
				    (errno == EACCES && l->borrowed)))
		length = 0;
	text[length == -1 ? 0 : length] = '\0';
	return length;
}

int attribute_set(const struct lock *l, const char *text, size_t length)
{
	const char *const *names = l->as_is ? as_is_files : lock_files;
	int failed = fsetxattr(l->record_fd, names[0], text, length, 0);

	if (failed && is_unsupported())
		failed = fsetxattr(l->record_fd, names[1], text, length, 0);
	if (!failed)
		return 1;
	/* Also where we may lock the file, but not write it: --mode 444, --as-is. */
	return is_unsupported() || errno == EACCES || errno == EROFS ? 0 : -1;
}

int attribute_remove(const struct lock *l)
{
	const char *const *names = l->as_is ? as_is_files : lock_files;
	int failed = fremovexattr(l->record_fd, names[0]);

	if (failed && is_unsupported())
		failed = fremovexattr(l->record_fd, names[1]);
	return !failed || errno == ENODATA || errno == EACCES || errno == EROFS || is_unsupported()
		       ? 0
		       : -1;
}
