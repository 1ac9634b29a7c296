/*
 * A console's ports, for whoever manages the machine: which there are, and taking one away.
 */
#pragma once

#include <stdbool.h>

struct vdev;

/* True if @dev is a console. */
bool console_is(const struct vdev *dev);

struct console_port_state {
	unsigned id;
	const char *name; /* the device's own; NULL: the console, which has none */
	bool connected;   /* somebody is at the host's end */
	bool open;        /* somebody in the guest has it open */
};

/* Calls @each for every port of the console @dev, on the caller's thread. */
void console_ports(struct vdev *dev,
		   void (*each)(const struct console_port_state *state, void *arg), void *arg);

/*
 * Takes the port called @name away: closes its host's end, and tells a driver that was told of the
 * port (VIRTIO_CONSOLE_DEVICE_REMOVE, VIRTIO 1.4, 5.3.6.2). What the guest still transmits there
 * goes nowhere, and its receive buffers are not touched any more. The number stays unused for as
 * long as the device lives, resets included. False if there is no such port; port 0 has no name and
 * stays. On the main thread.
 */
bool console_port_remove(struct vdev *dev, const char *name);
