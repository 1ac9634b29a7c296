#include "tools/replay/script.h"

#include "devices/base/error.h"
#include "devices/core/vdev.h"

#define DEVICES_MAX 1024u
#define ADDRESS_MAX ((uint64_t)INT64_MAX / 2)
#define LENT_BEHIND (1ull << 30) /* where lent addresses begin is a multiple of this, */
#define LENT_BYTES  (1ull << 28) /* of which there are so many */

/* Reading: chains in flight by device, queue and head. */
struct script_reading {
	struct replay_script *s;
	GHashTable *flight; /* of guint64 to struct replay_chain */
	uint64_t number;
	bool torn; /* a chain ends that never began */
	GError **err;
};

static void script_chain_free(void *chain)
{
	struct replay_chain *c = chain;

	g_free(c->buf);
	g_byte_array_unref(c->read);
	g_byte_array_unref(c->written);
	g_free(c);
}

static void script_step_clear(void *step)
{
	struct replay_step *s = step;

	g_clear_pointer(&s->bytes, g_bytes_unref);
}

static void script_device_clear(void *device)
{
	struct replay_device *d = device;

	g_free(d->class);
	g_free(d->id);
	g_free(d->options);
	g_clear_pointer(&d->config, g_bytes_unref);
}

static bool script_bad(struct script_reading *r, const char *what)
{
	return ringside_usage(r->err, "replay %s: event %" G_GUINT64_FORMAT ": %s", r->s->file,
			      r->number, what);
}

/*
 * Chains.
 */
static guint64 script_key(const struct trace_event *e)
{
	return (guint64)e->device << 32 | (guint64)(e->queue & 0xffff) << 16 | e->head;
}

static struct replay_chain *script_in_flight(struct script_reading *r, const struct trace_event *e)
{
	guint64 key = script_key(e);

	return g_hash_table_lookup(r->flight, &key);
}

static bool script_popped(struct script_reading *r, const struct trace_event *e,
			  struct replay_step *step)
{
	struct replay_chain *c;

	if (e->n_bufs < e->n_rd + e->n_wr)
		return script_bad(r, "a chain of more buffers than a record has");
	if (e->queue == TRACE_NO_QUEUE)
		return script_bad(r, "a chain of no queue");
	c = g_new0(struct replay_chain, 1);
	g_ptr_array_add(r->s->chains, c);
	c->read = g_byte_array_new();
	c->written = g_byte_array_new();
	c->head = e->head;
	c->n_rd = e->n_rd;
	c->n_wr = e->n_wr;
	c->buf = g_memdup2(e->buf, e->n_bufs * sizeof(*e->buf));
	for (unsigned i = 0; i < e->n_bufs; i++) {
		uint64_t *sum = i < e->n_rd ? &c->readable : &c->writable;

		if (e->buf[i].len > UINT32_MAX || *sum + e->buf[i].len > UINT32_MAX)
			return script_bad(r, "a chain of 4 GiB or more");
		if (e->buf[i].addr > ADDRESS_MAX)
			return script_bad(r, "a buffer that ends nowhere");
		*sum += e->buf[i].len;
	}
	g_hash_table_replace(r->flight, g_memdup2(&(guint64){ script_key(e) }, sizeof(guint64)), c);
	step->chain = c;
	return true;
}

static bool script_ended(struct script_reading *r, const struct trace_event *e,
			 struct replay_step *step)
{
	guint64 key = script_key(e);

	step->chain = script_in_flight(r, e);
	if (!step->chain) { /* passed over: what was lost is told in the end */
		r->torn = true;
		return true;
	}
	if (e->type == RECORD_PUSHED) {
		step->chain->pushed = true;
		step->chain->len = (uint32_t)e->value[0];
	}
	g_hash_table_remove(r->flight, &key);
	return true;
}

/* Pieces come in order. */
static bool script_payload(struct script_reading *r, const struct trace_event *e)
{
	struct replay_chain *c = script_in_flight(r, e);
	GByteArray *to;

	if (!c) /* it was lost */
		return true;
	to = e->value[0] ? c->written : c->read;
	/* Holes show as a payload that is too short, and are those of lost events, mostly. */
	if (e->value[1] != to->len || e->n_bytes > UINT32_MAX - to->len)
		return true;
	g_byte_array_append(to, e->bytes, (guint)e->n_bytes);
	return true;
}

