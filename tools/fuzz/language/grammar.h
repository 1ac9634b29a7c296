/*
 * The words of each target's language: which records there are and what their arguments are. Tables
 * without functions, for the mutator has to know them and nothing else, also as AFL++'s library.
 * What a record does is in the target's own file, by the same numbers.
 *
 * An argument is a letter of the signature:
 *
 *	b w d l   an integer of 1, 2, 4, 8 bytes, anything
 *	q         1 byte, a queue or another small number
 *	n         1 byte, a small count
 *	h         1 byte, a chain's shape: readable buffers in the low half, writable ones in
 *	          the high one
 *	g         1 byte, what to do with a chain: SHAPE_* (refdrv.h)
 *	r         2 bytes, one of the target's registers
 *	v         8 bytes, a value: an interesting number, or an address in the guest's memory
 *	f         8 bytes, bits: a few of them set
 *	s         bytes up to the end
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct grammar_op {
	const char *name;
	const char *args;
	uint8_t weight; /* how often it is made up, 0: never */
};

/* What an 's' of this target may hold that means something. */
struct grammar_bytes {
	const char *bytes;
	unsigned len;
};

/* Records that belong together. */
#define GRAMMAR_PHRASE_MAX 6u
struct grammar_phrase {
	uint8_t n, op[GRAMMAR_PHRASE_MAX];
};

struct grammar {
	const char *name;
	unsigned heading; /* bytes before the first record */
	unsigned n_ops;
	const struct grammar_op *ops;
	unsigned n_registers;
	const uint16_t *registers;
	unsigned n_phrases;
	const struct grammar_phrase *phrases;
	unsigned n_examples;
	const struct grammar_bytes *examples;
};

/* The grammar of a target, by its name ("blk-packed", "boot"). A name of no other is a device's. */
const struct grammar *grammar_of(const char *target);

/* Records of device targets (a device's name, '-', a ring's layout). */
enum {
	DEV_START,
	DEV_STATUS,
	DEV_FEATURES,
	DEV_READ,
	DEV_WRITE,
	DEV_CHAIN,
	DEV_CORRUPT,
	DEV_PUBLISH,
	DEV_KICK,
	DEV_TURN,
	DEV_COLLECT,
	DEV_INTERRUPTS,
	DEV_RESET,
	DEV_QUEUE_RESET,
	DEV_QUEUE_START,
	DEV_PAUSE,
	DEV_RESUME,
	DEV_POKE,
	DEV_RACE,
	DEV_TIME,
	DEV_REFUSE,
	DEV_FAIL,
	DEV_DISK_POLICY,
	DEV_DISK_END,
	DEV_FRAME,
	DEV_SOCKET,
	DEV_BYTES,
	DEV_PEER,
	DEV_EVENTS,
	DEV_HOST_BYTES,
	DEV_HOST_PEER,
	DEV_MACHINE_RESET,
	N_DEV_OPS,
};

/* Of ring targets ("ring-split", "ring-packed"). */
enum {
	RING_START,
	RING_CHAIN,
	RING_CORRUPT,
	RING_PUBLISH,
	RING_COLLECT,
	RING_POP,
	RING_USE,
	RING_PUSH,
	RING_UNPOP,
	RING_FLUSH,
	RING_ARM,
	RING_STOP,
	RING_POKE,
	RING_RACE,
	N_RING_OPS,
};

/* Of "driver-split" and "driver-packed". */
enum {
	DRIVER_START,
	DRIVER_CHAIN,
	DRIVER_PUBLISH,
	DRIVER_USED,
	DRIVER_NOTIFY,
	DRIVER_SAY,
	DRIVER_SCRIBBLE,
	N_DRIVER_OPS
};

/* Of "pci" and "mmio". */
enum {
	BUS_READ,
	BUS_WRITE,
	BUS_PORT_READ,
	BUS_PORT_WRITE,
	BUS_RAISE,
	BUS_CONFIG,
	BUS_START,
	BUS_INTERRUPTS,
	BUS_EOI,
	BUS_REFUSE,
	BUS_RESET,
	BUS_TURN,
	N_BUS_OPS,
};

