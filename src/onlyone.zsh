#compdef onlyone
# zsh completion for onlyone(1): options, LOCK, then COMMAND and whatever completes that.

_onlyone_command() {
	if [[ $words[1] == (-c|--command) && $CURRENT -gt 1 ]]; then
		_message 'string'
	elif [[ $CURRENT -eq 1 && $PREFIX == -* && $#string -eq 0 ]]; then
		_wanted options expl 'option' compadd - -c --command
	else
		_normal
	fi
}

local expl
local -a string # an option after --fd alone; else it comes after LOCK
(($words[(I)--fd*])) && string=('(*)'{-c+,--command=}'[run a string with $SHELL]:string: ')

# A descriptor takes LOCK's place (1), a question takes no COMMAND (*).
_arguments -s -S -A '-*' : $string \
	{-n,--nonblock,--nonblocking}'[do not wait when LOCK is held (the default)]' \
	{-b,--block}'[wait as long as it takes]' \
	'*'{-w+,--wait=,--timeout=}'[wait at most that long]:seconds: ' \
	{-x,-e,--exclusive}'[an exclusive lock (the default)]' \
	{-s,--shared}'[a shared lock]' \
	'*'{-E+,--conflict-exit-code=}'[status when LOCK is held, instead of 75]:status: ' \
	{-o,--close}'[a keeper holds the lock, not COMMAND]' \
	{-F,--no-fork,--fcntl}'[accepted as in flock(1): always so]' \
	'*'{-m+,--mode=}'[mode of a lock file that is created]:octal mode: ' \
	{-f,--force}'[start although the recorded process still lives]' \
	{-l,--local}'[locks that reach this host only will do]' \
	--as-is'[LOCK has content of its own: never write it]' \
	{-q,--quiet}'[say nothing when LOCK is held]' \
	'*--overdue=[but when it has been held for longer]:seconds: ' \
	{-v,--verbose}'[say what is done]' \
	'(1)*--fd=[lock a descriptor that the caller opened]:descriptor: ' \
	'(*)'{-u,--unlock}'[release the lock of --fd]' \
	'(*)--status[say who holds LOCK]' \
	'(*)--pid[print the PID of who holds LOCK]' \
	'*--signal=[signal who holds LOCK]:signal:_signals -s' \
	'*'{-k+,--kill-after=}'[with --signal: KILL it after that long]:seconds: ' \
	'(- 1 *)'{-h,--help}'[print the options]' \
	'(- 1 *)'{-V,--version}'[print the version]' \
	'1:lock:_files' \
	'*:::command:_onlyone_command'
