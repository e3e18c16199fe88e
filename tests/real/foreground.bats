#!/usr/bin/env bats
# The manual's table of servers: how each stays in the foreground, where it is the very process that
# onlyone was; and what becomes of the lock where it goes into the background.
# shellcheck disable=SC2154 # cron_with sets own_cron

load helper

AS=() # who asks: the user who has started it

# stays PROGRAM START...: START... has made PROGRAM of the process that was started, and a second one
# is refused while it serves. Ends it again.
stays() {
	local program=$1
	shift
	start "$@"
	runs "$SERVER" "$program"
	[[ $("${AS[@]}" onlyone --pid lock) == "$SERVER" ]]
	run -75 timeout "$PATIENCE" "$@"
	[[ $output == "onlyone: lock: held by PID $SERVER ($program)"* ]] || fail "$output"
	answers
	kill "$SERVER"
	await "$SERVER" || :
	eventually "its other processes have ended, too" free
}

free() {
	[[ $(onlyone --status lock) == free ]]
}

# goes START...: the process that was started has ended, and a server of it serves all the same.
goes() {
	run -0 timeout "$PATIENCE" "$@" 3>&-
	eventually "it serves: $*" answers
}

# keeps_lock PID-FILE: that server has inherited the lock, so it is named and no second one comes.
keeps_lock() {
	eventually "it writes $1" test -s "$1"
	local pid
	pid=$(xargs <"$1")
	"${AS[@]}" onlyone --pid lock | grep -qx "$pid" || fail "$(onlyone --status lock): not PID $pid"
	run -75 "${AS[@]}" onlyone lock touch ran
	[[ $output == *"PID $pid ("*"): the recorded process "*" has ended" ]] || fail "$output"
	run -75 "${AS[@]}" onlyone --signal KILL lock # it is not the one that was recorded
	answers
	end "$pid"
}

# loses_lock PID-FILE: nothing guards that server.
loses_lock() {
	eventually "it writes $1" test -s "$1"
	free
	answers
	end "$(cat "$1")"
}

end() {
	kill "$1"
	eventually "PID $1 has ended" gone "$1"
	eventually "its other processes have ended, too" free
}

@test "redis: stays, unless the configuration says daemonize; then it keeps the lock" {
	need redis-server redis-cli
	redis=(redis-server --port 0 --unixsocket "$PWD/redis.sock" --dir "$PWD")
	answers() {
		[[ $(redis-cli -s redis.sock ping 2>&1) == PONG ]]
	}
	stays redis-server onlyone lock "${redis[@]}"
	echo 'daemonize yes' >redis.conf
	stays redis-server onlyone lock redis-server redis.conf "${redis[@]:1}" --daemonize no
	redis=(redis-server redis.conf "${redis[@]:1}" --pidfile "$PWD/redis.pid")
	goes onlyone lock "${redis[@]}"
	keeps_lock redis.pid
	goes onlyone --close lock "${redis[@]}"
	loses_lock redis.pid
}

@test "nginx: stays with daemon off; else master and workers keep the lock" {
	need_nobody
	need nginx
	let_others_in
	nginx_with hello
	nginx=(nginx -p "$PWD" -e error.log -c nginx.conf)
	answers() {
		[[ $(http "$ADDRESS" 7000) == *hello ]]
	}
	stays nginx onlyone lock "${nginx[@]}" -g 'daemon off;'
	goes onlyone lock "${nginx[@]}"
	keeps_lock nginx.pid
}

@test "memcached: stays; with -d it keeps the lock" {
	need memcached
	memcached=(memcached -u "$(id -un)" -l "$ADDRESS" -p 7000 -U 0 -P "$PWD/memcached.pid")
	answers() {
		local line
		{ exec 9<>"/dev/tcp/$ADDRESS/7000"; } 2>/dev/null || return
		printf 'version\r\n' >&9
		read -t 5 -r line <&9
		exec 9>&-
		[[ $line == VERSION* ]]
	}
	stays memcached onlyone lock "${memcached[@]}"
	rm -f memcached.pid
	goes onlyone lock "${memcached[@]}" -d
	keeps_lock memcached.pid
}

@test "dnsmasq: stays with -k, guarded by its record, or with --close; else it loses the lock" {
	need_nobody
	need dnsmasq
	need_attributes
	# Its PID file is the last thing that it makes ready, and it would not overwrite another user's.
	dnsmasq=(dnsmasq --conf-file=/dev/null --port=7000 --listen-address="$ADDRESS" --bind-interfaces
		--user=root --pid-file="$PWD/dnsmasq.pid")
	answers() {
		[[ -s dnsmasq.pid ]] && kill -0 "$(cat dnsmasq.pid)"
	}
	for options in '' --close; do
		# shellcheck disable=SC2086 # an option or none
		stays dnsmasq onlyone $options lock "${dnsmasq[@]}" -k
		rm -f dnsmasq.pid
	done
	for options in '' --close; do
		# shellcheck disable=SC2086 # an option or none
		goes onlyone $options lock "${dnsmasq[@]}"
		loses_lock dnsmasq.pid
		rm -f dnsmasq.pid
	done
}

