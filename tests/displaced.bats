#!/usr/bin/env bats
# A lock file that is removed, renamed or replaced while it is held: the next start gets a lock on
# another file, and is refused all the same.
# shellcheck disable=SC2016 # the scripts in single quotes are for other shells

load helper

# refused LOCK [HOLDER]: since the holder's file is not what LOCK names any more.
refused() {
	run -75 --separate-stderr onlyone "$1" touch ran
	[[ ! -e ran ]]
	# shellcheck disable=SC2154 # run sets it
	[[ $stderr == "onlyone: $1: held by ${2:-PID $HOLDER (sh)}: the file that it locked was removed or replaced" ]]
}

# The lock is refused again and again while the holder lives, and free when it has ended.
guarded_until_released() {
	refused "$1"
	refused "$1" # the first one's file, and that it was refused, are nothing to go by
	release
	run -0 onlyone "$1" touch ran
	[[ -e ran ]]
}

# -- what was done to the file --

@test "removed while held: the next start is refused, and told by whom" {
	hold lock
	rm lock
	guarded_until_released lock
}

@test "removed while held, and again: the next start is refused" {
	hold lock
	for _ in 1 2 3; do
		rm lock
		refused lock
	done
	release
}

@test "renamed while held" {
	hold lock
	mv lock moved
	refused lock
	run -75 onlyone moved true # where the lock has gone to
	guarded_until_released lock
}

@test "replaced by an empty file while held" {
	hold lock
	: >new
	mv new lock
	guarded_until_released lock
}

@test "replaced by a copy while held" {
	hold lock
	cp lock copy
	mv copy lock
	guarded_until_released lock
}

@test "replaced by a copy with all its attributes while held" {
	hold lock
	cp -a lock copy
	mv copy lock
	guarded_until_released lock
}

@test "removed and restored from an archive while held" {
	hold lock
	tar --xattrs --xattrs-include='*' -cf backup lock
	rm lock
	tar --xattrs --xattrs-include='*' -xf backup
	guarded_until_released lock
}

@test "removed and written by hand while held" {
	hold lock
	rm lock
	echo 1 >lock
	guarded_until_released lock
}

@test "an older lock file moved back while held: its record does not vouch for it" {
	onlyone lock true
	mv lock older
	hold lock
	mv older lock
	guarded_until_released lock
}

@test "an older lock file moved back and touched while held" {
	onlyone lock true
	mv lock older
	hold lock
	mv older lock
	touch lock
	guarded_until_released lock
}

@test "an older lock file linked back while held" {
	onlyone lock true
	ln lock older
	rm lock
	hold lock
	ln -f older lock
	guarded_until_released lock
}

@test "without user attributes: removed, replaced by a copy, an older one moved back" {
	need_root
	mkdir bare
	run -0 unshare --mount bash -ec '
		mount -t ramfs none bare
		cd bare
		onlyone lock true
		mv lock older
		mkfifo ready release
		onlyone lock sh -c "echo >ready; read -r _ <release" 3>&- &
		read -r _ <>ready
		refused() {
			status=0
			onlyone lock touch "$1" 2>message || status=$?
			[[ $status == 75 && $(<message) == *"removed or replaced" ]] || echo "not refused: $1"
		}
		cp lock copy
		rm lock
		refused removed
		rm lock; cp copy lock
		refused copied
		mv older lock
		refused older
		echo >release
		wait
		onlyone lock true
	'
	[[ -z $output ]]
}

# -- what was done to its directory --

@test "its directory removed and made again while held" {
	mkdir run
	hold run/lock
	rm -r run
	mkdir run
	guarded_until_released run/lock
}

@test "its directory renamed and another put in its place while held" {
	mkdir run
	hold run/lock
	mv run moved
	mkdir run
	refused run/lock
	run -75 onlyone moved/lock true
	release
	run -0 onlyone run/lock true
}

