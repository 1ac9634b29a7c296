/*
 * A virtio device as its driver here sees it. Registers, and what differs between transports, are
 * the driver library's (transport/driver/virtio.h).
 *
 * One device is driven at a time, from virtio_begin() to virtio_end(). The memory of its queues is
 * fw_take()n in between.
 */
#pragma once

#include "guest-fw/fw.h"
#include "transport/driver/virtio.h"
#include "transport/pci/regs.h"
#include "virtqueue/driver/drv.h"

#define QUEUES_MAX 8u
#define CHAIN_MAX  8u /* buffers in a chain */

enum virtio_irq {
	VIRTIO_POLL,     /* none: the used ring is watched */
	VIRTIO_MSIX,     /* pci: a message for each queue */
	VIRTIO_IRQ_LINE, /* the line, which all queues share */
	N_VIRTIO_IRQS,
};

extern const char *const virtio_irq_name[N_VIRTIO_IRQS];

/* A device, and what its driver here knows. */
struct virtio {
	struct virtio_dev dev; /* dev.id 0: nothing there */
	bool not_tested;       /* a disk with something of ours on it */
	uint32_t gsi;
	bool level; /* its line is triggered by level */

	/* From virtio_begin() on. */
	enum virtio_irq irq;
	struct queue *queue[QUEUES_MAX];
	unsigned n_queues;
	unsigned round;  /* 1 after the queues were reset */
	void *notes;     /* the driver's, from one round to the next */
	const char *did; /* by the test, in words */
	bool idle;       /* the test gave the device nothing that it would have come back with */
	const char *why; /* it failed */
};

struct queue {
	struct drv_vq drv;
	struct virtio_queue regs;
	struct virtio *v;
	unsigned index;
	unsigned vector;
	uint32_t irqs_before, irqs_seen; /* of fw_irqs[vector]: at the start, and waited for */
	uint64_t kicks;                  /* made */
};

extern const struct virtio_io fw_io; /* a function is its configuration space's address */

/* Find what is there, up to @max. Return how many. */
unsigned virtio_pci_find(struct virtio *list, unsigned max);
unsigned virtio_mmio_find(struct virtio *list, unsigned max);

static inline bool virtio_on_pci(const struct virtio *v)
{
	return v->dev.pci.function != 0;
}

/* Can it interrupt that way? */
static inline bool virtio_can(const struct virtio *v, enum virtio_irq irq)
{
	return irq != VIRTIO_MSIX || virtio_on_pci(v);
}

/* Interrupts as v->irq says, and off. */
void virtio_irq_on(struct virtio *v);
void virtio_irq_off(struct virtio *v);

/* The device's part of ending an interrupt. */
void virtio_irq_ack(const struct virtio *v);

/* Does what was acknowledged go (DEV-MMIO-REGS-04)? For a driver that handles interrupts until
 * there is none. False with v->why. Cached registers break it: the word "cached" says that they are
 * on. */
bool virtio_irq_over(struct virtio *v);

/* PCI: the command register: memory, bus master, and INTx or not. */
void virtio_command(const struct virtio *v, bool intx);

/* What virtio_begin() is to do. */
struct virtio_plan {
	uint64_t features; /* those that the device offers are accepted */
	enum virtio_irq irq;
	unsigned n_queues;   /* at most */
	uint16_t queue_size; /* at most */
};

/* Reset to DRIVER_OK. False with v->why. */
bool virtio_begin(struct virtio *v, const struct virtio_plan *plan);
void virtio_end(struct virtio *v);

/* Resets every queue by itself and starts it anew at another size. */
bool virtio_restart_queues(struct virtio *v);

/* Tells the device of q->drv, q->index being set, and enables the queue. False if it refuses. */
bool queue_start(struct queue *q);

/* A chain of at most CHAIN_MAX buffers. False if there is no room. */
bool queue_add(struct queue *q, const struct drv_buf *bufs, unsigned n_rd, unsigned n_wr,
	       void *cookie);

/* One for the device to fill, whose cookie is its address. False with v->why. */
bool queue_give(struct queue *q, void *at, uint32_t len);

/* Up to @n of these, @step bytes apart, as many as there is room for; and kicks. False with v->why.
 */
bool queue_give_all(struct queue *q, void *at, unsigned n, size_t step, uint32_t len);

/* Publishes what was added, and kicks if the device wants that. */
void queue_kick(struct queue *q);

/* Waits for a used chain. False with v->why. */
bool queue_wait(struct queue *q, void **ret_cookie, uint32_t *ret_len);

/* Takes the queue's interrupt that there is, or sleeps until one comes. False with v->why. */
bool queue_sleep(struct queue *q);

/* One chain, there and back. */
bool queue_do(struct queue *q, const struct drv_buf *bufs, unsigned n_rd, unsigned n_wr,
	      uint32_t *ret_len);

/* Interrupts that came, waited for or not. */
static inline uint32_t queue_irqs(const struct queue *q)
{
	return fw_irqs[q->vector] - q->irqs_before;
}

/* True as soon as one has come. False, with v->why, if none does. */
bool virtio_had_irq(struct virtio *v);

/* For drivers: notes why, if it is the first, and is false. */
static inline bool virtio_fail(struct virtio *v, const char *why)
{
	if (!v->why)
		v->why = why;
	return false;
}

static inline struct drv_buf buf_of(const void *at, uint32_t len)
{
	return (struct drv_buf){ .gpa = (uintptr_t)at, .len = len };
}

/*
 * A driver: what it negotiates beside the ring's features, and its self-test, which is run once for
 * each way to drive the device, and once more after the queues were reset (v->round).
 */
struct driver {
	uint32_t id;
	const char *name;
	uint64_t features;
	unsigned n_queues;
	bool (*test)(struct virtio *v); /* sets v->did */
	/* After others had the device, what a reset does not mend. NULL: nothing. */
	bool (*mend)(struct virtio *v);
};

/* NULL if there is none. */
const struct driver *driver_of(const struct virtio *v);

extern const struct driver blk_driver, net_driver, rng_driver, console_driver, input_driver;
