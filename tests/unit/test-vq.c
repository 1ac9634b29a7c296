/* What a queue promises whatever its layout and features: every case runs on each of them. */
#include "virtqueue/vq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/ringpair.h"

#define SIZE RINGPAIR_SIZE

/* ---- order ---- */

static void chains_come_in_order_run(const struct ringpair_spec *spec)
{
	struct ringpair p;
	struct vq_chain *c[SIZE];

	ringpair_open(&p, spec);
	assert_false(vq_pending(p.vq));
	assert_int_equal(vq_pop(p.vq, c, 4), 0);
	ringpair_send_numbered(&p, 7);
	assert_true(vq_pending(p.vq));
	assert_int_equal(vq_pop(p.vq, c, 3), 3);
	assert_int_equal(vq_in_flight(p.vq), 3);
	assert_int_equal(vq_pop(p.vq, c + 3, SIZE), 4);
	assert_int_equal(vq_in_flight(p.vq), 7);
	assert_false(vq_pending(p.vq));
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(ringpair_number(c[i]), i);
	ringpair_close(&p);
}

static void chains_come_in_order(void **state)
{
	(void)state;
	ringpair_each(chains_come_in_order_run);
}

/* Completed last first; a driver that negotiated order gets them in order all the same. */
static void any_order_of_completion_is_fine_run(const struct ringpair_spec *spec)
{
	struct ringpair p;
	struct vq_chain *c[SIZE];
	void *cookie;
	uint32_t len;

	ringpair_open(&p, spec);
	for (unsigned round = 0; round < 9; round++) {
		ringpair_send_numbered(&p, 5);
		assert_int_equal(vq_pop(p.vq, c, SIZE), 5);
		for (unsigned i = 5; i-- > 0;) {
			ringpair_complete(&p, c[i]);
			vq_publish(p.vq);
			assert_int_equal(drv_used(&p.drv, &cookie, &len), !spec->in_order || !i);
			if (!spec->in_order) {
				assert_ptr_equal(cookie, ringpair_cookie(i));
				assert_int_equal(len, i + 1);
			}
		}
		for (unsigned i = 1; spec->in_order && i < 5; i++) {
			assert_true(drv_used(&p.drv, &cookie, &len));
			assert_ptr_equal(cookie, ringpair_cookie(i));
			assert_int_equal(len, i + 1);
		}
		assert_false(drv_used(&p.drv, &cookie, &len));
	}
	assert_int_equal(p.drv.n_free, SIZE);
	ringpair_close(&p);
}

static void any_order_of_completion_is_fine(void **state)
{
	(void)state;
	ringpair_each(any_order_of_completion_is_fine_run);
}

static unsigned used_elements(const struct ringpair *p, const struct ringpair_spec *spec)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SIZE; i++) {
		uint16_t flags = le16_cpu(p->drv.packed.desc ? p->drv.packed.desc[i].flags : 0);

		if (spec->packed)
			n += !(flags & VRING_DESC_F_AVAIL) == !(flags & VRING_DESC_F_USED);
		else
			n += p->drv.split.used->ring[i].len != 0;
	}
	return n;
}

/* 2.7.9, 2.8.8: only chains that were written completely may go without an element of their own. */
static void in_order_skips_only_complete_chains(void **state)
{
	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		const struct ringpair_spec spec = {
			.size = SIZE,
			.packed = packed,
			.in_order = true,
			.indirect = true,
		};
		struct ringpair p;
		struct vq_chain *c[SIZE];
		void *cookie;
		uint32_t len;

		ringpair_open(&p, &spec);
		ringpair_send_numbered(&p, SIZE);
		assert_int_equal(vq_pop(p.vq, c, SIZE), SIZE);
		for (unsigned i = 0; i < SIZE; i++) {
			assert_true(vq_put_zeroes(c[i], i == 9 ? 5 : c[i]->wr.left));
			vq_push(p.vq, c[i]);
		}
		vq_publish(p.vq);
		/* Chains 0 to 9, the last of them short, and 10 to 15. */
		assert_int_equal(used_elements(&p, &spec), 2);
		for (unsigned i = 0; i < SIZE; i++) {
			assert_true(drv_used(&p.drv, &cookie, &len));
			assert_ptr_equal(cookie, ringpair_cookie(i));
			assert_int_equal(len, i == 9 ? 5 : i + 1);
		}
		ringpair_close(&p);
	}
}

/* ---- interrupts ---- */

static bool push_one(struct ringpair *p)
{
	ringpair_send(p, RINGPAIR_DATA, 8, 1, 0);
	vq_push(p->vq, ringpair_pop(p));
	return vq_publish(p->vq);
}

