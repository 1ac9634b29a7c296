/*
 * Queues whose memory is reached by messages: see ring.h.
 *
 * Buffers have a copy, too, at the same addresses of a table of its own (vfu_far.mem), which has
 * memory of ours in the place of what cannot be mapped; it takes no room before it is used. What is
 * mapped is in that table as it is, and is not copied.
 *
 * A queue is served like this if its ring lies in memory that is not mapped, or if so much memory
 * is not that it must be the machine's, where buffers may be: video memory and ROMs have no
 * descriptor either, and are smaller.
 *
 * Nothing that comes from the driver is judged here: what makes no sense is brought to the queue,
 * which has names for it.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "devices/core/legacy.h"
#include "transport/vfio-user/ring.h"

#define MACHINE_MEMORY (32ull << 20)
#define ENTRY          16u          /* bytes of a descriptor */
#define TABLE_MIN      256u         /* entries that a table may have in any ring */
#define FETCH_MAX      (1ull << 32) /* bytes of a chain: more is a fault */
#define TRAILER \
	8u /* bytes at the end of a chain that a device may write and not count (a
			     request's status) */

/*
 * Buffers.
 */

/* Those parts that are not mapped go to and fro. */
static void vfu_ring_move(struct vfu_ring *r, struct vfu_flow *f, bool put, uint64_t address,
			  uint64_t len)
{
	while (len) {
		const struct vfu_region_of_memory *m = vfu_dma_find(r->v, address);
		uint64_t off, n;

		if (!m)
			return;
		off = address - m->address;
		n = MIN(len, m->size - off);
		if (m->copies && put)
			vfu_put(f, address, m->copies + off, n);
		else if (m->copies)
			vfu_get(f, address, m->copies + off, n);
		address += n;
		len -= n;
	}
}

/*
 * What the driver has made available.
 */
static unsigned vfu_ring_table_max(const struct vfu_ring *r)
{
	return MAX(r->at.size, TABLE_MIN);
}

static bool vfu_ring_is_table(const struct vfu_ring *r, const struct vfu_desc *d)
{
	return d->flags & VRING_DESC_F_INDIRECT && d->len / ENTRY <= vfu_ring_table_max(r);
}

static void vfu_ring_want_table(struct vfu_ring *r, const struct vfu_desc *d)
{
	if (vfu_ring_is_table(r, d))
		vfu_ring_move(r, &r->look, false, d->address, d->len);
}

static void vfu_ring_want(struct vfu_ring *r, const struct vfu_desc *d)
{
	if (d->flags & VRING_DESC_F_WRITE) {
		g_array_append_val(r->building, ((struct vfu_buf){ d->address, d->len }));
		return;
	}
	r->fetched += d->len;
	if (r->fetched <= FETCH_MAX)
		vfu_ring_move(r, &r->look, false, d->address, d->len);
}

static void vfu_ring_want_entries(struct vfu_ring *r, const struct vfu_desc *table)
{
	unsigned n = table->len / ENTRY, i = 0;
	g_autofree uint8_t *entries = g_malloc((gsize)n * ENTRY + 1);

	if (!gmem_read(&r->v->far.mem, table->address, entries, (size_t)n * ENTRY))
		return;
	for (unsigned left = n; left && i < n; left--) {
		struct vfu_desc d = vfu_desc_of(r->at.packed, entries + (size_t)i * ENTRY);

		vfu_ring_want(r, &d);
		if (!r->at.packed && !(d.flags & VRING_DESC_F_NEXT))
			return;
		i = r->at.packed ? i + 1 : d.link;
	}
}

static void vfu_ring_want_buffers(struct vfu_ring *r, const struct vfu_desc *d)
{
	if (vfu_ring_is_table(r, d))
		vfu_ring_want_entries(r, d);
	else if (!(d->flags & VRING_DESC_F_INDIRECT))
		vfu_ring_want(r, d);
}

void vfu_ring_chain(struct vfu_ring *r, uint16_t id, uint16_t n_slots)
{
	unsigned n = r->building->len;
	struct vfu_chain *c = g_malloc0(sizeof(*c) + n * sizeof(c->buf[0]));

	c->link.data = c;
	c->id = id;
	c->n_slots = n_slots;
	c->n = n;
	if (n)
		memcpy(c->buf, r->building->data, n * sizeof(c->buf[0]));
	for (unsigned i = 0; i < n; i++)
		c->writable += c->buf[i].len;
	g_queue_push_tail_link(&r->fresh, &c->link);
	g_array_set_size(r->building, 0);
	r->fetched = 0;
}

static void vfu_chains_free(GQueue *chains)
{
	GList *first;

	while ((first = g_queue_pop_head_link(chains)))
		g_free(first->data);
}

