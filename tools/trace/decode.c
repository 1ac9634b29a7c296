/*
 * A block's bytes to events: the other side of devices/record/encode.c. Whatever goes past the end,
 * or cannot be, ends the block.
 */
#include "tools/trace/reader-int.h"

static uint8_t decode_byte(struct trace_block *b)
{
	if (!b->left) {
		b->bad = true;
		return 0;
	}
	b->left--;
	return *b->at++;
}

static uint64_t decode_number(struct trace_block *b)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = decode_byte(b);

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	b->bad = true;
	return 0;
}

/* A number that fits in what it is for. */
static uint32_t decode_small(struct trace_block *b, uint32_t max)
{
	uint64_t v = decode_number(b);

	if (v <= max)
		return (uint32_t)v;
	b->bad = true;
	return 0;
}

static void decode_bytes(struct trace_block *b, const uint8_t **ret, size_t *ret_len, size_t max)
{
	uint64_t len = decode_number(b);

	*ret = b->at;
	*ret_len = 0;
	if (len > b->left || len > max) {
		b->bad = true;
		return;
	}
	*ret_len = len;
	b->at += len;
	b->left -= len;
}

static void decode_texts(struct trace_block *b, struct trace_event *e)
{
	for (unsigned i = 0; i < 2; i++) {
		const uint8_t *at;

		decode_bytes(b, &at, &e->text[i].len, RECORD_TEXT_MAX);
		e->text[i].at = (const char *)at;
	}
}

/*
 * Chains.
 */
static uint64_t decode_address(struct trace_block *b, const uint64_t from[3])
{
	uint64_t v = decode_number(b);
	enum record_from how = v & 3;

	if (how == RECORD_AS_IT_IS) {
		b->bad |= v >> 2 != 0;
		return decode_number(b);
	}
	return from[how] + record_unzigzag(v >> 2);
}

static void decode_counts(struct trace_block *b, struct trace_event *e)
{
	uint8_t both = decode_byte(b);

	if (both == UINT8_MAX) {
		e->n_rd = decode_small(b, UINT16_MAX);
		e->n_wr = decode_small(b, UINT16_MAX);
	} else {
		e->n_rd = both & 15;
		e->n_wr = both >> 4;
	}
	e->n_bufs = MIN(e->n_rd + e->n_wr, RECORD_BUFS_MAX);
}

static void decode_chain(struct trace_block *b, struct trace_event *e)
{
	uint32_t queue = e->queue == TRACE_NO_QUEUE ? UINT16_MAX : (uint32_t)e->queue;
	struct record_place *place = record_place(b->places, e->device, queue);
	uint64_t from[3] = { 0 };

	e->head = (uint16_t)decode_small(b, UINT16_MAX);
	decode_counts(b, e);
	e->buf = b->bufs;
	for (unsigned i = 0; i < e->n_bufs && !b->bad; i++) {
		struct trace_buf *buf = &b->bufs[i];

		from[RECORD_FROM_BEFORE] = i < RECORD_PLACE_BUFS ? place->addr[i] : 0;
		buf->addr = decode_address(b, from);
		buf->len = decode_number(b);
		from[RECORD_FROM_LAST] = buf->addr + buf->len;
		if (i == 0)
			from[RECORD_FROM_FIRST] = buf->addr + buf->len;
		if (i < RECORD_PLACE_BUFS)
			place->addr[i] = buf->addr;
	}
}

/*
 * The rest, as rows: what follows an event's beginning, in this order.
 */
struct layout {
	bool device, head, chain;
	uint8_t numbers;
	bool texts, bytes;
};

