#include "transport/direct.h"

#include <stdatomic.h>

#include "devices/base/eventfd.h"

struct direct {
	struct vdev *dev;
	int wake_fd;
	_Atomic uint64_t config;
	_Atomic uint64_t queue[VDEV_QUEUES_MAX];
};

static void count(struct direct *d, _Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_release);
	if (d->wake_fd >= 0)
		eventfd_signal(d->wake_fd);
}

static void queue_changed(struct vdev *dev, unsigned q)
{
	struct direct *d = dev->transport_data;

	count(d, &d->queue[q]);
}

static void config_changed(struct vdev *dev)
{
	struct direct *d = dev->transport_data;

	count(d, &d->config);
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
