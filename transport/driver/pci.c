/*
 * virtio-pci as a driver uses it (VIRTIO 1.4, 4.1). Structures are where the capabilities say, and
 * reached there, or through configuration space. A function whose capabilities make no sense is
 * refused.
 */
#include "transport/driver/pci-impl.h"
#include "transport/pci/regs.h"

#define PCI_CAPS_MAX 48u /* as many as there is room for: a list that is longer has no end */

/*
 * Configuration space.
 */
static uint32_t virtio_pci_cfg(const struct virtio_dev *v, unsigned reg, unsigned len)
{
	return v->io->pci_read(v->io->opaque, v->pci.function, reg, len);
}

static void virtio_pci_cfg_write(const struct virtio_dev *v, unsigned reg, unsigned len,
				 uint32_t value)
{
	v->io->pci_write(v->io->opaque, v->pci.function, reg, len, value);
}

void virtio_pci_command(const struct virtio_dev *v, uint16_t bits)
{
	virtio_pci_cfg_write(v, PCI_COMMAND, 2, bits);
}

void virtio_pci_restore_bars(const struct virtio_dev *v)
{
	if (v->pci.ports)
		virtio_pci_cfg_write(v, PCI_BAR0, 4, v->pci.ports);
	for (unsigned n = 0; n < 6; n++) {
		unsigned reg = PCI_BAR0 + 4 * n;

		if (!v->pci.bar[n])
			continue;
		virtio_pci_cfg_write(v, reg, 4, (uint32_t)v->pci.bar[n]);
		if (v->pci.bars_64 >> n & 1)
			virtio_pci_cfg_write(v, reg + 4, 4, (uint32_t)(v->pci.bar[n] >> 32));
	}
}

/*
 * Structures.
 */
static void virtio_pci_aim(const struct virtio_dev *v, unsigned bar, uint32_t off, unsigned len)
{
	virtio_pci_cfg_write(v, v->pci.access_cap + VPCI_CAP_BAR, 1, bar);
	virtio_pci_cfg_write(v, v->pci.access_cap + VPCI_CAP_OFFSET, 4, off);
	virtio_pci_cfg_write(v, v->pci.access_cap + VPCI_CAP_LENGTH, 4, len);
}

uint32_t virtio_pci_access_read(const struct virtio_dev *v, unsigned bar, uint32_t off,
				unsigned len)
{
	virtio_pci_aim(v, bar, off, len);
	return virtio_pci_cfg(v, v->pci.access_cap + VPCI_CAP_EXTRA, len <= 4 ? len : 4);
}

void virtio_pci_access_write(const struct virtio_dev *v, unsigned bar, uint32_t off, unsigned len,
			     uint32_t value)
{
	virtio_pci_aim(v, bar, off, len);
	virtio_pci_cfg_write(v, v->pci.access_cap + VPCI_CAP_EXTRA, len <= 4 ? len : 4, value);
}

uint32_t virtio_pci_read(const struct virtio_dev *v, const struct virtio_pci_region *at,
			 uint32_t off, unsigned len)
{
	if (v->pci.by_access)
		return virtio_pci_access_read(v, at->bar, at->offset + off, len);
	return (uint32_t)v->io->read(v->io->opaque, v->pci.bar[at->bar] + at->offset + off, len);
}

void virtio_pci_write(const struct virtio_dev *v, const struct virtio_pci_region *at, uint32_t off,
		      unsigned len, uint32_t value)
{
	if (v->pci.by_access)
		virtio_pci_access_write(v, at->bar, at->offset + off, len, value);
	else
		v->io->write(v->io->opaque, v->pci.bar[at->bar] + at->offset + off, len, value);
}

static uint32_t virtio_pci_get(const struct virtio_dev *v, unsigned field, unsigned len)
{
	return virtio_pci_read(v, &v->pci.common, field, len);
}

static void virtio_pci_put(const struct virtio_dev *v, unsigned field, unsigned len, uint32_t value)
{
	virtio_pci_write(v, &v->pci.common, field, len, value);
}

static void virtio_pci_put64(const struct virtio_dev *v, unsigned field, uint64_t value)
{
	virtio_pci_put(v, field, 4, (uint32_t)value);
	virtio_pci_put(v, field + 4, 4, (uint32_t)(value >> 32));
}

/*
 * The device.
 */
