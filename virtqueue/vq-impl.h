/*
 * What vq.c and the layouts (split.c, packed.c) share. Nobody else includes this.
 *
 * vq_start() chooses a layout; a queue that is not running has the layout `stopped` or, after a
 * driver's mistake, `dead`. So the data path never asks whether it may run.
 *
 * Walking a chain is much the same work in either layout: see build.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	struct vq_slot *next; /* in the list of free ones */
	struct vq_area *area; /* borrowed, or NULL */
	uint16_t seq;         /* in_order: its place in vq->order */
	bool lent;
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
	struct vq_used *order; /* in_order: pushed chains by vq_slot.seq */
	unsigned lent;
};

void vq_pool_make(struct vq_pool *pool, unsigned size, size_t request_size);
void vq_pool_free(struct vq_pool *pool);
struct vq_area *vq_area_get(struct vq_pool *pool); /* NULL if there is none */
void vq_area_put(struct vq_pool *pool, struct vq_area *a);

/* What push() writes for the driver: one used element, after which the ring goes on @slots later. */
struct vq_used {
	uint32_t len;
	uint16_t id;
	uint16_t slots;
};

struct vq_layout {
	enum vq_fault (*start)(struct vq *vq, const struct vq_config *cfg);
	int (*pop)(struct vq *vq, struct vq_chain **chains, unsigned max);
	void (*unpop)(struct vq *vq, const struct vq_chain *c);
	void (*push)(struct vq *vq, struct vq_used used);
	bool (*publish)(struct vq *vq);
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
	uint16_t avail_seen;    /* avail->idx as last read: next_avail up to here are to be popped */
	uint16_t published;     /* used->idx as last stored */
};

struct vq {
	const struct vq_layout *layout;
	const struct gmem *mem;
	uint16_t size, mask; /* mask: split only */
	bool packed, event_idx, indirect, in_order;
	bool quiet;        /* kicks are off */
	bool starved;      /* see vq_starved() */
	unsigned max_bufs; /* in a chain */
	uint16_t returned; /* slots from next_avail on that were popped once and given back */
	struct vq_position pos;
	struct vq_split split;
	struct vq_pool pool;
	struct vq_stats stats;
	enum vq_fault fault;
	uint16_t fault_head;
};

extern const struct vq_layout vq_split_layout;

/* Kills the queue; returns -1, for vq_pop(). */
int vq_fail(struct vq *vq, enum vq_fault fault, uint16_t head);

/* One copy of a descriptor, in two loads that the compiler can neither repeat nor merge with later
 * ones. Rings are aligned; tables need not be, see vq_table_entry(). */
static inline struct vring_desc vq_desc_load(const void *at)
{
	typedef uint64_t __attribute__((__may_alias__)) word;
	union {
		word w[2];
		struct vring_desc d;
	} u;

	u.w[0] = __atomic_load_n((const word *)at, __ATOMIC_RELAXED);
	u.w[1] = __atomic_load_n((const word *)at + 1, __ATOMIC_RELAXED);
	return u.d;
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
	s->lent = false;
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
