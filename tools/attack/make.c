#include <string.h>

#include "tools/attack/maker.h"
#include "virtqueue/vring.h"

/* One input in so many is sound, and one in so many of no form at all. */
#define SOUND_IN     8u
#define SHAPELESS_IN 8u

/* Features change only that often: the driver has to connect anew for it. */
#define SAME_FEATURES 512u

/*
 * Random numbers: splitmix64.
 */
uint64_t maker_next(struct attack_maker *m)
{
	uint64_t z = m->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint64_t maker_below(struct attack_maker *m, uint64_t n)
{
	return maker_next(m) % n;
}

/*
 * Buffers.
 */
static uint64_t maker_place(struct attack_maker *m, uint32_t len)
{
	uint32_t room = ATTACK_DATA > len ? ATTACK_DATA - len : 1;
	uint64_t at = maker_below(m, room);

	return attack_data_at(m->in) + (maker_once_in(m, 4) ? at : at & ~511ull);
}

uint64_t maker_add(struct attack_maker *m, uint32_t len, bool writable)
{
	uint64_t at = maker_place(m, len);

	for (uint32_t done = 0, part; done < len || done == 0; done += part) {
		part = len - done;
		if (part > 1 && m->n_buffers < ATTACK_TABLE - 4 && !m->plain && maker_once_in(m, 5))
			part = 1 + (uint32_t)maker_below(m, maker_once_in(m, 2) ? part : 16) % part;
		if (m->n_buffers == ATTACK_TABLE)
			break;
		m->buffer[m->n_buffers++] = (struct attack_buffer){ at + done, part, writable };
		if (part == 0)
			break;
	}
	return at;
}

void maker_add_header(struct attack_maker *m, const void *bytes, uint16_t len)
{
	uint64_t at = maker_add(m, len, false);
	struct attack_header *h;

	if (m->in->n_headers == ATTACK_HEADERS)
		return;
	h = &m->in->header[m->in->n_headers++];
	h->at = (uint32_t)at;
	h->len = len;
	memcpy(h->bytes, bytes, len);
}

/*
 * Chains.
 */

/* The chain's buffers as descriptors of a split ring or a table of one, each of which names the
 * next by @slot (NULL: by its place). */
static void maker_put(struct attack_maker *m, struct attack_desc *to, const uint8_t *slot)
{
	for (unsigned i = 0; i < m->n_buffers; i++) {
		const struct attack_buffer *b = &m->buffer[i];
		bool more = i + 1 < m->n_buffers;

		to[slot ? slot[i] : i] = (struct attack_desc){
			.addr = b->at,
			.len = b->len,
			.flags = (uint16_t)((b->writable ? VRING_DESC_F_WRITE : 0) |
					    (more ? VRING_DESC_F_NEXT : 0)),
			.next = (uint16_t)(!more  ? 0
					   : slot ? slot[i + 1]
						  : i + 1),
		};
	}
}

/* @n descriptors become those of a chain in a packed ring, or (@available: 0) of a table there. */
static void maker_pack(struct attack_desc *d, unsigned n, uint16_t id, uint16_t available)
{
	for (unsigned i = 0; i < n; i++) {
		d[i].next = id;
		d[i].flags |= available;
		if (!available)
			d[i].flags &= (uint16_t)~VRING_DESC_F_NEXT;
	}
}

/* The chain goes into a table, of which @desc tells. */
static void maker_put_table(struct attack_maker *m, struct attack_desc *desc)
{
	unsigned at = m->n_tables++ * ATTACK_TABLE;
	struct attack_desc *table = &m->in->table[at];

	maker_put(m, table, NULL);
	if (attack_is_packed(m->in))
		maker_pack(table, m->n_buffers, 0, 0);
	*desc = (struct attack_desc){
		.addr = attack_tables_at(m->in) + at * sizeof(*desc),
		.len = (uint32_t)(m->n_buffers * sizeof(*desc)),
		.flags = VRING_DESC_F_INDIRECT,
	};
}

/* The chain at hand becomes available in a ring; false: it has no room left. */
static bool maker_make_available(struct attack_maker *m, unsigned r)
{
	struct attack_ring *ring = &m->in->ring[r];
	const uint8_t *slot = &m->slot[r][m->n_slots[r]];
	bool indirect = m->in->features >> VIRTIO_F_INDIRECT_DESC & 1 && !m->plain &&
			m->n_tables < ATTACK_TABLES && maker_once_in(m, 3);
	unsigned n = indirect ? 1 : m->n_buffers;

	if (n == 0 || m->n_slots[r] + n > ATTACK_SIZE)
		return false;
	if (indirect)
		maker_put_table(m, &ring->desc[slot[0]]);
	else
		maker_put(m, ring->desc, slot);
	if (attack_is_packed(m->in))
		maker_pack(&ring->desc[slot[0]], n, slot[n - 1], VRING_DESC_F_AVAIL);
	else
		ring->avail[ring->idx++] = slot[0];
	m->n_slots[r] += n;
	return true;
}

/* Descriptors are taken in their order, or, as a split ring can have it, in any. */
static void maker_shuffle(struct attack_maker *m, unsigned r)
{
	bool shuffled = !attack_is_packed(m->in) && !m->plain && maker_once_in(m, 2);

	for (unsigned i = 0; i < ATTACK_SIZE; i++) {
		unsigned j = shuffled ? (unsigned)maker_below(m, i + 1) : i;

		m->slot[r][i] = m->slot[r][j];
		m->slot[r][j] = (uint8_t)i;
	}
}

static void maker_fill_ring(struct attack_maker *m, unsigned r)
{
	struct attack_ring *ring = &m->in->ring[r];
	unsigned wanted = 1 + (unsigned)maker_below(m, 6);

	maker_shuffle(m, r);
	ring->flags = maker_once_in(m, 4);
	ring->event = (uint16_t)maker_below(m, ATTACK_SIZE);
	do {
		m->n_buffers = 0;
		m->in->kind->chain(m, r);
	} while (maker_make_available(m, r) && --wanted);
}

/*
 * What no sound driver writes.
 */
static uint64_t bad_address(struct attack_maker *m)
{
	const uint64_t end = attack_memory_end(m->in);
	const uint64_t bad[] = { 0,
				 UINT64_MAX,
				 UINT64_MAX - 511,
				 1ull << 63,
				 1ull << 32,
				 end,
				 end - 1,
				 end - 16,
				 end - 512,
				 attack_tables_at(m->in),
				 ATTACK_PAGE / 2 };

	return maker_once_in(m, 3) ? maker_below(m, 2 * end)
				   : bad[maker_below(m, G_N_ELEMENTS(bad))];
}

static uint32_t bad_length(struct attack_maker *m)
{
	static const uint32_t bad[] = { 0,          1,        2,        15,    17,    511, 513,
					UINT32_MAX, 1u << 31, 1u << 30, 65536, 65535, 4096 };

	return maker_once_in(m, 4) ? (uint32_t)maker_next(m)
				   : bad[maker_below(m, G_N_ELEMENTS(bad))];
}

static void spoil_flags(struct attack_maker *m, struct attack_desc *d)
{
	static const uint16_t flags[] = { VRING_DESC_F_NEXT, VRING_DESC_F_WRITE,
					  VRING_DESC_F_INDIRECT, VRING_DESC_F_AVAIL,
					  VRING_DESC_F_USED };
	uint64_t n = attack_is_packed(m->in) ? G_N_ELEMENTS(flags) : 3;

	if (maker_once_in(m, 2))
		d->flags ^= flags[maker_below(m, n)];
	else
		d->flags = (uint16_t)maker_next(m);
}

static void spoil_desc(struct attack_maker *m, struct attack_desc *d)
{
	switch (maker_below(m, 6)) {
	case 0:
		d->addr = bad_address(m);
		break;
	case 1:
		d->len = bad_length(m);
		break;
	case 2:
	case 3:
		spoil_flags(m, d);
		break;
	case 4:
		d->next = (uint16_t)maker_below(m, ATTACK_SIZE);
		d->flags |= VRING_DESC_F_NEXT;
		break;
	default:
		d->next = (uint16_t)maker_next(m);
		d->flags |= VRING_DESC_F_NEXT;
	}
}

static void spoil_avail(struct attack_maker *m, struct attack_ring *ring)
{
	unsigned i = (unsigned)maker_below(m, ATTACK_SIZE);

	switch (maker_below(m, 5)) {
	case 0:
		ring->idx = (uint16_t)maker_next(m);
		break;
	case 1:
		ring->idx = (uint16_t)maker_below(m, ATTACK_SIZE + 2);
		break;
	case 2:
		ring->avail[i] = (uint16_t)maker_next(m);
		break;
	case 3:
		ring->flags = (uint16_t)maker_next(m);
		break;
	default: /* the same chain twice */
		ring->avail[i] = ring->avail[maker_below(m, ATTACK_SIZE)];
		ring->idx = (uint16_t)MAX(ring->idx, i + 1);
	}
}

static void spoil_header(struct attack_maker *m)
{
	struct attack_header *h;

	if (!m->in->n_headers)
		return;
	h = &m->in->header[maker_below(m, m->in->n_headers)];
	if (h->len)
		h->bytes[maker_below(m, h->len)] = (uint8_t)maker_next(m);
}

/* Of a ring's descriptors mostly those that are in use. */
static void spoil(struct attack_maker *m)
{
	unsigned r = (unsigned)maker_below(m, m->in->kind->n_rings);
	unsigned used = MAX(m->n_slots[r], 1);
	uint64_t entries = MAX(m->n_tables, 1ul) * ATTACK_TABLE;

	switch (maker_below(m, 8)) {
	case 0:
		spoil_avail(m, &m->in->ring[r]);
		break;
	case 1:
		spoil_header(m);
		break;
	case 2:
	case 3:
		spoil_desc(m, &m->in->table[maker_below(m, entries)]);
		break;
	default:
		spoil_desc(m, &m->in->ring[r].desc[m->slot[r][maker_below(m, used)]]);
	}
}

/* Descriptors of any kind everywhere, and a ring of any. */
static void maker_make_shapeless(struct attack_maker *m, struct attack_desc *d, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		d[i].addr = maker_once_in(m, 12) ? bad_address(m) : maker_place(m, 512);
		d[i].len = maker_once_in(m, 6) ? bad_length(m) : 1 + (uint32_t)maker_below(m, 1024);
		d[i].flags = (uint16_t)maker_below(m, maker_once_in(m, 3) ? 8 : 4);
		d[i].next = (uint16_t)(maker_once_in(m, 20) ? maker_next(m)
							    : maker_below(m, ATTACK_SIZE));
		if (d[i].flags & VRING_DESC_F_INDIRECT) {
			d[i].addr = attack_tables_at(m->in) +
				    maker_below(m, ATTACK_ENTRIES) * sizeof(*d);
			d[i].len = (uint32_t)(maker_below(m, ATTACK_TABLE) * sizeof(*d));
		}
	}
}

