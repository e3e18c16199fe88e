#!/usr/bin/env bats
# -o: the command does not inherit the lock; a keeper holds it exactly as long as the command lives.
# shellcheck disable=SC2016 # the scripts in single quotes are for other shells

# Each test is a process of its own, and what it changes its own affair.
# shellcheck disable=SC2030,SC2031

load helper

no_keeper() {
	[[ -z $(keepers) ]]
}

is_free() {
	flock -n "$1" true
}

# is_held LOCK PID [STATE]: by that sh, and really locked, not just recorded.
is_held() {
	run -1 flock -n "$1" true
	run -75 --separate-stderr onlyone "$1" touch ran
	# shellcheck disable=SC2154 # run sets it
	[[ ! -e ran && $stderr == "onlyone: $1: held by PID $2 (sh)${3:-}" ]]
}

# ends_with STATUS COMMAND...: in this shell, whose children alone can be waited for.
ends_with() {
	local expected=$1 status=0
	shift
	"$@" || status=$?
	[[ $status == "$expected" ]] || fail "$*: status $status"
}

# -- the command --

@test "the command is exec'd with its PID, and a second copy is told of it, not of the keeper" {
	hold -o lock
	[[ $(cat lock) == "$HOLDER" ]]
	[[ $(tr '\0' ' ' <"/proc/$HOLDER/cmdline") == "sh -c "* ]]
	is_held lock "$HOLDER"
	release
	run -0 onlyone lock true
}

@test "the command's status comes back, and a signal reaches it" {
	hold -o lock
	ends_with 42 release 42
	hold -o lock
	kill -TERM "$HOLDER"
	ends_with 143 await "$HOLDER"
}

