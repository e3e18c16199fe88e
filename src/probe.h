/*
 * Whether a file server answers lock calls. One that does not (no lock manager, a firewall) blocks
 * them for ever, even those that are not to wait, and only a fatal signal ends such a call. So a
 * child asks first, and is killed when it takes too long.
 *
 * It takes no lock: a killed attempt to take one may take the locks of its description with it,
 * which may be the caller's. It must ask something that needs the server whenever the attempt does.
 * An NFS 3 client answers by itself if a lock of another description on this host is in the way, so
 * we ask about our own; an NFS 4 client does if the file is open under a read delegation, but not
 * once it is opened for writing.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdint.h>

/*
 * Opens fd's file once more and asks who holds it: 1 if there was an answer, 0 if there was none by
 * the deadline (ten seconds for DEADLINE_NOW), -1 with errno. No process is left behind.
 */
int probe_server(int fd, int64_t deadline);

#endif
