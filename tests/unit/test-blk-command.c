/* The request parser of the block device: what is taken, what is answered with which status, and
 * that it does not matter how the driver cut its buffers (VIRTIO 1.4, 5.2.6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/param.h>

#include <cmocka.h>

#include "devices/blk/command.h"
#include "devices/blk/wire.h"

#define CAPACITY 1000u

static const struct blk_limits writable = {
	.capacity = CAPACITY,
	.max_discard = 100,
	.max_zeroes = 50,
	.discard = true,
	.write_zeroes = true,
};

/* A chain over flat buffers, the readable one cut in two at @cut. */
struct request {
	struct vq_chain chain;
	struct iovec rd[2], wr[1];
	uint8_t readable[1024];
	uint8_t writable[4096];
};

static struct vq_chain *make(struct request *r, size_t n_rd, size_t n_wr, size_t cut)
{
	unsigned n = 0;

	if (cut)
		r->rd[n++] = (struct iovec){ r->readable, cut };
	if (n_rd > cut)
		r->rd[n++] = (struct iovec){ r->readable + cut, n_rd - cut };
	r->wr[0] = (struct iovec){ r->writable, n_wr };
	r->chain = (struct vq_chain){
		.rd = { .iov = r->rd, .n = n, .left = n_rd },
		.wr = { .iov = r->wr, .n = n_wr ? 1 : 0, .left = n_wr },
	};
	return &r->chain;
}

static void header(struct request *r, uint32_t type, uint64_t sector)
{
	struct blk_header h = { .type = cpu_le32(type), .sector = cpu_le64(sector) };

	memcpy(r->readable, &h, sizeof(h));
}

static void range(struct request *r, unsigned i, uint64_t sector, uint32_t n, uint32_t flags)
{
	struct blk_range w = { cpu_le64(sector), cpu_le32(n), cpu_le32(flags) };

	memcpy(r->readable + sizeof(struct blk_header) + i * sizeof(w), &w, sizeof(w));
}

static uint8_t parse_io(const struct blk_limits *l, uint32_t type, uint64_t sector, size_t len)
{
	struct blk_command cmd;
	struct request r;

	header(&r, type, sector);
	return blk_parse(
		make(&r, 16 + (type == BLK_T_OUT ? len : 0), type == BLK_T_IN ? len : 0, 16), l,
		&cmd);
}

static void header_may_be_cut_anywhere(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= 16 + 512; cut++) {
		struct blk_command cmd;
		struct request r;

		header(&r, BLK_T_OUT, 7);
		r.readable[16] = 0xa5;
		assert_int_equal(blk_parse(make(&r, 16 + 512, 0, cut), &writable, &cmd), BLK_S_OK);
		assert_int_equal(cmd.type, BLK_T_OUT);
		assert_int_equal(cmd.offset, 7 * 512);
		assert_int_equal(cmd.len, 512);
		assert_int_equal(r.chain.rd.left, 512);
		assert_int_equal(*(uint8_t *)r.chain.rd.iov[0].iov_base, 0xa5);
	}
}

static void short_header_is_an_error(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(struct blk_header); n++) {
		struct blk_command cmd;
		struct request r;

		header(&r, BLK_T_FLUSH, 0);
		assert_int_equal(blk_parse(make(&r, n, 0, n / 2), &writable, &cmd), BLK_S_IOERR);
	}
}

