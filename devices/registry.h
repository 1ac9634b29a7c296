/* The device classes there are. A new device is one new folder and one row in registry.c. */
#pragma once

#include "devices/core/vdev.h"

/* The class called @name ("blk"), or NULL. */
const struct vdev_class *vdev_class_find(const char *name);

/* The @n-th class in order of names, or NULL beyond the last: for help, tests and fuzzers. */
const struct vdev_class *vdev_class_nth(unsigned n);
