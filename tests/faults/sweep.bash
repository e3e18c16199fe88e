# The sweep: one run for every system call that a program makes before its exec, and for every way
# in which that call can fail or be the program's last, with strace as the faulty kernel.
# shellcheck shell=bash
#
# A test defines what it sweeps, or keeps what is defined below:
#
#   given     the files, and who holds what, before each run
#   act       the run; `traced COMMAND...` puts the fault into it
#   judge     says what is wrong with the run, a line each
#   next      what must work afterwards, with nothing removed
#
# The calls are those of a run without a fault, found by tracing it. Left out is the C library's
# own start, which is what a start has in common with a usage error: nothing is locked yet. A brk
# that fails cannot be had either: the kernel answers with the old break, strace with an errno.
#
# Each sweep has a PID namespace of its own. A start may look at every process there is: how many
# calls that takes, and how long, must not depend on what else the machine does.

PROGRAM=$ONLYONE # what is swept
GUARDED=$BATS_TEST_TMPDIR/guarded
LOCK=lock                                  # what is locked
FILE=lock                                  # which file has the record
RECORDED=yes                               # that is, the command's PID
LOCKS="OFDLCK:WRITE:lock FLOCK:WRITE:lock" # what the command must find in /proc/locks
STATUSES="71 73 74 75 77 126 127"          # of a start whose command did not run
ALSO=                                      # a verdict of the command that will do, too
UNDER=()                                   # what to run it under, as env(1)
FAR="-f -b execve"                         # what strace follows, in runs with a fault

# Of each call's manual page, the file systems, and the modules and sandboxes that may forbid it.
# Not EFAULT, nor EBADF where nobody else closes descriptors. `=N`: it returns N and did nothing.
errnos() {
	local any="EINTR EIO ENOMEM ENOSYS EPERM"

	case $1 in
	getpgid) echo "$any" ;; # not ESRCH, which is its answer
	brk | exit* | get*id | rt_sigreturn | set_robust_list | umask) ;; # cannot fail, or as above
	clone* | fork | vfork) echo "$any EAGAIN ENOSPC" ;;
	chdir) echo "$any EACCES ELOOP ENOENT ENOTDIR" ;;
	close) echo "EDQUOT EINTR EIO ENOSPC EPERM" ;;
	dup3) echo "$any EBADF EBUSY EINVAL EMFILE" ;;
	execve)
		echo "$any E2BIG EACCES EAGAIN EINVAL EISDIR ELOOP EMFILE ENAMETOOLONG ENFILE ENOENT" \
			"ENOEXEC ENOTDIR ETXTBSY"
		;;
	fcntl)
		echo "$any EACCES EAGAIN EBADF EDEADLK EINVAL EMFILE ENOLCK EOPNOTSUPP EOVERFLOW ESTALE"
		;;
	flock) echo "$any EAGAIN EBADF EINVAL ENOLCK EOPNOTSUPP ESTALE" ;;
	ftruncate) echo "$any EACCES EDQUOT EFBIG EINVAL ENOSPC EROFS ESTALE ETXTBSY" ;;
	kill | pidfd_send_signal | tgkill) echo "$any EAGAIN EINVAL ESRCH" ;;
	madvise | mmap | mprotect | mremap | munmap) echo "EAGAIN ENOMEM EPERM" ;;
	open*)
		echo "$any EACCES EAGAIN EBUSY EDQUOT EEXIST EINVAL EISDIR ELOOP EMFILE ENAMETOOLONG" \
			"ENFILE ENODEV ENOENT ENOSPC ENOTDIR ENXIO EOVERFLOW EROFS ESRCH ESTALE ETXTBSY"
		;;
	pidfd_open) echo "$any EINVAL EMFILE ENFILE ENODEV ESRCH" ;;
	pipe2) echo "$any EMFILE ENFILE" ;;
	pwrite64) echo "$any EAGAIN EDQUOT EFBIG EINVAL ENOSPC EROFS ESTALE =0 =1 =3" ;;
	getdents64 | pread64 | read) echo "$any EAGAIN EINVAL EISDIR ENOENT ESRCH ESTALE" ;;
	*stat* | readlink*)
		echo "$any EACCES EINVAL ELOOP ENAMETOOLONG ENOENT ENOTDIR EOVERFLOW ESRCH ESTALE"
		;;
	timer_*) echo "$any EAGAIN EINVAL EOPNOTSUPP" ;;
	wait4) echo "$any ECHILD" ;;
	write*) echo "$any EAGAIN EDQUOT EFBIG ENOSPC EPIPE =0" ;;
	*xattr) echo "$any E2BIG EACCES EDQUOT EINVAL ENODATA ENOSPC EOPNOTSUPP ERANGE EROFS ESTALE" ;;
	*) echo "$any EAGAIN EINVAL" ;;
	esac
}

