#!/usr/bin/env bats
# Whatever the kernel refuses to a start, and wherever it is killed: the command runs under the
# lock or not at all, status and message say why, no file is damaged, and the next start works.

# The sweep calls what is defined here, and sets what is read here.
# shellcheck disable=SC2317,SC2034,SC2153

load ../helper
load sweep

setup_file() {
	need_sweep
}

a_stale_record() {
	given() {
		[[ -s lock ]] || "$ONLYONE" lock true
	}
}

# One digit more than any PID here: the end of it may stay behind the new record's line.
a_longer_record() {
	given() {
		by_hand 4194304 lock
	}
}

a_foreign_file() {
	given() {
		printf 'port 80\n' >lock
		FOUND=$(stat -c '%i %s %y %z' lock) # also an attribute would change the last
	}
	judge() {
		[[ -z $VERDICT ]] || echo "$VERDICT"
		judge_failure
	}
	judge_record() {
		[[ $(stat -c '%i %s %y %z' lock) == "$FOUND" && $(<lock) == "port 80" ]] ||
			echo "the file is not as it was found"
	}
	next() {
		rm lock
		"$PROGRAM" lock true
	}
	STATUSES+=" 65"
}

shared() {
	act() {
		traced "$PROGRAM" -s lock "$GUARDED"
	}
	LOCKS="OFDLCK:READ:lock FLOCK:READ:lock"
	RECORDED=
}

a_directory() {
	given() {
		rm -rf data
		mkdir data
	}
	LOCK=data
	FILE=data/.onlyone
	LOCKS="FLOCK:WRITE:data OFDLCK:WRITE:data/.onlyone FLOCK:WRITE:data/.onlyone"
	STATUSES+=" 65" # where it cannot be seen that it is a directory
}

a_keeper() {
	act() {
		traced "$PROGRAM" -o lock "$GUARDED"
	}
}

# The keeper itself may be what is killed. Then the record guards the command.
a_killed_keeper() {
	a_keeper
	ALSO="the command ran, guarded by its record, without the lock"
}

# The lock is held until the start waits for it, or has ended. The alarm of the limit is blocked
# and ignored at the beginning, and must be so again for the command.
waiting() {
	UNDER=(env --block-signal=ALRM --ignore-signal=ALRM)
	act() {
		local starting
		# By a process that lives: /proc/locks would not show, in this PID namespace, the flock(2) lock
		# of one that has ended, nor who waits for it.
		hold lock
		waiter 3>&- &
		starting=$!
		# shellcheck disable=SC2016 # eval expands it
		eventually "it waits, or has ended" eval 'waiters lock 1 || [[ ! -e /proc/$starting/exe ]]'
		release
		rm -r "$LATCH"
		await "$starting"
		STATUS=$?
	}
	waiter() {
		traced "$PROGRAM" -w 100 lock "$GUARDED"
		exit "$STATUS"
	}
}

# The lock stays held: by this shell, which has another PID than any command.
held() {
	given() {
		exec 9>&-
		rm -f lock
		exec 9>>lock
		eventually "the descriptor is locked" "$ONLYONE" -q --fd 9
	}
	act() {
		traced "$PROGRAM" -w 0.01 lock "$GUARDED" 9>&-
	}
	judge() {
		[[ -z $VERDICT ]] || echo "$VERDICT"
		judge_failure
	}
	next() {
		exec 9>&-
		"$PROGRAM" lock true
	}
}

# A holder of its own for each run, which ends at the signal.
replacing() {
	given() {
		rm -f lock
		hold lock
	}
	act() {
		traced "$PROGRAM" --signal TERM -k 50 -w 100 lock "$GUARDED"
	}
	judge() {
		if [[ -n $VERDICT ]]; then
			[[ $VERDICT == "the command ran well" ]] || echo "$VERDICT"
			gone "$HOLDER" || echo "the command ran beside the old copy"
		else
			judge_failure
		fi
	}
	next() {
		gone "$HOLDER" || kill -KILL "$HOLDER"
		await "$HOLDER" || :
		rm -r "$LATCH"
		"$PROGRAM" lock true
	}
}

