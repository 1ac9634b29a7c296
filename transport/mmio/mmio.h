/*
 * virtio-mmio (VIRTIO 1.4, 4.2 Virtio Over MMIO): one device behind one page of registers and one
 * edge-triggered interrupt line. Version 2; version 1 if the device has a legacy interface, for one
 * device cannot be both. The design is explained in mmio.c.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/core/vdev.h"
#include "transport/board.h"

#define MMIO_SIZE 0x1000u /* bytes of guest-physical address space a device takes */

struct mmio;

struct mmio_config {
	uint64_t base; /* guest-physical: MMIO_SIZE-aligned, MMIO_SIZE bytes */
	unsigned gsi;  /* its interrupt line: edge-triggered, its own */

	/* Once a driver runs it reads registers without an exit, where the board can do that.
	 * Breaks DEV-MMIO-REGS-04 (4.2.2.1): the used-buffer bit of InterruptStatus stays set. */
	bool cached_registers;
};

/*
 * Puts @dev on @board. Both stay the caller's and must outlive the transport; dev->transport is
 * ours from now on. NULL with a host error if the board refuses, with a usage error if the device
 * offers NOTIF_CONFIG_DATA, which virtio-mmio cannot carry, or if registers of version 1 are to be
 * cached.
 */
struct mmio *mmio_new(struct vdev *dev, struct board *board, const struct mmio_config *config,
		      GError **err);

/* Resets and detaches the device. No vCPU may run any more. NULL is fine. */
void mmio_free(struct mmio *mmio);

/* What the machine's reset does to it: the device and all registers as after mmio_new(). While no
 * vCPU runs. */
void mmio_reset(struct mmio *mmio);
