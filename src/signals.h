/*
 * Signal names, for --signal.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

/* The number that TERM, SIGTERM, term, RTMIN+3 or 15 stand for; -1 if they stand for none. */
int signal_number(const char *name);

#endif
