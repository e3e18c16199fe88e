#include "options.h"

#include "deadline.h"
#include "number.h"
#include "signals.h"
#include "status.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ONLYONE_VERSION
#error "ONLYONE_VERSION comes from the Makefile"
#endif

static const char usage[] =
	"usage: onlyone [OPTION...] [--] LOCK COMMAND [ARG...]\n"
	"       onlyone [OPTION...] LOCK -c STRING\n"
	"       onlyone [OPTION...] --fd N [COMMAND [ARG...]]\n"
	"       onlyone --unlock --fd N\n"
	"       onlyone --status | --pid | --signal SIG [OPTION...] LOCK\n"
	"\n"
	"Run COMMAND as the only copy of itself under LOCK, a file or a directory.\n"
	"\n"
	"  -n, --nonblock, --nonblocking\n"
	"                              do not wait when LOCK is held (the default)\n"
	"  -b, --block                 wait as long as it takes\n"
	"  -w, --wait, --timeout SECONDS\n"
	"                              wait at most SECONDS; fractions allowed\n"
	"  -x, -e, --exclusive         an exclusive lock (the default)\n"
	"  -s, --shared                a shared lock\n"
	"  -E, --conflict-exit-code N  exit with N instead of 75 when LOCK is held\n"
	"  -o, --close                 a keeper holds the lock, not COMMAND\n"
	"  -F, --no-fork, --fcntl      accepted as in flock(1): always so\n"
	"  -m, --mode OCTAL            mode of a lock file that is created (0600)\n"
	"  -f, --force                 start although the recorded process still lives\n"
	"  -l, --local                 locks that reach this host only will do\n"
	"      --as-is                 LOCK has content of its own: never write it\n"
	"  -q, --quiet                 say nothing when LOCK is held\n"
	"      --overdue SECONDS       but when it has been held for longer\n"
	"  -v, --verbose               say what is done\n"
	"  -c, --command STRING        after LOCK: run STRING with $SHELL, else /bin/sh\n"
	"      --fd N                  lock descriptor N, which the caller opened\n"
	"  -u, --unlock                release the lock of --fd N\n"
	"      --status                say who holds LOCK; 0 held, 1 free\n"
	"      --pid                   print the holder's PID; 0 held, 1 free\n"
	"      --signal SIG            signal the holder; with COMMAND, then run that in\n"
	"                              its place; with -w wait until LOCK is free\n"
	"  -k, --kill-after SECONDS    with --signal: then KILL it as well\n"
	"  -h, --help, -V, --version   print this, or the version\n"
	"\n"
	"Exit statuses, safeguards and examples: man onlyone\n";

#define DEADLINE_UNSET INT64_C(-1)
enum { OPT_FD = UCHAR_MAX + 1, OPT_STATUS, OPT_PID, OPT_SIGNAL, OPT_AS_IS, OPT_OVERDUE };

static const char short_options[] =
	"+nbw:xesE:oFm:flqvc:uk:hV"; /* '+': stop at the first operand */
