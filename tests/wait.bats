#!/usr/bin/env bats
# Waiting: in the kernel, for as long as asked, and without a trace in the command.
# shellcheck disable=SC2016 # what stands in single quotes is for the shells that onlyone starts

load helper

# reaches_limit SECONDS COMMAND...: it is refused, and not before. How late depends on the machine.
reaches_limit() {
	local begin end seconds=$1
	shift
	begin=${EPOCHREALTIME/./}
	run -75 timeout "$PATIENCE" "$@"
	end=${EPOCHREALTIME/./}
	((end - begin >= 10#${seconds/./}000)) || fail "after $((end - begin)) us: $*"
	[[ ! -e ran ]]
}

# signal PID SIGNAL: and it has been taken.
signal() {
	kill "-$2" "$1"
	eventually "PID $1 has taken $2" grep -qx $'ShdPnd:\t0*' "/proc/$1/status"
}

need_perl() {
	need perl
	perl -MTime::HiRes=setitimer -e 1 2>/dev/null ||
		missing perl "perl has no Time::HiRes" "apt-get install perl"
}

# -- getting the lock --

@test "a waiter gets the lock when it is freed" {
	hold lock
	start_waiter lock -b lock sh -c 'cat lock >seen; exit 7'
	[[ ! -e seen ]]
	release
	ended 7 "$WAITER"
	[[ $(cat seen) == "$WAITER" ]]
}

@test "so does one with a limit" {
	hold lock
	start_waiter lock -w 120 lock sh -c 'cat lock >seen; exit 7'
	[[ ! -e seen ]]
	release
	ended 7 "$WAITER"
	[[ $(cat seen) == "$WAITER" ]]
}

@test "a waiter gets the lock when its holder is killed" {
	hold lock
	start_waiter lock -w 120 lock touch ran
	kill -KILL "$HOLDER"
	ended 0 "$WAITER"
	[[ -e ran ]]
}

@test "a waiter behind the other family's lock gets it too" {
	need flock
	local option
	for option in '-w 120' -b; do
		mkfifo ready go
		flock lock sh -c 'echo >ready; read -r _ <go' 3>&- &
		hear ready
		# shellcheck disable=SC2086 # two words
		start_waiter lock $option lock touch ran
		[[ ! -e ran ]]
		say go
		ended 0 "$WAITER"
		rm ran ready go
	done
}

@test "a free lock is not waited for" {
	run -7 timeout "$PATIENCE" onlyone -b lock sh -c 'exit 7'
	run -7 timeout "$PATIENCE" onlyone -w 3600 lock sh -c 'exit 7'
}

@test "every one of several waiters gets its turn, one after the other" {
	local n waiters=()
	hold lock
	for n in {1..6}; do
		"$ONLYONE" -w 120 lock sh -c 'mkdir inside && rmdir inside && echo done >>log' 3>&- &
		waiters+=($!)
	done
	eventually "all of them wait" waiters lock 6
	release
	for n in "${waiters[@]}"; do
		ended 0 "$n"
	done
	[[ $(wc -l <log) == 6 ]]
}

@test "a shared waiter waits for an exclusive holder, and an exclusive one for a shared" {
	hold lock
	start_waiter lock -s -w 120 lock touch shared
	release
	ended 0 "$WAITER"
	hold -s lock
	start_waiter lock -w 120 lock touch exclusive
	release
	ended 0 "$WAITER"
	[[ -e shared && -e exclusive ]]
}

# -- the limit --

@test "when the limit is reached the holder is named, and nothing is run" {
	hold lock
	reaches_limit 0.300 onlyone -w 0.3 lock touch ran
	[[ $output == "onlyone: lock: held by PID $HOLDER (sh)" ]]
	reaches_limit 0.250 onlyone -w .25 lock touch ran
	release
}

@test "a limit that is no whole number of seconds and above one is kept" {
	hold lock
	reaches_limit 1.200 onlyone -w 1.2 lock touch ran
	release
}

@test "a limit of 0 does not wait" {
	hold lock
	run -75 timeout "$PATIENCE" onlyone -w 0 lock true
	run -75 timeout "$PATIENCE" onlyone -w 0.0 lock true
	release
}

@test "the limit counts behind the other family's lock too" {
	need flock
	reaches_limit 0.200 flock lock onlyone -w 0.2 lock touch ran
}

@test "the limit is kept when SIGALRM was blocked at the start" {
	hold lock
	reaches_limit 0.200 env --block-signal=ALRM onlyone -w 0.2 lock touch ran
	reaches_limit 0.200 env --block-signal onlyone -w 0.2 lock touch ran
	release
}

@test "the limit is kept when SIGALRM was ignored at the start" {
	hold lock
	reaches_limit 0.200 env --ignore-signal=ALRM onlyone -w 0.2 lock touch ran
	reaches_limit 0.200 env --ignore-signal=ALRM --block-signal=ALRM onlyone -w 0.2 lock touch ran
	release
}

@test "a SIGALRM from outside is neither the limit nor death" {
	local n
	hold lock
	start_waiter lock -w 120 lock touch ran
	for n in {1..5}; do
		signal "$WAITER" ALRM
	done
	eventually "it still waits" waiters lock 1
	[[ ! -e ran ]]
	release
	ended 0 "$WAITER"
	[[ -e ran ]]
}

@test "nor does it postpone the limit" {
	hold lock
	start_waiter lock -w 4 lock touch ran
	signal "$WAITER" ALRM
	ended 75 "$WAITER"
	release
}

@test "an alarm that the caller has set limits the whole job" {
	need_perl
	hold lock
	run -142 timeout "$PATIENCE" perl -MTime::HiRes=alarm -e 'alarm 0.2; exec @ARGV' \
		onlyone -w 120 lock touch ran
	run -142 timeout "$PATIENCE" perl -MTime::HiRes=alarm -e 'alarm 0.2; exec @ARGV' \
		onlyone -b lock touch ran
	[[ ! -e ran ]]
	release
}

@test "an alarm that the caller has set and ignores ends nothing" {
	need_perl
	hold lock
	reaches_limit 0.400 perl -MTime::HiRes=alarm -e '$SIG{ALRM} = "IGNORE"; alarm 0.1; exec @ARGV' \
		onlyone -w 0.4 lock touch ran
	release
}

# -- what the command finds --

# What a command inherits of signals; not by way of a shell, some clear the mask.
SHOW=(grep -E '^(Sig|Shd)(Pnd|Blk|Ign|Cgt)' /proc/self/status)

# after_wait FILTER...: FILTER starts a command, which sees the same with and without a wait before.
after_wait() {
	"$@" "${SHOW[@]}" >bare 3>&- &
	await "$!"
	hold lock
	"$@" "$ONLYONE" -w 120 lock "${SHOW[@]}" >guarded 3>&- &
	eventually "it waits" waiters lock 1
	release
	await "$!"
	diff bare guarded
}

@test "blocked and ignored signals are the command's as they were found, after a wait" {
	after_wait env
	after_wait env --block-signal=ALRM
	after_wait env --ignore-signal=ALRM
	after_wait env --ignore-signal=ALRM --block-signal=ALRM
	after_wait env --ignore-signal=CHLD
	after_wait env --ignore-signal=PIPE,TERM --block-signal=USR1
}

@test "so they are where there was nothing to wait for" {
	local filter=(env '--ignore-signal=ALRM,CHLD' '--block-signal=ALRM,USR1')
	"${filter[@]}" "${SHOW[@]}" >bare
	"${filter[@]}" onlyone -w 120 lock "${SHOW[@]}" >guarded
	diff bare guarded
	grep -q '^SigBlk:.*2200$' bare
}

@test "an interval timer runs on in the command, after a wait" {
	need_perl
	hold lock
	perl -MTime::HiRes=setitimer,ITIMER_REAL -e 'setitimer(ITIMER_REAL, 300, 7); exec @ARGV' \
		"$ONLYONE" -w 120 lock \
		perl -MTime::HiRes=getitimer,ITIMER_REAL -e 'print join(" ", getitimer(ITIMER_REAL))' \
		>timer 3>&- &
	eventually "it waits" waiters lock 1
	release
	await "$!"
	local left interval
	read -r left interval <timer || :
	((${left%.*} > 0 && ${left%.*} <= 300)) && [[ $interval == 7 ]]
}

@test "where there was no timer the command has none, after a wait" {
	need_perl
	hold lock
	start_waiter lock -w 120 lock \
		perl -MTime::HiRes=getitimer,ITIMER_REAL -e 'print join(" ", getitimer(ITIMER_REAL))' >timer
	release
	await "$WAITER"
	[[ $(cat timer) == "0 0" ]]
}

# -- how it waits --

# sleeps: the waiter is not woken while nothing happens. Half a second would show whoever polls.
sleeps() {
	local before after
	eventually "the waiter sleeps" in_state S "$WAITER"
	before=$(awk '/^voluntary/ { print $2 }' "/proc/$WAITER/status")
	sleep 0.5
	after=$(awk '/^voluntary/ { print $2 }' "/proc/$WAITER/status")
	((after - before <= 1)) || fail "woken $((after - before)) times"
}

@test "a waiter sleeps in the kernel, with and without a limit" {
	hold lock
	start_waiter lock -w 120 lock true
	sleeps
	kill "$WAITER"
	ended 143 "$WAITER"
	start_waiter lock -b lock true
	sleeps
	release
	ended 0 "$WAITER"
}

@test "a waiter sleeps behind the other family's lock" {
	need flock
	mkfifo ready go
	flock lock sh -c 'echo >ready; read -r _ <go' 3>&- &
	hear ready
	start_waiter lock -w 120 lock true
	sleeps
	say go
	ended 0 "$WAITER"
}

@test "a waiter has written nothing" {
	hold lock
	start_waiter lock -w 120 lock true
	[[ $(cat lock) == "$HOLDER" ]]
	release
	ended 0 "$WAITER"
}

# holds_shared LOCK: another program has a shared lock on it, of flock(2).
holds_shared() {
	need flock
	export SHARER # read below
	mkfifo ready go
	flock -s "$1" sh -c 'echo $$ >ready; read -r _ <go' 3>&- &
	hear ready SHARER
}

@test "a waiter holds nothing: readers are let in, and neither --pid nor --status takes it for a holder" {
	holds_shared lock
	start_waiter lock -b lock touch ran
	for _ in 1 2 3; do
		run -0 onlyone -s lock true
	done
	run -0 onlyone --pid lock
	[[ $output != *"$WAITER"* && $output == *"$SHARER"* ]]
	run -0 onlyone --status lock
	[[ $output != *"PID $WAITER "* ]]
	run -75 onlyone lock true
	[[ $output != *"$WAITER"* && ! -e ran ]]
	say go
	ended 0 "$WAITER"
	[[ -e ran ]]
}

# Its file may soon be one that LOCK does not name any more, and its lock a displaced one.
@test "a waiter has no lock, of either kind" {
	local option
	hold lock
	for option in -b '-w 120'; do
		# shellcheck disable=SC2086 # two words
		start_waiter lock $option lock true
		run -1 grep ^lock: "/proc/$WAITER/fdinfo/"*
		kill "$WAITER"
		ended 143 "$WAITER"
	done
	release
}

# Passing by, it may have a part of the lock for a moment.
@test "no start is refused on account of waiters: not one that shares, not one where the lock is free" {
	local n
	need perl
	: >lock
	mkfifo ready
	# fcntl(2)'s F_OFD_SETLK is 37: a shared lock of the kind that is asked for last.
	perl -MFcntl -e '
		open my $lock, "+<", "lock" or die $!;
		my $range = pack "s s x![q] q q l x4", F_RDLCK, 0, 0, 0, 0;
		fcntl $lock, 37, $range or die $!;
		open my $ready, ">", "ready" or die $!;
		close $ready;
		sleep 600 until -e "enough"' 3>&- &
	sharer=$!
	disown "$sharer"
	timeout "$PATIENCE" cat ready
	for n in 1 2 3; do
		(while [[ ! -e enough ]]; do onlyone -q -w 0.05 lock true; done) 3>&- &
	done
	for n in {1..200}; do
		onlyone -s lock true || fail "start $n"
	done
	touch enough
	kill "$sharer"
	await
}

# -- what is told --

# terminal COMMAND: as typed at one, and what that shows. The status is the command's.
terminal() {
	local status=0 shown
	shown=$(script -qec "$1" /dev/null </dev/null) || status=$?
	tr -d '\r' <<<"$shown"
	return "$status"
}

@test "on a terminal a wait is told, once" {
	need_terminal
	hold lock
	run -75 terminal 'onlyone -w 3 lock touch ran'
	[[ ${lines[0]} == "onlyone: lock: waiting: held by PID $HOLDER (sh)" ]]
	[[ ${lines[1]} == "onlyone: lock: held by PID $HOLDER (sh)" && ${#lines[@]} == 2 && ! -e ran ]]
	terminal 'onlyone -b lock touch ran' >told 3>&- &
	eventually "it waits" waiters lock 1
	release
	ended 0 $!
	[[ $(cat told) == "onlyone: lock: waiting: held by PID $HOLDER (sh)" && -e ran ]]
}

@test "not with -q, not where nobody waits, and not where messages go elsewhere" {
	need_terminal
	hold lock
	run -75 terminal 'onlyone -q -w 0.3 lock touch ran'
	[[ -z $output ]]
	run -75 terminal 'onlyone lock touch ran'
	[[ $output == "onlyone: lock: held by PID $HOLDER (sh)" ]]
	run -75 terminal 'onlyone -w 3 lock touch ran 2>told'
	[[ -z $output && $(cat told) == "onlyone: lock: held by PID $HOLDER (sh)" && ! -e ran ]]
	release
	run -0 terminal 'onlyone -b lock echo ran'
	[[ $output == ran ]]
}

# -- signals --

@test "SIGTERM, SIGHUP and SIGINT end a waiter, and the command does not run" {
	need_perl
	local signal
	hold lock
	for signal in TERM HUP INT; do
		# A shell's background starts with SIGINT ignored.
		perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$ONLYONE" -w 120 lock touch ran 3>&- &
		eventually "it waits" waiters lock 1
		kill "-$signal" "$!"
		ended "$((128 + $(kill -l "$signal")))" "$!"
	done
	[[ ! -e ran && $(cat lock) == "$HOLDER" ]]
	release
}

@test "who waits ignores what it was told to ignore" {
	hold lock
	env --ignore-signal=HUP "$ONLYONE" -w 120 lock touch ran 3>&- &
	eventually "it waits" waiters lock 1
	kill -HUP "$!"
	release
	ended 0 "$!"
	[[ -e ran ]]
}

@test "a waiter that is stopped and continued waits on" {
	hold lock
	start_waiter lock -w 120 lock touch ran
	kill -STOP "$WAITER"
	eventually "it is stopped" in_state T "$WAITER"
	kill -CONT "$WAITER"
	eventually "it waits again" waiters lock 1
	[[ ! -e ran ]]
	release
	ended 0 "$WAITER"
	[[ -e ran ]]
}

@test "a waiter gets a lock that was freed while it was stopped" {
	hold lock
	start_waiter lock -b lock touch ran
	kill -STOP "$WAITER"
	eventually "it is stopped" in_state T "$WAITER"
	release
	[[ ! -e ran ]]
	kill -CONT "$WAITER"
	ended 0 "$WAITER"
	[[ -e ran ]]
}

@test "a limit that passes while the waiter is stopped is the limit" {
	hold lock
	start_waiter lock -w 4 lock touch ran
	kill -STOP "$WAITER"
	eventually "it is stopped" in_state T "$WAITER"
	sleep 4.1
	kill -CONT "$WAITER"
	ended 75 "$WAITER"
	[[ ! -e ran ]]
	release
}
