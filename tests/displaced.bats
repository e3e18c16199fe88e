#!/usr/bin/env bats
# A lock file that is removed, renamed or replaced while it is held: the next start gets a lock on
# another file, and is refused all the same.
# shellcheck disable=SC2016 # the scripts in single quotes are for other shells

load helper

# refused LOCK [HOLDER [HOW]]: since the holder's file is not what LOCK names any more.
refused() {
	run -75 --separate-stderr onlyone "$1" touch ran
	# shellcheck disable=SC2154 # run sets it
	[[ ! -e ran && $stderr == "onlyone: $1: ${3:-held by} ${2:-PID $HOLDER (sh)}: the file that it locked was removed or replaced" ]] ||
		fail "not refused as expected: $stderr"
}

# numbers_of PID: what it has locked, where nothing else can be told of it.
numbers_of() {
	local major minor inode
	IFS=: read -r major minor inode < <(awk '/^lock:.* OFDLCK / { print $7 }' "/proc/$1/fdinfo/"*)
	echo "inode $inode of device $((16#$major)):$((16#$minor))"
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
	by_hand 1 lock
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

# make_dater: builds `dater FILE PID START TAKEN WRITTEN SCOPE MARK [renamed]`: FILE's record becomes
# one that was written into it right now, as far as the file's times tell; but its lock was taken
# TAKEN milliseconds later, and the record was written WRITTEN milliseconds later. With `renamed` the
# file was touched once more, at that very moment. All but TAKEN and WRITTEN as in the attribute.
make_dater() {
	cat >dater.c <<-'END'
		#define _GNU_SOURCE
		#include <fcntl.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		#include <sys/stat.h>
		#include <sys/xattr.h>
		#include <time.h>
		#include <unistd.h>
		static long long now(clockid_t clock)
		{
			struct timespec t;
			clock_gettime(clock, &t);
			return t.tv_sec * 1000000000LL + t.tv_nsec;
		}
		static long long nanoseconds(struct timespec t)
		{
			return t.tv_sec * 1000000000LL + t.tv_nsec;
		}
		int main(int argc, char **argv)
		{
			char attribute[128], content[32];
			int renamed = argc > 8, lock = open(argv[1], O_WRONLY);
			size_t length = (size_t) sprintf(content, "%ld\n\n", strtol(argv[2], NULL, 16));
			struct stat s;
			/* Between the two writes the machine may have had something else to do. */
			for (int tries = 0; tries < 1000; tries++) {
				long long written = now(CLOCK_REALTIME_COARSE);
				sprintf(attribute, "%s %s %llx %llx %s %s", argv[2], argv[3],
					now(CLOCK_BOOTTIME) / 1000000 + atoll(argv[4]),
					written / 1000000 + atoll(argv[5]), argv[6], argv[7]);
				if (fsetxattr(lock, "user.onlyone", attribute, strlen(attribute), 0) == -1)
					break;
				if (!renamed && (pwrite(lock, content, length, 0) == -1 || ftruncate(lock, (off_t) length) == -1))
					break;
				if (fstat(lock, &s) == -1)
					break;
				long long changed = nanoseconds(s.st_ctim);
				if (llabs(changed - written) <= 5000000 && (changed != nanoseconds(s.st_mtim)) == renamed)
					return 0;
			}
			return 1;
		}
	END
	cc -o dater dater.c
	DATER=$PWD/dater
}

# seem_untouched FILE: as the dater makes it, with TAKEN and WRITTEN; OWNER and MODE are the file's.
seem_untouched() {
	local pid start scope mark
	read -r pid start _ _ scope mark <<<"$(getfattr --only-values -n user.onlyone "$1")"
	chown "${OWNER:-0}" "$1"
	chmod "${MODE:-600}" "$1"
	"$DATER" "$1" "$pid" "$start" "${TAKEN:-0}" "${WRITTEN:-0}" "$scope" "$mark" ${RENAMED:+renamed} ||
		fail "the record's time and the file's did not meet, in a thousand tries"
}

believed() {
	seem_untouched "$@"
	onlyone lock true
}

@test "what vouches for a file: its record in root's file alone, its times, and the clock" {
	need_nobody
	need_attributes
	need_way_up
	need cc
	make_dater
	mkdir -p a/run
	cd a/run
	onlyone lock true
	mv lock older
	hold lock
	mv older lock
	eventually "it is believed" believed lock

	for milliseconds in 150 -150; do # the clock was set
		TAKEN=$milliseconds seem_untouched lock
		refused lock
	done
	for milliseconds in 30 -30; do
		WRITTEN=$milliseconds seem_untouched lock
		refused lock
	done
	OWNER=65534 seem_untouched lock
	refused lock
	for mode in 620 602; do
		MODE=$mode seem_untouched lock
		refused lock
	done
	RENAMED=yes seem_untouched lock # very soon after the record was written
	refused lock

	# And nothing but that was what kept it from being believed.
	eventually "it is believed" believed lock
	release
}

@test "what vouches for a file: not times of whole seconds" {
	need mkfs.ext4 setfattr
	truncate -s 16M disk
	mkfs.ext4 -q -I 128 disk 2>/dev/null
	mkdir fs
	need_unshare --mount mount -o loop disk fs
	run -0 unshare --mount bash -euc '
		mount -o loop disk fs
		cd fs
		mkfifo ../ready
		onlyone lock true
		mv lock older
		onlyone lock sh -c "echo >../ready; exec sleep 600" 3>&- >/dev/null 2>&1 &
		hear ../ready
		mv older lock
		read -r pid start _ _ scope mark <<<"$(getfattr --only-values -n user.onlyone lock)"
		write_as_a_second_begins() {
			read -r up _ </proc/uptime
			now=$(date +%s%3N)
			second=$((${now%???} + 3))
			locked=$((${up/./} * 10 - now + second * 1000))
			setfattr -n user.onlyone -v "$(printf "%s %s %x %x %s %s" "$pid" "$start" "$locked" "$((second * 1000))" "$scope" "$mark")" lock
			until ((EPOCHSECONDS >= second)); do :; done
			printf "%d\n\n" "0x$pid" >lock
			[[ $(stat -c "%.9Z %.9Y" lock) == "$second.000000000 $second.000000000" ]]
		}
		# So it seems of all that was written since.
		eventually "the record is written as a second begins" write_as_a_second_begins
		status=0
		onlyone lock touch ran 2>/dev/null || status=$?
		kill "$!"
		[[ $status == 75 && ! -e ran ]]'
}

@test "what vouches for a file: not one that is mounted over it" {
	need_unshare --mount mount --bind . .
	need_attributes
	mkdir run
	onlyone run/lock true
	mv run/lock over
	run -0 unshare --mount bash -ec '
		: >run/lock
		mount --bind over run/lock
		for _ in 1 2 3; do onlyone run/lock true; sleep 0.2; done
		mkfifo ready
		umount run/lock
		onlyone run/lock sh -c "echo >ready; exec sleep 600" 3>&- >/dev/null 2>&1 &
		hear ready
		mount --bind over run/lock
		status=0
		onlyone run/lock touch ran 2>/dev/null || status=$?
		kill "$!"
		[[ $status == 75 && ! -e ran ]]'
}

@test "what vouches for a file: not a way up that ends in a directory mounted over or inside itself" {
	need_unshare --mount mount --bind . .
	need_attributes
	mkdir -p srv/a/run/inside
	for _ in 1 2; do # the second record is later than the last change in its own directory
		onlyone srv/a/run/lock true
		sleep 0.2
	done
	mv srv/a older
	mkdir -p srv/a/run/inside
	hold srv/a/run/lock
	mv srv/a moved
	mv older srv/a
	run -75 unshare --mount bash -ec '
		mount --bind srv/a/run srv/a/run/inside
		exec onlyone srv/a/run/inside/lock touch ran'
	run -75 unshare --mount bash -ec '
		mount --bind srv/a/run srv/a/run
		exec onlyone srv/a/run/lock touch ran'
	[[ ! -e ran ]]
	release
}

@test "without user attributes: removed, replaced by a copy, an older one moved back" {
	mkdir bare
	need_unshare --mount mount -t ramfs none bare
	run -0 unshare --mount bash -ec '
		mount -t ramfs none bare
		cd bare
		onlyone lock true
		mv lock older
		mkfifo ready release
		onlyone lock sh -c "echo >ready; read -r _ <release" 3>&- &
		hear ready
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
		say release
		await
		onlyone lock true
	'
	[[ -z $output ]]
}

# -- what was done to its directory --

@test "its directory removed and made again while held" {
	need_mountinfo
	mkdir run
	hold run/lock
	rm -r run
	mkdir run
	guarded_until_released run/lock
}

@test "its directory renamed and another put in its place while held" {
	need_mountinfo
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
	need_mountinfo
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
	need_mountinfo
	mkdir -p srv/a/run
	for _ in 1 2; do # the second record is later than the last change in its own directory
		onlyone srv/a/run/lock true
		sleep 0.05
	done
	mv srv/a older
	mkdir -p srv/a/run
	hold srv/a/run/lock
	mv srv/a moved
	mv older srv/a
	guarded_until_released srv/a/run/lock
}

@test "an older directory moved back so far up that it cannot be seen" {
	need_mountinfo
	let_nobody_in
	install -d -m 777 tree/shut/a/run
	for _ in 1 2; do # as above
		as_nobody bash -c 'cd tree/shut/a && exec "$0" run/lock true' "$ONLYONE"
		sleep 0.05
	done
	mv tree/shut older
	install -d -m 777 tree/shut/a/run
	mkfifo -m 666 ready release
	as_nobody "$ONLYONE" "tree/shut/a/run/lock" sh -c 'echo >ready; read -r _ <release' 3>&- &
	hear ready
	other=$(cat tree/shut/a/run/lock)
	mv tree/shut moved
	mv older tree/shut
	chmod 755 tree/shut
	cd tree/shut/a
	chmod 700 .. # of root
	run -75 --separate-stderr as_nobody "$ONLYONE" run/lock true
	cd "$BATS_TEST_TMPDIR"
	[[ $stderr == "onlyone: run/lock: held by PID $other (sh): the file that it locked was removed or replaced" ]]
	say release
	await
}

@test "its directory made anew while held, seen from other mounts: as in a service of systemd's" {
	need_unshare --mount
	mkdir run
	hold run/lock
	rm -r run
	mkdir run
	run -75 --separate-stderr unshare --mount "$ONLYONE" "$PWD/run/lock" touch ran
	[[ ! -e ran && $stderr == *": held by PID $HOLDER (sh): the file that it locked was removed or replaced" ]]
	guarded_until_released run/lock
	run -0 unshare --mount "$ONLYONE" "$PWD/run/lock" true
}

@test "removed under another path to the same directory" {
	mkdir run alias
	need_unshare --mount mount --bind run alias
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
	need_sight
	let_nobody_in
	install -d -m 777 open
	cd open
	mkfifo -m 666 ready release
	as_nobody "$ONLYONE" lock sh -c 'echo >ready; read -r _ <release' 3>&- &
	hear ready
	other=$(cat lock)
	rm lock
	refused lock "PID $other (sh)"
	rm lock
	say release
	await
	run -0 onlyone lock true
}

@test "the holder is another user's, and hidden: refused all the same" {
	let_nobody_in
	install -d -o 65534 open
	hold open/lock
	as_nobody rm -f open/lock
	run -75 --separate-stderr as_nobody "$ONLYONE" open/lock touch open/ran
	[[ ! -e open/ran ]]
	[[ $stderr == "onlyone: open/lock: held by an unknown process: the file that it locked was removed or replaced ($(numbers_of "$HOLDER"))" ]]
	release
	run -0 as_nobody "$ONLYONE" open/lock true
}

# In directories where that user may make no files: root gave him the lock file, or made them anew.
@test "the holder is another user's, and locked what root has given to it: refused all the same" {
	need_mountinfo
	let_nobody_in
	local lock
	mkdir -m 755 given
	install -m 600 -o 65534 /dev/null given/lock
	install -d -o 65534 removed renamed data his
	mkdir -m 755 his/roots
	install -m 600 -o 65534 /dev/null his/roots/lock
	for lock in given/lock his/roots/lock removed/lock renamed/lock data; do
		mkfifo -m 666 ready release
		as_nobody "$ONLYONE" "$lock" sh -c 'echo >ready; read -r _ <release' 3>&- &
		hear ready
		case $lock in
		given/lock | his/roots/lock) rm "$lock" ;;
		removed/lock) rm -r removed && mkdir removed ;;
		renamed/lock) chown 0 renamed && mv renamed moved && mkdir renamed ;;
		data) rm -r data && mkdir data ;;
		esac
		run -75 onlyone "$lock" touch ran
		[[ $output == *"the file that it locked was removed or replaced"* && ! -e ran ]]
		say release
		await "$!"
		run -0 onlyone "$lock" true
		rm ready release
	done
}

