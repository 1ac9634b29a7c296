/*
 * The checker's rules of registers and rings: each is broken by a driver here, told by its name,
 * and nothing else is. Those that the device core finds itself have their tests in test-rules and
 * the rings' (test-vq-*-faults); that they come to be told here is shown as well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/check-case.h"
#include "tests/support/echo.h"
#include "tests/support/pci-peek.h"
#include "tests/support/rig-impl.h"
#include "transport/mmio/regs.h"
#include "vmm/check/check-int.h"

#define SO_FAR (VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER)
#define NEXT   VRING_DESC_F_NEXT
#define WRITE  VRING_DESC_F_WRITE
#define INDIR  VRING_DESC_F_INDIRECT

static uint32_t mmio_get(struct rig *r, unsigned off)
{
	return (uint32_t)board_fake_read(rig_board(r), false, RIG_MMIO_BASE + off, 4);
}

static void mmio_put(struct rig *r, unsigned off, uint64_t value)
{
	board_fake_write(rig_board(r), false, RIG_MMIO_BASE + off, 4, value);
}

/*
 * Registers.
 */

static void core_rule(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_DRIVER);
}

static void mtu_without_mtu(struct rig *r)
{
	rig_start(r, RIG_NONE);
	(void)rig_config16(r, 10);
}

static void geometry_without_geometry(struct rig *r)
{
	rig_start(r, RIG_NONE);
	(void)rig_config16(r, 16);
}

static void capacity_without_generation(struct rig *r)
{
	rig_start(r, RIG_NONE);
	rig_reset(r);
	(void)mmio_get(r, R_CONFIG);
}

static void mmio_reset_unread(struct rig *r)
{
	mmio_put(r, R_STATUS, 0);
	mmio_put(r, R_STATUS, VIRTIO_S_ACKNOWLEDGE);
}

static void pci_reset_unread(struct rig *r)
{
	peek_put(r, 0x14, 1, 0);
	peek_put(r, 0x14, 1, VIRTIO_S_ACKNOWLEDGE);
}

static void features_ok_unread(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, SO_FAR);
	mmio_put(r, R_DRIVER_FEATURES_SEL, 1);
	mmio_put(r, R_DRIVER_FEATURES, 1);
	mmio_put(r, R_STATUS, SO_FAR | VIRTIO_S_FEATURES_OK);
	mmio_put(r, R_STATUS, SO_FAR | VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK);
}

static void pci_queue_reset_unread(struct rig *r)
{
	rig_start(r, RIG_ALL);
	peek_put(r, 0x16, 2, ECHO_COPY);
	peek_put(r, 0x3a, 2, 1);
	peek_put(r, 0x20, 4, rig_vq(r, ECHO_COPY)->desc);
	peek_put(r, 0x1c, 2, 1);
}

static void mmio_queue_reset_unread(struct rig *r)
{
	rig_start(r, RIG_ALL);
	mmio_put(r, R_QUEUE_SEL, ECHO_COPY);
	mmio_put(r, R_QUEUE_RESET, 1);
	mmio_put(r, R_QUEUE_DESC, rig_vq(r, ECHO_COPY)->desc);
	mmio_put(r, R_QUEUE_READY, 1);
}

static void pci_queue_again_without_addresses(struct rig *r)
{
	rig_start(r, RIG_ALL);
	peek_put(r, 0x16, 2, ECHO_COPY);
	peek_put(r, 0x3a, 2, 1);
	assert_int_equal(peek_get(r, 0x3a, 2), 0);
	peek_put(r, 0x1c, 2, 1);
}

static void pci_queue_vector_unread(struct rig *r)
{
	struct vfeatures f = RIG_NONE;

	vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
	assert_true(rig_negotiate(r, f));
	peek_put(r, 0x16, 2, ECHO_COPY);
	peek_put(r, 0x1a, 2, 1);
	peek_put(r, 0x1c, 2, 1);
}

static void pci_config_vector_unread(struct rig *r)
{
	struct vfeatures f = RIG_NONE;

	vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
	assert_true(rig_negotiate(r, f));
	peek_put(r, 0x10, 2, 0);
	rig_driver_ok(r);
}

static void mmio_queue_late(struct rig *r)
{
	uint64_t ring = rig_alloc(r, 16384).gpa & ~UINT64_C(4095);
	struct vfeatures f = RIG_NONE;

	vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
	assert_true(rig_negotiate(r, f));
	rig_driver_ok(r);
	mmio_put(r, R_QUEUE_SEL, ECHO_COPY);
	mmio_put(r, R_QUEUE_SIZE, 8);
	mmio_put(r, R_QUEUE_DESC, ring + 4096);
	mmio_put(r, R_QUEUE_DRIVER, ring + 8192);
	mmio_put(r, R_QUEUE_DEVICE, ring + 12288);
	mmio_put(r, R_QUEUE_READY, 1);
	rig_wait_idle(r);
}

static void pci_queue_late(struct rig *r)
{
	uint64_t ring = rig_alloc(r, 16384).gpa & ~UINT64_C(4095);
	struct vfeatures f = RIG_NONE;

	vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
	assert_true(rig_negotiate(r, f));
	rig_driver_ok(r);
	peek_put(r, 0x16, 2, ECHO_COPY);
	for (unsigned i = 0; i < 3; i++)
		peek_put(r, 0x20 + i * 8, 4, ring + UINT64_C(4096) * (i + 1));
	peek_put(r, 0x1c, 2, 1);
	rig_wait_idle(r);
}

/* The rig's own driver has looked already: another begins. */
static void mmio_status_first(struct rig *r)
{
	(void)mmio_get(r, R_STATUS);
}

static void mmio_ready_unread(struct rig *r)
{
	rig_start(r, RIG_NONE);
	mmio_put(r, R_QUEUE_SEL, ECHO_COPY);
	mmio_put(r, R_QUEUE_READY, 0);
	mmio_put(r, R_QUEUE_READY, 1);
}

