/* What an observer of a queue is told, and what a filter can do: every case runs on every ring. */
#include "virtqueue/observe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/ringpair.h"

#define SIZE RINGPAIR_SIZE

/* ---- observers ---- */

struct looker {
	struct vq_observer base;
	unsigned popped, unpopped, pushed, published, interrupts, broken;
	uint64_t readable, written;
	uint16_t last_id;
	enum vq_fault fault;
};

static void see_popped(struct vq_observer *o, const struct vq_chain *c)
{
	struct looker *l = (struct looker *)o;

	l->popped++;
	l->readable += c->rd.left;
}

static void see_unpopped(struct vq_observer *o, const struct vq_chain *c)
{
	struct looker *l = (struct looker *)o;

	l->unpopped++;
	l->last_id = c->id;
}

static void see_pushed(struct vq_observer *o, const struct vq_chain *c, uint32_t len)
{
	struct looker *l = (struct looker *)o;

	l->pushed++;
	l->written += len;
	l->last_id = c->id;
}

static void see_published(struct vq_observer *o, bool interrupt)
{
	struct looker *l = (struct looker *)o;

	l->published++;
	l->interrupts += interrupt;
}

static void see_broken(struct vq_observer *o, enum vq_fault fault, uint16_t head)
{
	struct looker *l = (struct looker *)o;

	(void)head;
	l->broken++;
	l->fault = fault;
}

static const struct vq_observer_ops looker_ops = { see_popped, see_unpopped, see_pushed,
						   see_published, see_broken };

static void all_that_passes_is_told_run(const struct ringpair_spec *spec)
{
	struct looker l = { .base.ops = &looker_ops };
	struct vq_chain *c[SIZE];
	struct ringpair p;
	uint16_t id;

	ringpair_open(&p, spec);
	vq_observe(p.vq, &l.base);
	ringpair_send_numbered(&p, 4);
	assert_int_equal(vq_pop(p.vq, c, SIZE), 4);
	assert_int_equal(l.popped, 4);
	assert_int_equal(l.readable, vq_stats(p.vq)->bytes_read);
	id = c[3]->id;
	vq_unpop(p.vq, c[3]);
	assert_int_equal(l.unpopped, 1);
	assert_int_equal(l.last_id, id);
	assert_int_equal(vq_pop(p.vq, &c[3], 1), 1);
	assert_int_equal(l.popped, 5);
	for (unsigned i = 0; i < 4; i++)
		ringpair_complete(&p, c[i]);
	assert_int_equal(l.pushed, 4);
	assert_int_equal(l.published, 0);
	(void)vq_publish(p.vq);
	assert_int_equal(l.published, 1);
	assert_int_equal(l.interrupts, vq_stats(p.vq)->interrupts);
	assert_int_equal(l.written, vq_stats(p.vq)->bytes_written);
	assert_true(l.written > 0);
	ringpair_close(&p);
}

static void all_that_passes_is_told(void **state)
{
	(void)state;
	ringpair_each(all_that_passes_is_told_run);
}

/* It stays when a queue stops and starts; and who goes is told nothing any more. */
static void an_observer_stays_until_it_goes_run(const struct ringpair_spec *spec)
{
	struct looker l = { .base.ops = &looker_ops };
	struct ringpair p;

	ringpair_open(&p, spec);
	vq_observe(p.vq, &l.base);
	p.cfg.position = vq_stop(p.vq);
	assert_int_equal(vq_start(p.vq, &p.mem, &p.cfg), VQ_OK);
	ringpair_send_numbered(&p, 2);
	ringpair_complete(&p, ringpair_pop(&p));
	assert_int_equal(l.popped, 1);
	assert_int_equal(l.pushed, 1);
	vq_observe(p.vq, NULL);
	ringpair_complete(&p, ringpair_pop(&p));
	(void)vq_publish(p.vq);
	assert_int_equal(l.popped, 1);
	assert_int_equal(l.pushed, 1);
	assert_int_equal(l.published, 0);
	ringpair_close(&p);
}

static void an_observer_stays_until_it_goes(void **state)
{
	(void)state;
	ringpair_each(an_observer_stays_until_it_goes_run);
}

static void a_fault_is_told_once(void **state)
{
	struct ringpair_spec spec = { .size = SIZE };
	struct looker l = { .base.ops = &looker_ops };
	struct vq_chain *c;
	struct ringpair p;

	(void)state;
	ringpair_open(&p, &spec);
	vq_observe(p.vq, &l.base);
	ringpair_offer(&p, SIZE + 1);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(vq_pop(p.vq, &c, 1), -1);
	assert_int_equal(l.broken, 1);
	assert_int_equal(l.fault, VQ_FAULT_HEAD);
	assert_int_equal(l.popped, 0);
	(void)vq_stop(p.vq);
	p.cfg.desc = RINGPAIR_END;
	assert_int_equal(vq_start(p.vq, &p.mem, &p.cfg), VQ_FAULT_RING_ADDRESS);
	assert_int_equal(l.broken, 2);
	assert_int_equal(l.fault, VQ_FAULT_RING_ADDRESS);
	ringpair_close(&p);
}

