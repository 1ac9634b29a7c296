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

/* A driver on pci sees a byte of it: as many changes as a byte has values are a change all the same. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupts_are_counted_by_queue),
		cmocka_unit_test(an_interrupt_wakes_who_sleeps),
		cmocka_unit_test(a_generation_does_not_come_back_unseen),
	};

	return cmocka_run_group_tests_name("direct", tests, NULL, NULL);
}
