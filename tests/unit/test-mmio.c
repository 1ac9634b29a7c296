/* virtio-mmio at the level of single registers (VIRTIO 1.4, 4.2.2), without and with cached
 * registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/echo.h"
#include "tests/support/rig.h"
#include "transport/mmio/mmio.h"

static const struct rig_case echo = { "", "echo", NULL, .class = &echo_class };

static const struct mmio_config elsewhere = { .base = 0xd0001000, .gsi = 7 };

static struct rig *open_rig(const char *link)
{
	return rig_open(rig_link_find(link), &echo);
}

static uint32_t get(struct rig *r, unsigned off)
{
	return (uint32_t)board_fake_read(rig_board(r), false, RIG_MMIO_BASE + off, 4);
}

static void put(struct rig *r, unsigned off, uint32_t value)
{
	board_fake_write(rig_board(r), false, RIG_MMIO_BASE + off, 4, value);
}

static const char *const both[] = { "mmio", "mmio-cached" };

/* Runs the rest of a test over both modes. */
#define OVER_BOTH(r)                        \
	for (unsigned i_ = 0; i_ < 2; i_++) \
		for (struct rig *r = open_rig(both[i_]); r; rig_close(r), r = NULL)

/* DEV-MMIO-REGS-01, -02 */
static void identity_registers_hold_what_they_must(void **state)
{
	(void)state;
	OVER_BOTH(r)
	{
		rig_start(r, RIG_ALL);
		assert_int_equal(get(r, 0x000), 0x74726976);
		assert_int_equal(get(r, 0x004), 2);
		assert_int_equal(get(r, 0x008), echo_class.id);
		for (unsigned off = 0x0b0; off <= 0x0bc; off += 4)
			assert_int_equal(get(r, off), UINT32_MAX);
	}
}

/* That they are told of is for test-rules. */
static void wrong_widths_read_bytes_and_write_nothing(void **state)
{
	struct rig *r = open_rig("mmio");
	struct board_fake *b = rig_board(r);

	(void)state;
	assert_int_equal(board_fake_read(b, false, RIG_MMIO_BASE, 1), 0x76);
	assert_int_equal(board_fake_read(b, false, RIG_MMIO_BASE + 2, 2), 0x7472);
	assert_int_equal(board_fake_read(b, false, RIG_MMIO_BASE, 8), 0x274726976);
	assert_int_equal(board_fake_read(b, false, RIG_MMIO_BASE + 2, 4), 0x27472);
	assert_int_equal(board_fake_read(b, false, RIG_MMIO_BASE + 0xfc, 8) >> 32, 0);
	board_fake_write(b, false, RIG_MMIO_BASE + 0x70, 1, 1);
	board_fake_write(b, false, RIG_MMIO_BASE + 0x70, 8, 1);
	board_fake_write(b, false, RIG_MMIO_BASE + 0x6e, 4, 1 << 16);
	assert_int_equal(get(r, 0x070), 0);
	rig_close(r);
}

static void read_only_registers_stay_and_write_only_ones_read_zero(void **state)
{
	static const uint16_t fixed[] = { 0x000, 0x004, 0x008, 0x00c, 0x034, 0x060, 0x0fc };
	static const uint16_t blind[] = { 0x014, 0x020, 0x024, 0x030, 0x038, 0x050,
					  0x064, 0x080, 0x094, 0x0a0, 0x0ac, 0x0f0 };

	(void)state;
	OVER_BOTH(r)
	{
		rig_start(r, RIG_ALL);
		for (unsigned i = 0; i < G_N_ELEMENTS(fixed); i++) {
			uint32_t before = get(r, fixed[i]);

			put(r, fixed[i], ~before);
			assert_int_equal(get(r, fixed[i]), before);
		}
		for (unsigned i = 0; i < G_N_ELEMENTS(blind); i++)
			assert_int_equal(get(r, blind[i]), 0);
	}
}

