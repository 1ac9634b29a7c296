/*
 * Each rule for drivers that registers show (devices/core/rules.h): a driver that breaks it is told
 * of it by name and clause, once an access, and of nothing else; and what the access does is
 * harmless.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/core/rules.h"
#include "tests/support/pci-peek.h"
#include "tests/support/rig-impl.h"
#include "transport/mmio/regs.h"

#define SO_FAR (VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER)

static uint64_t mmio_get(struct rig *r, unsigned off, unsigned len)
{
	return board_fake_read(rig_board(r), false, RIG_MMIO_BASE + off, len);
}

static void mmio_put(struct rig *r, unsigned off, unsigned len, uint64_t value)
{
	board_fake_write(rig_board(r), false, RIG_MMIO_BASE + off, len, value);
}

/*
 * Status and negotiation.
 */

static void begin(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, SO_FAR);
}

static void clear_a_bit(struct rig *r)
{
	begin(r);
	rig_set_status(r, VIRTIO_S_DRIVER);
	assert_int_equal(rig_status(r), SO_FAR);
}

static void go_on_after_failed(struct rig *r)
{
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_FAILED);
	rig_set_status(r, SO_FAR | VIRTIO_S_FAILED);
}

static void driver_without_acknowledge(struct rig *r)
{
	rig_set_status(r, VIRTIO_S_DRIVER);
}

static void acknowledge_and_driver_at_once(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, SO_FAR);
	assert_int_equal(rig_status(r), SO_FAR);
}

static void features_ok_and_driver_ok_at_once(struct rig *r)
{
	struct vfeatures f = RIG_NONE;

	vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
	assert_true(rig_negotiate(r, f));
	rig_reset(r);
	assert_int_equal(rig_logged(r, "guest: "), 0);
	begin(r);
	vdev_features_accept(rig_dev(r), 1, 1u << (VIRTIO_F_VERSION_1 - 32));
	rig_set_status(r, SO_FAR | VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK);
}

static void features_before_driver(struct rig *r)
{
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	vdev_features_accept(rig_dev(r), 1, 1u << (VIRTIO_F_VERSION_1 - 32));
}

static void driver_ok_without_features_ok(struct rig *r)
{
	begin(r);
	rig_set_status(r, SO_FAR | VIRTIO_S_DRIVER_OK);
	assert_int_equal(rig_status(r), SO_FAR);
}

static void suspend(struct rig *r)
{
	begin(r);
	rig_set_status(r, SO_FAR | 16);
	assert_int_equal(rig_status(r), SO_FAR);
}

static void a_status_bit_that_is_not_there(struct rig *r)
{
	begin(r);
	rig_set_status(r, SO_FAR | 32);
	assert_int_equal(rig_status(r), SO_FAR);
}

static void negotiate(struct rig *r, unsigned bit, bool version_1, bool held)
{
	struct vfeatures f = RIG_NONE;

	vfeatures_set(&f, bit, true);
	vfeatures_set(&f, VIRTIO_F_VERSION_1, version_1);
	assert_int_equal(rig_negotiate(r, f), held);
}

static void a_feature_that_is_not_offered(struct rig *r)
{
	negotiate(r, 41, true, false);
	assert_int_equal(rig_logged(r, "feature bit 41 admin_vq: "), 1);
}

static void a_feature_word_that_is_not_there(struct rig *r)
{
	begin(r);
	vdev_features_accept(rig_dev(r), 4, 1);
}

static void a_feature_without_what_it_needs(struct rig *r)
{
	negotiate(r, ECHO_F_NEEDS_BASE, true, false);
}

static void no_version_1(struct rig *r)
{
	negotiate(r, VIRTIO_F_EVENT_IDX, false, false);
}

static void features_after_features_ok(struct rig *r)
{
	negotiate(r, VIRTIO_F_EVENT_IDX, true, true);
	vdev_features_accept(rig_dev(r), 0, 0);
	assert_int_equal(vdev_features_accepted(rig_dev(r), 0), 1u << VIRTIO_F_EVENT_IDX);
}

static void config_before_features_ok(struct rig *r)
{
	begin(r);
	rig_config_write(r, ECHO_WRITABLE, "\1\2\3\4", 4);
}

