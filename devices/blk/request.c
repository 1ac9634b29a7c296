/*
 * Life of a request: parsed, handed to the backend, finished with a status.
 *
 * The used length must not promise bytes that were not written, and the status byte comes last; so
 * when there is less data than room the rest of the room is zeroed first. This has a limit: a
 * driver may name the same page a thousand times in one request, and clearing gigabytes holds up
 * the loop. Beyond the limit the used length ends where the data does.
 */
#include "devices/blk/blk.h"

#include <errno.h>
#include <string.h>

#define PAD_MAX (1u << 20)

static void blk_request_finish(struct blk_request *r, uint8_t status)
{
	struct vq_chain *c = r->chain;

	if (c->wr.left <= PAD_MAX)
		(void)vq_put_zeroes(c, c->wr.left);
	vq_put_last(c, &r->status, &status);
	vq_push(c->vq, c);
	r->queue->pushed = true;
}

static uint8_t blk_request_status_of(struct blk_request *r, int result)
{
	static const char *const names[] = {
		[BLK_READ] = "read",       [BLK_WRITE] = "write",       [BLK_FLUSH] = "flush",
		[BLK_DISCARD] = "discard", [BLK_ZERO] = "write zeroes",
	};
	const struct blk_io *io = &r->io;

	if (result == 0)
		return BLK_S_OK;
	vdev_host_error(&r->queue->blk->vdev,
			"%s at %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT " bytes: %s",
			names[io->op], io->offset, io->len, g_strerror(-result));
	return result == -EOPNOTSUPP ? BLK_S_UNSUPP : BLK_S_IOERR;
}

/* The disk may have become smaller since the request was judged. */
static bool blk_request_in_disk(const struct blk *blk, const struct blk_io *io)
{
	uint64_t size = atomic_load_explicit(&blk->limits.capacity, memory_order_relaxed) *
			BLK_SECTOR;

	return io->offset <= size && io->len <= size - io->offset;
}

static struct blk_request *blk_request_of(struct blk_io *io)
{
	return (struct blk_request *)((char *)io - offsetof(struct blk_request, io));
}

void blk_request_submit(struct blk_queue *queue, struct blk_io *io)
{
	if (blk_request_in_disk(queue->blk, io))
		queue->channel->ops->submit(queue->channel, io);
	else
		blk_request_finish(blk_request_of(io), BLK_S_IOERR);
}

/*
 * What the host could not do.
 */
void blk_request_keep(struct blk_queue *queue, struct blk_io *list)
{
	struct blk_io **last = &queue->kept;

	while (*last)
		last = &(*last)->next;
	*last = list;
}

/* Of a queue's errors that stop the machine it is told of the first, of others once a second. */
static bool blk_request_may_tell(struct blk_queue *queue, bool stop, int errnum)
{
	gint64 now = g_get_monotonic_time() / G_USEC_PER_SEC + 1; /* never 0 */

	return stop ? atomic_exchange(&queue->held_for, errnum) == 0
		    : atomic_exchange(&queue->blk->told_at, now) != now;
}

/* Whether it is kept to be tried again. */
static bool blk_request_failed(struct blk_request *r, int errnum)
{
	struct blk *blk = r->queue->blk;
	bool write = r->io.op != BLK_READ;
	bool stop = write && (blk->werror == BLK_WERROR_STOP ||
			      (blk->werror == BLK_WERROR_ENOSPC && errnum == ENOSPC));
	const struct vdev_io_error error = { write, stop ? VDEV_ERROR_STOP : VDEV_ERROR_REPORT,
					     errnum };

	if (errnum == EOPNOTSUPP) /* the driver is told that, and nothing has failed */
		return false;
	if (stop) {
		r->io.next = NULL;
		blk_request_keep(r->queue, &r->io);
	}
	if (blk_request_may_tell(r->queue, stop, errnum))
		vdev_io_error(&blk->vdev, &error);
	return stop;
}

static unsigned blk_request_make_stable(const struct blk_queue *queue)
{
	const struct blk *blk = queue->blk;
	bool writeback = atomic_load_explicit(&blk->writeback, memory_order_relaxed);

	return writeback && !blk->always_stable ? 0 : BLK_IO_STABLE;
}

