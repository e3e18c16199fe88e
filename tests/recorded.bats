#!/usr/bin/env bats
# The recorded process: while it lives without the lock, nobody else starts. And nobody is refused
# on account of a process that just bears its number.
# shellcheck disable=SC2016 # the scripts in single quotes are for other shells

load helper

# -- refused --

@test "a command that has closed the lock is still the only copy: a second one is refused, told why and by whom" {
	desert lock
	run -0 flock -n lock true # nobody holds it
	run -75 --separate-stderr onlyone lock touch ran
	[[ -z $output && ! -e ran ]]
	[[ $stderr == "onlyone: lock: held by PID $HOLDER (bash): it has closed the lock, but runs on; --force starts all the same" ]]
	release
	run -0 onlyone lock true
}

@test "a shared start is refused too" {
	desert lock
	run -75 onlyone -s lock touch ran
	[[ ! -e ran ]]
	release
	run -0 onlyone -s lock true
}

@test "the refusal takes -E and -q like any other" {
	desert lock
	run -9 --separate-stderr onlyone -q -E 9 lock true
	[[ -z $output && -z $stderr ]]
	release
}

@test "being refused does not wear off: the record stays as it was" {
	desert lock
	before=$(cat lock && getfattr --absolute-names --only-values -n user.onlyone lock)
	run -75 onlyone lock true
	run -75 onlyone -w 0.05 lock true
	[[ $(cat lock && getfattr --absolute-names --only-values -n user.onlyone lock) == "$before" ]]
	run -75 onlyone lock true
	release
}

@test "nor does it when a start with --force cannot write its own record" {
	need prlimit
	desert lock
	before=$(cat lock && getfattr --absolute-names --only-values -n user.onlyone lock | cut -d ' ' -f 1,2,4)
	run -74 prlimit --fsize=0 onlyone --force lock touch ran
	[[ ! -e ran ]]
	[[ $(cat lock && getfattr --absolute-names --only-values -n user.onlyone lock | cut -d ' ' -f 1,2,4) == "$before" ]]
	run -75 onlyone lock true
	release
}

@test "nor does it when a start with --force is killed while it writes its own record" {
	need strace
	export ASAN_OPTIONS=detect_leaks=0 # which cannot be under ptrace(2)
	desert lock
	for call in pwrite64 ftruncate fsetxattr; do
		run -137 strace -o trace -e trace=$call -e inject=$call:signal=KILL:when=1 "$ONLYONE" --force lock touch ran
		[[ ! -e ran && $(cat trace) == *$call* ]]
		run -75 --separate-stderr onlyone lock touch ran
		[[ ! -e ran && $stderr == "onlyone: lock: held by PID $HOLDER (bash): it has closed the lock, "* ]]
	done
	release
	run -0 onlyone lock true
}

@test "-w and -b wait for the command that has closed the lock" {
	local wait
	for wait in --wait=120 --block; do
		desert lock
		"$ONLYONE" "$wait" lock touch "ran$wait" 3>&- &
		waiter=$!
		eventually "$wait waits for the recorded process" waits_for "$waiter" "$HOLDER"
		[[ ! -e ran$wait ]]
		release
		await "$waiter"
		[[ -e ran$wait ]]
	done
}

@test "-v says that the command that has closed the lock is waited for, and how long" {
	need_mountinfo
	desert lock
	"$ONLYONE" -v -b lock true 2>said 3>&- &
	waiter=$!
	eventually "it is said" grep -q waiting said
	release
	await "$waiter"
	[[ $(cat said) == "onlyone: lock: waiting: held by PID $HOLDER (bash): it has closed the lock, but runs on"$'\n'"onlyone: lock: waited "*" s" ]]
}

@test "-w gives up when the command that has closed the lock outlasts it" {
	desert lock
	run -75 --separate-stderr onlyone -w 0.1 lock touch ran
	[[ ! -e ran && $stderr == "onlyone: lock: held by PID $HOLDER (bash): it has closed the lock, "* ]]
	release
}

