/* virtio-pci at the level of single registers (VIRTIO 1.4, 4.1.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/pci-peek.h"
#include "transport/virtio-pci/virtio-pci.h"

/*
 * Identity and layout.
 */

/* DEV-PCI-DISC-01, -02, -05, -06 */
static void ids_say_modern_virtio(void **state)
{
	struct rig *r = peek_open("pci");

	(void)state;
	assert_int_equal(peek_cfg(r, 0x00, 4), 0x1af4 | (0x1040 + echo_class.id) << 16);
	assert_int_equal(peek_cfg(r, 0x08, 4), echo_class.pci_class << 8 | 1);
	assert_int_equal(peek_cfg(r, 0x2c, 2), 0x1af4);
	assert_true(peek_cfg(r, 0x2e, 2) >= 0x40);
	assert_int_equal(vpci_slot(rig_transport(r)), 1);
	rig_close(r);
}

/* DEV-PCI-COMMON-01, DEV-PCI-NOTIFYCAP-06 to -11, DEV-PCI-DEVCFG-01, DEV-PCI-MSIX-02 */
static void structures_are_aligned_and_long_enough(void **state)
{
	struct rig *r = peek_open("pci");
	unsigned notify = peek_cap(r, 9, 3, 2), msix = peek_cap(r, 0x11, 0, 0);

	(void)state;
	for (unsigned type = 1; type <= 5; type++) {
		unsigned cap = peek_cap(r, 9, 3, type);

		assert_int_equal(peek_cfg(r, cap + 2, 1), type == 2 || type == 5 ? 20 : 16);
		assert_int_equal(peek_cfg(r, cap + 8, 4) % 4, 0);
		assert_true(peek_cfg(r, cap + 8, 4) + peek_cfg(r, cap + 12, 4) <= 0x4000);
	}
	assert_int_equal(peek_cfg(r, notify + 16, 4), 4);
	assert_true(peek_cfg(r, notify + 12, 4) >= ECHO_QUEUES * 4);
	assert_int_equal(peek_cfg(r, msix + 2, 2) & 0x7ff, ECHO_QUEUES); /* count less one */
	rig_close(r);
}

/* DRV-PCI-CAPS-08 */
static void capabilities_cannot_be_written(void **state)
{
	struct rig *r = peek_open("pci");
	unsigned cap = peek_cap(r, 9, 3, 1);

	(void)state;
	for (unsigned i = 0; i < 16; i += 4) {
		uint32_t before = peek_cfg(r, cap + i, 4);

		peek_cfg_write(r, cap + i, 4, ~before);
		assert_int_equal(peek_cfg(r, cap + i, 4), before);
	}
	rig_close(r);
}

/*
 * Common configuration.
 */

/* That they are told of is for test-rules. */
static void wrong_widths_read_bytes_and_write_nothing(void **state)
{
	struct rig *r = peek_open("pci");

	(void)state;
	peek_put(r, 0x14, 4, 1);
	peek_put(r, 0x14, 2, 1);
	assert_int_equal(peek_get(r, 0x14, 1), 0);
	assert_int_equal(peek_get(r, 0x14, 4), 0);
	peek_put(r, 0x16, 1, 1);
	assert_int_equal(peek_get(r, 0x16, 2), 0);
	assert_int_equal(peek_get(r, 0x12, 1), ECHO_QUEUES);
	assert_int_equal(peek_get(r, 0x10, 4), 0xffff | ECHO_QUEUES << 16);
	assert_int_equal(peek_get(r, 0x3c, 4), 0);
	assert_int_equal(peek_get(r, 0xff8, 8), 0);
	assert_int_equal(peek_get(r, PEEK_ISR + 2, 4), 0);
	peek_put(r, 0x40, 4, 0xffffffff);
	peek_put(r, PEEK_ISR, 1, 0xff);
	rig_close(r);
}

