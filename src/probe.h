/*
 * Whether a file server answers lock calls. One that does not (no lock manager, a firewall) blocks
 * them for ever, also those that are not to wait, and only a fatal signal ends such a call. So a
 * child asks first, and is killed when it takes too long.
 *
 * It takes no lock: a killed attempt to take one may take the locks of its description along, which
 * may be the caller's. What it asks must need the server wherever the attempt will. NFS 3 answers by
 * itself who finds a lock of this host's other descriptions in his way, so it is ours that is asked
 * about; NFS 4 whoever has the file open under a read delegation, but not who opens it for writing.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdint.h>

/*
 * Opens fd's file once more and asks who holds it: 1 when there was an answer, 0 when there was none
 * until the deadline (for DEADLINE_NOW ten seconds), -1 with errno. No process is left behind.
 */
int probe_server(int fd, int64_t deadline);

#endif
