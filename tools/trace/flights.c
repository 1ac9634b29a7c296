#include "tools/trace/sink.h"

#define FLIGHTS_MAX (1u << 20)

struct trace_flights {
	GHashTable *popped; /* where to when, both of eight bytes */
};

struct trace_flights *trace_flights_new(void)
{
	struct trace_flights *f = g_new0(struct trace_flights, 1);

	f->popped = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	return f;
}

void trace_flights_free(struct trace_flights *f)
{
	g_hash_table_unref(f->popped);
	g_free(f);
}

static void flights_add(struct trace_flights *f, uint64_t key, uint64_t time)
{
	if (g_hash_table_size(f->popped) < FLIGHTS_MAX)
		g_hash_table_replace(f->popped, g_memdup2(&key, sizeof(key)),
				     g_memdup2(&time, sizeof(time)));
}

bool trace_flights_event(struct trace_flights *f, const struct trace_event *e, uint64_t *ret_ns)
{
	uint64_t key = (uint64_t)e->device << 32 | (uint64_t)(e->queue & 0xffff) << 16 | e->head;
	const uint64_t *popped;
	bool known = false;

	if (e->type == RECORD_POPPED)
		flights_add(f, key, e->time);
	if (e->type == RECORD_PUSHED) {
		popped = g_hash_table_lookup(f->popped, &key);
		known = popped && *popped <= e->time;
		if (known)
			*ret_ns = e->time - *popped;
	}
	if (e->type == RECORD_PUSHED || e->type == RECORD_UNPOPPED)
		g_hash_table_remove(f->popped, &key);
	return known;
}