static void mmio_ack_unread(struct rig *r)
{
	rig_start(r, RIG_NONE);
	for (unsigned i = 0; i < 100; i++) /* the rig has read the status, a few times */
		mmio_put(r, R_INTERRUPT_ACK, 1);
}

static void mmio_never_acked(struct rig *r)
{
	struct rig_req *req;

	rig_start(r, RIG_NONE);
	req = peek_request(r);
	while (!(mmio_get(r, R_INTERRUPT_STATUS) & MMIO_INT_USED))
		peek_answer(r);
	for (unsigned i = 0; i < 20; i++)
		(void)mmio_get(r, R_INTERRUPT_STATUS);
	rig_wait(r, req);
}

/* VERSION_1 is not among them. */
static void features_refused(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, SO_FAR);
	rig_set_status(r, SO_FAR | VIRTIO_S_FEATURES_OK);
	assert_int_equal(rig_status(r), SO_FAR);
	g_usleep(100000);
	check_behind(r, NULL);
}

static void legacy_mmio_size_unread(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, SO_FAR);
	mmio_put(r, R_GUEST_PAGE_SIZE, 4096);
	mmio_put(r, R_QUEUE_SEL, 0);
	mmio_put(r, R_QUEUE_SIZE, 8);
	mmio_put(r, R_QUEUE_ALIGN, 4096);
	mmio_put(r, R_QUEUE_PFN, 16);
}

static void legacy_driver_first(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_DRIVER);
}

static void legacy_all_at_once(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, SO_FAR | VIRTIO_S_DRIVER_OK);
}

static void legacy_put_queue(struct rig *r)
{
	mmio_put(r, R_GUEST_PAGE_SIZE, 4096);
	mmio_put(r, R_QUEUE_SEL, 0);
	(void)mmio_get(r, R_QUEUE_SIZE_MAX);
	mmio_put(r, R_QUEUE_SIZE, 8);
	mmio_put(r, R_QUEUE_ALIGN, 4096);
	mmio_put(r, R_QUEUE_PFN, rig_alloc(r, 16384).gpa / 4096 + 1);
}

static void legacy_queue_before_driver(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	legacy_put_queue(r);
}

static void legacy_queue_after_driver_ok(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, SO_FAR);
	rig_set_status(r, SO_FAR | VIRTIO_S_DRIVER_OK);
	legacy_put_queue(r);
	rig_wait_idle(r);
}

static void legacy_features_before_driver(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	mmio_put(r, R_DRIVER_FEATURES_SEL, 0);
	mmio_put(r, R_DRIVER_FEATURES, 0);
}

static void legacy_features_after_queue(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, SO_FAR);
	legacy_put_queue(r);
	mmio_put(r, R_DRIVER_FEATURES_SEL, 0);
	mmio_put(r, R_DRIVER_FEATURES, 0);
}

/* Of a queue that is nowhere: else it would be a doorbell's. */
static void legacy_notified_early(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, SO_FAR);
	mmio_put(r, R_QUEUE_NOTIFY, 0);
}

static void accepts_nothing(struct rig *r)
{
	rig_start(r, RIG_NONE);
}

/*
 * Rings. The chain is kept by the device until it is told to let go.
 */

static struct drv_buf buffer(struct rig *r, uint32_t len)
{
	return (struct drv_buf){ rig_alloc(r, len).gpa, len };
}

static void change_in_flight(struct rig *r, bool packed)
{
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4) };
	struct rig_req *req;

	rig_start(r, RIG_ALL);
	req = rig_submit(r, ECHO_KEEP, bufs, 1, 1);
	RIG_UNTIL(r, echo_kept(rig_dev(r)));
	if (packed)
		rig_vq(r, ECHO_KEEP)->packed.desc[0].addr = cpu_le64(rig_alloc(r, 8).gpa);
	else
		rig_vq(r, ECHO_KEEP)->split.desc[0].addr = cpu_le64(rig_alloc(r, 8).gpa);
	rig_on_owner(r, echo_release, rig_dev(r));
	rig_wait(r, req);
}

static void change_split(struct rig *r)
{
	change_in_flight(r, false);
}

static void change_packed(struct rig *r)
{
	change_in_flight(r, true);
}

/* In the table, while the descriptor that refers to it stays. */
static void change_table(struct rig *r)
{
	struct rig_buf table = rig_alloc(r, 32);
	struct vring_desc *t = table.p;

	rig_start(r, RIG_ALL);
	t[0] = (struct vring_desc){ cpu_le64(buffer(r, 8).gpa), cpu_le32(8), 0, 0 };
	check_chain(r, ECHO_KEEP, 1);
	check_desc(r, ECHO_KEEP, 0, (struct drv_buf){ table.gpa, 16 }, INDIR, 0);
	check_offer(r, ECHO_KEEP);
	RIG_UNTIL(r, echo_kept(rig_dev(r)));
	t[0].len = cpu_le32(7);
	rig_on_owner(r, echo_release, rig_dev(r));
	rig_wait_idle(r);
}

/*
 * A driver that publishes first and fills in afterwards: another processor is between the device's
 * look and the checker's.
 */
static struct rig *late_rig;
static void (*late_change)(struct rig *r);

static void late_popped(struct vdev_observer *o, struct vdev *dev, unsigned q,
			const struct vq_chain *c)
{
	(void)o, (void)dev, (void)q, (void)c;
	late_change(late_rig);
}

static struct vdev_observer *late(struct rig *r, void (*change)(struct rig *r))
{
	static const struct vdev_observer_ops ops = { .popped = late_popped };
	static struct vdev_observer o;

	o = (struct vdev_observer){ .ops = &ops };
	late_rig = r;
	late_change = change;
	return &o;
}

static void late_case(struct rig *r, void (*change)(struct rig *r))
{
	struct vdev_observer *o = late(r, change);
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4) };

	check_behind(r, o);
	rig_start(r, rig_all_but(VIRTIO_F_INDIRECT_DESC));
	rig_do(r, ECHO_COPY, bufs, 1, 1);
	vdev_unobserve(rig_dev(r), o);
}

