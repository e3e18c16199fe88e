/*
 * What a start does, and what can happen beside it, for spin: no two commands run at once.
 *
 * Starts, their commands, those who touch files and directories, and whoever kills somebody go on
 * in any order, a step at a time; spin tries every order. A step is a system call, or several where
 * nothing that happens between them matters, and bears the name of the function in src that makes
 * it, so that the one can be laid beside the other.
 *
 * -DWITHOUT_VOUCHING: no record vouches, and no ctime is looked at, as on XFS.
 * Any other -DWITHOUT_... takes a safeguard out, and then two commands run: model.bats names the tests that
 * show the same with the program itself. The other -D choose what happens beside the starts. All of
 * it at once would be too much: each search in model.bats is of some of it, and exhaustive for that.
 *
 * How the two kinds of locks are taken is in waiting.pml; here a lock is taken in one step. A start
 * that is refused waits. One that does not wait ends, which nobody can tell from one that waits for
 * ever.
 *
 * Left out:
 * - Clocks. Every change of a file or directory is taken to show in its ctime, and no PID is given
 *   again.
 * - Other hosts, file systems without attributes, mounts, chroots, namespaces: what the path leads
 *   to is the same for all starts, and /proc/locks shows every lock, in one piece.
 * - Hidden processes: whether the recorded one lives is always known.
 * - --force, which allows what must not be here; --as-is; --signal.
 * - Descriptors of the caller's (--fd) that bear a lock already.
 *
 * What the manual says is not guarded counts as nothing: a command that has closed the lock and
 * whose file was removed or moved, itself or with its directory; a shared lock whose command has
 * closed it or whose file was removed or moved; children that outlive a command and do not have the
 * lock.
 */

#ifndef STARTS
#define STARTS 3
#endif
#ifndef FILE_ACTS
#define FILE_ACTS 0 /* how often somebody removes, moves or replaces the lock file */
#endif
#ifndef DIRECTORY_ACTS
#define DIRECTORY_ACTS 0 /* how often somebody removes, moves or makes its directory */
#endif
#ifndef KILLS
#define KILLS 0 /* how many starts and keepers are killed, at any step */
#endif
/*
 * -DCLOSE      a command may close the lock
 * -DCHILDREN   it may leave a child behind that has the lock
 * -DKEEPERS    it may have a keeper
 * -DSHARED     it may have a shared lock
 * -DCOPIES     the file may be replaced by a copy of itself
 * -DEXCHANGES  two files, or two directories, may change places
 * -DBORROWED   the last start locks a descriptor of a shell's (--fd)
 * -DELSEWHERE  the last start names the lock by the other place where its directory can be
 * -DDIRECTORY  LOCK is the directory
 */

#define FILES (STARTS + 3)
#define DIRECTORIES 3
#define NOTHING 15
#define ENDED STARTS /* instead of a start, once its process has ended */

/* Kinds of locks. */
#define FREE 0
#define TO_SHARE 1
#define ALONE 2

/* -- what is on disk -- */

byte at[2];            /* which directory is at each of two places */
byte in[DIRECTORIES];  /* which file is in each, under the lock's name */
byte aside = NOTHING;  /* a file that was moved to another name */

/* The record's attribute; nothing depends on the rest of a record. */
byte recorded[FILES];        /* which start's */
byte in_directory[FILES];    /* the mark, of which either half tells the name */
byte at_place[FILES];
bit vouches[FILES];          /* WRITTEN is not 0, and nothing has been done to file and way since */

/* -- the starts, later their commands -- */

