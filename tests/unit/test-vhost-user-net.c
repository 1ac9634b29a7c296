/*
 * A network card of several queue pairs behind vhost-user: the front-end has the control queue, and
 * tells by SET_VRING_ENABLE which pairs are in use. Its frames are those of backend=null, so each
 * receive queue that is in use has some at once, numbered for itself.
 */
#include <linux/if_tun.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/base/eventfd.h"
#include "devices/net/net.h"
#include "tests/support/net-own.h"
#include "tests/support/vhost-kernel.h"
#include "tests/support/vhost-user-bench.h"

#define PAIRS     4u
#define FRAME     64u
#define HEADER    12u
#define RING_ROOM 0x8000u /* bytes for each queue's ring, */
#define BUFS      0x60000u
#define BUF_ROOM  0x100u /* and for its one buffer */

#define BIT(n) (1ull << (n))

struct pairs {
	struct vhu_bench *b;
	struct drv_vq vq[2 * PAIRS];
	int kick[2 * PAIRS];
};

#define TAP "rs0"

static int setup_of(void **state, const char *spec)
{
	struct pairs *p = g_new0(struct pairs, 1);

	p->b = vhu_bench_open(&net_class, spec);
	for (unsigned q = 0; q < 2 * PAIRS; q++)
		assert_true(eventfd_open(&p->kick[q], "", NULL));
	*state = p;
	return 0;
}

static int setup(void **state)
{
	return setup_of(state, "net,backend=null,generate=64,queue-pairs=4,ring=packed,id=net");
}

static int setup_kernel(void **state)
{
	return setup_of(state, "net,backend=tap,ifname=" TAP ",queue-pairs=4,vhost=on,ring=packed");
}

static int teardown(void **state)
{
	struct pairs *p = *state;
	void *bench = p->b;

	vhu_bench_teardown(&bench);
	for (unsigned q = 0; q < 2 * PAIRS; q++)
		eventfd_close(&p->kick[q]);
	g_free(p);
	return 0;
}

static unsigned pairs_in_use(const struct pairs *p)
{
	return ((const struct net *)p->b->dev)->pairs;
}

/* Queue @q's ring is made and given, and not enabled. */
static void give_ring(struct pairs *p, unsigned q, bool packed)
{
	struct vhu_bench *b = p->b;
	struct drv_config cfg = { .size = BENCH_SIZE,
				  .packed = packed,
				  .base = b->ram + (size_t)q * RING_ROOM,
				  .gpa = (uint64_t)q * RING_ROOM };
	struct vhu_addr a = { .index = q };

	cfg.len = drv_bytes(&cfg);
	assert_true(cfg.len <= RING_ROOM && drv_vq_init(&p->vq[q], &cfg));
	a.desc = BENCH_HIGH + p->vq[q].desc;
	a.avail = BENCH_HIGH + p->vq[q].driver;
	a.used = BENCH_HIGH + p->vq[q].device;
	assert_true(front_set_state(&b->front, VHU_SET_VRING_NUM, q, BENCH_SIZE));
	assert_true(front_set_state(&b->front, VHU_SET_VRING_BASE, q, packed ? 0x80008000u : 0));
	assert_true(front_set(&b->front, VHU_SET_VRING_ADDR, &a, sizeof(a), -1));
	assert_true(front_set_u64(&b->front, VHU_SET_VRING_KICK, q, p->kick[q]));
}

static void begin(struct pairs *p, bool packed)
{
	uint64_t f = vhu_bench_features(packed) | BIT(NET_F_MQ);

	front_begin(&p->b->front, UINT64_MAX);
	assert_true(front_set_u64(&p->b->front, VHU_SET_FEATURES, f, -1));
	vhu_bench_give_memory(p->b, 0);
	for (unsigned q = 0; q < 2 * PAIRS; q++)
		give_ring(p, q, packed);
}

static void enable_pair(struct pairs *p, unsigned pair, bool on)
{
	assert_true(front_set_state(&p->b->front, VHU_SET_VRING_ENABLE, 2 * pair, on));
	assert_true(front_set_state(&p->b->front, VHU_SET_VRING_ENABLE, 2 * pair + 1, on));
}

static void turn(void)
{
	for (unsigned i = 0; i < 50; i++)
		front_turn();
}

/* Offers @pair's receive queue its buffer. */
static void offer(struct pairs *p, unsigned pair)
{
	struct drv_buf buf = { BUFS + (uint64_t)pair * BUF_ROOM, BUF_ROOM };
	size_t q = 2ul * pair;

	assert_true(drv_add(&p->vq[q], &buf, 0, 1, p) >= 0);
	if (drv_publish(&p->vq[q]))
		eventfd_signal(p->kick[q]);
	turn();
}

/* Has a frame come into it? Its number in *ret. */
static bool arrived(struct pairs *p, unsigned pair, uint32_t *ret)
{
	void *cookie;
	uint32_t len;

	turn();
	if (!drv_used(&p->vq[2ul * pair], &cookie, &len))
		return false;
	assert_int_equal(len, HEADER + FRAME);
	memcpy(ret, p->b->ram + BUFS + (size_t)pair * BUF_ROOM + HEADER + NET_ETH_HEADER,
	       sizeof(*ret));
	*ret = GUINT32_FROM_BE(*ret);
	return true;
}

