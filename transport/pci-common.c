/*
 * The common configuration structure (VIRTIO 1.4, 4.1.4.3). A table says where fields are and how
 * wide; an access that is not a field (or, of a 64-bit one, a half) reads 0 and writes nothing.
 */
#include "transport/pci-impl.h"

enum {
	DEVICE_FEATURE_SELECT = 0x00,
	DEVICE_FEATURE = 0x04,
	DRIVER_FEATURE_SELECT = 0x08,
	DRIVER_FEATURE = 0x0c,
	CONFIG_MSIX_VECTOR = 0x10,
	NUM_QUEUES = 0x12,
	DEVICE_STATUS = 0x14,
	CONFIG_GENERATION = 0x15,
	QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18,
	QUEUE_MSIX_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_NOTIFY_OFF = 0x1e,
	QUEUE_DESC = 0x20,
	QUEUE_DRIVER = 0x28,
	QUEUE_DEVICE = 0x30,
	QUEUE_NOTIF_CONFIG_DATA = 0x38,
	QUEUE_RESET = 0x3a,
};

#define NOTIF_DATA_BASE 0x100u /* beyond any queue's index */

static const uint8_t width[COMMON_BYTES] = {
	[DEVICE_FEATURE_SELECT] = 4,
	[DEVICE_FEATURE] = 4,
	[DRIVER_FEATURE_SELECT] = 4,
	[DRIVER_FEATURE] = 4,
	[CONFIG_MSIX_VECTOR] = 2,
	[NUM_QUEUES] = 2,
	[DEVICE_STATUS] = 1,
	[CONFIG_GENERATION] = 1,
	[QUEUE_SELECT] = 2,
	[QUEUE_SIZE] = 2,
	[QUEUE_MSIX_VECTOR] = 2,
	[QUEUE_ENABLE] = 2,
	[QUEUE_NOTIFY_OFF] = 2,
	[QUEUE_DESC] = 8,
	[QUEUE_DRIVER] = 8,
	[QUEUE_DEVICE] = 8,
	[QUEUE_NOTIF_CONFIG_DATA] = 2,
	[QUEUE_RESET] = 2,
};

/* The field that @len bytes at @off are, and in *ret_shift which bits of it; COMMON_BYTES if they
 * are none. */
static unsigned field_at(uint64_t off, unsigned len, unsigned *ret_shift)
{
	*ret_shift = 0;
	if (off >= COMMON_BYTES)
		return COMMON_BYTES;
	if (width[off] == len)
		return (unsigned)off;
	if (len == 4 && off % 4 == 0 && width[off & ~7ull] == 8) {
		*ret_shift = off & 4 ? 32 : 0;
		return (unsigned)off & ~7u;
	}
	return COMMON_BYTES;
}

/* What the driver is to write for a kick, instead of the index. We go by the write's address alone, but
 * since it is never an index, whoever watches kicks can tell whether the driver heeds it. */
static uint16_t notif_config_data(struct vpci *p, unsigned q)
{
	bool there = q < p->dev->n_queues && vdev_accepted(p->dev, VIRTIO_F_NOTIF_CONFIG_DATA);

	return there ? (uint16_t)(NOTIF_DATA_BASE + q) : 0;
}

static uint64_t queue_field(struct vpci *p, unsigned field)
{
	unsigned q = p->queue_select;

	switch (field) {
	case QUEUE_SIZE:
		return vdev_queue_read(p->dev, q, VQR_SIZE);
	case QUEUE_MSIX_VECTOR:
		return q < p->dev->n_queues ? p->queue_vector[q] : NO_VECTOR;
	case QUEUE_ENABLE:
		return vdev_queue_read(p->dev, q, VQR_ENABLE);
	case QUEUE_NOTIFY_OFF:
		return q < p->dev->n_queues ? q : 0;
	case QUEUE_DESC:
		return vdev_queue_read(p->dev, q, VQR_DESC);
	case QUEUE_DRIVER:
		return vdev_queue_read(p->dev, q, VQR_DRIVER);
	case QUEUE_DEVICE:
		return vdev_queue_read(p->dev, q, VQR_DEVICE);
	case QUEUE_NOTIF_CONFIG_DATA:
		return notif_config_data(p, q);
	case QUEUE_RESET:
		return vdev_queue_read(p->dev, q, VQR_RESET);
	default:
		return 0;
	}
}

