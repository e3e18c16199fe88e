#!/usr/bin/env bats
# onlyone as PID 1 of a container, in front of a server whose data directory, the lock, is a volume.

load helper

setup_container() {
	need_unshare --pid --fork --mount-proc
	need redis-server redis-cli
	container=(unshare --pid --fork --mount-proc)
	mkdir volume
	redis=(redis-server --port 0 --unixsocket redis.sock --dir volume --save '')
}

# `ready` is what a server that is not redis makes.
answers() {
	[[ -e ready || $(redis-cli -s volume/redis.sock ping 2>&1) == PONG ]]
}

# run_container ARG...: onlyone ARG... is PID 1 of a container. $CONTAINER is what waits for it,
# as a container's runtime does; $SERVER is its PID here.
run_container() {
	start "${container[@]}" onlyone "$@"
	CONTAINER=$SERVER
	SERVER=$(pgrep -P "$CONTAINER")
}

# container_ends STATUS
container_ends() {
	SERVER=$CONTAINER
	ends "$1"
}

# both_ways TEST: as it is, and with --close.
both_ways() {
	setup_container
	"$1"
	echo "with --close:"
	"$1" --close
}

serves_as_pid_1() {
	run_container "$@" volume "${redis[@]}"
	runs "$SERVER" redis-server
	[[ $(grep NSpid "/proc/$SERVER/status") == *$'\t'1 && $(cat volume/.onlyone) == 1 ]]
	kill "$SERVER"
	container_ends 0
	run_container "$@" volume "${redis[@]}"
	kill "$SERVER"
	container_ends 0
}

@test "a server is PID 1 itself, ends on SIGTERM with its own status, and starts again" {
	both_ways serves_as_pid_1
}

status_comes_back() {
	rm -f ready
	run_container "$@" lock sh -c 'trap "exit 43" TERM; touch ready; while :; do sleep 0.01; done'
	kill "$SERVER"
	container_ends 43
}

@test "SIGTERM reaches PID 1, and its exit status comes back" {
	both_ways status_comes_back
}

keeps_others_out() {
	run_container "$@" volume "${redis[@]}"
	refused "volume: held by an unknown process" "${container[@]}" onlyone volume "${redis[@]}"
	local holder="PID $SERVER (redis-server)"
	# The record is of the container's PID namespace, so the keeper is named as what it is.
	(($# == 0)) || holder="PID $(pgrep -P "$SERVER" onlyone-keeper) (onlyone-keeper)"
	refused "volume: held by $holder" onlyone volume "${redis[@]}"
	refused "$PWD/volume: held by PID 1 (redis-server)" \
		nsenter --pid --mount --target "$SERVER" onlyone "$PWD/volume" true
	answers
	kill "$SERVER"
	container_ends 0
}

@test "a second container that shares the volume is refused, so are the host and a command in the container" {
	both_ways keeps_others_out
}

kept_out_by_host() {
	start onlyone "$@" volume "${redis[@]}"
	refused "volume: held by an unknown process" "${container[@]}" onlyone volume "${redis[@]}"
	answers
	kill "$SERVER"
	ends 0
}

@test "a container is refused while the host runs the server" {
	both_ways kept_out_by_host
}

starts_after_kill() {
	for _ in 1 2 3; do
		run_container "$@" volume "${redis[@]}"
		kill -KILL "$SERVER"
		eventually "the container has ended" gone "$CONTAINER"
		[[ $(cat volume/.onlyone) == 1 ]]
	done
	start onlyone "$@" -w 120 volume "${redis[@]}"
	kill "$SERVER"
	ends 0
}

@test "after a killed container the next one starts, and the host, although the record says PID 1" {
	both_ways starts_after_kill
}

@test "a command that -w makes wait in one container starts when the other has ended" {
	setup_container
	run_container volume "${redis[@]}"
	"${container[@]}" onlyone -w 120 volume touch ran 3>&- &
	waiter=$!
	eventually "the second container waits" waiters volume 1
	[[ ! -e ran ]]
	kill "$SERVER"
	container_ends 0
	await "$waiter"
	[[ -e ran ]]
}
