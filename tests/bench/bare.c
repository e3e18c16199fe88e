/*
 * bare LOCK /PATH/TO/COMMAND [ARG...]: the job of onlyone in the fewest system calls and without a
 * libc: open, lock in both families, write the PID, exec. No safeguards, no messages: what a start
 * of onlyone costs beyond this is for those and for the libc.
 *
 * With -DSAFEGUARDS it makes the calls of the safeguards as well, without heeding what they say, so
 * that the price of the two can be told apart.
 *
 * Linux on x86-64.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

static long call(long number, long a, long b, long c, long d)
{
	register long fourth __asm__("r10") = d;
	register long fifth __asm__("r8") = 0;

	__asm__ volatile("syscall"
			 : "+a"(number)
			 : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
			 : "rcx", "r11", "memory");
	return number;
}

static _Noreturn void leave(int status)
{
	for (;;)
		call(SYS_exit_group, status, 0, 0, 0);
}

/* Up to end, before which there is room for it. */
static char *decimal(char *end, long n)
{
	do
		*--end = (char) ('0' + n % 10);
	while ((n /= 10) != 0);
	return end;
}

#ifdef SAFEGUARDS

enum { SAFELY = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, FOLDER = O_PATH | O_DIRECTORY };
static const char attribute[] = "user.onlyone";
static char text[4096]; /* of /proc and of the record */

/* The folder that path stands in, for *name in it. */
static long open_parent(const char *path, const char **name)
{
	char parent[256] = ".";

	*name = path;
	for (int i = 0; path[i] != '\0' && i < 255; i++)
		if (path[i] == '/')
			*name = path + i + 1;
	for (int i = 0; path + i < *name; i++)
		parent[i] = path[i];
	return call(SYS_open, (long) parent, FOLDER | O_CLOEXEC, 0, 0);
}

/* Not a link, a FIFO or a foreign file; what the lock is called; a descriptor out of the way. */
static long open_lock(const char *path, long *folder)
{
	char link[] = "/proc/self/fd/0";
	const char *name;
	struct stat s;
	long fd;

	call(SYS_lstat, (long) path, (long) &s, 0, 0);
	long parent = *folder = open_parent(path, &name);
	call(SYS_fstat, parent, (long) &s, 0, 0);
	link[sizeof link - 2] = (char) ('0' + parent);
	call(SYS_readlink, (long) link, (long) text, sizeof text, 0);
	call(SYS_readlink, (long) "/proc/self/ns/mnt", (long) text, sizeof text, 0);
	call(SYS_stat, (long) "/", (long) &s, 0, 0);
	if (call(SYS_newfstatat, parent, (long) name, (long) &s, AT_SYMLINK_NOFOLLOW) == 0)
		fd = call(SYS_openat, parent, (long) name, SAFELY | O_RDWR, 0);
	else
		fd = call(
			SYS_openat, parent, (long) name, SAFELY | O_RDWR | O_CREAT | O_EXCL, 0600);
	call(SYS_fstat, fd, (long) &s, 0, 0);
	if (fd < 0 || call(SYS_fcntl, 63, F_GETFD, 0, 0) == 0 ||
		call(SYS_dup3, fd, 63, O_CLOEXEC, 0) != 63)
		return -1;
	call(SYS_close, fd, 0, 0, 0);
	return 63;
}

/* Not on a network's file system. */
static void look_at_file_system(long fd)
{
	struct statfs fs;

	call(SYS_fstatfs, fd, (long) &fs, 0, 0);
}

/* Whether a folder above the lock was moved: all of them up to the root. */
static void look_at_folders(long parent)
{
	char up[64] = ".";
	struct stat s = { 0 };
	ino_t below = 0;

	for (int end = 1; end < 60; end += 3) {
		call(SYS_newfstatat, parent, (long) up, (long) &s, 0);
		if (s.st_ino == below)
			break;
		below = s.st_ino;
		up[end] = '/';
		up[end + 1] = up[end + 2] = '.';
	}
}

