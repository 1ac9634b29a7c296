/*
 * Engines (devices/core/engine.h): a queue that runs in a thread which gets only descriptors and
 * addresses behaves to its driver as one that runs here, over every link; and goes to and fro
 * between the two.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "tests/support/echo.h"
#include "tests/support/elsewhere.h"
#include "tests/support/pci-peek.h"
#include "tests/support/rig-impl.h"

/* The rig's referee sees no chains of a queue that runs elsewhere, and while it observes the device
 * no interrupt is the transport's own descriptor. */
static void send_referee_home(struct rig *r)
{
	assert_null(referee_end(g_steal_pointer(&r->referee)));
}

/* The echo device's first queue runs elsewhere from its next start on. */
static struct elsewhere *send_away(struct rig *r)
{
	struct elsewhere *e = elsewhere_new();

	send_referee_home(r);
	assert_int_equal(vdev_queue_set_engine(rig_dev(r), ECHO_COPY, &elsewhere_engine, e), 0);
	return e;
}

static void bring_back(struct rig *r, struct elsewhere *e)
{
	assert_int_equal(vdev_queue_set_engine(rig_dev(r), ECHO_COPY, NULL, NULL), 0);
	elsewhere_free(e);
}

static void end(struct rig *r, struct elsewhere *e)
{
	rig_reset(r);
	assert_false(elsewhere_runs(e));
	bring_back(r, e);
}

struct echoed {
	struct rig_req *req;
	struct rig_buf in, out;
};

static struct echoed send(struct rig *r)
{
	static uint32_t n;
	struct echoed x = { .out = rig_alloc(r, sizeof(n)) };

	n++;
	x.in = rig_dup(r, &n, sizeof(n));
	x.req = rig_submit(r, ECHO_COPY, (struct rig_buf[]){ x.in, x.out }, 1, 1);
	return x;
}

static void receive(struct rig *r, struct echoed x)
{
	assert_int_equal(rig_wait(r, x.req), 4);
	assert_memory_equal(x.in.p, x.out.p, 4);
}

static uint64_t chains_here(struct rig *r)
{
	return vq_stats(rig_dev(r)->queue[ECHO_COPY].vq)->chains;
}

/*
 * Life.
 */
static void a_thread_with_descriptors_and_addresses_serves_a_queue(struct rig *r)
{
	struct elsewhere *e = send_away(r);
	struct rig_buf kept[] = { rig_alloc(r, 1), rig_alloc(r, 1) };
	struct rig_req *other;

	rig_start(r, RIG_ALL);
	for (int i = 0; i < 100; i++)
		receive(r, send(r));
	assert_int_equal(elsewhere_completed(e), 100);
	assert_int_equal(chains_here(r), 0);

	other = rig_submit(r, ECHO_KEEP, kept, 1, 1); /* a queue that runs here still */
	rig_wait_idle(r);
	rig_on_owner(r, echo_release, rig_dev(r));
	rig_wait(r, other);
	end(r, e);
}

static void what_was_there_before_driver_ok_is_seen(struct rig *r)
{
	struct elsewhere *e = send_away(r);
	struct vfeatures want = rig_offered(r);
	struct echoed x;

	vfeatures_set(&want, VIRTIO_F_NOTIFICATION_DATA, false);
	assert_true(rig_negotiate(r, want));
	for (unsigned q = 0; q < ECHO_QUEUES; q++)
		rig_queue_start(r, q, 0);
	x.in = rig_dup(r, "1234", 4);
	x.out = rig_alloc(r, 4);
	x.req = rig_add(r, ECHO_COPY, (struct rig_buf[]){ x.in, x.out }, 1, 1);
	(void)drv_publish(rig_vq(r, ECHO_COPY)); /* no kick: it is not allowed yet */
	rig_driver_ok(r);
	receive(r, x);
	end(r, e);
}

