/*
 * The legacy interface (VIRTIO 1.4, 4.1.4.10): 20 bytes of registers in I/O ports, or 24 while
 * MSI-X is enabled, and right behind them the device's configuration space, which moves with that.
 *
 * A register is accessed in its own width; of another one a read gives the bytes that are there,
 * and a write is lost. The configuration space takes any. There is no generation and no selector of
 * feature words; a queue has the size that it has.
 *
 * A kick is a write of the queue's index to one port. Each queue has an ioeventfd there for its
 * index in 16 bits, which is how drivers write it; whoever writes it otherwise is served by a trap.
 */
#include "devices/core/legacy.h"
#include "devices/core/rules.h"
#include "transport/virtio-pci/impl.h"

static const struct {
	const char *name;
	uint8_t width;
	bool read_only;
} fields[VPCI_LEGACY_BYTES_MSIX] = {
	[VPCI_LEGACY_DEVICE_FEATURES] = { "legacy device features", 4, true },
	[VPCI_LEGACY_DRIVER_FEATURES] = { "legacy driver features", 4 },
	[VPCI_LEGACY_QUEUE_ADDRESS] = { "legacy queue address", 4 },
	[VPCI_LEGACY_QUEUE_SIZE] = { "legacy queue_size", 2, true },
	[VPCI_LEGACY_QUEUE_SELECT] = { "legacy queue_select", 2 },
	[VPCI_LEGACY_QUEUE_NOTIFY] = { "legacy queue notify", 2 },
	[VPCI_LEGACY_STATUS] = { "legacy device status", 1 },
	[VPCI_LEGACY_ISR] = { "legacy ISR status", 1, true },
	[VPCI_LEGACY_CONFIG_VECTOR] = { "legacy config_msix_vector", 2 },
	[VPCI_LEGACY_QUEUE_VECTOR] = { "legacy queue_msix_vector", 2 },
};

/* Bytes of registers: the configuration space begins behind them. */
static unsigned legacy_bytes(const struct vpci *p)
{
	return p->msix_on ? VPCI_LEGACY_BYTES_MSIX : VPCI_LEGACY_BYTES;
}

static unsigned legacy_field_of(unsigned off)
{
	while (!fields[off].width)
		off--;
	return off;
}

/* What is wrong with an access that is none of a register as a whole: at 20 its driver may look for
 * the configuration space, that is not there now. */
static enum vdev_rule legacy_wrong(unsigned off)
{
	return off >= VPCI_LEGACY_BYTES ? RULE_PCI_LEGACY_CONFIG : RULE_PCI_WIDTH;
}

/* Is it one register, as a whole? */
static bool legacy_is_field(const struct vpci *p, unsigned off, unsigned len)
{
	return off < legacy_bytes(p) && fields[off].width == len;
}

static uint32_t legacy_field_read(struct vpci *p, unsigned field)
{
	unsigned q = p->queue_select;

	switch (field) {
	case VPCI_LEGACY_DEVICE_FEATURES:
		return vdev_legacy_offered(p->dev);
	case VPCI_LEGACY_DRIVER_FEATURES:
		return vdev_features_accepted(p->dev, 0);
	case VPCI_LEGACY_QUEUE_ADDRESS:
		return (uint32_t)(vdev_queue_read(p->dev, q, VQR_DESC) / VRING_LEGACY_ALIGN);
	case VPCI_LEGACY_QUEUE_SIZE:
		return (uint32_t)vdev_queue_read(p->dev, q, VQR_SIZE_MAX);
	case VPCI_LEGACY_QUEUE_SELECT:
		return q;
	case VPCI_LEGACY_STATUS:
		return vdev_status(p->dev) & 0xff;
	case VPCI_LEGACY_ISR:
		return vpci_irq_isr(p);
	case VPCI_LEGACY_CONFIG_VECTOR:
		return p->config_vector;
	case VPCI_LEGACY_QUEUE_VECTOR:
		return q < p->dev->n_queues ? p->queue_vector[q] : VPCI_NO_VECTOR;
	default:
		return 0;
	}
}

static uint8_t legacy_byte_read(struct vpci *p, unsigned off)
{
	unsigned field;
	uint8_t byte;

	if (off >= legacy_bytes(p)) {
		vdev_config_read(p->dev, off - legacy_bytes(p), &byte, 1);
		return byte;
	}
	field = legacy_field_of(off);
	return (uint8_t)(legacy_field_read(p, field) >> (8 * (off - field)));
}