/* Of "control". */
enum {
	CONTROL_CONNECT,
	CONTROL_SAY,
	CONTROL_LINE,
	CONTROL_HANG_UP,
	CONTROL_ROOM,
	CONTROL_TURN,
	CONTROL_EVENT,
	CONTROL_FAIL,
	CONTROL_START,
	CONTROL_CHAIN,
	CONTROL_CORRUPT,
	CONTROL_PUBLISH,
	N_CONTROL_OPS
};

#define CONTROL_COMMANDS 35u /* that a CONTROL_LINE may name, by number */

/* Of "boot": what the kernel's file begins as, and what is changed in it. */
enum {
	BOOT_BASE,
	BOOT_PATCH,
	BOOT_NUMBER,
	BOOT_CUT,
	BOOT_INITRD,
	BOOT_CMDLINE,
	BOOT_MEMORY,
	BOOT_FORMAT,   /* it begins as one of BOOT_FORMATS */
	BOOT_SUM,      /* its multiboot headers add up again */
	BOOT_PACK,     /* it is compressed */
	BOOT_PROTOCOL, /* --protocol */
	BOOT_INITRDS,  /* more of them */
	N_BOOT_OPS
};

#define BOOT_FORMATS 8u
#define BOOT_PACKERS 4u

/* Of "options". */
enum { OPT_WORD, OPT_PAIR, OPT_DEVICE, N_OPT_OPS };

/* Of "acpi". */
enum { ACPI_CPUS, ACPI_PCI, ACPI_MMIO, ACPI_MEMORY, N_ACPI_OPS };

/* Of "ports". */
enum { PORT_WRITE, PORT_READ, PORT_PRINT, PORT_TYPE, PORT_PEER, PORT_TURN, N_PORT_OPS };

/* Of "front-end". */
enum {
	FRONT_SAY,
	FRONT_SET_UP,
	FRONT_CHAIN,
	FRONT_MEMORY,
	FRONT_KICK,
	FRONT_TURN,
	FRONT_HANG_UP,
	N_FRONT_OPS
};

/* Of "back-end": what the driver does, and the back-end. */
enum {
	BACK_START,
	BACK_CHAIN,
	BACK_RESET,
	BACK_WRITE,
	BACK_PAUSE,
	BACK_ANSWER,
	BACK_SAY,
	BACK_CONFIG,
	BACK_USE,
	BACK_CALL,
	BACK_SCRIBBLE,
	BACK_HANG_UP,
	BACK_TURN,
	N_BACK_OPS
};

/* Of "vfio-user". */
enum {
	VFIO_SAY,
	VFIO_SET_UP,
	VFIO_ACCESS,
	VFIO_IRQS,
	VFIO_MAP,
	VFIO_CHAIN,
	VFIO_MEMORY,
	VFIO_KICK,
	VFIO_TURN,
	VFIO_HANG_UP,
	N_VFIO_OPS
};

/* Of "state": what a driver does, what becomes of a record, what the host does. */
enum {
	STATE_START,
	STATE_CHAIN,
	STATE_PUBLISH,
	STATE_TURN,
	STATE_COLLECT,
	STATE_WRITE,
	STATE_INTERRUPTS,
	STATE_SAVE,
	STATE_LOAD,
	STATE_SAVE_LOAD,
	STATE_VALUE,
	STATE_LENGTH,
	STATE_HEADER,
	STATE_ORDER,
	STATE_BYTES,
	STATE_HOST,
	N_STATE_OPS
};

/* Of "net-socket", "net-tap" and "net-user". */
enum {
	NET_FROM_PEER,
	NET_TO_PEER,
	NET_ROOM,
	NET_GONE,
	NET_COME,
	NET_WANT,
	NET_TURN,
	NET_TIME,
	NET_SET,
	NET_FULL,
	NET_CONNECT, /* of "net-user" alone, these four */
	NET_FLOOD,
	NET_RESTART,
	NET_FAIL,
	N_NET_OPS
};