/*
 * Devices.
 */
static struct replay_device *script_device(struct script_reading *r, uint32_t number)
{
	if (number >= r->s->devices->len)
		g_array_set_size(r->s->devices, number + 1);
	return replay_device(r->s, number);
}

static char *script_text(const void *at, size_t len)
{
	return g_strndup(at, len); /* up to a NUL */
}

static void script_device_event(struct replay_device *d, const struct trace_event *e)
{
	switch (e->type) {
	case RECORD_DEVICE:
		script_device_clear(d);
		*d = (struct replay_device){
			.told = true,
			.class = script_text(e->text[0].at, e->text[0].len),
			.id = script_text(e->text[1].at, e->text[1].len),
			.n_queues = e->value[1],
		};
		break;
	case RECORD_OPTIONS:
		g_free(d->options);
		d->options = script_text(e->bytes, e->n_bytes);
		break;
	case RECORD_OFFER:
		g_clear_pointer(&d->config, g_bytes_unref);
		d->config = g_bytes_new(e->bytes, e->n_bytes);
		d->offered[0] = e->value[0];
		d->offered[1] = e->value[1];
		break;
	case RECORD_QUEUE_START:
		d->max_size = MAX(d->max_size, e->value[0]);
		break;
	default:
		break;
	}
}

/*
 * Events.
 */

/* What is no step of a replay: what the transport did (registers, kicks, interrupts). */
#define STEPS                                                                                   \
	(1u << RECORD_STATUS | 1u << RECORD_FEATURES | 1u << RECORD_CONFIG_READ |               \
	 1u << RECORD_CONFIG_WRITE | 1u << RECORD_CONFIG_INTERRUPT | 1u << RECORD_QUEUE_START | \
	 1u << RECORD_QUEUE_STOP | 1u << RECORD_POPPED | 1u << RECORD_UNPOPPED |                \
	 1u << RECORD_PUSHED | 1u << RECORD_FAULT)

static bool script_event(struct script_reading *r, const struct trace_event *e)
{
	struct replay_step step = {
		.type = e->type,
		.device = e->device,
		.queue = e->queue,
		.time = e->time,
		.number = r->number,
	};
	bool ok = true;

	if (!e->has_device)
		return true;
	if (e->device >= DEVICES_MAX)
		return script_bad(r, "too many devices");
	script_device_event(script_device(r, e->device), e);
	if (e->type == RECORD_PAYLOAD)
		return script_payload(r, e);
	if (e->type == RECORD_DIGEST)
		return script_bad(r, "a digest in place of a payload: record with payload=all");
	if (!(STEPS >> e->type & 1))
		return true;
	memcpy(step.value, e->value, sizeof(step.value));
	if (e->type == RECORD_POPPED)
		ok = script_popped(r, e, &step);
	else if (e->type == RECORD_UNPOPPED || e->type == RECORD_PUSHED)
		ok = script_ended(r, e, &step);
	if (!ok || (e->type >= RECORD_POPPED && e->type <= RECORD_PUSHED && !step.chain))
		return ok;
	if (e->n_bytes)
		step.bytes = g_bytes_new(e->bytes, e->n_bytes);
	g_array_append_val(r->s->steps, step);
	return true;
}

static bool script_read_events(struct script_reading *r, struct trace_reader *t)
{
	g_autoptr(GError) failed = NULL;
	struct trace_event e;

	while (trace_next(t, &e, &failed)) {
		if (!script_event(r, &e))
			return false;
		r->number++;
	}
	if (!failed)
		return true;
	g_propagate_error(r->err, g_steal_pointer(&failed));
	return false;
}

/*
 * Buffers in memory that a transport reached by messages have no address in a record: any will do,
 * if those in flight have different ones.
 */
