/* The reference driver: what it writes, and that it notices a device which makes no sense. */
#include "virtqueue/driver/drv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define GPA 0x40000u

static _Alignas(4096) uint8_t memory[1u << 16];

static struct drv_config config(uint16_t size, bool packed)
{
	return (struct drv_config){
		.size = size,
		.packed = packed,
		.base = memory,
		.gpa = GPA,
		.len = sizeof(memory),
		.table_max = 8,
	};
}

static struct drv_vq *new_driver(const struct drv_config *cfg)
{
	static struct drv_vq vq;

	assert_true(drv_vq_init(&vq, cfg));
	return &vq;
}

static void impossible_rings_are_refused(void **state)
{
	static struct drv_vq vq;
	struct drv_config cfg = config(0, false);

	(void)state;
	assert_false(drv_vq_init(&vq, &cfg));
	cfg = config(3, false);
	assert_false(drv_vq_init(&vq, &cfg));
	cfg = config(2048, false);
	assert_false(drv_vq_init(&vq, &cfg));
	cfg = config(16, true);
	cfg.len = drv_bytes(&cfg) - 1;
	assert_false(drv_vq_init(&vq, &cfg));
	cfg.len++;
	assert_true(drv_vq_init(&vq, &cfg));
	cfg.gpa += 8;
	assert_false(drv_vq_init(&vq, &cfg));
	cfg = config(3, true);
	assert_true(drv_vq_init(&vq, &cfg));
}

static void the_ring_stays_in_its_bytes(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 4; bits++) {
		struct drv_config cfg = config(8, bits & 1);
		struct drv_buf bufs[2] = { { 0x1000, 1 }, { 0x2000, 2 } };
		struct drv_vq *vq;
		size_t bytes;

		cfg.indirect = bits & 2;
		bytes = drv_bytes(&cfg);
		memset(memory, 0xee, sizeof(memory));
		vq = new_driver(&cfg);
		while (drv_add(vq, bufs, 1, 1, NULL) >= 0)
			;
		drv_publish(vq);
		drv_disable_notify(vq);
		drv_enable_notify(vq);
		for (size_t i = bytes; i < sizeof(memory); i++)
			assert_int_equal(memory[i], 0xee);
		assert_int_equal(vq->n_free, 0);
		assert_in_range(vq->desc, GPA, GPA + bytes);
		assert_in_range(vq->driver, GPA, GPA + bytes);
		assert_in_range(vq->device, GPA, GPA + bytes);
	}
}

static void a_split_chain_is_linked(void **state)
{
	struct drv_config cfg = config(8, false);
	struct drv_buf bufs[3] = { { 0x1000, 1 }, { 0x2000, 2 }, { 0x3000, 3 } };
	struct drv_vq *vq = new_driver(&cfg);
	const struct vring_desc *d = vq->split.desc;
	int head;

	(void)state;
	head = drv_add(vq, bufs, 1, 2, NULL);
	assert_int_equal(le16_cpu(vq->split.avail->idx), 0);
	assert_true(drv_publish(vq));
	assert_int_equal(le16_cpu(vq->split.avail->idx), 1);
	assert_int_equal(le16_cpu(vq->split.avail->ring[0]), head);
	for (unsigned i = 0, at = head; i < 3; i++, at = le16_cpu(d[at].next)) {
		assert_int_equal(le64_cpu(d[at].addr), bufs[i].gpa);
		assert_int_equal(le32_cpu(d[at].len), bufs[i].len);
		assert_int_equal(le16_cpu(d[at].flags), (i > 0 ? VRING_DESC_F_WRITE : 0) |
								(i < 2 ? VRING_DESC_F_NEXT : 0));
	}
	assert_int_equal(vq->n_free, 5);
}

/* DRV-SPLIT-DESC-02, DRV-SPLIT-INDIRECT-05 */
static void in_order_descriptors_go_round(void **state)
{
	struct drv_config cfg = config(4, false);
	struct drv_buf bufs[3] = { { 0x1000, 1 }, { 0x2000, 2 }, { 0x3000, 3 } };
	struct drv_vq *vq;
	void *cookie;
	uint32_t len;

	(void)state;
	cfg.in_order = true;
	vq = new_driver(&cfg);
	for (unsigned i = 0; i < 9; i++) {
		int head = drv_add(vq, bufs, 3, 0, NULL);

		assert_int_equal(head, i * 3 % 4);
		for (unsigned k = 0; k < 2; k++)
			assert_int_equal(le16_cpu(vq->split.desc[(head + k) % 4].next),
					 (head + k + 1) % 4);
		drv_publish(vq);
		vq->split.used->ring[i % 4].id = cpu_le32(head);
		vq->split.used->idx = cpu_le16(i + 1);
		assert_true(drv_used(vq, &cookie, &len));
	}
	assert_null(vq->broken);
}

