#!/usr/bin/env bats
# --signal with a command: the copy that runs is signalled, and its place is taken when it has given
# the lock up. And -k, with and without a command.
# shellcheck disable=SC2016 # the scripts in single quotes are for other shells

load helper

# A server for onlyone to start: SERVER READY NOTES PERL. It notes its signals in NOTES, and does the
# PERL when it is told to end (TERM).
SERVER_IN_PERL='
	my ($ready, $notes, $perl) = @ARGV;
	sub note { open my $file, ">>", $_[0]; print $file "$_[1]\n" }
	sub wait_for { my $file; 1 until open $file, "<", $_[0]; <$file> }
	$SIG{$_} = sub { note $notes, $_[0] } for "HUP", "USR1";
	$SIG{TERM} = sub { note $notes, "TERM"; eval $perl; die $@ if $@ };
	note $ready;
	sleep while 1'

# server [OPTION...] PERL: one that holds `lock` and notes its signals in `signals`. $SERVER is its PID.
server() {
	local ready
	ready=$(mktemp -u ready.XXXXXX)
	mkfifo "$ready"
	"$ONLYONE" "${@:1:$#-1}" lock perl -MPOSIX -e "$SERVER_IN_PERL" "$ready" signals "${!#}" 3>&- &
	SERVER=$!
	hear "$ready" || fail "no server"
}

# replace ARG...: in the background. $REPLACER is its PID.
replace() {
	"$ONLYONE" --signal "$@" 3>&- &
	REPLACER=$!
}

signalled() {
	[[ $(cat signals 2>/dev/null) == "$*" ]]
}

# -- the place is taken --

@test "where nobody holds the lock the command just runs" {
	run -0 onlyone --signal TERM lock echo ran
	[[ $output == ran ]]
	run -7 onlyone --signal TERM -k 5 -w 5 lock sh -c 'exit 7'
	run -0 onlyone --signal TERM -w 5 other -c 'echo $ONLYONE_PID $$; head -n 1 other'
	read -r told own <<<"${lines[0]}"
	[[ $told == "$own" && ${lines[1]} == "$own" ]]
}

@test "the holder is signalled, and the command runs when it has ended, not before" {
	mkfifo go
	server 'wait_for "go"; exit 0'
	replace TERM lock touch ran
	eventually "it is signalled" signalled TERM
	eventually "its end is waited for" waits_for "$REPLACER" "$SERVER"
	[[ ! -e ran ]]
	say go
	ended 0 "$SERVER"
	ended 0 "$REPLACER"
	[[ -e ran ]]
}

@test "the command is what --status and the file tell then" {
	server 'exit 0'
	mkfifo ready
	replace TERM lock sh -c 'echo >ready; exec sleep 600'
	hear ready
	ended 0 "$SERVER"
	[[ $(onlyone --pid lock) == "$REPLACER" ]]
	[[ $(cat lock) == "$REPLACER" ]]
	run -75 onlyone lock true
}

@test "the command inherits the same as from any other start" {
	local list='open my $status, "<", "/proc/self/status";
		print "$ENV{ONLYONE_FD}\n", join("\n", glob "/proc/self/fd/*"), "\n", grep /^Sig[BI]/, <$status>'
	"$ONLYONE" lock perl -e "$list" >expected 3>&- &
	await $!
	server 'exit 0'
	replace TERM lock perl -e "$list" >found
	ended 0 "$REPLACER"
	diff expected found
	[[ $(wc -l <found) -gt 5 ]]
}

@test "the signal is sent once, and the wait told once, however long it takes" {
	server 'exit 0'
	run -75 --separate-stderr onlyone -v --signal USR1 -w 5 lock touch ran
	[[ ! -e ran && $stderr == "onlyone: lock: waiting: held by PID $SERVER (perl)"$'\n'"onlyone: lock: held by PID $SERVER (perl)" ]]
	signalled USR1
}

@test "a holder that gives the lock up and lives on is waited for no longer" {
	need_attributes
	server 'POSIX::close($ENV{ONLYONE_FD}); system "setfattr -x user.onlyone lock"'
	run -0 onlyone --signal TERM -w 120 lock echo ran
	[[ $output == ran ]]
	kill -0 "$SERVER"
}

@test "one that has merely closed it counts until it ends" {
	need_attributes
	mkfifo go
	server 'POSIX::close($ENV{ONLYONE_FD}); note "closed"; wait_for "go"; exit 0'
	kill "$SERVER"
	eventually "it has closed the lock" test -s closed
	replace HUP lock touch ran
	eventually "its end is waited for" waits_for "$REPLACER" "$SERVER"
	[[ ! -e ran ]]
	say go
	ended 0 "$SERVER"
	ended 0 "$REPLACER"
	[[ -e ran ]]
}

