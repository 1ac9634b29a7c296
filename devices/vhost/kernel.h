/* The kernel's interface, without its rings: virtqueue/vring.h has them by the same names. */
#pragma once

#include "virtqueue/vring.h"

#define _LINUX_VIRTIO_RING_H
#include <linux/vhost.h>
