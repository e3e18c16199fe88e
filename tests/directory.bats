#!/usr/bin/env bats
# LOCK is a directory, the data itself: the lock is on it, whatever becomes of what is inside.
# shellcheck disable=SC2016 # the scripts in single quotes are for other shells

load helper

# refused LOCK [OPTION...]: and told of the holder.
refused() {
	local lock=$1
	shift
	run -75 --separate-stderr onlyone "$@" "$lock" touch "$BATS_TEST_TMPDIR/ran"
	[[ ! -e $BATS_TEST_TMPDIR/ran ]]
	# shellcheck disable=SC2154 # run sets it
	[[ $stderr == "onlyone: $lock: held by PID $HOLDER (sh)"* ]]
}

@test "one copy runs, the second is refused, the next may start" {
	mkdir data
	hold data
	refused data
	[[ $stderr == "onlyone: data: held by PID $HOLDER (sh)" ]]
	release
	run -0 onlyone data true
}

@test "the record is in .onlyone inside, for its owner alone unless -m says more" {
	mkdir data
	hold data
	[[ $(cat data/.onlyone) == "$HOLDER" ]]
	[[ $(stat -c %a data/.onlyone) == 600 ]]
	release
	rm data/.onlyone
	onlyone -m 640 data true
	[[ $(stat -c %a data/.onlyone) == 640 ]]
}

@test "flock(1) on the directory, and onlyone, exclude each other" {
	mkdir data
	hold data
	run -1 flock -n data true
	run -1 flock -n data/.onlyone true
	release
	run -0 flock -n data true
	rm data/.onlyone

	mkfifo ready release
	flock data sh -c 'echo >ready; read -r _ <release' 3>&- &
	locker=$!
	hear ready
	run -75 --separate-stderr onlyone data touch ran
	[[ ! -e ran && $stderr == "onlyone: data: held by PID "*"$locker (flock)"* ]]
	run -0 --separate-stderr onlyone --status data
	[[ $output == "held by PID "*"$locker (flock "* ]]
	[[ ! -e data/.onlyone ]]
	say release
	await "$locker"
	run -0 onlyone data true
}

@test "emptying the directory lets nobody in" {
	mkdir data
	hold data
	touch data/a data/.b
	find data -mindepth 1 -delete
	refused data
	refused data # and what that one may have made inside changes nothing
	run -75 onlyone --force data true
	run -75 onlyone -s data true
	find data -mindepth 1 -delete
	release
	run -0 onlyone data true
}

@test "a .onlyone put back from a copy, or by hand, lets nobody in" {
	mkdir data
	onlyone data true
	cp -a data/.onlyone older
	hold data
	mv older data/.onlyone
	refused data
	rm data/.onlyone
	echo 1 >data/.onlyone
	refused data
	release
}

@test "a .onlyone renamed in its directory still counts, for who has kept only that" {
	mkdir data
	run -0 onlyone data bash -c 'exec {ONLYONE_DIRECTORY_FD}>&-; sleep 600 3>&- >/dev/null 2>&1 & echo $!'
	child=$output
	eventually "the child runs" runs "$child" sleep
	mv data/.onlyone data/moved
	run -75 --separate-stderr onlyone data touch ran
	[[ ! -e ran ]]
	[[ $stderr == "onlyone: data: held by PID $child (sleep): the file that it locked was removed or replaced" ]]
}

@test "the lock goes with the data when the directory is renamed, and the old name is free" {
	mkdir data
	hold data
	mv data moved
	refused moved
	mkdir data
	run -0 onlyone data true
	refused moved
	release
	run -0 onlyone moved true
}

@test "a copy of the directory is free" {
	mkdir data
	hold data
	cp -a data copy
	run -0 onlyone copy true
	refused data
	release
}

@test "the directory removed and made again is refused while the copy runs" {
	need_mountinfo
	mkdir data
	hold data
	rm -r data
	mkdir data
	refused data
	[[ $stderr == *"the file that it locked was removed or replaced" ]]
	refused data
	release
	run -0 onlyone data true
}

@test "the directory removed and made again is refused, also where a backup has linked its files" {
	need_mountinfo
	mkdir data
	hold data
	cp -al data backup
	rm -r data
	mkdir data
	refused data
	release
	run -0 onlyone data true
}

