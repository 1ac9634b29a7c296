/*
 * What drv.c and its layouts (drv-split.c, drv-packed.c) share. Nobody else includes this.
 */
#pragma once

#include "virtqueue/drv.h"

/* Parts of the ring begin on lines of their own: what one side writes, the other polls. */
#define DRV_PART_ALIGN 128u

struct drv_layout {
	/* Bytes of the ring's three parts. */
	void (*parts)(unsigned size, uint64_t bytes[3]);
	void (*init)(struct drv_vq *vq, void *const parts[3]);
	int (*add)(struct drv_vq *vq, const struct drv_buf *bufs, unsigned n_rd, unsigned n_wr,
		   void *cookie);
	bool (*publish)(struct drv_vq *vq);
	uint32_t (*notification_data)(const struct drv_vq *vq);
	bool (*used)(struct drv_vq *vq, void **ret_cookie, uint32_t *ret_len);
	void (*quiet)(struct drv_vq *vq);
	bool (*rearm)(struct drv_vq *vq);
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

/* Notes a chain that add() put into @slots ring slots. */
static inline void drv_note(struct drv_vq *vq, uint16_t id, uint16_t slots, void *cookie)
{
	vq->n_free -= slots;
	vq->slot[id].n = slots;
	vq->slot[id].cookie = cookie;
}

static inline uint32_t drv_writable(const struct drv_buf *bufs, unsigned n_rd, unsigned n_wr)
{
	uint64_t bytes = 0;

	for (unsigned i = n_rd; i < n_rd + n_wr; i++)
		bytes += bufs[i].len;
	return bytes > UINT32_MAX ? UINT32_MAX : bytes;
}

/* Is this a chain of ours, and not more written than there was room? */
static inline bool drv_sane(struct drv_vq *vq, uint16_t id, uint32_t len)
{
	if (id >= vq->cfg.size || vq->slot[id].n == 0)
		vq->broken = "used element names no chain in flight";
	else if (len > vq->slot[id].writable)
		vq->broken = "used length is more than was writable";
	return !vq->broken;
}

/*
 * A layout's used(), of two parts: peek() is the used element at hand, which is judged; release()
 * gives back the slots of a chain that it covers. Both are to be inlined here.
 */
static inline __attribute__((__always_inline__)) bool drv_used_by(
	struct drv_vq *vq, void **ret_cookie, uint32_t *ret_len,
	bool (*peek)(const struct drv_vq *vq, uint16_t *ret_id, uint32_t *ret_len),
	void (*release)(struct drv_vq *vq, uint16_t id))
{
	uint16_t id = vq->batch_id;
	uint32_t len = vq->batch_len;

	if (vq->broken)
		return false;
	if (!vq->batch && (!peek(vq, &id, &len) || !drv_sane(vq, id, len)))
		return false;
	if (vq->cfg.in_order) {
		vq->batch_id = id;
		vq->batch_len = len;
		vq->batch = id != vq->oldest;
		id = vq->oldest;
		if (vq->batch)
			len = vq->slot[id].writable;
		vq->oldest = id + vq->slot[id].n;
		if (vq->oldest >= vq->cfg.size)
			vq->oldest -= vq->cfg.size;
	}
	*ret_len = len;
	*ret_cookie = vq->slot[id].cookie;
	vq->n_free += vq->slot[id].n;
	release(vq, id);
	vq->slot[id].n = 0;
	return true;
}
