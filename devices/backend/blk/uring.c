/*
 * The io_uring channel.
 *
 * submit() only collects. flush() starts all that was collected with one io_uring_enter() and looks
 * at the completion queue right after it: what the page cache could serve is complete by then and
 * is reported in the same turn of the loop. The ring's descriptor, readable while there are
 * completions, tells of the others.
 *
 * A small read that comes alone, the latency case, tries preadv2(RWF_NOWAIT) first: fewer
 * instructions than a trip through the ring when the page cache has it, and little lost when it has
 * not. After a few misses in a row it is tried only now and then.
 *
 * At most DEPTH requests are in the ring at once, so that its completion queue, twice as long,
 * cannot overflow; the others wait in the pending list. A large one counts for several: what is in
 * the ring when the channel stops has to be waited for unless the kernel can cancel it, which it
 * does with what waits in a queue of its own, but hardly with what a disk has begun.
 *
 * No files or buffers are registered: a registered file outlives the ring's end by some
 * milliseconds, and with it the lock on the disk.
 *
 * System call filters do not see what goes through a ring. So rings are made before the guest runs,
 * one for each channel, and kept; the kernel holds them to the five operations that we use; and no
 * thread may make another.
 */
#include "devices/backend/blk/file.h"

#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	DEPTH = 64,
	WEIGHT_SHIFT = 19,      /* half a MiB more counts as another request */
	LONE_BYTES = 64 * 1024, /* a larger read is better off beside the loop */
	LONE_MISSES = 4,        /* in a row, before trying becomes rare: */
	LONE_RARELY = 32,       /* once in so many */
};

struct uring {
	struct blk_file_channel file_channel; /* first */
	struct io_uring ring;
	GSource *watch;
	unsigned lone_misses; /* counts on beyond LONE_MISSES to know when to try again */
	bool no_lone;         /* the file does not do RWF_NOWAIT */
};

/* Rings that no channel has just now. */
struct blk_rings {
	pthread_mutex_t lock;
	GArray *spare; /* of struct io_uring */
};

static unsigned blk_uring_weight(const struct blk_step *s)
{
	return 1 + (unsigned)(MIN(s->len, BLK_SLICE_BYTES) >> WEIGHT_SHIFT);
}

/* For steps of kinds that rings do not know. */
static void blk_uring_start_elsewhere(struct blk_file_channel *ch, struct blk_io *io,
				      const struct blk_step *s)
{
	if (ch->file->worker)
		blk_worker_hand(ch, io);
	else
		blk_channel_stepped(ch, io, s, blk_step_run(ch, io, s));
}

