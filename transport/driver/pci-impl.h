/* What pci.c and pci-legacy.c share. Nobody else includes this. */
#pragma once

#include "transport/driver/virtio.h"

/* Fills in @v, with these @ops, from a function's configuration space: device type, BARs,
 * capabilities. False if it is no virtio device, or (v->error) makes no sense. */
bool virtio_pci_scan(struct virtio_dev *v, const struct virtio_ops *ops, const struct virtio_io *io,
		     uint64_t function);
