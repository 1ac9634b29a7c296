/*
 * The chains of a queue, kept from one run to the next. vq_start() maps memory for them and
 * vq_stop() unmaps it, which costs fifteen microseconds: more than all the rest of a run. Here a map
 * that is given back is forbidden to the sanitizer, so that whoever still has a chain is caught, and
 * used again only after others, cleaned as far as it was used.
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

#define KEPT      64u
#define KEPT_EACH ((size_t)1 << 20) /* larger ones are unmapped as before */

/* A map that nobody has: forbidden as far as it was used, at its beginning and from `areas` on. */
struct kept_map {
	uint8_t *map, *areas;
	size_t len, n_front, n_areas; /* bytes */
};

/* File-scope for the same reason as in host.c. The first to come back is the first to go out. */
static struct {
	struct kept_map map[KEPT];
	unsigned n;
	bool mapping; /* vq_pool_make() runs */
} kept;

static void *take_kept(size_t len)
{
	struct kept_map k;

	for (unsigned i = 0; i < kept.n; i++) {
		if (kept.map[i].len != len)
			continue;
		k = kept.map[i];
		kept.n--;
		memmove(&kept.map[i], &kept.map[i + 1], (kept.n - i) * sizeof(k));
		__asan_unpoison_memory_region(k.map, k.n_front);
		__asan_unpoison_memory_region(k.areas, k.n_areas);
		return k.map;
	}
	return NULL;
}

/* Zeroes and forbids what vq.c and pool.c say was used. */
static void keep(const struct vq_pool *pool)
{
	struct kept_map k = { .map = pool->map, .areas = pool->areas, .len = pool->map_bytes };

	k.n_front = (size_t)(pool->slots - k.map) + pool->fresh_slots * pool->slot_bytes;
	k.n_areas = pool->fresh_areas * pool->area_bytes;
	memset(k.map, 0, k.n_front);
	memset(k.areas, 0, k.n_areas);
	__asan_poison_memory_region(k.map, k.n_front);
	__asan_poison_memory_region(k.areas, k.n_areas);
	kept.map[kept.n++] = k;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	void *map = kept.mapping ? take_kept(len) : NULL;

	return map ? map : __real_mmap(at, len, prot, flags, fd, off);
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
	if (pool->map && pool->map_bytes <= KEPT_EACH && kept.n < KEPT) {
		keep(pool);
		*pool = (struct vq_pool){ 0 };
	}
	__real_vq_pool_free(pool);
}
/* NOLINTEND(bugprone-reserved-identifier) */
