/* virtio-mmio, version 2 (VIRTIO 1.4, 4.2.2). One edge-triggered line for everything. */
#include "guest-fw/virtio.h"
#include "transport/mmio/regs.h"

static uint8_t status(const struct virtio *v)
{
	return (uint8_t)reg_read32(v->base + R_STATUS);
}

static void set_status(const struct virtio *v, uint8_t value)
{
	reg_write32(v->base + R_STATUS, value);
}

static uint32_t offered(const struct virtio *v, unsigned word)
{
	reg_write32(v->base + R_DEVICE_FEATURES_SEL, word);
	return reg_read32(v->base + R_DEVICE_FEATURES);
}

static void accept(const struct virtio *v, unsigned word, uint32_t bits)
{
	reg_write32(v->base + R_DRIVER_FEATURES_SEL, word);
	reg_write32(v->base + R_DRIVER_FEATURES, bits);
}

static uint8_t generation(const struct virtio *v)
{
	return (uint8_t)reg_read32(v->base + R_CONFIG_GENERATION);
}

static uint16_t queue_max(const struct virtio *v, unsigned index)
{
	reg_write32(v->base + R_QUEUE_SEL, index);
	return (uint16_t)reg_read32(v->base + R_QUEUE_SIZE_MAX);
}

static void write_address(const struct virtio *v, unsigned reg, uint64_t address)
{
	reg_write32(v->base + reg, (uint32_t)address);
	reg_write32(v->base + reg + 4, (uint32_t)(address >> 32));
}

static void queue_start(struct queue *q)
{
	const struct virtio *v = q->v;

	reg_write32(v->base + R_QUEUE_SEL, q->index);
	reg_write32(v->base + R_QUEUE_SIZE, q->drv.cfg.size);
	write_address(v, R_QUEUE_DESC, q->drv.desc);
	write_address(v, R_QUEUE_DRIVER, q->drv.driver);
	write_address(v, R_QUEUE_DEVICE, q->drv.device);
	reg_write32(v->base + R_QUEUE_READY, 1);
	q->doorbell = v->base + R_QUEUE_NOTIFY;
	q->doorbell_value = (uint16_t)q->index;
}

static void queue_reset(struct queue *q)
{
	const struct virtio *v = q->v;

	reg_write32(v->base + R_QUEUE_SEL, q->index);
	reg_write32(v->base + R_QUEUE_RESET, 1);
	while (reg_read32(v->base + R_QUEUE_RESET))
		fw_relax();
}

static void irq_on(struct virtio *v)
{
	if (v->irq == VIRTIO_IRQ_LINE)
		irq_route(v->gsi, IRQ_VECTOR, v->level);
}

static void irq_off(struct virtio *v)
{
	irq_unroute(v->gsi);
}

static void irq_ack(const struct virtio *v)
{
	uint32_t bits = reg_read32(v->base + R_INTERRUPT_STATUS);

	if (bits)
		reg_write32(v->base + R_INTERRUPT_ACK, bits);
}

/* DEV-MMIO-REGS-04, which cached registers break: the word "cached" says that they are on. */
static bool irq_over(struct virtio *v)
{
	for (unsigned i = 0; i < 1000 && !fw_option("cached"); i++) {
		if (reg_read32(v->base + R_INTERRUPT_STATUS) == 0)
			return true;
		irq_ack(v);
	}
	return fw_option("cached") ||
	       virtio_fail(v, "InterruptStatus keeps its bits after InterruptACK");
}

static const struct virtio_ops ops = {
	.name = "mmio",
	.irqs = 1u << VIRTIO_POLL | 1u << VIRTIO_IRQ_LINE,
	.status = status,
	.set_status = set_status,
	.offered = offered,
	.accept = accept,
	.generation = generation,
	.queue_max = queue_max,
	.queue_start = queue_start,
	.queue_reset = queue_reset,
	.irq_on = irq_on,
	.irq_off = irq_off,
	.irq_ack = irq_ack,
	.irq_over = irq_over,
};

unsigned virtio_mmio_find(struct virtio *list, unsigned max)
{
	struct machine_mmio where;
	unsigned n = 0;

	for (unsigned i = 0; n < max && machine_mmio(i, &where); i++) {
		if (reg_read32(where.base + R_MAGIC) != MMIO_MAGIC ||
		    reg_read32(where.base + R_VERSION) != MMIO_VERSION)
			continue;
		list[n++] = (struct virtio){
			.ops = &ops,
			.id = reg_read32(where.base + R_DEVICE_ID),
			.base = where.base,
			.config = where.base + R_CONFIG,
			.gsi = where.gsi,
			.level = where.level,
		};
	}
	return n;
}
