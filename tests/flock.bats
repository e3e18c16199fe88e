#!/usr/bin/env bats
# Scripts that come from flock(1): every scenario of its own tests, run with both tools, which have
# to agree. Where onlyone differs on purpose, the test's name says so.
# shellcheck disable=SC2016 # what stands in single quotes is for the shells that the tools start
# shellcheck disable=SC2153,SC2154 # HOLDER, WAITER and stderr come from the helper and from run

load helper

TOOLS=(flock onlyone)

# both STATUS ARG...: `flock ARG...` and `onlyone ARG...` end with STATUS and print the same.
both() {
	local expected=$1 tool printed=()
	shift
	for tool in "${TOOLS[@]}"; do
		run --separate-stderr "$tool" "$@"
		((status == expected)) || fail "$tool $*: status $status, not $expected: $stderr"
		printed+=("$output")
	done
	[[ ${printed[0]} == "${printed[1]}" ]] ||
		fail "flock $*: ${printed[0]}"$'\n'"onlyone $*: ${printed[1]}"
}

# hold_with TOOL [OPTION...] LOCK: as hold, with either tool.
hold_with() {
	local ONLYONE
	ONLYONE=$(command -v "$1")
	hold "${@:2}"
}

# both_refused ARG...: neither tool gets the lock; the status is the chosen one, and nothing runs.
both_refused() {
	both 123 --conflict-exit-code 123 "$@" touch ran
	[[ ! -e ran ]]
}

# lock_descriptor TOOL [OPTION...] N: what is a plain operand for flock(1). N is below 10: bash keeps
# descriptors of its own from there on, and closes them in the commands that it starts.
lock_descriptor() {
	if [[ $1 == flock ]]; then
		flock "${@:2}"
	else
		onlyone "${@:2:$#-2}" --fd "${!#}"
	fi
}

# Whether flock(1) has the option, which came later than the oldest one that we meet.
flock_has() {
	flock --help | grep -q -e "$1"
}

# -- a command's life --

@test "the command runs, its words and its status are its own" {
	need flock
	both 0 lock echo 'a  b' -n --
	both 42 lock sh -c 'exit 42'
	both 1 lock false
}

@test "options end at the lock" {
	need flock
	both 0 -x lock echo -s -n -u --help
	both 0 -- lock echo x
	both 0 -xn lock echo x
}

@test "a command that was killed by a signal shows as such in a shell" {
	need flock
	both 143 lock sh -c 'kill -TERM $$'
	both 137 lock sh -c 'kill -KILL $$'
}

@test "no-fork: the process is the command" {
	need flock
	local tool
	for tool in "${TOOLS[@]}"; do
		"$tool" --no-fork lock sh -c 'echo $$' >pid 3>&- &
		await "$!"
		[[ $(cat pid) == "$!" ]]
	done
}

@test "on purpose: without -F the process is the command all the same" {
	need flock
	"$ONLYONE" lock sh -c 'echo $$' >pid 3>&- &
	await "$!"
	[[ $(cat pid) == "$!" ]]
	flock lock sh -c 'echo $$' >pid 3>&- &
	await "$!"
	[[ $(cat pid) != "$!" ]]
}

# -- conflicts --

@test "non-block: while either tool holds the lock, both are refused" {
	need flock
	local tool
	for tool in "${TOOLS[@]}"; do
		hold_with "$tool" lock
		both_refused -n lock
		both_refused --nonblock lock
		both_refused --nb lock
		release
		both 0 --nonblock lock echo ran
	done
}

@test "no-fork: a held lock refuses it as well" {
	need flock
	local tool
	for tool in "${TOOLS[@]}"; do
		hold_with "$tool" --no-fork lock
		both_refused --no-fork --nonblock lock
		both_refused -F -n lock
		release
	done
}

@test "shared: beside a shared holder of either tool both run, exclusive ones do not" {
	need flock
	local tool
	for tool in "${TOOLS[@]}"; do
		: >>lock
		hold_with "$tool" --shared lock
		both 0 --shared --nonblock lock echo 'have a shared lock'
		both 0 -s -n lock echo 'have a shared lock'
		both_refused --nonblock lock
		release
	done
}

