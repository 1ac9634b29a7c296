/*
 * A disk's own thread, for steps that would hold up the loop of a channel: reads and writes of a
 * file where io_uring is not to be had, and what rings do not know.
 *
 * All channels of a disk hand their requests to one list, and take the answers back from one each.
 * Both are under one lock, which is held for no longer than it takes to link one in; and whoever
 * makes an empty list a full one wakes up the other side. A request is named in one of the lists,
 * or is being carried out, so that a channel that stops can take back what was not begun.
 */
#include "devices/backend/blk/file.h"

#include <pthread.h>

struct blk_worker {
	struct loop *loop;
	pthread_mutex_t lock;
	struct blk_io *first, **last;
	bool awake;
};

/* On a channel's loop: takes its answers. */
static void blk_worker_answered(void *arg)
{
	struct blk_file_channel *ch = arg;
	struct blk_worker *w = ch->file->worker;
	struct blk_io *io, *next;
	struct blk_step step;

	pthread_mutex_lock(&w->lock);
	io = g_steal_pointer(&ch->answers);
	pthread_mutex_unlock(&w->lock);
	for (; io; io = next) {
		next = io->next;
		ch->at_worker--;
		blk_step_next(ch->file, io, &step);
		blk_channel_stepped(ch, io, &step, io->at.result);
	}
	ch->base.ops->flush(&ch->base);
	ch->owner.batch_done(ch->owner.arg);
	blk_channel_maybe_stopped(ch);
}

/*
 * On the worker's thread. The first two with the lock held.
 */
static void blk_worker_answer(struct blk_io *io)
{
	struct blk_file_channel *ch = io->at.channel;

	io->next = ch->answers;
	ch->answers = io;
	if (!io->next)
		loop_post(ch->owner.loop, blk_worker_answered, ch);
}

static struct blk_io *blk_worker_take(struct blk_worker *w)
{
	struct blk_io *io = w->first;

	if (!io)
		return NULL;
	w->first = io->next;
	if (!w->first)
		w->last = &w->first;
	return io;
}

static void blk_worker_work(void *arg)
{
	struct blk_worker *w = arg;
	struct blk_io *io;

	pthread_mutex_lock(&w->lock);
	while ((io = blk_worker_take(w))) {
		struct blk_step step;

		pthread_mutex_unlock(&w->lock);
		blk_step_next(io->at.channel->file, io, &step);
		io->at.result = blk_step_run(io->at.channel, io, &step);
		pthread_mutex_lock(&w->lock);
		blk_worker_answer(io);
	}
	w->awake = false;
	pthread_mutex_unlock(&w->lock);
}

/*
 * On the channel's loop.
 */
void blk_worker_hand(struct blk_file_channel *ch, struct blk_io *io)
{
	struct blk_worker *w = ch->file->worker;

	io->at.channel = ch;
	io->next = NULL;
	ch->at_worker++;
	pthread_mutex_lock(&w->lock);
	*w->last = io;
	w->last = &io->next;
	if (!w->awake) {
		w->awake = true;
		loop_post(w->loop, blk_worker_work, w);
	}
	pthread_mutex_unlock(&w->lock);
}

void blk_worker_take_back(struct blk_file_channel *ch)
{
	struct blk_worker *w = ch->file->worker;

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	for (struct blk_io **at = &w->first; *at;) {
		struct blk_io *io = *at;

		if (io->at.channel != ch) {
			at = &io->next;
			continue;
		}
		*at = io->next;
		blk_claim_end(ch->file, io);
		blk_channel_append(ch, io);
		ch->at_worker--;
	}
	for (w->last = &w->first; *w->last;)
		w->last = &(*w->last)->next;
	pthread_mutex_unlock(&w->lock);
}

/*
 * Life.
 */
struct blk_worker *blk_worker_new(struct loop *loop)
{
	struct blk_worker *w = g_new0(struct blk_worker, 1);

	w->loop = loop;
	w->last = &w->first;
	pthread_mutex_init(&w->lock, NULL);
	return w;
}

static void blk_worker_nothing(void *arg)
{
	(void)arg;
}

void blk_worker_free(struct blk_worker *w)
{
	if (!w)
		return;
	loop_call(w->loop, blk_worker_nothing, NULL); /* it has come back from blk_worker_work() */
	pthread_mutex_destroy(&w->lock);
	g_free(w);
}
