/*
 * The socket device, which the kernel serves (devices/vsock/), over every link, with
 * tests/support/vhost-kernel.h for a kernel that gives each packet back. What all such queues have
 * in common is in test-vhost.c; tests/system/vhost is about the real kernel.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "devices/core/state.h"
#include "devices/vhost/kernel.h"
#include "tests/support/pci-peek.h"
#include "tests/support/rig-impl.h"
#include "tests/support/vhost-kernel.h"

#define VSOCK "vsock,guest-cid=42"

enum { RX, TX, EVENTS };

#define CASE(function)                                            \
	{                                                         \
		.name = #function, .spec = VSOCK, .run = function \
	}

static GByteArray *save(struct rig *r)
{
	GByteArray *record = g_byte_array_new();
	g_autoptr(GError) err = NULL;

	if (!vdev_state_save(rig_dev(r), record, &err))
		fail_msg("%s", err->message);
	return record;
}

static void the_guest_address_is_told_to_both(struct rig *r)
{
	uint64_t cid;

	rig_config(r, 0, &cid, sizeof(cid));
	assert_int_equal(GUINT64_FROM_LE(cid), 42);
	assert_int_equal(vhost_kernel_cid(), 42);
}

static void packets_go_by_the_kernel(struct rig *r)
{
	uint8_t packet[100];

	rig_start(r, RIG_ALL);
	for (uint8_t i = 0; i < 50; i++) {
		struct rig_buf to = rig_alloc(r, 4096), from;
		struct rig_req *req = rig_submit(r, RX, &to, 0, 1);

		memset(packet, i, sizeof(packet));
		from = rig_dup(r, packet, sizeof(packet));
		assert_int_equal(rig_do(r, TX, &from, 1, 0), 0);
		assert_int_equal(rig_wait(r, req), sizeof(packet));
		assert_memory_equal(to.p, packet, sizeof(packet));
		if (i % 10 == 0) {
			vdev_pause(rig_dev(r));
			assert_false(vhost_kernel_runs(RX));
			vdev_resume(rig_dev(r));
		}
	}
}

static void interrupts_go_where_the_driver_says(struct rig *r)
{
	struct rig_buf packet = rig_alloc(r, 64);
	g_autofree char *calls = NULL;

	assert_null(referee_end(g_steal_pointer(&r->referee))); /* who would look at interrupts */
	rig_start(r, rig_all_but(VIRTIO_F_EVENT_IDX));
	rig_wait_idle(r);
	(void)rig_submit(r, TX, &packet, 1, 0);
	peek_await_message(r, 1 + TX);
	g_free(vhost_kernel_calls());
	peek_put(r, 0x16, 2, TX); /* queue_select, */
	peek_put(r, 0x1a, 2, 0);  /* queue_msix_vector */
	calls = vhost_kernel_calls();
	assert_string_equal(calls, "SET_VRING_CALL");
	(void)rig_submit(r, TX, &packet, 1, 0);
	peek_await_message(r, 0);
	assert_int_equal(peek_messages(r, 1 + TX), 0);
	vhost_kernel_fail(VHOST_SET_VRING_CALL, EIO);
	peek_put(r, 0x1a, 2, 1 + TX);
	assert_true(rig_status(r) & VIRTIO_S_NEEDS_RESET);
}

static void both_rings_run_or_none(struct rig *r)
{
	rig_start(r, RIG_ALL);
	assert_true(vhost_kernel_runs(RX) && vhost_kernel_runs(TX));
	for (unsigned q = RX; q <= TX; q++) {
		rig_queue_reset(r, q);
		assert_false(vhost_kernel_runs(RX) || vhost_kernel_runs(TX));
		rig_queue_start(r, q, 0);
		assert_true(vhost_kernel_runs(RX) && vhost_kernel_runs(TX));
	}
	rig_reset(r);
	assert_false(vhost_kernel_runs(RX) || vhost_kernel_runs(TX));
}

/* It has the record of itself, for its address is one device's. */
static void a_guest_that_goes_on_is_told_that_its_connections_are_lost(struct rig *r)
{
	g_autoptr(GByteArray) record = NULL;
	g_autoptr(GError) err = NULL;
	struct rig_buf buf = rig_alloc(r, 4);
	struct rig_req *req;

	memset(buf.p, 0xff, buf.len);
	rig_start(r, RIG_ALL);
	req = rig_submit(r, EVENTS, &buf, 0, 1);
	rig_wait_idle(r);
	assert_false(req->done);
	vdev_pause(rig_dev(r));
	record = save(r);
	vdev_set_status(rig_dev(r), 0);
	if (!vdev_state_load(rig_dev(r), record->data, record->len, &err))
		fail_msg("%s", err->message);
	vdev_resume(rig_dev(r));
	assert_int_equal(rig_wait(r, req), 4);
	assert_int_equal(*(uint32_t *)buf.p, 0); /* VIRTIO_VSOCK_EVENT_TRANSPORT_RESET */
}

static const struct rig_case cases[] = {
	CASE(the_guest_address_is_told_to_both),
	CASE(packets_go_by_the_kernel),
	{ "interrupts_go_where_the_driver_says", VSOCK, interrupts_go_where_the_driver_says,
	  .links = "pci" },
	{ "both_rings_run_or_none", VSOCK, both_rings_run_or_none, .links = "direct pci" },
	{ "a_guest_that_goes_on_is_told_that_its_connections_are_lost", VSOCK,
	  a_guest_that_goes_on_is_told_that_its_connections_are_lost,
	  .links = "direct direct-thread" },
};

int main(void)
{
	return rig_run("vsock", cases, G_N_ELEMENTS(cases));
}
