/*
 * Whether a file server answers lock calls. One that does not (no lock manager, a firewall) blocks
 * them for ever, also those that are not to wait, and only a fatal signal ends such a call. So a
 * child asks first, and is killed when it takes too long.
 *
 * It asks on our own open file description, and takes no lock: a killed attempt to take one may take
 * the locks of its description along, which may be the caller's. Asked through another one, NFS would
 * find the lock that ours brought along, and answer without the server, which the attempt then needs.
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
