/* A device from its start to its end, and requests; on this machine's registers and interrupts. */
#include "guest-fw/virtio.h"

/* Polling gives up after that many ticks: some 20 seconds. */
#define PATIENCE 60000000000ull

const char *const virtio_irq_name[N_VIRTIO_IRQS] = { "poll", "msi-x", "line" };

/*
 * Registers.
 */
static uint64_t fw_read(void *opaque, uint64_t at, unsigned len)
{
	(void)opaque;
	switch (len) {
	case 1:
		return reg_read8(at);
	case 2:
		return reg_read16(at);
	case 4:
		return reg_read32(at);
	default:
		return reg_read64(at);
	}
}

static void fw_write(void *opaque, uint64_t at, unsigned len, uint64_t value)
{
	(void)opaque;
	switch (len) {
	case 1:
		reg_write8(at, (uint8_t)value);
		break;
	case 2:
		reg_write16(at, (uint16_t)value);
		break;
	case 4:
		reg_write32(at, (uint32_t)value);
		break;
	default:
		reg_write64(at, value);
		break;
	}
}

/* A function is the address of its configuration space. */
static uint32_t fw_pci_read(void *opaque, uint64_t function, unsigned reg, unsigned len)
{
	return (uint32_t)fw_read(opaque, function + reg, len);
}

static void fw_pci_write(void *opaque, uint64_t function, unsigned reg, unsigned len,
			 uint32_t value)
{
	fw_write(opaque, function + reg, len, value);
}

static bool fw_patience(void *opaque, uint64_t turn)
{
	static uint64_t since;

	(void)opaque;
	if (turn == 0)
		since = fw_ticks();
	fw_relax();
	return fw_ticks() - since < PATIENCE;
}

const struct virtio_io fw_io = {
	.read = fw_read,
	.write = fw_write,
	.pci_read = fw_pci_read,
	.pci_write = fw_pci_write,
	.wait = fw_patience,
};

/*
 * Discovery: PCI's bus 0, where BARs and lines are where the monitor put them, and mmio's devices.
 */
unsigned virtio_pci_find(struct virtio *list, unsigned max)
{
	uintptr_t ecam = machine_ecam();
	unsigned n = 0;

	for (unsigned slot = 0; ecam && slot < 32 && n < max; slot++) {
		struct virtio *v = &list[n];
		uint64_t high = 0;

		*v = (struct virtio){ 0 };
		if (!virtio_pci_probe(&v->dev, &fw_io, ecam + (slot << 15)))
			continue;
		for (unsigned bar = 0; bar < FW_COUNT(v->dev.pci.bar); bar++)
			high |= v->dev.pci.bar[bar] >> 32;
		if (high)
			fw_panic("a BAR lies above 4 GiB");
		v->gsi = fw_pci_read(NULL, v->dev.pci.function, PCI_INTERRUPT_LINE, 1);
		v->level = true;
		virtio_command(v, false);
		n++;
	}
	return n;
}

unsigned virtio_mmio_find(struct virtio *list, unsigned max)
{
	struct machine_mmio where;
	unsigned n = 0;

	for (unsigned i = 0; n < max && machine_mmio(i, &where); i++) {
		list[n] = (struct virtio){ .gsi = where.gsi, .level = where.level };
		if (virtio_mmio_probe(&list[n].dev, &fw_io, where.base))
			n++;
	}
	return n;
}

/*
 * Interrupts: a line that all queues share, or a message for each queue.
 */
void virtio_command(const struct virtio *v, bool intx)
{
	virtio_pci_command(&v->dev, PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER |
					    (intx ? 0 : PCI_COMMAND_INTX_DISABLE));
}

void virtio_irq_on(struct virtio *v)
{
	if (v->irq == VIRTIO_IRQ_LINE) {
		irq_route(v->gsi, IRQ_VECTOR, v->level);
		if (virtio_on_pci(v))
			virtio_command(v, true);
	} else if (v->irq == VIRTIO_MSIX) {
		virtio_pci_msix(&v->dev, PCI_MSIX_CONTROL_ENABLE);
	}
}

void virtio_irq_off(struct virtio *v)
{
	if (virtio_on_pci(v)) {
		virtio_command(v, false);
		virtio_pci_msix(&v->dev, 0);
	}
	irq_unroute(v->gsi);
}

void virtio_irq_ack(const struct virtio *v)
{
	if (v->irq != VIRTIO_MSIX)
		(void)virtio_interrupt(&v->dev);
}

bool virtio_irq_over(struct virtio *v)
{
	if (virtio_on_pci(v) || v->irq != VIRTIO_IRQ_LINE || fw_option("cached"))
		return true;
	for (unsigned i = 0; i < 1000; i++)
		if (!virtio_interrupt(&v->dev))
			return true;
	return virtio_fail(v, "InterruptStatus keeps its bits after InterruptACK");
}

