/*
 * The parts of `ringside fuzz vhost-user` that need no back-end: inputs, and the judgement on what
 * a device has done. The attack itself is tested by tests/fuzz-vhost-user.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/attack/rings.h"

#define OFFERED                                                        \
	(1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_INDIRECT_DESC | \
	 1ull << VIRTIO_F_EVENT_IDX | 1ull << VIRTIO_F_RING_PACKED)

static char *text_of(const struct attack_input *in)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	attack_write_text(f, in);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void an_input_is_the_same_every_time_and_as_text(void **state)
{
	const struct attack_kind *kind;

	(void)state;
	for (unsigned k = 0; (kind = attack_kind_nth(k)); k++)
		for (unsigned i = 0; i < 2000; i++) {
			const struct attack_source source = { kind, 7, OFFERED, 0, i % 2 };
			struct attack_input in, again, read;
			char *text;

			attack_make(&in, &source, i);
			attack_make(&again, &source, i);
			assert_memory_equal(&in, &again, sizeof(in));
			text = text_of(&in);
			assert_true(attack_read_text(&read, text, NULL));
			assert_memory_equal(&in, &read, sizeof(in));
			free(text);
		}
}

static void inputs_differ(void **state)
{
	struct attack_source source = { attack_kind_find("blk"), 1, OFFERED, 0, false };
	struct attack_input one, next, other;

	(void)state;
	attack_make(&one, &source, 0);
	attack_make(&next, &source, 1);
	source.seed = 2;
	attack_make(&other, &source, 0);
	assert_memory_not_equal(one.ring, next.ring, sizeof(one.ring));
	assert_memory_not_equal(one.ring, other.ring, sizeof(one.ring));
}

#define HEAD "ringside fuzz vhost-user 1\nkind blk\n"

static void text_that_is_no_input_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"kind blk\n",
		"ringside fuzz vhost-user 1\n",
		"ringside fuzz vhost-user 1\nring 0 idx 1 flags 0 event 0\nkind blk\n",
		HEAD "florp\n",
		HEAD "number\n",
		HEAD "number -1\n",
		HEAD "ring 1 idx 1 flags 0 event 0\n",
		HEAD "ring 0 idx 65536 flags 0 event 0\n",
		HEAD "ring 0 idx 1 flags 0\n",
		HEAD "avail 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n",
		HEAD "desc 0 16 addr 0 len 0 flags 0 next 0\n",
		HEAD "desc 0 1 addr 0 len 0 flags 0 next 0 more\n",
		HEAD "table 64 addr 0 len 0 flags 0 next 0\n",
		HEAD "header 0 00\n",
		HEAD "header 0x2000 0\n",
		HEAD "header 0x2000 0g\n",
		HEAD "header 0x9fff 0000\n",
		HEAD "header 0xffffffffffffffff 00\n",
		HEAD "message request 1 flags 1 size 0\n",
		HEAD "message request 1 flags 1 size 0 payload 0\n",
		HEAD "message request 1 flags 1 size 0 payload 00 more\n",
		HEAD "message request 1 flags 1 size 0 fds florp payload 00\n",
		HEAD "message request 1 flags 1 fds memory payload 00\n",
	};
	struct attack_input in;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) err = NULL;

		assert_false(attack_read_text(&in, bad[i], &err));
		assert_non_null(err);
	}
}

/*
 * Memory and a ring, of which the test is the device.
 */
struct bench {
	struct peer peer;
	struct attack_rings rings;
	struct vring_used *used;
};

static struct bench *bench_new(const char *input)
{
	struct bench *b = g_new0(struct bench, 1);
	static struct attack_input in;
	struct drv_config cfg = { .size = ATTACK_SIZE };