static void it_starts_anew_after_a_reset_of_the_device_and_of_the_queue(struct rig *r)
{
	struct elsewhere *e = send_away(r);

	for (int i = 0; i < 3; i++) {
		rig_start(r, RIG_ALL);
		receive(r, send(r));
		assert_true(elsewhere_runs(e));
		rig_queue_reset(r, ECHO_COPY);
		assert_false(elsewhere_runs(e));
		rig_queue_start(r, ECHO_COPY, 0);
		receive(r, send(r));
		rig_reset(r);
		assert_false(elsewhere_runs(e));
	}
	assert_int_equal(elsewhere_completed(e), 6);
	assert_int_equal(chains_here(r), 0);
	bring_back(r, e);
}

static void a_pause_ends_its_use_of_memory_and_it_goes_on_where_it_was(struct rig *r)
{
	struct elsewhere *e = send_away(r);
	struct echoed x[3];

	rig_start(r, RIG_ALL);
	for (int i = 0; i < 3; i++) {
		receive(r, send(r));
		vdev_pause(rig_dev(r));
		vdev_pause(rig_dev(r));
		assert_false(elsewhere_runs(e));
		x[i] = send(r);
		rig_wait_idle(r);
		assert_false(x[i].req->done);
		vdev_resume(rig_dev(r));
		receive(r, x[i]);
	}
	vdev_pause(rig_dev(r)); /* and a paused one can be reset */
	rig_reset(r);
	vdev_resume(rig_dev(r));
	rig_start(r, RIG_ALL);
	receive(r, send(r));
	end(r, e);
}

/*
 * A host that takes its time.
 */
struct later {
	struct elsewhere *e;
	bool served;
};

static void idle_later(void *arg)
{
	struct later *l = arg;

	l->served = true;
	elsewhere_busy(l->e, false);
}

static void a_stop_waits_for_what_it_has_in_hand(struct rig *r)
{
	static const enum { RESET, QUEUE_RESET, PAUSE } stops[] = { RESET, QUEUE_RESET, PAUSE };
	struct elsewhere *e = send_away(r);

	g_main_context_acquire(loop_context(rig_loop(r))); /* as the program's main thread has it */
	for (unsigned i = 0; i < G_N_ELEMENTS(stops); i++) {
		unsigned before = elsewhere_completed(e);
		struct later l = { .e = e };
		struct echoed x;

		rig_start(r, RIG_ALL);
		elsewhere_busy(e, true);
		x = send(r);
		RIG_UNTIL(r, elsewhere_in_hand(e) == 1);
		loop_post(rig_loop(r), idle_later, &l);
		if (stops[i] == PAUSE)
			vdev_pause(rig_dev(r));
		else if (stops[i] == QUEUE_RESET)
			rig_queue_reset(r, ECHO_COPY);
		else
			rig_set_status(r, 0);
		assert_true(l.served);
		assert_false(elsewhere_runs(e));
		assert_int_equal(elsewhere_completed(e), before + 1);
		if (stops[i] == PAUSE) {
			receive(r, x); /* its interrupt came with the pause */
			vdev_resume(rig_dev(r));
		}
		rig_reset(r);
	}
	g_main_context_release(loop_context(rig_loop(r)));
	bring_back(r, e);
}

/*
 * To and fro.
 */
static void a_queue_goes_to_and_fro_in_the_middle_of_its_life(struct rig *r)
{
	struct elsewhere *e = elsewhere_new();
	struct vdev *dev = rig_dev(r);
	unsigned here = 0, there = 0;

	send_referee_home(r);
	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 20; i++) {
		struct echoed waiting[5];
		bool away = i % 2;

		vdev_pause(dev);
		for (unsigned k = 0; k < 5; k++)
			waiting[k] = send(r);
		assert_int_equal(
			vdev_queue_set_engine(dev, ECHO_COPY, away ? &elsewhere_engine : NULL, e),
			0);
		vdev_resume(dev);
		for (unsigned k = 0; k < 5; k++)
			receive(r, waiting[k]);
		for (unsigned k = 0; k < 40; k++) /* round the ring */
			receive(r, send(r));
		*(away ? &there : &here) += 45;
		assert_int_equal(elsewhere_completed(e), there);
		assert_int_equal(chains_here(r), here);
	}
	rig_reset(r);
	bring_back(r, e);
}

