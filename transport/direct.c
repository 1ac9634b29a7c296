#include "transport/direct.h"

#include <stdatomic.h>

#include "devices/base/eventfd.h"

struct direct {
	struct vdev *dev;
	int wake_fd;
	_Atomic uint64_t config;
	_Atomic uint64_t queue[VDEV_QUEUES_MAX];
	unsigned selected; /* by the driver: the queue that was set, or is being reset */
};

static void direct_count(struct direct *d, _Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_release);
	if (d->wake_fd >= 0)
		eventfd_signal(d->wake_fd);
}

static void queue_changed(struct vdev *dev, unsigned q)
{
	struct direct *d = dev->transport_data;

	direct_count(d, &d->queue[q]);
}

static void config_changed(struct vdev *dev)
{
	struct direct *d = dev->transport_data;

	direct_count(d, &d->config);
}

static const struct vdev_transport_ops direct_transport_ops = {
	.queue_changed = queue_changed,
	.config_changed = config_changed,
};

struct direct *direct_new(struct vdev *dev)
{
	struct direct *d = g_new0(struct direct, 1);

	d->dev = dev;
	d->wake_fd = -1;
	vdev_attach(dev, &direct_transport_ops, d);
	return d;
}

void direct_free(struct direct *d)
{
	if (!d)
		return;
	vdev_set_status(d->dev, 0);
	vdev_detach(d->dev);
	g_free(d);
}

uint64_t direct_queue_interrupts(const struct direct *d, unsigned q)
{
	return q < VDEV_QUEUES_MAX ? atomic_load_explicit(&d->queue[q], memory_order_acquire) : 0;
}

uint64_t direct_config_interrupts(const struct direct *d)
{
	return atomic_load_explicit(&d->config, memory_order_acquire);
}

void direct_wake(struct direct *d, int fd)
{
	d->wake_fd = fd;
}

/*
 * The driver's side.
 */

static struct vdev *direct_dev(const struct virtio_dev *v)
{
	return ((struct direct *)v->opaque)->dev;
}

static uint32_t direct_offered(const struct virtio_dev *v, unsigned word)
{
	return vdev_features_offered(direct_dev(v), word);
}

static void direct_accept(const struct virtio_dev *v, unsigned word, uint32_t bits)
{
	vdev_features_accept(direct_dev(v), word, bits);
}

static uint8_t direct_status(const struct virtio_dev *v)
{
	return (uint8_t)vdev_status(direct_dev(v));
}

static void direct_set_status(const struct virtio_dev *v, uint8_t status)
{
	vdev_set_status(direct_dev(v), status);
}

static uint32_t direct_config_read(const struct virtio_dev *v, unsigned off, unsigned len)
{
	le32 value = 0;

	vdev_config_read(direct_dev(v), off, &value, len);
	return le32_cpu(value);
}

static void direct_config_write(const struct virtio_dev *v, unsigned off, unsigned len,
				uint32_t value)
{
	le32 bytes = cpu_le32(value);

	vdev_config_write(direct_dev(v), off, &bytes, len);
}

static uint32_t direct_generation(const struct virtio_dev *v)
{
	return vdev_config_generation(direct_dev(v));
}

static uint16_t direct_queue_max(const struct virtio_dev *v, unsigned index)
{
	return (uint16_t)vdev_queue_read(direct_dev(v), index, VQR_SIZE_MAX);
}

static bool direct_queue_enabled(const struct virtio_dev *v, unsigned index)
{
	return vdev_queue_read(direct_dev(v), index, VQR_ENABLE);
}

static void direct_write(const struct virtio_dev *v, enum vdev_queue_reg reg, uint64_t value)
{
	const struct direct *d = v->opaque;

	vdev_queue_write(d->dev, d->selected, reg, value, UINT64_MAX);
}

static void direct_queue_set(const struct virtio_dev *v, const struct virtio_queue *q)
{
	((struct direct *)v->opaque)->selected = q->index;
	direct_write(v, VQR_SIZE, q->size);
	direct_write(v, VQR_DESC, q->desc);
	direct_write(v, VQR_DRIVER, q->driver);
	direct_write(v, VQR_DEVICE, q->device);
}

static void direct_queue_enable(const struct virtio_dev *v)
{
	direct_write(v, VQR_ENABLE, 1);
}

static void direct_queue_reset(const struct virtio_dev *v, unsigned index)
{
	((struct direct *)v->opaque)->selected = index;
	direct_write(v, VQR_RESET, 1);
}

static bool direct_queue_resetting(const struct virtio_dev *v)
{
	const struct direct *d = v->opaque;

	return vdev_queue_read(d->dev, d->selected, VQR_RESET);
}

static void direct_notify(const struct virtio_dev *v, const struct virtio_queue *q, uint32_t value)
{
	(void)value;
	vdev_notify(direct_dev(v), q->index);
}

const struct virtio_ops direct_driver_ops = {
	.name = "direct",
	.offered = direct_offered,
	.accept = direct_accept,
	.status = direct_status,
	.set_status = direct_set_status,
	.config_read = direct_config_read,
	.config_write = direct_config_write,
	.generation = direct_generation,
	.queue_max = direct_queue_max,
	.queue_enabled = direct_queue_enabled,
	.queue_set = direct_queue_set,
	.queue_enable = direct_queue_enable,
	.queue_reset = direct_queue_reset,
	.queue_resetting = direct_queue_resetting,
	.notify = direct_notify,
};

void direct_driver(struct direct *d, struct virtio_dev *ret)
{
	*ret = (struct virtio_dev){
		.ops = &direct_driver_ops,
		.id = d->dev->type,
		.opaque = d,
	};
}
