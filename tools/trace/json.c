/* An object a line. */
#include <inttypes.h>

#include "tools/trace/sink.h"

struct json {
	struct trace_sink base;
	FILE *out;
	struct trace_flights *flights;
};

/* What is no printable ASCII is told as the character of that number. */
static void json_string(FILE *out, const char *key, const char *at, size_t len)
{
	fprintf(out, ",\"%s\":\"", key);
	for (size_t i = 0; i < len; i++) {
		if (at[i] == '"' || at[i] == '\\' || !g_ascii_isprint(at[i]))
			fprintf(out, "\\u%04x", (unsigned char)at[i]);
		else
			fputc(at[i], out);
	}
	fputc('"', out);
}

static void json_hex(FILE *out, const uint8_t *at, size_t len)
{
	fputs(",\"bytes\":\"", out);
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%02x", at[i]);
	fputc('"', out);
}

/* What the numbers of each type are called. */
static const char *const json_numbers[N_RECORD_TYPES][5] = {
	[RECORD_DEVICE] = { "virtio-type", "queues" },
	[RECORD_THREAD] = { "tid" },
	[RECORD_LOST] = { "events" },
	[RECORD_READ] = { "offset", "width", "value" },
	[RECORD_WRITE] = { "offset", "width", "value" },
	[RECORD_STATUS] = { "before", "after" },
	[RECORD_FEATURES] = { "low", "high" },
	[RECORD_CONFIG_READ] = { "offset" },
	[RECORD_CONFIG_WRITE] = { "offset" },
	[RECORD_QUEUE_START] = { "size", "packed", "desc", "driver", "device-area" },
	[RECORD_QUEUE_STOP] = { "reset" },
	[RECORD_KICK] = { "kicks" },
	[RECORD_PUSHED] = { "len" },
	[RECORD_PAYLOAD] = { "written", "offset", "total" },
	[RECORD_DIGEST] = { "written", "total" },
	[RECORD_END] = { "events", "lost" },
	[RECORD_OFFER] = { "low", "high" },
};

static const char *const json_texts[N_RECORD_TYPES][2] = {
	[RECORD_DEVICE] = { "class", "id" },
	[RECORD_RULE] = { "rule", "where" },
	[RECORD_FAULT] = { "fault", "" },
};

static bool json_has_head(enum record_type type)
{
	return (type >= RECORD_POPPED && type <= RECORD_PUSHED) || type == RECORD_FAULT ||
	       type == RECORD_PAYLOAD || type == RECORD_DIGEST;
}

static void json_bufs(FILE *out, const struct trace_event *e)
{
	fprintf(out, ",\"readable\":%u,\"writable\":%u,\"buffers\":[", e->n_rd, e->n_wr);
	for (unsigned i = 0; i < e->n_bufs; i++)
		fprintf(out, "%s{\"address\":%" PRIu64 ",\"len\":%" PRIu64 ",\"write\":%s}",
			i ? "," : "", e->buf[i].addr, e->buf[i].len,
			i < e->n_rd ? "false" : "true");
	fputc(']', out);
}

static void json_event(struct trace_sink *s, struct trace_reader *t, const struct trace_event *e)
{
	struct json *j = (struct json *)s;
	FILE *out = j->out;
	uint64_t ns;

	fprintf(out, "{\"ns\":%" PRId64 ",\"thread\":%u,\"type\":\"%s\"",
		(int64_t)(e->time - trace_begin(t)), e->thread, trace_type_name(e->type));
	if (e->has_device) {
		const char *name = trace_device(t, e->device);

		json_string(out, "device", name, strlen(name));
	}
	if (e->queue != TRACE_NO_QUEUE)
		fprintf(out, ",\"queue\":%d", e->queue);
	if (json_has_head(e->type))
		fprintf(out, ",\"head\":%u", e->head);
	for (unsigned i = 0; i < 5 && json_numbers[e->type][i]; i++)
		fprintf(out, ",\"%s\":%" PRIu64, json_numbers[e->type][i], e->value[i]);
	for (unsigned i = 0; i < 2; i++)
		if (json_texts[e->type][i] && *json_texts[e->type][i])
			json_string(out, json_texts[e->type][i], e->text[i].at, e->text[i].len);
	if (e->type == RECORD_THREAD)
		json_string(out, "name", (const char *)e->bytes, e->n_bytes);
	else if (e->type == RECORD_OPTIONS)
		json_string(out, "options", (const char *)e->bytes, e->n_bytes);
	else if (e->bytes)
		json_hex(out, e->bytes, e->n_bytes);
	if (e->type == RECORD_POPPED)
		json_bufs(out, e);
	if (trace_flights_event(j->flights, e, &ns))
		fprintf(out, ",\"after-ns\":%" PRIu64, ns);
	fputs("}\n", out);
}

static void json_end(struct trace_sink *s, struct trace_reader *t)
{
	(void)s, (void)t;
}

static void json_free(struct trace_sink *s)
{
	trace_flights_free(((struct json *)s)->flights);
	g_free(s);
}

struct trace_sink *trace_json_new(FILE *out)
{
	struct json *j = g_new0(struct json, 1);

	j->base = (struct trace_sink){ json_event, json_end, json_free };
	j->out = out;
	j->flights = trace_flights_new();
	return &j->base;
}
