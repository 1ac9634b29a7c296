#include "tools/fuzz/arena.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tools/fuzz/story.h"

#ifdef FUZZ_ASAN /* the code under test is built with it; this file never is */
#include <sanitizer/asan_interface.h>
#else
#define __asan_poison_memory_region(p, n)   ((void)(p), (void)(n))
#define __asan_unpoison_memory_region(p, n) ((void)(p), (void)(n))
#endif

#define GAP   0x2000u /* forbidden for good, before and behind each region */
#define N     3u
#define BLOCK 1024u /* regions are whole blocks */
#define MAP   (ARENA_LEN + (N + 1) * GAP)
#define WORDS ((MAP / BLOCK + 63) / 64)

/* File-scope for the same reason as in host.c: what watches memory accesses cannot be handed it. */
static struct {
	uint8_t *map;
	struct gmem mem;
	uint64_t dirty[WORDS]; /* by block: bytes of it may have been written */
	uint64_t open[WORDS];  /* and may be open */
	bool wild, kept, spoilt;
} arena;

static struct gmem_region *region(unsigned i)
{
	return &arena.mem.region[i];
}

void arena_init(void)
{
	static const struct {
		uint64_t gpa, len;
	} place[N] = { { 0, ARENA_LOW_LEN },
		       { ARENA_MID_GPA, ARENA_MID_LEN },
		       { ARENA_HIGH_GPA, ARENA_HIGH_LEN } };
	size_t at = GAP;

	if (arena.map)
		return;
	/* The high region lies first: what adjoins for the guest does not for us. */
	arena.map = mmap(NULL, MAP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena.map == MAP_FAILED)
		abort();
	__asan_poison_memory_region(arena.map, MAP);
	at += ARENA_HIGH_LEN + GAP;
	for (unsigned i = 0; i < N; i++) {
		uint8_t *hva = i == N - 1 ? arena.map + GAP : arena.map + at;

		if (gmem_add(&arena.mem, place[i].gpa, place[i].len, hva) < 0)
			abort();
		at += place[i].len + GAP;
	}
}

const struct gmem *arena_mem(void)
{
	return &arena.mem;
}

/* memset() is the sanitizer's, which would find all of it forbidden. */
static void wipe(void *at, size_t len)
{
	__asm__ volatile("rep stosb" : "+D"(at), "+c"(len) : "a"(0) : "memory");
}

static void forbid(void *at, size_t len)
{
	__asan_poison_memory_region(at, len);
}

/* Calls fn for each run of blocks of the set, and empties it. */
static void each_block(uint64_t set[WORDS], void (*fn)(void *at, size_t len))
{
	for (unsigned w = 0; w < WORDS; w++)
		while (set[w]) {
			unsigned first = (unsigned)__builtin_ctzll(set[w]);
			uint64_t rest = ~(set[w] >> first);
			unsigned n = rest ? (unsigned)__builtin_ctzll(rest) : 64 - first;

			n = n > 64 - first ? 64 - first : n;
			fn(arena.map + (64ul * w + first) * BLOCK, (size_t)n * BLOCK);
			set[w] &= ~((n < 64 ? (1ull << n) - 1 : ~0ull) << first);
		}
}

void arena_close(void)
{
	each_block(arena.open, forbid);
	arena.wild = arena.kept = arena.spoilt = false;
}

void arena_begin(void)
{
	arena_close();
	each_block(arena.dirty, wipe);
	arena_place_anew();
}

/* Calls fn for each piece of the range that is memory. */
static void each_piece(uint64_t gpa, uint64_t len, void (*fn)(const volatile void *, size_t))
{
	while (len) {
		uint64_t n = gmem_room(&arena.mem, gpa);

		if (n > len)
			n = len;
		if (!n)
			return;
		fn(gmem_at(&arena.mem, gpa, n), n);
		gpa += n;
		len -= n;
	}
}

/* What was opened may have been written to. */
static void open_piece(const volatile void *p, size_t len)
{
	size_t first = (size_t)((const volatile uint8_t *)p - arena.map) / BLOCK;
	size_t last = ((size_t)((const volatile uint8_t *)p - arena.map) + len - 1) / BLOCK;

	for (size_t i = first; i <= last; i++) {
		arena.dirty[i / 64] |= 1ull << i % 64;
		arena.open[i / 64] |= 1ull << i % 64;
	}
	__asan_unpoison_memory_region(p, len);
}

static void shut_piece(const volatile void *p, size_t len)
{
	__asan_poison_memory_region(p, len);
}

void arena_open(uint64_t gpa, uint64_t len)
{
	each_piece(gpa, len, open_piece);
}

void arena_shut(uint64_t gpa, uint64_t len)
{
	if (!arena.wild && !arena.kept)
		each_piece(gpa, len, shut_piece);
}

void arena_keep(void)
{
	arena.kept = true;
}

void arena_open_bent(uint64_t gpa, uint64_t len)
{
	arena.spoilt |= gpa < region(0)->len; /* where rings are, and whatever has no other room */
	arena_open(gpa, len);
}

void arena_wild(void)
{
	if (arena.wild)
		return;
	story("(from here on the driver writes nonsense: all of memory is open)");
	for (unsigned i = 0; i < N; i++)
		arena_open(region(i)->gpa, region(i)->len);
	arena.wild = true;
}

bool arena_is_sound(void)
{
	return !arena.wild && !arena.spoilt;
}

void *arena_at(uint64_t gpa, size_t len)
{
	return gmem_at(&arena.mem, gpa, len);
}

bool arena_holds(const void *p)
{
	uintptr_t off = (uintptr_t)p - (uintptr_t)arena.map;

	return off < MAP;
}
