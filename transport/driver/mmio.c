/* virtio-mmio's registers as a driver uses them: version 2 (VIRTIO 1.4, 4.2.2 and 4.2.3), and
 * behind it what is otherwise in version 1, the legacy interface (4.2.4). */
#include "transport/driver/virtio.h"
#include "transport/mmio/regs.h"

static uint32_t virtio_mmio_get(const struct virtio_dev *v, unsigned reg)
{
	return (uint32_t)v->io->read(v->io->opaque, v->mmio + reg, 4);
}

static void virtio_mmio_put(const struct virtio_dev *v, unsigned reg, uint32_t value)
{
	v->io->write(v->io->opaque, v->mmio + reg, 4, value);
}

static void virtio_mmio_put64(const struct virtio_dev *v, unsigned reg, uint64_t value)
{
	virtio_mmio_put(v, reg, (uint32_t)value);
	virtio_mmio_put(v, reg + 4, (uint32_t)(value >> 32));
}

static uint32_t virtio_mmio_offered(const struct virtio_dev *v, unsigned word)
{
	virtio_mmio_put(v, R_DEVICE_FEATURES_SEL, word);
	return virtio_mmio_get(v, R_DEVICE_FEATURES);
}

static void virtio_mmio_accept(const struct virtio_dev *v, unsigned word, uint32_t bits)
{
	virtio_mmio_put(v, R_DRIVER_FEATURES_SEL, word);
	virtio_mmio_put(v, R_DRIVER_FEATURES, bits);
}

static uint8_t virtio_mmio_status(const struct virtio_dev *v)
{
	return (uint8_t)virtio_mmio_get(v, R_STATUS);
}

static void virtio_mmio_set_status(const struct virtio_dev *v, uint8_t status)
{
	virtio_mmio_put(v, R_STATUS, status);
}

static uint32_t virtio_mmio_config_read(const struct virtio_dev *v, unsigned off, unsigned len)
{
	return (uint32_t)v->io->read(v->io->opaque, v->mmio + R_CONFIG + off, len);
}

static void virtio_mmio_config_write(const struct virtio_dev *v, unsigned off, unsigned len,
				     uint32_t value)
{
	v->io->write(v->io->opaque, v->mmio + R_CONFIG + off, len, value);
}

static uint32_t virtio_mmio_generation(const struct virtio_dev *v)
{
	return virtio_mmio_get(v, R_CONFIG_GENERATION);
}

static uint16_t virtio_mmio_queue_max(const struct virtio_dev *v, unsigned index)
{
	uint32_t max;

	virtio_mmio_put(v, R_QUEUE_SEL, index);
	max = virtio_mmio_get(v, R_QUEUE_SIZE_MAX);
	return max > VRING_QUEUE_SIZE_MAX ? VRING_QUEUE_SIZE_MAX : (uint16_t)max;
}

static bool virtio_mmio_queue_enabled(const struct virtio_dev *v, unsigned index)
{
	virtio_mmio_put(v, R_QUEUE_SEL, index);
	return virtio_mmio_get(v, R_QUEUE_READY);
}

static void virtio_mmio_queue_set(const struct virtio_dev *v, const struct virtio_queue *q)
{
	virtio_mmio_put(v, R_QUEUE_SEL, q->index);
	virtio_mmio_put(v, R_QUEUE_SIZE, q->size);
	virtio_mmio_put64(v, R_QUEUE_DESC, q->desc);
	virtio_mmio_put64(v, R_QUEUE_DRIVER, q->driver);
	virtio_mmio_put64(v, R_QUEUE_DEVICE, q->device);
}

static void virtio_mmio_queue_enable(const struct virtio_dev *v)
{
	virtio_mmio_put(v, R_QUEUE_READY, 1);
}

static void virtio_mmio_queue_reset(const struct virtio_dev *v, unsigned index)
{
	virtio_mmio_put(v, R_QUEUE_SEL, index);
	virtio_mmio_put(v, R_QUEUE_RESET, 1);
}

static bool virtio_mmio_queue_resetting(const struct virtio_dev *v)
{
	return virtio_mmio_get(v, R_QUEUE_RESET);
}

static void virtio_mmio_notify(const struct virtio_dev *v, const struct virtio_queue *q,
			       uint32_t value)
{
	(void)q;
	virtio_mmio_put(v, R_QUEUE_NOTIFY, value);
}

/* Acknowledged before it is handled: what comes meanwhile interrupts again. */
static unsigned virtio_mmio_interrupt(const struct virtio_dev *v)
{
	uint32_t causes = virtio_mmio_get(v, R_INTERRUPT_STATUS);

	virtio_mmio_put(v, R_INTERRUPT_ACK, causes);
	return causes;
}

