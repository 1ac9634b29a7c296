/*
 * Life of a device: what does not depend on the transport (VIRTIO 1.4, 3.1 Device Initialization,
 * 2.6.1 Virtqueue Reset).
 */
#include "guest-fw/virtio.h"

/* Polling gives up after that many ticks: some 20 seconds. */
#define PATIENCE 60000000000ull

const char *const virtio_irq_name[N_VIRTIO_IRQS] = { "poll", "msi-x", "line" };

uint64_t virtio_offered(const struct virtio *v)
{
	return v->ops->offered(v, 0) | (uint64_t)v->ops->offered(v, 1) << 32;
}

uint64_t virtio_config64(const struct virtio *v, unsigned offset)
{
	uint64_t value;
	uint8_t before;

	do {
		before = v->ops->generation(v);
		value = reg_read32(v->config + offset) |
			(uint64_t)reg_read32(v->config + offset + 4) << 32;
	} while (v->ops->generation(v) != before);
	return value;
}

/*
 * Beginning.
 */
static bool negotiate(struct virtio *v, uint64_t features)
{
	const uint8_t so_far = VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER;

	v->ops->set_status(v, 0);
	while (v->ops->status(v) != 0)
		fw_relax();
	v->ops->set_status(v, VIRTIO_S_ACKNOWLEDGE);
	v->ops->set_status(v, so_far);
	v->features = virtio_offered(v) & (features | 1ull << VIRTIO_F_VERSION_1);
	if (!virtio_has(v, VIRTIO_F_VERSION_1))
		return virtio_fail(v, "no VERSION_1");
	v->ops->accept(v, 0, (uint32_t)v->features);
	v->ops->accept(v, 1, (uint32_t)(v->features >> 32));
	v->ops->set_status(v, so_far | VIRTIO_S_FEATURES_OK);
	if (!(v->ops->status(v) & VIRTIO_S_FEATURES_OK))
		return virtio_fail(v, "the device refuses the features it offers");
	return true;
}

static bool make_ring(struct queue *q, uint16_t size)
{
	const struct virtio *v = q->v;
	struct drv_config cfg = {
		.size = size,
		.packed = virtio_has(v, VIRTIO_F_RING_PACKED),
		.event_idx = virtio_has(v, VIRTIO_F_EVENT_IDX),
		.in_order = virtio_has(v, VIRTIO_F_IN_ORDER),
		.indirect = virtio_has(v, VIRTIO_F_INDIRECT_DESC),
		.table_max = CHAIN_MAX,
	};

	cfg.len = drv_bytes(&cfg);
	cfg.base = fw_take(cfg.len);
	cfg.gpa = (uintptr_t)cfg.base;
	return drv_vq_init(&q->drv, &cfg);
}

static bool start(struct queue *q, uint16_t size)
{
	if (!make_ring(q, size))
		return virtio_fail(q->v, "no ring of that size");
	q->vector = IRQ_VECTOR + (q->v->irq == VIRTIO_MSIX ? q->index : 0);
	q->irqs_before = q->irqs_seen = fw_irqs[q->vector];
	q->doorbell_wide = virtio_has(q->v, VIRTIO_F_NOTIFICATION_DATA);
	q->v->ops->queue_start(q);
	if (q->v->irq == VIRTIO_POLL)
		drv_disable_notify(&q->drv);
	return true;
}

static bool start_queues(struct virtio *v, const struct virtio_plan *plan)
{
	for (unsigned i = 0; i < plan->n_queues; i++) {
		uint16_t size = v->ops->queue_max(v, i);

		if (size == 0)
			break;
		v->queue[i] = fw_take(sizeof(*v->queue[i]));
		v->queue[i]->v = v;
		v->queue[i]->index = i;
		v->n_queues = i + 1;
		if (!start(v->queue[i], size < plan->queue_size ? size : plan->queue_size))
			return false;
	}
	return v->n_queues > 0 || virtio_fail(v, "no queue");
}

bool virtio_begin(struct virtio *v, const struct virtio_plan *plan)
{
	v->why = NULL;
	v->irq = plan->irq;
	v->n_queues = 0;
	v->round = 0;
	v->idle = false;
	if (!negotiate(v, plan->features))
		return false;
	v->ops->irq_on(v);
	if (!start_queues(v, plan))
		return false;
	v->ops->set_status(v, v->ops->status(v) | VIRTIO_S_DRIVER_OK);
	return true;
}

/* Ends every interrupt that has come, whichever queue's: while one is under way no other comes. */
static void end_irqs(const struct virtio *v)
{
	for (unsigned i = 0; i < IRQ_VECTORS; i++) {
		uint32_t count = fw_irqs[IRQ_VECTOR + i];

		if (count == fw.irqs_ended[i])
			continue;
		fw.irqs_ended[i] = count;
		v->ops->irq_ack(v);
		irq_end();
	}
}