bit lives[STARTS];
bit runs[STARTS];            /* the command */
byte file[STARTS];           /* the open description: which file */
byte directory[STARTS];      /* and the mark */
byte place[STARTS];
byte lock[STARTS];           /* what it bears */
byte lock_above[STARTS];     /* where LOCK is a directory: the lock of that */
bit stayed[STARTS];          /* nothing on the way was moved since is_current(), or way_see() */
bit has[STARTS];             /* who has the description open: the process, */
bit child[STARTS];           /* a child of it, */
bit keeper[STARTS];          /* its keeper */
bit kept[STARTS];            /* it was to have one, and nobody has killed that */
bit lost[STARTS];            /* what guards it where it has closed the lock is gone */
byte excused[STARTS];        /* bits: whose lock had gone along with a directory when we looked */
bit dies[STARTS];            /* it goes no step further */
bit shares[STARTS];
byte begun;                  /* those that are alike begin one after the other */

#ifdef BORROWED
#define IS_LENT(i) (i == STARTS - 1)
#else
#define IS_LENT(i) false
#endif
#ifdef ELSEWHERE
#define IS_ELSEWHERE(i) (i == STARTS - 1)
#else
#define IS_ELSEWHERE(i) false
#endif

hidden byte n, m;            /* for loops inside of a step */

#define BIT(i) (1 << (i))
#define ANY(is) (is(0) || is(1) || is(2) || is(3))
#define EACH(i) i = 0; do :: i < STARTS ->
#define DONE(i) i++ :: else -> i = 0; break od

#define CONFLICTS(a, b) ((a) == ALONE && (b) != FREE || (a) != FREE && (b) == ALONE)
#define WANTED (shares[me] -> TO_SHARE : ALONE)
#define REFUSES(i) (i != me && i < STARTS && file[i] == file[me] && CONFLICTS(lock[i], WANTED))
#define REFUSES_ABOVE(i) (i != me && i < STARTS && directory[i] == directory[me] && \
	CONFLICTS(lock_above[i], WANTED))

#define HAS_ITS_NAME (at[path] == directory[me] && in[directory[me]] == file[me])
#ifdef WITHOUT_NAME
#define IS_CURRENT (HAS_ITS_NAME || IS_LENT(me) && aside == file[me])
#else
#define IS_CURRENT HAS_ITS_NAME
#endif

#ifdef WITHOUT_DIRECTORY_HALF
#define SAME_DIRECTORY(a, b) false
#else
#define SAME_DIRECTORY(a, b) (a == b)
#endif
#ifdef WITHOUT_PLACE_HALF
#define SAME_PLACE(a, b) false
#else
#define SAME_PLACE(a, b) (a == b)
#endif
#define IS_DISPLACED(i) (i != me && file[i] != NOTHING && file[i] != file[me] && lock[i] == ALONE && \
	(SAME_DIRECTORY(directory[i], directory[me]) || SAME_PLACE(place[i], place[me])))

/* LOCK is a directory, and the lock is of one that was moved away with the lock file in it. */
#ifdef DIRECTORY
#define WENT(i) (directory[i] != directory[me] && file[i] != NOTHING && in[directory[i]] == file[i])
#else
#define WENT(i) false
#endif

/* -- what must not be -- */

#define IS_GUARDED(i) ((runs[i] || child[i]) && \
	!(file[i] == NOTHING && !kept[i] && (lost[i] || shares[i])) && !(lock[i] == TO_SHARE && !stayed[i]))
#define HAVE_ONE_NAME(i, j) (directory[i] == directory[j] || place[i] == place[j])
#define MAY_RUN_BESIDE(i) (i == me || !IS_GUARDED(i) || !HAVE_ONE_NAME(i, me) || \
	shares[i] && shares[me] || shares[me] && !stayed[me] || \
	(excused[me] & BIT(i)) != 0 || (excused[i] & BIT(me)) != 0)

/* -- inside of a step -- */

inline close_description(i)
{
	if
	:: !has[i] && !child[i] && !keeper[i] ->
		lock[i] = FREE; lock_above[i] = FREE; file[i] = NOTHING
	:: else
	fi
}

inline forget(f)
{
	recorded[f] = NOTHING; in_directory[f] = NOTHING; at_place[f] = NOTHING
}

