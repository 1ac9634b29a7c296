/*
 * The chains of a queue: made once at vq_start(), so that popping allocates nothing.
 *
 * One anonymous mapping holds, in this order, a byte for each head (in flight or not), the record
 * of pushed chains, the stack of free slots, a slot for each chain the ring can have in flight, and
 * areas of iovecs for long chains. It is reserved but not touched: slots and areas are lent out last in, first out,
 * never-used ones only when there is no other, so a queue that keeps two requests in flight costs
 * a page or two whatever its size. An ordinary chain's iovecs lie in its slot, beside what else is
 * used of it.
 *
 * A guest that wants our memory gone could keep every area busy: POOL_AREAS_MAX caps that.
 */
#include "virtqueue/vq-impl.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#define POOL_AREAS_MAX (64ul << 20) /* bytes */

static size_t align_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/*
 * Buffers of one chain that do not overlap cross each border between regions at most once, so this
 * is room for all that a sane driver can build.
 */
static unsigned area_iovs(unsigned size)
{
	return (size > VQ_CHAIN_MIN ? size : VQ_CHAIN_MIN) + GMEM_REGIONS_MAX;
}

void vq_pool_make(struct vq_pool *pool, unsigned size, size_t request_size)
{
	size_t order_at = align_up(size, 64);
	size_t free_at = align_up(order_at + vq_order_places(size) * sizeof(struct vq_slot *), 64);
	size_t slots_at = align_up(free_at + size * sizeof(struct vq_slot *), 64);
	size_t areas_at;

	assert(request_size < 1u << 20); /* a device's mistake */
	*pool = (struct vq_pool){ .area_iovs = area_iovs(size) };
	pool->slot_bytes = align_up(sizeof(struct vq_slot) + request_size, 64);
	pool->area_bytes = pool->area_iovs * sizeof(struct iovec);
	pool->n_areas = size;
	if (pool->n_areas > POOL_AREAS_MAX / pool->area_bytes)
		pool->n_areas = POOL_AREAS_MAX / pool->area_bytes;
	areas_at = align_up(slots_at + size * pool->slot_bytes, 4096);
	pool->map_bytes = areas_at + pool->n_areas * pool->area_bytes;
	pool->map = mmap(NULL, pool->map_bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->map == MAP_FAILED)
		abort();
	pool->in_flight = pool->map;
	pool->order = (void *)(pool->in_flight + order_at);
	pool->free_slots = (void *)(pool->in_flight + free_at);
	pool->slots = pool->in_flight + slots_at;
	pool->areas = pool->in_flight + areas_at;
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
