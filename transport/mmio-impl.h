/* What mmio.c and mmio-shadow.c share and nobody else needs. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "transport/mmio-regs.h"
#include "transport/mmio.h"

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
