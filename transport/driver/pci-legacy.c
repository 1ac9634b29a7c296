/* The legacy interface of transitional PCI functions as a driver uses it (VIRTIO 1.4, 4.1.4.10):
 * registers in I/O ports, and the configuration space behind them, which moves with MSI-X. */
#include "transport/driver/pci-impl.h"
#include "transport/pci/regs.h"

static uint32_t virtio_pci_legacy_get(const struct virtio_dev *v, unsigned reg, unsigned len)
{
	return (uint32_t)v->io->port_read(v->io->opaque, (uint16_t)(v->pci.ports + reg), len);
}

static void virtio_pci_legacy_put(const struct virtio_dev *v, unsigned reg, unsigned len,
				  uint32_t value)
{
	v->io->port_write(v->io->opaque, (uint16_t)(v->pci.ports + reg), len, value);
}

static unsigned virtio_pci_legacy_config(const struct virtio_dev *v)
{
	return v->pci.msix_on ? VPCI_LEGACY_BYTES_MSIX : VPCI_LEGACY_BYTES;
}

static uint32_t virtio_pci_legacy_offered(const struct virtio_dev *v, unsigned word)
{
	return word ? 0 : virtio_pci_legacy_get(v, VPCI_LEGACY_DEVICE_FEATURES, 4);
}

static void virtio_pci_legacy_accept(const struct virtio_dev *v, unsigned word, uint32_t bits)
{
	if (word == 0)
		virtio_pci_legacy_put(v, VPCI_LEGACY_DRIVER_FEATURES, 4, bits);
}

static uint8_t virtio_pci_legacy_status(const struct virtio_dev *v)
{
	return (uint8_t)virtio_pci_legacy_get(v, VPCI_LEGACY_STATUS, 1);
}

static void virtio_pci_legacy_set_status(const struct virtio_dev *v, uint8_t status)
{
	virtio_pci_legacy_put(v, VPCI_LEGACY_STATUS, 1, status);
}

static uint32_t virtio_pci_legacy_config_read(const struct virtio_dev *v, unsigned off,
					      unsigned len)
{
	return virtio_pci_legacy_get(v, virtio_pci_legacy_config(v) + off, len);
}

static void virtio_pci_legacy_config_write(const struct virtio_dev *v, unsigned off, unsigned len,
					   uint32_t value)
{
	virtio_pci_legacy_put(v, virtio_pci_legacy_config(v) + off, len, value);
}

static uint32_t virtio_pci_legacy_generation(const struct virtio_dev *v)
{
	(void)v;
	return 0;
}

static uint16_t virtio_pci_legacy_queue_max(const struct virtio_dev *v, unsigned index)
{
	virtio_pci_legacy_put(v, VPCI_LEGACY_QUEUE_SELECT, 2, index);
	return (uint16_t)virtio_pci_legacy_get(v, VPCI_LEGACY_QUEUE_SIZE, 2);
}

static bool virtio_pci_legacy_queue_enabled(const struct virtio_dev *v, unsigned index)
{
	virtio_pci_legacy_put(v, VPCI_LEGACY_QUEUE_SELECT, 2, index);
	return virtio_pci_legacy_get(v, VPCI_LEGACY_QUEUE_ADDRESS, 4);
}

/* The address is what enables it. */
static void virtio_pci_legacy_queue_set(const struct virtio_dev *v, const struct virtio_queue *q)
{
	virtio_pci_legacy_put(v, VPCI_LEGACY_QUEUE_SELECT, 2, q->index);
	virtio_pci_legacy_put(v, VPCI_LEGACY_QUEUE_ADDRESS, 4,
			      (uint32_t)(q->desc / VRING_LEGACY_ALIGN));
}

static void virtio_pci_legacy_queue_enable(const struct virtio_dev *v)
{
	(void)v;
}

/* It can only be taken away. */
static void virtio_pci_legacy_queue_reset(const struct virtio_dev *v, unsigned index)
{
	virtio_pci_legacy_put(v, VPCI_LEGACY_QUEUE_SELECT, 2, index);
	virtio_pci_legacy_put(v, VPCI_LEGACY_QUEUE_ADDRESS, 4, 0);
}

static bool virtio_pci_legacy_queue_resetting(const struct virtio_dev *v)
{
	(void)v;
	return false;
}

static bool virtio_pci_legacy_vector(const struct virtio_dev *v, unsigned reg, uint16_t vector)
{
	virtio_pci_legacy_put(v, reg, 2, vector);
	return virtio_pci_legacy_get(v, reg, 2) == vector;
}

static bool virtio_pci_legacy_queue_vector(const struct virtio_dev *v, uint16_t vector)
{
	return !v->pci.msix_on || vector == VIRTIO_NO_VECTOR ||
	       virtio_pci_legacy_vector(v, VPCI_LEGACY_QUEUE_VECTOR, vector);
}

static bool virtio_pci_legacy_config_vector(const struct virtio_dev *v, uint16_t vector)
{
	return v->pci.msix_on && virtio_pci_legacy_vector(v, VPCI_LEGACY_CONFIG_VECTOR, vector);
}

static void virtio_pci_legacy_notify(const struct virtio_dev *v, const struct virtio_queue *q,
				     uint32_t value)
{
	(void)value;
	virtio_pci_legacy_put(v, VPCI_LEGACY_QUEUE_NOTIFY, 2, q->index);
}

static unsigned virtio_pci_legacy_interrupt(const struct virtio_dev *v)
{
	return virtio_pci_legacy_get(v, VPCI_LEGACY_ISR, 1);
}

static const struct virtio_ops virtio_pci_legacy_ops = {
	.name = "pci-legacy",
	.offered = virtio_pci_legacy_offered,
	.accept = virtio_pci_legacy_accept,
	.status = virtio_pci_legacy_status,
	.set_status = virtio_pci_legacy_set_status,
	.config_read = virtio_pci_legacy_config_read,
	.config_write = virtio_pci_legacy_config_write,
	.generation = virtio_pci_legacy_generation,
	.queue_max = virtio_pci_legacy_queue_max,
	.queue_enabled = virtio_pci_legacy_queue_enabled,
	.queue_set = virtio_pci_legacy_queue_set,
	.queue_vector = virtio_pci_legacy_queue_vector,
	.config_vector = virtio_pci_legacy_config_vector,
	.queue_enable = virtio_pci_legacy_queue_enable,
	.queue_reset = virtio_pci_legacy_queue_reset,
	.queue_resetting = virtio_pci_legacy_queue_resetting,
	.notify = virtio_pci_legacy_notify,
	.interrupt = virtio_pci_legacy_interrupt,
};

bool virtio_pci_legacy_probe(struct virtio_dev *v, const struct virtio_io *io, uint64_t function)
{
	uint32_t bar;

	if (!virtio_pci_scan(v, &virtio_pci_legacy_ops, io, function))
		return false;
	v->legacy = true;
	v->legacy_align = VRING_LEGACY_ALIGN;
	bar = io->pci_read(io->opaque, function, PCI_BAR0, 4);
	if (io->pci_read(io->opaque, function, PCI_DEVICE_ID, 2) >= VPCI_DEVICE_MODERN ||
	    io->pci_read(io->opaque, function, PCI_REVISION, 1) != 0 || !(bar & PCI_BAR_IO))
		v->error = "no legacy interface: the function is of virtio 1 alone";
	else if (!io->port_read)
		v->error = "a legacy interface is in I/O ports, and nobody reaches them";
	v->pci.ports = bar & PCI_BAR_IO_MASK;
	return !v->error;
}