/* DEV-PCI-LAYOUT-01 */
static void addresses_may_be_written_whole_or_in_halves(void **state)
{
	struct rig *r = peek_open("pci");

	(void)state;
	peek_put(r, 0x16, 2, 1);
	peek_put(r, 0x20, 8, 0x1122334455667780);
	assert_int_equal(peek_get(r, 0x20, 8), 0x1122334455667780);
	assert_int_equal(peek_get(r, 0x24, 4), 0x11223344);
	peek_put(r, 0x24, 4, 0x99);
	assert_int_equal(peek_get(r, 0x20, 8), 0x9955667780);
	peek_put(r, 0x28, 4, 0x1000);
	peek_put(r, 0x34, 4, 0x2);
	assert_int_equal(peek_get(r, 0x28, 8), 0x1000);
	assert_int_equal(peek_get(r, 0x30, 8), 0x200000000);
	peek_put(r, 0x22, 2, 0xffff);
	assert_int_equal(peek_get(r, 0x20, 8), 0x9955667780);
	rig_close(r);
}

/* DEV-PCI-COMMON-14 */
static void a_queue_that_is_not_there_reads_zero(void **state)
{
	struct rig *r = peek_open("pci");

	(void)state;
	rig_start(r, RIG_ALL);
	assert_int_equal(peek_get(r, 0x12, 2), ECHO_QUEUES);
	for (unsigned q = ECHO_QUEUES; q < 0x20000; q = q * 2 + 1) {
		peek_put(r, 0x16, 2, q);
		for (unsigned off = 0x18; off < 0x38; off += off < 0x20 ? 2 : 8) {
			peek_put(r, off, off < 0x20 ? 2 : 8, 1);
			assert_int_equal(peek_get(r, off, off < 0x20 ? 2 : 8),
					 off == 0x1a ? 0xffff : 0);
		}
		peek_put(r, 0x3a, 2, 1);
		assert_int_equal(peek_get(r, 0x3a, 2), 0);
	}
	rig_wait(r, peek_request(r));
	rig_close(r);
}

/* DEV-PCI-COMMON-03, -04 */
static void selectors_read_back(void **state)
{
	struct rig *r = peek_open("pci");

	(void)state;
	peek_put(r, 0x00, 4, 2);
	peek_put(r, 0x08, 4, 77);
	peek_put(r, 0x16, 2, 0xffff);
	assert_int_equal(peek_get(r, 0x00, 4), 2);
	assert_int_equal(peek_get(r, 0x04, 4), 1u << (ECHO_F_HIGH - 64));
	assert_int_equal(peek_get(r, 0x08, 4), 77);
	assert_int_equal(peek_get(r, 0x0c, 4), 0);
	assert_int_equal(peek_get(r, 0x16, 2), 0xffff);
	peek_put(r, 0x08, 4, 0);
	peek_put(r, 0x0c, 4, 0x21);
	assert_int_equal(peek_get(r, 0x0c, 4), 0x21);
	peek_put(r, 0x12, 2, 9);
	assert_int_equal(peek_get(r, 0x12, 2), ECHO_QUEUES);
	rig_close(r);
}

static void queue_enable_cannot_be_taken_back(void **state)
{
	struct rig *r = peek_open("pci");

	(void)state;
	rig_start(r, RIG_ALL);
	peek_put(r, 0x16, 2, ECHO_COPY);
	peek_put(r, 0x1c, 2, 0);
	peek_put(r, 0x1c, 2, 2);
	assert_int_equal(peek_get(r, 0x1c, 2), 1);
	peek_put(r, 0x3a, 2, 2); /* nor is 2 a reset */
	assert_int_equal(peek_get(r, 0x1c, 2), 1);
	rig_wait(r, peek_request(r));
	rig_close(r);
}

/*
 * Doorbells follow the BAR, the queues and the device.
 */