static void config_beyond(struct rig *r)
{
	rig_start(r, RIG_NONE);
	assert_int_equal(rig_config8(r, 20), 0);
}

/*
 * Queues.
 */

static struct rig_buf pattern(struct rig *r)
{
	return rig_dup(r, "abcd", 4);
}

static void still_works(struct rig *r)
{
	struct rig_buf bufs[] = { pattern(r), rig_alloc(r, 4) };

	assert_int_equal(rig_do(r, ECHO_COPY, bufs, 1, 1), 4);
}

static void kick_before_driver_ok(struct rig *r)
{
	negotiate(r, VIRTIO_F_EVENT_IDX, true, true);
	rig_queue_start(r, ECHO_COPY, 0);
	rig_kick(r, ECHO_COPY);
}

static void pci_enable_before_features_ok(struct rig *r)
{
	begin(r);
	peek_put(r, 0x16, 2, ECHO_COPY);
	peek_put(r, 0x1c, 2, 1);
}

static void mmio_address_before_features_ok(struct rig *r)
{
	begin(r);
	mmio_put(r, R_QUEUE_SEL, 4, ECHO_COPY);
	mmio_put(r, R_QUEUE_DESC, 4, 0x1000);
}

static void pci_size_of_no_queue(struct rig *r)
{
	peek_put(r, 0x16, 2, ECHO_QUEUES);
	peek_put(r, 0x18, 2, 8);
}

static void pci_vector_of_no_queue(struct rig *r)
{
	peek_put(r, 0x16, 2, ECHO_QUEUES);
	peek_put(r, 0x1a, 2, 0);
}

static void pci_reset_with_2(struct rig *r)
{
	rig_start(r, rig_all_but(VIRTIO_F_NOTIFICATION_DATA));
	peek_put(r, 0x16, 2, ECHO_COPY);
	peek_put(r, 0x3a, 2, 2);
	still_works(r);
}

/* Of the queue: a register that is written while it runs, to no effect. */
static void pci_put_live(struct rig *r, unsigned reg, unsigned len, uint32_t value)
{
	rig_start(r, RIG_NONE);
	peek_put(r, 0x16, 2, ECHO_COPY);
	peek_put(r, reg, len, value);
	still_works(r);
}

/* And one before it runs. */
static void pci_put_early(struct rig *r, unsigned feature, unsigned reg, uint32_t value)
{
	negotiate(r, feature, true, true);
	peek_put(r, 0x16, 2, ECHO_COPY);
	peek_put(r, reg, 2, value);
}

static void pci_reset_without_the_feature(struct rig *r)
{
	pci_put_live(r, 0x3a, 2, 1);
}

static void pci_enable_with_2(struct rig *r)
{
	pci_put_early(r, VIRTIO_F_EVENT_IDX, 0x1c, 2);
	assert_int_equal(peek_get(r, 0x1c, 2), 0);
}

static void pci_disable(struct rig *r)
{
	pci_put_live(r, 0x1c, 2, 0);
}

static void pci_size_of_a_live_queue(struct rig *r)
{
	pci_put_live(r, 0x18, 2, 8);
	assert_int_equal(peek_get(r, 0x18, 2), 64);
}

static void pci_address_of_a_live_queue(struct rig *r)
{
	pci_put_live(r, 0x24, 4, 77);
}

static void pci_size_3(struct rig *r)
{
	pci_put_early(r, VIRTIO_F_EVENT_IDX, 0x18, 3);
}

static void pci_size_128(struct rig *r)
{
	pci_put_early(r, VIRTIO_F_EVENT_IDX, 0x18, 128);
}

static void pci_size_0_packed(struct rig *r)
{
	pci_put_early(r, VIRTIO_F_RING_PACKED, 0x18, 0);
}

static void pci_vector(struct rig *r)
{
	peek_put(r, 0x10, 2, ECHO_QUEUES + 1);
	assert_int_equal(peek_get(r, 0x10, 2), 0xffff);
	peek_put(r, 0x10, 2, 0xffff); /* is none */
}

/* Where kicks trap: with a doorbell nobody sees the value. */
static void start_trapping(struct rig *r)
{
	board_fake_refuse(rig_board(r), BOARD_REFUSE_DOORBELL);
	rig_start(r, RIG_NONE);
}

