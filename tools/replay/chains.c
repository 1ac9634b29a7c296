/* Chains: made available where the recorded device took them, compared where it gave them back. */
#include "tools/replay/play-int.h"

/*
 * Chains.
 */
struct play_add {
	struct play_queue *pq;
	const struct replay_chain *chain;
	struct drv_buf *bufs;
	struct play_flight *flight;
};

static bool play_add(void *arg)
{
	struct play_add *a = arg;

	return drv_add(a->pq->drv, a->bufs, a->chain->n_rd, a->chain->n_wr, a->flight) >= 0;
}

static void play_put_payload(struct play_device *d, const struct replay_chain *c)
{
	uint64_t at = 0;

	for (unsigned i = 0; i < c->n_rd; i++) {
		(void)gmem_write(replay_memory_map(d->play->memory), c->buf[i].addr,
				 c->read->data + at, c->buf[i].len);
		at += c->buf[i].len;
	}
}

bool play_popped(struct play_device *d, const struct replay_step *step)
{
	struct play_queue *pq = &d->queue[step->queue];
	struct replay_chain *c = step->chain;
	struct play_flight *f = play_in_flight(pq, c);
	struct play_add add = { .pq = pq, .chain = c };
	bool ok;

	if (!pq->drv) /* it was reset: what the device had begun is nobody's */
		return true;
	if (f && f->unpopped) {
		f->unpopped = false;
		f->chain = c;
		return true;
	}
	f = g_new0(struct play_flight, 1);
	f->chain = f->made = c;
	g_hash_table_add(pq->made, f);
	play_put_payload(d, c);
	add.flight = f;
	add.bufs = g_new(struct drv_buf, c->n_rd + c->n_wr);
	for (unsigned i = 0; i < c->n_rd + c->n_wr; i++)
		add.bufs[i] = (struct drv_buf){ c->buf[i].addr, (uint32_t)c->buf[i].len };
	ok = play_wait(d, play_add, &add);
	g_free(add.bufs);
	if (!ok)
		return play_diverges(d, step,
				     "head %u: the record's device took one more, and this one has "
				     "not given enough back",
				     c->head);
	pq->flight[c->head] = f;
	if (drv_publish(pq->drv))
		vdev_notify(d->dev, (unsigned)step->queue);
	play_settle(d);
	return true;
}

bool play_unpopped(struct play_device *d, const struct replay_step *step)
{
	struct play_flight *f = play_in_flight(&d->queue[step->queue], step->chain);

	if (f)
		f->unpopped = true;
	return true;
}

static bool play_is_done(void *flight)
{
	return ((struct play_flight *)flight)->done;
}

static bool play_compare(struct play_device *d, const struct replay_step *step,
			 const struct play_flight *f)
{
	const struct replay_chain *c = step->chain;
	uint32_t n = MIN(c->written->len, (uint32_t)MIN(f->len, f->made->writable));

	if (f->len != c->len)
		return play_diverges(d, step,
				     "head %u: the record has a used length of %u, and the device "
				     "%u",
				     c->head, c->len, f->len);
	if (d->outside.class->random)
		return true;
	for (uint32_t i = 0; i < n; i++)
		if (f->written[i] != c->written->data[i])
			return play_diverges(d, step,
					     "head %u: byte %u of %u that the device wrote: the "
					     "record has 0x%02x, and the device 0x%02x",
					     c->head, i, c->len, c->written->data[i],
					     f->written[i]);
	d->play->result->bytes += n;
	return true;
}

static bool play_back(struct play_device *d, const struct replay_step *step)
{
	struct play_queue *pq = &d->queue[step->queue];
	struct replay_chain *c = step->chain;
	struct play_flight *f = play_in_flight(pq, c);
	bool ok;

	if (!f || f->chain != c)
		return true;
	if (!play_wait(d, play_is_done, f)) {
		if (vdev_status(d->dev) & VIRTIO_S_NEEDS_RESET)
			return play_diverges(d, step,
					     "head %u: the record's device gave it back, "
					     "and this one needs a reset",
					     c->head);
		return play_diverges(d, step,
				     "head %u: the record has it back with a used length of %u, "
				     "and the device has it still",
				     c->head, c->len);
	}
	pq->flight[c->head] = NULL;
	d->play->result->chains++;
	ok = play_compare(d, step, f);
	g_hash_table_remove(pq->made, f);
	return ok;
}

/* Of a chain that the device only fills: it gets from outside what it got then. Chains that got one
 * thing together are compared when the last of them is back. */
static bool play_give(struct play_device *d, const struct replay_step *step)
{
	const struct outside_class *class = d->outside.class;
	struct play_queue *pq = &d->queue[step->queue];
	struct replay_chain **chains;

	g_ptr_array_add(pq->given, step->chain);
	chains = (struct replay_chain **)pq->given->pdata;
	if (class->more && class->more(&d->outside, chains, pq->given->len))
		return true;
	class->give(&d->outside, d->dev, (unsigned)step->queue, chains, pq->given->len);
	for (guint i = 0; i < pq->given->len; i++) {
		struct replay_step each = *step;

		each.chain = g_ptr_array_index(pq->given, i);
		if (!play_back(d, &each))
			return false;
	}
	g_ptr_array_set_size(pq->given, 0);
	return true;
}

bool play_pushed(struct play_device *d, const struct replay_step *step)
{
	struct play_queue *pq = &d->queue[step->queue];
	struct play_flight *f = play_in_flight(pq, step->chain);

	if (f && !f->done)
		play_settle(d);
	/* Of a queue that the driver gives buffers to: no room for what came, whatever it was. */
	if (f && !f->done && d->outside.class->give && !step->chain->writable &&
	    step->queue % 2 == 0)
		return true;
	if (f && d->outside.class->give && !step->chain->n_rd && (!f->done || pq->given->len))
		return play_give(d, step);
	return play_back(d, step);
}
