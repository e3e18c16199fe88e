# What the tests of file systems share. `run`, which has mounted one, says:
#
#   $FS           a directory of it
#   $TRAITS       words for what it is like: `local`, its locks reach this host only, though others
#                 have it; `spans`, they reach the other host; `undated`, it has no attributes, for
#                 root neither; `mandatory`, what is locked cannot be read by others; for the rest
#                 see the files of that name
#   $OTHER_HOST   with `spans`: the words in front of a command that is to run on another host, where the same file
#                 system is mounted at the same place
# shellcheck shell=bash

load ../helper

# $PLACE is the test's own directory there. A FIFO or what a test leaves is in the current one.
eval "$(declare -f setup | sed '1s/.*/setup_processes()/')"
setup() {
	setup_processes
	PLACE=$(mktemp -d "$FS/XXXXXX")
	export LOCK=$PLACE/lock # for the tests
	HERE=()
	if is local; then
		only_with --local
		HERE=(--local)
	fi
}

eval "$(declare -f teardown | sed '1s/.*/teardown_processes()/')"
teardown() {
	# Those of the other host first, since they may be asked for by some here.
	if [[ -n ${OTHER_HOST:-} && -e elsewhere ]]; then
		there bash "$BATS_TEST_DIRNAME/../fs/end-strays" "$BATS_TEST_TMPDIR"
	fi
	teardown_processes
}

# is TRAIT
is() {
	[[ " $TRAITS " == *" $1 "* ]]
}

# only_with OPTION: skips the test until onlyone knows OPTION.
only_with() {
	[[ $(onlyone --help) == *"$1"* ]] || skip "onlyone has no $1 yet"
}

# in_time COMMAND...: which has to come to an end.
in_time() {
	timeout -k 1 "$PATIENCE" "$@"
}

# start [OPTION...] LOCK COMMAND...: onlyone in time; --local where it is needed.
start() {
	in_time onlyone "${HERE[@]}" "$@"
}

# refused LINE [OPTION...] LOCK: a start is refused, says LINE, a pattern, and runs nothing.
# shellcheck disable=SC2154,SC2053 # run sets stderr; a pattern
refused() {
	local line=$1
	shift
	run -75 --separate-stderr start "$@" touch ran
	[[ -z $output && $stderr == $line ]] || fail "$output$stderr: not '$line'"
	[[ ! -e ran ]] || fail "it ran: $*"
}

# free LOCK: a start is not refused.
free() {
	run -0 --separate-stderr start "$1" true
}

hold() {
	start_holder sh '' "${HERE[@]}" "$@"
}

# desert [OPTION...] LOCK: as hold, but the command has closed the lock's descriptor.
desert() {
	# shellcheck disable=SC2016 # the holder expands it
	start_holder bash '[[ -z ${ONLYONE_FD:-} ]] || exec {ONLYONE_FD}>&-; ' "${HERE[@]}" "$@"
}

# hold_elsewhere [OPTION...] LOCK: as hold, on the other host; `release` ends it, too.
hold_elsewhere() {
	local binary=$ONLYONE ONLYONE=on_other_host
	: >elsewhere
	start_holder sh '' "${HERE[@]}" "$@"
}

# For start_holder, in hold_elsewhere.
on_other_host() {
	there "$binary" "$@"
}

# there COMMAND...: on the other host.
there() {
	# shellcheck disable=SC2086 # several words
	$OTHER_HOST "$@"
}

# start_waiter LOCK COMMAND...: `start -b` in the background, and it waits when this returns.
# $WAITER is its PID; what it says is in waiter.log.
start_waiter() {
	in_time onlyone -v -b "${HERE[@]}" "$@" >waiter.log 2>&1 3>&- &
	WAITER=$!
	eventually "$* waits" waits_or_ended
	grep -q '^onlyone: .*: waiting' waiter.log || fail "it does not wait: $(cat waiter.log)"
}

waits_or_ended() {
	grep -q '^onlyone: .*: waiting' waiter.log || gone "$WAITER"
}
