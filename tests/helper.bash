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

# For how many seconds an event is waited for. It takes milliseconds; the rest is for machines that
# have much else to do.
export PATIENCE=${PATIENCE:-120}

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

fail() {
	printf '%s\n' "$*" >&2
	return 1
}

# -- waiting for events --

# eventually WHAT COMMAND...: waits for COMMAND to succeed; WHAT says what did not happen.
eventually() {
	local what=$1 deadline=$((SECONDS + PATIENCE))
	shift
	until "$@"; do
		((SECONDS < deadline)) || fail "not within $PATIENCE s: $what" || return
		sleep 0.01
	done
}

# hear FIFO [VARIABLE]: waits for a line to be written into FIFO, into VARIABLE.
hear() {
	read -t "$PATIENCE" -r "${2:-_}" <>"$1" || fail "not within $PATIENCE s: a line in $1"
}

# say FIFO [LINE]: writes LINE, and waits for FIFO to be read.
say() {
	# shellcheck disable=SC2016 # sh expands it
	timeout "$PATIENCE" sh -c 'printf "%s\n" "$1" >"$0"' "$1" "${2:-}" ||
		fail "not within $PATIENCE s: a reader of $1"
}

# await [PID...]: waits for these children to end, or for all; the status is that of the last.
await() {
	local pid
	# shellcheck disable=SC2046 # a word each
	(($# > 0)) || set -- $(jobs -pr)
	for pid; do
		eventually "PID $pid has ended" gone "$pid" || return
	done
	wait "$@"
}

# ended STATUS PID: so ended the child PID. (A `run await` would ask a subshell, whose child it is
# not.)
ended() {
	local got=0
	await "$2" || got=$?
	((got == $1)) || fail "PID $2 ended with $got, not $1"
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

# Whether process $1 has become the command $2.
runs() {
	[[ /proc/$1/exe -ef $(command -v "$2") ]]
}

# For the bash scripts of the tests, too.
export -f fail eventually hear say await gone runs

# -- holders --

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
	hear "$latch/ready" || fail "no holder: onlyone $*"
}

# release [STATUS]: ends the latest holder and returns its status.
release() {
	say "$LATCH/release" "${1:-0}"
	await "$HOLDER"
}

# hold_by TOOL...: another tool than onlyone holds what it names until `let_go`. $OTHER is the PID
# that was started.
hold_by() {
	mkdir -p other
	rm -f other/*
	mkfifo other/ready other/go
	"$@" sh -c 'echo >other/ready; read -r _ <other/go' 3>&- &
	OTHER=$!
	hear other/ready || fail "no holder: $*"
}

let_go() {
	say other/go
	await "$OTHER"
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

# -- what a test needs, found out by trying it --

# missing NAME WHAT REMEDY: skips the test for want of WHAT, and notes the REMEDY for the end of the
# run. With ONLYONE_NO_SKIP that is a failure, unless ONLYONE_MAY_LACK has the NAME.
missing() {
	[[ -z ${ONLYONE_NO_SKIP:-} || " ${ONLYONE_MAY_LACK:-} " == *" $1 "* ]] ||
		fail "$2 (may lack: $1)" || return
	[[ -z ${ONLYONE_SKIPS:-} ]] || printf '%s\n' "$3" >>"$ONLYONE_SKIPS"
	skip "$2"
}

# need TOOL...: the tools are there, and strace may trace. A tool's NAME is that of its package.
need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null ||
			missing "$(package_of "$tool")" "$tool is missing" "apt-get install $(package_of "$tool")"
		[[ $tool != strace ]] || strace -o /dev/null true 2>/dev/null ||
			missing ptrace "strace may not trace" CAP_SYS_PTRACE
	done
}

package_of() {
	case $1 in
	apache2) echo apache2-bin ;;
	btrfs | mkfs.btrfs) echo btrfs-progs ;;
	cc) echo gcc ;;
	chpst) echo runit ;;
	chroot) echo coreutils ;;
	dnsmasq) echo dnsmasq-base ;;
	flock | prlimit | setpriv | unshare) echo util-linux ;;
	getfattr | setfattr) echo attr ;;
	initdb | pg_ctl | postgres | psql) echo postgresql ;;
	lckdo) echo moreutils ;;
	mariadbd) echo mariadb-server-core ;;
	mkfs.ext4) echo e2fsprogs ;;
	musl-gcc) echo musl-tools ;;
	nginx) echo nginx-light ;;
	readelf) echo binutils ;;
	redis-cli) echo redis-server ;;
	s6-setlock) echo s6 ;;
	script) echo bsdutils ;;
	setlock) echo daemontools ;;
	ssh | ssh-keygen) echo openssh-client ;;
	sshd) echo openssh-server ;;
	*) echo "$1" ;;
	esac
}

need_attributes() {
	need_attributes_in "$PWD"
}

# need_attributes_in DIRECTORY: files have user attributes there (on tmpfs since Linux 6.6).
need_attributes_in() {
	local probe
	need setfattr getfattr
	probe=$(mktemp "$1/probe.XXXXXX")
	setfattr -n user.probe -v 1 "$probe" 2>/dev/null ||
		missing attributes "no user attributes in $1" "a TMPDIR with user attributes"
	rm "$probe"
}

# need_mountinfo: it has a line for the file system of this directory, unlike in a chroot whose root is
# no mount point. Else a lock's name is that of the directory alone, and -v says so.
need_mountinfo() {
	local id
	id=$(awk '/^mnt_id:/ { print $2 }' /proc/self/fdinfo/0 <.)
	grep -q "^$id " /proc/self/mountinfo ||
		missing mountinfo "no line in mountinfo for the file system of $PWD" "a / that is a mount point"
}

# need_way_up: the directories above this one can be seen, up to the root of the file system or one
# below it. Else nothing vouches for a record.
need_way_up() {
	local root
	root=$(awk -v mount="$(stat -c %m .)" '$5 == mount { root = $4 } END { print root }' /proc/self/mountinfo)
	[[ $root =~ ^/[^/]*$ ]] ||
		missing way_up "no seeing the directories above $PWD, up to the root of the file system" \
			"a TMPDIR on a file system that is mounted whole"
}

# need_orphaned_locks: who waits for a lock of flock(2) is listed when the process that took it has
# ended, too. In a PID namespace the kernel leaves both out.
need_orphaned_locks() {
	local fd
	need flock
	exec {fd}>probe
	flock "$fd"
	grep -q ":$(stat -c %i probe) " /proc/locks ||
		missing orphaned_locks "/proc/locks leaves out locks whose process has ended" \
			"the PID namespace of the machine"
	exec {fd}>&-
	rm probe
}

# need_terminal: a terminal of the test's own.
need_terminal() {
	need script
	script -qec true /dev/null </dev/null >/dev/null 2>&1 ||
		missing terminals "no terminal can be made" "a /dev/pts"
}

# need_unshare OPTION... [COMMAND...]: namespaces of one's own, and COMMAND can be done in them.
need_unshare() {
	local options=() said remedy=root
	need unshare
	while [[ ${1:-} == -* ]]; do
		options+=("$1")
		shift
	done
	said=$(unshare "${options[@]}" -- "${@:-true}" 2>&1) && return
	((EUID != 0)) || remedy=CAP_SYS_ADMIN
	case $said in
	*propagation*) remedy="a / that is a mount point" ;;
	*/proc/sys/*) remedy="a /proc/sys that can be written" ;;
	esac
	said=${said#unshare: }
	said=${said#unshare failed: }
	missing namespaces "unshare ${options[*]}: ${said%%$'\n'*}" "$remedy"
}

# need_container: what in_container and next_pid_is do.
need_container() {
	need_unshare --pid --fork --kill-child --mount-proc bash -ec 'next_pid_is 100'
}

# need_nobody: files and processes of another user's.
need_nobody() {
	need setpriv
	: >probe
	{ chown 65534 probe && as_nobody true; } 2>/dev/null ||
		missing root "there is no being another user" root
	rm probe
}

# need_sight: of what another user's processes have open.
need_sight() {
	local other
	need_nobody
	mkfifo probe
	as_nobody sh -c 'echo $$; exec sleep 600' >probe 3>&- &
	hear probe other || fail "there is no process of nobody's"
	readlink "/proc/$other/fd/0" >/dev/null ||
		missing sight "another user's descriptors cannot be seen" CAP_SYS_PTRACE
	kill "$other"
	wait "$!" 2>/dev/null || :
	rm probe
}

# need_no_sight: root without it, as in a container.
need_no_sight() {
	without_sight true 2>/dev/null || missing root "capabilities cannot be dropped" root
}

without_sight() {
	setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace "$@"
}

# Lets the user nobody run onlyone in here, wherever it was built.
let_nobody_in() {
	need_nobody
	chmod a+x "$BATS_RUN_TMPDIR"
	install -D -m 755 "$ONLYONE" bin/onlyone
	ONLYONE=$PWD/bin/onlyone
	PATH=$PWD/bin:$PATH
	as_nobody test -x "$ONLYONE" ||
		missing tmp "other users may not come to $PWD" "a TMPDIR that is open to all users"
}

as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
export -f as_nobody

# The same to put in front of a command in the background, whose PID is wanted.
# shellcheck disable=SC2034 # for the tests
NOBODY=(setpriv --reuid=65534 --regid=65534 --clear-groups)

# reader FROM LENGTH [PID] <FILE: what another user can do who may only read FILE, be it a directory:
# he locks these bytes, for reading, and has a pidfd of PID. $READER is his process.
reader() {
	[[ -p reader ]] || mkfifo reader
	# fcntl(2)'s F_OFD_SETLK is 37, pidfd_open(2) is 434.
	# shellcheck disable=SC2016 # perl expands it
	setpriv --reuid=65534 --regid=65534 --clear-groups perl -MFcntl -e '
		my $range = pack "s s x![q] q q l x4", F_RDLCK, 0, @ARGV[0, 1], 0;
		fcntl STDIN, 37, $range or die $!;
		@ARGV < 3 or syscall(434, $ARGV[2] + 0, 0) != -1 or die $!;
		syswrite STDOUT, "\n" or die $!;
		sleep 600' "$@" <&0 >reader 3>&- &
	export READER=$! # for the test
	hear reader
	disown "$READER"
}

# For reader: two bytes behind every mark, the last of which could be one.
# shellcheck disable=SC2034
BEHIND_MARKS=(9223372036854775805 2)

# -- containers --

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

# in_state LETTER PID: R, S, T ... of proc_pid_status(5).
in_state() {
	grep -q "^State:[[:space:]]*$1" "/proc/$2/status"
}

# Whether process $1 has a pidfd of process $2.
has_pidfd_of() {
	grep -qs "^Pid:[[:space:]]*$2\$" "/proc/$1/fdinfo/"*
}

# Whether process $1 waits for process $2: with no lock in hand. (A start first gives it a moment.)
waits_for() {
	has_pidfd_of "$@" && ! grep -qs ^lock: "/proc/$1/fdinfo/"*
}