/* n becomes a file that nobody has or knows. */
inline make_file()
{
	n = 0;
	do
	:: n < FILES ->
		m = 0;
		do
		:: m < STARTS && file[m] != n -> m++
		:: else -> break
		od;
		if
		:: m == STARTS && in[0] != n && in[1] != n && in[2] != n && aside != n -> break
		:: else -> n++
		fi
	od;
	m = 0;
	forget(n);
	vouches[n] = false
}

inline doubt(f)
{
#ifndef WITHOUT_TIMES
	vouches[f] = false;
	if
	:: recorded[f] == ENDED -> forget(f)
	:: else
	fi
#else
	skip
#endif
}

/* It leaves a ctime. */
inline touch(f)
{
	doubt(f);
	EACH(m)
		if
		:: file[m] == f -> stayed[m] = false
		:: else
		fi;
	DONE(m)
}

/* What guards a command that has closed the lock. */
inline lose(f)
{
#if defined(CLOSE) || defined(KEEPERS)
	if
	:: recorded[f] < STARTS -> lost[recorded[f]] = true
	:: else
	fi
#else
	skip
#endif
}

inline move_directory(d)
{
	if
	:: in[d] != NOTHING ->
		doubt(in[d]);
		lose(in[d]);
#ifndef WITHOUT_WAY
		EACH(m)
			if
			:: directory[m] == d -> stayed[m] = false
			:: else
			fi;
		DONE(m)
#endif
	:: else
	fi
}

/* -- a start -- */

