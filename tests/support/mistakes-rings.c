/*
 * Mistakes in what a driver does with its rings. The echo device keeps some chains, and answers
 * others.
 */
#include "tests/support/mistakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/core/filter.h"
#include "tests/support/check-case.h"
#include "tests/support/echo.h"
#include "tests/support/pci-peek.h"
#include "tests/support/rig-impl.h"
#include "virtqueue/driver/drv-impl.h"

/* A chain of a descriptor each for @n buffers, all of them readable. */
static struct rig_req *submit(struct rig *r, unsigned q, unsigned n)
{
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4), rig_alloc(r, 4) };

	assert_true(n <= G_N_ELEMENTS(bufs));
	return rig_submit(r, q, bufs, n, 0);
}

/* A driver that thinks that it has @bit, which it did not accept. */
static void start_claiming(struct rig *r, struct vfeatures want, unsigned bit, uint16_t size)
{
	vfeatures_set(&want, bit, false);
	life_negotiate(r, want);
	r->driver.features.w[bit / 64] |= 1ull << bit % 64;
	for (unsigned q = 0, n = rig_n_queues(r); q < n; q++)
		rig_queue_start(r, q, size);
	rig_driver_ok(r);
}

/*
 * Without a mistake.
 */

static void echo_life(struct rig *r)
{
	struct rig_buf kept[] = { rig_alloc(r, 4), rig_alloc(r, 4) };

	for (unsigned i = 0; i < 4; i++) {
		struct vfeatures f = i & 1 ? RIG_ALL : life_direct();

		vfeatures_set(&f, VIRTIO_F_EVENT_IDX, i & 2);
		rig_start(r, f);
		for (unsigned k = 0; k < 3; k++)
			rig_submit(r, ECHO_KEEP, kept, 1, 1);
		life_requests(r, 150);
		check_pass(r, 60);
		RIG_UNTIL(r, echo_kept(rig_dev(r)) == 3);
		rig_on_owner(r, echo_release, rig_dev(r));
		life_requests(r, 150);
		rig_wait_idle(r);
		rig_reset(r);
	}
}

/*
 * 2: notifications that do not come. After a while in which the device came to ask for one.
 */

static bool publish_silently(struct drv_vq *vq)
{
	(void)planted.right_layout->publish(vq);
	return false;
}

static bool publish_silently_if_full(struct drv_vq *vq)
{
	return planted.right_layout->publish(vq) && vq->n_free;
}

static void refills_without_a_kick(struct rig *r)
{
	rig_start(r, rig_all_but(VIRTIO_F_EVENT_IDX));
	plant_ring(r, ECHO_FED)->publish = publish_silently;
	check_pass(r, 100);
	submit(r, ECHO_FED, 1);
	RIG_UNTIL(r, check_told());
}

static void does_not_kick_for_a_full_ring(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 4);

	rig_start(r, RIG_ALL);
	plant_ring(r, ECHO_COPY)->publish = publish_silently_if_full;
	check_pass(r, 100);
	while (rig_room(r, ECHO_COPY))
		rig_add(r, ECHO_COPY, &b, 1, 0);
	rig_publish(r, ECHO_COPY);
	RIG_UNTIL(r, check_told());
}

/*
 * 7: features that are accepted and not implemented.
 */

static void disable_by_flags(struct drv_vq *vq)
{
	vq->split.avail->flags = cpu_le16(VRING_AVAIL_F_NO_INTERRUPT);
}

static void knows_no_event_idx(struct rig *r)
{
	rig_start(r, RIG_ALL);
	plant_ring(r, ECHO_COPY)->disable_notify = disable_by_flags;
	drv_disable_notify(rig_vq(r, ECHO_COPY));
	submit(r, ECHO_COPY, 1);
	rig_wait_idle(r);
}

static void accepts_all_that_is_offered(struct rig *r)
{
	assert_false(rig_negotiate(r, rig_offered(r)));
}

/*
 * 8: features that are used and not accepted.
 */