static uint32_t virtio_pci_offered(const struct virtio_dev *v, unsigned word)
{
	virtio_pci_put(v, VPCI_DEVICE_FEATURE_SELECT, 4, word);
	return virtio_pci_get(v, VPCI_DEVICE_FEATURE, 4);
}

static void virtio_pci_accept(const struct virtio_dev *v, unsigned word, uint32_t bits)
{
	virtio_pci_put(v, VPCI_DRIVER_FEATURE_SELECT, 4, word);
	virtio_pci_put(v, VPCI_DRIVER_FEATURE, 4, bits);
}

static uint8_t virtio_pci_status(const struct virtio_dev *v)
{
	return (uint8_t)virtio_pci_get(v, VPCI_DEVICE_STATUS, 1);
}

static void virtio_pci_set_status(const struct virtio_dev *v, uint8_t status)
{
	virtio_pci_put(v, VPCI_DEVICE_STATUS, 1, status);
}

static uint32_t virtio_pci_config_read(const struct virtio_dev *v, unsigned off, unsigned len)
{
	return v->pci.config.length ? virtio_pci_read(v, &v->pci.config, off, len) : 0;
}

static void virtio_pci_config_write(const struct virtio_dev *v, unsigned off, unsigned len,
				    uint32_t value)
{
	if (v->pci.config.length)
		virtio_pci_write(v, &v->pci.config, off, len, value);
}

static uint32_t virtio_pci_generation(const struct virtio_dev *v)
{
	return virtio_pci_get(v, VPCI_CONFIG_GENERATION, 1);
}

/*
 * Queues.
 */
static uint16_t virtio_pci_queue_max(const struct virtio_dev *v, unsigned index)
{
	if (index >= virtio_pci_get(v, VPCI_NUM_QUEUES, 2))
		return 0;
	virtio_pci_put(v, VPCI_QUEUE_SELECT, 2, index);
	return (uint16_t)virtio_pci_get(v, VPCI_QUEUE_SIZE, 2);
}

static bool virtio_pci_queue_enabled(const struct virtio_dev *v, unsigned index)
{
	virtio_pci_put(v, VPCI_QUEUE_SELECT, 2, index);
	return virtio_pci_get(v, VPCI_QUEUE_ENABLE, 2);
}

static void virtio_pci_queue_set(const struct virtio_dev *v, const struct virtio_queue *q)
{
	virtio_pci_put(v, VPCI_QUEUE_SELECT, 2, q->index);
	virtio_pci_put(v, VPCI_QUEUE_SIZE, 2, q->size);
	virtio_pci_put64(v, VPCI_QUEUE_DESC, q->desc);
	virtio_pci_put64(v, VPCI_QUEUE_DRIVER, q->driver);
	virtio_pci_put64(v, VPCI_QUEUE_DEVICE, q->device);
}

/* Reads it back, which tells whether there is such a vector (4.1.5.1.2). */
static bool virtio_pci_vector(const struct virtio_dev *v, unsigned field, uint16_t vector)
{
	virtio_pci_put(v, field, 2, vector);
	return virtio_pci_get(v, field, 2) == vector;
}

static bool virtio_pci_queue_vector(const struct virtio_dev *v, uint16_t vector)
{
	return !v->pci.msix_on || vector == VIRTIO_NO_VECTOR ||
	       virtio_pci_vector(v, VPCI_QUEUE_MSIX_VECTOR, vector);
}

static bool virtio_pci_queue_notifications(const struct virtio_dev *v, struct virtio_queue *q)
{
	uint64_t off = (uint64_t)virtio_pci_get(v, VPCI_QUEUE_NOTIFY_OFF, 2) *
		       v->pci.notify_multiplier;

	if (off + (q->notify_data ? 4 : 2) > v->pci.notify.length)
		return false;
	q->notify_off = (uint32_t)off;
	if (virtio_has(v, VIRTIO_F_NOTIF_CONFIG_DATA))
		q->notify_id = (uint16_t)virtio_pci_get(v, VPCI_QUEUE_NOTIF_CONFIG_DATA, 2);
	return true;
}

static void virtio_pci_queue_enable(const struct virtio_dev *v)
{
	virtio_pci_put(v, VPCI_QUEUE_ENABLE, 2, 1);
}

static void virtio_pci_queue_reset(const struct virtio_dev *v, unsigned index)
{
	virtio_pci_put(v, VPCI_QUEUE_SELECT, 2, index);
	virtio_pci_put(v, VPCI_QUEUE_RESET, 2, 1);
}

