/*
 * Observers: whoever wants to know what happens to a device, and is neither its class nor its
 * transport.
 *
 * An observer is a struct vdev_observer, usually the first member of a larger one, with a table of
 * functions, one for each event; those that it leaves NULL are not told. Any number can look at one
 * device. Attaching and leaving is for when nobody calls the device: before its driver does, or
 * while the machine stands still (a paused device is fine). docs/observers.md has an example.
 *
 * Nothing is allocated for an event, and none is kept. With nobody looking an event costs the test
 * of one pointer, in a queue (virtqueue/observe.h) of one flag.
 *
 * Threads. What concerns a queue is told on its owner's thread, the rest on the thread that it
 * happens on, which for registers is a vCPU's: an observer of both must expect to be called by
 * several at a time. No function may call the device, wait, or change what it is shown.
 */
#pragma once

#include "devices/core/rules.h"
#include "devices/core/vdev.h"
#include "virtqueue/observe.h"

/* Where registers lie: a region of virtio-mmio (with the configuration space in it), the legacy
 * interface's I/O ports, or a structure of virtio-pci (4.1.4). */
enum vdev_space {
	VDEV_SPACE_MMIO,
	VDEV_SPACE_PORTS,
	VDEV_SPACE_COMMON,
	VDEV_SPACE_ISR,
	VDEV_SPACE_CONFIG,
	VDEV_SPACE_NOTIFY,
	VDEV_SPACE_MSIX, /* its table, */
	VDEV_SPACE_PENDING,
	VDEV_SPACE_NONE, /* and what of the BAR is none of them */
};

/* An access of the transport's registers that trapped: @off from where they begin (pci: from the
 * BAR), which is @at in @space. */
struct vdev_access {
	enum vdev_space space;
	uint64_t at, off, value;
	unsigned len; /* bytes */
	bool write;
};

struct vdev_observer_ops {
	/* Of a read after, of a write before it does anything. Doorbells that are ioeventfds, and
	 * reads of a cached register page, trap nowhere and are not seen. */
	void (*access)(struct vdev_observer *o, struct vdev *dev, const struct vdev_access *a);

	/* The status register changed (2.1): by the driver, or DEVICE_NEEDS_RESET was set. A reset
	 * is told where it was 0 before, too: what else the driver had written is gone. */
	void (*status)(struct vdev_observer *o, struct vdev *dev, uint32_t before, uint32_t after);

	/* Configuration space was read, or is about to be written: @bytes as the driver sees or
	 * wrote them. A transport that keeps a copy for drivers to read from reads all of it
	 * whenever it changes. */
	void (*config)(struct vdev_observer *o, struct vdev *dev, size_t off, const void *bytes,
		       size_t len, bool write);

	/* The driver broke a rule that registers show; see rules.h. */
	void (*rule)(struct vdev_observer *o, struct vdev *dev, enum vdev_rule rule,
		     const char *where);

	/* A configuration change interrupt goes to the transport. */
	void (*config_interrupt)(struct vdev_observer *o, struct vdev *dev);

	/* Queue @q is served from now on, at first and after a pause; or no more. */
	void (*queue_started)(struct vdev_observer *o, struct vdev *dev, unsigned q);
	void (*queue_stopped)(struct vdev_observer *o, struct vdev *dev, unsigned q,
			      enum vdev_stop why);

	/* @n notifications of the driver's reached the owner together. */
	void (*kicked)(struct vdev_observer *o, struct vdev *dev, unsigned q, uint64_t n);

	/* The device took a chain; gave it back unused, so that it is to be popped again; gave it
	 * back with a used length of @len. See virtqueue/observe.h. */
	void (*popped)(struct vdev_observer *o, struct vdev *dev, unsigned q,
		       const struct vq_chain *c);
	void (*unpopped)(struct vdev_observer *o, struct vdev *dev, unsigned q,
			 const struct vq_chain *c);
	void (*pushed)(struct vdev_observer *o, struct vdev *dev, unsigned q,
		       const struct vq_chain *c, uint32_t len);