static uint64_t legacy_config_read(struct vpci *p, unsigned off, unsigned len)
{
	uint64_t value = 0;

	vdev_judge_config(p->dev, off, len, false, N_VDEV_RULES);
	vdev_config_read(p->dev, off, &value, len);
	return GUINT64_FROM_LE(value);
}

uint64_t vpci_legacy_read(struct vpci *p, uint64_t at, unsigned len)
{
	unsigned off = (unsigned)at;
	uint64_t value = 0;

	if (off >= legacy_bytes(p))
		return legacy_config_read(p, off - legacy_bytes(p), len);
	if (legacy_is_field(p, off, len))
		return legacy_field_read(p, off);
	vdev_access_broken(p->dev, legacy_wrong(off), fields[legacy_field_of(off)].name, false,
			   len);
	for (unsigned i = 0; i < len; i++)
		value |= (uint64_t)legacy_byte_read(p, off + i) << (8 * i);
	return value;
}

static void legacy_config_write(struct vpci *p, unsigned off, unsigned len, uint64_t value)
{
	uint64_t bytes = GUINT64_TO_LE(value);

	vdev_judge_config(p->dev, off, len, true, N_VDEV_RULES);
	vdev_legacy_config_write(p->dev, off, &bytes, len);
}

static void legacy_write_status(struct vpci *p, uint32_t value)
{
	vdev_legacy_set_status(p->dev, value);
	if (value == 0)
		vpci_irq_reset(p);
	vpci_follow_state(p);
}

static void legacy_write_address(struct vpci *p, uint32_t value)
{
	if (p->queue_select >= p->dev->n_queues)
		vdev_rule_broken(p->dev, RULE_NO_QUEUE, "queue %u", p->queue_select);
	vdev_legacy_queue_set(p->dev, p->queue_select, (uint64_t)value * VRING_LEGACY_ALIGN,
			      VRING_LEGACY_ALIGN);
	vpci_follow_state(p);
}

static void legacy_notify(struct vpci *p, unsigned q)
{
	vdev_judge_notify(p->dev, q);
	if (vdev_legacy_notify(p->dev, q))
		vpci_follow_state(p);
}

static void legacy_field_write(struct vpci *p, unsigned field, uint32_t value)
{
	switch (field) {
	case VPCI_LEGACY_DRIVER_FEATURES:
		vdev_legacy_accept(p->dev, value);
		break;
	case VPCI_LEGACY_QUEUE_ADDRESS:
		legacy_write_address(p, value);
		break;
	case VPCI_LEGACY_QUEUE_SELECT:
		p->queue_select = (uint16_t)value;
		break;
	case VPCI_LEGACY_QUEUE_NOTIFY:
		legacy_notify(p, value);
		break;
	case VPCI_LEGACY_STATUS:
		legacy_write_status(p, value);
		break;
	case VPCI_LEGACY_CONFIG_VECTOR:
		p->config_vector = vpci_valid_vector(p, value);
		vpci_irq_retarget(p);
		break;
	case VPCI_LEGACY_QUEUE_VECTOR:
		if (p->queue_select < p->dev->n_queues)
			p->queue_vector[p->queue_select] = vpci_valid_vector(p, value);
		vpci_irq_retarget(p);
		break;
	default:
		vdev_access_broken(p->dev, RULE_PCI_READ_ONLY, fields[field].name, true,
				   fields[field].width);
		break;
	}
}

void vpci_legacy_write(struct vpci *p, uint64_t at, unsigned len, uint64_t value)
{
	unsigned off = (unsigned)at;

	if (off >= legacy_bytes(p))
		legacy_config_write(p, off - legacy_bytes(p), len, value);
	else if (legacy_is_field(p, off, len))
		legacy_field_write(p, off, (uint32_t)value);
	else if (off == VPCI_LEGACY_QUEUE_NOTIFY) /* as wide as it likes */
		legacy_notify(p, (unsigned)(value & 0xffff));
	else
		vdev_access_broken(p->dev, legacy_wrong(off), fields[legacy_field_of(off)].name,
				   true, len);
}
