#!/usr/bin/env bats
# No two commands ever overlap: not in crowds of starts, not when holders and waiters are killed,
# not when the lock file is removed, renamed or replaced all the time.

# The storm reads what is set here.
# shellcheck disable=SC2034

load ../helper
load storm

# -- the detector --

@test "the detector detects: two copies without onlyone" {
	"$OVERLAP" marker 60000 3>&- &
	eventually "the first copy runs" test -s marker.runs
	"$OVERLAP" marker 0
	[[ $(wc -l <marker.runs) == 2 && $(wc -l <marker.overlaps) == 1 ]]
}

@test "the detector detects: a copy under a lock that was overridden" {
	"$ONLYONE" lock "$OVERLAP" marker 60000 closing 3>&- &
	eventually "the first copy runs" test -s marker.runs
	run -75 onlyone lock "$OVERLAP" marker 0
	[[ ! -e marker.overlaps ]]
	run -0 onlyone --force lock "$OVERLAP" marker 0
	[[ -s marker.overlaps ]]
}

@test "the detector forgets a copy that was killed" {
	"$OVERLAP" marker 60000 3>&- &
	eventually "the first copy runs" test -s marker.runs
	kill -KILL $!
	await $! || :
	"$OVERLAP" marker 0
	[[ ! -e marker.overlaps ]]
}

@test "a storm without onlyone overlaps, and that fails a test" {
	STORM_SECONDS=1
	begin 1
	unguarded() {
		"$OVERLAP" marker 2
		echo $? >>statuses
	}
	beside 4 unguarded
	! no_overlap 3>/dev/null 2>said || fail "the storm did not tell"
	grep -q ^overlapped: said
}

# -- crowds --

@test "three hundred starts at once, all of which wait: each runs, one after the other" {
	local i
	begin 300
	for ((i = 0; i < 300; i++)); do
		start -b lock 3>&- 2>>complaints &
	done
	no_overlap
	[[ $(sort -u statuses) == 0 ]]
}

@test "a crowd of starts that wait, wait a while, or do not" {
	begin 100
	beside 4 start -b lock
	beside 4 start -w 0.05 lock
	beside 4 start lock
	no_overlap
}

@test "a crowd of waiters with limits" {
	begin 100
	beside 8 start -w 0.02 lock
	beside 8 start -w 0.005 lock
	no_overlap
}

@test "holders and waiters are killed" {
	begin 30
	beside 4 start_and_kill -b lock
	beside 4 start_and_kill -w 0.1 lock
	beside 2 start lock
	no_overlap 137
}

# -- the lock file is touched --

remove() {
	rm -f lock
}

rename_and_back() {
	mv -f lock away && pause 0.00$((RANDOM % 5 + 1))
	mv -f away lock
}

replace_by_an_empty_file() {
	: >empty
	mv -f empty lock
}

replace_by_a_copy() {
	cp -a lock copy && mv -f copy lock
}

replace_by_an_older_record() {
	"$ONLYONE" older true
	mv -f older lock
}

overwrite() {
	cp -a lock copy && pause 0.00$((RANDOM % 5 + 1))
	cat copy >lock
}

# With time in between: for a start to have the file as it is, or for half of its steps.
now_and_then() {
	"$@"
	pause 0.0$((RANDOM % 5))$((RANDOM % 9 + 1))
}

crowd() {
	LASTS=20
	begin 2 # a busy machine lets few through
	beside 4 now_and_then start lock
	beside 1 start -b lock
	beside 1 start -w 0.05 lock
	beside 1 start_and_kill lock
	beside 1 now_and_then "$@"
	no_overlap 137 # most starts refuse each other
}

@test "the lock file is removed all the time" {
	crowd remove
}

# Two that wait for each other's file, each on one that was removed, look again every second.
@test "the lock file is removed all the time, under waiters" {
	begin 3
	beside 4 start -b lock
	beside 2 start -w 0.2 lock
	beside 2 start_and_kill -b lock
	beside 1 now_and_then remove
	no_overlap 137
}

@test "the lock file is renamed and renamed back all the time" {
	crowd rename_and_back
}

@test "the lock file is replaced by an empty one all the time" {
	crowd replace_by_an_empty_file
}

@test "the lock file is replaced by a copy of itself all the time" {
	crowd replace_by_a_copy
}

@test "the lock file is replaced by one with an older record all the time" {
	crowd replace_by_an_older_record
}

@test "the lock file is overwritten by what it held before all the time" {
	crowd overwrite
}

# -- commands that close the lock --

# Without user attributes a command that closes its descriptors is not guarded.
need_attributes() {
	[[ $(onlyone -v attributes true 2>&1) != *"no user attributes"* ]] ||
		missing attributes "no user attributes in $PWD" "a TMPDIR with user attributes"
}

@test "commands that close the lock, which the record guards" {
	need_attributes
	CLOSING=closing
	begin 20
	beside 3 start lock
	beside 3 start -b lock
	beside 2 start -w 0.05 lock
	no_overlap
}

@test "commands that close the lock, which a keeper holds" {
	CLOSING=closing
	begin 20
	beside 3 start -o lock
	beside 3 start -ob lock
	beside 2 start -o -w 0.05 lock
	beside 1 start_and_kill -ob lock
	no_overlap 137
}

kill_keepers() {
	local pid name
	for pid in $(strays); do
		read -r name <"/proc/$pid/comm" && [[ $name == onlyone-keeper ]] && kill -KILL "$pid"
	done
}

@test "keepers are killed all the time" {
	need_attributes
	CLOSING=closing
	begin 20
	beside 3 start -o lock
	beside 3 start -ob lock
	beside 1 kill_keepers
	no_overlap
}

# -- directories --

# With the slash it is a directory or nothing: where it is away, no file of its name comes up.
directory_crowd() {
	LASTS=20
	mkdir data
	begin 5
	beside 4 now_and_then start data/
	beside 1 start -b data/
	beside 1 start_and_kill -b data/
	beside 1 now_and_then "$@"
	no_overlap 137 73
}

empty_directory() {
	rm -rf data/* data/.[!.]*
}

rename_directory_and_back() {
	mv -T data away && pause 0.00$((RANDOM % 5 + 1))
	mv -T away data
}

make_directory_anew() {
	rm -rf data
	mkdir -p data
	pause 0.00$((RANDOM % 9 + 1))
}

@test "a directory is emptied all the time" {
	directory_crowd empty_directory
}

@test "a directory is renamed and renamed back all the time" {
	directory_crowd rename_directory_and_back
}

@test "a directory is removed and made anew all the time" {
	directory_crowd make_directory_anew
}

# -- questions --

ask() {
	local status=0
	"$ONLYONE" "$@" || status=$?
	# whom it cannot see (77) may just have ended
	((status <= 1 || status == 77)) || echo "$status: $*" >>wrong_answers
}

@test "questions all the time: no start on a free lock is refused" {
	mkdir data
	begin 30
	beside 2 ask --status lock
	beside 2 ask --pid lock
	beside 1 ask --status data
	until over; do
		start lock
		start data
		start -s lock
	done 2>>complaints
	no_overlap
	[[ $(sort -u statuses) == 0 ]] || fail "refused: $(tally complaints)" || return
	[[ ! -e wrong_answers ]] || fail "$(tally wrong_answers)"
}
