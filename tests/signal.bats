#!/usr/bin/env bats
# --signal: to the recorded process that holds the lock, and to nobody else.
# shellcheck disable=SC2016 # the scripts in single quotes are for other shells

load helper

# start [OPTION...] LOCK SCRIPT: the script says `echo >ready`. $COMMAND is its PID.
start() {
	mkfifo ready
	"$ONLYONE" "${@:1:$#-1}" bash -c "${*: -1}" 3>&- &
	COMMAND=$!
	hear ready || fail "no holder: onlyone $*"
	rm ready
}

got() {
	[[ $(cat got 2>/dev/null) == "$*" ]]
}

# -- which signal --

@test "names with and without SIG, in any case, and numbers" {
	start lock 'for signal in HUP USR1 WINCH RTMIN+1 RTMAX-1; do trap "echo $signal >got" "$signal"; done
		sleep 600 & echo >ready
		while :; do wait "$!"; done'
	while read -r name signal; do
		# Bash has glibc's number for RTMIN, musl has another.
		[[ $name != *RTMIN* ]] || grep -qa GLIBC "$ONLYONE" || continue
		rm -f got
		run -0 --separate-stderr onlyone --signal "$name" lock
		[[ -z $output && -z $stderr ]]
		eventually "$name arrives as $signal" got "$signal"
	done <<-'END'
		HUP HUP
		SIGHUP HUP
		sighup HUP
		1 HUP
		USR1 USR1
		SIGUSR1 USR1
		10 USR1
		winch WINCH
		28 WINCH
		RTMIN+1 RTMIN+1
		SIGRTMIN+1 RTMIN+1
		RTMAX-1 RTMAX-1
		63 RTMAX-1
	END
}

@test "the command dies of the signal" {
	for signal in TERM:143 KILL:137 INT:130 9:137; do
		start lock 'echo >ready; exec env --default-signal=INT sleep 600'
		eventually "it runs" runs "$COMMAND" sleep
		run -0 onlyone --signal "${signal%:*}" lock
		ended "${signal#*:}" "$COMMAND"
	done
	run -1 onlyone --status lock
}

@test "what is no signal is refused, and nothing sent" {
	hold lock
	for bad in "" FOO SIG SIG15 TERMX "TERM " " TERM" 65 -1 +1 0x9 9.0 RTMIN+31 RTMAX-31 RTMIN-1 RTMAX+1 RTMIN+ \
		RTMIN+x 99999999999999999999; do
		run -64 --separate-stderr onlyone --signal "$bad" lock
		[[ -z $output && $stderr == "onlyone: $bad: not a signal" ]]
	done
	run -64 onlyone --signal TERM
	run -64 onlyone --signal
	run -64 onlyone --signal TERM --status lock
	run -64 onlyone --signal TERM --status lock true
	[[ $(onlyone --pid lock) == "$HOLDER" ]]
	release
}

@test "signal 0 only asks whether one could" {
	hold lock
	run -0 onlyone --signal 0 lock
	release
	run -1 onlyone --signal 0 lock
}

# -- to whom --

@test "only the recorded process is signalled, its children are left to it" {
	start lock 'trap "echo got >>got" USR1
		sleep 600 & echo "$!" >child; echo >ready
		while :; do wait "$!"; done'
	child=$(cat child)
	eventually "the child runs" runs "$child" sleep
	run -0 onlyone --signal USR1 lock
	eventually "the signal arrives" got got
	run -0 onlyone --signal USR1 lock
	eventually "the signal arrives again" got got$'\n'got
	runs "$child" sleep # which USR1 would have ended
	run -0 onlyone --signal KILL lock
	ended 137 "$COMMAND"
	runs "$child" sleep
}

@test "with -o the command is signalled, not the keeper" {
	start -o lock 'trap "exit 7" TERM; sleep 600 3>&- & echo >ready; wait'
	run -0 onlyone --signal TERM lock
	ended 7 "$COMMAND"
}

@test "also without user attributes" {
	mkdir bare
	need_unshare --mount mount -t ramfs none bare
	run -0 unshare --mount bash -ec '
		mount -t ramfs none bare
		cd bare
		mkfifo ready
		onlyone -o lock sh -c "echo >ready; exec sleep 600" 3>&- &
		hear ready
		onlyone --signal TERM lock
		status=0
		await "$!" || status=$?
		[[ $status == 143 ]]'
}

