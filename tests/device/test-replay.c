/*
 * A record, played again: the same devices do the same, ones that do otherwise are found out, with
 * both sides' words, and what is no good record harms nobody. (RIG_REPLAY=1 has every case of every
 * device test recorded and played.)
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/record/record.h"
#include "tests/support/blk-driver.h"
#include "tests/support/rig.h"
#include "tools/bench/bench.h"
#include "tools/replay/play.h"

static char *record_file(struct rig *r)
{
	return g_strconcat(rig_dir(r), "/replayed", NULL);
}

/* A life of a disk's driver: configuration, writes, reads of what was there and of what it wrote,
 * an error. */
static void make_record(struct rig *r)
{
	g_autofree char *file = record_file(r);
	g_autofree char *spec = g_strconcat(file, ",payload=all", NULL);
	struct recorder *rec = recorder_open(spec, "--record", NULL);

	assert_non_null(rec);
	recorder_add(rec, rig_dev(r));
	recorder_start(rec, NULL, NULL);
	for (unsigned life = 0; life < 2; life++) {
		rig_start(r, RIG_ALL);
		assert_int_equal(rig_config64(r, 0), BD_SECTORS);
		assert_int_equal(bd_request(r, BLK_T_IN, 7, bd_filled(r, 1024, 1)), BLK_S_OK);
		assert_int_equal(bd_request(r, BLK_T_OUT, 7, bd_filled(r, 512, 2)), BLK_S_OK);
		assert_int_equal(bd_request(r, BLK_T_IN, 6, bd_filled(r, 2048, 3)), BLK_S_OK);
		assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
		assert_int_equal(bd_request(r, BLK_T_IN, BD_SECTORS, bd_filled(r, 512, 4)),
				 BLK_S_IOERR);
		rig_reset(r);
	}
	recorder_remove(rec, rig_dev(r));
	recorder_close(rec);
}

static struct replay_script *read_record(struct rig *r)
{
	g_autofree char *file = record_file(r);
	g_autoptr(GError) err = NULL;
	struct replay_script *s = replay_script_read(file, &err);

	if (!s)
		fail_msg("%s", err->message);
	return s;
}

static void it_goes_as_it_went(struct rig *r)
{
	struct replay_script *s;
	struct replay_result result;

	make_record(r);
	s = read_record(r);
	for (unsigned round = 0; round < 3; round++) {
		assert_true(replay_play(s, REPLAY_WAIT_MS, &result, NULL));
		if (result.divergence)
			fail_msg("%s", result.divergence);
		assert_int_equal(result.notes->len, 0);
		assert_int_equal(result.chains, 2 * 5);
		assert_int_equal(result.bytes, 2 * (1025 + 1 + 2049 + 1 + 513));
		assert_true(result.configs > 0);
		replay_clear(&result);
	}
	replay_script_free(s);
}

/* `ringside bench replay': every chain, every round. */
static void it_is_a_benchmark(struct rig *r)
{
	g_autofree char *file = record_file(r);
	g_autofree char *command = g_strdup_printf("bench replay --csv --rounds 2 %s", file);
	g_auto(GStrv) argv = g_strsplit(command, " ", -1);
	g_autofree char *text = NULL;
	g_autoptr(GError) err = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	make_record(r);
	assert_true(bench_command((int)g_strv_length(argv), argv, out, NULL, &err));
	assert_int_equal(fclose(out), 0);
	assert_non_null(strstr(text, "chains,bytes,rounds,thousand,spread\n10,7178,2,"));
}

/*
 * A script that says something else than what the device does.
 */
static struct replay_step *nth_step(struct replay_script *s, enum record_type type, unsigned n)
{
	for (guint i = 0; i < s->steps->len; i++)
		if (replay_step(s, i)->type == type && n-- == 0)
			return replay_step(s, i);
	fail_msg("no such step");
	return NULL;
}

static void a_byte(struct replay_script *s)
{
	nth_step(s, RECORD_PUSHED, 2)->chain->written->data[1500] ^= 0x10;
}

static void a_status_byte(struct replay_script *s)
{
	struct replay_chain *c = nth_step(s, RECORD_PUSHED, 4)->chain;

	c->written->data[c->len - 1] = BLK_S_UNSUPP;
}

static void a_length(struct replay_script *s)
{
	nth_step(s, RECORD_PUSHED, 1)->chain->len = 2;
}

static void a_field(struct replay_script *s)
{
	struct replay_device *d = replay_device(s, 0);
	gsize len = g_bytes_get_size(d->config);
	g_autofree uint8_t *config = g_memdup2(g_bytes_get_data(d->config, NULL), len);

	config[offsetof(struct blk_config, write_zeroes_may_unmap)] ^= 1;
	g_bytes_unref(d->config);
	d->config = g_bytes_new(config, len);
}

static void a_feature(struct replay_script *s)
{
	replay_device(s, 0)->offered[0] |= 1ull << BLK_F_SIZE_MAX;
}

static void a_read_of_the_configuration(struct replay_script *s)
{
	struct replay_step *step = nth_step(s, RECORD_CONFIG_READ, 0);
	static const uint8_t bytes[] = { 0xff };

	g_bytes_unref(step->bytes);
	step->value[0] = offsetof(struct blk_config, writeback);
	step->bytes = g_bytes_new(bytes, sizeof(bytes));
}