# A data file, whose content is never touched.
as_is() {
	given() {
		printf 'data\n' >lock
	}
	act() {
		traced "$PROGRAM" --as-is lock "$GUARDED"
	}
	judge_record() {
		[[ $(<lock) == data ]] || printf 'the file holds %q\n' "$(<lock)"
	}
	next() {
		"$PROGRAM" --as-is lock true
	}
	LOCKS=FLOCK:WRITE:lock # alone, where the file cannot be opened for writing
	RECORDED=
	STATUSES+=" 65"
}

descriptor() {
	act() {
		traced "$PROGRAM" --fd 9 "$GUARDED" 9>>lock
	}
	STATUSES+=" 64"
}

callers_descriptor() {
	given() {
		rm -f lock
		exec 9>>lock
	}
	act() {
		traced "$PROGRAM" --fd 9
	}
	judge() {
		if [[ $STATUS == 0 ]]; then
			# In a PID namespace /proc/locks does not show a flock(2) lock whose taker has ended.
			LOCKS=OFDLCK:WRITE:lock RECORDED='' limited "$GUARDED"
			[[ $(<ran) == "the command ran well" ]] || cat ran
			! flock -n lock true || echo "the other family's lock is free"
		else
			judge_failure
		fi
	}
	next() {
		exec 9>&-
		"$PROGRAM" lock true
	}
	STATUSES+=" 64"
}

# Who is told that it is unlocked finds it so. The record may then be cleared, or still be there.
unlocking() {
	given() {
		rm -f lock
		exec 9>>lock
		"$ONLYONE" --fd 9
	}
	act() {
		traced "$PROGRAM" -u --fd 9
	}
	judge() {
		if [[ $STATUS != 0 ]]; then
			judge_failure
		elif [[ $("$ONLYONE" --status lock) != free ]]; then
			echo "it is not unlocked"
		fi
	}
	judge_record() {
		local found
		read_whole found lock
		[[ -z $found || $found == "$OLD" ]] || printf 'the record is %q\n' "$found"
	}
	next() {
		exec 9>&-
		"$PROGRAM" lock true
	}
	STATUSES+=" 64"
}

@test "a call fails: a first start" {
	sweep errors
}

@test "a call is the last: a first start" {
	sweep kills
}

@test "a call fails: a start over a stale record" {
	sweep errors a_stale_record
}

@test "a call is the last: a start over a longer record" {
	sweep kills a_longer_record
}

@test "a call fails: a start on a file that is no lock file" {
	sweep errors a_foreign_file
}

@test "a call fails: a shared start" {
	sweep errors shared
}

@test "a call fails: a start on a directory" {
	sweep errors a_directory
}

@test "a call is the last: a start on a directory" {
	sweep kills a_directory
}

@test "a call fails: a start with a keeper" {
	sweep errors a_keeper
}

@test "a call is the last: a start with a keeper" {
	sweep kills a_killed_keeper
}

@test "a call fails: a start that waits" {
	sweep errors waiting
}

@test "a call is the last: a start that waits" {
	sweep kills waiting
}

@test "a call fails: a start that waits in vain" {
	sweep errors held
}

@test "a call fails: a start in another copy's place" {
	sweep errors replacing
}

@test "a call is the last: a start in another copy's place" {
	sweep kills replacing
}

@test "a call fails: a start on a data file" {
	sweep errors as_is
}

@test "a call is the last: a start on a data file" {
	sweep kills as_is
}

@test "a call fails: a start on a descriptor" {
	sweep errors descriptor
}

@test "a call fails: a lock for the caller's descriptor" {
	sweep errors callers_descriptor
}

@test "a call is the last: a lock for the caller's descriptor" {
	sweep kills callers_descriptor
}

@test "a call fails: unlocking the caller's descriptor" {
	sweep errors unlocking
}

@test "a call is the last: unlocking the caller's descriptor" {
	sweep kills unlocking
}
