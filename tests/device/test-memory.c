/* Guest memory that changes under a device, over every link: regions that come and go while it is
 * paused, and the log of the pages it writes, which names all that it may have written and nothing
 * else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sys/mman.h>

#include "devices/core/observe.h"
#include "tests/support/blk-driver.h"
#include "tests/support/console-peer.h"
#include "tests/support/echo.h"
#include "tests/support/input-driver.h"
#include "tests/support/net-frames.h"
#include "virtqueue/vring.h"

#undef CTRL /* a terminal's */
#include "tests/support/net-peer.h"

#define LATE_GPA (9ull << 40)
#define LATE_LEN (64u << 10)

/*
 * Regions.
 */
static void resume(struct rig *r)
{
	vdev_memory_changed(rig_dev(r));
	vdev_resume(rig_dev(r));
}

static const struct gmem_region *late(struct rig *r)
{
	return gmem_region(rig_mem(r), LATE_GPA);
}

/* The memory is mapped, and the table says so. */
static uint8_t *add_memory(struct rig *r)
{
	void *p = mmap(NULL, LATE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(gmem_add(rig_mem(r), LATE_GPA, LATE_LEN, p), 0);
	return p;
}

static void remove_memory(struct rig *r)
{
	void *p = late(r)->hva;

	assert_int_equal(gmem_remove(rig_mem(r), LATE_GPA), 0);
	munmap(p, LATE_LEN); /* whoever goes there all the same ends the test */
}

/* A request whose answer goes to where the new memory is. */
static void echo_to(struct rig *r, uint8_t *late_memory)
{
	struct rig_buf in = rig_dup(r, "hello", 5);
	struct rig_buf out = { late_memory + 100, LATE_GPA + 100, 5 };

	assert_int_equal(rig_do(r, ECHO_COPY, (struct rig_buf[]){ in, out }, 1, 1), 5);
	assert_memory_equal(out.p, "hello", 5);
}

static void a_region_comes_and_goes(struct rig *r)
{
	struct rig_buf in = rig_dup(r, "again", 5), out = rig_alloc(r, 5);

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 3; i++) {
		uint8_t *p;

		vdev_pause(rig_dev(r));
		p = add_memory(r);
		resume(r);
		echo_to(r, p);
		vdev_pause(rig_dev(r));
		assert_false(vdev_uses_memory(rig_dev(r), late(r)));
		assert_true(vdev_uses_memory(rig_dev(r), &rig_mem(r)->region[0]));
		remove_memory(r);
		resume(r);
		assert_int_equal(rig_do(r, ECHO_COPY, (struct rig_buf[]){ in, out }, 1, 1), 5);
		assert_memory_equal(out.p, "again", 5);
	}
	assert_false(rig_status(r) & VIRTIO_S_NEEDS_RESET);
	out.gpa = LATE_GPA;
	rig_submit(r, ECHO_COPY, (struct rig_buf[]){ in, out }, 1, 1);
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
	assert_int_equal(rig_logged(r, "buffer is not all in memory"), 1);
}

struct queue_look {
	struct rig *r;
	unsigned in_flight;
	struct vq_position position;
};

/* The queues are their owner's, who is asked. */
static void keep_queue_in_flight(void *arg)
{
	struct queue_look *look = arg;

	look->in_flight = vq_in_flight(rig_dev(look->r)->queue[ECHO_KEEP].vq);
}

static void copy_queue_position(void *arg)
{
	struct queue_look *look = arg;

	look->position = vq_position(rig_dev(look->r)->queue[ECHO_COPY].vq);
}

static bool keeps_a_chain(struct rig *r)
{
	struct queue_look look = { .r = r };

	rig_on_owner(r, keep_queue_in_flight, &look);
	return look.in_flight > 0;
}

