/*
 * Events made small: docs/record.md tells how.
 */
#include <string.h>

#include "devices/record/record-int.h"

static void encode_byte(struct record_writing *w, uint8_t byte)
{
	w->body[w->n++] = byte;
}

/* Seven bits a byte, the lowest first; the highest bit says that there are more. */
static void encode_number(struct record_writing *w, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		encode_byte(w, (uint8_t)(v | 0x80));
	encode_byte(w, (uint8_t)v);
}

static void encode_numbers(struct record_writing *w, const uint64_t *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		encode_number(w, v[i]);
}

static void encode_bytes(struct record_writing *w, const void *bytes, size_t len)
{
	encode_number(w, len);
	memcpy(w->body + w->n, bytes, len);
	w->n += len;
}

void record_encode_begin(struct record_writing *w)
{
	w->n = 0;
	w->events = w->losses = 0;
	w->lost = 0;
	w->device = RECORD_NO_DEVICE;
	w->queue = RECORD_NO_QUEUE;
	w->thread = 0;
	memset(w->places, 0, sizeof(w->places));
}

static void encode_head(struct record_writing *w, unsigned type, uint64_t time, unsigned thread)
{
	uint8_t first = (uint8_t)type;
	bool back;

	if (!w->events)
		w->first = w->time = time;
	back = time < w->time;
	if (back)
		first |= RECORD_BACK;
	if (thread != w->thread)
		first |= RECORD_THREADS;
	encode_byte(w, first);
	encode_number(w, back ? w->time - time : time - w->time);
	if (thread != w->thread)
		encode_number(w, thread);
	w->time = time;
	w->thread = thread;
	w->events++;
}

/* Of a device's events. */
static void encode_where(struct record_writing *w, const struct record_raw *raw, size_t head)
{
	if (raw->device == w->device && raw->queue == w->queue) {
		w->body[head] |= RECORD_SAME;
		return;
	}
	encode_number(w, raw->device);
	encode_number(w, raw->queue == RECORD_NO_QUEUE ? 0 : raw->queue + 1u);
	w->device = raw->device;
	w->queue = raw->queue;
}

/*
 * Chains.
 */
static void encode_address(struct record_writing *w, uint64_t addr, const uint64_t from[3])
{
	uint64_t best = UINT64_MAX;
	unsigned which = RECORD_AS_IT_IS;

	for (unsigned i = 0; i < 3; i++) {
		uint64_t delta = record_zigzag(addr - from[i]);

		if (delta < best) {
			best = delta;
			which = i;
		}
	}
	if (best >= 1ull << 61) {
		encode_byte(w, RECORD_AS_IT_IS);
		encode_number(w, addr);
		return;
	}
	encode_number(w, best << 2 | which);
}

static void encode_chain(struct record_writing *w, const struct record_raw *raw)
{
	struct record_place *place = record_place(w->places, raw->device, raw->queue);
	unsigned n_rd = raw->n & 0xffff, n_wr = raw->n >> 16, n = n_rd + n_wr;
	uint64_t from[3] = { 0 };

	encode_number(w, raw->head);
	if (n_rd < 15 && n_wr < 15) {
		encode_byte(w, (uint8_t)(n_rd | n_wr << 4));
	} else {
		encode_byte(w, UINT8_MAX);
		encode_number(w, n_rd);
		encode_number(w, n_wr);
	}
	for (unsigned i = 0; i < MIN(n, RECORD_BUFS_MAX); i++) {
		uint64_t addr = raw->arg[2ul * i], len = raw->arg[2ul * i + 1];

		from[RECORD_FROM_BEFORE] = i < RECORD_PLACE_BUFS ? place->addr[i] : 0;
		encode_address(w, addr, from);
		encode_number(w, len);
		from[RECORD_FROM_LAST] = addr + len;
		if (i == 0)
			from[RECORD_FROM_FIRST] = addr + len;
		if (i < RECORD_PLACE_BUFS)
			place->addr[i] = addr;
	}
}

/*
 * The rest.
 */
static void encode_texts(struct record_writing *w, const struct record_raw *raw, const uint64_t *at)
{
	size_t n1 = raw->n & 0xffff, n2 = raw->n >> 16;

	encode_bytes(w, at, n1);
	encode_bytes(w, (const char *)at + n1, n2);
}

static void encode_rest(struct record_writing *w, const struct record_raw *raw)
{
	static const uint8_t words[N_RECORD_TYPES] = {
		[RECORD_READ] = 3,     [RECORD_WRITE] = 3,       [RECORD_STATUS] = 2,
		[RECORD_FEATURES] = 2, [RECORD_QUEUE_START] = 5, [RECORD_QUEUE_STOP] = 1,
		[RECORD_KICK] = 1,
	};

	le64 digest;

	switch (raw->type) {
	case RECORD_DEVICE:
		encode_numbers(w, raw->arg, 2);
		encode_texts(w, raw, raw->arg + 2);
		break;
	case RECORD_CONFIG_READ:
	case RECORD_CONFIG_WRITE:
		encode_number(w, raw->arg[0]);
		encode_bytes(w, &raw->arg[1], raw->n);
		break;
	case RECORD_OPTIONS:
		encode_bytes(w, raw->arg, raw->n);
		break;
	case RECORD_OFFER:
		encode_numbers(w, raw->arg, 2);
		encode_bytes(w, &raw->arg[2], raw->n);
		break;
	case RECORD_FAULT:
		encode_number(w, raw->head);
		encode_texts(w, raw, raw->arg);
		break;
	case RECORD_RULE:
		encode_texts(w, raw, raw->arg);
		break;
	case RECORD_POPPED:
		encode_chain(w, raw);
		break;
	case RECORD_UNPOPPED:
		encode_number(w, raw->head);
		break;
	case RECORD_PUSHED:
		encode_number(w, raw->head);
		encode_number(w, raw->n);
		break;
	case RECORD_PAYLOAD:
		encode_number(w, raw->head);
		encode_numbers(w, raw->arg, 3);
		encode_bytes(w, &raw->arg[3], raw->n);
		break;
	case RECORD_DIGEST:
		encode_number(w, raw->head);
		encode_numbers(w, raw->arg, 2);
		digest = cpu_le64(raw->arg[2]);
		encode_bytes(w, &digest, sizeof(digest));
		break;
	default:
		encode_numbers(w, raw->arg, words[raw->type]);
	}
}

void record_encode_lost(struct record_writing *w, uint64_t time, unsigned thread, uint64_t lost)
{
	encode_head(w, RECORD_LOST, time, thread);
	encode_number(w, lost);
	w->losses++;
	w->lost += lost;
}

void record_encode(struct record_writing *w, const struct record_raw *raw, unsigned thread)
{
	size_t head = w->n;

	if (raw->type == RECORD_LOST) {
		record_encode_lost(w, raw->time, thread, raw->arg[0]);
		return;
	}
	encode_head(w, raw->type, raw->time, thread);
	encode_where(w, raw, head);
	encode_rest(w, raw);
}

void record_encode_thread(struct record_writing *w, const struct record_ring *ring, unsigned thread,
			  uint64_t time)
{
	encode_head(w, RECORD_THREAD, time, thread);
	encode_number(w, (uint64_t)ring->tid);
	encode_bytes(w, ring->name, strnlen(ring->name, sizeof(ring->name)));
}

void record_encode_end(struct record_writing *w, uint64_t time, uint64_t events, uint64_t lost)
{
	encode_head(w, RECORD_END, time, w->thread);
	encode_number(w, events);
	encode_number(w, lost);
}