/* DRV-PACKED-SG-06: the head last, and not before it is published. */
static void a_packed_chain_appears_at_once(void **state)
{
	struct drv_config cfg = config(5, true);
	struct drv_buf bufs[3] = { { 0x1000, 1 }, { 0x2000, 2 }, { 0x3000, 3 } };
	struct drv_vq *vq = new_driver(&cfg);
	const struct vring_packed_desc *d = vq->packed.desc;
	int id;

	(void)state;
	id = drv_add(vq, bufs, 2, 1, NULL);
	assert_int_equal(le16_cpu(d[0].flags), 0);
	assert_int_equal(le16_cpu(d[1].flags), VRING_DESC_F_AVAIL | VRING_DESC_F_NEXT);
	assert_int_equal(le16_cpu(d[2].flags), VRING_DESC_F_AVAIL | VRING_DESC_F_WRITE);
	assert_int_equal(le16_cpu(d[2].id), id);
	assert_true(drv_publish(vq));
	assert_int_equal(le16_cpu(d[0].flags), VRING_DESC_F_AVAIL | VRING_DESC_F_NEXT);
	assert_int_equal(drv_add(vq, bufs, 3, 0, NULL), -1);
	assert_false(drv_publish(vq));
}

static void tables_are_as_each_layout_wants_them(void **state)
{
	struct drv_buf bufs[3] = { { 0x1000, 1 }, { 0x2000, 2 }, { 0x3000, 3 } };

	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		struct drv_config cfg = config(4, packed);
		const struct vring_packed_desc *p;
		const struct vring_desc *s;
		struct drv_vq *vq;

		cfg.indirect = true;
		vq = new_driver(&cfg);
		assert_int_equal(drv_add(vq, bufs, 2, 1, NULL), 0);
		drv_publish(vq);
		assert_int_equal(vq->n_free, 3);
		p = (void *)(memory + (vq->tables - GPA));
		s = (void *)p;
		for (unsigned i = 0; i < 3; i++) {
			unsigned flags = packed ? le16_cpu(p[i].flags) : le16_cpu(s[i].flags);

			assert_int_equal(le64_cpu(s[i].addr), bufs[i].gpa);
			assert_int_equal(le32_cpu(s[i].len), bufs[i].len);
			assert_int_equal(flags, (i == 2 ? VRING_DESC_F_WRITE : 0) |
							(!packed && i < 2 ? VRING_DESC_F_NEXT : 0));
			assert_true(packed || i == 2 || le16_cpu(s[i].next) == i + 1);
		}
		assert_int_equal(packed ? le16_cpu(vq->packed.desc[0].flags) & 0xf
					: le16_cpu(vq->split.desc[0].flags),
				 VRING_DESC_F_INDIRECT);
	}
}

/* DRV-PACKED-DESC-03, and 2.9 for split rings */
static void notification_data_is_where_the_driver_goes_on(void **state)
{
	struct drv_buf buf = { 0x1000, 1 };
	struct drv_config cfg = config(4, false);
	struct drv_vq *vq = new_driver(&cfg);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		drv_add(vq, &buf, 1, 0, NULL);
	assert_int_equal(drv_notification_data(vq), 0);
	drv_publish(vq);
	assert_int_equal(drv_notification_data(vq), 3u << 16);

	cfg = config(3, true);
	vq = new_driver(&cfg);
	assert_int_equal(drv_notification_data(vq), 1u << 31);
	drv_add(vq, &buf, 1, 0, NULL);
	drv_publish(vq);
	assert_int_equal(drv_notification_data(vq), 1u << 31 | 1u << 16);
	drv_add(vq, &buf, 1, 0, NULL);
	drv_add(vq, &buf, 1, 0, NULL);
	drv_publish(vq);
	assert_int_equal(drv_notification_data(vq), 0);
}

/* Puts a used element where the reference driver looks next. */
static void device_says(struct drv_vq *vq, uint32_t id, uint32_t len)
{
	struct drv_packed *r = &vq->packed;
	struct vring_packed_desc *d;
	struct vring_used *used = vq->split.used;

	if (!vq->cfg.packed) {
		used->ring[vq->split.last_used % vq->cfg.size].id = cpu_le32(id);
		used->ring[vq->split.last_used % vq->cfg.size].len = cpu_le32(len);
		used->idx = cpu_le16(vq->split.last_used + 1);
		return;
	}
	d = &r->desc[vring_pos_off(r->next_used)];
	d->id = cpu_le16(id);
	d->len = cpu_le32(len);
	d->flags = cpu_le16(VRING_DESC_F_WRITE | vring_pos_used_flags(r->next_used));
}

