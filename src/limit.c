#include "limit.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>

enum { NANOSECONDS = 1000000000, MILLISECOND = 1000000 };

struct limit limit_none(void)
{
	return (struct limit){ .kind = LIMIT_NONE };
}

struct limit limit_never(void)
{
	return (struct limit){ .kind = LIMIT_NEVER };
}

static struct timespec now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
	return t;
}

struct limit limit_after(struct timespec length)
{
	struct limit l = { .kind = LIMIT_UNTIL, .until = now() };

	l.until.tv_sec += length.tv_sec;
	l.until.tv_nsec += length.tv_nsec;
	if (l.until.tv_nsec >= NANOSECONDS) {
		l.until.tv_nsec -= NANOSECONDS;
		l.until.tv_sec++;
	}
	return l;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

struct limit limit_within(const struct limit *l, struct timespec length)
{
	struct limit soon = limit_after(length);

	if (l->kind == LIMIT_NONE || (l->kind == LIMIT_UNTIL && is_before(&l->until, &soon.until)))
		return *l;
	return soon;
}

/* Not strtod(3): it takes nan, inf, hexadecimal, blanks and what the locale calls a point. */
int limit_parse(struct limit *l, const char *seconds)
{
	struct timespec length = { 0 };
	int64_t whole = 0; /* time_t may have 32 bits */
	const char *s = seconds;
	int digits = 0;

	for (; *s >= '0' && *s <= '9'; s++, digits++) {
		whole = whole * 10 + (*s - '0');
		if (whole > INT32_MAX)
			return -1;
	}
	if (*s == '.') {
		s++;
		for (long unit = NANOSECONDS / 10; *s >= '0' && *s <= '9';
			s++, digits++, unit /= 10)
			length.tv_nsec += (*s - '0') * unit;
	}
	if (digits == 0 || *s != '\0')
		return -1;

	length.tv_sec = (time_t) whole;
	bool zero = length.tv_sec == 0 && length.tv_nsec == 0;
	*l = zero ? limit_none() : limit_after(length);
	return 0;
}

/* until - now, never negative. */
static struct timespec remaining(const struct limit *l)
{
	struct timespec t = now();
	struct timespec left = { l->until.tv_sec - t.tv_sec, l->until.tv_nsec - t.tv_nsec };

	if (left.tv_nsec < 0) {
		left.tv_nsec += NANOSECONDS;
		left.tv_sec--;
	}
	if (left.tv_sec < 0)
		left = (struct timespec){ 0 };
	return left;
}

bool limit_reached(const struct limit *l)
{
	if (l->kind != LIMIT_UNTIL)
		return l->kind == LIMIT_NONE;
	struct timespec left = remaining(l);
	return left.tv_sec == 0 && left.tv_nsec == 0;
}

int limit_wait_readable(const struct limit *l, int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	struct timespec left = { 0 };
	int n;

	do {
		if (l->kind == LIMIT_UNTIL)
			left = remaining(l);
		n = ppoll(&ready, 1, l->kind == LIMIT_NEVER ? NULL : &left, NULL);
	} while (n == -1 && errno == EINTR);
	return n;
}

/* Only there so that the signal interrupts: the clock tells whether the limit is reached. */
static void interrupt(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) info;
	(void) context;
}

/*
 * The caller's own alarm(2) or setitimer(2) survives exec: `perl -e 'alarm 9; exec @ARGV'` before
 * us limits the whole job. It is told by SI_KERNEL from our timer (SI_TIMER) and from a stray
 * kill(2) (SI_USER), and does what it would have done without us.
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
static int take_signal(struct limit_alarm *a)
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
 * would outlive exec, where POSIX timers are deleted.
 */
int limit_arm(const struct limit *l, struct limit_alarm *a)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct itimerspec when = { .it_value = l->until,
		.it_interval = { .tv_nsec = MILLISECOND } };

	a->armed = false;
	if (l->kind != LIMIT_UNTIL)
		return 0;
	if (take_signal(a) == -1 || timer_create(CLOCK_MONOTONIC, &event, &a->timer) == -1)
		return -1;
	a->armed = true;
	return timer_settime(a->timer, TIMER_ABSTIME, &when, NULL);
}

int limit_disarm(struct limit_alarm *a)
{
	if (!a->armed)
		return 0;
	a->armed = false;
	/* The timer first: a last signal of it must not meet the caller's disposition. */
	if (timer_delete(a->timer) == -1 || sigprocmask(SIG_SETMASK, &a->mask, NULL) == -1)
		return -1;
	return sigaction(SIGALRM, &a->disposition, NULL);
}
