/* fw_cfg, as firmware reads it: by ports, and by descriptors in memory that are not to be trusted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "vmm/machine/bus.h"
#include "vmm/x86/fw-cfg.h"
#include "vmm/x86/layout.h"

#define RAM        0x10000u
#define DESCRIPTOR 0x100u /* where ours is, */
#define BUFFER     0x200u /* and what it reads into */

enum { ERROR = 0x01, READ = 0x02, SKIP = 0x04, SELECT = 0x08, WRITE = 0x10 };

struct fixture {
	struct bus *bus;
	struct gmem mem;
	struct fw_cfg *cfg;
	_Alignas(16) uint8_t ram[RAM];
};

static int setup(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	f->bus = bus_new();
	assert_int_equal(gmem_add(&f->mem, 0, RAM, f->ram), 0);
	f->cfg = fw_cfg_new(&f->mem);
	assert_int_equal(bus_add(f->bus, fw_cfg_region(f->cfg)), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bus_free(f->bus);
	fw_cfg_free(f->cfg);
	g_free(f);
	return 0;
}

static void choose(struct fixture *f, uint16_t key)
{
	bus_write(f->bus, true, 0x510, 2, key);
}

static void read_bytes(struct fixture *f, void *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = (uint8_t)bus_read(f->bus, true, 0x511, 1);
}

static uint32_t read_be32(struct fixture *f)
{
	uint32_t value;

	read_bytes(f, &value, sizeof(value));
	return GUINT32_FROM_BE(value);
}

/* Starts the descriptor at @at. */
static void start(struct fixture *f, uint64_t at)
{
	bus_write(f->bus, true, 0x514, 4, GUINT32_TO_BE((uint32_t)(at >> 32)));
	bus_write(f->bus, true, 0x518, 4, GUINT32_TO_BE((uint32_t)at));
}

/* A transfer; returns what the descriptor's control word has afterwards. */
static uint32_t transfer(struct fixture *f, uint32_t control, uint32_t len, uint64_t to)
{
	uint32_t head[2] = { GUINT32_TO_BE(control), GUINT32_TO_BE(len) };

	to = GUINT64_TO_BE(to);
	memcpy(f->ram + DESCRIPTOR, head, sizeof(head));
	memcpy(f->ram + DESCRIPTOR + 8, &to, sizeof(to));
	start(f, DESCRIPTOR);
	memcpy(&control, f->ram + DESCRIPTOR, sizeof(control));
	return GUINT32_FROM_BE(control);
}

static void it_is_known_by_its_signature(void **state)
{
	struct fixture *f = *state;
	char text[5] = "";
	uint32_t id;

	choose(f, FW_CFG_SIGNATURE);
	read_bytes(f, text, 4);
	assert_string_equal(text, "QEMU");
	choose(f, FW_CFG_ID);
	read_bytes(f, &id, sizeof(id));
	assert_int_equal(id, 3);
	assert_int_equal(bus_read(f->bus, true, 0x514, 4), 0x554d4551);
	assert_int_equal(bus_read(f->bus, true, 0x518, 4), 0x47464320);
}

static void what_is_not_there_reads_as_zeros(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[8];

	fw_cfg_add(f->cfg, FW_CFG_CPUS, "\x04", 2);
	choose(f, FW_CFG_CPUS);
	read_bytes(f, bytes, sizeof(bytes));
	assert_memory_equal(bytes, "\x04\0\0\0\0\0\0", 8);
	choose(f, 0x7fff);
	read_bytes(f, bytes, sizeof(bytes));
	assert_memory_equal(bytes, "\0\0\0\0\0\0\0", 8);
}

static void an_item_begins_anew_when_it_is_chosen(void **state)
{
	struct fixture *f = *state;
	char a[2], b[2];

	choose(f, FW_CFG_SIGNATURE);
	read_bytes(f, a, sizeof(a));
	choose(f, FW_CFG_SIGNATURE);
	read_bytes(f, b, sizeof(b));
	assert_memory_equal(a, b, sizeof(a));
}

static void the_directory_names_files(void **state)
{
	struct fixture *f = *state;
	char name[56];
	uint32_t rest;

	fw_cfg_add_file(f->cfg, "etc/one", "1", 1);
	fw_cfg_add_file(f->cfg, "etc/three", "333", 3);
	choose(f, FW_CFG_DIRECTORY);
	assert_int_equal(read_be32(f), 2);
	assert_int_equal(read_be32(f), 1);
	assert_int_equal(read_be32(f), FW_CFG_FILES << 16);
	read_bytes(f, name, sizeof(name));
	assert_string_equal(name, "etc/one");
	assert_int_equal(read_be32(f), 3);
	rest = read_be32(f);
	read_bytes(f, name, sizeof(name));
	assert_string_equal(name, "etc/three");
	choose(f, (uint16_t)(rest >> 16));
	read_bytes(f, name, 3);
	assert_memory_equal(name, "333", 3);
}

static void after_a_reset_there_are_no_files(void **state)
{
	struct fixture *f = *state;

	fw_cfg_add_file(f->cfg, "etc/one", "1", 1);
	fw_cfg_reset(f->cfg);
	choose(f, FW_CFG_DIRECTORY);
	assert_int_equal(read_be32(f), 0);
	choose(f, FW_CFG_FILES);
	assert_int_equal(bus_read(f->bus, true, 0x511, 1), 0);
	it_is_known_by_its_signature(state);
}

static void a_descriptor_reads_a_part(void **state)
{
	struct fixture *f = *state;

	fw_cfg_add_file(f->cfg, "etc/file", "0123456789", 10);
	memset(f->ram + BUFFER, 0xff, 16);
	assert_int_equal(transfer(f, FW_CFG_FILES << 16 | SELECT | SKIP, 3, 0), 0);
	assert_int_equal(transfer(f, READ, 4, BUFFER), 0);
	assert_memory_equal(f->ram + BUFFER, "3456\xff", 5);
	assert_int_equal(transfer(f, READ, 0, UINT64_MAX), 0); /* nothing, wherever */
	assert_int_equal(transfer(f, READ, 8, BUFFER), 0);
	assert_memory_equal(f->ram + BUFFER, "789\0\0\0\0\0\xff", 9);
	assert_int_equal(transfer(f, SKIP, UINT32_MAX, 0), 0);
	assert_int_equal(bus_read(f->bus, true, 0x511, 1), 0);
}

static void nothing_can_be_written(void **state)
{
	struct fixture *f = *state;
	char text[2] = "";

	memcpy(f->ram + BUFFER, "no", 2);
	assert_int_equal(transfer(f, FW_CFG_SIGNATURE << 16 | SELECT | WRITE, 2, BUFFER), ERROR);
	bus_write(f->bus, true, 0x511, 1, 'n');
	choose(f, FW_CFG_SIGNATURE);
	read_bytes(f, text, 2);
	assert_memory_equal(text, "QE", 2);
}

static void a_buffer_outside_memory_is_an_error(void **state)
{
	static const uint64_t places[] = { RAM, RAM - 1, UINT64_MAX, UINT64_MAX - 1, 1ull << 63 };
	struct fixture *f = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
		assert_int_equal(transfer(f, FW_CFG_SIGNATURE << 16 | SELECT | READ, 4, places[i]),
				 ERROR);
	assert_int_equal(f->ram[RAM - 1], 0);
	assert_int_equal(transfer(f, READ, UINT32_MAX, BUFFER), ERROR);
	assert_int_equal(transfer(f, READ, RAM - BUFFER + 1, BUFFER), ERROR);
	assert_int_equal(transfer(f, READ, RAM - BUFFER, BUFFER), 0);
}

/* However much memory there is. */
static void a_transfer_has_a_largest_size(void **state)
{
	struct fixture *f = *state;
	const uint64_t len = FW_CFG_DMA_MAX + 4096, at = 1 << 20;
	uint8_t *more = g_malloc(len);

	assert_int_equal(gmem_add(&f->mem, at, len, more), 0);
	assert_int_equal(transfer(f, READ, FW_CFG_DMA_MAX + 1, at), ERROR);
	assert_int_equal(transfer(f, READ, FW_CFG_DMA_MAX, at), 0);
	assert_int_equal(gmem_remove(&f->mem, at), 0);
	g_free(more);
}

static void a_descriptor_outside_memory_does_nothing(void **state)
{
	struct fixture *f = *state;
	uint8_t before[RAM];

	memset(f->ram + RAM - 15, 0xff, 15);
	memcpy(before, f->ram, RAM);
	start(f, RAM - 15);
	start(f, RAM);
	start(f, UINT64_MAX);
	start(f, 1ull << 32 | DESCRIPTOR);
	assert_memory_equal(before, f->ram, RAM);
}

/* Over its own buffer: the control word is written last. */
static void a_descriptor_may_be_its_own_buffer(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(transfer(f, FW_CFG_SIGNATURE << 16 | SELECT | READ, 8, DESCRIPTOR), 0);
}

static void accesses_of_other_widths_do_nothing(void **state)
{
	struct fixture *f = *state;

	choose(f, FW_CFG_SIGNATURE);
	bus_write(f->bus, true, 0x510, 1, FW_CFG_ID);
	bus_write(f->bus, true, 0x510, 4, FW_CFG_ID);
	assert_int_equal(bus_read(f->bus, true, 0x511, 2), 0xffff);
	assert_int_equal(bus_read(f->bus, true, 0x510, 2), 0xffff);
	assert_int_equal(bus_read(f->bus, true, 0x511, 1), 'Q');
	bus_write(f->bus, true, 0x518, 2, 0);
	bus_write(f->bus, true, 0x516, 4, 0);
	assert_int_equal(bus_read(f->bus, true, 0x511, 1), 'E');
}

static void what_was_written_is_in_the_log(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(gmem_log_start(&f->mem), 0);
	assert_int_equal(transfer(f, READ, 4, 0x8000), 0);
	assert_true(f->mem.region[0].dirty[0] & 1u << 8);
	assert_true(f->mem.region[0].dirty[0] & 1);
	assert_false(f->mem.region[0].dirty[0] & 1u << 4);
	gmem_log_stop(&f->mem);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_known_by_its_signature),
		TEST(what_is_not_there_reads_as_zeros),
		TEST(an_item_begins_anew_when_it_is_chosen),
		TEST(the_directory_names_files),
		TEST(after_a_reset_there_are_no_files),
		TEST(a_descriptor_reads_a_part),
		TEST(nothing_can_be_written),
		TEST(a_buffer_outside_memory_is_an_error),
		TEST(a_transfer_has_a_largest_size),
		TEST(a_descriptor_outside_memory_does_nothing),
		TEST(a_descriptor_may_be_its_own_buffer),
		TEST(accesses_of_other_widths_do_nothing),
		TEST(what_was_written_is_in_the_log),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
