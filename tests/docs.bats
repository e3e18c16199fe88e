#!/usr/bin/env bats
# What README.md and the manual page say is true: their examples run here, read from the documents
# themselves, and what they list is what there is.
# shellcheck disable=SC2016 # the backquotes are Markdown's, the dollars those of other programs

load helper

README=$TREE/README.md
MANUAL=$TREE/man/onlyone.1

# -- the examples --

# block NAME: the example as a reader types it. Where both documents have it, it is the same.
block() {
	local manual readme
	readme=$(readme_block "$1")
	manual=$(manual_block "$1")
	[[ $readme || $manual ]] || fail "no example is called $1" || return
	[[ -z $readme || -z $manual || $readme == "$manual" ]] || fail "they differ: $1" || return
	printf '%s\n' "${readme:-$manual}"
}

readme_block() {
	awk -v name="$1" '/^```/ { inside = $2 == name; next } inside' "$README"
}

manual_block() {
	sed -n "/^\.\\\\\" example $1\$/,/^\.Ed\$/p" "$MANUAL" |
		sed "/^\./d; s/\\\\-/-/g; s/\\\\(aq/'/g"
}

# here: the same with the directories of the system below the test's own.
here() {
	sed -E "s,(^|[ \">=:])(/data|/run|/src|/srv|/tmp|/usr/local/bin)\b,\1$BATS_TEST_TMPDIR\2,g"
}

# The directories that the examples name, and the commands: each a stand-in, of bin.
make_here() {
	mkdir -p bin data run srv/data tmp usr/local/bin
	ln -s "$ONLYONE" usr/local/bin/onlyone
	PATH=$PWD/bin:$PATH
	cd bin || return
	stand_in
	cp server backup
	cp server job
	cp server report
	cp server rotate
	cp server ssh
	cp server ../usr/local/bin
	cd ..
}

# A server: it notes in `log` its start with its arguments, and what signals it gets. As `ssh` it
# closes the descriptors that it inherits.
stand_in() {
	cat >server <<'PERL'
#!/usr/bin/perl
use POSIX;
sub note { open my $log, '>>', "$ENV{ONLYONE_TEST}/log"; print $log "@_\n" }
$SIG{HUP} = sub { note 'HUP' };
$SIG{TERM} = sub { note 'TERM'; exit 0 };
if ($0 =~ /ssh$/) { POSIX::close($_) for 3 .. 255 }
note 'start', $0 =~ s,.*/,,r, @ARGV;
sleep while 1;
PERL
	chmod +x server
}

# noted LINE...: waits until the log has these lines and no others.
noted() {
	printf '%s\n' "$@" >expected
	touch log
	eventually "the log says: $*" cmp -s expected log || {
		cat log >&2
		return 1
	}
}

# typed NAME: runs the example in a shell, in the background. $! is the shell. Until teardown,
# so the shell that starts it shall not report its end.
typed() {
	bash -c "$(block "$1" | here)" 3>&- &
	disown
}

# serve: a copy that runs when this returns. $SERVER is its PID.
serve() {
	onlyone run/app.lock server 3>&- &
	SERVER=$!
	disown
	noted 'start server'
}

# script NAME: makes the example a script, called `example`.
script() {
	block "$1" | here >example
	chmod +x example
}

@test "README: the first line for a fresh machine builds it and runs a command" {
	need gcc make
	make_here
	stand_in_for apt-get
	copy_tree
	run -0 bash -c "$(block fresh | sed -n 1p | here)"
	[[ ${lines[-1]} == 'the only copy' ]]
	[[ $(cat ../apt-get.log) == $'update\ninstall -y gcc make libc6-dev' ]]
}

@test "README: the second line for a fresh machine runs the tests" {
	need gcc make
	make_here
	stand_in_for apt-get
	stand_in_for bats
	copy_tree
	run -0 bash -c "$(block fresh | sed -n 2p)"
	[[ $(cat ../apt-get.log) == 'install -y bats' ]]
	[[ $(cat ../bats.log) =~ ^('--jobs '[0-9]+' ')?tests$ ]]
	[[ $(block fresh | wc -l) == 2 ]]
}