@test "the directory emptied, renamed away and made again is refused while the copy runs" {
	need_mountinfo
	mkdir data
	hold data
	rm data/.onlyone # now nothing tells that it lives on elsewhere
	mv data moved
	mkdir data
	refused data
	refused moved
	release
	run -0 onlyone data true
}

@test "the same directory under any other spelling is the same lock" {
	mkdir data
	hold data/
	refused data
	refused data/
	refused ./data/.
	cd data
	refused .
	refused ../data
	refused "$PWD"
	cd "$BATS_TEST_TMPDIR"
	release
	run -0 onlyone data/ true
}

@test "the directory under another mount is the same lock" {
	mkdir data alias
	need_unshare --mount mount --bind data alias
	hold data
	run -75 unshare --mount bash -c 'mount --bind data alias; exec onlyone alias touch ran'
	[[ ! -e ran ]]
	release
}

@test "the command finds both descriptors by number" {
	mkdir data
	run -0 onlyone data bash -c 'readlink "/proc/self/fd/$ONLYONE_DIRECTORY_FD" "/proc/self/fd/$ONLYONE_FD"; echo "$ONLYONE_LOCK"'
	[[ $output == "$PWD/data"$'\n'"$PWD/data/.onlyone"$'\n'data ]]
	run -0 onlyone file sh -c 'echo "${ONLYONE_DIRECTORY_FD-none}"'
	[[ $output == none ]]
	run -0 onlyone data "$ONLYONE" file sh -c 'echo "${ONLYONE_DIRECTORY_FD-none}"'
	[[ $output == none ]]
}

@test "children that outlive the command keep the lock through either descriptor" {
	need_attributes
	mkdir data
	for closed in ONLYONE_FD ONLYONE_DIRECTORY_FD; do
		run -0 onlyone data bash -c "exec {$closed}>&-"'; sleep 600 3>&- >/dev/null 2>&1 & echo $!'
		child=$output
		eventually "the child runs" test "/proc/$child/exe" -ef "$(command -v sleep)"
		run -75 --separate-stderr onlyone data true
		[[ $stderr == "onlyone: data: held by PID $child (sleep): the recorded process "*" has ended" ]]
		kill "$child"
		run -0 onlyone -w 120 data true
	done
}

@test "a command that has closed both is still the only copy" {
	need_attributes
	mkdir data
	mkfifo ready release
	"$ONLYONE" data bash -c 'exec {ONLYONE_FD}>&- {ONLYONE_DIRECTORY_FD}>&-; echo >ready; read -r _ <release' 3>&- &
	deserter=$!
	hear ready
	run -0 flock -n data true
	run -75 --separate-stderr onlyone data touch ran
	[[ ! -e ran && $stderr == "onlyone: data: held by PID $deserter (bash): it has closed the lock, but runs on; "* ]]
	say release
	await "$deserter"
	run -0 onlyone data true
}

@test "with -o the command has neither, and the lock holds though its children live" {
	mkdir data
	hold -o data
	refused data
	run -1 flock -n data true
	[[ $(readlink "/proc/$HOLDER/fd/"*) != *"$PWD/data"* ]]
	release
	run -0 onlyone -o data sh -c 'echo "${ONLYONE_FD-none} ${ONLYONE_DIRECTORY_FD-none}"'
	[[ $output == "none none" ]]
	run -0 onlyone -o data sh -c 'sleep 600 3>&- >/dev/null 2>&1 &'
	run -0 onlyone data true
}

@test "shared holders share it, and keep an exclusive one out" {
	mkdir data
	hold -s data
	run -0 onlyone -s data true
	refused data
	release
	hold data
	refused data -s
	release
}

@test "-w waits for the directory" {
	mkdir data
	hold data
	start_waiter data -w 120 data touch ran
	[[ ! -e ran ]]
	release
	await "$WAITER"
	rm ran
	hold data
	refused data -w 0.1
	release
}

@test "a waiter does not run in a directory that was replaced" {
	mkdir data
	hold data
	start_waiter data -w 120 data sh -c 'cat data/.onlyone' >out
	mv data moved
	mkdir data
	release
	await "$WAITER"
	[[ $(cat out) == "$WAITER" && $(cat moved/.onlyone) == "$HOLDER" ]]
}

