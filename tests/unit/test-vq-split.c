/* What only split rings have: what starts, tables and links, and their suppression fields. */
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

static struct vring_desc desc_of(uint64_t gpa, uint32_t len, unsigned flags, unsigned next)
{
	return (struct vring_desc){
		.addr = cpu_le64(gpa),
		.len = cpu_le32(len),
		.flags = cpu_le16(flags),
		.next = cpu_le16(next),
	};
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

static void unmap_huge_region(struct ringpair *p)
{
	if (p->mem.n == 3)
		munmap(p->mem.region[2].hva, HUGE_LEN);
}

/*
 * ---- starting ----
 */

static enum vq_fault start_with(struct ringpair *p, struct vq_config cfg)
{
	enum vq_fault fault;
	struct vq_chain *c;

	ringpair_remember(p);
	fault = vq_start(p->vq, &p->mem, &cfg);
	assert_true(fault == VQ_OK || ringpair_untouched(p));
	assert_int_equal(vq_fault(p->vq), fault);
	if (fault) {
		assert_false(vq_started(p->vq));
		assert_int_equal(vq_pop(p->vq, &c, 1), -1);
	}
	(void)vq_stop(p->vq);
	return fault;
}

/* DRV-SPLIT-LAYOUT-01 */
static void a_ring_that_cannot_be_is_refused(void **state)
{
	const struct ringpair_spec spec = { .size = 256 };
	static const struct {
		int desc, driver, device;
		uint16_t size;
		enum vq_fault fault;
	} cases[] = {
		{ 0, 0, 0, 256, VQ_OK },
		{ 0, 0, 0, 1, VQ_OK },
		{ 0, 0, 0, 0, VQ_FAULT_SIZE },
		{ 0, 0, 0, 255, VQ_FAULT_SIZE },
		{ 0, 0, 0, 3, VQ_FAULT_SIZE },
		{ 0, 0, 0, 65535, VQ_FAULT_SIZE },
		{ 8, 0, 0, 256, VQ_FAULT_RING_ALIGN },
		{ 0, 1, 0, 256, VQ_FAULT_RING_ALIGN },
		{ 0, 0, 2, 256, VQ_FAULT_RING_ALIGN },
		{ 16, 2, 4, 256, VQ_OK },
		{ -0x100000, 0, 0, 256, VQ_FAULT_RING_ADDRESS },
		{ 0, -0x110000, 0, 256, VQ_FAULT_RING_ADDRESS },
		{ 0, 0, -0x110000, 256, VQ_FAULT_RING_ADDRESS },
		{ 2 * RINGPAIR_REGION - 16, 0, 0, 256, VQ_FAULT_RING_ADDRESS },
		{ 0, 2 * RINGPAIR_REGION, 0, 256, VQ_FAULT_RING_ADDRESS },
		{ 0, 0, 2 * RINGPAIR_REGION, 256, VQ_FAULT_RING_ADDRESS },
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
		assert_int_equal(start_with(&p, cfg), cases[i].fault);
	}
	ringpair_close(&p);
}

/* The event fields lie behind the rings and count: at the end of memory they must fit as well. */
static void the_event_fields_are_part_of_the_ring(void **state)
{
	const struct ringpair_spec spec = { .size = 256 };
	struct ringpair p;
	struct vq_config cfg;

	(void)state;
	ringpair_open(&p, &spec);
	(void)vq_stop(p.vq);
	cfg = p.cfg;
	cfg.driver = RINGPAIR_END - vring_avail_bytes(256);
	assert_int_equal(start_with(&p, cfg), VQ_OK);
	cfg.driver += 2;
	assert_int_equal(start_with(&p, cfg), VQ_FAULT_RING_ADDRESS);
	cfg = p.cfg;
	cfg.device = RINGPAIR_END - vring_used_bytes(256) - 2;
	assert_int_equal(start_with(&p, cfg), VQ_OK);
	cfg.device += 4;
	assert_int_equal(start_with(&p, cfg), VQ_FAULT_RING_ADDRESS);
	ringpair_close(&p);
}

/*
 * ---- what only split rings have ----
 */

/* DEV-SPLIT-INDIRECT-01 and -02 */
static void a_table_may_end_direct_descriptors(void **state)
{
	const struct ringpair_spec spec = { .size = 256, .indirect = true };
	struct ringpair p;
	struct vq_chain *c;
	uint8_t bytes[12];

	(void)state;
	ringpair_open(&p, &spec);
	memcpy(ringpair_at(&p, RINGPAIR_DATA), "direct table", 12);
	ringpair_raw(&p, 0, (struct drv_buf){ RINGPAIR_DATA, 4 }, NEXT);
	ringpair_raw(&p, 1, (struct drv_buf){ RINGPAIR_DATA + 4, 3 }, NEXT);
	ringpair_raw(&p, 2, (struct drv_buf){ RINGPAIR_TABLE, 48 }, INDIR | WRITE);
	ringpair_entry(&p, 0, (struct drv_buf){ RINGPAIR_DATA + 7, 5 }, NEXT);
	ringpair_entry(&p, 1, (struct drv_buf){ RINGPAIR_DATA + 100, 10 }, NEXT | WRITE);
	ringpair_entry(&p, 2, (struct drv_buf){ RINGPAIR_DATA + 110, 1 }, WRITE);
	ringpair_offer(&p, RINGPAIR_RAW);
	c = ringpair_pop(&p);
	assert_int_equal(c->id, RINGPAIR_RAW);
	assert_int_equal(c->wr.left, 11);
	assert_int_equal(c->rd.left, 12);
	assert_true(vq_pull(c, bytes, 12));
	assert_memory_equal(bytes, "direct table", 12);
	ringpair_close(&p);
}

static void a_table_may_cross_regions_anywhere(void **state)
{
	const struct ringpair_spec spec = { .size = 256, .indirect = true };

	(void)state;
	for (unsigned off = 1; off < 64; off++) {
		uint64_t table = RINGPAIR_BORDER - off;
		struct ringpair p;
		struct vq_chain *c;

		ringpair_open(&p, &spec);
		for (unsigned i = 0; i < 4; i++) {
			struct vring_desc d = desc_of(RINGPAIR_DATA + i, 1 + i, i < 3 ? NEXT : 0,
						      i + 1);

			assert_true(gmem_write(&p.mem, table + sizeof(d) * i, &d, sizeof(d)));
		}
		ringpair_raw(&p, 0, (struct drv_buf){ table, 64 }, INDIR);
		ringpair_offer(&p, RINGPAIR_RAW);
		c = ringpair_pop(&p);
		assert_int_equal(c->rd.left, 10);
		assert_int_equal(c->rd.n, 4);
		ringpair_close(&p);
	}
}

/* Neither unused table entries nor the order of links matter. */
static void links_in_a_table_need_not_be_in_order(void **state)
{
	const struct ringpair_spec spec = { .size = 4, .indirect = true };
	struct ringpair p;
	struct vring_desc *table;
	struct vq_chain *c;
	char text[3];

	(void)state;
	ringpair_open(&p, &spec);
	memcpy(ringpair_at(&p, RINGPAIR_DATA), "abc", 3);
	table = ringpair_at(&p, RINGPAIR_TABLE);
	table[0] = desc_of(RINGPAIR_DATA, 1, NEXT, 199);
	table[199] = desc_of(RINGPAIR_DATA + 1, 1, NEXT, 7);
	table[7] = desc_of(RINGPAIR_DATA + 2, 1, 0, 0);
	p.drv.split.desc[3] = desc_of(RINGPAIR_TABLE, 200 * 16, INDIR, 0);
	ringpair_offer(&p, 3);
	c = ringpair_pop(&p);
	assert_true(vq_pull(c, text, 3));
	assert_memory_equal(text, "abc", 3);
	ringpair_close(&p);
}

static void exactly_4_gib_are_allowed(void **state)
{
	const struct ringpair_spec spec = { .size = 256 };
	struct ringpair p;
	struct vq_chain *c;

	(void)state;
	ringpair_open(&p, &spec);
	add_huge_region(&p);
	ringpair_raw(&p, 0, (struct drv_buf){ HUGE_GPA, 1u << 31 }, WRITE | NEXT);
	ringpair_raw(&p, 1, (struct drv_buf){ HUGE_GPA + (1u << 30), 1u << 31 }, WRITE);
	ringpair_offer(&p, RINGPAIR_RAW);
	c = ringpair_pop(&p);
	assert_int_equal(c->wr.left, 1ull << 32);
	assert_true(vq_wrote(c, 1ull << 32));
	vq_push(p.vq, c);
	vq_publish(p.vq);
	assert_int_equal(le32_cpu(p.drv.split.used->ring[0].len), UINT32_MAX);
	unmap_huge_region(&p);
	ringpair_close(&p);
}

/* DEV-SPLIT-USEDSUPP-01 to -05: each kind of suppression looks at its own field only. */
static void the_other_suppression_field_is_a_decoy(void **state)
{
	(void)state;
	for (unsigned event_idx = 0; event_idx < 2; event_idx++) {
		const struct ringpair_spec spec = { .size = 256, .event_idx = event_idx };
		struct ringpair p;

		ringpair_open(&p, &spec);
		*p.drv.split.used_event = cpu_le16(event_idx ? 0 : 5000);
		p.drv.split.avail->flags = cpu_le16(event_idx);
		ringpair_send(&p, RINGPAIR_DATA, 8, 1, 0);
		vq_push(p.vq, ringpair_pop(&p));
		assert_true(vq_publish(p.vq));
		*p.drv.split.used_event = cpu_le16(event_idx ? 5000 : 1);
		p.drv.split.avail->flags = cpu_le16(!event_idx);
		ringpair_send(&p, RINGPAIR_DATA, 8, 1, 0);
		vq_push(p.vq, ringpair_pop(&p));
		assert_false(vq_publish(p.vq));
		ringpair_close(&p);
	}
}

/* DEV-SPLIT-AVAILSUPP-01 and -03 */
static void our_flags_are_0_or_1_and_0_with_event_idx(void **state)
{
	(void)state;
	for (unsigned event_idx = 0; event_idx < 2; event_idx++) {
		const struct ringpair_spec spec = { .size = 256, .event_idx = event_idx };
		struct ringpair p;

		ringpair_open(&p, &spec);
		assert_int_equal(le16_cpu(p.drv.split.used->flags), 0);
		vq_disable_notify(p.vq);
		assert_int_equal(le16_cpu(p.drv.split.used->flags), !event_idx);
		assert_true(vq_enable_notify(p.vq));
		assert_int_equal(le16_cpu(p.drv.split.used->flags), 0);
		ringpair_close(&p);
	}
}

/* The event is the index that the batch stepped over, seen across the wrap of 16 bits. */
static void every_event_in_a_batch_is_noticed(void **state)
{
	const struct ringpair_spec spec = { .size = 16, .event_idx = true, .start_at = 65530 };

	(void)state;
	for (unsigned event = 0; event < 16; event++) {
		struct ringpair p;
		struct vq_chain *c[16];

		ringpair_open(&p, &spec);
		*p.drv.split.used_event = cpu_le16(65530 + event);
		for (unsigned i = 0; i < 12; i++)
			ringpair_send(&p, RINGPAIR_DATA, 8, 1, 0);
		assert_int_equal(vq_pop(p.vq, c, 16), 12);
		for (unsigned i = 0; i < 12; i++)
			vq_push(p.vq, c[i]);
		assert_int_equal(vq_publish(p.vq), event < 12);
		assert_int_equal(le16_cpu(p.drv.split.used->idx), (uint16_t)(65530 + 12));
		ringpair_close(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_that_cannot_be_is_refused),
		cmocka_unit_test(the_event_fields_are_part_of_the_ring),
		cmocka_unit_test(a_table_may_end_direct_descriptors),
		cmocka_unit_test(a_table_may_cross_regions_anywhere),
		cmocka_unit_test(links_in_a_table_need_not_be_in_order),
		cmocka_unit_test(exactly_4_gib_are_allowed),
		cmocka_unit_test(the_other_suppression_field_is_a_decoy),
		cmocka_unit_test(our_flags_are_0_or_1_and_0_with_event_idx),
		cmocka_unit_test(every_event_in_a_batch_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
