# A storm: starts by the hundred on one lock, and what else happens to that meanwhile, until the
# time is up. Every start runs the overlap detector (overlap.c), which tells whether two ran at once.
# shellcheck shell=bash

OVERLAP=${ONLYONE%/*}/overlap
STORM_SECONDS=7
LASTS=4  # a command runs for less than so many milliseconds
CLOSING= # or `closing`: the commands close the lock, as sudo does

# A storm that ends when the time is up and MINIMUM commands have run; on a busy machine later.
begin() { # MINIMUM
	MINIMUM=$1
	[[ -x $OVERLAP ]] || fail "no $OVERLAP: make check-race builds it" || return
	END=$((SECONDS + STORM_SECONDS))
	touch statuses complaints marker.runs
	mkfifo silence # never says anything: to pause at, without a process
}

# beside COUNT COMMAND...: COUNT loops of it until the storm ends.
beside() {
	local count=$1
	shift
	for ((; count > 0; count--)); do
		again "$@" 3>&- >/dev/null 2>>complaints &
	done
}

again() {
	trap - DEBUG ERR # bats' traps make every line of a loop slow
	set +eET
	until over; do
		"$@"
	done
}

over() {
	((SECONDS >= END)) || return
	((SECONDS >= END + 30 || $(wc -l <marker.runs) >= MINIMUM))
}

# start [OPTION...] LOCK: one start, of a command that runs for a moment.
start() {
	# shellcheck disable=SC2086 # nothing, or a word
	"$ONLYONE" "$@" "$OVERLAP" marker $((RANDOM % LASTS)) $CLOSING
	echo $? >>statuses
}

# start_and_kill [OPTION...] LOCK: one that is killed a moment later, wherever it is then.
start_and_kill() {
	"$ONLYONE" "$@" "$OVERLAP" marker $((RANDOM % 9)) &
	pause 0.00$((RANDOM % 9 + 1))
	kill -KILL $!
	await $!
	echo $? >>statuses
}

pause() {
	read -r -t "$1" _ <>silence || :
}

# no_overlap [STATUS...]: when the storm is over. No start has had another status than 0, 75 and
# those given.
no_overlap() {
	local status runs
	until over; do pause 0.1; done
	eventually "every start of the storm has ended" no_crowd
	runs=$(wc -l <marker.runs)
	echo "# $runs commands ran; $(tally statuses)" >&3
	[[ ! -e marker.overlaps ]] || fail "overlapped: $(wc -l <marker.overlaps)" || return
	while read -r status; do
		[[ " 0 75 $* " == *" $status "* ]] || fail "status $status: $(tally complaints)" || return
	done < <(sort -u statuses)
	((runs >= MINIMUM)) || fail "only $runs commands ran"
}

no_crowd() {
	[[ -z $(jobs -pr) ]]
}

tally() {
	sort "$1" | uniq -c | awk '{ $1 = comma $1 " x"; comma = ", "; printf "%s", $0 }'
}