@test "an older directory moved back in its place while held: the record inside vouches for nothing" {
	mkdir run
	onlyone run/lock true
	mv run older
	mkdir run
	hold run/lock
	mv run moved
	mv older run
	guarded_until_released run/lock
}

@test "an older directory moved back further up" {
	mkdir -p srv/a/run
	onlyone srv/a/run/lock true
	mv srv/a older
	mkdir -p srv/a/run
	hold srv/a/run/lock
	mv srv/a moved
	mv older srv/a
	guarded_until_released srv/a/run/lock
}

@test "removed under another path to the same directory" {
	need_root
	mkdir run alias
	hold run/lock
	run -0 unshare --mount bash -c '
		mount --bind run alias
		rm alias/lock
		onlyone alias/lock touch ran
		echo "$?"'
	[[ ! -e ran ]]
	[[ $output == "onlyone: alias/lock: held by PID $HOLDER (sh): the file that it locked was removed or replaced"$'\n75' ]]
	guarded_until_released run/lock
}

# -- who --

@test "the holder is another user's: root names it" {
	let_nobody_in
	install -d -m 777 open
	cd open
	mkfifo -m 666 ready release
	as_nobody "$ONLYONE" lock sh -c 'echo >ready; read -r _ <release' 3>&- &
	read -t 20 -r _ <>ready
	other=$(cat lock)
	rm lock
	refused lock "PID $other (sh)"
	rm lock
	echo >release
	wait
	run -0 onlyone lock true
}

@test "the holder is another user's, and hidden: refused all the same" {
	let_nobody_in
	install -d -o 65534 open
	hold open/lock
	as_nobody rm -f open/lock
	run -75 --separate-stderr as_nobody "$ONLYONE" open/lock touch open/ran
	[[ ! -e open/ran ]]
	[[ $stderr == "onlyone: open/lock: held by an unknown process: the file that it locked was removed or replaced" ]]
	release
	run -0 as_nobody "$ONLYONE" open/lock true
}

# In directories where that user may make no files: root gave him the lock file, or made them anew.
@test "the holder is another user's, and locked what root has given to it: refused all the same" {
	let_nobody_in
	local lock
	mkdir -m 755 given
	install -m 600 -o 65534 /dev/null given/lock
	install -d -o 65534 removed renamed data
	for lock in given/lock removed/lock renamed/lock data; do
		mkfifo -m 666 ready release
		as_nobody "$ONLYONE" "$lock" sh -c 'echo >ready; read -r _ <release' 3>&- &
		read -t 20 -r _ <>ready
		case $lock in
		given/lock) rm given/lock ;;
		removed/lock) rm -r removed && mkdir removed ;;
		renamed/lock) chown 0 renamed && mv renamed moved && mkdir renamed ;;
		data) rm -r data && mkdir data ;;
		esac
		run -75 onlyone "$lock" touch ran
		[[ $output == *"the file that it locked was removed or replaced" && ! -e ran ]]
		echo >release
		wait "$!"
		run -0 onlyone "$lock" true
		rm ready release
	done
}

@test "the holder is in another PID namespace: refused all the same, both ways" {
	need_root
	hold lock
	rm lock
	run -75 unshare --pid --fork --mount-proc "$ONLYONE" lock touch ran
	[[ ! -e ran ]]
	release

	mkfifo ready release
	unshare --pid --fork --kill-child --mount-proc "$ONLYONE" lock sh -c 'echo >ready; read -r _ <release' 3>&- &
	container=$!
	read -t 20 -r _ <>ready
	rm lock
	run -75 onlyone lock touch ran
	[[ ! -e ran ]]
	echo >release
	wait "$container"
	run -0 onlyone lock true
}

@test "shared holders keep an exclusive start out, and let shared ones in" {
	hold -s lock
	rm lock
	refused lock
	run -0 onlyone -s lock true
	release
	run -0 onlyone lock true
}

