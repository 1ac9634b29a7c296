/* What a ring looks like from outside, over every link: see devices/core/ring-view.h. */
#include "devices/core/ring-view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/echo.h"
#include "tests/support/rig.h"

#define SIZE   16u
#define SLOTS  2u /* of a chain */
#define LENGTH 16u

/* The device keeps chains of this queue: they are in flight. */
static void submit(struct rig *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct rig_buf bufs[] = { rig_dup(r, "0123456789abcdef", LENGTH),
					  rig_alloc(r, LENGTH) };

		rig_submit(r, ECHO_KEEP, bufs, 1, 1);
	}
}

static struct vring_view *look(struct rig *r)
{
	g_autoptr(GError) err = NULL;
	struct vring_view *ret = vring_view_new(rig_dev(r), ECHO_KEEP, &err);

	if (!ret) {
		fail_msg("%s", err->message);
		return NULL;
	}
	assert_int_equal(ret->packed, rig_has(r, VIRTIO_F_RING_PACKED));
	assert_int_equal(ret->event_idx, rig_has(r, VIRTIO_F_EVENT_IDX));
	return ret;
}

static void expect_owners(struct rig *r, unsigned devices, unsigned available)
{
	g_autofree struct vring_view *view = look(r);
	unsigned n[3] = { 0 };

	for (unsigned i = 0; i < view->size; i++) {
		n[view->entry[i].owner]++;
		if (view->entry[i].owner != VRING_DRIVERS)
			assert_int_equal(view->entry[i].len, LENGTH);
	}
	assert_int_equal(n[VRING_DEVICES], devices);
	assert_int_equal(n[VRING_AVAILABLE], available);
	assert_int_equal(n[VRING_DRIVERS], view->size - devices - available);
}

static void each_descriptor_has_its_owner(struct rig *r)
{
	rig_start(r, rig_all_but(VIRTIO_F_INDIRECT_DESC));
	expect_owners(r, 0, 0);
	submit(r, 3);
	rig_wait_idle(r);
	expect_owners(r, 3 * SLOTS, 0);
	vdev_pause(rig_dev(r));
	submit(r, 2);
	expect_owners(r, 3 * SLOTS, 2 * SLOTS);
	submit(r, SIZE / SLOTS - 5); /* the ring is full */
	expect_owners(r, 3 * SLOTS, SIZE - 3 * SLOTS);
	rig_reset(r);
}

/* Of a full ring both positions of a packed one are the same but for the wrap counter. */
static void all_of_a_ring_can_be_the_devices(struct rig *r)
{
	rig_start(r, rig_all_but(VIRTIO_F_INDIRECT_DESC));
	submit(r, SIZE / SLOTS);
	rig_wait_idle(r);
	expect_owners(r, SIZE, 0);
	rig_reset(r);
}

/* What lies there was the driver's to write, and so is no reason to trust it. */
static void lies_in_a_ring_are_shown_as_far_as_they_go(struct rig *r)
{
	struct vring_desc *desc;

	rig_start(r, rig_all_but(VIRTIO_F_INDIRECT_DESC));
	submit(r, 1);
	rig_wait_idle(r);
	if (!rig_has(r, VIRTIO_F_RING_PACKED)) {
		desc = rig_vq(r, ECHO_KEEP)->split.desc;
		for (unsigned i = 0; i < SIZE; i++) { /* a loop, and a way out of the table */
			desc[i].flags = cpu_le16(VRING_DESC_F_NEXT);
			desc[i].next = cpu_le16(i == 5 ? 0xffff : (i + 1) % SIZE);
		}
	}
	g_free(look(r));
	rig_reset(r);
}

static void there_is_no_view_of_a_queue_that_is_not_started(struct rig *r)
{
	g_autoptr(GError) err = NULL;

	assert_null(vring_view_new(rig_dev(r), ECHO_KEEP, &err));
	assert_non_null(strstr(err->message, "queue 1: it is not started"));
}

#define SPEC "echo,queue-size=16"

static const struct rig_case cases[] = {
	{ "each descriptor has its owner", SPEC, each_descriptor_has_its_owner,
	  .class = &echo_class, .links = RIG_NOT_COPIED },
	{ "all of a ring can be the device's", SPEC, all_of_a_ring_can_be_the_devices,
	  .class = &echo_class, .links = RIG_NOT_COPIED },
	{ "lies in a ring are shown as far as they go", SPEC,
	  lies_in_a_ring_are_shown_as_far_as_they_go, .class = &echo_class,
	  .links = RIG_NOT_COPIED },
	{ "there is no view of a queue that is not started", SPEC,
	  there_is_no_view_of_a_queue_that_is_not_started, .class = &echo_class,
	  .links = RIG_NOT_COPIED },
};

int main(void)
{
	return rig_run("ring-view", cases, G_N_ELEMENTS(cases));
}
