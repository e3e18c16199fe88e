#!/usr/bin/env bats
# A copy runs that has lost its lock: whatever the kernel refuses to the next start, no second copy
# joins it.

# The sweep calls what is defined here, and sets what is read here.
# shellcheck disable=SC2317,SC2034,SC2153

load ../helper
load sweep

setup_file() {
	need_sweep
}

# What says that there is nothing to see, no file, no attribute or no such call, no process: only
# then is a safeguard left out.
may_run() {
	case "$CALL ${FAULT%%:*}" in
	*" error=ENOENT" | "kill error=ESRCH") ;;
	"fgetxattr error=ENODATA" | "fgetxattr error=ERANGE") ;;
	"fgetxattr error=EOPNOTSUPP" | "fgetxattr error=ENOSYS" | "fgetxattr error=EPERM") ;;
	*) return 1 ;;
	esac
}

never_a_second() {
	# Searches through /proc take thousands of calls: they stop only for the one in question.
	FAR="-f --seccomp-bpf"
	write_guarded() {
		printf '#!/bin/sh\necho a second copy ran >ran\n' >"$GUARDED"
		chmod +x "$GUARDED"
	}
	judge() {
		[[ -z $VERDICT ]] || may_run || echo "$VERDICT"
		[[ -n $VERDICT ]] || judge_failure
	}
	next() {
		local status=0
		given
		"$ONLYONE" -q lock true || status=$?
		((status == 75))
	}
}

the_file_removed() {
	hold lock
	never_a_second
}

@test "a call fails: the copy's lock file was removed" {
	sweep errors the_file_removed
}

# dash cannot close a descriptor of two digits.
copy_without_lock() {
	"$ONLYONE" -f lock bash -c 'exec {ONLYONE_FD}>&- sleep 600' 3>&- &
	HOLDER=$!
	eventually "the copy has closed the lock" test "$(command -v sleep)" -ef "/proc/$HOLDER/exe"
}

the_lock_closed() {
	given() {
		# A second copy that was let in has replaced the record.
		[[ $(<lock) == "$HOLDER" ]] || copy_without_lock
	}
	copy_without_lock
	never_a_second
}

@test "a call fails: the copy has closed the lock" {
	sweep errors the_lock_closed
}