static void requests_end_where_the_disk_does(void **state)
{
	static const struct {
		uint64_t sector;
		size_t sectors;
		uint8_t status;
	} rows[] = {
		{ 0, 1, BLK_S_OK },
		{ CAPACITY - 1, 1, BLK_S_OK },
		{ CAPACITY - 2, 2, BLK_S_OK },
		{ CAPACITY - 1, 2, BLK_S_IOERR },
		{ CAPACITY, 0, BLK_S_OK },
		{ CAPACITY, 1, BLK_S_IOERR },
		{ CAPACITY + 1, 0, BLK_S_IOERR },
		{ UINT64_MAX, 1, BLK_S_IOERR },
		{ UINT64_MAX, 0, BLK_S_IOERR },
		{ UINT64_MAX / 512, 1, BLK_S_IOERR },
		{ UINT64_MAX / 512 + 1, 1, BLK_S_IOERR }, /* times 512 wraps to 0 */
		{ UINT64_MAX - 1, 2, BLK_S_IOERR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			parse_io(&writable, BLK_T_IN, rows[i].sector, rows[i].sectors * 512),
			rows[i].status);
}

static void data_is_whole_sectors(void **state)
{
	(void)state;
	assert_int_equal(parse_io(&writable, BLK_T_IN, 0, 511), BLK_S_IOERR);
	assert_int_equal(parse_io(&writable, BLK_T_IN, 0, 513), BLK_S_IOERR);
	assert_int_equal(parse_io(&writable, BLK_T_OUT, 0, 1), BLK_S_IOERR);
	assert_int_equal(parse_io(&writable, BLK_T_OUT, 0, 0), BLK_S_OK);
}

static void read_only_disk_refuses_writes(void **state)
{
	struct blk_limits l = writable;

	(void)state;
	l.ro = true;
	l.discard = l.write_zeroes = false;
	assert_int_equal(parse_io(&l, BLK_T_OUT, 0, 512), BLK_S_IOERR);
	assert_int_equal(parse_io(&l, BLK_T_IN, 0, 512), BLK_S_OK);
}

static void a_flush_that_does_nothing_is_unsupported(void **state)
{
	struct blk_limits l = writable;

	(void)state;
	assert_int_equal(parse_io(&l, BLK_T_FLUSH, 0, 0), BLK_S_OK);
	l.no_flush = true;
	assert_int_equal(parse_io(&l, BLK_T_FLUSH, 0, 0), BLK_S_UNSUPP);
}

/* Every type there is or could be, but for those we know. */
static void unknown_types_are_unsupported(void **state)
{
	(void)state;
	for (uint32_t type = 0; type < 300; type++) {
		if (type == BLK_T_IN || type == BLK_T_OUT || type == BLK_T_FLUSH ||
		    type == BLK_T_GET_ID || type == BLK_T_DISCARD || type == BLK_T_WRITE_ZEROES)
			continue;
		assert_int_equal(parse_io(&writable, type, 0, 0), BLK_S_UNSUPP);
	}
	assert_int_equal(parse_io(&writable, UINT32_MAX, 0, 0), BLK_S_UNSUPP);
	assert_int_equal(parse_io(&writable, BLK_T_OUT | 1u << 31, 0, 0), BLK_S_UNSUPP);
}

static uint8_t parse_range(uint32_t type, uint64_t sector, uint32_t n, uint32_t flags)
{
	struct blk_command cmd;
	struct request r;

	header(&r, type, 0);
	range(&r, 0, sector, n, flags);
	return blk_parse(make(&r, 32, 0, 16), &writable, &cmd);
}

static void ranges_are_judged_one_by_one(void **state)
{
	(void)state;
	assert_int_equal(parse_range(BLK_T_DISCARD, 0, 100, 0), BLK_S_OK);
	assert_int_equal(parse_range(BLK_T_DISCARD, 0, 101, 0), BLK_S_IOERR);
	assert_int_equal(parse_range(BLK_T_DISCARD, CAPACITY - 1, 2, 0), BLK_S_IOERR);
	assert_int_equal(parse_range(BLK_T_DISCARD, UINT64_MAX, 1, 0), BLK_S_IOERR);
	assert_int_equal(parse_range(BLK_T_DISCARD, 0, 1, 1), BLK_S_UNSUPP);
	assert_int_equal(parse_range(BLK_T_DISCARD, 0, 1, 2), BLK_S_UNSUPP);
	assert_int_equal(parse_range(BLK_T_DISCARD, UINT64_MAX, 1, 2), BLK_S_UNSUPP);
	assert_int_equal(parse_range(BLK_T_WRITE_ZEROES, 0, 50, 1), BLK_S_OK);
	assert_int_equal(parse_range(BLK_T_WRITE_ZEROES, 0, 50, 0), BLK_S_OK);
	assert_int_equal(parse_range(BLK_T_WRITE_ZEROES, 0, 51, 0), BLK_S_IOERR);
	assert_int_equal(parse_range(BLK_T_WRITE_ZEROES, 0, 1, 1u << 31), BLK_S_UNSUPP);
}

static void ranges_may_be_cut_anywhere(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= 48; cut++) {
		struct blk_command cmd;
		struct request r;

		header(&r, BLK_T_WRITE_ZEROES, 0);
		range(&r, 0, 10, 3, BLK_RANGE_UNMAP);
		range(&r, 1, 999, 1, 0);
		assert_int_equal(blk_parse(make(&r, 48, 0, cut), &writable, &cmd), BLK_S_OK);
		assert_int_equal(cmd.n_ranges, 2);
		assert_int_equal(cmd.range[0].sector, 10);
		assert_int_equal(cmd.range[0].n_sectors, 3);
		assert_true(cmd.range[0].unmap);
		assert_int_equal(cmd.range[1].sector, 999);
		assert_int_equal(cmd.range[1].n_sectors, 1);
		assert_false(cmd.range[1].unmap);
	}
}

