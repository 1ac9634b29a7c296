/*
 * The debug console of Bochs and QEMU: an I/O port, 0xe9, to which a kernel writes what it has to
 * say, a byte a write, without any set-up. Reading gives 0xe9, by which a kernel knows that
 * it is there. Firmware does the same at port 0x402.
 */
#pragma once

#include <glib.h>

#include "devices/backend/chr/chr.h"
#include "devices/base/loop.h"
#include "vmm/machine/bus.h"

#define DEBUGCON_PORT          0xe9u
#define DEBUGCON_FIRMWARE_PORT 0x402u
#define DEBUGCON_PORTS         2u

struct debugcon;

/* @chr becomes the console's. NULL with a host error. */
struct debugcon *debugcon_new(struct chr *chr, struct loop *main, GError **err);
void debugcon_free(struct debugcon *d); /* writes what is still to be written; NULL is fine */

/* Puts the ports on the bus. 0 or -errno. */
int debugcon_plug(struct debugcon *d, struct bus *bus);

/* As of the serial port: vmm/console/serial.h. */
void debugcon_unthrottle(struct debugcon *d, bool unthrottled);
void debugcon_flush(struct debugcon *d);
