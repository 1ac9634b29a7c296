/* A device's state through a pipe of a front-end's: out of one back-end, into the next. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/echo.h"
#include "tests/support/vhost-user-bench.h"

/* The answer of the message; -1: the connection is closed. */
static int transfer(struct vhu_bench *b, uint32_t direction, uint32_t phase, int fd)
{
	struct vhu_transfer_of how = { direction, phase };
	uint64_t answer;

	assert_true(
		front_send(&b->front, VHU_SET_DEVICE_STATE_FD, 0, &how, sizeof(how), &fd, fd >= 0));
	if (front_answer(&b->front, VHU_SET_DEVICE_STATE_FD, &answer, sizeof(answer)) < 0)
		return -1;
	assert_true(answer & VHU_NO_FD);
	return (int)(answer & 0xff);
}

static uint64_t check(struct vhu_bench *b)
{
	return front_get(&b->front, VHU_CHECK_DEVICE_STATE);
}

static GByteArray *save(struct vhu_bench *b)
{
	GByteArray *record = g_byte_array_new();
	uint8_t bytes[256];
	int ends[2];
	ssize_t n;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(transfer(b, VHU_STATE_SAVE, 0, ends[1]), 0);
	close(ends[1]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	while ((n = read(ends[0], bytes, sizeof(bytes))) != 0)
		if (n > 0)
			g_byte_array_append(record, bytes, (guint)n);
		else
			front_turn();
	close(ends[0]);
	assert_int_equal(check(b), 0);
	return record;
}

static uint64_t load(struct vhu_bench *b, const uint8_t *bytes, size_t len)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(transfer(b, VHU_STATE_LOAD, 0, ends[0]), 0);
	close(ends[0]);
	assert_int_equal(write(ends[1], bytes, len), len);
	close(ends[1]);
	return check(b);
}

static void write_config(struct vhu_bench *b, uint8_t value)
{
	struct vhu_config c = { .offset = ECHO_WRITABLE, .len = 1, .bytes = { value } };

	assert_true(front_set(&b->front, VHU_SET_CONFIG, &c, 13, -1));
}

static uint8_t read_config(struct vhu_bench *b)
{
	struct vhu_config c = { .offset = ECHO_WRITABLE, .len = 1 };

	assert_true(front_send(&b->front, VHU_GET_CONFIG, 0, &c, 13, NULL, 0));
	assert_int_equal(front_answer(&b->front, VHU_GET_CONFIG, &c, sizeof(c)), 13);
	return c.bytes[0];
}

static void reconnect(struct vhu_bench *b)
{
	front_close(&b->front);
	for (int turn = 0; turn < 10000 && b->ended == b->closed; turn++)
		front_turn();
	b->closed = b->ended;
	front_open(&b->front, b->back);
	front_begin(&b->front, UINT64_MAX);
}

/* The next one has all of it, and the ring goes on where it was. */
static void it_goes_from_one_to_the_next(struct vhu_bench *b, bool packed)
{
	g_autoptr(GByteArray) record = NULL;
	uint32_t base;

	vhu_bench_begin(b, packed, 0);
	write_config(b, 41);
	for (uint8_t what = 1; what < 90; what++) {
		vhu_bench_ask(b, what);
		vhu_assert_answered(b, what);
	}
	base = vhu_bench_take_ring(b);
	record = save(b);
	vhu_bench_give_ring(b, base); /* the migration fails: this one goes on */
	vhu_bench_ask(b, 91);
	vhu_assert_answered(b, 91);
	base = vhu_bench_take_ring(b);
	reconnect(b);
	assert_int_equal(read_config(b), 0);
	assert_int_equal(load(b, record->data, record->len), 0);
	assert_int_equal(read_config(b), 42);
	assert_true(front_set_u64(&b->front, VHU_SET_FEATURES, vhu_bench_features(packed), -1));
	assert_int_equal(read_config(b), 42);
	vhu_bench_give_memory(b, 0);
	vhu_bench_give_ring(b, base);
	assert_true(front_set_state(&b->front, VHU_SET_VRING_ENABLE, b->q, 1));
	for (uint8_t what = 92; what < 200; what++) {
		vhu_bench_ask(b, what);
		vhu_assert_answered(b, what);
	}
	assert_string_equal(b->log->str, "");
}

