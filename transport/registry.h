/*
 * The transports there are: the ways in which a guest's driver reaches a device. One row says all
 * that a machine needs to know of each: its name and options, and how a device is put on it and
 * taken off again.
 *
 * A new transport is one new folder, one row here (registry.c) and a file on the driver's side. It
 * is then what `transport=NAME' takes, with options of its own in `--device NAME,help'.
 * (transport/direct.h is no row: no guest can use it, for its driver is in this process.)
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/base/prop.h"
#include "devices/core/vdev.h"
#include "transport/board.h"

struct pci_root;

/* A page of guest-physical addresses for a device's registers (4 KiB, aligned), and the
 * edge-triggered interrupt line that goes with it. */
struct transport_page {
	uint64_t base;
	unsigned gsi;
};

/* What a transport may ask of the machine that it is part of. It outlives what is attached. */
struct transport_env {
	struct board *board;
	struct pci_root *pci; /* the PCI bus; NULL: there is none */
	/* Gives out the first page that is free; false with a usage error when all are taken. */
	bool (*page)(void *opaque, struct transport_page *ret, GError **err);
	/* Takes back one that it gave out: nothing of a device is there any more. */
	void (*page_free)(void *opaque, const struct transport_page *page);
	void *opaque;
};

/* Where a driver finds a device, for the tables that describe a machine to its guest. */
struct transport_place {
	bool has_page;
	struct transport_page page; /* if @has_page */
	unsigned pci_slot;          /* 00:SLOT.0; 0: it is not on PCI */
};

struct transport {
	const char *name;         /* as in transport=NAME */
	const char *summary;      /* one line for help */
	const struct prop *props; /* its options */
	size_t options_size;      /* of the struct that these are parsed into */

	/* Do the options ask for a certain place? Such devices are attached before the others.
	 * NULL: they cannot. */
	bool (*wants_place)(const void *options);

	/*
	 * Puts @dev, which outlives the transport, on what @env has; dev->transport is its own
	 * from now on. Answers the handle for the functions below, or NULL: with a usage error
	 * where the options or the device's cannot be met, with a host error where the board
	 * refuses.
	 */
	void *(*attach)(struct vdev *dev, const struct transport_env *env, const void *options,
			GError **err);
	/* Resets the device and takes it off. No vCPU may run any more. */
	void (*detach)(void *handle);

	/* What the machine's reset does to it: the device and all registers as after attach().
	 * While no vCPU runs. NULL: the reset of its bus does that (pci_root_reset()). */
	void (*reset)(void *handle);

	void (*place)(const void *handle, struct transport_place *ret);
};

/* The @n-th transport, or NULL beyond the last; the first is where a device is that does not
 * say. */
const struct transport *transport_nth(unsigned n);

/* The one called @name, or NULL. */
const struct transport *transport_find(const char *name);

/* Their names in this order, ended by NULL: the choices of transport=. */
extern const char *const transport_names[];
