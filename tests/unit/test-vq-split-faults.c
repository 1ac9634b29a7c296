/* Split rings that a driver broke: one case for each rule, and each way to break it. */
#include "virtqueue/vq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "tests/support/ringpair.h"

#define NEXT  VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIR VRING_DESC_F_INDIRECT

static void raw_next(struct ringpair *p, unsigned i, unsigned next)
{
	p->drv.split.desc[RINGPAIR_RAW + i].next = cpu_le16(next);
}

/*
 * ---- one way each to break a ring ----
 */

static void jumps_ahead(struct ringpair *p)
{
	p->drv.split.avail->idx = cpu_le16(p->drv.split.avail_idx + p->cfg.size + 1);
}

static void goes_back(struct ringpair *p)
{
	p->drv.split.avail->idx = cpu_le16(p->drv.split.avail_idx - 1);
}

static void head_beyond_table(struct ringpair *p)
{
	ringpair_offer(p, p->cfg.size);
}

static void head_far_beyond_table(struct ringpair *p)
{
	ringpair_offer(p, 0xffff);
}

static void head_offered_twice(struct ringpair *p)
{
	ringpair_offer(p, 0); /* the reference driver's first chain is still with the device */
}

static void loop_of_one(struct ringpair *p)
{
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, NEXT);
	raw_next(p, 0, RINGPAIR_RAW);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void loop_of_writable(struct ringpair *p)
{
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, WRITE | NEXT);
	ringpair_raw(p, 1, (struct drv_buf){ RINGPAIR_DATA, 1 }, WRITE | NEXT);
	raw_next(p, 1, RINGPAIR_RAW);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void loop_in_a_table(struct ringpair *p)
{
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, NEXT);
	ringpair_entry(p, 1, (struct drv_buf){ RINGPAIR_DATA, 1 }, NEXT);
	ringpair_entry(p, 2, (struct drv_buf){ RINGPAIR_DATA, 1 }, NEXT);
	((struct vring_desc *)ringpair_at(p, RINGPAIR_TABLE))[2].next = cpu_le16(1);
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_TABLE, 48 }, INDIR);
	ringpair_offer(p, RINGPAIR_RAW);
}

/* DRV-SPLIT-INDIRECT-03 */
static void longer_than_the_queue(struct ringpair *p)
{
	for (unsigned i = 0; i < 256; i++)
		ringpair_entry(p, i, (struct drv_buf){ RINGPAIR_DATA, 1 }, i < 255 ? NEXT : 0);
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, NEXT);
	ringpair_raw(p, 1, (struct drv_buf){ RINGPAIR_TABLE, 256 * 16 }, INDIR);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void next_beyond_table(struct ringpair *p)
{
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, NEXT);
	raw_next(p, 0, p->cfg.size);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void next_beyond_indirect_table(struct ringpair *p)
{
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, NEXT);
	ringpair_entry(p, 1, (struct drv_buf){ RINGPAIR_DATA, 1 }, NEXT);
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_TABLE, 32 }, INDIR);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void readable_after_writable(struct ringpair *p)
{
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, WRITE | NEXT);
	ringpair_raw(p, 1, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void readable_in_table_after_writable(struct ringpair *p)
{
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, WRITE | NEXT);
	ringpair_raw(p, 1, (struct drv_buf){ RINGPAIR_TABLE, 16 }, INDIR);
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void zero_length(struct ringpair *p)
{
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_DATA, 4 }, NEXT);
	ringpair_raw(p, 1, (struct drv_buf){ RINGPAIR_DATA, 0 }, 0);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void zero_length_in_table(struct ringpair *p)
{
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 0 }, WRITE);
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_TABLE, 16 }, INDIR);
	ringpair_offer(p, RINGPAIR_RAW);
}

/* Room for three buffers of just under 2 GiB: never touched, so never there. */
#define HUGE_GPA (1ull << 40)
#define HUGE_LEN (3ull << 30)

static void add_huge_region(struct ringpair *p)
{
	void *huge = mmap(NULL, HUGE_LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			  -1, 0);

	assert_ptr_not_equal(huge, MAP_FAILED);
	assert_int_equal(gmem_add(&p->mem, HUGE_GPA, HUGE_LEN, huge), 0);
}

