/*
 * A page that needs nothing but a browser: page.html, with the record put in as data. What is drawn
 * and added up is the page's; here events become rows, at most ROWS_MAX of them.
 */
#include <inttypes.h>

#include "tools/trace/sink.h"

#define ROWS_MAX 400000u /* requests, kicks, interrupts, marks: some ten bytes of the page each */
#define MARKER   "/*RECORD*/"

/* tools/trace/page.html, as it is, and a 0. */
extern const char trace_page[];
__asm__(".pushsection .rodata\n"
	".global trace_page\n"
	".hidden trace_page\n"
	"trace_page: .incbin \"tools/trace/page.html\"\n"
	".byte 0\n"
	".popsection\n");

struct html_chain {
	gint head;
	int64_t popped; /* ns */
	uint64_t readable, writable;
};

struct html_queue {
	unsigned number; /* in the page */
	char *name;
	bool packed;
	GHashTable *flying; /* of struct html_chain, by head */
	GString *requests, *kicks, *interrupts, *quiet;
};

struct html {
	struct trace_sink base;
	FILE *out;
	GHashTable *by_key;
	GPtrArray *queues; /* the same, in their order */
	GString *marks, *devices;
	uint64_t events;
	bool cut;
	int64_t first, last;
};

static void html_queue_free(void *queue)
{
	struct html_queue *q = queue;

	g_hash_table_unref(q->flying);
	g_string_free(q->requests, TRUE);
	g_string_free(q->kicks, TRUE);
	g_string_free(q->interrupts, TRUE);
	g_string_free(q->quiet, TRUE);
	g_free(q->name);
	g_free(q);
}

/* A script's string; nothing in it can end the script. */
static void html_string(GString *to, const char *at, size_t len)
{
	g_string_append_c(to, '"');
	for (size_t i = 0; i < len; i++) {
		char c = at[i];

		if (g_ascii_isalnum(c) || (c && strchr(" -_.,:;/+()", c)))
			g_string_append_c(to, c);
		else
			g_string_append_printf(to, "\\u%04x", (unsigned char)c);
	}
	g_string_append_c(to, '"');
}

static struct html_queue *html_queue(struct html *h, struct trace_reader *t,
				     const struct trace_event *e)
{
	const gint64 key = (gint64)e->device << 32 | (gint64)e->queue;
	struct html_queue *q = g_hash_table_lookup(h->by_key, &key);

	if (q)
		return q;
	q = g_new0(struct html_queue, 1);
	q->number = h->queues->len;
	q->name = g_strdup_printf("%s/%d", trace_device(t, e->device), e->queue);
	q->flying = g_hash_table_new_full(g_int_hash, g_int_equal, NULL, g_free);
	q->requests = g_string_new(NULL);
	q->kicks = g_string_new(NULL);
	q->interrupts = g_string_new(NULL);
	q->quiet = g_string_new(NULL);
	g_hash_table_insert(h->by_key, g_memdup2(&key, sizeof(key)), q);
	g_ptr_array_add(h->queues, q);
	return q;
}

/*
 * Rows.
 */
static void html_request(GString *to, const struct html_chain *c, int64_t ns, uint64_t len)
{
	g_string_append_printf(to,
			       "[%" PRId64 ",%" PRId64 ",%d,%" PRIu64 ",%" PRIu64 ",%" PRIu64 "],",
			       c->popped, ns, c->head, c->readable, c->writable, len);
}

static void html_popped(struct html_queue *q, const struct trace_event *e, int64_t ns)
{
	struct html_chain *c = g_new0(struct html_chain, 1);

	c->head = e->head;
	c->popped = ns;
	for (unsigned i = 0; i < e->n_bufs; i++)
		*(i < e->n_rd ? &c->readable : &c->writable) += e->buf[i].len;
	g_hash_table_replace(q->flying, &c->head, c);
}

