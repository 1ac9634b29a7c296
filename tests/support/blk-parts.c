#include "tests/support/blk-parts.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECTOR ((size_t)512)

/*
 * A disk, and what it should hold.
 */

struct parts {
	struct disk *d;
	uint8_t *model, *seen;
	unsigned seed;
};

static void blk_parts_begin(struct parts *p, const struct disk_variant *v)
{
	*p = (struct parts){ .d = disk_open(v, PARTS_BYTES),
			     .model = disk_buffer(PARTS_BYTES),
			     .seen = disk_buffer(PARTS_BYTES) };
	disk_pattern(p->model, PARTS_BYTES, 99);
	assert_int_equal(disk_rw(p->d, BLK_WRITE, 0, p->model, PARTS_BYTES), 0);
}

static void blk_parts_check(struct parts *p)
{
	assert_int_equal(pread(p->d->fd, p->seen, PARTS_BYTES, 0), PARTS_BYTES);
	assert_memory_equal(p->seen, p->model, PARTS_BYTES);
}

static void blk_parts_finish(struct parts *p)
{
	blk_parts_check(p);
	disk_close(p->d);
	free(p->model);
	free(p->seen);
}

static uint8_t *blk_parts_fresh(struct parts *p, size_t len)
{
	uint8_t *bytes = disk_buffer(len);

	disk_pattern(bytes, len, ++p->seed);
	return bytes;
}

/* Writes from, and reads into, memory that lies at @skew from where the host would like it. */
static void write_part(struct parts *p, size_t at, size_t len, unsigned flags, size_t skew)
{
	uint8_t *bytes = blk_parts_fresh(p, len + skew);
	struct iovec v = { bytes + skew, len };
	struct blk_io io = {
		.op = BLK_WRITE, .flags = flags, .iov = &v, .n_iov = 1, .offset = at, .len = len
	};

	memcpy(p->model + at, bytes + skew, len);
	assert_int_equal(disk_run(p->d, io), 0);
	free(bytes);
}

static void read_part(struct parts *p, size_t at, size_t len, size_t skew)
{
	uint8_t *bytes = blk_parts_fresh(p, len + skew);

	assert_int_equal(disk_rw(p->d, BLK_READ, at, bytes + skew, len), 0);
	assert_memory_equal(bytes + skew, p->model + at, len);
	free(bytes);
}

static void parts_are_written_and_read(const struct disk_variant *v)
{
	struct parts p;

	blk_parts_begin(&p, v);
	for (size_t at = 0; at < 2 * PARTS_BLOCK; at += SECTOR)
		for (size_t len = SECTOR; len <= 3 * PARTS_BLOCK; len += 3 * SECTOR) {
			write_part(&p, at, len, len % 1024 ? 0 : BLK_IO_STABLE, at % 3 * 7);
			read_part(&p, at, len, at % 5);
		}
	blk_parts_check(&p);
	write_part(&p, PARTS_BYTES - SECTOR, SECTOR, 0, 0);
	write_part(&p, PARTS_BYTES - PARTS_BLOCK - SECTOR, 2 * SECTOR, 0, 1);
	read_part(&p, PARTS_BYTES - 3 * SECTOR, 3 * SECTOR, 0);
	blk_parts_finish(&p);
}

/* More than the bounce buffer takes, beginning and ending within a block. */
static void a_large_part_goes_in_pieces(const struct disk_variant *v)
{
	struct parts p;

	blk_parts_begin(&p, v);
	write_part(&p, SECTOR, 3ul * BLK_BOUNCE, 0, 0);
	read_part(&p, 7 * SECTOR, 2ul * BLK_BOUNCE + SECTOR, 0);
	write_part(&p, 5 * SECTOR, BLK_BOUNCE - SECTOR, BLK_IO_STABLE, 9);
	write_part(&p, PARTS_BLOCK, 2ul * BLK_BOUNCE + 3 * SECTOR, 0, 0);
	blk_parts_finish(&p);
}

static void parts_are_zeroed(const struct disk_variant *v)
{
	static const unsigned flags[] = { 0, BLK_IO_UNMAP, BLK_IO_STABLE };
	struct parts p;

	blk_parts_begin(&p, v);
	for (size_t i = 0; i < 2 * G_N_ELEMENTS(flags); i++)
		for (size_t at = 0, len = SECTOR; at + len <= 16 * PARTS_BLOCK; at += len) {
			len = len % (5 * PARTS_BLOCK) + 3 * SECTOR;
			((struct blk_file *)p.d->be)->no_zero_range = i % 2; /* written, then */
			memset(p.model + at, 0, len);
			assert_int_equal(disk_range(p.d, BLK_ZERO, flags[i / 2], at, len), 0);
			blk_parts_check(&p);
			write_part(&p, 0, 20 * PARTS_BLOCK, 0, 0);
		}
	blk_parts_finish(&p);
}

static void what_lies_around_a_discarded_part_stays(const struct disk_variant *v)
{
	const size_t at = 3 * SECTOR, len = 2 * PARTS_BLOCK;
	struct parts p;

	blk_parts_begin(&p, v);
	assert_int_equal(disk_range(p.d, BLK_DISCARD, 0, at, len), 0);
	assert_int_equal(disk_rw(p.d, BLK_READ, at, p.model + at, len), 0); /* whatever that is */
	blk_parts_finish(&p);
}

/*
 * Two channels, each on a thread of its own, at the same blocks.
 */

