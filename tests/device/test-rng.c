/* The entropy device over every link (VIRTIO 1.4, 5.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/rig.h"

static bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static void bytes_are_many_and_differ(struct rig *r)
{
	struct rig_buf a = rig_alloc(r, 64), b = rig_alloc(r, 64);

	rig_start(r, RIG_ALL);
	assert_int_equal(rig_do(r, 0, &a, 0, 1), 64);
	assert_int_equal(rig_do(r, 0, &b, 0, 1), 64);
	assert_memory_not_equal(a.p, b.p, 64);
	assert_false(all_zero(a.p, 64)); /* once in 2^512 tests */
}

static void a_byte_is_enough(struct rig *r)
{
	struct rig_buf one = rig_alloc(r, 1);
	uint8_t seen = 0;

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(rig_do(r, 0, &one, 0, 1), 1);
		seen |= *(uint8_t *)one.p;
	}
	assert_int_equal(seen, 0xff);
}

static void a_request_may_be_in_parts(struct rig *r)
{
	struct rig_buf flat = rig_alloc(r, 100), bufs[10];

	rig_start(r, RIG_ALL);
	for (uint32_t i = 0; i < 10; i++)
		bufs[i] = rig_part(flat, i * 10, 10);
	assert_int_equal(rig_do(r, 0, bufs, 0, 10), 100);
	for (uint32_t i = 0; i < 10; i++)
		assert_false(all_zero(bufs[i].p, 10));
}

static void a_huge_request_gets_no_more_than_the_cap(struct rig *r)
{
	struct rig_buf big = rig_alloc(r, 1 << 20), bufs[32];

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 32; i++)
		bufs[i] = big; /* 32 MiB, by name */
	assert_int_equal(rig_do(r, 0, bufs, 0, 32), 1000);
	assert_false(all_zero((uint8_t *)big.p + 900, 100));
	assert_true(all_zero((uint8_t *)big.p + 1000, (1 << 20) - 1000));
}

static void the_cap_counts_over_parts(struct rig *r)
{
	struct rig_buf parts[3] = { rig_alloc(r, 600), rig_alloc(r, 600), rig_alloc(r, 600) };

	rig_start(r, RIG_ALL);
	assert_int_equal(rig_do(r, 0, parts, 0, 3), 1000);
	assert_false(all_zero((uint8_t *)parts[1].p + 300, 100));
	assert_true(all_zero((uint8_t *)parts[1].p + 400, 200));
	assert_true(all_zero(parts[2].p, 600));
}

static void many_requests_are_each_served(struct rig *r)
{
	struct rig_req *req[40];

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 40; i++) {
		struct rig_buf b = rig_alloc(r, 32);

		req[i] = rig_submit(r, 0, &b, 0, 1);
	}
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(rig_wait(r, req[i]), 32);
}

/* A loop that looks does not ask for kicks; before it sleeps it does (poll=). */
static void requests_come_while_the_loop_looks_and_while_it_sleeps(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 16);

	for (unsigned all = 0; all < 2; all++) {
		rig_start(r, all ? RIG_ALL : rig_all_but(VIRTIO_F_EVENT_IDX));
		for (unsigned i = 0; i < 500; i++) {
			assert_int_equal(rig_do(r, 0, &b, 0, 1), 16);
			g_usleep(i % 8 * 10ul);
		}
	}
}

static void nowhere_to_write_to_needs_a_reset(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 64);

	rig_start(r, RIG_ALL);
	rig_submit(r, 0, &b, 1, 0);
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
	rig_start(r, RIG_ALL);
	assert_int_equal(rig_do(r, 0, &b, 0, 1), 64);
}

#define CASE(fn)                                      \
	{                                             \
		.name = #fn, .spec = "rng", .run = fn \
	}
#define CAPPED(fn, ...)                                                           \
	{                                                                         \
		.name = #fn, .spec = "rng,max-bytes=1000", .run = fn, __VA_ARGS__ \
	}

#define LOOKING(poll)                                                                    \
	{                                                                                \
		.name = "requests_come_while_the_loop_looks_and_while_it_sleeps, " poll, \
		.spec = "rng,poll=" poll, .links = "direct-thread* mmio-thread*",        \
		.run = requests_come_while_the_loop_looks_and_while_it_sleeps,           \
	}

static const struct rig_case cases[] = {
	CASE(bytes_are_many_and_differ),
	CASE(a_byte_is_enough),
	CASE(a_request_may_be_in_parts),
	CAPPED(a_huge_request_gets_no_more_than_the_cap, .links = RIG_NOT_COPIED),
	CAPPED(the_cap_counts_over_parts),
	CASE(many_requests_are_each_served),
	CASE(nowhere_to_write_to_needs_a_reset),
	LOOKING("50us"),
	LOOKING("1000ms"),
};

int main(void)
{
	return rig_run_copied("rng", cases, G_N_ELEMENTS(cases));
}