static void vfu_ring_offer(struct vfu_ring *r)
{
	GList *first;

	while ((first = g_queue_pop_head_link(&r->fresh)))
		g_queue_push_tail_link(&r->in_flight, first);
	r->layout->offer(r);
	r->seen = r->next;
	r->look.step = r->layout->look;
	vdev_again(r->v->dev, r->q);
}

static void vfu_ring_take_buffers(struct vfu_ring *r)
{
	vfu_chains_free(&r->fresh);
	r->look.step = vfu_ring_offer;
	r->layout->walk(r, vfu_ring_want_buffers);
}

void vfu_ring_take(struct vfu_ring *r)
{
	r->look.step = vfu_ring_take_buffers;
	r->layout->walk(r, vfu_ring_want_table);
}

/*
 * What the queue has used.
 */
static void vfu_ring_put_written(struct vfu_ring *r, const struct vfu_chain *c, uint64_t len)
{
	uint64_t trailer = MAX(len, c->writable - MIN(c->writable, TRAILER)), at = 0;

	for (unsigned i = 0; i < c->n; i++) {
		const struct vfu_buf *b = &c->buf[i];
		uint64_t end = at + b->len, from = MAX(at, trailer);

		if (len > at)
			vfu_ring_move(r, &r->back, true, b->address, MIN(len, end) - at);
		if (from < end)
			vfu_ring_move(r, &r->back, true, b->address + (from - at), end - from);
		at = end;
	}
}

static struct vfu_chain *vfu_ring_find(struct vfu_ring *r, uint16_t id)
{
	for (GList *at = r->in_flight.head; at; at = at->next)
		if (((struct vfu_chain *)at->data)->id == id)
			return at->data;
	return NULL;
}

static uint16_t vfu_ring_gone(struct vfu_ring *r, struct vfu_chain *c, uint64_t len)
{
	vfu_ring_put_written(r, c, MIN(len, c->writable));
	g_queue_unlink(&r->in_flight, &c->link);
	r->gone = c->id;
	r->gone_slots = c->n_slots;
	g_free(c);
	return r->gone_slots;
}

uint16_t vfu_ring_used(struct vfu_ring *r, struct vfu_batch *b, uint16_t id, uint32_t len,
		       uint16_t pos, le64 word)
{
	struct vfu_chain *c = vfu_ring_find(r, id);
	uint16_t slots = 0;

	g_array_append_val(b->pos, pos);
	g_array_append_val(b->word, word);
	if (!c) /* once more: somebody plays a fault (filter.h) */
		return id == r->gone && r->gone_slots ? r->gone_slots : 1;
	while (r->at.in_order && r->in_flight.head->data != c) {
		struct vfu_chain *skipped = r->in_flight.head->data;

		slots += vfu_ring_gone(r, skipped, skipped->writable);
	}
	return slots + vfu_ring_gone(r, c, len);
}

static void vfu_batch_free(struct vfu_batch *b)
{
	g_array_unref(b->pos);
	g_array_unref(b->word);
	g_free(b);
}

static void vfu_ring_collect(struct vfu_ring *r)
{
	struct vfu_batch *b = g_new0(struct vfu_batch, 1);

	b->link.data = b;
	b->pos = g_array_new(false, false, sizeof(uint16_t));
	b->word = g_array_new(false, false, sizeof(le64));
	b->old = r->used;
	r->layout->collect(r, b);
	b->now = r->used;
	if (b->word->len)
		g_queue_push_tail_link(&r->batches, &b->link);
	else
		vfu_batch_free(b);
}

void vfu_ring_shown(struct vfu_ring *r, bool interrupt)
{
	GList *first = g_queue_pop_head_link(&r->batches);

	vfu_batch_free(first->data);
	if (r->batches.head)
		r->back.step = r->layout->show;
	if (interrupt)
		vdev_far_interrupt(r->v->dev, r->q);
}

/*
 * The queue's side, on its thread.
 */
static void vfu_ring_on_published(struct vq_far *f)
{
	struct vfu_ring *r = (struct vfu_ring *)f;

	r->published = true;
	eventfd_signal(r->v->far.fd);
}

static void vfu_ring_on_kicked(struct vq_far *f)
{
	struct vfu_ring *r = (struct vfu_ring *)f;

	r->asked = true;
	eventfd_signal(r->v->far.fd);
}

static void vfu_ring_on_stopped(struct vq_far *f)
{
	struct vfu_ring *r = (struct vfu_ring *)f;
	struct vfio_user *v = r->v;

	r->goes_on = v->far.suspending;
	r->stopped = true; /* it may be gone from here on */
	eventfd_signal(v->far.fd);
}

/*
 * Rings.
 */

