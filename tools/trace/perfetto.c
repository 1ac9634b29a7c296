/*
 * For Perfetto and chrome://tracing, in the JSON that both read: a process a device, a track a
 * queue. A request is a slice from when the device took its chain to when it gave it back; beside
 * them the number of chains in flight, kicks and interrupts, with an arrow from a kick to the
 * interrupt that follows it; what concerns no queue is on a track of the device's own.
 */
#include <inttypes.h>

#include "tools/trace/sink.h"

struct perfetto_queue {
	uint64_t depth;
	uint64_t flow; /* of the last kick that no interrupt has followed; 0: there is none */
};

struct perfetto {
	struct trace_sink base;
	FILE *out;
	bool begun;
	uint64_t flows;
	/* Of struct perfetto_queue; those of number -1 say that a device is known. */
	GHashTable *queues;
};

static void perfetto_begin(struct perfetto *p)
{
	fputs(p->begun ? ",\n" : "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", p->out);
	p->begun = true;
}

static double perfetto_us(struct trace_reader *t, uint64_t time)
{
	return (double)(int64_t)(time - trace_begin(t)) / 1e3;
}

/* Names have no characters that JSON would mind: the reader sees to it, but for these two. */
static char *perfetto_name(const char *name)
{
	return g_strdelimit(g_strdup(name), "\"\\", '?');
}

static void perfetto_name_process(struct perfetto *p, struct trace_reader *t, uint32_t device)
{
	const gint64 key = (gint64)device << 32;
	g_autofree char *name = perfetto_name(trace_device(t, device));

	if (g_hash_table_contains(p->queues, &key))
		return;
	g_hash_table_insert(p->queues, g_memdup2(&key, sizeof(key)),
			    g_new0(struct perfetto_queue, 1));
	perfetto_begin(p);
	fprintf(p->out,
		"{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%u,\"args\":{\"name\":\"%s\"}}",
		device + 1, name);
	perfetto_begin(p);
	fprintf(p->out,
		"{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%u,\"tid\":0,\"args\":{\"name\":"
		"\"device\"}}",
		device + 1);
}

static struct perfetto_queue *perfetto_queue(struct perfetto *p, const struct trace_event *e)
{
	const gint64 key = (gint64)e->device << 32 | (gint64)(e->queue + 1);
	struct perfetto_queue *q = g_hash_table_lookup(p->queues, &key);

	if (q)
		return q;
	q = g_new0(struct perfetto_queue, 1);
	g_hash_table_insert(p->queues, g_memdup2(&key, sizeof(key)), q);
	perfetto_begin(p);
	fprintf(p->out,
		"{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%u,\"tid\":%d,\"args\":{\"name\":"
		"\"queue %d\"}}",
		e->device + 1, e->queue + 1, e->queue);
	return q;
}

/* What every event has, up to its args. */
static void perfetto_event_begin(struct perfetto *p, struct trace_reader *t,
				 const struct trace_event *e, const char *ph, const char *name)
{
	perfetto_begin(p);
	fprintf(p->out, "{\"ph\":\"%s\",\"name\":\"%s\",\"pid\":%u,\"tid\":%d,\"ts\":%.3f", ph,
		name, e->device + 1, e->queue + 1, perfetto_us(t, e->time));
}

static void perfetto_instant(struct perfetto *p, struct trace_reader *t,
			     const struct trace_event *e)
{
	perfetto_event_begin(p, t, e, "i", trace_type_name(e->type));
	fputs(",\"s\":\"t\",\"args\":{", p->out);
	for (unsigned i = 0; i < 2; i++) {
		if (!e->text[i].len)
			continue;
		fprintf(p->out, "%s\"%u\":\"", i ? "," : "", i);
		for (size_t k = 0; k < e->text[i].len; k++) {
			char c = e->text[i].at[k];

			fputc(g_ascii_isprint(c) && c != '"' && c != '\\' ? c : '?', p->out);
		}
		fputc('"', p->out);
	}
	if (!e->text[0].len)
		fprintf(p->out, "\"a\":%" PRIu64 ",\"b\":%" PRIu64 ",\"c\":%" PRIu64, e->value[0],
			e->value[1], e->value[2]);
	fputs("}}", p->out);
}

