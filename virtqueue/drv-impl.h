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
	int (*add)(struct drv_vq *vq, const struct drv_buf *bufs, unsigned n_rd, unsigned n_wr);
	bool (*publish)(struct drv_vq *vq);
	uint32_t (*notification_data)(const struct drv_vq *vq);
	/* The used element at hand; drv.c judges it, then calls release() for each chain it covers. */
	bool (*peek)(struct drv_vq *vq, uint16_t *ret_id, uint32_t *ret_len);
	void (*release)(struct drv_vq *vq, uint16_t id);
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
