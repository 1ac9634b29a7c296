/* virtio-pci (VIRTIO 1.4, 4.1), on bus 0. BARs and lines are where the monitor put them. */
#include "guest-fw/virtio.h"

/* Configuration space. */
enum {
	PCI_ID = 0x00, /* vendor and device */
	PCI_COMMAND = 0x04,
	PCI_BAR0 = 0x10,
	PCI_CAPS = 0x34,
	PCI_LINE = 0x3c,
};
enum { COMMAND_MEMORY = 2, COMMAND_MASTER = 4, COMMAND_NO_INTX = 0x400 };
enum { CAP_VENDOR = 0x09, CAP_MSIX = 0x11, MSIX_ENABLE = 0x8000 };

/* struct virtio_pci_cap, and its types. */
enum { CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_NOTIFY_EACH = 16 };
enum { TYPE_COMMON = 1, TYPE_NOTIFY, TYPE_ISR, TYPE_DEVICE };

/* The common configuration structure. */
enum {
	C_DEVICE_FEATURE_SELECT = 0x00,
	C_DEVICE_FEATURE = 0x04,
	C_DRIVER_FEATURE_SELECT = 0x08,
	C_DRIVER_FEATURE = 0x0c,
	C_CONFIG_VECTOR = 0x10,
	C_STATUS = 0x14,
	C_GENERATION = 0x15,
	C_QUEUE_SELECT = 0x16,
	C_QUEUE_SIZE = 0x18,
	C_QUEUE_VECTOR = 0x1a,
	C_QUEUE_ENABLE = 0x1c,
	C_QUEUE_NOTIFY_OFF = 0x1e,
	C_QUEUE_DESC = 0x20,
	C_QUEUE_DRIVER = 0x28,
	C_QUEUE_DEVICE = 0x30,
	C_QUEUE_NOTIF_CONFIG_DATA = 0x38,
	C_QUEUE_RESET = 0x3a,
};

#define NO_VECTOR 0xffff

static uint8_t status(const struct virtio *v)
{
	return reg_read8(v->base + C_STATUS);
}

static void set_status(const struct virtio *v, uint8_t value)
{
	reg_write8(v->base + C_STATUS, value);
}

static uint32_t offered(const struct virtio *v, unsigned word)
{
	reg_write32(v->base + C_DEVICE_FEATURE_SELECT, word);
	return reg_read32(v->base + C_DEVICE_FEATURE);
}

static void accept(const struct virtio *v, unsigned word, uint32_t bits)
{
	reg_write32(v->base + C_DRIVER_FEATURE_SELECT, word);
	reg_write32(v->base + C_DRIVER_FEATURE, bits);
}

static uint8_t generation(const struct virtio *v)
{
	return reg_read8(v->base + C_GENERATION);
}

/*
 * Configuration space. Entry i of the MSI-X table is queue i's.
 */
static void command(const struct virtio *v, unsigned no_intx)
{
	reg_write16(v->function + PCI_COMMAND,
		    (uint16_t)(COMMAND_MEMORY | COMMAND_MASTER | no_intx));
}

static void msix_entry(const struct virtio *v, unsigned i)
{
	uintptr_t at = v->msix_table + 16ul * i;

	reg_write32(at, IRQ_MSI_ADDRESS);
	reg_write32(at + 4, 0);
	reg_write32(at + 8, IRQ_VECTOR + i);
	reg_write32(at + 12, 0); /* not masked */
}

static void msix_enable(const struct virtio *v, bool on)
{
	if (v->msix_cap)
		reg_write16(v->function + v->msix_cap + 2, on ? MSIX_ENABLE : 0);
}

/*
 * Queues.
 */
static uint16_t queue_max(const struct virtio *v, unsigned index)
{
	reg_write16(v->base + C_QUEUE_SELECT, (uint16_t)index);
	return reg_read16(v->base + C_QUEUE_SIZE);
}

static void write_address(const struct virtio *v, unsigned reg, uint64_t address)
{
	reg_write32(v->base + reg, (uint32_t)address);
	reg_write32(v->base + reg + 4, (uint32_t)(address >> 32));
}

static void queue_start(struct queue *q)
{
	const struct virtio *v = q->v;

	reg_write16(v->base + C_QUEUE_SELECT, (uint16_t)q->index);
	reg_write16(v->base + C_QUEUE_SIZE, q->drv.cfg.size);
	write_address(v, C_QUEUE_DESC, q->drv.desc);
	write_address(v, C_QUEUE_DRIVER, q->drv.driver);
	write_address(v, C_QUEUE_DEVICE, q->drv.device);
	if (v->irq == VIRTIO_MSIX) {
		msix_entry(v, q->index);
		reg_write16(v->base + C_QUEUE_VECTOR, (uint16_t)q->index);
	}
	q->doorbell = v->notify +
		      (uintptr_t)v->notify_each * reg_read16(v->base + C_QUEUE_NOTIFY_OFF);
	q->doorbell_value = (uint16_t)q->index;
	if (virtio_has(v, VIRTIO_F_NOTIF_CONFIG_DATA))
		q->doorbell_value = reg_read16(v->base + C_QUEUE_NOTIF_CONFIG_DATA);
	reg_write16(v->base + C_QUEUE_ENABLE, 1);
}