static const struct layout layouts[N_RECORD_TYPES] = {
	[RECORD_DEVICE] = { .device = true, .numbers = 2, .texts = true },
	[RECORD_THREAD] = { .numbers = 1, .bytes = true },
	[RECORD_LOST] = { .numbers = 1 },
	[RECORD_READ] = { .device = true, .numbers = 3 },
	[RECORD_WRITE] = { .device = true, .numbers = 3 },
	[RECORD_STATUS] = { .device = true, .numbers = 2 },
	[RECORD_FEATURES] = { .device = true, .numbers = 2 },
	[RECORD_CONFIG_READ] = { .device = true, .numbers = 1, .bytes = true },
	[RECORD_CONFIG_WRITE] = { .device = true, .numbers = 1, .bytes = true },
	[RECORD_CONFIG_INTERRUPT] = { .device = true },
	[RECORD_RULE] = { .device = true, .texts = true },
	[RECORD_QUEUE_START] = { .device = true, .numbers = 5 },
	[RECORD_QUEUE_STOP] = { .device = true, .numbers = 1 },
	[RECORD_KICK] = { .device = true, .numbers = 1 },
	[RECORD_POPPED] = { .device = true, .chain = true },
	[RECORD_UNPOPPED] = { .device = true, .head = true },
	[RECORD_PUSHED] = { .device = true, .head = true, .numbers = 1 },
	[RECORD_INTERRUPT] = { .device = true },
	[RECORD_SUPPRESSED] = { .device = true },
	[RECORD_FAULT] = { .device = true, .head = true, .texts = true },
	[RECORD_PAYLOAD] = { .device = true, .head = true, .numbers = 3, .bytes = true },
	[RECORD_DIGEST] = { .device = true, .head = true, .numbers = 2, .bytes = true },
	[RECORD_END] = { .numbers = 2 },
	[RECORD_OPTIONS] = { .device = true, .bytes = true },
	[RECORD_OFFER] = { .device = true, .numbers = 2, .bytes = true },
};

static void decode_where(struct trace_block *b, struct trace_event *e, bool same)
{
	if (!same) {
		b->device = decode_small(b, UINT16_MAX);
		b->queue = (int)decode_small(b, UINT16_MAX) - 1;
	}
	e->has_device = true;
	e->device = b->device;
	e->queue = b->queue;
}

static void decode_rest(struct trace_block *b, struct trace_event *e, const struct layout *l)
{
	if (l->chain)
		decode_chain(b, e);
	if (l->head)
		e->head = (uint16_t)decode_small(b, UINT16_MAX);
	e->n_values = l->numbers;
	for (unsigned i = 0; i < l->numbers; i++)
		e->value[i] = decode_number(b);
	if (l->texts)
		decode_texts(b, e);
	if (l->bytes)
		decode_bytes(b, &e->bytes, &e->n_bytes, RECORD_BLOCK_MAX);
}

void trace_block_begin(struct trace_block *b, const uint8_t *body, size_t len, uint32_t events,
		       uint64_t time)
{
	b->at = body;
	b->left = len;
	b->events = events;
	b->bad = false;
	b->time = time;
	b->thread = 0;
	b->device = UINT16_MAX;
	b->queue = TRACE_NO_QUEUE;
	memset(b->places, 0, sizeof(b->places));
}

bool trace_block_next(struct trace_block *b, struct trace_event *ret)
{
	struct trace_event e = { .queue = TRACE_NO_QUEUE };
	uint64_t delta;
	uint8_t first;

	if (!b->events || b->bad)
		return false;
	first = decode_byte(b);
	delta = decode_number(b);
	e.type = first & RECORD_TYPE;
	if (e.type == 0 || e.type >= N_RECORD_TYPES) {
		b->bad = true;
		return false;
	}
	if (first & RECORD_THREADS)
		b->thread = decode_small(b, UINT16_MAX);
	b->time = first & RECORD_BACK ? b->time - delta : b->time + delta;
	e.time = b->time;
	e.thread = b->thread;
	if (layouts[e.type].device)
		decode_where(b, &e, first & RECORD_SAME);
	decode_rest(b, &e, &layouts[e.type]);
	if (b->bad)
		return false;
	b->events--;
	*ret = e;
	return true;
}
