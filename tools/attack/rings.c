/*
 * Split rings. (VIRTIO 1.4, 2.7)
 *
 * All memory is filled with noise that is new for each input, so that a byte which was written is
 * known by its change; one that is written as it was goes unseen, once in 256 times. What a
 * device may write is worked out generously: a chain is followed further than any device would.
 */
#include "tools/attack/rings.h"

#include <assert.h>
#include <string.h>

#include "virtqueue/vring.h"

#define FOLLOWED 64u /* descriptors of a chain: no more are there to be found */
#define DEPTH    2u  /* of tables in tables, which no device may follow */

/* What follows a chain, and how far it has come. */
struct walk {
	struct attack_rings *a;
	struct {
		uint64_t at, end;
	} table[64];
	unsigned n_tables;
	bool lost; /* there were more tables */
};

static const char *const names[] = {
	[ATTACK_FINE] = "fine",
	[ATTACK_CLOSED] = "closed",
	[ATTACK_DIED] = "died",
	[ATTACK_HUNG] = "hung",
	[ATTACK_USED_INDEX] = "used-index",
	[ATTACK_USED_ID] = "used-id",
	[ATTACK_USED_TWICE] = "used-twice",
	[ATTACK_USED_LENGTH] = "used-length",
	[ATTACK_WROTE] = "wrote-outside",
};
static_assert(G_N_ELEMENTS(names) == ATTACK_N_VERDICTS, "name every verdict");

const char *attack_verdict_name(enum attack_verdict v)
{
	return names[v];
}

static const struct drv_vq *rings_vq(const struct attack_rings *a, unsigned r)
{
	return &a->peer->queue[r].vq;
}

static size_t rings_end(const struct attack_rings *a)
{
	return attack_memory_end(a->in);
}

/*
 * Into the memory.
 */
static void place_noise(struct attack_rings *a)
{
	uint64_t random = 0x9e3779b97f4a7c15u;

	for (size_t i = 0; a->rounds == 0 && i < sizeof(a->noise); i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		a->noise[i] = (uint8_t)random;
	}
	memcpy(a->before, a->noise + a->rounds++ % ATTACK_MEMORY, rings_end(a));
}

static void place_ring(struct attack_rings *a, unsigned r)
{
	const struct attack_ring *ring = &a->in->ring[r];
	const struct drv_vq *vq = rings_vq(a, r);
	uint16_t *avail = (uint16_t *)(a->before + vq->driver);

	memcpy(a->before + vq->desc, ring->desc, sizeof(ring->desc));
	avail[0] = ring->flags;
	avail[1] = ring->idx;
	memcpy(avail + 2, ring->avail, sizeof(ring->avail));
	avail[2 + ATTACK_SIZE] = ring->event;
	memset(a->before + vq->device, 0, vring_used_bytes(ATTACK_SIZE));
}

/*
 * What may be written.
 */
static void allow(struct attack_rings *a, uint64_t at, uint64_t len)
{
	if (at < rings_end(a))
		memset(a->may + at, 1, MIN(len, rings_end(a) - at));
}

static uint64_t walk_chain(struct walk *w, uint64_t table, uint64_t n, uint64_t i, unsigned depth);

static uint64_t walk_table(struct walk *w, const struct attack_desc *d, unsigned depth)
{
	size_t end = rings_end(w->a);
	uint64_t len;

	if (d->addr >= end || !depth)
		return 0;
	len = MIN(d->len, end - d->addr);
	if (w->n_tables == G_N_ELEMENTS(w->table)) {
		w->lost = true;
		return 0;
	}
	w->table[w->n_tables].at = d->addr;
	w->table[w->n_tables++].end = d->addr + len;
	return walk_chain(w, d->addr, len / sizeof(*d), 0, depth - 1);
}

/* Notes all that a chain leads to. Returns the writable bytes. */
static uint64_t walk_chain(struct walk *w, uint64_t table, uint64_t n, uint64_t i, unsigned depth)
{
	uint64_t bytes = 0;

	for (unsigned left = FOLLOWED; left && i < n; left--) {
		struct attack_desc d;

		memcpy(&d, w->a->before + table + i * sizeof(d), sizeof(d));
		if (d.flags & VRING_DESC_F_INDIRECT)
			bytes += walk_table(w, &d, depth);
		if (d.flags & VRING_DESC_F_WRITE) {
			allow(w->a, d.addr, d.len);
			bytes += d.len;
		}
		if (!(d.flags & VRING_DESC_F_NEXT))
			break;
		i = d.next;
	}
	return bytes;
}

static void walk_ring(struct walk *w, unsigned r)
{
	const struct attack_ring *ring = &w->a->in->ring[r];
	struct attack_account *account = &w->a->account[r];

	for (unsigned i = 0; i < MIN(ring->idx, ATTACK_SIZE); i++) {
		unsigned head = ring->avail[i];

		if (head >= ATTACK_SIZE)
			continue;
		account->writable[head] = walk_chain(w, rings_vq(w->a, r)->desc, ATTACK_SIZE, head,
						     DEPTH);
		/* Of an index beyond the ring a device may make whatever it likes. */
		account->available[head] += ring->idx > ATTACK_SIZE ? UINT16_MAX : 1;
	}
}