@test "a command that has closed the lock can be signalled" {
	need_attributes
	start lock 'exec {ONLYONE_FD}>&-; echo >ready; exec sleep 600'
	run -0 onlyone --signal TERM lock
	ended 143 "$COMMAND"
}

@test "a shell that locked its own descriptor can be signalled" {
	mkfifo ready
	bash -c 'onlyone --fd 9; echo >ready; exec sleep 600' 9>>lock 3>&- &
	shell=$!
	hear ready
	run -0 onlyone --signal TERM lock
	ended 143 "$shell"
}

@test "nobody holds it: 1, and a line" {
	onlyone lock true
	run -1 --separate-stderr onlyone --signal KILL lock
	[[ -z $output && $stderr == "onlyone: lock: free: nothing signalled" ]]
	run -1 onlyone --signal KILL nothing
	[[ ! -e nothing ]]
	by_hand $$ lock
	run -1 onlyone --signal KILL lock # or this shell were dead
}

@test "survivors are not signalled: 75, and a line that names them" {
	need_attributes
	run -0 onlyone lock sh -c 'echo $$; sleep 600 3>&- >/dev/null 2>&1 & echo $!'
	recorded=${lines[0]} child=${lines[1]}
	eventually "the child runs" runs "$child" sleep
	run -75 --separate-stderr onlyone --signal KILL lock
	[[ $stderr == "onlyone: lock: held by PID $child (sleep): the recorded process $recorded has ended: nothing signalled" ]]
	runs "$child" sleep
	run -9 onlyone -E 9 --signal KILL lock
}

@test "holders that are not recorded are not signalled: 75" {
	hold -s lock
	run -75 --separate-stderr onlyone --signal KILL lock
	[[ $stderr == "onlyone: lock: held by PID $HOLDER (sh): nothing signalled" ]]
	release
	flock lock sleep 600 3>&- &
	eventually "flock holds it" eval 'onlyone --status lock >/dev/null'
	run -75 onlyone --signal KILL lock
	runs "$!" flock
}

@test "a PID that was written into the file by hand is not signalled" {
	need_attributes
	sleep 600 3>&- &
	bystander=$!
	start lock 'echo >ready; exec sleep 600'
	by_hand "$bystander" lock
	run -0 onlyone --signal KILL lock # whom the attribute names
	ended 137 "$COMMAND"
	run -1 onlyone --signal KILL lock
	hold lock
	setfattr -x user.onlyone lock
	by_hand "$bystander" lock
	run -75 onlyone --signal KILL lock
	kill -0 "$bystander"
	kill -0 "$HOLDER"
	release
	run -1 onlyone --signal KILL lock
	kill -0 "$bystander"
}

@test "the holder of a file that was removed or replaced is not signalled: 75" {
	hold lock
	mv lock moved
	sleep 600 3>&- &
	by_hand "$!" lock
	run -75 --separate-stderr onlyone --signal KILL lock
	[[ $stderr == "onlyone: lock: held by PID $HOLDER (sh): the file that it locked was removed or replaced: nothing signalled" ]]
	kill -0 "$!"
	release
}

@test "a process that inherited the recorded PID is never hit" {
	need_container
	need_attributes
	run -0 in_container '
		next_pid_is 100
		onlyone lock true & wait "$!"
		[[ $(cat lock) == 100 ]]
		sleep 0.02 # the kernel tells a start to a hundredth of a second
		next_pid_is 100
		sleep 600 3>&- &
		[[ $! == 100 ]]
		onlyone --signal KILL lock && exit 99 || [[ $? == 1 ]]
		kill -0 100'
}

@test "nor is a process a thread of which inherited it" {
	need_container
	need cc
	cat >threads.c <<-'END'
		#include <fcntl.h>
		#include <pthread.h>
		#include <stdio.h>
		#include <unistd.h>
		static void *stay(void *nothing)
		{
			close(open("ready", O_WRONLY));
			for (;;)
				pause();
			return nothing;
		}
		int main(void)
		{
			pthread_t thread;
			FILE *last = fopen("/proc/sys/kernel/ns_last_pid", "w");
			if (last == NULL || fputs("99", last) == EOF || fclose(last) == EOF ||
				pthread_create(&thread, NULL, stay, NULL))
				return 1;
			return pthread_join(thread, NULL);
		}
	END
	cc -pthread -o threads threads.c
	mkfifo ready
	run -0 in_container '
		next_pid_is 100
		onlyone lock true & wait "$!"
		[[ $(cat lock) == 100 ]]
		sleep 0.02 # the kernel tells a start to a hundredth of a second
		./threads 3>&- &
		timeout "$PATIENCE" cat ready
		[[ -d /proc/$!/task/100 ]]
		onlyone --signal KILL lock && exit 99 || [[ $? == 1 ]]
		onlyone lock true
		kill -0 "$!"'
}