	assert_true(attack_read_text(&in, input, NULL));
	cfg.packed = attack_is_packed(&in);
	b->peer.memory_size = ATTACK_MEMORY;
	b->peer.memory = g_malloc0(ATTACK_MEMORY);
	cfg.base = b->peer.memory;
	cfg.len = drv_bytes(&cfg);
	assert_true(drv_vq_init(&b->peer.queue[0].vq, &cfg));
	b->rings.peer = &b->peer;
	attack_place(&b->rings, &in);
	b->used = (struct vring_used *)(b->peer.memory + b->peer.queue[0].vq.device);
	return b;
}

static enum attack_verdict bench_end(struct bench *b)
{
	enum attack_verdict v = attack_judge(&b->rings);

	g_free(b->peer.memory);
	g_free(b);
	return v;
}

static void bench_use(struct bench *b, uint32_t id, uint32_t len)
{
	b->used->ring[b->used->idx++ % ATTACK_SIZE] = (struct vring_used_elem){ id, len };
}

static void bench_write(struct bench *b, uint64_t at)
{
	b->peer.memory[at] ^= 1;
}

/* Two chains: one of 16 bytes to be read and 8 to be written, one of a table with 4. */
static const char sound[] = HEAD "features 0x110000000\n"
				 "ring 0 idx 2 flags 0 event 0\n"
				 "avail 0 3 5\n"
				 "desc 0 3 addr 0x2000 len 16 flags 1 next 4\n"
				 "desc 0 4 addr 0x2100 len 8 flags 2 next 0\n"
				 "desc 0 5 addr 0x1000 len 16 flags 4 next 0\n"
				 "table 0 addr 0x2200 len 4 flags 2 next 0\n";

static void a_sound_device_is_fine(void **state)
{
	struct bench *b = bench_new(sound);

	(void)state;
	bench_write(b, 0x2100);
	bench_write(b, 0x2107);
	bench_write(b, 0x2203);
	bench_use(b, 5, 4);
	bench_use(b, 3, 8);
	assert_int_equal(bench_end(b), ATTACK_FINE);
	assert_int_equal(bench_end(bench_new(sound)), ATTACK_FINE);
}

static void writes_elsewhere_are_seen(void **state)
{
	static const uint64_t at[] = { 0x2000, 0x200f, 0x20ff, 0x2108, 0x2204,
				       0x1000, 0,      0x30,   0x9fff };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(at); i++) {
		struct bench *b = bench_new(sound);

		bench_write(b, at[i]);
		assert_int_equal(bench_end(b), ATTACK_WROTE);
	}
}

static enum attack_verdict after(const char *input, uint32_t id, uint32_t len, unsigned times)
{
	struct bench *b = bench_new(input);

	while (times--)
		bench_use(b, id, len);
	return bench_end(b);
}

static void answers_that_cannot_be_are_seen(void **state)
{
	(void)state;
	assert_int_equal(after(sound, 3, 9, 1), ATTACK_USED_LENGTH);
	assert_int_equal(after(sound, 5, 5, 1), ATTACK_USED_LENGTH);
	assert_int_equal(after(sound, 4, 0, 1), ATTACK_USED_ID);
	assert_int_equal(after(sound, 16, 0, 1), ATTACK_USED_ID);
	assert_int_equal(after(sound, 3, 8, 2), ATTACK_USED_TWICE);
	assert_int_equal(after(sound, 3, 8, 3), ATTACK_USED_INDEX);
}

/* Chains that let the device write over the ring that it reads: no answer is wrong then. */
static void a_device_that_was_muddled_is_not_judged(void **state)
{
	static const char *const ways[] = {
		"desc 0 4 addr 0 len 8 flags 2 next 0\n",
		"desc 0 4 addr 0x1000 len 1 flags 2 next 0\n",
		"desc 0 5 addr 0x2100 len 16 flags 4 next 0\n",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
		g_autofree char *input = g_strconcat(sound, ways[i], NULL);

		assert_int_equal(after(input, 9, 100, 1), ATTACK_FINE);
	}
}

