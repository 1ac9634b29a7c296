/*
 * What a device in hardware would put on its PCI Express link for a ring: the engine's accesses,
 * made by DMA.
 *
 * The device keeps nothing between two of its steps (looking for chains, giving them back, asking
 * for kicks). In a step, reads of adjoining bytes are one request, as a device reads ahead that
 * knows how many entries there are; writes keep their order, as what is visible last must be, and
 * adjoining ones are one. Gaps of up to 8 bytes are written, too: a used descriptor's address means
 * nothing. A request reads up to 512 bytes, a packet carries up to 256, and neither crosses a
 * boundary of 4096. Bytes are those of packets of the transaction layer as they go over the link
 * (PCI Express Base Specification 3.0): header (16 with 64-bit addresses, 12 of a completion),
 * whole words of data, and 8 for framing, sequence number and check.
 *
 * With VIRTIO_F_NOTIFICATION_DATA a kick tells how far the driver has come, so the device reads no
 * available index, and does not look at descriptors to find that they are not available yet.
 * Buffers are not counted: they are the same whatever the ring.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcie_count {
	uint64_t reads, writes; /* requests; each posted write counts */
	uint64_t bytes;         /* over the link, both ways */
};

struct pcie {
	struct pcie_count plain, notified; /* without and with NOTIFICATION_DATA */
	GArray *reads;                     /* of this step */
	size_t write_at, write_end;        /* the write that may still grow; empty if equal */
};

void pcie_open(struct pcie *p);
void pcie_close(struct pcie *p);

/* @told: with NOTIFICATION_DATA the device would know. */
void pcie_read(struct pcie *p, size_t offset, size_t len, bool told);
void pcie_write(struct pcie *p, size_t offset, size_t len);

/* A step is over. @in_vain: the device looked and found nothing. */
void pcie_step(struct pcie *p, bool in_vain);

/* A kick (which the processor writes to the device) or an MSI-X message (the reverse): 4 bytes. */
void pcie_message(struct pcie *p);