# -- one run --

limited() {
	timeout -s KILL "$PATIENCE" "${UNDER[@]}" "$@"
}

# traced COMMAND...: runs it with the fault. Returns once every process has ended that it leaves;
# $STATUS is its status, or anything where the command ran, which is not traced: the fault is not
# for that. A failing execve, though, has to be traced.
traced() {
	local far=$FAR
	case $CALL in
	"") far="-f -b execve" ;;
	execve) far= ;;
	esac
	# shellcheck disable=SC2034,SC2086 # OUTPUT is for the tests; several options, or none
	OUTPUT=$(limited strace $far -q -o trace -e "trace=${CALL:-all}" \
		${FAULT:+-e "inject=$CALL:$FAULT"} "$@" 2>messages)
	STATUS=$?
} 2>/dev/null # where bash would say `Killed`

given() {
	rm -f lock
}

act() {
	traced "$PROGRAM" "$LOCK" "$GUARDED"
}

# The command either ran under the lock, or did not run, and then it is said why.
judge() {
	case $VERDICT in
	"the command ran well" | "${ALSO:-the command ran well}") [[ ! -s messages ]] || judge_message ;;
	"") judge_failure ;;
	*) echo "$VERDICT" ;;
	esac
}

judge_failure() {
	[[ " $STATUSES " == *" $STATUS "* || "$STATUS $FAULT" == "65 error=ELOOP"* ]] ||
		echo "status $STATUS"
	judge_message
}

# One line; if that could be written.
judge_message() {
	local text=
	IFS= read -r -d '' text <messages || :
	[[ $text =~ ^"onlyone: "[^$'\n']+$'\n'$ || $CALL == write* ]] ||
		printf 'status %s with the message %q\n' "$STATUS" "$text"
}

# What it was, nothing yet, or a PID's line and an empty one, and behind them perhaps the end of a
# longer record.
judge_record() {
	local found=
	read_whole found "$FILE"
	[[ $found == "$OLD" || $found =~ ^[1-9][0-9]{0,6}$'\n\n'[0-9$'\n']*$ ]] ||
		printf 'the record is %q, was %q\n' "$found" "$OLD"
}

# read_whole VARIABLE FILE: the content with its newlines, without a process; nothing for no file.
read_whole() {
	printf -v "$1" %s ""
	[[ ! -e $2 ]] || IFS= read -r -d '' "$1" <"$2" || :
}

next() {
	"$PROGRAM" "$LOCK" true
}