static void nonsense_from_the_device_is_noticed(void **state)
{
	static const struct {
		uint32_t id, len;
		bool broken;
	} cases[] = {
		{ 0, 8, false }, { 0, 9, true },      { 1, 0, true },
		{ 4, 0, true },  { 0xffff, 0, true }, { 0x7fff, 0, true },
	};
	struct drv_buf bufs[2] = { { 0x1000, 8 }, { 0x2000, 8 } };
	void *cookie;
	uint32_t len;

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		struct drv_config cfg = config(4, i & 1);
		struct drv_vq *vq = new_driver(&cfg);
		bool broken = cases[i / 2].broken;

		assert_int_equal(drv_add(vq, bufs, 1, 1, &cfg), 0);
		drv_publish(vq);
		assert_false(drv_used(vq, &cookie, &len));
		device_says(vq, cases[i / 2].id, cases[i / 2].len);
		assert_int_equal(drv_used(vq, &cookie, &len), !broken);
		assert_int_equal(vq->broken != NULL, broken);
		assert_int_equal(drv_add(vq, bufs, 1, 1, NULL) < 0, broken);
		if (!broken)
			assert_ptr_equal(cookie, &cfg);
	}
}

static void a_used_index_that_jumps_is_noticed(void **state)
{
	struct drv_config cfg = config(4, false);
	struct drv_buf buf = { 0x1000, 8 };
	struct drv_vq *vq = new_driver(&cfg);
	struct drv_done done[8];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(drv_add(vq, &buf, 0, 1, NULL), i);
	drv_publish(vq);
	vq->split.used->idx = cpu_le16(5);
	assert_int_equal(drv_used_batch(vq, done, 8), 0);
	assert_string_equal(vq->broken, "used index jumps");
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* The ring's memory as its own device may leave it: each chain that comes back was in flight, and
 * no longer than was writable of it, until the ring is broken. */
static void scribble_for_a_while(uint32_t seed, const struct drv_config *cfg)
{
	struct drv_buf bufs[3] = { { 0x1000, 7 }, { 0x2000, 8 }, { 0x3000, 9 } };
	struct drv_vq *vq = new_driver(cfg);
	bool in_flight[64] = { false };
	struct drv_done done[4];

	for (unsigned turn = 0; turn < 200 && !vq->broken; turn++) {
		unsigned n = next_random(&seed) % 64, place;

		if (!in_flight[n] &&
		    drv_add(vq, bufs, 1, 1 + next_random(&seed) % 2, &in_flight[n]) >= 0)
			in_flight[n] = true;
		(void)drv_publish(vq);
		if (turn % 3 == 0) { /* what it may well mean */
			device_says(vq, next_random(&seed) % cfg->size, next_random(&seed) % 20);
		} else {
			place = next_random(&seed) % drv_ring_bytes(cfg);
			memory[place] = (uint8_t)next_random(&seed);
		}
		n = drv_used_batch(vq, done, 4);
		for (unsigned i = 0; i < n; i++) {
			bool *mine = done[i].cookie;

			assert_in_range(mine, in_flight, in_flight + 63);
			assert_true(*mine);
			*mine = false;
			assert_in_range(done[i].len, 0, 17);
		}
		assert_in_range(vq->n_free, 0, cfg->size);
		(void)drv_enable_notify(vq);
	}
}

static void a_device_that_scribbles_over_the_ring_harms_nothing(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < 4000; seed++) {
		struct drv_config cfg = config(8, seed & 1);

		cfg.event_idx = seed & 2;
		cfg.indirect = seed & 4;
		cfg.in_order = (seed & 24) == 24;
		scribble_for_a_while(seed, &cfg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(impossible_rings_are_refused),
		cmocka_unit_test(the_ring_stays_in_its_bytes),
		cmocka_unit_test(a_split_chain_is_linked),
		cmocka_unit_test(in_order_descriptors_go_round),
		cmocka_unit_test(a_packed_chain_appears_at_once),
		cmocka_unit_test(tables_are_as_each_layout_wants_them),
		cmocka_unit_test(notification_data_is_where_the_driver_goes_on),
		cmocka_unit_test(nonsense_from_the_device_is_noticed),
		cmocka_unit_test(a_used_index_that_jumps_is_noticed),
		cmocka_unit_test(a_device_that_scribbles_over_the_ring_harms_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
