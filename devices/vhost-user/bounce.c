#include "devices/vhost-user/bounce.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "devices/vhost-user/front.h"

#define CONTEXT "--device vhost-user,memory=bounce"
#define BATCH   32u
#define BUDGET  256u /* chains in one turn of the loop */
#define TURNS   4u   /* looks at a ring that is never empty, before others get theirs */
#define TABLE_MAX \
	64u /* buffers in an indirect table; longer chains lie in the ring, or are joined */
#define PIECES    256u /* of a chain, as the guest cut it; one of more is joined */
#define ALIGN     64u  /* of the writable part */
#define SHARE_MIN 16384u

/*
 * The region's plan: a ring for each queue, with its tables, then a share of the rest for each.
 */
static uint16_t bounce_ring_size(const struct vhu_front *f)
{
	return MIN(vdev_queue_size(&f->vdev), DRV_QUEUE_MAX);
}

static struct drv_config bounce_ring_config(const struct vhu_front *f, uint64_t features)
{
	uint16_t size = bounce_ring_size(f);

	return (struct drv_config){ .size = size,
				    .packed = features >> VIRTIO_F_RING_PACKED & 1,
				    .event_idx = features >> VIRTIO_F_EVENT_IDX & 1,
				    .indirect = features >> VIRTIO_F_INDIRECT_DESC & 1,
				    .table_max = MIN(size, TABLE_MAX) };
}

static uint64_t bounce_ring_bytes(const struct vhu_front *f)
{
	const struct drv_config split = bounce_ring_config(f, 1ull << VIRTIO_F_INDIRECT_DESC);
	struct drv_config packed = split;

	packed.packed = true;
	return (MAX(drv_bytes(&split), drv_bytes(&packed)) + GMEM_PAGE - 1) / GMEM_PAGE * GMEM_PAGE;
}

uint64_t vhu_bounce_ring_features(uint64_t offered)
{
	return offered & (1ull << VIRTIO_F_RING_PACKED | 1ull << VIRTIO_F_EVENT_IDX |
			  1ull << VIRTIO_F_INDIRECT_DESC);
}

static bool bounce_open_queue(struct vhu_front *f, unsigned q, uint64_t rings, GError **err)
{
	struct vhu_bounce *bounce = f->bounce;
	struct vhu_bounce_queue *b = &bounce->queue[q];
	uint64_t share = (f->bounce_size - rings) / bounce->n / GMEM_PAGE * GMEM_PAGE;

	b->f = f;
	b->q = q;
	b->drv = g_new0(struct drv_vq, 1);
	bounce_room_open(&b->room, rings + q * share, share);
	return eventfd_open(&b->kick_fd, CONTEXT, err) && eventfd_open(&b->call_fd, CONTEXT, err);
}

bool vhu_bounce_open(struct vhu_front *f, GError **err)
{
	unsigned n = vhu_front_served(f);
	uint64_t rings = n * bounce_ring_bytes(f);

	if (bounce_ring_size(f) < 2)
		return ringside_usage(err, CONTEXT ",queue-size=1: it takes two entries at least");
	f->bounce_size = f->bounce_size / GMEM_PAGE * GMEM_PAGE;
	if (f->bounce_size < rings + (uint64_t)n * SHARE_MIN)
		return ringside_usage(err,
				      CONTEXT ": size=%" G_GUINT64_FORMAT "K is too little; its "
					      "queues need %" G_GUINT64_FORMAT "K at least",
				      f->bounce_size >> 10,
				      (rings + (uint64_t)n * SHARE_MIN + 1023) >> 10);
	f->bounce = g_malloc0(sizeof(*f->bounce) + n * sizeof(f->bounce->queue[0]));
	bounce_region_init(&f->bounce->region);
	f->bounce->n = n;
	for (unsigned q = 0; q < n; q++)
		f->bounce->queue[q].kick_fd = f->bounce->queue[q].call_fd = -1;
	for (unsigned q = 0; q < n; q++)
		if (!bounce_open_queue(f, q, rings, err))
			return false;
	return true;
}

void vhu_bounce_close(struct vhu_front *f)
{
	for (unsigned q = 0; f->bounce && q < f->bounce->n; q++) {
		struct vhu_bounce_queue *b = &f->bounce->queue[q];

		eventfd_close(&b->kick_fd);
		eventfd_close(&b->call_fd);
		bounce_room_close(&b->room);
		g_free(b->drv);
	}
	if (f->bounce)
		bounce_region_close(&f->bounce->region);
	g_clear_pointer(&f->bounce, g_free);
}

