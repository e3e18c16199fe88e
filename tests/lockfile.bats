#!/usr/bin/env bats
# The lock file: opened without harm to whatever LOCK names, and nothing lost.

load helper

# put CONTENT FILE: with the escapes of printf.
put() {
	# shellcheck disable=SC2059 # the escapes are the point
	printf -- "$1" >"$2"
}

# state FILE: what must stay as it was. A write, and a mere attribute, would move its times.
state() {
	stat -c '%n %d:%i %A %u:%g %h %s %y %z' "$1"
	[[ ! -f $1 ]] || od -An -tx1 "$1"
}

# refuses STATUS FILE [OPTION...]: the command does not run, one line says why, and FILE, with what
# it may point to, stays as it was.
refuses() {
	local before status=$1 file=$2
	shift 2
	before=$(state "$file")
	run "-$status" --separate-stderr onlyone "$@" "$file" touch ran
	# shellcheck disable=SC2154 # run sets stderr
	[[ $stderr == "onlyone: $file: "* && $stderr != *$'\n'* && -z $output && ! -e ran ]] ||
		fail "$file: $output$stderr"
	[[ $(state "$file") == "$before" ]] || fail "$file: $before became $(state "$file")"
}

# takes FILE: it becomes the lock file, without being made anew.
takes() {
	local before
	before=$(stat -c '%d:%i %A %u:%g' "$1")
	# shellcheck disable=SC2016 # for the shell that onlyone starts
	run -0 onlyone "$1" sh -c 'printf "%s\n\n" $$ | cmp - "$0"' "$1"
	[[ $(stat -c '%d:%i %A %u:%g' "$1") == "$before" ]]
}

# unprivileged ARG...: onlyone as a user whom permissions stop, in a directory `open` of ours. The
# folders above may be shut to that user; paths from inside are not.
unprivileged() {
	((EUID != 0)) || need_nobody
	mkdir -p -m 777 open
	cp "$ONLYONE" open/onlyone
	cd open || return
	if ((EUID == 0)); then
		run --separate-stderr as_nobody ./onlyone "$@"
	else
		run --separate-stderr ./onlyone "$@"
	fi
	cd ..
}

# mounted TYPE OPTIONS <SCRIPT: runs it in a mount namespace of its own, in such a file system.
mounted() {
	mkdir -p mounted
	# shellcheck disable=SC2016 # for the shell in the namespace
	unshare -m bash -euc 'mount -t "$0" -o "$1" none mounted && cd mounted && eval "$2"' \
		"$@" "$(cat)"
}

# -- what is no lock file --

@test "a symbolic link is refused, and what it points to left alone" {
	: >empty
	ln -s empty link
	refuses 65 link
	[[ $stderr == "onlyone: link: is a symbolic link; name the file itself, or a directory with a slash behind it" ]]
	refuses 65 link -s
	[[ ! -s empty ]]
}

@test "a dangling symbolic link is refused, and its target not created" {
	ln -s missing link
	refuses 65 link
	[[ ! -e missing ]]
}

@test "a link to a directory is refused" {
	mkdir data
	ln -s data link
	refuses 65 link
	[[ -z $(ls -A data) ]]
}

@test "a link on the way to the lock file is followed" {
	mkdir run
	ln -s run link
	run -0 onlyone link/lock true
	[[ -f run/lock ]]
}

# An open for writing, be it without waiting, would wake the writer, and lose what it writes.
@test "a FIFO is refused, and its writer goes on waiting for a reader" {
	mkfifo fifo
	sh -c 'echo precious >fifo' 3>&- &
	eventually "the writer waits for a reader" grep -q wait_for_partner "/proc/$!/wchan"
	refuses 65 fifo
	refuses 65 fifo -s
	run -0 timeout "$PATIENCE" cat fifo
	[[ $output == precious ]]
}

@test "a FIFO that nobody opened is refused at once" {
	mkfifo fifo
	run -65 timeout "$PATIENCE" onlyone fifo true
	run -65 timeout "$PATIENCE" onlyone -b fifo true
}

