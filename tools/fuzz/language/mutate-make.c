/* Making things up: arguments, records. */
#include <string.h>

#include "tools/fuzz/language/mutate-int.h"

/* xorshift64* */
uint32_t mutate_dice(struct mutator *m, uint32_t sides)
{
	m->seed = m->seed ? m->seed : 0x9e3779b97f4a7c15ull;
	m->seed ^= m->seed >> 12;
	m->seed ^= m->seed << 25;
	m->seed ^= m->seed >> 27;
	return (uint32_t)((m->seed * 0x2545f4914f6cdd1dull) >> 32) % (sides ? sides : 1);
}

void mutate_put(uint8_t *to, uint64_t value, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t mutate_any64(struct mutator *m)
{
	uint64_t high = dice(m, UINT32_MAX);

	return high << 32 | dice(m, UINT32_MAX);
}

static uint64_t mutate_interesting(struct mutator *m)
{
	static const uint64_t some[] = {
		0,
		1,
		2,
		3,
		4,
		7,
		8,
		12,
		15,
		16,
		17,
		31,
		32,
		63,
		64,
		127,
		128,
		255,
		256,
		511,
		512,
		513,
		1024,
		4095,
		4096,
		0x7fff,
		0x8000,
		0xfffe,
		0xffff,
		0x10000,
		0x10001,
		0x7fffffff,
		0x80000000,
		0xfffffff0,
		0xfffffffe,
		0xffffffff,
		0x100000000,
		0x100000008,
		0x10000fff8,
		0x100010000,
		0x100013ff8,
		0x13ff8,
		0x7fffffffffffffff,
		0x8000000000000000,
		0xfffffffffffffff0,
		0xffffffffffffffff,
		0x200000000,
	};
	uint64_t v = some[dice(m, sizeof(some) / sizeof(some[0]))];

	switch (dice(m, 6)) {
	case 0:
		return v + dice(m, 64) - 32;
	case 1:
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): 48 at most */
		return v | (uint64_t)dice(m, 0x10000) << 16 * dice(m, 4);
	case 2: /* an address in the guest's memory */
		return (dice(m, 2) ? 0x100000000 : 0) + dice(m, 0x14010);
	default:
		return v;
	}
}

static uint64_t few_bits(struct mutator *m)
{
	uint64_t v = 0;

	for (unsigned n = dice(m, 6); n; n--)
		v |= 1ull << dice(m, 64);
	return v;
}

/* A count: mostly small. */
static unsigned mutate_small(struct mutator *m)
{
	return dice(m, 4) ? dice(m, 8) : dice(m, 256);
}

unsigned mutate_width(char letter)
{
	static const char letters[] = "bqnhgwrdlvf";
	static const uint8_t widths[] = { 1, 1, 1, 1, 1, 2, 2, 4, 8, 8, 8 };
	const char *at = strchr(letters, letter);

	return at ? widths[at - letters] : 0;
}

uint64_t mutate_argument(struct mutator *m, char letter)
{
	static const uint8_t shapes[] = { 0x01, 0x10, 0x11, 0x12, 0x21, 0x22, 0x20, 0x02 };

	switch (letter) {
	case 'h':
		return dice(m, 3) ? shapes[dice(m, sizeof(shapes))] : dice(m, 256);
	case 'g': /* published, and looked at by the device */
		return dice(m, 256) | (dice(m, 3) ? 0x48 : 0);
	case 'q':
		return dice(m, 3) ? dice(m, 3) : dice(m, 10);
	case 'n':
		return mutate_small(m);
	case 'b':
		return dice(m, 256);
	case 'r':
		if (m->g->n_registers && dice(m, 8))
			return m->g->registers[dice(m, m->g->n_registers)];
		return dice(m, 0x4000);
	case 'w':
		return dice(m, 2) ? dice(m, 64) : mutate_interesting(m);
	case 'f':
		return dice(m, 3) ? few_bits(m) : 0;
	case 'l':
		return dice(m, 2) ? mutate_any64(m) : mutate_interesting(m);
	default:
		return mutate_interesting(m);
	}
}

/* Bytes: an example, perhaps spoilt, or noise. */
unsigned mutate_some_bytes(struct mutator *m, uint8_t *to, unsigned room)
{
	unsigned n = dice(m, 24);

	if (m->g->n_examples && dice(m, 5)) {
		const struct grammar_bytes *e = &m->g->examples[dice(m, m->g->n_examples)];

		n = e->len < room ? e->len : room;
		memcpy(to, e->bytes, n);
		if (n && !dice(m, 3))
			to[dice(m, n)] = (uint8_t)dice(m, 256);
		return n;
	}
	n = n < room ? n : room;
	for (unsigned i = 0; i < n; i++)
		to[i] = (uint8_t)(dice(m, 2) ? dice(m, 256) : 0);
	return n;
}

/* A record of operation @op; returns its bytes. */
unsigned mutate_make_record(struct mutator *m, unsigned op, uint8_t rec[RECORD_MAX])
{
	const char *args = m->g->ops[op].args;
	unsigned len = 0;

	for (; *args && *args != 's'; args++) {
		mutate_put(rec + 2 + len, mutate_argument(m, *args), mutate_width(*args));
		len += mutate_width(*args);
	}
	if (*args == 's')
		len += mutate_some_bytes(m, rec + 2 + len, 255 - len);
	rec[0] = (uint8_t)op;
	rec[1] = (uint8_t)len;
	return len + 2;
}

unsigned mutate_pick_op(struct mutator *m)
{
	unsigned sum = 0, left;

	for (unsigned i = 0; i < m->g->n_ops; i++)
		sum += m->g->ops[i].weight;
	left = dice(m, sum ? sum : 1);
	for (unsigned i = 0; i < m->g->n_ops; i++) {
		if (left < m->g->ops[i].weight)
			return i;
		left -= m->g->ops[i].weight;
	}
	return 0;
}
