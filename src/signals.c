#include "signals.h"

#include "number.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* glibc has sigabbrev_np(3), musl has nothing: one table serves both. */
static const struct {
	const char *name;
	int number;
} names[] = {
	{ "HUP", SIGHUP },
	{ "INT", SIGINT },
	{ "QUIT", SIGQUIT },
	{ "ILL", SIGILL },
	{ "TRAP", SIGTRAP },
	{ "ABRT", SIGABRT },
	{ "IOT", SIGABRT },
	{ "BUS", SIGBUS },
	{ "FPE", SIGFPE },
	{ "KILL", SIGKILL },
	{ "USR1", SIGUSR1 },
	{ "SEGV", SIGSEGV },
	{ "USR2", SIGUSR2 },
	{ "PIPE", SIGPIPE },
	{ "ALRM", SIGALRM },
	{ "TERM", SIGTERM },
	{ "STKFLT", SIGSTKFLT },
	{ "CHLD", SIGCHLD },
	{ "CLD", SIGCHLD },
	{ "CONT", SIGCONT },
	{ "STOP", SIGSTOP },
	{ "TSTP", SIGTSTP },
	{ "TTIN", SIGTTIN },
	{ "TTOU", SIGTTOU },
	{ "URG", SIGURG },
	{ "XCPU", SIGXCPU },
	{ "XFSZ", SIGXFSZ },
	{ "VTALRM", SIGVTALRM },
	{ "PROF", SIGPROF },
	{ "IO", SIGIO },
	{ "POLL", SIGIO },
	{ "PWR", SIGPWR },
	{ "SYS", SIGSYS },
	{ "WINCH", SIGWINCH },
};

/* Decimal digits and nothing else, at most max; else -1. */
static int number(const char *digits, int max)
{
	uint64_t n;

	return number_read(&digits, 10, (uint64_t) max, &n) == -1 || *digits != '\0' ? -1 : (int) n;
}

static int realtime_number(const char *name)
{
	int room = SIGRTMAX - SIGRTMIN;
	bool from_max = strncasecmp(name, "RTMAX", 5) == 0;
	const char *offset = name + 5;

	if (!from_max && strncasecmp(name, "RTMIN", 5) != 0)
		return -1;
	if (*offset == '\0')
		return from_max ? SIGRTMAX : SIGRTMIN;
	if (*offset != (from_max ? '-' : '+'))
		return -1;
	int n = number(offset + 1, room);
	if (n == -1)
		return -1;
	return from_max ? SIGRTMAX - n : SIGRTMIN + n;
}

int signal_number(const char *name)
{
	int n = number(name, SIGRTMAX);

	if (n != -1)
		return n;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcasecmp(name, names[i].name) == 0)
			return names[i].number;
	return realtime_number(name);
}