static void uses_indirect_tables(struct rig *r)
{
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4) };

	start_claiming(r, RIG_NONE, VIRTIO_F_INDIRECT_DESC, 0);
	rig_submit(r, ECHO_COPY, bufs, 1, 1);
	rig_wait_idle(r);
}

/*
 * 9: chains that are thought to be used in the order in which they were made available. The device
 * keeps the first.
 */

struct keep_first {
	struct vdev_filter base;
	struct vq_chain *kept;
	bool any;
};

static enum vdev_verdict keep_first_push(struct vdev_filter *f, struct vdev *dev, unsigned q,
					 struct vq_chain *c)
{
	struct keep_first *k = (struct keep_first *)f;

	(void)dev;
	if (q != ECHO_COPY || k->any)
		return VDEV_PASS;
	k->any = true;
	k->kept = c;
	return VDEV_KEEP;
}

static void keep_first_stops(struct vdev_filter *f, struct vdev *dev, unsigned q,
			     enum vdev_stop why)
{
	(void)dev, (void)q, (void)why;
	((struct keep_first *)f)->kept = NULL;
}

static struct keep_first *keep_first(struct rig *r)
{
	static const struct vdev_filter_ops ops = { .push = keep_first_push,
						    .queue_stops = keep_first_stops };
	static struct keep_first k;

	k = (struct keep_first){ .base.ops = &ops };
	vdev_filter(rig_dev(r), &k.base);
	return &k;
}

static void keep_no_more(struct rig *r, struct keep_first *k)
{
	rig_reset(r);
	vdev_unfilter(rig_dev(r), &k->base);
}

static uint16_t fifo[64];
static unsigned fifo_in, fifo_out;

static void fifo_put(struct drv_vq *vq, uint16_t head)
{
	(void)vq;
	fifo[fifo_in++ % G_N_ELEMENTS(fifo)] = head;
}

/* How many were used it looks at, not which. Chains have one descriptor. */
static unsigned fifo_used(struct drv_vq *vq, struct drv_done *done, unsigned max)
{
	struct drv_split *s = &vq->split;
	unsigned n;

	for (n = 0; n < max && le16_cpu(s->used->idx) != s->last_used; n++) {
		uint16_t head = fifo[fifo_out++ % G_N_ELEMENTS(fifo)];

		done[n] = (struct drv_done){ .cookie = vq->slot[head].cookie };
		vq->slot[head].next = s->free_head;
		vq->slot[head].n = 0;
		s->free_head = head;
		s->last_used++;
		vq->n_free++;
	}
	return n;
}

static void frees_the_oldest(struct rig *r)
{
	struct keep_first *k = keep_first(r);
	struct rig_req *first;

	fifo_in = fifo_out = 0;
	rig_start(r, life_direct());
	plant_chains(r, ECHO_COPY, fifo_put);
	planted.wrong_layout.used = fifo_used;
	first = submit(r, ECHO_COPY, 1);
	submit(r, ECHO_COPY, 1);
	rig_wait(r, first); /* it was the other */
	submit(r, ECHO_COPY, 1);
	rig_wait_idle(r);
	keep_no_more(r, k);
}

/* A ring of 4: the second lap's chain goes over the end, into the first descriptor. */
static void takes_all_up_to_it(struct rig *r)
{
	struct keep_first *k = keep_first(r);
	struct rig_buf b = rig_alloc(r, 4);
	struct rig_req *req[3];

	start_claiming(r, life_direct(), VIRTIO_F_IN_ORDER, 4);
	for (unsigned i = 0; i < G_N_ELEMENTS(req); i++)
		req[i] = rig_add(r, ECHO_COPY, &b, 1, 0);
	rig_publish(r, ECHO_COPY);
	rig_wait(r, req[0]); /* it was the other two */
	submit(r, ECHO_COPY, 2);
	peek_answer(r); /* which it makes no sense of */
	keep_no_more(r, k);
}

/*
 * 10: what is in flight.
 */