static uint64_t script_end(const struct replay_script *s)
{
	uint64_t end = 0;

	for (guint i = 0; i < s->chains->len; i++) {
		const struct replay_chain *c = g_ptr_array_index(s->chains, i);

		for (unsigned k = 0; k < c->n_rd + c->n_wr; k++)
			end = MAX(end, c->buf[k].addr + c->buf[k].len);
	}
	return end;
}

static void script_lend_addresses(struct replay_script *s)
{
	uint64_t begin = (script_end(s) + LENT_BEHIND) / LENT_BEHIND * LENT_BEHIND, lent = 0;

	for (guint i = 0; i < s->chains->len; i++) {
		struct replay_chain *c = g_ptr_array_index(s->chains, i);

		for (unsigned k = 0; k < c->n_rd + c->n_wr; k++) {
			struct trace_buf *b = &c->buf[k];

			if (b->addr || b->len > LENT_BYTES)
				continue;
			if (lent + b->len > LENT_BYTES)
				lent = 0;
			b->addr = begin + lent;
			lent += (b->len + 63) & ~63ull;
		}
	}
}

/*
 * Is it all there?
 */
static int script_order(const void *one, const void *two)
{
	const struct replay_step *a = one, *b = two;

	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static bool script_has_payloads(const struct replay_script *s, GError **err)
{
	for (guint i = 0; i < s->chains->len; i++) {
		const struct replay_chain *c = g_ptr_array_index(s->chains, i);

		if (c->read->len != c->readable)
			return ringside_usage(err,
					      "replay %s: what chains carry was not recorded: "
					      "record with payload=all",
					      s->file);
	}
	return true;
}

static bool script_is_whole(const struct replay_script *s, GError **err)
{
	const struct trace_account *a = &s->account;

	if (a->lost || a->missing || a->bad)
		return ringside_usage(err,
				      "replay %s: %" G_GUINT64_FORMAT
				      " events are lost, %" G_GUINT64_FORMAT
				      " blocks are missing or make no sense: not to be replayed",
				      s->file, a->lost, a->missing + a->bad);
	for (guint i = 0; i < s->devices->len; i++)
		if (!replay_device(s, i)->told || !replay_device(s, i)->config ||
		    !replay_device(s, i)->options)
			return ringside_usage(err,
					      "replay %s: it does not say how device %u was made "
					      "(records of version 1 do not)",
					      s->file, i);
	return script_has_payloads(s, err);
}

struct replay_script *replay_script_read(const char *file, GError **err)
{
	struct replay_script *s = g_new0(struct replay_script, 1);
	struct script_reading r = { .s = s, .err = err };
	struct trace_reader *t = trace_open(file, err);
	bool ok;

	s->file = g_strdup(file);
	s->steps = g_array_new(FALSE, TRUE, sizeof(struct replay_step));
	s->devices = g_array_new(FALSE, TRUE, sizeof(struct replay_device));
	s->chains = g_ptr_array_new_with_free_func(script_chain_free);
	g_array_set_clear_func(s->steps, script_step_clear);
	g_array_set_clear_func(s->devices, script_device_clear);
	r.flight = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	ok = t && script_read_events(&r, t);
	g_hash_table_unref(r.flight);
	if (ok) {
		s->begin = trace_begin(t);
		s->account = trace_account(t);
		g_array_sort(s->steps, script_order);
		script_lend_addresses(s);
	}
	trace_close(t);
	if (ok && script_is_whole(s, err) &&
	    (!r.torn || ringside_usage(err, "replay %s: chains end that never began", file)))
		return s;
	replay_script_free(s);
	return NULL;
}

void replay_script_free(struct replay_script *s)
{
	if (!s)
		return;
	g_array_unref(s->steps);
	g_array_unref(s->devices);
	g_ptr_array_unref(s->chains);
	g_free(s->file);
	g_free(s);
}

const struct replay_step *replay_find(const struct replay_script *s, guint from, uint32_t device,
				      uint32_t types)
{
	for (guint i = from; i < s->steps->len; i++) {
		const struct replay_step *step = replay_step(s, i);

		if (step->device == device && types >> step->type & 1)
			return step;
	}
	return NULL;
}
