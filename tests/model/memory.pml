/*
 * Memory as two processors see it, for models of protocols between a driver and a device.
 *
 * Each side's stores wait in a buffer of its own until they drain into memory; the side itself sees
 * them at once. In x86's order (TSO) they drain first in, first out, and loads take place in turn. In
 * the weak order stores drain in any order, but for two to the same place, and a release store waits
 * for all before it; and a load may take place early: each side may read one place ahead of time and
 * use that value when the load's turn comes. An acquire load throws away what was read ahead before
 * it; a full barrier does so too, and waits for the buffer to drain.
 *
 * Not modelled: stores that take place before loads that precede them (control dependencies forbid
 * it here), and reading ahead of more than one place at a time. More readers than two there are not.
 *
 * What is checked comes in the environment, so that one program serves for all: WEAK (0, 1),
 * EVENT_IDX (0, 1), and MUTATE, a set of the M_* bits: what to leave out or to get wrong.
 */
hidden byte weak, event_idx;
hidden int mutate;

#define HAS(bits) ((mutate & (bits)) != 0)

/* Mutations: a side's barriers by their letters in split.c, packed.c and drv-*.c ... */
#define M_DRIVER_A (1 << 0)
#define M_DRIVER_B (1 << 1)
#define M_DRIVER_C (1 << 2)
#define M_DRIVER_D (1 << 3)
#define M_DRIVER_E (1 << 4)
#define M_DEVICE_A (1 << 5)
#define M_DEVICE_B (1 << 6)
#define M_DEVICE_C (1 << 7)
#define M_DEVICE_D (1 << 8)
#define M_DEVICE_E (1 << 9)
/* ... enabling notifications without a second look, event compared by equality, wrap counter flipped late. */
#define M_DRIVER_LOOK (1 << 10)
#define M_DEVICE_LOOK (1 << 11)
#define M_DRIVER_EQUAL (1 << 12)
#define M_DEVICE_EQUAL (1 << 13)
#define M_DRIVER_WRAP (1 << 14)
#define M_DEVICE_WRAP (1 << 15)
#define M_EVENT_WRAP (1 << 16)
/* Not a mutation: leave out the assertion that E is for. */
#define M_WAKES_ONLY (1 << 17)

#define DRIVER 0
#define DEVICE 1
#define DEPTH  4 /* stores in a buffer; another waits for room */

typedef side_t {
	byte n;
	byte place[DEPTH];
	byte value[DEPTH];
	bit release[DEPTH];
	byte ahead; /* 1 + place that was read ahead; 0: none */
	byte ahead_value;
};
side_t side[2];
byte memory[PLACES];
bit kick, interrupt; /* eventfds: set by one side, taken by the other */

inline forget_ahead(s)
{
	side[s].ahead = 0;
	side[s].ahead_value = 0;
}

inline store(s, p, v, is_release)
{
	atomic {
		side[s].n < DEPTH;
		side[s].place[side[s].n] = p;
		side[s].value[side[s].n] = v;
		side[s].release[side[s].n] = is_release;
		side[s].n++;
		if
		:: side[s].ahead == (p) + 1 -> forget_ahead(s)
		:: else
		fi
	}
}

/* What @s would read now: the last of its own stores to @p, or memory. */
inline peek(s, p, ret)
{
	if
	:: side[s].n > 3 && side[s].place[3] == (p) -> ret = side[s].value[3]
	:: else ->
		if
		:: side[s].n > 2 && side[s].place[2] == (p) -> ret = side[s].value[2]
		:: else ->
			if
			:: side[s].n > 1 && side[s].place[1] == (p) -> ret = side[s].value[1]
			:: else ->
				if
				:: side[s].n > 0 && side[s].place[0] == (p) -> ret = side[s].value[0]
				:: else -> ret = memory[p]
				fi
			fi
		fi
	fi
}

inline load(s, p, is_acquire, ret)
{
	d_step {
		if
		:: side[s].ahead == (p) + 1 -> ret = side[s].ahead_value; forget_ahead(s)
		:: else -> peek(s, p, ret)
		fi;
		if
		:: is_acquire -> forget_ahead(s)
		:: else
		fi
	}
}

inline full_barrier(s)
{
	d_step {
		side[s].n == 0;
		forget_ahead(s)
	}
}

/* A system call, or a trap: as good as a full barrier. */
inline wake(s, which)
{
	d_step {
		side[s].n == 0;
		forget_ahead(s);
		which = 1
	}
}

#define IN_BUFFER(s, i, p) (side[s].n > (i) && side[s].place[i] == (p))
#define HOLDS(s, p)                                             \
	(IN_BUFFER(s, 0, p) || IN_BUFFER(s, 1, p) || IN_BUFFER(s, 2, p) || IN_BUFFER(s, 3, p))

/* To read a place ahead of time makes a difference if it is overwritten before the load's turn; the
 * last moment for it is just before that. */
inline drain_nth(s, i)
{
	k = side[s].place[i];
	if
	:: weak && side[1 - s].ahead == 0 && memory[k] != side[s].value[i] && !HOLDS(1 - s, k) ->
		side[1 - s].ahead = k + 1;
		side[1 - s].ahead_value = memory[k]
	:: true
	fi;
	memory[k] = side[s].value[i];
	side[s].n--;
	k = i;
	do
	:: k < side[s].n ->
		side[s].place[k] = side[s].place[k + 1];
		side[s].value[k] = side[s].value[k + 1];
		side[s].release[k] = side[s].release[k + 1];
		k++
	:: else -> break
	od;
	side[s].place[side[s].n] = 0;
	side[s].value[side[s].n] = 0;
	side[s].release[side[s].n] = 0;
	k = 0
}

/* Store @i of the buffer may go before all that are older. */
#define OVERTAKES(s, i, j) (side[s].place[i] != side[s].place[j])
#define MAY_DRAIN(s, i)    (weak && side[s].n > (i) && !side[s].release[i] && OVERTAKES(s, i, 0))

proctype drain(byte s)
{
	byte k;
end_drain:
	do
	:: atomic { side[s].n > 0 -> drain_nth(s, 0) }
	:: atomic { MAY_DRAIN(s, 1) -> drain_nth(s, 1) }
	:: atomic { MAY_DRAIN(s, 2) && OVERTAKES(s, 2, 1) -> drain_nth(s, 2) }
	:: atomic {
		MAY_DRAIN(s, 3) && OVERTAKES(s, 3, 1) && OVERTAKES(s, 3, 2) -> drain_nth(s, 3)
	   }
	od
}

c_decl {
	static int from_env(const char *name)
	{
		const char *value = getenv(name);

		if (!value)
			exit(2);
		return atoi(value);
	}
};

/* The hidden variables are the verifier's, not part of its states. */
#define START                                                               \
	c_code {                                                            \
		weak = from_env("WEAK");                                    \
		event_idx = from_env("EVENT_IDX");                          \
		mutate = from_env("MUTATE");                                \
	}
