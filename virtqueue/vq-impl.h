/*
 * What vq.c and the layouts (split.c, packed.c) share. Nobody else includes this.
 *
 * vq_start() chooses a layout; a queue that is stopped, or dead after a driver's mistake, has one
 * that does nothing. So the data path need not ask whether it may run.
 *
 * Walking a chain is much the same work in either layout: see build.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "virtqueue/chain.h"
#include "virtqueue/gmem.h"
#include "virtqueue/observe.h"
#include "virtqueue/vq.h"
#include "virtqueue/vring.h"

/* Iovecs that a chain has at hand; longer ones borrow an area of the pool's. */
#define VQ_CHAIN_SHORT 8u

/* A chain may have this many buffers even when the queue is smaller (in an indirect table). */
#define VQ_CHAIN_MIN 256u

/* Not the driver's fault: the pool has no area left for a long chain. */
#define VQ_NO_ROOM N_VQ_FAULTS

/* A chain, with the device's request_size bytes behind it. While it is not in flight, c.vq is
 * NULL. */
struct vq_slot {
	struct vq_chain c;
	struct vq_area *area; /* borrowed, or NULL */
	uint32_t writable;    /* bytes, as a used length can say it: which never exceeds them */
	uint32_t used;        /* pushed: the used length */
	unsigned n_bufs;      /* that the driver made it of */
	uint16_t seq;         /* in_order: its place in pool.order */
	_Alignas(16) struct iovec iov[VQ_CHAIN_SHORT];
};

struct vq_area {
	struct vq_area *next;
};

/* See pool.c. */
struct vq_pool {
	void *map;
	size_t map_bytes, slot_bytes, area_bytes;
	unsigned n_areas, fresh_slots, fresh_areas; /* fresh: never used, so never touched */
	unsigned area_iovs;
	uint8_t *slots, *areas;
	struct vq_slot **free_slots; /* a stack */
	unsigned n_free_slots;
	struct vq_area *free_areas;
	uint8_t *in_flight;     /* by head: 1 from pop to publish */
	struct vq_slot **order; /* pushed chains, a ring: see vq.c. NULL where none is */
};

/* Places in pool.order: a power of two. */
static inline unsigned vq_order_places(unsigned size)
{
	return size > 1 ? 2u << (31 - __builtin_clz(size - 1)) : 1;
}

void vq_pool_make(struct vq_pool *pool, unsigned size, size_t request_size);
void vq_pool_free(struct vq_pool *pool);
struct vq_area *vq_area_get(struct vq_pool *pool); /* NULL if there is none */
void vq_area_put(struct vq_pool *pool, struct vq_area *a);

/* Our copy of a descriptor, of either layout, which alone is judged. */
struct vq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t link; /* split: next; packed: buffer id */
};

struct vq_layout {
	enum vq_fault (*start)(struct vq *vq, const struct vq_config *cfg);
	int (*pop)(struct vq *vq, struct vq_chain **chains, unsigned max);
	void (*unpop)(struct vq *vq, const struct vq_chain *c);
	/* Writes used elements: one for each of @slots, after which the ring goes on c.n_slots
	 * later. */
	void (*release)(struct vq *vq, struct vq_slot *const *slots, unsigned n);
	bool (*publish)(struct vq *vq, uint16_t old); /* old: next_used at the last one */
	void (*disable_notify)(struct vq *vq);
	bool (*enable_notify)(struct vq *vq);
	bool (*pending)(const struct vq *vq);
	/* Makes a chain once more that was popped before this queue was started, and which both
	 * sides' positions count as in flight: at @head; of a packed ring, of @n copies of
	 * descriptors. */
	enum vq_fault (*again)(struct vq *vq, uint16_t head, const struct vq_desc *descs,
			       unsigned n, struct vq_chain **ret_c);
};

struct vq_split {
	const struct vring_desc *desc;
	const struct vring_avail *avail;
	struct vring_used *used;
	const le16 *used_event; /* behind avail->ring: after which used index the driver wakes */
	le16 *avail_event;      /* behind used->ring: after which avail index we wake */
	uint16_t avail_seen; /* avail->idx as last read: next_avail up to here are to be popped */
};

struct vq_packed {
	struct vring_packed_desc *desc;
	const struct vring_packed_event *driver;
	struct vring_packed_event *device;
	uint16_t slots_out; /* descriptors of ours: popped, not yet used */
	/* Lines of descriptors that are fetched together: vq_packed_pop(). */
	uint16_t batch;    /* descriptors popped since the last publication, however few at once */
	uint16_t expected; /* in the next batch: those of the last one */
	uint16_t fetched;  /* from next_avail on */
	uint64_t first_rest; /* of the used descriptor at vq->published, which goes out last */
};

