/*
 * The packed ring's notification protocol, as virtqueue/packed.c and virtqueue/driver/packed.c have it: a
 * driver sends CHAINS chains of one or two descriptors in batches of any size and sleeps for
 * interrupts, a device sleeps for kicks, takes up to two chains at a time, and gives them back. The
 * letters of the barriers are the sources'.
 *
 * Wrong are: an end with a side asleep and chains not returned (a lost wake-up; spin calls it an
 * invalid end state), a chain or a used descriptor that is not the one due, and an event judged by a
 * place older than the one its flags speak of (failed assertions).
 *
 * Barrier E guards the last of these alone: a side that reads an old place after its barrier C has
 * published already, so the other, which has yet to pass its D, sees that when it looks again. The
 * script shows both.
 *
 * A place in the ring counts descriptors from the start; offset and wrap counter follow from it.
 */
#ifndef RING
#define RING 2
#endif
#ifndef CHAINS
#define CHAINS 3
#endif

#define DRIVER_OFF   0
#define DRIVER_FLAGS 1
#define DEVICE_OFF   2
#define DEVICE_FLAGS 3
#define FLAGS        4 /* of each descriptor */
#define DATA         (FLAGS + RING)
#define PLACES       (DATA + RING)

#include "memory.pml"

#define AVAIL 1
#define USED  2
#define NEXT  4
#define GIVEN 128 /* in DATA: a used descriptor's id, not a chain */

#define ENABLE  0
#define DISABLE 1
#define DESC    2 /* and up: the place is in here, too, for the assertion */

bit older_place;

#define OFF(pos)  ((pos) % RING)
#define LAP(pos)  (((pos) / RING) & 1) /* 0: the wrap counter is 1 */
/* The place whose wrap counter is taken: its own, or with a late flip the one before. */
#define AS(pos, late) ((pos) - ((late) && (pos) >= RING))

#define AVAIL_FLAGS(pos, late) (AVAIL + LAP(AS(pos, late)))
#define USED_FLAGS(pos, late)  ((AVAIL | USED) * (1 - LAP(AS(pos, late))))
#define OWNER(flags)           ((flags) & (AVAIL | USED))

/* vring_pos_need_event(), in integers */
#define BEHIND(pos, now, late) (RING * (LAP(now) != LAP(AS(pos, late))))
#define AT(event, now)         (OFF(event) - BEHIND(event, now, HAS(M_EVENT_WRAP)))
#define FROM(old, now)         (OFF(old) - BEHIND(old, now, false))
#define NEED_EVENT(event, now, old)                         \
	(OFF(now) - AT(event, now) - 1 >= 0 &&              \
	 OFF(now) - AT(event, now) - 1 < OFF(now) - FROM(old, now))

/* Reads the other side's event structure: sets ret to whether it wants to be woken. */
inline look_at_event(s, off, flags, now, old, without_E, equal, ret)
{
	load(s, flags, !without_E, ret);
	if
	:: ret == ENABLE -> ret = 1
	:: ret == DISABLE -> ret = 0
	:: else ->
		atomic {
			load(s, off, 0, seen);
			older_place = !HAS(M_WAKES_ONLY) && seen < ret - DESC;
			assert(!older_place);
			if
			:: equal -> ret = (OFF(seen) == OFF(now - 1) && LAP(seen) == LAP(now - 1))
			:: else -> ret = (NEED_EVENT(seen, now, old))
			fi;
			seen = 0
		}
	fi
}

inline ask(s, off, flags, pos, without_E)
{
	if
	:: event_idx ->
		store(s, off, pos, 0);
		store(s, flags, DESC + pos, !without_E)
	:: else -> store(s, flags, ENABLE, !without_E)
	fi
}

