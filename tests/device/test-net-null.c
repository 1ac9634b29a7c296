/* The network device without a network (backend=null), over every link: what is sent is gone, and
 * generate= makes frames with numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "devices/net/net.h"
#include "tests/support/net-frames.h"
#include "tests/support/net-peer.h"

#define SPEC     "net,backend=null,generate=100"
#define GENERATE 100u
#define BUF      1600u

static uint32_t number_in(const uint8_t *frame)
{
	uint32_t number;

	memcpy(&number, frame + HDR + NET_ETH_HEADER, sizeof(number));
	return ntohl(number);
}

/* As many buffers at once as a batch of numbered frames has, fewer, and more. */
static void generated_frames_are_all_there(struct rig *r)
{
	static const unsigned at_once[] = { 1, 40, 3, 16, 17, 15, 1 };
	uint32_t expected = 0;

	rig_start(r, RIG_ALL);
	for (size_t i = 0; i < G_N_ELEMENTS(at_once); i++) {
		struct rig_buf bufs[40];
		struct rig_req *reqs[40];

		for (unsigned k = 0; k < at_once[i]; k++) {
			bufs[k] = rig_alloc(r, BUF);
			reqs[k] = rig_add(r, RX, &bufs[k], 0, 1);
		}
		rig_publish(r, RX);
		for (unsigned k = 0; k < at_once[i]; k++) {
			assert_int_equal(rig_wait(r, reqs[k]), HDR + GENERATE);
			assert_int_equal(number_in(bufs[k].p), expected++);
		}
	}
}

/* Its header says of how many buffers it is. */
static void a_generated_frame_may_take_several_buffers(struct rig *r)
{
	const unsigned size = 50, pieces = 3; /* for HDR + GENERATE */

	if (!(rig_offered(r).w[0] & 1u << NET_F_MRG_RXBUF))
		return;
	rig_start(r, RIG_ALL);
	for (uint32_t i = 0; i < 5; i++) {
		uint8_t frame[150];
		struct rig_req *reqs[3];
		struct rig_buf bufs[3];
		struct net_header h;

		for (unsigned k = 0; k < pieces; k++) {
			bufs[k] = rig_alloc(r, size);
			reqs[k] = rig_add(r, RX, &bufs[k], 0, 1);
		}
		rig_publish(r, RX);
		for (unsigned k = 0; k < pieces; k++) {
			size_t len = rig_wait(r, reqs[k]);

			assert_int_equal(len, k < 2 ? size : HDR + GENERATE - 2 * size);
			memcpy(frame + (size_t)size * k, bufs[k].p, len);
		}
		memcpy(&h, frame, sizeof(h));
		assert_int_equal(le16_cpu(h.num_buffers), pieces);
		assert_int_equal(number_in(frame), i);
	}
}

static void what_is_sent_is_gone(struct rig *r)
{
	uint8_t frame[64];

	rig_start(r, RIG_ALL);
	for (uint8_t i = 0; i < 40; i++) {
		struct rig_buf bufs[2];

		frame_plain(frame, mac_broadcast, sizeof(frame), i);
		bufs[0] = rig_dup(r, &net_plain, HDR);
		bufs[1] = rig_dup(r, frame, sizeof(frame));
		assert_int_equal(rig_do(r, TX, bufs, 2, 0), 0);
	}
}

static const struct rig_case cases[] = {
	CASE(SPEC, generated_frames_are_all_there),
	CASE(SPEC, a_generated_frame_may_take_several_buffers),
	CASE(SPEC, what_is_sent_is_gone),
};

int main(void)
{
	return rig_run_copied("net-null", cases, G_N_ELEMENTS(cases));
}
