/*
 * Both sides of a ring at random, in one thread, against a model that remembers everything: each
 * chain comes once, in order, with its bytes; comes back once, with what was written; and whoever
 * sleeps, having asked to be woken, is never left with work to do. Now and then the queue stops and
 * goes on, or is reset with chains under way, which are then gone for both sides.
 *
 * A failure prints its seed; RINGSIDE_SEED=seed repeats it, RINGSIDE_CHAINS=n makes it longer.
 */
#include "virtqueue/vq.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/support/ringpair.h"

#define PLACES  128 /* chains' places in memory; more than fit in a ring */
#define PLACE   1024ull
#define RING    64 /* largest ring */
#define N_BUFS  12
#define BUF_MAX 80

/* Half a place off, so that one place lies across the regions' border. */
#define PLACES_AT (RINGPAIR_BORDER - PLACES / 2 * PLACE - PLACE / 2)

struct sent {
	uint64_t number;
	uint32_t rd, wr, written;
	bool in_flight;
};

struct model {
	uint64_t seed, state;
	struct ringpair p;
	struct sent sent[PLACES]; /* by number % PLACES */
	uint64_t n_sent, n_popped, n_returned, n_never_popped;

	struct vq_chain *in_flight[RING]; /* the device's, oldest first */
	uint64_t number[RING];
	unsigned n_in_flight;

	bool device_sleeps, kick, driver_sleeps, interrupt;
};

static void check(const struct model *m, bool ok, const char *what)
{
	if (!ok)
		fail_msg("RINGSIDE_SEED=%" PRIu64 ": %s, after %" PRIu64 " chains", m->seed, what,
			 m->n_sent);
}