static void what_is_in_flight_keeps_its_memory(struct rig *r)
{
	struct rig_buf out;
	struct rig_req *req;
	uint8_t *p;

	rig_start(r, RIG_ALL);
	vdev_pause(rig_dev(r));
	p = add_memory(r);
	resume(r);
	out = (struct rig_buf){ p, LATE_GPA, 64 };
	req = rig_submit(r, ECHO_KEEP, &out, 0, 1);
	RIG_UNTIL(r, keeps_a_chain(r));
	vdev_pause(rig_dev(r));
	assert_true(vdev_uses_memory(rig_dev(r), late(r)));
	resume(r);
	rig_on_owner(r, echo_release, rig_dev(r));
	(void)rig_wait(r, req);
	vdev_pause(rig_dev(r));
	assert_false(vdev_uses_memory(rig_dev(r), late(r)));
	remove_memory(r);
	resume(r);
}

/*
 * The log.
 */

/* A part of guest memory that the device may write. */
struct part {
	uint64_t gpa;
	uint32_t len;
	const uint8_t *now; /* NULL: others write there, too */
	uint8_t *before;
	bool must; /* it has, all of it */
};

struct log {
	struct rig *r;
	GArray *parts;
	GHashTable *dirty; /* guest addresses of pages, / GMEM_PAGE */
};

static void may_write(struct log *l, struct rig_buf b)
{
	struct part p = { b.gpa, b.len, b.p, g_memdup2(b.p, b.len), false };

	g_array_append_val(l->parts, p);
}

static void must_write(struct log *l, struct rig_buf b)
{
	may_write(l, b);
	g_array_index(l->parts, struct part, l->parts->len - 1).must = true;
}

/* What of @q's ring is the device's; the descriptors of a packed one are both sides'. */
static void may_write_ring(struct log *l, unsigned q)
{
	const struct vdev_queue *queue = &rig_dev(l->r)->queue[q];
	bool packed = vq_packed(queue->vq);
	uint32_t len = packed ? (uint32_t)sizeof(struct vring_packed_event)
			      : (uint32_t)vring_used_bytes(queue->size);
	struct part shared = { queue->desc, (uint32_t)vring_desc_bytes(queue->size), NULL, NULL,
			       false };

	may_write(l, (struct rig_buf){ gmem_at(rig_mem(l->r), queue->device, len), queue->device,
				       len });
	if (packed)
		g_array_append_val(l->parts, shared);
}

static struct log log_begin(struct rig *r)
{
	struct log l = { r, g_array_new(FALSE, FALSE, sizeof(struct part)),
			 g_hash_table_new(g_direct_hash, g_direct_equal) };

	vdev_pause(rig_dev(r));
	assert_int_equal(gmem_log_start(rig_mem(r)), 0);
	for (unsigned q = 0; q < rig_dev(r)->n_queues; q++)
		if (vq_started(rig_dev(r)->queue[q].vq))
			may_write_ring(&l, q);
	resume(r);
	return l;
}

static void note_page(void *opaque, uint64_t gpa)
{
	struct log *l = opaque;

	assert_int_equal(gpa % GMEM_PAGE, 0);
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): how GLib keeps a number */
	assert_true(g_hash_table_add(l->dirty, GSIZE_TO_POINTER(gpa / GMEM_PAGE)));
}

static bool is_dirty(const struct log *l, uint64_t gpa)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): how GLib keeps a number */
	return g_hash_table_contains(l->dirty, GSIZE_TO_POINTER(gpa / GMEM_PAGE));
}

static void check_changed(const struct log *l, const struct part *p)
{
	for (uint32_t i = 0; p->now && i < p->len; i++)
		if ((p->must || p->now[i] != p->before[i]) && !is_dirty(l, p->gpa + i))
			fail_msg("0x%" G_GINT64_MODIFIER "x was written and is not in the log",
				 p->gpa + i);
}

/* Takes the pages of @p away from those that are dirty. */
static void forget_pages(struct log *l, const struct part *p)
{
	for (uint64_t page = p->gpa / GMEM_PAGE; page <= (p->gpa + p->len - 1) / GMEM_PAGE; page++)
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): how GLib keeps a number */
		g_hash_table_remove(l->dirty, GSIZE_TO_POINTER(page));
}

