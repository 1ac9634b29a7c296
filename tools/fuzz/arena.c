#include "tools/fuzz/arena.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tools/fuzz/story.h"

#ifdef __SANITIZE_ADDRESS__
#define HAVE_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN
#endif
#endif

#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#else
#define __asan_poison_memory_region(p, n)   ((void)(p), (void)(n))
#define __asan_unpoison_memory_region(p, n) ((void)(p), (void)(n))
#endif

#define GAP 0x2000u /* forbidden for good, before and behind each region */
#define N   3u

/* Up to the border between the middle and the high region: for buffers that cross it. */
#define CROSSING 0x1000u

/* File-scope for the same reason as in host.c: what watches memory accesses cannot be handed it. */
static struct {
	uint8_t *map;
	size_t map_len;
	struct gmem mem;
	uint64_t used[N];  /* bytes handed out */
	uint64_t dirty[N]; /* bytes that may have been written */
	bool wild, kept;
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
	arena.map_len = ARENA_LEN + (N + 1) * GAP;
	arena.map = mmap(NULL, arena.map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (arena.map == MAP_FAILED)
		abort();
	__asan_poison_memory_region(arena.map, arena.map_len);
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

/* Only what was ever opened can be open. */
void arena_close(void)
{
	for (unsigned i = 0; i < N; i++)
		__asan_poison_memory_region(region(i)->hva, arena.dirty[i]);
	arena.wild = arena.kept = false;
}

void arena_begin(void)
{
	for (unsigned i = 0; i < N; i++) {
		__asan_unpoison_memory_region(region(i)->hva, arena.dirty[i]);
		memset(region(i)->hva, 0, arena.dirty[i]);
	}
	arena_close();
	for (unsigned i = 0; i < N; i++)
		arena.used[i] = arena.dirty[i] = 0;
	arena.used[0] = 64; /* address 0 is for those who forget to set one */
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

#ifdef HAVE_ASAN
static void open_piece(const volatile void *p, size_t len)
{
	__asan_unpoison_memory_region(p, len);
}

static void shut_piece(const volatile void *p, size_t len)
{
	__asan_poison_memory_region(p, len);
}
#else
static void open_piece(const volatile void *p, size_t len)
{
	(void)p;
	(void)len;
}
#define shut_piece open_piece
#endif

/* What was opened may have been written to, and is to be zeroed. */
static void note_use(uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < N; i++) {
		const struct gmem_region *r = region(i);

		if (gpa < r->gpa + r->len && (gpa >= r->gpa || len > r->gpa - gpa)) {
			uint64_t off = gpa > r->gpa ? gpa - r->gpa : 0;
			uint64_t end = len > r->len - off ? r->len : off + len;

			if (end > arena.dirty[i])
				arena.dirty[i] = end;
		}
	}
}

void arena_open(uint64_t gpa, uint64_t len)
{
	note_use(gpa, len);
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

void arena_wild(void)
{
	if (arena.wild)
		return;
	story("(from here on the driver writes nonsense: all of memory is open)");
	for (unsigned i = 0; i < N; i++)
		arena_open(region(i)->gpa, region(i)->len);
	arena.wild = true;
}

bool arena_is_wild(void)
{
	return arena.wild;
}

static uint64_t take(unsigned i, size_t len, size_t align)
{
	uint64_t at = (arena.used[i] + align - 1) / align * align;
	uint64_t room = region(i)->len - (i == 1 ? CROSSING : 0);

	if (at > room || len > room - at)
		return 0;
	arena.used[i] = at + len;
	return region(i)->gpa + at;
}

uint64_t arena_ring(size_t len)
{
	return take(0, len, 128);
}

/* Eight bytes apart, the sanitizer's grain, plus eight forbidden ones. */
uint64_t arena_buffer(size_t len)
{
	uint64_t gpa = take(1, len + 8, 8);

	return gpa ? gpa : take(0, len + 8, 8);
}

uint64_t arena_crossing(size_t len)
{
	uint64_t half = len / 2;

	return half && half < CROSSING && len - half <= ARENA_HIGH_LEN ? ARENA_HIGH_GPA - half : 0;
}

void *arena_at(uint64_t gpa, size_t len)
{
	return gmem_at(&arena.mem, gpa, len);
}

uint64_t arena_gpa(uint32_t off)
{
	off %= ARENA_LEN;
	for (unsigned i = 0; i < N; i++) {
		if (off < region(i)->len)
			return region(i)->gpa + off;
		off -= (uint32_t)region(i)->len;
	}
	return 0;
}

bool arena_holds(const void *p)
{
	uintptr_t off = (uintptr_t)p - (uintptr_t)arena.map;

	return off < arena.map_len;
}
