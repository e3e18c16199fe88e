#!/usr/bin/env bats
# The descriptor that the command inherits, and what it is told about it.

# shellcheck disable=SC2016 # what stands in single quotes is for the shells that onlyone starts

load helper

# uncluttered SCRIPT COMMAND...: without descriptors above the standard ones, but those that SCRIPT
# opens. In a bash of its own: this one's belong to bats.
uncluttered() {
	bash -c 'for fd in {3..63}; do eval "exec $fd>&-"; done; eval "$0"; exec "$@"' "$@"
}

# without 'FD...' COMMAND...: with those descriptors closed.
without() {
	bash -c 'for fd in 3 $0; do eval "exec $fd>&-"; done; exec "$@"' "$@"
}

# Every choice of the standard streams.
CLOSED=('' 0 1 2 '0 1' '0 2' '1 2' '0 1 2')

# For onlyone to start: the number that it is told, and what it finds there.
TELL='echo "$ONLYONE_FD $(readlink "/proc/$$/fd/$ONLYONE_FD")"'

# -- the number --

@test "the descriptor is 63" {
	run -0 uncluttered '' onlyone lock sh -c "$TELL"
	[[ $output == "63 $PWD/lock" ]]
}

@test "it is the highest free one below 64" {
	run -0 uncluttered 'exec 63</dev/null 62<&63 60<&63' onlyone lock sh -c "$TELL"
	[[ $output == "61 $PWD/lock" ]]
	run -0 uncluttered 'for fd in {11..63}; do eval "exec $fd</dev/null"; done' \
		onlyone lock sh -c "$TELL"
	[[ $output == "10 $PWD/lock" ]]
}

@test "where 10 to 63 are taken it is the next one above" {
	run -0 uncluttered 'for fd in {10..63}; do eval "exec $fd</dev/null"; done' \
		onlyone lock sh -c "$TELL"
	[[ $output =~ ^([0-9]+)" $PWD/lock"$ ]]
	((BASH_REMATCH[1] >= 64))
}

@test "under a limit of descriptors it is the highest that the limit allows" {
	need prlimit
	run -0 uncluttered '' prlimit --nofile=20 onlyone lock sh -c "$TELL"
	[[ $output == "19 $PWD/lock" ]]
	run -0 uncluttered '' prlimit --nofile=64 onlyone lock sh -c "$TELL"
	[[ $output == "63 $PWD/lock" ]]
	run -0 uncluttered '' prlimit --nofile=63 onlyone lock sh -c "$TELL"
	[[ $output == "62 $PWD/lock" ]]
	run -0 uncluttered '' prlimit --nofile=11 onlyone lock sh -c "$TELL"
	[[ $output == "10 $PWD/lock" ]]
}

@test "under a limit below 10 it is any that is no standard stream" {
	need prlimit
	local closed limit fd
	for closed in "${CLOSED[@]}"; do
		for limit in 7 8 10; do
			uncluttered "for fd in $closed; do eval \"exec \$fd>&-\"; done" \
				prlimit --nofile="$limit" onlyone lock cp /proc/self/environ environ
			fd=$(tr '\0' '\n' <environ | sed -n 's/^ONLYONE_FD=//p')
			rm -f environ
			((fd >= 3 && fd < limit)) || fail "$fd of $limit with ${closed:-nothing} closed"
		done
	done
}

@test "a directory and its lock file have two descriptors" {
	mkdir data
	run -0 uncluttered '' onlyone data sh -c "$TELL"'; readlink "/proc/$$/fd/$ONLYONE_DIRECTORY_FD"'
	[[ $output =~ ^([0-9]+)" $PWD/data/.onlyone"$'\n'"$PWD/data"$ ]]
	((BASH_REMATCH[1] == 62 || BASH_REMATCH[1] == 63))
}

# -- what the command inherits --

@test "the command inherits the lock's descriptor, and no other that the caller did not have" {
	local list='ls "/proc/$$/fd"; :'
	run -0 uncluttered '' sh -c "$list"
	local bare=$output
	run -0 uncluttered '' onlyone lock sh -c "$list"
	[[ $output == "$bare"$'\n63' ]]
}

