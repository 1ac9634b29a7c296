/* Interrupts of virtio-pci: MSI-X with its masks, and INTx (VIRTIO 1.4, 4.1.5.1 and 4.1.4.5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/pci-peek.h"

/*
 * MSI-X.
 */

/* DEV-PCI-MSIX-06, -07, -09 */
static void vectors_beyond_the_table_read_back_as_none(void **state)
{
	struct rig *r = peek_open("pci");

	(void)state;
	assert_int_equal(peek_get(r, 0x10, 2), 0xffff);
	peek_put(r, 0x10, 2, ECHO_QUEUES);
	assert_int_equal(peek_get(r, 0x10, 2), ECHO_QUEUES);
	peek_put(r, 0x10, 2, ECHO_QUEUES + 1);
	assert_int_equal(peek_get(r, 0x10, 2), 0xffff);
	peek_put(r, 0x16, 2, 1);
	peek_put(r, 0x1a, 2, 0);
	assert_int_equal(peek_get(r, 0x1a, 2), 0);
	peek_put(r, 0x1a, 2, 0x800);
	assert_int_equal(peek_get(r, 0x1a, 2), 0xffff);
	peek_put(r, 0x1a, 2, 1);
	peek_put(r, 0x14, 1, 0);
	assert_int_equal(peek_get(r, 0x1a, 2), 0xffff);
	rig_close(r);
}

/* DEV-PCI-USEDNOTIF-01, DEV-PCI-CFGNOTIF-01, DEV-PCI-ISR-02 */
static void without_a_vector_there_is_silence(void **state)
{
	struct rig *r = peek_open("pci");

	(void)state;
	rig_start(r, RIG_NONE);
	peek_put(r, 0x16, 2, ECHO_COPY);
	peek_put(r, 0x1a, 2, 0xffff);
	peek_put(r, 0x10, 2, 0xffff);
	peek_request(r);
	echo_set_pair(rig_dev(r), 3, true);
	peek_answer(r);
	for (unsigned v = 0; v <= ECHO_QUEUES; v++)
		assert_int_equal(peek_messages(r, v), 0);
	assert_int_equal(peek_get(r, PEEK_ISR, 1), 2); /* with MSI-X only this bit (4.1.4.5.1) */
	rig_close(r);
}

/* DEV-PCI-MSIX-04 */
static void all_may_share_a_vector(void **state)
{
	struct rig *r = peek_open("pci");

	(void)state;
	rig_start(r, RIG_NONE);
	peek_put(r, 0x16, 2, ECHO_COPY);
	peek_put(r, 0x1a, 2, 0);
	peek_request(r);
	peek_answer(r);
	assert_int_equal(peek_messages(r, 0), 1);
	echo_set_pair(rig_dev(r), 3, true);
	assert_int_equal(peek_messages(r, 0), 1);
	assert_int_equal(peek_messages(r, 1), 0);
	rig_close(r);
}

static void a_masked_vector_is_pending_until_unmasked(void **state)
{
	struct rig *r = peek_open("pci");
	unsigned entry = PEEK_TABLE + 16 * (1 + ECHO_COPY);

	(void)state;
	rig_start(r, RIG_NONE);
	peek_put(r, entry + 12, 4, 1);
	assert_int_equal(peek_get(r, PEEK_PBA, 8), 0);
	peek_request(r);
	peek_answer(r);
	assert_int_equal(peek_messages(r, 1), 0);
	assert_int_equal(peek_get(r, PEEK_PBA, 4), 1u << 1);
	assert_int_equal(peek_get(r, PEEK_PBA, 8), 1u << 1);
	assert_int_equal(peek_get(r, PEEK_PBA + 4, 4), 0);
	assert_int_equal(peek_get(r, PEEK_PBA, 1), 0);
	peek_put(r, entry + 12, 4, 0);
	assert_int_equal(peek_messages(r, 1), 1);
	assert_int_equal(peek_get(r, PEEK_PBA, 8), 0);
	rig_close(r);
}

