#include "probe.h"

#include "deadline.h"
#include "fdinfo.h"
#include "process.h"
#include "retry.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child, which ends with its parent. What the answer is does not matter. */
static _Noreturn void ask(int fd, pid_t parent)
{
	struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	const int access = fcntl(fd, F_GETFL) & O_ACCMODE;
	char link[FDINFO_PATH];

	/* If our parent ended before that call, we have another one by now. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
		_exit(EXIT_FAILURE);
	fdinfo_path(link, fd);
	open(link, access | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	fcntl(fd, F_OFD_GETLK, &range);
	_exit(EXIT_SUCCESS);
}

/* Until the other end of the pipe is closed, as it is when the child ends. */
static int wait_for_end(int fd, int64_t deadline)
{
	return deadline_wait(
		deadline == DEADLINE_NOW ? deadline_within(DEADLINE_NEVER, 10 * SECOND) : deadline,
		fd);
}

int probe_server(int fd, int64_t deadline)
{
	const pid_t self = getpid();
	int alive[2];

	if (pipe2(alive, O_CLOEXEC) == -1)
		return -1;
	pid_t child = process_fork_quietly();
	if (child == 0)
		ask(fd, self);
	int why = errno;
	close(alive[1]);
	int ended = child == -1 ? -1 : wait_for_end(alive[0], deadline);
	if (child != -1) {
		if (ended == -1)
			why = errno;
		if (ended != 1)
			kill(child, SIGKILL);
		/* A child that cannot even be killed is left to init, once we have ended. */
		deadline_wait(deadline_within(DEADLINE_NEVER, SECOND), alive[0]);
		RETRY(waitpid(child, NULL, ended == 1 ? __WALL : __WALL | WNOHANG));
	}
	close(alive[0]);
	errno = why;
	return ended;
}