@test "the holder is another user's, who has moved what root has given to it out of a directory of root's" {
	need_sight
	let_nobody_in
	mkdir -m 755 given
	install -m 644 -o 65534 /dev/null given/lock
	install -d -o 65534 his
	mkfifo -m 666 ready release
	as_nobody "$ONLYONE" given/lock sh -c 'echo >ready; read -r _ <release' 3>&- &
	hear ready
	other=$(cat given/lock)
	mv given/lock his/lock
	refused given/lock "PID $other (sh)"
	refused given/lock "PID $other (sh)"
	say release
	await
	run -0 onlyone given/lock true
}

@test "the holder is another user's, in a user namespace of his" {
	need_sight
	let_nobody_in
	as_nobody unshare --user --map-root-user true 2>/dev/null ||
		missing userns "a user may have no namespace of his own" "user namespaces for everybody"
	mkdir -m 755 given
	install -m 644 -o 65534 /dev/null given/lock
	mkfifo -m 666 ready release
	as_nobody unshare --user --map-root-user "$ONLYONE" given/lock sh -c 'echo >ready; read -r _ <release' 3>&- &
	hear ready
	other=$(cat given/lock)
	rm given/lock
	refused given/lock "PID $other (sh)"
	say release
	await
	run -0 onlyone given/lock true
}

