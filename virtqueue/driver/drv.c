/*
 * The reference driver: what does not depend on the layout.
 *
 * Memory holds the ring's three parts, then an indirect table for each slot. Our own notes (which
 * slots are free, what belongs to which head) are never kept there: the device, or a test that
 * writes nonsense into the ring, cannot confuse us.
 */
#include "virtqueue/driver/drv.h"

#include "virtqueue/driver/drv-impl.h"

static uint64_t drv_align_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

static const struct drv_layout *drv_layout_of(const struct drv_config *cfg)
{
	return cfg->packed ? &drv_packed_layout : &drv_split_layout;
}

/* Offsets of the three parts and, fourth, of the tables. Returns the end. */
static uint64_t drv_place(const struct drv_config *cfg, uint64_t at[4])
{
	uint64_t bytes[3], end = 0;

	drv_layout_of(cfg)->parts(cfg->size, bytes);
	for (unsigned i = 0; i < 3; i++) {
		at[i] = end;
		end = drv_align_up(end + bytes[i], DRV_PART_ALIGN);
	}
	if (cfg->legacy_align) {
		at[1] = vring_legacy_driver_offset(cfg->size);
		at[2] = vring_legacy_device_offset(cfg->size, cfg->legacy_align);
		end = drv_align_up(at[2] + bytes[2], DRV_PART_ALIGN);
	}
	at[3] = end;
	if (cfg->indirect)
		end += sizeof(struct vring_desc) * cfg->table_max * cfg->size;
	return end;
}

size_t drv_bytes(const struct drv_config *cfg)
{
	uint64_t at[4];

	return drv_place(cfg, at);
}

size_t drv_ring_bytes(const struct drv_config *cfg)
{
	uint64_t at[4];

	drv_place(cfg, at);
	return at[3];
}

static bool drv_is_possible(const struct drv_config *cfg)
{
	if (cfg->size == 0 || cfg->size > DRV_QUEUE_MAX)
		return false;
	if (!cfg->packed && cfg->size & (cfg->size - 1))
		return false;
	if (cfg->legacy_align && (cfg->packed || cfg->gpa % VRING_LEGACY_ALIGN))
		return false;
	return cfg->gpa % VRING_DESC_ALIGN == 0 && (uintptr_t)cfg->base % VRING_DESC_ALIGN == 0;
}

bool drv_vq_init(struct drv_vq *vq, const struct drv_config *config)
{
	struct drv_config cfg = *config; /* which may be vq's own of before */
	uint64_t at[4];
	void *parts[3];

	if (!drv_is_possible(&cfg) || drv_place(&cfg, at) > cfg.len)
		return false;
	__builtin_memset(vq, 0, sizeof(*vq));
	__builtin_memset(cfg.base, 0, at[3]); /* a table is written whole before it is used */
	vq->cfg = cfg;
	vq->layout = drv_layout_of(&cfg);
	vq->desc = cfg.gpa + at[0];
	vq->driver = cfg.gpa + at[1];
	vq->device = cfg.gpa + at[2];
	vq->tables = cfg.gpa + at[3];
	vq->n_free = cfg.size;
	for (unsigned i = 0; i < cfg.size; i++)
		vq->slot[i].next = i + 1u < cfg.size ? i + 1 : 0;
	for (unsigned i = 0; i < 3; i++)
		parts[i] = (uint8_t *)cfg.base + at[i];
	vq->layout->init(vq, parts);
	return true;
}

uint64_t drv_table_gpa(const struct drv_vq *vq, uint16_t id)
{
	return vq->tables + (uint64_t)sizeof(struct vring_desc) * vq->cfg.table_max * id;
}

void *drv_table(const struct drv_vq *vq, uint16_t id)
{
	return (uint8_t *)vq->cfg.base + (drv_table_gpa(vq, id) - vq->cfg.gpa);
}

int drv_add(struct drv_vq *vq, const struct drv_buf *bufs, unsigned n_rd, unsigned n_wr,
	    void *cookie)
{
	struct drv_chain c = { .bufs = bufs, .n_rd = n_rd, .n_wr = n_wr, .cookie = cookie };

	return drv_add_batch(vq, &c, 1) ? c.head : -1;
}

unsigned drv_add_batch(struct drv_vq *vq, struct drv_chain *chains, unsigned n)
{
	return vq->broken ? 0 : vq->layout->add(vq, chains, n);
}

bool drv_publish(struct drv_vq *vq)
{
	return vq->layout->publish(vq);
}

uint32_t drv_notification_data(const struct drv_vq *vq)
{
	return vq->layout->notification_data(vq);
}

bool drv_used(struct drv_vq *vq, void **ret_cookie, uint32_t *ret_len)
{
	struct drv_done done;

	if (!drv_used_batch(vq, &done, 1))
		return false;
	*ret_cookie = done.cookie;
	*ret_len = done.len;
	return true;
}

unsigned drv_used_batch(struct drv_vq *vq, struct drv_done *done, unsigned max)
{
	return vq->broken ? 0 : vq->layout->used(vq, done, max);
}

void drv_disable_notify(struct drv_vq *vq)
{
	vq->layout->disable_notify(vq);
}

bool drv_enable_notify(struct drv_vq *vq)
{
	return vq->layout->enable_notify(vq) && !vq->batch;
}
