/* Bus 0: who answers where, by which way in, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/board-fake.h"
#include "transport/pci/root.h"

#define ECAM 0xe0000000u
#define MEM  (1ull << 40)

struct bus {
	struct board_fake *board;
	struct pci_root *root;
};

/* A function of two BARs that are memory of eight bytes each. */
struct card {
	struct pci_function f; /* first */
	uint64_t memory[2];
	unsigned remapped, resets;
};

static uint64_t card_read(struct pci_function *f, unsigned bar, uint64_t off, unsigned len)
{
	(void)len;
	return ((struct card *)f)->memory[bar / 2] >> (8 * (off & 7));
}

static void card_write(struct pci_function *f, unsigned bar, uint64_t off, unsigned len,
		       uint64_t value)
{
	(void)off;
	(void)len;
	((struct card *)f)->memory[bar / 2] = value;
}

static void card_remapped(struct pci_function *f, unsigned bar)
{
	(void)bar;
	((struct card *)f)->remapped++;
}

static void card_reset(struct pci_function *f)
{
	((struct card *)f)->resets++;
}

static const struct pci_function_ops card_ops = {
	.bar_read = card_read,
	.bar_write = card_write,
	.remapped = card_remapped,
	.reset = card_reset,
};

static const struct pci_ids card_ids = {
	.vendor = 0x1234,
	.device = 0x5678,
	.subsystem_vendor = 0x9abc,
	.subsystem = 0xdef0,
	.class = 0x020000,
	.revision = 7,
	.intx = true,
};

static void card_init(struct card *card)
{
	memset(card, 0, sizeof(*card));
	pci_config_init(&card->f, &card_ops, &card_ids);
	pci_config_bar(&card->f, 0, 0x4000);
	pci_config_bar(&card->f, 2, 0x100000);
}

static struct bus bus_open(uint64_t mem_size)
{
	struct pci_root_config config = { .ecam_base = ECAM,
					  .mem_base = MEM,
					  .mem_size = mem_size };
	struct bus b = { .board = board_fake_new(false) };

	b.root = pci_root_new(board_fake_board(b.board), &config, NULL);
	assert_non_null(b.root);
	return b;
}

static void bus_close(struct bus *b)
{
	pci_root_free(b->root);
	board_fake_free(b->board);
}

static void card_close(struct bus *b, struct card *card)
{
	pci_root_remove(b->root, &card->f);
	pci_config_clear(&card->f);
}

static uint64_t ecam(struct bus *b, unsigned devfn, unsigned reg, unsigned len)
{
	return board_fake_read(b->board, false, ECAM + (devfn << 12) + reg, len);
}

static void ecam_write(struct bus *b, unsigned devfn, unsigned reg, unsigned len, uint32_t value)
{
	board_fake_write(b->board, false, ECAM + (devfn << 12) + reg, len, value);
}

static void absent_functions_read_all_ones(void **state)
{
	struct bus b = bus_open(1 << 30);

	(void)state;
	for (unsigned devfn = 1; devfn < 256; devfn++) {
		assert_int_equal(ecam(&b, devfn, 0, 4), 0xffffffff);
		assert_int_equal(ecam(&b, devfn, 0, 2), 0xffff);
		assert_int_equal(ecam(&b, devfn, 0x0e, 1), 0xff);
		ecam_write(&b, devfn, 4, 2, 7);
	}
	bus_close(&b);
}

static void the_host_bridge_is_one_and_does_nothing(void **state)
{
	struct bus b = bus_open(1 << 30);

	(void)state;
	assert_int_equal(ecam(&b, 0, 0x0a, 2), 0x0600);
	assert_int_equal(ecam(&b, 0, PCI_HEADER_TYPE, 1), 0);
	ecam_write(&b, 0, PCI_BAR0, 4, 0xffffffff);
	assert_int_equal(ecam(&b, 0, PCI_BAR0, 4), 0);
	pci_root_reset(b.root);
	bus_close(&b);
}

