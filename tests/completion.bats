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
	it_offers_all_options
}

@test "an option is completed, also behind another one and its value" {
	it_offers_an_option
}

@test "--signal offers the names of signals, with SIG for who types SIG" {
	it_offers_signals
}

@test "onlyone knows every signal that is offered" {
	it_offers_only_signals
}

@test "for a number nothing is offered" {
	it_offers_no_number
}

@test "LOCK is a file or a directory, whatever its name" {
	it_offers_a_lock
}

@test "behind LOCK a command is offered, and behind that files" {
	it_offers_a_command
}

@test "behind LOCK and --fd, -c is offered, and for its string nothing" {
	it_offers_a_string
}

@test "a command's own options are none of onlyone's" {
	it_offers_no_options_of_a_command
}

@test "behind the lock that is asked about nothing is offered" {
	it_offers_nothing_behind_a_question
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
