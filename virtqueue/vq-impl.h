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
#include "virtqueue/vq.h"
#include "virtqueue/vring.h"

/* Iovecs that a chain has at hand; longer ones borrow an area of the pool's. */
#define VQ_CHAIN_SHORT 8u

/* A chain may have this many buffers even when the queue is smaller (in an indirect table). */
#define VQ_CHAIN_MIN 256u

/* Not the driver's fault: the pool has no area left for a long chain. */
#define VQ_NO_ROOM N_VQ_FAULTS

/* A lent chain, with the device's request_size bytes behind it. */
struct vq_slot {
	struct vq_chain c;
	size_t writable;      /* bytes, all of them: what a used length never exceeds */
	struct vq_slot *next; /* in the list of free ones; c.vq is NULL there */
	struct vq_area *area; /* borrowed, or NULL */
	unsigned n_bufs;      /* that the driver made it of */
	uint16_t seq;         /* in_order: its place in vq->order */
	_Alignas(16) struct iovec iov[VQ_CHAIN_SHORT];
};

struct vq_area {
	struct vq_area *next;
};

/* See pool.c. */
struct vq_pool {
	void *map;
	size_t map_bytes, slot_bytes, area_bytes;
	unsigned n_areas, fresh_slots, fresh_areas; /* fresh: never lent, so never touched */
	unsigned area_iovs;
	uint8_t *slots, *areas;
	struct vq_slot *free_slots;
	struct vq_area *free_areas;
	uint8_t *in_flight;    /* by head: 1 while the device has it */
	struct vq_done *order; /* in_order: pushed chains by vq_slot.seq */
	unsigned lent;
};

/* What push() writes for the driver: one used element, after which the ring goes on @slots later. */
struct vq_used {
	uint32_t len;
	uint16_t id;
	uint16_t slots;
};

/* in_order: a chain that was pushed and waits for its elders. slots 0: not pushed yet. */
struct vq_done {
	struct vq_used used;
	bool filled; /* len is all there was to write */
};

void vq_pool_make(struct vq_pool *pool, unsigned size, size_t request_size);
void vq_pool_free(struct vq_pool *pool);
struct vq_area *vq_area_get(struct vq_pool *pool); /* NULL if there is none */
void vq_area_put(struct vq_pool *pool, struct vq_area *a);

struct vq_layout {
	enum vq_fault (*start)(struct vq *vq, const struct vq_config *cfg);
	int (*pop)(struct vq *vq, struct vq_chain **chains, unsigned max);
	void (*unpop)(struct vq *vq, const struct vq_chain *c);
	void (*push)(struct vq *vq, struct vq_used used);
	bool (*publish)(struct vq *vq, uint16_t old); /* old: next_used at the last one */
	void (*quiet)(struct vq *vq);
	bool (*rearm)(struct vq *vq);
	bool (*pending)(const struct vq *vq);
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
	uint16_t slots_out;   /* descriptors of ours: popped, not yet used */
	uint16_t first_flags; /* of the used descriptor at vq->published, which goes out last */
};

struct vq {
	const struct vq_layout *layout;
	const struct gmem *mem;
	uint16_t size, mask; /* mask: split only */
	bool packed, event_idx, indirect, in_order;
	bool quiet;        /* kicks are off */
	bool exhausted;    /* see vq_exhausted() */
	unsigned max_bufs; /* in a chain */
	uint16_t returned; /* slots from next_avail on that were popped once and given back */
	uint16_t order_head, order_tail; /* in_order: oldest and next place in pool.order */
	struct vq_position pos;
	uint16_t published; /* pos.next_used when that was last shown to the driver */
	union {
		struct vq_split split;
		struct vq_packed ring;
	};
	struct vq_pool pool;
	enum vq_fault fault;
	uint16_t fault_head;
	struct vq_stats stats; /* last: vq_start() clears all but this */
};

extern const struct vq_layout vq_split_layout;
extern const struct vq_layout vq_packed_layout;

/* Kills the queue; returns -1, for vq_pop(). */
int vq_fail(struct vq *vq, enum vq_fault fault, uint16_t head);

/* One copy of a descriptor of either layout, in two loads that the compiler cannot repeat. Rings
 * are aligned; tables need not be, see vq_table_entry(). */
static inline void vq_desc_load(const void *at, void *ret_desc)
{
	typedef uint64_t __attribute__((__may_alias__)) word;
	const word *from = at;
	word copy[2] = {
		__atomic_load_n(from, __ATOMIC_RELAXED),
		__atomic_load_n(from + 1, __ATOMIC_RELAXED),
	};

	memcpy(ret_desc, copy, sizeof(copy));
}

/* A ring has no more heads in flight than entries, and the pool as many slots: always one left. */
static inline struct vq_slot *vq_slot_get(struct vq_pool *pool)
{
	struct vq_slot *s = pool->free_slots;

	if (s)
		pool->free_slots = s->next;
	else
		s = (void *)(pool->slots + pool->slot_bytes * pool->fresh_slots++);
	pool->lent++;
	return s;
}

static inline void vq_slot_put(struct vq_pool *pool, struct vq_slot *s)
{
	if (s->area) {
		vq_area_put(pool, s->area);
		s->area = NULL;
	}
	s->c.vq = NULL;
	s->next = pool->free_slots;
	pool->free_slots = s;
	pool->lent--;
}

static inline struct vq_slot *vq_slot_of(struct vq_chain *c)
{
	return (struct vq_slot *)c; /* its first member */
}

static inline void vq_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* The driver may make @id available again. */
static inline void vq_retire(struct vq *vq, uint16_t id)
{
	if (!vq->packed)
		vq->pool.in_flight[id] = 0;
}