@test "a device is refused" {
	run -65 --separate-stderr onlyone /dev/null touch ran
	[[ $stderr == "onlyone: /dev/null: is not a regular file, left alone" && ! -e ran ]]
}

@test "a socket is refused" {
	need perl
	perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => "socket", Listen => 1) or die $!'
	[[ -S socket ]]
	refuses 65 socket
}

@test "a file with anything but a record in it is refused, however small" {
	local content
	for content in x '\0x' '\n' ' ' '#!/bin/sh\n' precious 'precious\n' 12345678 '12345678\n' \
		123456789 '1234567\0' '12\0' '12\0\n' '12\n\0' '\01234' '12 \n' ' 12\n' '12\r\n' '+12\n' \
		'-12\n' '0\n' '012\n' '4194305\n' '9999999\n' '12\n345\nx' '12\n-3\n' '1.5\n' '12 34\n' \
		'x\n\n' '\n\n' ' \n\n' '\n12\n\n' '12\0\n\n' '12\n\n\0' '12 \n\n' ' 12\n\n' '12\r\n\r\n' \
		'+12\n\n' '-12\n\n' '0\n\n' '012\n\n' '4194305\n\n' '12\n\n345\nx' '12\n\n-3\n' '12\n\nstarted\n'; do
		put "$content" file
		refuses 65 file
		[[ $stderr == "onlyone: file: $NO_RECORD" ]]
	done
}

@test "a large file is refused" {
	head -c 3M /dev/zero >large
	refuses 65 large
	truncate -s 100G sparse # nobody may read all of this first
	run -65 timeout "$PATIENCE" onlyone sparse true
	[[ $(stat -c %s sparse) == 107374182400 ]]
}

@test "a file that holds digits and more of them than a PID has is refused" {
	put '12\n\n12\n12\n12345678\n' file
	refuses 65 file
	printf '12\n\n%0254d' 12 >file # longer than a script makes it
	refuses 65 file
}

# Of a counter, of PostgreSQL's version, of another program's PID file.
@test "a file that holds a number of its own is left alone, whatever becomes of the command" {
	local content
	for content in '41\n' '15\n' '41' '1\n2\n3\n' '4711\n\n4712' '4711'; do
		[[ $content != *'\n\n'* ]] || continue # a record, with a script's own PID behind it
		put "$content" number
		refuses 65 number
		refuses 65 number -f
		refuses 65 number -s
		refuses 65 number -o
		[[ $stderr == "onlyone: number: $NO_RECORD" ]]
		run -65 onlyone number /nonexistent
		run -65 onlyone --status number
		run -65 onlyone --signal 0 number
		cmp number <(put "$content" /dev/stdout)
	done
}

@test "neither --force nor a shared lock takes what is no lock file" {
	echo precious >file
	refuses 65 file -f
	refuses 65 file -s
	refuses 65 file -b
	refuses 65 file -o
}

@test "a file that is refused is not locked either" {
	need flock
	echo precious >file
	# shellcheck disable=SC2016 # for the shell that flock starts
	run -65 flock file onlyone file true
	[[ $output == *"no lock record"* ]]
}

@test "a slip such as 'onlyone ./server.sh --port 80' does no harm to the server" {
	printf '#!/bin/sh\nexec sleep 600\n' >server.sh
	chmod +x server.sh
	local before
	before=$(state server.sh)
	run -65 --separate-stderr onlyone ./server.sh --port 80
	[[ $stderr == "onlyone: ./server.sh: $NO_RECORD" ]]
	[[ $(state server.sh) == "$before" ]]
}

# -- what is one --

@test "an empty file is taken" {
	: >lock
	takes lock
}

@test "a lock file of NULs alone is taken: what a power failure leaves of a record on some file systems" {
	need_attributes
	onlyone lock true
	put '\0\0\0\0\0' lock
	takes lock
}

@test "a lock file that an earlier command left is taken" {
	onlyone lock true
	takes lock
}

@test "a record without its attribute is taken, as from a backup" {
	local content
	for content in '1\n\n' '12\n\n' '4194304\n\n'; do
		put "$content" lock
		takes lock
	done
}