static const struct virtio_ops virtio_mmio_ops = {
	.name = "mmio",
	.offered = virtio_mmio_offered,
	.accept = virtio_mmio_accept,
	.status = virtio_mmio_status,
	.set_status = virtio_mmio_set_status,
	.config_read = virtio_mmio_config_read,
	.config_write = virtio_mmio_config_write,
	.generation = virtio_mmio_generation,
	.queue_max = virtio_mmio_queue_max,
	.queue_enabled = virtio_mmio_queue_enabled,
	.queue_set = virtio_mmio_queue_set,
	.queue_enable = virtio_mmio_queue_enable,
	.queue_reset = virtio_mmio_queue_reset,
	.queue_resetting = virtio_mmio_queue_resetting,
	.notify = virtio_mmio_notify,
	.interrupt = virtio_mmio_interrupt,
};

bool virtio_mmio_probe(struct virtio_dev *v, const struct virtio_io *io, uint64_t base)
{
	*v = (struct virtio_dev){ .ops = &virtio_mmio_ops, .io = io, .mmio = base };
	if (virtio_mmio_get(v, R_MAGIC) != MMIO_MAGIC)
		return false;
	if (virtio_mmio_get(v, R_VERSION) != MMIO_VERSION)
		v->error = "a legacy virtio-mmio device: virtio_mmio_legacy_probe()";
	else
		v->id = virtio_mmio_get(v,
					R_DEVICE_ID); /* 0: a place for a device, and none there */
	return v->id != 0;
}

/*
 * Version 1.
 */
#define GUEST_PAGE 4096u /* what we tell the device that a page is */

static uint32_t virtio_mmio_v1_generation(const struct virtio_dev *v)
{
	(void)v;
	return 0;
}

static bool virtio_mmio_v1_queue_enabled(const struct virtio_dev *v, unsigned index)
{
	virtio_mmio_put(v, R_QUEUE_SEL, index);
	return virtio_mmio_get(v, R_QUEUE_PFN);
}

static void virtio_mmio_v1_queue_set(const struct virtio_dev *v, const struct virtio_queue *q)
{
	virtio_mmio_put(v, R_GUEST_PAGE_SIZE, GUEST_PAGE);
	virtio_mmio_put(v, R_QUEUE_SEL, q->index);
	virtio_mmio_put(v, R_QUEUE_SIZE, q->size);
	virtio_mmio_put(v, R_QUEUE_ALIGN, v->legacy_align);
	virtio_mmio_put(v, R_QUEUE_PFN, (uint32_t)(q->desc / GUEST_PAGE));
}

static void virtio_mmio_v1_queue_enable(const struct virtio_dev *v)
{
	(void)v;
}

static void virtio_mmio_v1_queue_reset(const struct virtio_dev *v, unsigned index)
{
	virtio_mmio_put(v, R_QUEUE_SEL, index);
	virtio_mmio_put(v, R_QUEUE_PFN, 0);
}

static bool virtio_mmio_v1_queue_resetting(const struct virtio_dev *v)
{
	(void)v;
	return false;
}

static void virtio_mmio_v1_notify(const struct virtio_dev *v, const struct virtio_queue *q,
				  uint32_t value)
{
	(void)value;
	virtio_mmio_put(v, R_QUEUE_NOTIFY, q->index);
}

static const struct virtio_ops virtio_mmio_legacy_ops = {
	.name = "mmio-legacy",
	.offered = virtio_mmio_offered,
	.accept = virtio_mmio_accept,
	.status = virtio_mmio_status,
	.set_status = virtio_mmio_set_status,
	.config_read = virtio_mmio_config_read,
	.config_write = virtio_mmio_config_write,
	.generation = virtio_mmio_v1_generation,
	.queue_max = virtio_mmio_queue_max,
	.queue_enabled = virtio_mmio_v1_queue_enabled,
	.queue_set = virtio_mmio_v1_queue_set,
	.queue_enable = virtio_mmio_v1_queue_enable,
	.queue_reset = virtio_mmio_v1_queue_reset,
	.queue_resetting = virtio_mmio_v1_queue_resetting,
	.notify = virtio_mmio_v1_notify,
	.interrupt = virtio_mmio_interrupt,
};

bool virtio_mmio_legacy_probe(struct virtio_dev *v, const struct virtio_io *io, uint64_t base)
{
	*v = (struct virtio_dev){ .ops = &virtio_mmio_legacy_ops,
				  .io = io,
				  .mmio = base,
				  .legacy = true,
				  .legacy_align = VRING_LEGACY_ALIGN };
	if (virtio_mmio_get(v, R_MAGIC) != MMIO_MAGIC)
		return false;
	if (virtio_mmio_get(v, R_VERSION) != MMIO_VERSION_LEGACY)
		v->error = "not a legacy virtio-mmio device";
	else
		v->id = virtio_mmio_get(v, R_DEVICE_ID);
	return v->id != 0;
}