static void more_than_4_gib(struct ringpair *p)
{
	add_huge_region(p);
	ringpair_raw(p, 0, (struct drv_buf){ HUGE_GPA, 1u << 31 }, NEXT);
	ringpair_raw(p, 1, (struct drv_buf){ HUGE_GPA, 1u << 31 }, WRITE | NEXT);
	ringpair_raw(p, 2, (struct drv_buf){ HUGE_GPA, 1 }, WRITE);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void buffer_outside_memory(struct ringpair *p)
{
	ringpair_raw(p, 0, (struct drv_buf){ 0x1000, 1 }, 0);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void buffer_leaves_memory(struct ringpair *p)
{
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_END - 1, 2 }, WRITE);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void buffer_wraps(struct ringpair *p)
{
	ringpair_raw(p, 0, (struct drv_buf){ UINT64_MAX - 1, 100 }, WRITE);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void buffer_reaches_round(struct ringpair *p)
{
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_DATA, UINT32_MAX }, 0);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void overlapping_buffers_on_a_border(struct ringpair *p)
{
	for (unsigned i = 0; i < 256; i++)
		ringpair_entry(p, i, (struct drv_buf){ RINGPAIR_BORDER - 1, 2 },
			       i < 255 ? NEXT : 0);
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_TABLE, 256 * 16 }, INDIR);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void indirect_without_feature(struct ringpair *p)
{
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_TABLE, 16 }, INDIR);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void indirect_and_next(struct ringpair *p)
{
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_TABLE, 16 }, INDIR | NEXT);
	ringpair_raw(p, 1, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void empty_table(struct ringpair *p)
{
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_TABLE, 0 }, INDIR);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void uneven_table(struct ringpair *p)
{
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_TABLE, 17 }, INDIR);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void table_too_long(struct ringpair *p)
{
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, 0);
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_TABLE, 257 * 16 }, INDIR);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void table_outside_memory(struct ringpair *p)
{
	ringpair_raw(p, 0, (struct drv_buf){ 0x1000, 16 }, INDIR);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void table_leaves_memory(struct ringpair *p)
{
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_END - 16, 32 }, INDIR);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void table_wraps(struct ringpair *p)
{
	ringpair_raw(p, 0, (struct drv_buf){ UINT64_MAX - 15, 32 }, INDIR);
	ringpair_offer(p, RINGPAIR_RAW);
}

static void table_in_a_table(struct ringpair *p)
{
	ringpair_entry(p, 0, (struct drv_buf){ RINGPAIR_DATA, 1 }, NEXT);
	ringpair_entry(p, 1, (struct drv_buf){ RINGPAIR_TABLE, 16 }, INDIR);
	ringpair_raw(p, 0, (struct drv_buf){ RINGPAIR_TABLE, 32 }, INDIR);
	ringpair_offer(p, RINGPAIR_RAW);
}

static const struct {
	void (*how)(struct ringpair *p);
	enum vq_fault fault;
} breaks[] = {
	{ jumps_ahead, VQ_FAULT_AVAIL_JUMP },
	{ goes_back, VQ_FAULT_AVAIL_JUMP },
	{ head_beyond_table, VQ_FAULT_HEAD },
	{ head_far_beyond_table, VQ_FAULT_HEAD },
	{ head_offered_twice, VQ_FAULT_HEAD_IN_FLIGHT },
	{ loop_of_one, VQ_FAULT_LOOP },
	{ loop_of_writable, VQ_FAULT_LOOP },
	{ loop_in_a_table, VQ_FAULT_LOOP },
	{ longer_than_the_queue, VQ_FAULT_LOOP },
	{ next_beyond_table, VQ_FAULT_NEXT },
	{ next_beyond_indirect_table, VQ_FAULT_NEXT },
	{ readable_after_writable, VQ_FAULT_ORDER },
	{ readable_in_table_after_writable, VQ_FAULT_ORDER },
	{ zero_length, VQ_FAULT_LENGTH },
	{ zero_length_in_table, VQ_FAULT_LENGTH },
	{ more_than_4_gib, VQ_FAULT_TOTAL },
	{ buffer_outside_memory, VQ_FAULT_ADDRESS },
	{ buffer_leaves_memory, VQ_FAULT_ADDRESS },
	{ buffer_wraps, VQ_FAULT_ADDRESS },
	{ buffer_reaches_round, VQ_FAULT_ADDRESS },
	{ overlapping_buffers_on_a_border, VQ_FAULT_PIECES },
	{ indirect_without_feature, VQ_FAULT_INDIRECT },
	{ indirect_and_next, VQ_FAULT_INDIRECT_NEXT },
	{ empty_table, VQ_FAULT_INDIRECT_LEN },
	{ uneven_table, VQ_FAULT_INDIRECT_LEN },
	{ table_too_long, VQ_FAULT_INDIRECT_LEN },
	{ table_outside_memory, VQ_FAULT_INDIRECT_ADDRESS },
	{ table_leaves_memory, VQ_FAULT_INDIRECT_ADDRESS },
	{ table_wraps, VQ_FAULT_INDIRECT_ADDRESS },
	{ table_in_a_table, VQ_FAULT_INDIRECT_NESTED },
};

#define N_BREAKS (sizeof(breaks) / sizeof(breaks[0]))