@test "exclusive: said or not, it is the default" {
	need flock
	local tool
	for tool in "${TOOLS[@]}"; do
		hold_with "$tool" --exclusive lock
		both_refused --nonblock --exclusive lock
		both_refused -n -x lock
		both_refused -n -e lock
		both_refused --nonblock --shared lock
		release
	done
}

@test "conflict exit code: any from 0 to 255, and only for a conflict" {
	need flock
	hold lock
	both 0 -n -E 0 lock touch ran
	both 255 -n -E 255 lock touch ran
	both 5 --timeout 0.01 --conflict-exit-code 5 lock touch ran
	both 64 -n -E 256 lock touch ran
	[[ ! -e ran ]]
	release
	both 9 -n -E 5 lock sh -c 'exit 9'
}

@test "on purpose: a conflict's status is 75, not 1, which may be the command's; -E 1 restores it" {
	need flock
	hold lock
	run -1 flock -n lock true
	run -75 onlyone -n lock true
	both 1 -n -E 1 lock true
	release
}

@test "on purpose: waiting is not the default, -b asks for it" {
	need flock
	local waiter
	hold lock
	run -75 onlyone lock true
	flock lock touch flock-ran 3>&- &
	waiter=$!
	eventually "flock waits" waiters lock 1
	release
	await "$waiter"
	hold lock
	start_waiter lock -b lock touch onlyone-ran
	[[ -e flock-ran && ! -e onlyone-ran ]]
	release
	await "$WAITER"
	[[ -e onlyone-ran ]]
}

@test "on purpose: it excludes both families of locks, of which flock sees one" {
	need flock s6-setlock lckdo
	hold_with flock lock
	run -0 s6-setlock -n lock true
	run -75 onlyone lock true
	release
	hold_with s6-setlock lock
	run -0 flock -n lock true
	run -75 onlyone lock true
	release
	hold lock
	run -1 flock -n lock true
	run -1 s6-setlock -n lock true
	run lckdo lock touch ran
	[[ ! -e ran ]]
	release
}

# -- waiting --

# after_release TOOL [OPTION...]: TOOL waits for the lock, and runs once it is released.
after_release() {
	local waiter
	rm -f released
	hold lock
	"$@" lock sh -c 'test -e released; echo $?' >seen 3>&- &
	waiter=$!
	eventually "$* waits" waiters lock 1
	touch released
	release
	await "$waiter"
	[[ $(cat seen) == 0 ]] || fail "$*: ran beside the holder"
}

@test "timeout: it runs when the holder ends within the limit, and not before" {
	need flock
	local tool
	for tool in "${TOOLS[@]}"; do
		after_release "$tool" --timeout 120 --conflict-exit-code 5
		after_release "$tool" --wait 20.5
		after_release "$tool" -w 120
	done
}

@test "timeout: the limit passes, and not too soon" {
	need flock
	local tool begin
	hold lock
	for tool in "${TOOLS[@]}"; do
		begin=${EPOCHREALTIME/./}
		run -5 "$tool" --timeout 0.3 -E 5 lock touch ran
		((${EPOCHREALTIME/./} - begin >= 300000))
	done
	[[ ! -e ran ]]
	release
}

@test "timeout: 0 is --nonblock" {
	need flock
	hold lock
	both_refused --wait 0 lock
	both_refused -w 0 lock
	release
	both 0 --exclusive --wait 0 lock echo ran
}

@test "on purpose: of -n and -w the last one wins, with flock always -n" {
	need flock
	local options
	for options in '-n -w 120' '-w 120 -n'; do
		hold lock
		# shellcheck disable=SC2086 # several options
		run -123 flock -E 123 $options lock true
		release
	done
	after_release onlyone -n -w 120
	hold lock
	run -123 onlyone -E 123 -w 120 -n lock true
	release
}

# -- descriptors --

@test "on purpose: a descriptor is named with --fd, for a number may be a file's name" {
	need flock
	: >lock
	run -0 bash -c 'exec 4<>lock; flock -n 4; onlyone 4 true'
	[[ -f 4 ]]
	run -64 --separate-stderr bash -c 'exec 4<>lock; onlyone 4'
	[[ $stderr == *--fd* ]]
}