static void html_gone(struct html_queue *q, const struct trace_event *e, int64_t ns)
{
	gint head = e->head;
	const struct html_chain *c = g_hash_table_lookup(q->flying, &head);

	if (c && e->type == RECORD_PUSHED)
		html_request(q->requests, c, MAX(ns - c->popped, 0), e->value[0]);
	g_hash_table_remove(q->flying, &head);
}

static void html_mark(struct html *h, struct trace_reader *t, const struct trace_event *e,
		      int64_t ns, const char *text, size_t len)
{
	const char *type = trace_type_name(e->type);
	const char *device = e->has_device ? trace_device(t, e->device) : "";
	bool queued = e->has_device && e->queue != TRACE_NO_QUEUE;

	g_string_append_printf(h->marks, "[%" PRId64 ",%d,\"%s\",", ns,
			       queued ? (int)html_queue(h, t, e)->number : -1, type);
	html_string(h->marks, text, len);
	g_string_append_c(h->marks, ',');
	html_string(h->marks, device, strlen(device));
	g_string_append(h->marks, "],\n");
}

static void html_mark_text(struct html *h, struct trace_reader *t, const struct trace_event *e,
			   int64_t ns)
{
	g_autofree char *text = NULL;

	switch (e->type) {
	case RECORD_RULE:
	case RECORD_FAULT:
		text = g_strdup_printf("%.*s%s%.*s", (int)e->text[0].len, e->text[0].at,
				       e->text[1].len ? ": " : "", (int)e->text[1].len,
				       e->text[1].at);
		break;
	case RECORD_LOST:
		text = g_strdup_printf("%" PRIu64 " events", e->value[0]);
		break;
	case RECORD_STATUS:
		text = g_strdup_printf("0x%" PRIx64 " to 0x%" PRIx64 "%s", e->value[0], e->value[1],
				       e->value[1] ? "" : ", a reset");
		break;
	case RECORD_QUEUE_START:
		text = g_strdup_printf("%" PRIu64 " entries", e->value[0]);
		break;
	case RECORD_QUEUE_STOP:
		text = g_strdup(e->value[0] ? "reset" : "pause");
		break;
	default:
		text = g_strdup("");
		break;
	}
	html_mark(h, t, e, ns, text, strlen(text));
}

static bool html_is_mark(enum record_type type)
{
	const uint32_t marks = 1u << RECORD_RULE | 1u << RECORD_FAULT | 1u << RECORD_LOST |
			       1u << RECORD_STATUS | 1u << RECORD_QUEUE_START |
			       1u << RECORD_QUEUE_STOP | 1u << RECORD_CONFIG_INTERRUPT;

	return marks >> type & 1;
}

static void html_device(struct html *h, struct trace_reader *t, const struct trace_event *e)
{
	g_autofree char *text = g_strdup_printf("%s (%s)", trace_device(t, e->device),
						trace_class(t, e->device));

	html_string(h->devices, text, strlen(text));
	g_string_append_c(h->devices, ',');
}

static void html_queue_event(struct html *h, struct trace_reader *t, const struct trace_event *e,
			     int64_t ns)
{
	struct html_queue *q = html_queue(h, t, e);

	switch (e->type) {
	case RECORD_POPPED:
		html_popped(q, e, ns);
		break;
	case RECORD_UNPOPPED:
	case RECORD_PUSHED:
		html_gone(q, e, ns);
		break;
	case RECORD_KICK:
		g_string_append_printf(q->kicks, "%" PRId64 ",", ns);
		break;
	case RECORD_INTERRUPT:
		g_string_append_printf(q->interrupts, "%" PRId64 ",", ns);
		break;
	case RECORD_SUPPRESSED:
		g_string_append_printf(q->quiet, "%" PRId64 ",", ns);
		break;
	case RECORD_QUEUE_START:
		q->packed = e->value[1] & RECORD_QUEUE_PACKED;
		break;
	case RECORD_QUEUE_STOP:
		if (e->value[0]) /* a reset: chains are void. A pause keeps them */
			g_hash_table_remove_all(q->flying);
		break;
	default:
		break;
	}
}