static void ids_are_where_they_belong(void **state)
{
	struct bus b = bus_open(1 << 30);
	struct card card;

	(void)state;
	card_init(&card);
	assert_true(pci_root_add(b.root, &card.f, 3, NULL));
	assert_int_equal(ecam(&b, 24, 0x00, 4), 0x56781234);
	assert_int_equal(ecam(&b, 24, 0x08, 4), 0x02000007);
	assert_int_equal(ecam(&b, 24, 0x2c, 4), 0xdef09abc);
	assert_int_equal(ecam(&b, 24, 0x3c, 2), 0x0100 | pci_root_gsi(3, 0));
	ecam_write(&b, 24, 0, 4, 0);
	assert_int_equal(ecam(&b, 24, 0x00, 4), 0x56781234);
	assert_int_equal(ecam(&b, 24, 0x100, 4), 0); /* no extended capabilities */
	ecam_write(&b, 24, 0x100, 4, 1);
	card_close(&b, &card);
	bus_close(&b);
}

static void a_bar_tells_its_size_and_comes_back(void **state)
{
	struct bus b = bus_open(1 << 30);
	uint32_t low, high;
	struct card card;

	(void)state;
	card_init(&card);
	assert_true(pci_root_add(b.root, &card.f, 1, NULL));
	low = (uint32_t)ecam(&b, 8, PCI_BAR0, 4);
	high = (uint32_t)ecam(&b, 8, PCI_BAR0 + 4, 4);
	assert_int_equal(low & 0xf, 4);
	assert_in_range((uint64_t)high << 32 | (low & ~0xfu), MEM, MEM + (1 << 30) - 0x4000);
	ecam_write(&b, 8, PCI_BAR0, 4, 0xffffffff);
	ecam_write(&b, 8, PCI_BAR0 + 4, 4, 0xffffffff);
	assert_int_equal(ecam(&b, 8, PCI_BAR0, 4), 0xffffc004);
	assert_int_equal(ecam(&b, 8, PCI_BAR0 + 4, 4), 0xffffffff);
	ecam_write(&b, 8, PCI_BAR0, 4, low);
	ecam_write(&b, 8, PCI_BAR0 + 4, 4, high);
	assert_int_equal(card.remapped, 0); /* decoding was off all the time */
	card_close(&b, &card);
	bus_close(&b);
}