static void blk_request_io_done(struct blk_io *io, int result)
{
	struct blk_request *r = blk_request_of(io);
	uint8_t status = blk_request_status_of(r, result);

	if (result && blk_request_failed(r, -result))
		return;
	if (result == 0 && io->op == BLK_READ)
		(void)vq_wrote(r->chain, r->chain->wr.left);
	blk_request_finish(r, status);
}

/* @data: what of the chain the kernel reads or writes, NULL for a flush. */
static void blk_request_start_io(struct blk_request *r, enum blk_op op, unsigned flags,
				 const struct vq_cursor *data)
{
	r->io = (struct blk_io){
		.op = op,
		.flags = flags,
		.iov = data ? data->iov : NULL,
		.n_iov = data ? data->n : 0,
		.offset = data ? r->cmd.offset : 0,
		.len = data ? r->cmd.len : 0,
		.done = blk_request_io_done,
	};
	blk_request_submit(r->queue, &r->io);
}

static void blk_request_range_done(struct blk_io *io, int result);

static void blk_request_start_range(struct blk_request *r)
{
	const struct blk_command_range *range = &r->cmd.range[r->n_done];
	bool zero = r->cmd.type == BLK_T_WRITE_ZEROES;
	bool unmap = range->unmap && r->queue->blk->discard; /* DEV-BLK-OP-10 */

	r->io = (struct blk_io){
		.op = zero ? BLK_ZERO : BLK_DISCARD,
		.flags = zero ? blk_request_make_stable(r->queue) | (unmap ? BLK_IO_UNMAP : 0) : 0,
		.offset = range->sector * BLK_SECTOR,
		.len = (uint64_t)range->n_sectors * BLK_SECTOR,
		.done = blk_request_range_done,
	};
	blk_request_submit(r->queue, &r->io);
}

/* One after the other: a request of many ranges is still one request to the host at a time. */
static void blk_request_range_done(struct blk_io *io, int result)
{
	struct blk_request *r = blk_request_of(io);
	uint8_t status = blk_request_status_of(r, result);

	if (result && blk_request_failed(r, -result))
		return;
	if (result || ++r->n_done == r->cmd.n_ranges)
		blk_request_finish(r, status);
	else
		blk_request_start_range(r);
}

static void blk_request_get_id(struct blk_request *r)
{
	const struct blk *blk = r->queue->blk;
	char id[BLK_ID_BYTES + 1] = { 0 };

	g_strlcpy(id, blk->serial ? blk->serial : vdev_name(&blk->vdev), sizeof(id));
	(void)vq_put_some(r->chain, id, BLK_ID_BYTES);
	blk_request_finish(r, BLK_S_OK);
}

static void blk_request_act(struct blk_request *r)
{
	struct vq_chain *c = r->chain;

	switch (r->cmd.type) {
	case BLK_T_IN:
		blk_request_start_io(r, BLK_READ, 0, &c->wr);
		break;
	case BLK_T_OUT:
		blk_request_start_io(r, BLK_WRITE, blk_request_make_stable(r->queue), &c->rd);
		break;
	case BLK_T_FLUSH:
		blk_request_start_io(r, BLK_FLUSH, 0, NULL);
		break;
	case BLK_T_GET_ID:
		blk_request_get_id(r);
		break;
	default: /* DISCARD, WRITE_ZEROES: the parser lets nothing else through */
		r->n_done = 0;
		blk_request_start_range(r);
		break;
	}
}

void blk_handle(struct vdev *dev, unsigned q, struct vq_chain *c)
{
	struct blk *blk = (struct blk *)dev;
	struct blk_request *r = vq_chain_request(c);
	uint8_t status;

	r->queue = &blk->queue[q];
	r->chain = c;
	if (!vq_take_last(&c->wr, 1, &r->status)) {
		vdev_guest_bug(dev, "queue %u: a request has no room for its status", q);
		vq_push(c->vq, c);
		return;
	}
	status = blk_parse(c, &blk->limits, &r->cmd);
	if (status == BLK_S_OK)
		blk_request_act(r);
	else
		blk_request_finish(r, status);
}