	/* Chains became the driver's, and it is interrupted for them; or not, because it does not
	 * want to be
	 * (@sent false). */
	void (*interrupt)(struct vdev_observer *o, struct vdev *dev, unsigned q, bool sent);

	/* The driver broke the ring, or where it lies cannot be; @head: vq_fault_head(). */
	void (*fault)(struct vdev_observer *o, struct vdev *dev, unsigned q, enum vq_fault fault,
		      uint16_t head);
};

struct vdev_observer {
	const struct vdev_observer_ops *ops;
	struct vdev_observer *next; /* of the same device's */
};

/* @o looks at @dev from now on, after those that do already. It looks at one device, and lives
 * longer than that, or leaves before. */
void vdev_observe(struct vdev *dev, struct vdev_observer *o);
void vdev_unobserve(struct vdev *dev, struct vdev_observer *o);

/*
 * ---- for the core and for transports: something happened ----
 */
void vdev_tell_access(struct vdev *dev, const struct vdev_access *a);
void vdev_tell_status(struct vdev *dev, uint32_t before, uint32_t after);
void vdev_tell_config(struct vdev *dev, size_t off, const void *bytes, size_t len, bool write);
void vdev_tell_rule(struct vdev *dev, enum vdev_rule rule, const char *where);
void vdev_tell_config_interrupt(struct vdev *dev);
void vdev_tell_started(struct vdev *dev, unsigned q);
void vdev_tell_stopped(struct vdev *dev, unsigned q, enum vdev_stop why);
void vdev_tell_kicked(struct vdev *dev, unsigned q, uint64_t n);
void vdev_tell_interrupt(struct vdev *dev, unsigned q, bool sent);
void vdev_tell_fault(struct vdev *dev, unsigned q, enum vq_fault fault, uint16_t head);

static inline void vdev_saw_access(struct vdev *dev, const struct vdev_access *a)
{
	if (G_UNLIKELY(dev->observer))
		vdev_tell_access(dev, a);
}

static inline void vdev_saw_status(struct vdev *dev, uint32_t before, uint32_t after)
{
	if (G_UNLIKELY(dev->observer) && (before != after || !after))
		vdev_tell_status(dev, before, after);
}

static inline void vdev_saw_config(struct vdev *dev, size_t off, const void *bytes, size_t len,
				   bool write)
{
	if (G_UNLIKELY(dev->observer))
		vdev_tell_config(dev, off, bytes, len, write);
}

static inline void vdev_saw_rule(struct vdev *dev, enum vdev_rule rule, const char *where)
{
	if (G_UNLIKELY(dev->observer))
		vdev_tell_rule(dev, rule, where);
}

static inline void vdev_saw_config_interrupt(struct vdev *dev)
{
	if (G_UNLIKELY(dev->observer))
		vdev_tell_config_interrupt(dev);
}

static inline void vdev_saw_started(struct vdev *dev, unsigned q)
{
	if (G_UNLIKELY(dev->observer))
		vdev_tell_started(dev, q);
}

static inline void vdev_saw_stopped(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	if (G_UNLIKELY(dev->observer))
		vdev_tell_stopped(dev, q, why);
}

static inline void vdev_saw_kicked(struct vdev *dev, unsigned q, uint64_t n)
{
	if (G_UNLIKELY(dev->observer))
		vdev_tell_kicked(dev, q, n);
}

static inline void vdev_saw_fault(struct vdev *dev, unsigned q, enum vq_fault fault)
{
	if (G_UNLIKELY(dev->observer))
		vdev_tell_fault(dev, q, fault, 0);
}

static inline void vdev_saw_interrupt(struct vdev *dev, unsigned q)
{
	if (G_UNLIKELY(dev->observer))
		vdev_tell_interrupt(dev, q, true);
}