@test "nor is it while children of the recorded process keep the lock" {
	need_container
	need_attributes
	run -0 in_container '
		next_pid_is 100
		onlyone lock sh -c "sleep 700 3>&- >/dev/null 2>&1 &" & wait "$!"
		[[ $(cat lock) == 100 ]]
		sleep 0.02 # the kernel tells a start to a hundredth of a second
		next_pid_is 100
		sleep 600 3>&- &
		[[ $! == 100 ]]
		onlyone --signal KILL lock && exit 99 || [[ $? == 75 ]]
		onlyone --status lock
		kill -0 100'
}

@test "nor a process that bears on the host the number of a container's holder" {
	need_container
	sleep 600 3>&- &
	bystander=$!
	mkfifo ready
	in_container 'next_pid_is "$1"; onlyone lock sh -c "echo >ready; exec sleep 600" & wait' "$bystander" 3>&- &
	hear ready
	[[ $(cat lock) == "$bystander" ]]
	run -75 onlyone --signal KILL lock
	kill -0 "$bystander"
	run -0 onlyone --status lock
	[[ $output != *"$bystander"* ]]
}

# Such a keeper is root's own program, under another name, with a pidfd of whom that user likes.
@test "nor a process that another user lets a keeper of his own keep" {
	need_sight
	let_nobody_in
	need cc
	cat >pin.c <<-'END'
		#include <stdlib.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		int main(int argc, char **argv)
		{
			if (argc == 3 && dup((int) syscall(SYS_pidfd_open, atoi(argv[1]), 0)) != -1)
				execl(argv[2], argv[2], (char *) 0);
			return 1;
		}
	END
	cat >stay.c <<-'END'
		#include <fcntl.h>
		#include <unistd.h>
		int main(void)
		{
			close(open("ready", O_WRONLY));
			for (;;)
				pause();
		}
	END
	cc -o pin pin.c
	cc -o stay stay.c
	install -m 4755 stay onlyone-keeper
	install -d -m 1777 open
	mkfifo -m 666 ready
	sleep 600 3>&- &
	victim=$!
	eventually "the victim runs" runs "$victim" sleep
	"${NOBODY[@]}" \
		"$ONLYONE" open/lock ./pin "$victim" ./onlyone-keeper 3>&- &
	keeper=$!
	disown "$keeper"
	timeout "$PATIENCE" cat ready
	[[ $(cat "/proc/$keeper/comm") == onlyone-keeper ]]
	grep -q "^Pid:[[:space:]]*$victim\$" "/proc/$keeper/fdinfo/"*
	run -75 --separate-stderr onlyone --signal KILL open/lock
	[[ $stderr == "onlyone: open/lock: held, and open in PID $keeper (onlyone-keeper): nothing signalled" ]]
	run -0 onlyone --status open/lock
	[[ $output == "held, and open in PID $keeper ("* && $output != *"$victim"* ]]
	run -77 onlyone --pid open/lock
	[[ $output == "onlyone: open/lock: held, and open in PID $keeper ("* ]]
	runs "$victim" sleep
	[[ -e /proc/$keeper/exe ]]
}

# A lock of his own hinders nobody there, and a keeper has a pidfd of the command that it keeps.
@test "nor a process of which somebody has a pidfd who may only read the directory" {
	need_container
	need_sight
	need perl
	mkdir -m 755 data
	sleep 600 3>&- &
	bystander=$!
	eventually "the bystander runs" runs "$bystander" sleep
	mkfifo ready
	in_container 'next_pid_is "$1"; onlyone data sh -c "echo >ready; exec sleep 700" & wait' "$bystander" 3>&- &
	hear ready
	[[ $(cat data/.onlyone) == "$bystander" ]]
	run -0 onlyone --pid data
	container=$output
	[[ $container =~ ^[0-9]+$ && $container != "$bystander" ]]
	reader 0 1 "$bystander" <data
	has_pidfd_of "$READER" "$bystander"
	run -0 onlyone --pid data
	[[ $output == "$container" ]]
	run -0 onlyone --status data
	[[ $output == "held by PID $container ("* && $output != *"PID $bystander"* && $output != *"PID $READER"* ]]
	run -75 onlyone --signal KILL data
	runs "$bystander" sleep
}

