#include "devices/record/ring.h"

#include <string.h>

#include "devices/record/format.h"

/* @bytes that lie together; what is left at the ring's end is passed over. */
static struct record_raw *record_ring_reserve(struct record_ring *r, size_t bytes)
{
	size_t at = r->head & (r->size - 1), end = r->size - at;
	size_t need = end < bytes ? end + bytes : bytes;

	if (need > r->size - (r->head - r->tail_seen)) {
		/* [R] pairs with the release of tail: what lay there has been read */
		r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
		if (need > r->size - (r->head - r->tail_seen))
			return NULL;
	}
	if (end < bytes) {
		/* Its first word alone is written: there may be no more room. */
		struct record_raw *pad = (struct record_raw *)(void *)(r->base + at);

		pad->bytes = (uint32_t)end;
		pad->type = RECORD_PAD;
		r->head += end;
		at = 0;
	}
	return (struct record_raw *)(void *)(r->base + at);
}

static bool record_ring_tell_lost(struct record_ring *r, uint64_t lost, uint64_t now)
{
	const size_t bytes = sizeof(struct record_raw) + sizeof(uint64_t);
	struct record_raw *raw = record_ring_reserve(r, bytes);

	if (!raw)
		return false;
	*raw = (struct record_raw){ .bytes = (uint32_t)bytes,
				    .type = RECORD_LOST,
				    .queue = RECORD_NO_QUEUE,
				    .time = now,
				    .device = RECORD_NO_DEVICE };
	raw->arg[0] = lost;
	record_ring_put(r, raw);
	atomic_store_explicit(&r->untold, 0, memory_order_relaxed);
	return true;
}

struct record_raw *record_ring_room(struct record_ring *r, size_t bytes, uint64_t now)
{
	uint64_t lost = atomic_load_explicit(&r->untold, memory_order_relaxed);
	struct record_raw *raw = NULL;

	if (!lost || record_ring_tell_lost(r, lost, now))
		raw = record_ring_reserve(r, bytes);
	if (!raw)
		atomic_fetch_add_explicit(&r->untold, 1, memory_order_relaxed);
	return raw;
}

const struct record_raw *record_ring_peek(struct record_ring *r)
{
	/* [P] pairs with the release of published: what lies before it is whole */
	uint64_t head = atomic_load_explicit(&r->published, memory_order_acquire);
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	while (tail != head) {
		const struct record_raw *raw = (const void *)(r->base + (tail & (r->size - 1)));

		if (raw->type != RECORD_PAD)
			return raw;
		tail += raw->bytes;
		atomic_store_explicit(&r->tail, tail, memory_order_release);
	}
	return NULL;
}
