#!/usr/bin/env bats
# --fd: a descriptor that the caller opened is locked, and -u gives it back.
# shellcheck disable=SC2016 # the scripts in single quotes are for other shells

load helper

# shell SCRIPT: a bash that says `ready` and stays by `stay`, until `go`. $SHELL_PID is its PID.
shell() {
	[[ -p ready ]] || mkfifo ready release
	bash -ec 'ready() { echo >ready; }; stay() { read -r _ <release; }; '"$1" 3>&- &
	SHELL_PID=$!
	hear ready || fail "not ready: $1"
}

go() {
	say release
	await "$SHELL_PID"
}

# -- without COMMAND: the caller keeps the lock --

@test "( onlyone --fd 9 || exit 1; ... ) 9>>lock: one at a time" {
	shell '( onlyone --fd 9 || exit 1; ready; stay ) 9>>lock'
	run -1 --separate-stderr bash -c '( onlyone --fd 9 || exit 1; touch ran ) 9>>lock'
	[[ ! -e ran && $stderr =~ ^"onlyone: descriptor 9: held by PID "[0-9]+" (bash)"$ ]]
	run -75 onlyone lock true
	run -1 flock -n lock true
	go
	run -0 bash -c '( onlyone --fd 9 || exit 1; touch ran ) 9>>lock'
	[[ -e ran ]]
}

@test "the record names the caller" {
	shell 'exec 9>>lock; onlyone --fd 9; ready; stay'
	[[ $(cat lock) == "$SHELL_PID" ]]
	run -75 --separate-stderr onlyone lock true
	[[ $stderr == "onlyone: lock: held by PID $SHELL_PID (bash)" ]]
	go
	run -0 bash -c '( onlyone --fd 9 && echo "$BASHPID" && cat lock ) 9>>lock'
	[[ ${lines[0]} == "${lines[1]}" ]]
}

