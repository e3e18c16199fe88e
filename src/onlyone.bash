# bash completion for onlyone(1): options, LOCK, then COMMAND and whatever completes that.
# shellcheck shell=bash

# Whether the word is an option whose value is the next one: `-w`, and `-qw`, but not `-w5`.
_onlyone_takes_value() {
	case $1 in
	--wait | --timeout | --conflict-exit-code | --mode | --overdue | --command | --fd | --signal | \
		--kill-after) return 0 ;;
	--*) return 1 ;;
	esac
	[[ $1 =~ ^-[^wEmck]*[wEmck]$ ]]
}

# TERM, or SIGTERM for whoever types it so.
_onlyone_signals() {
	local prefix='' name
	[[ $1 == SIG* ]] && prefix=SIG
	for name in $(compgen -A signal -X 'SIGJUNK*' -- "SIG${1#SIG}"); do
		COMPREPLY+=("$prefix${name#SIG}")
	done
}

# The words from the index on are a command line of their own.
_onlyone_command() {
	if declare -F _comp_command_offset >/dev/null; then # bash-completion since 2.12
		_comp_command_offset "$1"
	elif declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	elif (($1 == COMP_CWORD)) && [[ $2 != */* ]]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$2" | sort -u)
	else
		compopt -o bashdefault -o default
	fi
}

_onlyone() {
	local cur=$2 i=1 word options=yes lock=yes command=yes
	local names='-n --nonblock --nonblocking -b --block -w --wait --timeout -x -e --exclusive
		-s --shared -E --conflict-exit-code -o --close -F --no-fork --fcntl -m --mode -f --force
		-l --local --as-is -q --quiet --overdue -v --verbose --fd -u --unlock --status --pid
		--signal -k --kill-after -h --help -V --version'

	COMPREPLY=()
	while ((i < COMP_CWORD)) && [[ ${COMP_WORDS[i]} == -?* ]]; do
		word=${COMP_WORDS[i++]}
		case $word in
		--) options='' && break ;;
		--fd) lock='' ;;
		-c | --command | --status | --pid | -u | --unlock) command='' ;;
		--help | --version | -h | -V) return ;;
		esac
		_onlyone_takes_value "$word" || continue
		[[ ${COMP_WORDS[i]} != = ]] || ((i++)) # `--wait=5` comes as three words
		if ((i >= COMP_CWORD)); then
			[[ $word != --signal ]] || _onlyone_signals "$cur"
			return
		fi
		((i++))
	done

	if ((i == COMP_CWORD)) && [[ $options && $cur == -* ]]; then
		[[ $lock ]] || names+=' -c --command'
		mapfile -t COMPREPLY < <(compgen -W "$names" -- "$cur")
		return
	fi
	if [[ $lock ]]; then
		while [[ ${COMP_WORDS[i + 1]} == [:=]* ]]; do ((i += 2)); done # `a:b` is three, too
		if ((i >= COMP_CWORD)); then
			compopt -o bashdefault -o default
			return
		fi
		((i++))
	fi
	[[ $command ]] || return 0
	if [[ $lock && ${COMP_WORDS[i]} == -* ]]; then
		((i < COMP_CWORD)) || mapfile -t COMPREPLY < <(compgen -W '-c --command' -- "$cur")
		return
	fi
	_onlyone_command "$i" "$cur"
}

complete -F _onlyone onlyone