@test "README: it is installed" {
	need gcc make
	copy_tree
	PREFIX=$PWD/usr/local run -0 bash -c "$(block install)"
	run -0 usr/local/bin/onlyone --version
}

# A command that only notes how it was called.
stand_in_for() {
	printf '#!/bin/sh\necho "$*" >>"%s"\n' "$PWD/$1.log" >"bin/$1"
	chmod +x "bin/$1"
}

# A copy of what is built, to be built fast, and nothing of the make that may have started us.
copy_tree() {
	unset MAKEFLAGS MFLAGS MAKELEVEL TESTS CC CPPFLAGS LDFLAGS LDLIBS BUILD SANITIZE LINKAGE JOBS
	export CFLAGS=-O0
	mkdir -p copy/tests
	cp -r "$TREE/Makefile" "$TREE/src" "$TREE/man" copy
	cp "$TREE/tests/run" copy/tests
	cd copy || return
}

@test "README: a second start is refused, with the message that is shown" {
	make_here
	bash -c "$(block first | sed -n 1p | here)" 3>&-
	noted 'start server'
	run -75 bash -c "$(block first | sed -n 2p | here)"
	[[ $output == "$(block refusal | here | sed "s/4711/$(cat run/app.lock)/")" ]]
	[[ $(block first | wc -l) == 2 ]]
}

@test "README: a start takes its turn within ten seconds" {
	make_here
	hold run/app.lock
	typed wait
	eventually "it waits" waiters run/app.lock 1
	release
	noted 'start server'
}

@test "a script tells by the status whether its job ran" {
	make_here
	script script
	hold run/report.lock
	run -0 ./example
	[[ $output == 'already running' ]]
	release
	stand_in_for report
	run -0 ./example
	[[ $output == 'done' && $(cat report.log) == --daily ]]
	printf '#!/bin/sh\nexit 9\n' >bin/report
	run -1 ./example
	[[ $output == failed ]]
}

@test "a script makes itself the only copy" {
	make_here
	script self
	makes_itself_the_only_copy
	run -0 onlyone run/job.lock true
}

@test "a script that is its own lock makes itself the only copy, and stays as it is" {
	make_here
	script itself
	cp example before
	makes_itself_the_only_copy
	run -0 onlyone --as-is example true
	cmp example before
}

makes_itself_the_only_copy() {
	./example one 'two three' 3>&- &
	noted 'start job one two three'
	run -75 ./example
	# Nor does a child of the guarded one pass for it, which has inherited what that was told.
	run -75 env -i "$(words "$!" | grep ^ONLYONE_LOCK)" "$(words "$!" | grep ^ONLYONE_PID)" \
		PATH="$PATH" ./example
	noted 'start job one two three'
	kill "$(cat "/proc/$!/task/$!/children")"
	ended 0 "$!"
}

# words PID: its environment.
words() {
	tr '\0' '\n' <"/proc/$1/environ"
}

@test "a part of a script runs under a lock" {
	make_here
	typed fd
	noted 'start rotate'
	run -75 sh -c "$(block fd | here)"
	noted 'start rotate'
}

# scheduled NAME: runs the crontab's line in the shell and the environment that cron gives it.
scheduled() {
	local command
	read -r _ _ _ _ _ command < <(block "$1" | here)
	command=${command/ 3600 / ${after:-3600} }
	env -i HOME="$PWD" PATH="$PWD/bin:/usr/bin:/bin" ONLYONE_TEST="$ONLYONE_TEST" \
		sh -c "$command"
}

@test "a line of a crontab skips its turn and causes no mail" {
	make_here
	[[ $(block crontab) =~ ^'*/5'(\ \*){4}' /' ]]
	scheduled crontab 3>&- &
	disown
	noted 'start backup'
	run -75 scheduled crontab
	[[ -z $output ]]
	noted 'start backup'
}

@test "a line of a crontab causes a mail only once the job is overdue" {
	need_attributes
	make_here
	[[ $(block overdue) == "$(block crontab | sed 's/-q/& --overdue 3600/')" ]]
	scheduled overdue 3>&- &
	disown
	noted 'start backup'
	run -75 scheduled overdue
	[[ -z $output ]]
	after=0
	run -75 scheduled overdue
	[[ $output == "onlyone: $PWD/.backup.lock: overdue: held by PID $(cat .backup.lock) (backup), since "* ]]
	noted 'start backup'
}

