/*
 * The exit statuses of onlyone itself, in addition to those of <sysexits.h>: a contract with
 * scripts, so they never change.
 *
 *   64 EX_USAGE      65 EX_DATAERR  LOCK is not a lock file     71 EX_OSERR  the system failed
 *   73 EX_CANTCREAT  74 EX_IOERR    the PID was not written     77 EX_NOPERM
 */
#ifndef STATUS_H
#define STATUS_H

#include <sysexits.h>

enum {
	STATUS_FREE = 1,             /* --status, --pid, --signal: nobody holds LOCK */
	STATUS_HELD = EX_TEMPFAIL,   /* 75, unless -E */
	STATUS_CANNOT_EXECUTE = 126, /* as env(1), nohup(1) and the shell */
	STATUS_NOT_FOUND = 127,
};

#endif