static void it_goes_from_one_to_the_next_split(void **state)
{
	it_goes_from_one_to_the_next(*state, false);
}

static void it_goes_from_one_to_the_next_packed(void **state)
{
	it_goes_from_one_to_the_next(*state, true);
}

/* Refused with a line, or taken; the device is of use after either. */
static void a_record_from_anywhere_harms_nobody(void **state)
{
	struct vhu_bench *b = *state;
	GRand *rand = g_rand_new_with_seed(3);
	g_autoptr(GByteArray) record = NULL;
	unsigned refused = 0;

	vhu_bench_begin(b, false, 0);
	vhu_bench_take_ring(b);
	record = save(b);
	for (unsigned i = 0; i < 1000; i++) {
		g_autofree uint8_t *bytes = g_memdup2(record->data, record->len);
		gsize len = i % 4 ? record->len
				  : (gsize)g_rand_int_range(rand, 0, (gint32)record->len);
		bool bad;

		for (unsigned k = 0; k < i % 5; k++)
			bytes[g_rand_int_range(rand, 0, (gint32)record->len)] =
				(uint8_t)g_rand_int(rand);
		bad = load(b, bytes, len) != 0;
		refused += bad;
		assert_int_equal(b->log->len > 0, bad);
		if (bad)
			assert_ptr_equal(strchr(b->log->str, '\n'), b->log->str + b->log->len - 1);
		g_string_truncate(b->log, 0);
		if (i % 50)
			continue;
		reconnect(b);
		vhu_bench_begin(b, i % 100 == 0, 0);
		vhu_bench_ask(b, 7);
		vhu_assert_answered(b, 7);
		vhu_bench_take_ring(b);
	}
	assert_true(refused > 300 && refused < 1000);
	g_rand_free(rand);
}

static void a_record_has_an_end(void **state)
{
	static const char full[4096];
	struct vhu_bench *b = *state;
	int ends[2];

	front_begin(&b->front, UINT64_MAX);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(transfer(b, VHU_STATE_LOAD, 0, ends[0]), 0);
	assert_int_equal(check(b), 1); /* and does not wait for it */
	assert_non_null(strstr(b->log->str, "did not come to its end"));
	g_string_truncate(b->log, 0);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 0);
	assert_int_equal(write(ends[1], full, sizeof(full)), sizeof(full)); /* there is no room */
	assert_int_equal(transfer(b, VHU_STATE_SAVE, 0, ends[1]), 0);
	assert_int_equal(check(b), 1);
	assert_int_equal(transfer(b, VHU_STATE_SAVE, 0, ends[1]), 0);
	close(ends[0]);
	assert_int_equal(check(b), 1);
	close(ends[1]);
	assert_string_equal(b->log->str, "");
}

static void transfers_that_cannot_be_end_the_connection(void **state)
{
	struct vhu_bench *b = *state;

	vhu_bench_begin(b, false, 0);
	assert_int_equal(transfer(b, VHU_STATE_SAVE, 0, b->memfd), -1);
	vhu_assert_closed(b, "while a ring runs");
	front_begin(&b->front, UINT64_MAX);
	assert_int_equal(transfer(b, 2, 0, b->memfd), -1);
	vhu_assert_closed(b, "a direction or a phase");
	front_begin(&b->front, UINT64_MAX);
	assert_int_equal(transfer(b, 0, 1, b->memfd), -1);
	vhu_assert_closed(b, "a direction or a phase");
	front_begin(&b->front, UINT64_MAX);
	assert_int_equal(transfer(b, 0, 0, -1), -1);
	vhu_assert_closed(b, "without the descriptor");
	front_begin(&b->front, UINT64_MAX);
	assert_true(front_send(&b->front, VHU_CHECK_DEVICE_STATE, 0, NULL, 0, NULL, 0));
	vhu_assert_closed(b, "there was no transfer");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, vhu_bench_setup, vhu_bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_goes_from_one_to_the_next_split),
		TEST(it_goes_from_one_to_the_next_packed),
		TEST(a_record_from_anywhere_harms_nobody),
		TEST(a_record_has_an_end),
		TEST(transfers_that_cannot_be_end_the_connection),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("vhost-user-state", tests, NULL, NULL);
}
