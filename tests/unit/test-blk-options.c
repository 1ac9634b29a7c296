/* The block device's options: each wrong one gets one line that names it and says what would be
 * right; each right one ends up where the driver sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/blk/blk.h"
#include "devices/registry.h"

#define SECTORS 24u /* not a multiple of 32 */

static char *path;

static int make_file(void **state)
{
	int fd;

	(void)state;
	path = g_build_filename(g_get_tmp_dir(), "blk-options-XXXXXX", NULL);
	fd = g_mkstemp(path);
	if (fd < 0 || ftruncate(fd, (off_t)SECTORS * 512) < 0)
		return -1;
	return close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	unlink(path);
	g_free(path);
	return 0;
}

/* Opens "blk,path=FILE,@options" for a guest of @n_cpus. */
static struct blk *open_blk(const char *options, unsigned n_cpus, GError **err)
{
	g_autofree char *spec = g_strdup_printf("blk,path=%s%s%s", path, *options ? "," : "",
						options);
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	struct gmem mem = { 0 };
	struct vdev_env env = { .mem = &mem, .main_loop = loop_main(), .n_cpus = n_cpus };
	struct vdev *dev = vdev_new(vdev_class_find(name), pairs, &env, err);

	loop_free(env.main_loop);
	return (struct blk *)dev;
}

static void wrong_options_get_one_line(void **state)
{
	static const struct {
		const char *options, *names, *right;
	} rows[] = {
		{ "serial=ABCDEFGHIJKLMNOPQRSTU", "serial=", "at most 20" },
		{ "serial=caf\xc3\xa9", "serial=", "ASCII" },
		{ "block-size=600", "block-size=600", "power of two" },
		{ "block-size=8K", "block-size=8K", "4096" },
		{ "block-size=256", "block-size=256", "512" },
		{ "physical-block-size=5000", "physical-block-size=5000", "power of two" },
		{ "block-size=4K,physical-block-size=512", "physical-block-size=512", "4096" },
		{ "aio=threads", "aio=threads", "auto|uring|sync" },
		{ "cache=none", "cache=none", "writeback|writethrough|unsafe" },
		{ "queues=1000", "queues=1000", "64" },
		{ "discard=maybe", "discard=maybe", "on or off" },
		{ "opt-io=1G", "opt-io=1G", "size" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		GError *err = NULL;

		assert_null(open_blk(rows[i].options, 1, &err));
		if (!strstr(err->message, "--device blk") || !strstr(err->message, rows[i].names) ||
		    !strstr(err->message, rows[i].right))
			fail_msg("'%s' for %s", err->message, rows[i].options);
		assert_int_equal(err->code, RINGSIDE_ERROR_USAGE);
		assert_null(strchr(err->message, '\n'));
		g_clear_error(&err);
	}
}

static void a_disk_is_whole_blocks(void **state)
{
	GError *err = NULL;

	(void)state;
	assert_int_equal(truncate(path, 2560), 0);
	assert_null(open_blk("block-size=1K", 1, &err));
	assert_non_null(strstr(err->message, "not a multiple of block-size=1024"));
	assert_int_equal(truncate(path, (off_t)SECTORS * 512), 0);
	g_clear_error(&err);
}

static void without_a_path_there_is_no_disk(void **state)
{
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split("blk,ro=on", &name);
	struct vdev_env env = { .main_loop = loop_main() };
	GError *err = NULL;

	(void)state;
	assert_null(vdev_new(vdev_class_find(name), pairs, &env, &err));
	assert_non_null(strstr(err->message, "path="));
	g_clear_error(&err);
	loop_free(env.main_loop);
}

static unsigned queues_of(const char *options, unsigned n_cpus)
{
	struct blk *blk = open_blk(options, n_cpus, NULL);
	unsigned n = blk->vdev.n_queues;

	assert_int_equal(vfeatures_has(blk->vdev.offered, BLK_F_MQ), n > 1);
	assert_int_equal(le16_cpu(blk->config.num_queues), n);
	vdev_free(&blk->vdev);
	return n;
}

static void queues_follow_the_cpus(void **state)
{
	(void)state;
	assert_int_equal(queues_of("", 0), 1);
	assert_int_equal(queues_of("", 1), 1);
	assert_int_equal(queues_of("", 3), 3);
	assert_int_equal(queues_of("", 64), 4);
	assert_int_equal(queues_of("queues=1", 64), 1);
	assert_int_equal(queues_of("queues=64", 1), 64);
	assert_int_equal(queues_of("queues=4,features=-mq", 4), 1);
}

static uint32_t seg_max_of(const char *options)
{
	struct blk *blk = open_blk(options, 1, NULL);
	uint32_t n = le32_cpu(blk->config.seg_max);

	vdev_free(&blk->vdev);
	return n;
}

static void seg_max_leaves_room_for_header_and_status(void **state)
{
	(void)state;
	assert_int_equal(seg_max_of(""), 126);
	assert_int_equal(seg_max_of("queue-size=1024"), 1022);
	assert_int_equal(seg_max_of("queue-size=4"), 2);
	assert_int_equal(seg_max_of("queue-size=2"), 1);
	assert_int_equal(seg_max_of("seg-max=7"), 7);
}

static void a_file_is_told_as_it_is(void **state)
{
	struct blk *blk = open_blk("", 1, NULL);

	(void)state;
	assert_int_equal(le64_cpu(blk->config.capacity), SECTORS);
	assert_int_equal(le32_cpu(blk->config.blk_size), 512);
	assert_int_equal(blk->config.writeback, 1);
	vdev_free(&blk->vdev);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_options_get_one_line),
		cmocka_unit_test(a_disk_is_whole_blocks),
		cmocka_unit_test(without_a_path_there_is_no_disk),
		cmocka_unit_test(queues_follow_the_cpus),
		cmocka_unit_test(seg_max_leaves_room_for_header_and_status),
		cmocka_unit_test(a_file_is_told_as_it_is),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
