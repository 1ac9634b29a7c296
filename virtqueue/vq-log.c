/*
 * A queue on memory whose changes are logged (gmem_log_start()).
 *
 * It has a layout of its own that calls the real one and marks what that wrote; a queue without a
 * log has the real one and pays nothing. Of a chain all writable buffers are marked, whatever the
 * device did with them, when its used element is written or, if the driver took the ring away
 * before, when the queue stops. Cursors are consumed as devices write, so where the buffers lay is
 * noted when a chain is popped.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "virtqueue/vq-impl.h"

/* The writable buffers of the chain in a slot. */
struct record {
	struct iovec *iov; /* short, or in the copy of its area */
	unsigned n;
	struct iovec brief[VQ_CHAIN_SHORT];
};

struct vq_log {
	const struct vq_layout *real;
	void *map;
	size_t map_bytes;
	struct record *records; /* [size], as the pool's slots */
	uint8_t *areas;         /* as the pool's */
};

static struct record *vq_log_record_of(const struct vq *vq, const struct vq_slot *s)
{
	return &vq->log->records[((const uint8_t *)s - vq->pool.slots) / vq->pool.slot_bytes];
}

/* Notes where the writable buffers of a chain lie, as far as they are not consumed. */
static void vq_log_note_buffers(const struct vq *vq, const struct vq_slot *s)
{
	struct record *r = vq_log_record_of(vq, s);

	r->iov = r->brief;
	if (s->area) /* the copy of an area is where the area is */
		r->iov = (void *)(vq->log->areas + ((const uint8_t *)s->area - vq->pool.areas));
	r->n = s->c.wr.n;
	memcpy(r->iov, s->c.wr.iov, r->n * sizeof(*r->iov));
}

void vq_log_buffers(const struct vq *vq, const struct vq_slot *s)
{
	struct record *r = vq_log_record_of(vq, s);

	for (unsigned i = 0; i < r->n; i++)
		gmem_mark_at(vq->mem, r->iov[i].iov_base, r->iov[i].iov_len);
}

void vq_log_area_gone(const struct vq *vq, const struct vq_slot *s)
{
	vq_log_buffers(vq, s);
	vq_log_record_of(vq, s)->n = 0;
}

void vq_log_in_flight(const struct vq *vq)
{
	for (unsigned i = 0; vq->log && i < vq->pool.fresh_slots; i++) {
		const struct vq_slot *s = (void *)(vq->pool.slots + vq->pool.slot_bytes * i);

		if (s->c.vq)
			vq_log_buffers(vq, s);
	}
}

/* @len bytes of the ring at @at were written; part of the device area, or of a packed ring's
 * descriptors. */
static void vq_log_mark_ring(const struct vq *vq, const void *at, size_t len)
{
	const uint8_t *area = vq->packed ? (void *)vq->ring.device : (void *)vq->split.used;
	size_t bytes = vq->packed ? sizeof(*vq->ring.device) : vring_used_bytes(vq->size);
	size_t off = (size_t)((const uint8_t *)at - area);

	if (vq->log_ring == VQ_LOG_NO_RING)
		return;
	if (vq->log_ring == VQ_LOG_RING_AT && off < bytes)
		gmem_mark(vq->mem, vq->log_device + off, len);
	else
		gmem_mark_at(vq->mem, at, len);
}

/* @n entries of a ring from the @from-th on, over its end. */
static void vq_log_mark_entries(const struct vq *vq, const void *ring, size_t bytes, unsigned from,
				unsigned n)
{
	const uint8_t *at = ring;
	unsigned first = vq->size - from < n ? vq->size - from : n;

	vq_log_mark_ring(vq, at + from * bytes, first * bytes);
	vq_log_mark_ring(vq, at, (n - first) * bytes);
}

/* Used elements of @slots were written from @pos on. */
static void vq_log_mark_used(const struct vq *vq, uint16_t pos, struct vq_slot *const *slots,
			     unsigned n)
{
	unsigned entries = 0;

	for (unsigned i = 0; i < n; i++)
		entries += slots[i]->c.n_slots;
	if (vq->packed)
		vq_log_mark_entries(vq, vq->ring.desc, sizeof(vq->ring.desc[0]), vring_pos_off(pos),
				    entries);
	else
		vq_log_mark_entries(vq, vq->split.used->ring, sizeof(vq->split.used->ring[0]),
				    pos & vq->mask, entries);
}

