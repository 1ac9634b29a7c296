/* Guest RAM around the hole below 4 GiB. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/ram.h"
#include "vmm/x86/layout.h"

static void open_ram(struct ram *ram, uint64_t size)
{
	GError *err = NULL;

	if (!ram_open(ram, size, &err))
		fail_msg("%s", err->message);
	assert_int_equal(ram->size, size);
}

static void small_memory_is_one_region_from_zero(void **state)
{
	struct ram ram;

	(void)state;
	open_ram(&ram, 256u << 20);
	assert_int_equal(ram.mem.n, 1);
	assert_int_equal(ram.mem.region[0].gpa, 0);
	assert_non_null(gmem_at(&ram.mem, 0, 256u << 20));
	assert_null(gmem_at(&ram.mem, 256u << 20, 1));
	ram_close(&ram);
}

static void memory_beyond_the_hole_continues_at_4_gib(void **state)
{
	struct ram ram;
	uint64_t high = 5ull << 30;

	(void)state;
	open_ram(&ram, LAYOUT_HOLE + high);
	assert_int_equal(ram.mem.n, 2);
	assert_non_null(gmem_at(&ram.mem, LAYOUT_HOLE - 1, 1));
	assert_null(gmem_at(&ram.mem, LAYOUT_HOLE, 1));
	assert_null(gmem_at(&ram.mem, LAYOUT_HIGH - 1, 1));
	assert_non_null(gmem_at(&ram.mem, LAYOUT_HIGH, high));
	assert_null(gmem_at(&ram.mem, LAYOUT_HIGH + high, 1));
	ram_close(&ram);
}

static void the_hole_is_empty_when_memory_ends_at_it(void **state)
{
	struct ram ram;

	(void)state;
	open_ram(&ram, LAYOUT_HOLE);
	assert_int_equal(ram.mem.n, 1);
	assert_null(gmem_at(&ram.mem, LAYOUT_HIGH, 1));
	ram_close(&ram);
}

static void memory_is_zero_and_both_ends_are_usable(void **state)
{
	struct ram ram;
	uint8_t *last;

	(void)state;
	open_ram(&ram, 8u << 20);
	last = gmem_at(&ram.mem, (8u << 20) - 1, 1);
	assert_non_null(last);
	assert_int_equal(ram.hva[0], 0);
	assert_int_equal(*last, 0);
	ram.hva[0] = *last = 0xaa;
	assert_int_equal((uintptr_t)ram.hva % (2u << 20), 0); /* or no large page would fit */
	ram_close(&ram);
	ram_close(&ram); /* once more is fine */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_memory_is_one_region_from_zero),
		cmocka_unit_test(memory_beyond_the_hole_continues_at_4_gib),
		cmocka_unit_test(the_hole_is_empty_when_memory_ends_at_it),
		cmocka_unit_test(memory_is_zero_and_both_ends_are_usable),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
