# fish completion for onlyone(1): options, LOCK, then COMMAND and whatever completes that.

# Prints what can stand at the cursor, of `options fd lock command` (fd: the options after --fd),
# and then the words before it that are COMMAND's, one a line.
function __onlyone_look
	set -l words (commandline -opc)[2..]
	set -l here options
	set -l lock lock
	set -l command command
	while set -q words[1]; and string match -q -- '-?*' $words[1]
		set -l word $words[1]
		set -e words[1]
		switch $word
			case --
				set -e here
				break
			case --fd '--fd=*'
				set -a here fd
				set -e lock
			case -c --command '--command=*' --status --pid -u --unlock
				set -e command
			case -h --help -V --version
				return
		end
		if string match -qr -- '^(--(wait|timeout|conflict-exit-code|mode|overdue|command|fd|signal|kill-after)|-[^-wEmck]*[wEmck])$' $word
			if not set -q words[1] # the cursor is at its value
				echo $here
				return
			end
			set -e words[1]
		end
	end
	set -q words[1]; and set -e here
	if set -q lock
		if not set -q words[1]
			echo $here lock
			return
		end
		set -e words[1]
	end
	echo $here $command
	set -q command; and set -q words[1]; and printf '%s\n' $words
end

function __onlyone_at
	set -l look (__onlyone_look)
	contains -- $argv[1] (string split ' ' -- $look[1])
end

function __onlyone_command
	set -l words (__onlyone_look)[2..]
	set -l word (commandline -ct)
	if not set -q words[1]; and string match -q -- '-*' $word
		printf '%s\n' -c --command
	else if not contains -- "$words[1]" -c --command
		set -q words[1]; and set words (string escape -- $words)
		complete -C "$words $word"
	end
end

# TERM, or SIGTERM for whoever types it so.
function __onlyone_signals
	set -l sig ''
	string match -q 'SIG*' -- (commandline -ct | string replace -- --signal= ''); and set sig SIG
	printf $sig'%s\n' HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT \
		CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS RTMIN RTMAX
end

complete -c onlyone -f
complete -c onlyone -n '__onlyone_at lock' -F
complete -c onlyone -n '__onlyone_at command' -a '(__onlyone_command)'
set -l option complete -c onlyone -n '__onlyone_at options'
$option -s n -l nonblock -l nonblocking -d 'Do not wait when LOCK is held (the default)'
$option -s b -l block -d 'Wait as long as it takes'
$option -s w -l wait -l timeout -x -d 'Wait at most that many seconds'
$option -s x -s e -l exclusive -d 'An exclusive lock (the default)'
$option -s s -l shared -d 'A shared lock'
$option -s E -l conflict-exit-code -x -d 'Status when LOCK is held, instead of 75'
$option -s o -l close -d 'A keeper holds the lock, not COMMAND'
$option -s F -l no-fork -l fcntl -d 'Accepted as in flock(1): always so'
$option -s m -l mode -x -d 'Octal mode of a lock file that is created'
$option -s f -l force -d 'Start although the recorded process still lives'
$option -s l -l local -d 'Locks that reach this host only will do'
$option -l as-is -d 'LOCK has content of its own: never write it'
$option -s q -l quiet -d 'Say nothing when LOCK is held'
$option -l overdue -x -d 'But when it has been held for longer'
$option -s v -l verbose -d 'Say what is done'
complete -c onlyone -n '__onlyone_at fd' -s c -l command -x -d 'Run a string with $SHELL'
$option -l fd -x -d 'Lock a descriptor that the caller opened'
$option -s u -l unlock -d 'Release the lock of --fd'
$option -l status -d 'Say who holds LOCK'
$option -l pid -d 'Print the PID of who holds LOCK'
$option -l signal -x -a '(__onlyone_signals)' -d 'Signal who holds LOCK'
$option -s k -l kill-after -x -d 'With --signal: KILL it after that many seconds'
$option -s h -l help -d 'Print the options'
$option -s V -l version -d 'Print the version'
