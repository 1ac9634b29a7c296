/* A console with one port, as a driver and the host's end see it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/console/console-impl.h"
#include "tests/support/console-peer.h"

/*
 * One port.
 */
static void what_the_guest_writes_reaches_the_client(struct rig *r)
{
	int fd = host_connect(r, "s");
	struct rig_buf two[2];

	rig_start(r, RIG_ALL);
	guest_says(r, TX0, "hello ");
	two[0] = rig_dup(r, "wor", 3);
	two[1] = rig_dup(r, "ld", 2);
	assert_int_equal(rig_do(r, TX0, two, 2, 0), 0);
	host_hears(r, fd, "hello world", 11);
	close(fd);
}

static void what_the_client_writes_reaches_the_guest(struct rig *r)
{
	int fd = host_connect(r, "s");

	rig_start(r, RIG_ALL);
	host_says(fd, "ls\n", 3);
	guest_hears(r, RX0, "ls\n");
	close(fd);
}

#define ECHO_LEN   (1u << 20)
#define ECHO_BUFS  16
#define ECHO_CHUNK 1500

/* The guest sends every buffer it receives back; the client does both ends of the loop. */
static void a_mebibyte_is_echoed_without_loss(struct rig *r)
{
	g_autofree uint8_t *out = g_malloc(ECHO_LEN), *in = g_malloc(ECHO_LEN);
	struct rig_buf buf[ECHO_BUFS];
	struct rig_req *rx[ECHO_BUFS], *tx[ECHO_BUFS] = { NULL };
	unsigned next_rx = 0, next_tx = 0;
	size_t sent = 0, got = 0;
	int fd = host_connect(r, "s");

	host_pattern(out, ECHO_LEN, 5);
	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < ECHO_BUFS; i++) {
		buf[i] = rig_alloc(r, ECHO_CHUNK);
		rx[i] = rig_submit(r, RX0, &buf[i], 0, 1);
	}
	RIG_UNTIL(r, ({
			  ssize_t n = send(fd, out + sent, ECHO_LEN - sent, MSG_NOSIGNAL);

			  sent += n > 0 ? (size_t)n : 0;
			  n = recv(fd, in + got, ECHO_LEN - got, 0);
			  got += n > 0 ? (size_t)n : 0;
			  while (!tx[next_rx] && rx[next_rx]->done) {
				  struct rig_buf b = rig_part(buf[next_rx], 0, rx[next_rx]->len);

				  tx[next_rx] = rig_submit(r, TX0, &b, 1, 0);
				  next_rx = (next_rx + 1) % ECHO_BUFS;
			  }
			  while (tx[next_tx] && tx[next_tx]->done) {
				  tx[next_tx] = NULL;
				  rx[next_tx] = rig_submit(r, RX0, &buf[next_tx], 0, 1);
				  next_tx = (next_tx + 1) % ECHO_BUFS;
			  }
			  got == ECHO_LEN;
		  }));
	assert_memory_equal(in, out, ECHO_LEN);
	close(fd);
}

#define SLOW_CHUNK 32768u
#define SLOW_BUFS  40u

/* Offers more than the socket and we can hold; returns how many buffers were not taken yet. */
static unsigned overfill(struct rig *r, struct rig_buf big, struct rig_req **reqs)
{
	unsigned waiting = 0;

	host_pattern(big.p, big.len, 6);
	for (unsigned i = 0; i < SLOW_BUFS; i++) {
		struct rig_buf b = rig_part(big, i * SLOW_CHUNK, SLOW_CHUNK);

		reqs[i] = rig_submit(r, TX0, &b, 1, 0);
	}
	rig_wait_idle(r);
	for (unsigned i = 0; i < SLOW_BUFS; i++)
		waiting += !reqs[i]->done;
	assert_true(waiting > 1);
	return waiting;
}

static void output_waits_for_a_slow_client(struct rig *r)
{
	struct rig_buf big = rig_alloc(r, SLOW_BUFS * SLOW_CHUNK);
	struct rig_req *reqs[SLOW_BUFS];
	int fd = host_connect(r, "s");

	rig_start(r, RIG_ALL);
	rig_wait_idle(r); /* until the client counts as there */
	overfill(r, big, reqs);
	host_hears(r, fd, big.p, big.len);
	for (unsigned i = 0; i < SLOW_BUFS; i++)
		assert_int_equal(rig_wait(r, reqs[i]), 0);
	close(fd);
}

/* The rest of the chain that was being written goes out when the driver is long gone. */
static void a_reset_loses_nothing_that_was_begun(struct rig *r)
{
	struct rig_buf big = rig_alloc(r, SLOW_BUFS * SLOW_CHUNK);
	struct rig_req *reqs[SLOW_BUFS];
	size_t taken;
	int fd = host_connect(r, "s");

	rig_start(r, RIG_ALL);
	rig_wait_idle(r);
	taken = (size_t)(SLOW_BUFS - overfill(r, big, reqs)) * SLOW_CHUNK;
	rig_reset(r);
	host_hears(r, fd, big.p, taken);
	/* Of the one that was begun, either nothing or all. */
	rig_start(r, RIG_ALL);
	guest_says(r, TX0, "new");
	host_hears(r, fd, (uint8_t *)big.p + taken, SLOW_CHUNK);
	host_hears(r, fd, "new", 3);
	close(fd);
}

