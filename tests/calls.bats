#!/usr/bin/env bats
# Which system calls are made, and in which order, where something rests on it: each test says what.
# shellcheck disable=SC2016 # awk expands it

load helper

# To open a device can rewind a tape or hang.
@test "a device is not even opened" {
	need strace
	run -65 strace -qq -e trace=open,openat,creat -o calls onlyone /dev/null true
	[[ -s calls ]]
	run -1 grep -w null calls
}

# Those who read PID files do so at any moment.
@test "the PID is written before the file is cut: no reader finds it empty" {
	need strace
	by_hand 4194304 lock
	strace -qq -e trace=open,openat,pwrite64,write,ftruncate -o calls onlyone lock sh -c :
	run -0 sed -n '/execve/q; /truncate\|write/p; /O_TRUNC/p' calls
	[[ ${lines[0]} =~ ^"pwrite64("[0-9]+', "'[0-9]+'\n\n", '[0-9]", 0) " ]]
	[[ ${lines[1]} =~ ^"ftruncate("[0-9]+", "[0-9]") " ]]
}

# The times of the file are part of what the record vouches for (record.c).
@test "the PID is written last, so that the file's times are those of the whole record" {
	need strace
	need_attributes
	strace -qq -e trace=fsetxattr,pwrite64,ftruncate,execve -o calls onlyone lock sh -c :
	run -0 sed -n '2,/execve/s/(.*//p' calls
	[[ $output == $'fsetxattr\npwrite64\nftruncate\nexecve' ]]
}

# Or a message would end up in it, should it not be ours.
@test "the file gets its number out of the way before anything can be said about it" {
	need strace
	strace -o trace -e trace=?open,openat,dup3,?fstat,newfstatat "$ONLYONE" lock true
	run -0 awk -F '[()= ,]+' '
		/open.*"lock"/ { fd = $NF; next }
		fd != "" { print $1 " " ($2 == fd); exit }' trace
	[[ $output == "dup3 1" ]]
}

# With fs.protected_regular (proc(5)) that fails even for root, for another user's file in /tmp.
@test "a file that exists is never opened with O_CREAT" {
	need strace
	onlyone lock true
	strace -qq -e trace=open,openat,creat -o calls onlyone lock true
	run -0 grep '"lock"' calls
	[[ $output != *O_CREAT* ]]
}

# O_EXCL follows no link, and tells the one that made it from the one that finds it.
@test "a file is created only where there is none" {
	need strace
	strace -qq -e trace=open,openat,creat -o calls onlyone lock true
	run -0 grep -m 1 O_CREAT calls
	[[ $output == *'"lock"'* && $output == *O_EXCL* ]]
}

# A log may be shared with others.
@test "a message goes out in one piece" {
	need strace
	hold lock
	run -75 strace -s 200 -o trace -e trace=write,writev "$ONLYONE" lock true
	[[ $(grep -c ^write trace) == 1 && $(grep ^write trace) == *"onlyone: lock: held by PID $HOLDER (sh)"* ]]
	release
}

# Else the number could be given to another process between the check and the signal.
@test "the pidfd is opened before the last check, and the signal goes through it" {
	need strace
	hold lock
	ASAN_OPTIONS=detect_leaks=0 strace -o trace -e trace=pidfd_open,pidfd_send_signal,kill,tkill,tgkill,?open,openat \
		"$ONLYONE" --signal USR2 lock
	run -0 awk -v stat="\"/proc/$HOLDER/stat\"" '
		/^pidfd_open/ { opened = NR }
		index($0, stat) { checked = NR }
		/^pidfd_send_signal/ { sent = NR }
		/kill\(.*SIG/ { bad = 1 }
		END { print (opened && opened < checked && checked < sent && !bad) ? "right" : "wrong" }' trace
	[[ $output == right ]]
}

# asked STRACE-EXPRESSION [OPTION...]: the calls that a question makes.
asked() {
	local calls=$1
	shift
	ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e "$calls" "$ONLYONE" "$@" lock >/dev/null || :
	cat trace
}

# A start beside it would be refused, and a file system that is full or read-only would matter.
@test "a question takes no lock and opens nothing for writing" {
	need strace
	local lock_or_write='F_OFD_SETLK|F_SETLK|flock\(|O_RDWR|O_WRONLY|O_CREAT'
	for question in --status --pid; do
		onlyone lock true
		run -0 asked trace=fcntl,?fcntl64,flock,openat,open "$question"
		[[ $output == *'"lock", O_RDONLY'* && ! $output =~ $lock_or_write ]]
		hold lock
		run -0 asked trace=fcntl,?fcntl64,flock,openat,open "$question"
		[[ $output == *'"lock", O_RDONLY'* && ! $output =~ $lock_or_write ]]
		release
		rm lock
		run -0 asked trace=fcntl,?fcntl64,flock,openat,open "$question"
		[[ -n $output && ! $output =~ $lock_or_write ]]
	done
}

# On a host with many processes that look takes long.
@test "a living recorded holder is found without a look through /proc" {
	need_attributes
	need strace
	hold lock
	for question in --status --pid "--signal 0"; do
		# shellcheck disable=SC2086 # an option and its value
		run -0 asked trace=getdents64,openat,open $question
		[[ $output == *'"lock"'* && $output != *getdents* ]]
	done
	ASAN_OPTIONS=detect_leaks=0 run -75 strace -o trace -e trace=getdents64 "$ONLYONE" lock true
	run -0 cat trace
	[[ $output != *getdents* ]]
	release
	hold -s lock # not recorded: this is how a look would show
	run -0 asked trace=getdents64 --status
	[[ $output == *getdents* ]]
	release
}

# To show one the kernel waits for whoever is polled, be it a file server that never answers.
@test "an epoll instance of who has the lock is not looked at, neither by a question nor by a start" {
	need strace
	need cc
	need_attributes
	cat >poller.c <<-'END'
		#include <stdio.h>
		#include <sys/epoll.h>
		#include <unistd.h>
		int main(void)
		{
			FILE *ready = fopen("ready", "w");
			if (ready == NULL || fprintf(ready, "%d\n", epoll_create1(0)) < 0 || fclose(ready) == EOF)
				return 1;
			for (;;)
				pause();
		}
	END
	cc -o poller poller.c
	mkfifo ready
	"$ONLYONE" lock ./poller 3>&- &
	poller=$!
	hear ready instance
	# shellcheck disable=SC2154 # hear sets it
	[[ $(readlink "/proc/$poller/fd/$instance") == *eventpoll* ]]
	# The poller could be a keeper, which has a pidfd of the recorded process.
	setfattr -x user.onlyone lock
	by_hand $$ lock
	for question in --status --pid "--signal 0"; do
		# shellcheck disable=SC2086 # an option and its value
		run -0 asked trace=openat,open $question
		[[ $output == *"\"/proc/$poller/fdinfo/"* && $output != *"\"/proc/$poller/fdinfo/$instance\""* ]]
	done
	ASAN_OPTIONS=detect_leaks=0 run -75 strace -o trace -e trace=openat,open "$ONLYONE" lock touch ran
	[[ ! -e ran ]]
	run -0 cat trace
	[[ $output == *"\"/proc/$poller/fdinfo/"* && $output != *"\"/proc/$poller/fdinfo/$instance\""* ]]
	kill "$poller"
}