void virtio_end(struct virtio *v)
{
	v->ops->set_status(v, 0);
	while (v->ops->status(v) != 0)
		fw_relax();
	v->ops->irq_off(v);
	end_irqs(v);
}

bool virtio_restart_queues(struct virtio *v)
{
	for (unsigned i = 0; i < v->n_queues; i++) {
		struct queue *q = v->queue[i];
		uint16_t size = q->drv.cfg.size;

		v->ops->queue_reset(q);
		if (size > 16) /* 33 of 64: a packed ring need not be a power of two */
			size = q->drv.cfg.packed ? size / 2 + 1 : size / 2;
		if (!start(q, size))
			return false;
	}
	v->round++;
	return true;
}

/*
 * Requests.
 */
void queue_kick(struct queue *q)
{
	if (!drv_publish(&q->drv))
		return;
	q->kicks++;
	if (q->doorbell_wide)
		reg_write32(q->doorbell, q->doorbell_value | drv_notification_data(&q->drv));
	else if (q->v->ops->irqs & 1u << VIRTIO_MSIX)
		reg_write16(q->doorbell, q->doorbell_value);
	else
		reg_write32(q->doorbell, q->doorbell_value);
}

static bool poll(struct queue *q, void **ret_cookie, uint32_t *ret_len)
{
	uint64_t start_ticks = fw_ticks();

	while (!drv_used(&q->drv, ret_cookie, ret_len)) {
		if (q->drv.broken)
			return virtio_fail(q->v, q->drv.broken);
		if (fw_ticks() - start_ticks > PATIENCE)
			return virtio_fail(q->v, "no answer");
		fw_relax();
	}
	return true;
}

bool queue_sleep(struct queue *q)
{
	uint32_t start = irq_clock();

	for (end_irqs(q->v); fw_irqs[q->vector] == q->irqs_seen; end_irqs(q->v)) {
		if (irq_clock() - start > IRQ_PATIENCE)
			return virtio_fail(q->v, "no interrupt");
		fw_wait(&fw_irqs[q->vector], q->irqs_seen);
	}
	q->irqs_seen = fw_irqs[q->vector];
	return true;
}

bool virtio_had_irq(struct virtio *v)
{
	uint32_t start_clock = irq_clock();

	while (irq_clock() - start_clock <= IRQ_PATIENCE) {
		end_irqs(v);
		for (unsigned i = 0; i < v->n_queues; i++)
			if (queue_irqs(v->queue[i]))
				return true;
		fw_relax();
	}
	return virtio_fail(v, "not one interrupt");
}

bool queue_wait(struct queue *q, void **ret_cookie, uint32_t *ret_len)
{
	if (q->v->irq == VIRTIO_POLL)
		return poll(q, ret_cookie, ret_len);
	while (!drv_used(&q->drv, ret_cookie, ret_len)) {
		if (q->drv.broken)
			return virtio_fail(q->v, q->drv.broken);
		if (drv_enable_notify(&q->drv) && !queue_sleep(q))
			return false;
	}
	end_irqs(q->v); /* a line stays up until then */
	return true;
}

/* Buffers that adjoin become one; how many are left. */
static unsigned join(struct drv_buf *to, const struct drv_buf *bufs, unsigned n)
{
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++)
		if (left && to[left - 1].gpa + to[left - 1].len == bufs[i].gpa)
			to[left - 1].len += bufs[i].len;
		else
			to[left++] = bufs[i];
	return left;
}

/* Where a chain is cut is the driver's business (2.7.4.1), so one that is too long for the ring gets shorter. */
bool queue_add(struct queue *q, const struct drv_buf *bufs, unsigned n_rd, unsigned n_wr,
	       void *cookie)
{
	struct drv_buf joined[CHAIN_MAX];
	unsigned n = n_rd;

	if (n_rd + n_wr > q->drv.cfg.size && !q->drv.cfg.indirect) {
		n = join(joined, bufs, n_rd);
		n_wr = join(joined + n, bufs + n_rd, n_wr);
		bufs = joined;
	}
	return drv_add(&q->drv, bufs, n, n_wr, cookie) >= 0;
}

bool queue_give(struct queue *q, void *at, uint32_t len)
{
	const struct drv_buf buf = buf_of(at, len);

	return queue_add(q, &buf, 0, 1, at) || virtio_fail(q->v, "no room in the ring");
}

bool queue_give_all(struct queue *q, void *at, unsigned n, size_t step, uint32_t len)
{
	for (unsigned i = 0; i < n && q->drv.n_free; i++)
		if (!queue_give(q, (uint8_t *)at + step * i, len))
			return false;
	queue_kick(q);
	return true;
}

bool queue_do(struct queue *q, const struct drv_buf *bufs, unsigned n_rd, unsigned n_wr,
	      uint32_t *ret_len)
{
	void *cookie;

	if (!queue_add(q, bufs, n_rd, n_wr, NULL))
		return virtio_fail(q->v, "no room in the ring");
	queue_kick(q);
	return queue_wait(q, &cookie, ret_len);
}
