/*
 * The common configuration structure (VIRTIO 1.4, 4.1.4.3). A table says where fields are, how
 * wide, and which are read only. An access that is not a field (or, of a 64-bit one, a half or all
 * of it) is told of (rule "width"): a read gives the bytes that are there, as memory would, and a
 * write is lost, for half a register or two at once were hardly meant.
 */
#include "devices/core/rules.h"
#include "transport/virtio-pci/impl.h"

static const struct {
	const char *name;
	uint8_t width;
	bool read_only;
} fields[VPCI_COMMON_BYTES] = {
	[VPCI_DEVICE_FEATURE_SELECT] = { "device_feature_select", 4 },
	[VPCI_DEVICE_FEATURE] = { "device_feature", 4, true },
	[VPCI_DRIVER_FEATURE_SELECT] = { "driver_feature_select", 4 },
	[VPCI_DRIVER_FEATURE] = { "driver_feature", 4 },
	[VPCI_CONFIG_MSIX_VECTOR] = { "config_msix_vector", 2 },
	[VPCI_NUM_QUEUES] = { "num_queues", 2, true },
	[VPCI_DEVICE_STATUS] = { "device_status", 1 },
	[VPCI_CONFIG_GENERATION] = { "config_generation", 1, true },
	[VPCI_QUEUE_SELECT] = { "queue_select", 2 },
	[VPCI_QUEUE_SIZE] = { "queue_size", 2 },
	[VPCI_QUEUE_MSIX_VECTOR] = { "queue_msix_vector", 2 },
	[VPCI_QUEUE_ENABLE] = { "queue_enable", 2 },
	[VPCI_QUEUE_NOTIFY_OFF] = { "queue_notify_off", 2, true },
	[VPCI_QUEUE_DESC] = { "queue_desc", 8 },
	[VPCI_QUEUE_DRIVER] = { "queue_driver", 8 },
	[VPCI_QUEUE_DEVICE] = { "queue_device", 8 },
	[VPCI_QUEUE_NOTIF_CONFIG_DATA] = { "queue_notif_config_data", 2, true },
	[VPCI_QUEUE_RESET] = { "queue_reset", 2 },
};

/* The field that byte @off belongs to: there is no gap between two. */
static unsigned field_of(unsigned off)
{
	while (!fields[off].width)
		off--;
	return off;
}

/* The field that @len bytes at @off are, and in *ret_shift which bits of it; VPCI_COMMON_BYTES if
 * they are none. */
static unsigned field_at(uint64_t off, unsigned len, unsigned *ret_shift)
{
	unsigned field = field_of((unsigned)off);

	*ret_shift = 0;
	if (field == off && fields[field].width == len)
		return field;
	if (len == 4 && off % 4 == 0 && fields[field].width == 8) {
		*ret_shift = off & 4 ? 32 : 0;
		return field;
	}
	return VPCI_COMMON_BYTES;
}

static void judge_width(struct vpci *p, uint64_t off, unsigned len, bool write)
{
	unsigned shift, field = field_of((unsigned)off);

	if (len == 8 || field_at(off, len, &shift) == VPCI_COMMON_BYTES)
		vdev_access_broken(p->dev, RULE_PCI_WIDTH, fields[field].name, write, len);
}

/* Fields that are there if their feature was negotiated. */
static bool is_there(struct vpci *p, unsigned field)
{
	if (field == VPCI_QUEUE_NOTIF_CONFIG_DATA)
		return vdev_accepted(p->dev, VIRTIO_F_NOTIF_CONFIG_DATA);
	return field != VPCI_QUEUE_RESET || vdev_accepted(p->dev, VIRTIO_F_RING_RESET);
}

/* What the driver is to write for a kick, instead of the index. We go by the write's address alone,
 * but since it is never an index, whoever watches kicks can tell whether the driver heeds it. */
static uint16_t notif_config_data(struct vpci *p, unsigned q)
{
	bool there = q < p->dev->n_queues && vdev_accepted(p->dev, VIRTIO_F_NOTIF_CONFIG_DATA);

	return there ? (uint16_t)(NOTIF_DATA_BASE + q) : 0;
}