/* Kicks were asked for, or not. */
static void vq_log_mark_events(const struct vq *vq)
{
	if (vq->packed) {
		vq_log_mark_ring(vq, vq->ring.device, sizeof(*vq->ring.device));
		return;
	}
	if (vq->event_idx)
		vq_log_mark_ring(vq, vq->split.avail_event, sizeof(*vq->split.avail_event));
	else
		vq_log_mark_ring(vq, &vq->split.used->flags, sizeof(vq->split.used->flags));
}

/*
 * The layout.
 */
static int logged_pop(struct vq *vq, struct vq_chain **chains, unsigned max)
{
	int n = vq->log->real->pop(vq, chains, max);

	for (int i = 0; i < n; i++)
		vq_log_note_buffers(vq, vq_slot_of(chains[i]));
	return n;
}

static void logged_unpop(struct vq *vq, const struct vq_chain *c)
{
	vq->log->real->unpop(vq, c);
}

static void logged_release(struct vq *vq, struct vq_slot *const *slots, unsigned n)
{
	uint16_t pos = vq->pos.next_used;

	for (unsigned i = 0; i < n; i++)
		vq_log_buffers(vq, slots[i]);
	vq->log->real->release(vq, slots, n);
	if (vq->pos.next_used != pos)
		vq_log_mark_used(vq, pos, slots, n);
}

static bool logged_publish(struct vq *vq, uint16_t old)
{
	bool wanted = vq->log->real->publish(vq, old);

	if (vq->packed) /* the first of them is written last */
		vq_log_mark_entries(vq, vq->ring.desc, sizeof(vq->ring.desc[0]), vring_pos_off(old),
				    1);
	else
		vq_log_mark_ring(vq, &vq->split.used->idx, sizeof(vq->split.used->idx));
	return wanted;
}

static void logged_disable_notify(struct vq *vq)
{
	vq->log->real->disable_notify(vq);
	if (!vq->fault)
		vq_log_mark_events(vq);
}

static bool logged_enable_notify(struct vq *vq)
{
	bool none = vq->log->real->enable_notify(vq);

	if (!vq->fault)
		vq_log_mark_events(vq);
	return none;
}

static bool logged_pending(const struct vq *vq)
{
	return vq->log->real->pending(vq);
}

static const struct vq_layout logged = {
	.pop = logged_pop,
	.unpop = logged_unpop,
	.release = logged_release,
	.publish = logged_publish,
	.disable_notify = logged_disable_notify,
	.enable_notify = logged_enable_notify,
	.pending = logged_pending,
};

/*
 * On and off.
 */

/* Chains in flight are noted as they are now. */
static void vq_log_note_in_flight(const struct vq *vq)
{
	for (unsigned i = 0; i < vq->pool.fresh_slots; i++) {
		const struct vq_slot *s = (void *)(vq->pool.slots + vq->pool.slot_bytes * i);

		if (s->c.vq)
			vq_log_note_buffers(vq, s);
	}
}

void vq_log_on(struct vq *vq)
{
	const struct vq_pool *pool = &vq->pool;
	size_t records = vq->size * sizeof(struct record);
	struct vq_log *log = calloc(1, sizeof(*log));

	if (!log)
		abort();
	log->map_bytes = records + pool->n_areas * pool->area_bytes;
	log->map = mmap(NULL, log->map_bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (log->map == MAP_FAILED)
		abort();
	log->records = log->map;
	log->areas = (uint8_t *)log->map + records;
	log->real = vq->fault ? vq->layout : vq->ring_layout;
	if (vq->layout == log->real) /* or somebody looks at it: that layout calls ours */
		vq->layout = &logged;
	vq->ring_layout = &logged;
	vq->log = log;
	vq_log_note_in_flight(vq);
	if (!vq->fault)
		vq_log_mark_events(vq); /* a queue that starts has written them */
}

void vq_log_off(struct vq *vq)
{
	struct vq_log *log = vq->log;

	if (!log)
		return;
	vq->ring_layout = log->real;
	if (vq->layout == &logged)
		vq->layout = log->real;
	vq->log = NULL;
	munmap(log->map, log->map_bytes);
	free(log);
}

void vq_log_failed(struct vq *vq, const struct vq_layout *none)
{
	vq->log->real = none;
	vq->layout = &logged;
}