# unit NAME KEY: what the unit sets.
unit() {
	block "$1" | here | sed -n "s/^$2=//p"
}

@test "a unit of systemd tells a copy that runs already from a failure" {
	make_here
	bash -c "exec $(unit unit ExecStart)" 3>&- &
	disown
	noted 'start server'
	[[ $(cat run/app.lock) == "$!" ]]
	run -"$(unit unit RestartPreventExitStatus)" bash -c "$(unit unit ExecStart)"
}

@test "a standby server takes over when the one that runs ends" {
	make_here
	[[ $(unit standby Restart) == always ]]
	bash -c "exec $(unit standby ExecStart)" 3>&- &
	first=$!
	noted 'start server'
	bash -c "exec $(unit standby ExecStart)" 3>&- &
	eventually "it stands by" waiters srv/data 1
	noted 'start server'
	kill "$first"
	ended 0 "$first"
	noted 'start server' TERM 'start server'
	[[ $(onlyone --pid srv/data) == "$!" ]]
	kill $!
	ended 0 $!
}

@test "a server that has crashed starts anew when its workers have ended" {
	need_orphaned_locks
	make_here
	rm bin/server
	cat >bin/server <<-'SH'
		#!/bin/bash
		echo start >>starts
		[[ $(wc -l <starts) == 1 ]] || exit 0
		mkfifo fifo
		(echo $BASHPID >worker; read -r _ <fifo) &
		eventually "there is a worker" test -s worker
		kill -KILL $$
	SH
	chmod +x bin/server
	typed workers
	loop=$!
	eventually "the worker works" test -s worker
	eventually "the next start waits for it" waiters run/app.lock 1
	[[ $(wc -l <starts) == 1 ]]
	say fifo
	eventually "the loop has ended" gone_or_zombie "$loop"
	[[ $(wc -l <starts) == 2 ]]
}

# dockerfile INSTRUCTION: the words of its JSON.
dockerfile() {
	block dockerfile | here | sed -n "s/^$1 \[\(.*\)\]\$/\1/p" | tr -d '",'
}

@test "a container is healthy as long as its server holds the volume" {
	make_here
	read -ra entrypoint < <(dockerfile ENTRYPOINT)
	read -ra healthcheck < <(dockerfile 'HEALTHCHECK CMD')
	run -1 "${healthcheck[@]}"
	"${entrypoint[@]}" 3>&- &
	noted 'start server'
	run -0 "${healthcheck[@]}"
	run -75 "${entrypoint[@]}"
	kill $!
	ended 0 "$!"
	noted 'start server' TERM
	run -1 "${healthcheck[@]}"
}

@test "the first stage of the container builds the static binary that the second one copies" {
	need gcc make musl-gcc readelf
	make_here
	stand_in_for apt-get
	copy_tree
	ln -s copy ../src
	while read -r line; do
		bash -c "$line" >/dev/null
	done < <(block dockerfile | here | sed -n 's/^RUN //p')
	[[ $(cat ../apt-get.log) == $'update\ninstall -y make musl-tools' ]]
	binary=$(block dockerfile | here | sed -n 's/^COPY --from=build \([^ ]*\) .*/\1/p')
	run -0 "$binary" ../run/app.lock echo ran
	[[ $output == ran ]]
	[[ $(readelf -l "$binary") != *INTERP* ]]
}

# kubernetes NUMBER: the words of the pod's command, or of its probe.
kubernetes() {
	block kubernetes | here | sed -n 's/^ *command: \[\(.*\)\]$/\1/p' | sed -n "$1p" | tr -d '",'
}

# pod: starts one. $POD is its first process.
pod() {
	unshare --pid --fork --kill-child --mount-proc "${container[@]}" 3>&- &
	eventually "the pod has a process" has_child $!
	read -r POD <<<"$(cat "/proc/$!/task/$!/children")"
}

has_child() {
	[[ -n $(cat "/proc/$1/task/$1/children") ]]
}