/* Puts the next step of @io into the submission queue. */
static void blk_uring_start(struct uring *u, struct blk_io *io)
{
	struct blk_file *f = u->file_channel.file;
	struct io_uring_sqe *sqe;
	struct blk_step s;

	blk_step_next(f, io, &s);
	if (!blk_claim(&u->file_channel, io, &s))
		return;
	blk_channel_spend(&u->file_channel, &s);
	if (s.kind == STEP_BOUNCE || s.kind == STEP_BLKDISCARD) {
		blk_uring_start_elsewhere(&u->file_channel, io, &s);
		return;
	}
	sqe = io_uring_get_sqe(&u->ring);
	g_assert(sqe); /* DEPTH entries, all handed over after each round */
	if (s.kind == STEP_READ && s.n_iov == 1)
		io_uring_prep_read(sqe, f->fd, s.iov->iov_base, (unsigned)s.len, s.offset);
	else if (s.kind == STEP_READ)
		io_uring_prep_readv2(sqe, f->fd, s.iov, s.n_iov, s.offset, s.flags);
	else if (s.kind == STEP_WRITE)
		io_uring_prep_writev2(sqe, f->fd, s.iov, s.n_iov, s.offset, s.flags);
	else if (s.kind == STEP_FALLOCATE)
		io_uring_prep_fallocate(sqe, f->fd, s.flags, (off_t)s.offset, (off_t)s.len);
	else
		io_uring_prep_fsync(sqe, f->fd, IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_flags(sqe, io->at.sqe_flags);
	io_uring_sqe_set_data(sqe, io);
	u->file_channel.in_ring += blk_uring_weight(&s);
}

/* The ring could neither do it at once nor wait for it: it is to take a thread of its own for that.
 * A second time that is the host's last word. */
static bool blk_uring_try_again(struct uring *u, struct blk_io *io)
{
	if (io->at.sqe_flags)
		return false;
	io->at.sqe_flags = IOSQE_ASYNC;
	blk_claim_end(u->file_channel.file, io);
	blk_channel_append(&u->file_channel, io);
	return true;
}

/* Reports what is complete; returns how many. */
static unsigned blk_uring_reap(struct uring *u)
{
	struct io_uring_cqe *cqe;
	unsigned n = 0;

	while (io_uring_peek_cqe(&u->ring, &cqe) == 0 && cqe) {
		struct blk_io *io = io_uring_cqe_get_data(cqe);
		int64_t res = cqe->res;
		struct blk_step s;

		io_uring_cqe_seen(&u->ring, cqe);
		n++;
		if (!io) { /* blk_uring_cancel()'s own */
			u->file_channel.in_ring--;
			continue;
		}
		blk_step_next(u->file_channel.file, io, &s);
		u->file_channel.in_ring -= blk_uring_weight(&s);
		if (res != -EAGAIN || !blk_uring_try_again(u, io))
			blk_channel_stepped(&u->file_channel, io, &s, res);
	}
	return n;
}

/* Hands over all that is in the submission queue. */
static void blk_uring_enter(struct uring *u)
{
	while (io_uring_sq_ready(&u->ring)) {
		int r = io_uring_submit(&u->ring);

		if (r < 0 && r != -EINTR)
			g_usleep(1000); /* the host is short of memory just now */
	}
}

/* Starts and reports until what is left has to be waited for, or the turn's budget is used up. */
static void blk_uring_pump(struct uring *u)
{
	struct blk_file_channel *ch = &u->file_channel;

	do {
		while (ch->first && ch->in_ring < DEPTH && !blk_channel_spent(ch))
			blk_uring_start(u, blk_channel_take(ch));
		blk_uring_enter(u);
	} while (blk_uring_reap(u) && ch->first && !blk_channel_spent(ch));
	if (ch->first && !ch->in_ring)
		blk_channel_again(ch);
}

/* The ring's descriptor became readable: there are completions. */
static void blk_uring_ring_ready(void *arg, GIOCondition revents)
{
	struct uring *u = arg;
	struct blk_file_channel *ch = &u->file_channel;

	(void)revents;
	blk_channel_new_turn(ch);
	blk_uring_reap(u);
	if (ch->state == BLK_RUNS)
		blk_uring_pump(u);
	ch->owner.batch_done(ch->owner.arg);
	blk_channel_maybe_stopped(ch);
}

/* If all there is to do is one small read, does what of it the page cache has. */
static void blk_uring_read_alone(struct uring *u)
{
	struct blk_file *f = u->file_channel.file;
	struct blk_io *io = u->file_channel.first;
	struct blk_step s;
	ssize_t n;
	int result;

	if (io->next || u->file_channel.in_ring || io->op != BLK_READ || io->len > LONE_BYTES ||
	    f->direct || u->no_lone)
		return;
	if (u->lone_misses >= LONE_MISSES && ++u->lone_misses % LONE_RARELY)
		return;
	blk_step_next(f, io, &s);
	n = preadv2(f->fd, s.iov, (int)s.n_iov, (off_t)s.offset, RWF_NOWAIT);
	if (n <= 0) {
		u->no_lone = n < 0 && errno != EAGAIN && errno != EINTR;
		u->lone_misses++;
		return;
	}
	u->lone_misses = 0;
	if (blk_step_done(f, io, &s, n, &result)) {
		blk_channel_take(&u->file_channel);
		io->done(io, result);
	}
}

static void blk_uring_submit(struct blk_channel *base, struct blk_io *io)
{
	struct uring *u = (struct uring *)base;
	int result;

	if (blk_step_begin(u->file_channel.file, io, &result)) {
		io->done(io, result);
		return;
	}
	blk_channel_number(&u->file_channel, io);
	blk_channel_append(&u->file_channel, io);
}

static void blk_uring_flush(struct blk_channel *base)
{
	struct uring *u = (struct uring *)base;

	if (u->file_channel.state != BLK_RUNS)
		return;
	blk_channel_new_turn(&u->file_channel);
	if (u->file_channel.first)
		blk_uring_read_alone(u);
	if (u->file_channel.first)
		blk_uring_pump(u);
}

/* Asks the kernel to give up all that is in the ring. Before 5.19 it does not know how: then it is
 * waited for. */
static void blk_uring_cancel(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	g_assert(sqe);
	io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
	io_uring_sqe_set_data(sqe, NULL);
	u->file_channel.in_ring++;
	blk_uring_enter(u);
}

static bool blk_uring_stop(struct blk_channel *base)
{
	struct uring *u = (struct uring *)base;

	u->file_channel.state = BLK_STOPS;
	if (u->file_channel.in_ring) {
		blk_uring_cancel(u);
		blk_uring_reap(u);
	}
	return blk_channel_stop(&u->file_channel);
}

static void blk_uring_give_back(struct blk_file *f, struct io_uring *ring)
{
	if (!f->rings) {
		io_uring_queue_exit(ring);
		return;
	}
	pthread_mutex_lock(&f->rings->lock);
	g_array_append_val(f->rings->spare, *ring);
	pthread_mutex_unlock(&f->rings->lock);
}

static void blk_uring_free(struct blk_channel *base)
{
	struct uring *u = (struct uring *)base;

	g_assert(!u->file_channel.in_ring);
	loop_unwatch(u->watch);
	blk_uring_give_back(u->file_channel.file, &u->ring);
	blk_channel_fini(&u->file_channel);
	g_free(u);
}

static const struct blk_channel_ops uring_ops = {
	.submit = blk_uring_submit,
	.flush = blk_uring_flush,
	.stop = blk_uring_stop,
	.undone = blk_channel_undone,
	.free = blk_uring_free,
};

/* Of a ring that is disabled still: only what blk_uring_start() and blk_uring_cancel() make may go
 * through it. */
static int blk_uring_restrict(struct io_uring *ring)
{
	static const uint8_t ops[] = {
		IORING_OP_READ,      IORING_OP_READV, IORING_OP_WRITEV,
		IORING_OP_FALLOCATE, IORING_OP_FSYNC, IORING_OP_ASYNC_CANCEL
	};
	struct io_uring_restriction rules[G_N_ELEMENTS(ops) + 1] = { 0 };
	int r;

	for (size_t i = 0; i < G_N_ELEMENTS(ops); i++) {
		rules[i].opcode = IORING_RESTRICTION_SQE_OP;
		rules[i].sqe_op = ops[i];
	}
	rules[G_N_ELEMENTS(ops)].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	rules[G_N_ELEMENTS(ops)].sqe_flags = IOSQE_ASYNC;
	/* liburing 2.3 declares functions for these two and forgot to export them. */
	r = io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_RESTRICTIONS, rules,
			      G_N_ELEMENTS(rules));
	if (r == 0)
		r = io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL,
				      0);
	return r;
}

