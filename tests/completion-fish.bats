#!/usr/bin/env bats
# What the Tab key offers, asked of a real fish.

load helper
load completion

export DIRECTORY_MARK=/

# fish prints what it has, each with a description, and nothing where it has nothing.
offered() {
	mkdir -p home
	# shellcheck disable=SC2016 # fish expands it
	HOME=$PWD/home XDG_CONFIG_HOME=$PWD/home XDG_DATA_HOME=$PWD/home fish -c '
		source $argv[1]
		complete -C $argv[2]' "$TREE/src/onlyone.fish" "$1" </dev/null >words
	[[ -s words ]] || printf '%s\n' "${1##* }" >words
	cut -f 1 words | sort
}

@test "options are offered, all that --help tells of" {
	need fish
	it_offers_all_options
}

@test "an option is completed, also behind another one and its value" {
	need fish
	it_offers_an_option
}

@test "--signal offers the names of signals, with SIG for who types SIG" {
	need fish
	it_offers_signals
}

@test "onlyone knows every signal that is offered" {
	need fish
	it_offers_only_signals
}

@test "for a number nothing is offered" {
	need fish
	it_offers_no_number
}

@test "LOCK is a file or a directory, whatever its name" {
	need fish
	it_offers_a_lock
}

@test "behind LOCK a command is offered, and behind that files" {
	need fish
	it_offers_a_command
}

@test "behind LOCK and --fd, -c is offered, and for its string nothing" {
	need fish
	it_offers_a_string
}

@test "a command's own options are none of onlyone's" {
	need fish
	it_offers_no_options_of_a_command
}

@test "behind the lock that is asked about nothing is offered" {
	need fish
	it_offers_nothing_behind_a_question
}

@test "the command's own completion follows" {
	need fish
	offers 'onlyone -w 5 lock timeout --pre' --preserve-status
	offers 'onlyone --fd 9 timeout --pre' --preserve-status
	offers 'onlyone a:b timeout --pre' --preserve-status
	offers 'onlyone lock timeout -s TE' TERM
}