@test "an exclusive holder keeps a shared start out" {
	hold lock
	rm lock
	run -75 onlyone -s lock touch ran
	[[ ! -e ran ]]
	release
	run -0 onlyone -s lock true
}

@test "the keeper's lock counts, and the command is named" {
	hold -o lock
	rm lock
	refused lock
	release
	run -0 onlyone -w 20 lock true
}

@test "children that keep the lock are named" {
	run -0 onlyone lock sh -c 'sleep 60 3>&- >/dev/null 2>&1 & echo $!'
	child=$output
	eventually "the child runs" test "/proc/$child/exe" -ef "$(command -v sleep)"
	rm lock
	refused lock "PID $child (sleep)"
}

@test "the lock of a shell's own descriptor counts" {
	mkfifo ready release
	bash -c 'exec 9>>lock; onlyone --fd 9; echo >ready; read -r _ <release' 3>&- &
	shell=$!
	read -t 20 -r _ <>ready
	rm lock
	refused lock "PID $shell (bash)"
	echo >release
	wait "$shell"
	run -0 onlyone lock true
}

@test "a shell's own descriptor is refused too" {
	hold lock
	rm lock
	run -75 --separate-stderr bash -c 'exec 9>>lock; onlyone --fd 9'
	[[ $stderr == "onlyone: descriptor 9: held by PID $HOLDER (sh): the file that it locked was removed or replaced" ]]
	release
	run -0 bash -c 'exec 9>>lock; onlyone --fd 9'
}

# -- what the options make of it --

@test "-w and -b wait for the holder to end" {
	local wait
	for wait in --wait=60 --block; do
		hold lock
		rm lock
		"$ONLYONE" "$wait" lock touch "ran$wait" 3>&- &
		waiter=$!
		eventually "$wait waits for the holder" waits_for "$waiter" "$HOLDER"
		[[ ! -e ran$wait ]]
		release
		wait "$waiter"
		[[ -e ran$wait ]]
	done
}

@test "who waits is not waited for by who waits" {
	hold lock
	rm lock
	"$ONLYONE" -b lock sh -c 'mkdir alone && sleep 0.1 && rmdir alone && touch one' 3>&- &
	one=$!
	eventually "the first waits for the holder" waits_for "$one" "$HOLDER"
	rm lock
	"$ONLYONE" -b lock sh -c 'mkdir alone && sleep 0.1 && rmdir alone && touch two' 3>&- &
	two=$!
	eventually "the second waits for one of them" eval 'waits_for "$two" "$HOLDER" || waits_for "$two" "$one"'
	release
	eventually "both have ended" eval '[[ ! -e /proc/$one/fd/0 && ! -e /proc/$two/fd/0 ]]'
	wait "$one"
	wait "$two"
	[[ -e one && -e two ]]
}

@test "-w gives up when the holder outlasts it; -E and -q are heeded" {
	hold lock
	rm lock
	run -75 onlyone -w 0.1 lock touch ran
	run -9 --separate-stderr onlyone -q -E 9 lock touch ran
	[[ ! -e ran && -z $stderr ]]
	release
}

@test "--force does not start beside it" {
	hold lock
	rm lock
	run -75 onlyone --force lock touch ran
	[[ ! -e ran ]]
	release
}

@test "--status and --pid tell of it, and make no file" {
	hold lock
	rm lock
	run -0 onlyone --status lock
	[[ $output =~ ^"held by PID $HOLDER (sh -c ".*") for "[0-9]+" s: the file that it locked was removed or replaced"$ ]]
	run -0 onlyone --pid lock
	[[ $output == "$HOLDER" ]]
	[[ ! -e lock ]]

	: >lock
	run -0 onlyone --pid lock
	[[ $output == "$HOLDER" && ! -s lock ]]
	release
	run -1 onlyone --status lock
}

@test "who was refused has written nothing" {
	hold lock
	rm lock
	refused lock
	[[ -f lock && ! -s lock ]]
	release
}

