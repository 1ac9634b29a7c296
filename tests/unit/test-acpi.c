/*
 * The ACPI tables: found from the RSDP, whole, and accepted by the reference compiler both ways.
 * The power management registers that they describe are tested here too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "vmm/acpi/acpi.h"
#include "vmm/acpi/aml.h"
#include "vmm/x86/layout.h"
#include "vmm/x86/pm.h"

#define RAM (1u << 20)

static uint64_t get(const uint8_t *at, unsigned n)
{
	uint64_t v = 0;

	memcpy(&v, at, n);
	return v;
}

static bool sums_to_zero(const uint8_t *at, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum += *at++;
	return sum == 0;
}

/* A machine's tables in memory of their own. */
struct tables {
	uint8_t *ram;
	struct gmem mem;
	uint64_t rsdp;
};

static struct tables build(const struct acpi_params *p)
{
	struct tables t = { .ram = g_malloc0(RAM) };
	GError *err = NULL;

	assert_int_equal(gmem_add(&t.mem, 0, RAM, t.ram), 0);
	t.rsdp = acpi_build(p, &t.mem, &err);
	assert_null(err);
	return t;
}

/* The address of table @signature, 0 if there is none. Checks all it passes on the way. */
static uint64_t find(const struct tables *t, const char *signature)
{
	const uint8_t *rsdp = t->ram + t->rsdp, *xsdt;
	uint64_t n;

	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_true(sums_to_zero(rsdp, 20));
	assert_true(sums_to_zero(rsdp, 36));
	xsdt = t->ram + get(rsdp + 24, 8);
	assert_memory_equal(xsdt, "XSDT", 4);
	assert_true(sums_to_zero(xsdt, get(xsdt + 4, 4)));
	n = (get(xsdt + 4, 4) - 36) / 8;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = get(xsdt + 36 + 8 * i, 8);

		assert_true(sums_to_zero(t->ram + at, get(t->ram + at + 4, 4)));
		if (memcmp(t->ram + at, signature, 4) == 0)
			return at;
	}
	return 0;
}

static const struct acpi_mmio three[] = {
	{ LAYOUT_MMIO, 0x1000, 5 },
	{ LAYOUT_MMIO + 0x1000, 0x1000, 6 },
	{ LAYOUT_MMIO + 0x2000, 0x1000, 6 },
};

static const struct acpi_params full = {
	.n_cpus = 4,
	.serial = true,
	.pit = true,
	.rtc = true,
	.pci = true,
	.pci_slots = 0x8000000f,
	.mem_size = 1ull << 30,
	.mmio = three,
	.n_mmio = G_N_ELEMENTS(three),
};

static const struct acpi_params least = { .n_cpus = 1, .mem_size = 64u << 20 };

/* Runs iasl; fails the test, with what it said, unless it succeeds without a warning. */
static void iasl(const char *dir, char **argv)
{
	g_autofree char *out = NULL, *errors = NULL;
	g_autoptr(GError) err = NULL;
	int status = -1;

	if (!g_spawn_sync(dir, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &errors, &status,
			  &err))
		fail_msg("iasl (Debian: acpica-tools) is needed: %s", err->message);
	if (status != 0 || strstr(out, "Warning  ") || strstr(errors, "Warning") ||
	    strstr(errors, "Error"))
		fail_msg("iasl: status %d\n%s\n%s", status, out, errors);
}

static void remove_all(const char *dir)
{
	GDir *d = g_dir_open(dir, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(d))) {
		g_autofree char *path = g_build_filename(dir, name, NULL);

		g_unlink(path);
	}
	g_dir_close(d);
	g_rmdir(dir);
}