static void change_entry(struct rig *r)
{
	rig_vq(r, ECHO_COPY)->split.avail->ring[0] = cpu_le16(5);
}

static void change_length(struct rig *r)
{
	rig_vq(r, ECHO_COPY)->split.desc[1].len = cpu_le32(3);
}

static void change_address(struct rig *r)
{
	rig_vq(r, ECHO_COPY)->split.desc[0].addr = cpu_le64(rig_alloc(r, 8).gpa);
}

static void change_packed_address(struct rig *r)
{
	rig_vq(r, ECHO_COPY)->packed.desc[0].addr = cpu_le64(rig_alloc(r, 8).gpa);
}

static void late_entry(struct rig *r)
{
	late_case(r, change_entry);
}

static void late_length(struct rig *r)
{
	late_case(r, change_length);
}

static void late_address(struct rig *r)
{
	late_case(r, change_address);
}

static void late_packed_address(struct rig *r)
{
	late_case(r, change_packed_address);
}

/* Two requests that the device holds, of which the driver takes one back. */
static void taken_back(struct rig *r)
{
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4) };
	struct rig_req *req[2];
	le16 *idx;

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 2; i++)
		req[i] = rig_submit(r, ECHO_KEEP, bufs, 1, 1);
	RIG_UNTIL(r, echo_kept(rig_dev(r)) == 2);
	idx = &rig_vq(r, ECHO_KEEP)->split.avail->idx;
	*idx = cpu_le16(1);
	RIG_UNTIL(r, check_told());
	*idx = cpu_le16(2);
	rig_on_owner(r, echo_release, rig_dev(r));
	for (unsigned i = 0; i < 2; i++)
		rig_wait(r, req[i]);
}

static void index_swapped(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 8);

	rig_start(r, RIG_ALL);
	rig_add(r, 0, &b, 0, 1);
	rig_publish(r, 0);
	rig_vq(r, 0)->split.avail->idx = cpu_le16(0x100);
	rig_kick(r, 0);
	rig_wait_idle(r);
}

/* The notification says: 5 descriptors from now. */
static void kick_for_a_place_that_is_none(struct rig *r)
{
	unsigned place = 5u | VRING_POS_WRAP;

	rig_start(r, RIG_ALL);
	assert_true(rig_has(r, VIRTIO_F_NOTIFICATION_DATA));
	if (rig_has(r, VIRTIO_F_NOTIF_CONFIG_DATA))
		peek_put(r, PEEK_NOTIFY + 4 * ECHO_COPY, 4, place << 16 | (0x100 + ECHO_COPY));
	else
		mmio_put(r, R_QUEUE_NOTIFY, place << 16 | ECHO_COPY);
	rig_wait_idle(r);
}

/* In the middle of a list; then behind the ring's end. */
static void kick_for_a_list_s_middle(struct rig *r)
{
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4) };

	rig_start(r, rig_all_but(VIRTIO_F_INDIRECT_DESC));
	rig_do(r, ECHO_COPY, bufs, 1, 1);
	peek_put(r, PEEK_NOTIFY + 4 * ECHO_COPY, 4,
		 (1u | VRING_POS_WRAP) << 16 | (0x100 + ECHO_COPY));
	RIG_UNTIL(r, check_told() == 1);
	peek_put(r, PEEK_NOTIFY + 4 * ECHO_COPY, 4,
		 (0x7000u | VRING_POS_WRAP) << 16 | (0x100 + ECHO_COPY));
	RIG_UNTIL(r, check_told() == 2);
}

/* 80 descriptors in a table, of a ring that has 64. */
static struct rig_buf long_table(struct rig *r)
{
	struct rig_buf table = rig_alloc(r, 80 * 16);
	struct vring_desc *t = table.p;
	struct drv_buf b = buffer(r, 4);

	for (unsigned i = 0; i < 80; i++)
		t[i] = (struct vring_desc){ cpu_le64(b.gpa), cpu_le32(b.len),
					    cpu_le16(i < 79 ? NEXT : 0),
					    cpu_le16((uint16_t)(i + 1)) };
	return table;
}

static void long_split(struct rig *r)
{
	struct rig_buf table = long_table(r);

	rig_start(r, RIG_ALL);
	check_chain(r, ECHO_COPY, 1);
	check_desc(r, ECHO_COPY, 0, (struct drv_buf){ table.gpa, table.len }, INDIR, 0);
	check_offer(r, ECHO_COPY);
}

/* The first descriptor of a packed ring refers to a table. It goes out with the rest of its words,
 * which the reference driver keeps until then. */
static void offer_packed(struct rig *r, unsigned q, struct drv_buf table)
{
	struct drv_vq *vq = rig_vq(r, q);

	check_chain(r, q, 1);
	vq->packed.desc[0].addr = cpu_le64(table.gpa);
	vq->packed.first_rest =
		vring_packed_rest(table.len, (uint16_t)(vq->packed.first_rest >> 32),
				  (uint16_t)(vring_rest_flags(vq->packed.first_rest) | INDIR));
	check_offer(r, q);
}

static struct rig_buf packed_table(struct rig *r, unsigned n, unsigned flags)
{
	struct rig_buf table = rig_alloc(r, n * 16);
	struct vring_packed_desc *t = table.p;
	struct drv_buf b = buffer(r, 4);

	for (unsigned i = 0; i < n; i++) {
		t[i].addr = cpu_le64(b.gpa);
		t[i].len = cpu_le32(b.len);
		t[i].flags = cpu_le16((uint16_t)flags);
	}
	return table;
}

static void long_packed(struct rig *r)
{
	struct rig_buf table = packed_table(r, 80, 0);

	rig_start(r, RIG_ALL);
	offer_packed(r, ECHO_COPY, (struct drv_buf){ table.gpa, table.len });
}

static void table_with_flags(struct rig *r)
{
	struct rig_buf table = packed_table(r, 2, NEXT);

	rig_start(r, RIG_ALL);
	offer_packed(r, ECHO_COPY, (struct drv_buf){ table.gpa, table.len });
}