proctype Start(byte me; byte path)
{
	byte guard = NOTHING; /* the recorded process, if it is known */
	bit looked, found, close;
	byte i;

	{
	atomic {
		begun >= me || IS_LENT(me) || IS_ELSEWHERE(me);
		if
		:: begun == me -> begun++
		:: else
		fi;
		if
#ifdef SHARED
		:: shares[me] = true
#endif
		:: skip
		fi;
		if
#ifdef KEEPERS
		:: !IS_LENT(me) -> close = true
#endif
		:: skip
		fi
	};

again:	/* lock_take(): opens what is not open */
	atomic {
		if
		:: file[me] != NOTHING -> goto take
		:: else
		fi;
open_place:
		at[path] != NOTHING;
		printf("start %d: open_place: directory %d\n", me, at[path]);
		directory[me] = at[path];
		place[me] = path
	};
#ifdef DIRECTORY
take_directory:
	atomic {
		!ANY(REFUSES_ABOVE);
		printf("start %d: take_directory\n", me);
		lock_above[me] = WANTED;
		has[me] = true
	};
#endif
open_file:
	d_step {
		if
		:: in[directory[me]] != NOTHING
		:: in[directory[me]] == NOTHING && (at[0] == directory[me] || at[1] == directory[me]) ->
			make_file();
			in[directory[me]] = n;
			n = 0
		:: else -> dies[me] = true /* the directory was removed: 73 */
		fi;
		file[me] = in[directory[me]];
		has[me] = true;
		printf("start %d: open_file: file %d\n", me, file[me])
	};

#ifdef BORROWED
borrowed_lock: /* the name of what the shell has opened is worked out once */
	atomic {
		if
		:: IS_LENT(me) && !HAS_ITS_NAME -> dies[me] = true /* it has another name, or none */
		:: else
		fi
	};
#endif

take:
locking_take:
	atomic {
#ifdef DIRECTORY
		if
		:: ANY(REFUSES) -> lock_above[me] = FREE
		:: else
		fi;
		!ANY(REFUSES_ABOVE) &&
#endif
		!ANY(REFUSES);
		printf("start %d: locking_take\n", me);
#ifdef DIRECTORY
		lock_above[me] = WANTED;
#endif
		lock[me] = WANTED
	};

is_current:
	atomic {
		stayed[me] = true;
		if
#ifdef WITHOUT_CURRENT
		:: true
#else
		:: IS_CURRENT
#endif
		:: else ->
			printf("start %d: is not current\n", me);
			if
			:: IS_LENT(me) -> dies[me] = true /* it cannot be opened anew: 71 */
			:: else
			fi;
			goto anew
		fi
	};

	/* find_another_copy() */
record_read:
	atomic {
		guard = recorded[file[me]];
		if
		:: guard >= STARTS || guard == me ||
			in_directory[file[me]] != directory[me] && at_place[file[me]] != place[me] ->
			guard = NOTHING
		:: else
		fi;
		/* displaced_is_ruled_out() */
		looked = !(vouches[file[me]] && !IS_LENT(me) &&
			in_directory[file[me]] == directory[me] && at_place[file[me]] == place[me]);
#ifdef WITHOUT_DISPLACED
		looked = false;
#endif
#ifdef DIRECTORY
		excused[me] = 0;
		EACH(i)
			if
			:: WENT(i) -> excused[me] = excused[me] | BIT(i)
			:: else
			fi;
		DONE(i);
#endif
		found = false;
		printf("start %d: record_read: guarded %d, to look %d\n", me, guard, looked);
		if
		:: looked -> stayed[me] = true /* way_see() */
		:: else -> goto find_recorded
		fi
	};
displaced_find:
	d_step {
#ifdef DIRECTORY
		excused[me] = 0;
#endif
		EACH(i)
			if
			:: IS_DISPLACED(i) && !WENT(i) -> found = true
#ifdef DIRECTORY
			:: WENT(i) -> excused[me] = excused[me] | BIT(i)
#endif
			:: else
			fi;
		DONE(i);
		printf("start %d: displaced_find: %d\n", me, found)
	};
find_recorded:
	atomic {
#ifndef WITHOUT_RECORD
		found = found || (guard != NOTHING && lives[guard]);
#endif
		guard = NOTHING;
lock_has_stayed:
		if
#ifndef WITHOUT_STAYED
#if defined(WITHOUT_CTIME) || defined(WITHOUT_VOUCHING)
		:: looked && !IS_CURRENT ->
#else
		:: looked && !(IS_CURRENT && stayed[me]) ->
#endif
			printf("start %d: has not stayed\n", me);
			found = false;
			looked = false;
			goto is_current /* lock_take() finds it locked */
#endif
		:: else
		fi;
		if
		:: found ->
wait_or_refuse:
			printf("start %d: another copy\n", me);
			lock[me] = FREE; lock_above[me] = FREE; /* lock_release() */
			stayed[me] = false;
			found = false;
			looked = false;
			goto again
		:: else
		fi;
		if
		:: close -> goto keeper_start
		:: !close && !shares[me] -> goto record_write
		:: !close && shares[me] -> goto handover_exec
		fi
	};

anew:	/* lock_release(), lock_close() */
	atomic {
		lock[me] = FREE; lock_above[me] = FREE;
		if
		:: IS_LENT(me)
		:: else -> file[me] = NOTHING; has[me] = false
		fi;
		stayed[me] = false;
		found = false;
		looked = false;
		goto again
	};

keeper_start:
	atomic {
#ifndef WITHOUT_KEEPER
		keeper[me] = true;
#endif
		kept[me] = true;
		printf("start %d: keeper_start\n", me);
		if
		:: shares[me] -> goto handover_exec
		:: else
		fi
	};

record_write: /* write_attribute() */
	atomic {
		vouches[file[me]] = false;
		if
		:: IS_LENT(me) -> forget(file[me]) /* the shell may close its descriptor on purpose */
		:: else ->
			recorded[file[me]] = me;
			in_directory[file[me]] = directory[me];
			at_place[file[me]] = place[me]
		fi;
#if defined(CLOSE) || defined(KEEPERS)
		lost[me] = !HAS_ITS_NAME;
#endif
		printf("start %d: write_attribute\n", me)
	};
	/* write_content() */
#ifdef WITHOUT_VOUCHING
	vouches[file[me]] = false;
#elif defined(WITHOUT_WENT)
	vouches[file[me]] = !IS_LENT(me);
#else
	vouches[file[me]] = !IS_LENT(me) && (!looked || excused[me] == 0);
#endif

handover_exec:
	atomic {
		looked = false;
		stayed[me] = stayed[me] && shares[me];
		EACH(i)
			assert(MAY_RUN_BESIDE(i));
		DONE(i);
		printf("start %d: handover_exec\n", me);
		runs[me] = true;
		has[me] = !close;
		close_description(me)
	};

	do
#ifdef CLOSE
	:: d_step {
		has[me] -> has[me] = false;
		close_description(me);
		printf("command %d: closes the lock\n", me)
	}
#endif
#ifdef CHILDREN
	:: d_step {
		has[me] && !child[me] -> child[me] = true;
		printf("command %d: has a child\n", me)
	}
#endif
	:: break
	od;
	dies[me] = true; /* it ends */
	false

	} unless {
	/* The kernel closes the descriptors first. */
	d_step {
		dies[me] -> has[me] = false;
		runs[me] = false;
		close_description(me);
		printf("start %d: ends\n", me)
	};
	d_step {
		lives[me] = false;
		dies[me] = false;
		/* Nothing depends on these any more. */
		guard = NOTHING; looked = false; found = false; close = false; i = 0; n = 0;
		do
		:: n < FILES ->
			if
			:: recorded[n] == me && vouches[n] -> recorded[n] = ENDED
			:: recorded[n] == me && !vouches[n] -> forget(n)
			:: else
			fi;
			n++
		:: else -> n = 0; break
		od;
		if
		:: file[me] == NOTHING ->
			directory[me] = NOTHING; place[me] = NOTHING;
			lost[me] = false; kept[me] = false; shares[me] = false; stayed[me] = false
		:: else
		fi;
		excused[me] = 0
	}
	}
}

