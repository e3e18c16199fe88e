#!/usr/bin/env bats
# nginx in the foreground: a master, and workers that inherit the lock.

load helper

setup_nginx() {
	need_nobody
	need nginx
	nginx=(nginx -p "$PWD" -e error.log -c nginx.conf)
	configure hello
	let_others_in # the workers are another user's
}

# configure TEXT: TEXT is what every request is to be answered with.
configure() {
	text=$1
	nginx_with "$text" "daemon off;" "worker_processes 2;"
}

answers() {
	[[ $(http "$ADDRESS" 7000) == *$'\r\n\r\n'"$text" ]]
}

workers() {
	pgrep -P "$SERVER"
}

two_workers() {
	[[ $(workers | wc -l) == 2 ]]
}

@test "nginx serves, its master in the very process that onlyone was" {
	setup_nginx
	start onlyone lock "${nginx[@]}"
	runs "$SERVER" nginx
	[[ $(cat lock) == "$SERVER" && $(cat nginx.pid) == "$SERVER" ]]
}

@test "a second nginx is refused and told of the first, which serves on" {
	setup_nginx
	start onlyone lock "${nginx[@]}"
	refused "lock: held by PID $SERVER (nginx)" onlyone lock "${nginx[@]}"
	answers
}

@test "nginx ends with its own status, and starts again" {
	setup_nginx
	for signal in TERM QUIT; do
		start onlyone lock "${nginx[@]}"
		kill -"$signal" "$SERVER"
		ends 0
	done
	start onlyone lock "${nginx[@]}"
}

@test "a reload, with new workers, keeps the lock" {
	setup_nginx
	start onlyone lock "${nginx[@]}"
	configure "hello again"
	kill -HUP "$SERVER"
	eventually "the new workers serve" answers
	[[ $(onlyone --pid lock) == "$SERVER" ]]
	refused "lock: held by PID $SERVER (nginx)" onlyone lock "${nginx[@]}"
}

@test "workers that outlive their killed master keep the lock and are named" {
	setup_nginx
	start onlyone lock "${nginx[@]}"
	eventually "there are two workers" two_workers
	workers=$(workers)
	kill -KILL "$SERVER"
	ends 137
	answers
	refused "lock: held by PID ${workers/$'\n'/ (nginx), PID } (nginx): the recorded process $SERVER has ended" onlyone lock "${nginx[@]}"
	[[ $(onlyone --pid lock) == "$workers" ]]

	# shellcheck disable=SC2086 # one PID a word
	kill $workers
	start onlyone -w 120 lock "${nginx[@]}"
	runs "$SERVER" nginx
}

@test "with --close such workers do not keep the lock" {
	setup_nginx
	start onlyone --close lock "${nginx[@]}"
	refused "lock: held by PID $SERVER (nginx)" onlyone lock "${nginx[@]}"
	kill -KILL "$SERVER"
	ends 137
	answers
	run -0 onlyone -w 120 lock true
	answers
}