/*
 * Packed: three chains of 2, 1 and 1 descriptors (the last has a table), ids 7, 7 and 9.
 */
static const char packed[] = HEAD "features 0x510000000\n"
				  "desc 0 0 addr 0x2000 len 16 flags 0x81 next 1\n"
				  "desc 0 1 addr 0x2100 len 8 flags 0x82 next 7\n"
				  "desc 0 2 addr 0x2200 len 4 flags 0x82 next 7\n"
				  "desc 0 3 addr 0x1000 len 32 flags 0x84 next 9\n"
				  "desc 0 4 addr 0x2300 len 4 flags 2 next 3\n"
				  "table 0 addr 0x2400 len 4 flags 2 next 0\n"
				  "table 1 addr 0x2500 len 4 flags 2 next 0\n";

static void packed_use(struct bench *b, unsigned at, uint16_t id, uint32_t len)
{
	struct vring_packed_desc *d = (void *)(b->peer.memory + b->peer.queue[0].vq.desc);

	d[at].len = len;
	d[at].id = id;
	d[at].flags = VRING_DESC_F_AVAIL | VRING_DESC_F_USED;
}

static enum attack_verdict after_packed(unsigned at, uint16_t id, uint32_t len)
{
	struct bench *b = bench_new(packed);

	packed_use(b, at, id, len);
	return bench_end(b);
}

/* The ring is a table, too, and so are the descriptors that the device has used. */
static void a_table_that_is_the_ring_muddles(void **state)
{
	g_autofree char *input = g_strconcat(packed, "desc 0 3 addr 0 len 64 flags 0x84 next 9\n",
					     NULL);
	struct bench *b = bench_new(input);

	(void)state;
	bench_write(b, 0x2000);
	assert_int_equal(bench_end(b), ATTACK_FINE);
}

static void packed_rings_are_judged_alike(void **state)
{
	static const uint64_t at[] = { 0x2000, 0x2108, 0x2300, 0x2404, 0x1000, 0x9fff };
	struct bench *b = bench_new(packed);

	(void)state;
	bench_write(b, 0x2107);
	bench_write(b, 0x2503);
	packed_use(b, 0, 9, 8);
	packed_use(b, 1, 7, 4);
	packed_use(b, 2, 7, 8);
	assert_true(attack_all_used(&b->rings));
	assert_int_equal(bench_end(b), ATTACK_FINE);
	for (size_t i = 0; i < G_N_ELEMENTS(at); i++) {
		b = bench_new(packed);
		bench_write(b, at[i]);
		assert_int_equal(bench_end(b), ATTACK_WROTE);
	}
	assert_int_equal(after_packed(0, 1, 0), ATTACK_USED_ID);
	assert_int_equal(after_packed(0, 3, 0), ATTACK_USED_ID);
	assert_int_equal(after_packed(0, 9, 9), ATTACK_USED_LENGTH);
	assert_int_equal(after_packed(3, 7, 9), ATTACK_USED_LENGTH);
	b = bench_new(packed);
	packed_use(b, 0, 9, 0);
	packed_use(b, 1, 9, 0);
	assert_int_equal(bench_end(b), ATTACK_USED_TWICE);
	b = bench_new(packed);
	for (unsigned i = 0; i < 4; i++)
		packed_use(b, i, 7, 0);
	assert_int_equal(bench_end(b), ATTACK_USED_INDEX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_input_is_the_same_every_time_and_as_text),
		cmocka_unit_test(inputs_differ),
		cmocka_unit_test(text_that_is_no_input_is_refused),
		cmocka_unit_test(a_sound_device_is_fine),
		cmocka_unit_test(writes_elsewhere_are_seen),
		cmocka_unit_test(answers_that_cannot_be_are_seen),
		cmocka_unit_test(a_device_that_was_muddled_is_not_judged),
		cmocka_unit_test(packed_rings_are_judged_alike),
		cmocka_unit_test(a_table_that_is_the_ring_muddles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