static void selectors_choose_what_is_read(void **state)
{
	(void)state;
	OVER_BOTH(r)
	{
		rig_start(r, RIG_ALL);
		for (unsigned round = 0; round < 2; round++) {
			put(r, 0x014, 0);
			assert_true(get(r, 0x010) & 1u << VIRTIO_F_EVENT_IDX);
			put(r, 0x014, 2);
			assert_int_equal(get(r, 0x010), 1u << (ECHO_F_HIGH - 64));
			put(r, 0x014, 4);
			assert_int_equal(get(r, 0x010), 0);
			put(r, 0x014, UINT32_MAX);
			assert_int_equal(get(r, 0x010), 0);
			for (unsigned q = 0; q < ECHO_QUEUES + 2; q++) {
				put(r, 0x030, q);
				assert_int_equal(get(r, 0x034), q < ECHO_QUEUES ? 64 : 0);
				assert_int_equal(get(r, 0x044), q < ECHO_QUEUES);
			}
			put(r, 0x030, UINT32_MAX);
			assert_int_equal(get(r, 0x034), 0);
		}
	}
}

static void writes_to_a_queue_that_is_not_there_are_lost(void **state)
{
	(void)state;
	OVER_BOTH(r)
	{
		put(r, 0x030, ECHO_QUEUES);
		for (unsigned off = 0x038; off < 0x0fc; off += 4)
			if (off != 0x070)
				put(r, off, 1);
		assert_int_equal(get(r, 0x044), 0);
		rig_start(r, RIG_ALL);
	}
}

static void halves_of_addresses_are_written_apart(void **state)
{
	struct rig *r = open_rig("mmio");
	struct vdev_queue *queue = &rig_dev(r)->queue[1];

	(void)state;
	put(r, 0x030, 1);
	put(r, 0x084, 0x11111111);
	put(r, 0x094, 0x22222222);
	put(r, 0x0a4, 0x33333333);
	put(r, 0x080, 0x01);
	put(r, 0x090, 0x02);
	put(r, 0x0a0, 0x03);
	assert_int_equal(queue->desc, 0x1111111100000001);
	assert_int_equal(queue->driver, 0x2222222200000002);
	assert_int_equal(queue->device, 0x3333333300000003);
	rig_close(r);
}

static struct rig_req *request(struct rig *r)
{
	struct rig_buf bufs[] = { rig_dup(r, "1234", 4), rig_alloc(r, 4) };

	return rig_submit(r, ECHO_COPY, bufs, 1, 1);
}

/* Lets the device answer, without an interrupt handler that takes the interrupt. */
static void answer(struct rig *r)
{
	while (g_main_context_iteration(loop_context(rig_loop(r)), FALSE))
		;
}

/* DEV-MMIO-REGS-03, -04, -05, on a board that has no ioeventfds, too. */
static void interrupt_bits_latch(unsigned refused)
{
	struct rig *r = open_rig("mmio");

	board_fake_refuse(rig_board(r), refused);
	rig_start(r, RIG_NONE);
	assert_int_equal(get(r, 0x060), 0);
	request(r);
	answer(r);
	assert_int_equal(get(r, 0x060), 1);
	echo_set_pair(rig_dev(r), 5, true);
	assert_int_equal(get(r, 0x060), 3);
	put(r, 0x064, 0);
	assert_int_equal(get(r, 0x060), 3);
	put(r, 0x064, 1);
	assert_int_equal(get(r, 0x060), 2);
	put(r, 0x064, 2);
	assert_int_equal(get(r, 0x060), 0);
	request(r);
	answer(r);
	rig_reset(r);
	assert_int_equal(get(r, 0x060), 0);
	rig_close(r);
}

static void interrupt_bits_latch_until_acknowledged(void **state)
{
	(void)state;
	interrupt_bits_latch(0);
	interrupt_bits_latch(BOARD_REFUSE_DOORBELL);
}