@test "the holder is another user's, in a directory of that user's, of a group's or of everybody's" {
	need_sight
	let_nobody_in
	install -d -o 65534 -m 755 his
	install -d -g 65534 -m 775 groups
	install -d -m 757 everybodys
	for folder in his groups everybodys; do
		rm -f ready release
		mkfifo -m 666 ready release
		as_nobody "$ONLYONE" "$folder/lock" sh -c 'echo >ready; read -r _ <release' 3>&- &
		hear ready
		other=$(cat "$folder/lock")
		rm "$folder/lock"
		refused "$folder/lock" "PID $other (sh)"
		say release
		await
	done
}

@test "the holder is the caller's own, in a directory of root's" {
	let_nobody_in
	mkdir -m 755 roots
	install -o 65534 -m 600 /dev/null roots/lock
	mkfifo -m 666 ready release
	as_nobody "$ONLYONE" roots/lock sh -c 'echo >ready; read -r _ <release' 3>&- &
	hear ready
	other=$(cat roots/lock)
	rm roots/lock
	install -o 65534 -m 600 /dev/null roots/lock
	run -75 --separate-stderr as_nobody "$ONLYONE" roots/lock true
	[[ $stderr == "onlyone: roots/lock: held by PID $other (sh): the file that it locked was removed or replaced" ]]
	say release
	await
	run -0 as_nobody "$ONLYONE" roots/lock true
}