static void maker_make_shapeless_ring(struct attack_maker *m, struct attack_ring *ring)
{
	maker_make_shapeless(m, ring->desc, ATTACK_SIZE);
	for (unsigned i = 0; attack_is_packed(m->in) && i < ATTACK_SIZE; i++)
		ring->desc[i].flags |= maker_once_in(m, 12) ? 0 : VRING_DESC_F_AVAIL;
	for (unsigned i = 0; i < ATTACK_SIZE; i++)
		ring->avail[i] = (uint16_t)maker_below(m, ATTACK_SIZE + maker_once_in(m, 30));
	ring->idx = (uint16_t)(1 + maker_below(m, ATTACK_SIZE));
}

/*
 * All of it.
 */

/* What the driver accepts, the same for some inputs. */
static uint64_t maker_features(const struct attack_source *source, uint64_t number)
{
	struct attack_maker m = { .random = source->seed ^ (number / SAME_FEATURES + 1) << 32 };
	uint64_t may = 1ull << VIRTIO_F_INDIRECT_DESC | 1ull << VIRTIO_F_EVENT_IDX |
		       1ull << VIRTIO_F_RING_PACKED;
	uint64_t chosen = maker_next(&m) | source->required;

	if (!maker_once_in(&m, 4))
		chosen |= 1ull << VIRTIO_F_INDIRECT_DESC;
	return source->offered & (chosen | ~may);
}

