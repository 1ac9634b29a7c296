/*
 * A bare ring: one producer, one consumer, entries of 16 bytes, nothing else. No descriptors to
 * judge, no addresses to translate, no completions, no notifications: what the machine can do
 * between two processors, and so the limit for any ring of such entries.
 *
 * Each side publishes its index once a batch and remembers the other's as last seen, so that an
 * index's cache line travels once a batch at most.
 */
#include "tools/bench/ends.h"

struct entry {
	uint64_t addr;
	uint32_t len;
	uint16_t id, flags;
};

struct bench_bare {
	_Alignas(128) uint64_t head; /* produced */
	_Alignas(128) uint64_t tail; /* consumed */
	_Alignas(128) struct entry entry[];
};

struct cursor {
	uint64_t at, seen; /* our index; the other's as last read */
	unsigned place;
};

static void bare_step(const struct bench_ends *e, struct cursor *c)
{
	c->at++;
	if (++c->place == e->slots)
		c->place = 0;
}

/* True if a batch of @n went in. */
static bool produce(struct bench_ends *e, struct cursor *c, unsigned n)
{
	struct bench_bare *b = e->bare;

	if (e->slots - (c->at - c->seen) < n) {
		c->seen = __atomic_load_n(&b->tail, __ATOMIC_ACQUIRE);
		if (e->slots - (c->at - c->seen) < n)
			return false;
	}
	for (unsigned i = 0; i < n; i++) {
		b->entry[c->place] = (struct entry){ .addr = c->at, .len = 64, .id = 1 };
		bare_step(e, c);
	}
	__atomic_store_n(&b->head, c->at, __ATOMIC_RELEASE);
	return true;
}

/* True if there was something. */
static bool consume(struct bench_ends *e, struct cursor *c)
{
	struct bench_bare *b = e->bare;
	uint64_t n = c->seen - c->at;

	if (n == 0) {
		c->seen = __atomic_load_n(&b->head, __ATOMIC_ACQUIRE);
		n = c->seen - c->at;
	}
	if (n > e->batch)
		n = e->batch;
	for (uint64_t i = 0; i < n; i++) {
		struct entry entry = b->entry[c->place];

		if (entry.addr + entry.id != c->at + 1)
			bench_fail(e, "the bare ring lost something");
		bare_step(e, c);
	}
	if (n)
		__atomic_store_n(&b->tail, c->at, __ATOMIC_RELEASE);
	return n;
}

static struct cursor bare_begin(const struct bench_ends *e, uint64_t at)
{
	return (struct cursor){ .at = at, .seen = at, .place = (unsigned)(at % e->slots) };
}

static unsigned batch_of(const struct bench_ends *e, uint64_t left)
{
	return left < e->batch ? (unsigned)left : e->batch;
}

static void producer(struct bench_ends *e)
{
	struct cursor c = bare_begin(e, e->bare->head);
	uint64_t end = c.at + e->chains;
	unsigned last = 0;

	while (c.at < end && !bench_failed(e)) {
		unsigned polls = 0;
		uint64_t since;

		if (produce(e, &c, batch_of(e, end - c.at)))
			continue;
		since = bench_ticks();
		while (!bench_failed(e) && !produce(e, &c, batch_of(e, end - c.at)))
			bench_relax(&polls);
		e->driver.idle += bench_ticks() - since;
	}
	/* As a driver waits for the last completion. */
	while (!bench_failed(e) && __atomic_load_n(&e->bare->tail, __ATOMIC_ACQUIRE) != end)
		bench_relax(&last);
}

static void consumer(struct bench_ends *e)
{
	struct cursor c = bare_begin(e, e->bare->tail);
	uint64_t end = c.at + e->chains;

	while (c.at < end && !bench_failed(e)) {
		unsigned polls = 0;
		uint64_t since;

		if (consume(e, &c))
			continue;
		since = bench_ticks();
		while (!bench_failed(e) && !consume(e, &c))
			bench_relax(&polls);
		e->device.idle += bench_ticks() - since;
	}
}

static void bare_both(struct bench_ends *e)
{
	struct cursor in = bare_begin(e, e->bare->head), out = bare_begin(e, e->bare->tail);
	uint64_t end = in.at + e->chains;

	while (out.at < end && !bench_failed(e)) {
		uint64_t from = bench_ticks(), between, to;

		while (in.at < end && produce(e, &in, batch_of(e, end - in.at)))
			continue;
		between = bench_ticks();
		while (consume(e, &out))
			continue;
		to = bench_ticks();
		e->driver.idle += to - between;
		e->device.idle += between - from;
	}
}

const struct bench_work bench_bare_work = {
	.driver = producer,
	.device = consumer,
	.both = bare_both,
};