/* Each function is optional. */
static void nothing_need_be_looked_at(void **state)
{
	static const struct vq_observer_ops none;
	struct ringpair_spec spec = { .size = SIZE };
	struct vq_observer o = { &none };
	struct ringpair p;
	struct vq_chain *c;

	(void)state;
	ringpair_open(&p, &spec);
	vq_observe(p.vq, &o);
	ringpair_send_numbered(&p, 1);
	c = ringpair_pop(&p);
	vq_unpop(p.vq, c);
	ringpair_complete(&p, ringpair_pop(&p));
	assert_true(vq_publish(p.vq));
	ringpair_offer(&p, SIZE + 1);
	assert_int_equal(vq_pop(p.vq, &c, 1), -1);
	ringpair_close(&p);
}

/* ---- filters ---- */

struct holder {
	struct vq_filter base;
	struct vq_chain *held[SIZE];
	unsigned n;
	bool off;
	size_t written; /* what each says it wrote; 0: what it wrote */
};

static bool hold(struct vq_filter *f, struct vq_chain *c)
{
	struct holder *h = (struct holder *)f;

	if (h->written)
		c->written = h->written;
	if (!h->off)
		h->held[h->n++] = c;
	return h->off;
}

static void what_is_held_comes_later_run(const struct ringpair_spec *spec)
{
	struct holder h = { .base.push = hold };
	struct looker l = { .base.ops = &looker_ops };
	struct ringpair p;
	void *cookie;
	uint32_t len;

	ringpair_open(&p, spec);
	vq_filter(p.vq, &h.base);
	vq_observe(p.vq, &l.base);
	ringpair_send_numbered(&p, 3);
	for (unsigned i = 0; i < 3; i++)
		ringpair_complete(&p, ringpair_pop(&p));
	assert_false(vq_publish(p.vq));
	assert_int_equal(h.n, 3);
	assert_int_equal(l.pushed, 0);
	assert_int_equal(vq_in_flight(p.vq), 3);
	assert_false(drv_used(&p.drv, &cookie, &len));
	while (h.n)
		vq_complete(p.vq, h.held[--h.n]);
	assert_int_equal(l.pushed, 3);
	(void)vq_publish(p.vq);
	for (unsigned i = 0; i < 3; i++)
		assert_true(drv_used(&p.drv, &cookie, &len));
	assert_int_equal(vq_in_flight(p.vq), 0);
	ringpair_close(&p);
}

static void what_is_held_comes_later(void **state)
{
	(void)state;
	ringpair_each(what_is_held_comes_later_run);
}

/* And the driver gets no more than there was room for. */
static void a_length_can_be_changed_run(const struct ringpair_spec *spec)
{
	struct holder h = { .base.push = hold, .off = true, .written = 3 };
	struct ringpair p;
	struct vq_chain *c;

	ringpair_open(&p, spec);
	vq_filter(p.vq, &h.base);
	(void)ringpair_send(&p, RINGPAIR_DATA, 16, 1, 1);
	ringpair_complete(&p, ringpair_pop(&p));
	(void)vq_publish(p.vq);
	assert_int_equal(ringpair_used(&p), 3);
	h.written = 17;
	(void)ringpair_send(&p, RINGPAIR_DATA, 16, 1, 1);
	c = ringpair_pop(&p);
	vq_push(p.vq, c);
	(void)vq_publish(p.vq);
	assert_int_equal(ringpair_used(&p), 16);
	ringpair_close(&p);
}

static void a_length_can_be_changed(void **state)
{
	(void)state;
	ringpair_each(a_length_can_be_changed_run);
}

/* A driver that trusts us is surprised; our side of the ring stays sound, lap after lap. */
static void a_chain_can_be_used_twice_run(const struct ringpair_spec *spec)
{
	struct ringpair p;

	ringpair_open(&p, spec);
	for (unsigned round = 0; round < 3 * SIZE && !p.drv.broken; round++) {
		struct vq_chain *c;
		void *cookie;
		uint32_t len;

		(void)ringpair_send(&p, RINGPAIR_DATA, 16, 1, 1);
		if (vq_pop(p.vq, &c, 1) != 1)
			break; /* the ring goes on where the driver does not */
		assert_int_equal(vq_in_flight(p.vq), 1);
		vq_complete_early(p.vq, c);
		assert_int_equal(vq_in_flight(p.vq), 1);
		ringpair_complete(&p, c);
		(void)vq_publish(p.vq);
		assert_int_equal(vq_in_flight(p.vq), 0);
		while (drv_used(&p.drv, &cookie, &len))
			;
		if (round == 0) /* 2 used chains for one */
			assert_non_null(p.drv.broken);
	}
	p.drv.broken = NULL; /* as it should be */
	ringpair_close(&p);
}

static void a_chain_can_be_used_twice(void **state)
{
	(void)state;
	ringpair_each(a_chain_can_be_used_twice_run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_passes_is_told),
		cmocka_unit_test(an_observer_stays_until_it_goes),
		cmocka_unit_test(a_fault_is_told_once),
		cmocka_unit_test(nothing_need_be_looked_at),
		cmocka_unit_test(what_is_held_comes_later),
		cmocka_unit_test(a_length_can_be_changed),
		cmocka_unit_test(a_chain_can_be_used_twice),
	};

	return cmocka_run_group_tests_name("vq-observe", tests, NULL, NULL);
}
