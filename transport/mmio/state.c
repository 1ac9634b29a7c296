/* What virtio-mmio keeps besides the device's own state: selectors and InterruptStatus. */
#include "devices/base/eventfd.h"
#include "devices/base/pack.h"
#include "devices/core/legacy.h"
#include "transport/mmio/impl.h"

#define DEVICE_SEL_WRITTEN 1u
#define DRIVER_SEL_WRITTEN 2u

void mmio_save(struct vdev *dev, GByteArray *out)
{
	struct mmio *m = dev->transport_data;

	pthread_mutex_lock(&m->lock);
	pack_u32(out, m->device_features_sel);
	pack_u32(out, m->driver_features_sel);
	pack_u32(out, m->queue_sel);
	if (m->legacy) {
		pack_u32(out, m->guest_page_size);
		for (unsigned q = 0; q < dev->n_queues; q++)
			pack_u32(out, m->queue_align[q]);
	}
	pack_u8(out, (uint8_t)((m->device_sel_written ? DEVICE_SEL_WRITTEN : 0) |
			       (m->driver_sel_written ? DRIVER_SEL_WRITTEN : 0)));
	pack_u32(out, mmio_irq_status(m));
	pthread_mutex_unlock(&m->lock);
}

/* Any value is one that a driver could have written. An interrupt that was not acknowledged is sent
 * again: its edge may have been lost on the way, and one too many does no harm. */
bool mmio_load(struct vdev *dev, struct unpack *in, GError **err)
{
	struct mmio *m = dev->transport_data;
	uint32_t isr;
	uint8_t flags;

	(void)err;
	pthread_mutex_lock(&m->lock);
	m->device_features_sel = unpack_u32(in);
	m->driver_features_sel = unpack_u32(in);
	m->queue_sel = unpack_u32(in);
	if (m->legacy) {
		m->guest_page_size = unpack_u32(in);
		for (unsigned q = 0; q < dev->n_queues; q++)
			m->queue_align[q] = unpack_u32(in);
	}
	flags = unpack_u8(in);
	m->device_sel_written = flags & DEVICE_SEL_WRITTEN;
	m->driver_sel_written = flags & DRIVER_SEL_WRITTEN;
	isr = unpack_u32(in) & (MMIO_INT_USED | MMIO_INT_CONFIG);
	if (m->cached)
		mmio_regpage_set(m, false);
	mmio_irq_restore(m, isr);
	mmio_follow_state(m);
	if (isr && vdev_in_use(dev))
		eventfd_signal(m->irq_fd);
	pthread_mutex_unlock(&m->lock);
	return true;
}
