/* Buffers are fetched before they are written: which, in rings of every kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/ringpair.h"

#define SHORT 40u   /* bytes, fewer than are ever fetched */
#define LONG  1500u /* more */

/* Chains of one device-writable buffer each. */
static void send(struct ringpair *p, unsigned n, uint32_t len)
{
	for (unsigned i = 0; i < n; i++)
		(void)ringpair_send(p, RINGPAIR_DATA + 2048ul * i, len, 0, 1);
}

static void finish(struct ringpair *p, struct vq_chain *c)
{
	void *cookie;
	uint32_t len;

	vq_push(p->vq, c);
	vq_publish(p->vq);
	assert_true(drv_used(&p->drv, &cookie, &len));
}

/* @n are left. */
static void fetches(struct ringpair *p, unsigned n, size_t bytes)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(vq_fetch_ahead(p->vq, i), bytes);
	for (unsigned i = n; i <= 2 * RINGPAIR_SIZE; i++)
		assert_int_equal(vq_fetch_ahead(p->vq, i), 0);
}

static void what_is_available_is_fetched_run(const struct ringpair_spec *spec)
{
	struct ringpair p;

	ringpair_open(&p, spec);
	fetches(&p, 0, 0);
	for (unsigned round = 0; round < 20; round++) { /* over the ring's end */
		uint32_t len = round % 2 ? LONG : SHORT;

		send(&p, 5, len);
		for (unsigned left = 5; left-- > 0;) {
			struct vq_chain *c;

			assert_int_equal(vq_pop(p.vq, &c, 1), 1);
			ringpair_remember(&p);
			fetches(&p, left, round % 2 ? 128 : SHORT);
			assert_true(ringpair_untouched(&p));
			finish(&p, c);
		}
		fetches(&p, 0, 0);
	}
	ringpair_close(&p);
}

static void what_is_available_is_fetched(void **state)
{
	(void)state;
	ringpair_each(what_is_available_is_fetched_run);
}

static void a_full_ring_is_gone_round_once_run(const struct ringpair_spec *spec)
{
	struct ringpair p;
	struct vq_chain *c;

	ringpair_open(&p, spec);
	send(&p, RINGPAIR_SIZE, SHORT);
	assert_int_equal(vq_pop(p.vq, &c, 1), 1);
	fetches(&p, RINGPAIR_SIZE - 1, SHORT);
	vq_unpop(p.vq, c);
	fetches(&p, RINGPAIR_SIZE, SHORT);
	ringpair_close(&p);
}

static void a_full_ring_is_gone_round_once(void **state)
{
	(void)state;
	ringpair_each(a_full_ring_is_gone_round_once_run);
}

static void only_what_will_be_written_is_fetched_run(const struct ringpair_spec *spec)
{
	struct ringpair p;

	ringpair_open(&p, spec);
	send(&p, 1, SHORT);
	(void)ringpair_send(&p, RINGPAIR_DATA, SHORT, 1, 0);
	if (spec->packed)
		ringpair_raw_packed(&p, (struct drv_buf){ RINGPAIR_END - 8, SHORT },
				    VRING_DESC_F_WRITE);
	finish(&p, ringpair_pop(&p));
	assert_int_equal(vq_fetch_ahead(p.vq, 0), 0); /* readable */
	assert_int_equal(vq_fetch_ahead(p.vq, 1), 0); /* not all in memory */
	ringpair_close(&p);
}

static void only_what_will_be_written_is_fetched(void **state)
{
	(void)state;
	ringpair_each(only_what_will_be_written_is_fetched_run);
}

/* What a driver lets an available ring say beyond what it may. */
static void a_head_beyond_the_table_is_passed_over(void **state)
{
	const struct ringpair_spec spec = { .size = RINGPAIR_SIZE };
	struct ringpair p;

	(void)state;
	ringpair_open(&p, &spec);
	send(&p, 1, SHORT);
	ringpair_offer(&p, RINGPAIR_SIZE);
	ringpair_offer(&p, 0xffff);
	finish(&p, ringpair_pop(&p));
	fetches(&p, 0, 0);
	ringpair_close(&p);
}

static void a_queue_that_has_ended_fetches_nothing_run(const struct ringpair_spec *spec)
{
	struct ringpair p;

	ringpair_open(&p, spec);
	send(&p, 4, SHORT);
	finish(&p, ringpair_pop(&p));
	fetches(&p, 3, SHORT);
	(void)vq_stop(p.vq);
	fetches(&p, 0, 0);
	ringpair_close(&p);
}

static void a_queue_that_has_ended_fetches_nothing(void **state)
{
	(void)state;
	ringpair_each(a_queue_that_has_ended_fetches_nothing_run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_available_is_fetched),
		cmocka_unit_test(a_full_ring_is_gone_round_once),
		cmocka_unit_test(only_what_will_be_written_is_fetched),
		cmocka_unit_test(a_head_beyond_the_table_is_passed_over),
		cmocka_unit_test(a_queue_that_has_ended_fetches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
