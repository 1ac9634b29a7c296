/* Chains: two cursors over bytes, however the driver cut them. */
#include "virtqueue/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/ringpair.h"

/* A chain of @n_rd and @n_wr buffers of @len bytes; the readable ones hold 0, 1, 2, ... */
static struct vq_chain *chain_of(struct ringpair *p, uint64_t gpa, uint32_t len, unsigned n_rd,
				 unsigned n_wr)
{
	const struct ringpair_spec spec = { .size = 256 };

	ringpair_open(p, &spec);
	for (unsigned i = 0; i < n_rd * len; i++)
		*(uint8_t *)ringpair_at(p, gpa + i) = i;
	ringpair_send(p, gpa, len, n_rd, n_wr);
	return ringpair_pop(p);
}

static uint32_t finish(struct ringpair *p, struct vq_chain *c)
{
	uint32_t len;

	vq_push(p->vq, c);
	vq_publish(p->vq);
	len = ringpair_used(p);
	ringpair_close(p);
	return len;
}

/* DEV-SPLIT-FRAMING-01 */
static void a_header_may_be_cut_anywhere(void **state)
{
	for (uint32_t len = 1; len <= 32; len++) {
		struct ringpair p;
		struct vq_chain *c = chain_of(&p, RINGPAIR_DATA, len, 32, 0);
		uint8_t bytes[32];

		assert_int_equal(c->rd.left, len * 32);
		assert_true(vq_pull(c, bytes, 32));
		for (unsigned i = 0; i < 32; i++)
			assert_int_equal(bytes[i], i);
		assert_int_equal(c->rd.left, len * 32 - 32);
		assert_int_equal(finish(&p, c), 0);
	}
	(void)state;
}

static void a_short_pull_consumes_nothing(void **state)
{
	struct ringpair p;
	struct vq_chain *c = chain_of(&p, RINGPAIR_DATA, 5, 2, 0);
	uint8_t bytes[16];

	(void)state;
	assert_false(vq_pull(c, bytes, 11));
	assert_false(vq_skip(c, 11));
	assert_int_equal(c->rd.left, 10);
	assert_true(vq_skip(c, 3));
	assert_int_equal(vq_pull_some(c, bytes, sizeof(bytes)), 7);
	assert_int_equal(bytes[0], 3);
	assert_int_equal(bytes[6], 9);
	assert_int_equal(c->rd.n, 0);
	assert_int_equal(vq_pull_some(c, bytes, 1), 0);
	finish(&p, c);
}

static void what_is_put_is_counted(void **state)
{
	struct ringpair p;
	struct vq_chain *c = chain_of(&p, RINGPAIR_DATA, 8, 1, 3);
	uint8_t *wr = ringpair_at(&p, RINGPAIR_DATA + 8);

	(void)state;
	memset(wr, 0xff, 24);
	assert_true(vq_put(c, "0123456789", 10));
	assert_true(vq_put_zeroes(c, 3));
	assert_false(vq_put(c, "0123456789abc", 12));
	assert_false(vq_put_zeroes(c, 12));
	assert_false(vq_wrote(c, 12));
	assert_int_equal(vq_put_some(c, "abcdefghijklmnop", 16), 11);
	assert_int_equal(vq_put_some(c, "x", 1), 0);
	assert_memory_equal(wr, "0123456789\0\0\0abcdefghijk", 24);
	assert_int_equal(finish(&p, c), 24);
}

static void short_pieces_are_put_whole(void **state)
{
	static const char from[] = "0123456789abcdefghij";

	(void)state;
	for (size_t len = 1; len < sizeof(from); len++) {
		struct ringpair p;
		struct vq_chain *c = chain_of(&p, RINGPAIR_DATA, 32, 0, 1);
		uint8_t *wr = ringpair_at(&p, RINGPAIR_DATA), expected[32];

		memset(wr, 0xff, 32);
		memset(expected, 0xff, 32);
		expected[0] = 'x'; /* so that the rest is at an odd address */
		memcpy(expected + 1, from, len);
		assert_true(vq_put(c, "x", 1));
		assert_true(vq_put(c, from, len));
		assert_memory_equal(wr, expected, 32);
		assert_int_equal(finish(&p, c), len + 1);
	}
}

static void data_that_went_past_us_is_counted_too(void **state)
{
	struct ringpair p;
	struct vq_chain *c = chain_of(&p, RINGPAIR_DATA, 8, 0, 3);

	(void)state;
	memset(c->wr.iov[0].iov_base, 1, 8);
	assert_true(vq_wrote(c, 12));
	assert_int_equal(c->wr.n, 2);
	assert_int_equal(c->wr.left, 12);
	assert_int_equal(c->wr.iov[0].iov_len, 4);
	assert_int_equal(finish(&p, c), 12);
}