setup_postgres() {
	need_nobody
	need_unshare --ipc
	need psql
	PATH=$PATH:$(printf %s: /usr/lib/postgresql/*/bin)
	need initdb postgres pg_ctl
}

@test "postgres: stays; started by pg_ctl it keeps the lock" {
	setup_postgres
	let_others_in
	AS=(unshare --ipc setpriv --reuid postgres --regid postgres --init-groups)
	install -d -o postgres home
	cd home || return
	"${AS[@]}" initdb -D data -A trust --no-sync >/dev/null
	options="-h '' -k . -c dynamic_shared_memory_type=mmap"
	answers() {
		[[ $(psql -h "$PWD/data" -U postgres -AXtc 'select 1' 2>&1) == 1 ]]
	}
	stays postgres "${AS[@]}" onlyone lock postgres -D data -h '' -k . -c dynamic_shared_memory_type=mmap
	goes "${AS[@]}" onlyone lock pg_ctl -D data -l log -o "$options" start
	head -n 1 data/postmaster.pid >postgres.pid
	keeps_lock postgres.pid
}

@test "apache: stays with -DFOREGROUND; else it and its workers keep the lock" {
	need_nobody
	need apache2
	let_others_in
	cat >apache.conf <<-CONF
		ServerRoot /usr/lib/apache2
		LoadModule mpm_event_module modules/mod_mpm_event.so
		LoadModule authz_core_module modules/mod_authz_core.so
		ServerName localhost
		DefaultRuntimeDir $PWD
		PidFile $PWD/apache.pid
		ErrorLog $PWD/error.log
		User nobody
		Group $(id -gn nobody)
		Listen $ADDRESS:7000
	CONF
	apache=(apache2 -f "$PWD/apache.conf")
	answers() {
		[[ $(http "$ADDRESS" 7000) == HTTP/1.* ]]
	}
	stays apache2 onlyone lock "${apache[@]}" -DFOREGROUND
	goes onlyone lock "${apache[@]}"
	keeps_lock apache.pid
}

@test "haproxy: stays with -db, or where the configuration has no daemon; with -D it keeps the lock" {
	need haproxy
	cat >plain.conf <<-CONF
		global
			pidfile $PWD/haproxy.pid
		defaults
			mode http
			timeout client 5s
			timeout server 5s
			timeout connect 5s
		listen hello
			bind $ADDRESS:7000
			http-request return status 200 content-type text/plain string hello
	CONF
	sed '1a\	daemon' plain.conf >daemon.conf
	answers() {
		[[ $(http "$ADDRESS" 7000) == *hello ]]
	}
	stays haproxy onlyone lock haproxy -f plain.conf
	stays haproxy onlyone lock haproxy -f daemon.conf -db
	stays haproxy onlyone lock haproxy -W -f daemon.conf -db
	goes onlyone lock haproxy -f daemon.conf
	keeps_lock haproxy.pid
}

@test "sshd: stays with -D, guarded by its record, or with --close; else it loses the lock" {
	need_own_run
	need sshd ssh-keygen
	need_attributes
	ssh-keygen -q -t ed25519 -N '' -f host_key
	cat >sshd.conf <<-CONF
		ListenAddress $ADDRESS:7000
		HostKey $PWD/host_key
		PidFile $PWD/sshd.pid
	CONF
	own_run=("${OWN_RUN[@]}" sh -ec 'mkdir /run/sshd; exec "$@"' sh)
	sshd=("$(command -v sshd)" -f "$PWD/sshd.conf" -E "$PWD/sshd.log")
	answers() {
		[[ $(banner "$ADDRESS" 7000) == SSH-2.0-OpenSSH* ]]
	}
	for options in '' --close; do
		# shellcheck disable=SC2086 # an option or none
		stays sshd "${own_run[@]}" onlyone $options lock "${sshd[@]}" -D
	done
	goes "${own_run[@]}" onlyone lock "${sshd[@]}"
	loses_lock sshd.pid
}

@test "cron: stays with -f; else it keeps the lock" {
	cron_with "@reboot root cp /run/crond.pid $PWD/cron.pid"
	answers() {
		[[ -s cron.pid ]]
	}
	stays cron "${own_cron[@]}" onlyone lock cron -f
	rm cron.pid
	goes "${own_cron[@]}" onlyone lock cron
	keeps_lock cron.pid
}

@test "mariadb: mariadbd stays" {
	need_nobody
	need mariadbd
	let_others_in
	install -d -o nobody data
	mariadb=(mariadbd --no-defaults --user=nobody --datadir="$PWD/data" --socket="$PWD/data/socket"
		--bind-address="$ADDRESS" --port=7000 --pid-file="$PWD/data/pid" --skip-grant-tables
		--innodb-buffer-pool-size=8M --innodb-log-file-size=4M)
	answers() {
		{ timeout 5 head -c 60 <"/dev/tcp/$ADDRESS/7000" | grep -qa MariaDB; } 2>/dev/null
	}
	stays mariadbd onlyone lock "${mariadb[@]}"
}
