/* The entropy device (5.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/conformance/conform.h"

enum { ROUNDS = 64 }; /* a bit that is always 0 by chance: once in 2^64 tests */

/* Byte for byte, over the driver's own buffers: the used length says how many are random. */
static void every_buffer_gets_a_random_byte(struct rig *r)
{
	static const uint32_t sizes[] = { 1, 2, 7, 64, 4096 };
	uint8_t ones[4096];

	rig_start(r, RIG_ALL);
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		struct rig_buf b = rig_alloc(r, sizes[i]);
		uint32_t least = sizes[i];

		memset(ones, 0, sizeof(ones));
		for (unsigned n = 0; n < ROUNDS; n++) {
			uint32_t len = rig_do(r, 0, &b, 0, 1);

			assert_in_range(len, 1, sizes[i]);
			least = MIN(least, len);
			for (uint32_t at = 0; at < len; at++)
				ones[at] |= ((uint8_t *)b.p)[at];
			memset(b.p, 0, b.len);
		}
		for (uint32_t at = 0; at < least; at++)
			assert_int_equal(ones[at], 0xff);
	}
}

static void less_than_the_buffer_may_be_filled(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 600);
	static const uint8_t zeroes[600 - 100];

	rig_start(r, RIG_ALL);
	assert_int_equal(rig_do(r, 0, &b, 0, 1), 100);
	assert_memory_equal((uint8_t *)b.p + 100, zeroes, sizeof(zeroes));
}

static const struct conform_case cases[] = {
	{ "DEV-RNG-OP-01", "every buffer gets a random byte", every_buffer_gets_a_random_byte,
	  .spec = "rng" },
	{ "DEV-RNG-OP-02", "less than the buffer may be filled", less_than_the_buffer_may_be_filled,
	  .spec = "rng,max-bytes=100" },
};

int main(void)
{
	return conform_run("rng", cases, G_N_ELEMENTS(cases));
}
