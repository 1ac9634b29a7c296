/* The in-process link: what it counts, its wake-up, and what a driver on it sees of the device
 * core. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/echo.h"
#include "tests/support/rig.h"
#include "transport/direct.h"

struct bench {
	struct gmem mem;
	struct vdev_env env;
	struct vdev *dev;
	struct direct *direct;
};

static struct bench *bench_open(void)
{
	struct bench *b = g_new0(struct bench, 1);
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split("echo", &name);

	b->env = (struct vdev_env){ .mem = &b->mem, .main_loop = loop_main() };
	b->dev = vdev_new(&echo_class, pairs, &b->env, NULL);
	assert_non_null(b->dev);
	b->direct = direct_new(b->dev);
	return b;
}

static void bench_close(struct bench *b)
{
	direct_free(b->direct);
	assert_null(b->dev->transport);
	vdev_free(b->dev);
	loop_free(b->env.main_loop);
	g_free(b);
}

static void interrupts_are_counted_by_queue(void **state)
{
	struct bench *b = bench_open();

	(void)state;
	b->dev->transport->queue_changed(b->dev, 1);
	b->dev->transport->queue_changed(b->dev, 1);
	b->dev->transport->queue_changed(b->dev, 2);
	assert_int_equal(direct_queue_interrupts(b->direct, 0), 0);
	assert_int_equal(direct_queue_interrupts(b->direct, 1), 2);
	assert_int_equal(direct_queue_interrupts(b->direct, 2), 1);
	assert_int_equal(direct_queue_interrupts(b->direct, VDEV_QUEUES_MAX), 0);
	assert_int_equal(direct_config_interrupts(b->direct), 0);
	b->dev->transport->config_changed(b->dev);
	assert_int_equal(direct_config_interrupts(b->direct), 1);
	bench_close(b);
}

static void an_interrupt_wakes_who_sleeps(void **state)
{
	struct bench *b = bench_open();
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t count;

	(void)state;
	direct_wake(b->direct, fd);
	assert_int_equal(read(fd, &count, sizeof(count)), -1);
	b->dev->transport->queue_changed(b->dev, 1);
	b->dev->transport->config_changed(b->dev);
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 2);
	direct_wake(b->direct, -1);
	b->dev->transport->queue_changed(b->dev, 1);
	assert_int_equal(read(fd, &count, sizeof(count)), -1);
	close(fd);
	bench_close(b);
	direct_free(NULL);
}

/* A driver on pci sees a byte of it: as many changes as a byte has values are a change all the
 * same. */
static void a_generation_does_not_come_back_unseen(void **state)
{
	struct bench *b = bench_open();
	uint8_t generation = vdev_config_generation(b->dev);

	(void)state;
	assert_int_equal(vdev_config_generation(b->dev), generation);
	for (unsigned i = 0; i < 256; i++)
		echo_set_pair(b->dev, i, false);
	assert_int_not_equal(vdev_config_generation(b->dev), generation);
	bench_close(b);
}

/* Interrupts and the generation follow what really changed, whoever changed it. */
static void what_changes_nothing_is_no_change(void **state)
{
	const uint8_t two[2] = { 1, 2 }, three[3] = { 0, 1, 2 };
	struct bench *b = bench_open();
	uint32_t generation = vdev_config_generation(b->dev);

	(void)state;
	assert_int_equal(generation, 0); /* whatever open() wrote */
	vdev_set_status(b->dev, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	vdev_features_accept(b->dev, 1, 1);
	vdev_set_status(b->dev, VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK);
	echo_set_pair(b->dev, 0x01010101, true);
	vdev_config_write(b->dev, 15, three, 3);
	vdev_config_write(b->dev, 0, two, 2);
	assert_int_equal(direct_config_interrupts(b->direct), 0);
	assert_int_equal(vdev_config_generation(b->dev), generation);

	echo_set_pair(b->dev, 5, true);
	assert_int_equal(direct_config_interrupts(b->direct), 1);
	assert_int_equal(vdev_config_generation(b->dev), generation + 1);
	echo_set_pair(b->dev, 6, false);
	assert_int_equal(direct_config_interrupts(b->direct), 1);
	assert_int_equal(vdev_config_generation(b->dev), generation + 2);
	vdev_config_write(b->dev, ECHO_WRITABLE, two, 2);
	assert_int_equal(vdev_config_generation(b->dev), generation + 3);
	assert_int_equal(vdev_config_generation(b->dev), generation + 3);
	bench_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupts_are_counted_by_queue),
		cmocka_unit_test(an_interrupt_wakes_who_sleeps),
		cmocka_unit_test(a_generation_does_not_come_back_unseen),
		cmocka_unit_test(what_changes_nothing_is_no_change),
	};

	return cmocka_run_group_tests_name("direct", tests, NULL, NULL);
}
