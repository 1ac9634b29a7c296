/*
 * Memory of the rings and buffers, at the addresses it has in-process
 * (tools/fuzz/language/arena.h): from 0, where the loader has left nothing that we still want, and
 * from 4 GiB. Nothing can be forbidden to a device here, so opening and shutting are nothing; but
 * after a reset it has to leave memory alone.
 */
#include "tools/fuzz/language/arena.h"

#include "guest-fw/fuzz.h"
#include "tools/fuzz/language/trace.h"

#define MID_LEN (ARENA_MID_LEN + ARENA_HIGH_LEN) /* one piece, here */

/* File-scope as its namesake in tools/fuzz: the reference drivers have no way to pass it on. */
static struct {
	struct gmem mem;
	bool wild, shared, quiet;
	uint32_t program; /* its checksum */
} arena;

struct trace trace_now;

/* An address that the compiler knows nothing of: it would not believe in 0. */
static void *arena_pointer(uint64_t gpa)
{
	void *p;

	__asm__("" : "=r"(p) : "0"(gpa));
	return p;
}

void arena_init(void)
{
	if (arena.mem.n)
		return;
	/* Not ARENA_FIRST: an address is the same in an input and here. */
	arena.mem.n = 2;
	arena.mem.region[0] = (struct gmem_region){
		.gpa = 0, .len = ARENA_LOW_LEN, .hva = arena_pointer(0), .fd = -1
	};
	arena.mem.region[1] = (struct gmem_region){
		.gpa = ARENA_MID_GPA, .len = MID_LEN, .hva = arena_pointer(ARENA_MID_GPA), .fd = -1
	};
}

const struct gmem *arena_mem(void)
{
	return &arena.mem;
}

static bool is_zero(uint64_t gpa, size_t len)
{
	const uint64_t *at = arena_pointer(gpa);

	for (size_t i = 0; i < len / sizeof(*at); i++)
		if (at[i])
			return false;
	return true;
}

static void arena_zero(void)
{
	__builtin_memset(arena_pointer(ARENA_FIRST), 0, ARENA_LOW_LEN - ARENA_FIRST);
	__builtin_memset(arena_pointer(ARENA_MID_GPA), 0, MID_LEN);
}

/* When only one driver runs, as in-process. */
void arena_begin(void)
{
	if (arena.shared)
		return;
	arena_zero();
	arena_place_anew();
	arena.wild = false;
}

void fuzz_arena_begin(unsigned drivers)
{
	arena_init();
	if (arena.quiet && (!is_zero(ARENA_FIRST, ARENA_LOW_LEN - ARENA_FIRST) ||
			    !is_zero(ARENA_MID_GPA, MID_LEN)))
		fuzz_bug("a device has written to memory after its reset");
	arena.quiet = false;
	arena.shared = false;
	arena_begin();
	arena.shared = drivers > 1;
}

void fuzz_arena_end(void)
{
	arena_zero();
	arena.quiet = true;
}

void arena_close(void)
{
	if (!arena.shared)
		arena.wild = false;
}

void arena_open(uint64_t gpa, uint64_t len)
{
	(void)gpa;
	(void)len;
}

void arena_shut(uint64_t gpa, uint64_t len)
{
	(void)gpa;
	(void)len;
}

void arena_keep(void)
{
}

/* A corrupted descriptor may lead the device to any of the rings. */
void arena_open_bent(uint64_t gpa, uint64_t len)
{
	(void)gpa;
	(void)len;
	arena.wild = true;
}

void arena_wild(void)
{
	arena.wild = true;
}

bool arena_is_sound(void)
{
	return !arena.wild;
}

void *arena_at(uint64_t gpa, size_t len)
{
	return gmem_at(&arena.mem, gpa, len);
}

/*
 * The program: what is never written.
 */
extern const uint8_t fw_text_end[];

static uint32_t program_sum(void)
{
	const uint32_t *at = (const void *)VECTORS;
	size_t n = ((uintptr_t)fw_text_end - (uintptr_t)VECTORS) / sizeof(*at);
	uint32_t sum = 1;

	for (size_t i = 0; i < n; i++)
		sum = (sum << 1 | sum >> 31) + at[i];
	return sum;
}

bool fuzz_program_whole(void)
{
	if (!arena.program)
		arena.program = program_sum();
	return arena.program == program_sum();
}

/*
 * The trace, in the words of tools/fuzz, when the command line asks for it.
 */
void trace_line(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("    ");
	say_args(fmt, args);
	say("\n");
	va_end(args);
}

void fuzz_bug(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("fuzz: BUG: ");
	say_args(fmt, args);
	say("\n");
	va_end(args);
	fw_panic("a device broke a rule");
}
