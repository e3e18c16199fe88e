/*
 * Repeats a call that a signal has interrupted. glibc has this as TEMP_FAILURE_RETRY, musl does
 * not.
 */
#ifndef RETRY_H
#define RETRY_H

#include <errno.h>

#define RETRY(call)                                                                                \
	__extension__({                                                                            \
		__typeof__(call) result_;                                                          \
		do                                                                                 \
			result_ = (call);                                                          \
		while (result_ == -1 && errno == EINTR);                                           \
		result_;                                                                           \
	})

#endif
