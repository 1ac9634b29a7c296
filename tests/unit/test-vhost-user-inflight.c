/*
 * What is in flight, in memory that a front-end of vhost-user keeps: its messages. That nothing is
 * lost when a back-end is killed is shown by tests/system/test-serve-killed, and by
 * test-vq-inflight for every instruction.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/eventfd.h"
#include "tests/support/echo.h"
#include "tests/support/vhost-user-bench.h"

static int ask_for_buffer(struct vhu_bench *b, struct vhu_inflight *i)
{
	int fd;

	assert_true(front_send(&b->front, VHU_GET_INFLIGHT_FD, 0, i, sizeof(*i), NULL, 0));
	if (front_answer_fd(&b->front, VHU_GET_INFLIGHT_FD, i, sizeof(*i), &fd) < 0)
		return -1;
	assert_true(fd >= 0);
	return fd;
}

static bool give_buffer(struct vhu_bench *b, const struct vhu_inflight *i, int fd)
{
	return front_set(&b->front, VHU_SET_INFLIGHT_FD, i, sizeof(*i), fd);
}

static void buffers_that_cannot_be_end_the_connection(void **state)
{
	static const struct {
		struct vhu_inflight i;
		const char *why;
	} wrong[] = {
		{ { 0, 0, 0, BENCH_SIZE }, "does not have" },
		{ { 0, 0, ECHO_QUEUES + 1, BENCH_SIZE }, "does not have" },
		{ { 0, 0, 1, 0 }, "queue size" },
		{ { 0, 0, 1, VRING_QUEUE_SIZE_MAX + 1 }, "queue size" },
	};
	struct vhu_inflight i = { .n_queues = 2, .queue_size = BENCH_SIZE }, other;
	struct vhu_bench *b = *state;
	int fd;

	for (size_t n = 0; n < G_N_ELEMENTS(wrong); n++) {
		front_begin(&b->front, UINT64_MAX);
		other = wrong[n].i;
		assert_int_equal(ask_for_buffer(b, &other), -1);
		vhu_assert_closed(b, wrong[n].why);
		front_begin(&b->front, UINT64_MAX);
		assert_false(give_buffer(b, &wrong[n].i, b->memfd));
		vhu_assert_closed(b, wrong[n].why);
	}
	front_begin(&b->front, UINT64_MAX);
	fd = ask_for_buffer(b, &i);
	assert_int_equal(ftruncate(fd, 0), -1); /* it is sealed: nobody takes it away under us */
	assert_true(give_buffer(b, &i, fd));
	other = i;
	other.size = 2 * vq_inflight_bytes(BENCH_SIZE) - 1;
	assert_false(give_buffer(b, &other, fd));
	vhu_assert_closed(b, "too small");
	front_begin(&b->front, UINT64_MAX);
	other = i;
	other.offset = 4;
	assert_false(give_buffer(b, &other, fd));
	vhu_assert_closed(b, "not aligned");
	front_begin(&b->front, UINT64_MAX);
	other = i;
	other.offset = 4096;
	assert_false(give_buffer(b, &other, fd));
	vhu_assert_closed(b, "too short");
	front_begin(&b->front, UINT64_MAX);
	assert_false(give_buffer(b, &i, -1));
	vhu_assert_closed(b, "without the descriptor");
	front_begin(&b->front, UINT64_MAX);
	assert_true(front_send(&b->front, VHU_GET_INFLIGHT_FD, 0, &i, 19, NULL, 0));
	vhu_assert_closed(b, "another size");
	close(fd);
}

static void a_ring_fits_into_its_buffer(void **state)
{
	struct vhu_inflight i = { .n_queues = 1, .queue_size = BENCH_SIZE / 2 };
	struct vhu_bench *b = *state;
	int fd;

	vhu_bench_begin(b, false, 0);
	fd = ask_for_buffer(b, &i);
	i.size = vq_inflight_bytes(i.queue_size); /* of somebody's who made it just so */
	vhu_bench_take_ring(b);
	assert_true(give_buffer(b, &i, fd));
	assert_false(front_set_u64(&b->front, VHU_SET_VRING_KICK, b->q, b->kick));
	vhu_assert_closed(b, "larger than the buffer");
	close(fd);
}

