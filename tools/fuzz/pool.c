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

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define HAVE_ASAN
#endif
#endif
#ifndef HAVE_ASAN
#define __asan_poison_memory_region(p, n)   ((void)(p), (void)(n))
#define __asan_unpoison_memory_region(p, n) ((void)(p), (void)(n))
#endif

#define KEPT      64u
#define KEPT_EACH ((size_t)1 << 20) /* larger ones are unmapped as before */

/* File-scope for the same reason as in host.c. The first to come back is the first to go out. */
static struct {
	void *map[KEPT];
	size_t len[KEPT];
	unsigned n;
	bool mapping; /* vq_pool_make() runs */
} kept;

static void *take_kept(size_t len)
{
	void *map;

	for (unsigned i = 0; i < kept.n; i++) {
		if (kept.len[i] != len)
			continue;
		map = kept.map[i];
		kept.n--;
		memmove(&kept.map[i], &kept.map[i + 1], (kept.n - i) * sizeof(kept.map[0]));
		memmove(&kept.len[i], &kept.len[i + 1], (kept.n - i) * sizeof(kept.len[0]));
		__asan_unpoison_memory_region(map, len);
		return map;
	}
	return NULL;
}

/* Zeroes what vq.c and pool.c say was used. */
static void clean(const struct vq_pool *pool)
{
	memset(pool->map, 0, (size_t)(pool->slots - (uint8_t *)pool->map));
	memset(pool->slots, 0, pool->fresh_slots * pool->slot_bytes);
	memset(pool->areas, 0, pool->fresh_areas * pool->area_bytes);
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
		clean(pool);
		__asan_poison_memory_region(pool->map, pool->map_bytes);
		kept.map[kept.n] = pool->map;
		kept.len[kept.n++] = pool->map_bytes;
		*pool = (struct vq_pool){ 0 };
	}
	__real_vq_pool_free(pool);
}
/* NOLINTEND(bugprone-reserved-identifier) */