@test "a record is one wherever it was copied to, also without its attribute" {
	need tar
	onlyone lock true
	cp lock copy
	takes copy
	cp -a lock archived
	takes archived
	tar -cf backup lock
	mkdir restored
	tar -xf backup -C restored
	takes restored/lock
	cat lock >restored/cat
	takes restored/cat
}

@test "a lock file to which scripts add their PID is a lock file still" {
	local n
	for n in 1 2 3; do # as they do with flock(1): `exec 9>>lock; echo $$ >&9`
		run -0 bash -c '( onlyone --fd 9 && echo $$ >&9 ) 9>>lock'
		run -0 onlyone lock sh -c 'echo $$ >>lock'
	done
	takes lock
	run -0 onlyone lock sh -c 'echo $$ >lock' # instead of the record: our attribute is there
	need_attributes
	takes lock
}

@test "a lock file into which a command has written text is left alone, and it is said what to do" {
	run -0 onlyone lock sh -c 'echo started >>lock'
	refuses 65 lock
	[[ $stderr == "onlyone: lock: $NO_RECORD" ]]
	: >lock
	takes lock
}

# Whoever is killed between pwrite and ftruncate leaves the end of a longer record behind its own.
@test "a record with the rest of a longer one behind it is taken" {
	local content
	for content in '12\n\n45\n\n' '1\n\n4304\n\n' '123456\n\n\n' '12\n\n\n' '1\n\n4'; do
		put "$content" lock
		takes lock
	done
}

@test "a lock file with several names is taken" {
	onlyone lock true
	ln lock other
	takes other
	hold lock
	run -75 onlyone other true
	release
}

# -- how it is written --

@test "nothing is written before the lock is held" {
	onlyone lock true
	need flock
	local before
	before=$(state lock)
	# shellcheck disable=SC2016 # for the shell that flock starts
	run -75 flock lock onlyone lock true
	run -75 flock lock onlyone -w 0.05 lock true
	run -75 flock lock onlyone -s lock true
	[[ $(state lock) == "$before" ]]
}

@test "a command that cannot be found costs no more than the PID in the lock file" {
	run -127 onlyone lock ./missing
	[[ $(cat lock) =~ ^[0-9]+$ ]]
	takes lock
}

# -- mode --

@test "a new lock file is its owner's alone" {
	umask 0
	onlyone lock true
	[[ $(stat -c %a lock) == 600 ]]
}

@test "-m and the umask give a new lock file its mode" {
	umask 027
	onlyone -m 666 one true
	onlyone -m 777 two true
	umask 0
	onlyone -m 666 three true
	onlyone -m 400 four true
	[[ $(stat -c %a one two three four) == $'640\n750\n666\n400' ]]
}

@test "a lock file that its owner may not write is made, locked and recorded all the same" {
	mkdir -p -m 777 open
	unprivileged -m 444 lock sh -c 'cat lock; onlyone -n lock true; echo "$?"'
	[[ $status == 0 ]]
	[[ $(stat -c %a open/lock) == 444 && -s open/lock ]]
}

@test "a lock file that is there keeps its mode" {
	: >lock
	chmod 640 lock
	umask 0
	onlyone -m 666 lock true
	[[ $(stat -c %a lock) == 640 ]]
}

# -- what cannot be opened --

@test "a file that one may not write is refused, and stays as it was" {
	mkdir -m 777 open
	by_hand 12 open/lock
	chmod 444 open/lock
	local before
	before=$(state open/lock)
	unprivileged lock touch ran
	[[ $status == 77 && $stderr == "onlyone: lock: Permission denied" && ! -e open/ran ]]
	[[ $(state open/lock) == "$before" ]]
}

@test "a file that one may not read either is refused" {
	mkdir -m 777 open
	: >open/lock
	chmod 0 open/lock
	unprivileged -s lock touch ran
	[[ $status == 77 && $stderr == "onlyone: lock: Permission denied" && ! -e open/ran ]]
}

@test "in a directory that one may not write no lock file is made" {
	mkdir -p -m 777 open
	mkdir -m 555 open/shut
	unprivileged shut/lock true
	[[ $status == 77 && $stderr == "onlyone: shut/lock: Permission denied" ]]
	[[ -z $(ls -A open/shut) ]]
}