static void a_masked_function_is_pending_until_unmasked(void **state)
{
	struct rig *r = peek_open("pci");
	unsigned msix = peek_cap(r, 0x11, 0, 0);

	(void)state;
	rig_start(r, RIG_NONE);
	peek_cfg_write(r, msix + 2, 2, 0xc000);
	peek_request(r);
	peek_answer(r);
	echo_set_pair(rig_dev(r), 3, true);
	assert_int_equal(peek_messages(r, 0) + peek_messages(r, 1), 0);
	assert_int_equal(peek_get(r, PEEK_PBA, 8), 3);
	peek_cfg_write(r, msix + 2, 2, 0x8000);
	assert_int_equal(peek_messages(r, 0), 1);
	assert_int_equal(peek_messages(r, 1), 1);
	peek_cfg_write(r, 0x04, 2, 0x0002); /* no bus master, no message */
	echo_set_pair(rig_dev(r), 4, true);
	assert_int_equal(peek_messages(r, 0), 0);
	peek_cfg_write(r, 0x04, 2, 0x0006);
	assert_int_equal(peek_messages(r, 0), 1);
	rig_close(r);
}

static void a_vector_can_be_sent_elsewhere(void **state)
{
	struct rig *r = peek_open("pci");

	(void)state;
	rig_start(r, RIG_NONE);
	peek_put(r, PEEK_TABLE + 12, 4, 1);
	peek_put(r, PEEK_TABLE, 8, 0x1fee02003);
	assert_int_equal(peek_get(r, PEEK_TABLE, 8), 0x1fee02000);
	peek_put(r, PEEK_TABLE + 8, 8, 0x99);
	assert_int_equal(peek_get(r, PEEK_TABLE + 8, 8), 0x99);
	assert_int_equal(peek_get(r, PEEK_TABLE + 4, 4), 1);
	echo_set_pair(rig_dev(r), 3, true);
	assert_int_equal(board_fake_take_msi(rig_board(r), 0x1fee02000, 0x99), 1);
	peek_put(r, PEEK_TABLE + 2, 2, 0xffff);
	peek_put(r, PEEK_TABLE + 16 * (ECHO_QUEUES + 1), 4, 0xffffffff);
	assert_int_equal(peek_get(r, PEEK_TABLE + 16 * (ECHO_QUEUES + 1), 4), 0);
	assert_int_equal(peek_get(r, PEEK_TABLE, 8), 0x1fee02000);
	rig_close(r);
}

static void a_vector_the_board_refuses_is_logged(void **state)
{
	struct rig *r = peek_open("pci");

	(void)state;
	peek_put(r, PEEK_TABLE + 12, 4, 1);
	board_fake_refuse(rig_board(r), BOARD_REFUSE_ATTACH);
	peek_put(r, PEEK_TABLE + 12, 4, 0);
	assert_int_equal(rig_logged(r, "rig: host: MSI-X"), 1);
	peek_cfg_write(r, 0x04, 2, 0x0002);
	peek_cfg_write(r, 0x04, 2, 0x0006);
	assert_int_equal(rig_logged(r, "rig: host: MSI-X"), 2);
	board_fake_refuse(rig_board(r), 0);
	peek_put(r, PEEK_TABLE + 12, 4, 0);
	rig_start(r, RIG_NONE);
	echo_set_pair(rig_dev(r), 3, true);
	assert_int_equal(peek_messages(r, 0), 1);
	rig_close(r);
}

/*
 * INTx.
 */

/* DEV-PCI-ISR-03, -04, -05 */
static void isr_status_is_cleared_by_reading(void **state)
{
	struct rig *r = peek_open("pci-intx");

	(void)state;
	rig_start(r, RIG_NONE);
	assert_int_equal(peek_get(r, PEEK_ISR, 1), 0);
	peek_request(r);
	peek_answer(r);
	assert_true(board_fake_level(rig_board(r), RIG_PCI_GSI));
	assert_int_equal(peek_cfg(r, 0x06, 2) & 8, 8);
	assert_int_equal(peek_get(r, PEEK_ISR, 1), 1);
	assert_int_equal(peek_get(r, PEEK_ISR, 1), 0);
	assert_int_equal(peek_cfg(r, 0x06, 2) & 8, 0);
	echo_set_pair(rig_dev(r), 3, true);
	assert_int_equal(peek_get(r, PEEK_ISR, 1), 2);
	peek_request(r);
	peek_answer(r);
	peek_put(r, 0x14, 1, 0);
	assert_int_equal(peek_get(r, PEEK_ISR, 1), 0);
	rig_close(r);
}