static bool virtio_pci_queue_resetting(const struct virtio_dev *v)
{
	return virtio_pci_get(v, VPCI_QUEUE_RESET, 2);
}

static void virtio_pci_notify(const struct virtio_dev *v, const struct virtio_queue *q,
			      uint32_t value)
{
	virtio_pci_write(v, &v->pci.notify, q->notify_off, q->notify_data ? 4 : 2, value);
}

/*
 * Interrupts.
 */
static unsigned virtio_pci_interrupt(const struct virtio_dev *v)
{
	return virtio_pci_read(v, &v->pci.isr, 0, 1);
}

void virtio_pci_msix(struct virtio_dev *v, uint16_t control)
{
	if (!v->pci.msix_cap)
		return;
	virtio_pci_cfg_write(v, v->pci.msix_cap + PCI_MSIX_CONTROL, 2, control);
	v->pci.msix_on = control & PCI_MSIX_CONTROL_ENABLE;
}

void virtio_pci_msix_entry(const struct virtio_dev *v, unsigned entry, uint64_t address,
			   uint32_t data)
{
	const struct virtio_pci_region *table = &v->pci.msix_table;
	uint32_t at = PCI_MSIX_ENTRY_BYTES * entry;

	if (entry >= v->pci.msix_entries)
		return;
	virtio_pci_write(v, table, at + PCI_MSIX_ENTRY_ADDRESS, 4, (uint32_t)address);
	virtio_pci_write(v, table, at + PCI_MSIX_ENTRY_ADDRESS_HIGH, 4, (uint32_t)(address >> 32));
	virtio_pci_write(v, table, at + PCI_MSIX_ENTRY_DATA, 4, data);
	virtio_pci_write(v, table, at + PCI_MSIX_ENTRY_CONTROL, 4, 0);
}

static bool virtio_pci_set_config_vector(const struct virtio_dev *v, uint16_t vector)
{
	return virtio_pci_vector(v, VPCI_CONFIG_MSIX_VECTOR, vector);
}

bool virtio_pci_config_vector(const struct virtio_dev *v, uint16_t vector)
{
	return v->ops->config_vector(v, vector);
}

static const struct virtio_ops virtio_pci_ops = {
	.name = "pci",
	.offered = virtio_pci_offered,
	.accept = virtio_pci_accept,
	.status = virtio_pci_status,
	.set_status = virtio_pci_set_status,
	.config_read = virtio_pci_config_read,
	.config_write = virtio_pci_config_write,
	.generation = virtio_pci_generation,
	.queue_max = virtio_pci_queue_max,
	.queue_enabled = virtio_pci_queue_enabled,
	.queue_set = virtio_pci_queue_set,
	.queue_vector = virtio_pci_queue_vector,
	.config_vector = virtio_pci_set_config_vector,
	.queue_notifications = virtio_pci_queue_notifications,
	.queue_enable = virtio_pci_queue_enable,
	.queue_reset = virtio_pci_queue_reset,
	.queue_resetting = virtio_pci_queue_resetting,
	.notify = virtio_pci_notify,
	.interrupt = virtio_pci_interrupt,
};

/*
 * Discovery.
 */
static void virtio_pci_read_bars(struct virtio_dev *v)
{
	for (unsigned n = 0; n < 6; n++) {
		unsigned at = n;
		uint32_t low = virtio_pci_cfg(v, PCI_BAR0 + 4 * n, 4);

		if (low & PCI_BAR_IO)
			continue;
		v->pci.bar[at] = low & PCI_BAR_MEM_MASK;
		if ((low & PCI_BAR_TYPE) != PCI_BAR_64 || n == 5)
			continue;
		v->pci.bars_64 |= (uint8_t)(1u << at);
		v->pci.bar[at] |= (uint64_t)virtio_pci_cfg(v, PCI_BAR0 + 4 * ++n, 4) << 32;
	}
}

/* The first of a kind that we can use is the device's preferred one (4.1.4.1). */
static void virtio_pci_read_region(const struct virtio_dev *v, unsigned cap,
				   struct virtio_pci_region *ret)
{
	struct virtio_pci_region r = {
		.bar = (uint8_t)virtio_pci_cfg(v, cap + VPCI_CAP_BAR, 1),
		.offset = virtio_pci_cfg(v, cap + VPCI_CAP_OFFSET, 4),
		.length = virtio_pci_cfg(v, cap + VPCI_CAP_LENGTH, 4),
	};

