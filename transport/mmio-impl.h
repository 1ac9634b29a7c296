/* What mmio.c and mmio-shadow.c share and nobody else needs. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "transport/mmio.h"

/* Registers (4.2.2). */
enum {
	R_MAGIC = 0x000,
	R_VERSION = 0x004,
	R_DEVICE_ID = 0x008,
	R_VENDOR_ID = 0x00c,
	R_DEVICE_FEATURES = 0x010,
	R_DEVICE_FEATURES_SEL = 0x014,
	R_DRIVER_FEATURES = 0x020,
	R_DRIVER_FEATURES_SEL = 0x024,
	R_QUEUE_SEL = 0x030,
	R_QUEUE_SIZE_MAX = 0x034,
	R_QUEUE_SIZE = 0x038,
	R_QUEUE_READY = 0x044,
	R_QUEUE_NOTIFY = 0x050,
	R_INTERRUPT_STATUS = 0x060,
	R_INTERRUPT_ACK = 0x064,
	R_STATUS = 0x070,
	R_QUEUE_DESC = 0x080,
	R_QUEUE_DRIVER = 0x090,
	R_QUEUE_DEVICE = 0x0a0,
	R_SHM_LEN = 0x0b0,
	R_SHM_BASE = 0x0b8,
	R_QUEUE_RESET = 0x0c0,
	R_CONFIG_GENERATION = 0x0fc,
	R_CONFIG = 0x100,
};

#define MMIO_INT_USED   1u
#define MMIO_INT_CONFIG 2u

struct mmio {
	struct vdev *dev;
	struct board *board;
	struct board_window window;
	unsigned gsi;
	int irq_fd; /* pulses the line */
	int ack_fd; /* swallows acknowledgements */

	pthread_mutex_t lock;
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	bool bell[VDEV_QUEUES_MAX]; /* doorbells that are hung up */
	_Atomic bool kick_data;     /* VIRTIO_F_NOTIFICATION_DATA accepted */

	pthread_mutex_t page_lock;
	_Atomic bool shadow_on;
	bool no_shadow;        /* the board had none for this driver (with `lock` held) */
	bool acks_on;          /* acknowledgements are swallowed (with `lock` held) */
	uint8_t *page;         /* MMIO_SIZE bytes */
	_Atomic uint32_t *isr; /* InterruptStatus, in the page: always the true one */
};

/* mmio.c: the value of a 32-bit register below R_CONFIG, with `lock` held. */
uint32_t mmio_register(struct mmio *m, unsigned off);

/* mmio-shadow.c. */
bool mmio_shadow_new(struct mmio *m, GError **err);
void mmio_shadow_free(struct mmio *m);

/* Shows or hides the shadow, if the board has it; with `lock` held. */
void mmio_shadow_set(struct mmio *m, bool on);

/* The selected queue's reset begins: QueueReset reads 1 until mmio_shadow_written(); with `lock` held. */
void mmio_shadow_resetting(struct mmio *m);

/*
 * While the shadow is on, what a trapped read of the generation or the configuration space gives: the
 * page's, so that all that a driver sees comes from one place. Such a read is one that met the page
 * hidden, and by now it may be shown again, older than the device. False: ask the device.
 */
bool mmio_shadow_read(struct mmio *m, uint64_t off, unsigned len, uint64_t *ret_bytes);

/* A trapped write is done, to the configuration space or to a register; with `lock` held. */
void mmio_shadow_written(struct mmio *m, bool config);

/* The device changed its status or configuration; with page_lock held. From any thread. */
void mmio_shadow_changed(struct mmio *m);