/* All that changed is in the log, at least @least pages are, and none that is nobody's. */
static void log_end(struct log *l, unsigned least)
{
	vdev_pause(rig_dev(l->r));
	gmem_log_take(rig_mem(l->r), note_page, l);
	assert_true(g_hash_table_size(l->dirty) >= least);
	for (guint i = 0; i < l->parts->len; i++)
		check_changed(l, &g_array_index(l->parts, struct part, i));
	for (guint i = 0; i < l->parts->len; i++) {
		forget_pages(l, &g_array_index(l->parts, struct part, i));
		g_free(g_array_index(l->parts, struct part, i).before);
	}
	assert_int_equal(g_hash_table_size(l->dirty), 0);
	gmem_log_take(rig_mem(l->r), note_page, l); /* each is told once */
	assert_int_equal(g_hash_table_size(l->dirty), 0);
	gmem_log_stop(rig_mem(l->r));
	resume(l->r);
	g_array_unref(l->parts);
	g_hash_table_unref(l->dirty);
}

/* A buffer with nobody else's bytes in its pages. */
static struct rig_buf alone(struct rig *r, uint32_t len)
{
	struct rig_buf b;

	(void)rig_alloc(r, GMEM_PAGE);
	b = rig_alloc(r, len);
	(void)rig_alloc(r, GMEM_PAGE);
	return b;
}

static void random_bytes(struct rig *r)
{
	struct rig_buf buf = alone(r, 10000);
	struct log l;

	rig_start(r, RIG_ALL);
	l = log_begin(r);
	may_write(&l, buf);
	assert_true(rig_do(r, 0, &buf, 0, 1) > 0);
	log_end(&l, 3);
	assert_true(rig_do(r, 0, &buf, 0, 1) > 0); /* without a log, as ever */
}

static void copies(struct rig *r)
{
	struct rig_buf bufs[41];
	struct log l;

	bufs[0] = alone(r, 40 * 1000);
	memset(bufs[0].p, 0x5a, bufs[0].len);
	rig_start(r, RIG_ALL);
	for (unsigned i = 1; i < 41; i++)
		bufs[i] = alone(r, 1000);
	for (unsigned n = 2; n <= 41; n += 39) { /* in the slot, and in an area of the pool's */
		l = log_begin(r);
		for (unsigned i = 1; i < n; i++) {
			memset(bufs[i].p, 0, bufs[i].len);
			must_write(&l, bufs[i]);
		}
		assert_int_equal(rig_do(r, ECHO_COPY, bufs, 1, n - 1), (n - 1) * 1000);
		log_end(&l, n - 1);
	}
}

/* A ring of several pages: those that were written, and no others. */
static void rings_have_pages(struct rig *r)
{
	struct rig_buf bufs[2] = { rig_dup(r, "abc", 3), alone(r, 3) };
	const struct vdev_queue *queue = &rig_dev(r)->queue[ECHO_COPY];
	static uint8_t byte;
	struct rig_buf first = { &byte, 0, 1 }; /* used descriptor */
	struct queue_look at = { .r = r };
	struct log l;

	rig_start(r, RIG_ALL);
	first.gpa = queue->desc;
	/* Index, this used element and the event lie a page and more from each other. */
	for (unsigned i = 0; i < 512; i++)
		(void)rig_do(r, ECHO_COPY, bufs, 1, 1);
	l = log_begin(r);
	may_write(&l, bufs[1]);
	rig_on_owner(r, copy_queue_position, &at);
	first.gpa += 16ull * vring_pos_off(at.position.next_used);
	if (vq_packed(queue->vq))
		must_write(&l, first);
	(void)rig_do(r, ECHO_COPY, bufs, 1, 1);
	log_end(&l, 2);
}

/* Many without a used element of their own, where chains are used in order. */
static void many_at_once(struct rig *r)
{
	enum { N = 8 };
	struct rig_req *req[N];
	struct log l;

	rig_start(r, RIG_ALL);
	l = log_begin(r);
	for (unsigned i = 0; i < N; i++) {
		struct rig_buf bufs[2] = { rig_dup(r, "abcdefgh", 8), alone(r, 8) };

		may_write(&l, bufs[1]);
		req[i] = rig_add(r, ECHO_COPY, bufs, 1, 1);
	}
	rig_publish(r, ECHO_COPY);
	for (unsigned i = 0; i < N; i++)
		(void)rig_wait(r, req[i]);
	log_end(&l, N);
}

