/*
 * The chains of a queue, kept from one run to the next. vq_start() maps memory for them and
 * vq_stop() unmaps it, which costs fifteen microseconds: more than all the rest of a run. Here each map
 * has room for any pool but the largest; one that is given back is cleaned as far as it was used and
 * forbidden to the sanitizer, so that whoever still has a chain is caught, and it rests until many
 * others have come back.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tools/fuzz/story.h"
#include "virtqueue/vq-impl.h"

#ifdef FUZZ_ASAN
#include <sanitizer/asan_interface.h>
#else
#define __asan_poison_memory_region(p, n)   ((void)(p), (void)(n))
#define __asan_unpoison_memory_region(p, n) ((void)(p), (void)(n))
#endif

#define ROOM  ((size_t)1 << 20) /* of a map; larger pools are unmapped as before */
#define GUARD 4096u             /* forbidden bytes behind a pool that does not fill its map */
#define REST  32u               /* maps that lie idle before one is used again */
#define KEPT  1024u             /* more than all queues of all worlds */

/* A map that nobody has: forbidden as far as it was used, at its beginning and from `areas` on. */
struct kept_map {
	uint8_t *map, *areas;
	size_t n_front, n_areas; /* bytes */
};

/* File-scope for the same reason as in host.c. A circle: the first to come back is the first to go out. */
static struct {
	struct kept_map map[KEPT];
	unsigned first, n;
	bool mapping; /* vq_pool_make() runs */
} kept;

static size_t guard(size_t len)
{
	return ROOM - len < GUARD ? ROOM - len : GUARD;
}

static void *take_kept(void)
{
	struct kept_map k = kept.map[kept.first];

	if (kept.n <= REST)
		return NULL;
	kept.first = (kept.first + 1) % KEPT;
	kept.n--;
	__asan_unpoison_memory_region(k.map, k.n_front);
	__asan_unpoison_memory_region(k.areas, k.n_areas);
	return k.map;
}

/* Zeroes and forbids what vq.c and pool.c say was used. */
static void keep(const struct vq_pool *pool)
{
	struct kept_map k = { .map = pool->map, .areas = pool->areas };

	if (kept.n == KEPT)
		fuzz_bug("more queues than there are places for their chains");
	k.n_front = (size_t)(pool->slots - k.map) + pool->fresh_slots * pool->slot_bytes;
	k.n_areas = pool->fresh_areas * pool->area_bytes;
	memset(k.map, 0, k.n_front);
	memset(k.areas, 0, k.n_areas);
	__asan_poison_memory_region(k.map, k.n_front);
	__asan_poison_memory_region(k.areas, k.n_areas);
	__asan_unpoison_memory_region(k.map + pool->map_bytes, guard(pool->map_bytes));
	kept.map[(kept.first + kept.n++) % KEPT] = k;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	bool ours = kept.mapping && len <= ROOM;
	uint8_t *map = ours ? take_kept() : NULL;

	if (!map)
		map = __real_mmap(at, ours ? ROOM : len, prot, flags, fd, off);
	if (ours && (void *)map != MAP_FAILED)
		__asan_poison_memory_region(map + len, guard(len));
	return map;
}

void __real_vq_pool_make(struct vq_pool *pool, unsigned size, size_t request_size);
void __wrap_vq_pool_make(struct vq_pool *pool, unsigned size, size_t request_size);
void __wrap_vq_pool_make(struct vq_pool *pool, unsigned size, size_t request_size)
{
	kept.mapping = true;
	__real_vq_pool_make(pool, size, request_size);
	kept.mapping = false;
}

void __real_vq_pool_free(struct vq_pool *pool);
void __wrap_vq_pool_free(struct vq_pool *pool);
void __wrap_vq_pool_free(struct vq_pool *pool)
{
	if (pool->map && pool->map_bytes <= ROOM) {
		keep(pool);
		*pool = (struct vq_pool){ 0 };
	}
	__real_vq_pool_free(pool);
}
/* NOLINTEND(bugprone-reserved-identifier) */