	if (!ret->length && r.bar < 6 && r.offset + r.length >= r.offset)
		*ret = r;
}

static void virtio_pci_read_virtio_cap(struct virtio_dev *v, unsigned cap)
{
	struct virtio_pci *p = &v->pci;

	switch (virtio_pci_cfg(v, cap + VPCI_CAP_TYPE, 1)) {
	case VPCI_TYPE_COMMON:
		virtio_pci_read_region(v, cap, &p->common);
		break;
	case VPCI_TYPE_NOTIFY:
		if (!p->notify.length)
			p->notify_multiplier = virtio_pci_cfg(v, cap + VPCI_CAP_EXTRA, 4);
		virtio_pci_read_region(v, cap, &p->notify);
		break;
	case VPCI_TYPE_ISR:
		virtio_pci_read_region(v, cap, &p->isr);
		break;
	case VPCI_TYPE_DEVICE:
		virtio_pci_read_region(v, cap, &p->config);
		break;
	case VPCI_TYPE_ACCESS:
		if (!p->access_cap)
			p->access_cap = (uint8_t)cap;
		break;
	default: /* another one, which drivers are to pass over */
		break;
	}
}

static void virtio_pci_read_msix_cap(struct virtio_dev *v, unsigned cap)
{
	uint32_t table = virtio_pci_cfg(v, cap + PCI_MSIX_TABLE, 4);
	unsigned n = (virtio_pci_cfg(v, cap + PCI_MSIX_CONTROL, 2) & PCI_MSIX_CONTROL_SIZE) + 1;

	if ((table & PCI_MSIX_BAR_MASK) >= 6)
		return;
	v->pci.msix_cap = (uint8_t)cap;
	v->pci.msix_entries = n;
	v->pci.msix_table.bar = table & PCI_MSIX_BAR_MASK;
	v->pci.msix_table.offset = table & ~PCI_MSIX_BAR_MASK;
	v->pci.msix_table.length = n * PCI_MSIX_ENTRY_BYTES;
}

/* False if the list makes no sense. */
static bool virtio_pci_read_caps(struct virtio_dev *v)
{
	unsigned cap, n = 0;

	if (!(virtio_pci_cfg(v, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
		return true;
	for (cap = virtio_pci_cfg(v, PCI_CAP_POINTER, 1); cap;
	     cap = virtio_pci_cfg(v, cap + PCI_CAP_NEXT, 1)) {
		if (cap < PCI_FIRST_CAP || cap % 4 || ++n > PCI_CAPS_MAX)
			return false;
		if (virtio_pci_cfg(v, cap, 1) == PCI_CAP_VENDOR)
			virtio_pci_read_virtio_cap(v, cap);
		else if (virtio_pci_cfg(v, cap, 1) == PCI_CAP_MSIX && !v->pci.msix_cap)
			virtio_pci_read_msix_cap(v, cap);
	}
	return true;
}

static uint32_t virtio_pci_device_type(const struct virtio_dev *v)
{
	unsigned id = virtio_pci_cfg(v, PCI_DEVICE_ID, 2);

	if (virtio_pci_cfg(v, PCI_VENDOR_ID, 2) != VPCI_VENDOR || id < VPCI_DEVICE_FIRST ||
	    id > VPCI_DEVICE_LAST)
		return 0;
	return id < VPCI_DEVICE_MODERN ? virtio_pci_cfg(v, PCI_SUBSYSTEM_ID, 2)
				       : id - VPCI_DEVICE_MODERN;
}

bool virtio_pci_scan(struct virtio_dev *v, const struct virtio_ops *ops, const struct virtio_io *io,
		     uint64_t function)
{
	*v = (struct virtio_dev){ .ops = ops, .io = io, .pci.function = function };
	v->id = virtio_pci_device_type(v);
	if (!v->id)
		return false;
	virtio_pci_read_bars(v);
	if (!virtio_pci_read_caps(v))
		v->error = "the list of capabilities makes no sense";
	return !v->error;
}

bool virtio_pci_probe(struct virtio_dev *v, const struct virtio_io *io, uint64_t function)
{
	if (!virtio_pci_scan(v, &virtio_pci_ops, io, function))
		return false;
	if (v->pci.common.length < VPCI_QUEUE_NOTIF_CONFIG_DATA || !v->pci.notify.length ||
	    !v->pci.isr.length)
		v->error = "no common configuration, notification or ISR structure of virtio 1";
	return !v->error;
}
