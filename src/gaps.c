#include "gaps.h"

#include "mark.h"

#include <err.h>

void gaps_tell(const struct lock *l, bool list_is_missing)
{
	if (l->fs.reach == REACH_HOST_MAYBE)
		warnx("%s: locks on this file system (%s) reach this host only", l->name,
			l->fs.type);
	if (!mark_has_path(l->mark))
		warnx("%s: its mount is not in /proc: that its directory was replaced would not be "
		      "seen",
			l->name);
	if (list_is_missing && l->fs.keeps_hidden_locks)
		warnx("%s: this file system (%s) hides its locks: that its file was replaced would "
		      "not be seen",
			l->name, l->fs.type);
	else if (list_is_missing)
		warnx("%s: no /proc/locks here: that its file was replaced would not be seen",
			l->name);
}

void gaps_tell_no_incarnation(const struct lock *l, const char *missing, bool has_keeper)
{
	warnx("%s: no %s here: a command that closes its descriptors is guarded %s", l->name,
		missing, has_keeper ? "by the keeper alone" : "only with --close");
}