proctype driver()
{
	byte sent, got;         /* chains */
	byte next, done, first; /* places: the next free, the next used, the batch's first */
	byte first_flags, seen, want;
	bit two[CHAINS]; /* chains of two descriptors */
	do
	:: sent < CHAINS && next - done < RING ->
		first = next;
		do
		:: sent < CHAINS && next - done < RING ->
			/* The last descriptor first; the batch's first flags wait. */
			if
			:: RING - (next - done) >= 2 ->
				two[sent] = 1;
				store(DRIVER, DATA + OFF(next + 1), sent + 1, 0);
				store(DRIVER, FLAGS + OFF(next + 1),
				      AVAIL_FLAGS(next + 1, HAS(M_DRIVER_WRAP)), 0)
			:: true
			fi;
			store(DRIVER, DATA + OFF(next), sent + 1, 0);
			want = AVAIL_FLAGS(next, HAS(M_DRIVER_WRAP)) | NEXT * two[sent];
			if
			:: next == first -> first_flags = want
			:: else -> store(DRIVER, FLAGS + OFF(next), want, 0)
			fi;
			d_step {
				next = next + 1 + two[sent];
				sent++;
				want = 0
			}
		:: next != first -> break
		od;
		store(DRIVER, FLAGS + OFF(first), first_flags, !HAS(M_DRIVER_A));
		first_flags = 0;
		if
		:: HAS(M_DRIVER_C)
		:: else -> full_barrier(DRIVER)
		fi;
		look_at_event(DRIVER, DEVICE_OFF, DEVICE_FLAGS, next, first, HAS(M_DRIVER_E),
			      HAS(M_DRIVER_EQUAL), want);
		if
		:: want -> wake(DRIVER, kick)
		:: else
		fi;
		want = 0;
		first = 0
	:: sent > got ->
		atomic { interrupt -> interrupt = 0 };
again:
		store(DRIVER, DRIVER_FLAGS, DISABLE, !HAS(M_DRIVER_E));
		do
		:: load(DRIVER, FLAGS + OFF(done), !HAS(M_DRIVER_B), seen);
			if
			:: OWNER(seen) != USED_FLAGS(done, false) -> break
			:: else
			fi;
			atomic {
				load(DRIVER, DATA + OFF(done), 0, seen);
				assert(seen == (GIVEN | (got + 1))); /* the used descriptor due */
				done = done + 1 + two[got];
				two[got] = 0;
				got++;
				seen = 0
			}
		od;
		seen = 0;
		ask(DRIVER, DRIVER_OFF, DRIVER_FLAGS, done, HAS(M_DRIVER_E));
		if
		:: HAS(M_DRIVER_D)
		:: else -> full_barrier(DRIVER)
		fi;
		load(DRIVER, FLAGS + OFF(done), 1, seen);
		if
		:: OWNER(seen) == USED_FLAGS(done, false) && !HAS(M_DRIVER_LOOK) ->
			seen = 0;
			goto again
		:: else -> seen = 0
		fi
	:: got == CHAINS -> break
	od
}

/* Takes the chain at next, if there is one; ret: its descriptors. */
inline pop(ret)
{
	load(DEVICE, FLAGS + OFF(next), !HAS(M_DEVICE_A), seen);
	if
	:: OWNER(seen) == AVAIL_FLAGS(next, false) ->
		ret = 1 + ((seen & NEXT) == NEXT);
		atomic {
			load(DEVICE, DATA + OFF(next), 0, seen);
			assert(seen == popped + 1) /* the chain due */
		};
		if
		:: ret == 2 ->
			atomic {
				load(DEVICE, FLAGS + OFF(next + 1), 0, seen);
				assert(OWNER(seen) == AVAIL_FLAGS(next + 1, false)) /* all of it */
			};
			atomic {
				load(DEVICE, DATA + OFF(next + 1), 0, seen);
				assert(seen == popped + 1)
			}
		:: else
		fi;
		d_step {
			next = next + ret;
			popped++
		}
	:: else
	fi;
	seen = 0
}

inline push(n)
{
	store(DEVICE, DATA + OFF(done), GIVEN | (pushed + 1), 0);
	want = USED_FLAGS(done, HAS(M_DEVICE_WRAP));
	if
	:: done == first -> first_flags = want
	:: else -> store(DEVICE, FLAGS + OFF(done), want, 0)
	fi;
	d_step {
		pushed++;
		done = done + n;
		n = 0;
		want = 0
	}
}

proctype device()
{
	byte popped, pushed, next, done, first, first_flags, seen, want;
	byte n1, n2; /* descriptors of the chains in hand */
end_asleep:
	atomic { kick -> kick = 0 };
again:
	store(DEVICE, DEVICE_FLAGS, DISABLE, !HAS(M_DEVICE_E));
look:
	do
	:: pop(n1);
	   if
	   :: n1 == 0 -> break
	   :: n1 == 0 -> goto look /* as often as it likes, before it asks for kicks */
	   :: else
	   fi;
	   if
	   :: pop(n2)
	   :: true
	   fi;
	   first = done;
	   push(n1);
	   if
	   :: n2 -> push(n2)
	   :: else
	   fi;
	   store(DEVICE, FLAGS + OFF(first), first_flags, !HAS(M_DEVICE_B));
	   first_flags = 0;
	   if
	   :: HAS(M_DEVICE_C)
	   :: else -> full_barrier(DEVICE)
	   fi;
	   look_at_event(DEVICE, DRIVER_OFF, DRIVER_FLAGS, done, first, HAS(M_DEVICE_E),
			 HAS(M_DEVICE_EQUAL), want);
	   if
	   :: want -> wake(DEVICE, interrupt)
	   :: else
	   fi;
	   want = 0;
	   first = 0
	od;
	ask(DEVICE, DEVICE_OFF, DEVICE_FLAGS, next, HAS(M_DEVICE_E));
	if
	:: HAS(M_DEVICE_D)
	:: else -> full_barrier(DEVICE)
	fi;
	load(DEVICE, FLAGS + OFF(next), 1, seen);
	if
	:: OWNER(seen) == AVAIL_FLAGS(next, false) && !HAS(M_DEVICE_LOOK) -> seen = 0; goto again
	:: else -> seen = 0; goto end_asleep
	fi
}

init {
	atomic {
		START;
		run driver();
		run device();
		run drain(DRIVER);
		run drain(DEVICE)
	}
}
