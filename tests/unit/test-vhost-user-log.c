/* The log of pages that a device writes, in the hands of a front-end of vhost-user (migration). */
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/eventfd.h"
#include "tests/support/echo.h"
#include "tests/support/vhost-user-bench.h"

#define LOG_OFFSET 16u   /* in its file, */
#define LOG_FILE   8192u /* which is this long */
#define LOG_PAGES  (BENCH_RAM / 4096 + 64)
#define LOG_BYTES  (LOG_PAGES / 8)
#define LOG_RING   (BENCH_RAM + 0x5000ull) /* where the ring counts as being: in no memory */

struct page_log {
	int fd;
	uint8_t *file, want[LOG_FILE]; /* as the file should be */
};

static void log_open(struct page_log *l)
{
	l->fd = memfd_create("log", MFD_CLOEXEC);
	assert_int_equal(ftruncate(l->fd, LOG_FILE), 0);
	l->file = mmap(NULL, LOG_FILE, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
	assert_ptr_not_equal(l->file, MAP_FAILED);
	memset(l->want, 0, sizeof(l->want));
	for (size_t i = 0; i < LOG_BYTES; i += 3) /* what is set already stays so */
		l->want[LOG_OFFSET + i] = 0x24;
	memcpy(l->file, l->want, LOG_FILE);
}

static void log_close(struct page_log *l)
{
	munmap(l->file, LOG_FILE);
	close(l->fd);
}

static bool give_log(struct vhu_bench *b, const struct page_log *l, uint64_t offset, uint64_t size)
{
	struct vhu_area area = { size, offset };
	uint64_t answer = 1;

	assert_true(front_send(&b->front, VHU_SET_LOG_BASE, 0, &area, sizeof(area), &l->fd, 1));
	return front_answer(&b->front, VHU_SET_LOG_BASE, &answer, sizeof(answer)) == 8 && !answer;
}

static void log_expect(struct page_log *l, uint64_t gpa, uint64_t len)
{
	for (uint64_t page = gpa / 4096; page <= (gpa + len - 1) / 4096; page++)
		l->want[LOG_OFFSET + page / 8] |= (uint8_t)(1u << page % 8);
}

static void ring_is_logged(struct vhu_bench *b, bool on)
{
	struct vhu_addr a = vhu_bench_ring_address(b);

	a.flags = on ? VHU_VRING_F_LOG : 0;
	a.log = LOG_RING;
	assert_true(front_set(&b->front, VHU_SET_VRING_ADDR, &a, sizeof(a), -1));
}

/* What the device writes of its ring for a few requests. */
static void log_expect_ring(const struct vhu_bench *b, struct page_log *l, bool packed)
{
	log_expect(l, LOG_RING, packed ? 4 : vring_used_bytes(BENCH_SIZE));
	if (packed)
		log_expect(l, b->vq.desc, vring_desc_bytes(BENCH_SIZE));
}

/* A request whose answer begins @off bytes into a page, and goes over its end. */
static void ask_in_pages(struct vhu_bench *b, unsigned page, unsigned off, struct page_log *l)
{
	uint32_t at = BENCH_BUFS + page * 4096 + off;
	struct drv_buf bufs[] = { { BENCH_BUFS, 4096 }, { at, 4096 } };
	void *cookie = NULL;
	uint32_t len;

	assert_true(drv_add(&b->vq, bufs, 1, 1, b) >= 0);
	if (drv_publish(&b->vq))
		eventfd_signal(b->kick);
	for (int i = 0; i < 100000 && !drv_used(&b->vq, &cookie, &len); i++)
		front_turn();
	assert_ptr_equal(cookie, b);
	assert_memory_equal(b->ram + at, b->ram + BENCH_BUFS, 4096);
	if (l)
		log_expect(l, at, 4096);
}

static void every_page_and_no_other(struct vhu_bench *b, bool packed)
{
	struct page_log l, other;

	vhu_bench_begin(b, packed, 0);
	log_open(&l);
	log_open(&other);
	ask_in_pages(b, 3, 100, NULL);
	assert_true(give_log(b, &l, LOG_OFFSET, LOG_BYTES));
	ask_in_pages(b, 6, 100, NULL); /* nobody has asked for it yet */
	assert_memory_equal(l.file, l.want, LOG_FILE);
	assert_true(front_set_u64(&b->front, VHU_SET_FEATURES,
				  vhu_bench_features(packed) | 1ull << VHU_F_LOG_ALL, -1));
	ask_in_pages(b, 9, 4095, &l); /* buffers alone */
	assert_memory_equal(l.file, l.want, LOG_FILE);
	ring_is_logged(b, true);
	log_expect_ring(b, &l, packed);
	ask_in_pages(b, 20, 0, &l);
	ask_in_pages(b, 30, 1, &l);
	ask_in_pages(b, 33, 4095, &l);
	assert_memory_equal(l.file, l.want, LOG_FILE);
	assert_true(give_log(b, &other, LOG_OFFSET, LOG_BYTES)); /* from now on there */
	log_expect_ring(b, &other, packed);
	ask_in_pages(b, 40, 0, &other);
	assert_memory_equal(l.file, l.want, LOG_FILE);
	assert_memory_equal(other.file, other.want, LOG_FILE);
	assert_true(front_set_u64(&b->front, VHU_SET_FEATURES, vhu_bench_features(packed), -1));
	ask_in_pages(b, 50, 0, NULL);
	assert_memory_equal(other.file, other.want, LOG_FILE);
	log_close(&l);
	log_close(&other);
}

static void every_page_of_a_split_ring_and_no_other(void **state)
{
	every_page_and_no_other(*state, false);
}

static void every_page_of_a_packed_ring_and_no_other(void **state)
{
	every_page_and_no_other(*state, true);
}

static void logs_that_cannot_be_end_the_connection(void **state)
{
	struct vhu_bench *b = *state;
	struct page_log l, pipe_end = { .fd = b->kick };

	log_open(&l);
	vhu_bench_begin(b, false, 0);
	assert_false(give_log(b, &l, 4, LOG_BYTES));
	vhu_assert_closed(b, "multiple of 8");
	vhu_bench_begin(b, false, 0);
	assert_false(give_log(b, &l, 0, LOG_FILE + 8));
	vhu_assert_closed(b, "too short");
	vhu_bench_begin(b, false, 0);
	assert_false(give_log(b, &l, 0, 0));
	vhu_assert_closed(b, "impossible size");
	vhu_bench_begin(b, false, 0);
	assert_false(give_log(b, &pipe_end, 0, LOG_BYTES));
	vhu_assert_closed(b, "cannot be mapped");
	vhu_bench_begin(b, false, 0);
	assert_true(give_log(b, &l, 0, BENCH_RAM / 4096 / 8 - 1));
	assert_false(front_set_u64(&b->front, VHU_SET_FEATURES,
				   vhu_bench_features(false) | 1ull << VHU_F_LOG_ALL, -1));
	vhu_assert_closed(b, "too short for the memory");
	front_begin(&b->front, UINT64_MAX);
	assert_false(front_set(&b->front, VHU_SET_LOG_FD, NULL, 0, b->memfd));
	vhu_assert_closed(b, "without the descriptor");
	log_close(&l);
}

/* A descriptor that tells whoever copies memory of more to copy. */
static void a_log_is_told_of(void **state)
{
	struct vhu_bench *b = *state;
	struct page_log l;
	uint64_t count;
	int told;

	log_open(&l);
	assert_true(eventfd_open(&told, "", NULL));
	vhu_bench_begin(b, false, 0);
	assert_true(give_log(b, &l, LOG_OFFSET, LOG_BYTES));
	assert_true(front_set(&b->front, VHU_SET_LOG_FD, NULL, 0, told));
	ask_in_pages(b, 3, 100, NULL);
	assert_int_equal(read(told, &count, sizeof(count)), -1);
	assert_true(front_set_u64(&b->front, VHU_SET_FEATURES,
				  vhu_bench_features(false) | 1ull << VHU_F_LOG_ALL, -1));
	ask_in_pages(b, 3, 100, NULL);
	assert_int_equal(read(told, &count, sizeof(count)), sizeof(count));
	eventfd_close(&told);
	log_close(&l);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, vhu_bench_setup, vhu_bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_page_of_a_split_ring_and_no_other),
		TEST(every_page_of_a_packed_ring_and_no_other),
		TEST(logs_that_cannot_be_end_the_connection),
		TEST(a_log_is_told_of),
	};

	return cmocka_run_group_tests_name("vhost-user-log", tests, NULL, NULL);
}