static void doorbells_follow_the_bar(void **state)
{
	struct rig *r = peek_open("pci");
	struct board_fake *b = rig_board(r);
	uint64_t at = peek_bar(r);
	struct board_fake_counts before;

	(void)state;
	assert_int_equal(board_fake_n_doorbells(b), 0);
	rig_start(r, RIG_ALL);
	assert_int_equal(board_fake_n_doorbells(b), ECHO_QUEUES);
	peek_cfg_write(r, 0x04, 2, 0x0004);
	assert_int_equal(board_fake_n_doorbells(b), 0);
	assert_int_equal(peek_get(r, 0x14, 1), 0xff);
	peek_cfg_write(r, 0x14, 4, 0x30);
	peek_cfg_write(r, 0x04, 2, 0x0006);
	assert_int_equal(board_fake_n_doorbells(b), ECHO_QUEUES);
	before = board_fake_counts(b);
	board_fake_write(b, false, (at & 0xffffffff) + (0x30ull << 32) + PEEK_NOTIFY, 2, 0);
	assert_int_equal(board_fake_counts(b).doorbells, before.doorbells + 1);
	assert_int_equal(board_fake_counts(b).writes, before.writes);
	peek_cfg_write(r, 0x14, 4, (uint32_t)(at >> 32)); /* back to where the rig knows it */
	assert_int_equal(board_fake_n_doorbells(b), ECHO_QUEUES);
	rig_queue_reset(r, ECHO_KEEP);
	assert_int_equal(board_fake_n_doorbells(b), ECHO_QUEUES - 1);
	peek_put(r, 0x14, 1, 0);
	assert_int_equal(board_fake_n_doorbells(b), 0);
	rig_close(r);
}

static void requests_need_no_exit(void **state)
{
	struct rig *r = peek_open("pci");
	struct board_fake_counts before, after;

	(void)state;
	rig_start(r, RIG_ALL);
	before = board_fake_counts(rig_board(r));
	for (unsigned i = 0; i < 100; i++)
		rig_wait(r, peek_request(r));
	after = board_fake_counts(rig_board(r));
	assert_int_equal(after.reads, before.reads);
	assert_int_equal(after.writes, before.writes);
	rig_close(r);
}

static void without_doorbells_kicks_arrive_by_traps(void **state)
{
	struct rig *r = peek_open("pci");

	(void)state;
	board_fake_refuse(rig_board(r), BOARD_REFUSE_DOORBELL);
	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 10; i++)
		rig_wait(r, peek_request(r));
	peek_put(r, PEEK_NOTIFY + 2, 2, 0);
	peek_put(r, PEEK_NOTIFY + 4 * ECHO_QUEUES, 2, 0);
	peek_put(r, PEEK_NOTIFY + 0xffc, 4, 0);
	assert_int_equal(peek_get(r, PEEK_NOTIFY, 2), 0);
	rig_wait_idle(r);
	rig_close(r);
}

/* VIRTIO 1.4, 4.1.4.3: the field exists only if the feature was negotiated. */
static void notif_config_data_is_there_when_negotiated(void **state)
{
	static const struct rig_case c = {
		.spec = "echo,features=+notif_config_data",
		.class = &echo_class,
	};
	struct rig *r = rig_open(rig_link_find("pci"), &c);
	struct board_fake_counts before, after;
	uint64_t last = 0;

	(void)state;
	rig_start(r, rig_all_but(VIRTIO_F_NOTIF_CONFIG_DATA));
	assert_int_equal(peek_get(r, 0x38, 2), 0);
	rig_start(r, RIG_ALL);
	for (unsigned q = 0; q < ECHO_QUEUES; q++) {
		peek_put(r, 0x16, 2, q);
		assert_true(peek_get(r, 0x38, 2) >= ECHO_QUEUES); /* no index */
		assert_int_not_equal(peek_get(r, 0x38, 2), last);
		last = peek_get(r, 0x38, 2);
	}
	peek_put(r, 0x16, 2, ECHO_QUEUES);
	assert_int_equal(peek_get(r, 0x38, 2), 0);
	before = board_fake_counts(rig_board(r));
	for (unsigned i = 0; i < 100; i++)
		rig_wait(r, peek_request(r));
	after = board_fake_counts(rig_board(r));
	assert_int_equal(after.writes, before.writes);
	assert_int_equal(after.doorbells, before.doorbells + 100);
	rig_close(r);
}

