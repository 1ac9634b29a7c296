#include "tools/trace/summary.h"

#include <inttypes.h>
#include <math.h>

#include "devices/base/latencies.h"

struct queue_sum {
	char *name; /* "blk0/0" */
	uint32_t device;
	int queue;
	bool packed;
	uint64_t kicks, interrupts, suppressed, chains, completed, faults;
	uint64_t bytes_read, bytes_written;
	uint64_t first, last;       /* of its chains */
	struct latencies latencies; /* popped to pushed */
};

struct trace_summary {
	struct trace_sink base;
	GHashTable *by_key; /* of struct queue_sum, not owned */
	GPtrArray *queues;  /* the same, in their order; owned */
	struct trace_flights *flights;
	uint64_t events, bytes;
	double seconds; /* from the first event to the last */
	uint64_t first, last;
};

static void queue_sum_free(void *p)
{
	struct queue_sum *q = p;

	g_free(q->name);
	g_free(q);
}

static struct queue_sum *summary_queue(struct trace_summary *s, struct trace_reader *t,
				       const struct trace_event *e)
{
	const gint64 key = (gint64)e->device << 32 | (gint64)e->queue;
	struct queue_sum *q = g_hash_table_lookup(s->by_key, &key);

	if (q)
		return q;
	q = g_new0(struct queue_sum, 1);
	q->name = g_strdup_printf("%s/%d", trace_device(t, e->device), e->queue);
	q->device = e->device;
	q->queue = e->queue;
	g_hash_table_insert(s->by_key, g_memdup2(&key, sizeof(key)), q);
	g_ptr_array_add(s->queues, q);
	return q;
}

static void summary_chain(struct trace_summary *s, struct queue_sum *q, const struct trace_event *e)
{
	uint64_t ns;

	if (!q->first)
		q->first = e->time;
	q->last = e->time;
	if (trace_flights_event(s->flights, e, &ns))
		latencies_add(&q->latencies, ns);
	if (e->type == RECORD_PUSHED) {
		q->completed++;
		q->bytes_written += e->value[0];
		return;
	}
	q->chains += e->type == RECORD_POPPED;
	q->chains -= e->type == RECORD_UNPOPPED;
	for (unsigned i = 0; i < MIN(e->n_rd, e->n_bufs); i++)
		q->bytes_read += e->buf[i].len;
}

static void summary_event(struct trace_sink *sink, struct trace_reader *t,
			  const struct trace_event *e)
{
	struct trace_summary *s = (struct trace_summary *)sink;
	struct queue_sum *q;

	s->events++;
	if (!s->first)
		s->first = e->time;
	s->last = e->time;
	if (!e->has_device || e->queue == TRACE_NO_QUEUE)
		return;
	q = summary_queue(s, t, e);
	switch (e->type) {
	case RECORD_QUEUE_START:
		q->packed = e->value[1] & RECORD_QUEUE_PACKED;
		break;
	case RECORD_KICK:
		q->kicks += e->value[0];
		break;
	case RECORD_INTERRUPT:
		q->interrupts++;
		break;
	case RECORD_SUPPRESSED:
		q->suppressed++;
		break;
	case RECORD_FAULT:
		q->faults++;
		break;
	case RECORD_POPPED:
	case RECORD_UNPOPPED:
	case RECORD_PUSHED:
		summary_chain(s, q, e);
		break;
	default:
		break;
	}
}

static gint summary_order(gconstpointer a, gconstpointer b)
{
	const struct queue_sum *one = *(struct queue_sum *const *)a;
	const struct queue_sum *two = *(struct queue_sum *const *)b;

	if (one->device != two->device)
		return one->device < two->device ? -1 : 1;
	return (one->queue > two->queue) - (one->queue < two->queue);
}

static void summary_end(struct trace_sink *sink, struct trace_reader *t)
{
	struct trace_summary *s = (struct trace_summary *)sink;

	s->seconds = s->last > s->first ? (double)(s->last - s->first) / 1e9 : 0;
	s->bytes = trace_account(t).bytes;
	g_ptr_array_sort(s->queues, summary_order);
}

static void summary_free(struct trace_sink *sink)
{
	struct trace_summary *s = (struct trace_summary *)sink;

	g_hash_table_unref(s->by_key);
	g_ptr_array_unref(s->queues);
	trace_flights_free(s->flights);
	g_free(s);
}

struct trace_summary *trace_summary_new(void)
{
	struct trace_summary *s = g_new0(struct trace_summary, 1);

	s->base = (struct trace_sink){ summary_event, summary_end, summary_free };
	s->by_key = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	s->queues = g_ptr_array_new_with_free_func(queue_sum_free);
	s->flights = trace_flights_new();
	return s;
}

struct trace_sink *trace_summary_sink(struct trace_summary *s)
{
	return &s->base;
}

/*
 * What is said of a queue.
 */
static double part(double of, double in)
{
	return in > 0 ? of / in : 0;
}

