/*
 * The identity of a process over time: a PID is given again, and means nothing alone.
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <stdint.h>
#include <sys/types.h>

/* Which process: its PID means something only together with the rest. */
struct identity {
	pid_t pid;
	uint64_t start; /* procfs_stat */
	uint32_t scope; /* a hash of the boot and the PID namespace; never 0 */
};

/*
 * Our own identity, which the command keeps: 1. 0 if there is no /proc that tells it, and so no
 * safeguard that rests on it. -1 with errno if there is one but it cannot be read.
 */
int identity_of_self(struct identity *i);

#endif
