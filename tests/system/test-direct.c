/*
 * Disks past the page cache of a host that takes blocks of 4096 bytes and no less: a loop device is
 * one, made by root (tools/kvm-box). What the guest is told of it, and requests of parts of its
 * blocks, through a ring as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/blk/blk.h"
#include "devices/registry.h"
#include "tests/support/blk-parts.h"

static char device[32];
static int device_fd = -1; /* it goes with the last that has it open */
static int backing_fd = -1;

static int make_device(void **state)
{
	g_autofree char *path = disk_new_file(true, PARTS_BYTES);
	struct loop_config config = { .block_size = PARTS_BLOCK,
				      .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), n;

	(void)state;
	config.fd = (uint32_t)open(path, O_RDWR | O_CLOEXEC);
	unlink(path);
	for (unsigned tries = 0; tries < 8 && device_fd < 0; tries++) {
		n = ioctl(control, LOOP_CTL_GET_FREE);
		(void)snprintf(device, sizeof(device), "/dev/loop%d", n);
		device_fd = open(device, O_RDWR | O_CLOEXEC);
		if (device_fd >= 0 && ioctl(device_fd, LOOP_CONFIGURE, &config) < 0) {
			close(device_fd); /* somebody else has it now */
			device_fd = -1;
		}
	}
	backing_fd = (int)config.fd;
	close(control);
	return device_fd < 0;
}

static int lose_device(void **state)
{
	(void)state;
	return close(device_fd) + close(backing_fd);
}

static void the_host_takes_whole_blocks_only(void **state)
{
	int fd = open(device, O_RDWR | O_DIRECT | O_CLOEXEC);
	uint8_t *buf = disk_buffer(PARTS_BLOCK);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, buf, 512, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(pread(fd, buf, PARTS_BLOCK, 0), PARTS_BLOCK);
	close(fd);
	free(buf);
}

static void expect_block_size(const char *options, uint32_t want)
{
	g_autofree char *spec = g_strdup_printf("blk,path=%s%s", device, options);
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	g_autoptr(GError) err = NULL;
	struct gmem mem = { 0 };
	struct vdev_env env = { .mem = &mem, .main_loop = loop_main(), .n_cpus = 1 };
	struct blk *blk = (struct blk *)vdev_new(vdev_class_find(name), pairs, &env, &err);

	if (!blk) {
		fail_msg("%s: %s", spec, err->message);
		return; /* it does not come here, but does not say so either */
	}
	assert_int_equal(le32_cpu(blk->config.blk_size), want);
	assert_int_equal(want << blk->config.physical_block_exp, PARTS_BLOCK);
	vdev_free(&blk->vdev);
	loop_free(env.main_loop);
}

static void the_guest_is_told_of_its_blocks_or_of_what_it_should_be(void **state)
{
	(void)state;
	expect_block_size("", PARTS_BLOCK);
	expect_block_size(",direct=on", PARTS_BLOCK);
	expect_block_size(",block-size=512", 512);
	expect_block_size(",direct=on,block-size=512", 512);
	expect_block_size(",direct=on,block-size=1K", 1024);
}

static void make_device_of(uint64_t bytes)
{
	assert_int_equal(ftruncate(backing_fd, (off_t)bytes), 0);
	assert_int_equal(ioctl(device_fd, LOOP_SET_CAPACITY), 0);
}

/* block_resize tells what the host has done, and does nothing of its own. */
static void a_disk_follows_its_devices_size(void **state)
{
	const struct disk_variant v = { .aio = BLK_AIO_SYNC, .device = device };
	struct blk_backend *be = disk_open_path(device, &v, false, NULL);
	g_autoptr(GError) err = NULL;

	(void)state;
	assert_non_null(be);
	assert_false(blk_backend_resize(be, 2 * PARTS_BYTES, &err));
	assert_non_null(strstr(err->message, "the host gives it its size"));
	assert_int_equal(be->info.size, PARTS_BYTES);
	make_device_of(2 * PARTS_BYTES);
	assert_true(blk_backend_resize(be, 0, NULL));
	assert_int_equal(be->info.size, 2 * PARTS_BYTES);
	make_device_of(PARTS_BYTES);
	assert_true(blk_backend_resize(be, PARTS_BYTES, NULL));
	assert_int_equal(be->info.size, PARTS_BYTES);
	be->ops->close(be);
}

static void run_case(void **state)
{
	const struct parts_case *c = *state;
	const struct disk_variant variants[] = {
		{ .name = "sync", .aio = BLK_AIO_SYNC, .direct = true, .device = device },
		{ .name = "uring", .aio = BLK_AIO_URING, .direct = true, .device = device },
		{ .name = "cached", .aio = BLK_AIO_URING, .direct = false, .device = device },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(variants); i++)
		c->run(&variants[i]);
}

int main(void)
{
	struct CMUnitTest tests[16] = {
		cmocka_unit_test(the_host_takes_whole_blocks_only),
		cmocka_unit_test(the_guest_is_told_of_its_blocks_or_of_what_it_should_be),
		cmocka_unit_test(a_disk_follows_its_devices_size),
	};
	size_t n = 3;

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	for (const struct parts_case *c = parts_cases; c->name; c++)
		tests[n++] = (struct CMUnitTest){ .name = c->name,
						  .test_func = run_case,
						  .initial_state = (void *)c };
	return _cmocka_run_group_tests("direct", tests, n, make_device, lose_device);
}