/* QEMU 10.0 asks for the size that it offers, 128, and starts a ring of 1024. */
static void our_own_buffer_has_room_for_any_ring(void **state)
{
	struct vhu_inflight i = { .n_queues = ECHO_QUEUES, .queue_size = 1 };
	struct vhu_bench *b = *state;
	int fd;

	vhu_bench_begin(b, false, 0);
	fd = ask_for_buffer(b, &i);
	assert_int_equal(i.size, ECHO_QUEUES * vq_inflight_bytes(VRING_QUEUE_SIZE_MAX));
	vhu_bench_take_ring(b);
	assert_true(give_buffer(b, &i, fd));
	assert_true(front_set_u64(&b->front, VHU_SET_VRING_KICK, b->q, b->kick));
	close(fd);
}

static void set_up(struct vhu_bench *b, bool packed, const struct vhu_inflight *i, int fd)
{
	front_begin(&b->front, UINT64_MAX);
	assert_true(front_set_u64(&b->front, VHU_SET_FEATURES, vhu_bench_features(packed), -1));
	assert_true(give_buffer(b, i, fd));
	vhu_bench_give_memory(b, 0);
	vhu_bench_give_ring(b, packed ? 0x80008000u : 0); /* where it was at first */
	assert_true(front_set_state(&b->front, VHU_SET_VRING_ENABLE, b->q, 1));
}

static void await_kept(struct vhu_bench *b, unsigned n)
{
	for (int turn = 0; turn < 10000 && echo_kept(b->dev) < n; turn++)
		front_turn();
	assert_int_equal(echo_kept(b->dev), n);
}

static void take_used(struct vhu_bench *b, unsigned n)
{
	void *cookie;
	uint32_t len;

	for (int turn = 0; turn < 10000 && n; turn++)
		if (drv_used(&b->vq, &cookie, &len))
			n--;
		else
			front_turn();
	assert_int_equal(n, 0);
	assert_null(b->vq.broken);
}

/* A back-end comes after another that is gone without a word: the ring is as that one left it, and
 * what is in the buffer is what it did not answer. */
static void the_next_back_end_goes_on(struct vhu_bench *b, bool packed)
{
	struct vhu_inflight i = { .n_queues = 2, .queue_size = BENCH_SIZE };
	g_autofree uint8_t *was = NULL, *account = NULL;
	uint8_t *shared;
	uint64_t count;
	int fd;

	b->q = ECHO_KEEP;
	vhu_bench_begin(b, packed, 0);
	vhu_bench_take_ring(b);
	fd = ask_for_buffer(b, &i);
	shared = mmap(NULL, i.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	set_up(b, packed, &i, fd);
	for (uint8_t what = 1; what <= 7; what++)
		vhu_bench_ask(b, what);
	await_kept(b, 7);
	was = g_memdup2(b->ram, BENCH_RAM);
	account = g_memdup2(shared, i.size);
	front_close(&b->front); /* it completes what it has, which then has not happened */
	for (int turn = 0; turn < 10000 && b->ended == b->closed; turn++)
		front_turn();
	b->closed = b->ended;
	memcpy(b->ram, was, BENCH_RAM);
	memcpy(shared, account, i.size);
	(void)!read(b->call, &count, sizeof(count));
	front_open(&b->front, b->back);
	set_up(b, packed, &i, fd);
	assert_int_equal(read(b->call, &count, sizeof(count)), sizeof(count)); /* to be sure */
	await_kept(b, 7);
	vhu_bench_ask(b, 8);
	await_kept(b, 8);
	echo_release(b->dev);
	take_used(b, 8);
	for (unsigned n = 0; n < 3 * BENCH_SIZE; n++) {
		vhu_bench_ask(b, 9);
		await_kept(b, 1);
		echo_release(b->dev);
		take_used(b, 1);
	}
	munmap(shared, i.size);
	close(fd);
}

static void the_next_back_end_goes_on_split(void **state)
{
	the_next_back_end_goes_on(*state, false);
}

static void the_next_back_end_goes_on_packed(void **state)
{
	the_next_back_end_goes_on(*state, true);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, vhu_bench_setup, vhu_bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(buffers_that_cannot_be_end_the_connection),
		TEST(a_ring_fits_into_its_buffer),
		TEST(our_own_buffer_has_room_for_any_ring),
		TEST(the_next_back_end_goes_on_split),
		TEST(the_next_back_end_goes_on_packed),
	};

	return cmocka_run_group_tests_name("vhost-user-inflight", tests, NULL, NULL);
}
