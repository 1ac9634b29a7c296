#include "tools/fuzz/mutate.h"

#include <stdbool.h>
#include <string.h>

#define RECORDS_MAX 512u
#define RECORD_MAX  (2u + 255u)

/* An input taken apart: where each record begins, and the end. */
struct parts {
	size_t at[RECORDS_MAX + 1];
	unsigned n;
};

/* xorshift64* */
uint32_t mutate_dice(struct mutator *m, uint32_t sides)
{
	m->seed = m->seed ? m->seed : 0x9e3779b97f4a7c15ull;
	m->seed ^= m->seed >> 12;
	m->seed ^= m->seed << 25;
	m->seed ^= m->seed >> 27;
	return (uint32_t)((m->seed * 0x2545f4914f6cdd1dull) >> 32) % (sides ? sides : 1);
}

static uint32_t dice(struct mutator *m, uint32_t sides)
{
	return mutate_dice(m, sides);
}

static void take_apart(const struct mutator *m, const uint8_t *data, size_t size, struct parts *p)
{
	size_t at = m->g->heading < size ? m->g->heading : size;

	p->n = 0;
	while (at < size && p->n < RECORDS_MAX) {
		size_t len = size - at >= 2 ? data[at + 1] + 2u : size - at;

		p->at[p->n++] = at;
		at += len < size - at ? len : size - at;
	}
	p->at[p->n] = at;
}

/*
 * Making things up.
 */

static void put_le(uint8_t *to, uint64_t value, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t any64(struct mutator *m)
{
	uint64_t high = dice(m, UINT32_MAX);

	return high << 32 | dice(m, UINT32_MAX);
}

static uint64_t interesting(struct mutator *m)
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
static unsigned small(struct mutator *m)
{
	return dice(m, 4) ? dice(m, 8) : dice(m, 256);
}

static unsigned width(char letter)
{
	static const char letters[] = "bqnhgwrdlvf";
	static const uint8_t widths[] = { 1, 1, 1, 1, 1, 2, 2, 4, 8, 8, 8 };
	const char *at = strchr(letters, letter);

	return at ? widths[at - letters] : 0;
}

static uint64_t argument(struct mutator *m, char letter)
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
		return small(m);
	case 'b':
		return dice(m, 256);
	case 'r':
		if (m->g->n_registers && dice(m, 8))
			return m->g->registers[dice(m, m->g->n_registers)];
		return dice(m, 0x4000);
	case 'w':
		return dice(m, 2) ? dice(m, 64) : interesting(m);
	case 'f':
		return dice(m, 3) ? few_bits(m) : 0;
	case 'l':
		return dice(m, 2) ? any64(m) : interesting(m);
	default:
		return interesting(m);
	}
}

/* Bytes: an example, perhaps spoilt, or noise. */
static unsigned some_bytes(struct mutator *m, uint8_t *to, unsigned room)
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
static unsigned make_record(struct mutator *m, unsigned op, uint8_t rec[RECORD_MAX])
{
	const char *args = m->g->ops[op].args;
	unsigned len = 0;

	for (; *args && *args != 's'; args++) {
		put_le(rec + 2 + len, argument(m, *args), width(*args));
		len += width(*args);
	}
	if (*args == 's')
		len += some_bytes(m, rec + 2 + len, 255 - len);
	rec[0] = (uint8_t)op;
	rec[1] = (uint8_t)len;
	return len + 2;
}

static unsigned pick_op(struct mutator *m)
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

/*
 * Changing.
 */

/* Puts @n bytes in at @at; 0 if there is no room. */
static size_t insert(uint8_t *data, size_t size, size_t max, size_t at, const uint8_t *bytes,
		     size_t n)
{
	if (n > max - size)
		return 0;
	memmove(data + at + n, data + at, size - at);
	memcpy(data + at, bytes, n);
	return size + n;
}

static size_t cut_out(uint8_t *data, size_t size, size_t from, size_t to)
{
	memmove(data + from, data + to, size - to);
	return size - (to - from);
}

static size_t add_record(struct mutator *m, const struct parts *p, uint8_t *data, size_t size,
			 size_t max)
{
	uint8_t rec[RECORD_MAX];
	unsigned n = make_record(m, pick_op(m), rec);

	return insert(data, size, max, p->at[dice(m, p->n + 1)], rec, n);
}

/* Several that belong together. */
static size_t add_phrase(struct mutator *m, const struct parts *p, uint8_t *data, size_t size,
			 size_t max)
{
	uint8_t bytes[GRAMMAR_PHRASE_MAX * RECORD_MAX];
	const struct grammar_phrase *phrase;
	size_t n = 0;

	if (!m->g->n_phrases)
		return 0;
	phrase = &m->g->phrases[dice(m, m->g->n_phrases)];
	for (unsigned i = 0; i < phrase->n; i++)
		n += make_record(m, phrase->op[i], bytes + n);
	return insert(data, size, max, p->at[dice(m, p->n + 1)], bytes, n);
}