static void writes_a_descriptor_in_flight(struct rig *r)
{
	struct rig_req *req;

	rig_start(r, life_direct());
	req = submit(r, ECHO_KEEP, 1);
	RIG_UNTIL(r, echo_kept(rig_dev(r)) == 1);
	rig_vq(r, ECHO_KEEP)->split.desc[0].len = cpu_le32(2); /* for the next */
	rig_on_owner(r, echo_release, rig_dev(r));
	rig_wait(r, req);
}

/* All chains have the same indirect table. */
static void use_the_first_table(struct drv_vq *vq, uint16_t head)
{
	struct vring_desc *d = &vq->split.desc[head];

	memmove(drv_table(vq, 0), drv_table(vq, head), le32_cpu(d->len));
	d->addr = cpu_le64(drv_table_gpa(vq, 0));
}

static void has_one_table(struct rig *r)
{
	struct rig_req *req[2];

	rig_start(r, RIG_ALL);
	plant_chains(r, ECHO_KEEP, use_the_first_table);
	for (unsigned i = 0; i < G_N_ELEMENTS(req); i++) {
		req[i] = submit(r, ECHO_KEEP, 2);
		RIG_UNTIL(r, echo_kept(rig_dev(r)) == i + 1);
	}
	rig_on_owner(r, echo_release, rig_dev(r));
	for (unsigned i = 0; i < G_N_ELEMENTS(req); i++)
		rig_wait(r, req[i]);
}

/*
 * 11: buffers that are taken back.
 */

static void takes_back_from_a_split_ring(struct rig *r)
{
	struct drv_vq *vq;

	rig_start(r, RIG_ALL);
	submit(r, ECHO_KEEP, 1);
	submit(r, ECHO_KEEP, 1);
	RIG_UNTIL(r, echo_kept(rig_dev(r)) == 2);
	vq = rig_vq(r, ECHO_KEEP);
	vq->split.published = --vq->split.avail_idx;
	vq->split.avail->idx = cpu_le16(vq->split.avail_idx);
	RIG_UNTIL(r, check_told());
}

static void takes_back_from_a_packed_ring(struct rig *r)
{
	rig_start(r, RIG_ALL);
	submit(r, ECHO_KEEP, 1);
	RIG_UNTIL(r, echo_kept(rig_dev(r)) == 1);
	rig_vq(r, ECHO_KEEP)->packed.desc[0].rest = 0;
	rig_on_owner(r, echo_release, rig_dev(r));
	rig_wait_idle(r);
}

/*
 * 12: long chains.
 */

static void has_more_segments_than_the_ring(struct rig *r)
{
	struct rig_buf bufs[20];

	life_negotiate(r, rig_all_but(VIRTIO_F_IN_ORDER));
	for (unsigned q = 0; q < ECHO_QUEUES; q++)
		rig_queue_start(r, q, 16);
	rig_driver_ok(r);
	for (unsigned i = 0; i < G_N_ELEMENTS(bufs); i++)
		bufs[i] = rig_alloc(r, 4);
	rig_submit(r, ECHO_COPY, bufs, G_N_ELEMENTS(bufs), 0);
	rig_wait_idle(r);
}

/*
 * 13: who writes.
 */

static void write_first(struct drv_vq *vq, uint16_t head)
{
	struct vring_desc *d = vq->split.desc;

	d[head].flags = cpu_le16(VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
	d[le16_cpu(d[head].next)].flags = 0;
}

static void puts_writable_buffers_first(struct rig *r)
{
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 4) };

	rig_start(r, life_direct());
	plant_chains(r, ECHO_COPY, write_first);
	rig_submit(r, ECHO_COPY, bufs, 1, 1);
	rig_wait_idle(r);
}

/*
 * 14: a chain's shape.
 */

static void link_back(struct drv_vq *vq, uint16_t head)
{
	struct vring_desc *d = vq->split.desc, *next = &d[le16_cpu(d[head].next)];

	next->flags = cpu_le16(VRING_DESC_F_NEXT);
	next->next = cpu_le16(head);
}

static void makes_a_loop(struct rig *r)
{
	rig_start(r, life_direct());
	plant_chains(r, ECHO_COPY, link_back);
	submit(r, ECHO_COPY, 2);
	rig_wait_idle(r);
}

