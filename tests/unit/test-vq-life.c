/* A queue's life, whatever its layout and features: chains given back, stops, sizes. */
#include "virtqueue/vq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/ringpair.h"

#define SIZE RINGPAIR_SIZE

static bool kick_for(struct ringpair *p, unsigned n)
{
	struct drv_buf buf = { RINGPAIR_DATA, 8 };

	for (unsigned i = 0; i < n; i++)
		assert_true(drv_add(&p->drv, &buf, 1, 0, NULL) >= 0);
	return drv_publish(&p->drv);
}

static void drain(struct ringpair *p)
{
	struct vq_chain *c[SIZE];
	void *cookie;
	uint32_t len;
	int n;

	while ((n = vq_pop(p->vq, c, SIZE)) > 0)
		for (int i = 0; i < n; i++)
			vq_push(p->vq, c[i]);
	assert_int_equal(n, 0);
	vq_publish(p->vq);
	while (drv_used(&p->drv, &cookie, &len))
		;
}

/* ---- giving back ---- */

static void what_is_given_back_comes_again_run(const struct ringpair_spec *spec)
{
	struct ringpair p;
	struct vq_chain *c[SIZE];

	ringpair_open(&p, spec);
	for (unsigned round = 0; round < 11; round++) {
		ringpair_send_numbered(&p, 4);
		assert_int_equal(vq_pop(p.vq, c, SIZE), 4);
		for (unsigned i = 4; i-- > 1;)
			vq_unpop(p.vq, c[i]);
		assert_int_equal(vq_in_flight(p.vq), 1);
		assert_int_equal(vq_stats(p.vq)->chains, 5 * round + 1);
		/* They ask for no kick: it is for what comes after them. */
		assert_true(vq_pending(p.vq));
		assert_true(vq_enable_notify(p.vq));
		assert_true(kick_for(&p, 1));
		assert_false(vq_enable_notify(p.vq));
		assert_int_equal(vq_pop(p.vq, c + 1, 3), 3);
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(ringpair_number(c[i]), i);
			ringpair_complete(&p, c[i]);
		}
		assert_false(vq_enable_notify(p.vq));
		drain(&p);
		assert_true(vq_enable_notify(p.vq));
		assert_int_equal(vq_stats(p.vq)->bytes_read, (4 + 8) * (round + 1));
		assert_int_equal(vq_stats(p.vq)->chains, 5 * (round + 1));
	}
	ringpair_close(&p);
}

static void what_is_given_back_comes_again(void **state)
{
	(void)state;
	ringpair_each(what_is_given_back_comes_again_run);
}

/* ---- stopping ---- */

static void a_stopped_queue_goes_on_where_it_was_run(const struct ringpair_spec *spec)
{
	struct ringpair p;
	struct vq_chain *c[SIZE];
	void *cookie;
	uint32_t len;

	ringpair_open(&p, spec);
	for (unsigned round = 0; round < 40; round++) {
		ringpair_send_numbered(&p, 5);
		assert_int_equal(vq_pop(p.vq, c, 3), 3);
		for (unsigned i = 0; i < 3; i++)
			ringpair_complete(&p, c[i]);
		vq_publish(p.vq);
		p.cfg.position = vq_stop(p.vq);
		assert_false(vq_started(p.vq));
		assert_int_equal(vq_pop(p.vq, c, 3), 0);
		assert_false(vq_publish(p.vq));
		assert_int_equal(vq_start(p.vq, &p.mem, &p.cfg), VQ_OK);
		assert_int_equal(vq_pop(p.vq, c, SIZE), 2);
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(ringpair_number(c[i]), i + 3);
			ringpair_complete(&p, c[i]);
		}
		vq_publish(p.vq);
		for (unsigned i = 0; i < 5; i++) {
			assert_true(drv_used(&p.drv, &cookie, &len));
			assert_ptr_equal(cookie, ringpair_cookie(i));
		}
	}
	assert_int_equal(vq_stats(p.vq)->chains, 200);
	assert_int_equal(vq_stats(p.vq)->completed, 200);
	ringpair_close(&p);
}

