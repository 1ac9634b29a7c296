/* Guest memory: what is memory, what is not, and what lies across a border. */
#include "virtqueue/gmem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TOP 0xfffffffffffff000ull

static _Alignas(4096) uint8_t low[4096], high[4096], top[4096];

/* [0, 4096), [8192, 12288) and the last whole page but one byte of the address space. */
static struct gmem three_regions(void)
{
	struct gmem mem = { 0 };

	assert_int_equal(gmem_add(&mem, 0, 4096, low), 0);
	assert_int_equal(gmem_add(&mem, 8192, 4096, high), 0);
	assert_int_equal(gmem_add(&mem, TOP, 4095, top), 0);
	return mem;
}

static void an_address_is_found_in_its_region(void **state)
{
	struct gmem mem = three_regions();

	(void)state;
	assert_ptr_equal(gmem_at(&mem, 0, 1), low);
	assert_ptr_equal(gmem_at(&mem, 4095, 1), low + 4095);
	assert_ptr_equal(gmem_at(&mem, 8192, 4096), high);
	assert_ptr_equal(gmem_at(&mem, 9000, 100), high + 808);
	assert_ptr_equal(gmem_at(&mem, TOP + 4094, 1), top + 4094);
}

static void what_is_not_all_in_one_region_is_refused(void **state)
{
	struct gmem mem = three_regions();

	(void)state;
	assert_null(gmem_at(&mem, 4096, 1));
	assert_null(gmem_at(&mem, 4095, 2));
	assert_null(gmem_at(&mem, 8191, 1));
	assert_null(gmem_at(&mem, 8192, 4097));
	assert_null(gmem_at(&mem, 12288, 1));
	assert_null(gmem_at(&mem, TOP + 4095, 1));
}

static void sums_that_wrap_are_refused(void **state)
{
	struct gmem mem = three_regions();

	(void)state;
	assert_null(gmem_at(&mem, 8192, UINT64_MAX));
	assert_null(gmem_at(&mem, 9000, UINT64_MAX - 9000 + 1));
	assert_null(gmem_at(&mem, UINT64_MAX, 2));
	assert_null(gmem_at(&mem, TOP + 1, UINT64_MAX));
	assert_null(gmem_at(&mem, 1, UINT64_MAX));
	assert_false(gmem_has(&mem, TOP, UINT64_MAX));
	assert_false(gmem_has(&mem, TOP, 4097)); /* would go on at 0 */
}

static void no_bytes_are_allowed_inside_a_region_only(void **state)
{
	struct gmem mem = three_regions();

	(void)state;
	assert_ptr_equal(gmem_at(&mem, 100, 0), low + 100);
	assert_null(gmem_at(&mem, 4096, 0));
}

static void room_counts_to_the_end_of_the_region(void **state)
{
	struct gmem mem = three_regions();

	(void)state;
	assert_int_equal(gmem_room(&mem, 0), 4096);
	assert_int_equal(gmem_room(&mem, 4095), 1);
	assert_int_equal(gmem_room(&mem, 4096), 0);
	assert_int_equal(gmem_room(&mem, 8200), 4088);
	assert_int_equal(gmem_room(&mem, UINT64_MAX), 0);
}

static void a_bad_region_is_not_added(void **state)
{
	struct gmem mem = three_regions();

	(void)state;
	assert_int_equal(gmem_add(&mem, 4096, 0, low), -EINVAL);
	assert_int_equal(gmem_add(&mem, 4095, 16, low + 15), -EINVAL);
	assert_int_equal(gmem_add(&mem, 4096, 4097, low), -EINVAL);
	assert_int_equal(gmem_add(&mem, 8000, 9000, low), -EINVAL);
	assert_int_equal(gmem_add(&mem, 12287, 1, low + 15), -EINVAL);
	assert_int_equal(gmem_add(&mem, 1ull << 40, UINT64_MAX, low), -EINVAL);
	assert_int_equal(gmem_add(&mem, UINT64_MAX & ~15ull, 16, low), -EINVAL);
	assert_int_equal(gmem_add(&mem, 4096, 16, low + 8), -EINVAL); /* alignment would differ */
	assert_int_equal(mem.n, 3);
}

static void a_full_table_says_so(void **state)
{
	struct gmem mem = { 0 };

	(void)state;
	for (unsigned i = 0; i < GMEM_REGIONS_MAX; i++)
		assert_int_equal(gmem_add(&mem, 32ull * i, 16, low), 0);
	assert_int_equal(gmem_add(&mem, 1u << 20, 16, low), -ENOSPC);
}

static void copies_go_across_regions(void **state)
{
	struct gmem mem = { 0 };
	char text[] = "across the border", back[sizeof(text)] = { 0 };

	(void)state;
	assert_int_equal(gmem_add(&mem, 0, 4096, low), 0);
	assert_int_equal(gmem_add(&mem, 4096, 4096, top), 0);
	assert_true(gmem_has(&mem, 4090, sizeof(text)));
	assert_null(gmem_at(&mem, 4090, sizeof(text)));
	assert_true(gmem_write(&mem, 4090, text, sizeof(text)));
	assert_memory_equal(low + 4090, "across", 6);
	assert_memory_equal(top, " the border", 11);
	assert_true(gmem_read(&mem, 4090, back, sizeof(back)));
	assert_string_equal(back, text);
}

static void copies_stop_where_memory_does(void **state)
{
	struct gmem mem = three_regions();
	char bytes[64] = { 0 };

	(void)state;
	assert_false(gmem_read(&mem, 4090, bytes, 7));
	assert_false(gmem_write(&mem, 4090, bytes, 7));
	assert_false(gmem_read(&mem, 5000, bytes, 1));
	assert_false(gmem_has(&mem, 4090, 7));
	assert_true(gmem_read(&mem, 5000, bytes, 0));
}

/* Bits outside of memory are somebody's, too: a ring may count as being there. */
static void a_log_of_others_is_marked_by_address(void **state)
{
	struct gmem mem = three_regions();
	uint64_t bits[2] = { 0 };

	(void)state;
	gmem_log_to(&mem, bits, 70);
	gmem_mark(&mem, 0, 1);
	gmem_mark(&mem, 0x3fff, 2);
	gmem_mark(&mem, 0x5000, 0);
	gmem_mark_at(&mem, high + 4095, 1);
	gmem_mark_at(&mem, top, 4095); /* has no bit */
	assert_int_equal(bits[0], 0x1d);
	gmem_mark(&mem, 69 * 4096ull, UINT64_MAX); /* nor has what is behind it */
	gmem_mark(&mem, UINT64_MAX, UINT64_MAX);
	assert_int_equal(bits[1], 0x20);
	gmem_mark(&mem, 0, UINT64_MAX);
	assert_int_equal(bits[0], UINT64_MAX);
	assert_int_equal(bits[1], 0x3f);
	gmem_log_to(&mem, bits, 0);
	gmem_mark(&mem, 0, 1);
	gmem_log_stop(&mem);
	assert_false(mem.log);
	assert_null(mem.log_bits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_found_in_its_region),
		cmocka_unit_test(what_is_not_all_in_one_region_is_refused),
		cmocka_unit_test(sums_that_wrap_are_refused),
		cmocka_unit_test(no_bytes_are_allowed_inside_a_region_only),
		cmocka_unit_test(room_counts_to_the_end_of_the_region),
		cmocka_unit_test(a_bad_region_is_not_added),
		cmocka_unit_test(a_full_table_says_so),
		cmocka_unit_test(copies_go_across_regions),
		cmocka_unit_test(copies_stop_where_memory_does),
		cmocka_unit_test(a_log_of_others_is_marked_by_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
