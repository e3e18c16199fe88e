# A server that does not answer any more: this host's packets to it are dropped.
# shellcheck shell=bash

load ../fs/helper

# drop ADDRESS [PORT]: until `answer_again`.
drop() {
	nft add table ip dropped
	nft add chain ip dropped output '{ type filter hook output priority 0; }'
	nft add rule ip dropped output ip daddr "$1" ${2:+tcp dport "$2"} drop
}

answer_again() {
	nft delete table ip dropped 2>/dev/null || :
}

eval "$(declare -f teardown | sed '1s/.*/teardown_processes_of_both()/')"
teardown() {
	answer_again
	teardown_processes_of_both
}

# does_not_answer SECONDS COMMAND...: it ends in time and says that the server does not answer, not before
# SECONDS, and leaves no process behind.
# shellcheck disable=SC2154 # run sets stderr
does_not_answer() {
	local begin=${EPOCHREALTIME/./} end at_least=$1
	shift
	run -71 --separate-stderr in_time "$@"
	end=${EPOCHREALTIME/./}
	[[ -z $output && $stderr == "onlyone: "*": the file server does not answer" ]] ||
		fail "$output$stderr: not that the file server does not answer"
	((end - begin >= at_least * 1000000)) || fail "after $((end - begin)) us: $*"
	[[ ! -e ran ]]
	eventually "no process is left" no_strays
}

# asks_or_ended PID: the start PID asks the server: it waits for a child that does, or in the kernel (D).
asks_or_ended() {
	local children='' state=''
	read -r children <"/proc/$1/task/$1/children" || : # without a newline
	read -r _ _ state _ <"/proc/$1/stat" || return 0
	[[ /proc/$1/exe -ef $ONLYONE && (-n $children || $state == D) ]]
} 2>/dev/null

# ended_by SIGNAL STATUS ARGUMENT...: a start that waits for the server's answer is ended by SIGNAL.
ended_by() {
	local signal=$1 status=$2
	shift 2
	env --default-signal="$signal" onlyone "$@" 3>&- &
	eventually "it asks the server" asks_or_ended $!
	kill "-$signal" $!
	ended "$status" $!
	eventually "no process is left" no_strays
}