static void queue_reset(struct queue *q)
{
	const struct virtio *v = q->v;

	reg_write16(v->base + C_QUEUE_SELECT, (uint16_t)q->index);
	reg_write16(v->base + C_QUEUE_RESET, 1);
	while (reg_read16(v->base + C_QUEUE_RESET))
		fw_relax();
}

/*
 * Interrupts.
 */
static void irq_on(struct virtio *v)
{
	if (v->irq == VIRTIO_IRQ_LINE) {
		irq_route(v->gsi, IRQ_VECTOR, true);
		command(v, 0);
	} else if (v->irq == VIRTIO_MSIX) {
		msix_enable(v, true);
		reg_write16(v->base + C_CONFIG_VECTOR, NO_VECTOR);
	}
}

static void irq_off(struct virtio *v)
{
	command(v, COMMAND_NO_INTX);
	msix_enable(v, false);
	irq_unroute(v->gsi);
}

static void irq_ack(const struct virtio *v)
{
	if (v->irq != VIRTIO_MSIX)
		(void)reg_read8(v->isr); /* which clears it */
}

static const struct virtio_ops ops = {
	.name = "pci",
	.irqs = 1u << VIRTIO_POLL | 1u << VIRTIO_MSIX | 1u << VIRTIO_IRQ_LINE,
	.status = status,
	.set_status = set_status,
	.offered = offered,
	.accept = accept,
	.generation = generation,
	.queue_max = queue_max,
	.queue_start = queue_start,
	.queue_reset = queue_reset,
	.irq_on = irq_on,
	.irq_off = irq_off,
	.irq_ack = irq_ack,
};

/*
 * Discovery.
 */
static uintptr_t bar(uintptr_t function, unsigned n)
{
	uintptr_t at = function + PCI_BAR0 + 4ul * n;
	uint32_t low = reg_read32(at);

	if (low & 4 && reg_read32(at + 4))
		fw_panic("a BAR lies above 4 GiB");
	return low & ~0xfu;
}

static void read_virtio_cap(struct virtio *v, uintptr_t cap)
{
	uintptr_t where = bar(v->function, reg_read8(cap + CAP_BAR)) + reg_read32(cap + CAP_OFFSET);

	switch (reg_read8(cap + CAP_TYPE)) {
	case TYPE_COMMON:
		v->base = where;
		break;
	case TYPE_NOTIFY:
		v->notify = where;
		v->notify_each = reg_read32(cap + CAP_NOTIFY_EACH);
		break;
	case TYPE_ISR:
		v->isr = where;
		break;
	case TYPE_DEVICE:
		v->config = where;
		break;
	default:
		break;
	}
}

static void read_caps(struct virtio *v)
{
	uint8_t cap = reg_read8(v->function + PCI_CAPS);

	for (unsigned i = 0; cap && i < 48; i++, cap = reg_read8(v->function + cap + 1)) {
		uintptr_t at = v->function + cap;
		uint8_t id = reg_read8(at);

		if (id == CAP_VENDOR) {
			read_virtio_cap(v, at);
		} else if (id == CAP_MSIX) {
			uint32_t table = reg_read32(at + 4);

			v->msix_cap = cap;
			v->msix_table = bar(v->function, table & 7) + (table & ~7u);
		}
	}
}

unsigned virtio_pci_find(struct virtio *list, unsigned max)
{
	uintptr_t ecam = machine_ecam();
	unsigned n = 0;

	for (unsigned slot = 0; ecam && slot < 32 && n < max; slot++) {
		struct virtio *v = &list[n];
		uintptr_t function = ecam + (slot << 15);
		uint32_t id = reg_read32(function + PCI_ID);

		if ((id & 0xffff) != 0x1af4 || id >> 16 < 0x1040 || id >> 16 > 0x107f)
			continue;
		*v = (struct virtio){ .ops = &ops,
				      .function = function,
				      .id = (id >> 16) - 0x1040 };
		v->gsi = reg_read8(function + PCI_LINE);
		command(v, COMMAND_NO_INTX);
		read_caps(v);
		if (v->base && v->notify && v->isr)
			n++;
	}
	return n;
}