@test "the holder has become the caller, but its file is root's" {
	let_nobody_in
	install -d -o 65534 -m 755 his
	mkfifo -m 666 ready release
	onlyone his/lock "${NOBODY[@]}" sh -c 'echo >ready; read -r _ <release' 3>&- &
	other=$!
	hear ready
	as_nobody rm -f his/lock
	run -75 --separate-stderr as_nobody "$ONLYONE" his/lock touch his/ran
	[[ ! -e his/ran ]]
	[[ $stderr == "onlyone: his/lock: held by PID $other (sh): the file that it locked was removed or replaced" ]]
	say release
	await "$other"
	run -0 as_nobody "$ONLYONE" his/lock true
}

@test "the holder is in another PID namespace: refused all the same, both ways" {
	need_unshare --pid --fork --kill-child --mount-proc
	hold lock
	rm lock
	run -75 unshare --pid --fork --mount-proc "$ONLYONE" lock touch ran
	[[ ! -e ran ]]
	release

	mkfifo ready release
	unshare --pid --fork --kill-child --mount-proc "$ONLYONE" lock sh -c 'echo >ready; read -r _ <release' 3>&- &
	container=$!
	hear ready
	rm lock
	run -75 onlyone lock touch ran
	[[ ! -e ran ]]
	say release
	await "$container"
	run -0 onlyone lock true
}

# Who may read any file on the same file system could make a shared lock look like ours.
@test "a shared holder whose file was removed is not looked for" {
	hold -s lock
	rm lock
	run -0 onlyone lock true
	run -0 onlyone -s lock true
	release
}

@test "an exclusive holder keeps a shared start out" {
	hold lock
	rm lock
	run -75 onlyone -s lock touch ran
	[[ ! -e ran ]]
	release
	run -0 onlyone -s lock true
}

