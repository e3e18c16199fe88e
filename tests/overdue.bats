#!/usr/bin/env bats
# --overdue: a holder that hangs is noticed, also with -q, and only such a one is replaced.

load helper

SINCE='[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}'

# overdue PID NAME [MORE [AND MORE]]: that was told, with MORE before the time and AND MORE behind it.
overdue() {
	# shellcheck disable=SC2154 # run sets it
	[[ $stderr =~ ^"onlyone: lock: overdue: held by PID $1 ($2)${3:-}, since "$SINCE("${4:-}")$ ]] ||
		fail "told: $stderr"
}

# -- a start --

@test "as long as the holder is in time a refusal is silent with -q" {
	need_attributes
	hold lock
	run -75 --separate-stderr onlyone -q --overdue 3600 lock touch ran
	[[ ! -e ran && -z $output && -z $stderr ]]
	release
}

@test "when it has held the lock for longer that is told, also with -q, and the status is the same" {
	need_attributes
	hold lock
	is_told() {
		[[ -n $(onlyone -q --overdue 0.3 lock touch ran 2>&1) ]]
	}
	eventually "it is told" is_told
	run -75 --separate-stderr onlyone -q --overdue 0.3 lock touch ran
	[[ ! -e ran && -z $output ]]
	overdue "$HOLDER" sh
	run -9 --separate-stderr onlyone -E 9 --overdue 0 lock touch ran
	overdue "$HOLDER" sh
	release
}

@test "the time is the one at which the lock was taken, in the reader's time zone" {
	need_attributes
	before=$(date +%s)
	hold lock
	after=$(date +%s)
	for zone in UTC0 EST5 XXX-5:30; do
		export TZ=$zone
		run -75 --separate-stderr onlyone -q --overdue 0 lock true
		[[ $stderr =~ ($SINCE) ]]
		since=$(date -d "${BASH_REMATCH[1]}" +%s)
		((since >= before - 1 && since <= after + 1)) || fail "$since, not $before to $after"
	done
	release
}

@test "without -q a refusal tells since when in any case" {
	need_attributes
	hold lock
	run -75 --separate-stderr onlyone --overdue 3600 lock touch ran
	[[ ! -e ran && $stderr =~ ^"onlyone: lock: held by PID $HOLDER (sh), since "$SINCE$ ]]
	release
}

@test "a lock that is free is just taken" {
	run -0 --separate-stderr onlyone --overdue 0 lock echo ran
	[[ $output == ran && -z $stderr ]]
}

@test "it goes with a wait, too" {
	need_attributes
	hold lock
	run -75 --separate-stderr onlyone -q -w 0.2 --overdue 0.1 lock touch ran
	overdue "$HOLDER" sh
	start_waiter lock -w 120 --overdue 0 lock touch ran 2>told
	release
	ended 0 "$WAITER"
	[[ -e ran && ! -s told ]]
}

@test "a holder that has closed the lock counts, and one with a keeper" {
	desert lock
	run -75 --separate-stderr onlyone -q --overdue 0 lock touch ran
	overdue "$HOLDER" bash ': it has closed the lock, but runs on' '; --force starts all the same'
	release
	hold -o lock
	run -75 --separate-stderr onlyone -q --overdue 0 lock touch ran
	overdue "$HOLDER" sh
	release
}

@test "where no time is recorded nothing is overdue" {
	need setfattr flock
	unknown() {
		run -75 --separate-stderr onlyone -q --overdue 0 lock touch ran
		[[ ! -e ran && -z $stderr ]]
		run -75 --separate-stderr onlyone --overdue 0 lock touch ran
		[[ ! -e ran && $stderr == "onlyone: lock: held by PID $1 (sh), since unknown" ]]
		run -75 --separate-stderr onlyone --overdue 0 --signal KILL lock
		[[ $stderr == "onlyone: lock: held by PID $1 (sh): not overdue, nothing signalled" ]]
	}
	hold -s lock
	unknown "$HOLDER"
	release
	hold_by flock -F lock
	unknown "$OTHER"
	let_go
	need_attributes
	hold lock
	setfattr -x user.onlyone lock
	unknown "$HOLDER"
	release
}

@test "it wants a number of seconds" {
	for bad in '' x -1 1h 2147483648; do
		run -64 --separate-stderr onlyone --overdue "$bad" lock touch ran
		[[ ! -e ran && ! -e lock && $stderr == "onlyone: $bad: not a valid number of seconds" ]]
	done
}

# -- --status --

@test "--status says so, and the statuses are the same" {
	need_attributes
	hold lock
	run -0 onlyone --status --overdue 3600 lock
	[[ $output =~ ^"held by PID $HOLDER (sh -c".*") for "[0-9]+" s"$ ]]
	run -0 onlyone --status --overdue 0 lock
	[[ $output =~ ^"held by PID $HOLDER (sh -c".*") for "[0-9]+" s: overdue"$ ]]
	release
	run -1 onlyone --status --overdue 0 lock
	[[ $output == free ]]
}

# -- --signal --

@test "with --signal only a holder that is overdue is signalled" {
	need_attributes
	hold lock
	run -75 --separate-stderr onlyone --signal KILL --overdue 3600 lock
	[[ $stderr == "onlyone: lock: held by PID $HOLDER (sh): not overdue, nothing signalled" ]]
	run -75 --separate-stderr onlyone -q --signal KILL --overdue 3600 lock
	[[ -z $stderr ]]
	run -0 onlyone --signal KILL --overdue 0 lock
	ended 137 "$HOLDER"
	run -1 onlyone --signal KILL --overdue 0 lock
}

@test "with --signal and a command only such a one is replaced" {
	need_attributes
	hold lock
	run -75 --separate-stderr onlyone -w 120 --signal KILL --overdue 3600 lock touch ran
	[[ ! -e ran && $stderr =~ ^"onlyone: lock: held by PID $HOLDER (sh), since "$SINCE': not overdue, nothing signalled'$ ]]
	run -0 onlyone -w 120 --signal KILL --overdue 0 lock echo ran
	[[ $output == ran ]]
	ended 137 "$HOLDER"
	run -0 onlyone -w 120 --signal KILL --overdue 3600 lock echo ran
	[[ $output == ran ]]
}

# -- a holder that is stopped --

@test "one that is stopped is called that, as long as it is" {
	hold lock
	kill -STOP "$HOLDER"
	eventually "it has stopped" in_state T "$HOLDER"
	run -75 --separate-stderr onlyone lock touch ran
	[[ $stderr == "onlyone: lock: held by PID $HOLDER (sh) (stopped)" ]]
	run -0 onlyone --status lock
	[[ $output =~ ^"held by PID $HOLDER (sh -c".*") (stopped) for "[0-9]+" s"$ ]]
	kill -CONT "$HOLDER"
	eventually "it goes on" in_state S "$HOLDER"
	run -75 --separate-stderr onlyone lock touch ran
	[[ $stderr == "onlyone: lock: held by PID $HOLDER (sh)" ]]
	release
}