static void sends_nothing(struct rig *r)
{
	struct rig_buf bufs[] = { rig_alloc(r, 4), rig_alloc(r, 0) };

	rig_start(r, life_direct());
	rig_submit(r, ECHO_COPY, bufs, 2, 0);
	rig_wait_idle(r);
}

/* No chain's head is the end of a list. */
static unsigned add_nothing(struct drv_vq *vq, struct drv_chain *chains, unsigned n)
{
	(void)chains;
	vq->split.avail->ring[vq->split.avail_idx++ % vq->cfg.size] = cpu_le16(UINT16_MAX);
	return n;
}

static void publishes_no_chain(struct rig *r)
{
	rig_start(r, RIG_ALL);
	plant_ring(r, ECHO_COPY)->add = add_nothing;
	submit(r, ECHO_COPY, 1);
	rig_wait_idle(r);
}

/*
 * 23: packed rings.
 */

static bool publish_without_a_flip(struct drv_vq *vq)
{
	bool kick = planted.right_layout->publish(vq);

	vq->packed.next_avail |= VRING_POS_WRAP;
	vq->packed.published = vq->packed.next_avail;
	return kick;
}

static void does_not_flip_its_wrap_counter(struct rig *r)
{
	rig_start(r, life_direct());
	plant_ring(r, ECHO_COPY)->publish = publish_without_a_flip;
	for (unsigned i = 0; i < 64; i++)
		rig_wait(r, submit(r, ECHO_COPY, 1));
	submit(r, ECHO_COPY, 1);
	RIG_UNTIL(r, check_told());
}

/* All that follow the head come after it. */
static bool publish_head_first(struct drv_vq *vq)
{
	struct vring_packed_desc *d = vq->packed.desc;
	uint64_t rest[2] = { d[1].rest, d[2].rest };
	bool kick;

	d[1].rest = d[2].rest = 0;
	kick = planted.right_layout->publish(vq);
	rig_kick(planted.rig, ECHO_COPY);
	rig_wait_idle(planted.rig);
	d[1].rest = rest[0];
	d[2].rest = rest[1];
	return kick;
}

static void publishes_the_head_first(struct rig *r)
{
	rig_start(r, life_without(VIRTIO_F_INDIRECT_DESC, VIRTIO_F_NOTIFICATION_DATA));
	plant_ring(r, ECHO_COPY)->publish = publish_head_first;
	submit(r, ECHO_COPY, 3);
	rig_wait_idle(r);
}

static unsigned add_with_id_0(struct drv_vq *vq, struct drv_chain *chains, unsigned n)
{
	vq->packed.free_id = 0;
	return planted.right_layout->add(vq, chains, n);
}

static void gives_all_chains_one_id(struct rig *r)
{
	rig_start(r, life_direct());
	plant_ring(r, ECHO_KEEP)->add = add_with_id_0;
	submit(r, ECHO_KEEP, 1);
	RIG_UNTIL(r, echo_kept(rig_dev(r)) == 1);
	submit(r, ECHO_KEEP, 1);
	rig_wait_idle(r);
}

static unsigned table_flags[2];

static void set_table_flags(struct drv_vq *vq, uint16_t id)
{
	struct vring_packed_desc *table = drv_table(vq, id);

	table[0].flags = cpu_le16((uint16_t)table_flags[0]);
	table[1].flags = cpu_le16((uint16_t)table_flags[1]);
}

static void send_table(struct rig *r, unsigned first, unsigned second)
{
	table_flags[0] = first;
	table_flags[1] = second;
	rig_start(r, RIG_ALL);
	plant_chains(r, ECHO_COPY, set_table_flags);
	submit(r, ECHO_COPY, 2);
	rig_wait_idle(r);
}

static void links_a_table(struct rig *r)
{
	send_table(r, VRING_DESC_F_NEXT, 0);
}

static void mixes_a_table(struct rig *r)
{
	send_table(r, VRING_DESC_F_WRITE, 0);
}