@test "the command has no descriptor of the lock, and no number of one" {
	run -0 onlyone -o lock bash -c 'echo "${ONLYONE_FD-none} ${ONLYONE_DIRECTORY_FD-none} $ONLYONE_LOCK"
		for fd in /proc/self/fd/*; do readlink "$fd" || :; done'
	[[ ${lines[0]} == "none none lock" ]]
	[[ $output != *"$PWD/lock"* && $output != *pidfd* ]]
}

@test "a command that runs in another onlyone's lock does not see that one's number" {
	run -0 onlyone outer "$ONLYONE" -o inner sh -c 'echo "${ONLYONE_FD-none}"'
	[[ $output == none ]]
}

@test "a command that closes every descriptor keeps the lock" {
	mkfifo ready release
	"$ONLYONE" -o lock sh -c 'exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
		exec bash -c "for fd in {10..255}; do exec {fd}>&-; done
			echo >ready; exec >&- 2>&-; read -r _ <release"' 3>&- &
	command=$!
	hear ready
	run -1 flock -n lock true
	run -75 --separate-stderr onlyone lock true
	[[ $stderr == "onlyone: lock: held by PID $command (bash)" ]]
	say release
	await "$command"
	run -0 onlyone lock true
}

@test "children that outlive the command do not keep the lock" {
	run -0 onlyone -o lock sh -c 'sleep 600 3>&- >/dev/null 2>&1 & echo $!'
	child=$output
	run -0 onlyone lock true
	kill -0 "$child"
}

@test "the lock is free when the command was killed" {
	hold -o lock
	kill -KILL "$HOLDER"
	ends_with 137 await "$HOLDER"
	run -0 onlyone lock true
	eventually "the keeper has ended" no_keeper
}

@test "a command that is stopped and continued keeps the lock throughout" {
	hold -o lock
	kill -STOP "$HOLDER"
	eventually "the command has stopped" in_state T "$HOLDER"
	is_held lock "$HOLDER" " (stopped)"
	kill -CONT "$HOLDER"
	eventually "the command goes on" in_state S "$HOLDER"
	is_held lock "$HOLDER"
	ends_with 7 release 7
	run -0 onlyone lock true
}

@test "a command that cannot be executed leaves neither lock nor keeper" {
	run -127 onlyone -o lock ./nothing
	run -126 onlyone -o lock /
	run -0 onlyone lock true
	eventually "the keepers have ended" no_keeper
}

@test "the command finds dispositions and mask of signals as onlyone did" {
	run -0 env --ignore-signal=CHLD --ignore-signal=INT --block-signal=USR1 grep -E '^Sig(Ign|Blk|Cgt)' /proc/self/status
	bare=$output
	run -0 env --ignore-signal=CHLD --ignore-signal=INT --block-signal=USR1 \
		"$ONLYONE" -o lock grep -E '^Sig(Ign|Blk|Cgt)' /proc/self/status
	[[ $output == "$bare" ]]
}

@test "with SIGCHLD ignored at the start the lock is held as long as ever" {
	mkfifo ready release
	env --ignore-signal=CHLD "$ONLYONE" -o lock sh -c 'echo >ready; read -r _ <release' 3>&- &
	command=$!
	hear ready
	is_held lock "$command"
	say release
	await "$command"
	run -0 onlyone lock true
}

@test "the command has no child that is ours, and none to wait for" {
	need cc
	cat >childless.c <<-'END'
		#include <errno.h>
		#include <sys/wait.h>
		int main(void)
		{
			return wait(0) == -1 && errno == ECHILD ? 0 : 1;
		}
	END
	cc -o childless childless.c
	run -0 onlyone -o lock ./childless
	run -0 env --ignore-signal=CHLD "$ONLYONE" -o lock ./childless
}

@test "a hundred starts, one after the other, are never refused" {
	for _ in {1..100}; do
		onlyone -o lock true
	done
}

@test "a hundred starts of a lock that is removed in between are never refused" {
	for _ in {1..100}; do
		onlyone -o lock true
		rm lock
	done
}

# -- around it --

@test "as PID 1 of a container: refused from outside, status handed on, nothing left" {
	need_unshare --pid --fork --kill-child --mount-proc
	mkfifo ready release
	unshare --pid --fork --kill-child --mount-proc "$ONLYONE" -o lock \
		sh -c 'echo $$ >ready; read -r status <release; exit "$status"' 3>&- &
	container=$!
	local pid
	hear ready pid
	[[ $pid == 1 && $(cat lock) == 1 ]]
	run -1 flock -n lock true
	run -75 onlyone lock true
	run -75 unshare --pid --fork --mount-proc "$ONLYONE" lock true
	say release 7
	ends_with 7 await "$container"
	run -0 onlyone lock true
	eventually "nothing is left" no_strays
}

@test "a supervisor that waits for all its children, orphans too, does not wait for ever" {
	need cc
	cat >supervisor.c <<-'END'
		#include <sys/prctl.h>
		#include <sys/wait.h>
		#include <unistd.h>
		int main(int argc, char **argv)
		{
			int children = 0;
			(void) argc;
			if (prctl(PR_SET_CHILD_SUBREAPER, 1))
				return 99;
			if (fork() == 0)
				execvp(argv[1], argv + 1);
			while (wait(0) > 0)
				children++;
			return children;
		}
	END
	cc -o supervisor supervisor.c
	run -2 timeout "$PATIENCE" ./supervisor "$ONLYONE" -o lock true # the command and the keeper
	run -0 is_free lock
	run -2 timeout "$PATIENCE" ./supervisor "$ONLYONE" -o lock sh -c 'kill -KILL $$'
	run -0 is_free lock
}

@test "a command that waits for all its children, as PID 1 or as a subreaper, does not wait for the keeper" {
	need perl
	need cc
	need_unshare --pid --fork --kill-child --mount-proc
	waits_for_all='unless (fork) { exit } 1 while wait > 0; exit 7'
	run -7 timeout "$PATIENCE" unshare --pid --fork --kill-child --mount-proc "$ONLYONE" -o lock perl -e "$waits_for_all"
	cat >subreaper.c <<-'END'
		#include <sys/prctl.h>
		#include <unistd.h>
		int main(int argc, char **argv)
		{
			(void) argc;
			prctl(PR_SET_CHILD_SUBREAPER, 1);
			execvp(argv[1], argv + 1);
			return 99;
		}
	END
	cc -o subreaper subreaper.c
	run -7 timeout "$PATIENCE" ./subreaper "$ONLYONE" -o lock perl -e "$waits_for_all"
	eventually "the keepers have ended" no_keeper
}

@test "in a pipeline and in \$(...) nothing waits longer than the command" {
	run -0 timeout "$PATIENCE" bash -ec '
		x=$(onlyone -o lock sh -c "echo hi")
		[[ $x == hi ]]
		onlyone -o lock echo hi | cat
		echo hi | onlyone -o lock cat'
	[[ $output == hi$'\n'hi ]]
}

@test "a pipe that the command has closed is closed, though it runs on" {
	mkfifo release
	# Returns when nobody has the pipe any more: at once, or when the command has ended.
	output=$("$ONLYONE" -o lock bash -c 'echo hi; exec >&- 2>&-; read -t "$PATIENCE" -r _ <>release' 2>&1 3>&- &)
	[[ $output == hi ]]
	run -75 onlyone lock true
	say release
}

@test "a signal to the whole group, or to the keeper, leaves the keeper" {
	mkfifo ready release
	setsid "$ONLYONE" -o lock sh -c 'trap "" HUP INT QUIT TERM; echo >ready; read -r _ <release' 3>&- &
	command=$!
	hear ready
	keeper=$(keepers)
	for signal in HUP INT QUIT TERM USR1 ALRM TSTP; do
		kill -"$signal" "$keeper"
	done
	for signal in HUP INT QUIT TERM; do
		kill -"$signal" -- "-$command"
	done
	is_held lock "$command"
	[[ $(keepers) == "$keeper" ]]
	say release
	await "$command"
	eventually "the keeper has ended" no_keeper
	run -0 onlyone lock true
}

# -- the keeper itself --

@test "the keeper has its own session, / as its directory, and is not the command's child" {
	hold -o lock
	keeper=$(keepers)
	[[ $keeper =~ ^[0-9]+$ ]]
	[[ $(readlink "/proc/$keeper/cwd") == / ]]
	read -r _ _ _ parent group session _ <"/proc/$keeper/stat"
	[[ $group == "$keeper" && $session == "$keeper" && $parent != "$HOLDER" ]]
	release
	eventually "the keeper has ended" no_keeper
}

@test "the keeper has every signal blocked" {
	hold -o lock
	blocked=$(sed -n 's/^SigBlk:[[:space:]]*/0x/p' "/proc/$(keepers)/status")
	# But for KILL and STOP, which nobody can block, and the two or three that the libc keeps.
	(((blocked & 0x7ffbfeff) == 0x7ffbfeff && (blocked >> 34 & 0x3fffffff) == 0x3fffffff))
	release
}

