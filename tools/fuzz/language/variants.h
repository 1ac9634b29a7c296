/*
 * Which variants of a device are fuzzed. Devices that have rows here have more than one; a device
 * that has none is made with no options but those it requires, so a new one needs no line.
 */
#pragma once

#include "devices/core/vdev.h"

/* The specification of the @n-th variant of @class, modulo how many there are. */
const char *variant_nth(const struct vdev_class *class, unsigned n);

/* The n-th class of the registry whose devices are all here; NULL beyond the last. Of one
 * whose queues others serve (outside) a driver reaches nothing here but registers,
 * which are the core's. */
const struct vdev_class *variant_class(unsigned n);