@test "a directory that one may not search is refused" {
	mkdir -p -m 777 open
	mkdir -m 0 open/shut
	unprivileged shut/lock true
	[[ $status == 77 && $stderr == "onlyone: shut/lock: Permission denied" ]]
}

@test "a missing directory is not made" {
	run -73 --separate-stderr onlyone missing/lock touch ran
	[[ $stderr == "onlyone: missing/lock: No such file or directory" && ! -e missing && ! -e ran ]]
}

@test "a file is no directory" {
	: >file
	run -73 --separate-stderr onlyone file/lock touch ran
	[[ $stderr == "onlyone: file/lock: Not a directory" && ! -s file && ! -e ran ]]
}

@test "a trailing slash asks for a directory, and none is made" {
	run -73 --separate-stderr onlyone lock/ touch ran
	[[ $stderr == "onlyone: lock/: "* && ! -e lock && ! -e ran ]]
	: >lock
	run -73 --separate-stderr onlyone lock/ touch ran
	[[ $stderr == "onlyone: lock/: "* && ! -s lock && ! -e ran ]]
}

@test "a setting of the kernel is no lock file, whatever number it holds" {
	need_unshare --net sh -c 'echo 100 >/proc/sys/net/core/somaxconn'
	run -0 unshare --net sh -c '
		echo 100 >/proc/sys/net/core/somaxconn
		onlyone /proc/sys/net/core/somaxconn touch ran; echo "$?"
		cat /proc/sys/net/core/somaxconn'
	[[ ${lines[1]} == 65 && ${lines[2]} == 100 && ! -e ran ]]
}

@test "a path that is too long is refused" {
	local name
	name=$(printf '%0256d' 0)
	run -73 --separate-stderr onlyone "$name" touch ran
	[[ $stderr == "onlyone: $name: File"*"ame too long" ]]
	name=$(printf './%.0s' {1..2100})lock
	run -73 --separate-stderr onlyone "$name" touch ran
	[[ $stderr == "onlyone: $name: File"*"ame too long" && ! -e lock && ! -e ran ]]
}