@test "the keeper has the lock and a pidfd of the command open, and nothing else" {
	hold -o lock 9>other 200>other
	keeper=$(keepers)
	run -0 ls "/proc/$keeper/fd"
	[[ ${#lines[@]} == 2 ]]
	[[ $(readlink "/proc/$keeper/fd/"* | sed 's/.*pidfd.*/pidfd/' | sort) == "$PWD/lock"$'\n'pidfd ]]
	grep -q "^Pid:[[:space:]]*$HOLDER\$" "/proc/$keeper/fdinfo/"*
	release
}

@test "nor has it more when standard input, output and error are closed" {
	mkfifo ready release
	"$ONLYONE" -o lock sh -c 'echo >ready; read -r _ <release' <&- >&- 2>&- 3>&- &
	command=$!
	hear ready
	[[ $(readlink "/proc/$(keepers)/fd/"* | sed 's/.*pidfd.*/pidfd/' | sort) == "$PWD/lock"$'\n'pidfd ]]
	is_held lock "$command"
	[[ $(readlink "/proc/$command/fd/"*) != *"$PWD/lock"* ]]
	say release
	await "$command"
	run -0 onlyone lock true
}

@test "the keeper of a directory has that open too" {
	mkdir data
	hold -o data
	keeper=$(keepers)
	[[ $(readlink "/proc/$keeper/fd/"* | sed 's/.*pidfd.*/pidfd/' | sort) == "$PWD/data"$'\n'"$PWD/data/.onlyone"$'\n'pidfd ]]
	is_held data "$HOLDER"
	release
	run -0 onlyone data true
}

# memory PID: how many kB are its own, how many are its program's, and how many of those constants.
memory() {
	awk '/^[0-9a-f]+-/ { constants = $2 == "r--p" && $6 ~ "^/" }
		/^Rss:/ { rss = $2 }
		/^Anonymous:/ { own += $2; program += rss - $2; if (constants) read += rss - $2 }
		END { print own + 0, program + 0, read + 0 }' "/proc/$1/smaps"
}

# The pages of the program are those of the page cache, which all keepers and starts share, and the
# kernel maps in as large pieces of it as it happens to have. So the measure is a waiter, which has
# started just the same.
is_small() {
	local own program constants waiters
	read -r own program constants <<<"$(memory "$1")"
	read -r _ waiters _ <<<"$(memory "$2")"
	((own > 0 && own < 128 && constants == 0 && (program <= 128 || program * 2 < waiters)))
}

# keep_alone: a keeper and a waiter of a binary with which no other test shares a page, until `let_alone`.
keep_alone() {
	./alone -o lock sh -c 'echo >ready; read -r _ <release' 3>&- &
	hear ready
	./alone -b lock true 3>&- &
	WAITER=$!
	eventually "the other one waits" waiters lock 1
}

let_alone() {
	say release
	await "$WAITER"
}

@test "the keeper costs less than 128 kB of its own, and has let go of most of the program" {
	cp "$ONLYONE" alone
	! grep -q __asan_init alone || return 0 # a sanitizer's shadow memory is not the program's
	mkfifo ready release
	# A start that had to read a long list of other tests' locks has the memory for it still.
	for _ in 1 2 3 4 5; do
		keep_alone
		! eventually "the keeper is small" is_small "$(keepers)" "$WAITER" 2>/dev/null || break
		memory "$(keepers)" >&2
		let_alone
	done
	is_small "$(keepers)" "$WAITER"
	let_alone
}

@test "a keeper that was killed leaves the record: the command is still the only copy" {
	need_attributes
	hold -o lock
	kill -KILL "$(keepers)"
	eventually "the lock is free" is_free lock
	run -75 --separate-stderr onlyone lock touch ran
	[[ ! -e ran && $stderr == "onlyone: lock: held by PID $HOLDER (sh): it has closed the lock, but runs on; "* ]]
	release
	run -0 onlyone lock true
}

@test "a keeper that was stopped is named, and that it was" {
	hold -o -s lock
	keeper=$(keepers)
	kill -STOP "$keeper"
	eventually "the keeper has stopped" in_state T "$keeper"
	run -75 --separate-stderr onlyone lock true
	[[ $stderr == "onlyone: lock: held by PID $keeper (onlyone-keeper) (stopped)" ]]
	run -0 onlyone --status lock
	[[ $output == "held by PID $keeper ("*") (stopped)"* ]]
	kill -CONT "$keeper"
	release
}

# A keeper that has not yet noticed that its command is gone, as on a busy machine.
late_keeper() {
	hold -o lock
	keeper=$(keepers)
	kill -STOP "$keeper"
	eventually "the keeper has stopped" in_state T "$keeper"
}

# start_beside_late_keeper: a start that sees the keeper before it goes on.
start_beside_late_keeper() {
	"$ONLYONE" lock touch ran 3>&- &
	starter=$!
	eventually "the start waits for the keeper" eval \
		'grep -qs "^Pid:[[:space:]]*$keeper\$" "/proc/$starter/fdinfo/"* || [[ ! -e /proc/$starter ]] || in_state Z "$starter"'
	kill -CONT "$keeper"
	await "$starter"
	[[ -e ran ]]
}

@test "a keeper that is late to see the command's end is waited for" {
	late_keeper
	release
	start_beside_late_keeper
}

@test "a keeper that is late is waited for also when the lock file was removed" {
	late_keeper
	rm lock
	release
	start_beside_late_keeper
}

@test "a keeper that is late is waited for also when nobody has reaped the command" {
	mkfifo ready release
	sh -c '"$0" -o lock sh -c "echo >ready; read -r _ <release" & exec sleep 600' "$ONLYONE" 3>&- & # sleep reaps nobody
	hear ready
	keeper=$(keepers)
	kill -STOP "$keeper"
	eventually "the keeper has stopped" in_state T "$keeper"
	say release
	eventually "the command is a zombie" in_state Z "$(cat lock)"
	start_beside_late_keeper
}

@test "a keeper that is late does not hold up what has come in place of its directory" {
	mkdir data
	hold -o data
	keeper=$(keepers)
	kill -STOP "$keeper"
	eventually "the keeper has stopped" in_state T "$keeper"
	mv data moved
	mkdir data
	release
	run -0 onlyone data true
	kill -CONT "$keeper"
}

# -- no keeper, no command --

@test "without a process for the keeper the command does not start" {
	let_nobody_in
	install -d -m 777 open
	for limit in 1 2; do # of the first fork, and of the second
		# A leak detector takes a process of its own.
		run -71 --separate-stderr as_nobody \
			bash -c 'ulimit -u "$0"; ASAN_OPTIONS=detect_leaks=0 exec bin/onlyone -o open/lock touch open/ran' "$limit"
		[[ ! -e open/ran && $stderr == "onlyone: open/lock: no keeper: "* ]]
		run -0 onlyone open/lock true
	done
}

@test "a keeper that cannot be set up in full is none: the command does not start" {
	need strace
	export ASAN_OPTIONS=detect_leaks=0 # which cannot be under ptrace(2)
	for call in pidfd_open pipe2 clone,fork setsid chdir prctl; do
		run -71 strace -f -o trace -e "inject=$call:error=EAGAIN" "$ONLYONE" -o lock touch ran
		[[ ! -e ran && $output == "onlyone: lock: no keeper: "* ]]
		run -0 is_free lock
	done
	run -0 strace -f -o trace "$ONLYONE" -o lock touch ran
	[[ -e ran ]]
}

@test "-o needs a command" {
	run -64 onlyone -o --fd 9 9>>lock
}
