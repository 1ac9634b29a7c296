/*
 * A line an event, as tcpdump has them: seconds since the record's begin, the thread, the device
 * and its queue, what happened.
 */
#include <inttypes.h>

#include "devices/registry.h"
#include "tools/trace/sink.h"
#include "virtqueue/vring.h"

#define A_LINE 16u /* bytes of a payload */

struct text {
	struct trace_sink base;
	FILE *out;
	bool bytes;
	struct trace_flights *flights;
};

static void text_printable(FILE *out, const struct trace_text *t)
{
	for (size_t i = 0; i < t->len; i++)
		fputc(g_ascii_isprint(t->at[i]) ? t->at[i] : '?', out);
}

static void text_hex(FILE *out, const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%02x", at[i]);
}

static void text_dump(const struct text *x, const struct trace_event *e)
{
	for (size_t i = 0; i < e->n_bytes; i += A_LINE) {
		size_t n = MIN(e->n_bytes - i, A_LINE);

		fprintf(x->out, "\t%06" PRIx64 " ", e->value[1] + i);
		for (size_t k = 0; k < A_LINE; k++)
			if (k < n)
				fprintf(x->out, " %02x", e->bytes[i + k]);
			else
				fputs("   ", x->out);
		fputs("  ", x->out);
		for (size_t k = 0; k < n; k++) {
			char c = (char)e->bytes[i + k];

			fputc(g_ascii_isprint(c) ? c : '.', x->out);
		}
		fputc('\n', x->out);
	}
}

/*
 * What the types have to say.
 */
static void text_status(FILE *out, uint64_t v)
{
	static const struct {
		unsigned bit;
		const char *name;
	} bits[] = {
		{ VIRTIO_S_ACKNOWLEDGE, "ACKNOWLEDGE" }, { VIRTIO_S_DRIVER, "DRIVER" },
		{ VIRTIO_S_FEATURES_OK, "FEATURES_OK" }, { VIRTIO_S_DRIVER_OK, "DRIVER_OK" },
		{ VIRTIO_S_NEEDS_RESET, "NEEDS_RESET" }, { VIRTIO_S_FAILED, "FAILED" },
	};

	fprintf(out, "0x%" PRIx64, v);
	for (size_t i = 0; i < G_N_ELEMENTS(bits); i++)
		if (v & bits[i].bit)
			fprintf(out, " %s", bits[i].name);
	if (!v)
		fputs(" reset", out);
}

static void text_features(FILE *out, struct trace_reader *t, const struct trace_event *e)
{
	const struct vdev_class *class = vdev_class_find(trace_class(t, e->device));

	for (unsigned bit = 0; bit < 128; bit++) {
		const char *name = class ? vdev_feature_name(class, bit) : "";

		if (!(e->value[bit / 64] >> bit % 64 & 1))
			continue;
		if (*name)
			fprintf(out, " %s", name);
		else
			fprintf(out, " %u", bit);
	}
}

static void text_bufs(FILE *out, const struct trace_event *e)
{
	for (unsigned i = 0; i < e->n_bufs; i++) {
		if (i == 0 || i == e->n_rd)
			fputs(i < e->n_rd ? " r" : " w", out);
		fprintf(out, " 0x%" PRIx64 "+%" PRIu64, e->buf[i].addr, e->buf[i].len);
	}
	if (e->n_bufs < e->n_rd + e->n_wr)
		fprintf(out, " and %u more", e->n_rd + e->n_wr - e->n_bufs);
}

static void text_chain(struct text *x, const struct trace_event *e)
{
	uint64_t ns;

	fprintf(x->out, " head %u", e->head);
	if (e->type == RECORD_POPPED)
		text_bufs(x->out, e);
	if (e->type == RECORD_PUSHED)
		fprintf(x->out, " len %" PRIu64, e->value[0]);
	if (trace_flights_event(x->flights, e, &ns))
		fprintf(x->out, " after %.3f us", (double)ns / 1e3);
}

static void text_queue(FILE *out, const struct trace_event *e)
{
	if (e->type == RECORD_QUEUE_START)
		fprintf(out,
			" size %" PRIu64 " %s desc 0x%" PRIx64 " driver 0x%" PRIx64
			" device 0x%" PRIx64,
			e->value[0], e->value[1] & RECORD_QUEUE_PACKED ? "packed" : "split",
			e->value[2], e->value[3], e->value[4]);
	else
		fprintf(out, " %s", e->value[0] ? "reset" : "pause");
}

