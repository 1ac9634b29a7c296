/* Packed rings that a driver broke: one case for each rule, and each way to break it. */
#include "virtqueue/vq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/ringpair.h"

#define NEXT  VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIR VRING_DESC_F_INDIRECT

/*
 * ---- one way each to break a ring ----
 */

/* The whole ring, the one descriptor in flight too, is available again. */
static void overtakes_itself(struct ringpair *p)
{
	for (unsigned i = 0; i < p->cfg.size; i++)
		ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
}

static void list_over_what_is_in_flight(struct ringpair *p)
{
	for (unsigned i = 0; i < p->cfg.size; i++)
		ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_DATA, 1 },
				    i + 1 < p->cfg.size ? NEXT : 0);
}

static void list_without_end(struct ringpair *p)
{
	struct vq_chain *c;
	void *cookie;
	uint32_t len;

	/* With nothing in flight, so that all of the ring is the driver's. */
	ringpair_send(p, RINGPAIR_DATA, 1, 1, 0);
	c = ringpair_pop(p);
	vq_push(p->vq, c);
	vq_publish(p->vq);
	while (drv_used(&p->drv, &cookie, &len))
		;
	for (unsigned i = 0; i < p->cfg.size; i++)
		ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_DATA, 1 }, NEXT);
}

static void list_not_all_available(struct ringpair *p)
{
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_DATA, 1 }, NEXT);
}

static void readable_after_writable(struct ringpair *p)
{
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_DATA, 1 }, WRITE | NEXT);
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
}

static void readable_after_writable_in_table(struct ringpair *p)
{
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, WRITE);
	ringpair_entry(p, 1, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_TABLE, 32 }, INDIR);
}

static void zero_length(struct ringpair *p)
{
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_DATA, 0 }, 0);
}

static void zero_length_in_table(struct ringpair *p)
{
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
	ringpair_entry(p, 1, (struct drv_buf){ RINGPAIR_DATA, 0 }, WRITE);
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_TABLE, 32 }, INDIR);
}

static void buffer_outside_memory(struct ringpair *p)
{
	ringpair_raw_packed(p, (struct drv_buf){ 0x1000, 1 }, 0);
}

static void buffer_leaves_memory(struct ringpair *p)
{
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_END - 1, 2 }, WRITE);
}

static void buffer_wraps(struct ringpair *p)
{
	ringpair_raw_packed(p, (struct drv_buf){ UINT64_MAX - 1, 100 }, WRITE);
}

static void overlapping_buffers_on_a_border(struct ringpair *p)
{
	for (unsigned i = 0; i < 256; i++)
		ringpair_entry(p, i, (struct drv_buf){ RINGPAIR_BORDER - 1, 2 }, 0);
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_TABLE, 256 * 16 }, INDIR);
}

static void indirect_without_feature(struct ringpair *p)
{
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_TABLE, 16 }, INDIR);
}

static void indirect_and_next(struct ringpair *p)
{
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_TABLE, 16 }, INDIR | NEXT);
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
}

/* Unlike in split rings, no list may mix the two (DRV-PACKED-INDIRECT-04). */
static void indirect_at_the_end_of_a_list(struct ringpair *p)
{
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_DATA, 1 }, NEXT);
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_TABLE, 16 }, INDIR);
}

static void empty_table(struct ringpair *p)
{
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_TABLE, 0 }, INDIR);
}

static void uneven_table(struct ringpair *p)
{
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_TABLE, 24 }, INDIR);
}

static void table_too_long(struct ringpair *p)
{
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_TABLE, 257 * 16 }, INDIR);
}

static void table_outside_memory(struct ringpair *p)
{
	ringpair_raw_packed(p, (struct drv_buf){ RINGPAIR_END, 16 }, INDIR);
}

static void table_wraps(struct ringpair *p)
{
	ringpair_raw_packed(p, (struct drv_buf){ UINT64_MAX - 15, 32 }, INDIR);
}

static const struct {
	void (*how)(struct ringpair *p);
	enum vq_fault fault;
} breaks[] = {
	{ overtakes_itself, VQ_FAULT_HEAD_IN_FLIGHT },
	{ list_over_what_is_in_flight, VQ_FAULT_HEAD_IN_FLIGHT },
	{ list_without_end, VQ_FAULT_LOOP },
	{ list_not_all_available, VQ_FAULT_PARTIAL },
	{ readable_after_writable, VQ_FAULT_ORDER },
	{ readable_after_writable_in_table, VQ_FAULT_ORDER },
	{ zero_length, VQ_FAULT_LENGTH },
	{ zero_length_in_table, VQ_FAULT_LENGTH },
	{ buffer_outside_memory, VQ_FAULT_ADDRESS },
	{ buffer_leaves_memory, VQ_FAULT_ADDRESS },
	{ buffer_wraps, VQ_FAULT_ADDRESS },
	{ overlapping_buffers_on_a_border, VQ_FAULT_PIECES },
	{ indirect_without_feature, VQ_FAULT_INDIRECT },
	{ indirect_and_next, VQ_FAULT_INDIRECT_NEXT },
	{ indirect_at_the_end_of_a_list, VQ_FAULT_INDIRECT_NEXT },
	{ empty_table, VQ_FAULT_INDIRECT_LEN },
	{ uneven_table, VQ_FAULT_INDIRECT_LEN },
	{ table_too_long, VQ_FAULT_INDIRECT_LEN },
	{ table_outside_memory, VQ_FAULT_INDIRECT_ADDRESS },
	{ table_wraps, VQ_FAULT_INDIRECT_ADDRESS },
};