@test "the keeper's lock counts, and the keeper is named: the record of the command went with the file" {
	hold -o lock
	rm lock
	refused lock "PID $(keepers) (onlyone-keeper)"
	release
	run -0 onlyone -w 120 lock true
}

@test "children that keep the lock are named" {
	run -0 onlyone lock sh -c 'sleep 600 3>&- >/dev/null 2>&1 & echo $!'
	child=$output
	eventually "the child runs" test "/proc/$child/exe" -ef "$(command -v sleep)"
	rm lock
	refused lock "PID $child (sleep)"
}

@test "the lock of a shell's own descriptor counts" {
	mkfifo ready release
	bash -c 'exec 9>>lock; onlyone --fd 9; echo >ready; read -r _ <release' 3>&- &
	shell=$!
	hear ready
	rm lock
	refused lock "PID $shell (bash)"
	say release
	await "$shell"
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
	for wait in --wait=120 --block; do
		hold lock
		rm lock
		"$ONLYONE" "$wait" lock touch "ran$wait" 3>&- &
		waiter=$!
		eventually "$wait waits for the holder" waits_for "$waiter" "$HOLDER"
		[[ ! -e ran$wait ]]
		release
		await "$waiter"
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
	await "$one"
	await "$two"
	[[ -e one && -e two ]]
}