bool vhu_bounce_begin(struct vhu_front *f)
{
	struct bounce_region *r = &f->bounce->region;

	bounce_region_close(r);
	return bounce_region_open(r, f->bounce_size) ||
	       vhu_link_fail(&f->link, "memory for it: %s", g_strerror(errno));
}

/*
 * Bytes, between the guest's chain and the region. Cursors stay as they are, for a chain may have
 * to be copied once more.
 */
static void bounce_copy(const struct vq_cursor *cur, uint64_t from, uint8_t *p, uint64_t len,
			bool to_guest)
{
	for (unsigned i = 0; len; i++) {
		uint8_t *at = cur->iov[i].iov_base;
		uint64_t n = cur->iov[i].iov_len;

		if (from >= n) {
			from -= n;
			continue;
		}
		n = MIN(n - from, len);
		memcpy(to_guest ? at + from : p, to_guest ? p : at + from, n);
		p += n;
		len -= n;
		from = 0;
	}
}

/* What lies at the end of the writable part whether all before it was written or not, and so is not
 * counted (blk's status): it begins as the guest has it, and goes back always. */
static void bounce_copy_trailer(const struct vhu_bounce_queue *b, const struct vhu_bounced *req,
				bool to_guest)
{
	const struct vq_cursor *wr = &req->chain->wr;
	uint64_t len = MIN(b->f->kind.trailer, wr->left);

	bounce_copy(wr, wr->left - len, b->f->bounce->region.p + req->wr + wr->left - len, len,
		    to_guest);
}

/*
 * To the back-end.
 */

/* As the guest cut it, at @offset. */
static unsigned bounce_pieces(const struct vq_cursor *cur, uint64_t offset, struct drv_buf *ret)
{
	for (unsigned i = 0; i < cur->n; i++) {
		ret[i] = (struct drv_buf){ .gpa = bounce_region_address(offset),
					   .len = (uint32_t)cur->iov[i].iov_len };
		offset += cur->iov[i].iov_len;
	}
	return cur->n;
}

static unsigned bounce_joined(const struct vq_cursor *cur, uint64_t offset, struct drv_buf *ret)
{
	*ret = (struct drv_buf){ .gpa = bounce_region_address(offset), .len = (uint32_t)cur->left };
	return cur->left > 0;
}

/* How many buffers a chain may have in the ring. */
static unsigned bounce_pieces_max(const struct vhu_bounce_queue *b)
{
	const struct drv_config *c = &b->drv->cfg;

	return MIN(c->indirect ? c->table_max : c->size, PIECES);
}

static bool bounce_add(struct vhu_bounce_queue *b, struct vhu_bounced *req)
{
	const struct vq_chain *c = req->chain;
	bool whole = c->rd.n + c->wr.n <= bounce_pieces_max(b);
	unsigned (*pieces)(const struct vq_cursor *, uint64_t,
			   struct drv_buf *) = whole ? bounce_pieces : bounce_joined;
	struct drv_buf bufs[PIECES];
	unsigned n_rd = pieces(&c->rd, req->offset, bufs);
	unsigned n_wr = pieces(&c->wr, req->wr, bufs + n_rd);

	return drv_add(b->drv, bufs, n_rd, n_wr, req) >= 0;
}

static void bounce_give_room(struct vhu_bounce_queue *b, struct vhu_bounced *req)
{
	bounce_room_give(&b->room, req->offset, req->bytes);
	req->bytes = 0;
}

static bool bounce_take_room(struct vhu_bounce_queue *b, struct vhu_bounced *req)
{
	const struct vq_chain *c = req->chain;
	uint64_t rd = ((uint64_t)c->rd.left + ALIGN - 1) / ALIGN * ALIGN, bytes = rd + c->wr.left;
	char why[160];

	if (bytes > bounce_room_max(&b->room)) {
		(void)g_snprintf(why, sizeof(why),
				 "a request of %" G_GUINT64_FORMAT "K, and its share of the bounce "
				 "memory is %" G_GUINT64_FORMAT "K (size=)",
				 (bytes + 1023) >> 10, bounce_room_max(&b->room) >> 10);
		vdev_queue_failed(&b->f->vdev, b->q, why);
		return false;
	}
	if (!bounce_room_take(&b->room, bytes, &req->offset))
		return false;
	req->bytes = bytes;
	req->wr = req->offset + rd;
	return true;
}

