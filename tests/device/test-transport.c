/*
 * What any transport owes any driver, shown with the echo device: requests and interrupts, the
 * status machine, features, queues, configuration space. Every case runs over every link.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/echo.h"
#include "tests/support/rig.h"

static void echo(struct rig *r, const char *text)
{
	uint32_t len = (uint32_t)strlen(text);
	struct rig_buf bufs[] = { rig_dup(r, text, len), rig_alloc(r, len + 8) };

	assert_int_equal(rig_do(r, ECHO_COPY, bufs, 1, 1), len);
	assert_memory_equal(bufs[1].p, text, len);
}

static void a_request_is_answered(struct rig *r)
{
	rig_start(r, RIG_ALL);
	echo(r, "hello");
}

static void it_works_without_any_optional_feature(struct rig *r)
{
	rig_start(r, RIG_NONE);
	for (int i = 0; i < 200; i++)
		echo(r, "plain");
}

static void it_works_without_event_idx(struct rig *r)
{
	rig_start(r, rig_all_but(VIRTIO_F_EVENT_IDX));
	for (int i = 0; i < 200; i++)
		echo(r, "flags");
}

static void many_requests_in_a_row_are_answered(struct rig *r)
{
	rig_start(r, RIG_ALL);
	for (int i = 0; i < 2000; i++)
		echo(r, "again");
}

/* Full rings, one kick for each batch. */
static void a_full_ring_is_answered(struct rig *r)
{
	struct rig_buf in = rig_dup(r, "0123456789abcdef", 16), out = rig_alloc(r, 16 * 64);
	struct rig_req *req[64];

	rig_start(r, RIG_NONE);
	for (int round = 0; round < 50; round++) {
		unsigned n = rig_room(r, ECHO_COPY) / 2;

		assert_int_equal(n, 32);
		for (unsigned i = 0; i < n; i++)
			req[i] = rig_add(r, ECHO_COPY,
					 (struct rig_buf[]){ in, rig_part(out, i * 16, 16) }, 1, 1);
		rig_publish(r, ECHO_COPY);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(rig_wait(r, req[i]), 16);
	}
}

static void queues_interrupt_apart(struct rig *r)
{
	struct rig_buf buf = rig_alloc(r, 4);
	struct rig_req *kept, *fed;

	rig_start(r, RIG_ALL);
	kept = rig_submit(r, ECHO_KEEP, &buf, 0, 1);
	fed = rig_submit(r, ECHO_FED, &buf, 0, 1);
	rig_wait_idle(r);
	assert_false(kept->done || fed->done);
	rig_on_owner(r, echo_feed, rig_dev(r));
	assert_int_equal(rig_wait(r, fed), 1);
	assert_false(kept->done);
	rig_on_owner(r, echo_release, rig_dev(r));
	assert_int_equal(rig_wait(r, kept), 0);
}

static void buffers_given_before_driver_ok_are_seen(struct rig *r)
{
	struct rig_buf bufs[] = { rig_dup(r, "early", 5), rig_alloc(r, 5) };
	struct vfeatures f = RIG_NONE;
	struct rig_req *req;

	vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
	assert_true(rig_negotiate(r, f));
	for (unsigned q = 0; q < ECHO_QUEUES; q++)
		rig_queue_start(r, q, 0);
	req = rig_add(r, ECHO_COPY, bufs, 1, 1);
	(void)drv_publish(rig_vq(r, ECHO_COPY)); /* no kick: it is too early for one */
	rig_wait_idle(r);
	assert_false(req->done);
	rig_driver_ok(r);
	assert_int_equal(rig_wait(r, req), 5);
}

/* DEV-BASE-STATUS-01 */
static void a_kick_before_driver_ok_does_nothing(struct rig *r)
{
	struct rig_buf buf = rig_alloc(r, 4);
	struct vfeatures f = RIG_NONE;
	struct rig_req *req;

	vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
	assert_true(rig_negotiate(r, f));
	for (unsigned q = 0; q < ECHO_QUEUES; q++)
		rig_queue_start(r, q, 0);
	req = rig_add(r, ECHO_COPY, &buf, 0, 1);
	(void)drv_publish(rig_vq(r, ECHO_COPY));
	rig_kick(r, ECHO_COPY);
	rig_wait_idle(r);
	assert_false(req->done);
}

/*
 * Status and features.
 */

