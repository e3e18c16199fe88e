#!/usr/bin/env bats
# sshd and ssh: both close every descriptor from 3 on, so that the lock is lost without a word.

load helper

setup_sshd() {
	need_own_run
	need sshd ssh ssh-keygen
	ssh-keygen -q -t ed25519 -N '' -f host_key
	cat >sshd.conf <<-CONF
		ListenAddress $ADDRESS:7000
		HostKey $PWD/host_key
		AuthorizedKeysFile $PWD/client_key.pub
		PermitRootLogin yes
		StrictModes no
		UsePAM no
		PidFile none
	CONF
	sshd=("$(command -v sshd)" -D -f sshd.conf -E sshd.log)
	own_run=("${OWN_RUN[@]}" sh -ec 'mkdir /run/sshd; exec "$@"' sh)
	port=7000
}

answers() {
	[[ $(banner "$ADDRESS" "$port") == SSH-2.0-OpenSSH* ]]
}

start_sshd() {
	start "${own_run[@]}" onlyone "$@" "${sshd[@]}"
}

@test "sshd serves, in the very process that onlyone was, ends with its own status, starts again" {
	setup_sshd
	start_sshd lock
	runs "$SERVER" sshd
	[[ $(cat lock) == "$SERVER" ]]
	kill "$SERVER"
	ends 0
	start_sshd lock
}

@test "a second sshd is refused and told of the first, which serves on" {
	need_attributes
	setup_sshd
	start_sshd lock
	refused "lock: held by PID $SERVER (sshd): it has closed the lock, but runs on; --force starts all the same" \
		"${own_run[@]}" onlyone lock "${sshd[@]}"
	answers
}

@test "sshd cannot be started twice although it closes the lock" {
	need_attributes
	setup_sshd
	guarded_by_record sshd lock start_sshd lock
}

@test "sshd cannot be started twice although it closes the lock: on tmpfs" {
	on_tmpfs
	need_attributes_in "$TMPFS"
	setup_sshd
	guarded_by_record sshd "$TMPFS/lock" start_sshd "$TMPFS/lock"
}

@test "with --close sshd cannot be started twice" {
	setup_sshd
	guarded_by_lock sshd lock start_sshd --close lock
}

@test "with --close sshd cannot be started twice: on tmpfs" {
	on_tmpfs
	setup_sshd
	guarded_by_lock sshd "$TMPFS/lock" start_sshd --close "$TMPFS/lock"
}

@test "without user attributes sshd wants --close, and --verbose says so" {
	setup_sshd
	mkdir plain
	own_ramfs=("${own_run[@]}" sh -ec 'mount -t ramfs none plain; exec "$@"' sh)
	start "${own_ramfs[@]}" onlyone -v "$PWD/plain/lock" "${sshd[@]}"
	[[ $(cat server.log) == "onlyone: $PWD/plain/lock: no user attributes here: a command that closes its descriptors is guarded only with --close" ]]
	run -0 nsenter --mount --target "$SERVER" onlyone "$PWD/plain/lock" true
	kill "$SERVER"
	ends 0

	start "${own_ramfs[@]}" onlyone --close "$PWD/plain/lock" "${sshd[@]}"
	refused "$PWD/plain/lock: held by PID $SERVER (sshd)" \
		nsenter --mount --target "$SERVER" onlyone "$PWD/plain/lock" true
}

@test "with --close an sshd that is PID 1 of its container keeps a second container out" {
	setup_sshd
	container=("${own_run[@]}" unshare --pid --fork --mount-proc)
	start "${container[@]}" onlyone --close lock "${sshd[@]}"
	refused "lock: held by an unknown process" "${container[@]}" onlyone lock "${sshd[@]}"
	local keeper
	keeper=$(pgrep -P "$(pgrep -P "$SERVER")" onlyone-keeper) # the record is of the container's
	refused "lock: held by PID $keeper (onlyone-keeper)" onlyone lock true
	kill "$(pgrep -P "$SERVER")"
	ends 0
	run -0 onlyone lock true
}

# The tunnel's far end is sshd itself.
tunnel() {
	start onlyone "$@" ssh -N -F none -i client_key -p 7000 -o BatchMode=yes \
		-o StrictHostKeyChecking=no -o UserKnownHostsFile=known_hosts \
		-o ExitOnForwardFailure=yes -L "$ADDRESS:7001:$ADDRESS:7000" "root@$ADDRESS"
}

setup_tunnel() {
	setup_sshd
	ssh-keygen -q -t ed25519 -N '' -f client_key
	start_sshd sshd.lock
	port=7001
}

@test "an ssh tunnel cannot be opened twice although ssh closes the lock" {
	need_attributes
	setup_tunnel
	guarded_by_record ssh lock tunnel lock
}

@test "with --close an ssh tunnel cannot be opened twice" {
	setup_tunnel
	guarded_by_lock ssh lock tunnel --close lock
}

@test "a session that outlives sshd does not keep the next sshd out" {
	need_attributes
	setup_tunnel
	first=$SERVER
	tunnel lock
	kill -KILL "$first"
	eventually "sshd has ended" gone "$first"
	port=7000
	start_sshd sshd.lock
}