static void html_event(struct trace_sink *s, struct trace_reader *t, const struct trace_event *e)
{
	struct html *h = (struct html *)s;
	int64_t ns = (int64_t)(e->time - trace_begin(t));

	if (e->type == RECORD_DEVICE)
		html_device(h, t, e);
	if (h->events >= ROWS_MAX) {
		h->cut = true;
		return;
	}
	if (!h->events++)
		h->first = ns;
	h->last = MAX(h->last, ns);
	if (html_is_mark(e->type))
		html_mark_text(h, t, e, ns);
	if (e->has_device && e->queue != TRACE_NO_QUEUE)
		html_queue_event(h, t, e, ns);
}

/*
 * The page.
 */
/* Rows, each of which ends with a comma. */
static void html_print_rows(FILE *out, const char *name, const GString *rows)
{
	gsize len = rows->len;

	while (len && (rows->str[len - 1] == ',' || rows->str[len - 1] == '\n'))
		len--;
	fprintf(out, ",\n\"%s\":[%.*s]", name, (int)len, rows->str);
}

static void html_print_queue(FILE *out, struct html_queue *q)
{
	g_autoptr(GString) name = g_string_new(NULL);
	GHashTableIter i;
	gpointer c;

	g_hash_table_iter_init(&i, q->flying);
	while (g_hash_table_iter_next(&i, NULL, &c))
		html_request(q->requests, c, -1, 0);
	html_string(name, q->name, strlen(q->name));
	fprintf(out, "{\"name\":%s,\"packed\":%s", name->str, q->packed ? "true" : "false");
	html_print_rows(out, "requests", q->requests);
	html_print_rows(out, "kicks", q->kicks);
	html_print_rows(out, "interrupts", q->interrupts);
	html_print_rows(out, "quiet", q->quiet);
	fputc('}', out);
}

/* An object of JavaScript, and of JSON. */
static void html_print_record(struct html *h, struct trace_reader *t)
{
	struct trace_account a = trace_account(t);

	fprintf(h->out,
		"{\"first\":%" PRId64 ",\"last\":%" PRId64 ",\"events\":%" PRIu64
		",\"lost\":%" PRIu64 ",\"whole\":%s,\"cut\":%u",
		h->first, h->last, h->events, a.lost, a.whole ? "true" : "false",
		h->cut ? ROWS_MAX : 0);
	html_print_rows(h->out, "devices", h->devices);
	html_print_rows(h->out, "marks", h->marks);
	fputs(",\n\"queues\":[", h->out);
	for (guint i = 0; i < h->queues->len; i++) {
		if (i)
			fputs(",\n", h->out);
		html_print_queue(h->out, g_ptr_array_index(h->queues, i));
	}
	fputs("]}", h->out);
}

static void html_end(struct trace_sink *s, struct trace_reader *t)
{
	struct html *h = (struct html *)s;
	const char *marker = strstr(trace_page, MARKER);

	g_assert(marker);
	(void)fwrite(trace_page, 1, (size_t)(marker - trace_page), h->out);
	html_print_record(h, t);
	fputs(marker + strlen(MARKER), h->out);
}

static void html_free(struct trace_sink *s)
{
	struct html *h = (struct html *)s;

	g_hash_table_unref(h->by_key);
	g_ptr_array_unref(h->queues);
	g_string_free(h->marks, TRUE);
	g_string_free(h->devices, TRUE);
	g_free(h);
}

struct trace_sink *trace_html_new(FILE *out)
{
	struct html *h = g_new0(struct html, 1);

	h->base = (struct trace_sink){ html_event, html_end, html_free };
	h->out = out;
	h->by_key = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	h->queues = g_ptr_array_new_with_free_func(html_queue_free);
	h->marks = g_string_new(NULL);
	h->devices = g_string_new(NULL);
	return &h->base;
}
