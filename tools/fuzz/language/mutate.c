#include "tools/fuzz/language/mutate-int.h"

#include <stdbool.h>
#include <string.h>

#define RECORDS_MAX 512u

/* An input taken apart: where each record begins, and the end. */
struct parts {
	size_t at[RECORDS_MAX + 1];
	unsigned n;
};

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
 * Changing.
 */

/* Puts @n bytes in at @at; 0 if there is no room. */
static size_t mutate_insert(uint8_t *data, size_t size, size_t max, size_t at, const uint8_t *bytes,
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
	unsigned n = mutate_make_record(m, mutate_pick_op(m), rec);

	return mutate_insert(data, size, max, p->at[dice(m, p->n + 1)], rec, n);
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
		n += mutate_make_record(m, phrase->op[i], bytes + n);
	return mutate_insert(data, size, max, p->at[dice(m, p->n + 1)], bytes, n);
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
	return mutate_insert(data, size, max, p->at[dice(m, p->n + 1)], rec, n);
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
	return mutate_insert(data, size - n, size, at, rec, n);
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
		at += mutate_width(*args);
	if (*args != 's') {
		if (2 + at + mutate_width(*args) > len)
			return 0;
		mutate_put(rec + 2 + at, mutate_argument(m, *args), mutate_width(*args));
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
		fresh[1] = (uint8_t)(at + mutate_some_bytes(m, fresh + 2 + at, 255 - at));
	}
	size = cut_out(data, size, p->at[i], p->at[i + 1]);
	return mutate_insert(data, size, max, p->at[i], fresh, fresh[1] + 2u);
}

static size_t change_heading(struct mutator *m, uint8_t *data, size_t size)
{
	if (!m->g->heading || size < m->g->heading)
		return 0;
	data[dice(m, m->g->heading)] = (uint8_t)dice(m, 16);
	return size;
}

static size_t mutate_change(struct mutator *m, uint8_t *data, size_t size, size_t max)
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
		size = mutate_insert(data, size, max, size, rec, 2);
	return size;
}

size_t mutate(struct mutator *m, uint8_t *data, size_t size, size_t max)
{
	if (size <= m->g->heading)
		size = make_input(m, data, max);
	for (unsigned n = 1 + dice(m, 4); n; n--) {
		size_t changed = mutate_change(m, data, size, max);

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
