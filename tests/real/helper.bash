# What the tests of real servers share: starting one, seeing that it serves, its end, and finding
# all its processes again. Each file says what it means to serve, in `answers`.
# shellcheck shell=bash

load ../helper

# All of 127.0.0.0/8 is this host: an address of this test alone, so that no port has to be picked.
# shellcheck disable=SC2034 # for the files that load this one
ADDRESS=127.$((64 + $$ / 65536)).$(($$ / 256 % 256)).$(($$ % 256))

# Servers write their title where /proc/PID/environ is read from, cron and sudo clear the
# environment, sshd goes to /. What still runs in the test's directory, has a file of it open or
# is a job of the test's shell is the test's too.
strays() {
	jobs -pr
	{
		grep -lzFx "ONLYONE_TEST=$BATS_TEST_TMPDIR" /proc/[0-9]*/environ
		find /proc/[0-9]*/cwd /proc/[0-9]*/fd -maxdepth 1 \
			\( -lname "$BATS_TEST_TMPDIR" -o -lname "$BATS_TEST_TMPDIR/*" \)
	} 2>/dev/null | cut -d/ -f3 | sort -u
}

# Also kills what a server starts anew while it is being killed.
end_strays() {
	local pid
	for pid in $(strays); do
		kill -KILL "$pid" 2>/dev/null || :
	done
	no_strays
}

teardown() {
	# Neither this shell is a stray, nor what it runs to find them.
	cd / || return
	unset ONLYONE_TEST
	eventually "every process of the test has ended" end_strays
	[[ -z ${TMPFS:-} ]] || rm -rf "$TMPFS"
}

# start COMMAND...: runs COMMAND in the background until it `answers`. $SERVER is its PID.
start() {
	"$@" >>server.log 2>&1 3>&- &
	SERVER=$!
	eventually "it serves: $*" answers_or_gone && ! gone "$SERVER" && return
	cat server.log >&2
	fail "it does not serve: $*"
}

answers_or_gone() {
	answers || gone "$SERVER"
}

# ends STATUS: waits for the server to end, and it must have ended with STATUS.
ends() {
	local status=0
	await "$SERVER" || status=$?
	[[ $status == "$1" ]] || fail "the server has ended with $status, not with $1"
}

# refused LINE COMMAND...: COMMAND ends with 75, having said LINE. Were it to start a server, that
# would be ended.
# shellcheck disable=SC2154 # run sets stderr
refused() {
	local line="onlyone: $1"
	shift
	run -75 --separate-stderr timeout "$PATIENCE" "$@"
	[[ -z $output && $stderr == "$line" ]] || fail "$output$stderr: not '$line'"
}

# bears PID FILE, lacks PID FILE: whether the process PID has FILE open.
bears() {
	[[ -n $(find "/proc/$1/fd" -lname "$(realpath "$2")") ]]
}

lacks() {
	[[ -z $(find "/proc/$1/fd" -lname "$(realpath "$2")") ]]
}

# http ADDRESS PORT: what the server answers to GET /.
http() {
	(
		exec 9<>"/dev/tcp/$1/$2" || exit
		printf 'GET / HTTP/1.0\r\n\r\n' >&9
		cat <&9
	) 2>/dev/null
}

# banner ADDRESS PORT: the first line that the server sends.
banner() {
	local line
	{ read -t 5 -r line <"/dev/tcp/$1/$2"; } 2>/dev/null && printf '%s\n' "$line"
}

# With this in front a command finds an empty /run, which nobody else sees.
# shellcheck disable=SC2034,SC2016 # for the files that load this one; sh expands "$@"
OWN_RUN=(unshare --mount sh -ec 'mount -t tmpfs none /run; exec "$@"' sh)

need_own_run() {
	need_unshare --mount mount -t tmpfs none /run
}

# cron_with LINE...: with $own_cron in front, cron finds these in its table and no others.
# shellcheck disable=SC2034,SC2016 # as above
cron_with() {
	need_own_run
	need cron
	printf '%s\n' "PATH=$PATH" 'MAILTO=""' "ONLYONE_TEST=$ONLYONE_TEST" "$@" >table
	mkdir empty
	own_cron=("${OWN_RUN[@]}" sh -ec '
		mount --bind table /etc/crontab
		mount --bind empty /etc/cron.d
		mount --bind empty /var/spool/cron/crontabs
		exec "$@"' sh)
}

# nginx_with TEXT DIRECTIVE...: writes nginx.conf; every request to port 7000 is answered with TEXT.
nginx_with() {
	{
		printf '%s\n' "${@:2}"
		cat <<-CONF
			pid nginx.pid;
			user nobody $(id -gn nobody);
			events {}
			http {
				access_log off;
				client_body_temp_path temp;
				proxy_temp_path temp;
				fastcgi_temp_path temp;
				uwsgi_temp_path temp;
				scgi_temp_path temp;
				server {
					listen $ADDRESS:7000;
					location / { return 200 "$1\n"; }
				}
			}
		CONF
	} >nginx.conf
}

# let_others_in: every user may enter the test's directory and finds onlyone in it.
let_others_in() {
	chmod go+x "$BATS_RUN_TMPDIR"
	install -m 755 -D "$ONLYONE" bin/onlyone
	PATH=$PWD/bin:$PATH
}

# on_tmpfs: $TMPFS is a directory of the test's own on a tmpfs; removed again by teardown.
on_tmpfs() {
	TMPFS=$(mktemp -d /dev/shm/onlyone.XXXXXX)
	[[ $(stat -f -c %T "$TMPFS") == tmpfs ]] ||
		missing tmpfs "/dev/shm is no tmpfs" "a tmpfs on /dev/shm"
}

# -- commands that close the descriptors they inherit --

# next_waits LOCK COMMAND...: another copy waits as COMMAND tells, comes when the server has ended,
# and so does the next server.
next_waits() {
	local lock=$1
	shift
	onlyone -w 120 "$lock" touch ran 3>&- &
	WAITER=$!
	eventually "the next copy waits" "$@"
	[[ ! -e ran ]]
	kill "$SERVER"
	await "$WAITER"
	[[ -e ran ]]
}

# guarded_by_record NAME LOCK START...: START... starts a NAME that closes LOCK and, all the same,
# cannot be started twice; --force can.
guarded_by_record() {
	local name=$1 lock=$2 line
	shift 2
	"$@"
	lacks "$SERVER" "$lock"
	line="held by PID $SERVER ($name): it has closed the lock, but runs on"
	refused "$lock: $line; --force starts all the same" onlyone "$lock" touch ran
	refused "$lock: $line; --force starts all the same" onlyone -w 0.1 "$lock" touch ran
	[[ ! -e ran ]]
	answers
	# shellcheck disable=SC2016 # eval expands it
	next_waits "$lock" eval 'waits_for "$WAITER" "$SERVER"'
	"$@"
	run -0 onlyone --force "$lock" true
	answers
}

# guarded_by_lock NAME LOCK START...: START... starts a NAME whose lock is held, by itself or by a
# keeper: it cannot be started twice, not even with --force.
guarded_by_lock() {
	local name=$1 lock=$2
	shift 2
	"$@"
	refused "$lock: held by PID $SERVER ($name)" onlyone "$lock" touch ran
	refused "$lock: held by PID $SERVER ($name)" onlyone --force -w 0.1 "$lock" touch ran
	[[ ! -e ran ]]
	answers
	next_waits "$lock" waiters "$lock" 1
	"$@"
}