/* False: there is no room, here or in the ring. */
static bool bounce_send(struct vhu_bounce_queue *b, struct vhu_bounced *req)
{
	uint8_t *p = b->f->bounce->region.p;

	if (!bounce_take_room(b, req))
		return false;
	bounce_copy(&req->chain->rd, 0, p + req->offset, req->chain->rd.left, false);
	bounce_copy_trailer(b, req, false);
	if (!bounce_add(b, req)) {
		bounce_give_room(b, req);
		return false;
	}
	g_queue_push_tail_link(&b->sent, &req->link);
	return true;
}

/* The next in order: what was popped before, or what the guest has. */
static struct vhu_bounced *bounce_next(struct vhu_bounce_queue *b)
{
	GList *first = g_queue_pop_head_link(&b->waiting);
	struct vhu_bounced *req;
	struct vq_chain *c;

	if (first)
		return first->data;
	c = vdev_take(&b->f->vdev, b->q);
	if (!c)
		return NULL;
	req = vq_chain_request(c);
	*req = (struct vhu_bounced){ .chain = c, .seq = ++b->popped };
	req->link.data = req;
	return req;
}

static void bounce_forward(struct vhu_bounce_queue *b)
{
	struct vhu_bounced *req = NULL;
	unsigned left;

	for (left = BUDGET; left && (req = bounce_next(b)); left--)
		if (!bounce_send(b, req)) {
			g_queue_push_head_link(&b->waiting, &req->link);
			break;
		}
	if (!left)
		vdev_again(&b->f->vdev, b->q);
	if (drv_publish(b->drv))
		eventfd_signal(b->kick_fd);
}

/*
 * From the back-end.
 */
static void bounce_done(struct vhu_bounce_queue *b, const struct drv_done *done)
{
	struct vhu_bounced *req = done->cookie;
	struct vq_chain *c = req->chain;

	bounce_copy_trailer(b, req, true);
	(void)vq_put(c, b->f->bounce->region.p + req->wr, done->len);
	bounce_give_room(b, req);
	g_queue_unlink(&b->sent, &req->link);
	vq_push(c->vq, c);
}

/* What was used so far. False: the back-end made no sense. */
static bool bounce_collect_once(struct vhu_bounce_queue *b)
{
	struct drv_done done[BATCH];
	unsigned n;

	while ((n = drv_used_batch(b->drv, done, BATCH)) > 0)
		for (unsigned i = 0; i < n; i++)
			bounce_done(b, &done[i]);
	return !b->drv->broken;
}

static void bounce_broken(struct vhu_bounce_queue *b)
{
	g_autofree char *why = g_strdup_printf("its back-end broke the ring: %s", b->drv->broken);

	loop_unwatch(g_steal_pointer(&b->call_watch));
	vdev_queue_failed(&b->f->vdev, b->q, why);
}

static void bounce_collect(struct vhu_bounce_queue *b)
{
	unsigned turns = TURNS;
	bool sane;

	do {
		drv_disable_notify(b->drv);
		sane = bounce_collect_once(b);
	} while (sane && !drv_enable_notify(b->drv) && --turns);
	vdev_flush(&b->f->vdev, b->q);
	if (!sane)
		bounce_broken(b);
	else if (!turns)
		eventfd_signal(b->call_fd);
}

static void bounce_called(void *arg, GIOCondition revents)
{
	struct vhu_bounce_queue *b = arg;
	uint64_t count;

	(void)revents;
	if (read(b->call_fd, &count, sizeof(count)) != sizeof(count))
		return;
	bounce_collect(b);
	if (b->waiting.head && !b->drv->broken)
		bounce_forward(b);
}

/*
 * A ring goes to the back-end, and comes back.
 */
static bool bounce_go(struct vhu_bounce_queue *b)
{
	struct vhu_front *f = b->f;
	uint64_t offset = b->q * bounce_ring_bytes(f);
	struct drv_config cfg = bounce_ring_config(f, vhu_bounce_ring_features(f->features));
	struct vhu_ring_at at = { .size = cfg.size, .kick_fd = b->kick_fd, .call_fd = b->call_fd };

	cfg.base = f->bounce->region.p + offset;
	cfg.gpa = bounce_region_address(offset);
	cfg.len = bounce_ring_bytes(f);
	g_assert_true(drv_vq_init(b->drv, &cfg)); /* what bounce_ring_config() makes is possible */
	at.base = vhu_ring_encode(cfg.packed, vq_position_initial(cfg.packed));
	at.desc = b->drv->desc;
	at.driver = b->drv->driver;
	at.device = b->drv->device;
	if (!vhu_session_ready(f) || !vhu_ring_tell(f, b->q, &at))
		return false;
	f->ring[b->q].live = true;
	b->call_watch = loop_watch(f->loop, b->call_fd, G_IO_IN, bounce_called, b);
	return true;
}

