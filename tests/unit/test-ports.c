/* The ports by which a guest without ACPI resets and switches off, and the panic device's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>

#include "vmm/machine/bus.h"
#include "vmm/machine/unanswered.h"
#include "vmm/x86/debug-exit.h"
#include "vmm/x86/layout.h"
#include "vmm/x86/legacy.h"
#include "vmm/x86/pvpanic.h"

/* What the guest has asked for. */
struct ends {
	unsigned off, reset, panicked, crash_loaded, exits;
	uint32_t value;
};

static void power_off(void *opaque)
{
	((struct ends *)opaque)->off++;
}

static void reset(void *opaque)
{
	((struct ends *)opaque)->reset++;
}

static void panicked(void *opaque)
{
	((struct ends *)opaque)->panicked++;
}

static void crash_loaded(void *opaque)
{
	((struct ends *)opaque)->crash_loaded++;
}

static void debug_exit(void *opaque, uint32_t value)
{
	struct ends *e = opaque;

	e->exits++;
	e->value = value;
}

static const struct pm_ops pm_ops = { .power_off = power_off, .reset = reset };
static const struct pvpanic_ops pvpanic_ops = { panicked, crash_loaded };

struct machine {
	struct bus *bus;
	struct legacy legacy;
	struct pvpanic pvpanic;
	struct debug_exit debug_exit;
	struct ends ends;
};

static int set_up(void **state)
{
	struct machine *m = g_new0(struct machine, 1);

	m->bus = bus_new();
	legacy_init(&m->legacy, &pm_ops, &m->ends, bus_unanswered(m->bus));
	pvpanic_init(&m->pvpanic, &pvpanic_ops, &m->ends);
	debug_exit_init(&m->debug_exit, 0xf4, debug_exit, &m->ends);
	assert_int_equal(bus_add(m->bus, &m->debug_exit.region), 0);
	for (unsigned i = 0; i < LEGACY_REGIONS; i++)
		assert_int_equal(bus_add(m->bus, &m->legacy.region[i]), 0);
	assert_int_equal(bus_add(m->bus, &m->pvpanic.region), 0);
	*state = m;
	return 0;
}

static int tear_down(void **state)
{
	struct machine *m = *state;

	bus_free(m->bus);
	g_free(m);
	return 0;
}

static uint64_t in(struct machine *m, uint16_t port)
{
	return bus_read(m->bus, true, port, 1);
}

static void out(struct machine *m, uint16_t port, unsigned len, uint32_t value)
{
	bus_write(m->bus, true, port, len, value);
}

static void the_keyboard_controller_resets(void **state)
{
	struct machine *m = *state;

	out(m, 0x64, 1, 0xd1);
	out(m, 0x60, 1, 0xfe); /* data, no command */
	assert_int_equal(m->ends.reset, 0);
	out(m, 0x64, 1, 0xfe);
	assert_int_equal(m->ends.reset, 1);
}

/* It is always ready for a command, and nobody waits for ever for a byte of it, or for the last
 * one. */
static void nobody_waits_for_a_keyboard(void **state)
{
	struct machine *m = *state;
	unsigned reads = 0;

	assert_int_equal(in(m, 0x64) & 2, 0);
	for (unsigned i = 0; i <= 16;
	     i++) { /* Linux's probe: a buffer that is full after 16 reads is none */
		assert_int_equal(in(m, 0x64) & 1, 1);
		assert_int_equal(in(m, 0x60), 0xff);
	}
	while (in(m, 0x64) & 1 && reads++ < 100)
		(void)in(m, 0x60);
	assert_true(reads < 100);
	assert_int_equal(in(m, 0x60), 0xff);
	assert_int_equal(in(m, 0x64), 0);
	out(m, 0x64, 1, 0x20); /* has an answer */
	assert_int_equal(in(m, 0x64) & 3, 1);
}

static void who_waits_for_a_key_is_counted(void **state)
{
	struct machine *m = *state;
	struct unanswered all[UNANSWERED_MAX];
	uint64_t sum;

	while (in(m, 0x64) & 1)
		(void)in(m, 0x60);
	for (unsigned i = 1; i < 100; i++)
		assert_int_equal(in(m, 0x64), 0);
	assert_int_equal(unanswered_get(bus_unanswered(m->bus), all, &sum), 1);
	assert_int_equal(all[0].addr, 0x64);
	assert_int_equal(all[0].reads, 100);
}

static void port_a_resets(void **state)
{
	struct machine *m = *state;

	assert_int_equal(in(m, 0x92), 2); /* A20 is on */
	out(m, 0x92, 1, in(m, 0x92) | 2);
	assert_int_equal(m->ends.reset, 0);
	out(m, 0x92, 1, in(m, 0x92) | 1);
	assert_int_equal(m->ends.reset, 1);
}

static void qemus_ports_switch_off(void **state)
{
	struct machine *m = *state;

	out(m, 0x604, 2, 0x1400);
	out(m, 0x604, 1, 0x20);
	out(m, 0x605, 1, 0x20);
	assert_int_equal(m->ends.off, 0);
	out(m, 0x604, 2, 0x2000);
	out(m, 0xb004, 2, 0x2000);
	assert_int_equal(m->ends.off, 2);
	assert_int_equal(m->ends.reset, 0);
}

static void the_panic_device_tells(void **state)
{
	struct machine *m = *state;

	assert_int_equal(in(m, 0x505), 3);
	out(m, 0x505, 1, 4); /* unknown */
	assert_int_equal(m->ends.panicked + m->ends.crash_loaded, 0);
	out(m, 0x505, 1, 2);
	assert_int_equal(m->ends.crash_loaded, 1);
	out(m, 0x505, 1, 1);
	out(m, 0x505, 1, 3);
	assert_int_equal(m->ends.panicked, 2);
	assert_int_equal(m->ends.crash_loaded, 1);
}

/* Kernels write 8, 16 or 32 bits; each takes what it wrote. */
static void the_debug_exit_device_takes_any_width(void **state)
{
	struct machine *m = *state;

	assert_int_equal(in(m, 0xf4), 0);
	assert_int_equal(m->ends.exits, 0);
	out(m, 0xf4, 1, 0x10);
	assert_int_equal(m->ends.value, 0x10);
	out(m, 0xf4, 2, 0x1234);
	assert_int_equal(m->ends.value, 0x1234);
	out(m, 0xf4, 4, 0x12345678);
	assert_int_equal(m->ends.value, 0x12345678);
	out(m, 0xf7, 1, 3);
	assert_int_equal(m->ends.value, 3);
	out(m, 0xf7, 2, 5); /* half of it is nobody's */
	out(m, 0xf3, 1, 5);
	out(m, 0xf8, 1, 5);
	assert_int_equal(m->ends.exits, 4);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_keyboard_controller_resets),
		CASE(nobody_waits_for_a_keyboard),
		CASE(who_waits_for_a_key_is_counted),
		CASE(port_a_resets),
		CASE(qemus_ports_switch_off),
		CASE(the_panic_device_tells),
		CASE(the_debug_exit_device_takes_any_width),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