static void pci_kick_of_no_queue(struct rig *r)
{
	start_trapping(r);
	peek_put(r, PEEK_NOTIFY + 4 * ECHO_QUEUES, 2, ECHO_QUEUES);
}

static void pci_kick_of_32_bits(struct rig *r)
{
	start_trapping(r);
	peek_put(r, PEEK_NOTIFY + 4 * ECHO_KEEP, 4, ECHO_KEEP);
	still_works(r);
}

static void pci_kick_with_another_index(struct rig *r)
{
	start_trapping(r);
	peek_put(r, PEEK_NOTIFY + 4 * ECHO_KEEP, 2, ECHO_COPY);
	still_works(r);
}

static void pci_kick_that_says_too_little(struct rig *r)
{
	board_fake_refuse(rig_board(r), BOARD_REFUSE_DOORBELL);
	rig_start(r, RIG_ALL);
	assert_true(rig_has(r, VIRTIO_F_NOTIFICATION_DATA));
	peek_put(r, PEEK_NOTIFY + 4 * ECHO_KEEP, 2, ECHO_KEEP);
	still_works(r);
}

/*
 * Widths, and what is not there.
 */

static void pci_8_bits_of_num_queues(struct rig *r)
{
	assert_int_equal(peek_get(r, 0x12, 1), ECHO_QUEUES);
	assert_int_equal(rig_logged(r, "num_queues, read of 1 byte: width: "), 1);
}

static void pci_other_reads(struct rig *r)
{
	rig_start(r, RIG_NONE);
	peek_put(r, 0x16, 2, 2);
	assert_int_equal(peek_get(r, 0x14, 4),
			 2u << 16 | peek_get(r, 0x15, 1) << 8 | rig_status(r));
	assert_int_equal(peek_get(r, 0x13, 1), 0);
	assert_int_equal(peek_get(r, 0x12, 8) & 0xffff, ECHO_QUEUES);
	assert_int_equal(rig_logged(r, ": width: "), 3);
}

static void pci_32_bits_of_device_status(struct rig *r)
{
	peek_put(r, 0x14, 4, VIRTIO_S_ACKNOWLEDGE);
	assert_int_equal(rig_status(r), 0);
	assert_int_equal(rig_logged(r, "device_status, write of 4 bytes: width: "), 1);
}

/* Which the specification does not allow either, and which can be meant in one way only. */
static void pci_64_bits_of_an_address(struct rig *r)
{
	negotiate(r, VIRTIO_F_EVENT_IDX, true, true);
	peek_put(r, 0x16, 2, 0);
	peek_put(r, 0x20, 8, 0x123456789000);
	assert_int_equal(rig_dev(r)->queue[0].desc, 0x123456789000);
}

static void pci_16_bits_of_the_isr(struct rig *r)
{
	(void)peek_get(r, PEEK_ISR, 2);
}

static void config_by_bytes(struct rig *r)
{
	uint64_t at = strncmp(rig_link_name(r), "pci", 3) == 0 ? peek_bar(r) + 0x200
							       : RIG_MMIO_BASE + 0x100;

	rig_start(r, RIG_NONE);
	echo_set_pair(rig_dev(r), 0x01020304, false);
	assert_int_equal(board_fake_read(rig_board(r), false, at + 1, 1), 3);
}

static void pci_read_only(struct rig *r)
{
	peek_put(r, 0x12, 2, 9);
	assert_int_equal(peek_get(r, 0x12, 2), ECHO_QUEUES);
}

static void pci_gap(struct rig *r)
{
	assert_int_equal(peek_get(r, 0x80, 4), 0);
}

static void pci_field_of_a_feature(struct rig *r)
{
	rig_start(r, RIG_NONE);
	assert_int_equal(peek_get(r, 0x38, 2), 0);
}

static void pci_read_of_notifications(struct rig *r)
{
	assert_int_equal(peek_get(r, PEEK_NOTIFY, 2), 0);
}

static void pci_capability(struct rig *r)
{
	peek_cfg_write(r, peek_cap(r, 9, 3, 1) + 8, 4, 77);
}