/* The back-end has it no more: what it used counts, and all else waits for the next, in the order
 * in which it was popped. */
static void bounce_come_back(struct vhu_bounce_queue *b)
{
	GList *last;

	b->f->ring[b->q].live = false;
	loop_unwatch(g_steal_pointer(&b->call_watch));
	(void)bounce_collect_once(b);
	vdev_flush(&b->f->vdev, b->q);
	while ((last = g_queue_pop_tail_link(&b->sent)))
		g_queue_push_head_link(&b->waiting, last);
	bounce_room_give_all(&b->room);
}

static void bounce_begin_work(struct vhu_bounce_queue *b)
{
	bounce_forward(b);
	eventfd_signal(b->kick_fd);
}

bool vhu_bounce_resume(struct vhu_front *f)
{
	bool any = false;

	for (unsigned q = 0; q < f->bounce->n; q++) {
		if (f->ring[q].wanted && !bounce_go(&f->bounce->queue[q]))
			return false;
		any |= f->ring[q].live;
	}
	if (any && !vhu_session_driver_ok(f))
		return false;
	for (unsigned q = 0; q < f->bounce->n; q++)
		if (f->ring[q].live)
			bounce_begin_work(&f->bounce->queue[q]);
	return true;
}

void vhu_bounce_lost(struct vhu_front *f)
{
	for (unsigned q = 0; q < f->bounce->n; q++)
		if (f->ring[q].live)
			bounce_come_back(&f->bounce->queue[q]);
	bounce_region_close(&f->bounce->region);
}

/*
 * The class's.
 */
static struct vhu_bounce_queue *bounce_of(struct vdev *dev, unsigned q)
{
	struct vhu_bounce *bounce = vhu_front_of(dev)->bounce;

	return bounce && q < bounce->n ? &bounce->queue[q] : NULL;
}

void vhu_bounce_queue_started(struct vdev *dev, unsigned q)
{
	struct vhu_bounce_queue *b = bounce_of(dev, q);

	if (!b)
		return;
	b->f->ring[q].wanted = true;
	vhu_ring_heed_errors(b->f, q);
	if (vhu_link_is_open(&b->f->link) && !bounce_go(b))
		vhu_front_lost(b->f);
}

void vhu_bounce_kick(struct vdev *dev, unsigned q)
{
	struct vhu_bounce_queue *b = bounce_of(dev, q);

	if (!b || !b->f->ring[q].live || b->drv->broken)
		return;
	if (vhu_session_driver_ok(b->f))
		bounce_forward(b);
	else
		vhu_front_lost(b->f);
}

/* The last popped first; of chains that were used out of order the last ones may be gone, and then
 * the ring cannot have these back. */
static void bounce_give_back(struct vhu_bounce_queue *b)
{
	struct vhu_bounced *req;
	GList *last;

	while ((last = g_queue_peek_tail_link(&b->waiting))) {
		req = last->data;
		if (req->seq != b->popped) {
			vdev_queue_failed(&b->f->vdev, b->q,
					  "its back-end left requests undone, and did later ones");
			return;
		}
		g_queue_unlink(&b->waiting, last);
		b->popped--;
		vq_unpop(req->chain->vq, req->chain);
	}
}

static void bounce_stop(struct vhu_bounce_queue *b)
{
	struct vhu_front_ring *ring = &b->f->ring[b->q];
	uint32_t base = 0;

	if (ring->live && !vhu_ring_take_back(b->f, b->q, &base))
		vhu_front_lost(b->f);
	if (ring->live)
		bounce_come_back(b);
	ring->wanted = false;
	loop_unwatch(g_steal_pointer(&ring->err_watch));
}

bool vhu_bounce_queue_stop(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	struct vhu_bounce_queue *b = bounce_of(dev, q);

	if (!b)
		return true;
	if (why == VDEV_STOP_SAVE)
		bounce_give_back(b);
	else
		bounce_stop(b);
	if (why == VDEV_STOP_RESET) {
		g_queue_init(&b->waiting); /* chains of a ring that is none any more */
		b->popped = 0;
	}
	return true;
}
