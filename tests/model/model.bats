#!/usr/bin/env bats
# What a start does, proved: spin tries every order in which the steps of starts, and of what goes
# on beside them, can follow each other (start.pml, waiting.pml). And with a safeguard less it finds
# what that safeguard is there for. The tests that are named show the same with the program itself.

load ../helper

# search MODEL [-D...]: the verdict is in the file verdict. Of start.pml only what holds at each step
# is asked, of waiting.pml also whether all come to an end.
search() {
	local kind=-DSAFETY how=-E
	need spin gcc
	[[ $1 == start ]] || kind=-DNOFAIR how=-a
	spin -a "${@:2}" "$BATS_TEST_DIRNAME/$1.pml" >said || fail "$(<said)" || return
	gcc "${optimize:--O0}" -w "$kind" -DCOLLAPSE -DMEMLIM=3000 -o pan pan.c
	./pan "$how" -m100000 -w22 >verdict 2>&1 || :
	grep ' states, stored' verdict || fail "$(<verdict)"
}

# always MODEL [-D...]: nothing goes wrong, in whatever order. Else the story of what does is told.
always() {
	local optimize=-O1 # worth it where all is searched
	search "$@"
	grep -q 'errors: 0$' verdict ||
		fail "$(grep pan:1 verdict; spin -t -T "${@:2}" "$BATS_TEST_DIRNAME/$1.pml" 2>&1)"
	# Not for want of memory, or because it went too deep.
	! grep -iE 'not completed|too small|^error' verdict || fail "$(<verdict)"
}

# two_run MODEL -D...: there is an order in which two run at once who must not.
two_run() {
	search "$@"
	grep 'pan:1: assertion violated' verdict || fail "nothing was found: $*"
}

# somebody_waits_for_ever MODEL -D...
somebody_waits_for_ever() {
	search "$@"
	grep 'pan:1: acceptance cycle' verdict || fail "nothing was found: $*"
}