static void aim(struct rig *r, unsigned b, uint32_t off, uint32_t len)
{
	unsigned cap = peek_cap(r, 9, 3, 5);

	peek_cfg_write(r, cap + 4, 1, b);
	peek_cfg_write(r, cap + 8, 4, off);
	peek_cfg_write(r, cap + 12, 4, len);
	(void)peek_cfg(r, cap + 16, 4);
}

static void pci_access_misaligned(struct rig *r)
{
	aim(r, 0, 0x16, 4);
}

static void pci_access_of_another_bar(struct rig *r)
{
	aim(r, 1, 0x14, 1);
}

static void pci_table_by_bytes(struct rig *r)
{
	assert_int_equal(peek_get(r, PEEK_TABLE + 12, 1), 0);
}

static void pci_pending_written(struct rig *r)
{
	peek_put(r, PEEK_PBA, 8, 1);
}

static void mmio_8_bits(struct rig *r)
{
	assert_int_equal(mmio_get(r, R_MAGIC + 1, 1), 'i');
	assert_int_equal(mmio_get(r, R_MAGIC + 2, 4), (MMIO_MAGIC >> 16 | MMIO_VERSION << 16));
	mmio_put(r, R_STATUS, 1, VIRTIO_S_ACKNOWLEDGE);
	mmio_put(r, R_STATUS, 8, VIRTIO_S_ACKNOWLEDGE);
	assert_int_equal(rig_status(r), 0);
	assert_int_equal(rig_logged(r, "Status, write of 1 byte: width: "), 1);
}

static void mmio_nothing(struct rig *r)
{
	assert_int_equal(mmio_get(r, 0x00c + 0x40, 4), 0);
	mmio_put(r, 0x0f0, 4, 1);
}

static void mmio_legacy_register(struct rig *r)
{
	mmio_put(r, 0x028, 4, 4096); /* GuestPageSize */
}

static void unknown_feature(struct rig *r)
{
	rig_dev(r)->baited = true;
	negotiate(r, 45, true, false);
	negotiate(r, 127, true, false);
}

static void decoy(struct rig *r)
{
	rig_dev(r)->baited = true;
	assert_int_equal(peek_get(r, 0x400, 4), 0);
	peek_put(r, 0x4ff, 1, 1);
}

static void second_structure(struct rig *r)
{
	rig_dev(r)->baited = true;
	assert_int_equal(peek_get(r, 0x600 + 0x12, 2), ECHO_QUEUES);
	peek_put(r, 0x600 + 0x16, 2, ECHO_KEEP);
	assert_int_equal(peek_get(r, 0x16, 2), ECHO_KEEP);
}

/* There is no refusing: what it cannot have does not count. */
static void legacy_feature_not_offered(struct rig *r)
{
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, SO_FAR);
	r->driver.ops->accept(&r->driver, 0, 1u << 7);
	assert_false(vdev_accepted(rig_dev(r), 7));
}

static void legacy_features_ok(struct rig *r)
{
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, SO_FAR);
	rig_set_status(r, SO_FAR | VIRTIO_S_FEATURES_OK);
}

static uint16_t legacy_port(struct rig *r, unsigned off)
{
	return (uint16_t)(r->driver.pci.ports + off);
}

/* MSI-X is on: two vectors are where a configuration space would begin without. */
static void legacy_config_at_20(struct rig *r)
{
	(void)r->io.port_read(r->io.opaque, legacy_port(r, 20), 4);
	(void)r->io.port_read(r->io.opaque, legacy_port(r, 20), 1);
	r->io.port_write(r->io.opaque, legacy_port(r, 23), 1, 0);
}

/* The BAR of the structures is behind the ports': registers 2 and 3. */
static uint64_t second_bar(struct rig *r)
{
	return (peek_cfg(r, 0x18, 4) & ~0xfull) | (uint64_t)peek_cfg(r, 0x1c, 4) << 32;
}

static void both_interfaces(struct rig *r)
{
	uint64_t select;

	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	select = second_bar(r) + 0x16; /* queue_select */
	board_fake_write(rig_board(r), false, select, 2, 0);
}

static void ports_after_structures(struct rig *r)
{
	uint64_t status = second_bar(r) + 0x14;

	rig_reset(r);
	board_fake_write(rig_board(r), false, status, 1, VIRTIO_S_ACKNOWLEDGE);
	r->io.port_write(r->io.opaque, legacy_port(r, 14), 2, 0); /* queue_select */
}

