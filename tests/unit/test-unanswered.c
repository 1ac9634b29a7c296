/* Accesses that nobody answers: what a guest does often is known, whatever else it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib.h>

#include "vmm/machine/arch.h"
#include "vmm/machine/unanswered.h"
#include "vmm/sandbox/sandbox.h"

static struct unanswered all[UNANSWERED_MAX];
static uint64_t sum;

static int setup(void **state)
{
	*state = unanswered_new();
	return 0;
}

static int teardown(void **state)
{
	unanswered_free(*state);
	return 0;
}

static void places_are_counted_most_first(void **state)
{
	struct unanswered_table *t = *state;

	unanswered_add(t, true, 0x70, 2, true);
	for (unsigned i = 0; i < 5; i++)
		unanswered_add(t, true, 0x40, 1, false);
	unanswered_add(t, true, 0x40, 1, true);
	unanswered_add(t, false, 0x40, 4, false); /* memory is another space */
	assert_int_equal(unanswered_get(t, all, &sum), 3);
	assert_int_equal(sum, 8);
	assert_true(all[0].io && all[0].exact && !all[0].several);
	assert_int_equal(all[0].addr, 0x40);
	assert_int_equal(all[0].reads, 5);
	assert_int_equal(all[0].writes, 1);
	assert_false(all[1].io);
	assert_int_equal(all[1].len, 4);
	assert_int_equal(all[2].addr, 0x70);
	assert_int_equal(all[2].writes, 1);
	unanswered_reset(t);
	assert_int_equal(unanswered_get(t, all, &sum), 0);
	assert_int_equal(sum, 0);
}

/* Whoever asks is sealed. */
static void a_full_table_is_told_in_the_sandbox(void **state)
{
	struct unanswered_table *t = *state;
	g_autoptr(GError) err = NULL;
	struct sandbox_filter *filter = sandbox_filter_new(SANDBOX_MAIN, NULL, 0, &err);
	pid_t pid;
	int status;

	assert_null(err);
	for (unsigned i = 0; i < UNANSWERED_MAX; i++)
		for (unsigned n = 0; n <= i; n++)
			unanswered_add(t, true, 0x1000 + i, 1, false);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (sandbox_seal(filter) < 0 || unanswered_get(t, all, &sum) != UNANSWERED_MAX)
			_exit(1);
		for (unsigned i = 0; i < UNANSWERED_MAX; i++)
			if (all[i].reads != UNANSWERED_MAX - i)
				_exit(2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	sandbox_filter_free(filter);
}

static void memory_is_counted_by_page(void **state)
{
	struct unanswered_table *t = *state;

	for (unsigned i = 0; i < 3; i++)
		unanswered_add(t, false, 0xfed000f0, 8, false);
	assert_int_equal(unanswered_get(t, all, &sum), 1);
	assert_false(all[0].several);
	unanswered_add(t, false, 0xfed00010, 8, true);
	unanswered_add(t, false, 0xfed01000, 8, true);
	assert_int_equal(unanswered_get(t, all, &sum), 2);
	assert_true(all[0].several);
	assert_int_equal(all[0].reads, 3);
	assert_int_equal(all[0].writes, 1);
	assert_int_equal(all[0].addr, 0xfed00010);
}

/* A guest that goes over all ports, again and again, hides nothing that it does more often, and
 * makes the table no larger. */
static void who_waits_is_found_among_everything_else(void **state)
{
	struct unanswered_table *t = *state;

	for (unsigned round = 0; round < 3; round++)
		for (unsigned port = 0x1000; port < 0x3000; port++) {
			unanswered_add(t, true, port, 1, true);
			if (port % 8 == 0)
				unanswered_add(t, true, 0x40, 1, false);
		}
	assert_int_equal(unanswered_get(t, all, &sum), UNANSWERED_MAX);
	assert_int_equal(sum, 3 * (0x2000 + 0x400));
	assert_int_equal(all[0].addr, 0x40);
	assert_in_range(all[0].reads, 0x400, 3 * 0x400);
	assert_false(all[1].exact);
}

/*
 * What a PC has there.
 */
static const struct machine_pc none, both = { .pit = true, .rtc = true };

static void places_have_names_and_the_option_that_gives_them(void **state)
{
	static const struct {
		bool io;
		uint64_t addr;
		const char *name, *gives;
	} rows[] = {
		{ true, 0x40, "interval timer (PIT)", "--pc pit=on" },
		{ true, 0x43, "interval timer (PIT)", "--pc pit=on" },
		{ true, 0x71, "clock (RTC)", "--pc rtc=on" },
		{ true, 0xe9, "debug console", "--debugcon STREAM" },
		{ true, 0x1f7, "IDE disk", "--disk FILE gives a virtio disk" },
		{ true, 0x5658, "VMware's backdoor", NULL },
		{ true, 0xc012, "I/O BAR of a PCI function (legacy virtio has one)", NULL },
		{ false, 0xfed000f0, "HPET", NULL },
		{ false, 0xfed40000, "TPM", NULL },
	};
	struct arch_known known;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		assert_true(arch_known_place(rows[i].io, rows[i].addr, &none, &known));
		assert_string_equal(known.name, rows[i].name);
		assert_int_equal(g_strcmp0(known.gives, rows[i].gives), 0);
		assert_false(known.there);
		assert_false(known.idle);
	}
	assert_false(arch_known_place(true, 0x1234, &none, &known));
	assert_false(arch_known_place(false, 0x40, &none, &known));
	assert_true(arch_known_place(true, 0x40, &both, &known) && known.there);
	assert_true(arch_known_place(true, 0xe9, &both, &known) && !known.there);
	assert_true(arch_known_place(true, 0x80, &none, &known) && known.idle);
}

#define RAM    (1u << 20)
#define SCREEN 0xb8000u

static void show(uint8_t *ram, unsigned row, const char *text)
{
	for (unsigned i = 0; text[i]; i++) {
		ram[SCREEN + 160 * row + 2 * i] = (uint8_t)text[i];
		ram[SCREEN + 160 * row + 2 * i + 1] = 7;
	}
}

static void what_was_written_to_a_screen_can_be_read(void **state)
{
	g_autofree uint8_t *ram = g_malloc0(RAM);
	struct gmem mem = { 0 }, small = { 0 };
	g_autofree char *text = NULL;

	(void)state;
	assert_int_equal(gmem_add(&mem, 0, RAM, ram), 0);
	assert_null(arch_screen_text(&mem));
	show(ram, 0, "booting\x1b now");
	show(ram, 3, "  panic: no timer  ");
	show(ram, 24, "_");
	text = arch_screen_text(&mem);
	assert_string_equal(text, "panic: no timer");
	memset(ram + SCREEN, 0xf7, 4000); /* no text */
	assert_null(arch_screen_text(&mem));
	assert_int_equal(gmem_add(&small, 0, SCREEN, ram), 0);
	assert_null(arch_screen_text(&small));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(places_are_counted_most_first),
		CASE(a_full_table_is_told_in_the_sandbox),
		CASE(memory_is_counted_by_page),
		CASE(who_waits_is_found_among_everything_else),
		cmocka_unit_test(places_have_names_and_the_option_that_gives_them),
		cmocka_unit_test(what_was_written_to_a_screen_can_be_read),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
