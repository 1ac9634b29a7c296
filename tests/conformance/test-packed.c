/* Packed virtqueues (2.8). Rings are written and read by hand where the reference driver would be
 * too correct. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/conformance/conform.h"

#define AVAILABLE VRING_DESC_F_AVAIL /* in the first lap; the other flag in the second */

static void set_desc(struct vring_packed_desc *d, struct rig_buf buf, uint16_t id, unsigned flags)
{
	d->addr = cpu_le64(buf.gpa);
	d->len = cpu_le32(buf.len);
	d->id = cpu_le16(id);
	__atomic_store_n(&d->flags, cpu_le16(flags), __ATOMIC_RELEASE);
}

/* Sends eight chains and lets the device do what it does of itself; then the kept ones. */
static struct rig_req *send_eight(struct rig *r, unsigned q, uint16_t ids[8])
{
	struct rig_buf buf = rig_alloc(r, 4);
	struct rig_req *req = NULL;

	for (unsigned i = 0; i < 8; i++) {
		req = rig_add(r, q, &buf, 0, 1);
		ids[i] = le16_cpu(rig_vq(r, q)->packed.desc[i].id);
	}
	rig_publish(r, q);
	return req;
}

static uint16_t used_id(struct rig *r, unsigned q, unsigned i)
{
	return le16_cpu(rig_vq(r, q)->packed.desc[i].id);
}

static void chains_are_taken_in_ring_order(struct rig *r)
{
	uint16_t ids[8];

	rig_start(r, conform_plain(r));
	rig_wait(r, send_eight(r, ECHO_COPY, ids));
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(used_id(r, ECHO_COPY, i), ids[i]);
}

static void used_descriptors_are_in_completion_order(struct rig *r)
{
	uint16_t ids[8];
	struct rig_req *last;

	rig_start(r, conform_plain(r));
	last = send_eight(r, ECHO_KEEP, ids);
	rig_wait_idle(r);
	assert_int_equal(echo_kept(rig_dev(r)), 8);
	rig_on_owner(r, echo_release, rig_dev(r)); /* last first */
	rig_wait(r, last);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(used_id(r, ECHO_KEEP, i), ids[7 - i]);
}

/* All of a descriptor is there but its AVAIL bit, or it has the other lap's bits. */
static void a_slot_waits_for_its_avail_bit(struct rig *r)
{
	static const unsigned not_yet[] = { 0, VRING_DESC_F_USED,
					    VRING_DESC_F_USED | VRING_DESC_F_AVAIL };
	struct rig_buf out = rig_alloc(r, 4);

	for (size_t i = 0; i < G_N_ELEMENTS(not_yet); i++) {
		struct vring_packed_desc *d, before;

		rig_start(r, conform_plain(r));
		d = &rig_vq(r, ECHO_COPY)->packed.desc[0];
		set_desc(d, out, 3, VRING_DESC_F_WRITE | not_yet[i]);
		before = *d;
		rig_kick(r, ECHO_COPY);
		conform_let_work(r);
		assert_memory_equal(d, &before, sizeof(before));
		set_desc(d, out, 3, VRING_DESC_F_WRITE | AVAILABLE);
		rig_kick(r, ECHO_COPY);
		conform_await_first(r, ECHO_COPY);
		assert_int_equal(le16_cpu(d->id), 3);
	}
}

static void used_descriptors_are_left_alone(struct rig *r)
{
	struct rig_buf bufs[] = { rig_dup(r, "abcd", 4), rig_alloc(r, 4) };
	const struct drv_vq *vq;
	g_autofree void *before = NULL;
	size_t bytes;

	rig_start(r, conform_plain(r));
	vq = rig_vq(r, ECHO_COPY);
	bytes = vring_desc_bytes(vq->cfg.size);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(rig_do(r, ECHO_COPY, bufs, 1, 1), 4);
	before = g_memdup2(vq->packed.desc, bytes);
	for (unsigned i = 0; i < 10; i++) {
		rig_kick(r, ECHO_COPY);
		conform_let_work(r);
	}
	assert_memory_equal(vq->packed.desc, before, bytes);
}

/* Direct and indirect: the pieces are out of order in memory, but not in the list. */
static void elements_are_taken_in_the_order_of_the_list(struct rig *r)
{
	for (unsigned indirect = 0; indirect < 2; indirect++) {
		struct rig_buf in = rig_dup(r, "eeddccbbaa", 10), out = rig_alloc(r, 10), bufs[10];
		struct vfeatures f = conform_plain(r);

		vfeatures_set(&f, VIRTIO_F_INDIRECT_DESC, indirect);
		rig_start(r, f);
		for (unsigned i = 0; i < 5; i++) {
			bufs[i] = rig_part(in, 8 - 2 * i, 2);
			bufs[5 + i] = rig_part(out, 2 * ((i + 2) % 5), 2);
		}
		for (unsigned n = 0; n < 30; n++) {
			memset(out.p, 0, out.len);
			assert_int_equal(rig_do(r, ECHO_COPY, bufs, 5, 5), 10);
			assert_memory_equal(out.p, "ddeeaabbcc", 10);
		}
	}
}

static const struct conform_case cases[] = {
	{ "DEV-PACKED-LAYOUT-01", "chains are taken in ring order", chains_are_taken_in_ring_order,
	  .rings = CONFORM_PACKED },
	{ "DEV-PACKED-LAYOUT-02", "used descriptors are in completion order",
	  used_descriptors_are_in_completion_order, .rings = CONFORM_PACKED },
	{ "DEV-PACKED-DESC-03", "a slot waits for its AVAIL bit", a_slot_waits_for_its_avail_bit,
	  .rings = CONFORM_PACKED },
	{ "DEV-PACKED-DESC-04", "used descriptors are left alone", used_descriptors_are_left_alone,
	  .rings = CONFORM_PACKED },
	{ "DEV-PACKED-SG-01", "elements are taken in the order of the list",
	  elements_are_taken_in_the_order_of_the_list, .rings = CONFORM_PACKED },
};

int main(void)
{
	return conform_run("packed", cases, G_N_ELEMENTS(cases));
}