/* A function that nobody has looked at, at an address that its driver happens to know. */
static void structures_by_heart(struct rig *r)
{
	uint64_t bar = peek_bar(r);

	rig_detach(r);
	rig_attach(r, "pci", "", r->transport);
	peek_cfg_write(r, 0x10, 4, (uint32_t)bar);
	peek_cfg_write(r, 0x14, 4, (uint32_t)(bar >> 32));
	peek_cfg_write(r, 0x4, 2, 6); /* memory, bus master */
	board_fake_write(rig_board(r), false, bar + 0x14, 1, 0);
	(void)board_fake_read(rig_board(r), false, bar + 0x14, 1); /* it is told once */
}

static void mmio_queue_without_a_page_size(struct rig *r)
{
	mmio_put(r, R_QUEUE_SEL, 4, 0);
	mmio_put(r, R_QUEUE_ALIGN, 4, 4096);
	mmio_put(r, R_QUEUE_PFN, 4, 16);
	assert_int_equal(mmio_get(r, R_QUEUE_PFN, 4), 0);
}

static void mmio_queue_of_odd_pages(struct rig *r)
{
	mmio_put(r, R_GUEST_PAGE_SIZE, 4, 4096);
	mmio_put(r, R_QUEUE_ALIGN, 4, 4097);
	mmio_put(r, R_QUEUE_PFN, 4, 16);
	assert_int_equal(mmio_get(r, R_QUEUE_PFN, 4), 0);
}

static void mmio_read_only(struct rig *r)
{
	mmio_put(r, R_INTERRUPT_STATUS, 4, 1);
}

static void mmio_write_only(struct rig *r)
{
	assert_int_equal(mmio_get(r, R_QUEUE_SEL, 4), 0);
}

static void mmio_features_unselected(struct rig *r)
{
	(void)mmio_get(r, R_DEVICE_FEATURES, 4);
}

static void mmio_accept_unselected(struct rig *r)
{
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, SO_FAR);
	mmio_put(r, R_DRIVER_FEATURES, 4, 0);
}

static void mmio_size_128(struct rig *r)
{
	negotiate(r, VIRTIO_F_EVENT_IDX, true, true);
	mmio_put(r, R_QUEUE_SEL, 4, ECHO_COPY);
	mmio_put(r, R_QUEUE_SIZE, 4, 128);
}

static void mmio_address_of_a_live_queue(struct rig *r)
{
	rig_start(r, RIG_NONE);
	mmio_put(r, R_QUEUE_SEL, 4, ECHO_COPY);
	mmio_put(r, R_QUEUE_DRIVER, 4, 4096);
	still_works(r);
}

static void mmio_ready_of_no_queue(struct rig *r)
{
	negotiate(r, VIRTIO_F_EVENT_IDX, true, true);
	mmio_put(r, R_QUEUE_SEL, 4, 1u << 16);
	mmio_put(r, R_QUEUE_READY, 4, 1);
}

static void mmio_kick_of_no_queue(struct rig *r)
{
	rig_start(r, RIG_NONE);
	mmio_put(r, R_QUEUE_NOTIFY, 4, ECHO_QUEUES);
	still_works(r);
}

static void mmio_ack(struct rig *r)
{
	rig_start(r, RIG_NONE);
	mmio_put(r, R_INTERRUPT_ACK, 4, 5);
}

static void mmio_queue_reset_without_the_feature(struct rig *r)
{
	rig_start(r, RIG_NONE);
	assert_int_equal(mmio_get(r, R_QUEUE_RESET, 4), 0);
}

/*
 * The table.
 */

