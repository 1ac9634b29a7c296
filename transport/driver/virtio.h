/*
 * The driver's side of a transport: finding a virtio device, its life from reset to DRIVER_OK, its
 * queues' registers, notifications and interrupts (VIRTIO 1.4, 3.1 Device Initialization, 4.1
 * Virtio Over PCI Bus, 4.2 Virtio Over MMIO). The rings in memory are virtqueue/driver/drv.h's.
 * docs/driver-library.md has a complete example.
 *
 *	virtio_mmio_probe() or virtio_pci_probe()	what is there, and where its registers are
 *	virtio_negotiate(&dev, wanted)			reset to FEATURES_OK: dev.features
 *	virtio_queue_max(), drv_vq_init()		how large a ring may be; laying it out
 *	virtio_queue_start(&dev, &queue)		where it is; enabled
 *	virtio_driver_ok(&dev)
 *	virtio_notify(), virtio_interrupt()		while it runs
 *	virtio_reset(&dev)				the end
 *
 * The legacy interfaces of before virtio 1 have probes of their own, virtio_pci_legacy_probe() and
 * virtio_mmio_legacy_probe(); what comes after them is the same, but that features are 32 bits,
 * that a ring is in one piece (drv_config.legacy_align = dev.legacy_align) and, over PCI, as long
 * as the device says.
 *
 * Freestanding: no libc, no memory but the caller's structs, no lock. Registers are reached through
 * the caller's functions (struct virtio_io). What fails is false, and dev.error says why, in words.
 *
 * A device is driven by one thread at a time, but for virtio_notify(), which different queues may
 * do at once, and virtio_interrupt(). (Not so where registers are reached through configuration
 * space: virtio_pci.by_access.)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/virtio-pci/regs.h"
#include "virtqueue/vring.h"

/*
 * How registers are reached: the caller's functions. Values are in the processor's byte order. An
 * access is one access, of 1, 2 or 4 bytes, in the order of the calls, and a write comes after the
 * caller's earlier stores to memory (as Linux's writel() does; plain stores do on x86).
 */
struct virtio_io {
	/* Registers in memory, by physical address. */
	uint64_t (*read)(void *opaque, uint64_t addr, unsigned len);
	void (*write)(void *opaque, uint64_t addr, unsigned len, uint64_t value);

	/* Configuration space of a PCI function. @function is what virtio_pci_probe() was given:
	 * bus, device and function, or an address, as these like it. NULL without PCI. */
	uint32_t (*pci_read)(void *opaque, uint64_t function, unsigned reg, unsigned len);
	void (*pci_write)(void *opaque, uint64_t function, unsigned reg, unsigned len,
			  uint32_t value);

	/* I/O ports, for the legacy interface of PCI functions. NULL: there are none, or nobody
	 * wants them. */
	uint64_t (*port_read)(void *opaque, uint16_t port, unsigned len);
	void (*port_write)(void *opaque, uint16_t port, unsigned len, uint64_t value);

	/* Called again and again while a device has not done yet what it was told to (a reset);
	 * @turn counts from 0. False gives up. NULL: waits for ever. */
	bool (*wait)(void *opaque, uint64_t turn);

	void *opaque;
};

struct virtio_features {
	uint64_t w[2]; /* bit N is bit N % 64 of w[N / 64] */
};

static inline bool virtio_features_have(const struct virtio_features *f, unsigned bit)
{
	return f->w[bit / 64 % 2] >> bit % 64 & 1;
}

#define VIRTIO_NO_VECTOR VPCI_NO_VECTOR

/* A queue as its device's registers know it. */
struct virtio_queue {
	uint16_t index;
	uint16_t size;
	uint64_t desc, driver, device; /* physical addresses: drv_vq's */
	uint16_t
		vector; /* entry of the MSI-X table, or VIRTIO_NO_VECTOR; ignored while it is off */

	/* virtio_queue_start()'s: what a notification looks like (2.9, 4.1.5.2). */
	uint32_t notify_off; /* pci: in the notification structure */
	uint16_t notify_id;
	bool notify_data; /* with the ring's position */
};

struct virtio_dev;

/*
 * A transport. The first argument is a device that its probe filled in; selectors are hidden.
 * Another one than pci and mmio can be brought along: a device with these and `opaque' is a device.
 */
struct virtio_ops {
	const char *name;

	/* 32 bits of the features: word 0 has bits 0 to 31. */
	uint32_t (*offered)(const struct virtio_dev *v, unsigned word);
	void (*accept)(const struct virtio_dev *v, unsigned word, uint32_t bits);
	uint8_t (*status)(const struct virtio_dev *v);
	void (*set_status)(const struct virtio_dev *v, uint8_t status);