/*
 * The way through configuration space.
 */

static void aim(struct rig *r, unsigned b, uint32_t off, uint32_t len)
{
	unsigned cap = peek_cap(r, 9, 3, 5);

	peek_cfg_write(r, cap + 4, 1, b);
	peek_cfg_write(r, cap + 8, 4, off);
	peek_cfg_write(r, cap + 12, 4, len);
}

/* DEV-PCI-PCICFG-02, -03 */
static void config_access_goes_only_where_it_may(void **state)
{
	static const struct {
		unsigned bar;
		uint32_t off, len;
	} bad[] = { { 0, 0x14, 0 }, { 0, 0x14, 3 },   { 0, 0x14, 8 },
		    { 0, 0x16, 4 }, { 0, 0x4000, 1 }, { 0, 0xfffffffc, 4 },
		    { 1, 0x14, 1 }, { 5, 0x14, 1 },   { 255, 0x14, 1 } };
	struct rig *r = peek_open("pci");
	unsigned data = peek_cap(r, 9, 3, 5) + 16;

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		aim(r, bad[i].bar, bad[i].off, bad[i].len);
		peek_cfg_write(r, data, 4, 1);
		(void)peek_cfg(r, data, 4);
		assert_int_equal(peek_get(r, 0x14, 1), 0);
	}
	aim(r, 0, 0x14, 1);
	peek_cfg_write(r, data, 1, 1);
	assert_int_equal(peek_get(r, 0x14, 1), 1);
	assert_int_equal(peek_cfg(r, data, 1), 1);
	peek_cfg_write(r, 0x04, 2, 0); /* it needs no decoding */
	assert_int_equal(peek_cfg(r, data, 1), 1);
	rig_close(r);
}

/*
 * Machine.
 */

static void a_vector_too_many_is_told_of(void **state)
{
	struct pci_root_config config = { .ecam_base = RIG_PCI_ECAM,
					  .mem_base = 1ull << 40,
					  .mem_size = 1 << 30 };
	struct rig *r = peek_open("direct");
	struct board_fake *b = board_fake_new(false);
	struct pci_root *root = pci_root_new(board_fake_board(b), &config, NULL);
	const struct vdev_transport_ops *ops = rig_dev(r)->transport;
	g_autoptr(GError) err = NULL;

	(void)state;
	board_fake_refuse(b, BOARD_REFUSE_MSI);
	assert_null(vpci_new(rig_dev(r), root, 0, &err));
	assert_non_null(strstr(err->message, "MSI-X vector 0 of 4"));
	assert_ptr_equal(rig_dev(r)->transport, ops);
	g_clear_error(&err);
	assert_null(vpci_new(rig_dev(r), root, 40, &err));
	assert_non_null(strstr(err->message, "slots 1 to 31"));
	vpci_free(NULL);
	pci_root_free(root);
	board_fake_free(b);
	rig_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_say_modern_virtio),
		cmocka_unit_test(structures_are_aligned_and_long_enough),
		cmocka_unit_test(capabilities_cannot_be_written),
		cmocka_unit_test(wrong_widths_read_bytes_and_write_nothing),
		cmocka_unit_test(addresses_may_be_written_whole_or_in_halves),
		cmocka_unit_test(a_queue_that_is_not_there_reads_zero),
		cmocka_unit_test(selectors_read_back),
		cmocka_unit_test(queue_enable_cannot_be_taken_back),
		cmocka_unit_test(doorbells_follow_the_bar),
		cmocka_unit_test(requests_need_no_exit),
		cmocka_unit_test(without_doorbells_kicks_arrive_by_traps),
		cmocka_unit_test(notif_config_data_is_there_when_negotiated),
		cmocka_unit_test(config_access_goes_only_where_it_may),
		cmocka_unit_test(a_vector_too_many_is_told_of),
	};

	return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