static void bars_are_decoded_where_and_while_the_guest_says(void **state)
{
	struct bus b = bus_open(1 << 30);
	struct card card;
	uint64_t at;

	(void)state;
	card_init(&card);
	assert_true(pci_root_add(b.root, &card.f, 1, NULL));
	at = card.f.bar[0].address;
	assert_int_equal(board_fake_read(b.board, false, at, 4), 0xffffffff);
	ecam_write(&b, 8, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	board_fake_write(b.board, false, at + 0x3ffc, 4, 0x11223344);
	assert_int_equal(board_fake_read(b.board, false, at + 1, 2), 0x2233);
	board_fake_write(b.board, false, card.f.bar[2].address, 8, 0x5555);
	assert_int_equal(card.memory[1], 0x5555);
	ecam_write(&b, 8, PCI_BAR0 + 4, 4, 0x20);
	assert_int_equal(board_fake_read(b.board, false, at, 4), 0xffffffff);
	at = (at & 0xffffffff) | 0x20ull << 32;
	assert_int_equal(board_fake_read(b.board, false, at, 4), 0x11223344);
	ecam_write(&b, 8, PCI_COMMAND, 2, 0);
	assert_int_equal(board_fake_read(b.board, false, at, 4), 0xffffffff);
	assert_int_equal(card.remapped, 5);
	card_close(&b, &card);
	bus_close(&b);
}

static void a_bar_on_top_of_another_is_decoded_nowhere(void **state)
{
	struct bus b = bus_open(1 << 30);
	struct card first, second;

	(void)state;
	card_init(&first);
	card_init(&second);
	assert_true(pci_root_add(b.root, &first.f, 1, NULL));
	assert_true(pci_root_add(b.root, &second.f, 2, NULL));
	first.memory[0] = 1;
	second.memory[0] = 2;
	ecam_write(&b, 8, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	ecam_write(&b, 16, PCI_BAR0, 4, (uint32_t)first.f.bar[0].address);
	ecam_write(&b, 16, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(board_fake_read(b.board, false, first.f.bar[0].address, 4), 1);
	assert_int_equal(second.f.bar[0].mapped, 0);
	ecam_write(&b, 16, PCI_BAR0, 4, (uint32_t)second.f.bar[0].address);
	assert_int_equal(board_fake_read(b.board, false, second.f.bar[0].address, 4), 2);
	card_close(&b, &first);
	card_close(&b, &second);
	bus_close(&b);
}

static void the_ports_lead_to_the_same_registers(void **state)
{
	struct bus b = bus_open(1 << 30);
	struct card card;

	(void)state;
	card_init(&card);
	assert_true(pci_root_add(b.root, &card.f, 5, NULL));
	assert_int_equal(board_fake_read(b.board, true, 0xcfc, 4), 0xffffffff);
	board_fake_write(b.board, true, 0xcf8, 4, 0x80000000 | 5 << 11 | 0x2c);
	assert_int_equal(board_fake_read(b.board, true, 0xcf8, 4), 0x80000000 | 5 << 11 | 0x2c);
	assert_int_equal(board_fake_read(b.board, true, 0xcfc, 4), 0xdef09abc);
	assert_int_equal(board_fake_read(b.board, true, 0xcfe, 2), 0xdef0);
	assert_int_equal(board_fake_read(b.board, true, 0xcff, 1), 0xde);
	assert_int_equal(board_fake_read(b.board, true, 0xcfd, 2), 0xffff);
	board_fake_write(b.board, true, 0xcf8, 4, 0x80000000 | 5 << 11 | PCI_INTERRUPT_LINE);
	board_fake_write(b.board, true, 0xcfc, 1, 99);
	board_fake_write(b.board, true, 0xcfd, 1, 99);
	assert_int_equal(ecam(&b, 40, 0x3c, 2), 0x0100 | 99);
	board_fake_write(b.board, true, 0xcf8, 4, 0x80010000); /* bus 1 */
	assert_int_equal(board_fake_read(b.board, true, 0xcfc, 4), 0xffffffff);
	board_fake_write(b.board, true, 0xcfc, 4, 0);
	board_fake_write(b.board, true, 0xcf8, 1, 0x80);
	assert_int_equal(board_fake_read(b.board, true, 0xcf8, 4), 0x80010000);
	assert_int_equal(board_fake_read(b.board, true, 0xcf8, 1), 0xff);
	card_close(&b, &card);
	bus_close(&b);
}

static void on_reset(void *opaque)
{
	(*(unsigned *)opaque)++;
}

/* 0xcf9: a byte of its own among the ports. */
static void the_reset_control_register_resets(void **state)
{
	unsigned resets = 0;
	struct pci_root_config config = {
		.ecam_base = ECAM,
		.mem_base = MEM,
		.mem_size = 1 << 30,
		.reset = on_reset,
		.opaque = &resets,
	};
	struct board_fake *board = board_fake_new(false);
	struct pci_root *root = pci_root_new(board_fake_board(board), &config, NULL);

	(void)state;
	board_fake_write(board, true, 0xcf8, 4,
			 0x80000614); /* the same byte, as part of an address */
	board_fake_write(board, true, 0xcf9, 1, 2);
	board_fake_write(board, true, 0xcf9, 2, 6); /* no register is two bytes wide */
	board_fake_write(board, true, 0xcfa, 1, 6);
	assert_int_equal(resets, 0);
	assert_int_equal(board_fake_read(board, true, 0xcf9, 1), 2);
	assert_int_equal(board_fake_read(board, true, 0xcf8, 4), 0x80000614);
	board_fake_write(board, true, 0xcf9, 1, 6);
	assert_int_equal(resets, 1);
	pci_root_reset(root);
	assert_int_equal(board_fake_read(board, true, 0xcf9, 1), 0);
	board_fake_write(board, true, 0xcf9, 1, 0xe);
	assert_int_equal(resets, 2);
	pci_root_free(root);
	board_fake_free(board);
}

static void the_ports_can_be_left_out(void **state)
{
	struct pci_root_config config = {
		.ecam_base = ECAM, .mem_base = MEM, .mem_size = 1 << 30, .no_ports = true
	};
	struct bus b = { .board = board_fake_new(false) };

	(void)state;
	b.root = pci_root_new(board_fake_board(b.board), &config, NULL);
	board_fake_write(b.board, true, 0xcf8, 4, 0x80000000);
	assert_int_equal(board_fake_read(b.board, true, 0xcf8, 4), 0xffffffff);
	assert_int_equal(ecam(&b, 0, 0x0a, 2), 0x0600);
	bus_close(&b);
}

static void odd_accesses_are_harmless(void **state)
{
	struct bus b = bus_open(1 << 30);

	(void)state;
	assert_int_equal(ecam(&b, 0, 1, 2), 0xffff);
	assert_int_equal(ecam(&b, 0, 0, 8), UINT64_MAX);
	assert_int_equal(ecam(&b, 0, 0xffe, 2), 0);
	board_fake_write(b.board, false, ECAM + 4, 8, UINT64_MAX);
	board_fake_write(b.board, false, ECAM + 5, 2, 0xffff);
	assert_int_equal(ecam(&b, 0, PCI_COMMAND, 2), 0);
	bus_close(&b);
}

static void a_reset_brings_first_values_back(void **state)
{
	struct bus b = bus_open(1 << 30);
	uint64_t before[16];
	struct card card;

	(void)state;
	card_init(&card);
	assert_true(pci_root_add(b.root, &card.f, 1, NULL));
	for (unsigned i = 0; i < 16; i++)
		before[i] = ecam(&b, 8, i * 4, 4);
	ecam_write(&b, 8, PCI_COMMAND, 2, 0xffff);
	for (unsigned i = 4; i < 16; i++)
		ecam_write(&b, 8, i * 4, 4, 0xffffffff);
	pci_root_reset(b.root);
	assert_int_equal(card.resets, 1);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(ecam(&b, 8, i * 4, 4), before[i]);
	assert_int_equal(card.f.bar[0].mapped, 0);
	card_close(&b, &card);
	bus_close(&b);
}

static bool add_fails(struct bus *b, struct card *card, unsigned slot, const char *says)
{
	g_autoptr(GError) err = NULL;

	return !pci_root_add(b->root, &card->f, slot, &err) && strstr(err->message, says);
}

static void slots_and_memory_are_limited(void **state)
{
	struct bus b = bus_open(70 << 20);
	g_autofree struct card *card = g_new0(struct card, 33);

	(void)state;
	for (unsigned i = 0; i < 33; i++)
		card_init(&card[i]);
	assert_true(add_fails(&b, &card[0], 32, "slots 1 to 31"));
	for (unsigned i = 1; i <= 31; i++) {
		assert_true(pci_root_add(b.root, &card[i].f, 0, NULL));
		assert_int_equal(card[i].f.slot, i);
		assert_int_equal(card[i].f.gsi, 16 + i % 4);
	}
	assert_true(add_fails(&b, &card[0], 4, "slot=4: is taken"));
	assert_true(add_fails(&b, &card[0], 0, "all are taken"));
	for (unsigned i = 0; i < 33; i++)
		card_close(&b, &card[i]);
	bus_close(&b);
}

/* A card takes 2 MiB: the large BAR's alignment leaves a hole before it, where the small ones of
 * others fit. */
static void memory_is_free_again_when_a_card_is_gone(void **state)
{
	struct bus b = bus_open(4 << 20);
	struct card card[5];
	uint64_t at[3];

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		card_init(&card[i]);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(pci_root_add(b.root, &card[i].f, 0, NULL));
		at[i] = card[i].f.bar[2].address;
		assert_int_equal(card[i].f.bar[0].address, MEM + i * 0x4000ull);
	}
	assert_true(add_fails(&b, &card[3], 0, "no PCI memory left"));
	for (unsigned i = 0; i < 1000; i++) {
		struct card *gone = &card[i % 4], *next = &card[(i + 3) % 4];

		pci_root_remove(b.root, &gone->f);
		assert_true(pci_root_add(b.root, &next->f, 0, NULL));
		assert_int_equal(next->f.slot, gone->f.slot);
		assert_int_equal(next->f.bar[0].address, gone->f.bar[0].address);
		assert_int_equal(next->f.bar[2].address, gone->f.bar[2].address);
		assert_true(add_fails(&b, &card[4], 0, "no PCI memory left"));
	}
	assert_true(at[0] < at[1] && at[1] < at[2]);
	for (unsigned i = 0; i < 5; i++)
		card_close(&b, &card[i]);
	bus_close(&b);
}

/* Of ports: sized by all 32 bits, decoded by a bit of its own, and in a window of its own. */
static void a_bar_may_be_of_ports(void **state)
{
	struct pci_root_config config = { .ecam_base = ECAM,
					  .mem_base = MEM,
					  .mem_size = 1 << 30,
					  .io_base = 0xc000,
					  .io_size = 0x80 };
	struct bus b = { .board = board_fake_new(false) };
	struct card card[3];

	(void)state;
	b.root = pci_root_new(board_fake_board(b.board), &config, NULL);
	for (unsigned i = 0; i < 3; i++) {
		card_init(&card[i]);
		pci_config_io_bar(&card[i].f, 1, 0x40);
	}
	for (unsigned i = 0; i < 2; i++) {
		assert_true(pci_root_add(b.root, &card[i].f, 0, NULL));
		assert_int_equal(ecam(&b, 8 * (i + 1), PCI_BAR0 + 8, 4), 0xc001 + i * 0x40);
		assert_int_equal(ecam(&b, 8 * (i + 1), PCI_BAR0 + 12, 4), 0);
	}
	assert_true(add_fails(&b, &card[2], 0, "no PCI I/O ports left for a BAR of 64 bytes"));
	ecam_write(&b, 8, PCI_BAR0 + 8, 4, 0xffffffff);
	assert_int_equal(ecam(&b, 8, PCI_BAR0 + 8, 4), 0xffffffc1);
	ecam_write(&b, 8, PCI_COMMAND, 2, PCI_COMMAND_IO);
	assert_int_equal(card[0].f.bar[1].mapped, 0); /* there are no such ports */
	ecam_write(&b, 8, PCI_BAR0 + 8, 4, 0xd004);
	board_fake_write(b.board, true, 0xd000, 2, 0x1234);
	assert_int_equal(board_fake_read(b.board, true, 0xd000, 2), 0x1234);
	assert_int_equal(card[0].f.bar[0].mapped, 0);
	ecam_write(&b, 8, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(card[0].f.bar[1].mapped, 0);
	assert_int_not_equal(card[0].f.bar[0].mapped, 0);
	pci_root_reset(b.root);
	assert_int_equal(ecam(&b, 8, PCI_BAR0 + 8, 4), 0xc001);
	for (unsigned i = 0; i < 3; i++)
		card_close(&b, &card[i]);
	bus_close(&b);
}

static void a_board_without_room_is_told_of(void **state)
{
	struct pci_root_config config = { .ecam_base = ECAM, .mem_base = MEM, .mem_size = 1 << 30 };
	struct board_region other = { .base = 0xcfc, .size = 1, .io = true };
	struct board_fake *b = board_fake_new(false);
	struct board *board = board_fake_board(b);
	g_autoptr(GError) first = NULL;
	g_autoptr(GError) second = NULL;

	(void)state;
	board_fake_refuse(b, BOARD_REFUSE_REGION);
	assert_null(pci_root_new(board, &config, &first));
	assert_non_null(strstr(first->message, "PCI configuration region"));
	board_fake_refuse(b, 0);
	assert_int_equal(board->ops->region_add(board, &other), 0);
	assert_null(pci_root_new(board, &config, &second));
	assert_non_null(strstr(second->message, "PCI configuration ports"));
	board->ops->region_del(board, &other);
	pci_root_free(NULL);
	board_fake_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_functions_read_all_ones),
		cmocka_unit_test(the_host_bridge_is_one_and_does_nothing),
		cmocka_unit_test(ids_are_where_they_belong),
		cmocka_unit_test(a_bar_tells_its_size_and_comes_back),
		cmocka_unit_test(a_bar_may_be_of_ports),
		cmocka_unit_test(bars_are_decoded_where_and_while_the_guest_says),
		cmocka_unit_test(a_bar_on_top_of_another_is_decoded_nowhere),
		cmocka_unit_test(the_ports_lead_to_the_same_registers),
		cmocka_unit_test(the_reset_control_register_resets),
		cmocka_unit_test(the_ports_can_be_left_out),
		cmocka_unit_test(odd_accesses_are_harmless),
		cmocka_unit_test(a_reset_brings_first_values_back),
		cmocka_unit_test(slots_and_memory_are_limited),
		cmocka_unit_test(memory_is_free_again_when_a_card_is_gone),
		cmocka_unit_test(a_board_without_room_is_told_of),
	};

	return cmocka_run_group_tests_name("pci-root", tests, NULL, NULL);
}
