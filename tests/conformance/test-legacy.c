/*
 * The legacy interfaces: transitional PCI functions, virtio-mmio version 1, and what the chapters
 * of the device types say of them. The echo device and the real ones over the rig's legacy links.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/console/console-impl.h"
#include "tests/conformance/conform.h"
#include "tests/support/blk-driver.h"
#include "tests/support/console-peer.h"
#include "tests/support/net-frames.h"
#undef CTRL /* of <sys/ttydefaults.h> */
#include "tests/support/net-peer.h"
#include "tests/support/rig-impl.h"
#include "transport/mmio/regs.h"
#include "transport/pci/regs.h"

#define BEGUN     (VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER)
#define WRITEBACK offsetof(struct blk_config, writeback)
#define DISK      "blk,path=@/disk"

static struct vfeatures only(uint64_t bits)
{
	return (struct vfeatures){ { bits, 0 } };
}

static uint32_t port(struct rig *r, unsigned off, unsigned len)
{
	return (uint32_t)board_fake_read(rig_board(r), true, RIG_PCI_IO + off, len);
}

static void set_port(struct rig *r, unsigned off, unsigned len, uint32_t value)
{
	board_fake_write(rig_board(r), true, RIG_PCI_IO + off, len, value);
}

static uint32_t cfg(struct rig *r, unsigned reg, unsigned len)
{
	return (uint32_t)board_fake_read(rig_board(r), false, RIG_PCI_ECAM + (1u << 15) + reg, len);
}

static struct rig_req *request(struct rig *r)
{
	struct rig_buf bufs[] = { rig_dup(r, "12345678", 8), rig_alloc(r, 8) };

	return rig_submit(r, ECHO_COPY, bufs, 1, 1);
}

/*
 * The driver's life.
 */

static void a_driver_without_version_1_is_a_legacy_driver(struct rig *r)
{
	assert_false(vdev_is_legacy(rig_dev(r)));
	rig_start(r, RIG_ALL);
	assert_true(vdev_is_legacy(rig_dev(r)));
	assert_int_equal(rig_status(r), BEGUN | VIRTIO_S_DRIVER_OK);
	conform_echo(r, "a legacy driver's");
	rig_reset(r);
	assert_false(vdev_is_legacy(rig_dev(r)));
}

static void it_is_served_by_the_rules_of_legacy_drivers(struct rig *r)
{
	for (unsigned round = 0; round < 2; round++) {
		rig_start(r, round ? RIG_NONE : RIG_ALL);
		for (unsigned q = 0; q < rig_n_queues(r); q++)
			rig_kick(r, q);
		rig_wait_idle(r);
		rig_set_status(r, BEGUN | VIRTIO_S_DRIVER_OK);
		assert_int_equal(rig_status(r), BEGUN | VIRTIO_S_DRIVER_OK);
	}
	assert_int_equal(rig_logged(r, "guest"), 0);
}

static void configuration_may_be_written_first(struct rig *r)
{
	static const uint32_t written = 0x01020304;

	rig_reset(r);
	rig_config_write(r, ECHO_WRITABLE, &written, 4);
	assert_int_equal(rig_config32(r, ECHO_WRITABLE), 0x02030405);
	virtio_acknowledge(&r->driver); /* and no other reset */
	if (r->link->ops->driver_set)
		r->link->ops->driver_set(r);
	assert_true(virtio_accept(&r->driver, (struct virtio_features){ { UINT64_MAX } }));
	rig_queue_start(r, ECHO_COPY, 0);
	rig_driver_ok(r);
	conform_echo(r, "after that");
	assert_int_equal(rig_config32(r, ECHO_WRITABLE), 0x02030405);
}

/* Nor need the driver have set a status bit. */
static void queues_may_be_set_up_first(struct rig *r)
{
	rig_reset(r);
	rig_queue_start(r, ECHO_COPY, r->driver.pci.ports ? 0 : 16);
	virtio_acknowledge(&r->driver);
	if (r->link->ops->driver_set)
		r->link->ops->driver_set(r);
	rig_driver_ok(r);
	conform_echo(r, "of that size");
}

