/*
 * The split ring's notification protocol, as virtqueue/split.c and virtqueue/driver/split.c have it: a
 * driver sends CHAINS chains in batches of any size and sleeps for interrupts, a device sleeps for
 * kicks, takes what there is in batches of any size, and gives it back. When it finds nothing it may look
 * again, as often as it likes, before it asks for kicks and sleeps. The letters of the barriers are the
 * sources'.
 *
 * Wrong are: an end with a side asleep and chains not returned (a lost wake-up; spin calls it an
 * invalid end state), and a chain or a used element that is not the one due (a failed assertion).
 *
 * Indices count modulo twice the ring's size here, so that they wrap several times.
 */
#define RING   2
#define MOD    (2 * RING)
#ifndef CHAINS
#define CHAINS 5
#endif

#define AVAIL_IDX  0
#define AVAIL_SUPP 1 /* used_event, or the available ring's flags */
#define USED_IDX   2
#define USED_SUPP  3 /* avail_event, or the used ring's flags */
#define AVAIL_RING 4
#define USED_RING  (AVAIL_RING + RING)
#define PLACES     (USED_RING + RING)

#include "memory.pml"

#define DIFF(a, b)            (((a) + 2 * MOD - (b)) % MOD)
#define NEED_EVENT(e, now, old) (DIFF(now, (e) + 1) < DIFF(now, old))
#define WANTED(supp, now, old, equal)                                                  \
	((event_idx && !(equal) && NEED_EVENT(supp, now, old)) ||                      \
	 (event_idx && (equal) && (supp) == DIFF(now, 1)) || (!event_idx && (supp) == 0))

proctype driver()
{
	byte sent, got, old, seen;
	do
	:: sent < CHAINS && sent - got < RING ->
		old = sent % MOD;
		do
		:: sent < CHAINS && sent - got < RING ->
			atomic {
				store(DRIVER, AVAIL_RING + sent % RING, sent + 1, 0);
				sent++
			}
		:: sent % MOD != old -> break
		od;
		store(DRIVER, AVAIL_IDX, sent % MOD, !HAS(M_DRIVER_A));
		if
		:: HAS(M_DRIVER_C)
		:: else -> full_barrier(DRIVER)
		fi;
		load(DRIVER, USED_SUPP, 0, seen);
		if
		:: WANTED(seen, sent % MOD, old, HAS(M_DRIVER_EQUAL)) -> wake(DRIVER, kick)
		:: else
		fi;
		old = 0;
		seen = 0
	:: sent > got ->
		atomic { interrupt -> interrupt = 0 };
again:
		if
		:: event_idx -> store(DRIVER, AVAIL_SUPP, DIFF(got, 1), 0)
		:: else -> store(DRIVER, AVAIL_SUPP, 1, 0)
		fi;
		do
		:: load(DRIVER, USED_IDX, !HAS(M_DRIVER_B), seen);
			if
			:: seen == got % MOD -> break
			:: else
			fi;
			atomic {
				load(DRIVER, USED_RING + got % RING, 0, seen);
				assert(seen == got + 1); /* the used element due */
				got++;
				seen = 0
			}
		od;
		if
		:: event_idx -> store(DRIVER, AVAIL_SUPP, got % MOD, 0)
		:: else -> store(DRIVER, AVAIL_SUPP, 0, 0)
		fi;
		if
		:: HAS(M_DRIVER_D)
		:: else -> full_barrier(DRIVER)
		fi;
		load(DRIVER, USED_IDX, 0, seen);
		if
		:: seen != got % MOD && !HAS(M_DRIVER_LOOK) -> seen = 0; goto again
		:: else
		fi;
		seen = 0
	:: got == CHAINS -> break
	od
}

proctype device()
{
	byte popped, avail, old, seen;
end_asleep:
	atomic { kick -> kick = 0 };
again:
	if
	:: event_idx
	:: else -> store(DEVICE, USED_SUPP, 1, 0)
	fi;
look:
	do
	:: if
	   :: avail == popped % MOD -> load(DEVICE, AVAIL_IDX, !HAS(M_DEVICE_A), avail)
	   :: else
	   fi;
	   if
	   :: avail == popped % MOD -> break
	   :: avail == popped % MOD -> goto look
	   :: else
	   fi;
	   old = popped % MOD;
	   do
	   :: avail != popped % MOD ->
		atomic {
			load(DEVICE, AVAIL_RING + popped % RING, 0, seen);
			assert(seen == popped + 1); /* the chain due */
			store(DEVICE, USED_RING + popped % RING, popped + 1, 0);
			popped++;
			seen = 0
		}
	   :: popped % MOD != old -> break
	   od;
	   store(DEVICE, USED_IDX, popped % MOD, !HAS(M_DEVICE_B));
	   if
	   :: HAS(M_DEVICE_C)
	   :: else -> full_barrier(DEVICE)
	   fi;
	   load(DEVICE, AVAIL_SUPP, 0, seen);
	   if
	   :: WANTED(seen, popped % MOD, old, HAS(M_DEVICE_EQUAL)) -> wake(DEVICE, interrupt)
	   :: else
	   fi;
	   old = 0;
	   seen = 0
	od;
	if
	:: event_idx -> store(DEVICE, USED_SUPP, popped % MOD, 0)
	:: else -> store(DEVICE, USED_SUPP, 0, 0)
	fi;
	if
	:: HAS(M_DEVICE_D)
	:: else -> full_barrier(DEVICE)
	fi;
	load(DEVICE, AVAIL_IDX, 0, seen);
	if
	:: seen != popped % MOD && !HAS(M_DEVICE_LOOK) -> seen = 0; goto again
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
