/*
 * Ways to a device, as a driver sees them. What a driver does is the driver library's (fx->driver);
 * a link is what that leaves to its user, and the registers by their bare numbers. Nothing is taken
 * for granted: the input may have written anything anywhere before, and no answer is waited for.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tools/fuzz/language/area.h"

struct virtio_queue;
struct fixture;

struct link_ops {
	const char *name;
	unsigned variant; /* the link's own business */
	bool legacy;      /* for devices with legacy=on: what has no such interface is on direct */

	void (*open)(struct fixture *fx); /* the transport, and fx->driver */
	void (*close)(struct fixture *fx);
	void (*machine_reset)(struct fixture *fx); /* everything as after open() */
	void (*ready)(
		struct fixture *fx); /* what a driver does before virtio begins. NULL: nothing */
	void (*reset_selectors)(struct fixture *fx); /* what it selected last is forgotten */

	/* Gives queue @q, or the configuration (-1), its interrupt vector. NULL: there are none. */
	void (*vector)(struct fixture *fx, int q);

	/* @len is 1, 2, 4 or 8. What is not there reads as 0 and swallows what is written. */
	uint64_t (*read)(struct fixture *fx, enum link_area area, uint32_t off, unsigned len);
	void (*write)(struct fixture *fx, enum link_area area, uint32_t off, unsigned len,
		      uint64_t value);

	unsigned (*interrupts)(struct fixture *fx); /* takes and handles them; how many */
};

/* What a driver does over any of them. */
uint32_t link_offered(struct fixture *fx, unsigned word);
void link_accept(struct fixture *fx, unsigned word, uint32_t bits);
void link_set_status(struct fixture *fx, uint8_t status);
void link_queue_set(struct fixture *fx, const struct virtio_queue *q); /* and enables it */
void link_queue_reset(struct fixture *fx, unsigned q);
void link_kick(struct fixture *fx, unsigned q, uint32_t value);

const struct link_ops *link_nth(unsigned n); /* modulo how many there are */

/* For the trace: the register's name, or its number. */
const char *link_register_name(const struct link_ops *link, enum link_area area, uint32_t off,
			       char buf[24]);

extern const struct link_ops link_direct, link_mmio, link_mmio_cached, link_pci, link_pci_intx,
	link_pci_access, link_legacy_mmio, link_legacy_pci;
