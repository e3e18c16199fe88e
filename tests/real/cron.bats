#!/usr/bin/env bats
# cron in the foreground, with crontabs and a /run of its own, so that nothing of the machine's is
# read or changed.
# shellcheck disable=SC2154 # cron_with sets own_cron

load helper

# setup_cron LINE...: with $own_cron in front, cron finds only these. An empty file `up` is made when
# it starts.
setup_cron() {
	cron_with "@reboot root touch $PWD/up" "$@"
}

answers() {
	[[ -e up ]]
}

# A job that runs until it is told to end.
make_job() {
	mkfifo release
	printf '%s\n' '#!/bin/sh' 'echo $$ >>started' 'read -r _ <release' >job
	chmod +x job
}

@test "cron runs its jobs, in the very process that onlyone was" {
	setup_cron
	start "${own_cron[@]}" onlyone lock cron -f
	runs "$SERVER" cron
	[[ $(cat lock) == "$SERVER" ]]
}

@test "a second cron is refused and told of the first" {
	setup_cron
	start "${own_cron[@]}" onlyone lock cron -f
	refused "lock: held by PID $SERVER (cron)" "${own_cron[@]}" onlyone lock cron -f
}

@test "cron ends with its own status, and starts again" {
	setup_cron
	start "${own_cron[@]}" onlyone lock cron -f
	kill "$SERVER"
	ends 143
	rm up
	start "${own_cron[@]}" onlyone -w 120 lock cron -f
}

# leave_a_job [OPTION...]: kills a cron that was started with OPTION while a job of it runs.
leave_a_job() {
	make_job
	setup_cron "@reboot root cd $PWD && exec ./job"
	start "${own_cron[@]}" onlyone "$@" lock cron -f
	eventually "the job runs" test -s started
	kill "$SERVER"
	ends 143
	rm up
}

@test "a job that outlives cron keeps its lock and is named" {
	leave_a_job
	job=$(cat started)
	run -75 timeout "$PATIENCE" "${own_cron[@]}" onlyone lock cron -f
	[[ $output == "onlyone: lock: held by "*"PID $job (job): the recorded process $SERVER has ended" ]]
	onlyone --pid lock | grep -qx "$job"
	kill "$job"
	start "${own_cron[@]}" onlyone -w 120 lock cron -f
}

@test "with --close a job that outlives cron does not keep its lock" {
	leave_a_job --close
	start "${own_cron[@]}" onlyone --close -w 120 lock cron -f
	kill -0 "$(head -n 1 started)"
}

# within SECONDS WHAT COMMAND...: as eventually, for events on the minute.
within() {
	local what=$2 limit=$1 deadline=$((SECONDS + $1))
	shift 2
	until "$@"; do
		((SECONDS < deadline)) || fail "not within $limit s: $what" || return
		sleep 0.1
	done
}

@test "an every-minute job that overlaps itself runs once, and the second is refused" {
	make_job
	setup_cron "* * * * * root cd $PWD && onlyone lock ./job 2>>refused; echo \$? >>ended"
	start "${own_cron[@]}" cron -f
	within 180 "cron runs the job" test -s started
	within 180 "cron runs it again" test -s ended
	[[ $(cat started) == "$(cat lock)" && $(cat ended) == 75 ]]
	[[ $(cat refused) == "onlyone: lock: held by PID $(cat started) (job)" ]]

	say release
	eventually "the first job has ended" grep -qx 0 ended
	run -0 onlyone lock true
}