	/* One access of 1, 2 or 4 bytes to the device's configuration space. */
	uint32_t (*config_read)(const struct virtio_dev *v, unsigned off, unsigned len);
	void (*config_write)(const struct virtio_dev *v, unsigned off, unsigned len,
			     uint32_t value);
	uint32_t (*generation)(const struct virtio_dev *v);

	uint16_t (*queue_max)(const struct virtio_dev *v, unsigned index); /* 0: no such queue */
	bool (*queue_enabled)(const struct virtio_dev *v, unsigned index);

	/* Size and addresses; the others are about the queue that this was about last. */
	void (*queue_set)(const struct virtio_dev *v, const struct virtio_queue *q);
	/* False if the device has no such vector. NULL: there are none. */
	bool (*queue_vector)(const struct virtio_dev *v, uint16_t vector);
	/* The same for changes of the configuration. NULL but over PCI. */
	bool (*config_vector)(const struct virtio_dev *v, uint16_t vector);
	/* Fills in what notifications look like. False if that is impossible. NULL: nothing to
	 * be asked. */
	bool (*queue_notifications)(const struct virtio_dev *v, struct virtio_queue *q);
	void (*queue_enable)(const struct virtio_dev *v);

	/* RING_RESET begins; whether it is still going on, of the queue whose reset began last. */
	void (*queue_reset)(const struct virtio_dev *v, unsigned index);
	bool (*queue_resetting)(const struct virtio_dev *v);

	void (*notify)(const struct virtio_dev *v, const struct virtio_queue *q, uint32_t value);

	/* Takes the causes of an interrupt, VIRTIO_INT_*. NULL: interrupts say by themselves
	 * what they are. */
	unsigned (*interrupt)(const struct virtio_dev *v);
};

/* A structure in a BAR (4.1.4). */
struct virtio_pci_region {
	uint32_t offset, length; /* 0 bytes: it is not there */
	uint8_t bar;
};

/* What the probe of a PCI function finds. */
struct virtio_pci {
	uint64_t function;
	uint64_t bar[6]; /* physical address of those in memory, 0 of others */
	struct virtio_pci_region common, notify, isr, config, msix_table;
	uint32_t notify_multiplier;
	unsigned msix_entries;        /* of the table; 0: no MSI-X */
	uint8_t bars_64;              /* bit N: BAR N takes the next register, too */
	bool msix_on;                 /* by virtio_pci_msix() */
	uint8_t access_cap, msix_cap; /* offsets in configuration space; 0: none */
	uint32_t ports;               /* the first one of the legacy interface, BAR 0 */

	/* Set by the caller: reach structures through configuration space (VIRTIO_PCI_CAP_PCI_CFG,
	 * 4.1.4.9), for who has BARs not mapped. */
	bool by_access;
};

struct virtio_dev {
	const struct virtio_ops *ops;
	const struct virtio_io *io;
	uint32_t id; /* device type (5): 1 is a network card */
	bool legacy; /* by its legacy interface; rings are then laid out with */
	uint32_t legacy_align;
	const char *error;

	/* From virtio_negotiate() on. */
	struct virtio_features features;
	uint8_t status; /* as we wrote it */

	/* The transport's. */
	uint64_t mmio; /* physical address of the registers */
	struct virtio_pci pci;
	void *opaque; /* of another one */
};

/*
 * Finding devices.
 */

/* A virtio-mmio device, version 2, at a physical address. False if there is none. */
bool virtio_mmio_probe(struct virtio_dev *v, const struct virtio_io *io, uint64_t base);

/* The virtio device that a PCI function is, transitional ones included, by the capabilities of
 * virtio 1 in its configuration space. False if it is none: with v->error NULL if it is another
 * kind of function. BARs are where firmware put them; virtio_pci_command() has them decoded. */
bool virtio_pci_probe(struct virtio_dev *v, const struct virtio_io *io, uint64_t function);

/* The same devices by their legacy interfaces: virtio-mmio of version 1 (4.2.4), and transitional
 * PCI functions (4.1.4.10), for which @io has ports and the command register has to decode them. */
bool virtio_mmio_legacy_probe(struct virtio_dev *v, const struct virtio_io *io, uint64_t base);
bool virtio_pci_legacy_probe(struct virtio_dev *v, const struct virtio_io *io, uint64_t function);

/*
 * Life of a device.
 */

/* Writes status 0 and waits until it reads so. False if io->wait gave up, or nobody is there
 * (all ones). */
bool virtio_reset(struct virtio_dev *v);

/* ACKNOWLEDGE, then DRIVER. */
void virtio_acknowledge(struct virtio_dev *v);

struct virtio_features virtio_offered(const struct virtio_dev *v);