static const struct row {
	enum vdev_rule rule;
	const char *links; /* with blanks between */
	void (*run)(struct rig *r);
	const char *clause;
} rows[] = {
#define ALL "direct mmio mmio-cached pci pci-cfg"
	{ RULE_STATUS_CLEARED, ALL, clear_a_bit, "DRV-BASE-STATUS-02" },
	{ RULE_STATUS_AFTER_FAILED, ALL, go_on_after_failed, "DRV-BASE-STATUS-03" },
	{ RULE_STATUS_ORDER, ALL, driver_without_acknowledge, "DRV-BASE-INIT-01" },
	{ RULE_STATUS_ORDER, ALL, acknowledge_and_driver_at_once, "DRV-BASE-INIT-01" },
	{ RULE_STATUS_ORDER, ALL, features_ok_and_driver_ok_at_once, "DRV-BASE-INIT-01" },
	{ RULE_STATUS_ORDER, ALL, features_before_driver, "DRV-BASE-INIT-01" },
	{ RULE_STATUS_ORDER, "pci", pci_enable_before_features_ok, "DRV-BASE-INIT-01" },
	{ RULE_STATUS_ORDER, "mmio", mmio_address_before_features_ok, "DRV-BASE-INIT-01" },
	{ RULE_STATUS_NO_FEATURES_OK, ALL, driver_ok_without_features_ok, "DRV-BASE-INIT-06" },
	{ RULE_STATUS_SUSPEND, ALL, suspend, "DRV-BASE-SUSPEND-01" },
	{ RULE_STATUS_UNKNOWN, ALL, a_status_bit_that_is_not_there, "2.1" },
	{ RULE_FEATURE_NOT_OFFERED, ALL, a_feature_that_is_not_offered, "DRV-BASE-FEAT-01" },
	{ RULE_FEATURE_NOT_OFFERED, ALL, a_feature_word_that_is_not_there, "DRV-BASE-FEAT-01" },
	{ RULE_FEATURE_UNKNOWN, ALL, unknown_feature, "DRV-BASE-FEAT-05" },
	{ RULE_FEATURE_NEEDS, ALL, a_feature_without_what_it_needs, "DRV-BASE-FEAT-02" },
	{ RULE_FEATURE_VERSION_1, ALL, no_version_1, "DRV-BASE-RESFEAT-01" },
	{ RULE_FEATURE_FROZEN, ALL, features_after_features_ok, "DRV-BASE-INIT-04" },
	{ RULE_LEGACY_FEATURE, "legacy-mmio legacy-pci legacy-pci-intx", legacy_feature_not_offered,
	  "DRV-BASE-FEAT-01" },
	{ RULE_STATUS_LEGACY, "legacy-mmio legacy-pci", legacy_features_ok, "DRV-BASE-LEGINIT-01" },
	{ RULE_LEGACY_SIZE, "legacy-mmio", mmio_queue_without_a_page_size, "4.2.4" },
	{ RULE_LEGACY_SIZE, "legacy-mmio", mmio_queue_of_odd_pages, "4.2.4" },
	{ RULE_CONFIG_EARLY, "mmio pci pci-cfg", config_before_features_ok, "DRV-BASE-INIT-03" },
	{ RULE_CONFIG_BEYOND, "mmio pci pci-cfg", config_beyond, "DRV-BASE-CFG-03" },
	{ RULE_NOTIFY_EARLY, "mmio mmio-cached pci pci-cfg", kick_before_driver_ok,
	  "DRV-BASE-INIT-07" },
	{ RULE_NOTIFY_NO_QUEUE, "pci", pci_kick_of_no_queue, "4.1.5.2" },
	{ RULE_NOTIFY_NO_QUEUE, "mmio mmio-cached", mmio_kick_of_no_queue, "4.2.3.3" },
	{ RULE_NO_QUEUE, "pci", pci_size_of_no_queue, "4.1.5.1.3" },
	{ RULE_NO_QUEUE, "pci", pci_vector_of_no_queue, "4.1.5.1.3" },
	{ RULE_NO_QUEUE, "mmio", mmio_ready_of_no_queue, "4.2.3.2" },
	{ RULE_QUEUE_RESET, "pci", pci_reset_with_2, "4.1.4.3" },
	{ RULE_QUEUE_RESET, "pci", pci_reset_without_the_feature, "4.1.4.3" },
	{ RULE_QUEUE_VALUE, "pci", pci_enable_with_2, "4.1.4.3" },
	{ RULE_PCI_WIDTH, "pci pci-intx", pci_8_bits_of_num_queues, "DRV-PCI-LAYOUT-01" },
	{ RULE_PCI_WIDTH, "pci", pci_other_reads, "DRV-PCI-LAYOUT-01" },
	{ RULE_PCI_WIDTH, "pci", pci_32_bits_of_device_status, "DRV-PCI-LAYOUT-01" },
	{ RULE_PCI_WIDTH, "pci", pci_64_bits_of_an_address, "DRV-PCI-LAYOUT-01" },
	{ RULE_PCI_WIDTH, "pci", pci_16_bits_of_the_isr, "DRV-PCI-LAYOUT-01" },
	{ RULE_PCI_CONFIG_WIDTH, "pci", config_by_bytes, "DRV-PCI-LAYOUT-01" },
	{ RULE_PCI_READ_ONLY, "pci", pci_read_only, "DRV-PCI-COMMON-01" },
	{ RULE_PCI_NOTHING, "pci", pci_gap, "4.1.4" },
	{ RULE_PCI_NOTHING, "pci", pci_field_of_a_feature, "4.1.4" },
	{ RULE_PCI_NOTHING, "pci", pci_read_of_notifications, "4.1.4" },
	{ RULE_PCI_QUEUE_LIVE, "pci", pci_size_of_a_live_queue, "DRV-PCI-COMMON-04" },
	{ RULE_PCI_QUEUE_LIVE, "pci", pci_address_of_a_live_queue, "DRV-PCI-COMMON-04" },
	{ RULE_PCI_QUEUE_SIZE, "pci", pci_size_3, "DRV-PCI-COMMON-03" },
	{ RULE_PCI_QUEUE_SIZE, "pci", pci_size_128, "DRV-PCI-COMMON-03" },
	{ RULE_PCI_QUEUE_SIZE_0, "pci-packed", pci_size_0_packed, "DRV-PCI-COMMON-02" },
	{ RULE_PCI_QUEUE_DISABLE, "pci", pci_disable, "DRV-PCI-COMMON-06" },
	{ RULE_PCI_VECTOR, "pci", pci_vector, "DRV-PCI-MSIX-04" },
	{ RULE_PCI_NOTIFY_WIDTH, "pci", pci_kick_of_32_bits, "DRV-PCI-KICK-01" },
	{ RULE_PCI_NOTIFY_WIDTH, "pci", pci_kick_that_says_too_little, "DRV-PCI-KICK-02" },
	{ RULE_PCI_NOTIFY_VALUE, "pci", pci_kick_with_another_index, "DRV-PCI-KICK-03" },
	{ RULE_PCI_CAPABILITY, "pci", pci_capability, "DRV-PCI-CAPS-08" },
	{ RULE_PCI_ACCESS_ALIGN, "pci", pci_access_misaligned, "DRV-PCI-PCICFG-01" },
	{ RULE_PCI_ACCESS_PLACE, "pci", pci_access_of_another_bar, "DRV-PCI-PCICFG-03" },
	{ RULE_PCI_MSIX_TABLE, "pci", pci_table_by_bytes, "6.8.2" },
	{ RULE_PCI_MSIX_TABLE, "pci", pci_pending_written, "6.8.2" },
	{ RULE_PCI_DECOY, "pci", decoy, "DRV-PCI-CAPS-01" },
	{ RULE_PCI_SECOND, "pci", second_structure, "DRV-PCI-CAPS-02" },
	{ RULE_PCI_CAPS_UNREAD, "pci", structures_by_heart, "DRV-PCI-LEGDETECT-03" },
	{ RULE_PCI_INTERFACES, "legacy-pci", both_interfaces, "DRV-PCI-LEGLAYOUT-01" },
	{ RULE_PCI_INTERFACES, "legacy-pci", ports_after_structures, "DRV-PCI-LEGLAYOUT-01" },
	{ RULE_PCI_LEGACY_CONFIG, "legacy-pci", legacy_config_at_20, "DRV-PCI-LEGLAYOUT-03" },
	{ RULE_MMIO_WIDTH, "mmio mmio-cached", mmio_8_bits, "DRV-MMIO-REGS-04" },
	{ RULE_MMIO_CONFIG_WIDTH, "mmio", config_by_bytes, "DRV-MMIO-REGS-05" },
	{ RULE_MMIO_NOTHING, "mmio mmio-cached", mmio_nothing, "DRV-MMIO-REGS-01" },
	{ RULE_MMIO_NOTHING, "mmio", mmio_legacy_register, "DRV-MMIO-REGS-01" },
	{ RULE_MMIO_NOTHING, "mmio", mmio_queue_reset_without_the_feature, "DRV-MMIO-REGS-01" },
	{ RULE_MMIO_READ_ONLY, "mmio mmio-cached", mmio_read_only, "DRV-MMIO-REGS-02" },
	{ RULE_MMIO_WRITE_ONLY, "mmio mmio-cached", mmio_write_only, "DRV-MMIO-REGS-03" },
	{ RULE_MMIO_DEVICE_SEL, "mmio", mmio_features_unselected, "DRV-MMIO-REGS-12" },
	{ RULE_MMIO_DRIVER_SEL, "mmio", mmio_accept_unselected, "DRV-MMIO-REGS-13" },
	{ RULE_MMIO_QUEUE_SIZE, "mmio", mmio_size_128, "DRV-MMIO-REGS-14" },
	{ RULE_MMIO_QUEUE_LIVE, "mmio mmio-cached", mmio_address_of_a_live_queue,
	  "DRV-MMIO-REGS-15" },
	{ RULE_MMIO_ACK, "mmio mmio-cached", mmio_ack, "DRV-MMIO-REGS-20" },
};