static const struct option long_options[] = {
	{ "nonblock", no_argument, NULL, 'n' },
	{ "nonblocking", no_argument, NULL, 'n' }, /* flock(1) has these, too */
	{ "nb", no_argument, NULL, 'n' },
	{ "block", no_argument, NULL, 'b' },
	{ "wait", required_argument, NULL, 'w' },
	{ "timeout", required_argument, NULL, 'w' },
	{ "exclusive", no_argument, NULL, 'x' },
	{ "shared", no_argument, NULL, 's' },
	{ "conflict-exit-code", required_argument, NULL, 'E' },
	{ "close", no_argument, NULL, 'o' },
	{ "no-fork", no_argument, NULL, 'F' },
	{ "fcntl", no_argument, NULL, 'F' },
	{ "mode", required_argument, NULL, 'm' },
	{ "force", no_argument, NULL, 'f' },
	{ "local", no_argument, NULL, 'l' },
	{ "as-is", no_argument, NULL, OPT_AS_IS },
	{ "quiet", no_argument, NULL, 'q' },
	{ "overdue", required_argument, NULL, OPT_OVERDUE },
	{ "verbose", no_argument, NULL, 'v' },
	{ "fd", required_argument, NULL, OPT_FD },
	{ "command", required_argument, NULL, 'c' },
	{ "unlock", no_argument, NULL, 'u' },
	{ "status", no_argument, NULL, OPT_STATUS },
	{ "pid", no_argument, NULL, OPT_PID },
	{ "signal", required_argument, NULL, OPT_SIGNAL },
	{ "kill-after", required_argument, NULL, 'k' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

/* Digits of base 8 or 10 and nothing else, at most max; anything else ends the program. */
static int number(const char *text, unsigned base, uint64_t max, const char *what)
{
	const char *at = text;
	uint64_t n;

	if (number_read(&at, base, max, &n) == -1 || *at != '\0')
		errx(EX_USAGE, "%s: not a valid %s", text, what);
	return (int) n;
}

static int64_t seconds(const char *text)
{
	int64_t length = seconds_parse(text);

	if (length == -1)
		errx(EX_USAGE, "%s: not a valid number of seconds", text);
	return length;
}

/* The help and version texts are what was asked for: a full disk must not look like success. */
static _Noreturn void print(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) == EOF)
		err(EX_IOERR, "standard output");
	exit(EXIT_SUCCESS);
}

static void set_job(struct options *o, enum job job)
{
	if (o->job != JOB_RUN && o->job != job)
		errx(EX_USAGE, "--status, --pid, --signal and --unlock exclude each other");
	o->job = job;
}

/* A deadline of 0 seconds has passed already. */
static int64_t deadline_after(int64_t length)
{
	return length == 0 ? DEADLINE_NOW : deadline_within(DEADLINE_NEVER, length);
}

static void read_option(struct options *o, int option, char *value)
{
	switch (option) {
	case 'n':
		o->request.deadline = DEADLINE_NOW;
		break;
	case 'b':
		o->request.deadline = DEADLINE_NEVER;
		break;
	case 'w':
		o->request.deadline = deadline_after(seconds(value));
		break;
	case 'k':
		o->kill_after = seconds(value);
		break;
	case OPT_OVERDUE:
		o->overdue = seconds(value);
		break;
	case 'x':
	case 'e':
		o->request.shared = false;
		break;
	case 's':
		o->request.shared = true;
		break;
	case 'E':
		o->held_status = number(value, 10, 255, "exit status (0 to 255)");
		break;
	case 'o':
		o->close = true;
		break;
	case 'F':
		break;
	case 'm':
		o->request.mode = (mode_t) number(value, 8, 0777, "file mode (octal, at most 777)");
		break;
	case 'f':
		o->force = true;
		break;
	case 'l':
		o->request.local = true;
		break;
	case OPT_AS_IS:
		o->request.as_is = true;
		break;
	case 'q':
		o->quiet = true;
		break;
	case 'v':
		o->verbose = true;
		break;
	case 'c':
		o->string = value;
		break;
	case 'u':
		set_job(o, JOB_UNLOCK);
		break;
	case OPT_FD:
		o->fd = number(value, 10, INT_MAX, "descriptor");
		break;
	case OPT_STATUS:
		set_job(o, JOB_STATUS);
		break;
	case OPT_PID:
		set_job(o, JOB_PID);
		break;
	case OPT_SIGNAL:
		o->signal = signal_number(value);
		if (o->signal == -1)
			errx(EX_USAGE, "%s: not a signal", value);
		break;
	case 'h':
		print(usage);
	case 'V':
		print("onlyone " ONLYONE_VERSION "\n");
	default: /* getopt_long(3) has said what is wrong */
		exit(EX_USAGE);
	}
}

static char **shell_command(struct options *o, char *string)
{
	char *shell = getenv("SHELL");

	o->shell[0] = shell != NULL && *shell != '\0' ? shell : "/bin/sh";
	o->shell[1] = "-c";
	o->shell[2] = string;
	return o->shell;
}

