/*
 * How a start takes the kernel's two kinds of locks, and waits for them, for spin: nobody who may
 * not runs beside anybody, whoever sleeps has nothing, and everybody gets his turn.
 *
 * This is src/locking.c; the steps bear the names of its functions. A lock has two parts, or three
 * where LOCK is a directory: flock(2) on that, flock(2) on the file, fcntl(2) on the file. Other
 * programs take one part and know nothing of the others.
 *
 * -DWITHOUT_... takes a safeguard out, and then spin finds two that run at once, or a run without
 * an end in which somebody waits for ever; model.bats tells which test in tests/ shows the same.
 *
 * Left out: clocks. Patience lasts as long as a lock of ours is in passing, and no longer; 20 ms are
 * ample for the one or two calls of the other. It also ends where a lock of ours is left over alone
 * (`flock -u` on a descriptor of `onlyone --fd`) or its process is stopped: like another program's.
 * That everybody gets his turn supposes that the other programs, which may overtake, do not do so
 * for ever.
 */

#ifndef STARTS
#define STARTS 2
#endif
#ifndef PARTS
#define PARTS 2
#endif
#ifndef TIMES
#define TIMES 2 /* how often each of the other programs takes its lock */
#endif
/*
 * -DALL_KINDS  starts are exclusive or shared, and wait or do not
 * -DHOLDS_BOTH another program has the last part while it waits for the first
 * -DREADERS    the other programs share, until a shared start that does not wait has run
 * -DCONVERTS   the last start has a shared lock already, and wants it exclusive without waiting
 */

/* Which parts are taken: here the safeguards can be taken out. */
#ifdef WITHOUT_FLOCK
#define FIRST (PARTS - 1)
#else
#define FIRST 0
#endif
#ifdef WITHOUT_FCNTL
#define END (PARTS - 1)
#else
#define END PARTS
#endif
#define FCNTL (PARTS - 1)
#define NONE PARTS

#if defined(CONVERTS) || defined(READERS)
#define ALIKE (STARTS - 1)
#else
#define ALIKE STARTS
#endif
#ifdef READERS
#define OTHERS 1
#else
#define OTHERS 3
#endif
#define ALL (STARTS + OTHERS)
#define NOBODY 15

byte alone[PARTS] = NOBODY; /* who has each part exclusively */
byte shared[PARTS];         /* who shares it, in bits */
byte done;                  /* who needs nothing any more */
bit reader_is_done;

/* Who runs. */
byte ours_alone, ours_shared, others_alone, others_shared;

#define BIT(i) (1 << (i))
#ifdef CONVERTS
#define MAY_PASS ALIKE /* who converts keeps what it has */
#else
#define MAY_PASS STARTS
#endif
#define HAS(i, p) (alone[p] == i || (shared[p] & BIT(i)) != 0)
#define HAS_NOTHING(i) (!HAS(i, 0) && !HAS(i, 1) && !HAS(i, FCNTL))
#define IS_FREE(i, p, shares) ((alone[p] == NOBODY || alone[p] == i) && \
	(shares || (shared[p] & ~BIT(i)) == 0))
#define MAY_BE_PASSING(i, p, shares) (alone[p] != i && alone[p] < MAY_PASS || \
	!shares && (shared[p] & ~BIT(i) & (BIT(MAY_PASS) - 1)) != 0)
/* Whom we are refused by has not got it all: then it will, or give it back at once. */
#define IS_IN_PASSING (ours_alone == 0 && (shares || ours_shared == 0) && MAY_BE_PASSING(me, refused, shares))

inline take(who, part, share)
{
	/* Of the same descriptor, so one kind takes the place of the other. */
	if
	:: share -> shared[part] = shared[part] | BIT(who); alone[part] = (alone[part] == who -> NOBODY : alone[part])
	:: else -> alone[part] = who; shared[part] = shared[part] & ~BIT(who)
	fi
}

inline give_up(who, part)
{
	shared[part] = shared[part] & ~BIT(who);
	alone[part] = (alone[part] == who -> NOBODY : alone[part])
}