/* An acknowledgement clears what was there when it was made, whoever looks at it when. */
static void an_acknowledgement_clears_nothing_newer(void **state)
{
	struct rig *r = open_rig("mmio");

	(void)state;
	rig_start(r, RIG_NONE);
	put(r, 0x064, 1); /* of nothing */
	put(r, 0x064, 1);
	request(r);
	answer(r);
	assert_int_equal(get(r, 0x060), 1);
	assert_int_equal(get(r, 0x060), 1);
	put(r, 0x064, 1);
	request(r);
	answer(r);
	assert_int_equal(get(r, 0x060), 1);
	put(r, 0x064, 1);
	put(r, 0x064, 1);
	assert_int_equal(get(r, 0x060), 0);
	put(r, 0x064, 1); /* from one driver's life to the next */
	rig_start(r, RIG_NONE);
	request(r);
	answer(r);
	assert_int_equal(get(r, 0x060), 1);
	echo_set_pair(rig_dev(r), 5, true);
	put(r, 0x064, 1);
	assert_int_equal(get(r, 0x060), 2);
	put(r, 0x064, 3);
	assert_int_equal(get(r, 0x060), 0);
	rig_close(r);
}

/* The driver of DEV-MMIO-REGS-04: it is in its handler until there is nothing. */
static void a_handler_that_reads_until_0_ends(void **state)
{
	struct rig *r = open_rig("mmio");
	unsigned turns = 0;
	uint32_t bits;

	(void)state;
	rig_start(r, RIG_NONE);
	request(r);
	answer(r);
	while ((bits = get(r, 0x060)) && turns++ < 10)
		put(r, 0x064, bits);
	assert_int_equal(turns, 1);
	rig_close(r);
}

static void a_quiet_change_sets_no_interrupt_bit(void **state)
{
	(void)state;
	OVER_BOTH(r)
	{
		rig_start(r, RIG_NONE);
		echo_set_pair(rig_dev(r), 5, false);
		assert_int_equal(get(r, 0x060), 0);
		assert_int_equal(get(r, 0x100), 5);
	}
}

/* One exit for an interrupt, which reads InterruptStatus; none for a kick or the
 * acknowledgement. */
static void a_request_needs_one_exit(void **state)
{
	struct rig *r = open_rig("mmio");
	struct board_fake_counts before, after;

	(void)state;
	rig_start(r, rig_all_but(VIRTIO_F_NOTIFICATION_DATA));
	before = board_fake_counts(rig_board(r));
	for (unsigned i = 0; i < 100; i++)
		rig_wait(r, request(r));
	after = board_fake_counts(rig_board(r));
	assert_int_equal(after.reads, before.reads + 100);
	assert_int_equal(after.writes, before.writes);
	assert_int_equal(after.doorbells, before.doorbells + 200);
	assert_int_equal(after.regpage_reads, 0);
	assert_int_equal(get(r, 0x060), 0);
	rig_close(r);
}

/* What the option is for, and what it costs. */
static void with_cached_registers_a_request_needs_no_exit(void **state)
{
	struct rig *r = open_rig("mmio-cached");
	struct board_fake_counts before, after;

	(void)state;
	rig_start(r, rig_all_but(VIRTIO_F_NOTIFICATION_DATA));
	before = board_fake_counts(rig_board(r));
	for (unsigned i = 0; i < 100; i++)
		rig_wait(r, request(r));
	after = board_fake_counts(rig_board(r));
	assert_int_equal(after.reads, before.reads);
	assert_int_equal(after.writes, before.writes);
	assert_int_equal(after.doorbells, before.doorbells + 200);
	assert_true(after.regpage_reads >= before.regpage_reads + 100);
	assert_int_equal(get(r, 0x060), 1); /* set for good */
	rig_close(r);
}

