/*
 * Numbers to text and back without stdio, which is too slow to start for the way to exec.
 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdint.h>

enum { NUMBER_SIZE = 21 }; /* the digits of UINT64_MAX and a NUL */

/* Writes n in decimal and a NUL to at, which has room for NUMBER_SIZE. Where the NUL stands. */
char *number_write(char *at, uint64_t n);

/*
 * Reads digits, without a leading zero, at *at, moves *at behind them and stores the number; -1
 * if there are none or it is larger than max.
 */
int number_read(const char **at, uint64_t max, uint64_t *n);

#endif