static void not_while_it_runs_nor_with_chains_in_hand(struct rig *r)
{
	struct rig_buf bufs[] = { rig_alloc(r, 1), rig_alloc(r, 1) };
	struct elsewhere *e = elsewhere_new();
	struct vdev *dev = rig_dev(r);
	struct rig_req *req;

	send_referee_home(r);
	rig_start(r, RIG_ALL);
	assert_int_equal(vdev_queue_set_engine(dev, ECHO_COPY, &elsewhere_engine, e), -EBUSY);
	req = rig_submit(r, ECHO_KEEP, bufs, 1, 1);
	rig_wait_idle(r);
	vdev_pause(dev);
	assert_int_equal(vdev_queue_set_engine(dev, ECHO_KEEP, &elsewhere_engine, e), -EBUSY);
	vdev_resume(dev);
	rig_on_owner(r, echo_release, dev);
	rig_wait(r, req);
	vdev_pause(dev);
	assert_int_equal(vdev_queue_set_engine(dev, ECHO_KEEP, &elsewhere_engine, e), 0);
	vdev_resume(dev);
	req = rig_submit(r, ECHO_KEEP, bufs, 1, 1);
	rig_wait(r, req); /* nothing is kept there */
	rig_reset(r);
	assert_int_equal(vdev_queue_set_engine(dev, ECHO_KEEP, NULL, NULL), 0);
	elsewhere_free(e);
}

/*
 * Mistakes of the driver's.
 */
static void a_broken_ring_is_told_of_and_mended_by_a_reset(struct rig *r)
{
	struct elsewhere *e = send_away(r);

	rig_start(r, rig_all_but(VIRTIO_F_INDIRECT_DESC));
	receive(r, send(r));
	rig_reset(r);
	rig_start(r, rig_all_but(VIRTIO_F_INDIRECT_DESC));
	vdev_pause(rig_dev(r));
	(void)send(r);
	rig_spoil_address(r, ECHO_COPY, 1ull << 60);
	vdev_resume(rig_dev(r));
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
	assert_int_equal(rig_logged(r, "guest bug: queue 0, head 0: address"), 1);
	rig_reset(r);
	rig_start(r, RIG_ALL);
	receive(r, send(r));
	end(r, e);
}

/*
 * Interrupts.
 */
static void work_without_the_loop(struct rig *r, struct elsewhere *e)
{
	unsigned before = elsewhere_completed(e);
	int64_t deadline = rig_deadline();

	(void)send(r);
	while (elsewhere_completed(e) == before && g_get_monotonic_time() < deadline)
		g_usleep(50);
	assert_int_equal(elsewhere_completed(e), before + 1);
}

/* pci has a descriptor for each vector: no loop of ours is in the way. */
static void msix_interrupts_need_no_thread_of_ours(struct rig *r)
{
	struct elsewhere *e = send_away(r);
	int64_t deadline = rig_deadline();

	rig_start(r, RIG_ALL);
	rig_wait_idle(r);
	work_without_the_loop(r, e);
	while (rig_interrupts(r, ECHO_COPY) == 0) {
		assert_true(g_get_monotonic_time() < deadline);
		g_usleep(50);
	}
	end(r, e);
}

/* With INTx and on mmio there is a status bit to be set first: the queue's loop does it. */
static void elsewhere_the_loop_sets_the_status_bit_first(struct rig *r)
{
	struct elsewhere *e = send_away(r);

	rig_start(r, RIG_ALL);
	rig_wait_idle(r);
	work_without_the_loop(r, e);
	g_usleep(2000);
	assert_int_equal(rig_interrupts(r, ECHO_COPY), 0);
	RIG_UNTIL(r, rig_interrupts(r, ECHO_COPY) == 1);
	end(r, e);
}

