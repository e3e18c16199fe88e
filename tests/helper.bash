# What the tests share: the binary, holders to be refused by, and waiting for events.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0

# The tree's root: the nearest folder above the test that has the Makefile.
tree() {
	local folder=$BATS_TEST_DIRNAME
	until [[ -e $folder/Makefile ]]; do folder=${folder%/*}; done
	printf '%s\n' "$folder"
}

TREE=$(tree)
ONLYONE=${ONLYONE:-$TREE/build/onlyone}

# What is said of a file that is somebody's, behind its name.
export NO_RECORD="holds something that is no lock record, left alone; empty it if it is an old PID file, or see --as-is"

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	# The mark of this test's processes, by which teardown finds them again (bats' own have none).
	export ONLYONE_TEST=$BATS_TEST_TMPDIR
	PATH=${ONLYONE%/*}:$PATH
	unset ONLYONE_LOCK ONLYONE_PID ONLYONE_FD ONLYONE_DIRECTORY_FD
}

teardown() {
	local pid
	unset ONLYONE_TEST # or grep and tr below would bear the mark, too
	for pid in $(strays); do
		# Meanwhile the number may have been given to another one.
		! is_stray "$pid" || kill -KILL "$pid" 2>/dev/null || :
	done
	eventually "every process of the test has ended" no_strays
}

strays() {
	{ grep -lzFx "ONLYONE_TEST=$BATS_TEST_TMPDIR" /proc/[0-9]*/environ 2>/dev/null || :; } |
		tr -dc '0-9\n'
}

is_stray() {
	grep -qzFx "ONLYONE_TEST=$BATS_TEST_TMPDIR" "/proc/$1/environ" 2>/dev/null
}

no_strays() {
	[[ -z $(strays) ]]
}

# need TOOL...: skips the test where a tool is missing; in CI that is a failure.
need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null && continue
		[[ -z ${ONLYONE_NO_SKIP:-} ]] || fail "$tool is missing"
		skip "$tool is missing"
	done
}

fail() {
	printf '%s\n' "$*" >&2
	return 1
}

# eventually WHAT COMMAND...: waits for COMMAND to succeed; WHAT says what did not happen.
eventually() {
	local what=$1 deadline=$((SECONDS + 20))
	shift
	until "$@"; do
		((SECONDS < deadline)) || fail "not within 20 s: $what" || return
		sleep 0.01
	done
}

# hold [OPTION...] LOCK: runs a holder until `release`. $HOLDER is its PID.
hold() {
	start_holder sh '' "$@"
}

# desert [OPTION...] LOCK: as hold, but the command has closed the lock's descriptor.
desert() {
	need_attributes
	# shellcheck disable=SC2016 # the holder expands it
	start_holder bash 'exec {ONLYONE_FD}>&-; ' "$@"
}

# start_holder SHELL SCRIPT [OPTION...] LOCK: SCRIPT is what it does first.
start_holder() {
	local latch shell=$1 script=$2
	shift 2
	latch=$(mktemp -d latch.XXXXXX)
	mkfifo "$latch/ready" "$latch/release"
	# shellcheck disable=SC2016 # the holder expands it
	"$ONLYONE" "$@" "$shell" -c "$script"'echo >"$0/ready"; read -r status <"$0/release"; exit "$status"' \
		"$PWD/$latch" 3>&- &
	HOLDER=$!
	LATCH=$latch
	read -t 20 -r _ <>"$latch/ready" || fail "no holder: onlyone $*"
}

# release [STATUS]: ends the latest holder and returns its status.
release() {
	printf '%s\n' "${1:-0}" >"$LATCH/release"
	wait "$HOLDER"
}

# hold_by TOOL...: another tool than onlyone holds what it names until `let_go`. $OTHER is the PID
# that was started.
hold_by() {
	mkdir -p other
	rm -f other/*
	mkfifo other/ready other/go
	"$@" sh -c 'echo >other/ready; read -r _ <other/go' 3>&- &
	OTHER=$!
	read -t 20 -r _ <>other/ready || fail "no holder: $*"
}

let_go() {
	echo >other/go
	wait "$OTHER"
}

# waiters LOCK COUNT: COUNT requests wait in the kernel for a lock on LOCK.
waiters() {
	[[ $(grep -c -e "-> .*:$(stat -c %i "$1") " /proc/locks) == "$2" ]]
}

# start_waiter [OPTION...] LOCK COMMAND...: in the background, and blocked when this returns.
# $WAITER is its PID. LOCK is the last lock that hold was given.
start_waiter() {
	local lock=$1
	shift
	"$ONLYONE" "$@" 3>&- &
	export WAITER=$! # for the test
	eventually "$* waits for $lock" waiters "$lock" 1
}

# -- records that are written by hand --

# by_hand PID LOCK: as a person or a script would write it, without the attribute.
by_hand() {
	printf '%s\n\n' "$1" >"$2"
}

# forge LOCK PID: the attribute names that process, with its start, as if it had locked LOCK itself.
forge() {
	local attribute rest stat
	attribute=$(getfattr --absolute-names --only-values -n user.onlyone "$1")
	read -r _ _ rest <<<"$attribute"
	stat=$(<"/proc/$2/stat")
	read -ra stat <<<"${stat##*) }"
	setfattr -n user.onlyone -v "$(printf '%x %x %s' "$2" "${stat[19]}" "$rest")" "$1"
}

# -- who may do what here --

need_root() {
	((EUID != 0)) || return 0
	[[ -z ${ONLYONE_NO_SKIP:-} ]] || fail "needs root"
	skip "needs root"
}

need_attributes() {
	need setfattr getfattr
	: >probe
	setfattr -n user.probe -v 1 probe 2>/dev/null && return
	[[ -z ${ONLYONE_NO_SKIP:-} ]] || fail "no user attributes in $PWD"
	skip "no user attributes in $PWD"
}

# Lets the user nobody run onlyone in here, wherever it was built.
let_nobody_in() {
	need_root
	need setpriv
	chmod a+x "$BATS_RUN_TMPDIR"
	install -D -m 755 "$ONLYONE" bin/onlyone
	ONLYONE=$PWD/bin/onlyone
	PATH=$PWD/bin:$PATH
}

as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# For the script: the next process in its PID namespace gets the number $1.
next_pid_is() {
	echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid
}
export -f next_pid_is

# in_container SCRIPT [ARG...]: in a PID namespace with a /proc of its own.
in_container() {
	local script=$1
	shift
	unshare --pid --fork --kill-child --mount-proc bash -ec "$script" container "$@"
}

# The keepers of this test.
keepers() {
	local pid
	for pid in $(strays); do
		[[ $(cat "/proc/$pid/comm" 2>/dev/null) != onlyone-keeper ]] || printf '%s\n' "$pid"
	done
}

# ended STATUS PID: so ended the child PID. (A `run wait` would ask a subshell, whose child it is
# not.)
ended() {
	local got=0
	eventually "PID $2 has ended" gone "$2"
	wait "$2" || got=$?
	((got == $1)) || fail "PID $2 ended with $got, not $1"
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

# Whether process $1 has become the command $2.
runs() {
	[[ /proc/$1/exe -ef $(command -v "$2") ]]
}

# Whether process $1 waits for process $2: it has a pidfd of it.
waits_for() {
	grep -qs "^Pid:[[:space:]]*$2\$" "/proc/$1/fdinfo/"*
}