static uint64_t queue_field(struct vpci *p, unsigned field)
{
	unsigned q = p->queue_select;

	switch (field) {
	case VPCI_QUEUE_SIZE:
		return vdev_queue_read(p->dev, q, VQR_SIZE);
	case VPCI_QUEUE_MSIX_VECTOR:
		return q < p->dev->n_queues ? p->queue_vector[q] : VPCI_NO_VECTOR;
	case VPCI_QUEUE_ENABLE:
		return vdev_queue_read(p->dev, q, VQR_ENABLE);
	case VPCI_QUEUE_NOTIFY_OFF:
		return q < p->dev->n_queues ? q : 0;
	case VPCI_QUEUE_DESC:
		return vdev_queue_read(p->dev, q, VQR_DESC);
	case VPCI_QUEUE_DRIVER:
		return vdev_queue_read(p->dev, q, VQR_DRIVER);
	case VPCI_QUEUE_DEVICE:
		return vdev_queue_read(p->dev, q, VQR_DEVICE);
	case VPCI_QUEUE_NOTIF_CONFIG_DATA:
		return notif_config_data(p, q);
	case VPCI_QUEUE_RESET:
		return vdev_queue_read(p->dev, q, VQR_RESET);
	default:
		return 0;
	}
}

static uint64_t field_read(struct vpci *p, unsigned field)
{
	switch (field) {
	case VPCI_DEVICE_FEATURE_SELECT:
		return p->device_feature_select;
	case VPCI_DEVICE_FEATURE:
		return vdev_features_offered(p->dev, p->device_feature_select);
	case VPCI_DRIVER_FEATURE_SELECT:
		return p->driver_feature_select;
	case VPCI_DRIVER_FEATURE:
		return vdev_features_accepted(p->dev, p->driver_feature_select);
	case VPCI_CONFIG_MSIX_VECTOR:
		return p->config_vector;
	case VPCI_NUM_QUEUES:
		return p->dev->n_queues;
	case VPCI_DEVICE_STATUS:
		return vdev_status(p->dev) & 0xff;
	case VPCI_CONFIG_GENERATION:
		return (uint8_t)vdev_config_generation(p->dev);
	case VPCI_QUEUE_SELECT:
		return p->queue_select;
	default:
		return queue_field(p, field);
	}
}

static uint8_t byte_read(struct vpci *p, unsigned off)
{
	unsigned field = field_of(off), byte = off - field;

	return byte < fields[field].width ? (uint8_t)(field_read(p, field) >> (byte % 8 * 8)) : 0;
}

static uint64_t bytes_read(struct vpci *p, unsigned off, unsigned len)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < len; i++)
		value |= (uint64_t)byte_read(p, off + i) << (8 * i);
	return value;
}

uint64_t vpci_common_read(struct vpci *p, uint64_t off, unsigned len)
{
	unsigned shift, field = field_at(off, len, &shift);

	judge_width(p, off, len, false);
	if (field == VPCI_COMMON_BYTES)
		return bytes_read(p, (unsigned)off, len);
	if (!is_there(p, field))
		vdev_access_broken(p->dev, RULE_PCI_NOTHING, fields[field].name, false, len);
	return field_read(p, field) >> shift;
}

uint16_t vpci_valid_vector(const struct vpci *p, uint64_t vector)
{
	if (vector < p->msix.n)
		return (uint16_t)vector;
	if (vector != VPCI_NO_VECTOR)
		vdev_rule_broken(p->dev, RULE_PCI_VECTOR, "vector %u of %u", (unsigned)vector,
				 p->msix.n);
	return VPCI_NO_VECTOR;
}

static void reset_queue(struct vpci *p, unsigned q)
{
	vdev_queue_write(p->dev, q, VQR_RESET, 1, UINT64_MAX);
	if (vdev_accepted(p->dev, VIRTIO_F_RING_RESET) && q < p->dev->n_queues) {
		p->queue_vector[q] = VPCI_NO_VECTOR;
		vpci_irq_retarget(p);
	}
	vpci_follow_state(p);
}

