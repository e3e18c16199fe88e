#!/usr/bin/env bats
# What the Tab key offers, asked of a real interactive zsh on a terminal of its own.

load helper
load completion

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
	[[ $(offered 'onlyone -') == "$(told_options)" ]]
}

@test "an option is completed, also behind another one and its value" {
	need zsh
	offers 'onlyone --sta' --status
	offers 'onlyone -q -w 5 --sta' --status
	offers 'onlyone -qw 5 --sta' --status
	offers 'onlyone --wait=5 --sta' --status
	offers 'onlyone -k 5 --overdue 5 --sta' --status
}

@test "--signal offers the names of signals, with SIG for who types SIG" {
	need zsh
	offers 'onlyone --signal TE' TERM
	offers 'onlyone --signal SIGTE' SIGTERM
	offers 'onlyone --signal=TE' --signal=TERM
	local all
	all=" $(offered 'onlyone --signal ' | xargs) "
	[[ $all == *' HUP '* && $all == *' USR1 '* && $all != *SIG* ]]
}

@test "onlyone knows every signal that is offered" {
	need zsh
	local names name
	mapfile -t names < <(offered 'onlyone --signal ')
	((${#names[@]} >= 30))
	for name in "${names[@]}"; do
		run -1 onlyone --signal "$name" lock
	done
}

@test "for a number nothing is offered" {
	need zsh
	touch 5.lock
	for option in -w --wait --timeout -E --conflict-exit-code -m --mode --overdue --fd -k --kill-after; do
		offers_nothing "onlyone $option 5"
	done
}

@test "LOCK is a file or a directory, whatever its name" {
	need zsh
	touch 'app lock' app.lock
	mkdir apps
	offers 'onlyone ap' 'app lock' app.lock apps/
	offers 'onlyone -b -w 5 app.' app.lock
	offers 'onlyone --status app.' app.lock
	offers 'onlyone --signal TERM app.' app.lock
	offers 'onlyone --signal=TERM app.' app.lock
	touch -- -lock
	offers 'onlyone -- -l' -lock
}

@test "behind LOCK a command is offered, and behind that files" {
	need zsh
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
	need zsh
	touch string
	offers 'onlyone lock -' -c --command
	offers_nothing 'onlyone lock -c str'
	offers 'onlyone --fd 9 --com' --command
	offers_nothing 'onlyone --fd 9 -c str'
	offers_nothing 'onlyone --fd 9 -c string str'
}

@test "a command's own options are none of onlyone's" {
	need zsh
	with_command
	offers_nothing 'onlyone lock onlyone-test-server --sta'
	offers_nothing 'onlyone --fd 9 onlyone-test-server --sta'
}

@test "behind the lock that is asked about nothing is offered" {
	need zsh
	touch app.lock
	offers_nothing 'onlyone --status lock app'
	offers_nothing 'onlyone --pid lock app'
	offers_nothing 'onlyone --unlock --fd 9 app'
}

@test "the command's own completion follows" {
	need zsh
	offers 'onlyone -w 5 lock timeout --pre' --preserve-status
	offers 'onlyone --fd 9 timeout --pre' --preserve-status
	offers 'onlyone a:b timeout --pre' --preserve-status
	offers 'onlyone lock timeout -s TE' TERM
}