static void an_interrupt_is_asked_for_or_not_run(const struct ringpair_spec *spec)
{
	struct ringpair p;
	void *cookie;
	uint32_t len;

	ringpair_open(&p, spec);
	for (unsigned round = 0; round < 30; round++) {
		assert_true(drv_enable_notify(&p.drv));
		assert_true(push_one(&p));
		assert_false(drv_enable_notify(&p.drv));
		assert_true(drv_used(&p.drv, &cookie, &len));
		drv_disable_notify(&p.drv);
		assert_false(push_one(&p));
		assert_true(drv_used(&p.drv, &cookie, &len));
		assert_true(drv_enable_notify(&p.drv));
	}
	assert_int_equal(vq_stats(p.vq)->interrupts, 30);
	assert_int_equal(vq_stats(p.vq)->suppressed, 30);
	ringpair_close(&p);
}

static void an_interrupt_is_asked_for_or_not(void **state)
{
	(void)state;
	ringpair_each(an_interrupt_is_asked_for_or_not_run);
}

/* With the event index one interrupt is sent for what was asked, then none until asked again; a
 * batch that steps over the event counts (DEV-SPLIT-USEDSUPP-05). */
static void a_batch_may_step_over_the_event_run(const struct ringpair_spec *spec)
{
	struct ringpair p;
	struct vq_chain *c[SIZE];
	void *cookie;
	uint32_t len;

	if (!spec->event_idx)
		return;
	ringpair_open(&p, spec);
	for (unsigned round = 0; round < 20; round++) {
		assert_true(drv_enable_notify(&p.drv));
		ringpair_send_numbered(&p, 6);
		assert_int_equal(vq_pop(p.vq, c, SIZE), 6);
		for (unsigned i = 0; i < 3; i++)
			ringpair_complete(&p, c[i]);
		assert_true(vq_publish(p.vq));
		for (unsigned i = 3; i < 6; i++)
			ringpair_complete(&p, c[i]);
		assert_false(vq_publish(p.vq));
		while (drv_used(&p.drv, &cookie, &len))
			;
	}
	ringpair_close(&p);
}

static void a_batch_may_step_over_the_event(void **state)
{
	(void)state;
	ringpair_each(a_batch_may_step_over_the_event_run);
}

static void nothing_pushed_is_nothing_published_run(const struct ringpair_spec *spec)
{
	struct ringpair p;

	ringpair_open(&p, spec);
	ringpair_send_numbered(&p, 2);
	(void)ringpair_pop(&p);
	ringpair_remember(&p);
	assert_false(vq_publish(p.vq));
	assert_true(ringpair_untouched(&p));
	assert_int_equal(vq_stats(p.vq)->suppressed, 0);
	ringpair_close(&p);
}

static void nothing_pushed_is_nothing_published(void **state)
{
	(void)state;
	ringpair_each(nothing_pushed_is_nothing_published_run);
}

/* ---- kicks ---- */

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

static void a_kick_is_asked_for_or_not_run(const struct ringpair_spec *spec)
{
	struct ringpair p;

	ringpair_open(&p, spec);
	for (unsigned round = 0; round < 30; round++) {
		assert_true(kick_for(&p, 3)); /* armed by the start, then by vq_enable_notify() */
		assert_false(vq_enable_notify(p.vq));
		vq_disable_notify(p.vq);
		assert_false(kick_for(&p, 2));
		drain(&p);
		assert_true(vq_enable_notify(p.vq));
	}
	ringpair_close(&p);
}

static void a_kick_is_asked_for_or_not(void **state)
{
	(void)state;
	ringpair_each(a_kick_is_asked_for_or_not_run);
}

static void a_kick_comes_once_with_event_idx_run(const struct ringpair_spec *spec)
{
	struct ringpair p;

	if (!spec->event_idx)
		return;
	ringpair_open(&p, spec);
	for (unsigned round = 0; round < 20; round++) {
		assert_true(kick_for(&p, 5));
		assert_false(kick_for(&p, 1));
		assert_false(kick_for(&p, 6));
		drain(&p);
		assert_true(vq_enable_notify(p.vq));
	}
	ringpair_close(&p);
}

static void a_kick_comes_once_with_event_idx(void **state)
{
	(void)state;
	ringpair_each(a_kick_comes_once_with_event_idx_run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_come_in_order),
		cmocka_unit_test(any_order_of_completion_is_fine),
		cmocka_unit_test(in_order_skips_only_complete_chains),
		cmocka_unit_test(an_interrupt_is_asked_for_or_not),
		cmocka_unit_test(a_batch_may_step_over_the_event),
		cmocka_unit_test(nothing_pushed_is_nothing_published),
		cmocka_unit_test(a_kick_is_asked_for_or_not),
		cmocka_unit_test(a_kick_comes_once_with_event_idx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
