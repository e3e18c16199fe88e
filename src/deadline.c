#include "deadline.h"

#include "number.h"
#include "retry.h"

#include <poll.h>

int64_t clock_now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t); /* cannot fail for the clocks used here */
	return in_nanoseconds(&t);
}

int64_t in_nanoseconds(const struct timespec *t)
{
	int64_t n;

	if (__builtin_mul_overflow(t->tv_sec, SECOND, &n) ||
		__builtin_add_overflow(n, t->tv_nsec, &n))
		return t->tv_sec < 0 ? INT64_MIN : INT64_MAX;
	return n;
}

static struct timespec to_timespec(int64_t nanoseconds)
{
	return (struct timespec){ .tv_sec = (time_t) (nanoseconds / SECOND),
		.tv_nsec = (long) (nanoseconds % SECOND) };
}

int pause_for(int64_t length)
{
	return deadline_wait(deadline_within(DEADLINE_NEVER, length), -1);
}

int64_t deadline_within(int64_t deadline, int64_t length)
{
	int64_t soon = clock_now(CLOCK_MONOTONIC) + length;

	return deadline < soon ? deadline : soon;
}

/* Not strtod(3): it takes nan, inf, hexadecimal, blanks and the locale's decimal point. */
int64_t seconds_parse(const char *seconds)
{
	uint64_t whole = 0;
	int64_t fraction = 0;
	const char *s = seconds;

	if (*s != '.' && number_read(&s, 10, INT32_MAX, &whole) == -1)
		return -1;
	if (*s == '.') {
		const char *digits = ++s;
		for (int64_t unit = SECOND / 10; *s >= '0' && *s <= '9'; s++, unit /= 10)
			fraction += (*s - '0') * unit;
		if (s == digits && *seconds == '.')
			return -1;
	}
	return *s == '\0' ? (int64_t) whole * SECOND + fraction : -1;
}

static int64_t remaining(int64_t deadline)
{
	int64_t left = deadline - clock_now(CLOCK_MONOTONIC);

	return left > 0 ? left : 0;
}

bool deadline_reached(int64_t deadline)
{
	return deadline == DEADLINE_NOW || remaining(deadline) == 0;
}

int deadline_wait(int64_t deadline, int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	struct timespec left;
	int n;

	do {
		left = to_timespec(remaining(deadline));
		n = ppoll(&ready, 1, deadline == DEADLINE_NEVER ? NULL : &left, NULL);
	} while (n == -1 && errno == EINTR);
	return n;
}

/* Only there so that the signal interrupts: the clock tells whether the deadline has come. */
static void interrupt(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) info;
	(void) context;
}

/*
 * The caller's own alarm(2) or setitimer(2) survives exec: `perl -e 'alarm 9; exec @ARGV'` before
 * us limits the whole job. SI_KERNEL tells it from our timer (SI_TIMER) and from a stray kill(2)
 * (SI_USER), and it does what it would have done without us.
 */
static void interrupt_or_end(int signal, siginfo_t *info, void *context)
{
	(void) context;
	if (info->si_code != SI_KERNEL)
		return;
	struct sigaction found = { .sa_handler = SIG_DFL };
	sigaction(signal, &found, NULL);
	raise(signal); /* delivered when this handler returns */
}

/* A SIGALRM that was blocked or ignored when we started would never end the call. */
static int take_signal(struct deadline_alarm *a)
{
	struct sigaction action = {
		.sa_flags = SA_SIGINFO
	}; /* no SA_RESTART: EINTR is the point */
	sigset_t alarm;

	if (sigaction(SIGALRM, NULL, &a->disposition) == -1 ||
		sigprocmask(SIG_SETMASK, NULL, &a->mask) == -1)
		return -1;
	bool deadly = a->disposition.sa_handler == SIG_DFL && !sigismember(&a->mask, SIGALRM);
	action.sa_sigaction = deadly ? interrupt_or_end : interrupt;
	sigemptyset(&action.sa_mask);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	if (sigaction(SIGALRM, &action, NULL) == -1)
		return -1;
	return sigprocmask(SIG_UNBLOCK, &alarm, NULL);
}

/*
 * timer_create(2) and not setitimer(2): the one interval timer there is may be the caller's, and
 * would outlive exec, which deletes POSIX timers.
 */
int deadline_arm(int64_t deadline, struct deadline_alarm *a)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct itimerspec when = { .it_value = to_timespec(deadline),
		.it_interval = to_timespec(MILLISECOND) };

	a->armed = false;
	if (deadline == DEADLINE_NOW || deadline == DEADLINE_NEVER)
		return 0;
	if (take_signal(a) == -1 || timer_create(CLOCK_MONOTONIC, &event, &a->timer) == -1)
		return -1;
	a->armed = true;
	return timer_settime(a->timer, TIMER_ABSTIME, &when, NULL);
}

int deadline_disarm(struct deadline_alarm *a)
{
	if (!a->armed)
		return 0;
	a->armed = false;
	/* The timer first: a last signal of it must not meet the caller's disposition. */
	if (timer_delete(a->timer) == -1 || sigprocmask(SIG_SETMASK, &a->mask, NULL) == -1)
		return -1;
	return sigaction(SIGALRM, &a->disposition, NULL);
}
