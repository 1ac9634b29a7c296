/* The MP table: found where kernels look, whole, and of what the machine has. What a kernel makes
 * of it is shown by tests/guests/run (linux-mps). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "vmm/x86/layout.h"
#include "vmm/x86/mptable.h"

#define RAM (1u << 20)

static uint8_t *ram;
static struct gmem mem;

static int setup(void **state)
{
	(void)state;
	mem = (struct gmem){ 0 };
	ram = g_malloc0(RAM);
	return gmem_add(&mem, 0, RAM, ram);
}

static int teardown(void **state)
{
	(void)state;
	g_free(ram);
	return 0;
}

static unsigned get16(const uint8_t *at)
{
	return at[0] | (unsigned)at[1] << 8;
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) | (uint32_t)get16(at + 2) << 16;
}

static void assert_sum(const uint8_t *at, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *at++);
	assert_int_equal(sum, 0);
}

/* As a kernel does: at multiples of 16 in the BIOS's last 64 KiB. */
static const uint8_t *find_table(void)
{
	for (uint32_t at = 0xf0000; at < 0x100000; at += 16)
		if (memcmp(ram + at, "_MP_", 4) == 0) {
			const uint8_t *table = ram + get32(ram + at + 4);

			assert_sum(ram + at, 16);
			assert_memory_equal(table, "PCMP", 4);
			assert_sum(table, get16(table + 4));
			return table;
		}
	fail_msg("there is no MP table");
	return NULL;
}

/* The entries are as long as their type says, as many as the header says, and end where it says. */
static unsigned entries(const uint8_t *table, uint8_t type, const uint8_t *ret[])
{
	const uint8_t *at = table + 44;
	unsigned n = 0;

	for (unsigned i = 0; i < get16(table + 34); i++) {
		if (*at == type)
			ret[n++] = at;
		at += *at == 0 ? 20 : 8;
	}
	assert_ptr_equal(at, table + get16(table + 4));
	return n;
}

/* The pin of interrupt @irq on @bus, and its flags; -1: none. */
static int pin_of(const uint8_t *table, unsigned bus, unsigned irq, unsigned *ret_flags)
{
	const uint8_t *all[256];
	unsigned n = entries(table, 3, all);

	for (unsigned i = 0; i < n; i++) {
		*ret_flags = get16(all[i] + 2);
		if (all[i][4] == bus && all[i][5] == irq)
			return all[i][7];
	}
	return -1;
}

static void processors_and_the_io_apic_are_there(void **state)
{
	const struct acpi_params p = { .n_cpus = 3, .pci = true };
	const uint8_t *table, *all[256];

	(void)state;
	assert_true(mptable_write(&p, &mem));
	table = find_table();
	assert_int_equal(get32(table + 36), LAYOUT_LAPIC);
	assert_int_equal(entries(table, 0, all), 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(all[i][1], i);
		assert_int_equal(all[i][3], i == 0 ? 3 : 1);
	}
	assert_int_equal(entries(table, 2, all), 1);
	assert_int_equal(get32(all[0] + 4), LAYOUT_IOAPIC);
	assert_int_equal(entries(table, 4, all), 2);
}

static void interrupts_go_to_the_pins_that_acpi_names(void **state)
{
	const struct acpi_params p = {
		.n_cpus = 1, .pit = true, .pci = true, .pci_slots = 1u << 1 | 1u << 31
	};
	const uint8_t *table;
	unsigned flags;

	(void)state;
	assert_true(mptable_write(&p, &mem));
	table = find_table();
	assert_int_equal(pin_of(table, 1, 0, &flags), LAYOUT_GSI_PIT);
	assert_int_equal(pin_of(table, 1, LAYOUT_GSI_SERIAL, &flags), LAYOUT_GSI_SERIAL);
	assert_int_equal(flags, 0);
	assert_int_equal(pin_of(table, 1, LAYOUT_GSI_SCI, &flags), LAYOUT_GSI_SCI);
	assert_int_equal(flags, 0xd);
	for (unsigned i = 0; i < 15; i++)
		assert_int_equal(pin_of(table, 1, layout_mmio_gsi(i), &flags), layout_mmio_gsi(i));
	for (unsigned pin = 0; pin < 4; pin++) {
		assert_int_equal(pin_of(table, 0, 1u << 2 | pin, &flags), layout_intx_gsi(1, pin));
		assert_int_equal(flags, 0xd);
		assert_int_equal(pin_of(table, 0, 31u << 2 | pin, &flags),
				 layout_intx_gsi(31, pin));
	}
	assert_int_equal(pin_of(table, 0, 2u << 2, &flags), -1);
}

static void without_a_pit_and_pci_there_are_no_interrupts_of_theirs(void **state)
{
	const struct acpi_params p = { .n_cpus = 1, .pci_slots = 1u << 1 };
	unsigned flags;

	(void)state;
	assert_true(mptable_write(&p, &mem));
	assert_int_equal(pin_of(find_table(), 1, 0, &flags), -1);
	assert_int_equal(pin_of(find_table(), 0, 1u << 2, &flags), -1);
}

static void the_largest_machine_has_room(void **state)
{
	struct acpi_params p = { .n_cpus = 64, .pit = true, .pci = true, .pci_slots = UINT32_MAX };

	(void)state;
	assert_true(mptable_write(&p, &mem));
	(void)find_table();
	p.n_cpus = 255;
	assert_false(mptable_write(&p, &mem));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(processors_and_the_io_apic_are_there),
		TEST(interrupts_go_to_the_pins_that_acpi_names),
		TEST(without_a_pit_and_pci_there_are_no_interrupts_of_theirs),
		TEST(the_largest_machine_has_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