/* Takes table @at apart with iasl, puts it together again, and returns the source. */
static char *round_trip(const struct tables *t, uint64_t at)
{
	g_auto(GStrv) take_apart = g_strsplit("iasl -d t.dat", " ", -1);
	g_auto(GStrv) compile = g_strsplit("iasl -p again t.dsl", " ", -1);
	g_autofree char *dir = g_dir_make_tmp("ringside-acpi-XXXXXX", NULL);
	g_autofree char *file = g_build_filename(dir, "t.dat", NULL);
	g_autofree char *source = g_build_filename(dir, "t.dsl", NULL);
	char *text = NULL;

	assert_true(g_file_set_contents(file, (const char *)t->ram + at,
					(gssize)get(t->ram + at + 4, 4), NULL));
	iasl(dir, take_apart);
	iasl(dir, compile);
	assert_true(g_file_get_contents(source, &text, NULL, NULL));
	remove_all(dir);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

static void every_table_passes_iasl(void **state)
{
	const struct acpi_params *machines[] = { &full, &least };
	static const char *const names[] = { "FACP", "APIC", "MCFG" };

	(void)state;
	for (unsigned m = 0; m < G_N_ELEMENTS(machines); m++) {
		struct tables t = build(machines[m]);
		uint64_t dsdt = get(t.ram + find(&t, "FACP") + 140, 8);

		g_free(round_trip(&t, dsdt));
		g_free(round_trip(&t, get(t.ram + t.rsdp + 24, 8)));
		for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
			uint64_t at = find(&t, names[i]);

			assert_true(at || !machines[m]->pci);
			if (at)
				g_free(round_trip(&t, at));
		}
		g_free(t.ram);
	}
}

static void dsdt_describes_the_machine(void **state)
{
	static const char *const parts[] = {
		"Device (PCI0)",
		"EisaId (\"PNP0A08\")",
		"Device (COM1)",
		"0x03F8,",
		"Device (VM00)",
		"Device (VM02)",
		"\"LNRO0005\"",
		"0xE8002000,",
		"ActiveHigh, Exclusive",
		"ActiveHigh, Shared",
		"Device (PEVT)",
		"\"QEMU0001\"",
		"0x0505,",
		"Device (PWRB)",
		"Notify (\\_SB.PWRB, 0x80)",
		"ToUUID (\"33db4d5b-1ff7-401c-9657-7441c03dd766\")",
		"QWordMemory",
		"0x0000000400000000, // Range Minimum",
		"0x001FFFFF",
		"Name (\\_S5, Package (0x04)",
	};
	struct tables t = build(&full);
	g_autofree char *text = NULL;

	(void)state;
	text = round_trip(&t, get(t.ram + find(&t, "FACP") + 140, 8));
	for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++)
		assert_has(text, parts[i]);
	g_free(t.ram);
}

static void machine_without_pci_has_no_bridge(void **state)
{
	struct tables t = build(&least);
	g_autofree char *text = NULL;

	(void)state;
	assert_int_equal(find(&t, "MCFG"), 0);
	text = round_trip(&t, get(t.ram + find(&t, "FACP") + 140, 8));
	assert_null(strstr(text, "PCI0"));
	assert_null(strstr(text, "COM1"));
	g_free(t.ram);
}

static void fadt_says_hardware_reduced(void **state)
{
	struct tables t = build(&full);
	const uint8_t *fadt = t.ram + find(&t, "FACP");

	(void)state;
	assert_true(get(fadt + 112, 4) & 1u << 20);
	assert_true(get(fadt + 112, 4) & 1u << 10);
	assert_int_equal(get(fadt + 109, 2), 0x04);
	assert_int_equal(fadt[108], LAYOUT_RTC_CENTURY);
	assert_int_equal(get(fadt + 120, 8), LAYOUT_PM_PORT + PM_RESET);
	assert_int_equal(fadt[128], PM_RESET_VALUE);
	assert_int_equal(get(fadt + 248, 8), LAYOUT_PM_PORT + PM_SLEEP_CONTROL);
	assert_int_equal(get(fadt + 260, 8), LAYOUT_PM_PORT + PM_SLEEP_STATUS);
	g_free(t.ram);
}

static void a_machine_without_a_clock_says_so(void **state)
{
	struct tables with = build(&full), without = build(&least);
	const uint8_t *fadt = without.ram + find(&without, "FACP");
	g_autofree char *text = round_trip(&with, get(with.ram + find(&with, "FACP") + 140, 8));
	g_autofree char *none = round_trip(&without, get(fadt + 140, 8));

	(void)state;
	assert_int_equal(get(fadt + 109, 2), 0x24);
	assert_int_equal(fadt[108], 0);
	assert_has(text, "PNP0B00");
	assert_has(text, "0x0070,             // Range Minimum");
	assert_null(strstr(none, "PNP0B00"));
	g_free(with.ram);
	g_free(without.ram);
}

/* Counts MADT structures of @type. */
static unsigned count(const uint8_t *madt, uint8_t type)
{
	unsigned n = 0;

	for (uint64_t at = 44; at < get(madt + 4, 4); at += madt[at + 1]) {
		assert_true(madt[at + 1] >= 2);
		n += madt[at] == type;
	}
	return n;
}