@test "a command with a keeper is replaced by another" {
	server -o 'exit 0'
	run -0 onlyone --signal TERM -w 120 -o lock echo ran
	[[ $output == ran ]]
	signalled TERM
}

@test "for a directory, and for a descriptor of the caller's" {
	mkdir data
	hold data
	run -0 onlyone --signal KILL -w 120 data echo ran
	[[ $output == ran ]]
	hold lock
	run -0 bash -c 'onlyone --signal KILL -w 120 --fd 9 echo ran 9>>lock'
	[[ $output == ran ]]
}

# -- the place is not taken --

@test "after -w the status is 75, and the holder stays" {
	server ''
	run -75 --separate-stderr onlyone --signal TERM -w 0.3 lock touch ran
	[[ ! -e ran && $stderr == "onlyone: lock: held by PID $SERVER (perl)" ]]
	signalled TERM
	run -9 --separate-stderr onlyone -q -E 9 --signal TERM -w 0.3 lock touch ran
	[[ ! -e ran && -z $stderr ]]
	[[ $(onlyone --pid lock) == "$SERVER" ]]
}

@test "not to wait is a usage error" {
	hold lock
	for now in -n --nonblock '-w 0'; do
		# shellcheck disable=SC2086
		run -64 --separate-stderr onlyone --signal KILL $now lock touch ran
		[[ ! -e ran && $stderr == *"not with --nonblock" ]]
	done
	release
}

@test "whoever comes between is neither signalled nor waited for" {
	server 'wait_for "go"; exit 0'
	mkfifo go ready
	start_waiter lock -b lock perl -e "$SERVER_IN_PERL" ready successor ''
	replace TERM -w 120 lock touch ran 2>told
	eventually "it waits for the server" waits_for "$REPLACER" "$SERVER"
	eventually "the server is signalled" signalled TERM
	kill -STOP "$REPLACER" # or it might be quicker
	say go
	hear ready
	kill -CONT "$REPLACER"
	ended 0 "$SERVER"
	ended 75 "$REPLACER"
	[[ ! -e ran && ! -e successor ]]
	[[ $(cat told) == "onlyone: lock: held by PID $WAITER (perl)" ]]
	[[ $(onlyone --pid lock) == "$WAITER" ]]
}

@test "nor is another program that comes between, whatever the file says" {
	need_attributes
	need flock
	server 'wait_for "go"; exit 0'
	mkfifo go ready
	flock -F lock perl -e "$SERVER_IN_PERL" ready successor '' 3>&- &
	successor=$!
	eventually "the other program waits" waiters lock 1
	replace TERM -w 120 lock touch ran 2>told
	eventually "the server is signalled" signalled TERM
	eventually "it is waited for" waits_for "$REPLACER" "$SERVER"
	kill -STOP "$REPLACER"
	eventually "it is stopped" in_state T "$REPLACER"
	say go
	hear ready
	kill -CONT "$REPLACER"
	ended 75 "$REPLACER"
	[[ ! -e ran && ! -e successor ]]
	[[ $(cat told) == "onlyone: lock: held by PID $successor (perl): the recorded process $SERVER has ended" ]]
	kill -KILL "$successor"
}

@test "many at once: one runs, the others are refused, and nobody stays behind" {
	mkfifo go stay
	server 'wait_for "go"; exit 0'
	replacers=()
	for _ in {1..8}; do
		replace TERM lock bash -c 'mkdir running || echo overlap >overlap
			trap "echo TERM >>successor" TERM
			echo $$ >>ran; read -r _ <>stay; rmdir running'
		replacers+=("$REPLACER")
	done
	for pid in "${replacers[@]}"; do
		eventually "$pid waits for the server" waits_for "$pid" "$SERVER"
	done
	eventually "it is signalled" test -s signals
	say go
	ended 0 "$SERVER"
	eventually "one has taken its place" test -s ran
	for pid in "${replacers[@]}"; do
		[[ $pid == "$(cat ran)" ]] || ended 75 "$pid"
	done
	[[ ! -e overlap && ! -e successor && $(wc -l <ran) == 1 ]]
	say stay
	ended 0 "$(cat ran)"
	run -1 onlyone --status lock
}