struct vq {
	const struct vq_layout *layout; /* what is called: the ring's, or one in its place */
	const struct vq_layout *ring_layout;
	const struct gmem *mem;
	const struct gmem_region *last_region; /* of the last buffer; tried first for the next */
	uint16_t size, mask;                   /* mask: of the size, made a power of two */
	bool packed, event_idx, indirect, in_order, notify_on_empty;
	bool observed;        /* or filtered */
	bool notify_disabled; /* the driver was told that kicks are useless */
	bool pool_exhausted;  /* see vq_pool_exhausted() */
	unsigned max_bufs;    /* in a chain */
	uint16_t unpopped;    /* slots from next_avail on that vq_unpop() gave back */
	uint16_t order_head,
		order_tail;  /* oldest place in pool.order; in_order: the next popped one's */
	unsigned n_pushed;   /* and not yet released */
	uint64_t bytes_read; /* of chains in this pop */
	struct vq_position pos;
	uint16_t published; /* pos.next_used when that was last shown to the driver */
	union {
		struct vq_split split;
		struct vq_packed ring;
	};
	struct vq_pool pool;
	struct vq_log *log;           /* vq-log.c; NULL: the memory's changes are not logged */
	struct vq_inflight *inflight; /* vq-inflight.c; NULL: nobody keeps account */
	struct vq_far *far;           /* vq-far.c; NULL: the ring is in memory */
	enum vq_log_ring log_ring;
	uint64_t log_device;
	enum vq_fault fault;
	uint16_t fault_head;
	struct vq_stats stats; /* vq_start() clears what is before this */
	struct vq_observer *observer;
	struct vq_filter *filter;
};

extern const struct vq_layout vq_split_layout;
extern const struct vq_layout vq_packed_layout;

/* The descriptor @n places from the next, if it is available: for vq_fetch_ahead(). The queue was
 * started, and has not failed. */
bool vq_split_ahead(const struct vq *vq, unsigned n, struct vq_desc *ret);
bool vq_packed_ahead(const struct vq *vq, unsigned n, struct vq_desc *ret);

/*
 * A log of what is written (vq-log.c): vq->layout is its own while it is on. vq_log_buffers(): the
 * chain in @s goes back to the driver by other ways than release(). vq_log_area_gone(): so that
 * another chain may get its area. vq_log_failed(): the queue is dead, its layout is @none.
 */
void vq_log_on(struct vq *vq);
void vq_log_off(struct vq *vq);
void vq_log_buffers(const struct vq *vq, const struct vq_slot *s);
void vq_log_area_gone(const struct vq *vq, const struct vq_slot *s);
void vq_log_failed(struct vq *vq, const struct vq_layout *none);

/*
 * An account of what is in flight (vq-inflight.c). vq_inflight_settle(): sees to the end of who had
 * the area before, and puts the positions into @cfg. vq_inflight_used(): a chain goes back by other
 * ways than release(). vq_inflight_is_again(): it was popped before this queue was started, too.
 */
void vq_inflight_settle(const struct gmem *mem, struct vq_config *cfg);
void vq_inflight_on(struct vq *vq, struct vq_inflight_area *area);
void vq_inflight_off(struct vq *vq);
void vq_inflight_used(const struct vq *vq, const struct vq_slot *s);
bool vq_inflight_is_again(const struct vq *vq, const struct vq_slot *s);

/*
 * A ring that is not here (vq-far.c): its layout is in front of the ring's. vq_ring_at(): gmem_at()
 * for a part of the ring.
 */
void *vq_ring_at(const struct vq *vq, uint64_t gpa, uint64_t len);
extern const struct vq_layout vq_far_layout;

/* Kills the queue; returns -1, for vq_pop(). */
int vq_fail(struct vq *vq, enum vq_fault fault, uint16_t head);

/* From a descriptor's two words as they are in memory. */
static inline struct vq_desc vq_desc_of(bool packed, le64 first, le64 second)
{
	uint64_t rest = le64_cpu(second);
	uint16_t third = (uint16_t)(rest >> 32), fourth = (uint16_t)(rest >> 48);

	return (struct vq_desc){
		.addr = le64_cpu(first),
		.len = (uint32_t)rest,
		.flags = packed ? fourth : third,
		.link = packed ? third : fourth,
	};
}

/* In two loads that the compiler cannot repeat. Rings are aligned; tables need not be, see
 * vq_table_entry(). */
static inline struct vq_desc vq_desc_load(bool packed, const void *at)
{
	typedef uint64_t __attribute__((__may_alias__)) word;
	const word *from = at;

	return vq_desc_of(packed, __atomic_load_n(from, __ATOMIC_RELAXED),
			  __atomic_load_n(from + 1, __ATOMIC_RELAXED));
}

/* A ring has no more heads in flight than entries, and the pool as many slots: always one left. */
static inline struct vq_slot *vq_slot_get(struct vq_pool *pool)
{
	if (pool->n_free_slots)
		return pool->free_slots[--pool->n_free_slots];
	return (void *)(pool->slots + pool->slot_bytes * pool->fresh_slots++);
}

static inline void vq_slot_put(struct vq_pool *pool, struct vq_slot *s)
{
	pool->free_slots[pool->n_free_slots++] = s;
}

/* With what it borrowed. */
static inline void vq_slot_drop(struct vq_pool *pool, struct vq_slot *s)
{
	if (s->area)
		vq_area_put(pool, s->area);
	s->area = NULL;
	s->c.vq = NULL;
	vq_slot_put(pool, s);
}

static inline struct vq_slot *vq_slot_of(struct vq_chain *c)
{
	return (struct vq_slot *)c; /* its first member */
}

static inline void vq_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

void vq_retired(const struct vq *vq, const struct vq_slot *s); /* for the log and the account */

/* A chain that is used without a used element of its own: the driver may make its head available
 * again. */
static inline void vq_retire(struct vq *vq, const struct vq_slot *s)
{
	vq_count(&vq->stats.bytes_written, s->used);
	if (vq->log || vq->inflight)
		vq_retired(vq, s);
	if (!vq->packed)
		vq->pool.in_flight[s->c.id] = 0;
}