/* Pops until the fault; what was good before it is pushed after, without a trace in memory. */
static void is_dead(struct ringpair *p, enum vq_fault fault)
{
	struct vq_chain *c[8], *in_flight[64];
	unsigned n_in_flight = 0;
	int n;

	ringpair_remember(p);
	while ((n = vq_pop(p->vq, c, 8)) > 0)
		for (int i = 0; i < n; i++)
			in_flight[n_in_flight++] = c[i];
	assert_int_equal(n, -1);
	assert_string_equal(vq_fault_name(vq_fault(p->vq)), vq_fault_name(fault));
	for (unsigned i = 0; i < n_in_flight; i++)
		vq_push(p->vq, in_flight[i]);
	assert_false(vq_publish(p->vq));
	vq_disable_notify(p->vq);
	assert_true(vq_enable_notify(p->vq));
	assert_false(vq_pending(p->vq));
	assert_int_equal(vq_pop(p->vq, c, 1), -1);
	assert_int_equal(vq_stats(p->vq)->faults, 1);
	assert_true(ringpair_untouched(p));
}

static void break_one(unsigned i, bool in_order)
{
	const struct ringpair_spec spec = {
		.size = 13,
		.packed = true,
		.indirect = breaks[i].fault != VQ_FAULT_INDIRECT,
		.in_order = in_order,
	};
	struct ringpair p;
	struct vq_chain *c;

	ringpair_open(&p, &spec);
	if (breaks[i].fault != VQ_FAULT_LOOP) {
		ringpair_send(&p, RINGPAIR_DATA, 16, 0, 1);
		(void)ringpair_pop(&p);
	}
	breaks[i].how(&p);
	assert_true(vq_pending(p.vq));
	is_dead(&p, breaks[i].fault);

	/* A reset brings it back. */
	(void)vq_stop(p.vq);
	assert_true(drv_vq_init(&p.drv, &p.drv.cfg));
	assert_int_equal(vq_start(p.vq, &p.mem, &p.cfg), VQ_OK);
	ringpair_send(&p, RINGPAIR_DATA, 16, 0, 1);
	c = ringpair_pop(&p);
	assert_true(vq_put_zeroes(c, 16));
	vq_push(p.vq, c);
	assert_true(vq_publish(p.vq));
	assert_int_equal(ringpair_used(&p), 16);
	ringpair_close(&p);
}

static void every_mistake_has_its_fault(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		break_one(i, false);
		break_one(i, true);
	}
}

static void reserved_event_flags_are_a_fault(void **state)
{
	(void)state;
	for (unsigned event_idx = 0; event_idx < 2; event_idx++) {
		const struct ringpair_spec spec = {
			.size = 8,
			.packed = true,
			.event_idx = event_idx,
		};
		struct ringpair p;
		struct vq_chain *c;

		ringpair_open(&p, &spec);
		p.drv.packed.driver->flags = cpu_le16(event_idx ? 3 : VRING_EVENT_DESC);
		ringpair_send(&p, RINGPAIR_DATA, 16, 1, 0);
		vq_push(p.vq, ringpair_pop(&p));
		assert_false(vq_publish(p.vq));
		assert_int_equal(vq_fault(p.vq), VQ_FAULT_EVENT);
		assert_int_equal(vq_pop(p.vq, &c, 1), -1);
		ringpair_close(&p);
	}
}

/* What we gave back is ours to see again. */
static void available_means_available(void **state)
{
	(void)state;
	for (unsigned still = 0; still < 2; still++) {
		const struct ringpair_spec spec = { .size = 8, .packed = true };
		struct ringpair p;
		struct vq_chain *c;

		ringpair_open(&p, &spec);
		ringpair_send(&p, RINGPAIR_DATA, 16, 1, 0);
		ringpair_send(&p, RINGPAIR_DATA, 16, 1, 0);
		vq_unpop(p.vq, ringpair_pop(&p));
		if (!still)
			p.drv.packed.desc[0].flags = 0;
		assert_false(vq_enable_notify(p.vq)); /* there is another one */
		assert_int_equal(vq_pop(p.vq, &c, 1), still ? 1 : -1);
		assert_int_equal(vq_fault(p.vq), still ? VQ_OK : VQ_FAULT_TAKEN_BACK);
		if (still) {
			vq_push(p.vq, c);
			vq_push(p.vq, ringpair_pop(&p));
			vq_publish(p.vq);
		}
		assert_true(vq_enable_notify(p.vq));
		ringpair_close(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mistake_has_its_fault),
		cmocka_unit_test(reserved_event_flags_are_a_fault),
		cmocka_unit_test(available_means_available),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