static void out_of_order(struct rig *r)
{
	rig_start(r, rig_all_but(VIRTIO_F_INDIRECT_DESC));
	assert_true(rig_has(r, VIRTIO_F_IN_ORDER));
	check_chain(r, ECHO_COPY, 2);
	check_desc(r, ECHO_COPY, 0, buffer(r, 4), NEXT, 2);
	check_desc(r, ECHO_COPY, 2, buffer(r, 4), 0, 0);
	check_offer(r, ECHO_COPY);
}

static void table_out_of_order(struct rig *r)
{
	struct rig_buf table = rig_alloc(r, 48);
	struct vring_desc *t = table.p;

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 3; i++)
		t[i] = (struct vring_desc){ cpu_le64(buffer(r, 4).gpa), cpu_le32(4), 0, 0 };
	t[0].flags = cpu_le16(NEXT);
	t[0].next = cpu_le16(2);
	check_chain(r, ECHO_COPY, 1);
	check_desc(r, ECHO_COPY, 0, (struct drv_buf){ table.gpa, 48 }, INDIR, 0);
	check_offer(r, ECHO_COPY);
}

static void avail_flags(struct rig *r, struct vfeatures f, uint16_t flags)
{
	rig_start(r, f);
	rig_vq(r, ECHO_COPY)->split.avail->flags = cpu_le16(flags);
	check_chain(r, ECHO_COPY, 1);
	check_offer(r, ECHO_COPY);
}

static void avail_flags_2(struct rig *r)
{
	avail_flags(r, RIG_NONE, 2);
}

static void avail_flags_1_with_event(struct rig *r)
{
	avail_flags(r, RIG_ALL, 1);
}

static void used_flags_1(struct rig *r)
{
	struct rig_buf ring = rig_alloc(r, 8192);
	uint64_t at = (ring.gpa + 4095) & ~(uint64_t)4095;
	struct vfeatures f = RIG_NONE;

	vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
	assert_true(rig_negotiate(r, f));
	mmio_put(r, R_QUEUE_SEL, ECHO_COPY);
	mmio_put(r, R_QUEUE_SIZE, 8);
	mmio_put(r, R_QUEUE_DESC, (uint32_t)at);
	mmio_put(r, R_QUEUE_DESC + 4, at >> 32);
	mmio_put(r, R_QUEUE_DRIVER, (uint32_t)at + 256);
	mmio_put(r, R_QUEUE_DRIVER + 4, at >> 32);
	mmio_put(r, R_QUEUE_DEVICE, (uint32_t)at + 512);
	mmio_put(r, R_QUEUE_DEVICE + 4, at >> 32);
	memset((uint8_t *)ring.p + (at - ring.gpa) + 512, 1, 1);
	mmio_put(r, R_QUEUE_READY, 1);
	rig_driver_ok(r);
	rig_wait_idle(r);
}

/* One request is answered, so that the device asks to be told of the next; which lies there. */
static void no_kick(struct rig *r, struct vfeatures f)
{
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4) };
	struct drv_buf b[] = { { bufs[0].gpa, 4 }, { bufs[1].gpa, 4 } };

	rig_start(r, f);
	rig_do(r, ECHO_COPY, bufs, 1, 1);
	check_pass(r, 100);
	assert_true(drv_add(rig_vq(r, ECHO_COPY), b, 1, 1, NULL) >= 0);
	(void)drv_publish(rig_vq(r, ECHO_COPY));
	check_pass(r, 200);
}

static void no_kick_flags(struct rig *r)
{
	no_kick(r, rig_all_but(VIRTIO_F_EVENT_IDX));
}

static void no_kick_event(struct rig *r)
{
	no_kick(r, RIG_ALL);
}

/* Without a barrier: the flags are read before the chain is visible, while the device is at
 * work and wants no notification. */
static bool looked_early, wants_none;

static void look_early(struct rig *r)
{
	const struct drv_vq *vq = rig_vq(r, ECHO_COPY);

	if (rig_has(r, VIRTIO_F_RING_PACKED))
		wants_none = (le16_cpu(vq->packed.device->flags) & 3) == VRING_EVENT_DISABLE;
	else
		wants_none = le16_cpu(vq->split.used->flags) & VRING_USED_F_NO_NOTIFY;
	looked_early = true;
}

static void kick_looked_early(struct rig *r)
{
	struct vdev_observer *o = late(r, look_early);
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4) };
	struct drv_buf b[] = { { bufs[0].gpa, 4 }, { bufs[1].gpa, 4 } };

	looked_early = false;
	check_behind(r, o);
	rig_start(r, rig_all_but(VIRTIO_F_EVENT_IDX));
	rig_do(r, ECHO_COPY, bufs, 1, 1);
	vdev_unobserve(rig_dev(r), o);
	check_pass(r, 100);
	assert_true(drv_add(rig_vq(r, ECHO_COPY), b, 1, 1, NULL) >= 0);
	(void)drv_publish(rig_vq(r, ECHO_COPY));
	assert_true(looked_early && wants_none);
	RIG_UNTIL(r, check_told());
}

/*
 * Baits.
 */
#define PAGE (RIG_MMIO_BASE + (1u << 20)) /* where nothing is */

static uint32_t page_get(struct rig *r, unsigned off)
{
	return (uint32_t)board_fake_read(rig_board(r), false, PAGE + off, 4);
}

/* Reads what there is to be read, then @off as well. */
static void look_at_page(struct rig *r, unsigned n, unsigned off)
{
	struct check_page *p = check_bait(r, n, PAGE);

	(void)page_get(r, R_MAGIC);
	(void)page_get(r, R_VERSION);
	assert_int_equal(page_get(r, R_DEVICE_ID), 0);
	assert_int_equal(check_told(), 0);
	(void)page_get(r, off);
	assert_int_equal(check_told(), 1);
	check_page_free(p);
}

static void page_of_another_magic(struct rig *r)
{
	look_at_page(r, 0, R_DEVICE_FEATURES);
}

static void page_of_another_version(struct rig *r)
{
	look_at_page(r, 1, R_STATUS);
}

