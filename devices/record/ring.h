/*
 * A thread's way to the writer: a ring of bytes with one producer and one consumer, and no lock.
 *
 * What a thread saw lies there as a struct record_raw, in the processor's own words: to make it
 * small is the writer's work. A ring that is full loses what comes, counts it, and tells of the
 * loss before the next event that it has room for.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct record_raw {
	uint32_t bytes; /* of the whole, a multiple of 8 */
	uint16_t type;  /* enum record_type; RECORD_PAD */
	uint16_t queue; /* RECORD_NO_QUEUE: none */
	uint64_t time;  /* ns */
	uint16_t device, head;
	uint32_t n; /* the type's */
	uint64_t arg[];
};

#define RECORD_PAD       0 /* nothing: the ring's end */
#define RECORD_NO_QUEUE  UINT16_MAX
#define RECORD_NO_DEVICE UINT16_MAX

struct record_ring {
	uint8_t *base;
	size_t size; /* a power of two */
	char name[16];
	pid_t tid;
	atomic_bool ready; /* somebody's: the writer may look */

	/* The producer's. Positions count on for ever. */
	_Alignas(64) uint64_t head;
	uint64_t tail_seen;
	_Atomic uint64_t untold; /* events lost since the last that were told of */
	_Atomic uint64_t published;

	/* The consumer's. */
	_Alignas(64) _Atomic uint64_t tail;
	bool told; /* that there is this thread */
};

/* The producer, @now: room for @bytes (a multiple of 8), which the consumer sees from
 * record_ring_put() on; NULL, and counted, if there is none. */
struct record_raw *record_ring_room(struct record_ring *r, size_t bytes, uint64_t now);

static inline void record_ring_put(struct record_ring *r, const struct record_raw *raw)
{
	r->head += raw->bytes;
	atomic_store_explicit(&r->published, r->head, memory_order_release);
}

/* The producer: is more than a quarter of it taken? It looks at the consumer's position once in a
 * quarter. */
static inline bool record_ring_fills(struct record_ring *r)
{
	if (r->head - r->tail_seen <= r->size / 4)
		return false;
	/* [R], as in record_ring_room() */
	r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
	return r->head - r->tail_seen > r->size / 4;
}

/* The consumer: the oldest event, or NULL; it goes with record_ring_took(). */
const struct record_raw *record_ring_peek(struct record_ring *r);

static inline void record_ring_took(struct record_ring *r, const struct record_raw *raw)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	atomic_store_explicit(&r->tail, tail + raw->bytes, memory_order_release);
}