# The guarded command. In `ran` it says how it found itself. The kernel hands out a long
# /proc/locks in pieces, and a lock can slip through between two: what is not seen is looked for
# again.
write_guarded() {
	cat >"$GUARDED" <<-'END'
		#!/bin/sh
		files= patterns= wrong= tries=5
		for lock in $LOCKS; do files="$files ${lock##*:}"; done
		inodes=$(stat -c %i $files)
		set -- $inodes
		for lock in $LOCKS; do
			kind=${lock#*:}
			patterns="$patterns -e ^[0-9]*:.${lock%%:*}.*ADVISORY..${kind%:*}.*:$1."
			shift
		done
		set -- $LOCKS
		until [ "$(grep -c $patterns /proc/locks)" = $# ]; do
			tries=$((tries - 1))
			[ $tries -gt 0 ] && continue
			"$PROGRAM" -q "$LOCK" true
			[ $? = 75 ] && wrong="$wrong, guarded by its record"
			wrong="$wrong, without the lock"
			break
		done
		if [ -n "$RECORDED" ]; then
			read -r pid <"$FILE"
			[ "$pid" = $$ ] || wrong="$wrong, with the record $pid"
		fi
		[ "$(grep -e ^SigBlk -e ^SigIgn /proc/self/status)" = "$SIGNALS" ] ||
			wrong="$wrong, with other signals"
		echo "the command ran${wrong:- well}" >>ran
	END
	chmod +x "$GUARDED"
	SIGNALS=$(limited grep -e ^SigBlk -e ^SigIgn /proc/self/status)
	export PROGRAM LOCK FILE RECORDED LOCKS SIGNALS
}

# try CALL FAULT: a run and a line for each thing that is wrong with it.
try() {
	local begin
	CALL=$1 FAULT=$2
	: >ran
	given
	read_whole OLD "$FILE"
	begin=$SECONDS
	act
	((SECONDS - begin < PATIENCE)) || echo "not ended within $PATIENCE s"
	read_whole VERDICT ran
	VERDICT=${VERDICT%$'\n'}
	if [[ $FAULT != signal=KILL:* || $STATUS != 137 || -n $VERDICT ]]; then
		judge
	fi
	judge_record
	next >said 2>&1 || echo "afterwards: status $?, $(<said)"
}

# -- all runs --

# `CALL NTH` for every call in `trace` behind the first $1, up to the exec. A search through /proc
# makes hundreds: three are tried of those that do the same to the same kind of file.
calls() {
	awk -v start="$1" '
		$2 !~ /^[a-z0-9_]+\(/ { next } # resumed, exited, signals
		first == "" { first = $1 }
		{
			name = $2
			sub(/\(.*/, "", name)
			what = name " " ++times[$1, name]
			if (name ~ /^(openat|readlink|newfstatat)$/) {
				file[$1] = $0
				sub(/^[^"]*"/, "", file[$1])
				sub(/".*/, "", file[$1])
				gsub(/[0-9]+/, "N", file[$1])
			}
			alike = $1 == first ? name file[$1] : $1 name file[$1]
		}
		$1 == first && ++seen <= start { next }
		++count[alike] <= 3 && !(what in told) {
			told[what]
			print what
		}' trace
}

# How many calls at the beginning of `trace` are the start of any run.
start_of_run() {
	strace -f -qq -o usage-error "$PROGRAM" 2>/dev/null
	awk '
		{ sub(/\(.*/, "", $2) }
		FILENAME == "trace" { name[FNR] = $2; next }
		name[FNR] != $2 { exit }
		{ n++ }
		END { print n + 0 }' trace usage-error
}

# faults errors|kills: `CALL NTH NAME FAULT` for each.
faults() {
	local call nth errno
	while read -r call nth; do
		# strace does not count the execve by which it starts the program.
		[[ $call != execve ]] || nth=$((nth - 1))
		if [[ $1 == kills ]]; then
			echo "$call $nth SIGKILL signal=KILL:when=$nth"
			continue
		fi
		for errno in $(errnos "$call"); do
			case $errno in
			=*) echo "$call $nth $errno retval=${errno#=}:when=$nth" ;;
			EINTR)
				echo "$call $nth EINTR error=EINTR:when=$nth"
				echo "$call $nth EINTR,EINTR,EINTR error=EINTR:when=$nth..$((nth + 2))"
				;;
			*) echo "$call $nth $errno error=$errno:when=$nth" ;;
			esac
		done
	done
}

need_sweep() {
	need strace
	need_unshare --pid --fork --kill-child --mount-proc
}

# sweep errors|kills [COMMAND]: names each fault that broke a promise; else says how many there were.
# COMMAND, a function, comes first: whom it starts is there for all runs.
sweep() {
	{
		declare -f
		declare -p ONLYONE PROGRAM GUARDED LOCK FILE RECORDED LOCKS STATUSES ALSO UNDER FAR PATIENCE
	} >definitions
	# shellcheck disable=SC2016 # for the shell in there
	unshare --pid --fork --kill-child --mount-proc bash -c '(. ./definitions; sweep_here "$@")' sweep "$@"
}

sweep_here() {
	local wrong line trace tried=0 reached=0 broken=0

	${2:+"$2"} || return
	write_guarded
	wrong=$(try "" "")
	[[ -z $wrong ]] || fail "a run without a fault: $wrong" || return
	cp trace first
	try "" "" >calm
	# The shorter of two: a holder that ends in the midst of a look takes calls that are seldom met.
	(($(wc -l <trace) <= $(wc -l <first))) || mv first trace
	faults "$1" < <(calls "$(start_of_run)") >planned
	while read -r -u 5 call nth name fault; do
		try "$call" "$fault" >wrong
		((++tried))
		read_whole trace trace
		[[ $trace != *INJECTED* && $trace != *"killed by SIGKILL"* ]] || ((++reached))
		[[ -s wrong ]] || continue
		((++broken))
		while IFS= read -r line; do echo "$call $nth $name: $line"; done <wrong
	done 5<planned
	echo "# $1: $tried faults tried, $reached met, $broken broke a promise" >&3
	# Not all are met: how much there is to read in /proc changes from run to run.
	((tried > 0 && reached * 4 >= tried * 3 && broken == 0))
}