static void page_of_no_device(struct rig *r)
{
	look_at_page(r, 2, R_VENDOR_ID);
}

/* Without EVENT_IDX: it notifies when avail_event says so. */
static void heed_avail_event(struct rig *r)
{
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4) };
	const struct drv_vq *vq;
	struct rig_req *req;

	rig_start(r, RIG_NONE);
	vq = rig_vq(r, ECHO_COPY);
	for (unsigned i = 0; i < 5; i++) {
		if (i == 4)
			check_pass(r, 100);
		req = rig_add(r, ECHO_COPY, bufs, 1, 1);
		(void)drv_publish(rig_vq(r, ECHO_COPY)); /* whatever the flags say */
		assert_int_equal(le16_cpu(*vq->split.avail_event) == i, i < 4);
		if (i == 4)
			break;
		rig_kick(r, ECHO_COPY);
		rig_wait(r, req);
	}
	RIG_UNTIL(r, check_told());
	rig_kick(r, ECHO_COPY);
	rig_wait(r, req);
}

static void accept_baits(struct rig *r)
{
	assert_false(rig_negotiate(r, rig_offered(r)));
}

static struct vfeatures without_baits(void)
{
	struct vfeatures f = rig_all_but(VDEV_BAIT_0);

	vfeatures_set(&f, VDEV_BAIT_1, false);
	vfeatures_set(&f, VDEV_BAIT_2, false);
	return f;
}

/* Of the capabilities of a type the driver takes the last. */
static void take_the_last(struct rig *r)
{
	unsigned last = 0;

	for (unsigned cap = peek_cfg(r, 0x34, 1); cap; cap = peek_cfg(r, cap + 1, 1))
		if (peek_cfg(r, cap, 1) == 9 && peek_cfg(r, cap + 3, 1) == 1)
			last = cap;
	r->driver.pci.common.offset = peek_cfg(r, last + 8, 4);
	rig_start(r, without_baits());
	rig_reset(r);
}

static void heed_nothing(struct rig *r)
{
	assert_int_equal(peek_cfg(r, peek_cap(r, 9, 3, 0x5a) + 2, 1), 20);
	rig_start(r, without_baits());
	(void)peek_get(r, 0x404, 4);
}

/* Of faults: one that the ring is started with, one that it is found to have. */
static void ring_misaligned(struct rig *r)
{
	struct vfeatures f = RIG_NONE;

	vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
	assert_true(rig_negotiate(r, f));
	mmio_put(r, R_QUEUE_SEL, ECHO_COPY);
	mmio_put(r, R_QUEUE_SIZE, 8);
	mmio_put(r, R_QUEUE_DESC, 0x1008);
	mmio_put(r, R_QUEUE_DRIVER, 0x2000);
	mmio_put(r, R_QUEUE_DEVICE, 0x3000);
	mmio_put(r, R_QUEUE_READY, 1);
	rig_driver_ok(r);
	rig_wait_idle(r);
}

static void readable_behind_writable(struct rig *r)
{
	rig_start(r, RIG_NONE);
	check_chain(r, ECHO_COPY, 2);
	check_desc(r, ECHO_COPY, 0, buffer(r, 4), NEXT | WRITE, 1);
	check_offer(r, ECHO_COPY);
}

#define SPLIT_LINKS "direct mmio pci"
#define NET         "net,backend=null"