static void large_apic_ids_use_the_other_structure(void **state)
{
	struct acpi_params p = least;
	struct tables t;
	const uint8_t *madt;

	(void)state;
	p.n_cpus = 300;
	t = build(&p);
	madt = t.ram + find(&t, "APIC");
	assert_int_equal(count(madt, 0), 255);
	assert_int_equal(count(madt, 9), 45);
	assert_int_equal(count(madt, 1), 1);
	g_free(round_trip(&t, find(&t, "APIC")));
	g_free(t.ram);
}

/* As on every PC: interrupt 0 of the 8259s is pin 2 of the I/O APIC. */
static void the_timers_pin_is_another(void **state)
{
	struct tables with = build(&full), without = build(&least);
	const uint8_t *madt = with.ram + find(&with, "APIC");
	bool found = false;

	(void)state;
	assert_int_equal(count(madt, 2), 2);
	assert_int_equal(count(without.ram + find(&without, "APIC"), 2), 1);
	for (uint64_t at = 44; at < get(madt + 4, 4); at += madt[at + 1])
		if (madt[at] == 2 && madt[at + 3] == 0)
			found = get(madt + at + 4, 4) == 2 && get(madt + at + 8, 2) == 0;
	assert_true(found);
	g_free(with.ram);
	g_free(without.ram);
}

static void most_mmio_devices_fit(void **state)
{
	struct acpi_mmio all[LAYOUT_MMIO_MAX];
	struct acpi_params p = full;
	struct tables t;

	(void)state;
	for (unsigned i = 0; i < LAYOUT_MMIO_MAX; i++)
		all[i] = (struct acpi_mmio){ (uint32_t)layout_mmio_region(i), LAYOUT_MMIO_STRIDE,
					     layout_mmio_gsi(i) };
	p.mmio = all;
	p.n_mmio = LAYOUT_MMIO_MAX;
	p.pci_slots = UINT32_MAX;
	p.n_cpus = 64;
	t = build(&p);
	g_free(round_trip(&t, get(t.ram + find(&t, "FACP") + 140, 8)));
	g_free(t.ram);
}

static void a_kernel_told_to_leave_the_io_apic_alone_will_miss_it(void **state)
{
	(void)state;
	assert_has(acpi_will_miss("console=ttyS0 noapic"), "mmio");
	assert_has(acpi_will_miss("noapic quiet"), "--append noapic");
	assert_null(acpi_will_miss("console=ttyS0"));
	assert_null(acpi_will_miss(""));
	assert_null(acpi_will_miss("xnoapic noapic=1 apic=noapic"));
	assert_null(acpi_will_miss("acpi=off noapic")); /* that kernel looks for the 8259s */
}

static void no_memory_for_tables_is_an_error(void **state)
{
	uint8_t few[4096];
	struct gmem mem = { 0 };
	g_autoptr(GError) err = NULL;

	(void)state;
	assert_int_equal(gmem_add(&mem, 0, sizeof(few), few), 0);
	assert_int_equal(acpi_build(&least, &mem, &err), 0);
	assert_non_null(err);
}

/*
 * As firmware does what the loader's script says. The second and later fields of a command are by
 * the offsets of SeaBIOS's romfile_loader.h.
 */
#define FSEG 0xf5000u
#define HIGH 0x81240u

static uint8_t *loader_file(const struct tables *t, const uint8_t *name)
{
	if (strcmp((const char *)name, "etc/acpi/rsdp") == 0)
		return t->ram + FSEG;
	assert_string_equal((const char *)name, "etc/acpi/tables");
	return t->ram + HIGH;
}

static void loader_run(const struct tables *t, const uint8_t *c)
{
	uint8_t *at = loader_file(t, c + 4);
	uint64_t value, size;

	switch (get(c, 4)) {
	case 1: /* already there: at its place, and aligned */
		assert_int_equal((at - t->ram) % get(c + 60, 4),
				 at == t->ram + FSEG ? 0 : HIGH % 64);
		assert_int_equal(c[64], at == t->ram + FSEG ? 2 : 1);
		break;
	case 2:
		size = c[120];
		value = get(at + get(c + 116, 4), (unsigned)size) +
			(uint64_t)(loader_file(t, c + 60) - t->ram);
		memcpy(at + get(c + 116, 4), &value, size);
		break;
	default:
		assert_int_equal(get(c, 4), 3);
		for (uint64_t i = value = 0; i < get(c + 68, 4); i++)
			value += at[get(c + 64, 4) + i];
		at[get(c + 60, 4)] -= (uint8_t)value;
	}
}

