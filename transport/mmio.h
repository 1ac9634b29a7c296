/*
 * virtio-mmio, version 2 (VIRTIO 1.4, 4.2 Virtio Over MMIO): one device behind one page of
 * registers and one edge-triggered interrupt line. The design is explained in mmio.c.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "devices/vdev.h"
#include "transport/board.h"

#define MMIO_SIZE 0x1000u /* bytes of guest-physical address space a device takes */

struct mmio;

/*
 * Puts @dev at guest-physical address @base (MMIO_SIZE-aligned, MMIO_SIZE bytes) with interrupt
 * line @gsi (edge-triggered, its own). Both @dev and @board stay the caller's and must outlive the
 * transport; dev->host is ours from now on. NULL with a host error if the board refuses, with a usage
 * error if the device offers NOTIF_CONFIG_DATA, which virtio-mmio cannot carry.
 */
struct mmio *mmio_new(struct vdev *dev, struct board *board, uint64_t base, unsigned gsi,
		      GError **err);

/* Resets and detaches the device. No vCPU may run any more. NULL is fine. */
void mmio_free(struct mmio *mmio);

/* What the machine's reset does to it: the device and all registers as after mmio_new(). While no
 * vCPU runs. */
void mmio_reset(struct mmio *mmio);
