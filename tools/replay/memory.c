#include "tools/replay/memory.h"

#include <errno.h>
#include <sys/mman.h>

#include "devices/base/error.h"

#define PAGE         4096ull
#define REGIONS      (GMEM_REGIONS_MAX - 4)
#define REGION_MAX   (1ull << 40) /* bytes, and so many of all: address space */
#define RING_REGION  (1ull << 36)
#define RINGS_BEHIND (1ull << 30) /* their address is a multiple of this */

struct span {
	uint64_t begin, end;
};

struct ring_place {
	uint64_t at, bytes;
};

struct replay_memory {
	struct gmem mem;
	uint64_t rings, next; /* guest addresses: where they begin, and the next one */
	GHashTable *places;   /* of guint64 device and queue, to struct ring_place */
};

static int span_order(const void *one, const void *two)
{
	const struct span *a = one, *b = two;

	return a->begin < b->begin ? -1 : a->begin > b->begin;
}

/* All pages that chains name, in order. */
static GArray *memory_spans(const struct replay_script *s)
{
	GArray *spans = g_array_new(FALSE, FALSE, sizeof(struct span));

	for (guint i = 0; i < s->chains->len; i++) {
		const struct replay_chain *c = g_ptr_array_index(s->chains, i);

		for (unsigned k = 0; k < c->n_rd + c->n_wr; k++) {
			uint64_t addr = c->buf[k].addr, end = addr + c->buf[k].len;
			struct span span = { addr & ~(PAGE - 1), (end + PAGE - 1) & ~(PAGE - 1) };

			if (c->buf[k].len)
				g_array_append_val(spans, span);
		}
	}
	g_array_sort(spans, span_order);
	return spans;
}

/* Joins those that are no further than @gap from each other. */
static void memory_join(GArray *spans, uint64_t gap)
{
	guint n = 0;

	for (guint i = 0; i < spans->len; i++) {
		struct span *last = n ? &g_array_index(spans, struct span, n - 1) : NULL;
		struct span next = g_array_index(spans, struct span, i);

		if (last && next.begin <= last->end + gap)
			last->end = MAX(last->end, next.end);
		else
			g_array_index(spans, struct span, n++) = next;
	}
	g_array_set_size(spans, n);
}

static bool memory_add(struct replay_memory *m, uint64_t begin, uint64_t bytes, GError **err)
{
	void *at = bytes > REGION_MAX ? MAP_FAILED
				      : mmap(NULL, bytes, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at != MAP_FAILED && gmem_add(&m->mem, begin, bytes, at) == 0)
		return true;
	if (at != MAP_FAILED)
		munmap(at, bytes);
	return ringside_usage(err,
			      "replay: guest memory of %" G_GUINT64_FORMAT
			      " bytes at 0x%" G_GINT64_MODIFIER "x is not to be had here",
			      bytes, begin);
}

struct replay_memory *replay_memory_new(const struct replay_script *s, GError **err)
{
	struct replay_memory *m = g_new0(struct replay_memory, 1);
	g_autoptr(GArray) spans = memory_spans(s);
	uint64_t end = 0;
	bool ok = true;

	m->places = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	for (uint64_t gap = 0; gap == 0 || spans->len > REGIONS; gap = gap * 8 + PAGE)
		memory_join(spans, gap);
	for (guint i = 0; ok && i < spans->len; i++) {
		const struct span *span = &g_array_index(spans, struct span, i);

		ok = memory_add(m, span->begin, span->end - span->begin, err);
		end = span->end;
	}
	m->rings = m->next = (end + RINGS_BEHIND - 1) / RINGS_BEHIND * RINGS_BEHIND;
	if (ok && memory_add(m, m->rings, RING_REGION, err))
		return m;
	replay_memory_free(m);
	return NULL;
}

void replay_memory_free(struct replay_memory *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < m->mem.n; i++)
		munmap(m->mem.region[i].hva, m->mem.region[i].len);
	g_hash_table_unref(m->places);
	g_free(m);
}

const struct gmem *replay_memory_map(const struct replay_memory *m)
{
	return &m->mem;
}

bool replay_memory_ring(struct replay_memory *m, uint32_t device, unsigned queue,
			struct drv_config *cfg)
{
	guint64 key = (guint64)device << 32 | queue;
	struct ring_place *place = g_hash_table_lookup(m->places, &key);
	uint64_t bytes;

	if (!cfg->size || cfg->size > DRV_QUEUE_MAX)
		return false;
	bytes = (drv_bytes(cfg) + PAGE - 1) & ~(PAGE - 1);
	if (!place || place->bytes < bytes) {
		if (bytes > m->rings + RING_REGION - m->next)
			return false;
		place = g_new(struct ring_place, 1);
		*place = (struct ring_place){ m->next, bytes };
		m->next += bytes;
		g_hash_table_replace(m->places, g_memdup2(&key, sizeof(key)), place);
	}
	cfg->gpa = place->at;
	cfg->len = place->bytes;
	cfg->base = gmem_at(&m->mem, place->at, place->bytes);
	return cfg->base != NULL;
}
