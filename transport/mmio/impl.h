/* What mmio.c, irq.c and regpage.c share and nobody else needs. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "transport/mmio/mmio.h"
#include "transport/mmio/regs.h"
#include "transport/registry.h"

struct mmio {
	struct vdev *dev;
	struct board *board;
	const struct transport_env *env; /* whose page it has; NULL: the caller's of mmio_new() */
	struct board_region region;
	unsigned gsi;
	bool cached; /* the option: registers are read from a page while the driver runs */
	bool legacy; /* it is of version 1 */

	pthread_mutex_t lock;
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	uint32_t guest_page_size, queue_align[VDEV_QUEUES_MAX]; /* legacy.c */
	_Atomic bool device_sel_written, driver_sel_written;
	bool doorbell[VDEV_QUEUES_MAX]; /* ioeventfds of kicks that the board has */
	_Atomic bool kick_data;         /* VIRTIO_F_NOTIFICATION_DATA accepted */

	/* irq.c. */
	pthread_mutex_t irq_lock;
	int irq_fd;            /* pulses the line */
	int ack_fd;            /* counts acknowledgements of the used-buffer bit */
	bool acks_on;          /* it does (with `lock` held) */
	_Atomic uint32_t *isr; /* InterruptStatus: own_isr, or in the page */
	_Atomic uint32_t own_isr;

	/* regpage.c; none of it is used unless `cached'. */
	pthread_mutex_t page_lock;
	_Atomic bool regpage_on;
	bool no_regpage; /* the board had none for this driver (with `lock` held) */
	uint8_t *page;   /* MMIO_SIZE bytes */
};

/* mmio.c: doorbells and the register page follow the device's state; with `lock' held. */
void mmio_follow_state(struct mmio *m);

/* state.c: for the table of what the device may ask of its transport. */
void mmio_save(struct vdev *dev, GByteArray *out);
bool mmio_load(struct vdev *dev, struct unpack *in, GError **err);

/* legacy.c: registers of version 1, with `lock' held. False: it is one of both versions. */
bool mmio_legacy_read(struct mmio *m, unsigned off, uint32_t *ret);
bool mmio_legacy_write(struct mmio *m, unsigned off, uint32_t value);

/* mmio.c: the value of a 32-bit register below R_CONFIG, with `lock` held. */
uint32_t mmio_register(struct mmio *m, unsigned off);

/*
 * rules.c: tells of the rules that accesses of registers break (devices/core/rules.h). A write that
 * is lost for it is false; mmio_judge_queue() wants `lock' held, and takes any register.
 */
void mmio_judge_read(struct mmio *m, unsigned off, unsigned len);
bool mmio_judge_write(struct mmio *m, unsigned off, unsigned len);
void mmio_judge_queue(struct mmio *m, unsigned off, uint32_t value);

/* irq.c. None of it needs a lock but mmio_irq_acks(), which wants `lock` held. */
bool mmio_irq_open(struct mmio *m, GError **err);
void mmio_irq_close(struct mmio *m); /* also half-made ones */

/* An event: sets @bit (MMIO_INT_*) and interrupts, if the driver runs. */
void mmio_irq_raise(struct mmio *m, uint32_t bit);

/* What the driver reads; a trapped acknowledgement; a reset of the device. */
uint32_t mmio_irq_status(struct mmio *m);
void mmio_irq_ack(struct mmio *m, uint32_t bits);
void mmio_irq_reset(struct mmio *m);
void mmio_irq_restore(struct mmio *m, uint32_t bits); /* InterruptStatus is @bits, as it was once */

/* Acknowledgements of the used-buffer bit need no exit from now on, if the board can; or trap. */
void mmio_irq_acks(struct mmio *m, bool on);

/* regpage.c. The first two do nothing where registers are not cached. */
bool mmio_regpage_new(struct mmio *m, GError **err);
void mmio_regpage_free(struct mmio *m);

/* Shows or hides the cached register page, if the board has it; with `lock` held. */
void mmio_regpage_set(struct mmio *m, bool on);

/* The selected queue's reset begins: QueueReset reads 1 until mmio_regpage_written(); with `lock`
 * held. */
void mmio_regpage_resetting(struct mmio *m);

/*
 * While the cached register page is on, what a trapped read of the generation or the configuration
 * space gives: the page's, so that all that a driver sees comes from one place. Such a read is one
 * that met the page hidden, and by now it may be shown again, older than the device. False: ask the
 * device.
 */
bool mmio_regpage_read(struct mmio *m, uint64_t off, unsigned len, uint64_t *ret_bytes);

/* A trapped write is done, to the configuration space or to a register; with `lock` held. */
void mmio_regpage_written(struct mmio *m, bool config);

/* The device changed its status or configuration. From any thread. */
void mmio_regpage_changed(struct mmio *m);