/* Still the same file; the boot and the namespaces; the record and whether its process lives. */
static void check(const char *path, long parent, long fd)
{
	struct stat s;

	call(SYS_lstat, (long) path, (long) &s, 0, 0);
	call(SYS_fstat, fd, (long) &s, 0, 0);
	call(SYS_readlink, (long) "/proc/self", (long) text, sizeof text, 0);
	long boot = call(SYS_open, (long) "/proc/sys/kernel/random/boot_id", O_CLOEXEC, 0, 0);
	call(SYS_read, boot, (long) text, 36, 0);
	call(SYS_close, boot, 0, 0, 0);
	call(SYS_readlink, (long) "/proc/self/ns/pid", (long) text, sizeof text, 0);
	call(SYS_readlink, (long) "/proc/self/ns/time", (long) text, sizeof text, 0);
	call(SYS_pread64, fd, (long) text, 9, 0);
	call(SYS_fstat, fd, (long) &s, 0, 0);
	call(SYS_fgetxattr, fd, (long) attribute, (long) text, 84);
	look_at_folders(parent);
	call(SYS_kill, 4194304, 0, 0, 0); /* nobody's number */
}

/* Which incarnation of the PID it is; and a file limit must not kill between that and the PID. */
static void write_incarnation(long fd)
{
	static const char incarnation[] = "1234567 1234567890123 12345678901234567890 123456789";

	call(SYS_rt_sigaction, SIGXFSZ, 0, (long) text, 8);
	call(SYS_fsetxattr, fd, (long) attribute, (long) incarnation, sizeof incarnation - 1);
}

static void hand_over(long fd)
{
	call(SYS_rt_sigaction, SIGXFSZ, 0, (long) text, 8);
	call(SYS_fcntl, fd, F_SETFD, 0, 0);
}

#else

static long open_lock(const char *path, long *folder)
{
	*folder = -1;
	return call(SYS_open, (long) path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, 0);
}

static void look_at_file_system(long fd)
{
	(void) fd;
}

static void check(const char *path, long parent, long fd)
{
	(void) path;
	(void) parent;
	(void) fd;
}

static void write_incarnation(long fd)
{
	(void) fd;
}

static void hand_over(long fd)
{
	(void) fd;
}

#endif

static int lock(long fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return call(SYS_fcntl, fd, F_OFD_SETLK, (long) &whole, 0) == 0 &&
	       call(SYS_flock, fd, LOCK_EX | LOCK_NB, 0, 0) == 0;
}

static int write_pid(long fd)
{
	char line[16], *end = line + sizeof line - 1;
	char *pid = decimal(end, call(SYS_getpid, 0, 0, 0, 0));

	*end++ = '\n';
	return call(SYS_pwrite64, fd, (long) pid, end - pid, 0) == end - pid &&
	       call(SYS_ftruncate, fd, end - pid, 0, 0) == 0;
}

/* The stack as the kernel leaves it: argc, argv, NULL, the environment, NULL. */
__attribute__((used)) static _Noreturn void start(long *stack)
{
	char **argv = (char **) stack + 1, **environment = argv + stack[0] + 1;

	if (stack[0] < 3)
		leave(64);
	long folder, fd = open_lock(argv[1], &folder);
	if (fd < 0)
		leave(73);
	look_at_file_system(fd);
	if (!lock(fd))
		leave(75);
	check(argv[1], folder, fd);
	write_incarnation(fd);
	if (!write_pid(fd))
		leave(74);
	hand_over(fd);
	call(SYS_execve, (long) argv[2], (long) (argv + 2), (long) environment, 0);
	leave(127);
}

__attribute__((naked, noreturn)) void _start(void);

void _start(void)
{
	__asm__("mov %rsp, %rdi\n\t"
		"call start");
}
