/*
 * A device's state as data: what a driver and the rings have made of it, apart from its options.
 *
 * vdev_state_get() copies it out of a device, running or not, and vdev_state_set() puts it into one
 * that does not run. vdev_state_save() and vdev_state_load() do the same with a record of bytes, in
 * the form of the specification's device parts (VIRTIO 1.4, 2.13 and the administration commands
 * about them), with what the class and the transport keep besides: for snapshots, for a device
 * process that starts again, for vhost-user's DEVICE_STATE. docs/state.md describes the record.
 *
 * Nobody outside devices/core takes a device's lock or writes its fields.
 */
#pragma once

#include "devices/core/vdev.h"

struct vdev_queue_state {
	/* As the driver programmed it. */
	uint16_t size, size_max;
	uint64_t desc, driver, device; /* guest-physical addresses */
	bool enabled;

	bool ran; /* it was started once since its reset, and goes on from */
	struct vq_position position;

	/* To look at: vdev_state_set() takes the figures alone. */
	bool started;
	unsigned in_flight; /* chains that the device has and has not given back */
	enum vq_fault fault;
	struct vq_stats stats;
};

struct vdev_state {
	uint32_t status;                    /* VIRTIO_S_* */
	bool legacy, begun;                 /* the driver is a legacy one; its queues are in use */
	struct vfeatures offered, accepted; /* offered: to be compared */
	uint8_t config[VDEV_CONFIG_MAX];
	size_t config_size;
	uint32_t generation; /* of the configuration, as a driver that looks now would see it */
	unsigned n_queues;
	struct vdev_queue_state queue[VDEV_QUEUES_MAX];
};

/*
 * Copies the state of @dev. From any thread but an owner's. While a queue runs its figures are
 * those of one moment; the owner is asked, and the device's lock is not held meanwhile, so there is
 * an answer while a reset waits for the host, too.
 */
void vdev_state_get(struct vdev *dev, struct vdev_state *ret);

/* The same without the queues (theirs is 0), so that no owner is asked; and of queue @q, below
 * n_queues. */
void vdev_state_get_device(struct vdev *dev, struct vdev_state *ret);
void vdev_queue_state_get(struct vdev *dev, unsigned q, struct vdev_queue_state *ret);

/* Does a call of the driver wait for owners now? For tests of what happens meanwhile. */
bool vdev_is_changing(struct vdev *dev);

/*
 * Makes @dev, which is paused or was reset, what @state says, without what its class keeps besides:
 * that is as after the negotiation. vdev_resume() starts it. The configuration space stays the
 * device's own; a driver that runs is told if it is not what @state has (DEV-ADMIN-PARTS-29).
 *
 * Refuses with @err what this device with its options could not have come to.
 */
bool vdev_state_set(struct vdev *dev, const struct vdev_state *state, GError **err);

/* Forgets what a reset leaves by design: the generation, the queues' figures, how many messages
 * were logged. Of a device that was reset, by who wants two runs on it to be the same. */
void vdev_state_forget(struct vdev *dev);

/*
 * Appends the record of @dev, which is paused or does not run, to @out. What it has in flight comes
 * to its end before, or goes back into the ring: this takes as long as the host does. The device
 * can go on afterwards.
 */
bool vdev_state_save(struct vdev *dev, GByteArray *out, GError **err);

/*
 * Makes @dev, which is paused or was reset, what the record of @len @bytes says; vdev_resume()
 * starts it. Nothing in a record is trusted. Refuses with @err what is malformed or does not fit
 * this device: then nothing has happened, or, if it was the class's or the transport's part, the
 * device is as after a reset.
 */
bool vdev_state_load(struct vdev *dev, const uint8_t *bytes, size_t len, GError **err);