/* A kernel that has rings but no restrictions (before 5.10) counts as one without. */
static int blk_uring_init(struct io_uring *ring, unsigned depth)
{
	/* Completions need not interrupt us: we look after each system call, or sleep in poll(). */
	int r = io_uring_queue_init(depth, ring,
				    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_R_DISABLED);

	if (r == -EINVAL)
		r = io_uring_queue_init(depth, ring, IORING_SETUP_R_DISABLED);
	if (r < 0)
		return r;
	r = blk_uring_restrict(ring);
	if (r < 0)
		io_uring_queue_exit(ring);
	return r;
}

int blk_uring_prepare(struct blk_file *f, unsigned n)
{
	int r = 0;

	f->rings = g_new0(struct blk_rings, 1);
	f->rings->spare = g_array_new(FALSE, FALSE, sizeof(struct io_uring));
	pthread_mutex_init(&f->rings->lock, NULL);
	while (n-- && r == 0) {
		struct io_uring ring;

		r = blk_uring_init(&ring, DEPTH);
		if (r == 0)
			g_array_append_val(f->rings->spare, ring);
	}
	if (r < 0)
		blk_uring_close(f);
	return r;
}

void blk_uring_close(struct blk_file *f)
{
	if (!f->rings)
		return;
	for (guint i = 0; i < f->rings->spare->len; i++)
		io_uring_queue_exit(&g_array_index(f->rings->spare, struct io_uring, i));
	g_array_unref(f->rings->spare);
	pthread_mutex_destroy(&f->rings->lock);
	g_clear_pointer(&f->rings, g_free);
}

/* One that was made ahead, or, for whoever made none, a new one. */
static int blk_uring_take_ring(struct blk_file *f, struct io_uring *ret_ring)
{
	int r = -EAGAIN;

	if (!f->rings)
		return blk_uring_init(ret_ring, DEPTH);
	pthread_mutex_lock(&f->rings->lock);
	if (f->rings->spare->len) {
		guint last = f->rings->spare->len - 1;

		*ret_ring = g_array_index(f->rings->spare, struct io_uring, last);
		g_array_set_size(f->rings->spare, last);
		r = 0;
	}
	pthread_mutex_unlock(&f->rings->lock);
	return r;
}

struct blk_channel *blk_uring_channel_new(struct blk_file *f, const struct blk_owner *owner,
					  int *ret_errno)
{
	struct uring *u = g_new0(struct uring, 1);
	int r = blk_uring_take_ring(f, &u->ring);

	if (r < 0) {
		g_free(u);
		*ret_errno = -r;
		return NULL;
	}
	blk_channel_init(&u->file_channel, &uring_ops, f, owner);
	u->watch = loop_watch(owner->loop, u->ring.ring_fd, G_IO_IN, blk_uring_ring_ready, u);
	return &u->file_channel.base;
}

int blk_uring_probe(void)
{
	struct io_uring ring;
	int r = blk_uring_init(&ring, 1);

	if (r == 0)
		io_uring_queue_exit(&ring);
	return r;
}