# -- never without need --

@test "a lock of the same name elsewhere, or of another name here, is free" {
	mkdir one two
	hold one/lock
	rm one/lock
	run -0 onlyone two/lock true
	run -0 onlyone one/other true
	run -0 onlyone one/loc true
	refused one/lock
	release
}

@test "a lock that another user has made to look like a displaced one does not keep root out" {
	let_nobody_in
	need cc
	cat >pretend.c <<-'END'
		#define _GNU_SOURCE
		#include <fcntl.h>
		#include <stdlib.h>
		#include <unistd.h>
		int main(int argc, char **argv)
		{
			struct flock range = { .l_type = F_WRLCK, .l_len = argc > 1 ? atoll(argv[1]) + 1 : 0 };
			int lock = open("open/his", O_RDWR | O_CREAT, 0644);
			if (fcntl(lock, F_OFD_SETLK, &range))
				return 1;
			close(open("ready", O_WRONLY));
			for (;;)
				pause();
		}
	END
	cc -o pretend pretend.c
	install -d -m 777 open
	mkdir -m 755 run
	mkfifo -m 666 ready
	hold run/lock
	end=$(awk -v inode=":$(stat -c %i run/lock)\$" '$2 == "OFDLCK" && $6 ~ inode { print $8 }' /proc/locks)
	[[ $end =~ ^[0-9]+$ ]]
	release
	rm run/lock
	as_nobody ./pretend "$end" 3>&- &
	: <ready
	grep -q " OFDLCK .* 0 $end\$" /proc/locks
	run -0 onlyone run/lock true

	# nor where the file was removed with its directory
	rm -r open
	run -0 onlyone run/lock true

	# nor with mounts of his own, where it stands at the very place
	install -d -m 777 open
	as_nobody unshare --user --map-root-user --mount sh -c 'mount --bind open run && cd run &&
		ln -s . open && ln -s ../ready . && exec ../pretend "$0"' "$end" 3>&- &
	: <ready
	[[ $(readlink /proc/[0-9]*/fd/*) == *"$PWD/run/his"* ]]
	run -0 onlyone run/lock true
}

@test "the same path in another mount namespace is another lock" {
	need_root
	mkdir run
	hold run/lock
	run -0 unshare --mount bash -ec 'mount -t tmpfs none run; onlyone run/lock true'
	release
}

@test "a directory that is mounted over the holder's does not hide it" {
	need_root
	need_attributes
	mkdir one other
	run -75 unshare --mount bash -ec '
		onlyone other/lock true
		onlyone one/lock sleep 60 3>&- >/dev/null 2>&1 &
		until [[ /proc/$!/exe -ef $(command -v sleep) ]]; do sleep 0.01; done
		mount --bind other one
		exec onlyone one/lock touch ran'
	[[ ! -e ran ]]
}

@test "a name that a held lock was renamed to is its own only while it is held" {
	hold lock
	mv lock moved
	release
	run -0 onlyone moved true
	run -0 onlyone lock true
}

@test "who locks a new file that inherited the inode of a displaced one is not taken for its holder" {
	need strace
	hold lock
	inode=$(stat -c %i lock)
	rm lock
	ASAN_OPTIONS=detect_leaks=0 strace -o trace -e inject=getdents64:delay_enter=1500000:when=1 \
		"$ONLYONE" lock touch ran 3>&- &
	start=$!
	eventually "the start has seen the lock and looks for its holder" grep -qs '"/proc", ' trace
	kill -KILL "$HOLDER"
	eventually "the holder has ended" eval '! grep -q ":$inode " /proc/locks'
	for n in {1..100}; do
		: >"other$n"
		[[ $(stat -c %i "other$n") != "$inode" ]] || break
	done
	hold "other$n" # has that inode, but where the file system never gives one twice
	wait "$start"
	[[ -e ran ]]
	release
}