@test "nor does it after it had to wait" {
	local list='(ls "/proc/$$/fd" >fds); :'
	hold lock
	start_waiter lock -v -w 120 lock sh -c "$list" 2>/dev/null
	release
	await "$WAITER"
	local guarded
	guarded=$(cat fds)
	sh -c "$list" 2>/dev/null 3>&-
	[[ $guarded == "$(cat fds)"$'\n63' ]]
}

@test "the command's children inherit it as well" {
	run -0 uncluttered '' onlyone lock sh -c 'sh -c "readlink /proc/\$\$/fd/63; :"; :'
	[[ $output == "$PWD/lock" ]]
}

@test "the lock is free once the last one who inherited it closes it" {
	mkfifo ready
	"$ONLYONE" lock bash -c 'eval "exec $ONLYONE_FD>&-"; echo >ready; exec sleep 600' 3>&- &
	disown "$!" # teardown ends it: not to be reported
	hear ready
	run -0 flock -n lock true
}

@test "the descriptor can be read and written, a shared one only read" {
	onlyone lock sh -c 'sed -n "s/^flags:.*\(.\)$/\1/p" "/proc/self/fdinfo/$ONLYONE_FD"' >flags
	[[ $(cat flags) == 2 ]]
	onlyone -s lock sh -c 'sed -n "s/^flags:.*\(.\)$/\1/p" "/proc/self/fdinfo/$ONLYONE_FD"' >flags
	[[ $(cat flags) == 0 ]]
}

# -- what it is told --

@test "ONLYONE_LOCK is the path as it was given" {
	mkdir run
	run -0 onlyone ./run/../run/lock sh -c 'echo "$ONLYONE_LOCK"'
	[[ $output == ./run/../run/lock ]]
	run -0 onlyone "$PWD/a b" sh -c 'echo "$ONLYONE_LOCK"'
	[[ $output == "$PWD/a b" ]]
}

@test "ONLYONE_PID is the command's own PID, however it is locked" {
	mkdir data
	local tell='[ "$ONLYONE_PID" = $$ ] && echo guarded'
	for how in lock '-o lock' '-s lock' data '--as-is file' '-v -b lock' '--signal TERM lock' '--fd 9'; do
		echo content >file
		# shellcheck disable=SC2086 # options and the lock
		run -0 --separate-stderr onlyone $how sh -c "$tell" 9>>descriptor
		[[ $output == guarded ]] || fail "$how: $output"
	done
	SHELL=/bin/sh run -0 onlyone lock -c "$tell"
	[[ $output == guarded ]]
}

@test "its children inherit that, and so know that they are not it" {
	run -0 onlyone lock sh -c 'sh -c "echo \$ONLYONE_PID \$\$"; echo $$'
	read -r told own <<<"${lines[0]}"
	[[ $told == "${lines[1]}" && $told != "$own" ]]
}

@test "the rest of the environment is as it was" {
	export ONLYONE_LOCKS=1 ONLYONE_FDS=2 ONLYONE_DIRECTORY_FDS=3 XONLYONE_LOCK=4 ONLYONE_PIDS=5 # not our words
	env -u _ >bare
	env -u _ "$ONLYONE" lock env | grep -v '^ONLYONE_\(LOCK\|PID\|FD\)=' >guarded
	diff bare guarded
}