/* What was taken before the log began and is in hand at its end: it may be written at any time. */
static void what_is_in_flight(struct rig *r)
{
	struct rig_buf buf = alone(r, 2 * GMEM_PAGE);
	struct rig_req *req;
	struct log l;

	rig_start(r, RIG_ALL);
	req = rig_submit(r, ECHO_KEEP, &buf, 0, 1);
	RIG_UNTIL(r, keeps_a_chain(r));
	for (unsigned i = 0; i < 2; i++) {
		l = log_begin(r);
		must_write(&l, buf);
		log_end(&l, 2);
	}
	l = log_begin(r);
	must_write(&l, buf);
	rig_on_owner(r, echo_release, rig_dev(r));
	(void)rig_wait(r, req);
	log_end(&l, 3);
}

/* A queue that the driver takes away while chains are in flight. */
static void what_a_reset_drops(struct rig *r)
{
	struct rig_buf buf = alone(r, GMEM_PAGE);
	struct log l;

	rig_start(r, RIG_ALL);
	l = log_begin(r);
	must_write(&l, buf);
	(void)rig_submit(r, ECHO_KEEP, &buf, 0, 1);
	RIG_UNTIL(r, keeps_a_chain(r));
	rig_reset(r);
	log_end(&l, 1);
}

/*
 * An observer on a queue with a log: each is told all, whichever came first and whichever stays.
 */
struct watcher {
	struct vdev_observer base;
	unsigned popped, pushed;
	uint64_t bytes;
};

static void watcher_popped(struct vdev_observer *o, struct vdev *dev, unsigned q,
			   const struct vq_chain *c)
{
	(void)dev;
	if (q == ECHO_COPY && c->wr.left == GMEM_PAGE + 16)
		((struct watcher *)o)->popped++;
}

static void watcher_pushed(struct vdev_observer *o, struct vdev *dev, unsigned q,
			   const struct vq_chain *c, uint32_t len)
{
	struct watcher *w = (struct watcher *)o;

	(void)dev, (void)q, (void)c;
	w->pushed++;
	w->bytes += len;
}

static const struct vdev_observer_ops watcher_ops = {
	.popped = watcher_popped,
	.pushed = watcher_pushed,
};

static void watch(struct rig *r, struct watcher *w, bool on)
{
	vdev_pause(rig_dev(r));
	if (on)
		vdev_observe(rig_dev(r), &w->base);
	else
		vdev_unobserve(rig_dev(r), &w->base);
	vdev_resume(rig_dev(r));
}

/* Its answer fills one page and begins another. */
static void long_answer(struct rig *r, struct log *l)
{
	struct rig_buf bufs[2] = { rig_alloc(r, GMEM_PAGE + 16), alone(r, GMEM_PAGE + 16) };

	memset(bufs[0].p, 0x5a, bufs[0].len);
	if (l)
		must_write(l, bufs[1]);
	assert_int_equal(rig_do(r, ECHO_COPY, bufs, 1, 1), GMEM_PAGE + 16);
}

static void an_observer_and_a_log(struct rig *r)
{
	rig_start(r, RIG_ALL);
	for (unsigned order = 0; order < 4; order++) {
		bool observer_first = order & 1, log_last = order & 2;
		struct watcher w = { .base.ops = &watcher_ops };
		struct log l;

		if (observer_first)
			watch(r, &w, true);
		l = log_begin(r);
		if (!observer_first)
			watch(r, &w, true);
		long_answer(r, &l);
		long_answer(r, &l);
		if (log_last) {
			watch(r, &w, false);
			long_answer(r, &l);
		}
		log_end(&l, 2);
		if (!log_last) {
			long_answer(r, NULL);
			watch(r, &w, false);
		}
		long_answer(r, NULL);
		assert_int_equal(w.popped, log_last ? 2 : 3);
		assert_int_equal(w.pushed, w.popped);
		assert_int_equal(w.bytes, w.popped * (GMEM_PAGE + 16));
	}
}