/*
 * Beginning.
 */
bool queue_start(struct queue *q)
{
	q->regs = (struct virtio_queue){
		.index = (uint16_t)q->index,
		.size = q->drv.cfg.size,
		.desc = q->drv.desc,
		.driver = q->drv.driver,
		.device = q->drv.device,
		.vector = (uint16_t)q->index,
	};
	if (q->v->irq == VIRTIO_MSIX)
		virtio_pci_msix_entry(&q->v->dev, q->index, IRQ_MSI_ADDRESS, IRQ_VECTOR + q->index);
	return virtio_queue_start(&q->v->dev, &q->regs);
}

static bool make_ring(struct queue *q, uint16_t size)
{
	const struct virtio *v = q->v;
	struct drv_config cfg = {
		.size = size,
		.packed = virtio_has(&v->dev, VIRTIO_F_RING_PACKED),
		.event_idx = virtio_has(&v->dev, VIRTIO_F_EVENT_IDX),
		.in_order = virtio_has(&v->dev, VIRTIO_F_IN_ORDER),
		.indirect = virtio_has(&v->dev, VIRTIO_F_INDIRECT_DESC),
		.table_max = CHAIN_MAX,
	};

	cfg.len = drv_bytes(&cfg);
	cfg.base = fw_take(cfg.len);
	cfg.gpa = (uintptr_t)cfg.base;
	return drv_vq_init(&q->drv, &cfg);
}

static bool fw_virtio_start(struct queue *q, uint16_t size)
{
	if (!make_ring(q, size))
		return virtio_fail(q->v, "no ring of that size");
	q->vector = IRQ_VECTOR + (q->v->irq == VIRTIO_MSIX ? q->index : 0);
	q->irqs_before = q->irqs_seen = fw_irqs[q->vector];
	if (!queue_start(q))
		return virtio_fail(q->v, q->v->dev.error);
	if (q->v->irq == VIRTIO_POLL)
		drv_disable_notify(&q->drv);
	return true;
}

static bool start_queues(struct virtio *v, const struct virtio_plan *plan)
{
	for (unsigned i = 0; i < plan->n_queues; i++) {
		uint16_t size = virtio_queue_max(&v->dev, i);

		if (size == 0)
			break;
		v->queue[i] = fw_take(sizeof(*v->queue[i]));
		v->queue[i]->v = v;
		v->queue[i]->index = i;
		v->n_queues = i + 1;
		if (!fw_virtio_start(v->queue[i],
				     size < plan->queue_size ? size : plan->queue_size))
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
	if (!virtio_negotiate(&v->dev, (struct virtio_features){ { plan->features } }))
		return virtio_fail(v, v->dev.error);
	virtio_irq_on(v);
	if (!start_queues(v, plan))
		return false;
	virtio_driver_ok(&v->dev);
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
		virtio_irq_ack(v);
		irq_end();
	}
}

void virtio_end(struct virtio *v)
{
	if (!virtio_reset(&v->dev))
		fw_panic(v->dev.error);
	virtio_irq_off(v);
	end_irqs(v);
}

bool virtio_restart_queues(struct virtio *v)
{
	for (unsigned i = 0; i < v->n_queues; i++) {
		struct queue *q = v->queue[i];
		uint16_t size = q->drv.cfg.size;

		if (!virtio_queue_reset(&v->dev, i))
			return virtio_fail(v, v->dev.error);
		if (size > 16) /* 33 of 64: a packed ring need not be a power of two */
			size = q->drv.cfg.packed ? size / 2 + 1 : size / 2;
		if (!fw_virtio_start(q, size))
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
	virtio_notify(&q->v->dev, &q->regs,
		      q->regs.notify_data ? drv_notification_data(&q->drv) : 0);
}

static bool fw_virtio_poll(struct queue *q, void **ret_cookie, uint32_t *ret_len)
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
		return fw_virtio_poll(q, ret_cookie, ret_len);
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
static unsigned fw_virtio_join(struct drv_buf *to, const struct drv_buf *bufs, unsigned n)
{
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++)
		if (left && to[left - 1].gpa + to[left - 1].len == bufs[i].gpa)
			to[left - 1].len += bufs[i].len;
		else
			to[left++] = bufs[i];
	return left;
}

/* Where a chain is cut is the driver's business (2.7.4.1), so one that is too long for the ring
 * gets shorter. */
bool queue_add(struct queue *q, const struct drv_buf *bufs, unsigned n_rd, unsigned n_wr,
	       void *cookie)
{
	struct drv_buf joined[CHAIN_MAX];
	unsigned n = n_rd;

	if (n_rd + n_wr > q->drv.cfg.size && !q->drv.cfg.indirect) {
		n = fw_virtio_join(joined, bufs, n_rd);
		n_wr = fw_virtio_join(joined + n, bufs + n_rd, n_wr);
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