@test "who waits for it holds nothing meanwhile" {
	desert lock
	"$ONLYONE" -b lock true 3>&- &
	waiter=$!
	eventually "the waiter waits" waits_for "$waiter" "$HOLDER"
	run -0 flock -n lock true
	run -0 onlyone --force lock true
	release
	await "$waiter"
}

@test "who waited for it starts over where the file was replaced meanwhile" {
	need flock
	desert lock
	"$ONLYONE" -b lock touch ran 3>&- &
	waiter=$!
	eventually "the waiter waits" waits_for "$waiter" "$HOLDER"
	rm lock
	hold_by flock lock
	release
	eventually "the waiter waits for the new file" waiters lock 1
	[[ ! -e ran ]]
	let_go
	await "$waiter"
	[[ -e ran ]]
}

@test "--force starts beside the command that has closed the lock, and -v says so" {
	need_mountinfo
	desert lock
	run -0 --separate-stderr onlyone --force lock touch ran
	[[ -e ran && -z $stderr ]]
	release
	desert lock
	run -0 --separate-stderr onlyone --force -v lock true
	[[ $stderr == "onlyone: lock: the recorded process still runs, as --force allows" ]]
	release
}

@test "a recorded process that has closed the lock is not taken for who holds it now" {
	need flock
	desert lock
	hold_by flock --no-fork lock
	run -75 --separate-stderr onlyone lock touch ran
	[[ ! -e ran && $stderr == "onlyone: lock: held by PID $OTHER (sh)" ]]
	run -0 onlyone --pid lock
	[[ $output == "$OTHER" ]]
	run -75 onlyone --signal KILL lock
	let_go
	run -75 --separate-stderr onlyone lock touch ran
	[[ ! -e ran && $stderr == "onlyone: lock: held by PID $HOLDER (bash): it has closed the lock, "* ]]
	release
}

@test "--force never overrides a lock that is held" {
	hold lock
	run -75 onlyone --force lock touch ran
	run -75 onlyone --force -w 0.05 lock touch ran
	[[ ! -e ran ]]
	release
}

# As over a socket (unix(7), SCM_RIGHTS), in a daemon that keeps what it is sent.
@test "a reader's lock in the command that has closed its own does not excuse it" {
	need_nobody
	need perl
	install -m 644 /dev/null lock
	exec 9<lock
	desert lock
	run -75 onlyone lock touch ran 9<&-
	reader "${BEHIND_MARKS[@]}" <&9
	exec 9<&-
	kill "$READER"
	eventually "only the command has that lock" gone "$READER"
	grep -q "^lock:.* OFDLCK .* READ " "/proc/$HOLDER/fdinfo/9"
	run -75 --separate-stderr onlyone lock touch ran
	[[ ! -e ran && $stderr == "onlyone: lock: held by PID $HOLDER (bash): it has closed the lock, "* ]]
	release
	run -0 onlyone lock true
}

@test "a command that calls itself what looks like the rest of /proc/PID/stat is no zombie" {
	need_attributes
	mkfifo ready release
	"$ONLYONE" lock bash -c 'printf ") Z 1 1 1 1" >/proc/$$/comm; exec {ONLYONE_FD}>&-; echo >ready; read -r _ <release' 3>&- &
	hear ready
	run -75 --separate-stderr onlyone lock true
	[[ $stderr == "onlyone: lock: held by PID $! () Z 1 1 1 1): it has closed the lock, "* ]]
	say release
}

@test "a command whose first thread has ended lives on in the others" {
	need cc
	need_attributes
	cat >threads.c <<-'END'
		#include <pthread.h>
		#include <stdlib.h>
		#include <unistd.h>
		static void *stay(void *nothing)
		{
			for (;;)
				pause();
			return nothing;
		}
		int main(void)
		{
			pthread_t thread;
			close(atoi(getenv("ONLYONE_FD")));
			if (pthread_create(&thread, NULL, stay, NULL))
				return 1;
			pthread_exit(NULL);
		}
	END
	cc -pthread -o threads threads.c
	"$ONLYONE" lock ./threads 3>&- &
	threads=$!
	eventually "the first thread has ended" in_state Z "$threads"
	run -75 --separate-stderr onlyone lock touch ran
	[[ ! -e ran && $stderr == "onlyone: lock: held by PID $threads (threads): it has closed the lock, "* ]]

	"$ONLYONE" -b lock touch ran 3>&- &
	waiter=$!
	eventually "the waiter waits" waits_for "$waiter" "$threads"
	kill -KILL "$threads"
	await "$waiter"
	[[ -e ran ]]
}