static void judge_queue(struct vpci *p, unsigned field, uint64_t value)
{
	static const struct vdev_queue_rules rules = { RULE_PCI_QUEUE_LIVE, RULE_PCI_QUEUE_SIZE,
						       RULE_PCI_QUEUE_SIZE_0 };
	static const uint8_t regs[VPCI_COMMON_BYTES] = {
		[VPCI_QUEUE_SIZE] = VQR_SIZE,
		[VPCI_QUEUE_DESC] = VQR_DESC,
		[VPCI_QUEUE_DRIVER] = VQR_DRIVER,
		[VPCI_QUEUE_DEVICE] = VQR_DEVICE,
		[VPCI_QUEUE_ENABLE] = VQR_ENABLE,
		[VPCI_QUEUE_RESET] = VQR_RESET,
		[VPCI_QUEUE_MSIX_VECTOR] =
			VQR_SIZE_MAX, /* which no rule is about but that of all */
	};

	if (field == VPCI_QUEUE_ENABLE && value == 0)
		vdev_rule_broken(p->dev, RULE_PCI_QUEUE_DISABLE, "queue %u", p->queue_select);
	else if (fields[field].read_only)
		vdev_access_broken(p->dev, RULE_PCI_READ_ONLY, fields[field].name, true,
				   fields[field].width);
	else
		vdev_judge_queue(p->dev, p->queue_select, regs[field], value, &rules);
}

static void queue_field_write(struct vpci *p, unsigned field, uint64_t value, uint64_t mask)
{
	unsigned q = p->queue_select;

	judge_queue(p, field, value);
	switch (field) {
	case VPCI_QUEUE_SIZE:
		vdev_queue_write(p->dev, q, VQR_SIZE, value, mask);
		break;
	case VPCI_QUEUE_MSIX_VECTOR:
		if (q < p->dev->n_queues)
			p->queue_vector[q] = vpci_valid_vector(p, value);
		vpci_irq_retarget(p);
		break;
	case VPCI_QUEUE_ENABLE: /* writing 0 is forbidden and does nothing (4.1.4.3.2) */
		if (value == 1)
			vdev_queue_write(p->dev, q, VQR_ENABLE, 1, mask);
		vpci_follow_state(p);
		break;
	case VPCI_QUEUE_DESC:
		vdev_queue_write(p->dev, q, VQR_DESC, value, mask);
		break;
	case VPCI_QUEUE_DRIVER:
		vdev_queue_write(p->dev, q, VQR_DRIVER, value, mask);
		break;
	case VPCI_QUEUE_DEVICE:
		vdev_queue_write(p->dev, q, VQR_DEVICE, value, mask);
		break;
	case VPCI_QUEUE_RESET:
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

	judge_width(p, off, len, true);
	switch (field) {
	case VPCI_COMMON_BYTES:
		break;
	case VPCI_DEVICE_FEATURE_SELECT:
		p->device_feature_select = (uint32_t)value;
		break;
	case VPCI_DRIVER_FEATURE_SELECT:
		p->driver_feature_select = (uint32_t)value;
		break;
	case VPCI_DRIVER_FEATURE:
		vdev_features_accept(p->dev, p->driver_feature_select, (uint32_t)value);
		break;
	case VPCI_CONFIG_MSIX_VECTOR:
		p->config_vector = vpci_valid_vector(p, value);
		vpci_irq_retarget(p);
		break;
	case VPCI_DEVICE_STATUS:
		write_status(p, value);
		break;
	case VPCI_QUEUE_SELECT:
		p->queue_select = (uint16_t)value;
		break;
	default: /* what else is read only is told of there, too */
		queue_field_write(p, field, value << shift,
				  (len == 8 ? UINT64_MAX : (1ull << (8 * len)) - 1) << shift);
		break;
	}
}