proctype Start(byte me; bit shares; bit waits)
{
	byte have = NONE, refused, i;
	bit has_gate;

	/* locking_take() */
#ifdef CONVERTS
	if
	:: me == ALIKE -> goto convert
	:: else
	fi;
#endif

take_others:
	i = FIRST;
	has_gate = (have == FIRST);
	do
	:: i == END -> goto taken
	:: i < END && i == have -> i++
	:: i < END && i != have ->
attempt:
		if
		:: atomic {
			IS_FREE(me, i, shares) -> take(me, i, shares);
			has_gate = has_gate || (i == FIRST && have == NONE);
			i++
		}
#ifdef WITHOUT_PATIENCE
		:: atomic { !IS_FREE(me, i, shares) -> refused = i; break }
#else
		:: atomic {
			/* insist(): in the model, to try again and again is to wait */
			!IS_FREE(me, i, shares) && !(has_gate && MAY_BE_PASSING(me, i, shares)) ->
			refused = i;
			break
		}
#endif
		fi
	od;

	/* locking_release(), in reverse */
#ifndef WITHOUT_GIVING_BACK
	i = END;
	do
	:: d_step { i > FIRST -> i--; give_up(me, i) }
	:: i == FIRST -> break
	od;
	assert(HAS_NOTHING(me));
#endif
	has_gate = false;
	if
	:: !waits -> goto look_at_refusal
	:: else
	fi;
wait_for:
	atomic {
		IS_FREE(me, refused, shares) -> take(me, refused, shares);
		have = refused;
		refused = 0
	};
	goto take_others;

look_at_refusal: /* a lock in passing is looked at again: main.c, take() */
	atomic {
		!IS_IN_PASSING;
		if
		:: IS_FREE(me, refused, shares) -> refused = 0; goto take_others
		:: else -> refused = 0; goto end
		fi
	};

#ifdef CONVERTS
convert: /* fcntl(2) goes first, whose conversion loses nothing where it is refused */
	if
	:: atomic { IS_FREE(me, FCNTL, false) -> take(me, FCNTL, false) }
	:: atomic { !IS_FREE(me, FCNTL, false) -> goto running }
	fi;
	if
	:: atomic {
		IS_FREE(me, 0, false) -> take(me, 0, false);
		ours_shared--;
		shares = false;
		goto taken
	}
	:: d_step {
		!IS_FREE(me, 0, false) -> give_up(me, 0); /* and lost, until it is restored */
		ours_shared--
	}
	fi;
restore:
	atomic { IS_FREE(me, 0, true) -> take(me, 0, true) };
	d_step {
		take(me, FCNTL, true);
		assert(ours_alone == 0);
		ours_shared++
	};
	goto running;
#endif

taken:
	atomic {
		i = 0; have = NONE; has_gate = false;
		assert(ours_alone == 0 && others_alone == 0 && (shares || (ours_shared == 0 && others_shared == 0)));
		ours_alone = ours_alone + !shares;
		ours_shared = ours_shared + shares
	};
#ifdef CONVERTS
running:
#endif
	atomic {
		i = END;
		ours_alone = ours_alone - !shares;
		ours_shared = ours_shared - shares
	};
	do
	:: d_step { i > FIRST -> i--; give_up(me, i) } /* as the kernel at the end of a process */
	:: i == FIRST -> break
	od;

end:
	atomic {
		i = 0;
		done++;
		reader_is_done = reader_is_done || (shares && !waits)
	}
}

/* flock(1), lckdo(1) and the like, so many times. */
proctype Other(byte me; byte part; bit shares; byte times)
{
	do
	:: times > 0 ->
		atomic {
			IS_FREE(me, part, shares) -> take(me, part, shares);
			assert(ours_alone == 0 && (shares || ours_shared == 0));
			others_alone = others_alone + !shares;
			others_shared = others_shared + shares
		};
#ifdef READERS
		reader_is_done;
#endif
		d_step {
			others_alone = others_alone - !shares;
			others_shared = others_shared - shares;
			give_up(me, part);
			times--
		}
	:: else -> break
	od;
	done++
}

/* `lckdo -w LOCK flock LOCK ...` */
proctype HoldsBoth(byte me)
{
	atomic { IS_FREE(me, FCNTL, false) -> take(me, FCNTL, false) };
	atomic { IS_FREE(me, 0, false) -> take(me, 0, false) };
	d_step { give_up(me, FCNTL); give_up(me, 0) };
	done++
}

init {
	byte i;

	atomic {
		do
		:: i < ALIKE ->
#ifdef ALL_KINDS
			if
			:: run Start(i, false, true)
			:: run Start(i, true, true)
			:: run Start(i, false, false)
			:: run Start(i, true, false)
			fi;
#else
			run Start(i, false, true);
#endif
			i++
		:: else -> break
		od;
#ifdef CONVERTS
		take(ALIKE, 0, true);
		take(ALIKE, FCNTL, true);
		ours_shared = 1;
		run Start(ALIKE, true, false);
#endif
#ifdef READERS
		run Start(ALIKE, true, false);
		run Other(STARTS, FCNTL, true, 1)
#else
		run Other(STARTS, FCNTL, false, TIMES);
		run Other(STARTS + 1, 0, false, TIMES);
#ifdef HOLDS_BOTH
		run HoldsBoth(STARTS + 2)
#else
#ifdef CONVERTS
		run Other(STARTS + 2, 0, true, 1)
#else
		run Other(STARTS + 2, PARTS / 2, true, 1)
#endif
#endif
#endif
	}
}

ltl everybody_gets_his_turn { <> (done == ALL) }