static const struct check_case cases[] = {
	{ RULE_STATUS_ORDER, NULL, "mmio pci", core_rule, NULL },
	{ CHECK_FAULTS + VQ_FAULT_RING_ALIGN, NULL, "mmio", ring_misaligned, NULL },
	{ CHECK_FAULTS + VQ_FAULT_ORDER, NULL, "direct mmio pci", readable_behind_writable, NULL },
	{ CHECK_CONFIG_FEATURE, NET, "mmio pci", mtu_without_mtu, "advised-net-mac" },
	{ CHECK_CONFIG_FEATURE, "blk,path=@/disk", "mmio pci", geometry_without_geometry, NULL },
	{ CHECK_CONFIG_GENERATION, "blk,path=@/disk", "mmio", capacity_without_generation, NULL },
	{ CHECK_RESET_UNREAD, NULL, "mmio", mmio_reset_unread, NULL },
	{ CHECK_PCI_RESET_UNREAD, NULL, "pci", pci_reset_unread, NULL },
	{ CHECK_FEATURES_UNREAD, NULL, "mmio", features_ok_unread, NULL },
	{ CHECK_QUEUE_RESET_UNREAD, NULL, "pci", pci_queue_reset_unread, NULL },
	{ CHECK_QUEUE_RESET_UNREAD, NULL, "mmio", mmio_queue_reset_unread, NULL },
	{ CHECK_QUEUE_AGAIN, NULL, "pci", pci_queue_again_without_addresses, NULL },
	{ CHECK_QUEUE_LATE, NULL, "mmio", mmio_queue_late, NULL },
	{ CHECK_QUEUE_LATE, NULL, "pci", pci_queue_late, NULL },
	{ CHECK_PCI_VECTOR_UNREAD, NULL, "pci", pci_queue_vector_unread, NULL },
	{ CHECK_PCI_VECTOR_UNREAD, NULL, "pci", pci_config_vector_unread, NULL },
	{ CHECK_MMIO_READY_UNREAD, NULL, "mmio", mmio_ready_unread, NULL },
	{ CHECK_MMIO_ACK_UNREAD, NULL, "mmio", mmio_ack_unread, NULL },
	{ CHECK_MMIO_NOT_ACKED, NULL, "mmio", mmio_never_acked, NULL },
	{ CHECK_NO_FAILED, NULL, "pci", features_refused, "feature-version-1" },
	{ CHECK_LEGACY_SIZE_UNREAD, "rng", "legacy-mmio", legacy_mmio_size_unread, NULL },
	{ CHECK_LEGACY_ORDER, "rng", "legacy-mmio legacy-pci", legacy_driver_first, NULL },
	{ CHECK_LEGACY_ORDER, "rng", "legacy-mmio legacy-pci", legacy_all_at_once, NULL },
	{ CHECK_LEGACY_ORDER, "rng", "legacy-mmio", legacy_queue_before_driver, NULL },
	{ CHECK_LEGACY_ORDER, "rng", "legacy-mmio", legacy_queue_after_driver_ok, NULL },
	{ CHECK_LEGACY_ORDER, "rng", "legacy-mmio", legacy_features_before_driver, NULL },
	{ CHECK_LEGACY_ORDER, "rng", "legacy-mmio", legacy_features_after_queue, NULL },
	{ CHECK_LEGACY_ORDER, "rng", "legacy-mmio", legacy_notified_early, NULL },
	{ CHECK_ADVISED_RING_PACKED, "rng,ring=packed", "pci", accepts_nothing, NULL },
	{ CHECK_ADVISED_ACCESS_PLATFORM, "rng,features=+access_platform", "pci", accepts_nothing,
	  NULL },
	{ CHECK_ADVISED_NET_MAC, NET, "pci", accepts_nothing, NULL },
	{ CHECK_ADVISED_NET_MTU, NET ",mtu=1500", "pci", accepts_nothing, "advised-net-mac" },
	{ CHECK_SPLIT_CHANGED, NULL, SPLIT_LINKS, change_split, NULL },
	{ CHECK_SPLIT_CHANGED, NULL, SPLIT_LINKS, change_table, NULL },
	{ CHECK_PACKED_CHANGED, NULL, "pci-packed", change_packed, NULL },
	{ CHECK_SPLIT_LATE, NULL, "direct pci", late_entry, NULL },
	{ CHECK_SPLIT_LATE, NULL, "direct pci", late_length, NULL },
	{ CHECK_SPLIT_LATE, NULL, "direct pci", late_address, NULL },
	{ CHECK_PACKED_LATE, NULL, "pci-packed", late_packed_address, NULL },
	{ CHECK_SPLIT_BACK, NULL, SPLIT_LINKS, taken_back, NULL },
	{ CHECK_LEGACY_ENDIAN, "rng", "legacy-mmio legacy-pci", index_swapped, NULL },
	{ CHECK_KICK_DATA, NULL, "pci-packed-order mmio-packed-order",
	  kick_for_a_place_that_is_none, NULL },
	{ CHECK_KICK_DATA, NULL, "pci-packed-order", kick_for_a_list_s_middle, NULL },
	{ CHECK_SPLIT_LONG, NULL, SPLIT_LINKS, long_split, NULL },
	{ CHECK_PACKED_LONG, NULL, "pci-packed", long_packed, NULL },
	{ CHECK_TABLE_FLAGS, NULL, "pci-packed", table_with_flags, NULL },
	{ CHECK_ORDER_NEXT, NULL, "pci-order", out_of_order, NULL },
	{ CHECK_ORDER_TABLE, NULL, "pci-order", table_out_of_order, NULL },
	{ CHECK_AVAIL_FLAGS, NULL, SPLIT_LINKS, avail_flags_2, NULL },
	{ CHECK_AVAIL_FLAGS_EVENT, NULL, SPLIT_LINKS, avail_flags_1_with_event, NULL },
	{ CHECK_USED_FLAGS, NULL, "mmio", used_flags_1, NULL },
	{ CHECK_NO_KICK, NULL, SPLIT_LINKS, no_kick_flags, NULL },
	{ CHECK_NO_KICK, NULL, "direct pci", kick_looked_early, NULL },
	{ CHECK_NO_KICK_PACKED, NULL, "pci-packed", kick_looked_early, NULL },
	{ CHECK_NO_KICK_EVENT, NULL, SPLIT_LINKS, no_kick_event, NULL },
	{ CHECK_NO_KICK_PACKED, NULL, "pci-packed", no_kick_event, NULL },
	{ CHECK_NO_KICK_PACKED, NULL, "pci-packed", no_kick_flags, NULL },
};

/* Whoever tells of right places is not told of, round the ring and round again. */
static void right_kicks(struct rig *r)
{
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4) };

	for (unsigned again = 0; again < 2; again++) {
		rig_start(r, rig_all_but(again ? VIRTIO_F_INDIRECT_DESC : VIRTIO_F_EVENT_IDX));
		for (unsigned i = 0; i < 300; i++) {
			struct rig_req *one = rig_submit(r, ECHO_COPY, bufs, 1, 1);

			rig_do(r, ECHO_COPY, bufs, 1, 1);
			rig_wait(r, one);
			rig_kick(r, ECHO_COPY); /* of nothing new */
		}
	}
}

static const struct check_case baited[] = {
	{ CHECK_PAGE_MAGIC, NULL, "mmio", page_of_another_magic, NULL },
	{ CHECK_PAGE_VERSION, NULL, "mmio", page_of_another_version, NULL },
	{ CHECK_PAGE_ID, NULL, "mmio", page_of_no_device, NULL },
	{ CHECK_NO_KICK_BAIT, NULL, SPLIT_LINKS, heed_avail_event, NULL },
	{ RULE_PCI_DECOY, NULL, "pci pci-intx", heed_nothing, NULL },
	{ RULE_PCI_SECOND, NULL, "pci pci-packed", take_the_last, NULL },
	{ RULE_FEATURE_UNKNOWN, NULL, "mmio pci", accept_baits, NULL },
};

static struct checker *bait_checker;

static void bait_opened(struct vdev *dev)
{
	checker_watch(bait_checker, dev);
}

/* The echo device, and a checker that looks at it from now on. */
struct looked_at {
	struct checker *checker;
	struct rig *rig;
};

static struct looked_at look_at(const char *link)
{
	static const struct check_config config = { .on = true };
	static const struct rig_case rc = { .spec = "echo", .class = &echo_class };
	struct looked_at l = { checker_new(&config, NULL), rig_open(rig_link_find(link), &rc) };

	checker_watch(l.checker, rig_dev(l.rig));
	return l;
}