# -- never without need --

@test "a process that inherited the recorded PID is not taken for the command" {
	need_container
	need_attributes
	run -0 in_container '
		next_pid_is 100
		onlyone lock true & wait "$!"
		[[ $(cat lock) == 100 ]]
		sleep 0.02 # the kernel tells a start to a hundredth of a second
		next_pid_is 100
		(printf ") S 1 (" >/proc/100/comm; sleep 600 3>&-) & # /proc/PID/stat is read right, too
		[[ $! == 100 ]]
		eventually "it has that name" grep -q "^)" /proc/100/comm
		onlyone lock true
	'
}

@test "a container's start is not refused on account of the one before it" {
	need_container
	need_attributes
	for _ in 1 2 3; do
		run -0 unshare --pid --fork --mount-proc "$ONLYONE" lock sh -c 'echo $$'
		[[ $output == 1 ]]
		run -0 in_container 'next_pid_is 50; onlyone lock true & wait "$!"; [[ $(cat lock) == 50 ]]'
		run -0 in_container 'next_pid_is 50; sleep 600 3>&- & [[ $! == 50 ]]; onlyone lock true'
	done
}

@test "a container's record says nothing about the process that bears its number on the host" {
	need_container
	need_attributes
	sleep 600 3>&- &
	run -0 in_container 'next_pid_is "$1"; onlyone lock true & wait "$!"' "$!"
	[[ $(cat lock) == "$!" ]]
	run -0 onlyone lock true
}

@test "the host's record says nothing about the process that bears its number in a container" {
	need_container
	need_attributes
	mkfifo go
	sh -c 'read -r _ <go; exec "$0" lock true' "$ONLYONE" 3>&- &
	run -0 in_container '
		next_pid_is "$1"
		sleep 600 3>&- &
		[[ $! == "$1" ]]
		say go
		eventually "it is recorded" grep -qsx "$1" lock
		onlyone -w 120 lock true # but for the moment in which the lock is still held
	' "$!"
}

@test "a PID namespace with its parent's /proc starts like any other" {
	need_unshare --pid --fork --kill-child bash -ec 'next_pid_is 100'
	need_attributes
	sleep 600 3>&- & # /proc shows it under the number that is recorded
	run -0 timeout -k 1 "$PATIENCE" unshare --pid --fork --kill-child bash -ec '
		next_pid_is "$1"
		onlyone lock true & wait "$!"
		[[ $(cat lock) == "$1" ]]
		onlyone lock true
	' container "$!"
}

@test "a record from another time namespace says nothing about the process that bears its number" {
	need_container
	need_unshare --fork --time --boottime=1000000
	need_attributes
	run -0 in_container '
		unshare --fork --time --boottime 1000000 onlyone lock true
		pid=$(cat lock)
		next_pid_is "$pid"
		sleep 600 3>&- &
		[[ $! == "$pid" ]]
		onlyone --signal KILL lock && exit 99 || [[ $? == 1 ]]
		onlyone lock true
		kill "$!"'
}

# The next namespace may get the number of one that has ended, while its holder lives elsewhere.
@test "a holder that has left its mount namespace is none in the next one of that number" {
	mkdir private
	need_unshare --mount mount -t tmpfs none private
	for n in {1..5}; do
		unshare --mount bash -ec 'mount -t tmpfs none private; cd private
			exec onlyone lock unshare --mount sh -c "cd /; echo >$0; exec sleep 600"' "$PWD/left$n" 3>&- &
		holders+=("$!")
		eventually "the holder has left" test -e "left$n"
		run -0 unshare --mount bash -ec 'mount -t tmpfs none private; exec onlyone private/lock true'
	done
	kill "${holders[@]}"
}