/* The command that the operands from argv on name; NULL if there is none. */
static char **read_command(struct options *o, char **argv)
{
	if (o->string != NULL) { /* -c was among the options, after --fd */
		if (o->fd == -1 || argv[0] != NULL)
			errx(EX_USAGE, "-c comes after LOCK and takes exactly one string");
		return shell_command(o, o->string);
	}
	if (argv[0] == NULL)
		return NULL;
	if (strcmp(argv[0], "-c") != 0 && strcmp(argv[0], "--command") != 0)
		return argv;
	if (argv[1] == NULL || argv[2] != NULL)
		errx(EX_USAGE, "%s takes exactly one string", argv[0]);
	return shell_command(o, argv[1]);
}

/* Replacing a copy, or killing it in the end, means waiting for it. */
static bool waits_for_signalled(const struct options *o)
{
	return o->signal != -1 && (o->job == JOB_RUN || o->kill_after != -1);
}

/* With the whole command line read: what cannot be asked for at once. */
static void check(const struct options *o)
{
	const bool asks = o->job != JOB_RUN && o->job != JOB_UNLOCK;

	if (o->job == JOB_UNLOCK && o->fd == -1)
		errx(EX_USAGE, "%s: --unlock needs --fd; a lock ends with its process", o->name);
	if (asks && o->fd != -1)
		errx(EX_USAGE, "descriptor %d: a question takes the path of a lock", o->fd);
	if (o->job != JOB_RUN && o->command != NULL)
		errx(EX_USAGE, "%s: one operand too many", o->command[0]);
	if (o->job == JOB_RUN && o->fd == -1 && o->command == NULL)
		errx(EX_USAGE, "%s: no command given%s", o->name,
			o->lock[strspn(o->lock, "0123456789")] == '\0'
				? "; a descriptor is locked with --fd"
				: "");
	if (o->close && o->command == NULL && o->job == JOB_RUN)
		errx(EX_USAGE, "descriptor %d: --close needs a command", o->fd);
	if (waits_for_signalled(o) && o->request.deadline == DEADLINE_NOW)
		errx(EX_USAGE, "--signal with %s waits for the holder: not with --nonblock",
			o->job == JOB_RUN ? "a command" : "--kill-after");
	if (o->kill_after != -1 && o->signal == -1)
		errx(EX_USAGE, "--kill-after needs --signal");
}

/* A copy only if there is something to hide from a terminal. */
static const char *printable(const char *path)
{
	char *copy = NULL;

	for (size_t i = 0; path[i] != '\0'; i++) {
		if ((unsigned char) path[i] >= ' ' && path[i] != '\x7f')
			continue;
		if (copy == NULL && (copy = strdup(path)) == NULL)
			err(EX_OSERR, "LOCK");
		copy[i] = '?';
	}
	return copy != NULL ? copy : path;
}

static void read_operands(struct options *o, char **argv)
{
	if (o->fd == -1) {
		o->lock = *argv;
		if (o->lock == NULL)
			errx(EX_USAGE, "no lock given; try 'onlyone --help'");
		if (*o->lock == '\0')
			errx(EX_USAGE, "the name of the lock is empty");
		o->name = printable(o->lock);
		argv++;
	}
	o->command = read_command(o, argv);
	if (o->signal != -1 && (o->job != JOB_RUN || o->command == NULL))
		set_job(o, JOB_SIGNAL);
	if (o->request.deadline == DEADLINE_UNSET)
		o->request.deadline = waits_for_signalled(o) ? DEADLINE_NEVER : DEADLINE_NOW;
	check(o);
}

void options_read(struct options *o, int argc, char **argv)
{
	int option;

	*o = (struct options){
		.job = JOB_RUN,
		.fd = -1,
		.request = { .mode = 0600, .deadline = DEADLINE_UNSET },
		.kill_after = -1,
		.overdue = -1,
		.signal = -1,
		.held_status = STATUS_HELD,
	};
	while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1)
		read_option(o, option, optarg);
	read_operands(o, argv + optind);
}