@test "children that the holder leaves behind are waited for, and not signalled" {
	need_attributes
	mkfifo go
	server 'unless (fork) {
		$SIG{TERM} = sub { note "signals", "child" };
		note "child", $$;
		wait_for "go";
	} exit 0'
	replace TERM -k 3 lock touch ran
	ended 0 "$SERVER"
	eventually "the child is there" test -s child
	run -75 --separate-stderr onlyone --signal TERM -w 1.2 lock touch ran
	[[ $stderr == "onlyone: lock: held by PID $(cat child) (perl): the recorded process $SERVER has ended: nothing signalled" ]]
	kill -0 "$REPLACER"
	signalled TERM
	[[ ! -e ran ]]
	say go
	ended 0 "$REPLACER"
	[[ -e ran ]]
}

@test "whoever is not recorded is not signalled" {
	need flock
	refused() {
		run -75 --separate-stderr onlyone --signal KILL -w 120 lock touch ran
		[[ ! -e ran && $stderr == "onlyone: lock: held by PID $1 (sh)$2: nothing signalled" ]]
	}
	hold -s lock
	refused "$HOLDER" ''
	release
	hold_by flock -F lock
	refused "$OTHER" ''
	let_go
	hold lock
	mv lock away
	refused "$HOLDER" ': the file that it locked was removed or replaced'
	release
}

@test "to signal another user's holder takes the permission" {
	need_attributes
	let_nobody_in
	hold -m 644 lock
	chmod 644 lock
	run -77 --separate-stderr as_nobody "$ONLYONE" --signal KILL -s lock touch ran
	[[ $stderr == "onlyone: lock: PID $HOLDER: Operation not permitted" ]]
	release
	[[ ! -e ran ]]
}

# -- a holder that is stopped --

@test "a holder that is stopped hears the signal, too" {
	server 'exit 0'
	kill -STOP "$SERVER"
	eventually "it is stopped" in_state T "$SERVER"
	run -0 onlyone --signal TERM -w 120 lock echo ran
	[[ $output == ran ]]
	signalled TERM
}

@test "also without a command, but for signals that leave it stopped" {
	server 'exit 0'
	kill -STOP "$SERVER"
	eventually "it is stopped" in_state T "$SERVER"
	for signal in 0 STOP TSTP; do
		run -0 onlyone --signal "$signal" lock
		in_state T "$SERVER"
	done
	run -0 onlyone --signal TERM -w 120 lock
	ended 0 "$SERVER"
}

# -- -k --

@test "-k: who still holds the lock after that is killed" {
	server ''
	run -0 onlyone --signal TERM -k 3 -w 120 lock echo ran
	[[ $output == ran ]]
	ended 137 "$SERVER"
	signalled TERM
}

@test "-k: who ends in time is not" {
	server 'exit 3'
	run -0 onlyone --signal TERM --kill-after 60 -w 120 lock echo ran
	[[ $output == ran ]]
	ended 3 "$SERVER"
}

@test "-k: not before, and not when -w ends first" {
	server ''
	run -75 onlyone --signal TERM -k 60 -w 1.2 lock touch ran
	[[ ! -e ran ]]
	kill -0 "$SERVER"
	run -0 onlyone --signal HUP -k 0 -w 120 lock echo ran
	ended 137 "$SERVER"
}

@test "-k without a command waits, and kills" {
	for wait in '-w 120' -b ''; do
		server ''
		# shellcheck disable=SC2086
		run -0 timeout "$PATIENCE" onlyone --signal TERM -k 0.3 $wait lock
		ended 137 "$SERVER"
		run -1 onlyone --status lock
	done
}

@test "-k wants a number of seconds, and --signal" {
	run -64 --separate-stderr onlyone -k 1 lock touch ran
	[[ $stderr == "onlyone: --kill-after needs --signal" ]]
	run -64 --separate-stderr onlyone --signal TERM -k 1s lock touch ran
	[[ $stderr == "onlyone: 1s: not a valid number of seconds" ]]
	[[ ! -e ran && ! -e lock ]]
}

# -- what is told --

@test "-v tells of the wait" {
	mkfifo go
	server 'wait_for "go"; exit 0'
	replace TERM -v lock true 2>told
	eventually "the wait is told" test -s told
	[[ $(cat told) == "onlyone: lock: waiting: held by PID $SERVER (perl)" ]]
	say go
	ended 0 "$REPLACER"
	[[ $(sed -n 2p told) =~ ^"onlyone: lock: waited "[0-9]+\.[0-9]{3}" s"$ ]]
}
