/*
 * The chains of a queue: made once at vq_start(), so that popping allocates nothing.
 *
 * One anonymous mapping holds, in this order, a byte for each head (in flight or not), the record
 * of pushed chains, the stack of free slots, a slot for each chain the ring can have in flight, and
 * areas of iovecs for long chains. It is reserved but not touched: slots and areas are given to
 * chains last in, first out, never-used ones only when there is no other, so a queue that keeps two
 * requests in flight costs a page or two whatever its size. An ordinary chain's iovecs lie in its
 * slot, beside what else is used of it.
 *
 * A guest that wants our memory gone could keep every area busy: POOL_AREAS_MAX caps that.
 */
#include "virtqueue/vq-impl.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#define POOL_AREAS_MAX (64ul << 20) /* bytes */
#define PAGE           4096u

static size_t vq_pool_align_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/*
 * Buffers of one chain that do not overlap cross each border between regions at most once, so this
 * is room for all that a sane driver can build.
 */
static unsigned vq_pool_area_iovs(unsigned size)
{
	return (size > VQ_CHAIN_MIN ? size : VQ_CHAIN_MIN) + GMEM_REGIONS_MAX;
}

/* Where the parts begin, in bytes. */
struct parts {
	size_t order, free, slots, areas, end;
};

static struct parts vq_pool_measure(struct vq_pool *pool, unsigned size, size_t request_size)
{
	struct parts at;

	assert(request_size < 1u << 20); /* a device's mistake */
	*pool = (struct vq_pool){ .area_iovs = vq_pool_area_iovs(size) };
	pool->slot_bytes = vq_pool_align_up(sizeof(struct vq_slot) + request_size, 64);
	pool->area_bytes = pool->area_iovs * sizeof(struct iovec);
	pool->n_areas = size;
	if (pool->n_areas > POOL_AREAS_MAX / pool->area_bytes)
		pool->n_areas = POOL_AREAS_MAX / pool->area_bytes;
	at.order = vq_pool_align_up(size, 64);
	at.free = vq_pool_align_up(at.order + vq_order_places(size) * sizeof(struct vq_slot *), 64);
	at.slots = vq_pool_align_up(at.free + size * sizeof(struct vq_slot *), 64);
	at.areas = vq_pool_align_up(at.slots + size * pool->slot_bytes, PAGE);
	at.end = at.areas + pool->n_areas * pool->area_bytes;
	return at;
}

size_t vq_memory_max(unsigned size, size_t request_size)
{
	struct vq_pool pool;
	struct parts at = vq_pool_measure(&pool, size, request_size);
	size_t areas = size * pool.area_bytes;

	/* With fewer entries, and smaller areas, it may be that more of the limit is used. */
	return vq_pool_align_up(at.areas + (areas < POOL_AREAS_MAX ? areas : POOL_AREAS_MAX), PAGE);
}

void vq_pool_make(struct vq_pool *pool, unsigned size, size_t request_size)
{
	struct parts at = vq_pool_measure(pool, size, request_size);

	pool->map_bytes = at.end;
	pool->map = mmap(NULL, pool->map_bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->map == MAP_FAILED)
		abort();
	pool->in_flight = pool->map;
	pool->order = (void *)(pool->in_flight + at.order);
	pool->free_slots = (void *)(pool->in_flight + at.free);
	pool->slots = pool->in_flight + at.slots;
	pool->areas = pool->in_flight + at.areas;
}

void vq_pool_free(struct vq_pool *pool)
{
	if (pool->map)
		munmap(pool->map, pool->map_bytes);
	*pool = (struct vq_pool){ 0 };
}

struct vq_area *vq_area_get(struct vq_pool *pool)
{
	struct vq_area *a = pool->free_areas;

	if (a)
		pool->free_areas = a->next;
	else if (pool->fresh_areas < pool->n_areas)
		a = (void *)(pool->areas + pool->area_bytes * pool->fresh_areas++);
	return a;
}

void vq_area_put(struct vq_pool *pool, struct vq_area *a)
{
	a->next = pool->free_areas;
	pool->free_areas = a;
}