/* An arrow's begin ("s") or end ("f"); slices of no length carry it. */
static void perfetto_flow(struct perfetto *p, struct trace_reader *t, const struct trace_event *e,
			  const char *ph, uint64_t flow)
{
	perfetto_event_begin(p, t, e, "X", trace_type_name(e->type));
	fputs(",\"dur\":0.001}", p->out);
	perfetto_event_begin(p, t, e, ph, "kick to interrupt");
	fprintf(p->out, ",\"cat\":\"flow\",\"bp\":\"e\",\"id\":%" PRIu64 "}", flow);
}

static void perfetto_depth(struct perfetto *p, struct trace_reader *t, const struct trace_event *e,
			   uint64_t depth)
{
	g_autofree char *name = g_strdup_printf("queue %d in flight", e->queue);

	perfetto_event_begin(p, t, e, "C", name);
	fprintf(p->out, ",\"args\":{\"chains\":%" PRIu64 "}}", depth);
}

static void perfetto_chain(struct perfetto *p, struct trace_reader *t, struct perfetto_queue *q,
			   const struct trace_event *e)
{
	bool begins = e->type == RECORD_POPPED;
	g_autofree char *name = g_strdup_printf("head %u", e->head);

	if (!begins && !q->depth)
		return; /* its begin is not in the record */
	q->depth += begins ? 1 : UINT64_MAX;
	perfetto_event_begin(p, t, e, begins ? "b" : "e", name);
	fprintf(p->out, ",\"cat\":\"queue %d\",\"id\":\"%u/%d/%u\",\"args\":{", e->queue, e->device,
		e->queue, e->head);
	if (begins)
		fprintf(p->out, "\"readable\":%u,\"writable\":%u", e->n_rd, e->n_wr);
	else
		fprintf(p->out, "\"%s\":%" PRIu64,
			e->type == RECORD_PUSHED ? "used length" : "unpopped", e->value[0]);
	fputs("}}", p->out);
	perfetto_depth(p, t, e, q->depth);
}

static void perfetto_queue_event(struct perfetto *p, struct trace_reader *t,
				 const struct trace_event *e)
{
	struct perfetto_queue *q = perfetto_queue(p, e);

	switch (e->type) {
	case RECORD_POPPED:
	case RECORD_UNPOPPED:
	case RECORD_PUSHED:
		perfetto_chain(p, t, q, e);
		break;
	case RECORD_KICK:
		if (!q->flow)
			perfetto_flow(p, t, e, "s", q->flow = ++p->flows);
		else
			perfetto_instant(p, t, e);
		break;
	case RECORD_INTERRUPT:
		if (q->flow)
			perfetto_flow(p, t, e, "f", q->flow);
		else
			perfetto_instant(p, t, e);
		q->flow = 0;
		break;
	case RECORD_PAYLOAD:
	case RECORD_DIGEST:
		break;
	default:
		perfetto_instant(p, t, e);
		break;
	}
}

static void perfetto_event(struct trace_sink *s, struct trace_reader *t,
			   const struct trace_event *e)
{
	struct perfetto *p = (struct perfetto *)s;

	if (!e->has_device)
		return;
	perfetto_name_process(p, t, e->device);
	if (e->queue != TRACE_NO_QUEUE)
		perfetto_queue_event(p, t, e);
	else
		perfetto_instant(p, t, e);
}

static void perfetto_end(struct trace_sink *s, struct trace_reader *t)
{
	struct perfetto *p = (struct perfetto *)s;

	(void)t;
	fputs(p->begun ? "\n]}\n" : "{\"traceEvents\":[]}\n", p->out);
}

static void perfetto_free(struct trace_sink *s)
{
	struct perfetto *p = (struct perfetto *)s;

	g_hash_table_unref(p->queues);
	g_free(p);
}

struct trace_sink *trace_perfetto_new(FILE *out)
{
	struct perfetto *p = g_new0(struct perfetto, 1);

	p->base = (struct trace_sink){ perfetto_event, perfetto_end, perfetto_free };
	p->out = out;
	p->queues = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	return &p->base;
}