static void a_driver_may_change_where_interrupts_go(struct rig *r)
{
	unsigned msix = peek_cap(r, 0x11, 0, 0);
	struct elsewhere *e = send_away(r);

	rig_start(r, rig_all_but(VIRTIO_F_EVENT_IDX));
	rig_wait_idle(r);
	work_without_the_loop(r, e);
	peek_await_message(r, 1 + ECHO_COPY);

	peek_put(r, 0x16, 2, ECHO_COPY); /* queue_select, */
	peek_put(r, 0x1a, 2, 0);         /* queue_msix_vector */
	work_without_the_loop(r, e);
	peek_await_message(r, 0);

	peek_cfg_write(r, msix + 2, 2, 0); /* back to INTx */
	work_without_the_loop(r, e);
	RIG_UNTIL(r, board_fake_level(rig_board(r), RIG_PCI_GSI));
	assert_int_equal(peek_get(r, PEEK_ISR, 1), 1);

	peek_cfg_write(r, msix + 2, 2, 0x8000); /* and MSI-X again */
	work_without_the_loop(r, e);
	peek_await_message(r, 0);
	assert_int_equal(peek_messages(r, 1 + ECHO_COPY), 0);
	end(r, e);
}

static uint32_t interrupt_status(struct rig *r)
{
	return (uint32_t)board_fake_read(rig_board(r), false, RIG_MMIO_BASE + 0x60, 4);
}

/* DEV-MMIO-REGS-04 */
static void mmio_interrupt_status_is_exact_for_it(struct rig *r)
{
	struct elsewhere *e = send_away(r);
	struct board_fake *b = rig_board(r);

	rig_start(r, rig_all_but(VIRTIO_F_EVENT_IDX)); /* an interrupt for each, whoever looks */
	rig_wait_idle(r);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(interrupt_status(r), 0);
		work_without_the_loop(r, e);
		while (!interrupt_status(r)) /* the bit is there when the edge is */
			g_main_context_iteration(loop_context(rig_loop(r)), FALSE);
		assert_int_equal(board_fake_take_edges(b, RIG_MMIO_GSI), 1);
		assert_int_equal(interrupt_status(r), 1);
		board_fake_write(b, false, RIG_MMIO_BASE + 0x64, 4, 1);
		assert_int_equal(interrupt_status(r), 0);
	}
	end(r, e);
}

#define ECHO(text, fn, where)                                                                 \
	{                                                                                     \
		.name = text, .spec = "echo", .class = &echo_class, .run = fn, .links = where \
	}

static const struct rig_case cases[] = {
	ECHO("a thread with descriptors and addresses serves a queue",
	     a_thread_with_descriptors_and_addresses_serves_a_queue, NULL),
	ECHO("what was there before DRIVER_OK is seen", what_was_there_before_driver_ok_is_seen,
	     NULL),
	ECHO("it starts anew after a reset of the device and of the queue",
	     it_starts_anew_after_a_reset_of_the_device_and_of_the_queue, NULL),
	ECHO("a pause ends its use of memory, and it goes on where it was",
	     a_pause_ends_its_use_of_memory_and_it_goes_on_where_it_was, NULL),
	ECHO("a stop waits for what it has in hand", a_stop_waits_for_what_it_has_in_hand, NULL),
	ECHO("a queue goes to and fro in the middle of its life",
	     a_queue_goes_to_and_fro_in_the_middle_of_its_life, NULL),
	ECHO("not while it runs, nor with chains in hand",
	     not_while_it_runs_nor_with_chains_in_hand, NULL),
	ECHO("a broken ring is told of, and mended by a reset",
	     a_broken_ring_is_told_of_and_mended_by_a_reset, NULL),
	ECHO("MSI-X interrupts need no thread of ours", msix_interrupts_need_no_thread_of_ours,
	     "pci pci-packed pci-order pci-packed-order pci-cfg"),
	ECHO("a driver may change where interrupts go", a_driver_may_change_where_interrupts_go,
	     "pci pci-packed"),
	ECHO("elsewhere the loop sets the status bit first",
	     elsewhere_the_loop_sets_the_status_bit_first, "pci-intx* mmio* direct* !*-thread*"),
	ECHO("mmio's InterruptStatus is exact for it", mmio_interrupt_status_is_exact_for_it,
	     "mmio mmio-packed"),
};

int main(void)
{
	return rig_run("engine", cases, G_N_ELEMENTS(cases));
}
