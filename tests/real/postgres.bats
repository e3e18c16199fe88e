#!/usr/bin/env bats
# postgres: run by its own user; a postmaster and children that end with it.

load helper

setup_postgres() {
	need_nobody
	need_unshare --ipc
	need psql
	PATH=$PATH:$(printf %s: /usr/lib/postgresql/*/bin)
	need initdb postgres
	let_others_in
	# Killed, it leaves shared memory behind: in the namespace and in the data directory.
	as_postgres=(unshare --ipc setpriv --reuid postgres --regid postgres --init-groups)
	install -d -o postgres home
	cd home || return
	"${as_postgres[@]}" initdb -D data -A trust --no-sync >/dev/null
	postgres=(postgres -D data -h '' -k . -c dynamic_shared_memory_type=mmap)
}

sql() {
	psql -h "$PWD/data" -U postgres -AXtc "$1"
}

answers() {
	[[ $(sql 'select 1' 2>&1) == 1 ]]
}

start_postgres() {
	start "${as_postgres[@]}" onlyone "$@" "${postgres[@]}"
}

# guards LOCK: what holds whether LOCK is beside the data or the data directory.
guards() {
	start_postgres "$1"
	runs "$SERVER" postgres
	[[ $(onlyone --pid "$1") == "$SERVER" ]]
	refused "$1: held by PID $SERVER (postgres)" "${as_postgres[@]}" onlyone "$1" "${postgres[@]}"
	sql 'create table kept (n int); insert into kept values (42)'

	kill -TERM "$SERVER" # no client is connected: it does not wait for any
	ends 0
	start_postgres "$1"
	[[ $(sql 'select n from kept') == 42 ]]
}

@test "postgres is guarded by a lock beside its data directory" {
	setup_postgres
	guards lock
}

@test "postgres is guarded by its data directory as the lock" {
	setup_postgres
	guards data
	[[ $(cat data/.onlyone) == "$SERVER" ]]
}

@test "neither lock nor PID file left in the data directory: still no second postgres" {
	setup_postgres
	start_postgres data
	rm data/.onlyone data/postmaster.pid
	# With the record the knowledge is gone who of those that hold it is the one.
	run -75 timeout "$PATIENCE" "${as_postgres[@]}" onlyone data "${postgres[@]}"
	[[ $output == "onlyone: data: held by "*"PID $SERVER (postgres)"* ]]
	answers
}

@test "initdb wants an empty directory: a directory that is the lock is none" {
	setup_postgres
	"${as_postgres[@]}" mkdir -m 700 other
	run -1 "${as_postgres[@]}" onlyone other initdb -D other
	[[ $output == *'directory "other" exists but is not empty'* ]]
	rm other/.onlyone
	"${as_postgres[@]}" onlyone lock initdb -D other -A trust --no-sync >/dev/null
	run -0 "${as_postgres[@]}" onlyone other true
}

# dies_with_child_left LOCK: the postmaster is killed, and $CHILD does not end yet.
dies_with_child_left() {
	start_postgres "$1"
	CHILD=$(pgrep -P "$SERVER" | head -n 1)
	kill -STOP "$CHILD"
	kill -KILL "$SERVER"
	ends 137
	eventually "the other children have ended" only_child_keeps "$1"
}

only_child_keeps() {
	[[ $(onlyone --pid "$1") == "$CHILD" ]]
}

# comes_after_children LOCK: as above, and the next postmaster waits for $CHILD.
comes_after_children() {
	dies_with_child_left "$1"
	refused "$1: held by PID $CHILD (postgres) (stopped): the recorded process $SERVER has ended" "${as_postgres[@]}" onlyone "$1" "${postgres[@]}"
	kill -CONT "$CHILD"
	start_postgres -w 120 "$1"
	runs "$SERVER" postgres
}

@test "a postmaster was killed: the next one comes when its children have ended" {
	setup_postgres
	comes_after_children lock
}

@test "a postmaster was killed with its data directory as the lock: the same" {
	setup_postgres
	comes_after_children data
}
