#!/usr/bin/env bats
# Whatever the kernel refuses to a question, and wherever it is killed: the answer is true or none,
# then status and message say why, and neither the file nor the holder takes notice.

# The sweep calls what is defined here, and sets what is read here.
# shellcheck disable=SC2317,SC2034,SC2153

load ../helper
load sweep

setup_file() {
	need_sweep
}

STATUSES="71 73 74 75 77"

# Only where the kernel has said that something is not there may that be the answer.
may_be_free() {
	[[ $FAULT == error=ENOENT:* || $FAULT == error=ESRCH:* ]]
}

a_question() {
	hold lock
	given() {
		:
	}
	act() {
		traced "$PROGRAM" "$QUESTION" lock
	}
	judge() {
		case "$STATUS $OUTPUT" in
		"0 $ANSWER"*) [[ ! -s messages ]] || judge_message ;;
		"1 $FREE") may_be_free || echo "the answer is: free" ;;
		"0 held, by a process that cannot be seen from here") ;;
		*) judge_failure ;;
		esac
	}
	judge_record() {
		local found
		read_whole found lock
		[[ $found == "$HOLDER"$'\n\n' ]] || printf 'the record is %q\n' "$found"
	}
	next() {
		[[ -e /proc/$HOLDER ]] && ! "$PROGRAM" -q lock true
	}
}

status() {
	a_question
	QUESTION=--status ANSWER="held by PID $HOLDER" FREE=free
}

pid() {
	a_question
	QUESTION=--pid ANSWER=$HOLDER FREE=
}

# Each run has a holder of its own to end.
signal() {
	given() {
		hold lock
	}
	act() {
		traced "$PROGRAM" --signal TERM -w 100 lock
	}
	judge() {
		case $STATUS in
		0) [[ ! -s messages ]] || judge_message ;;
		1) may_be_free || judge_failure ;;
		*) judge_failure ;;
		esac
	}
	# Where it is said to have worked, the lock is free.
	next() {
		[[ $STATUS == 0 ]] || kill -KILL "$HOLDER" 2>/dev/null || :
		[[ $STATUS == 0 ]] || wait "$HOLDER" || :
		"$PROGRAM" lock true
	}
}

@test "a call fails: who holds it" {
	sweep errors status
}

@test "a call is the last: who holds it" {
	sweep kills status
}

@test "a call fails: the PID of who holds it" {
	sweep errors pid
}

@test "a call fails: a signal to who holds it" {
	sweep errors signal
}

@test "a call is the last: a signal to who holds it" {
	sweep kills signal
}