static void unmap_huge_region(struct ringpair *p)
{
	if (p->mem.n == 3)
		munmap(p->mem.region[2].hva, HUGE_LEN);
}

/* Whatever is called on a dead queue, the guest's memory stays as it is. */
static void is_dead(struct ringpair *p, struct vq_chain *in_flight)
{
	struct vq_chain *c;

	assert_int_equal(vq_pop(p->vq, &c, 1), -1);
	in_flight->written = 1;
	vq_push(p->vq, in_flight);
	assert_false(vq_publish(p->vq));
	vq_disable_notify(p->vq);
	assert_true(vq_enable_notify(p->vq));
	assert_false(vq_pending(p->vq));
	assert_int_equal(vq_pop(p->vq, &c, 1), -1);
	assert_int_equal(vq_stats(p->vq)->faults, 1);
	assert_int_equal(vq_in_flight(p->vq), 0);
	assert_true(ringpair_untouched(p));
}

static void break_one(unsigned i, bool in_order)
{
	const struct ringpair_spec spec = {
		.size = 256,
		.indirect = breaks[i].fault != VQ_FAULT_INDIRECT,
		.in_order = in_order,
	};
	struct ringpair p;
	struct vq_chain *c, *none;

	ringpair_open(&p, &spec);
	ringpair_send(&p, RINGPAIR_DATA, 16, 1, 1);
	c = ringpair_pop(&p);
	breaks[i].how(&p);
	ringpair_remember(&p);
	assert_true(vq_pending(p.vq));
	assert_int_equal(vq_pop(p.vq, &none, 1), -1);
	assert_string_equal(vq_fault_name(vq_fault(p.vq)), vq_fault_name(breaks[i].fault));
	is_dead(&p, c);

	/* A reset brings it back. */
	(void)vq_stop(p.vq);
	assert_true(drv_vq_init(&p.drv, &p.drv.cfg));
	assert_int_equal(vq_start(p.vq, &p.mem, &p.cfg), VQ_OK);
	ringpair_send(&p, RINGPAIR_DATA, 16, 1, 1);
	c = ringpair_pop(&p);
	assert_true(vq_put_zeroes(c, 16));
	vq_push(p.vq, c);
	assert_true(vq_publish(p.vq));
	assert_int_equal(ringpair_used(&p), 16);
	unmap_huge_region(&p);
	ringpair_close(&p);
}

static void every_mistake_has_its_fault(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_BREAKS; i++) {
		break_one(i, false);
		break_one(i, true);
	}
}

static void every_fault_has_a_test_and_a_name(void **state)
{
	bool seen[N_VQ_FAULTS] = {
		[VQ_OK] = true,
		[VQ_FAULT_PARTIAL] = true, /* these three in packed rings only */
		[VQ_FAULT_TAKEN_BACK] = true,
		[VQ_FAULT_EVENT] = true,
	};

	(void)state;
	seen[VQ_FAULT_SIZE] = seen[VQ_FAULT_RING_ALIGN] = seen[VQ_FAULT_RING_ADDRESS] = true;
	for (unsigned i = 0; i < N_BREAKS; i++)
		seen[breaks[i].fault] = true;
	for (unsigned i = 0; i < N_VQ_FAULTS; i++) {
		assert_true(seen[i]);
		assert_true(strlen(vq_fault_name(i)) > 1);
		assert_true(strlen(vq_fault_text(i)) > 10);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(vq_fault_name(i), vq_fault_name(k));
	}
	assert_string_equal(vq_fault_name(N_VQ_FAULTS), "unknown");
	assert_non_null(vq_fault_text(999));
}

static void good_chains_come_before_the_broken_one(void **state)
{
	const struct ringpair_spec spec = { .size = 256 };
	struct ringpair p;
	struct vq_chain *c[8];

	(void)state;
	ringpair_open(&p, &spec);
	for (unsigned i = 0; i < 3; i++)
		ringpair_send(&p, RINGPAIR_DATA, 8, 0, 1);
	zero_length(&p);
	assert_int_equal(vq_pop(p.vq, c, 8), 3);
	assert_int_equal(vq_fault(p.vq), VQ_OK);
	for (unsigned i = 0; i < 3; i++)
		vq_push(p.vq, c[i]);
	assert_true(vq_publish(p.vq));
	assert_int_equal(ringpair_used(&p), 0);
	assert_int_equal(vq_pop(p.vq, c, 8), -1);
	assert_int_equal(vq_fault(p.vq), VQ_FAULT_LENGTH);
	assert_int_equal(vq_fault_head(p.vq), RINGPAIR_RAW);
	ringpair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mistake_has_its_fault),
		cmocka_unit_test(every_fault_has_a_test_and_a_name),
		cmocka_unit_test(good_chains_come_before_the_broken_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