/* -- beside the starts -- */

/* Children end; keepers end with their process, or are killed; and so are starts, at any step. */
#define ENDS_OF(i) \
	:: d_step { child[i] -> child[i] = false; close_description(i) } \
	:: d_step { keeper[i] && !lives[i] -> keeper[i] = false; close_description(i) } \
	:: d_step { kills > 0 && keeper[i] -> kills--; keeper[i] = false; kept[i] = false; \
		close_description(i); printf("keeper %d is killed\n", i) } \
	:: d_step { kills > 0 && lives[i] && !runs[i] && !dies[i] -> kills--; dies[i] = true; \
		printf("start %d is killed\n", i) }

proctype Ends()
{
	byte kills = KILLS;

	do
	ENDS_OF(0)
	ENDS_OF(1)
#if STARTS > 2
	ENDS_OF(2)
#endif
#if STARTS > 3
	ENDS_OF(3)
#endif
	od
}

#define HERE in[at[0]] /* what LOCK leads to */
#define THERE_IS_A_FILE (at[0] != NOTHING && HERE != NOTHING)

proctype FileActs()
{
	byte acts = FILE_ACTS;

	do
	:: d_step {
		acts > 0 && THERE_IS_A_FILE -> acts--; touch(HERE); lose(HERE); HERE = NOTHING;
		printf("the file is removed\n")
	}
	:: d_step {
		acts > 0 && THERE_IS_A_FILE && aside == NOTHING -> acts--; touch(HERE); lose(HERE);
		aside = HERE; HERE = NOTHING;
		printf("file %d is moved away\n", aside)
	}
	:: d_step {
		acts > 0 && at[0] != NOTHING && aside != NOTHING -> acts--; touch(aside);
		if
		:: HERE != NOTHING -> touch(HERE); lose(HERE)
		:: else
		fi;
		HERE = aside; aside = NOTHING;
		printf("file %d is moved back\n", HERE)
	}
#ifdef EXCHANGES
	:: d_step {
		acts > 0 && THERE_IS_A_FILE && aside != NOTHING -> acts--; touch(aside); touch(HERE); lose(HERE);
		m = HERE; HERE = aside; aside = m; m = 0;
		printf("files %d and %d are exchanged\n", aside, HERE)
	}
#endif
#ifdef COPIES
	:: d_step {
		acts > 0 && THERE_IS_A_FILE -> acts--; touch(HERE); make_file(); m = HERE;
		recorded[n] = recorded[m]; in_directory[n] = in_directory[m];
		at_place[n] = at_place[m];
		HERE = n; n = 0; m = 0;
		printf("file %d replaces it, with its record\n", HERE)
	}
#endif
	od
}