@test "where it cannot be seen who bears the recorded PID now, the refusal says so, and --force starts" {
	need_container
	let_nobody_in
	need_attributes
	run -0 unshare --mount --pid --fork --kill-child bash -ec '
		mount -t proc -o hidepid=2 proc /proc
		install -d -o 65534 his
		cd his
		next_pid_is 100
		setpriv --reuid=65534 --regid=65534 --clear-groups onlyone lock true & wait "$!"
		[[ $(cat lock) == 100 ]]
		next_pid_is 100
		sleep 600 3>&- & # which is root'"'"'s
		[[ $! == 100 ]]
		status=0
		as_nobody onlyone lock touch ran || status=$?
		echo "$status"
		as_nobody onlyone --status lock
		as_nobody onlyone --force lock true
		[[ ! -e ran ]]' 2>&1
	[[ ${lines[0]} == "onlyone: lock: held by PID 100, if that is the recorded process still: it is hidden from here; --force starts all the same" ]]
	[[ ${lines[1]} == 75 ]]
	[[ ${lines[2]} == "held by PID 100, if that is the recorded process still: it is hidden from here" ]]
}

@test "a record from another boot is not believed" {
	echo 11111111-2222-3333-4444-555555555555 >boot_id
	need_unshare --mount mount --bind boot_id /proc/sys/kernel/random/boot_id
	desert lock
	run -75 onlyone lock true
	run -0 unshare --mount bash -ec 'mount --bind boot_id /proc/sys/kernel/random/boot_id; exec onlyone lock true'
	release
}

@test "a record of another scope, of another start or of another place is not believed" {
	desert lock
	run -75 onlyone lock true
	attribute=$(getfattr --only-values -n user.onlyone lock)
	[[ $attribute =~ ^$(printf %x "$HOLDER")(" "[0-9a-f]+){5}$ ]]
	read -r pid start locked written scope mark <<<"$attribute"

	for bad in "$pid $start $locked $written $(printf %x $((0x$scope ^ 2))) $mark" \
		"$pid $(printf %x $((0x$start - 1))) $locked $written $scope $mark" \
		"$pid $(printf %x $((0x$start + 1))) $locked $written $scope $mark" \
		"$pid $start $locked $written $scope $(printf %x $((0x$mark ^ 1 << 31 ^ 1 << 1)))"; do
		setfattr -n user.onlyone -v "$bad" lock
		run -0 onlyone lock true
	done

	# And whole it counts again, or with half of its place: nothing but the change let them pass.
	for good in "$attribute" "${attribute% *} $(printf %x $((0x$mark ^ 1 << 31)))" \
		"${attribute% *} $(printf %x $((0x$mark ^ 1 << 1)))"; do
		setfattr -n user.onlyone -v "$good" lock
		run -75 onlyone lock true
	done
	release
}

@test "the attribute decides which process it is, the content is for people" {
	desert lock
	for content in $$ 1 4194304; do
		by_hand "$content" lock
		run -75 --separate-stderr onlyone lock touch ran
		[[ ! -e ran && $stderr == "onlyone: lock: held by PID $HOLDER (bash): it has closed the lock, "* ]]
	done
	: >lock
	run -75 onlyone lock touch ran
	[[ ! -e ran ]]
	release
	run -0 onlyone lock true
}

@test "an attribute that is no incarnation is not believed" {
	desert lock
	attribute=$(getfattr --only-values -n user.onlyone lock)
	for bad in "" " " "${attribute%% *}" "$attribute " "$attribute 1" " $attribute" "+$attribute" \
		"${attribute^^}" "${attribute// /  }" "0 ${attribute#* }" "400001 ${attribute#* }" \
		"${attribute/ / -}" "${attribute/ / 99999999999999999999}" "${attribute% *}" "${attribute% *} -1" \
		"$(printf '%0300d' 0)"; do
		by_hand "$HOLDER" lock
		setfattr -n user.onlyone -v "$bad" lock
		run -0 onlyone lock true
	done
	release
}