/* Writes these as the driver's features, sets FEATURES_OK and looks whether the device takes it:
 * then they are v->features. A legacy device cannot refuse: what it offers of them is taken. */
bool virtio_accept(struct virtio_dev *v, struct virtio_features features);

/* All of these, in the order of 3.1.1: reset to FEATURES_OK, with what is @wanted and offered.
 * VERSION_1 need not be asked for, and a device without it is refused. */
bool virtio_negotiate(struct virtio_dev *v, struct virtio_features wanted);

void virtio_driver_ok(struct virtio_dev *v);

/* Gives up (FAILED): for drivers that cannot go on. */
void virtio_failed(struct virtio_dev *v);

static inline bool virtio_has(const struct virtio_dev *v, unsigned bit)
{
	return virtio_features_have(&v->features, bit);
}

static inline uint8_t virtio_status(const struct virtio_dev *v)
{
	return v->ops->status(v);
}

/*
 * Configuration space of the device. Fields are read in their own width (4.1.3.1, 4.2.2.2).
 */
static inline uint32_t virtio_config_read(const struct virtio_dev *v, unsigned off, unsigned len)
{
	return v->ops->config_read(v, off, len);
}

static inline void virtio_config_write(const struct virtio_dev *v, unsigned off, unsigned len,
				       uint32_t value)
{
	v->ops->config_write(v, off, len, value);
}

/* More than one access is of one state of the device if this is the same before and after
 * (2.5.1). */
static inline uint32_t virtio_config_generation(const struct virtio_dev *v)
{
	return v->ops->generation(v);
}

/* A field of 64 bits, of one generation. */
uint64_t virtio_config_read64(const struct virtio_dev *v, unsigned off);

/*
 * Queues.
 */

/* How long it may be; 0 if there is no such queue. */
static inline uint16_t virtio_queue_max(const struct virtio_dev *v, unsigned index)
{
	return v->ops->queue_max(v, index);
}

/* Tells the device of the ring and enables it. Between FEATURES_OK and DRIVER_OK, or after
 * virtio_queue_reset(). */
bool virtio_queue_start(struct virtio_dev *v, struct virtio_queue *q);

/* RING_RESET (2.6.1): on return the device is done with the queue's memory. So it is with a legacy
 * device, which has no address of it any more. */
bool virtio_queue_reset(struct virtio_dev *v, unsigned index);

/* A notification ("kick"). @position: drv_notification_data(), which goes along where
 * NOTIFICATION_DATA was negotiated. */
static inline void virtio_notify(const struct virtio_dev *v, const struct virtio_queue *q,
				 uint32_t position)
{
	v->ops->notify(v, q, q->notify_id | (q->notify_data ? position : 0));
}

/*
 * Interrupts.
 */
#define VIRTIO_INT_QUEUE  1u
#define VIRTIO_INT_CONFIG 2u

/* In the handler of an interrupt, but of MSI-X: what it was for, VIRTIO_INT_*, which is taken by
 * that. Before looking at the rings. */
static inline unsigned virtio_interrupt(const struct virtio_dev *v)
{
	return v->ops->interrupt ? v->ops->interrupt(v) : 0;
}

/*
 * PCI only. Offsets and bits are in transport/pci/regs.h and transport/virtio-pci/regs.h.
 */
void virtio_pci_command(const struct virtio_dev *v, uint16_t bits);

/* Puts BARs back to where the probe found them. */
void virtio_pci_restore_bars(const struct virtio_dev *v);

/* MSI-X's message control: PCI_MSIX_CONTROL_ENABLE, PCI_MSIX_CONTROL_MASK_ALL; and an entry of
 * its table, unmasked. */
void virtio_pci_msix(struct virtio_dev *v, uint16_t control);
void virtio_pci_msix_entry(const struct virtio_dev *v, unsigned entry, uint64_t address,
			   uint32_t data);

/* The entry for changes of the configuration; after virtio_negotiate(), a reset takes it away.
 * False if the device refuses. */
bool virtio_pci_config_vector(const struct virtio_dev *v, uint16_t vector);

/* An access to a structure, by memory or as v->pci.by_access says; and in any case through the
 * capability. */
uint32_t virtio_pci_read(const struct virtio_dev *v, const struct virtio_pci_region *at,
			 uint32_t off, unsigned len);
void virtio_pci_write(const struct virtio_dev *v, const struct virtio_pci_region *at, uint32_t off,
		      unsigned len, uint32_t value);
uint32_t virtio_pci_access_read(const struct virtio_dev *v, unsigned bar, uint32_t off,
				unsigned len);
void virtio_pci_access_write(const struct virtio_dev *v, unsigned bar, uint32_t off, unsigned len,
			     uint32_t value);