proctype DirectoryActs()
{
	byte acts = DIRECTORY_ACTS;

	do
	:: d_step {
		acts > 0 && at[0] != NOTHING && at[1] == NOTHING -> acts--; move_directory(at[0]);
		at[1] = at[0]; at[0] = NOTHING;
		printf("directory %d is moved away\n", at[1])
	}
	:: d_step {
		acts > 0 && at[0] == NOTHING && at[1] != NOTHING -> acts--; move_directory(at[1]);
		at[0] = at[1]; at[1] = NOTHING;
		printf("directory %d is moved back\n", at[0])
	}
#ifdef EXCHANGES
	:: d_step {
		acts > 0 && at[0] != NOTHING && at[1] != NOTHING -> acts--; move_directory(at[0]); move_directory(at[1]);
		m = at[0]; at[0] = at[1]; at[1] = m; m = 0;
		printf("directories %d and %d are exchanged\n", at[1], at[0])
	}
#endif
	:: d_step {
		acts > 0 && at[0] != NOTHING -> acts--;
		if
		:: HERE != NOTHING -> touch(HERE); lose(HERE); HERE = NOTHING
		:: else
		fi;
		at[0] = NOTHING;
		printf("the directory is removed\n")
	}
	:: d_step {
		acts > 0 && at[1] != NOTHING -> acts--;
		if
		:: in[at[1]] != NOTHING -> touch(in[at[1]]); lose(in[at[1]]); in[at[1]] = NOTHING
		:: else
		fi;
		at[1] = NOTHING;
		printf("the directory at the other place is removed\n")
	}
	:: d_step {
		acts > 0 && at[0] == NOTHING -> acts--; n = 0;
		do
		:: n < DIRECTORIES ->
			m = 0;
			do
			:: m < STARTS && directory[m] != n -> m++
			:: else -> break
			od;
			if
			:: m == STARTS && at[1] != n -> break
			:: else -> n++
			fi
		:: else -> break
		od;
		if
		:: n < DIRECTORIES -> at[0] = n; in[n] = NOTHING
		:: else
		fi;
		m = 0; n = 0;
		printf("directory %d is made\n", at[0])
	}
	od
}

init {
	byte i;

	d_step {
		at[1] = NOTHING;
		in[0] = NOTHING; in[1] = NOTHING; in[2] = NOTHING;
		i = 0;
		do
		:: i < FILES ->
			recorded[i] = NOTHING; in_directory[i] = NOTHING; at_place[i] = NOTHING; i++
		:: else -> break
		od;
		EACH(i)
			directory[i] = NOTHING; place[i] = NOTHING; file[i] = NOTHING; lives[i] = true;
		DONE(i)
	};
	atomic {
#if FILE_ACTS > 0
		run FileActs();
#endif
#if DIRECTORY_ACTS > 0
		run DirectoryActs();
#endif
#if KILLS > 0 || defined(CHILDREN) || defined(KEEPERS)
		run Ends();
#endif
		do
		:: i < STARTS - 1 -> run Start(i, 0); i++
		:: else -> break
		od;
#ifdef ELSEWHERE
		run Start(i, 1)
#else
		run Start(i, 0)
#endif
	}
}