@test "nor one of which somebody has a pidfd who may only read the lock file" {
	need_sight
	need perl
	need_attributes
	hold -m 644 lock
	sleep 600 3>&- &
	bystander=$!
	eventually "the bystander runs" runs "$bystander" sleep
	setfattr -x user.onlyone lock
	by_hand "$bystander" lock
	reader "${BEHIND_MARKS[@]}" "$bystander" <lock
	has_pidfd_of "$READER" "$bystander"
	run -0 onlyone --pid lock
	[[ $output == "$HOLDER" ]]
	run -0 onlyone --status lock
	[[ $output == "held by PID $HOLDER ("* && $output != *"PID $bystander"* && $output != *"PID $READER"* ]]
	run -75 onlyone --signal KILL lock
	runs "$bystander" sleep
	release
}

# Who asks by the name with the higher mark sees what he locks behind the lower one.
@test "nor one of which somebody has a pidfd who locks what only another name of the file would" {
	need_sight
	need perl
	need_attributes
	declare -A at=()
	install -m 644 /dev/null one
	ln one two
	for name in one two; do
		hold "$name"
		at[$name]=$(awk -v inode=":$(stat -c %i one)\$" '$2 == "OFDLCK" && $6 ~ inode { print $8 }' /proc/locks)
		release
	done
	low=one high=two
	((at[one] < at[two])) || low=two high=one
	sleep 600 3>&- &
	bystander=$!
	eventually "the bystander runs" runs "$bystander" sleep
	hold "$low"
	setfattr -x user.onlyone "$low"
	by_hand "$bystander" "$low"
	reader $((at[$low] + 1)) 1 "$bystander" <"$low"
	has_pidfd_of "$READER" "$bystander"
	run -75 onlyone --signal KILL "$high"
	run -0 onlyone --status "$high"
	[[ $output == *"PID $HOLDER ("* && $output != *"PID $bystander"* ]]
	runs "$bystander" sleep
	release
}

# As over a socket (unix(7), SCM_RIGHTS): the user's lock, in a daemon of root's.
@test "nor a daemon that has another user's descriptor, whatever he writes into the file" {
	need_sight
	let_nobody_in
	need_attributes
	install -d -o 65534 his
	as_nobody "$ONLYONE" his/lock true
	attribute=$(getfattr --absolute-names --only-values -n user.onlyone his/lock)
	mkfifo ready release
	bash -c 'exec 9<>his/lock
		setpriv --reuid=65534 --regid=65534 --clear-groups "$0" --fd 9 && echo >ready; read -r _ <release' "$ONLYONE" 3>&- &
	daemon=$!
	hear ready
	for attribute in "" "$attribute"; do
		[[ $(cat his/lock) == "$daemon" ]]
		if [[ -n $attribute ]]; then
			setfattr -n user.onlyone -v "$attribute" his/lock
			forge his/lock "$daemon"
		fi
		run -75 --separate-stderr onlyone --signal KILL his/lock
		[[ $stderr == "onlyone: his/lock: held, and open in PID $daemon (bash): nothing signalled" ]]
		run -0 onlyone --status his/lock
		[[ $output == "held, and open in PID $daemon (bash -c "* ]]
	done
	say release
	await "$daemon"
}

@test "another user's process: 77, and a line" {
	need_attributes
	let_nobody_in
	hold lock
	run -77 --separate-stderr as_nobody "$ONLYONE" --signal TERM lock
	[[ $stderr == "onlyone: lock: Permission denied" ]]
	chmod 644 lock
	run -77 --separate-stderr as_nobody "$ONLYONE" --signal TERM lock
	[[ -z $output && $stderr == "onlyone: lock: PID $HOLDER: Operation not permitted" ]]
	release
}

@test "another user's process, for root without CAP_SYS_PTRACE: by the user's own record" {
	need_attributes
	let_nobody_in
	need_no_sight
	install -d -o 65534 his
	mkfifo -m 666 ready
	"${NOBODY[@]}" "$ONLYONE" his/lock sh -c 'echo >ready; exec sleep 600' 3>&- &
	command=$!
	hear ready
	run -0 without_sight "$ONLYONE" --signal TERM -w 120 his/lock
	ended 143 "$command"
}