static void firmware_places_the_tables(void **state)
{
	struct tables t = { .ram = g_malloc0(RAM), .rsdp = FSEG };
	struct acpi_params p = full;
	struct acpi_files files;
	g_autofree char *text = NULL;
	uint64_t facs;

	(void)state;
	p.firmware = true;
	acpi_build_files(&p, &files);
	memcpy(t.ram + FSEG, files.rsdp->data, files.rsdp->len);
	memcpy(t.ram + HIGH, files.tables->data, files.tables->len);
	assert_int_equal(files.loader->len % 128, 0);
	for (guint i = 0; i < files.loader->len; i += 128)
		loader_run(&t, files.loader->data + i);
	assert_true(find(&t, "APIC") > HIGH);
	assert_true(find(&t, "MCFG") > HIGH);
	assert_int_equal(get(t.ram + find(&t, "FACP") + 40, 4),
			 get(t.ram + find(&t, "FACP") + 140, 8));
	g_free(round_trip(&t, find(&t, "FACP")));
	assert_false(get(t.ram + find(&t, "FACP") + 112, 4) & 1u << 20); /* a whole PC */
	assert_true(get(t.ram + find(&t, "FACP") + 112, 4) & 1u << 6);
	assert_true(t.ram[find(&t, "APIC") + 40] & 1);
	facs = get(t.ram + find(&t, "FACP") + 36, 4);
	assert_int_equal(facs % 64, HIGH % 64);
	assert_memory_equal(t.ram + facs, "FACS", 4);
	text = round_trip(&t, get(t.ram + find(&t, "FACP") + 140, 8));
	assert_null(strstr(text, "ACPI0013"));
	assert_has(text, "0xF0000000,         // Range Minimum");
	assert_has(text, "0xFEBFFFFF,         // Range Maximum");
	g_byte_array_unref(files.rsdp);
	g_byte_array_unref(files.tables);
	g_byte_array_unref(files.loader);
	g_free(t.ram);
}

static void package_lengths_of_every_size(void **state)
{
	static const struct {
		gsize body;
		unsigned bytes;
	} cases[] = { { 0, 1 },    { 62, 1 },      { 63, 2 },     { 4093, 2 },
		      { 4094, 3 }, { 1048572, 3 }, { 1048573, 4 } };

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) a = g_byte_array_new();
		uint64_t len;

		g_byte_array_set_size(a, (guint)cases[i].body);
		aml_end(a, 0);
		assert_int_equal(a->len, cases[i].body + cases[i].bytes);
		assert_int_equal(a->data[0] >> 6, cases[i].bytes - 1);
		len = cases[i].bytes == 1 ? a->data[0] & 0x3f : a->data[0] & 0xf;
		len |= get(a->data + 1, cases[i].bytes - 1) << 4 * (cases[i].bytes > 1);
		assert_int_equal(len, a->len);
	}
}

/* ---- power management ---- */

struct seen {
	unsigned off, reset;
	bool level;
};

static void on_off(void *opaque)
{
	((struct seen *)opaque)->off++;
}

static void on_reset(void *opaque)
{
	((struct seen *)opaque)->reset++;
}

static void on_irq(void *opaque, bool level)
{
	((struct seen *)opaque)->level = level;
}

static const struct pm_ops pm_ops = { on_off, on_reset, on_irq };

static void sleep_register_turns_off(void **state)
{
	struct seen seen = { 0 };
	struct pm *pm = pm_new(&pm_ops, &seen, false);

	(void)state;
	pm_io_write(pm, PM_SLEEP_STATUS, 0x80);
	pm_io_write(pm, PM_SLEEP_CONTROL, PM_SLEEP_TYPE_OFF << 2); /* not enabled */
	pm_io_write(pm, PM_SLEEP_CONTROL, 0x20 | 3 << 2);          /* not offered */
	assert_int_equal(seen.off, 0);
	pm_io_write(pm, PM_SLEEP_CONTROL, 0x20 | PM_SLEEP_TYPE_OFF << 2);
	assert_int_equal(seen.off, 1);
	assert_int_equal(pm_io_read(pm, PM_SLEEP_STATUS), 0);
	pm_free(pm);
}

static void reset_register_resets(void **state)
{
	struct seen seen = { 0 };
	struct pm *pm = pm_new(&pm_ops, &seen, false);

	(void)state;
	pm_io_write(pm, PM_RESET, 0);
	assert_int_equal(seen.reset, 0);
	pm_io_write(pm, PM_RESET, PM_RESET_VALUE);
	assert_int_equal(seen.reset, 1);
	pm_free(pm);
}