static void number_of_ranges_is_limited(void **state)
{
	(void)state;
	for (unsigned n = 0; n <= BLK_RANGES_MAX + 1; n++) {
		bool good = n >= 1 && n <= BLK_RANGES_MAX;
		struct blk_command cmd;
		struct request r;

		header(&r, BLK_T_DISCARD, 0);
		for (unsigned i = 0; i < n; i++)
			range(&r, i, i, 1, 0);
		assert_int_equal(blk_parse(make(&r, 16 + 16 * n, 0, 16), &writable, &cmd),
				 good ? BLK_S_OK : BLK_S_IOERR);
		if (n) /* not a whole range */
			assert_int_equal(
				blk_parse(make(&r, 16 + 16 * n - 1, 0, 16), &writable, &cmd),
				BLK_S_IOERR);
	}
}

/* Wherever the flag is, and whatever else is wrong: the length, another range. */
static void unknown_flags_come_before_other_mistakes(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= BLK_RANGES_MAX + 1; n++)
		for (unsigned bad = 0; bad < MIN(n, BLK_RANGES_MAX); bad++) {
			struct blk_command cmd;
			struct request r;

			header(&r, BLK_T_DISCARD, 0);
			for (unsigned i = 0; i < n; i++)
				range(&r, i, UINT64_MAX, 1, i == bad ? 4 : 0);
			assert_int_equal(blk_parse(make(&r, 16 + 16 * n, 0, 16), &writable, &cmd),
					 BLK_S_UNSUPP);
			assert_int_equal(
				blk_parse(make(&r, 16 + 16 * n + 7, 0, 16), &writable, &cmd),
				BLK_S_UNSUPP);
		}
}

static void what_was_not_negotiated_is_unsupported(void **state)
{
	struct blk_limits l = writable;
	struct blk_command cmd;
	struct request r;

	(void)state;
	l.discard = l.write_zeroes = false;
	range(&r, 0, 0, 1, 0);
	header(&r, BLK_T_DISCARD, 0);
	assert_int_equal(blk_parse(make(&r, 32, 0, 16), &l, &cmd), BLK_S_UNSUPP);
	header(&r, BLK_T_WRITE_ZEROES, 0);
	assert_int_equal(blk_parse(make(&r, 32, 0, 16), &l, &cmd), BLK_S_UNSUPP);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_may_be_cut_anywhere),
		cmocka_unit_test(short_header_is_an_error),
		cmocka_unit_test(requests_end_where_the_disk_does),
		cmocka_unit_test(data_is_whole_sectors),
		cmocka_unit_test(read_only_disk_refuses_writes),
		cmocka_unit_test(unknown_types_are_unsupported),
		cmocka_unit_test(ranges_are_judged_one_by_one),
		cmocka_unit_test(ranges_may_be_cut_anywhere),
		cmocka_unit_test(number_of_ranges_is_limited),
		cmocka_unit_test(a_flush_that_does_nothing_is_unsupported),
		cmocka_unit_test(unknown_flags_come_before_other_mistakes),
		cmocka_unit_test(what_was_not_negotiated_is_unsupported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