@test "a waiter does not run on a .onlyone that was replaced" {
	mkdir data
	: >data/.onlyone
	mkfifo ready one two
	flock data/.onlyone sh -c 'echo >ready; read -r _ <one' 3>&- &
	hear ready
	start_waiter data/.onlyone -w 120 data touch ran
	rm data/.onlyone
	flock data/.onlyone sh -c 'echo >ready; read -r _ <two' 3>&- &
	hear ready
	say one
	eventually "the waiter waits for the new file" waiters data/.onlyone 1
	[[ ! -e ran ]]
	say two
	await "$WAITER"
	[[ -e ran ]]
}

@test "--status and --pid tell of it, and make nothing inside" {
	mkdir data
	run -1 onlyone --status data
	[[ $output == free && ! -e data/.onlyone ]]
	hold data
	run -0 onlyone --status data
	[[ $output == "held by PID $HOLDER (sh -c "*") for "*" s" ]]
	run -0 onlyone --pid data/
	[[ $output == "$HOLDER" ]]
	find data -mindepth 1 -delete
	run -0 onlyone --pid data
	[[ $output == "$HOLDER" && ! -e data/.onlyone ]]
	release
	run -1 onlyone --pid data
	[[ -z $output && ! -e data/.onlyone ]]
}

@test "renamed with its holder, whose data went along: it is free, until that directory is removed" {
	need_mountinfo
	mkdir data
	hold data
	mv data data.old
	mkdir data
	for _ in 1 2; do # the second time the first one's record might vouch
		run -0 onlyone data true
		sleep 0.2
	done
	rm -rf data.old
	run -0 onlyone --status data
	[[ $output == "held by PID $HOLDER ("*": the file that it locked was removed or replaced" ]]
	run -75 onlyone data touch ran
	[[ ! -e ran ]]
	kill "$HOLDER" # its latch is not in there
	eventually "it has ended" gone "$HOLDER"
	run -0 onlyone data true
}

# foreign STATUS WHAT: data/.onlyone is no lock file of ours, and the line says which file it is.
foreign() {
	run -65 --separate-stderr onlyone data touch ran
	[[ ! -e ran && $stderr == "onlyone: data/.onlyone: $1" ]]
}

@test "a .onlyone that is not ours is named and left alone" {
	mkdir data
	echo 'port = 80, host = example' >data/.onlyone
	foreign "$NO_RECORD"
	[[ $(cat data/.onlyone) == 'port = 80, host = example' ]]
	echo abc >data/.onlyone
	foreign "$NO_RECORD"
	[[ $(cat data/.onlyone) == abc ]]
}

@test "a .onlyone that is a link, a FIFO or a directory is named and left alone" {
	mkdir data
	ln -s ../target data/.onlyone
	foreign "is a symbolic link; name the file itself, or a directory with a slash behind it"
	[[ ! -e target ]]
	rm data/.onlyone
	mkfifo data/.onlyone
	foreign "is not a regular file, left alone"
	rm data/.onlyone
	mkdir data/.onlyone
	foreign "is not a regular file, left alone"
}

@test "a link to the directory is refused like any link" {
	mkdir data
	ln -s data link
	run -65 --separate-stderr onlyone link touch ran
	[[ ! -e ran && $stderr == "onlyone: link: is a symbolic link; name the file itself, or a directory with a slash behind it" ]]
	[[ ! -e data/.onlyone ]]
}

@test "a directory that one may not write into" {
	let_nobody_in
	mkdir -m 755 data
	run -77 --separate-stderr as_nobody "$ONLYONE" data touch ran
	[[ ! -e ran && $stderr == "onlyone: data/.onlyone: Permission denied" ]]
	mkdir -m 700 closed
	run -77 --separate-stderr as_nobody "$ONLYONE" closed true
	[[ $stderr == "onlyone: closed: Permission denied" ]]
}

@test "a directory on a read-only file system" {
	mkdir data
	need_unshare --mount mount --bind data data
	run -73 --separate-stderr unshare --mount bash -ec '
		mount --bind data data
		mount -o remount,bind,ro data
		exec onlyone data touch ran'
	[[ ! -e ran && $stderr == "onlyone: data/.onlyone: Read-only file system" ]]
}

@test "a directory that does not exist is not made" {
	run -73 --separate-stderr onlyone data/ true
	[[ ! -e data && $stderr == "onlyone: data/: No such file or directory" ]]
}
