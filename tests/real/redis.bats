#!/usr/bin/env bats
# redis: one process with children that save; its data directory as the lock.

load helper

setup_redis() {
	need redis-server redis-cli
	mkdir data
	redis=(redis-server --port 0 --unixsocket redis.sock --dir data)
}

client() {
	redis-cli -s data/redis.sock "$@"
}

answers() {
	[[ $(client ping 2>&1) == PONG ]]
}

@test "redis serves, in the very process that onlyone was" {
	setup_redis
	start onlyone lock "${redis[@]}"
	runs "$SERVER" redis-server
	[[ $(cat lock) == "$SERVER" ]]
}

@test "a second redis is refused and told of the first, which serves on" {
	setup_redis
	start onlyone lock "${redis[@]}"
	refused "lock: held by PID $SERVER (redis-server)" onlyone lock "${redis[@]}"
	answers
}

@test "redis ends with its own status, and starts again" {
	setup_redis
	start onlyone lock "${redis[@]}"
	kill "$SERVER"
	ends 0
	start onlyone lock "${redis[@]}"
	kill -KILL "$SERVER"
	ends 137
	start onlyone lock "${redis[@]}"
}

@test "redis keeps its data in the directory that is the lock" {
	setup_redis
	start onlyone data "${redis[@]}"
	[[ $(client set name value) == OK ]]
	refused "data: held by PID $SERVER (redis-server)" onlyone data "${redis[@]}"
	client shutdown save
	ends 0
	start onlyone data "${redis[@]}"
	[[ $(client get name) == value ]]
}

@test "a data directory that was emptied under redis still lets no second one in" {
	setup_redis
	start onlyone data "${redis[@]}"
	rm -rf data/* data/.onlyone
	refused "data: held by PID $SERVER (redis-server)" onlyone data "${redis[@]}"
}

# save_and_die: kills redis while a child of it saves; the child is $CHILD, and stopped.
save_and_die() {
	client config set rdb-key-save-delay 100000
	client debug populate 1000
	client bgsave
	eventually "redis has forked" pgrep -P "$SERVER"
	CHILD=$(pgrep -P "$SERVER")
	kill -STOP "$CHILD"
	kill -KILL "$SERVER"
	ends 137
}

@test "a child that still saves for a killed redis keeps the lock and is named" {
	setup_redis
	start onlyone lock "${redis[@]}" --enable-debug-command yes
	save_and_die
	refused "lock: held by PID $CHILD (redis-server) (stopped): the recorded process $SERVER has ended" onlyone lock "${redis[@]}"
	kill -KILL "$CHILD"
	start onlyone -w 120 lock "${redis[@]}"
}

@test "with --close such a child does not keep the lock" {
	setup_redis
	start onlyone --close lock "${redis[@]}" --enable-debug-command yes
	save_and_die
	start onlyone -w 120 lock "${redis[@]}"
	kill -0 "$CHILD"
}

@test "a running redis is replaced: signalled, waited for, started anew" {
	setup_redis
	start onlyone lock "${redis[@]}"
	first=$SERVER
	onlyone --signal TERM -w 120 lock
	run -0 onlyone lock true
	ends 0
	start onlyone lock "${redis[@]}"
	[[ $SERVER != "$first" && $(onlyone --pid lock) == "$SERVER" ]]
}