static void text_texts(FILE *out, const struct trace_event *e)
{
	if (e->type == RECORD_FAULT)
		fprintf(out, " head %u", e->head);
	for (unsigned i = 0; i < 2; i++) {
		if (e->text[i].len)
			fputs(i ? ": " : " ", out);
		text_printable(out, &e->text[i]);
	}
}

static void text_payload(FILE *out, const struct trace_event *e)
{
	fprintf(out, " head %u %s", e->head, e->value[0] ? "written" : "read");
	if (e->type == RECORD_DIGEST) {
		fprintf(out, " %" PRIu64 " bytes digest ", e->value[1]);
		for (size_t i = e->n_bytes; i--;)
			fprintf(out, "%02x", e->bytes[i]);
	} else {
		fprintf(out, " %zu bytes at %" PRIu64 " of %" PRIu64, e->n_bytes, e->value[1],
			e->value[2]);
	}
}

static void text_words(struct text *x, struct trace_reader *t, const struct trace_event *e)
{
	FILE *out = x->out;

	switch (e->type) {
	case RECORD_DEVICE:
		fprintf(out, " %s, virtio device type %" PRIu64 ", %" PRIu64 " queues",
			trace_class(t, e->device), e->value[0], e->value[1]);
		break;
	case RECORD_THREAD:
		fprintf(out, " %" PRIu64, e->value[0]);
		break;
	case RECORD_LOST:
		fprintf(out, " %" PRIu64 " events", e->value[0]);
		break;
	case RECORD_READ:
	case RECORD_WRITE:
		fprintf(out, " 0x%" PRIx64 "+%" PRIu64 " = 0x%" PRIx64, e->value[0], e->value[1],
			e->value[2]);
		break;
	case RECORD_STATUS:
		fprintf(out, " 0x%" PRIx64 " -> ", e->value[0]);
		text_status(out, e->value[1]);
		break;
	case RECORD_FEATURES:
	case RECORD_OFFER:
		text_features(out, t, e);
		break;
	case RECORD_OPTIONS:
		fputc(' ', out);
		text_printable(out, &(struct trace_text){ (const char *)e->bytes, e->n_bytes });
		break;
	case RECORD_CONFIG_READ:
	case RECORD_CONFIG_WRITE:
		fprintf(out, " 0x%" PRIx64 "+%zu = ", e->value[0], e->n_bytes);
		text_hex(out, e->bytes, e->n_bytes);
		break;
	case RECORD_RULE:
	case RECORD_FAULT:
		text_texts(out, e);
		break;
	case RECORD_QUEUE_START:
	case RECORD_QUEUE_STOP:
		text_queue(out, e);
		break;
	case RECORD_KICK:
		if (e->value[0] != 1)
			fprintf(out, " %" PRIu64 " together", e->value[0]);
		break;
	case RECORD_POPPED:
	case RECORD_UNPOPPED:
	case RECORD_PUSHED:
		text_chain(x, e);
		break;
	case RECORD_PAYLOAD:
	case RECORD_DIGEST:
		text_payload(out, e);
		break;
	case RECORD_END:
		fprintf(out, " of the record: %" PRIu64 " events, %" PRIu64 " lost", e->value[0],
			e->value[1]);
		break;
	default: /* nothing more */
		break;
	}
}

static void text_event(struct trace_sink *s, struct trace_reader *t, const struct trace_event *e)
{
	struct text *x = (struct text *)s;
	int64_t ns = (int64_t)(e->time - trace_begin(t));
	g_autofree char *where = NULL;

	if (e->has_device && e->queue != TRACE_NO_QUEUE)
		where = g_strdup_printf("%s/%d", trace_device(t, e->device), e->queue);
	else
		where = g_strdup(e->has_device ? trace_device(t, e->device) : "-");
	fprintf(x->out, "%12.9f %-12s %-10s %s", (double)ns / 1e9, trace_thread(t, e->thread),
		where, trace_type_name(e->type));
	text_words(x, t, e);
	fputc('\n', x->out);
	if (x->bytes && e->type == RECORD_PAYLOAD)
		text_dump(x, e);
}

static void text_end(struct trace_sink *s, struct trace_reader *t)
{
	(void)s, (void)t;
}

static void text_free(struct trace_sink *s)
{
	trace_flights_free(((struct text *)s)->flights);
	g_free(s);
}

struct trace_sink *trace_text_new(FILE *out, bool bytes)
{
	struct text *x = g_new0(struct text, 1);

	x->base = (struct trace_sink){ text_event, text_end, text_free };
	x->out = out;
	x->bytes = bytes;
	x->flights = trace_flights_new();
	return &x->base;
}
