#include "tools/fuzz/host/race.h"

#include <glib.h>
#include <stddef.h>
#include <string.h>

#include "tools/fuzz/language/arena.h"
#include "tools/fuzz/language/trace.h"

/* loads while the device has its way; an honest one needs some ten thousand */
#define FUEL 5000000u
#define SEEN 256u /* places in a table of words; what does not fit pushes another out */

enum { HOW_SET, HOW_LOW, HOW_FLAGS, HOW_XOR, N_HOWS };

/* File-scope because the compiler's calls have no argument of ours. */
static struct {
	unsigned fuel;
	bool armed, live;
	unsigned left; /* repeated loads until it happens */
	unsigned how;
	uint64_t value;
	unsigned round; /* how often it was armed: marks the words that were loaded since */
	struct {
		uintptr_t word;
		unsigned round;
	} seen[SEEN];
} race;

void race_begin(void)
{
	race.armed = race.live = false;
}

void race_arm(unsigned n, unsigned how, uint64_t value)
{
	race.armed = true;
	race.left = n;
	race.how = how % N_HOWS;
	race.value = value;
	race.round++;
}

void race_live(bool on)
{
	race.live = on;
	race.fuel = FUEL;
}

static bool seen_before(uintptr_t word)
{
	unsigned at = (word ^ word >> 8) % SEEN;

	if (race.seen[at].word == word && race.seen[at].round == race.round)
		return true;
	race.seen[at].word = word;
	race.seen[at].round = race.round;
	return false;
}

static uint64_t race_changed(uint64_t old)
{
	switch (race.how) {
	case HOW_SET:
		return race.value;
	case HOW_LOW: /* a descriptor's length, half of an address */
		return (old & ~0xffffffffull) | (uint32_t)race.value;
	case HOW_FLAGS: /* the third of a descriptor's second word */
		return old ^ (race.value & 0xffff) << 32;
	default:
		return old ^ race.value;
	}
}

static void race_loaded(const void *at, size_t len)
{
	uint64_t word = 0;

	if (!race.live || !arena_holds(at) || !seen_before((uintptr_t)at) || race.left-- > 0)
		return;
	race.armed = false;
	arena_wild();
	if (len > sizeof(word))
		len = sizeof(word);
	memcpy(&word, at, len);
	word = race_changed(word);
	memcpy((void *)at, &word, len);
	trace("driver: changes a word of %zu bytes under the device's hand, to %#lx", len, word);
}

static inline void load(const void *at, size_t len)
{
	if (G_UNLIKELY(--race.fuel == 0) && race.live)
		fuzz_bug("the device works without end");
	if (G_UNLIKELY(race.armed))
		race_loaded(at, len);
}

/* The compiler's names.
 * NOLINTBEGIN(bugprone-reserved-identifier) */
#define ON_LOAD(bits, type)                              \
	void __sanitizer_cov_load##bits(const type *at); \
	void __sanitizer_cov_load##bits(const type *at)  \
	{                                                \
		load(at, sizeof(type));                  \
	}

ON_LOAD(1, uint8_t)
ON_LOAD(2, uint16_t)
ON_LOAD(4, uint32_t)
ON_LOAD(8, uint64_t)
ON_LOAD(16, unsigned __int128)

#ifdef FUZZ_ASAN
void *__real___asan_memcpy(void *to, const void *from, size_t len);
void *__wrap___asan_memcpy(void *to, const void *from, size_t len);
void *__wrap___asan_memcpy(void *to, const void *from, size_t len)
{
	if (race.armed && len)
		race_loaded(from, len);
	return __real___asan_memcpy(to, from, len);
}
#endif
/* NOLINTEND(bugprone-reserved-identifier) */