static void a_status(struct replay_script *s)
{
	for (unsigned i = 0;; i++) {
		struct replay_step *step = nth_step(s, RECORD_STATUS, i);

		if (step->value[1] & VIRTIO_S_DRIVER_OK) {
			step->value[1] |= VIRTIO_S_NEEDS_RESET;
			return;
		}
	}
}

static void a_missing_answer(struct replay_script *s)
{
	struct replay_step *step = nth_step(s, RECORD_POPPED, 0);

	step->chain->n_wr = 0; /* with no room for a status the device gives up */
}

static void what_differs_is_found(struct rig *r)
{
	static const struct {
		void (*change)(struct replay_script *s);
		const char *says;
	} rows[] = {
		{ a_byte, "byte 1500 of 2049 that the device wrote: the record has 0x" },
		{ a_status_byte,
		  "byte 512 of 513 that the device wrote: the record has 0x02, and the "
		  "device 0x01" },
		{ a_length, "the record has a used length of 2, and the device 1" },
		{ a_field, "at the begin" },
		{ a_feature, "offers feature 1" },
		{ a_read_of_the_configuration, "the record has 0xff, and the device 0x0" },
		{ a_status, "the record has DEVICE_NEEDS_RESET, and the device is content" },
		{ a_missing_answer, "head " },
	};

	make_record(r);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct replay_script *s = read_record(r);
		struct replay_result result;

		rows[i].change(s);
		assert_true(replay_play(s, 200, &result, NULL));
		assert_non_null(result.divergence);
		if (!strstr(result.divergence, rows[i].says))
			fail_msg("row %zu: %s", i, result.divergence);
		replay_clear(&result);
		replay_script_free(s);
	}
}

/*
 * Files that are no good.
 */

/* Reads and plays @bytes; what comes of it is its own affair. True: it was played, to no
 * divergence. */
static bool play_bytes(struct rig *r, const uint8_t *bytes, size_t len)
{
	g_autofree char *file = g_strconcat(rig_dir(r), "/changed", NULL);
	g_autoptr(GError) err = NULL;
	struct replay_script *s;
	struct replay_result result;
	bool ok;

	assert_true(g_file_set_contents(file, (const char *)bytes, (gssize)len, NULL));
	s = replay_script_read(file, &err);
	if (!s)
		return false;
	ok = replay_play(s, 1, &result, NULL) && !result.divergence;
	replay_clear(&result);
	replay_script_free(s);
	return ok;
}

static unsigned rounds(unsigned usual)
{
	const char *text = g_getenv("REPLAY_ROUNDS");

	return text ? (unsigned)strtoul(text, NULL, 10) : usual;
}

static void cut_off_anywhere(struct rig *r)
{
	g_autofree char *file = record_file(r);
	g_autofree uint8_t *bytes = NULL;
	gsize len;

	make_record(r);
	assert_true(g_file_get_contents(file, (char **)&bytes, &len, NULL));
	assert_true(play_bytes(r, bytes, len));
	for (unsigned i = 0; i < rounds(100); i++)
		(void)play_bytes(r, bytes, (size_t)g_random_int_range(0, (gint32)len));
}

/* Bytes of blocks' bodies change, and the checks say that this is how they were written. */
static void spoil(uint8_t *bytes, size_t len)
{
	for (size_t at = sizeof(struct record_header); at + sizeof(struct record_block) < len;) {
		struct record_block b;
		uint8_t *body = bytes + at + sizeof(b);
		uint32_t n;

		memcpy(&b, bytes + at, sizeof(b));
		n = le32_cpu(b.bytes);
		for (int k = g_random_int_range(0, 4); k > 0 && n; k--)
			body[g_random_int_range(0, (gint32)n)] = (uint8_t)g_random_int_range(0,
											     256);
		b.body_check = cpu_le32(record_check(body, n));
		b.check = cpu_le32(record_check(&b, offsetof(struct record_block, check)));
		memcpy(bytes + at, &b, sizeof(b));
		at += sizeof(b) + n;
	}
}

static void spoilt_anywhere(struct rig *r)
{
	g_autofree char *file = record_file(r);
	g_autofree uint8_t *bytes = NULL;
	gsize len;

	make_record(r);
	assert_true(g_file_get_contents(file, (char **)&bytes, &len, NULL));
	for (unsigned i = 0; i < rounds(500); i++) {
		g_autofree uint8_t *spoilt = g_memdup2(bytes, len);

		spoil(spoilt, len);
		(void)play_bytes(r, spoilt, len);
	}
}

#define REPLAYED(fn)                                                                      \
	{                                                                                 \
		.name = #fn, .spec = "blk,path=@/disk", .run = fn, .setup = bd_make_disk, \
		.links = "* !vhost-user*"                                                 \
	}
#define ONCE(fn)                                                                          \
	{                                                                                 \
		.name = #fn, .spec = "blk,path=@/disk", .run = fn, .setup = bd_make_disk, \
		.direct_only = true                                                       \
	}

static const struct rig_case cases[] = {
	REPLAYED(it_goes_as_it_went), ONCE(it_is_a_benchmark), ONCE(what_differs_is_found),
	ONCE(cut_off_anywhere),       ONCE(spoilt_anywhere),
};

int main(void)
{
	return rig_run("replay", cases, G_N_ELEMENTS(cases));
}