/* Requests are carried out, and are not lost when DRIVER_OK or other features come. */
static void queues_may_be_used_before_driver_ok(struct rig *r)
{
	assert_true(rig_negotiate(r, RIG_ALL));
	rig_queue_start(r, ECHO_COPY, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(rig_wait(r, request(r)), 8);
	assert_int_equal(rig_status(r), BEGUN);
	rig_driver_ok(r);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(rig_wait(r, request(r)), 8);
}

static void features_may_come_after_that(struct rig *r)
{
	struct rig_req *kept;
	struct rig_buf buf = rig_alloc(r, 8);

	assert_true(rig_negotiate(r, RIG_NONE));
	rig_queue_start(r, ECHO_COPY, 0);
	rig_queue_start(r, ECHO_KEEP, 0);
	kept = rig_submit(r, ECHO_KEEP, &buf, 0, 1);
	assert_int_equal(rig_wait(r, request(r)), 8);
	assert_true(virtio_accept(&r->driver, (struct virtio_features){ { 1u << ECHO_F_BASE } }));
	assert_true(vdev_accepted(rig_dev(r), ECHO_F_BASE));
	rig_driver_ok(r);
	assert_int_equal(rig_wait(r, request(r)), 8);
	assert_false(kept->done);
	rig_on_owner(r, echo_release, rig_dev(r));
	rig_wait(r, kept);
	assert_int_equal(rig_status(r), BEGUN | VIRTIO_S_DRIVER_OK);
}

static unsigned interrupts_of_one(struct rig *r, struct vfeatures f)
{
	unsigned before;

	rig_start(r, f);
	rig_wait_idle(r);
	drv_disable_notify(rig_vq(r, ECHO_COPY));
	before = rig_interrupts(r, ECHO_COPY);
	request(r);
	rig_wait_idle(r);
	assert_true(conform_first_used(r, ECHO_COPY));
	return rig_interrupts(r, ECHO_COPY) - before;
}

static void an_empty_ring_notifies_whatever_is_suppressed(struct rig *r)
{
	const uint64_t empty = 1u << VIRTIO_F_NOTIFY_ON_EMPTY, event = 1u << VIRTIO_F_EVENT_IDX;

	assert_int_equal(interrupts_of_one(r, only(0)), 0);
	assert_int_equal(interrupts_of_one(r, only(event)), 0);
	assert_int_equal(interrupts_of_one(r, only(empty)), 1);
	assert_int_equal(interrupts_of_one(r, only(empty | event)), 1);
}

static void any_layout_and_bit_30_are_offered(struct rig *r)
{
	struct vfeatures offered = rig_offered(r);

	assert_true(vfeatures_has(offered, VIRTIO_F_ANY_LAYOUT));
	assert_true(vfeatures_has(offered, VIRTIO_F_UNUSED));
	assert_int_equal(offered.w[0] >> 32, 0);
	assert_int_equal(offered.w[1], 0);
	rig_reset(r);
	virtio_acknowledge(&r->driver);
	r->driver.ops->accept(&r->driver, 0, UINT32_MAX); /* who accepts it did not look */
	assert_int_equal(rig_dev(r)->accepted.w[0], 0);
}

/*
 * Rings. Of 64 entries: 1024 bytes of descriptors, 134 of the available ring.
 */

static void check_ring(struct rig *r, unsigned used_at)
{
	const uint8_t *ring = (const uint8_t *)rig_vq(r, ECHO_COPY)->split.desc;
	const uint8_t *avail = ring + 1024, *used = ring + used_at;

	conform_echo(r, "where");
	conform_echo(r, "is it?");
	assert_int_equal(rig_vq(r, ECHO_COPY)->cfg.size, 64);
	assert_memory_equal(avail + 2, "\x02\0", 2);
	assert_memory_equal(used + 2, "\x02\0", 2);
	assert_memory_equal(used + 8, "\x05\0\0\0", 4);
	assert_memory_equal(used + 16, "\x06\0\0\0", 4);
}

static void rings_are_where_size_and_alignment_say(struct rig *r)
{
	rig_start(r, RIG_NONE);
	check_ring(r, 4096);
	if (r->driver.pci.ports)
		return;
	r->driver.legacy_align = 512;
	rig_start(r, RIG_NONE);
	check_ring(r, 1536);
	r->driver.legacy_align = 4;
	rig_start(r, RIG_NONE);
	check_ring(r, 1160);
}

static void an_address_of_0_takes_a_queue_away(struct rig *r)
{
	struct rig_req *req;
	uint8_t *copy;

	rig_start(r, RIG_NONE);
	conform_echo(r, "once");
	r->driver.ops->queue_reset(&r->driver, ECHO_COPY);
	assert_false(r->driver.ops->queue_enabled(&r->driver, ECHO_COPY));
	req = request(r);
	copy = conform_remember(r);
	rig_kick(r, ECHO_COPY);
	rig_wait_idle(r);
	assert_false(req->done);
	assert_true(conform_untouched(r, copy));
	g_free(copy);
	rig_queue_reset(r, ECHO_COPY);
	rig_queue_start(r, ECHO_COPY, 0); /* and it begins anew */
	conform_echo(r, "again");
}

/*
 * PCI.
 */

static void it_is_a_transitional_function(struct rig *r)
{
	unsigned id = cfg(r, PCI_DEVICE_ID, 2);

	assert_int_equal(cfg(r, PCI_VENDOR_ID, 2), 0x1af4);
	assert_in_range(id, 0x1000, 0x103f);
	assert_int_equal(id, rig_dev(r)->class->legacy_id);
	assert_int_equal(cfg(r, PCI_REVISION, 1), 0);
	assert_int_equal(cfg(r, PCI_SUBSYSTEM_ID, 2), rig_dev(r)->type);
}

static void its_registers_are_in_the_first_bar_of_ports(struct rig *r)
{
	assert_int_equal(cfg(r, PCI_BAR0, 4), RIG_PCI_IO | PCI_BAR_IO);
	assert_int_equal(port(r, 0x0c, 2), 64);
	set_port(r, 0x0e, 2, ECHO_QUEUES);
	assert_int_equal(port(r, 0x0c, 2), 0);
	set_port(r, 0x0e, 2, ECHO_FED);
	assert_int_equal(port(r, 0x0e, 2), ECHO_FED);
	assert_int_equal(port(r, 0x0c, 2), 64);
	set_port(r, 0x08, 4, 16);
	assert_int_equal(port(r, 0x08, 4), 16);
	set_port(r, 0x12, 1, BEGUN);
	assert_int_equal(port(r, 0x12, 1), BEGUN);
	set_port(r, 0x04, 4, port(r, 0, 4) & (1u << ECHO_F_BASE));
	assert_int_equal(port(r, 0x04, 4), 1u << ECHO_F_BASE);
	set_port(r, 0x12, 1, 0);
	assert_int_equal(port(r, 0x12, 1), 0);
	assert_int_equal(port(r, 0x08, 4), 0);
	rig_start(r, RIG_ALL);
	echo_set_pair(rig_dev(r), 5, true);
	assert_int_equal(port(r, 0x13, 1), VPCI_ISR_CONFIG);
	assert_int_equal(port(r, 0x13, 1), 0); /* taken by reading */
}

static void configuration_takes_any_width(struct rig *r)
{
	const unsigned at = r->driver.pci.msix_on ? 24 : 20;
	uint8_t whole[20];

	rig_start(r, RIG_NONE);
	echo_set_pair(rig_dev(r), 0x12345678, false);
	for (unsigned i = 0; i < sizeof(whole); i++)
		whole[i] = (uint8_t)port(r, at + i, 1);
	assert_memory_equal(whole, "\x78\x56\x34\x12\x78\x56\x34\x12", 8);
	for (unsigned i = 0; i + 4 <= sizeof(whole); i++) {
		assert_int_equal(port(r, at + i, 2), whole[i] | whole[i + 1] << 8);
		assert_int_equal(port(r, at + i, 4), whole[i] | whole[i + 1] << 8 |
							     whole[i + 2] << 16 |
							     (uint32_t)whole[i + 3] << 24);
	}
	set_port(r, at + ECHO_WRITABLE, 4, 0x04030201);
	assert_int_equal(port(r, at + ECHO_WRITABLE, 4), 0x05040302);
	set_port(r, at + ECHO_WRITABLE, 1, 0x11);
	set_port(r, at + ECHO_WRITABLE + 1, 2, 0x3322);
	assert_int_equal(port(r, at + ECHO_WRITABLE, 4), 0x05342312);
	assert_int_equal(rig_logged(r, "guest"), 0);
}

static void configuration_follows_the_registers(struct rig *r)
{
	echo_set_pair(rig_dev(r), 0x12345678, false);
	virtio_pci_msix(&r->driver, 0);
	assert_int_equal(port(r, 20, 4), 0x12345678);
	virtio_pci_msix(&r->driver, PCI_MSIX_CONTROL_ENABLE);
	assert_int_equal(port(r, 24, 4), 0x12345678);
	assert_int_equal(port(r, 20, 2), VPCI_NO_VECTOR);
	set_port(r, 20, 2, 1);
	set_port(r, 22, 2, 2);
	assert_int_equal(port(r, 20, 4), 1 | 2 << 16);
	set_port(r, 22, 2, 1000); /* beyond the table */
	assert_int_equal(port(r, 22, 2), VPCI_NO_VECTOR);
	virtio_pci_msix(&r->driver, 0);
	assert_int_equal(port(r, 20, 4), 0x12345678);
}

static void no_feature_above_bit_31_counts(struct rig *r)
{
	const struct vdev *dev = rig_dev(r);

	rig_start(r, RIG_ALL);
	assert_true(vfeatures_has(dev->offered, VIRTIO_F_RING_RESET));
	assert_int_equal(dev->accepted.w[0] >> 32, 0);
	assert_int_equal(dev->accepted.w[1], 0);
	conform_echo(r, "without");
}

/* A device has one driver at a time, of either kind: firmware's, then the system's. */
static void both_interfaces_lead_to_one_device(struct rig *r)
{
	struct virtio_dev legacy, modern = r->driver;

	assert_true(virtio_pci_legacy_probe(&legacy, &r->io, r->driver.pci.function));
	for (unsigned round = 0; round < 2; round++) {
		r->driver = legacy;
		virtio_pci_msix(&r->driver, 0);
		assert_true(rig_offered(r).w[0] & 1u << VIRTIO_F_ANY_LAYOUT);
		assert_true(virtio_negotiate(&r->driver, (struct virtio_features){ { 1 } }));
		assert_int_equal(rig_status(r), BEGUN);
		virtio_driver_ok(&r->driver);
		assert_true(vdev_is_legacy(rig_dev(r)));
		r->driver = modern;
		assert_int_equal(rig_status(r), BEGUN | VIRTIO_S_DRIVER_OK);
		r->driver.ops->accept(&r->driver, 0, 0); /* which has no say now */
		assert_true(vdev_accepted(rig_dev(r), ECHO_F_BASE));
		assert_false(rig_offered(r).w[0] & 1u << VIRTIO_F_ANY_LAYOUT);
		virtio_pci_msix(&r->driver,
				r->link->variant == RIG_PCI_INTX ? 0 : PCI_MSIX_CONTROL_ENABLE);
		rig_start(r, RIG_ALL);
		assert_false(vdev_is_legacy(rig_dev(r)));
		conform_echo(r, "the system's");
	}
}

/*
 * Block device.
 */

static void blks_configuration_is_in_guest_order(struct rig *r)
{
	static const uint8_t sectors[8] = { BD_SECTORS & 0xff, BD_SECTORS >> 8 };

	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(rig_config8(r, i), sectors[i]);
	assert_int_equal(rig_config32(r, offsetof(struct blk_config, blk_size)), 512);
}

static void requests_are_in_guest_order(struct rig *r)
{
	struct rig_buf data;

	rig_start(r, RIG_ALL);
	data = bd_filled(r, 1024, 7);
	assert_int_equal(bd_request(r, BLK_T_OUT, 258, data), BLK_S_OK);
	bd_expect_on_host(r, 258, data.p, 1024);
	assert_int_equal(bd_request(r, BLK_T_IN, 258, data), BLK_S_OK);
	assert_int_equal(bd_request(r, BLK_T_OUT, BD_SECTORS, data), BLK_S_IOERR);
}

static void it_is_negotiated_without_features_ok(struct rig *r)
{
	assert_false(vfeatures_has(rig_offered(r), 17)); /* ZONED */
	assert_int_equal(rig_config8(r, WRITEBACK), 1);
	rig_config_write(r, WRITEBACK, "\0", 1); /* before DRIVER */
	assert_int_equal(rig_config8(r, WRITEBACK), 0);
	rig_start(r, RIG_ALL);
	assert_true(rig_has(r, BLK_F_CONFIG_WCE));
	rig_config_write(r, WRITEBACK, "\0", 1);
	assert_int_equal(rig_config8(r, WRITEBACK), 0);
	assert_int_equal(bd_request(r, BLK_T_IN, 0, rig_alloc(r, 512)), BLK_S_OK);
}

/* But DRIVER_OK does of one without CONFIG_WCE. */
static void status_bits_leave_the_cache_mode_alone(struct rig *r)
{
	const uint64_t wce = 1u << BLK_F_CONFIG_WCE;

	for (unsigned mode = 0; mode < 2; mode++) {
		const uint8_t byte = (uint8_t)mode;

		rig_reset(r);
		rig_config_write(r, WRITEBACK, &byte, 1);
		rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
		assert_int_equal(rig_config8(r, WRITEBACK), mode);
		rig_set_status(r, BEGUN);
		assert_int_equal(rig_config8(r, WRITEBACK), mode);
		assert_true(virtio_accept(&r->driver, (struct virtio_features){ { wce } }));
		rig_queue_start(r, 0, 0);
		rig_driver_ok(r);
		assert_int_equal(rig_config8(r, WRITEBACK), mode);
	}
	rig_start(r, only(0));
	assert_int_equal(rig_config8(r, WRITEBACK), 0);
	rig_start(r, only(1u << BLK_F_FLUSH));
	assert_int_equal(rig_config8(r, WRITEBACK), 1);
}

static void features_leave_the_cache_mode_alone(struct rig *r)
{
	static const uint64_t sets[] = { 0, 1u << BLK_F_CONFIG_WCE, 1u << BLK_F_FLUSH,
					 1u << BLK_F_CONFIG_WCE | 1u << BLK_F_FLUSH };

	rig_reset(r);
	virtio_acknowledge(&r->driver);
	for (uint8_t mode = 0; mode < 2; mode++) {
		rig_config_write(r, WRITEBACK, &mode, 1);
		for (size_t i = 0; i < G_N_ELEMENTS(sets); i++) {
			r->driver.ops->accept(&r->driver, 0, (uint32_t)sets[i]);
			assert_int_equal(rig_config8(r, WRITEBACK), mode);
		}
	}
}

static void flush_out_is_flush(struct rig *r)
{
	rig_start(r, RIG_ALL);
	assert_int_equal(bd_request(r, BLK_T_FLUSH_OUT, 0, bd_no_data), BLK_S_OK);
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
	assert_int_equal(bd_request(r, BLK_T_FLUSH_OUT + 1, 0, bd_no_data), BLK_S_UNSUPP);
}

/*
 * Network device.
 */

static const uint8_t a_mac[6] = { 0x52, 0x54, 0, 9, 9, 9 };

static void nets_configuration_is_in_guest_order(struct rig *r)
{
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	assert_int_equal(rig_config8(r, 6), NET_S_LINK_UP);
	assert_int_equal(rig_config8(r, 7), 0);
	assert_int_equal(rig_config8(r, 8), 1);
	assert_int_equal(rig_config8(r, 9), 0);
	close(p.fd);
}

/* Ten bytes before each frame, in a buffer of their own or not. */
static void the_header_has_ten_bytes_in_guest_order(struct rig *r)
{
	static uint8_t frame[300], got[NET_FRAME_MAX];
	struct rig_buf tx[2] = { rig_alloc(r, 10) }, rx[2] = { rig_alloc(r, 10) };
	struct net_header h = { .flags = NET_HDR_F_NEEDS_CSUM };
	struct rig_req *req;
	struct net_peer p;

	rig_start(r, rig_all_but(NET_F_MRG_RXBUF));
	p = net_peer_connect(r);
	frame_plain(frame, mac_broadcast, sizeof(frame), 3);
	tx[1] = rig_dup(r, frame, sizeof(frame));
	assert_int_equal(rig_do(r, TX, tx, 2, 0), 0);
	assert_int_equal(net_peer_receive(&p, got), sizeof(frame));
	assert_memory_equal(got, frame, sizeof(frame));

	h.csum_start = cpu_le16(258); /* in another order it would lie outside */
	h.csum_offset = cpu_le16(1);
	tx[0] = rig_dup(r, &h, 10);
	assert_int_equal(rig_do(r, TX, tx, 2, 0), 0);
	assert_int_equal(net_peer_receive(&p, got), sizeof(frame));
	assert_memory_equal(got, frame, 259);
	assert_memory_not_equal(got, frame, sizeof(frame));

	rx[1] = rig_alloc(r, 2000);
	req = rig_submit(r, RX, rx, 0, 2);
	frame_plain(frame, mac_guest, sizeof(frame), 5);
	net_peer_send(&p, frame, sizeof(frame));
	assert_int_equal(rig_wait(r, req), 10 + sizeof(frame));
	assert_memory_equal(rx[1].p, frame, sizeof(frame));
	rx[1] = rig_alloc(r, 10 + sizeof(frame)); /* and no byte more */
	req = rig_submit(r, RX, rx + 1, 0, 1);
	net_peer_send(&p, frame, sizeof(frame));
	assert_int_equal(rig_wait(r, req), 10 + sizeof(frame));
	assert_memory_equal((uint8_t *)rx[1].p + 10, frame, sizeof(frame));
	close(p.fd);
}

static void address_counts_are_in_guest_order(struct rig *r)
{
	uint8_t table[4 + 6 + 4] = { 1 };
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	assert_false(net_arrives(&p, a_mac, 0));
	memcpy(table + 4, a_mac, 6);
	assert_int_equal(net_command(r, 1, 0, table, sizeof(table)), ACK_OK);
	assert_true(net_arrives(&p, a_mac, 0));
	close(p.fd);
}

/* Byte by byte; the last one makes it count. */
static void an_address_that_is_written_counts(struct rig *r)
{
	struct net_peer p;

	for (unsigned round = 0; round < 2; round++) {
		rig_start(r, rig_all_but(NET_F_CTRL_MAC_ADDR));
		p = net_peer_connect(r);
		assert_true(net_arrives(&p, mac_guest, 0));
		for (unsigned i = 0; i < 6; i++) {
			assert_false(net_arrives(&p, a_mac, 0));
			rig_config_write(r, i, a_mac + i, 1);
			assert_int_equal(rig_config8(r, i), a_mac[i]);
		}
		assert_true(net_arrives(&p, a_mac, 0));
		assert_false(net_arrives(&p, mac_guest, 0));
		close(p.fd);
		rig_reset(r); /* and the first one is back */
		assert_int_equal(rig_config8(r, 5), mac_guest[5]);
	}
	rig_start(r, RIG_ALL); /* with the command, the space is read-only */
	rig_config_write(r, 5, a_mac, 1);
	assert_int_equal(rig_config8(r, 5), mac_guest[5]);
}

static void vlans_are_in_guest_order(struct rig *r)
{
	le16 id = cpu_le16(258);
	struct net_peer p;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	assert_false(net_arrives(&p, mac_guest, 258));
	assert_int_equal(net_command(r, 2, 0, &id, 2), ACK_OK);
	assert_true(net_arrives(&p, mac_guest, 258));
	close(p.fd);
}

static void offloads_are_in_guest_order(struct rig *r)
{
	le64 csum = cpu_le64(1u << NET_F_GUEST_CSUM), other = cpu_le64(1ull << 57);

	rig_start(r, RIG_ALL);
	assert_true(rig_has(r, NET_F_CTRL_GUEST_OFFLOADS));
	assert_int_equal(net_command(r, 5, 0, &csum, 8), ACK_OK);
	assert_int_equal(net_command(r, 5, 0, &other, 8), ACK_ERR); /* the same bytes, turned */
}

/*
 * Console.
 */

static void consoles_configuration_is_in_guest_order(struct rig *r)
{
	assert_int_equal(rig_config8(r, CFG_COLS), 300 & 0xff);
	assert_int_equal(rig_config8(r, CFG_COLS + 1), 300 >> 8);
	assert_int_equal(rig_config8(r, CFG_ROWS), 50);
	assert_int_equal(rig_config8(r, CFG_MAX_PORTS), 2);
	assert_int_equal(rig_config8(r, CFG_MAX_PORTS + 3), 0);
}

static void control_messages_are_in_guest_order(struct rig *r)
{
	struct ctl c;

	ctl_ports_up(&c, r);
	for (unsigned id = 0; id < 2; id++)
		ctl_expect(&c, CONSOLE_PORT_ADD, id, 1);
	ctl_say(r, 1, CONSOLE_PORT_READY, 1);
	assert_int_equal(ctl_expect(&c, CONSOLE_PORT_NAME, 1, 1).n_extra, 1);
}

#define LEGACY .rings = CONFORM_LEGACY

static const struct conform_case cases[] = {
	{ "DEV-BASE-LEGFEAT-01", "a driver without VERSION_1 is a legacy driver",
	  a_driver_without_version_1_is_a_legacy_driver, LEGACY },
	{ "DEV-BASE-LEGFEAT-03", "it is served by the rules of legacy drivers",
	  it_is_served_by_the_rules_of_legacy_drivers, LEGACY, .devices = true },
	{ "DEV-BASE-LEGINIT-01", "configuration may be written first",
	  configuration_may_be_written_first, LEGACY },
	{ "DEV-BASE-LEGINIT-02", "queues may be set up first", queues_may_be_set_up_first, LEGACY },
	{ "DEV-BASE-LEGINIT-02", "queues may be used before DRIVER_OK",
	  queues_may_be_used_before_driver_ok, LEGACY },
	{ "DEV-BASE-LEGINIT-02", "and features may come after that", features_may_come_after_that,
	  LEGACY },
	{ "DEV-BASE-LEGRESFEAT-02", "an empty ring notifies whatever is suppressed",
	  an_empty_ring_notifies_whatever_is_suppressed, LEGACY },
	{ "DEV-BASE-LEGRESFEAT-03", "ANY_LAYOUT and bit 30 are offered",
	  any_layout_and_bit_30_are_offered, LEGACY, .devices = true },
	{ "DEV-SPLIT-LEGLAYOUT-01 DEV-SPLIT-LEGENDIAN-01", "rings are where size and alignment say",
	  rings_are_where_size_and_alignment_say, LEGACY },
	{ "DEV-SPLIT-LEGLAYOUT-01", "an address of 0 takes a queue away",
	  an_address_of_0_takes_a_queue_away, LEGACY },
	{ "DEV-PCI-LEGDISC-01 DEV-PCI-LEGDISC-02 DEV-PCI-LEGDISC-03",
	  "it is a transitional function", it_is_a_transitional_function, LEGACY,
	  .links = "legacy-pci*", .devices = true },
	{ "DEV-PCI-LEGLAYOUT-01 DEV-PCI-LEGDETECT-01",
	  "its registers are in the first BAR of ports",
	  its_registers_are_in_the_first_bar_of_ports, LEGACY, .links = "legacy-pci*" },
	{ "DEV-PCI-LEGLAYOUT-02", "configuration takes any width", configuration_takes_any_width,
	  LEGACY, .links = "legacy-pci*" },
	{ "DEV-PCI-LEGLAYOUT-03", "configuration follows the registers",
	  configuration_follows_the_registers, LEGACY, .links = "legacy-pci*" },
	{ "DEV-PCI-LEGLAYOUT-04", "no feature above bit 31 counts", no_feature_above_bit_31_counts,
	  LEGACY, .links = "legacy-pci legacy-pci-thread" },
	{ "DEV-BASE-LEGFEAT-01", "both interfaces lead to one device",
	  both_interfaces_lead_to_one_device, .rings = CONFORM_TRANSITIONAL, .links = "pci*" },

	{ "DEV-BLK-LEGCFG-01", "blk's configuration is in guest order",
	  blks_configuration_is_in_guest_order, LEGACY, .spec = DISK, .setup = bd_make_disk },
	{ "DEV-BLK-LEGOP-01", "requests are in guest order", requests_are_in_guest_order, LEGACY,
	  .spec = DISK, .setup = bd_make_disk },
	{ "DEV-BLK-INIT-06 DEV-BLK-LEGINIT-01", "it is negotiated without FEATURES_OK",
	  it_is_negotiated_without_features_ok, LEGACY, .spec = DISK, .setup = bd_make_disk },
	{ "DEV-BLK-LEGINIT-02", "status bits leave the cache mode alone",
	  status_bits_leave_the_cache_mode_alone, LEGACY, .spec = DISK, .setup = bd_make_disk },
	{ "DEV-BLK-LEGINIT-03", "features leave the cache mode alone",
	  features_leave_the_cache_mode_alone, LEGACY, .spec = DISK, .setup = bd_make_disk },
	{ "DEV-BLK-LEGOP-02", "FLUSH_OUT is FLUSH", flush_out_is_flush, LEGACY, .spec = DISK,
	  .setup = bd_make_disk },

	{ "DEV-NET-LEGCFG-01", "net's configuration is in guest order",
	  nets_configuration_is_in_guest_order, LEGACY, .spec = NET_PEER },
	{ "DEV-NET-LEGOP-01", "the header has ten bytes in guest order",
	  the_header_has_ten_bytes_in_guest_order, LEGACY, .spec = NET_PEER },
	{ "DEV-NET-LEGMAC-01", "address counts are in guest order",
	  address_counts_are_in_guest_order, LEGACY, .spec = NET_PEER },
	{ "DEV-NET-LEGMAC-02", "an address that is written counts with its last byte",
	  an_address_that_is_written_counts, LEGACY, .spec = NET_PEER },
	{ "DEV-NET-LEGVLAN-01", "VLANs are in guest order", vlans_are_in_guest_order, LEGACY,
	  .spec = NET_PEER },
	{ "DEV-NET-LEGOFFLOAD-01", "offloads are in guest order", offloads_are_in_guest_order,
	  LEGACY, .spec = USER },

	{ "DEV-CONSOLE-LEGCFG-01", "console's configuration is in guest order",
	  consoles_configuration_is_in_guest_order, LEGACY,
	  .spec = "console,chr=null,cols=300,rows=50,port=a:null" },
	{ "DEV-CONSOLE-LEGOP-01", "control messages are in guest order",
	  control_messages_are_in_guest_order, LEGACY, .spec = "console,chr=null,port=a:null" },
};

int main(void)
{
	return conform_run("legacy", cases, G_N_ELEMENTS(cases));
}