static void a_pause_loses_nothing(struct rig *r)
{
	struct rig_buf big = rig_alloc(r, SLOW_BUFS * SLOW_CHUNK);
	struct rig_req *reqs[SLOW_BUFS];
	int fd = host_connect(r, "s");

	rig_start(r, RIG_ALL);
	rig_wait_idle(r);
	overfill(r, big, reqs);
	vdev_pause(rig_dev(r));
	host_says(fd, "while you slept", 15);
	rig_wait_idle(r);
	vdev_resume(rig_dev(r));
	host_hears(r, fd, big.p, big.len);
	guest_hears(r, RX0, "while you slept");
	close(fd);
}

static void output_before_a_client_comes_is_kept(struct rig *r)
{
	int fd;

	rig_start(r, RIG_ALL);
	guest_says(r, TX0, "early");
	rig_wait_idle(r);
	fd = host_connect(r, "s");
	host_hears(r, fd, "early", 5);
	close(fd);
}

static void without_a_client_no_output_waits(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 1u << 20);

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(rig_do(r, TX0, &b, 1, 0), 0);
}

static void input_waits_for_buffers(struct rig *r)
{
	g_autofree uint8_t *bytes = g_malloc(100000);
	struct rig_buf b = rig_alloc(r, 100);
	size_t sent = 0, got = 0;
	int fd = host_connect(r, "s");

	host_pattern(bytes, 100000, 7);
	rig_start(r, RIG_ALL);
	while (got < 100000) {
		ssize_t n = send(fd, bytes + sent, 100000 - sent, MSG_NOSIGNAL);
		uint32_t len;

		sent += n > 0 ? (size_t)n : 0;
		len = rig_do(r, RX0, &b, 0, 1);
		assert_in_range(len, 1, 100);
		assert_memory_equal(b.p, bytes + got, len);
		got += len;
	}
	close(fd);
}

static void input_before_the_driver_is_kept(struct rig *r)
{
	int fd = host_connect(r, "s");

	host_says(fd, "early", 5);
	rig_wait_idle(r);
	rig_start(r, RIG_ALL);
	guest_hears(r, RX0, "early");
	rig_reset(r);
	host_says(fd, "again", 5);
	rig_wait_idle(r);
	rig_start(r, RIG_ALL);
	guest_hears(r, RX0, "again");
	close(fd);
}

static void one_port_has_two_queues(struct rig *r)
{
	assert_int_equal(rig_n_queues(r), 2);
	assert_false(vfeatures_has(rig_offered(r), CONSOLE_F_MULTIPORT));
	assert_false(vfeatures_has(rig_offered(r), CONSOLE_F_SIZE));
	assert_true(vfeatures_has(rig_offered(r), CONSOLE_F_EMERG_WRITE));
	assert_int_equal(rig_config32(r, CFG_MAX_PORTS), 1);
}

static void buffers_of_the_wrong_kind_are_noted(struct rig *r)
{
	struct rig_buf b[2] = { rig_dup(r, "text", 4), rig_alloc(r, 4) };
	int fd = host_connect(r, "s");

	rig_start(r, RIG_ALL);
	assert_int_equal(rig_do(r, TX0, b, 1, 1), 0); /* DRV-CONSOLE-OP-02 */
	host_hears(r, fd, "text", 4);
	host_says(fd, "in", 2);
	assert_int_equal(rig_do(r, RX0, b, 1, 0), 0); /* DRV-CONSOLE-OP-01 */
	guest_hears(r, RX0, "in");
	assert_int_equal(rig_logged(r, "writable bytes in a transmit buffer"), 1);
	assert_int_equal(rig_logged(r, "not writable only"), 1);
	assert_false(rig_status(r) & VIRTIO_S_NEEDS_RESET);
	close(fd);
}

/* Descriptors may overlap: a small guest can ask for any amount. */
static void a_huge_chain_keeps_nobody_busy_for_long(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 8u << 20), many[64];

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < G_N_ELEMENTS(many); i++)
		many[i] = b;
	assert_int_equal(rig_do(r, TX0, many, G_N_ELEMENTS(many), 0), 0);
}

/*
 * Configuration space.
 */
static void the_window_has_a_size(struct rig *r)
{
	assert_true(vfeatures_has(rig_offered(r), CONSOLE_F_SIZE));
	assert_int_equal(rig_config16(r, CFG_COLS), 132);
	assert_int_equal(rig_config16(r, CFG_ROWS), 43);
	rig_config_write(r, CFG_COLS, "\x01\x00", 2);
	assert_int_equal(rig_config16(r, CFG_COLS), 132);
}

