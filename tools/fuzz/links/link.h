/*
 * Ways to a device, as a driver sees them: what a driver does over each, and the registers by their
 * bare numbers. Nothing is taken for granted: the input may have written anything anywhere before.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct fixture;

struct link_ring {
	unsigned size;
	uint64_t desc, driver, device;
};

enum link_area {
	LINK_REGISTERS, /* of the transport: mmio's, or pci's common configuration */
	LINK_CONFIG,    /* the device's configuration space */
	LINK_PCI,       /* the function's own configuration space, by ECAM */
	LINK_BAR,       /* anywhere in pci's BAR */
	N_LINK_AREAS,
};

struct link_ops {
	const char *name;
	unsigned variant; /* the link's own business */

	void (*open)(struct fixture *fx);
	void (*close)(struct fixture *fx);
	void (*machine_reset)(struct fixture *fx);   /* everything as after open() */
	void (*ready)(struct fixture *fx);           /* what a driver does before virtio begins */
	void (*reset_selectors)(struct fixture *fx); /* what it selected last is forgotten */

	uint32_t (*offered)(struct fixture *fx, unsigned select);
	void (*accept)(struct fixture *fx, unsigned select, uint32_t bits);
	uint32_t (*status)(struct fixture *fx);
	void (*set_status)(struct fixture *fx, uint32_t status);
	unsigned (*queue_max)(struct fixture *fx, unsigned q);
	void (*queue_set)(struct fixture *fx, unsigned q, const struct link_ring *ring);
	void (*queue_reset)(struct fixture *fx, unsigned q);
	void (*kick)(struct fixture *fx, unsigned q, uint32_t value);

	/* @len is 1, 2, 4 or 8. What is not there reads as 0 and swallows what is written. */
	uint64_t (*read)(struct fixture *fx, enum link_area area, uint32_t off, unsigned len);
	void (*write)(struct fixture *fx, enum link_area area, uint32_t off, unsigned len,
		      uint64_t value);

	unsigned (*interrupts)(struct fixture *fx); /* takes and handles them; how many */
};

const struct link_ops *link_nth(unsigned n); /* modulo how many there are */

/* For the trace: the register's name, or its number. */
const char *link_register_name(const struct link_ops *link, enum link_area area, uint32_t off,
			       char buf[24]);

extern const struct link_ops link_direct, link_mmio, link_mmio_cached, link_pci, link_pci_intx,
	link_pci_access;
