#!/usr/bin/env bats
# Names that change places while nobody looks, and change back: a record that was written before does
# not vouch that nobody holds what stood there meanwhile.

load helper

# need_exchange: builds `exchange NAME OTHER`, for which coreutils have no command before 9.5.
need_exchange() {
	need cc
	cat >exchange.c <<-'END'
		#include <fcntl.h>
		#include <stdio.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		int main(int argc, char **argv)
		{
			enum { EXCHANGE = 2 };
			if (argc == 3 && syscall(SYS_renameat2, AT_FDCWD, argv[1], AT_FDCWD, argv[2], EXCHANGE) == 0)
				return 0;
			perror("renameat2");
			return 1;
		}
	END
	cc -o exchange exchange.c
	mkdir "$PLACE/one" "$PLACE/other"
	./exchange "$PLACE/one" "$PLACE/other" || fail "no names change places here"
	rmdir "$PLACE/one" "$PLACE/other"
}

# age: so that what was changed is older than what comes, by far more than any clock of files lags.
age() {
	sleep 0.4
}

# vouch LOCK: leaves a record that vouches for LOCK, where any does.
vouch() {
	age
	free "$1"
	age
	free "$1"
	age
}

@test "two files that change places, and back: the next start is refused" {
	need_exchange
	mkdir "$PLACE/data"
	LOCK=$PLACE/data/lock
	: >"$PLACE/data/spare"
	vouch "$LOCK"
	./exchange "$LOCK" "$PLACE/data/spare"
	hold "$LOCK"
	./exchange "$LOCK" "$PLACE/data/spare"
	refused "onlyone: $LOCK: held by PID $HOLDER (sh)*" "$LOCK"
	release
	free "$LOCK"
}

@test "two directories that change places, and back: the next start is refused" {
	need_exchange
	mkdir -p "$PLACE/top/data" "$PLACE/top/next"
	LOCK=$PLACE/top/data/lock
	vouch "$LOCK"
	./exchange "$PLACE/top/data" "$PLACE/top/next"
	hold "$LOCK"
	./exchange "$PLACE/top/data" "$PLACE/top/next"
	refused "onlyone: $LOCK: held by PID $HOLDER (sh)*" "$LOCK"
	release
	free "$LOCK"
}

@test "a directory two levels up that is set aside for another, and comes back: the next start is refused" {
	mkdir -p "$PLACE/top/data/run"
	LOCK=$PLACE/top/data/run/lock
	vouch "$LOCK"
	mv "$PLACE/top/data" "$PLACE/top/old"
	mkdir -p "$PLACE/top/data/run"
	hold "$LOCK"
	mv "$PLACE/top/data" "$PLACE/top/new"
	mv "$PLACE/top/old" "$PLACE/top/data"
	refused "onlyone: $LOCK: held by PID $HOLDER (sh)*" "$LOCK"
	release
	free "$LOCK"
}