static void a_stopped_queue_goes_on_where_it_was(void **state)
{
	(void)state;
	ringpair_each(a_stopped_queue_goes_on_where_it_was_run);
}

static void a_stopped_queue_touches_nothing_run(const struct ringpair_spec *spec)
{
	struct ringpair p;
	struct vq_chain *c;

	ringpair_open(&p, spec);
	ringpair_send_numbered(&p, 3);
	(void)vq_stop(p.vq);
	(void)vq_stop(p.vq);
	ringpair_remember(&p);
	assert_int_equal(vq_pop(p.vq, &c, 1), 0);
	assert_false(vq_pending(p.vq));
	assert_false(vq_publish(p.vq));
	vq_disable_notify(p.vq);
	assert_true(vq_enable_notify(p.vq));
	assert_true(ringpair_untouched(&p));
	ringpair_close(&p);
}

static void a_stopped_queue_touches_nothing(void **state)
{
	(void)state;
	ringpair_each(a_stopped_queue_touches_nothing_run);
}

/* ---- sizes ---- */

static void the_whole_ring_can_be_in_flight_run(const struct ringpair_spec *spec)
{
	struct ringpair p;
	struct vq_chain *c[SIZE];
	struct drv_buf buf = { RINGPAIR_DATA, 8 };

	ringpair_open(&p, spec);
	for (unsigned round = 0; round < 3; round++) {
		kick_for(&p, SIZE);
		assert_int_equal(drv_add(&p.drv, &buf, 1, 0, NULL), -1);
		assert_int_equal(vq_pop(p.vq, c, SIZE), SIZE);
		assert_false(vq_pending(p.vq));
		assert_true(vq_enable_notify(p.vq));
		for (unsigned i = 0; i < SIZE; i++)
			vq_push(p.vq, c[i]);
		drain(&p);
		assert_int_equal(p.drv.n_free, SIZE);
	}
	ringpair_close(&p);
}

static void the_whole_ring_can_be_in_flight(void **state)
{
	(void)state;
	ringpair_each(the_whole_ring_can_be_in_flight_run);
}

static void any_size_works_run(const struct ringpair_spec *like)
{
	for (unsigned size = 1; size <= 40; size++) {
		struct ringpair_spec spec = *like;
		struct ringpair p;

		spec.size = size;
		if (!spec.packed && size & (size - 1))
			continue;
		ringpair_open(&p, &spec);
		for (unsigned round = 0; round < 3 * size; round++) {
			unsigned n = round % size + 1;

			ringpair_send(&p, RINGPAIR_DATA, 4, n / 2, n - n / 2);
			ringpair_complete(&p, ringpair_pop(&p));
			vq_publish(p.vq);
			assert_int_equal(ringpair_used(&p), 4 * (n - n / 2));
		}
		ringpair_close(&p);
	}
}

static void any_size_works(void **state)
{
	(void)state;
	ringpair_each(any_size_works_run);
}

/* A chain may fill the ring, or with a table more than the ring. */
static void a_chain_may_be_as_long_as_the_queue_run(const struct ringpair_spec *spec)
{
	unsigned n = spec->indirect ? 64 : SIZE;
	struct ringpair p;
	struct vq_chain *c;

	ringpair_open(&p, spec);
	for (unsigned round = 0; round < 3; round++) {
		ringpair_send(&p, RINGPAIR_DATA, 4, n, 0);
		c = ringpair_pop(&p);
		assert_int_equal(c->rd.n, n);
		ringpair_complete(&p, c);
		vq_publish(p.vq);
		assert_int_equal(ringpair_used(&p), 0);
	}
	ringpair_close(&p);
}

static void a_chain_may_be_as_long_as_the_queue(void **state)
{
	(void)state;
	ringpair_each(a_chain_may_be_as_long_as_the_queue_run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_given_back_comes_again),
		cmocka_unit_test(a_stopped_queue_goes_on_where_it_was),
		cmocka_unit_test(a_stopped_queue_touches_nothing),
		cmocka_unit_test(the_whole_ring_can_be_in_flight),
		cmocka_unit_test(any_size_works),
		cmocka_unit_test(a_chain_may_be_as_long_as_the_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
