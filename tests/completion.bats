#!/usr/bin/env bats
# What the Tab key offers, asked of a real interactive bash.

load helper
load completion

# Meta-* puts in all that Tab would offer, Control-a goes to the front, where a command that prints
# the words is typed.
offered() {
	{
		printf '%s\n' 'PS1= PS2= HISTFILE='
		[[ -z ${BASH_COMPLETION:-} ]] || printf '. %s\n' "$BASH_COMPLETION"
		printf '. %s\n' "$TREE/src/onlyone.bash"
	} >rc
	setsid --wait bash --noprofile --rcfile rc -i 2>stderr \
		< <(printf '%s\e*\x01printf "%%s\\\\n" \n' "$1") | behind "$1"
}

@test "options are offered, all that --help tells of" {
	[[ $(offered 'onlyone -') == "$(told_options)" ]]
}

@test "an option is completed, also behind another one and its value" {
	offers 'onlyone --sta' --status
	offers 'onlyone -q -w 5 --sta' --status
	offers 'onlyone -qw 5 --sta' --status
	offers 'onlyone --wait=5 --sta' --status
	offers 'onlyone -k 5 --overdue 5 --sta' --status
}

@test "--signal offers the names of signals, with SIG for who types SIG" {
	offers 'onlyone --signal TE' TERM
	offers 'onlyone --signal SIGTE' SIGTERM
	offers 'onlyone --signal=TE' --signal=TERM
	local all
	all=" $(offered 'onlyone --signal ' | xargs) "
	[[ $all == *' HUP '* && $all == *' USR1 '* && $all != *SIG* ]]
}

@test "onlyone knows every signal that is offered" {
	local names name
	mapfile -t names < <(offered 'onlyone --signal ')
	((${#names[@]} >= 30))
	for name in "${names[@]}"; do
		run -1 onlyone --signal "$name" lock
	done
}

@test "for a number nothing is offered" {
	touch 5.lock
	for option in -w --wait --timeout -E --conflict-exit-code -m --mode --overdue --fd -k --kill-after; do
		offers_nothing "onlyone $option 5"
	done
}

@test "LOCK is a file or a directory, whatever its name" {
	touch 'app lock' app.lock
	mkdir apps
	offers 'onlyone ap' 'app lock' app.lock apps
	offers 'onlyone -b -w 5 app.' app.lock
	offers 'onlyone --status app.' app.lock
	offers 'onlyone --signal TERM app.' app.lock
	offers 'onlyone --signal=TERM app.' app.lock
	touch -- -lock
	offers 'onlyone -- -l' -lock
}

@test "behind LOCK a command is offered, and behind that files" {
	with_command
	offers 'onlyone lock onlyone-test-' onlyone-test-server
	offers 'onlyone -w 5 lock onlyone-test-' onlyone-test-server
	offers 'onlyone -- lock onlyone-test-' onlyone-test-server
	offers 'onlyone a:b onlyone-test-' onlyone-test-server
	offers 'onlyone --fd 9 onlyone-test-' onlyone-test-server
	offers 'onlyone --signal TERM lock onlyone-test-' onlyone-test-server
	offers 'onlyone lock ./onlyone-test-' ./onlyone-test-file
	offers 'onlyone lock onlyone-test-server onlyone-test-' onlyone-test-file
}

@test "behind LOCK and --fd, -c is offered, and for its string nothing" {
	touch string
	offers 'onlyone lock -' -c --command
	offers_nothing 'onlyone lock -c str'
	offers 'onlyone --fd 9 --com' --command
	offers_nothing 'onlyone --fd 9 -c str'
	offers_nothing 'onlyone --fd 9 -c string str'
}

@test "a command's own options are none of onlyone's" {
	with_command
	offers_nothing 'onlyone lock onlyone-test-server --sta'
	offers_nothing 'onlyone --fd 9 onlyone-test-server --sta'
}

@test "behind the lock that is asked about nothing is offered" {
	touch app.lock
	offers_nothing 'onlyone --status lock app'
	offers_nothing 'onlyone --pid lock app'
	offers_nothing 'onlyone --unlock --fd 9 app'
}

# What a system with bash-completion has loaded before.
with_bash_completion() {
	BASH_COMPLETION=/usr/share/bash-completion/bash_completion
	[[ -e $BASH_COMPLETION ]] ||
		missing bash-completion "no bash-completion" "apt-get install bash-completion"
}

@test "with bash-completion the command's own completion follows" {
	with_bash_completion
	with_command
	offers 'onlyone lock onlyone-test-' onlyone-test-server
	offers 'onlyone -w 5 lock timeout --pre' --preserve-status
	offers 'onlyone --fd 9 timeout --pre' --preserve-status
	offers 'onlyone a:b timeout --pre' --preserve-status
}

@test "with bash-completion options, signals and files are offered as without" {
	with_bash_completion
	touch app.lock
	offers 'onlyone --sta' --status
	offers 'onlyone --signal=TE' --signal=TERM
	offers 'onlyone app.' app.lock
}
