/* Devices whose backend has a wrapper before it, over every link: what fails, is late or is lost on
 * the host is that for the driver, too, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/blk-driver.h"
#include "tests/support/console-peer.h"
#include "tests/support/net-frames.h"
#include "tests/support/net-peer.h"
#include "tests/support/wrappers.h"

static void every_third_request_is_an_error(struct rig *r)
{
	struct rig_buf data = bd_filled(r, BLK_SECTOR, 1), back = rig_alloc(r, BLK_SECTOR);

	rig_start(r, RIG_ALL);
	for (unsigned n = 1; n <= 12; n++) {
		uint32_t sector = 8 * n;
		uint8_t want = n % 3 ? BLK_S_OK : BLK_S_IOERR;

		assert_int_equal(bd_request(r, BLK_T_OUT, sector, data), want);
		if (want == BLK_S_OK)
			bd_expect_on_host(r, sector, data.p, BLK_SECTOR);
		else
			bd_expect_untouched(r, sector);
	}
	assert_int_equal(bd_request(r, BLK_T_IN, 8, back), BLK_S_OK);
	assert_memory_equal(back.p, data.p, BLK_SECTOR);
	assert_int_equal(rig_logged(r, "host: write at"), 4);
	assert_false(rig_status(r) & VIRTIO_S_NEEDS_RESET);
}

static void what_the_host_cannot_is_unsupported(struct rig *r)
{
	rig_start(r, RIG_ALL);
	assert_int_equal(bd_range_request(r, BLK_T_WRITE_ZEROES, 0, 8, 0), BLK_S_UNSUPP);
	bd_expect_untouched(r, 0);
}

/* Many at once: as many fail as should, whichever these are, and the disk pauses and goes on. */
static void many_at_once(struct rig *r)
{
	enum { N = 30 };
	struct rig_buf data = rig_alloc(r, BLK_SECTOR);
	struct bd_request req[N];
	unsigned failed = 0;

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < N; i++)
		req[i] = bd_start(r, 0, BLK_T_IN, i, data);
	for (unsigned i = 0; i < N; i++) {
		rig_wait(r, req[i].req);
		failed += *req[i].status == BLK_S_IOERR;
	}
	assert_int_equal(failed, N / 5);
	vdev_pause(rig_dev(r));
	vdev_resume(rig_dev(r));
	assert_int_equal(bd_request(r, BLK_T_IN, 0, data), BLK_S_OK);
}

static void frame_sent(struct rig *r, uint8_t *frame, size_t len, uint8_t fill)
{
	frame_plain(frame, mac_broadcast, len, fill);
	assert_int_equal(net_transmit(r, &net_plain, frame, len), 0);
}

static void frame_comes(struct net_peer *p, const uint8_t *frame, size_t len)
{
	uint8_t in[NET_FRAME_MAX];

	assert_int_equal(net_peer_receive(p, in), len);
	assert_memory_equal(in, frame, len);
}

static void frames_are_lost(struct rig *r)
{
	struct net_peer p = net_peer_connect(r);
	uint8_t out[100];

	rig_start(r, RIG_ALL);
	for (uint8_t i = 1; i <= 9; i++) {
		frame_sent(r, out, sizeof(out), i);
		if (i % 3 == 0)
			continue;
		frame_comes(&p, out, sizeof(out));
	}
	close(p.fd);
}

static void frames_are_late(struct rig *r)
{
	struct net_peer p = net_peer_connect(r);
	uint8_t out[100];

	rig_start(r, RIG_ALL);
	for (uint8_t i = 1; i <= 9; i++) {
		frame_sent(r, out, sizeof(out), i);
		frame_comes(&p, out, sizeof(out));
		assert_true(net_arrives(&p, mac_broadcast, 0));
	}
	close(p.fd);
}

static void bytes_are_late(struct rig *r)
{
	int fd = host_connect(r, "s");

	rig_start(r, RIG_ALL);
	guest_says(r, TX0, "hello");
	host_hears(r, fd, "hello", 5);
	host_says(fd, "ls\n", 3);
	guest_hears(r, RX0, "ls\n");
	close(fd);
}

#define DISK(fn, how)                                                                             \
	{                                                                                         \
		.name = #fn, .spec = "blk,aio=sync,backend=fault:" how ",file:@/disk", .run = fn, \
		.setup = bd_make_disk,                                                            \
	}
#define ON(fn, device)                                                            \
	{                                                                         \
		.name = #fn, .spec = device, .run = fn, .wrappers = test_wrappers \
	}
#define NET "socket,path=@/peer,listen=on,mac=52:54:00:01:02:03"

int main(void)
{
	static const struct rig_case cases[] = {
		DISK(every_third_request_is_an_error, "every=3"),
		DISK(what_the_host_cannot_is_unsupported, "error=EOPNOTSUPP"),
		DISK(many_at_once, "every=5"),
		ON(frames_are_lost, "net,backend=drop:every=3:" NET),
		ON(frames_are_late, "net,backend=slow:" NET),
		ON(bytes_are_late, "console,chr=slow,unix:@/s"),
	};

	return rig_run("wrap", cases, G_N_ELEMENTS(cases));
}