static void button_holds_the_line_until_read(void **state)
{
	struct seen seen = { 0 };
	struct pm *pm = pm_new(&pm_ops, &seen, false);

	(void)state;
	pm_power_button(pm);
	pm_power_button(pm);
	assert_true(seen.level);
	assert_int_equal(pm_io_read(pm, PM_EVENT), PM_EVENT_BUTTON);
	assert_false(seen.level);
	assert_int_equal(pm_io_read(pm, PM_EVENT), 0);
	pm_power_button(pm);
	pm_reset(pm);
	assert_false(seen.level);
	pm_free(pm);
}

/* The line without an event: who reads is there, and sees nothing. */
static void a_fixed_button_is_a_bit_of_pm1(void **state)
{
	struct seen seen = { 0 };
	struct pm *pm = pm_new(&pm_ops, &seen, true);

	(void)state;
	pm_power_button(pm);
	assert_false(seen.level); /* nobody has asked for it */
	assert_int_equal(pm_io_read(pm, PM_EVENT), 0);
	pm_fixed_write(pm, PM1_ENABLE, PM1_BUTTON);
	assert_true(seen.level);
	assert_int_equal(pm_fixed_read(pm, PM1_ENABLE), PM1_BUTTON);
	assert_int_equal(pm_fixed_read(pm, PM1_STATUS), PM1_BUTTON);
	assert_int_equal(pm_fixed_read(pm, PM1_STATUS), PM1_BUTTON); /* until it is taken back */
	pm_fixed_write(pm, PM1_STATUS, 0x20);
	assert_true(seen.level);
	pm_fixed_write(pm, PM1_STATUS, PM1_BUTTON);
	assert_false(seen.level);
	assert_int_equal(pm_fixed_read(pm, PM1_STATUS), 0);
	pm_probe(pm);
	assert_true(seen.level);
	assert_false(pm_probed(pm));
	assert_false(seen.level);
	pm_probe(pm);
	assert_int_equal(pm_fixed_read(pm, PM1_STATUS), 0);
	assert_true(pm_probed(pm));
	pm_power_button(pm);
	pm_reset(pm);
	assert_false(seen.level);
	assert_int_equal(pm_fixed_read(pm, PM1_ENABLE), 0);
	pm_free(pm);
}

static void a_probe_is_answered_by_a_read(void **state)
{
	struct seen seen = { 0 };
	struct pm *pm = pm_new(&pm_ops, &seen, false);

	(void)state;
	pm_probe(pm);
	assert_true(seen.level);
	assert_false(pm_probed(pm)); /* nobody is there */
	assert_false(seen.level);
	pm_probe(pm);
	assert_int_equal(pm_io_read(pm, PM_EVENT), 0);
	assert_false(seen.level);
	assert_true(pm_probed(pm));
	pm_power_button(pm); /* and the button's event is still its own */
	pm_probe(pm);
	assert_false(pm_probed(pm));
	assert_true(seen.level);
	pm_probe(pm);
	assert_int_equal(pm_io_read(pm, PM_EVENT), PM_EVENT_BUTTON);
	assert_true(pm_probed(pm));
	assert_false(seen.level);
	pm_free(pm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_table_passes_iasl),
		cmocka_unit_test(dsdt_describes_the_machine),
		cmocka_unit_test(machine_without_pci_has_no_bridge),
		cmocka_unit_test(fadt_says_hardware_reduced),
		cmocka_unit_test(a_machine_without_a_clock_says_so),
		cmocka_unit_test(the_timers_pin_is_another),
		cmocka_unit_test(large_apic_ids_use_the_other_structure),
		cmocka_unit_test(most_mmio_devices_fit),
		cmocka_unit_test(a_kernel_told_to_leave_the_io_apic_alone_will_miss_it),
		cmocka_unit_test(no_memory_for_tables_is_an_error),
		cmocka_unit_test(firmware_places_the_tables),
		cmocka_unit_test(package_lengths_of_every_size),
		cmocka_unit_test(sleep_register_turns_off),
		cmocka_unit_test(reset_register_resets),
		cmocka_unit_test(button_holds_the_line_until_read),
		cmocka_unit_test(a_fixed_button_is_a_bit_of_pm1),
		cmocka_unit_test(a_probe_is_answered_by_a_read),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