static void the_irq_line_stays_up_until_isr_is_read(void **state)
{
	struct rig *r = peek_open("pci-intx");
	struct board_fake *b = rig_board(r);

	(void)state;
	rig_start(r, RIG_NONE);
	peek_request(r);
	peek_answer(r);
	for (int i = 0; i < 3; i++) {
		assert_true(board_fake_level(b, RIG_PCI_GSI));
		board_fake_eoi(b, RIG_PCI_GSI); /* an end without having read PEEK_ISR */
		assert_false(board_fake_level(b, RIG_PCI_GSI));
		peek_answer(r);
	}
	assert_int_equal(peek_get(r, PEEK_ISR, 1), 1);
	board_fake_eoi(b, RIG_PCI_GSI);
	peek_answer(r);
	assert_false(board_fake_level(b, RIG_PCI_GSI));
	rig_close(r);
}

static void the_command_register_can_hold_the_irq_line_back(void **state)
{
	struct rig *r = peek_open("pci-intx");
	struct board_fake *b = rig_board(r);

	(void)state;
	rig_start(r, RIG_NONE);
	peek_cfg_write(r, 0x04, 2, 0x0406);
	peek_request(r);
	peek_answer(r);
	assert_false(board_fake_level(b, RIG_PCI_GSI));
	assert_int_equal(peek_cfg(r, 0x06, 2) & 8, 8);
	peek_cfg_write(r, 0x04, 2, 0x0006);
	assert_true(board_fake_level(b, RIG_PCI_GSI));
	assert_int_equal(peek_get(r, PEEK_ISR, 1), 1);
	board_fake_eoi(b, RIG_PCI_GSI);
	rig_close(r);
}

static void with_msix_on_the_irq_line_is_not_wired(void **state)
{
	struct rig *r = peek_open("pci");
	unsigned msix = peek_cap(r, 0x11, 0, 0);

	(void)state;
	rig_start(r, RIG_NONE);
	assert_false(board_fake_has_irq_line(rig_board(r), RIG_PCI_GSI));
	peek_cfg_write(r, msix + 2, 2, 0);
	assert_true(board_fake_has_irq_line(rig_board(r), RIG_PCI_GSI));
	peek_request(r);
	peek_answer(r);
	assert_true(board_fake_level(rig_board(r), RIG_PCI_GSI));
	peek_cfg_write(r, msix + 2, 2, 0x8000);
	assert_false(board_fake_has_irq_line(rig_board(r), RIG_PCI_GSI));
	rig_close(r);
}

static void an_irq_line_the_board_refuses_is_logged(void **state)
{
	struct rig *r = peek_open("pci-intx");

	(void)state;
	board_fake_refuse(rig_board(r), BOARD_REFUSE_IRQ_LINE);
	rig_start(r, RIG_NONE);
	assert_int_equal(rig_logged(r, "host: interrupt line 17"), 1);
	rig_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_beyond_the_table_read_back_as_none),
		cmocka_unit_test(without_a_vector_there_is_silence),
		cmocka_unit_test(all_may_share_a_vector),
		cmocka_unit_test(a_masked_vector_is_pending_until_unmasked),
		cmocka_unit_test(a_masked_function_is_pending_until_unmasked),
		cmocka_unit_test(a_vector_can_be_sent_elsewhere),
		cmocka_unit_test(a_vector_the_board_refuses_is_logged),
		cmocka_unit_test(isr_status_is_cleared_by_reading),
		cmocka_unit_test(the_irq_line_stays_up_until_isr_is_read),
		cmocka_unit_test(the_command_register_can_hold_the_irq_line_back),
		cmocka_unit_test(with_msix_on_the_irq_line_is_not_wired),
		cmocka_unit_test(an_irq_line_the_board_refuses_is_logged),
	};

	return cmocka_run_group_tests_name("pci-irq", tests, NULL, NULL);
}
