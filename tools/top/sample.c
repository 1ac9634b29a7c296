#include "tools/top/sample.h"

#include <string.h>

static const char *const figures[N_TOP_FIGURES] = {
	[TOP_KICKS] = "kicks",
	[TOP_CHAINS] = "chains",
	[TOP_COMPLETED] = "completed",
	[TOP_BYTES_READ] = "bytes-read",
	[TOP_BYTES_WRITTEN] = "bytes-written",
	[TOP_INTERRUPTS] = "interrupts",
	[TOP_SUPPRESSED] = "suppressed",
	[TOP_FAULTS] = "faults",
};

static void sample_queue_free(gpointer p)
{
	struct top_queue *queue = p;

	g_free(queue->device);
	g_free(queue->type);
	g_free(queue->transport);
	g_free(queue->fault);
	g_free(queue);
}

void top_sample_free(struct top_sample *s)
{
	if (!s)
		return;
	g_free(s->name);
	g_free(s->status);
	g_ptr_array_unref(s->queues);
	g_free(s);
}

/*
 * Questions.
 */
typedef void (*sample_member_fn)(struct top_sample *s, JsonObject *member, const void *arg);

/* Calls @fn for each member of the array that is the answer. */
static bool sample_each(struct top_sample *s, struct top_client *c, const char *command,
			const char *args, sample_member_fn fn, const void *arg, GError **err)
{
	JsonNode *answer = top_ask(c, command, args, err);
	JsonArray *array;

	if (!answer)
		return false;
	array = json_node_get_array(answer);
	for (guint i = 0; i < json_array_get_length(array); i++)
		fn(s, json_node_get_object(json_array_get_element(array, i)), arg);
	json_node_unref(answer);
	return true;
}

static char *sample_string(struct top_client *c, const char *command, const char *member,
			   GError **err)
{
	JsonNode *answer = top_ask(c, command, NULL, err);
	JsonObject *o = answer ? json_node_get_object(answer) : NULL;
	char *ret = NULL;

	if (o && json_object_has_member(o, member))
		ret = g_strdup(json_object_get_string_member(o, member));
	else if (o)
		ret = g_strdup("");
	g_clear_pointer(&answer, json_node_unref);
	return ret;
}

static struct top_queue *sample_find(const struct top_sample *s, const char *device, gint64 q)
{
	for (guint i = 0; i < s->queues->len; i++) {
		struct top_queue *queue = g_ptr_array_index(s->queues, i);

		if (strcmp(queue->device, device) == 0 && queue->q == q)
			return queue;
	}
	return NULL;
}

static void sample_add_queue(struct top_sample *s, JsonObject *o, const void *arg)
{
	JsonObject *device = (JsonObject *)arg;
	struct top_queue *queue = g_new0(struct top_queue, 1);

	queue->device = g_strdup(json_object_get_string_member(device, "path"));
	queue->type = g_strdup(json_object_get_string_member(device, "name"));
	queue->transport = g_strdup(json_object_get_string_member(device, "transport"));
	queue->q = (unsigned)json_object_get_int_member(o, "queue");
	queue->enabled = json_object_get_boolean_member(o, "enabled");
	queue->started = json_object_get_boolean_member(o, "started");
	queue->size = (unsigned)json_object_get_int_member(o, "size");
	queue->in_flight = (unsigned)json_object_get_int_member(o, "in-flight");
	if (json_object_has_member(o, "fault"))
		queue->fault = g_strdup(json_object_get_string_member(o, "fault"));
	for (unsigned i = 0; i < N_TOP_FIGURES; i++)
		queue->figure[i] = (uint64_t)json_object_get_int_member(o, figures[i]);
	g_ptr_array_add(s->queues, queue);
}

static void sample_list_device(struct top_sample *s, JsonObject *o, const void *arg)
{
	GPtrArray *devices = (GPtrArray *)arg;

	(void)s;
	g_ptr_array_add(devices, json_object_ref(o));
}

static void sample_add_violations(struct top_sample *s, JsonObject *o, const void *arg)
{
	gint64 q = json_object_has_member(o, "queue") ? json_object_get_int_member(o, "queue") : 0;
	struct top_queue *queue = sample_find(s, json_object_get_string_member(o, "device"), q);

	(void)arg;
	if (queue && !json_object_get_boolean_member(o, "advice"))
		queue->violations += (uint64_t)json_object_get_int_member(o, "count");
}