static void the_last_bytes_can_be_set_aside(void **state)
{
	struct ringpair p;
	struct vq_chain *c = chain_of(&p, RINGPAIR_DATA, 8, 0, 2);
	struct iovec status, more;

	(void)state;
	assert_true(vq_take_last(&c->wr, 1, &status));
	assert_ptr_equal(status.iov_base, ringpair_at(&p, RINGPAIR_DATA + 15));
	assert_int_equal(c->wr.left, 15);
	assert_false(vq_take_last(&c->wr, 8, &more));
	assert_true(vq_take_last(&c->wr, 7, &more));
	assert_int_equal(c->wr.n, 1);
	assert_true(vq_take_last(&c->wr, 8, &more));
	assert_int_equal(c->wr.n, 0);
	assert_int_equal(c->wr.left, 0);
	assert_false(vq_take_last(&c->wr, 1, &more));
	assert_false(vq_take_last(&c->rd, 1, &more));
	finish(&p, c);
}

/* DEV-SPLIT-USED-02: the length has no holes in it. */
static void a_trailer_counts_only_behind_complete_data(void **state)
{
	for (unsigned done = 0; done <= 8; done += 8) {
		struct ringpair p;
		struct vq_chain *c = chain_of(&p, RINGPAIR_DATA, 9, 0, 1);
		struct iovec status;

		assert_true(vq_take_last(&c->wr, 1, &status));
		assert_true(vq_put_zeroes(c, done));
		vq_put_last(c, &status, "\x5a");
		assert_int_equal(*(uint8_t *)ringpair_at(&p, RINGPAIR_DATA + 8), 0x5a);
		assert_int_equal(finish(&p, c), done ? 9 : 0);
	}
	(void)state;
}

static void the_used_length_is_never_more_than_there_was(void **state)
{
	struct ringpair p;
	struct vq_chain *c = chain_of(&p, RINGPAIR_DATA, 8, 1, 1);

	(void)state;
	c->written = 1000;
	assert_int_equal(finish(&p, c), 8);
}

static void buffers_may_cross_regions(void **state)
{
	struct ringpair p;
	struct vq_chain *c = chain_of(&p, RINGPAIR_BORDER - 20, 16, 2, 1);
	uint8_t bytes[32];

	(void)state;
	assert_int_equal(c->rd.n, 3);
	assert_int_equal(c->rd.left, 32);
	assert_true(vq_pull(c, bytes, 32));
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(bytes[i], i);
	assert_true(vq_put(c, bytes, 16));
	assert_int_equal(finish(&p, c), 16);

	c = chain_of(&p, RINGPAIR_BORDER - 24, 16, 1, 1);
	assert_int_equal(c->wr.n, 2);
	assert_true(vq_put(c, bytes, 16));
	assert_memory_equal(ringpair_at(&p, RINGPAIR_BORDER), bytes + 8, 8);
	assert_int_equal(finish(&p, c), 16);
}

/* More buffers than a chain's slot has room for. */
static void long_chains_keep_their_order(void **state)
{
	for (unsigned n = 6; n <= 256; n += 25) {
		struct ringpair p;
		struct vq_chain *c = chain_of(&p, RINGPAIR_BORDER - 70, 7, n - 3, 3);
		uint8_t bytes[256 * 7];

		assert_int_equal(c->rd.left, (n - 3) * 7);
		assert_int_equal(c->wr.left, 21);
		assert_true(vq_pull(c, bytes, c->rd.left));
		for (unsigned i = 0; i < (n - 3) * 7; i++)
			assert_int_equal(bytes[i], (uint8_t)i);
		assert_true(vq_put_zeroes(c, 21));
		assert_int_equal(finish(&p, c), 21);
	}
	(void)state;
}

static void a_request_has_room_of_its_own(void **state)
{
	const struct ringpair_spec spec = { .size = 4 };
	struct ringpair p;
	struct vq_chain *c[4];

	(void)state;
	ringpair_open(&p, &spec);
	for (unsigned i = 0; i < 4; i++)
		ringpair_send(&p, RINGPAIR_DATA, 64, 0, 1);
	assert_int_equal(vq_pop(p.vq, c, 4), 4);
	for (unsigned i = 0; i < 4; i++) {
		uint8_t *room = vq_chain_request(c[i]);

		assert_int_equal((uintptr_t)room % 16, 0);
		for (unsigned k = 0; k < p.cfg.request_size; k++)
			assert_int_equal(room[k], 0);
		memset(room, i + 1, p.cfg.request_size);
	}
	for (unsigned i = 0; i < 4; i++) {
		uint8_t *room = vq_chain_request(c[i]);

		assert_int_equal(room[0], i + 1);
		assert_int_equal(room[p.cfg.request_size - 1], i + 1);
		assert_int_equal(c[i]->wr.left, 64);
		vq_push(p.vq, c[i]);
	}
	ringpair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_may_be_cut_anywhere),
		cmocka_unit_test(a_short_pull_consumes_nothing),
		cmocka_unit_test(what_is_put_is_counted),
		cmocka_unit_test(short_pieces_are_put_whole),
		cmocka_unit_test(data_that_went_past_us_is_counted_too),
		cmocka_unit_test(the_last_bytes_can_be_set_aside),
		cmocka_unit_test(a_trailer_counts_only_behind_complete_data),
		cmocka_unit_test(the_used_length_is_never_more_than_there_was),
		cmocka_unit_test(buffers_may_cross_regions),
		cmocka_unit_test(long_chains_keep_their_order),
		cmocka_unit_test(a_request_has_room_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
