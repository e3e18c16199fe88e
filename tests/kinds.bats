#!/usr/bin/env bats
# Both of the kernel's lock families, fcntl(2)'s and flock(2)'s, and shared locks.
# shellcheck disable=SC2016 # what stands in single quotes is for the shells that are started

load helper

# excludes STATUS TOOL...: TOOL, which does not wait and whose status for a conflict is STATUS, and
# onlyone do not let each other in, nor wait.
excludes() {
	local conflict=$1
	shift
	need "$1"
	hold_by "$@"
	run -75 timeout "$PATIENCE" onlyone lock touch ran
	[[ $output == "onlyone: lock: held by PID "* ]]
	let_go
	run -0 onlyone lock true
	hold lock
	run "-$conflict" timeout "$PATIENCE" "$@" touch ran
	release
	run -0 "$@" touch free
	[[ -e free && ! -e ran ]]
}

# in_turn TOOL...: TOOL, which waits, and onlyone wait for each other.
in_turn() {
	need "$1"
	hold_by "$@"
	start_waiter lock -w 120 lock touch ran
	[[ ! -e ran ]]
	let_go
	ended 0 "$WAITER"
	rm ran
	hold lock
	"$@" touch ran 3>&- &
	eventually "$1 waits" waiters lock 1
	[[ ! -e ran ]]
	release
	ended 0 "$!"
	[[ -e ran ]]
}

# -- flock(2) --

@test "flock and onlyone exclude each other" {
	excludes 1 flock -n lock
	excludes 1 flock -n --no-fork lock
}

@test "setlock and onlyone exclude each other" {
	excludes 111 setlock -n lock
}

@test "chpst -L and onlyone exclude each other" {
	excludes 111 chpst -L lock
}

@test "flock and onlyone wait for each other" {
	in_turn flock lock
}

@test "setlock and onlyone wait for each other" {
	in_turn setlock lock
}

@test "chpst -l and onlyone wait for each other" {
	in_turn chpst -l lock
}

@test "flock on a descriptor of the shell's and onlyone exclude each other" {
	need flock
	exec 9>>lock
	flock -n 9
	run -75 onlyone lock true 9>&-
	flock -u 9
	hold lock 9>&-
	run -1 flock -n 9
	release
	flock -n 9
}

# -- fcntl(2) --

@test "s6-setlock and onlyone exclude each other" {
	excludes 1 s6-setlock -n lock
}

@test "lckdo and onlyone exclude each other" {
	excludes 75 lckdo lock
}

@test "s6-setlock and onlyone wait for each other" {
	in_turn s6-setlock lock
}

@test "lckdo and onlyone wait for each other" {
	in_turn lckdo -w lock
}

@test "a lock of the first byte alone is a conflict" {
	need perl
	hold_by perl -MFcntl=:flock,F_SETLK,F_WRLCK,SEEK_SET -e '
		open my $lock, "+>>", "lock" or die $!;
		my $range = pack "s s x![q] q q l x4", F_WRLCK, SEEK_SET, 0, 1, 0;
		fcntl $lock, F_SETLK, $range or die $!;
		system @ARGV' --
	run -75 onlyone lock touch ran
	[[ ! -e ran ]]
	let_go
	run -0 onlyone lock true
}

# -- both --

@test "a holder has both kinds of lock" {
	hold lock
	local inode
	inode=$(stat -c %i lock)
	run -0 grep -E "^lock:.* OFDLCK +ADVISORY +WRITE .*:$inode 0 " "/proc/$HOLDER/fdinfo/"*
	run -0 grep -E "^lock:.* FLOCK +ADVISORY +WRITE .*:$inode 0 EOF" "/proc/$HOLDER/fdinfo/"*
	release
}