@test "an environment of any size is handed on whole" {
	local size
	mkdir data
	for size in 0 251 252 253 254 1000; do
		run -0 env -i bash -c 'for ((n = 0; n < $1; n++)); do export "v$n=$n"; done; unset PWD SHLVL OLDPWD
			exec "$0" lock /usr/bin/env' "$ONLYONE" "$size"
		[[ $(grep -c '^v[0-9]*=' <<<"$output") == "$size" && ${#lines[@]} == $((size + 4)) ]] || # and bash's _
			fail "of $size: ${#lines[@]}"
		run -0 env -i bash -c 'for ((n = 0; n < $1; n++)); do export "v$n=$n"; done; unset PWD SHLVL OLDPWD
			exec "$0" data /usr/bin/env' "$ONLYONE" "$size"
		[[ $(grep -c '^v[0-9]*=' <<<"$output") == "$size" && ${#lines[@]} == $((size + 5)) ]] ||
			fail "of $size, with a directory: ${#lines[@]}"
	done
}

@test "an outer onlyone's words are not for an inner one's command" {
	mkdir data
	run -0 onlyone data onlyone lock env
	run -0 grep -E '^ONLYONE_(LOCK|PID|(DIRECTORY_)?FD)=' <<<"$(printf '%s\n' "${lines[@]}" | sort)"
	[[ ${lines[0]} == ONLYONE_FD=* && ${lines[1]} == ONLYONE_LOCK=lock && ${lines[2]} == ONLYONE_PID=* ]]
	((${#lines[@]} == 3))
}

@test "onlyones can be nested, and the command holds all the locks" {
	run -0 uncluttered '' onlyone outer onlyone inner sh -c "$TELL"'
		echo "$ONLYONE_LOCK"
		readlink "/proc/$$/fd/63"
		cat inner outer
		for lock in outer inner; do onlyone -q "$lock" true; echo $?; done
		echo $$'
	[[ ${lines[0]} == "62 $PWD/inner" && ${lines[1]} == inner && ${lines[2]} == "$PWD/outer" ]]
	[[ ${lines[3]} == "${lines[7]}" && ${lines[4]} == "${lines[7]}" ]]
	[[ ${lines[5]} == 75 && ${lines[6]} == 75 ]]
}

@test "one nested in itself is refused" {
	run -75 onlyone lock onlyone lock touch ran
	[[ ! -e ran ]]
}

# -- standard streams that are closed at the start --

@test "a command finds closed what was closed, and nothing but the PID gets into the lock file" {
	local closed fd
	for closed in "${CLOSED[@]}"; do
		without "$closed" onlyone lock sh -c '(ls "/proc/$$/fd" >fds); cat lock >seen; printf "%s\n\n" $$ >pid'
		cmp seen pid
		cmp lock pid
		for fd in 0 1 2; do
			[[ " $closed " == *" $fd "* ]] || run -0 grep -x "$fd" fds
			[[ " $closed " != *" $fd "* ]] || run -1 grep -x "$fd" fds
		done
	done
}

@test "a refusal does not get into the lock file" {
	local closed
	hold lock
	for closed in "${CLOSED[@]}"; do
		run -75 without "$closed" onlyone lock true
		run -75 without "$closed" onlyone -v -w 0.02 lock true
		[[ $(cat lock) == "$HOLDER" ]] || fail "with $closed closed"
	done
	release
}

@test "an error does not get into the lock file" {
	local closed
	echo precious >file
	for closed in "${CLOSED[@]}"; do
		run -65 without "$closed" onlyone file true
		[[ $(cat file) == precious ]] || fail "with $closed closed"
		run -127 without "$closed" onlyone lock ./missing
		[[ $(cat lock) =~ ^[0-9]+$ ]] || fail "with $closed closed"
	done
}

@test "that descriptors ran out does not get into the lock file" {
	need prlimit
	local closed limit limits=(3 4 5)
	echo precious >file
	# A sanitizer needs descriptors of its own, and hangs without.
	! grep -q __asan_init "$ONLYONE" || limits=(7 8)
	for closed in "${CLOSED[@]}"; do
		for limit in "${limits[@]}"; do
			rm -f lock
			run without "$closed" prlimit --nofile="$limit" onlyone lock true
			((status == 0 || status == 71)) || fail "$status"
			[[ ! -e lock || $(cat lock) =~ ^[0-9]*$ ]] ||
				fail "with $closed closed and $limit descriptors: $(cat lock)"
			run without "$closed" prlimit --nofile="$limit" onlyone file true
			((status == 65 || status == 71)) || fail "$status"
			[[ $(cat file) == precious ]]
		done
	done
}