@test "a copy of the lock file elsewhere does not stand for the command" {
	desert lock
	cp -a lock copy
	[[ $(getfattr --only-values -n user.onlyone copy) == "$(getfattr --only-values -n user.onlyone lock)" ]]
	run -0 onlyone copy true
	run -75 onlyone lock true
	release
}

@test "a copy that replaces the lock file does not hide the command either" {
	desert lock
	cp -a lock copy
	mv copy lock
	run -75 --separate-stderr onlyone lock touch ran
	[[ ! -e ran && $stderr == "onlyone: lock: held by PID $HOLDER (bash): it has closed the lock, "* ]]
	release
}

@test "a zombie does not count as living" {
	need_attributes
	sh -c '"$0" lock true & exec sleep 600' "$ONLYONE" 3>&- & # sleep reaps nobody
	eventually "the command is a zombie" eval 'in_state Z "$(cat lock)" 2>/dev/null'
	run -0 timeout -k 1 "$PATIENCE" onlyone lock true # before sleep ends, and the zombie with it
}

# As in a sandbox that forbids it.
@test "a recorded process that has ended is known to have where kill(2) is refused" {
	need strace
	need_attributes
	for wait in --wait=0 --block; do
		onlyone lock true
		ASAN_OPTIONS=detect_leaks=0 run -0 --separate-stderr timeout -k 1 "$PATIENCE" \
			strace -f -o trace -e trace=kill -e inject=kill:error=EPERM "$ONLYONE" "$wait" lock touch "ran$wait"
		[[ -e ran$wait && -z $stderr ]]
	done
}

@test "the recorded process may lock again what it has closed" {
	need_attributes
	run -0 onlyone lock bash -c 'exec {ONLYONE_FD}>&-; exec onlyone lock sh -c "echo \$\$; cat lock"'
	[[ ${lines[0]} == "${lines[1]}" ]]
}

@test "the recorded process may lock again what it has closed, with --fd for itself" {
	need_attributes
	run -0 onlyone lock bash -ec 'exec {ONLYONE_FD}>&-; exec 9>>lock; onlyone --fd 9; echo $$; cat lock'
	[[ ${lines[0]} == "${lines[1]}" ]]
}

@test "a shell that locked its own descriptor may close it" {
	mkfifo ready release
	bash -c 'exec 9>>lock; onlyone --fd 9; exec 9>&-; echo >ready; read -r _ <release' 3>&- &
	hear ready
	[[ $(cat lock) == "$!" ]]
	run -0 onlyone lock true
	say release
}

@test "a command that the lock's record outlives is gone: killed, failed or never there" {
	run -137 onlyone lock sh -c 'kill -KILL $$'
	run -127 onlyone lock ./nothing
	run -3 onlyone lock sh -c 'exit 3'
	run -0 onlyone lock true
}

@test "where pidfd_open(2) is forbidden a start beside the recorded process is refused all the same" {
	need strace
	desert lock
	local error
	for error in EPERM EACCES ENOSYS; do
		run -75 strace -qqq -o /dev/null -e inject=pidfd_open:error=$error onlyone lock touch ran
		run -75 strace -qqq -o /dev/null -e inject=pidfd_open:error=$error onlyone -w 0.2 lock touch ran
	done
	[[ ! -e ran ]]
	release
}

@test "without user attributes a start goes on as before, and -v says what is missing" {
	mkdir bare
	need_unshare --mount mount -t ramfs none bare
	run -0 --separate-stderr unshare --mount bash -ec '
		mount -t ramfs none bare
		cd bare
		onlyone lock bash -c "exec {ONLYONE_FD}>&-; exec sleep 600" 3>&- &
		eventually "the command runs" runs "$!" sleep
		[[ $(cat lock) == $! ]]
		onlyone lock true
		onlyone -v lock true
		kill "$!"
	'
	[[ $stderr == "onlyone: lock: no user attributes here: a command that closes its descriptors is guarded only with --close" ]]
}