static void status_bits_only_add_up(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	assert_int_equal(rig_status(r), VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, VIRTIO_S_DRIVER);
	assert_int_equal(rig_status(r), VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	rig_set_status(r, VIRTIO_S_NEEDS_RESET | VIRTIO_S_DRIVER);
	assert_int_equal(rig_status(r), VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	rig_set_status(r, VIRTIO_S_FAILED | VIRTIO_S_DRIVER);
	assert_true(rig_status(r) & VIRTIO_S_FAILED);
	rig_reset(r);
	assert_int_equal(rig_status(r), 0);
}

static void driver_ok_without_features_ok_is_refused(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_DRIVER_OK);
	assert_false(rig_status(r) & VIRTIO_S_DRIVER_OK);
}

/* DEV-BASE-FEAT-03, -05 */
static void features_that_were_not_offered_are_refused(struct rig *r)
{
	struct vfeatures offered = rig_offered(r), f;

	assert_true(vfeatures_has(offered, ECHO_F_HIGH));
	for (unsigned bit = 0; bit < 128; bit++) {
		if (vfeatures_has(offered, bit))
			continue;
		f = RIG_NONE;
		vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
		vfeatures_set(&f, bit, true);
		assert_false(rig_negotiate(r, f));
	}
	assert_true(rig_negotiate(r, offered));
}

static void version_1_must_be_accepted(struct rig *r)
{
	assert_true(vfeatures_has(rig_offered(r), VIRTIO_F_VERSION_1));
	assert_false(rig_negotiate(r, RIG_NONE));
}

static void a_class_can_refuse_a_set_of_features(struct rig *r)
{
	struct vfeatures f = RIG_NONE;

	vfeatures_set(&f, VIRTIO_F_VERSION_1, true);
	vfeatures_set(&f, ECHO_F_NEEDS_BASE, true);
	assert_false(rig_negotiate(r, f));
	vfeatures_set(&f, ECHO_F_BASE, true);
	assert_true(rig_negotiate(r, f));
}

/*
 * Reset.
 */

static void a_reset_returns_what_is_in_flight_and_starts_anew(struct rig *r)
{
	struct rig_buf buf = rig_alloc(r, 64);

	for (int round = 0; round < 20; round++) {
		rig_start(r, RIG_ALL);
		for (int i = 0; i < 10; i++)
			rig_submit(r, ECHO_KEEP, &buf, 0, 1);
		if (round % 2)
			rig_wait_idle(r);
		rig_reset(r);
		assert_int_equal(echo_kept(rig_dev(r)), 0);
	}
	rig_start(r, RIG_ALL);
	echo(r, "alive");
}

/* DEV-BASE-RESET-01, -02 */
static void after_a_reset_nothing_is_written_to_memory(struct rig *r)
{
	struct rig_buf bufs[] = { rig_dup(r, "x", 1), rig_alloc(r, 1) };
	struct drv_vq *vq;

	rig_start(r, RIG_NONE);
	vq = rig_vq(r, ECHO_COPY);
	rig_add(r, ECHO_COPY, bufs, 1, 1);
	rig_set_status(r, 0);
	memset(vq->cfg.base, 0xff, vq->cfg.len); /* would be a fault, and an answer, if it looked */
	rig_kick(r, ECHO_COPY);
	rig_wait_idle(r);
	for (size_t i = 0; i < vq->cfg.len; i++)
		assert_int_equal(((uint8_t *)vq->cfg.base)[i], 0xff);
	assert_int_equal(rig_status(r), 0);
	assert_int_equal(rig_logged(r, "guest bug"), 0);
}

/* DEV-PCI-COMMON-08, DEV-MMIO-REGS-05 */
static void a_reset_clears_what_was_programmed(struct rig *r)
{
	rig_start(r, RIG_ALL);
	rig_reset(r);
	assert_true(rig_negotiate(r, rig_offered(r)));
	for (unsigned q = 0; q < ECHO_QUEUES; q++)
		rig_queue_start(r, q, 0); /* asserts that it was not enabled */
}

/*
 * Queues.
 */

static void a_queue_may_be_smaller_than_its_maximum(struct rig *r)
{
	struct vfeatures f = rig_offered(r);

	assert_true(rig_negotiate(r, f));
	rig_queue_start(r, ECHO_COPY, 2);
	rig_driver_ok(r);
	for (int i = 0; i < 20; i++)
		echo(r, "small");
}

static void there_are_no_queues_beyond_the_last(struct rig *r)
{
	rig_reset(r);
	assert_int_equal(rig_n_queues(r), ECHO_QUEUES);
}

/* DEV-BASE-VQRESET-01, -02, DEV-PCI-COMMON-10 to -13, DEV-MMIO-REGS-08 to -12 */
static void one_queue_can_be_reset_while_others_run(struct rig *r)
{
	struct rig_buf buf = rig_alloc(r, 4);

	rig_start(r, RIG_ALL);
	assert_true(rig_has(r, VIRTIO_F_RING_RESET));
	for (int i = 0; i < 10; i++) {
		rig_submit(r, ECHO_KEEP, &buf, 0, 1);
		rig_queue_reset(r, ECHO_KEEP);
		echo(r, "others");
		rig_queue_start(r, ECHO_KEEP, (uint16_t)(i % 2 ? 16 : 64));
	}
	rig_submit(r, ECHO_KEEP, &buf, 0, 1);
	rig_wait_idle(r);
	assert_int_equal(echo_kept(rig_dev(r)), 1);
}

/* DEV-BASE-STATUS-02, -03 */
static void a_broken_ring_needs_a_reset_and_gets_over_it(struct rig *r)
{
	struct rig_buf buf = rig_alloc(r, 4);
	unsigned before;

	rig_start(r, rig_all_but(VIRTIO_F_INDIRECT_DESC));
	before = rig_config_interrupts(r);
	rig_add(r, ECHO_COPY, &buf, 0, 1);
	rig_spoil_address(r, ECHO_COPY, 0x123456789000);
	rig_publish(r, ECHO_COPY);
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
	RIG_UNTIL(r, rig_config_interrupts(r) > before);
	assert_int_equal(rig_logged(r, "guest bug"), 1);
	assert_int_equal(rig_logged(r, "address"), 1);
	rig_start(r, RIG_ALL);
	assert_false(rig_status(r) & VIRTIO_S_NEEDS_RESET);
	echo(r, "better");
}

static void a_ring_outside_memory_needs_a_reset(struct rig *r)
{
	struct vfeatures f = rig_offered(r);

	assert_true(rig_negotiate(r, f));
	rig_queue_start(r, ECHO_COPY, 0);
	rig_reset(r);
	assert_true(rig_negotiate(r, f));
	rig_mem(r)->region[0].len = 4096; /* under the ring */
	rig_queue_start(r, ECHO_COPY, 0);
	rig_driver_ok(r);
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
	rig_reset(r);
	rig_mem(r)->region[0].len = 16 << 20;
	rig_start(r, RIG_ALL);
	echo(r, "back");
}

/*
 * Configuration space.
 */

/* DEV-BASE-CFG-01 */
static void config_can_be_read_before_and_after_features(struct rig *r)
{
	rig_reset(r);
	assert_int_equal(rig_config32(r, ECHO_PAIR), 0x01010101);
	rig_start(r, RIG_ALL);
	assert_int_equal(rig_config32(r, ECHO_PAIR), 0x01010101);
	assert_int_equal(rig_config64(r, ECHO_PAIR), 0x0101010101010101);
	assert_int_equal(rig_config16(r, ECHO_PAIR + 2), 0x0101);
	assert_int_equal(rig_config8(r, ECHO_PAIR + 3), 0x01);
}

/* DEV-PCI-COMMON-06, DEV-MMIO-REGS-06 */
static void a_config_change_interrupts_under_a_new_generation(struct rig *r)
{
	uint8_t generation;
	unsigned before;

	rig_start(r, RIG_ALL);
	for (unsigned i = 1; i < 20; i++) {
		generation = rig_config_generation(r);
		before = rig_config_interrupts(r);
		echo_set_pair(rig_dev(r), i, true);
		RIG_UNTIL(r, rig_config_interrupts(r) > before);
		assert_int_not_equal(rig_config_generation(r), generation);
		assert_int_equal(rig_config32(r, ECHO_PAIR), i);
		assert_int_equal(rig_config32(r, ECHO_PAIR + 4), i);
		echo(r, "meanwhile");
	}
}

static void a_quiet_config_change_is_seen_too(struct rig *r)
{
	uint8_t generation;

	rig_start(r, RIG_ALL);
	generation = rig_config_generation(r);
	echo_set_pair(rig_dev(r), 77, false);
	assert_int_equal(rig_config32(r, ECHO_PAIR), 77);
	assert_int_not_equal(rig_config_generation(r), generation);
	rig_wait_idle(r);
	assert_int_equal(rig_config_interrupts(r), 0);
}

static void config_writes_reach_the_device(struct rig *r)
{
	rig_start(r, RIG_ALL);
	rig_config_write(r, ECHO_WRITABLE, "\x10", 1);
	rig_config_write(r, ECHO_WRITABLE + 2, "\x20\x30", 2);
	assert_int_equal(rig_config32(r, ECHO_WRITABLE), 0x31210011);
	rig_config_write(r, ECHO_WRITABLE, "\x01\x02\x03\x04", 4);
	assert_int_equal(rig_config32(r, ECHO_WRITABLE), 0x05040302);
	rig_config_write(r, ECHO_PAIR, "\xff\xff\xff\xff", 4);
	assert_int_equal(rig_config32(r, ECHO_PAIR), 0x01010101);
}

static void beyond_the_config_space_are_zeroes(struct rig *r)
{
	rig_start(r, RIG_ALL);
	rig_config_write(r, 20, "\xff\xff\xff\xff", 4);
	for (unsigned off = 12; off < 64; off += 4)
		assert_int_equal(rig_config32(r, off), 0);
}

struct changer {
	struct vdev *dev;
	_Atomic bool stop;
};

static gpointer change_config(gpointer data)
{
	struct changer *c = data;

	for (uint32_t i = 1; !c->stop; i++)
		echo_set_pair(c->dev, i * 0x01000193u, true);
	return NULL;
}

/* Both fields always hold the same, so a mixture of old and new would show. */
static void config_is_never_torn(struct rig *r)
{
	struct changer c = { .dev = rig_dev(r) };
	g_autoptr(GThread) thread = NULL;
	uint32_t pair[2];

	rig_start(r, RIG_ALL);
	thread = g_thread_new("changer", change_config, &c);
	for (unsigned i = 0; i < 3000; i++) {
		rig_config(r, ECHO_PAIR, pair, sizeof(pair));
		if (pair[0] != pair[1])
			break;
	}
	c.stop = true;
	g_thread_join(g_steal_pointer(&thread));
	assert_int_equal(pair[0], pair[1]);
	rig_wait_idle(r);
	rig_config(r, ECHO_PAIR, pair, sizeof(pair));
	assert_int_equal(pair[0], pair[1]);
}

#define CASE(fn)                                      \
	{                                             \
#fn, "echo", fn, .class = &echo_class \
	}
#define MODERN(fn)                                                         \
	{                                                                  \
#fn, "echo", fn, .class = &echo_class, .links = RIG_MODERN \
	}

static const struct rig_case cases[] = {
	CASE(a_request_is_answered),
	CASE(it_works_without_any_optional_feature),
	CASE(it_works_without_event_idx),
	CASE(many_requests_in_a_row_are_answered),
	CASE(a_full_ring_is_answered),
	CASE(queues_interrupt_apart),
	CASE(buffers_given_before_driver_ok_are_seen),
	MODERN(a_kick_before_driver_ok_does_nothing),
	CASE(status_bits_only_add_up),
	MODERN(driver_ok_without_features_ok_is_refused),
	MODERN(features_that_were_not_offered_are_refused),
	MODERN(version_1_must_be_accepted),
	MODERN(a_class_can_refuse_a_set_of_features),
	CASE(a_reset_returns_what_is_in_flight_and_starts_anew),
	CASE(after_a_reset_nothing_is_written_to_memory),
	CASE(a_reset_clears_what_was_programmed),
	CASE(a_queue_may_be_smaller_than_its_maximum),
	CASE(there_are_no_queues_beyond_the_last),
	MODERN(one_queue_can_be_reset_while_others_run),
	CASE(a_broken_ring_needs_a_reset_and_gets_over_it),
	CASE(a_ring_outside_memory_needs_a_reset),
	CASE(config_can_be_read_before_and_after_features),
	MODERN(a_config_change_interrupts_under_a_new_generation),
	MODERN(a_quiet_config_change_is_seen_too),
	CASE(config_writes_reach_the_device),
	MODERN(beyond_the_config_space_are_zeroes),
	MODERN(config_is_never_torn), /* legacy interfaces have no generation */
};

int main(void)
{
	return rig_run("transport", cases, G_N_ELEMENTS(cases));
}
