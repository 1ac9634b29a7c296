/*
 * KVM as a board (vmm/kvm/board.c), over a KVM that is a fake (tests/support/kvm/fake.h): interrupt
 * routes, irqfds, ioeventfds and memory slots.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/kvm/fake.h"
#include "vmm/kvm/board.h"
#include "vmm/x86/layout.h"

static struct kvm kvm;
static struct bus *bus;
static struct board_kvm *board_kvm;
static struct board *board;

static int board_setup(void **state)
{
	(void)state;
	fake_kvm_begin(0);
	assert_true(kvm_open(&kvm, NULL));
	assert_true(kvm_create_machine(&kvm, NULL));
	bus = bus_new();
	board_kvm = board_kvm_new(&kvm, bus, 1);
	board = board_kvm_board(board_kvm);
	return 0;
}

static int board_teardown(void **state)
{
	(void)state;
	board_kvm_free(board_kvm);
	bus_free(bus);
	kvm_close(&kvm);
	fake_kvm_end();
	return 0;
}

/* Linux routes GSI 0 to pin 0 of the I/O APIC; a timer that the tables have at pin 2 would be
 * heard by nobody. */
static void pins_are_routed_before_there_is_any_message(void **state)
{
	int msi;

	(void)state;
	for (int again = 0; again < 2; again++) {
		assert_int_equal(fake_kvm_pin_gsi(KVM_IRQCHIP_IOAPIC, LAYOUT_GSI_PIT), 0);
		assert_int_equal(fake_kvm_pin_gsi(KVM_IRQCHIP_IOAPIC, 0), -1);
		assert_int_equal(fake_kvm_pin_gsi(KVM_IRQCHIP_IOAPIC, 23), 23);
		assert_int_equal(fake_kvm_pin_gsi(KVM_IRQCHIP_PIC_MASTER, 0), 0);
		assert_int_equal(fake_kvm_pin_gsi(KVM_IRQCHIP_PIC_SLAVE, 7), 15);
		msi = board->ops->msi_open(board);
		assert_int_equal(board->ops->msi_route(board, msi, 0xfee00000, 0x41), 0);
	}
}

static void assert_no_message(int msi)
{
	uint64_t addr;
	uint32_t data;

	assert_false(fake_kvm_message((unsigned)msi, &addr, &data));
}

static void msi_routes_are_used_again(void **state)
{
	const struct board_ops *ops = board->ops;
	int a = ops->msi_open(board), b;

	(void)state;
	b = ops->msi_open(board);
	assert_int_not_equal(a, b);
	assert_int_equal(ops->msi_route(board, a, 0xfee00000, 0x41), 0);
	assert_int_equal(ops->msi_route(board, b, 0x1fee01000, 0x42), 0);
	assert_true(fake_kvm_routes((unsigned)a, 0xfee00000, 0x41));
	assert_true(fake_kvm_routes((unsigned)b, 0x1fee01000, 0x42));
	ops->msi_close(board, a);
	assert_no_message(a);
	assert_true(fake_kvm_routes((unsigned)b, 0x1fee01000, 0x42));
	assert_int_equal(ops->msi_open(board), a);
	assert_no_message(a); /* not its predecessor's */
	assert_int_equal(ops->msi_route(board, a, 0xfee02000, 0x43), 0);
	assert_true(fake_kvm_routes((unsigned)a, 0xfee02000, 0x43));
}

static void a_message_that_stays_asks_kvm_for_nothing(void **state)
{
	int a = board->ops->msi_open(board);
	unsigned before;

	(void)state;
	assert_int_equal(board->ops->msi_route(board, a, 0xfee00000, 0x41), 0);
	before = fake_kvm_calls();
	assert_int_equal(board->ops->msi_route(board, a, 0xfee00000, 0x41), 0);
	assert_int_equal(fake_kvm_calls(), before);
	assert_int_equal(board->ops->msi_route(board, a, 0xfee00000, 0x44), 0);
	assert_int_equal(fake_kvm_calls(), before + 1);
}

static void a_route_that_kvm_refuses_is_asked_for_again(void **state)
{
	int a = board->ops->msi_open(board);

	(void)state;
	assert_int_equal(board->ops->msi_route(board, a, 0xfee00000, 0x41), 0);
	fake_kvm_fail(KVM_SET_GSI_ROUTING, 1);
	assert_int_equal(board->ops->msi_route(board, a, 0xfee00000, 0x42), -EIO);
	assert_true(fake_kvm_routes((unsigned)a, 0xfee00000, 0x41));
	assert_int_equal(board->ops->msi_route(board, a, 0xfee00000, 0x42), 0);
	assert_true(fake_kvm_routes((unsigned)a, 0xfee00000, 0x42));
}