static size_t drop_record(struct mutator *m, const struct parts *p, uint8_t *data, size_t size)
{
	unsigned i = dice(m, p->n), n = 1 + dice(m, 3);

	return cut_out(data, size, p->at[i], p->at[i + n < p->n ? i + n : p->n]);
}

static size_t double_record(struct mutator *m, const struct parts *p, uint8_t *data, size_t size,
			    size_t max)
{
	unsigned from = dice(m, p->n);
	uint8_t rec[RECORD_MAX];
	size_t n = p->at[from + 1] - p->at[from];

	memcpy(rec, data + p->at[from], n);
	return insert(data, size, max, p->at[dice(m, p->n + 1)], rec, n);
}

static size_t move_record(struct mutator *m, const struct parts *p, uint8_t *data, size_t size)
{
	unsigned from = dice(m, p->n), to = dice(m, p->n);
	size_t n = p->at[from + 1] - p->at[from], at = p->at[to];
	uint8_t rec[RECORD_MAX];

	memcpy(rec, data + p->at[from], n);
	cut_out(data, size, p->at[from], p->at[from + 1]);
	if (to > from)
		at -= n;
	return insert(data, size - n, size, at, rec, n);
}

/* One argument of one record becomes another of its kind. */
static size_t change_argument(struct mutator *m, const struct parts *p, uint8_t *data, size_t size,
			      size_t max)
{
	unsigned i = dice(m, p->n), want, at = 0;
	uint8_t *rec = data + p->at[i], fresh[RECORD_MAX];
	size_t len = p->at[i + 1] - p->at[i];
	const char *args = m->g->ops[rec[0] % m->g->n_ops].args;

	if (!*args || len < 2)
		return 0;
	want = dice(m, (uint32_t)strlen(args));
	for (; want; want--, args++)
		at += width(*args);
	if (*args != 's') {
		if (2 + at + width(*args) > len)
			return 0;
		put_le(rec + 2 + at, argument(m, *args), width(*args));
		return size;
	}
	if (2 + at > len)
		return 0;
	memcpy(fresh, rec, 2 + at);
	if (m->bytes && dice(m, 2) && len > 2 + at) { /* a change of what is there */
		unsigned n = (unsigned)(len - 2 - at);

		memcpy(fresh + 2 + at, rec + 2 + at, n);
		n = (unsigned)m->bytes(fresh + 2 + at, n, 255 - at);
		fresh[1] = (uint8_t)(at + n);
	} else {
		fresh[1] = (uint8_t)(at + some_bytes(m, fresh + 2 + at, 255 - at));
	}
	size = cut_out(data, size, p->at[i], p->at[i + 1]);
	return insert(data, size, max, p->at[i], fresh, fresh[1] + 2u);
}

static size_t change_heading(struct mutator *m, uint8_t *data, size_t size)
{
	if (!m->g->heading || size < m->g->heading)
		return 0;
	data[dice(m, m->g->heading)] = (uint8_t)dice(m, 16);
	return size;
}

static size_t change(struct mutator *m, uint8_t *data, size_t size, size_t max)
{
	struct parts p;
	unsigned what;

	take_apart(m, data, size, &p);
	what = p.n ? dice(m, 16) : dice(m, 6);
	switch (what) {
	case 0:
	case 1:
	case 2:
		return add_record(m, &p, data, size, max);
	case 3:
	case 4:
		return add_phrase(m, &p, data, size, max);
	case 5:
		return change_heading(m, data, size);
	case 6:
	case 7:
		return drop_record(m, &p, data, size);
	case 8:
		return double_record(m, &p, data, size, max);
	case 9:
		return move_record(m, &p, data, size);
	case 10:
		return m->bytes ? m->bytes(data, size, max) : 0;
	default:
		return change_argument(m, &p, data, size, max);
	}
}

/* A beginning for those who have none. */
static size_t make_input(struct mutator *m, uint8_t *data, size_t max)
{
	uint8_t rec[RECORD_MAX];
	size_t size = m->g->heading < max ? m->g->heading : max;

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)dice(m, 16);
	memset(rec, 0, sizeof(rec)); /* the first operation of each grammar begins all others */
	if (size + 2 <= max)
		size = insert(data, size, max, size, rec, 2);
	return size;
}

size_t mutate(struct mutator *m, uint8_t *data, size_t size, size_t max)
{
	if (size <= m->g->heading)
		size = make_input(m, data, max);
	for (unsigned n = 1 + dice(m, 4); n; n--) {
		size_t changed = change(m, data, size, max);

		if (changed)
			size = changed;
	}
	return size;
}

size_t mutate_cross(struct mutator *m, struct input a, struct input b, uint8_t *out, size_t max)
{
	struct parts pa, pb;
	size_t from, n, size;

	take_apart(m, a.at, in_left(&a), &pa);
	take_apart(m, b.at, in_left(&b), &pb);
	size = pa.at[dice(m, pa.n + 1)];
	from = pb.at[dice(m, pb.n + 1)];
	n = in_left(&b) - from;
	if (size > max)
		size = max;
	memcpy(out, a.at, size);
	if (n > max - size)
		n = max - size;
	memcpy(out + size, b.at + from, n);
	return size + n;
}