static uint64_t field_read(struct vpci *p, unsigned field)
{
	switch (field) {
	case DEVICE_FEATURE_SELECT:
		return p->device_feature_select;
	case DEVICE_FEATURE:
		return vdev_features_offered(p->dev, p->device_feature_select);
	case DRIVER_FEATURE_SELECT:
		return p->driver_feature_select;
	case DRIVER_FEATURE:
		return vdev_features_accepted(p->dev, p->driver_feature_select);
	case CONFIG_MSIX_VECTOR:
		return p->config_vector;
	case NUM_QUEUES:
		return p->dev->n_queues;
	case DEVICE_STATUS:
		return vdev_status(p->dev) & 0xff;
	case CONFIG_GENERATION:
		return (uint8_t)vdev_config_generation(p->dev);
	case QUEUE_SELECT:
		return p->queue_select;
	default:
		return queue_field(p, field);
	}
}

uint64_t vpci_common_read(struct vpci *p, uint64_t off, unsigned len)
{
	unsigned shift, field = field_at(off, len, &shift);

	return field == COMMON_BYTES ? 0 : field_read(p, field) >> shift;
}

/* A vector beyond the table cannot be mapped, which reads back as NO_VECTOR (4.1.5.1.2.1). */
static uint16_t valid_vector(const struct vpci *p, uint64_t vector)
{
	return vector < p->msix.n ? (uint16_t)vector : NO_VECTOR;
}

static void reset_queue(struct vpci *p, unsigned q)
{
	vdev_queue_write(p->dev, q, VQR_RESET, 1, UINT64_MAX);
	if (vdev_accepted(p->dev, VIRTIO_F_RING_RESET) && q < p->dev->n_queues) {
		p->queue_vector[q] = NO_VECTOR;
		vpci_irq_retarget(p);
	}
	vpci_follow_state(p);
}

static void queue_field_write(struct vpci *p, unsigned field, uint64_t value, uint64_t mask)
{
	unsigned q = p->queue_select;

	switch (field) {
	case QUEUE_SIZE:
		vdev_queue_write(p->dev, q, VQR_SIZE, value, mask);
		break;
	case QUEUE_MSIX_VECTOR:
		if (q < p->dev->n_queues)
			p->queue_vector[q] = valid_vector(p, value);
		vpci_irq_retarget(p);
		break;
	case QUEUE_ENABLE: /* writing 0 is forbidden and does nothing (4.1.4.3.2) */
		if (value == 1)
			vdev_queue_write(p->dev, q, VQR_ENABLE, 1, mask);
		vpci_follow_state(p);
		break;
	case QUEUE_DESC:
		vdev_queue_write(p->dev, q, VQR_DESC, value, mask);
		break;
	case QUEUE_DRIVER:
		vdev_queue_write(p->dev, q, VQR_DRIVER, value, mask);
		break;
	case QUEUE_DEVICE:
		vdev_queue_write(p->dev, q, VQR_DEVICE, value, mask);
		break;
	case QUEUE_RESET:
		if (value == 1)
			reset_queue(p, q);
		break;
	default:
		break;
	}
}

static void write_status(struct vpci *p, uint64_t value)
{
	vdev_set_status(p->dev, (uint32_t)value);
	if (value == 0)
		vpci_irq_reset(p);
	vpci_follow_state(p);
}

void vpci_common_write(struct vpci *p, uint64_t off, unsigned len, uint64_t value)
{
	unsigned shift, field = field_at(off, len, &shift);

	switch (field) {
	case COMMON_BYTES:
		break;
	case DEVICE_FEATURE_SELECT:
		p->device_feature_select = (uint32_t)value;
		break;
	case DRIVER_FEATURE_SELECT:
		p->driver_feature_select = (uint32_t)value;
		break;
	case DRIVER_FEATURE:
		vdev_features_accept(p->dev, p->driver_feature_select, (uint32_t)value);
		break;
	case CONFIG_MSIX_VECTOR:
		p->config_vector = valid_vector(p, value);
		vpci_irq_retarget(p);
		break;
	case DEVICE_STATUS:
		write_status(p, value);
		break;
	case QUEUE_SELECT:
		p->queue_select = (uint16_t)value;
		break;
	default:
		queue_field_write(p, field, value << shift,
				  (len == 8 ? UINT64_MAX : (1ull << (8 * len)) - 1) << shift);
		break;
	}
}