static void routes_end_with_what_kvm_has(void **state)
{
	unsigned n = 0;
	int msi, last = -1;

	(void)state;
	while ((msi = board->ops->msi_open(board)) >= 0) {
		assert_int_equal(board->ops->msi_route(board, msi, 0xfee00000, n), 0);
		last = msi;
		n++;
	}
	assert_int_equal(msi, -ENOSPC);
	assert_int_equal(LAYOUT_GSIS + n, kvm.max_routes);
	board->ops->msi_close(board, last);
	assert_int_equal(board->ops->msi_open(board), last);
}

static void irqfds_come_and_go(void **state)
{
	const struct board_ops *ops = board->ops;
	int a = ops->msi_open(board);

	(void)state;
	assert_int_equal(ops->msi_attach(board, a, 100, true), 0);
	assert_int_equal(fake_kvm_irqfd((unsigned)a), 100);
	assert_int_equal(ops->irq_line(board, 17, 101, 102, true), 0);
	assert_int_equal(fake_kvm_irqfd(17), 101);
	assert_int_equal(ops->irq_line(board, 17, 101, 102, false), 0);
	assert_int_equal(ops->msi_attach(board, a, 100, false), 0);
	assert_int_equal(fake_kvm_n_irqfds(), 0);
	fake_kvm_fail(KVM_IRQFD, 1);
	assert_int_equal(ops->msi_attach(board, a, 100, true), -EIO);
	assert_int_equal(fake_kvm_n_irqfds(), 0);
}

static void doorbells_of_one_address_differ_by_value(void **state)
{
	struct board_doorbell doorbell[2] = {
		{ .addr = 0xe8000050, .len = 4, .has_match = true, .match = 0, .fd = 100 },
		{ .addr = 0xe8000050, .len = 4, .has_match = true, .match = 1, .fd = 101 },
	};

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(board->ops->doorbell(board, &doorbell[i], true), 0);
	assert_int_equal(board->ops->doorbell(board, &doorbell[0], true), -EEXIST);
	assert_int_equal(board->ops->doorbell(board, &doorbell[0], false), 0);
	assert_int_equal(fake_kvm_doorbell(0xe8000050), 101);
	assert_int_equal(board->ops->doorbell(board, &doorbell[1], false), 0);
	assert_int_equal(fake_kvm_n_doorbells(), 0);
}

/* Where KVM wants to know how long a write is, a doorbell for any length is not to be had. */
static void a_doorbell_of_any_length_needs_a_capability(void **state)
{
	struct board_doorbell doorbell = { .addr = 0xc0003000, .fd = 100 };

	(void)state;
	kvm.any_length_doorbells = false;
	assert_int_equal(board->ops->doorbell(board, &doorbell, true), -ENOTSUP);
	kvm.any_length_doorbells = true;
	assert_int_equal(board->ops->doorbell(board, &doorbell, true), 0);
	assert_int_equal(fake_kvm_doorbell(0xc0003000), 100);
}

static void slots_of_cached_pages_are_used_again(void **state)
{
	static _Alignas(4096) uint8_t page[2][4096];
	struct kvm_userspace_memory_region r;
	const struct board_ops *ops = board->ops;

	(void)state;
	assert_int_equal(ops->regpage(board, 0xe8000000, page[0]), 0);
	assert_int_equal(ops->regpage(board, 0xe8001000, page[1]), 0);
	assert_int_equal(ops->regpage(board, 0xe8001000, page[1]), -EEXIST);
	assert_true(fake_kvm_slot(1, &r));
	assert_int_equal(r.guest_phys_addr, 0xe8000000);
	assert_int_equal(r.userspace_addr, (uintptr_t)page[0]);
	assert_int_equal(r.flags, KVM_MEM_READONLY);
	assert_int_equal(ops->regpage(board, 0xe8000000, NULL), 0);
	assert_false(fake_kvm_slot(1, &r));
	fake_kvm_fail(KVM_SET_USER_MEMORY_REGION, 1);
	assert_int_equal(ops->regpage(board, 0xe8002000, page[0]), -EIO);
	assert_int_equal(ops->regpage(board, 0xe8002000, page[0]), 0);
	assert_true(fake_kvm_slot(1, &r));
	assert_int_equal(r.guest_phys_addr, 0xe8002000);
}

int main(void)
{
#define BOARD(test) cmocka_unit_test_setup_teardown(test, board_setup, board_teardown)
	const struct CMUnitTest tests[] = {
		BOARD(pins_are_routed_before_there_is_any_message),
		BOARD(msi_routes_are_used_again),
		BOARD(a_message_that_stays_asks_kvm_for_nothing),
		BOARD(a_route_that_kvm_refuses_is_asked_for_again),
		BOARD(routes_end_with_what_kvm_has),
		BOARD(irqfds_come_and_go),
		BOARD(doorbells_of_one_address_differ_by_value),
		BOARD(a_doorbell_of_any_length_needs_a_capability),
		BOARD(slots_of_cached_pages_are_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