/* With NOTIFICATION_DATA a doorbell cannot tell queues apart: with one queue it need not. */
static void notification_data_needs_no_exit_where_there_is_one_queue(void **state)
{
	static const struct rig_case c = { .spec = "rng,features=+notification_data" };
	struct rig *r = rig_open(rig_link_find("mmio"), &c);
	struct rig_buf buf = rig_alloc(r, 8);
	struct board_fake_counts before, after;

	(void)state;
	rig_start(r, RIG_ALL);
	assert_true(rig_has(r, VIRTIO_F_NOTIFICATION_DATA));
	before = board_fake_counts(rig_board(r));
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(rig_do(r, 0, &buf, 0, 1), 8);
	after = board_fake_counts(rig_board(r));
	assert_int_equal(after.writes, before.writes);
	assert_int_equal(after.doorbells, before.doorbells + 200);
	rig_close(r);
}

static void notification_data_is_read_by_traps_where_there_are_several(void **state)
{
	struct rig *r = open_rig("mmio");
	struct board_fake_counts before, after;

	(void)state;
	rig_start(r, RIG_ALL);
	assert_true(rig_has(r, VIRTIO_F_NOTIFICATION_DATA));
	before = board_fake_counts(rig_board(r));
	for (unsigned i = 0; i < 100; i++)
		rig_wait(r, request(r));
	after = board_fake_counts(rig_board(r));
	assert_int_equal(after.writes, before.writes + 100);
	assert_int_equal(vq_stats(rig_dev(r)->queue[ECHO_COPY].vq)->kicks, 100);
	assert_int_equal(vq_stats(rig_dev(r)->queue[ECHO_KEEP].vq)->kicks, 0);
	rig_close(r);
}