static double sum_kicks(const struct queue_sum *q)
{
	return (double)q->kicks;
}

static double sum_interrupts(const struct queue_sum *q)
{
	return (double)q->interrupts;
}

static double sum_suppressed(const struct queue_sum *q)
{
	return (double)q->suppressed;
}

static double sum_chains(const struct queue_sum *q)
{
	return (double)q->chains;
}

static double sum_read(const struct queue_sum *q)
{
	return (double)q->bytes_read;
}

static double sum_written(const struct queue_sum *q)
{
	return (double)q->bytes_written;
}

static double sum_rate(const struct queue_sum *q)
{
	return q->last > q->first ? (double)q->chains * 1e9 / (double)(q->last - q->first) : 0;
}

/* Chains that became the driver's together. */
static double sum_batch(const struct queue_sum *q)
{
	return part((double)q->completed, (double)(q->interrupts + q->suppressed));
}

static double sum_quiet(const struct queue_sum *q)
{
	return 100 * part((double)q->suppressed, (double)(q->interrupts + q->suppressed));
}

static double sum_unkicked(const struct queue_sum *q)
{
	return q->kicks < q->chains ? 100 * (1 - part((double)q->kicks, (double)q->chains)) : 0;
}

static double sum_p50(const struct queue_sum *q)
{
	return latencies_ns(&q->latencies, 0.5) / 1e3;
}

static double sum_p99(const struct queue_sum *q)
{
	return latencies_ns(&q->latencies, 0.99) / 1e3;
}

static const struct column {
	const char *name;
	int width, digits;
	double (*of)(const struct queue_sum *q);
} columns[] = {
	{ "kicks", 10, 0, sum_kicks },
	{ "interrupts", 10, 0, sum_interrupts },
	{ "suppressed", 10, 0, sum_suppressed },
	{ "chains", 10, 0, sum_chains },
	{ "bytes-read", 13, 0, sum_read },
	{ "bytes-written", 13, 0, sum_written },
	{ "chains/s", 10, 0, sum_rate },
	{ "batch", 7, 2, sum_batch },
	{ "unkicked-%", 10, 1, sum_unkicked },
	{ "quiet-%", 8, 1, sum_quiet },
	{ "p50-us", 9, 1, sum_p50 },
	{ "p99-us", 9, 1, sum_p99 },
};

static bool queue_is_used(const struct queue_sum *q)
{
	return q->kicks || q->chains;
}

void trace_summary_print(const struct trace_summary *s, FILE *out)
{
	fprintf(out, "# %" PRIu64 " events in %.3f s; %" PRIu64 " bytes\n", s->events, s->seconds,
		s->bytes);
	fprintf(out, "%-12s %-6s", "# queue", "ring");
	for (size_t c = 0; c < G_N_ELEMENTS(columns); c++)
		fprintf(out, " %*s", columns[c].width, columns[c].name);
	fputc('\n', out);
	for (guint i = 0; i < s->queues->len; i++) {
		const struct queue_sum *q = g_ptr_array_index(s->queues, i);

		if (!queue_is_used(q))
			continue;
		fprintf(out, "%-12s %-6s", q->name, q->packed ? "packed" : "split");
		for (size_t c = 0; c < G_N_ELEMENTS(columns); c++)
			fprintf(out, " %*.*f", columns[c].width, columns[c].digits,
				columns[c].of(q));
		fputc('\n', out);
	}
}

static const struct queue_sum *summary_find(const struct trace_summary *s, const char *name)
{
	for (guint i = 0; i < s->queues->len; i++) {
		const struct queue_sum *q = g_ptr_array_index(s->queues, i);

		if (strcmp(q->name, name) == 0)
			return q;
	}
	return NULL;
}

static void compare_queue(const struct queue_sum *one, const struct queue_sum *two, FILE *out)
{
	fprintf(out, "%-12s %-14s %15s %15s %8s\n", one->name, "ring",
		one->packed ? "packed" : "split", two->packed ? "packed" : "split", "");
	for (size_t c = 0; c < G_N_ELEMENTS(columns); c++) {
		double a = columns[c].of(one), b = columns[c].of(two);

		fprintf(out, "%-12s %-14s %15.*f %15.*f", one->name, columns[c].name,
			columns[c].digits, a, columns[c].digits, b);
		if (fabs(a) > 0)
			fprintf(out, " %8.2f\n", b / a);
		else
			fprintf(out, " %8s\n", "-");
	}
}

void trace_summary_compare(const struct trace_summary *one, const struct trace_summary *two,
			   FILE *out)
{
	fprintf(out, "%-12s %-14s %15s %15s %8s\n", "# queue", "", "one", "two", "two/one");
	for (guint i = 0; i < one->queues->len; i++) {
		const struct queue_sum *q = g_ptr_array_index(one->queues, i);
		const struct queue_sum *other = summary_find(two, q->name);

		if (other && queue_is_used(q) && queue_is_used(other))
			compare_queue(q, other, out);
	}
}