#define ROUNDS 400u

struct writer {
	struct disk *d;
	struct loop *loop;
	struct blk_channel *ch;
	struct disk_request request;
	struct iovec v;
	uint8_t *bytes;
	unsigned left, round;
	size_t first, step; /* sectors of a block: it goes over these */
	bool whole;         /* or writes all of it */
	bool zero;          /* or zeroes one now and then */
	_Atomic bool over;
};

static void writer_go(void *arg);

/* In the loop's next turn: a disk may be done before submit() returns, and 400 of these one in
 * another are more than a loop's stack has room for, under the thread sanitizer. */
static void round_done(struct blk_io *io, int result)
{
	struct writer *w = (struct writer *)((char *)io - offsetof(struct writer, request) -
					     offsetof(struct disk_request, io));

	assert_int_equal(result, 0);
	loop_post(w->loop, writer_go, w);
}

static void next_round(struct writer *w)
{
	size_t sector = w->first + w->step * (w->round % 4);
	bool zero = w->zero && w->round % 3 == 1;
	size_t at = w->whole ? 0 : sector * SECTOR, len = w->whole ? PARTS_BLOCK : SECTOR;

	if (!w->left--) {
		w->over = true;
		return;
	}
	w->round++;
	memset(w->bytes + at, zero ? 0 : (int)(w->round % 255 + 1), len);
	w->v = (struct iovec){ w->bytes + at, len };
	w->request.io = (struct blk_io){ .op = zero ? BLK_ZERO : BLK_WRITE,
					 .iov = zero ? NULL : &w->v,
					 .n_iov = !zero,
					 .offset = PARTS_BLOCK + at,
					 .len = len,
					 .done = round_done };
	w->ch->ops->submit(w->ch, &w->request.io);
}

static void nothing_more(void *arg)
{
	(void)arg;
}

static void writer_open(void *arg)
{
	struct writer *w = arg;
	const struct blk_owner owner = { w->loop, nothing_more, nothing_more, w };

	w->ch = w->d->be->ops->channel_new(w->d->be, &owner);
}

static void writer_go(void *arg)
{
	struct writer *w = arg;

	next_round(w);
	w->ch->ops->flush(w->ch);
}

static void writer_close(void *arg)
{
	struct writer *w = arg;

	assert_true(w->ch->ops->stop(w->ch)); /* all is done */
	assert_null(w->ch->ops->undone(w->ch));
	w->ch->ops->free(w->ch);
}

static void writers_run(struct disk *d, struct writer *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		w[i].d = d;
		w[i].loop = loop_new("writer");
		loop_start(w[i].loop, NULL, NULL);
		w[i].bytes = disk_buffer(PARTS_BLOCK);
		loop_call(w[i].loop, writer_open, &w[i]);
	}
	for (unsigned i = 0; i < n; i++)
		loop_post(w[i].loop, writer_go, &w[i]);
	for (unsigned i = 0; i < n; i++) {
		while (!w[i].over)
			g_usleep(200);
		loop_call(w[i].loop, nothing_more, NULL);
	}
	for (unsigned i = 0; i < n; i++) {
		loop_call(w[i].loop, writer_close, &w[i]);
		loop_free(w[i].loop);
	}
}

/* Sector by sector, each has its own: for the guest these do not overlap. */
static void parts_of_one_block_do_not_undo_each_other(const struct disk_variant *v)
{
	struct writer w[2] = { { .first = 0, .step = 2, .left = ROUNDS, .zero = true },
			       { .first = 1, .step = 2, .left = ROUNDS } };
	struct parts p;

	blk_parts_begin(&p, v);
	writers_run(p.d, w, 2);
	for (size_t sector = 0; sector < PARTS_BLOCK / SECTOR; sector++)
		memcpy(p.model + PARTS_BLOCK + sector * SECTOR,
		       w[sector % 2].bytes + sector * SECTOR, SECTOR);
	for (unsigned i = 0; i < 2; i++)
		free(w[i].bytes);
	blk_parts_finish(&p);
}

/* Of two requests that overlap either may win, but where they do not there is only one. */
static void a_part_does_not_undo_the_whole(const struct disk_variant *v)
{
	struct parts p;

	blk_parts_begin(&p, v);
	for (unsigned pass = 0; pass < 150; pass++) {
		struct writer w[2] = { { .first = 0, .step = 0, .left = 3 },
				       { .whole = true, .left = 1, .round = pass } };

		writers_run(p.d, w, 2);
		assert_int_equal(pread(p.d->fd, p.model + PARTS_BLOCK, SECTOR, PARTS_BLOCK),
				 SECTOR);
		memcpy(p.model + PARTS_BLOCK + SECTOR, w[1].bytes + SECTOR, PARTS_BLOCK - SECTOR);
		blk_parts_check(&p);
		for (unsigned i = 0; i < 2; i++)
			free(w[i].bytes);
	}
	blk_parts_finish(&p);
}

const struct parts_case parts_cases[] = {
	{ "parts of blocks are written and read", parts_are_written_and_read },
	{ "a large part goes in pieces", a_large_part_goes_in_pieces },
	{ "parts of blocks are zeroed", parts_are_zeroed },
	{ "what lies around a discarded part stays", what_lies_around_a_discarded_part_stays },
	{ "parts of one block do not undo each other", parts_of_one_block_do_not_undo_each_other },
	{ "a part does not undo the whole", a_part_does_not_undo_the_whole },
	{ 0 },
};