static void a_disk(struct rig *r)
{
	struct rig_buf data = alone(r, 4 * BLK_SECTOR), big = alone(r, 100 * BLK_SECTOR);
	struct log l;

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 2; i++) {
		struct rig_buf bufs[3] = { bd_header(r, i ? BLK_T_OUT : BLK_T_IN, 8), data,
					   alone(r, 1) };

		*(uint8_t *)bufs[2].p = 0xee;
		l = log_begin(r);
		may_write(&l, bufs[2]);
		if (i == 0)
			may_write(&l, data);
		(void)rig_do(r, 0, bufs, 1 + i, 2 - i);
		log_end(&l, 2);
	}
	l = log_begin(r);
	may_write(&l, big);
	for (unsigned i = 0; i < 3; i++) {
		struct rig_buf bufs[3] = { bd_header(r, BLK_T_IN, 8 + i), big, alone(r, 1) };

		may_write(&l, bufs[2]);
		(void)rig_do(r, 0, bufs, 1, 2);
		assert_int_equal(*(uint8_t *)bufs[2].p, BLK_S_OK);
	}
	log_end(&l, 13);
}

static void a_console(struct rig *r)
{
	int fd = host_connect(r, "s");
	struct rig_buf buf = alone(r, 100);
	struct rig_req *req;
	struct log l;

	rig_start(r, RIG_ALL);
	l = log_begin(r);
	may_write(&l, buf);
	req = rig_submit(r, RX0, &buf, 0, 1);
	host_says(fd, "hello", 5);
	assert_int_equal(rig_wait(r, req), 5);
	guest_says(r, TX0, "there");
	host_hears(r, fd, "there", 5);
	log_end(&l, 2);
	close(fd);
}

static void a_network(struct rig *r)
{
	struct net_peer p = net_peer_connect(r);
	struct rig_buf command[3];
	struct log l;

	rig_start(r, RIG_ALL);
	command[0] = rig_dup(r, (uint8_t[]){ 0, 0 }, 2); /* promiscuous */
	command[1] = rig_dup(r, (uint8_t[]){ 1 }, 1);
	command[2] = alone(r, 1);
	(void)rig_alloc(r, GMEM_PAGE);
	net_offer(&p, 2000);
	l = log_begin(r);
	may_write(&l, p.buf);
	may_write(&l, command[2]);
	assert_true(net_arrives(&p, mac_broadcast, 0));
	assert_int_equal(rig_do(r, CTRL, command, 2, 1), 1);
	log_end(&l, 3);
	close(p.fd);
}

static void an_input_device(struct rig *r)
{
	struct id_listener l;
	struct log log;

	id_start(&l, r, 8);
	log = log_begin(r);
	for (unsigned i = 0; i < l.n; i++)
		may_write(&log, l.buf[i]);
	id_key(r, KEY_A, true);
	id_expect(&l, EV_KEY, KEY_A, 1);
	log_end(&log, 2);
}

#define ECHO(fn)                                                             \
	{                                                                    \
		.name = #fn, .spec = "echo", .class = &echo_class, .run = fn \
	}

int main(void)
{
	static const struct rig_case cases[] = {
		ECHO(a_region_comes_and_goes),
		ECHO(what_is_in_flight_keeps_its_memory),
		ECHO(copies),
		{ .name = "rings_have_pages",
		  .spec = "echo,queue-size=1024",
		  .class = &echo_class,
		  .run = rings_have_pages },
		ECHO(many_at_once),
		ECHO(what_is_in_flight),
		ECHO(an_observer_and_a_log),
		ECHO(what_a_reset_drops),
		{ .name = "random_bytes", .spec = "rng", .run = random_bytes },
		BD_BOTH(a_disk),
		{ .name = "a_network", .spec = NET_PEER, .run = a_network, .links = CTRL_LINKS },
		{ .name = "a_console", .spec = "console,chr=unix:@/s", .run = a_console },
		{ .name = "an_input_device", .spec = "input", .run = an_input_device },
	};

	return rig_run("memory", cases, G_N_ELEMENTS(cases));
}
