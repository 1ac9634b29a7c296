/*
 * What drv.c and its layouts (split.c, packed.c) share. Nobody else includes this.
 */
#pragma once

#include "virtqueue/driver/drv.h"

/* Parts of the ring begin on lines of their own: what one side writes, the other polls. */
#define DRV_PART_ALIGN 128u

struct drv_layout {
	/* Bytes of the ring's three parts. */
	void (*parts)(unsigned size, uint64_t bytes[3]);
	void (*init)(struct drv_vq *vq, void *const parts[3]);
	unsigned (*add)(struct drv_vq *vq, struct drv_chain *chains, unsigned n);
	bool (*publish)(struct drv_vq *vq);
	uint32_t (*notification_data)(const struct drv_vq *vq);
	unsigned (*used)(struct drv_vq *vq, struct drv_done *done, unsigned max);
	void (*disable_notify)(struct drv_vq *vq);
	bool (*enable_notify)(struct drv_vq *vq);
};

extern const struct drv_layout drv_split_layout;
extern const struct drv_layout drv_packed_layout;

/* Where the indirect table of slot @id is for us, and for the device. */
void *drv_table(const struct drv_vq *vq, uint16_t id);
uint64_t drv_table_gpa(const struct drv_vq *vq, uint16_t id);

/* True if a chain of @n buffers goes into a table. */
static inline bool drv_use_table(const struct drv_vq *vq, unsigned n)
{
	return vq->cfg.indirect && n >= 2 && n <= vq->cfg.table_max;
}

/* A chain of one buffer, which most are, goes the short way. */
static inline bool drv_is_single(const struct drv_chain *c)
{
	return c->n_rd + c->n_wr == 1;
}

/* Notes a chain in slot @id; @writable bytes of it are the device's to write. */
static inline void drv_note(struct drv_slot *s, struct drv_chain *c, uint16_t id, uint16_t slots,
			    uint32_t writable)
{
	s->cookie = c->cookie;
	s->writable = writable;
	s->n = slots;
	c->head = id;
}

static inline uint32_t drv_writable(const struct drv_chain *c)
{
	uint64_t bytes = 0;

	for (unsigned i = c->n_rd; i < c->n_rd + c->n_wr; i++)
		bytes += c->bufs[i].len;
	return bytes > UINT32_MAX ? UINT32_MAX : bytes;
}

/* Is this a chain of ours, and not more written than there was room? */
static inline bool drv_sane(struct drv_vq *vq, uint32_t id, uint32_t len)
{
	if (id >= vq->cfg.size || vq->slot[id].n == 0) {
		vq->broken = "used element names no chain in flight";
		return false;
	}
	if (len > vq->slot[id].writable) {
		vq->broken = "used length is more than was writable";
		return false;
	}
	return true;
}

/*
 * A layout's used() with in_order: a used element stands for all chains up to its own, of which
 * those before it were written completely. peek() is the element at hand, advance() goes on by the
 * slots of one chain. Both are to be inlined here.
 */
static inline __attribute__((__always_inline__)) unsigned drv_used_in_order(
	struct drv_vq *vq, struct drv_done *done, unsigned max,
	bool (*peek)(const struct drv_vq *vq, uint16_t *ret_id, uint32_t *ret_len),
	void (*advance)(struct drv_vq *vq, uint16_t slots))
{
	unsigned n;

	for (n = 0; n < max; n++) {
		struct drv_slot *s = &vq->slot[vq->oldest];

		if (!vq->batch && (!peek(vq, &vq->batch_id, &vq->batch_len) ||
				   !drv_sane(vq, vq->batch_id, vq->batch_len)))
			break;
		vq->batch = vq->batch_id != vq->oldest;
		done[n].cookie = s->cookie;
		done[n].len = vq->batch ? s->writable : vq->batch_len;
		vq->oldest += s->n;
		if (vq->oldest >= vq->cfg.size)
			vq->oldest -= vq->cfg.size;
		vq->n_free += s->n;
		advance(vq, s->n);
		s->n = 0;
	}
	return n;
}
