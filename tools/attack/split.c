/*
 * Split rings. (VIRTIO 1.4, 2.7)
 */
#include <string.h>

#include "tools/attack/rings-int.h"

static void split_place(struct attack_rings *a, unsigned r)
{
	const struct attack_ring *ring = &a->in->ring[r];
	const struct drv_vq *vq = attack_vq(a, r);
	le16 *avail = (le16 *)(a->before + vq->driver);

	for (unsigned i = 0; i < ATTACK_SIZE; i++)
		attack_place_split(a->before + vq->desc, i, &ring->desc[i]);
	avail[0] = cpu_le16(ring->flags);
	avail[1] = cpu_le16(ring->idx);
	for (unsigned i = 0; i < ATTACK_SIZE; i++)
		avail[2 + i] = cpu_le16(ring->avail[i]);
	avail[2 + ATTACK_SIZE] = cpu_le16(ring->event);
	memset(a->before + vq->device, 0, vring_used_bytes(ATTACK_SIZE));
}

static uint64_t split_walk_chain(struct attack_walk *w, const struct attack_desc *table, unsigned i)
{
	uint64_t bytes = 0;

	for (unsigned left = ATTACK_FOLLOWED; left && i < ATTACK_SIZE; left--) {
		bytes += attack_walk_desc(w, &table[i]);
		if (!(table[i].flags & VRING_DESC_F_NEXT))
			break;
		i = table[i].next;
	}
	return bytes;
}

/* Of an index beyond the ring a device may make whatever it likes. */
static void split_walk(struct attack_walk *w, unsigned r)
{
	const struct attack_ring *ring = &w->a->in->ring[r];
	bool jumps = ring->idx > ATTACK_SIZE;

	for (unsigned i = 0; i < MIN(ring->idx, ATTACK_SIZE); i++)
		if (ring->avail[i] < ATTACK_SIZE)
			attack_note_chain(w->a, r, ring->avail[i],
					  split_walk_chain(w, ring->desc, ring->avail[i]),
					  jumps ? UINT16_MAX : 1);
}

static void split_allow(struct attack_rings *a, unsigned r)
{
	attack_allow(a, attack_vq(a, r)->device, vring_used_bytes(ATTACK_SIZE));
}

static const struct vring_used *split_used_ring(const struct attack_rings *a, unsigned r)
{
	return (const void *)(a->peer->memory + attack_vq(a, r)->device);
}

static unsigned split_used(const struct attack_rings *a, unsigned r)
{
	return le16_cpu(__atomic_load_n(&split_used_ring(a, r)->idx, __ATOMIC_ACQUIRE));
}

static void split_element(const struct attack_rings *a, unsigned r, unsigned i, uint32_t *ret_id,
			  uint32_t *ret_len)
{
	*ret_id = le32_cpu(split_used_ring(a, r)->ring[i].id);
	*ret_len = le32_cpu(split_used_ring(a, r)->ring[i].len);
}

const struct attack_layout attack_split = {
	.place = split_place,
	.walk = split_walk,
	.allow = split_allow,
	.used = split_used,
	.element = split_element,
};