static void sample_add_latencies(struct top_sample *s, JsonObject *o, const void *arg)
{
	g_auto(GStrv) words = g_strsplit(json_object_get_string_member(o, "object"), "/", 2);
	JsonArray *buckets = json_object_get_array_member(o, "buckets");
	struct top_queue *queue = sample_find(s, words[0],
					      words[1] ? g_ascii_strtoll(words[1], NULL, 10) : -1);

	(void)arg;
	for (guint i = 0; queue && i < json_array_get_length(buckets); i++) {
		JsonObject *b = json_node_get_object(json_array_get_element(buckets, i));
		uint64_t below = (uint64_t)json_object_get_int_member(b, "below-ns");
		uint64_t n = (uint64_t)json_object_get_int_member(b, "count");

		queue->latencies.in[latencies_bucket(below - 1)] += n;
		queue->latencies.n += n;
	}
}

static bool sample_ask_queues(struct top_sample *s, struct top_client *c, GError **err)
{
	g_autoptr(GPtrArray)
		devices = g_ptr_array_new_with_free_func((GDestroyNotify)json_object_unref);
	bool ok = sample_each(s, c, "query-virtio", NULL, sample_list_device, devices, err);

	for (guint i = 0; ok && i < devices->len; i++) {
		JsonObject *device = g_ptr_array_index(devices, i);
		g_autofree char *args = top_path_args(json_object_get_string_member(device, "path"),
						      -1);

		ok = sample_each(s, c, "query-virtio-queue", args, sample_add_queue, device, err);
	}
	return ok;
}

/* The same of what may be refused, which is no failure: *ret_told says whether it was not. */
static bool sample_each_told(struct top_sample *s, struct top_client *c, const char *command,
			     sample_member_fn fn, bool *ret_told, GError **err)
{
	g_autoptr(GError) failed = NULL;

	*ret_told = sample_each(s, c, command, NULL, fn, NULL, &failed);
	if (*ret_told || g_error_matches(failed, TOP_ERROR, TOP_REFUSED))
		return true;
	g_propagate_error(err, g_steal_pointer(&failed));
	return false;
}

struct top_sample *top_sample_new(struct top_client *c, GError **err)
{
	struct top_sample *s = g_new0(struct top_sample, 1);
	bool measured; /* not while the machine is about to stop */

	s->queues = g_ptr_array_new_with_free_func(sample_queue_free);
	s->at = g_get_monotonic_time();
	s->name = sample_string(c, "query-name", "name", err);
	if (s->name)
		s->status = sample_string(c, "query-status", "status", err);
	if (s->status && sample_ask_queues(s, c, err) &&
	    sample_each_told(s, c, "query-check", sample_add_violations, &s->checked, err) &&
	    sample_each_told(s, c, "query-latency", sample_add_latencies, &measured, err))
		return s;
	top_sample_free(s);
	return NULL;
}

/*
 * Between two.
 */
static uint64_t sample_grown(uint64_t before, uint64_t after)
{
	return after > before ? after - before : 0; /* the device may be another by now */
}

static void sample_measure(struct top_row *row, const struct top_queue *before)
{
	struct latencies l = { 0 };

	for (unsigned at = 0; at < LATENCY_BUCKETS; at++) {
		l.in[at] = sample_grown(before->latencies.in[at], row->queue->latencies.in[at]);
		l.n += l.in[at];
	}
	row->measured = l.n;
	row->p50 = latencies_ns(&l, 0.5);
	row->p90 = latencies_ns(&l, 0.9);
	row->p99 = latencies_ns(&l, 0.99);
	row->p999 = latencies_ns(&l, 0.999);
}

static void sample_compare(struct top_row *row, const struct top_queue *before, double seconds)
{
	uint64_t grown[N_TOP_FIGURES], batches;

	for (unsigned i = 0; i < N_TOP_FIGURES; i++) {
		grown[i] = sample_grown(before->figure[i], row->queue->figure[i]);
		row->rate[i] = (double)grown[i] / seconds;
	}
	batches = grown[TOP_INTERRUPTS] + grown[TOP_SUPPRESSED];
	if (batches) {
		row->batch = (double)grown[TOP_COMPLETED] / (double)batches;
		row->suppressed = (double)grown[TOP_SUPPRESSED] / (double)batches;
	}
	sample_measure(row, before);
}

GArray *top_rows_new(const struct top_sample *before, const struct top_sample *after)
{
	GArray *rows = g_array_new(FALSE, TRUE, sizeof(struct top_row));
	double seconds = before ? (double)(after->at - before->at) / G_USEC_PER_SEC : 0;

	for (guint i = 0; i < after->queues->len; i++) {
		const struct top_queue *queue = g_ptr_array_index(after->queues, i), *old = NULL;
		struct top_row row = { .queue = queue, .checked = after->checked };

		if (before)
			old = sample_find(before, queue->device, queue->q);
		if (old && seconds > 0)
			sample_compare(&row, old, seconds);
		g_array_append_val(rows, row);
	}
	return rows;
}
