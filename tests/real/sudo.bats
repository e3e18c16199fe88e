#!/usr/bin/env bats
# sudo: it waits for the command and keeps the lock, which the command does not get; or, where no
# session has to be closed, it closes the lock and becomes the command.

load helper

# The server that sudo runs is redis.
setup_sudo() {
	need_nobody
	need_unshare --mount mount --bind . .
	need sudo redis-server redis-cli
	let_others_in
	install -d -o nobody data
	redis=(redis-server --port 0 --unixsocket redis.sock --unixsocketperm 777 --dir data --save '')
}

# sudoers DEFAULTS: with $own_sudoers in front, a command's sudo finds these.
sudoers() {
	printf '%s\n' "Defaults $1" 'root ALL=(ALL:ALL) NOPASSWD: ALL' >sudoers
	chmod 440 sudoers
	own_sudoers=(unshare --mount sh -ec 'mount --bind sudoers /etc/sudoers; exec "$@"' sh)
}

sudo_waits() {
	sudoers '!use_pty'
}

sudo_becomes_the_command() {
	sudoers '!use_pty, !pam_session, !pam_setcred'
}

answers() {
	[[ $(redis-cli -s data/redis.sock ping 2>&1) == PONG ]]
}

start_sudo() {
	start "${own_sudoers[@]}" onlyone "$@" sudo -n -u nobody "${redis[@]}"
}

@test "a second sudo is refused and told of the first, whose server serves on" {
	setup_sudo
	sudo_waits
	start_sudo lock
	runs "$SERVER" sudo
	bears "$SERVER" lock
	lacks "$(pgrep -P "$SERVER" redis-server)" lock
	refused "lock: held by PID $SERVER (sudo)" \
		"${own_sudoers[@]}" onlyone lock sudo -n -u nobody "${redis[@]}"
	answers
}

@test "sudo passes SIGTERM on, its command's status comes back, and it starts again" {
	setup_sudo
	sudo_waits
	start_sudo lock
	kill "$SERVER"
	ends 0
	start_sudo lock
	run -42 "${own_sudoers[@]}" onlyone other sudo -n sh -c 'exit 42'
}

@test "a sudo that waits cannot be started twice" {
	setup_sudo
	sudo_waits
	guarded_by_lock sudo lock start_sudo lock
}

@test "a sudo that waits cannot be started twice: on tmpfs" {
	on_tmpfs
	setup_sudo
	sudo_waits
	guarded_by_lock sudo "$TMPFS/lock" start_sudo "$TMPFS/lock"
}

@test "with --close a sudo that waits cannot be started twice" {
	setup_sudo
	sudo_waits
	guarded_by_lock sudo lock start_sudo --close lock
}

@test "a sudo that becomes the command cannot be started twice although it closes the lock" {
	need_attributes
	setup_sudo
	sudo_becomes_the_command
	guarded_by_record redis-server lock start_sudo lock
}

@test "a sudo that becomes the command cannot be started twice: on tmpfs" {
	on_tmpfs
	need_attributes_in "$TMPFS"
	setup_sudo
	sudo_becomes_the_command
	guarded_by_record redis-server "$TMPFS/lock" start_sudo "$TMPFS/lock"
}

@test "with --close a sudo that becomes the command cannot be started twice" {
	setup_sudo
	sudo_becomes_the_command
	guarded_by_lock redis-server lock start_sudo --close lock
}

@test "with --close a sudo that becomes the command cannot be started twice: on tmpfs" {
	on_tmpfs
	setup_sudo
	sudo_becomes_the_command
	guarded_by_lock redis-server "$TMPFS/lock" start_sudo --close "$TMPFS/lock"
}

@test "onlyone LOCK sudo SERVER guards sudo: killed, it leaves a server without the lock" {
	setup_sudo
	sudo_waits
	start_sudo lock
	kill -KILL "$SERVER"
	ends 137
	answers
	run -0 onlyone lock true
}

@test "sudo onlyone LOCK SERVER guards the server, also when sudo is killed" {
	setup_sudo
	sudo_waits
	for options in "" "--close"; do
		# shellcheck disable=SC2086 # none or one
		start "${own_sudoers[@]}" sudo -n -u nobody "$PWD/bin/onlyone" $options data "${redis[@]}"
		guarded=$(cat data/.onlyone)
		[[ $(stat -c %U "/proc/$guarded") == nobody && "/proc/$guarded/exe" -ef $(command -v redis-server) ]]
		kill -KILL "$SERVER"
		ends 137
		answers
		refused "data: held by PID $guarded (redis-server)" \
			"${own_sudoers[@]}" sudo -n -u nobody "$PWD/bin/onlyone" data "${redis[@]}"
		kill "$guarded"
		eventually "the server has ended" gone "$guarded"
	done
}
