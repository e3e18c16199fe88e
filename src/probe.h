/*
 * Whether a file server answers lock calls. One that does not (no lock manager, a firewall) blocks
 * them for ever, also those that are not to wait, and only a fatal signal ends such a call. So a
 * child asks first, and is killed when it takes too long.
 *
 * It asks on an open file description of its own: a killed call may take the locks of its
 * description along, and the one that we hold may be the caller's.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdint.h>

/*
 * Asks who holds fd's file, which takes no lock: 1 when there was an answer, 0 when there was none
 * until the deadline (for DEADLINE_NOW ten seconds), -1 with errno. No process is left behind.
 */
int probe_server(int fd, int64_t deadline);

#endif