static bool may_any(const struct attack_rings *a, uint64_t at, uint64_t end)
{
	return end > at && memchr(a->may + at, 1, end - at);
}

/* Is anything to be written over that devices read to find their way? */
static bool walk_is_muddled(const struct walk *w)
{
	if (w->lost || may_any(w->a, 0, attack_data_at(w->a->in)))
		return true;
	for (unsigned i = 0; i < w->n_tables; i++)
		if (may_any(w->a, w->table[i].at, w->table[i].end))
			return true;
	return false;
}

static void work_out(struct attack_rings *a)
{
	struct walk w = { .a = a };

	memset(a->may, 0, rings_end(a));
	memset(a->account, 0, sizeof(a->account));
	for (unsigned r = 0; r < a->in->kind->n_rings; r++)
		walk_ring(&w, r);
	a->muddled = walk_is_muddled(&w);
	for (unsigned r = 0; r < a->in->kind->n_rings; r++)
		allow(a, rings_vq(a, r)->device, vring_used_bytes(ATTACK_SIZE));
}

void attack_place(struct attack_rings *a, const struct attack_input *in)
{
	a->in = in;
	g_assert(rings_end(a) <= a->peer->memory_size);
	place_noise(a);
	memcpy(a->before + attack_tables_at(in), in->table, sizeof(in->table));
	for (unsigned i = 0; i < in->n_headers; i++)
		memcpy(a->before + in->header[i].at, in->header[i].bytes, in->header[i].len);
	for (unsigned r = 0; r < in->kind->n_rings; r++)
		place_ring(a, r);
	work_out(a);
	memcpy(a->peer->memory, a->before, rings_end(a));
}

/*
 * Afterwards.
 */
uint16_t attack_used(const struct attack_rings *a, unsigned r)
{
	const struct vring_used *used = (const void *)(a->peer->memory + rings_vq(a, r)->device);

	return le16_cpu(__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE));
}

bool attack_all_used(const struct attack_rings *a)
{
	for (unsigned r = 0; r < a->in->kind->n_rings; r++)
		if (attack_used(a, r) != a->in->ring[r].idx)
			return false;
	return true;
}

static enum attack_verdict judge_writes(struct attack_rings *a)
{
	const uint8_t *now = a->peer->memory;

	if (memcmp(now, a->before, rings_end(a)) == 0)
		return ATTACK_FINE;
	for (size_t i = 0; i < rings_end(a); i++)
		if (now[i] != a->before[i] && !a->may[i]) {
			g_snprintf(a->told, sizeof(a->told),
				   "guest address 0x%zx, where nothing was to be written", i);
			return ATTACK_WROTE;
		}
	return ATTACK_FINE;
}

static enum attack_verdict judge_element(struct attack_rings *a, unsigned r, unsigned i)
{
	const struct vring_used *used = (const void *)(a->peer->memory + rings_vq(a, r)->device);
	uint32_t id = le32_cpu(used->ring[i].id), len = le32_cpu(used->ring[i].len);
	struct attack_account *account = &a->account[r];

	g_snprintf(a->told, sizeof(a->told), "ring %u, used element %u: id %u, length %u", r, i, id,
		   len);
	if (id >= ATTACK_SIZE || !account->available[id])
		return ATTACK_USED_ID;
	if (account->used[id]++ == account->available[id])
		return ATTACK_USED_TWICE;
	if (len > account->writable[id]) {
		g_snprintf(a->told, sizeof(a->told),
			   "ring %u, used element %u: id %u, length %u of %" G_GUINT64_FORMAT
			   " writable",
			   r, i, id, len, account->writable[id]);
		return ATTACK_USED_LENGTH;
	}
	return ATTACK_FINE;
}

static enum attack_verdict judge_ring(struct attack_rings *a, unsigned r)
{
	uint16_t used = attack_used(a, r), available = a->in->ring[r].idx;
	enum attack_verdict v = ATTACK_FINE;

	if (used > available) {
		g_snprintf(a->told, sizeof(a->told), "ring %u: %u used of %u available", r, used,
			   available);
		return ATTACK_USED_INDEX;
	}
	for (unsigned i = 0; i < MIN(used, ATTACK_SIZE) && v == ATTACK_FINE; i++)
		v = judge_element(a, r, i);
	return v;
}

enum attack_verdict attack_judge(struct attack_rings *a)
{
	enum attack_verdict v = ATTACK_FINE;

	a->told[0] = '\0';
	if (a->muddled)
		return ATTACK_FINE;
	v = judge_writes(a);
	for (unsigned r = 0; r < a->in->kind->n_rings && v == ATTACK_FINE; r++)
		v = judge_ring(a, r);
	return v;
}