static void emergency_output_needs_no_driver(struct rig *r)
{
	int fd = host_connect(r, "s");

	/* DEV-CONSOLE-INIT-01, -02 */
	for (const char *p = "oops"; *p; p++)
		rig_config_write(r, CFG_EMERG, p, 1);
	rig_config_write(r, CFG_EMERG, "!\xff\xff\xff", 4);
	host_hears(r, fd, "oops!", 5);
	assert_int_equal(rig_config32(r, CFG_EMERG), 0);
	rig_start(r, RIG_ALL);
	rig_config_write(r, CFG_EMERG, "?", 1);
	host_hears(r, fd, "?", 1);
	rig_config_write(r, CFG_EMERG + 1, "x", 1);
	host_hears_nothing(r, fd);
	close(fd);
}

static void emergency_output_goes_before_what_waits(struct rig *r)
{
	struct rig_buf big = rig_alloc(r, SLOW_BUFS * SLOW_CHUNK);
	struct rig_req *reqs[SLOW_BUFS];
	g_autofree uint8_t *got = g_malloc0(big.len + 1);
	size_t n = 0;
	int fd = host_connect(r, "s");

	rig_start(r, RIG_ALL);
	rig_wait_idle(r);
	overfill(r, big, reqs);
	memset(big.p, 'x', big.len); /* the driver may, and now it shows where the byte went */
	rig_config_write(r, CFG_EMERG, "!", 1);
	rig_wait_idle(r);
	RIG_UNTIL(r, ({
			  ssize_t ret = recv(fd, got + n, big.len + 1 - n, 0);

			  n += ret > 0 ? (size_t)ret : 0;
			  n == big.len + 1;
		  }));
	assert_int_not_equal(got[big.len], '!');
	assert_non_null(memchr(got, '!', big.len));
	close(fd);
}

/*
 * A file and a pty.
 */
static void output_goes_to_a_file(struct rig *r)
{
	g_autofree char *path = g_build_filename(rig_dir(r), "log", NULL), *text = NULL;

	rig_start(r, RIG_ALL);
	guest_says(r, TX0, "one\n");
	guest_says(r, TX0, "two\n");
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	assert_string_equal(text, "one\ntwo\n");
}

static void a_pty_is_announced_and_works(struct rig *r)
{
	g_autofree char *path = g_build_filename(rig_dir(r), "tty", NULL);
	char buf[8];
	int fd;

	rig_start(r, RIG_ALL);
	assert_int_equal(rig_logged(r, "is at /dev/pts/"), 1);
	guest_says(r, TX0, "login\r\n");
	fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
	assert_true(fd >= 0);
	RIG_UNTIL(r, read(fd, buf, sizeof(buf)) == 7);
	assert_memory_equal(buf, "login\r\n", 7);
	assert_int_equal(write(fd, "me\r", 3), 3);
	guest_hears(r, RX0, "me\r");
	close(fd);
}

#define ONE "console,chr=unix:@/s"

#define CASE(n, s, ...)                                  \
	{                                                \
		.name = n, .spec = s, .run = __VA_ARGS__ \
	}

int main(void)
{
	const struct rig_case cases[] = {
		CASE("what the guest writes reaches the client", ONE,
		     what_the_guest_writes_reaches_the_client),
		CASE("what the client writes reaches the guest", ONE,
		     what_the_client_writes_reaches_the_guest),
		CASE("a mebibyte is echoed without loss", ONE, a_mebibyte_is_echoed_without_loss),
		CASE("output waits for a slow client", ONE, output_waits_for_a_slow_client),
		CASE("a reset loses nothing that was begun", ONE,
		     a_reset_loses_nothing_that_was_begun, .links = RIG_STAYS),
		CASE("a pause loses nothing", ONE, a_pause_loses_nothing),
		CASE("output before a client comes is kept", ONE,
		     output_before_a_client_comes_is_kept),
		CASE("without a client no output waits", ONE, without_a_client_no_output_waits),
		CASE("input waits for buffers", ONE, input_waits_for_buffers),
		CASE("input before the driver is kept", ONE, input_before_the_driver_is_kept),
		CASE("one port has two queues", ONE, one_port_has_two_queues),
		CASE("buffers of the wrong kind are noted", ONE,
		     buffers_of_the_wrong_kind_are_noted),
		CASE("a huge chain keeps nobody busy for long", "console,chr=null",
		     a_huge_chain_keeps_nobody_busy_for_long, .links = RIG_NOT_COPIED),
		CASE("the window has a size", "console,chr=null,cols=132,rows=43",
		     the_window_has_a_size),
		CASE("emergency output needs no driver", ONE, emergency_output_needs_no_driver),
		CASE("emergency output goes before what waits", ONE,
		     emergency_output_goes_before_what_waits),
		CASE("output goes to a file", "console,chr=file:@/log", output_goes_to_a_file),
		CASE("a pty is announced and works", "console,chr=pty:@/tty",
		     a_pty_is_announced_and_works),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return rig_run_copied("console", cases, G_N_ELEMENTS(cases));
}