# is_ready STATUS POD: what its probe says.
is_ready() {
	local got=0
	nsenter --target "$2" --pid --mount --wd="$PWD" "${probe[@]}" >/dev/null 2>&1 || got=$?
	((got == $1))
}

@test "a new pod waits for the old one to end, and is ready when it has the volume" {
	need_unshare --pid --fork --kill-child --mount-proc
	need nsenter
	make_here
	read -ra container < <(kubernetes 1)
	read -ra probe < <(kubernetes 2)
	[[ $(dockerfile 'HEALTHCHECK CMD') == "$(kubernetes 2)" ]]
	pod
	old=$POD
	noted 'start server'
	eventually "the old one is ready" is_ready 0 "$old"
	pod
	eventually "the new one waits" waiters data 1
	is_ready 77 "$POD"
	is_ready 0 "$old"
	kill "$old"
	noted 'start server' TERM 'start server'
	eventually "the new one is ready" is_ready 0 "$POD"
	kill "$POD"
	ended 0 $!
}

@test "a data directory is guarded, also when it is emptied and when it is moved" {
	make_here
	typed directory
	noted "start server --dir $PWD/srv/data"
	find srv/data -mindepth 1 -delete
	run -75 bash -c "$(block directory | here)"
	mv srv/data srv/moved
	run -75 bash -c "$(block directory | here | sed 's/data/moved/g')"
	noted "start server --dir $PWD/srv/data"
}

@test "a command that closes its descriptors has a keeper" {
	make_here
	typed close
	noted 'start ssh -N -L 5432:db:5432 gate'
	run -75 bash -c "$(block close | here)"
	[[ $output == "onlyone: $PWD/run/tunnel.lock: held by PID $(cat run/tunnel.lock) (ssh)" ]]
}

@test "readers share a lock, and a writer waits for all of them" {
	make_here
	stand_in_for update
	readers=()
	for _ in 1 2; do
		bash -c "exec $(block shared | sed -n 1p | here)" 3>&- &
		readers+=($!)
	done
	noted 'start report' 'start report'
	bash -c "$(block shared | sed -n 2p | here)" 3>&- &
	eventually "the writer waits" waiters srv/db.lock 1
	kill "${readers[0]}"
	await "${readers[0]}"
	waiters srv/db.lock 1
	kill "${readers[1]}"
	eventually "the writer has written" test -e update.log
}

@test "the holder is told, and has a signal" {
	make_here
	serve
	run -0 bash -c "$(block ask | here)"
	[[ $output == "held by PID $SERVER ("*"/bin/server) for "*" s" ]]
	noted 'start server' HUP
}

@test "README: the holder's PID is there for scripts" {
	make_here
	serve
	run -0 bash -c "$(block pid | here)"
	noted 'start server' HUP
}

@test "a new copy replaces the one that runs, and starts where none does" {
	make_here
	typed replace
	noted 'start server'
	typed replace
	noted 'start server' TERM 'start server'
	[[ $(cat run/app.lock) == "$!" ]]
}