/* Rings that are sound, or not, or of no form at all. */
static void maker_make_rings(struct attack_maker *m)
{
	struct attack_input *in = m->in;

	for (unsigned r = 0; r < in->kind->n_rings; r++)
		maker_fill_ring(m, r);
	if (maker_once_in(m, SOUND_IN))
		return;
	for (uint64_t n = 1 + maker_below(m, 4); n; n--)
		spoil(m);
	if (!maker_once_in(m, SHAPELESS_IN))
		return;
	maker_make_shapeless(m, in->table, ATTACK_ENTRIES);
	maker_make_shapeless_ring(m, &in->ring[maker_below(m, in->kind->n_rings)]);
}

void attack_make(struct attack_input *in, const struct attack_source *source, uint64_t number)
{
	struct attack_maker m = { .in = in, .random = source->seed * 0xda942042e4dd58b5u + number };

	*in = (struct attack_input){ .kind = source->kind, .number = number };
	in->features = maker_features(source, number);
	maker_make_rings(&m);
	if (source->messages)
		maker_make_messages(&m);
}

bool attack_make_probe(struct attack_input *in, const struct attack_source *source,
		       uint64_t features)
{
	struct attack_maker m = { .in = in, .plain = true };

	if (!source->kind->probe)
		return false;
	*in = (struct attack_input){ .kind = source->kind, .features = features };
	maker_shuffle(&m, source->kind->probe_ring);
	source->kind->probe(&m);
	return maker_make_available(&m, source->kind->probe_ring);
}
