#!/usr/bin/env bats
# tmux: a server that keeps the lock and panes that do not; started in the foreground, or by a
# client that ends.

load helper

setup_tmux() {
	need tmux
	tmux=(tmux -f /dev/null -S socket)
}

answers() {
	[[ $("${tmux[@]}" display-message -p '#{pid}' 2>&1) == "$SERVER" ]]
}

start_tmux() {
	start onlyone "$@" "${tmux[@]}" -D
}

@test "tmux serves, in the very process that onlyone was, ends with its own status, starts again" {
	setup_tmux
	start_tmux lock
	runs "$SERVER" tmux
	[[ $(cat lock) == "$SERVER" ]]
	kill "$SERVER"
	ends 0
	start_tmux lock
}

@test "a second tmux is refused and told of the first, which serves on" {
	setup_tmux
	start_tmux lock
	refused "lock: held by PID $SERVER (tmux: server)" onlyone lock "${tmux[@]}" -D
	answers
}

@test "tmux cannot be started twice" {
	setup_tmux
	guarded_by_lock "tmux: server" lock start_tmux lock
}

@test "tmux cannot be started twice: on tmpfs" {
	on_tmpfs
	setup_tmux
	guarded_by_lock "tmux: server" "$TMPFS/lock" start_tmux "$TMPFS/lock"
}

@test "with --close tmux cannot be started twice" {
	setup_tmux
	guarded_by_lock "tmux: server" lock start_tmux --close lock
}

@test "with --close tmux cannot be started twice: on tmpfs" {
	on_tmpfs
	setup_tmux
	guarded_by_lock "tmux: server" "$TMPFS/lock" start_tmux --close "$TMPFS/lock"
}

@test "what runs in a pane does not keep the lock when tmux was killed" {
	setup_tmux
	start_tmux lock
	"${tmux[@]}" new-session -d 'trap "" HUP; echo $$ >pane; sleep 600; :'
	eventually "the pane runs" test -s pane
	kill -KILL "$SERVER"
	ends 137
	kill -0 "$(cat pane)"
	run -0 onlyone lock true
}

# start_client [OPTION...]: a client that leaves a server behind, $SERVER; the client was $CLIENT.
start_client() {
	onlyone "$@" "${tmux[@]}" new-session -d 'sleep 600' 3>&- &
	CLIENT=$!
	await "$CLIENT"
	SERVER=$("${tmux[@]}" display-message -p '#{pid}')
}

@test "a server that its client leaves in the background keeps the lock and is named" {
	setup_tmux
	start_client lock
	refused "lock: held by PID $SERVER (tmux: server): the recorded process $CLIENT has ended" \
		onlyone lock "${tmux[@]}" new-session -d
	kill "$SERVER"
	run -0 onlyone -w 120 lock true
}

@test "with --close the lock ends with the client" {
	setup_tmux
	start_client --close lock
	run -0 onlyone -w 120 lock true
	answers
}