@test "who waits for long keeps no more open than at first" {
	for name in one two; do
		hold "$name"
		rm "$name"
		holders+=("$HOLDER")
		latches+=("$LATCH")
	done
	"$ONLYONE" -b one true 3>&- &
	one=$!
	"$ONLYONE" -b --fd 9 true 9>>two 3>&- &
	two=$!
	eventually "both wait" eval 'waits_for "$one" "${holders[0]}" && waits_for "$two" "${holders[1]}"'
	sleep 2.5 # they look again every second
	(($(readlink "/proc/$one/fd/"* | grep -cx "$PWD") <= 1))
	(($(readlink "/proc/$two/fd/"* | grep -cx "$PWD/two") <= 2)) # 9, and one for the record
	for latch in "${latches[@]}"; do
		say "$latch/release" 0
	done
	await "$one"
	await "$two"
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

does_not_look() {
	ASAN_OPTIONS=detect_leaks=0 strace -o trace -e trace=open,openat "$ONLYONE" run/lock true
	grep -q '"lock"' trace && ! grep -q '"/proc/locks"' trace
}

@test "where nothing was done to the file and its directories a start does not look through all locks" {
	need strace
	need_attributes
	need_way_up
	mkdir run
	run -1 does_not_look # the directory is as new as the file
	# Not at once, for the other tests change directories further up, too.
	eventually "a start does not look" does_not_look
	sleep 0.05 # file times are that coarse
	touch run/lock
	run -1 does_not_look
}

@test "where /proc/locks is missing or masked a start goes on, and -v says what would not be seen" {
	need_attributes
	: >empty
	need_unshare --mount mount --bind empty /proc/locks
	for list in empty /dev/null; do
		run -0 --separate-stderr unshare --mount bash -ec 'mount --bind "$1" /proc/locks; onlyone -v lock true' mask "$list"
		[[ $stderr == "onlyone: lock: no /proc/locks here: that its file was replaced would not be seen" ]]
		rm lock # whose record might vouch for it
	done
	run -0 --separate-stderr onlyone -v lock true
	[[ -z $stderr ]]
}

@test "ten thousand locks of other programs: the list is read, no process is looked into" {
	need strace
	need perl
	mkfifo ready
	perl -MFcntl -e '
		open my $other, "+>", "other" or die $!;
		for (1 .. 10000) {
			my $range = pack "s s x![q] q q l x4", F_WRLCK, 0, 2 * $_, 1, 0;
			fcntl $other, F_SETLK, $range or die $!;
		}
		open my $ready, ">", "ready" or die $!;
		close $ready;
		sleep 600' 3>&- &
	disown "$!"
	timeout "$PATIENCE" cat ready
	# One pass where the list came in one piece, else three; and once more where others have changed
	# the directories above meanwhile, as the tests beside this one do.
	ASAN_OPTIONS=detect_leaks=0 strace -o trace -e trace=open,openat "$ONLYONE" lock true
	(( $(grep -c '"/proc/locks"' trace) <= 30 ))
	run ! grep '"/proc/[0-9]' trace
	hold lock
	rm lock
	ASAN_OPTIONS=detect_leaks=0 run -75 strace -o trace -e trace=open,openat "$ONLYONE" lock true
	(($(grep -c '"/proc", ' trace) == 1)) # each process once
	release
}

@test "a path that reads like another without its slashes is free" {
	mkdir on one
	hold on/elock
	run -0 onlyone one/lock true
	rm on/elock
	run -0 onlyone one/lock true
	refused on/elock
	release
}

@test "directories of the same inode on two file systems are two" {
	need_unshare --mount mount -t tmpfs none .
	mkdir one two
	run -0 unshare --mount bash -ec '
		mount -t tmpfs none one
		mount -t tmpfs none two
		[[ $(stat -c %i one) == "$(stat -c %i two)" ]]
		mkfifo ready
		onlyone one/lock sh -c "echo >ready; exec sleep 600" 3>&- >/dev/null 2>&1 &
		hear ready
		onlyone two/lock true
		rm one/lock
		onlyone two/lock true
		status=0
		onlyone one/lock true 2>/dev/null || status=$?
		kill "$!"
		[[ $status == 75 ]]'
}

@test "the same path below another root is another lock" {
	need_unshare --mount mount --bind . .
	need chroot
	run -0 unshare --mount bash -ec '
		for root in one two; do
			mkdir -p "$root/run"
			for folder in /proc /usr /bin /sbin /lib*; do
				if [[ -L $folder ]]; then
					cp -a "$folder" "$root"
				else
					mkdir "$root$folder"
					mount --bind "$folder" "$root$folder"
				fi
			done
			cp "$0" "$root/onlyone"
		done
		mkfifo one/ready
		chroot one /onlyone /run/lock sh -c "echo >/ready; exec sleep 600" 3>&- >/dev/null 2>&1 &
		hear one/ready
		chroot two /onlyone /run/lock true
		rm one/run/lock
		chroot two /onlyone /run/lock true
		status=0
		chroot one /onlyone /run/lock true 2>/dev/null || status=$?
		kill "$!"
		[[ $status == 75 ]]' "$ONLYONE"
}

# end_of LOCK: the last byte of the fcntl(2) lock on it, which is held.
end_of() {
	awk -v inode=":$(stat -c %i "$1")\$" '$2 == "OFDLCK" && $6 ~ inode { print $8 }' /proc/locks
}

# make_forge: builds `forge`, with which another user locks a file of his own (or one without a name)
# as onlyone would lock run/lock.
make_forge() {
	cat >forge.c <<-'END'
		#define _GNU_SOURCE
		#include <fcntl.h>
		#include <stdlib.h>
		#include <sys/mman.h>
		#include <unistd.h>
		int main(int argc, char **argv)
		{
			struct flock range = { .l_type = argv[1][0] == 's' ? F_RDLCK : F_WRLCK, .l_len = atoll(argv[2]) + 1 };
			int lock = argv[3][0] == '-' ? memfd_create("his", 0) : open(argv[3], O_RDWR | O_CREAT, 0644);
			if (argc != 5 || fcntl(lock, F_OFD_SETLK, &range))
				return 1;
			close(open(argv[4], O_WRONLY));
			for (;;)
				pause();
		}
	END
	cc -o forge forge.c
	install -d -m 1777 open
	mkdir -m 755 run
	mkfifo -m 666 ready
	hold run/lock
	END_OF_LOCK=$(end_of run/lock)
	[[ $END_OF_LOCK =~ ^[0-9]+$ ]]
	release
	rm run/lock # whose record would vouch for it
}

# pretend [COMMAND...] exclusive|shared FILE: $FORGER is who does it.
pretend() {
	"${NOBODY[@]}" "${@:1:$#-2}" \
		"$PWD/forge" "${@: -2:1}" "$END_OF_LOCK" "${!#}" "$PWD/ready" 3>&- &
	FORGER=$!
	disown "$FORGER"
	timeout "$PATIENCE" cat ready
	grep -q " OFDLCK .* 0 $END_OF_LOCK\$" /proc/locks
}

# Root is refused, and told whom to end; and starts when that has ended.
refused_by_the_forger() {
	refused run/lock "PID $FORGER (forge)"
	kill -KILL "$FORGER"
	eventually "the forger has ended" gone "$FORGER"
	run -0 onlyone run/lock true
	rm run/lock
}

@test "a lock that another user has made to look like a displaced one keeps root out, who is told of him" {
	need_sight
	need_sight
	let_nobody_in
	need cc
	make_forge
	pretend exclusive open/his
	refused_by_the_forger

	# also where he has removed the file with its directory
	as_nobody mkdir open/mine
	pretend exclusive open/mine/his
	as_nobody rm -r open/mine
	refused_by_the_forger
}

@test "so does one that stands at the very place, in mounts of that user's own" {
	need_sight
	let_nobody_in
	need cc
	make_forge
	as_nobody unshare --user --map-root-user --mount mount --bind open run ||
		missing userns "a user may have no mounts of his own" "user namespaces for everybody"
	pretend unshare --user --map-root-user --mount sh -c 'mount --bind open run && exec "$0" "$@"' exclusive run/hers
	[[ $(readlink "/proc/$FORGER/fd/"*) == *"$PWD/run/hers"* ]]
	refused_by_the_forger
}

@test "where root cannot see him device and inode are told" {
	need_unshare --pid --fork --kill-child --mount-proc
	let_nobody_in
	need cc
	make_forge
	pretend exclusive open/his
	run -75 --separate-stderr unshare --pid --fork --kill-child --mount-proc "$ONLYONE" run/lock touch ran
	[[ ! -e ran && $stderr == "onlyone: run/lock: held by an unknown process: the file that it locked was removed or replaced ($(numbers_of "$FORGER"))" ]]
}

@test "what he locks on another file system, or shared, does not keep root out" {
	let_nobody_in
	need cc
	make_forge
	pretend exclusive - # a file that never had a directory
	run -0 onlyone run/lock true
	rm run/lock
	install -o 65534 -m 644 /dev/null open/his
	pretend shared open/his
	run -0 onlyone run/lock true
}

@test "another program's lock that ends where ours would, but is of another kind or lacks the bit, is none of ours" {
	need perl
	hold lock
	end=$(end_of lock)
	release
	rm lock
	mkfifo ready
	# lock_until COMMAND END: fcntl(2)'s F_OFD_SETLK is 37, F_SETLK is 6.
	lock_until() {
		perl -MFcntl -e '
			open my $lock, "+>>", "other.$$" or die $!;
			my $range = pack "s s x![q] q q l x4", F_WRLCK, 0, 0, $ARGV[1] + 1, 0;
			fcntl $lock, $ARGV[0], $range or die $!;
			open my $ready, ">", "ready" or die $!;
			close $ready;
			sleep 600' "$@" 3>&- &
		pretenders+=("$!")
		disown "$!" # teardown ends the last: not to be reported
		timeout "$PATIENCE" cat ready
	}
	lock_until 6 "$end"
	run -0 onlyone lock true
	rm lock # whose record would vouch for it
	lock_until 37 "$((end & ~(1 << 62)))"
	run -0 onlyone lock true
	rm lock
	kill "${pretenders[@]}"
	lock_until 37 "$end" # nothing but that was wrong with them
	run -75 onlyone lock true
}

@test "the same path in another mount namespace is another lock" {
	need_unshare --mount mount -t tmpfs none .
	mkdir run
	hold run/lock
	run -0 unshare --mount bash -ec 'mount -t tmpfs none run; onlyone run/lock true'
	release
}

@test "what is mounted over a lock's directory is another lock, that of what is mounted" {
	need_unshare --mount mount --bind . .
	mkdir one other
	hold one/lock
	run -0 unshare --mount bash -ec 'mount --bind other one; exec onlyone one/lock true'
	release
	hold other/lock
	rm other/lock
	run -75 --separate-stderr unshare --mount bash -ec 'mount --bind other one; exec onlyone one/lock touch ran'
	[[ ! -e ran && $stderr == "onlyone: one/lock: held by PID $HOLDER (sh): the file that it locked was removed or replaced" ]]
	release
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
		"$ONLYONE" -w 120 lock touch ran 3>&- &
	start=$!
	eventually "the start has seen the lock and looks for its holder" grep -qs '"/proc", ' trace
	kill -KILL "$HOLDER"
	eventually "the holder has ended" eval '! grep -q ":$inode " /proc/locks'
	for n in {1..100}; do
		: >"other$n"
		[[ $(stat -c %i "other$n") != "$inode" ]] || break
	done
	hold "other$n" # has that inode, but where the file system never gives one twice
	await "$start"
	[[ -e ran ]]
	release
}