# As on tmpfs before Linux 6.6: the first of the two attributes is refused.
without_user_attributes() {
	need strace
	need_attributes
	local call faults=()
	for call in fgetxattr fsetxattr fremovexattr; do
		faults+=(-e "inject=$call:error=EOPNOTSUPP:when=1")
	done
	mkdir old
	printf '%s\n' '#!/bin/sh' "exec strace -D -b execve -qq -o old/trace ${faults[*]} '$ONLYONE' \"\$@\"" >old/onlyone
	chmod +x old/onlyone
	ONLYONE=$PWD/old/onlyone
	PATH=$PWD/old:$PATH
}

need_trusted_attributes() {
	need setfattr
	: >probe
	setfattr -n trusted.probe -v 1 probe 2>/dev/null ||
		missing trusted "no trusted attributes in $PWD" "CAP_SYS_ADMIN, and a TMPDIR with attributes"
}

@test "where only root has attributes, root's starts are guarded by those" {
	need_mountinfo
	need_trusted_attributes
	without_user_attributes
	desert lock
	run -0 getfattr -d -m - lock
	[[ $output == *'trusted.onlyone="'"$(printf %x "$HOLDER") "* && $output != *user.onlyone* ]]
	run -75 --separate-stderr onlyone lock touch ran
	[[ ! -e ran && $stderr == "onlyone: lock: held by PID $HOLDER (bash): it has closed the lock, "* ]]
	release
	run -0 --separate-stderr onlyone -v lock true
	[[ -z $stderr ]]
	run -0 bash -c 'exec 9>>lock; onlyone --fd 9; onlyone -u --fd 9'
	[[ -z $(getfattr -d -m - lock) ]]
}

@test "where only root has attributes, another user's start goes on without" {
	need_mountinfo
	let_nobody_in
	chmod 777 .
	without_user_attributes
	chmod 777 old
	run -0 --separate-stderr as_nobody "$ONLYONE" -v lock true
	[[ $stderr == "onlyone: lock: no user attributes here: "* && -z $(getfattr -d -m - lock) ]]
}

@test "with user attributes -v has nothing to say about them" {
	need_mountinfo
	need_attributes
	run -0 --separate-stderr onlyone -v lock true
	[[ -z $stderr ]]
}

# -- version 1.0.0 --

# old_record LOCK PID TIME: as 1.0.0 wrote it, at TIME (CLOCK_BOOTTIME in nanoseconds).
old_record() {
	local booted
	booted=$(awk -v now="$EPOCHREALTIME" '{ printf "%.0f", (now - $1) * 1000 }' /proc/uptime)
	printf '%s\n' "$2" >"$1"
	setfattr -n user.onlyone -v "$2 $3 $((booted + $3 / 1000000)) 123456789" "$1"
}

uptime_ns() {
	awk '{ printf "%.0f", $1 * 1e9 }' /proc/uptime
}

@test "a record of version 1.0.0 guards its process, and no later one" {
	desert lock
	began=$(uptime_ns)
	old_record lock "$HOLDER" $((began + 10000000))
	run -75 --separate-stderr onlyone lock touch ran
	[[ ! -e ran && $stderr == "onlyone: lock: held by PID $HOLDER (bash): it has closed the lock, "* ]]
	old_record lock "$HOLDER" 1000000000 # of a process that began a second after the boot
	run -0 onlyone lock true
	old_record lock "$HOLDER" $((began + 10000000))
	release
	run -0 onlyone lock true
	run -0 getfattr --only-values -n user.onlyone lock
	[[ $output =~ ^[0-9a-f]+(\ [0-9a-f]+){5}$ ]]
}

@test "a lock file of version 1.0.0 without an attribute is refused until it is emptied" {
	echo 4711 >lock
	run -65 --separate-stderr onlyone lock touch ran
	[[ ! -e ran && $stderr == *"empty it if it is an old PID file"* && $(cat lock) == 4711 ]]
	: >lock
	run -0 onlyone lock true
}