@test "every step bears the name of a function in src" {
	local name
	sed -nE 's/^([a-z]+_[a-z_]+):.*/\1/p; s/.*\b([a-z]+_[a-z_]+)\(\)[^;].*/\1/p' "$BATS_TEST_DIRNAME"/*.pml >names
	(($(wc -l <names) > 20))
	while read -r name; do
		grep -q "\b$name(" "$TREE"/src/*.c || fail "$name is none"
	done <names
}

# -- no two commands run at once --

@test "no two commands run at once, whatever becomes of the file" {
	always start -DFILE_ACTS=3 -DEXCHANGES
}

@test "no two commands run at once, whatever becomes of the file and whoever is killed at any step" {
	always start -DFILE_ACTS=1 -DKILLS=2
}

@test "no two commands run at once where they close the lock and the file is copied" {
	always start -DFILE_ACTS=1 -DKILLS=1 -DCLOSE -DCOPIES
}

@test "no two commands run at once with keepers that may be killed, and children that survive" {
	always start -DFILE_ACTS=1 -DKEEPERS -DCHILDREN
	always start -DFILE_ACTS=2 -DKILLS=2 -DCLOSE -DKEEPERS -DCHILDREN -DSTARTS=2
}

@test "no two commands run at once but those that share the lock" {
	always start -DFILE_ACTS=1 -DCLOSE -DSHARED
	always start -DFILE_ACTS=1 -DKILLS=2 -DCLOSE -DCOPIES -DKEEPERS -DCHILDREN -DSHARED -DSTARTS=2
}

@test "no two commands run at once, whatever becomes of the directory" {
	always start -DDIRECTORY_ACTS=4 -DEXCHANGES
}

@test "no two commands run at once by two names of which one was moved to the other" {
	always start -DDIRECTORY_ACTS=2 -DFILE_ACTS=1 -DELSEWHERE
}

@test "no two commands run at once where LOCK is a directory" {
	always start -DDIRECTORY -DDIRECTORY_ACTS=3
	always start -DDIRECTORY -DDIRECTORY_ACTS=1 -DFILE_ACTS=2
}

@test "no two commands run at once where a shell has lent its descriptor" {
	always start -DBORROWED -DFILE_ACTS=2
}

@test "no two commands run at once where no record vouches, though no times tell of moves" {
	always start -DWITHOUT_VOUCHING -DFILE_ACTS=3 -DEXCHANGES
	always start -DWITHOUT_VOUCHING -DDIRECTORY_ACTS=4 -DEXCHANGES
	always start -DWITHOUT_VOUCHING -DDIRECTORY -DDIRECTORY_ACTS=3
	always start -DWITHOUT_VOUCHING -DBORROWED -DFILE_ACTS=2
}

# -- and each safeguard is needed --

# displaced.bats: removed while held, replaced by an empty file while held
@test "without the search for displaced locks two commands run" {
	two_run start -DWITHOUT_DISPLACED -DFILE_ACTS=1
}

# displaced.bats: its directory removed and made again while held
@test "without the place in the mark two commands run" {
	two_run start -DWITHOUT_PLACE_HALF -DDIRECTORY_ACTS=2
}

# displaced.bats: removed under another path to the same directory
@test "without the directory in the mark two commands run" {
	two_run start -DWITHOUT_DIRECTORY_HALF -DDIRECTORY_ACTS=1 -DFILE_ACTS=1 -DELSEWHERE
}

# displaced.bats: an older lock file moved back while held, an older directory moved back in its place
@test "with a record that vouches for a file that was moved two commands run" {
	two_run start -DWITHOUT_TIMES -DFILE_ACTS=2
}

@test "with a record that vouches for a way that was moved two commands run" {
	two_run start -DWITHOUT_TIMES -DDIRECTORY_ACTS=4
}

# directory.bats: a waiter does not run on a .onlyone that was replaced; storms.bats
@test "without a look whether the file still is what LOCK names two commands run" {
	two_run start -DWITHOUT_CURRENT -DFILE_ACTS=2
}

@test "without another look, after that for displaced locks, two commands run" {
	two_run start -DWITHOUT_STAYED -DFILE_ACTS=2
}

@test "without the times in that other look two commands run" {
	two_run start -DWITHOUT_CTIME -DFILE_ACTS=3 -DEXCHANGES
}

@test "without the directories in that other look two commands run" {
	two_run start -DWITHOUT_WAY -DDIRECTORY_ACTS=4 -DEXCHANGES
}

@test "without the name of a descriptor, once worked out, two commands run" {
	two_run start -DWITHOUT_NAME -DBORROWED -DFILE_ACTS=1
}

@test "with a record that vouches although a lock went with its directory two commands run" {
	two_run start -DWITHOUT_WENT -DDIRECTORY -DDIRECTORY_ACTS=3
}

# borrowed.bats, recorded.bats: a command that has closed the lock
@test "without the record two commands run where one has closed the lock" {
	two_run start -DWITHOUT_RECORD -DCLOSE
}

# displaced.bats: the keeper's lock counts
@test "without the keeper two commands run where the lock is closed and the file removed" {
	two_run start -DWITHOUT_KEEPER -DKEEPERS -DFILE_ACTS=1 -DSTARTS=2
}

# -- both kinds of locks, and waiting for them --

@test "whoever waits for both kinds of locks gets them, alone, and sleeps without any" {
	always waiting
	always waiting -DALL_KINDS -DTIMES=1
	always waiting -DPARTS=3
}

@test "nobody waits for ever beside a program that waits with a lock in hand" {
	always waiting -DHOLDS_BOTH
	always waiting -DHOLDS_BOTH -DPARTS=3
}

@test "a reader is let in beside readers, though others wait for them" {
	always waiting -DREADERS -DSTARTS=3
}

@test "who wants to have alone what it shares, and is refused, shares it still" {
	always waiting -DCONVERTS -DSTARTS=3
}

# kinds.bats: flock and onlyone exclude each other
@test "without flock(2) two run: one is another program's" {
	two_run waiting -DWITHOUT_FLOCK
}

# kinds.bats: lckdo and onlyone exclude each other
@test "without fcntl(2) two run: one is another program's" {
	two_run waiting -DWITHOUT_FCNTL
}

# kinds.bats: among waiters of every kind onlyone's commands run alone
@test "without patience two waiters may refuse each other for ever" {
	somebody_waits_for_ever waiting -DWITHOUT_PATIENCE
}

@test "with one lock in hand while it waits for the other a start may wait for ever" {
	somebody_waits_for_ever waiting -DWITHOUT_GIVING_BACK -DHOLDS_BOTH
}