/* A part of the copy, aligned as the driver's is; what is not the driver's memory has none. */
static void *vfu_ring_part(struct vfu_ring *r, uint64_t address, uint64_t len)
{
	uint8_t *bytes = g_malloc0(len + 2ul * ENTRY);
	uint8_t *at = bytes + (-(uintptr_t)bytes & (ENTRY - 1)) + (address & (ENTRY - 1));

	if (gmem_has(&r->v->far.mem, address, len) && gmem_add(&r->mem, address, len, at) == 0)
		return bytes;
	g_free(bytes);
	return NULL;
}

static struct vfu_ring *vfu_ring_new(struct vfio_user *v, unsigned q, const struct vq_config *at)
{
	struct vfu_ring *r = g_new0(struct vfu_ring, 1);
	bool packed = at->packed;

	r->vq = (struct vq_far){ &r->mem, vfu_ring_on_published, vfu_ring_on_kicked,
				 vfu_ring_on_stopped };
	r->link.data = r;
	r->v = v;
	r->q = q;
	r->layout = packed ? &vfu_packed_ring : &vfu_split_ring;
	r->at = *at;
	r->look = r->back = (struct vfu_flow){ .v = v, .ring = r };
	r->seen = r->next = at->position.next_avail;
	r->used = at->position.next_used;
	r->building = g_array_new(false, false, sizeof(struct vfu_buf));
	r->table = g_malloc0((gsize)at->size * ENTRY);
	r->part[0] = vfu_ring_part(r, at->desc, vring_desc_bytes(at->size));
	r->part[1] = vfu_ring_part(r, at->driver, packed ? 4 : vring_avail_bytes(at->size));
	r->part[2] = vfu_ring_part(r, at->device, packed ? 4 : vring_used_bytes(at->size));
	if (r->part[0] && r->part[1] && r->part[2])
		r->layout->begin(r);
	return r;
}

static void vfu_ring_free(struct vfu_ring *r)
{
	GList *first;

	while ((first = g_queue_pop_head_link(&r->batches)))
		vfu_batch_free(first->data);
	vfu_chains_free(&r->fresh);
	vfu_chains_free(&r->in_flight);
	g_array_unref(r->building);
	g_free(r->table);
	for (unsigned i = 0; i < G_N_ELEMENTS(r->part); i++)
		g_free(r->part[i]);
	g_free(r);
}

static struct vfu_ring *vfu_far_first(struct vfu_far *f, unsigned q)
{
	struct vfu_ring *r;

	pthread_mutex_lock(&f->lock);
	r = g_queue_peek_head(&f->ring[q]);
	pthread_mutex_unlock(&f->lock);
	return r;
}

static void vfu_far_drop(struct vfu_far *f, struct vfu_ring *r)
{
	pthread_mutex_lock(&f->lock);
	g_queue_unlink(&f->ring[r->q], &r->link);
	pthread_mutex_unlock(&f->lock);
	f->n--;
	vfu_ring_free(r);
}

static bool vfu_flow_is_idle(const struct vfu_flow *f)
{
	return !f->left && !f->step;
}

/* What a reset finds on its way is answered for still, and that is all. */
static void vfu_ring_abandon(struct vfu_ring *r)
{
	GList *first;

	vfu_flow_cancel(&r->back);
	while ((first = g_queue_pop_head_link(&r->batches)))
		vfu_batch_free(first->data);
	r->published = false;
}

/* It has stopped. True if it is over with it. */
static bool vfu_ring_end(struct vfu_ring *r)
{
	vfu_flow_cancel(&r->look);
	if (!r->goes_on || !vdev_in_use(r->v->dev))
		vfu_ring_abandon(r);
	return vfu_flow_is_idle(&r->look) && vfu_flow_is_idle(&r->back) && !r->batches.head &&
	       !r->published;
}

/* True if something was begun. */
static bool vfu_ring_begin_look(struct vfu_ring *r)
{
	if (r->stopped || !vfu_flow_is_idle(&r->look) || !atomic_exchange(&r->asked, false))
		return false;
	r->look.step = r->layout->look;
	vfu_flow_run(&r->look);
	return true;
}

static bool vfu_ring_begin_back(struct vfu_ring *r)
{
	if (!vfu_flow_is_idle(&r->back) || !atomic_exchange(&r->published, false))
		return false;
	vfu_ring_collect(r);
	if (r->batches.head)
		r->back.step = r->layout->show;
	vfu_flow_run(&r->back);
	return true;
}

static bool vfu_far_serve(struct vfu_far *f, unsigned q)
{
	struct vfu_ring *r = vfu_far_first(f, q);
	bool any;

	if (!r)
		return false;
	if (r->stopped && vfu_ring_end(r)) {
		vfu_far_drop(f, r);
		return true;
	}
	any = vfu_ring_begin_look(r);
	return vfu_ring_begin_back(r) || any;
}