@test "fd: while the lock is held a descriptor is refused, and no file of that name appears" {
	need flock
	local holder tool
	for holder in "${TOOLS[@]}"; do
		hold_with "$holder" lock
		exec 4<>lock
		for tool in "${TOOLS[@]}"; do
			run -123 lock_descriptor "$tool" --nonblock --exclusive \
				--conflict-exit-code 123 4
		done
		exec 4>&-
		[[ ! -e 4 ]]
		release
	done
}

@test "fd: the lock stays with the shell until it closes the descriptor" {
	need flock
	local tool
	for tool in "${TOOLS[@]}"; do
		exec 4<>lock
		run -0 lock_descriptor "$tool" 4
		both_refused -n lock
		exec 4>&-
		both 0 -n lock echo ran
	done
}

@test "fd: two descriptors of a shell exclude each other when they were opened apart" {
	need flock
	local tool
	: >lock
	for tool in "${TOOLS[@]}"; do
		exec 4<>lock 5<>lock 6>&4
		lock_descriptor "$tool" 4
		run -123 lock_descriptor "$tool" -n -E 123 5
		run -0 lock_descriptor "$tool" -n -E 123 6
		exec 4>&- 5>&- 6>&-
	done
}

@test "fd: a shared lock becomes an exclusive one, and back" {
	need flock
	local tool
	: >lock
	for tool in "${TOOLS[@]}"; do
		exec 4<>lock
		lock_descriptor "$tool" -s 4
		both 0 -n -s lock echo shared
		lock_descriptor "$tool" -x 4
		both_refused -n -s lock
		lock_descriptor "$tool" -s 4
		both 0 -n -s lock echo shared
		both_refused -n lock
		exec 4>&-
	done
}

@test "fd: one that is not open is an error" {
	need flock
	local tool
	for tool in "${TOOLS[@]}"; do
		run lock_descriptor "$tool" -n -E 123 9 9>&-
		((status >= 64 && status < 123)) || fail "$tool: $status"
	done
}

@test "on purpose: other statuses tell of a file, a descriptor or a range that cannot be locked" {
	need flock
	run -66 flock -n missing/lock true
	run -73 onlyone missing/lock true
	run -65 flock -n 9 9>&-
	run -64 onlyone --fd 9 9>&-
	run -64 onlyone --start 1 --length 2 lock true
}

@test "on purpose: a refusal is told, unless -q, where flock is silent" {
	need flock
	hold lock
	run -1 flock -n lock true
	[[ -z $output ]]
	run -75 --separate-stderr onlyone lock true
	[[ -z $output && -n $stderr ]]
	run -75 onlyone -q lock true
	[[ -z $output ]]
	release
}

@test "on purpose: --verbose speaks on standard error" {
	need flock
	run -0 --separate-stderr flock --verbose lock true
	[[ -n $output && -z $stderr ]]
	hold lock
	run -75 --separate-stderr onlyone --verbose -w 0.1 lock true
	[[ -z $output && -n $stderr ]]
	release
}

@test "unlock: the lock is free and the descriptor stays open" {
	need flock
	local tool
	exec 9<>lock
	for tool in "${TOOLS[@]}"; do
		lock_descriptor "$tool" --exclusive --nonblock 9
		both_refused --wait 0 lock
		lock_descriptor "$tool" --unlock 9
		both 0 --exclusive --wait 0 lock echo ran
		lock_descriptor "$tool" -x -n 9
		lock_descriptor "$tool" -u 9
		both 0 -n lock echo ran
	done
	exec 9>&-
}

@test "on purpose: -u needs --fd, where flock -u LOCK unlocks nobody and runs the command" {
	need flock
	hold lock
	run -0 flock -u lock true
	both_refused -n lock
	run -64 onlyone -u lock true
	run -64 onlyone -u lock
	release
}

@test "both unlock what the other one has locked" {
	need flock
	exec 4<>lock
	onlyone --fd 4
	onlyone -u --fd 4
	run -0 flock -n lock true
	flock 4
	onlyone -u --fd 4
	both 0 -n lock echo ran
	exec 4>&-
}

