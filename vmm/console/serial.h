/*
 * The serial port: a 16550 (vmm/console/uart.h) between the guest's I/O ports and a stream of bytes
 * on the host (devices/backend/chr/chr.h). What the guest prints is gathered
 * (vmm/console/gather.h).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "devices/backend/chr/chr.h"
#include "devices/base/loop.h"
#include "vmm/machine/bus.h"

struct serial;

struct serial_ops {
	/* The interrupt line changed; on any thread. */
	void (*irq)(void *opaque, bool level);
	/* The guest printed this; on the main thread. */
	void (*printed)(void *opaque, const uint8_t *data, size_t len);
};

/* @chr becomes the port's. NULL with a host error. The rest must outlive it. */
struct serial *serial_new(struct chr *chr, struct loop *main, const struct serial_ops *ops,
			  void *opaque, GError **err);

/* Writes what is still to be written, and frees. NULL is fine. */
void serial_free(struct serial *s);

/* Puts the port on the bus. 0 or -errno. */
int serial_plug(struct serial *s, struct bus *bus, uint64_t port);

/* The machine starts again. While no vCPU runs. */
void serial_reset(struct serial *s);

/* A vCPU that prints faster than the host reads waits, unless @unthrottled: the vCPUs are to pause
 * now. */
void serial_unthrottle(struct serial *s, bool unthrottled);

/* The line is held in the break condition for a moment, as a terminal's Break key does: Linux takes
 * the next character for a SysRq command. */
void serial_send_break(struct serial *s);

/* Everything printed so far goes to the host, as far as it takes it at once. On the main thread. */
void serial_flush(struct serial *s);