static void break_it(const struct row *row, const char *link)
{
	g_autofree char *name = g_strdup_printf(": %s: ", vdev_rule_name(row->rule));
	struct rig_case c = { .spec = "echo", .class = &echo_class };
	struct rig *r = rig_open(rig_link_find(link), &c);
	unsigned told;

	row->run(r);
	told = rig_logged(r, name);
	if (told == 0 || rig_logged(r, row->clause) != told || rig_logged(r, "guest: ") != told) {
		print_error("rule %s over %s: told %u times, its clause %u, of %u lines\n",
			    vdev_rule_name(row->rule), link, told, rig_logged(r, row->clause),
			    rig_logged(r, "guest: "));
		fail();
	}
	rig_close(r);
}

static void a_broken_rule_is_told_by_its_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_auto(GStrv) links = g_strsplit(rows[i].links, " ", -1);

		for (char **link = links; *link; link++)
			break_it(&rows[i], *link);
	}
}

static void every_rule_has_a_row(void **state)
{
	(void)state;
	for (unsigned rule = 0; rule < N_VDEV_RULES; rule++) {
		bool found = false;

		for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
			found |= rows[i].rule == rule;
		if (!found)
			fail_msg("no row for %s", vdev_rule_name(rule));
	}
}

/* A driver may break them as often as it likes: the log's limit holds (test-bounded). */
static void many_broken_rules_are_a_few_lines(void **state)
{
	struct rig_case c = { .spec = "echo", .class = &echo_class };
	struct rig *r = rig_open(rig_link_find("mmio"), &c);

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		(void)mmio_get(r, R_QUEUE_SEL, 4);
	assert_in_range(rig_logged(r, "\n"), 1, 40);
	rig_close(r);
}

static void a_feature_that_is_refused_is_named(void **state)
{
	struct rig_case c = { .spec = "net,backend=socket,path=@/net,listen=on" };
	struct rig *r = rig_open(rig_link_find("mmio"), &c);

	(void)state;
	negotiate(r, 18, true, false); /* VIRTIO_NET_F_CTRL_RX without CTRL_VQ */
	assert_int_equal(rig_logged(r, "feature bit 18 ctrl_rx: feature-needs: "), 1);
	rig_close(r);
}

/* 5.3.4: what a console is told before anybody negotiated is no mistake. */
static void an_emergency_write_is_no_mistake(void **state)
{
	struct rig_case c = { .spec = "console,chr=null" };
	struct rig *r = rig_open(rig_link_find("mmio"), &c);

	(void)state;
	begin(r);
	rig_config_write(r, 8, "x\0\0\0", 4);
	assert_int_equal(rig_logged(r, "guest: "), 0);
	rig_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_broken_rule_is_told_by_its_name),
		cmocka_unit_test(every_rule_has_a_row),
		cmocka_unit_test(many_broken_rules_are_a_few_lines),
		cmocka_unit_test(a_feature_that_is_refused_is_named),
		cmocka_unit_test(an_emergency_write_is_no_mistake),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