static bool frame_comes(struct pairs *p, unsigned pair, uint32_t *ret)
{
	offer(p, pair);
	return arrived(p, pair, ret);
}

static void mq_is_offered_and_the_control_queue_is_not(void **state)
{
	struct pairs *p = *state;
	uint64_t f = front_get(&p->b->front, VHU_GET_FEATURES);

	assert_true(f & BIT(NET_F_MQ));
	assert_false(f & (BIT(NET_F_CTRL_VQ) | BIT(NET_F_CTRL_RX) | BIT(NET_F_CTRL_MAC_ADDR)));
	front_begin(&p->b->front, UINT64_MAX);
	assert_int_equal(front_get(&p->b->front, VHU_GET_QUEUE_NUM), PAIRS);
}

static void each_enabled_pair_has_frames_of_its_own(void **state)
{
	struct pairs *p = *state;

	for (unsigned packed = 0; packed < 2; packed++) {
		uint32_t first[PAIRS], next;

		begin(p, packed);
		for (unsigned i = 0; i < PAIRS; i++) {
			enable_pair(p, i, true);
			assert_int_equal(pairs_in_use(p), i + 1);
		}
		for (unsigned i = 0; i < PAIRS; i++)
			assert_true(frame_comes(p, i, &first[i]));
		for (unsigned i = 0; i < PAIRS; i++) {
			assert_true(frame_comes(p, i, &next));
			assert_int_equal(next, first[i] + 1); /* none is lost, none is another's */
		}
		front_close(&p->b->front);
		turn();
		front_open(&p->b->front, p->b->back);
	}
}

static void pairs_leave_and_come_back(void **state)
{
	struct pairs *p = *state;
	uint32_t number, again;

	begin(p, true);
	for (unsigned i = 0; i < PAIRS; i++)
		enable_pair(p, i, true);
	assert_true(frame_comes(p, 1, &number));
	for (unsigned i = PAIRS; i-- > 1;) {
		enable_pair(p, i, false);
		assert_int_equal(pairs_in_use(p), i);
	}
	assert_false(frame_comes(p, 1, &again));
	assert_true(frame_comes(p, 0, &again));
	enable_pair(p, 1, true);
	assert_int_equal(pairs_in_use(p), 2);
	assert_true(arrived(p, 1, &again)); /* the buffer has waited, and the frame */
	assert_int_equal(again, number + 1);
}

/* A front-end that starts with the last, and memory that moves while they run. */
static void their_order_does_not_matter(void **state)
{
	struct pairs *p = *state;
	uint32_t number;

	begin(p, false);
	for (unsigned i = PAIRS; i-- > 0;)
		enable_pair(p, i, true);
	assert_int_equal(pairs_in_use(p), PAIRS);
	vhu_bench_give_memory(p->b, 0);
	assert_int_equal(pairs_in_use(p), PAIRS);
	for (unsigned i = 0; i < PAIRS; i++)
		assert_true(frame_comes(p, i, &number));
}

static void a_reset_leaves_one_pair(void **state)
{
	struct pairs *p = *state;

	begin(p, false);
	enable_pair(p, 0, true);
	enable_pair(p, 1, true);
	assert_int_equal(pairs_in_use(p), 2);
	assert_true(front_set(&p->b->front, VHU_RESET_DEVICE, NULL, 0, -1));
	assert_int_equal(pairs_in_use(p), 1);
}

/* The kernel has a device for each, and was last asked for that of the last. */
static void those_that_the_kernel_serves_do_too(void **state)
{
	struct pairs *p = *state;

	for (unsigned round = 0; round < 3; round++) {
		begin(p, round & 1);
		for (unsigned i = 0; i < PAIRS; i++) {
			assert_false(vhost_kernel_runs(0) || vhost_kernel_runs(1));
			enable_pair(p, i, true);
			assert_int_equal(pairs_in_use(p), i + 1);
		}
		assert_true(vhost_kernel_runs(0) && vhost_kernel_runs(1));
		for (unsigned i = PAIRS; i-- > 1;) {
			enable_pair(p, i, false);
			assert_int_equal(pairs_in_use(p), i);
			assert_false(vhost_kernel_runs(0) || vhost_kernel_runs(1));
		}
		front_close(&p->b->front);
		turn();
		front_open(&p->b->front, p->b->back);
	}
	assert_int_equal(p->b->log->len, 0);
}

int main(void)
{
	int ret;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(mq_is_offered_and_the_control_queue_is_not, setup,
						teardown),
		cmocka_unit_test_setup_teardown(each_enabled_pair_has_frames_of_its_own, setup,
						teardown),
		cmocka_unit_test_setup_teardown(pairs_leave_and_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(their_order_does_not_matter, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reset_leaves_one_pair, setup, teardown),
		cmocka_unit_test_setup_teardown(those_that_the_kernel_serves_do_too, setup_kernel,
						teardown),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	if (!own_network())
		return 1;
	tap_make(TAP, IFF_MULTI_QUEUE);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	tap_remove(TAP, IFF_MULTI_QUEUE);
	return ret;
}