void vfu_far_go_on(struct vfio_user *v)
{
	bool any;

	if (v->accesses.pumping)
		return;
	do {
		any = false;
		for (unsigned q = 0; v->far.n && q < v->dev->n_queues; q++)
			any |= vfu_far_serve(&v->far, q);
		vfu_pump(v);
	} while (any);
}

void vfu_far_collect(struct vfio_user *v)
{
	for (unsigned q = 0; v->far.n && q < v->dev->n_queues; q++) {
		struct vfu_ring *r = vfu_far_first(&v->far, q);
		bool idle;

		if (!r || !atomic_exchange(&r->published, false))
			continue;
		idle = vfu_flow_is_idle(&r->back);
		vfu_ring_collect(r);
		if (idle && r->batches.head)
			r->back.step = r->layout->show;
		vfu_flow_run(&r->back);
	}
}

/*
 * Which queues.
 */
static bool vfu_far_copied(const struct vfio_user *v, uint64_t address)
{
	const struct vfu_region_of_memory *m = vfu_dma_find(v, address);

	return m && m->copies;
}

bool vfu_far_wants(const struct vfio_user *v, const struct vq_config *at)
{
	uint64_t copied = 0;

	for (unsigned i = 0; i < v->dma.n; i++)
		if (v->dma.region[i].copies && v->dma.region[i].writeable)
			copied += v->dma.region[i].size;
	return copied >= MACHINE_MEMORY || vfu_far_copied(v, at->desc) ||
	       vfu_far_copied(v, at->driver) || vfu_far_copied(v, at->device);
}

static const struct gmem *vfu_far_starts(struct vdev_far *far, unsigned q, struct vq_config *cfg)
{
	struct vfu_far *f = (struct vfu_far *)far;
	struct vfu_ring *r;

	if (!cfg->size || cfg->size > VRING_QUEUE_SIZE_MAX || !vfu_far_wants(f->v, cfg))
		return f->v->dev->mem;
	if (!atomic_exchange(&f->told, true))
		g_log("ringside", G_LOG_LEVEL_MESSAGE,
		      "%s: client: memory comes without a descriptor (share=on): it is reached by "
		      "messages, which takes its time",
		      vdev_name(f->v->dev));
	r = vfu_ring_new(f->v, q, cfg);
	cfg->far = &r->vq;
	f->n++;
	pthread_mutex_lock(&f->lock);
	g_queue_push_tail_link(&f->ring[q], &r->link);
	pthread_mutex_unlock(&f->lock);
	return &f->mem;
}

/* In a message, on the main thread. */
static bool vfu_far_busy(struct vdev_far *far, int q)
{
	struct vfu_far *f = (struct vfu_far *)far;
	bool busy = false;

	for (unsigned i = 0; f->n && i < f->v->dev->n_queues; i++) {
		struct vfu_ring *r;

		if (q >= 0 && (unsigned)q != i)
			continue;
		while ((r = vfu_far_first(f, i)) && r->stopped && vfu_ring_end(r))
			vfu_far_drop(f, r);
		busy |= r != NULL;
	}
	return busy;
}

/*
 * Life.
 */
static void vfu_far_on_wake(void *arg, GIOCondition revents)
{
	struct vfio_user *v = arg;
	uint64_t count;

	(void)revents;
	if (read(v->far.fd, &count, sizeof(count)) == sizeof(count) && !vfu_end_if_lost(v))
		vfu_far_go_on(v);
}

bool vfu_far_open(struct vfio_user *v, GError **err)
{
	struct vfu_far *f = &v->far;

	f->far = (struct vdev_far){ vfu_far_starts, vfu_far_busy };
	f->v = v;
	pthread_mutex_init(&f->lock, NULL);
	if (!eventfd_open(&f->fd, "vfio-user", err))
		return false;
	f->watch = loop_watch(v->main, f->fd, G_IO_IN, vfu_far_on_wake, v);
	v->dev->far = &f->far;
	return true;
}

void vfu_far_close(struct vfio_user *v)
{
	struct vfu_far *f = &v->far;

	if (!f->v)
		return;
	v->dev->far = NULL;
	loop_unwatch(g_steal_pointer(&f->watch));
	eventfd_close(&f->fd);
	pthread_mutex_destroy(&f->lock);
}

void vfu_far_clear(struct vfio_user *v)
{
	struct vfu_ring *r;

	for (unsigned q = 0; q < v->dev->n_queues; q++)
		while ((r = vfu_far_first(&v->far, q)))
			vfu_far_drop(&v->far, r);
	v->far.told = false;
}