static void look_away(struct looked_at *l)
{
	checker_leave(l->checker, rig_dev(l->rig));
	rig_close(l->rig);
	checker_free(l->checker);
}

/* Of mmio: the very first accesses, before which the rig's own driver has looked. */
static void what_comes_first(void **state)
{
	struct looked_at l = look_at("mmio");
	struct checker *c = l.checker;
	struct rig *r = l.rig;

	(void)state;
	mmio_status_first(r);
	assert_int_equal(checker_count(c), 1);
	assert_int_equal(rig_logged(r, "[DRV-MMIO-INIT-01, 4.2.3.1.1 MUST]"), 1);
	(void)mmio_get(r, R_MAGIC);
	(void)mmio_get(r, R_VERSION);
	(void)mmio_get(r, R_STATUS);
	assert_int_equal(checker_count(c), 1); /* once is enough */
	checker_leave(c, rig_dev(r));
	checker_watch(c, rig_dev(r));
	(void)mmio_get(r, R_MAGIC);
	(void)mmio_get(r, R_VERSION);
	(void)mmio_get(r, R_STATUS);
	assert_int_equal(rig_logged(r, "[DRV-MMIO-INIT-02, 4.2.3.1.1 MUST]"), 1);
	look_away(&l);
}

/* What the device core and the rings find. That they do is shown by test-rules and
 * test-vq-*-faults. */
static void what_others_find_is_told(void **state)
{
	struct looked_at l = look_at("pci");
	struct checker *c = l.checker;
	struct rig *r = l.rig;
	unsigned n = 0;

	(void)state;
	for (unsigned rule = 0; rule < N_VDEV_RULES; rule++) {
		vdev_tell_rule(rig_dev(r), rule, "here");
		if (!check_is_advice(rule))
			assert_int_equal(checker_count(c), ++n);
	}
	for (unsigned fault = VQ_OK + 1; fault < N_VQ_FAULTS; fault++) {
		bool of_chain = fault >= VQ_FAULT_HEAD && fault != VQ_FAULT_EVENT;
		g_autofree char *text = g_strdup_printf("rig q1%s: %s [", of_chain ? " head 3" : "",
							vq_fault_text(fault));

		vdev_tell_fault(rig_dev(r), 1, fault, 3);
		assert_int_equal(checker_count(c), ++n);
		assert_int_equal(rig_logged(r, text), 1);
	}
	look_away(&l);
}

static void right_places_are_not_told_of(void **state)
{
	static const char *const links[] = { "pci-packed-order", "mmio-packed-order" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(links); i++) {
		struct looked_at l = look_at(links[i]);

		if (i) { /* what a driver reads first */
			(void)mmio_get(l.rig, R_MAGIC);
			(void)mmio_get(l.rig, R_VERSION);
			(void)mmio_get(l.rig, R_DEVICE_ID);
		}
		right_kicks(l.rig);
		assert_int_equal(checker_count(l.checker), 0);
		look_away(&l);
	}
}

#define TURNS 1000000 /* about a second: fewer and one may be done before the other begins */

static void *clear_queue_ready(void *arg)
{
	for (unsigned i = 0; i < TURNS; i++)
		mmio_put(arg, R_QUEUE_READY, 0);
	return NULL;
}

static void *write_status(void *arg)
{
	for (unsigned i = 0; i < TURNS; i++)
		mmio_put(arg, R_STATUS, i % 2 ? VIRTIO_S_ACKNOWLEDGE : 0);
	return NULL;
}

/* The status is told of with the device's lock held, registers are judged with the checker's. */
static void two_processors_do_not_wait_for_each_other(void **state)
{
	struct looked_at l = look_at("mmio");
	struct rig *r = l.rig;
	pthread_t one, other;

	(void)state;
	assert_int_equal(pthread_create(&one, NULL, clear_queue_ready, r), 0);
	assert_int_equal(pthread_create(&other, NULL, write_status, r), 0);
	assert_int_equal(pthread_join(one, NULL), 0);
	assert_int_equal(pthread_join(other, NULL), 0);
	look_away(&l);
}

/* Who names one rule again and again is told of it a few times; all are counted. */
static void many_violations_are_a_few_lines(void **state)
{
	struct looked_at l = look_at("mmio");
	struct checker *c = l.checker;
	struct rig *r = l.rig;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		vdev_tell_rule(rig_dev(r), RULE_MMIO_ACK, "here");
	assert_int_equal(checker_count(c), 1000);
	assert_int_equal(rig_logged(r, "\n"), CHECK_LINES);
	assert_int_equal(rig_logged(r, "from now on it is counted"), 1);
	look_away(&l);
}

/* Of two violations: as text, JSON, XML. */
/* A driver that takes none of them, by each way to the device: it works as always, and nothing is
 * told. */
static void baits_are_left_alone(void **state)
{
	static const char *const links[] = { "mmio",        "pci",        "pci-intx", "pci-packed",
					     "legacy-mmio", "legacy-pci", "vfio-user" };
	static const struct check_config config = { .on = true, .bait = true, .wait_ms = 5 };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(links); i++) {
		const bool legacy = g_str_has_prefix(links[i], "legacy");
		struct rig_case rc = { .spec = legacy ? "rng" : "echo",
				       .class = legacy ? NULL : &echo_class,
				       .opened = bait_opened };
		struct vfeatures f = without_baits();
		struct rig *r;

		bait_checker = checker_new(&config, NULL);
		r = rig_open(rig_link_find(links[i]), &rc);
		for (unsigned again = 0; again < 4; again++) {
			struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4) };

			vfeatures_set(&f, VIRTIO_F_EVENT_IDX, again % 2);
			rig_start(r, f);
			for (unsigned n = 0; n < 40; n++)
				rig_do(r, 0, bufs + legacy, legacy ? 0 : 1, 1);
			for (unsigned ms = 0; ms < 30; ms++) { /* never idle: interrupts */
				g_usleep(1000);
				g_main_context_iteration(NULL, FALSE);
			}
		}
		rig_reset(r);
		if (checker_count(bait_checker))
			checker_print(bait_checker, stderr);
		assert_int_equal(checker_count(bait_checker), 0);
		checker_leave(bait_checker, rig_dev(r));
		rig_close(r);
		checker_free(bait_checker);
	}
}