@test "the record is right, and alone, however the descriptor was opened" {
	for redirection in '9>>lock' '9<>lock' '9>lock'; do
		for _ in 1 2 3; do
			run -0 bash -c "exec $redirection"'; echo $$; onlyone --fd 9; cat lock; stat -c %s lock'
			[[ ${lines[0]} == "${lines[1]}" && ${#lines[@]} == 3 ]]
			((lines[2] == ${#lines[0]} + 2)) # with the empty line, which run drops
			by_hand 4194304 lock # a longer one, for the next
		done
	done
}

@test "any descriptor, whatever its number" {
	for n in 0 3 10 63 64 200; do
		run -0 bash -c 'exec '"$n"'<>lock; onlyone --fd '"$n"'; flock -n lock true; echo $?'
		[[ $output == 1 ]]
	done
	run -0 onlyone lock true
}

@test "the lock lives as long as anybody has the caller's open file" {
	run -0 bash -c 'exec 9>>lock; onlyone --fd 9; sleep 600 3>&- >/dev/null 2>&1 & echo $!'
	child=$output
	run -75 onlyone lock true
	kill "$child"
	run -0 onlyone -w 120 lock true

	run -0 bash -c 'exec 9>>lock 8>&9; onlyone --fd 9; exec 9>&-; flock -n lock true; echo $?; exec 8>&-; flock -n lock true; echo $?'
	[[ $output == 1$'\n'0 ]]
}

@test "a descriptor that was opened anew is another lock" {
	run -0 bash -c 'exec 9>>lock 8>>lock; onlyone --fd 9; onlyone --fd 8; echo $?' 2>/dev/null
	[[ ${lines[-1]} == 75 ]]
}

@test "locking twice is no conflict with oneself" {
	run -0 bash -ec 'exec 9>>lock; onlyone --fd 9; onlyone --fd 9; cat lock; echo $$'
	[[ ${lines[0]} == "${lines[1]}" ]]
}

@test "no incarnation is recorded, so a shell may close its descriptor on purpose" {
	need_attributes
	onlyone lock true
	run -0 getfattr -n user.onlyone lock
	shell 'exec 9>>lock; onlyone --fd 9; ready; stay; exec 9>&-; ready; stay'
	run -1 getfattr -n user.onlyone lock
	say release
	hear ready
	run -0 onlyone lock true
	go
}

@test "-w waits for it, -E and -q are heeded" {
	hold lock
	run -9 --separate-stderr onlyone --fd 9 -E 9 -q -w 0.05 9>>lock
	[[ -z $stderr ]]
	exec 9>>lock
	start_waiter lock --fd 9 -w 120 touch ran
	exec 9>&-
	[[ ! -e ran ]]
	release
	await "$WAITER"
	[[ -e ran ]]
}

@test "for a caller outside of the PID namespace the lock is taken, and nobody is recorded" {
	need_unshare --pid --fork
	onlyone lock true
	exec 9>>lock
	run -0 unshare --pid --fork "$ONLYONE" --fd 9
	[[ ! -s lock ]]
	run -75 onlyone lock touch ran
	exec 9>&-
	run -0 onlyone lock true
}

@test "who is refused keeps no part of the lock" {
	mkfifo flocked unlock
	flock lock sh -c 'echo >flocked; read -r _ <unlock' 3>&- & # one of the two kinds that are asked for
	flock=$!
	hear flocked
	shell 'exec 9>>lock; onlyone --fd 9 2>/dev/null || echo "$?" >status; ready; stay'
	[[ $(cat status) == 75 ]]
	say unlock
	await "$flock"
	run -0 onlyone lock true
	go
}

# A shell is refused on account of the holder, and keeps no lock of the file.
refused_without_a_lock() {
	shell 'exec 9>>lock; onlyone --fd 9 2>/dev/null || echo "$?" >status; ready; stay'
	[[ $(cat status) == 75 ]]
	run -0 flock -n lock true
	release
	run -0 onlyone lock true
	go
}

@test "who is refused on account of a command that has closed the lock keeps none of it" {
	desert lock
	refused_without_a_lock
}

@test "nor does who is refused on account of a file that was removed" {
	hold lock
	rm lock
	refused_without_a_lock
}

@test "-w waits also for a command that has closed the lock, and for who holds a removed file" {
	desert lock
	"$ONLYONE" --fd 9 -w 120 touch first 9>>lock 3>&- &
	starter=$!
	eventually "it waits" waits_for "$starter" "$HOLDER"
	release
	await "$starter"
	[[ -e first ]]

	hold lock
	rm lock
	"$ONLYONE" --fd 9 -w 120 touch second 9>>lock 3>&- &
	starter=$!
	eventually "it waits" waits_for "$starter" "$HOLDER"
	release
	await "$starter"
	[[ -e second ]]
}

@test "a command beside its recorded parent, which has closed the lock, is refused" {
	need_attributes
	run -0 onlyone lock bash -c 'exec {ONLYONE_FD}>&-; onlyone --fd 9 touch ran 9>>lock; echo $?' 2>/dev/null
	[[ ${lines[-1]} == 75 && ! -e ran ]]
}

# -- with COMMAND --

@test "the command is exec'd under the lock, with the descriptor" {
	shell 'exec 9>>lock; exec onlyone --fd 9 bash -c "echo \$ONLYONE_FD \${ONLYONE_LOCK-none} >out; echo >ready; read -r _ <release; exit 7"'
	[[ $(cat out) == "9 none" && $(cat lock) == "$SHELL_PID" ]]
	[[ /proc/$SHELL_PID/fd/9 -ef lock ]]
	run -75 --separate-stderr onlyone lock true
	[[ $stderr == "onlyone: lock: held by PID $SHELL_PID (bash)" ]]
	status=0
	go || status=$?
	[[ $status == 7 ]]
	run -0 onlyone lock true
}

@test "the command of an outer onlyone's command is not told of the outer lock" {
	run -0 onlyone outer bash -c 'exec 9>>lock; exec onlyone --fd 9 bash -c "echo \${ONLYONE_LOCK-none} \$ONLYONE_FD"'
	[[ $output == "none 9" ]]
}

@test "a command that closes the descriptor is guarded by its record" {
	need_attributes
	shell 'exec 9>>lock; exec onlyone --fd 9 bash -c "exec 9>&-; echo >ready; read -r _ <release"'
	run -0 flock -n lock true
	run -75 --separate-stderr onlyone lock true
	[[ $stderr == "onlyone: lock: held by PID $SHELL_PID (bash): it has closed the lock, but runs on; "* ]]
	run -75 onlyone --fd 9 touch ran 9>>lock
	[[ ! -e ran ]]
	go
	run -0 onlyone lock true
}

@test "the caller that keeps its descriptor keeps the lock when the command has ended" {
	need_attributes
	shell 'exec 9>>lock; onlyone --fd 9 true; ready; stay'
	run -75 --separate-stderr onlyone lock true
	[[ $stderr == "onlyone: lock: held by PID $SHELL_PID (bash): the recorded process "*" has ended" ]]
	go
}

@test "with -o the command has no descriptor, and the keeper holds the caller's lock" {
	mkfifo ready release
	exec 9>>lock
	"$ONLYONE" -o --fd 9 bash -c 'echo "${ONLYONE_FD-none}" >out; echo >ready; read -r _ <release' 3>&- &
	command=$!
	exec 9>&-
	hear ready
	[[ $(cat out) == none && $(readlink "/proc/$command/fd/"*) != *"$PWD/lock"* ]]
	run -1 flock -n lock true
	run -75 --separate-stderr onlyone lock true
	[[ $stderr == "onlyone: lock: held by PID $command (bash)" ]]
	say release
	await "$command"
	run -0 onlyone lock true
}

# As of a supervisor that opens the lock once and starts children.
@test "of two commands through one descriptor the second is refused" {
	mkfifo ready release
	exec 9>>lock
	"$ONLYONE" --fd 9 sh -c 'echo >ready; read -r _ <release' 3>&- &
	command=$!
	hear ready
	run -75 --separate-stderr onlyone --fd 9 touch ran
	[[ ! -e ran && $stderr == "onlyone: descriptor 9: held by PID $command (sh)" && $(cat lock) == "$command" ]]
	run -75 onlyone lock true
	say release
	await "$command"
	run -0 onlyone --fd 9 touch ran
	[[ -e ran ]]
	exec 9>&-
}

@test "nor does a shared one start beside it, which would take its exclusive lock from it" {
	mkfifo ready release
	exec 9<>lock
	"$ONLYONE" --fd 9 sh -c 'echo >ready; read -r _ <release' 3>&- &
	hear ready
	run -75 onlyone -s --fd 9 touch ran
	[[ ! -e ran && $(locks_of 9) == "$BOTH" ]]
	say release
	await "$!"
	exec 9>&-
}

@test "-u leaves the record of another command that was lent the descriptor and still runs" {
	need_attributes
	mkfifo ready release
	exec 9>>lock
	"$ONLYONE" --fd 9 sh -c 'echo >ready; read -r _ <release' 3>&- &
	command=$!
	hear ready
	onlyone -u --fd 9
	[[ $(cat lock) == "$command" ]]
	exec 9>&-
	run -75 onlyone lock touch ran
	[[ ! -e ran ]]
	say release
	await "$command"
	run -0 onlyone lock true
}

@test "a guarded command that takes its own lock once more stays guarded" {
	need_attributes
	mkfifo ready release
	# shellcheck disable=SC2016 # bash expands it
	"$ONLYONE" lock bash -c 'onlyone --fd "$ONLYONE_FD"; exec {ONLYONE_FD}>&-; echo >ready; read -r _ <release' 3>&- &
	hear ready
	run -75 onlyone lock touch ran
	[[ ! -e ran ]]
	say release
	await "$!"
}

@test "nor is its guard taken by a child that it lends the lock to" {
	need_attributes
	mkfifo ready release
	# shellcheck disable=SC2016 # bash expands it
	"$ONLYONE" lock bash -c 'onlyone --fd "$ONLYONE_FD" true; exec {ONLYONE_FD}>&-; echo >ready; read -r _ <release' 3>&- &
	hear ready
	run -75 onlyone lock touch ran
	[[ ! -e ran ]]
	say release
	await "$!"
}

@test "who waits gets it through the same descriptor when the first command has ended" {
	mkfifo ready release
	exec 9>>lock
	"$ONLYONE" --fd 9 sh -c 'echo >ready; read -r _ <release' 3>&- &
	command=$!
	hear ready
	"$ONLYONE" -b --fd 9 touch ran 3>&- &
	second=$!
	eventually "the second waits" has_pidfd_of "$second" "$command"
	[[ ! -e ran ]]
	say release
	await "$command"
	ended 0 "$second"
	[[ -e ran ]]
	exec 9>&-
}

@test "two commands through one descriptor share a shared lock" {
	mkfifo ready release
	exec 9<>lock
	"$ONLYONE" -s --fd 9 sh -c 'echo >ready; read -r _ <release' 3>&- &
	hear ready
	run -0 onlyone -s --fd 9 true
	say release
	await "$!"
	exec 9>&-
}

@test "a command that has the lock may run something under it, and that again, by lending the descriptor on" {
	run -0 onlyone lock bash -c 'echo $$; onlyone --fd "$ONLYONE_FD" bash -c '\''(onlyone --fd "$ONLYONE_FD" sh -c "cat lock"; :); :'\''; :'
	[[ ${lines[0]} == "${lines[1]}" ]] # the first one stays the recorded one
	run -0 bash -c 'exec 9>>lock; onlyone --fd 9 bash -c '\''onlyone --fd 9 echo ran; :'\''; :'
	[[ $output == ran ]]
}

# -- shared --

@test "-s on a descriptor for reading, beside others, against exclusive ones" {
	touch lock
	shell 'exec 9<lock; onlyone -s --fd 9; ready; stay'
	run -0 bash -c 'exec 9<lock; onlyone -s --fd 9'
	run -0 onlyone -s lock true
	run -75 onlyone lock true
	run -75 onlyone --fd 9 9>>lock
	[[ ! -s lock ]]
	go
	run -0 onlyone lock true
}

@test "-s on a descriptor for both" {
	shell 'exec 9<>lock; onlyone -s --fd 9; ready; stay'
	run -0 onlyone -s lock true
	run -75 onlyone lock true
	go
}

@test "-s on a descriptor of a file that one may only read" {
	let_nobody_in
	install -m 644 /dev/null lock
	run -0 as_nobody bash -c 'exec 9<lock; onlyone -s --fd 9; flock -n "$0" true || echo held' lock
	[[ $output == held ]]
}

@test "a shared lock becomes an exclusive one, and back" {
	shell 'exec 9<>lock; onlyone -s --fd 9; onlyone --fd 9; ready; stay; onlyone -s --fd 9; ready; stay'
	run -75 onlyone -s lock true
	[[ $(cat lock) == "$SHELL_PID" ]]
	say release
	hear ready
	run -0 onlyone -s lock true
	run -75 onlyone lock true
	go
}

@test "a command that has made its lock a shared one lets other shared ones in" {
	mkfifo ready release
	"$ONLYONE" lock bash -c 'onlyone -s --fd "$ONLYONE_FD"; echo >ready; read -r _ <release' 3>&- &
	hear ready
	run -0 onlyone -s lock true
	run -75 onlyone lock touch ran
	[[ ! -e ran ]]
	say release
	await "$!"
	run -0 onlyone lock true
}

@test "a lock that its command has made a shared one lets in readers who may not look into the command" {
	let_nobody_in
	mkfifo ready release
	"$ONLYONE" -m 644 lock sh -c 'onlyone -s --fd "$ONLYONE_FD" && echo >ready; read -r _ <release' 3>&- &
	hear ready
	run -0 as_nobody "$ONLYONE" -s lock true
	say release
	await "$!"
}

# Each waits for the other to give up his shared lock, were it not given up before the wait.
@test "of two that share a lock and both wait for an exclusive one, each gets it in turn" {
	need_orphaned_locks
	local n waiters=()
	for n in 1 2; do
		mkfifo "ready$n" "go$n"
		bash -c 'exec 9<>lock; onlyone -s --fd 9; echo >"ready$0"; read -r _ <"go$0"
			onlyone -b --fd 9 && echo "$0" >>turns' "$n" 3>&- &
		waiters+=("$!")
		hear "ready$n"
	done
	say go1
	eventually "the first waits" waiters lock 1
	say go2
	ended 0 "${waiters[0]}"
	ended 0 "${waiters[1]}"
	[[ $(sort turns) == $'1\n2' ]]
}

@test "a descriptor that root opened can be locked by who could not open the file" {
	let_nobody_in
	chmod 777 .
	run -0 bash -c 'umask 077; exec 9<>lock 8>ran
		setpriv --reuid=65534 --regid=65534 --clear-groups "$0" --fd 9 sh -c "echo ran >&8; echo \$\$"' "$ONLYONE"
	[[ $(cat ran) == ran && $(cat lock) == "$output" ]]
	exec 9<>lock
	run -0 as_nobody "$ONLYONE" --fd 9
	run -75 onlyone lock true
	run -0 as_nobody "$ONLYONE" -u --fd 9
	run -0 onlyone lock true
	exec 9>&-
}

# -- what cannot be locked --

# refused STATUS MESSAGE SCRIPT
refused() {
	run "-$1" --separate-stderr bash -c "$3"
	# shellcheck disable=SC2154 # run sets it
	[[ ! -e ran && $stderr == "onlyone: descriptor 9: $2" ]]
}

@test "an exclusive lock needs a descriptor for writing, a shared one a descriptor for reading" {
	touch lock
	refused 64 'is open for reading only; an exclusive lock needs writing, as in 9>>FILE' 'onlyone --fd 9 touch ran 9<lock'
	refused 64 'is open for writing only; a shared lock needs reading, as in 9<FILE' 'onlyone -s --fd 9 touch ran 9>>lock'
	run -0 onlyone lock true
}

@test "a descriptor that is not open" {
	refused 64 'is not open' 'onlyone --fd 9 touch ran 9>&-'
	run -64 onlyone --fd 99999 true
}

@test "a descriptor that was opened as a mere path" {
	need perl
	touch lock
	refused 64 'is not open' 'exec perl -MPOSIX -e '\''
		sysopen my $lock, "lock", 010000000 or die $!; # O_PATH
		POSIX::dup2(fileno $lock, 9);
		exec "onlyone", @ARGV'\'' -- --fd 9 touch ran'
}

@test "what is no descriptor" {
	for bad in "" x -1 +9 9x 0x9 "9 " 9.0 99999999999; do
		run -64 --separate-stderr onlyone --fd "$bad" touch ran
		[[ ! -e ran && $stderr == "onlyone: $bad: not a valid descriptor" ]]
	done
	run -64 onlyone --fd
}

@test "a FIFO, a device, a directory" {
	mkfifo fifo
	mkdir data
	refused 65 'is not a regular file, left alone' 'onlyone --fd 9 touch ran 9<>fifo'
	refused 65 'is not a regular file, left alone' 'onlyone --fd 9 touch ran 9>/dev/null'
	refused 65 'is a directory; name it as LOCK instead' 'onlyone --fd 9 touch ran 9<data'
	refused 65 'is a directory; name it as LOCK instead' 'onlyone -s --fd 9 touch ran 9<data'
}

@test "a file that holds something else is left alone" {
	for content in 'port = 80, host = example' abc '12 monkeys' -1 0 41 $'41\n42'; do
		echo "$content" >foreign
		refused 65 "$NO_RECORD" 'onlyone --fd 9 touch ran 9>>foreign'
		refused 65 "$NO_RECORD" 'onlyone --fd 9 touch ran 9<>foreign'
		refused 65 "$NO_RECORD" 'onlyone --fd 9 9<>foreign'
		refused 65 "$NO_RECORD" 'onlyone -s --fd 9 touch ran 9<foreign'
		[[ $(cat foreign) == "$content" ]]
	done
}

@test "a file that was removed or replaced after it was opened" {
	refused 71 'its file was removed or renamed; open it again' 'exec 9>>lock; rm lock; onlyone --fd 9 touch ran'
	refused 71 'its file was removed or renamed; open it again' 'exec 9>>lock; : >new; mv new lock; onlyone --fd 9 touch ran'
	run -0 onlyone lock true
}

@test "9>lock empties the record of who holds it, who is named all the same" {
	hold lock
	run -75 --separate-stderr onlyone --fd 9 touch ran 9>lock
	[[ ! -e ran && ! -s lock ]]
	[[ $stderr == "onlyone: descriptor 9: held by PID $HOLDER (sh)" ]]
	run -75 onlyone lock true
	run -0 onlyone --pid lock
	[[ $output == "$HOLDER" ]]
	release
	run -0 onlyone --fd 9 true 9>lock
}

# -- -u --

@test "-u gives the lock back and clears the record, and the descriptor stays open" {
	shell 'exec 9>>lock; onlyone --fd 9; onlyone -u --fd 9; ready; stay; onlyone --fd 9; ready; stay'
	[[ ! -s lock && /proc/$SHELL_PID/fd/9 -ef lock ]]
	run -0 flock -n lock true
	run -0 onlyone lock true
	say release
	hear ready
	run -75 onlyone lock true
	[[ $(cat lock) == "$SHELL_PID" ]]
	go
}

@test "-u clears a record of who has ended" {
	run -0 bash -ec 'exec 9>>lock; (onlyone --fd 9; :); [[ -s lock && $(cat lock) != $$ ]]; onlyone -u --fd 9; cat lock'
	[[ -z $output ]]
}

@test "-u gives a shared lock back" {
	touch lock
	shell 'exec 9<lock; onlyone -s --fd 9; onlyone --unlock --fd 9; ready; stay'
	run -0 onlyone lock true
	go
	by_hand 12 lock
	shell 'exec 9<>lock; onlyone -s --fd 9; onlyone -s -u --fd 9; ready; stay'
	[[ $(cat lock) == 12 ]] # who shares it has written nothing, and clears nothing
	run -0 onlyone lock true
	go
}

@test "-u in the command gives back what it inherited" {
	mkfifo ready release
	"$ONLYONE" lock bash -c 'onlyone -u --fd "$ONLYONE_FD"; echo >ready; read -r _ <release' 3>&- &
	hear ready
	[[ ! -s lock ]]
	run -0 onlyone lock true
	say release
}

@test "-u leaves nothing that would make the PID a record again" {
	need_attributes
	mkfifo ready release
	"$ONLYONE" lock bash -c 'onlyone -u --fd "$ONLYONE_FD"; printf "%s\n\n" $$ >lock; echo >ready; read -r _ <release' 3>&- &
	hear ready
	[[ $(cat lock) == "$!" ]]
	run -0 onlyone lock true
	say release
}

@test "the command may lock again what it has inherited, and what it gave back" {
	run -0 onlyone lock bash -ec 'onlyone --fd "$ONLYONE_FD"; onlyone -u --fd "$ONLYONE_FD"; onlyone --fd "$ONLYONE_FD"
		flock -n lock true || echo held; cat lock; echo $$'
	[[ ${lines[0]} == held && ${lines[1]} == "${lines[2]}" ]]
}

@test "-u of a lock that somebody else holds changes nothing" {
	hold lock
	run -0 --separate-stderr onlyone -u --fd 9 9>>lock
	[[ -z $stderr && $(cat lock) == "$HOLDER" ]]
	run -1 flock -n lock true
	run -75 --separate-stderr onlyone lock true
	[[ $stderr == "onlyone: lock: held by PID $HOLDER (sh)" ]]
	release
	hold -s lock
	run -0 onlyone -u --fd 9 9<lock
	run -75 onlyone lock true
	release
}

@test "-u does not clear the record of a command that has closed the lock" {
	need_attributes
	mkfifo ready release
	"$ONLYONE" lock bash -c 'exec {ONLYONE_FD}>&-; echo >ready; read -r _ <release' 3>&- &
	deserter=$!
	hear ready
	run -75 onlyone lock true
	run -0 onlyone -u --fd 9 9>>lock
	[[ $(cat lock) == "$deserter" ]]
	run -75 onlyone lock true
	say release
}

@test "-u wants --fd and no command" {
	touch lock
	run -64 --separate-stderr onlyone -u lock
	[[ $stderr == "onlyone: lock: --unlock needs --fd; a lock ends with its process" ]]
	run -64 onlyone -u --fd 9 touch ran 9>>lock
	[[ ! -e ran ]]
	run -64 onlyone -u --fd 9 9>&-
	run -65 onlyone -u --fd 9 9>/dev/null
}

# locks_of N: what the shell's descriptor bears, a line each.
locks_of() {
	sed -n 's/^lock:.* \(OFDLCK\|FLOCK\) .*\(READ\|WRITE\).*/\1 \2/p' "/proc/$$/fdinfo/$1" | sort
}

BOTH=$'FLOCK WRITE\nOFDLCK WRITE'

@test "-u leaves a file alone that holds something else, and unlocks it" {
	for content in 'port = 80, host = example' abc 42 '4711'; do
		echo "$content" >foreign
		exec 9>>foreign
		flock 9
		run -0 onlyone -u --fd 9
		[[ $(cat foreign) == "$content" && -z $(locks_of 9) ]]
	done
	exec 9>&-
}

@test "-u unlocks a file that was removed, and one that cannot be opened any more" {
	exec 9>>lock
	onlyone --fd 9
	rm lock
	run -0 onlyone -u --fd 9
	[[ -z $(locks_of 9) ]]
	exec 9>&-

	let_nobody_in
	exec 9>>lock
	onlyone --fd 9
	run -0 as_nobody "$ONLYONE" -u --fd 9
	[[ -z $(locks_of 9) && -s lock ]]
	exec 9>&-
}

@test "who is refused keeps the lock that its descriptor had" {
	need_attributes
	exec 9<>lock
	onlyone --fd 9
	[[ $(locks_of 9) == "$BOTH" ]]
	mkfifo ready release
	"$ONLYONE" --fd 9 bash -c 'exec 9>&-; echo >ready; read -r _ <release' 3>&- &
	hear ready
	run -75 onlyone --fd 9 touch ran
	[[ ! -e ran && $(locks_of 9) == "$BOTH" ]]
	say release
	await "$!"
	exec 9>&-

	hold -s shared
	exec 9<>shared
	onlyone -s --fd 9
	run -75 onlyone -x --fd 9
	[[ $(locks_of 9) == $'FLOCK READ\nOFDLCK READ' ]]
	exec 9>&-
	release
}

@test "who fails gets no lock" {
	need prlimit
	echo abc >foreign
	exec 9>>foreign
	run -65 onlyone --fd 9
	[[ -z $(locks_of 9) ]]
	exec 9>>lock
	run -74 prlimit --fsize=0 onlyone --fd 9
	[[ -z $(locks_of 9) ]]
	rm lock
	run -71 onlyone --fd 9
	[[ -z $(locks_of 9) ]]
	exec 9>&-
}

@test "a question takes the path" {
	run -64 --separate-stderr onlyone --status --fd 9 9>>lock
	[[ $stderr == "onlyone: descriptor 9: a question takes the path of a lock" ]]
}