static const struct mistake rows[] = {
	{ 0, "makes no mistake", NONE, NULL, ALL " mmio-packed pci-intx pci-order pci-packed-order",
	  .run = echo_life },
	{ 2, "refills a queue and does not notify", CHECK_NO_KICK, NULL, BOTH,
	  .run = refills_without_a_kick },
	{ 2, "refills a queue and does not notify (packed ring)", CHECK_NO_KICK_PACKED, NULL,
	  PACKED, .run = refills_without_a_kick },
	{ 2, "does not notify when it has filled the ring", CHECK_NO_KICK_EVENT, NULL, ALL,
	  .run = does_not_kick_for_a_full_ring },
	{ 7, "accepts EVENT_IDX and turns interrupts off by flags", CHECK_AVAIL_FLAGS_EVENT, NULL,
	  BOTH, .run = knows_no_event_idx },
	{ 7, "accepts all that is offered", RULE_FEATURE_UNKNOWN, NULL, ALL,
	  .run = accepts_all_that_is_offered, .bait = true },
	{ 7, "accepts EVENT_IDX and never moves used_event", NONE,
	  .why = "so does a driver that polls" },
	{ 8, "uses indirect tables without INDIRECT_DESC", FAULT(INDIRECT), NULL, ALL,
	  .run = uses_indirect_tables },
	{ 9, "frees the oldest chain instead of the used one", FAULT(HEAD_IN_FLIGHT), NULL, BOTH,
	  .run = frees_the_oldest },
	{ 9, "frees all chains up to the used one, without IN_ORDER", CHECK_SPLIT_CHANGED, NULL,
	  BOTH, .run = takes_all_up_to_it },
	{ 10, "writes a descriptor in flight for its next request", CHECK_SPLIT_CHANGED, NULL, BOTH,
	  .run = writes_a_descriptor_in_flight },
	{ 10, "has one indirect table for all chains", CHECK_SPLIT_CHANGED, NULL, BOTH,
	  .run = has_one_table },
	{ 10, "writes the data of a buffer in flight", NONE,
	  .why = "no rule: what a write takes along is then the driver's risk" },
	{ 11, "moves the available index back", CHECK_SPLIT_BACK, NULL, BOTH,
	  .run = takes_back_from_a_split_ring },
	{ 11, "clears a descriptor that the device has (packed ring)", CHECK_PACKED_CHANGED, NULL,
	  PACKED, .run = takes_back_from_a_packed_ring },
	{ 12, "has more segments than the ring", CHECK_SPLIT_LONG, NULL, BOTH,
	  .run = has_more_segments_than_the_ring },
	{ 12, "has more segments than the ring (packed)", CHECK_PACKED_LONG, NULL, PACKED,
	  .run = has_more_segments_than_the_ring },
	{ 13, "puts writable buffers before readable ones", FAULT(ORDER), NULL, BOTH,
	  .run = puts_writable_buffers_first },
	{ 14, "links a chain in a circle", FAULT(LOOP), NULL, BOTH, .run = makes_a_loop },
	{ 14, "has a buffer of 0 bytes", FAULT(LENGTH), NULL, ALL, .run = sends_nothing },
	{ 14, "makes a chain of no buffers available", FAULT(HEAD), NULL, BOTH,
	  .run = publishes_no_chain },
	{ 23, "does not flip its wrap counter", CHECK_PACKED_WRAP, NULL, PACKED,
	  .run = does_not_flip_its_wrap_counter },
	{ 23, "makes a list's head available first", FAULT(PARTIAL), NULL, PACKED,
	  .run = publishes_the_head_first },
	{ 23, "gives a buffer id twice", CHECK_PACKED_ID, NULL, PACKED,
	  .run = gives_all_chains_one_id },
	{ 23, "sets NEXT in an indirect table", CHECK_TABLE_FLAGS, NULL, PACKED,
	  .run = links_a_table },
	{ 23, "mixes an indirect table's readable and writable elements", FAULT(ORDER), NULL,
	  PACKED, .run = mixes_a_table },
};

const struct mistakes mistakes_of_rings = { rows, G_N_ELEMENTS(rows) };
