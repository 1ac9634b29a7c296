/* The measurement that `ringside bench guest` makes. */
#pragma once

#include "guest-fw/virtio.h"

/* Drives the first block device as the command line says, and prints one line with the counts. */
void bench(struct virtio *list, unsigned n);
