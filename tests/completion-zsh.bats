#!/usr/bin/env bats
# What the Tab key offers, asked of a real interactive zsh on a terminal of its own.

load helper
load completion

export DIRECTORY_MARK=/

# The first line is LINE, with all that Tab would offer put in; the second leaves.
offered() {
	mkdir -p site
	cp "$TREE/src/onlyone.zsh" site/_onlyone
	cat >rc <<-'END'
		fpath=(site $fpath)
		autoload -Uz compinit
		compinit -u -D
		insert_all() {
			_main_complete
			compstate[insert]=all compstate[list]=
		}
		zle -C insert-all complete-word insert_all
		zle-line-init() {
			BUFFER=$LINE CURSOR=$#LINE
			zle insert-all
			print -rl -- ${(Q)${(z)BUFFER}} >words
			BUFFER=exit
			zle accept-line
		}
		zle -N zle-line-init
	END
	rm -f words
	LINE=$1 timeout "$PATIENCE" zsh -f -c 'zmodload zsh/zpty
		zpty shell zsh -f -i
		zpty -w shell ". ./rc"
		while zpty -r shell _; do :; done' 3>&- >/dev/null
	sed 's/^\(--.*\)=$/\1/' words | behind "$1" # the `=` is gone again when a blank is typed
}

@test "options are offered, all that --help tells of" {
	need zsh
	need_terminal
	it_offers_all_options
}

@test "an option is completed, also behind another one and its value" {
	need zsh
	need_terminal
	it_offers_an_option
}

@test "--signal offers the names of signals, with SIG for who types SIG" {
	need zsh
	need_terminal
	it_offers_signals
}

@test "onlyone knows every signal that is offered" {
	need zsh
	need_terminal
	it_offers_only_signals
}

@test "for a number nothing is offered" {
	need zsh
	need_terminal
	it_offers_no_number
}

@test "LOCK is a file or a directory, whatever its name" {
	need zsh
	need_terminal
	it_offers_a_lock
}

@test "behind LOCK a command is offered, and behind that files" {
	need zsh
	need_terminal
	it_offers_a_command
}

@test "behind LOCK and --fd, -c is offered, and for its string nothing" {
	need zsh
	need_terminal
	it_offers_a_string
}

@test "a command's own options are none of onlyone's" {
	need zsh
	need_terminal
	it_offers_no_options_of_a_command
}

@test "behind the lock that is asked about nothing is offered" {
	need zsh
	need_terminal
	it_offers_nothing_behind_a_question
}

@test "the command's own completion follows" {
	need zsh
	need_terminal
	offers 'onlyone -w 5 lock timeout --pre' --preserve-status
	offers 'onlyone --fd 9 timeout --pre' --preserve-status
	offers 'onlyone a:b timeout --pre' --preserve-status
	offers 'onlyone lock timeout -s TE' TERM
}