static void reports_say_what_was_found(void **state)
{
	g_autofree char *json = NULL, *xml = NULL, *text = NULL;
	char dir[] = "/tmp/test-check-XXXXXX";
	struct check_config config = { 0 };
	struct rig_case rc = { .spec = "echo", .class = &echo_class };
	struct rig *r = rig_open(rig_link_find("pci"), &rc);
	g_autofree char *words = NULL;
	struct checker *c;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_non_null(mkdtemp(dir));
	words = g_strdup_printf("json:%s/j,junit:%s/x,wait=0.5", dir, dir);
	assert_true(check_config_parse(&config, words, NULL));
	assert_int_equal(config.wait_ms, 500);
	assert_false(config.bait);
	assert_true(check_config_parse(&config, "bait", NULL) && config.bait);
	c = checker_new(&config, NULL);
	assert_non_null(c);
	checker_watch(c, rig_dev(r));
	vdev_tell_rule(rig_dev(r), RULE_PCI_VECTOR, "here");
	vdev_tell_fault(rig_dev(r), 1, VQ_FAULT_ORDER, 3);
	vdev_tell_fault(rig_dev(r), 1, VQ_FAULT_ORDER, 4);
	checker_leave(c, rig_dev(r)); /* its findings stay */
	checker_print(c, f);
	fclose(f);
	assert_non_null(strstr(text, "# check: 2 rules broken"));
	assert_non_null(strstr(text, "# check: baits: feature bits 45, 49, 127;"));
	assert_non_null(strstr(text, "       2  rig q1: readable descriptor follows"));
	assert_true(checker_write(c, NULL));
	assert_true(g_file_get_contents(config.json, &json, NULL, NULL));
	assert_non_null(strstr(json, "\"clause\":\"DRV-PCI-MSIX-04\""));
	assert_non_null(strstr(json, "\"queue\":1,\"head\":3,\"count\":2,"));
	assert_true(g_file_get_contents(config.junit, &xml, NULL, NULL));
	assert_non_null(strstr(xml, "name=\"vector\">\n    <failure message=\"rig: 1 times: "));
	assert_non_null(strstr(xml, "name=\"ring-align\"/>"));
	assert_null(strstr(xml, "\"blk"));
	assert_int_equal(unlink(config.json) + unlink(config.junit) + rmdir(dir), 0);
	checker_free(c);
	check_config_clear(&config);
	rig_close(r);
}

static void words_that_are_none_are_refused(void **state)
{
	static const char *const wrong[] = { "advise", "json:", "wait=0", "wait=x", "fatal,," };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		struct check_config config = { 0 };
		g_autoptr(GError) err = NULL;

		assert_false(check_config_parse(&config, wrong[i], &err));
		assert_non_null(strstr(err->message, "--check="));
		check_config_clear(&config);
	}
}

static void every_rule_has_a_case(void **state)
{
	const struct check_cases all = { cases, G_N_ELEMENTS(cases), .bait = false };
	const struct check_cases with = { baited, G_N_ELEMENTS(baited), .bait = true };
	/* The first two: what_comes_first(). Nobody offers the next two. The rest:
	 * test-driver-mistakes. */
	static const unsigned not_here[] = { CHECK_MMIO_FIRST,
					     CHECK_MMIO_DEVICE_ID,
					     CHECK_ADVISED_ORDER_PLATFORM,
					     CHECK_ADVISED_NOTIF_CONFIG_DATA,
					     CHECK_NO_RESET,
					     CHECK_NEEDS_RESET,
					     CHECK_PCI_VECTOR_LATE,
					     CHECK_PCI_QUEUE_VECTOR_LATE,
					     CHECK_MMIO_SIZE_UNWRITTEN,
					     CHECK_PACKED_WRAP,
					     CHECK_PACKED_ID };

	(void)state;
	for (unsigned rule = CHECK_OWN; rule < CHECK_BLK_WRITEBACK_EARLY; rule++) {
		bool found = check_cases_have(&all, rule) || check_cases_have(&with, rule) ||
			     rule == CHECK_ADVISED_BLK_RO;

		for (size_t i = 0; i < G_N_ELEMENTS(not_here); i++)
			found |= rule == not_here[i];
		if (!found)
			fail_msg("no case for %s", check_row(rule).name);
	}
}

static void clauses_are_there(void **state)
{
	struct check_rule_info i;
	unsigned n = 0;

	(void)state;
	for (unsigned rule = 0; check_rule_nth(rule, &i); rule++) {
		g_auto(GStrv) ids = g_strsplit(i.clauses ? i.clauses : "", ", ", -1);

		if (!i.name)
			continue;
		n++;
		assert_non_null(i.text);
		assert_non_null(i.group);
		assert_non_null(i.section);
		for (char **id = ids; *id; id++)
			if (!check_clause(*id))
				fail_msg("%s: there is no clause %s", i.name, *id);
	}
	assert_true(n > 130);
}

int main(void)
{
	static struct check_cases all = { cases, G_N_ELEMENTS(cases), .bait = false };
	static struct check_cases with = { baited, G_N_ELEMENTS(baited), .bait = true };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(check_cases_run, &all),
		cmocka_unit_test_prestate(check_cases_run, &with),
		cmocka_unit_test(what_comes_first),
		cmocka_unit_test(what_others_find_is_told),
		cmocka_unit_test(right_places_are_not_told_of),
		cmocka_unit_test(two_processors_do_not_wait_for_each_other),
		cmocka_unit_test(many_violations_are_a_few_lines),
		cmocka_unit_test(baits_are_left_alone),
		cmocka_unit_test(reports_say_what_was_found),
		cmocka_unit_test(words_that_are_none_are_refused),
		cmocka_unit_test(every_rule_has_a_case),
		cmocka_unit_test(clauses_are_there),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