# -- and then --

@test "-w returns when the lock is free" {
	start lock 'trap "read -r _ <release; exit" TERM; sleep 600 3>&- & child=$!
		trap "kill \$child" EXIT; echo >ready; wait'
	mkfifo release
	"$ONLYONE" --signal TERM -w 120 lock 3>&- &
	signaller=$!
	eventually "--signal waits" eval 'grep -qs "^Pid:[[:space:]]*$COMMAND\$" "/proc/$signaller/fdinfo/"*'
	say release
	await "$signaller"
	run -1 onlyone --status lock
}

@test "-w returns also when the command gives the lock back and lives on" {
	start lock 'trap "sleep 0.5; onlyone -u --fd $ONLYONE_FD" TERM; sleep 600 3>&- {ONLYONE_FD}>&- & echo >ready
		while :; do wait "$!"; done'
	run -0 onlyone --signal TERM -w 120 lock
	run -1 onlyone --status lock
	runs "$COMMAND" bash
}

@test "-w gives up when the command outlasts it: 75, and a line that names it" {
	start lock 'trap "" TERM; echo >ready; exec sleep 600'
	eventually "it runs" runs "$COMMAND" sleep
	run -75 --separate-stderr onlyone --signal TERM -w 0.1 lock
	[[ $stderr == "onlyone: lock: held by PID $COMMAND (sleep)" ]]
	run -9 --separate-stderr onlyone --signal TERM -w 0.1 -E 9 -q lock
	echo "$stderr"
	[[ -z $stderr ]]
	run -0 onlyone --signal KILL -b lock
	run -1 onlyone --status lock
}

@test "-w waits for children that keep the lock, too" {
	need_attributes
	start lock 'sleep 600 3>&- & echo "$!" >child; echo >ready; wait'
	child=$(cat child)
	eventually "the child runs" runs "$child" sleep
	run -75 --separate-stderr onlyone --signal TERM -w 0.2 lock
	[[ $stderr == "onlyone: lock: held by PID $child (sleep): the recorded process $COMMAND has ended" ]]
}

@test "-w waits also for who cannot be seen" {
	need_sight
	let_nobody_in
	install -o 65534 -m 644 /dev/null lock
	# Root's child keeps the lock of a command that has become the user's own.
	start lock 'sleep 600 3>&- & echo "$!" >child; echo >ready
		exec setpriv --reuid=65534 --regid=65534 --clear-groups sleep 600'
	eventually "it runs" runs "$COMMAND" sleep
	child=$(cat child)
	as_nobody "$ONLYONE" --signal TERM -w 120 lock 3>&- &
	signaller=$!
	ended 143 "$COMMAND"
	sleep 0.2 # time to give up in, wrongly
	kill -KILL "$child"
	ended 0 "$signaller"
}

@test "-w waits also for who cannot be seen and holds a file that was removed" {
	need_sight
	let_nobody_in
	install -o 65534 -m 644 /dev/null lock
	start lock 'trap "" TERM; sleep 600 3>&- & echo "$!" >child; echo >ready
		exec setpriv --reuid=65534 --regid=65534 --clear-groups sleep 600'
	eventually "it runs" runs "$COMMAND" sleep
	"${NOBODY[@]}" "$ONLYONE" --signal TERM -w 120 lock 2>said 3>&- &
	signaller=$!
	eventually "--signal waits" waits_for "$signaller" "$COMMAND"
	rm lock
	kill -KILL "$COMMAND"
	run -75 --separate-stderr as_nobody "$ONLYONE" --signal TERM -w 0.1 lock
	[[ $stderr == "onlyone: lock: held by an unknown process: the file that it locked was removed or replaced"* ]]
	kill -KILL "$(cat child)"
	ended 0 "$signaller"
	[[ ! -s said && ! -e lock ]]
}

@test "a running copy is replaced: onlyone --signal TERM -w 10 lock && exec onlyone lock server" {
	start lock 'sleep 600 3>&- & child=$!; trap "sleep 0.1; kill $child; exit 5" TERM; echo >ready; wait'
	mkfifo ready
	sh -c 'onlyone --signal TERM -w 120 lock && exec onlyone lock sh -c "echo >ready; exec sleep 600"' 3>&- &
	server=$!
	hear ready
	ended 5 "$COMMAND"
	[[ $(onlyone --pid lock) == "$server" ]]
}
