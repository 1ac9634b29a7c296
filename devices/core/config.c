/*
 * The configuration space and its generation (VIRTIO 1.4, 2.5).
 *
 * Whoever changes it, the device or the driver, ends in config_store(): there alone bytes change,
 * under the config lock, and the generation with them. A driver that reads the generation, some
 * fields and the generation again does not find it unchanged if a change fell in between (2.5.1).
 */
#include <string.h>

#include "devices/core/filter.h"
#include "devices/core/observe.h"
#include "devices/core/vdev-impl.h"

/* With the config lock: [off, off + len) becomes @bytes. False: it was that already. */
static bool config_store(struct vdev *dev, size_t off, const void *bytes, size_t len)
{
	if (memcmp(dev->config + off, bytes, len) == 0)
		return false;
	memcpy(dev->config + off, bytes, len);
	dev->config_moved = true;
	return true;
}

/* It moves on when it is looked at, not with each change: 256 changes between two looks would bring
 * it back to where it was for a driver that sees eight bits of it. */
uint32_t vdev_config_generation(struct vdev *dev)
{
	uint32_t generation;

	pthread_mutex_lock(&dev->config_lock);
	dev->generation += dev->config_moved;
	dev->config_moved = false;
	generation = dev->generation;
	pthread_mutex_unlock(&dev->config_lock);
	return generation;
}

void vdev_config_forget(struct vdev *dev)
{
	pthread_mutex_lock(&dev->config_lock);
	dev->generation = 0;
	dev->config_moved = false;
	pthread_mutex_unlock(&dev->config_lock);
}

uint32_t vdev_config_copy(struct vdev *dev, uint8_t ret[VDEV_CONFIG_MAX])
{
	uint32_t generation;

	pthread_mutex_lock(&dev->config_lock);
	memcpy(ret, dev->config, dev->config_size);
	generation = dev->generation + dev->config_moved;
	pthread_mutex_unlock(&dev->config_lock);
	return generation;
}

bool vdev_config_restored(struct vdev *dev, const uint8_t *config, uint32_t generation)
{
	bool differs;

	pthread_mutex_lock(&dev->config_lock);
	differs = memcmp(dev->config, config, dev->config_size) != 0;
	dev->generation = generation;
	dev->config_moved = differs;
	pthread_mutex_unlock(&dev->config_lock);
	return differs;
}

void vdev_config_tell(struct vdev *dev, bool notify)
{
	pthread_mutex_lock(&dev->transport_lock);
	if (dev->transport && notify && dev->status & VIRTIO_S_DRIVER_OK)
		vdev_config_interrupt(dev);
	else if (dev->transport && dev->transport->config_stale)
		dev->transport->config_stale(dev);
	pthread_mutex_unlock(&dev->transport_lock);
}

void vdev_config_set(struct vdev *dev, size_t off, const void *bytes, size_t len, bool notify)
{
	bool changed;

	g_assert(off <= dev->config_size && len <= dev->config_size - off);
	pthread_mutex_lock(&dev->config_lock);
	changed = config_store(dev, off, bytes, len);
	pthread_mutex_unlock(&dev->config_lock);
	if (changed)
		vdev_config_tell(dev, notify);
}

void vdev_config_get(struct vdev *dev, size_t off, void *dst, size_t len)
{
	g_assert(off <= dev->config_size && len <= dev->config_size - off);
	pthread_mutex_lock(&dev->config_lock);
	memcpy(dst, dev->config + off, len);
	pthread_mutex_unlock(&dev->config_lock);
}

/* How many of @len bytes at @off lie inside the space. */
static size_t vdev_config_room(const struct vdev *dev, size_t off, size_t len)
{
	return off >= dev->config_size ? 0 : MIN(len, dev->config_size - off);
}

void vdev_config_read(struct vdev *dev, size_t off, void *dst, size_t len)
{
	size_t n = vdev_config_room(dev, off, len);

	memset(dst, 0, len);
	pthread_mutex_lock(&dev->config_lock);
	if (n) /* or config + off may be no address of anything */
		memcpy(dst, dev->config + off, n);
	pthread_mutex_unlock(&dev->config_lock);
	vdev_config_seen(dev, off, dst, len);
}

static void config_forward(struct vdev *dev, size_t off, const uint8_t *bytes, size_t len)
{
	vdev_enter(dev);
	vdev_begin_wait(dev);
	dev->class->config_forward(dev, off, bytes, len);
	vdev_end_wait(dev);
	vdev_leave(dev);
}

void vdev_config_write(struct vdev *dev, size_t off, const void *src, size_t len)
{
	size_t n = vdev_config_room(dev, off, len);
	uint8_t config[VDEV_CONFIG_MAX];

	vdev_saw_config(dev, off, src, len, true);
	if (dev->class->config_forward && n) {
		config_forward(dev, off, src, n);
		return;
	}
	if (!dev->class->config_written || n == 0)
		return;
	pthread_mutex_lock(&dev->config_lock);
	memcpy(config, dev->config, dev->config_size);
	dev->class->config_written(dev, off, src, n, config);
	(void)config_store(dev, 0, config, dev->config_size);
	pthread_mutex_unlock(&dev->config_lock);
}