@test "the longest name and the longest path there are can be locked" {
	local name
	name=$(printf '%0255d' 0)
	run -0 onlyone "$name" true
	[[ -f $name ]]
	name=$(printf './%.0s' {1..2045})lock
	((${#name} < 4096))
	run -0 onlyone "$name" true
	[[ -f lock ]]
}

@test "on a read-only file system nothing can be locked, and nothing is changed" {
	need_unshare --mount mount -t tmpfs none .
	run -0 --separate-stderr mounted tmpfs size=64k <<-'END'
		printf "12\n\n" >lock
		mount -o remount,ro .
		for lock in lock new; do
			status=0
			onlyone "$lock" touch ../ran || status=$?
			echo "$status"
		done
		cat lock
		ls
	END
	[[ $output == $'73\n73\n12\n\nlock' && ! -e ran ]]
	[[ $stderr == $'onlyone: lock: Read-only file system\nonlyone: new: Read-only file system' ]]
}

@test "a shared lock can be had on a read-only file system" {
	need_unshare --mount mount -t tmpfs none .
	run -7 mounted tmpfs size=64k <<-'END'
		printf "12\n\n" >lock
		mount -o remount,ro .
		exec onlyone -s lock sh -c "exit 7"
	END
}

# -- what cannot be written --

@test "on a full disk the command does not run" {
	need_unshare --mount mount -t tmpfs none .
	run -0 --separate-stderr mounted tmpfs size=64k <<-'END'
		: >old
		chmod 640 old
		cat /dev/zero >ballast 2>/dev/null || :
		for lock in old new; do
			status=0
			onlyone "$lock" touch ../ran || status=$?
			stat -c "$status %s %a" "$lock"
		done
		rm ballast
		onlyone old touch ../freed
	END
	[[ $output == $'74 0 640\n74 0 600' && ! -e ran && -e freed ]]
	local what='the PID could not be written: No space left on device'
	[[ $stderr == "onlyone: old: $what"$'\n'"onlyone: new: $what" ]]
}

@test "a disk without a free inode holds no new lock file" {
	need_unshare --mount mount -t tmpfs none .
	run -73 mounted tmpfs nr_inodes=1 <<<'exec onlyone lock touch ../ran'
	[[ $output == "onlyone: lock: No space left on device" && ! -e ran ]]
}

# A limit of two bytes lets a part of the record through, as a disk does that fills up meanwhile.
@test "a PID that was written in part is taken back" {
	need prlimit
	local content
	for content in '12\n\n' '7\n\n' ''; do
		put "$content" lock
		cp lock before
		run -74 prlimit --fsize=2 onlyone lock touch ran
		[[ $output == "onlyone: lock: the PID could not be written: "* && ! -e ran ]]
		cmp before lock
	done
}

@test "a write that the kernel cuts short is none" {
	need strace
	by_hand 12 lock
	run -74 strace -qqq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:retval=2:when=1 \
		onlyone lock touch ran
	[[ $output == "onlyone: lock: the PID could not be written: No space left on device" ]]
	[[ $(cat lock) == 12 && ! -e ran ]]
}

@test "under a file limit of nothing the record stays as it was" {
	need prlimit
	onlyone lock true
	local before
	before=$(od -c lock)
	run -74 prlimit --fsize=0 onlyone lock touch ran
	[[ $output == "onlyone: lock: the PID could not be written: File too large" && ! -e ran ]]
	[[ $(od -c lock) == "$before" ]]
}

# small COMMAND...: on a stack that leaves room for few calls and a short environment.
small() {
	env -i bash -c 'ulimit -s 64 && exec "$@"' small "$@"
}

@test "on a stack of 64 kB everything works" {
	run -0 small "$ONLYONE" lock true
	for name in lock missing; do
		run -1 small "$ONLYONE" --status "$name"
		run -1 small "$ONLYONE" --pid "$name"
	done
	hold lock
	run -0 small "$ONLYONE" --status lock
	[[ $output == "held by PID $HOLDER "* ]]
	rm lock
	run -75 small "$ONLYONE" lock true
	run -0 small "$ONLYONE" --pid lock
	[[ $output == "$HOLDER" ]]
	release
}

@test "in a directory deeper than a path can be long a lock works" {
	local name
	name=$(printf '%0250d' 0)
	for _ in {1..20}; do
		mkdir "$name"
		cd "$name"
	done
	run -0 onlyone lock true
	"$ONLYONE" lock sleep 600 3>&- & # a latch would be out of reach
	eventually "the command runs" runs "$!" sleep
	run -75 --separate-stderr onlyone lock true
	[[ $stderr == "onlyone: lock: held by PID $! (sleep)" ]]
	rm lock
	run -75 --separate-stderr onlyone lock true
	[[ $stderr == "onlyone: lock: held by PID $! (sleep): the file that it locked was removed or replaced" ]]
	cd "$BATS_TEST_TMPDIR"
}

@test "without a free descriptor the command does not run" {
	need prlimit
	run -71 prlimit --nofile=5 onlyone lock touch ran 3>/dev/null 4>&-
	[[ $output == "onlyone: lock: "*file* && ! -e ran ]] # in the words of the C library
}

# -- a file that was replaced --

@test "who waited for a file that was replaced meanwhile starts over on the new one" {
	hold lock
	start_waiter lock -b lock sh -c 'cat lock >seen'
	mv lock old
	release
	await "$WAITER"
	[[ $(cat seen) == "$WAITER" && $(cat lock) == "$WAITER" && $(cat old) == "$HOLDER" ]]
}

@test "who waited for a file that was removed meanwhile makes a new one" {
	hold lock
	start_waiter lock -b lock sh -c 'cat lock >seen'
	rm lock
	release
	await "$WAITER"
	[[ $(cat seen) == "$WAITER" ]]
}

@test "who waited for a file that another of the same inode was mounted over starts over on that" {
	need_unshare --mount mount -t tmpfs none .
	need flock
	mkdir run
	# shellcheck disable=SC2016 # for the shell in the namespace
	run -0 unshare --mount bash -ec '
		mount -t tmpfs none run
		mkfifo ready release
		flock run/lock sh -c "echo >ready; read -r _ <release" 3>&- &
		hear ready
		inode=$(stat -c %i run/lock)
		onlyone -b run/lock sh -c "cat run/lock >seen" 3>&- &
		waiter=$!
		eventually "it waits" grep -q -e "-> .*:$inode " /proc/locks
		mount -t tmpfs none run
		: >run/lock
		[[ $(stat -c %i run/lock) == "$inode" ]] # since Linux 5.9
		say release
		await "$waiter"
		[[ $(cat seen) == "$waiter" ]]'
}

@test "who waited for a file that was replaced waits for the new one's holder too" {
	need flock
	hold lock
	start_waiter lock -b lock touch ran
	mv lock old
	hold_by flock lock
	release
	eventually "the waiter waits for the new file" waiters lock 1
	[[ ! -e ran ]]
	let_go
	await "$WAITER"
	[[ -e ran ]]
}

@test "who waited for files that were replaced keeps nothing of them open" {
	need flock
	mkfifo ready go0 go1 go2 go3
	mkdir run
	: >run/lock
	flock run/lock sh -c 'echo >ready; read -r _ <go0' 3>&- &
	hear ready
	start_waiter run/lock -b run/lock touch ran
	local n before=("/proc/$WAITER/fd/"*) now
	for n in 1 2 3; do
		rm run/lock
		# shellcheck disable=SC2016 # for the shell that flock starts
		flock run/lock sh -c 'echo >ready; read -r _ <"$0"' "go$n" 3>&- &
		hear ready
		say "go$((n - 1))"
		eventually "the waiter waits for the new file" waiters run/lock 1
		now=("/proc/$WAITER/fd/"*)
		[[ ${#now[@]} == "${#before[@]}" ]]
	done
	say go3
	await "$WAITER"
	[[ -e ran ]]
}

@test "a waiter's limit covers the files that come after, too" {
	need flock
	mkfifo ready go
	hold lock
	start_waiter lock -w 5 lock touch ran
	mv lock old
	flock lock sh -c 'echo >ready; read -r _ <go' 3>&- &
	hear ready
	release
	ended 75 "$WAITER"
	[[ ! -e ran ]]
	say go
}

@test "what is no lock file any more when the wait ends is refused" {
	hold lock
	start_waiter lock -b lock touch ran 2>said
	mv lock old
	echo precious >lock
	release
	ended 65 "$WAITER"
	[[ $(cat said) == "onlyone: lock: $NO_RECORD" ]]
	[[ $(cat lock) == precious && ! -e ran ]]
}

# -- a lease on it --

# leased: somebody has a lease (fcntl(2)) on lock, and gives it back when `go` is there.
leased() {
	need perl
	mkfifo ready
	perl -MFcntl -e '
		open my $lock, "<", "lock" or die $!;
		fcntl $lock, 1024, F_RDLCK or die $!; # F_SETLEASE
		$SIG{IO} = "IGNORE";
		open my $ready, ">", "ready" or die $!;
		close $ready;
		select undef, undef, undef, 0.01 until -e "go";
		fcntl $lock, 1024, F_UNLCK or die $!;
		sleep 600' 3>&- &
	disown "$!"
	timeout "$PATIENCE" cat ready
}

@test "a file on which somebody has a lease counts as held, and is waited for" {
	: >lock
	leased
	run -75 --separate-stderr onlyone lock touch ran
	[[ ! -e ran && $stderr == "onlyone: lock: held by an unknown process" ]]
	run -75 onlyone -w 0.1 lock touch ran
	[[ ! -e ran ]]
	"$ONLYONE" -b lock touch ran 3>&- &
	: >go
	ended 0 "$!"
	[[ -e ran ]]
}

# -- directories that others may write --

# fs.protected_regular (proc(5)): there even root may not open a file of another user's with O_CREAT.
@test "root locks another user's file in a sticky directory" {
	need_nobody
	mkdir -m 1777 sticky
	: >sticky/lock
	chown 65534:65534 sticky/lock
	takes sticky/lock
	hold sticky/lock
	run -75 onlyone sticky/lock true
	release
}