@test "every example has a name and is the same in both documents, and a test above runs it" {
	[[ $(awk '/^```/ { if (inside = !inside) print NF }' "$README" | sort -u) == 2 ]]
	[[ $(grep -c '^\.Bd' "$MANUAL") == "$(grep -c '^\.\\" example [a-z]*$' "$MANUAL")" ]]
	for name in $(awk '/^```/ && NF == 2 { print $2 }' "$README") \
		$(sed -n 's/^\.\\" example //p' "$MANUAL"); do
		block "$name" >/dev/null
		grep -qE "(block|scheduled|script|typed|unit) $name\b" "$BATS_TEST_FILENAME" ||
			fail "no test runs $name"
	done
}

@test "the command lines in the manual's text run as they stand" {
	make_here
	printf '#!/bin/sh\nshift 2\nexec "$@"\n' >bin/sudo
	chmod +x bin/sudo
	stand_in_for initdb
	stand_in_for server
	grep -E '^\.Ql (sudo -u www )?onlyone ' "$MANUAL" | sed -E 's/^\.Ql //; s/ [.,;]$//' | here |
		sed 's/LOCK/lock/; s/COMMAND/true/' >lines
	[[ $(wc -l <lines) == 7 ]]
	while read -r line; do
		run -0 bash -c "$line" 9>>file
	done <lines
	[[ $(wc -l <server.log) == 2 && -e initdb.log ]]
}

# -- the lists --

@test "the options of --help are those of the manual page" {
	diff <(told_options) <(manual_options)
	[[ $(told_options | wc -l) -gt 30 ]]
}

told_options() {
	onlyone --help | grep -E '^ {2,6}-' | sed -E 's/([^ ])  .*/\1/' |
		grep -oE '(^|[ ,])--?[a-zA-Z][a-z-]*' | tr -d ' ,' | sort
}

manual_options() {
	sed -n '/^\.Sh DESCRIPTION/,/^\.Sh ENVIRONMENT/s/^\.It Fl/Fl/p' "$MANUAL" |
		grep -oE 'Fl [a-zA-Z-]+' | sed 's/Fl /-/' | sort -u
}

@test "the exit statuses of status.h are those of the manual page and of README" {
	diff <(statuses) <(sed -n '/^\.Sh EXIT STATUS/,/^\.Sh EXAMPLES/s/^\.It \([0-9]*\)$/\1/p' "$MANUAL")
	diff <(statuses) <(sed -n '/^## Exit statuses/,/^## What/s/^| \([0-9]*\) |.*/\1/p' "$README")
	[[ $(statuses | wc -l) == 10 ]]
}

# Of the head comment (`64 EX_USAGE`), of the enum (`= 1`) and of its comment (`75, unless -E`).
statuses() {
	grep -oE '\b[0-9]+ EX_[A-Z]+|= [0-9]+|/\* [0-9]+,' "$TREE/src/status.h" | tr -dc '0-9\n' | sort -n
}

@test "the program exits with no status that status.h does not tell of" {
	run -0 grep -ohE '\bEX_[A-Z]+' "$TREE"/src/*.c
	for name in "${lines[@]}"; do
		grep -qw "$name" "$TREE/src/status.h" || fail "$name is not in status.h"
	done
}

@test "the targets of make that README names exist" {
	grep -oE '`make [^`]*`' "$README" | tr -d '`' >commands
	[[ $(wc -l <commands) -gt 8 ]]
	while read -ra words; do
		for word in "${words[@]:1}"; do
			[[ $word == *=* ]] || grep -qE "^\.PHONY:.* $word( |\$)" "$TREE/Makefile" || fail "$word"
		done
	done <commands
}

@test "the manual page tells what locks reach on every file system that mounts.c knows" {
	section=$(sed -n '/^\.Ss Where the data is/,/^\.S/p' "$MANUAL")
	run -0 grep -oE '^	\{ "[^"]+"' "$TREE/src/mounts.c"
	for type in "${lines[@]}"; do
		type=${type#*\"}
		type=${type#fuse.}
		case ${type%\"} in
		nfs | nfs4) type=NFS ;;
		vmhgfs-fuse) type=vmhgfs ;;
		esac
		grep -qw -e "${type%\"}" <<<"$section" || fail "not in the manual: $type"
	done
	((${#lines[@]} > 30))
}

@test "mandoc finds nothing to warn of in the manual page" {
	need mandoc
	run -0 mandoc -Tlint -Wwarning "$MANUAL"
	[[ -z $output ]]
}

@test "the manual page shows its examples as they are typed" {
	need mandoc
	mandoc -Tascii "$MANUAL" | sed 's/.\x08//g' >page
	examples=$(sed -n 's/^\.\\" example //p' "$MANUAL")
	for name in $examples; do
		while IFS= read -r line; do
			grep -qF -e "$line" page || fail "$name: $line"
		done < <(block "$name")
	done
}

# -- the table of others --

# row LABEL WRAPPER: what README's table says of a wrapper, found out with a WRAPPER that does not
# wait. $WAITING is the one that is tried for whether it does.
row() {
	local command='' families held status between recorded closing removed killed
	printf '#!/bin/sh\necho $$ >command\nexec sleep 600\n' >stays
	printf '%s\n' '#!/usr/bin/perl' 'use POSIX; POSIX::close($_) for 3 .. 255;' \
		'exec "./stays"' >closes
	chmod +x stays closes

	start_under "$2" ./stays || return
	families=$(families)
	held=$(when_held "${WAITING:-$2}")
	status=0
	$2 lock true 2>/dev/null || status=$?
	[[ $command == "$WRAPPER" ]] && between=nothing || between='a process'
	recorded=no
	[[ $(cat lock) != "$command" ]] || recorded=yes
	killed='is the command'
	if [[ $between != nothing ]]; then
		kill -KILL "$WRAPPER"
		eventually "$2 has ended" gone_or_zombie "$WRAPPER"
		killed=$(second "$2")
	fi

	start_under "$2" ./closes || return
	closing=$(second "$2")
	start_under "$2" ./stays || return
	rm lock
	removed=$(second "$2")
	printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$1" "$families" "$held" "$status" \
		"$between" "$recorded" "$closing" "$removed" "$killed"
}

# A new lock, held for a command, when the last one has ended. $WRAPPER and $command are what was
# started and what runs.
start_under() {
	if [[ ${command:-} ]]; then
		kill "$command"
		eventually "the last command has ended" gone_or_zombie "$command" || return
	fi
	rm -f command lock
	touch lock
	$1 lock "$2" 3>&- >/dev/null 2>&1 &
	WRAPPER=$!
	eventually "$1 runs $2" command_sleeps
}

command_sleeps() {
	[[ -s command ]] && command=$(cat command) && [[ $(cat "/proc/$command/comm") == sleep ]]
}

families() {
	grep ":$(stat -c %i lock) " /proc/locks | awk '
		$2 == "FLOCK" { flock = 1 }
		$2 == "POSIX" || $2 == "OFDLCK" { fcntl = 1 }
		END { print flock && fcntl ? "both" : flock ? "flock" : fcntl ? "fcntl" : "none" }'
}

when_held() {
	$1 lock true 3>&- >/dev/null 2>&1 &
	eventually "it waits or ends" waits_or_has_ended $!
	# Not by another look at the list, from which others' locks may just hide it.
	if gone_or_zombie $!; then
		echo refuses
	else
		kill $!
		echo waits
	fi
}

waits_or_has_ended() {
	waiters lock 1 || gone_or_zombie "$1"
}

gone_or_zombie() {
	! readlink "/proc/$1/exe" >/dev/null
}

second() {
	if $1 lock true 2>/dev/null; then
		echo 'second copy'
	else
		echo refused
	fi
}

# in_table ROW: README says so.
in_table() {
	grep -qxF -e "$1" "$README" || fail "README does not say: $1"
}

@test "what README's table says of onlyone is so" {
	need_attributes
	in_table "$(row '`onlyone`' onlyone)"
}

@test "what README's table says of flock is so" {
	need flock
	in_table "$(WAITING=flock row '`flock`' 'flock -n')"
	in_table "$(WAITING='flock -o' row '`flock -o`' 'flock -n -o')"
	in_table "$(WAITING='flock -F' row '`flock -F`' 'flock -n -F')"
}

@test "what README's table says of setlock is so" {
	need setlock
	in_table "$(WAITING=setlock row '`setlock`' 'setlock -n')"
}

@test "what README's table says of chpst is so" {
	need chpst
	in_table "$(row '`chpst -L`' 'chpst -L')"
}

@test "what README's table says of s6-setlock is so" {
	need s6-setlock
	in_table "$(WAITING=s6-setlock row '`s6-setlock`' 's6-setlock -n')"
}

@test "what README's table says of lckdo is so" {
	need lckdo
	in_table "$(row '`lckdo`' lckdo)"
}

@test "what README's table says of a PID file of one's own is so" {
	printf '%s\n' '#!/bin/sh' 'kill -0 "$(cat "$1" 2>/dev/null)" 2>/dev/null && exit 1' \
		'echo $$ >"$1"; shift; exec "$@"' >pidfile
	chmod +x pidfile
	found=$(row 'a PID file of your own' ./pidfile)
	in_table "${found/| 1 |/| your own |}"
}