static void notif_config_data_is_for_pci_alone(void **state)
{
	static const struct rig_case c = { .spec = "rng,features=+notif_config_data" };
	struct rig *r = rig_open(rig_link_find("direct"), &c);
	struct board_fake *b = board_fake_new(false);
	g_autoptr(GError) err = NULL;

	(void)state;
	assert_null(mmio_new(rig_dev(r), board_fake_board(b), &elsewhere, &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	assert_string_equal(err->message,
			    "features=+notif_config_data: virtio-mmio has no register for it; "
			    "use transport=pci");
	board_fake_free(b);
	rig_close(r);
}

static void with_cached_registers_config_acknowledgements_are_exact(void **state)
{
	struct rig *r = open_rig("mmio-cached");

	(void)state;
	rig_start(r, RIG_NONE);
	echo_set_pair(rig_dev(r), 9, true);
	assert_int_equal(get(r, 0x060), 2);
	put(r, 0x064, 2);
	assert_int_equal(get(r, 0x060), 0);
	request(r);
	answer(r);
	echo_set_pair(rig_dev(r), 10, true);
	assert_int_equal(get(r, 0x060), 3);
	put(r, 0x064, 1);
	assert_int_equal(get(r, 0x060), 3);
	put(r, 0x064, 2);
	assert_int_equal(get(r, 0x060), 1);
	echo_set_pair(rig_dev(r), 11, true);
	put(r, 0x064, 3);
	assert_int_equal(get(r, 0x060), 0);
	rig_close(r);
}

static void cached_registers_are_there_while_the_driver_runs(void **state)
{
	struct rig *r = open_rig("mmio-cached");
	struct board_fake *b = rig_board(r);

	(void)state;
	for (int round = 0; round < 3; round++) {
		assert_false(board_fake_has_regpage(b, RIG_MMIO_BASE));
		assert_int_equal(board_fake_n_doorbells(b), 0);
		rig_start(r, rig_all_but(VIRTIO_F_NOTIFICATION_DATA));
		assert_true(board_fake_has_regpage(b, RIG_MMIO_BASE));
		assert_int_equal(board_fake_n_doorbells(b), ECHO_QUEUES + 1);
		rig_queue_reset(r, ECHO_KEEP);
		assert_int_equal(board_fake_n_doorbells(b), ECHO_QUEUES);
		rig_queue_start(r, ECHO_KEEP, 0);
		assert_int_equal(board_fake_n_doorbells(b), ECHO_QUEUES + 1);
		if (round == 1)
			mmio_reset(rig_transport(r)); /* the machine's */
		rig_reset(r);
	}
	rig_close(r);
}

/* DEV-MMIO-REGS-05, -07 */
static void a_queue_can_be_stopped_and_started(void **state)
{
	(void)state;
	OVER_BOTH(r)
	{
		rig_start(r, rig_all_but(VIRTIO_F_NOTIFICATION_DATA));
		rig_wait(r, request(r));
		put(r, 0x030, ECHO_COPY);
		put(r, 0x044, 0);
		assert_int_equal(get(r, 0x044), 0);
		put(r, 0x050, ECHO_COPY);
		answer(r);
		rig_reset(r);
		rig_start(r, RIG_ALL);
		rig_wait(r, request(r));
	}
}

/* A page that changes while it is mapped could be read half old, half new. (DEV-MMIO-REGS-06) */
static void a_config_change_takes_the_regpage_away_meanwhile(void **state)
{
	struct rig *r = open_rig("mmio-cached");
	struct board_fake *b = rig_board(r);
	unsigned before;

	(void)state;
	rig_start(r, RIG_ALL);
	before = board_fake_counts(b).regpages;
	echo_set_pair(rig_dev(r), 3, true);
	assert_int_equal(board_fake_counts(b).regpages, before + 1);
	echo_set_pair(rig_dev(r), 4, false);
	assert_int_equal(board_fake_counts(b).regpages, before + 2);
	assert_true(board_fake_has_regpage(b, RIG_MMIO_BASE));
	rig_config_write(r, ECHO_WRITABLE, "\1\2\3\4", 4); /* the driver's own */
	put(r, 0x030, 1);
	assert_int_equal(board_fake_counts(b).regpages, before + 2);
	assert_int_equal(get(r, 0x108), 0x05040302);
	rig_close(r);
}

/* As when KVM has no memory slot left, all of a sudden. */
static void a_regpage_that_cannot_come_back_is_done_without(void **state)
{
	struct rig *r = open_rig("mmio-cached");

	(void)state;
	rig_start(r, RIG_ALL);
	board_fake_refuse(rig_board(r), BOARD_REFUSE_REGPAGE);
	echo_set_pair(rig_dev(r), 3, true);
	assert_false(board_fake_has_regpage(rig_board(r), RIG_MMIO_BASE));
	for (int i = 0; i < 10; i++)
		rig_wait(r, request(r));
	assert_int_equal(get(r, 0x100), 3);
	board_fake_refuse(rig_board(r), 0);
	rig_start(r, RIG_ALL);
	assert_true(board_fake_has_regpage(rig_board(r), RIG_MMIO_BASE));
	rig_close(r);
}

static void the_regpage_shows_a_device_that_needs_a_reset(void **state)
{
	struct rig *r = open_rig("mmio-cached");
	struct board_fake_counts before;

	(void)state;
	rig_start(r, RIG_ALL);
	vdev_guest_bug(rig_dev(r), "for a test");
	before = board_fake_counts(rig_board(r));
	assert_true(get(r, 0x070) & VIRTIO_S_NEEDS_RESET);
	assert_int_equal(get(r, 0x060), 2);
	assert_int_equal(board_fake_counts(rig_board(r)).reads, before.reads);
	rig_close(r);
}

static void kicks_of_queues_that_are_not_there_are_lost(void **state)
{
	(void)state;
	OVER_BOTH(r)
	{
		rig_start(r, rig_all_but(VIRTIO_F_NOTIFICATION_DATA));
		put(r, 0x050, ECHO_QUEUES);
		put(r, 0x050, UINT32_MAX);
		put(r, 0x050, 1u << 16);
		rig_wait_idle(r);
		assert_int_equal(rig_interrupts(r, ECHO_COPY), 0);
		rig_wait(r, request(r));
	}
}

/* Whatever optional service the board refuses, requests are answered; the next driver may have
 * it. */
static void without_doorbells_or_regpage_it_works_by_traps(void **state)
{
	(void)state;
	for (unsigned refused = 0; refused < 4; refused++) {
		struct rig *r = open_rig("mmio-cached");

		board_fake_refuse(rig_board(r), (refused & 1 ? BOARD_REFUSE_DOORBELL : 0) |
							(refused & 2 ? BOARD_REFUSE_REGPAGE : 0));
		rig_start(r, RIG_ALL);
		for (int i = 0; i < 10; i++) {
			rig_wait(r, request(r));
			echo_set_pair(rig_dev(r), (uint32_t)i, true);
			assert_int_equal(get(r, 0x100), i);
		}
		assert_int_equal(board_fake_has_regpage(rig_board(r), RIG_MMIO_BASE),
				 !(refused & 2));
		board_fake_refuse(rig_board(r), 0);
		rig_reset(r);
		rig_start(r, RIG_ALL);
		assert_true(board_fake_has_regpage(rig_board(r), RIG_MMIO_BASE));
		rig_close(r);
	}
}

static void a_board_that_refuses_is_told_of(void **state)
{
	static const struct {
		unsigned refuse;
		const char *says;
	} rows[] = { { BOARD_REFUSE_IRQ_LINE, "interrupt line 7" },
		     { BOARD_REFUSE_REGION, "registers at 0xd0001000" } };

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct rig *r = open_rig("direct");
		struct board_fake *b = board_fake_new(false);
		const struct vdev_transport_ops *ops = rig_dev(r)->transport;
		g_autoptr(GError) err = NULL;

		board_fake_refuse(b, rows[i].refuse);
		assert_null(mmio_new(rig_dev(r), board_fake_board(b), &elsewhere, &err));
		assert_non_null(strstr(err->message, rows[i].says));
		assert_ptr_equal(rig_dev(r)->transport, ops);
		board_fake_free(b);
		rig_close(r);
	}
	mmio_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity_registers_hold_what_they_must),
		cmocka_unit_test(wrong_widths_read_bytes_and_write_nothing),
		cmocka_unit_test(read_only_registers_stay_and_write_only_ones_read_zero),
		cmocka_unit_test(selectors_choose_what_is_read),
		cmocka_unit_test(writes_to_a_queue_that_is_not_there_are_lost),
		cmocka_unit_test(halves_of_addresses_are_written_apart),
		cmocka_unit_test(interrupt_bits_latch_until_acknowledged),
		cmocka_unit_test(a_quiet_change_sets_no_interrupt_bit),
		cmocka_unit_test(an_acknowledgement_clears_nothing_newer),
		cmocka_unit_test(a_handler_that_reads_until_0_ends),
		cmocka_unit_test(a_request_needs_one_exit),
		cmocka_unit_test(with_cached_registers_a_request_needs_no_exit),
		cmocka_unit_test(notification_data_needs_no_exit_where_there_is_one_queue),
		cmocka_unit_test(notification_data_is_read_by_traps_where_there_are_several),
		cmocka_unit_test(notif_config_data_is_for_pci_alone),
		cmocka_unit_test(with_cached_registers_config_acknowledgements_are_exact),
		cmocka_unit_test(cached_registers_are_there_while_the_driver_runs),
		cmocka_unit_test(a_queue_can_be_stopped_and_started),
		cmocka_unit_test(a_config_change_takes_the_regpage_away_meanwhile),
		cmocka_unit_test(a_regpage_that_cannot_come_back_is_done_without),
		cmocka_unit_test(the_regpage_shows_a_device_that_needs_a_reset),
		cmocka_unit_test(kicks_of_queues_that_are_not_there_are_lost),
		cmocka_unit_test(without_doorbells_or_regpage_it_works_by_traps),
		cmocka_unit_test(a_board_that_refuses_is_told_of),
	};

	return cmocka_run_group_tests_name("mmio", tests, NULL, NULL);
}
