/*
 * Which variants of a device are fuzzed. Devices that have rows here have more than one; a device
 * that has none is made with no options but those it requires, so a new one needs no line.
 */
#pragma once

#include "devices/core/vdev.h"

/* The specification of the @n-th variant of @class, modulo how many there are. */
const char *variant_nth(const struct vdev_class *class, unsigned n);
