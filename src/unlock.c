#include "unlock.h"

#include "borrowed.h"
#include "holder.h"
#include "process.h"
#include "record.h"
#include "status.h"

#include <err.h>
#include <stdlib.h>

/*
 * Empties the record, unless it is that of a process that lives: one that has merely closed its lock,
 * or another that was lent the same descriptor.
 */
static void clear_record(const struct lock *l)
{
	struct identity self = { .scope = 0 };
	struct record r;

	if (identity_of_self(&self) == -1 || record_read(l, self.scope, &r) == -1)
		err(EX_OSERR, "%s: cannot tell which process the record names", l->name);
	bool ours = record_life(&r) == PROCESS_ENDED ||
		    (process_is_ancestor(r.pid) && holder_is_beside_us(l, r.pid));
	if (ours && r.kind == RECORD_PID && record_clear(l) == -1)
		err(EX_IOERR, "%s: the record could not be cleared", l->name);
}

int unlock(const struct options *o)
{
	struct lock l;

	/* Only whoever has the lock, or could have it, may empty the record. */
	if (borrowed_take_to_unlock(&l, o->fd, o->request.as_is) && !o->request.shared)
		clear_record(&l);
	if (lock_unlock(&l) == -1)
		err(EX_OSERR, "%s", l.name);
	return EXIT_SUCCESS;
}