static uint64_t next_random(struct model *m)
{
	uint64_t z = m->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned below(struct model *m, unsigned n)
{
	return next_random(m) % n;
}

/* What the bytes of a chain are: readable and written ones differ. */
static uint8_t byte_of(uint64_t number, unsigned i, bool written)
{
	return (unsigned)number * 31 + i * 7 + written * 101;
}

static uint64_t place_of(uint64_t number)
{
	return PLACES_AT + number % PLACES * PLACE;
}

/* ---- the driver ---- */

/* Writes a chain to be sent. False if its place is not free. */
static bool write_chain(struct model *m, uint64_t number, struct drv_buf bufs[N_BUFS],
			struct drv_chain *ret_c)
{
	struct sent *s = &m->sent[number % PLACES];
	unsigned n = 1 + below(m, below(m, 8) ? 3 : N_BUFS), n_rd = below(m, n + 1);
	uint64_t gpa = place_of(number), at = gpa;

	if (s->in_flight)
		return false;
	*s = (struct sent){ .number = number, .in_flight = true };
	for (unsigned i = 0; i < n; i++) {
		bufs[i] = (struct drv_buf){ .gpa = at, .len = 1 + below(m, BUF_MAX) };
		at += bufs[i].len;
		*(i < n_rd ? &s->rd : &s->wr) += bufs[i].len;
	}
	for (unsigned i = 0; i < s->rd; i++)
		*(uint8_t *)ringpair_at(&m->p, gpa + i) = byte_of(number, i, false);
	*ret_c = (struct drv_chain){ .bufs = bufs, .n_rd = n_rd, .n_wr = n - n_rd, .cookie = s };
	return true;
}

static void send_some(struct model *m)
{
	unsigned n, sent, max = 1 + below(m, below(m, 4) ? 3 : RING);
	struct drv_buf bufs[RING][N_BUFS];
	struct drv_chain chains[RING];

	for (n = 0; n < max && write_chain(m, m->n_sent + n, bufs[n], &chains[n]); n++)
		;
	sent = drv_add_batch(&m->p.drv, chains, n);
	for (unsigned i = sent; i < n; i++)
		((struct sent *)chains[i].cookie)->in_flight = false;
	m->n_sent += sent;
	if (drv_publish(&m->p.drv))
		m->kick = true;
}

static void take_back(struct model *m, struct sent *s, uint32_t len)
{
	uint64_t number = s->number;

	check(m, number < m->n_popped && s->in_flight, "a chain comes back that was not out");
	check(m, len == s->written, "used length is not what was written");
	for (unsigned i = 0; i < len; i++)
		check(m,
		      *(uint8_t *)ringpair_at(&m->p, place_of(number) + s->rd + i) ==
			      byte_of(number, i, true),
		      "bytes are not what was written");
	check(m, !m->p.cfg.in_order || number == m->n_returned, "chains come back out of order");
	s->in_flight = false;
	m->n_returned++;
}

/* Up to @max; returns how many. */
static unsigned take_back_some(struct model *m, unsigned max)
{
	struct drv_done done[2 * RING];
	unsigned n = drv_used_batch(&m->p.drv, done, max);

	for (unsigned i = 0; i < n; i++)
		take_back(m, done[i].cookie, done[i].len);
	check(m, !m->p.drv.broken, "the device made no sense");
	return n;
}

/* Awake, or by the interrupt, or for a look in between. */
static void drive(struct model *m)
{
	unsigned max = 1 + below(m, 2 * RING), n;

	if (m->driver_sleeps && !m->interrupt) {
		send_some(m);
		return;
	}
	m->interrupt = m->driver_sleeps = false;
	if (below(m, 2))
		drv_disable_notify(&m->p.drv);
	n = take_back_some(m, max);
	if (below(m, 3))
		send_some(m);
	if (n < max)
		m->driver_sleeps = drv_enable_notify(&m->p.drv);
}

/* ---- the device ---- */

static void look_at(struct model *m, struct vq_chain *c)
{
	const struct sent *s = &m->sent[m->n_popped % PLACES];
	uint8_t bytes[PLACE];

	check(m, m->n_popped < m->n_sent, "a chain came that nobody sent");
	check(m, c->rd.left == s->rd && c->wr.left == s->wr, "a chain has other sizes");
	check(m, vq_pull_some(c, bytes, sizeof(bytes)) == s->rd, "a chain is short");
	for (unsigned i = 0; i < s->rd; i++)
		check(m, bytes[i] == byte_of(m->n_popped, i, false), "a chain has other bytes");
	m->in_flight[m->n_in_flight] = c;
	m->number[m->n_in_flight++] = m->n_popped++;
}

/* Answers the @i-th of those in flight. */
static struct vq_chain *answer(struct model *m, unsigned i)
{
	uint64_t number = m->number[i];
	struct sent *s = &m->sent[number % PLACES];
	struct vq_chain *c = m->in_flight[i];
	uint8_t bytes[PLACE];

	s->written = below(m, 3) ? s->wr : below(m, s->wr + 1);
	for (unsigned k = 0; k < s->written; k++)
		bytes[k] = byte_of(number, k, true);
	check(m, vq_put(c, bytes, s->written), "no room for what there was room for");
	m->n_in_flight--;
	memmove(&m->in_flight[i], &m->in_flight[i + 1],
		(m->n_in_flight - i) * sizeof(m->in_flight[0]));
	memmove(&m->number[i], &m->number[i + 1], (m->n_in_flight - i) * sizeof(m->number[0]));
	return c;
}

static void complete_some(struct model *m)
{
	unsigned n = m->n_in_flight ? below(m, m->n_in_flight + 1) : 0;
	struct vq_chain *c[RING];

	for (unsigned i = 0; i < n; i++)
		c[i] = answer(m, below(m, 2) ? 0 : below(m, m->n_in_flight));
	for (unsigned i = 0; i < n; i++)
		vq_push(m->p.vq, c[i]);
	if (vq_publish(m->p.vq))
		m->interrupt = true;
}

/* Pops, and sometimes gives some of it back. False if there was nothing. */
static bool pop_some(struct model *m)
{
	struct vq_chain *c[RING];
	int n = vq_pop(m->p.vq, c, 1 + below(m, RING));

	check(m, n >= 0, vq_fault_text(vq_fault(m->p.vq)));
	check(m, n > 0 || !vq_pending(m->p.vq), "pending, but not there");
	if (n > 0 && below(m, 8) == 0) {
		int keep = below(m, n);

		for (int i = n; i-- > keep;)
			vq_unpop(m->p.vq, c[i]);
		for (int i = 0; i < keep; i++)
			look_at(m, c[i]);
		return true;
	}
	for (int i = 0; i < n; i++)
		look_at(m, c[i]);
	return n > 0;
}

static void restart(struct model *m)
{
	m->p.cfg.position = vq_stop(m->p.vq);
	check(m, vq_start(m->p.vq, &m->p.mem, &m->p.cfg) == VQ_OK, "cannot go on");
	m->kick = true;
}

/* Of the queue or of the device, which to a ring is the same. The device ends what it has begun. */
static void reset(struct model *m)
{
	while (m->n_in_flight)
		vq_push(m->p.vq, m->in_flight[--m->n_in_flight]);
	(void)vq_stop(m->p.vq);
	check(m, drv_vq_init(&m->p.drv, &m->p.drv.cfg), "the driver cannot begin anew");
	m->p.cfg.position = vq_position_initial(m->p.cfg.packed);
	check(m, vq_start(m->p.vq, &m->p.mem, &m->p.cfg) == VQ_OK, "cannot begin anew");
	for (unsigned i = 0; i < PLACES; i++)
		m->sent[i].in_flight = false;
	m->n_never_popped += m->n_sent - m->n_popped;
	m->n_popped = m->n_returned = m->n_sent;
	m->kick = true;
	m->interrupt = true;
}

static void serve(struct model *m)
{
	if (below(m, 300) == 0)
		reset(m);
	else if (m->n_in_flight == 0 && below(m, 50) == 0)
		restart(m);
	if (m->device_sleeps && !m->kick) {
		complete_some(m);
		return;
	}
	m->kick = m->device_sleeps = false;
	if (below(m, 2))
		vq_disable_notify(m->p.vq);
	if (!pop_some(m))
		m->device_sleeps = vq_enable_notify(m->p.vq);
	if (below(m, 3))
		complete_some(m);
}

/* ---- the run ---- */

static void nobody_oversleeps(struct model *m)
{
	void *cookie;
	uint32_t len;

	if (m->device_sleeps && !m->kick)
		check(m, !vq_pending(m->p.vq), "a kick is lost");
	if (m->driver_sleeps && !m->interrupt && drv_used(&m->p.drv, &cookie, &len))
		check(m, false, "an interrupt is lost");
}

static void finish(struct model *m)
{
	while (pop_some(m))
		;
	while (m->n_in_flight)
		vq_push(m->p.vq, answer(m, below(m, m->n_in_flight)));
	vq_publish(m->p.vq);
	while (take_back_some(m, 1))
		;
	check(m, m->n_returned == m->n_sent, "chains are lost");
	check(m, vq_stats(m->p.vq)->chains == m->n_sent - m->n_never_popped,
	      "chains are miscounted");
	check(m, vq_stats(m->p.vq)->completed == vq_stats(m->p.vq)->chains,
	      "completions are miscounted");
	check(m, m->p.drv.n_free == m->p.cfg.size, "the driver lost descriptors");
}

static void run(unsigned bits, uint64_t seed, uint64_t chains)
{
	struct model *m = calloc(1, sizeof(*m));
	struct ringpair_spec spec = {
		.packed = bits & 1,
		.event_idx = bits & 2,
		.in_order = bits & 4,
		.indirect = bits & 8,
	};

	assert_non_null(m);
	m->seed = seed;
	m->state = seed + bits;
	spec.size = spec.packed ? 1 + below(m, RING) : 1u << below(m, 7);
	spec.start_at = spec.packed ? 0 : next_random(m);
	ringpair_open(&m->p, &spec);
	while (m->n_sent < chains) {
		if (below(m, 2))
			drive(m);
		else
			serve(m);
		nobody_oversleeps(m);
	}
	finish(m);
	ringpair_close(&m->p);
	free(m);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : otherwise;
}

static void nothing_is_lost_or_invented(void **state)
{
	uint64_t seed = number_from("RINGSIDE_SEED", (uint64_t)time(NULL));
	uint64_t chains = number_from("RINGSIDE_CHAINS", 2000);

	(void)state;
	for (unsigned bits = 0; bits < 16; bits++)
		for (unsigned i = 0; i < 4; i++)
			run(bits, seed + i * 1000ull, chains);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_or_invented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
