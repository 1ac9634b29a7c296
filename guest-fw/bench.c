/*
 * One measurement: batches of requests, each batch made available at once and awaited whole.
 *
 * The request is blk's GET_ID: 16 bytes read, 21 written, no disk and no system call behind it, so
 * that what is measured is the way there and back. (rng would be as simple, but each of its
 * requests is a system call of the host's.)
 *
 * Polling, we look at the ring and want no interrupts. With interrupts we are a driver of the usual
 * kind: they are on from before the kick, we sleep, and look at the ring when one has come. The
 * device's side does as always: asks for a kick when it goes to sleep.
 *
 *	bench ring=split|packed irq=poll|msi-x|line batch=N requests=N
 */
#include "guest-fw/bench.h"

#include "devices/blk/wire.h"

#define BATCH_MAX 128u
#define SIZE      256u

struct request {
	struct blk_header header;
	uint8_t id[BLK_ID_BYTES], status;
};

static bool fw_bench_add(struct queue *q, struct request *r)
{
	const struct drv_buf bufs[] = {
		buf_of(&r->header, sizeof(r->header)),
		buf_of(r->id, sizeof(r->id) + 1),
	};

	r->status = 0xff;
	return drv_add(&q->drv, bufs, 1, 1, r) >= 0;
}

/* Takes up to @n used requests. Returns how many are still missing. */
static unsigned fw_bench_collect(struct queue *q, unsigned n)
{
	struct request *r;
	uint32_t len;

	while (n && drv_used(&q->drv, (void **)&r, &len)) {
		if (r->status != BLK_S_OK)
			fw_panic("a request failed");
		n--;
	}
	if (q->drv.broken)
		fw_panic(q->drv.broken);
	return n;
}

static bool fw_bench_await(struct queue *q, unsigned n)
{
	struct request *r;
	uint32_t len;

	if (q->v->irq == VIRTIO_POLL) {
		while (n && queue_wait(q, (void **)&r, &len))
			n = fw_bench_collect(q, n - 1);
		return n == 0;
	}
	do {
		if (!queue_sleep(q))
			return false;
		do
			n = fw_bench_collect(q, n);
		while (!drv_enable_notify(&q->drv));
	} while (n);
	return true;
}

static bool one_batch(struct queue *q, struct request *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!fw_bench_add(q, &r[i]))
			return virtio_fail(q->v, "no room in the ring");
	queue_kick(q);
	return fw_bench_await(q, n);
}

/* @requests, rounded up to whole batches. */
static bool fw_bench_run(struct virtio *v, unsigned batch, uint64_t requests, uint64_t *ret_ticks)
{
	struct request *r = fw_take(BATCH_MAX * sizeof(*r));
	uint64_t start;

	for (unsigned i = 0; i < BATCH_MAX; i++)
		r[i].header.type = cpu_le32(BLK_T_GET_ID);
	start = fw_ticks();
	for (uint64_t n = 0; n < requests; n += batch)
		if (!one_batch(v->queue[0], r, batch))
			return false;
	*ret_ticks = fw_ticks() - start;
	return true;
}

static enum virtio_irq wanted_irq(void)
{
	for (unsigned irq = 0; irq < N_VIRTIO_IRQS; irq++)
		if (fw_option_is("irq", virtio_irq_name[irq]))
			return irq;
	fw_panic("irq: poll, msi-x or line");
}

static void fw_bench_measure(struct virtio *v)
{
	bool packed = fw_option_is("ring", "packed");
	uint64_t requests = fw_option_number("requests", 100000), ticks = 0;
	unsigned batch = (unsigned)fw_option_number("batch", 1);
	struct virtio_plan plan = {
		.features = 1ull << VIRTIO_F_EVENT_IDX |
			    (packed ? 1ull << VIRTIO_F_RING_PACKED : 0),
		.irq = wanted_irq(),
		.n_queues = 1,
		.queue_size = SIZE,
	};

	if (batch == 0 || batch > BATCH_MAX)
		fw_panic("batch: from 1 to 128");
	if (!virtio_begin(v, &plan) || !fw_bench_run(v, batch, requests, &ticks))
		fw_panic(v->why);
	if (virtio_has(&v->dev, VIRTIO_F_RING_PACKED) != packed)
		fw_panic("the device does not offer this ring");
	say("bench: requests %lu ticks %lu kicks %lu irqs %u\n",
	    (requests + batch - 1) / batch * batch, ticks, v->queue[0]->kicks,
	    queue_irqs(v->queue[0]));
	virtio_end(v);
}

void bench(struct virtio *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i].dev.id == blk_driver.id) {
			fw_bench_measure(&list[i]);
			return;
		}
	fw_panic("bench: there is no block device");
}