# -- close --

@test "close: the command does not have the descriptor, and the lock is held all the same" {
	need flock s6-setlock
	local inside='ls -l /proc/self/fd | grep -c "/lock\$"; flock -n -E 123 lock true; echo $?'
	both 0 -o lock sh -c "$inside"
	[[ $output == 0$'\n'123 ]]
	both 0 --close lock sh -c "$inside"
	[[ $output == 0$'\n'123 ]]
	both 0 lock sh -c "$inside"
	[[ $output == 1$'\n'123 ]]
}

@test "close: what the command leaves running does not hold the lock" {
	need flock
	local tool
	for tool in "${TOOLS[@]}"; do
		"$tool" --close lock sh -c 'sleep 600 3>&- >/dev/null 2>&1 &'
		run -0 flock -w 120 -E 123 lock true
		run -0 onlyone -w 120 lock true
	done
}

@test "without close what the command leaves running holds the lock" {
	need flock
	local tool
	for tool in "${TOOLS[@]}"; do
		"$tool" "$tool.lock" sh -c 'sleep 600 3>&- >/dev/null 2>&1 &'
		both_refused -n "$tool.lock"
	done
}

# with_fd TOOL [OPTION...] N STRING: the shell runs STRING, which may say "$TOOL", under the lock of
# descriptor N. Of flock(1) only the newest can.
with_fd() {
	TOOL=$1 "${@:1:$#-2}" --fd "${@: -2:1}" sh -c "${!#}"
}

@test "close with --fd: the command finds the descriptor closed" {
	need flock
	local tool tools=(onlyone)
	if flock_has --fd; then tools=("${TOOLS[@]}"); fi
	exec 9<>lock
	for tool in "${tools[@]}"; do
		run with_fd "$tool" -x --close 9 '"$TOOL" -x -n -E 123 --fd 9 true'
		((status >= 64 && status < 123)) || fail "$tool: $status"
	done
	exec 9>&-
}

@test "without --close the command can lock the inherited descriptor once more" {
	need flock
	local tool tools=(onlyone)
	if flock_has --fd; then tools=("${TOOLS[@]}"); fi
	exec 9<>lock
	for tool in "${tools[@]}"; do
		run -0 with_fd "$tool" -x 9 '"$TOOL" -x -n -E 123 --fd 9 echo ran; exit'
		[[ $output == ran ]]
	done
	exec 9>&-
}

# -- the shell --

@test "-c runs one string with \$SHELL" {
	need flock
	printf '%s\n' '#!/bin/sh' 'printf "%s|" "$0" "$@"' >shell
	chmod +x shell
	export SHELL=$PWD/shell
	both 0 lock -c 'a  b; c'
	[[ $output == "$PWD/shell|-c|a  b; c|" ]]
	both 0 lock --command 'x y'
	[[ $output == "$PWD/shell|-c|x y|" ]]
	both 64 lock -c
	both 64 lock -c a b
}

@test "-c without \$SHELL is for /bin/sh, and its status comes back" {
	need flock
	unset SHELL
	both 0 lock -c 'readlink -f "/proc/$$/exe"; exit 0'
	[[ $output == "$(readlink -f /bin/sh)" ]]
	both 7 lock -c 'exit 7'
}

@test "-c after --fd runs a string as well" {
	need flock
	local tool option tools=(onlyone)
	if flock_has --fd; then tools=("${TOOLS[@]}"); fi
	unset SHELL
	exec 9<>lock
	for tool in "${tools[@]}"; do
		for option in -c --command; do
			run -7 "$tool" --fd 9 "$option" 'exit 7'
		done
	done
	exec 9>&-
}

# -- what cannot be run --

@test "on purpose: a command that is not found is 127, one that cannot be run 126, as in a shell" {
	need flock
	: >plain
	run -69 flock lock ./missing
	run -127 onlyone lock ./missing
	run -69 flock lock ./plain
	run -126 onlyone lock ./plain
}

@test "without a command it is a usage error" {
	need flock
	both 64 lock
	both 64 -n lock
	both 64
	both 64 --no-such-option lock true
}
