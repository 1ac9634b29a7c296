/*
 * Inputs made small. Parts are taken away one at a time, and stay away if the device does the same
 * without them; again from the first part on, until nothing can go.
 */
#include <string.h>

#include "tools/attack/run.h"

#define TRIES_MAX   2000u /* inputs played, */
#define SECONDS_MAX 20.   /* and time taken */
#define PAUSE_US    1000  /* what came before is done with */

struct minimise {
	struct attack_run *run;
	enum attack_verdict wanted;
	unsigned tries;
	double until;
	GError **err;
	bool failed;
};

/* Is @in enough? Then it is the input from now on. */
static bool try_input(struct minimise *m, const struct attack_input *in)
{
	struct attack_input *now = &m->run->input, kept = *now;
	enum attack_verdict v;

	if (m->failed || m->tries++ >= TRIES_MAX || progress_seconds(&m->run->progress) > m->until)
		return false;
	*now = *in;
	g_usleep(PAUSE_US);
	if (!attack_play(m->run, &v, m->err))
		m->failed = true;
	if (!m->failed && v == m->wanted)
		return true;
	*now = kept;
	return false;
}

/* Chain @i of a split ring is not available; those behind it come one earlier. */
static bool try_without_chain(struct minimise *m, unsigned r, unsigned i)
{
	struct attack_input in = m->run->input;
	struct attack_ring *ring = &in.ring[r];

	if (ring->idx > ATTACK_SIZE || i >= ring->idx)
		return false;
	memmove(&ring->avail[i], &ring->avail[i + 1],
		(ATTACK_SIZE - 1 - i) * sizeof(ring->avail[0]));
	ring->avail[ATTACK_SIZE - 1] = 0;
	ring->idx--;
	return try_input(m, &in);
}

/* A packed ring without its @i-th descriptor; those behind it come one earlier. */
static bool try_without_slot(struct minimise *m, unsigned r, unsigned i)
{
	struct attack_input in = m->run->input;
	struct attack_desc *desc = in.ring[r].desc;

	if (!attack_is_packed(&in) || (desc[i].flags == 0 && desc[i].len == 0))
		return false;
	memmove(&desc[i], &desc[i + 1], (ATTACK_SIZE - 1 - i) * sizeof(*desc));
	desc[ATTACK_SIZE - 1] = (struct attack_desc){ 0 };
	return try_input(m, &in);
}

static bool try_without_header(struct minimise *m, unsigned i)
{
	struct attack_input in = m->run->input;

	if (i >= in.n_headers)
		return false;
	in.n_headers--;
	memmove(&in.header[i], &in.header[i + 1], (in.n_headers - i) * sizeof(in.header[0]));
	in.header[in.n_headers] = (struct attack_header){ 0 };
	return try_input(m, &in);
}

static bool try_without_message(struct minimise *m, unsigned i)
{
	struct attack_input in = m->run->input;

	if (i >= in.n_messages || in.n_messages == 1)
		return false;
	in.n_messages--;
	memmove(&in.message[i], &in.message[i + 1], (in.n_messages - i) * sizeof(in.message[0]));
	return try_input(m, &in);
}

/* The @size bytes at @offset of the input become 0, if they are not. */
static bool try_zero(struct minimise *m, size_t offset, size_t size)
{
	static const uint8_t zeroes[sizeof(struct attack_desc)];
	struct attack_input in = m->run->input;
	uint8_t *at = (uint8_t *)&in + offset;

	if (memcmp(at, zeroes, size) == 0)
		return false;
	memset(at, 0, size);
	return try_input(m, &in);
}

#define TRY_FIELD(m, at, field)                                 \
	try_zero(m, (at) + offsetof(struct attack_desc, field), \
		 sizeof((struct attack_desc){ 0 }.field))

/* Away with it, or at least with parts of it. */
static bool try_desc(struct minimise *m, size_t at)
{
	bool changed = try_zero(m, at, sizeof(struct attack_desc));

	changed |= TRY_FIELD(m, at, next);
	changed |= TRY_FIELD(m, at, flags);
	changed |= TRY_FIELD(m, at, len);
	return changed;
}

static bool try_ring(struct minimise *m, unsigned r)
{
	size_t ring = offsetof(struct attack_input, ring) + r * sizeof(struct attack_ring);
	bool changed = false;

	for (unsigned i = ATTACK_SIZE; i--;)
		changed |= try_without_chain(m, r, i) || try_without_slot(m, r, i);
	for (unsigned i = ATTACK_SIZE; i--;)
		changed |= try_desc(m, ring + offsetof(struct attack_ring, desc) +
					       i * sizeof(struct attack_desc));
	changed |= try_zero(m, ring + offsetof(struct attack_ring, flags), sizeof(uint16_t));
	changed |= try_zero(m, ring + offsetof(struct attack_ring, event), sizeof(uint16_t));
	return changed;
}

static bool try_all(struct minimise *m)
{
	size_t tables = offsetof(struct attack_input, table);
	bool changed = false;

	for (unsigned i = ATTACK_MESSAGES; i--;)
		changed |= try_without_message(m, i);
	for (unsigned r = 0; r < m->run->input.kind->n_rings; r++)
		changed |= try_ring(m, r);
	for (unsigned i = ATTACK_ENTRIES; i--;)
		changed |= try_desc(m, tables + i * sizeof(struct attack_desc));
	for (unsigned i = ATTACK_HEADERS; i--;)
		changed |= try_without_header(m, i);
	return changed;
}

bool attack_minimise(struct attack_run *run, enum attack_verdict v, GError **err)
{
	struct minimise m = {
		.run = run,
		.wanted = v,
		.until = progress_seconds(&run->progress) + SECONDS_MAX,
		.err = err,
	};

	while (try_all(&m))
		;
	return !m.failed;
}
