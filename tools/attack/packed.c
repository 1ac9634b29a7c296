/*
 * Packed rings. (VIRTIO 1.4, 2.8) An input is the ring's first lap: what the device has used has
 * flags that no descriptor has which is available in it, and there is no second lap, as all
 * descriptors are used then.
 */
#include <string.h>

#include "tools/attack/rings-int.h"

#define LAP (VRING_DESC_F_AVAIL | VRING_DESC_F_USED)

static void packed_place(struct attack_rings *a, unsigned r)
{
	const struct attack_ring *ring = &a->in->ring[r];
	const struct drv_vq *vq = attack_vq(a, r);
	struct vring_packed_event event = { cpu_le16(ring->event), cpu_le16(ring->flags) };

	for (unsigned i = 0; i < ATTACK_SIZE; i++)
		attack_place_packed(a->before + vq->desc, i, &ring->desc[i]);
	memcpy(a->before + vq->driver, &event, sizeof(event));
	memset(a->before + vq->device, 0, sizeof(event));
}

/* Its length, from the @first descriptor on; one that does not end has all of the ring. */
static unsigned packed_length(const struct attack_ring *ring, unsigned first)
{
	unsigned n = 1;

	while (n < ATTACK_SIZE &&
	       ring->desc[(first + n - 1) % ATTACK_SIZE].flags & VRING_DESC_F_NEXT)
		n++;
	return n;
}

/* A chain has the id of its last descriptor. */
static void packed_walk_chain(struct attack_walk *w, unsigned r, unsigned first, unsigned n)
{
	const struct attack_ring *ring = &w->a->in->ring[r];
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += attack_walk_desc(w, &ring->desc[(first + i) % ATTACK_SIZE]);
	attack_note_chain(w->a, r, ring->desc[(first + n - 1) % ATTACK_SIZE].next, bytes, 1);
}

static bool packed_has_table(const struct attack_ring *ring, unsigned first, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (ring->desc[(first + i) % ATTACK_SIZE].flags & VRING_DESC_F_INDIRECT)
			return true;
	return false;
}

/* Whether a chain goes on after a table, which it must not, is for the device to say: either way
 * will do. */
static void packed_walk(struct attack_walk *w, unsigned r)
{
	const struct attack_ring *ring = &w->a->in->ring[r];

	for (unsigned i = 0, n; i < ATTACK_SIZE; i += packed_has_table(ring, i, n) ? 1 : n) {
		if ((ring->desc[i].flags & LAP) != VRING_DESC_F_AVAIL)
			break;
		n = packed_length(ring, i);
		packed_walk_chain(w, r, i, n);
	}
}

static void packed_allow(struct attack_rings *a, unsigned r)
{
	const struct drv_vq *vq = attack_vq(a, r);

	attack_allow(a, vq->desc, ATTACK_SIZE * sizeof(struct vring_packed_desc));
	attack_allow(a, vq->device, sizeof(struct vring_packed_event));
}

static bool packed_is_used(const struct attack_rings *a, unsigned r, unsigned at)
{
	const struct vring_packed_desc *now = (void *)(a->peer->memory + attack_vq(a, r)->desc);
	const struct vring_packed_desc *before = (void *)(a->before + attack_vq(a, r)->desc);

	return __atomic_load_n(&now[at].rest, __ATOMIC_ACQUIRE) != before[at].rest;
}

/* The @i-th of those that were used; its place, or -1. */
static int packed_find(const struct attack_rings *a, unsigned r, unsigned i)
{
	for (unsigned at = 0; at < ATTACK_SIZE; at++)
		if (packed_is_used(a, r, at) && i-- == 0)
			return (int)at;
	return -1;
}

static unsigned packed_used(const struct attack_rings *a, unsigned r)
{
	unsigned n = 0;

	for (unsigned at = 0; at < ATTACK_SIZE; at++)
		n += packed_is_used(a, r, at);
	return n;
}

static void packed_element(const struct attack_rings *a, unsigned r, unsigned i, uint32_t *ret_id,
			   uint32_t *ret_len)
{
	const struct vring_packed_desc *now = (void *)(a->peer->memory + attack_vq(a, r)->desc);
	int at = packed_find(a, r, i);

	g_assert(at >= 0);
	*ret_id = le16_cpu(now[at].id);
	*ret_len = le32_cpu(now[at].len);
}

const struct attack_layout attack_packed = {
	.place = packed_place,
	.walk = packed_walk,
	.allow = packed_allow,
	.used = packed_used,
	.element = packed_element,
};
