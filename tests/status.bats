#!/usr/bin/env bats
# --status and --pid: who holds it, the truth from the lock, and nothing changed by asking.
# shellcheck disable=SC2016 # the scripts in single quotes are for other shells

load helper

# start LOCK SCRIPT [ARG...]: onlyone runs the bash script, which says that it is ready by `echo
# >ready` and stays by `read -r _ <release`. $COMMAND is its PID, unless AS says who else runs it.
AS=()
start() {
	local lock=$1 script=$2
	shift 2
	rm -f ready release
	mkfifo -m 666 ready release
	"${AS[@]}" "$ONLYONE" "$lock" bash -ec "$script" "$@" 3>&- &
	COMMAND=$!
	hear ready || fail "no holder: $lock"
}

# What --status says of a single holder, without the time.
is_held_by() {
	run -0 onlyone --status "$1"
	[[ ${#lines[@]} == 1 && $output =~ ^"held by PID $2 ($3) for "[0-9]+" s"$ ]]
}

# -- free and held --

@test "a lock that nobody holds is free" {
	onlyone lock true
	run -1 --separate-stderr onlyone --status lock
	[[ $output == free && -z $stderr ]]
	run -1 --separate-stderr onlyone --pid lock
	[[ -z $output && -z $stderr ]]
}

@test "a lock file that does not exist is free, and is not made" {
	run -1 --separate-stderr onlyone --status lock
	[[ $output == free && -z $stderr ]]
	run -1 onlyone --pid lock
	run -1 onlyone --status nowhere/lock
	[[ $output == free ]]
	[[ ! -e lock && ! -e nowhere ]]
}

# bats test_tags=native
@test "a held lock: the PID, the command line and since when" {
	hold lock
	run -0 --separate-stderr onlyone --status lock
	[[ ${#lines[@]} == 1 && -z $stderr ]]
	[[ $output =~ ^"held by PID $HOLDER (sh -c echo >\"\$0/ready\"; ".*") for "[0-9]+" s"$ ]]
	run -0 --separate-stderr onlyone --pid lock
	[[ $output == "$HOLDER" && -z $stderr ]]
	release
	run -1 onlyone --status lock
}

@test "a PID for scripts: kill -HUP \"\$(onlyone --pid lock)\"" {
	start lock 'trap "echo HUP >got" HUP; echo >ready; read -r _ <release || :'
	kill -HUP "$(onlyone --pid lock)"
	eventually "the signal arrives" test -s got
}

@test "a lock that was freed by kill -KILL is free, whatever its record says" {
	hold lock
	kill -KILL "$HOLDER"
	ended 137 "$HOLDER"
	run -1 onlyone --status lock
	[[ $output == free && $(cat lock) == "$HOLDER" ]]
}

# bats test_tags=native
@test "the time is told in the two units that matter" {
	need_unshare --fork --time --boottime=1000000
	need_attributes
	# Where the system is long enough up for each of these times.
	run -0 unshare --fork --time --boottime 1000000 bash -ec '
		onlyone lock sleep 600 3>&- >/dev/null 2>&1 &
		eventually "the command runs" runs "$!" sleep
		read -r pid start locked rest <<<"$(getfattr --only-values -n user.onlyone lock)"
		for ago in 150 11520 180000 -1000; do
			setfattr -n user.onlyone -v "$pid $start $(printf %x $((0x$locked - ago * 1000))) $rest" lock
			onlyone --status lock
		done
		kill "$!"'
	[[ ${lines[0]} =~ " (sleep 600) for 2 min "3[0-9]" s"$ ]]
	[[ ${lines[1]} == *" (sleep 600) for 3 h 12 min" ]]
	[[ ${lines[2]} == *" (sleep 600) for 2 d 2 h" ]]
	[[ ${lines[3]} == *" (sleep 600)" ]] # from the future: since when is not said
}

# -- who --

@test "survivors are named, all of them, and that the recorded process has ended" {
	need_attributes
	run -0 onlyone lock sh -c 'echo $$; for _ in 1 2; do sleep 600 3>&- >/dev/null 2>&1 & echo $!; done'
	recorded=${lines[0]}
	read -r one two < <(printf '%s\n' "${lines[1]}" "${lines[2]}" | sort -n | xargs)
	eventually "they run" runs "$one" sleep
	eventually "they run" runs "$two" sleep
	run -0 onlyone --status lock
	[[ $output == "held by PID $one (sleep 600), PID $two (sleep 600): the recorded process $recorded has ended" ]]
	run -0 onlyone --pid lock
	[[ $output == "$one"$'\n'"$two" ]]
	kill "$one"
	eventually "one is left" is_single "$two" "$recorded"
}

@test "the time of a holder that is not the recorded one is its own" {
	need_attributes
	need flock
	onlyone lock true
	read -r recorded start _ rest <<<"$(getfattr --only-values -n user.onlyone lock)"
	setfattr -n user.onlyone -v "$recorded $start 1 $rest" lock # right after the boot
	recorded=$((16#$recorded))
	flock --no-fork lock sleep 600 3>&- &
	eventually "flock holds it" held lock
	eventually "it runs" runs "$!" sleep
	run -0 onlyone --status lock
	[[ $output =~ ^"held by PID $! (sleep 600) for "[0-9]" s: the recorded process $recorded has ended"$ ]]
}

is_single() {
	[[ $(onlyone --status lock) =~ ^"held by PID $1 (sleep 600) for "[0-9]+" s: the recorded process $2 has ended"$ ]]
}

@test "shared holders are named, all of them" {
	hold -s lock
	one=$HOLDER
	hold -s lock
	read -r low high < <(printf '%s\n' "$one" "$HOLDER" | sort -n | xargs)
	run -0 onlyone --status lock
	[[ $output == "held by PID $low (sh -c "*"), PID $high (sh -c "*")" ]]
	run -0 onlyone --pid lock
	[[ $output == "$low"$'\n'"$high" ]]
	release
	run -0 onlyone --pid lock
	[[ $output == "$one" ]]
}

@test "a shared holder that asks is named, and what it asks with is not" {
	run -0 onlyone -s lock sh -c 'onlyone --pid lock; echo $$'
	[[ ${#lines[@]} == 2 && ${lines[0]} == "${lines[1]}" ]]
	run -0 onlyone -s lock sh -c 'onlyone --status lock; echo $$'
	[[ ${#lines[@]} == 2 && ${lines[0]} == "held by PID ${lines[1]} (sh -c "* ]]
}

# bats test_tags=native
@test "who has the lock both by itself and by a keeper is named once, and the keeper where no record tells whose it is" {
	rm -f ready release
	mkfifo ready release
	"$ONLYONE" -o -s lock "$ONLYONE" -s lock sh -c 'echo >ready; read -r _ <release' 3>&- &
	command=$!
	hear ready
	run -0 onlyone --pid lock
	[[ $output == "$(printf '%s\n' "$command" "$(keepers)" | sort -n)" ]]
	say release
	await "$command"
}

# bats test_tags=native
@test "with -o the command is named, not the keeper" {
	hold -o lock
	run -0 onlyone --status lock
	[[ $output == "held by PID $HOLDER (sh -c "* ]]
	run -0 onlyone --pid lock
	[[ $output == "$HOLDER" ]]
	release
	hold -o -s lock # of which there is no record
	keeper=$(keepers)
	run -0 onlyone --status lock
	[[ $output =~ ^"held by PID $keeper ("[^,]*")" ]]
	run -0 onlyone --pid lock
	[[ $output == "$keeper" ]]
	release
}

# bats test_tags=native
@test "a command that has closed the lock is named, and that it has" {
	need_attributes
	start lock 'exec {ONLYONE_FD}>&-; echo >ready; read -r _ <release'
	run -0 onlyone --status lock
	[[ $output =~ ^"held by PID $COMMAND (bash -ec ".*") for "[0-9]+" s: it has closed the lock, but runs on"$ ]]
	run -0 onlyone --pid lock
	[[ $output == "$COMMAND" ]]
	say release
	await "$COMMAND"
	run -1 onlyone --status lock
}

@test "a shell that locked its own descriptor is named" {
	rm -f ready release
	mkfifo ready release
	bash -c 'onlyone --fd 9; echo >ready; read -r _ <release' 9>>lock 3>&- &
	shell=$!
	hear ready
	run -0 onlyone --status lock
	[[ $output == "held by PID $shell (bash -c "* ]]
	say release
}

@test "flock(1)'s holders are named" {
	flock lock sleep 600 3>&- &
	locker=$!
	eventually "flock holds it" held lock
	run -0 onlyone --status lock
	[[ $output == "held by PID $locker (flock lock sleep 600), PID "*")" ]]
	run -0 onlyone --pid lock
	[[ ${lines[0]} == "$locker" && ${#lines[@]} == 2 ]]
	[[ ! -s lock ]]
}

held() {
	onlyone --status "$1" >/dev/null
}

@test "other programs' holders are named" {
	need s6-setlock lckdo setlock chpst
	for program in s6-setlock lckdo setlock "chpst -L"; do
		# shellcheck disable=SC2086 # a program and its option
		$program "lock$program" sleep 600 3>&- &
		eventually "$program holds it" held "lock$program"
		run -0 onlyone --pid "lock$program"
		[[ $output == "$!"* ]]
		run -0 onlyone --status "lock$program"
		[[ $output == "held by PID $! ("* ]]
	done
}

@test "a PID that was written into the file by hand is not believed" {
	hold lock
	by_hand $$ lock
	run -0 onlyone --pid lock
	[[ $output == "$HOLDER" ]]
	release
	by_hand $$ lock
	run -1 onlyone --pid lock
	[[ -z $output ]]
	rm lock
	by_hand $$ lock
	run -1 onlyone --pid lock
	[[ -z $output ]]
}

@test "a process that inherited the recorded PID is not named" {
	need_attributes
	need_container
	run -0 unshare --pid --fork --kill-child --mount-proc bash -ec '
		next_pid_is 100
		onlyone lock sh -c "sleep 600 3>&- >/dev/null 2>&1 & echo \$! >child" & wait "$!"
		[[ $(cat lock) == 100 ]]
		sleep 0.02 # the kernel tells a start to a hundredth of a second
		next_pid_is 100
		sleep 700 3>&- &
		[[ $! == 100 ]]
		[[ $(onlyone --pid lock) == $(cat child) ]]
		[[ $(onlyone --status lock) == "held by PID $(cat child) (sleep 600) for "*": the recorded process 100 has ended" ]]
		kill "$(cat child)"
		is_free() {
			onlyone --pid lock >pid || return 0
			[[ $(cat pid) != *100* ]] || exit
			return 1
		}
		eventually "the lock is free" is_free
		[[ ! -s pid ]]
	'
}

# -- what may not be seen --

# bats test_tags=native
@test "another user's question: by the record, if the file may be read; else a clear line" {
	need_attributes
	let_nobody_in
	hold lock
	run -77 --separate-stderr as_nobody "$ONLYONE" --status lock
	[[ -z $output && $stderr == "onlyone: lock: Permission denied" ]]
	run -77 --separate-stderr as_nobody "$ONLYONE" --pid lock
	[[ -z $output && $stderr == "onlyone: lock: Permission denied" ]]
	chmod 644 lock
	run -0 as_nobody "$ONLYONE" --status lock
	[[ $output == "held by PID $HOLDER (sh -c "* ]]
	run -0 as_nobody "$ONLYONE" --pid lock
	[[ $output == "$HOLDER" ]]
	release
}

@test "a holder that cannot be seen is held all the same" {
	let_nobody_in
	hold -s -m 644 lock # of which there is no record
	run -0 --separate-stderr as_nobody "$ONLYONE" --status lock
	[[ $output == "held, by a process that cannot be seen from here" && -z $stderr ]]
	run -77 --separate-stderr as_nobody "$ONLYONE" --pid lock
	[[ -z $output && $stderr == "onlyone: lock: held, by a process that cannot be seen from here" ]]
	run -0 onlyone --pid lock
	[[ $output == "$HOLDER" ]]
	release
}

# bats test_tags=native
@test "with other users' processes hidden: the record's PID, or that nobody can be seen" {
	need_attributes
	need_unshare --mount --pid --fork --kill-child bash -ec 'mount -t proc -o hidepid=2 proc /proc; next_pid_is 50'
	let_nobody_in
	run -0 unshare --mount --pid --fork --kill-child bash -ec '
		mount -t proc -o hidepid=2 proc /proc
		mkfifo ready
		next_pid_is 50
		onlyone -m 644 recorded sh -c "echo >ready; exec sleep 600" 3>&- &
		hear ready
		onlyone -s -m 644 shared sh -c "echo >ready; exec sleep 600" 3>&- &
		hear ready
		for lock in recorded shared; do
			as_nobody onlyone --status "$lock"
		done'
	[[ ${lines[0]} == "held by PID 50, if that is the recorded process still: it is hidden from here" ]]
	[[ ${lines[1]} == "held, by a process that cannot be seen from here" ]]
}

@test "a recorded process that may not be looked at is not said to have ended" {
	need_unshare --mount --pid --fork --kill-child mount -t proc -o hidepid=1 proc /proc
	let_nobody_in
	need flock
	run -0 unshare --mount --pid --fork --kill-child bash -ec '
		mount -t proc -o hidepid=1 proc /proc
		mkfifo ready
		printf "%s\n\n" $$ >lock
		chmod 644 lock
		setpriv --reuid=65534 --regid=65534 --clear-groups \
			flock -s --no-fork lock sh -c "echo >&8; exec sleep 600 8>&-" 8>ready 3>&- >/dev/null 2>&1 &
		hear ready
		as_nobody onlyone --status lock
		kill "$!"' # so that bash stays the first process
	[[ $output =~ ^"held by PID "[0-9]+" ("[^:]*") for "[0-9]+" s"$ ]]
}

@test "a container cannot see the host's holder, but that there is one" {
	need_unshare --pid --fork --mount-proc
	hold lock
	run -0 unshare --pid --fork --mount-proc "$ONLYONE" --status lock
	[[ $output == "held, by a process that cannot be seen from here" ]]
	run -77 unshare --pid --fork --mount-proc "$ONLYONE" --pid lock
	release
}

# bats test_tags=native
@test "a PID namespace with its parent's /proc names nobody by the numbers in there" {
	need_unshare --pid --fork --kill-child bash -ec 'next_pid_is 100'
	sleep 600 3>&- &
	run -0 unshare --pid --fork --kill-child bash -ec '
		next_pid_is "$1"
		onlyone lock sleep 700 3>&- &
		[[ $! == "$1" ]]
		eventually "it is recorded" test -s lock
		onlyone --status lock
		onlyone --pid lock 2>/dev/null || echo "$?"' container "$!"
	[[ $output == "held, by a process that cannot be seen from here"$'\n77' ]]
}

# bats test_tags=native
@test "nor by one that stands in the file, and is right in there" {
	need_unshare --pid --fork --kill-child
	hold -s lock
	by_hand "$HOLDER" lock
	run -0 onlyone --pid lock
	[[ $output == "$HOLDER" ]]
	run -77 unshare --pid --fork --kill-child "$ONLYONE" --pid lock
	release
}

# bats test_tags=native
@test "nor does it name who holds a file that was removed" {
	need_unshare --pid --fork --kill-child
	run -0 unshare --pid --fork --kill-child bash -ec '
		mkfifo ready
		onlyone lock sh -c "echo >ready; exec sleep 700" 3>&- &
		hear ready
		rm lock
		onlyone --status lock
		onlyone --pid lock 2>/dev/null || echo "$?"'
	[[ $output == "held, by a process that cannot be seen from here: the file that it locked was removed or replaced (inode "*$')\n77' ]]
}

@test "the host names a container's holder by the host's number" {
	need_container
	sh -c : &
	await "$!" # so there is no process of this number
	unshare --pid --fork --kill-child --mount-proc bash -ec 'next_pid_is "$1"; onlyone lock sleep 600 & wait' container "$!" 3>&- &
	eventually "the container's command is recorded" test -s lock
	run -0 onlyone --pid lock
	[[ ${#lines[@]} == 1 ]]
	read -r _ outer inner < <(grep NSpid "/proc/$output/status")
	[[ $outer == "$output" && $inner == "$(cat lock)" ]]
	eventually "it runs" runs "$outer" sleep
	run -0 onlyone --status lock
	# Nothing is said about a recorded process: it is not known from here.
	[[ $output =~ ^"held by PID $outer (sleep 600) for "[0-9]+" s"$ ]]
}

# -- what is said cannot do harm --

# bats test_tags=native
@test "what could play with a terminal is shown as question marks" {
	start lock 'echo >ready; exec -a "$(printf "evil\033[31m\r\nfree\177\302\233")" sleep 600'
	eventually "it runs" runs "$COMMAND" sleep
	is_held_by lock "$COMMAND" 'evil?[31m??free??? 600'
}

# bats test_tags=native
@test "so is what could in the name of the lock" {
	hold $'a\e[31m\n\x7fb'
	[[ -e $'a\e[31m\n\x7fb' ]]
	run -75 --separate-stderr onlyone $'a\e[31m\n\x7fb' true
	[[ $stderr == "onlyone: a?[31m??b: held by PID $HOLDER (sh)" ]]
	run -75 --separate-stderr onlyone --signal 0 -w 0.01 $'a\e[31m\n\x7fb'
	[[ $stderr == "onlyone: a?[31m??b: held by PID $HOLDER (sh)" ]]
	release
	mkdir $'d\e'
	echo precious >$'d\e/.onlyone'
	run -65 --separate-stderr onlyone $'d\e' true
	[[ $stderr == "onlyone: d?/.onlyone: "* ]]
	run -73 --separate-stderr onlyone $'missing\r/lock' true
	[[ $stderr == "onlyone: missing?/lock: "* ]]
}

# bats test_tags=native
@test "a name that looks like the rest of /proc/PID/stat is just a name" {
	start lock 'printf "a) Z 0 \033[1m" >/proc/$$/comm; echo >ready; read -r _ <release'
	run -75 --separate-stderr onlyone lock true
	[[ $stderr == "onlyone: lock: held by PID $COMMAND (a) Z 0 ?[1m)" ]]
	run -0 onlyone --pid lock
	[[ $output == "$COMMAND" ]]
	say release
}

@test "a command that has written its title over its arguments is shown by that" {
	need perl
	mkfifo ready
	"$ONLYONE" lock perl -e '$0 = "worker: busy"; open my $f, ">", "ready"; print $f "\n"; close $f; sleep 600' \
		one two three 3>&- &
	hear ready
	run -0 onlyone --status lock
	[[ $output == "held by PID $! (worker: busy) for "* ]]
}

@test "a long command line is cut" {
	start lock 'echo >ready; exec -a "$(printf "%0500d" 0)" sleep 600'
	eventually "it runs" runs "$COMMAND" sleep
	run -0 onlyone --status lock
	[[ $output =~ ^"held by PID $COMMAND ("0{100,200}") for " ]]
}

# -- what others have open --

# bats test_tags=native
@test "what a reader locks behind every mark is nobody's lock: it hides neither that it is free nor who holds it" {
	need_nobody
	need perl
	hold -o -m 644 lock
	for n in 1 2; do
		reader "${BEHIND_MARKS[@]}" <lock
		run -0 onlyone --pid lock
		[[ $output == "$HOLDER" ]]
		run -0 onlyone --status lock
		[[ $output == "held by PID $HOLDER (sh -c "* && $output != *"PID $READER"* ]]
		run -0 timeout -k 1 "$PATIENCE" onlyone --signal TERM -b lock
		ended 143 "$HOLDER"
		run -1 onlyone --status lock
		[[ $output == free ]]
		run -1 onlyone --pid lock
		run -0 onlyone lock true
		kill "$READER"
		((n == 2)) || hold lock
	done
}

# -- asking changes nothing --

# bats test_tags=native
@test "nothing is written, and no time stamp moves" {
	need_attributes
	look() {
		stat -c '%n %i %s %a %.9Y %.9Z' . lock
		cat lock
		getfattr --absolute-names --only-values -n user.onlyone lock
	}
	hold lock
	before=$(look)
	run -0 onlyone --status lock
	run -0 onlyone --pid lock
	run -0 onlyone --signal 0 lock
	[[ $(look) == "$before" ]]
	release
	run -1 onlyone --status lock
	run -1 onlyone --pid lock
	run -1 onlyone --signal 0 lock
	[[ $(look) == "$before" ]]
}

@test "a start is never refused because of a question" {
	ask() {
		while [[ ! -e enough ]]; do
			"$ONLYONE" --status lock && echo yes || echo "no: $?"
		done >>answers 3>&-
	}
	touch lock
	ask &
	for _ in {1..50}; do
		onlyone lock true
	done
	eventually "two questions are answered" eval '(($(grep -c -e yes -e no answers) >= 2))'
	touch enough
	await
	run -1 grep -vx -e free -e 'held .*' -e yes -e 'no: 1' answers
}

@test "where the holder of a removed file cannot be seen it is not looked for again and again, if that takes long" {
	need strace
	need_unshare --pid --fork --kill-child --mount-proc
	hold lock
	rm lock
	run -0 unshare --pid --fork --kill-child --mount-proc \
		strace -o trace -e trace=openat,open,getdents64 -e inject=getdents64:delay_enter=100000 "$ONLYONE" --status lock
	[[ $output == "held, by a process that cannot be seen from here: the file that it locked was removed or replaced (inode "*")" ]]
	(($(grep -c '"/proc", ' trace) <= 2))
	release
}

@test "what is no lock file is refused as at a start, and left alone" {
	echo 'port = 80, host = example' >foreign
	mkfifo fifo
	ln -s lock link
	for lock in foreign fifo link; do
		run -65 --separate-stderr onlyone --status "$lock"
		[[ -z $output && $stderr == "onlyone: $lock: "* ]]
	done
	[[ $(cat foreign) == 'port = 80, host = example' && ! -e lock ]]
}

# -- planted files --

# For scripts: the record of the lock that the caller holds becomes that of PID $1, and right so.
plant() {
	forge "$ONLYONE_LOCK" "$1"
	dd of="$ONLYONE_LOCK" conv=nocreat status=none <<<"$1"$'\n'
}
export -f forge plant

# not_named LOCK BYSTANDER: root is neither told that it holds LOCK, nor made to signal it.
not_named() {
	local lock=$1 bystander=$2 liar said
	liar=$(strays_of 65534 bash)
	[[ $(cat "$lock") == "$bystander" ]]
	# Who has it open is the holder where the file is his, and else may have been handed it.
	said="held by PID $liar"
	[[ $(stat -c %u "$lock") == 65534 ]] || said="held, and open in PID $liar"
	[[ $(onlyone --status "$lock") == "$said (bash "* ]]
	[[ $(onlyone --pid "$lock" 2>pid_said) == "$liar" || $(cat pid_said) == "onlyone: $lock: $said (bash "* ]]
	run -75 onlyone --signal KILL "$lock"
	[[ $(onlyone "$lock" true 2>&1) == "onlyone: $lock: $said (bash)" ]]
	runs "$bystander" sleep
}

# bats test_tags=native
@test "a lock file planted by another user, who holds it, makes nobody else its holder" {
	need_sight
	let_nobody_in
	need_attributes
	install -d -m 1777 shared
	sleep 600 3>&- &
	bystander=$!
	eventually "the bystander runs" runs "$bystander" sleep
	AS=(as_nobody)
	start shared/lock 'plant "$1"; echo >ready; read -r _ <release' planted "$bystander"
	not_named shared/lock "$bystander"
	# Who trusts that user, which is that user, would have believed it.
	[[ $(as_nobody "$ONLYONE" --pid shared/lock) == "$bystander" ]]
	say release
	await "$COMMAND"
	# The owner could hold the lock as well: so root is refused, and still told no name.
	run -0 onlyone --status shared/lock
	[[ $output == "held by a process that another user has recorded: it runs on" ]]
	run -77 onlyone --pid shared/lock
	run -75 onlyone --signal KILL shared/lock
	run -75 onlyone shared/lock touch ran
	[[ ! -e ran && $output != *"$bystander"* ]]
	runs "$bystander" sleep
}

# bats test_tags=native
@test "nor does a file of root's that others may write" {
	need_sight
	let_nobody_in
	need_attributes
	install -m 666 /dev/null lock
	sleep 600 3>&- &
	bystander=$!
	eventually "the bystander runs" runs "$bystander" sleep
	AS=(as_nobody)
	start lock 'plant "$1"; echo >ready; read -r _ <release' planted "$bystander"
	[[ $(stat -c '%u %a' lock) == "0 666" ]]
	not_named lock "$bystander"
	chmod 644 lock
	[[ $(onlyone --pid lock) == "$bystander" ]] # as a file that only root can have written
	say release
}

@test "another user's process that calls itself a keeper makes nobody else a holder" {
	need_sight
	let_nobody_in
	need cc
	install -d -m 777 open
	cat >keeper.c <<-'END'
		#define _GNU_SOURCE
		#include <fcntl.h>
		#include <stdlib.h>
		#include <sys/prctl.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		int main(int argc, char **argv)
		{
			struct flock whole = { .l_type = F_WRLCK };
			int lock = open("open/lock", O_RDWR | O_CREAT, 0644);
			int ready = open("ready", O_WRONLY);
			int process = (int) syscall(SYS_pidfd_open, atoi(argv[1]), 0);
			if (argc != 2 || process == -1 || fcntl(lock, F_OFD_SETLK, &whole) ||
				prctl(PR_SET_NAME, "onlyone-keeper"))
				return 1;
			(void) !write(ready, "\n", 1);
			for (;;)
				pause();
		}
	END
	cc -o keeper keeper.c
	mkfifo -m 666 ready
	sleep 600 3>&- &
	bystander=$!
	as_nobody ./keeper "$bystander" 3>&- &
	hear ready
	keeper=$(strays_of 65534 onlyone-keeper)
	[[ $(onlyone --pid open/lock) == "$keeper" ]]
	run -75 onlyone --signal KILL open/lock
	kill -0 "$bystander"
	[[ $(as_nobody "$ONLYONE" --pid open/lock) == "$keeper" ]]
}

# As over a socket (unix(7), SCM_RIGHTS): a daemon of root's has the user's lock.
@test "a daemon that has another user's lock is not named by a record of a process of that user's" {
	need_sight
	need flock
	install -d -o 65534 his
	setpriv --reuid=65534 --regid=65534 --clear-groups sleep 600 3>&- &
	eventually "the user's process runs" runs "$!" sleep
	by_hand "$!" his/lock
	chown 65534 his/lock
	mkfifo ready
	bash -c 'exec 9<>his/lock
		setpriv --reuid=65534 --regid=65534 --clear-groups flock 9 && echo >ready; exec sleep 700' 3>&- &
	daemon=$!
	hear ready
	eventually "the daemon runs" runs "$daemon" sleep
	run -0 onlyone --status his/lock
	[[ $output == "held, and open in PID $daemon (sleep 700)"* ]]
	run -77 --separate-stderr onlyone --pid his/lock
	[[ -z $output && $stderr == "onlyone: his/lock: held, and open in PID $daemon ("* ]]
	run -75 onlyone --signal KILL his/lock
	runs "$daemon" sleep
}

# strays_of UID NAME: the processes of this test that bear that name.
strays_of() {
	local pid
	for pid in $(strays); do
		if [[ $(stat -c %u "/proc/$pid" 2>/dev/null) == "$1" && $(cat "/proc/$pid/comm" 2>/dev/null) == "$2" ]]; then
			printf '%s\n' "$pid"
		fi
	done
}
