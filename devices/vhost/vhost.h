/*
 * Queues that the kernel serves: vhost (Linux, include/uapi/linux/vhost.h). A device class opens
 * the kernel's device of its type, /dev/vhost-NAME, and gives the queues that it has there the
 * engine below (devices/core/engine.h). Everything else of the device stays the class's: features
 * and configuration space, and the queues that the kernel does not know.
 *
 * The kernel has a device's rings, its memory table, and for each ring two descriptors: it waits
 * for kicks on the one and writes the other for interrupts, so that neither comes by this process
 * where the transport has descriptors for both. Its thread belongs to this process from the first
 * ring on (SET_OWNER), and not before: a process that shuts itself in can have no second thread by
 * then (vmm/sandbox/root.c).
 *
 * All that is said to it is said on the thread that owns the queues. Its mistakes, as the
 * operator's and the driver's that it finds first, end in the queue's failing.
 */
#pragma once

#include "devices/core/engine.h"
#include "devices/vhost/kernel.h"

#define VHOST_RINGS 2u /* of a kernel's device: those of net and of vsock */

struct vhost;

/* A type of the kernel's devices. */
struct vhost_kind {
	const char *path;   /* of its device */
	const char *module; /* that makes it */
	bool together;      /* its rings run all or none */

	/* Ring @ring has all that it needs and begins, or stops for a while: what is the type's
	 * own to do (vhost_call()). */
	bool (*run)(struct vhost *v, unsigned ring, bool on);

	/* The device has started or stopped ring @ring (v->ring[ring].wanted), and what runs is
	 * settled next. NULL: of no interest. */
	void (*changed)(struct vhost *v, unsigned ring);
};

struct vhost_ring {
	bool wanted; /* by the device: it was handed to the kernel */
	bool runs;
	struct vq_config config;
	int err_fd; /* the kernel writes it when it cannot go on with the ring */
	GSource *err_watch;
};

struct vhost {
	const struct vhost_kind *kind;
	struct vdev *dev;
	unsigned first; /* queue of the device that is ring 0 */
	int fd;
	uint64_t features; /* that the kernel has */
	uint64_t own;      /* those between it and us that are set beside the driver's */
	bool held;         /* vhost_hold() */

	/* What it was told: */
	bool owned;
	uint64_t told;               /* features */
	uint64_t *log;               /* of written pages */
	struct vhost_memory *memory; /* NULL: none */

	struct vhost_ring ring[VHOST_RINGS];
	char wrong[96]; /* what the last call that failed said */
};

/*
 * In a class's open(): opens the kernel's device for queues @first and following of @dev. False if
 * it is not there, with an error that begins with @context; vhost_close() is called anyway. One
 * that is all zeroes is closed.
 */
bool vhost_open(struct vhost *v, const struct vhost_kind *kind, struct vdev *dev, unsigned first,
		const char *context, GError **err);
void vhost_close(struct vhost *v);

/* Of what the core and the class offer so far, offers only what the kernel has: common features,
 * and the class's @own (a set of bits). False if that is less than ring=packed asks for. */
bool vhost_offer(struct vhost *v, uint64_t own, const char *context, GError **err);

/* The rings that the device has started stand still as long as this is so, and lose nothing. On the
 * owner's thread. */
void vhost_hold(struct vhost *v, bool held);

/* For vhost_kind.run(): false with v->wrong. */
#define vhost_call(v, request, arg) vhost_call_named((v), (request), #request, (arg))
bool vhost_call_named(struct vhost *v, unsigned long request, const char *name, void *arg);

/* vhost_kind of a queue with it is queue->engine_data's. */
extern const struct vdev_engine vhost_engine;

/* Between vhost.c and rings.c: features, memory and its log are the kernel's as they are now. */
bool vhost_ready(struct vhost *v);