# A copy that is refused by the second kind must not keep the first while it tells: who starts then,
# when the lock is free, would be refused by nobody.
@test "a copy that is refused by the second kind of lock gives the first back" {
	need flock
	hold_by flock lock
	mkfifo full
	exec 7<>full
	dd if=/dev/zero of=full bs=4096 oflag=nonblock 2>/dev/null 7>&- || :
	"$ONLYONE" lock true 2>&7 7>&- 3>&- &
	local refused=$!
	eventually "it is stuck in its message" grep -q pipe_write "/proc/$refused/wchan"
	let_go
	run -0 onlyone lock true 7>&-
	kill -0 "$refused"
	timeout "$PATIENCE" head -c 4k <&7 >/dev/null
	ended 75 "$refused"
	exec 7>&-
}

# Others may well overlap: flock and s6-setlock do not see each other.
@test "among waiters of every kind onlyone's commands run alone" {
	need flock s6-setlock
	local pid ours=() others=()
	hold lock
	for _ in 1 2; do
		flock lock sh -c 'mkdir flock; sleep 0.01; rmdir flock' 3>&- &
		others+=($!)
		"$ONLYONE" -b lock sh -c 'mkdir flock s6 && sleep 0.01 && rmdir flock s6' 3>&- &
		ours+=($!)
		s6-setlock lock sh -c 'mkdir s6; sleep 0.01; rmdir s6' 3>&- &
		others+=($!)
	done
	eventually "all of them wait" waiters lock 6
	release
	for pid in "${ours[@]}" "${others[@]}"; do
		ended 0 "$pid"
	done
}

# -- shared --

@test "two shared copies run at once" {
	hold -s lock
	run -7 onlyone -s lock sh -c 'exit 7'
	release
}

@test "a shared copy is refused beside an exclusive one, and the other way round" {
	hold lock
	run -75 onlyone -s lock touch ran
	release
	hold -s lock
	run -75 onlyone lock touch ran
	[[ ! -e ran ]]
	release
	run -0 onlyone lock true
}

@test "a shared copy records no PID, and leaves the record that there was" {
	onlyone -s new true
	[[ ! -s new ]]
	onlyone lock true
	local before
	before=$(cat lock; stat -c '%y %z' lock)
	run -0 onlyone -s lock true
	[[ $(cat lock; stat -c '%y %z' lock) == "$before" ]]
}

@test "shared holders are all named" {
	hold -s lock
	local first=$HOLDER latch=$LATCH
	hold -s lock
	run -75 onlyone lock true
	[[ $output == "onlyone: lock: held by PID $first (sh), PID $HOLDER (sh)" ||
		$output == "onlyone: lock: held by PID $HOLDER (sh), PID $first (sh)" ]]
	release
	run -75 onlyone lock true
	[[ $output == "onlyone: lock: held by PID $first (sh)" ]]
	HOLDER=$first LATCH=$latch
	release
	run -0 onlyone lock true
}

@test "a shared copy runs beside flock -s, and none beside flock -x" {
	need flock
	hold_by flock -s lock
	run -7 onlyone -s lock sh -c 'exit 7'
	run -75 onlyone lock true
	let_go
	hold_by flock -x lock
	run -75 onlyone -s lock true
	let_go
	hold -s lock
	run -7 flock -n -s lock sh -c 'exit 7'
	run -1 flock -n -x lock true
	release
}

@test "a shared copy runs beside s6-setlock -r, and none beside s6-setlock -w" {
	need s6-setlock
	hold_by s6-setlock -r lock
	run -7 onlyone -s lock sh -c 'exit 7'
	run -75 onlyone lock true
	let_go
	hold_by s6-setlock -w lock
	run -75 onlyone -s lock true
	let_go
	hold -s lock
	run -7 s6-setlock -n -r lock sh -c 'exit 7'
	run -1 s6-setlock -n -w lock true
	release
}

# From inside a folder that may be shut to that user paths are not.
@test "who may only read a lock file can share its lock, and not have it alone" {
	need_nobody
	mkdir -m 755 open
	cp "$ONLYONE" open/onlyone
	cd open
	onlyone lock true
	chmod 644 lock
	run -7 as_nobody ./onlyone -s lock sh -c 'exit 7'
	run -77 as_nobody ./onlyone lock touch ran
	[[ $output == "onlyone: lock: Permission denied" && ! -e ran ]]
	hold lock
	run -75 as_nobody ./onlyone -s lock true
	release
}
