/* What only packed rings have: what starts, ids, lengths and flags, and places on the ring. */
#include "virtqueue/vq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/ringpair.h"

#define NEXT  VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIR VRING_DESC_F_INDIRECT

/* DRV-PACKED-LAYOUT-01 */
static void a_ring_that_cannot_be_is_refused(void **state)
{
	const struct ringpair_spec spec = { .size = 13, .packed = true };
	static const struct {
		int desc, driver, device;
		uint16_t size;
		uint16_t at;
		enum vq_fault fault;
	} cases[] = {
		{ 0, 0, 0, 13, 12, VQ_OK },
		{ 0, 0, 0, 1, 0, VQ_OK },
		{ 0, 0, 0, 32768, 0, VQ_OK },
		{ 0, 0, 0, 32769, 0, VQ_FAULT_SIZE },
		{ 0, 0, 0, 0, 0, VQ_FAULT_SIZE },
		{ 0, 0, 0, 13, 13, VQ_FAULT_SIZE },
		{ 8, 0, 0, 13, 0, VQ_FAULT_RING_ALIGN },
		{ 0, 2, 0, 13, 0, VQ_FAULT_RING_ALIGN },
		{ 0, 0, 2, 13, 0, VQ_FAULT_RING_ALIGN },
		{ 16, 4, 4, 13, 0, VQ_OK },
		{ -0x100000, 0, 0, 13, 0, VQ_FAULT_RING_ADDRESS },
		{ 0, 2 * RINGPAIR_REGION, 0, 13, 0, VQ_FAULT_RING_ADDRESS },
		{ 0, 0, 2 * RINGPAIR_REGION, 13, 0, VQ_FAULT_RING_ADDRESS },
		{ RINGPAIR_REGION - 16, 0, 0, 13, 0, VQ_FAULT_RING_ADDRESS },
	};
	struct ringpair p;

	(void)state;
	ringpair_open(&p, &spec);
	(void)vq_stop(p.vq);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vq_config cfg = p.cfg;

		cfg.desc += cases[i].desc;
		cfg.driver += cases[i].driver;
		cfg.device += cases[i].device;
		cfg.size = cases[i].size;
		cfg.position.next_avail = VRING_POS_WRAP | cases[i].at;
		ringpair_remember(&p);
		assert_int_equal(vq_start(p.vq, &p.mem, &cfg), cases[i].fault);
		assert_true(!cases[i].fault || ringpair_untouched(&p));
		(void)vq_stop(p.vq);
	}
	ringpair_close(&p);
}

/* DRV-PACKED-INDIRECT-02, 2.8.7: flags of table entries other than WRITE are ignored. */
static void flags_in_a_table_are_ignored(void **state)
{
	const struct ringpair_spec spec = { .size = 8, .packed = true, .indirect = true };
	struct ringpair p;
	struct vq_chain *c;

	(void)state;
	ringpair_open(&p, &spec);
	ringpair_entry(&p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, NEXT | INDIR);
	ringpair_entry(&p, 1, (struct drv_buf){ RINGPAIR_DATA, 2 }, 0xfffd & ~WRITE);
	ringpair_entry(&p, 2, (struct drv_buf){ RINGPAIR_DATA, 4 }, 0xffff);
	ringpair_raw_packed(&p, (struct drv_buf){ RINGPAIR_TABLE, 48 }, INDIR | WRITE);
	c = ringpair_pop(&p);
	assert_int_equal(c->rd.left, 3);
	assert_int_equal(c->wr.left, 4);
	assert_int_equal(c->id, 7);
	assert_int_equal(c->n_slots, 1);
	ringpair_close(&p);
}

static void the_id_is_that_of_the_last_descriptor(void **state)
{
	const struct ringpair_spec spec = { .size = 8, .packed = true };
	struct ringpair p;
	struct vq_chain *c;

	(void)state;
	ringpair_open(&p, &spec);
	for (unsigned i = 0; i < 3; i++)
		ringpair_raw_packed(&p, (struct drv_buf){ RINGPAIR_DATA, 1 }, i < 2 ? NEXT : 0);
	p.drv.packed.desc[0].id = cpu_le16(100);
	p.drv.packed.desc[1].id = cpu_le16(200);
	p.drv.packed.desc[2].id = cpu_le16(65535);
	c = ringpair_pop(&p);
	assert_int_equal(c->id, 65535);
	assert_int_equal(c->n_slots, 3);
	vq_push(p.vq, c);
	vq_publish(p.vq);
	assert_int_equal(le16_cpu(p.drv.packed.desc[0].id), 65535);
	ringpair_close(&p);
}

/* 2.8.3, 2.8.4: without WRITE in it a used descriptor has no length. */
static void only_what_was_written_has_a_length(void **state)
{
	const struct ringpair_spec spec = { .size = 8, .packed = true };

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		struct ringpair p;
		struct vq_chain *c;

		ringpair_open(&p, &spec);
		ringpair_send(&p, RINGPAIR_DATA, 16, 0, 1);
		c = ringpair_pop(&p);
		assert_true(vq_put_zeroes(c, n));
		vq_push(p.vq, c);
		vq_publish(p.vq);
		assert_int_equal(le16_cpu(p.drv.packed.desc[0].flags),
				 VRING_DESC_F_AVAIL | VRING_DESC_F_USED | (n ? WRITE : 0));
		assert_int_equal(ringpair_used(&p), n);
		ringpair_close(&p);
	}
}

/* Every event against every batch, both laps: true just when the batch has the descriptor. */
static void the_event_test_knows_laps(void **state)
{
	const unsigned size = 5;

	(void)state;
	for (unsigned start = 0; start < 2 * size; start++) {
		for (unsigned n = 1; n <= size; n++) {
			uint16_t old = vring_pos_advance(
				start < size ? start : (start - size) | VRING_POS_WRAP, 0, size);
			uint16_t now = vring_pos_advance(old, n, size);

			for (unsigned k = 0; k < 2 * size; k++) {
				uint16_t event = old;

				for (unsigned i = 0; i < k; i++)
					event = vring_pos_advance(event, 1, size);
				assert_int_equal(!!vring_pos_need_event(event, now, old, size),
						 k < n);
			}
		}
	}
}

static void places_go_round_and_back(void **state)
{
	(void)state;
	for (unsigned size = 1; size < 9; size++) {
		for (unsigned n = 0; n <= size; n++) {
			for (unsigned off = 0; off < size; off++) {
				uint16_t to = vring_pos_advance(off, n, size);

				assert_int_equal(vring_pos_off(to), (off + n) % size);
				assert_int_equal(!!(to & VRING_POS_WRAP), off + n >= size);
				assert_int_equal(vring_pos_retreat(to, n, size), off);
			}
		}
	}
	assert_int_equal(vring_pos_advance(32767 | VRING_POS_WRAP, 1, 32768), 0);
	assert_int_equal(vring_pos_advance(5, 32768, 32768), 5 | VRING_POS_WRAP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_that_cannot_be_is_refused),
		cmocka_unit_test(flags_in_a_table_are_ignored),
		cmocka_unit_test(the_id_is_that_of_the_last_descriptor),
		cmocka_unit_test(only_what_was_written_has_a_length),
		cmocka_unit_test(the_event_test_knows_laps),
		cmocka_unit_test(places_go_round_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
