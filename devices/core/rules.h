/*
 * Rules for drivers that registers show: status and negotiation, queue registers, accesses of a
 * transport's registers. Each has a name, a text and the clause that it is (the ids are those of
 * the conformance table's source; sections are of VIRTIO 1.4). Rules of rings are enum vq_fault.
 *
 * Only accesses that trap are seen: not the value of a kick that is an ioeventfd, nor a read of a
 * cached register. Breaking one of these is told (a line at warning level, rate-limited like all
 * that a guest causes) and does no more: the access does what is harmless, which the text says.
 */
#pragma once

#include "devices/core/vdev.h"

enum vdev_rule {
	RULE_STATUS_CLEARED,
	RULE_STATUS_AFTER_FAILED,
	RULE_STATUS_ORDER,
	RULE_STATUS_NO_FEATURES_OK,
	RULE_STATUS_SUSPEND,
	RULE_STATUS_UNKNOWN,
	RULE_STATUS_LEGACY,
	RULE_FEATURE_NOT_OFFERED,
	RULE_FEATURE_UNKNOWN,
	RULE_FEATURE_NEEDS,
	RULE_FEATURE_VERSION_1,
	RULE_FEATURE_FROZEN,
	RULE_LEGACY_FEATURE,
	RULE_LEGACY_SIZE,
	RULE_CONFIG_EARLY,
	RULE_CONFIG_BEYOND,
	RULE_NOTIFY_EARLY,
	RULE_NOTIFY_NO_QUEUE,
	RULE_NO_QUEUE,
	RULE_QUEUE_RESET,
	RULE_QUEUE_VALUE,

	RULE_PCI_WIDTH,
	RULE_PCI_CONFIG_WIDTH,
	RULE_PCI_READ_ONLY,
	RULE_PCI_NOTHING,
	RULE_PCI_QUEUE_LIVE,
	RULE_PCI_QUEUE_SIZE_0,
	RULE_PCI_QUEUE_SIZE,
	RULE_PCI_QUEUE_DISABLE,
	RULE_PCI_VECTOR,
	RULE_PCI_NOTIFY_WIDTH,
	RULE_PCI_NOTIFY_VALUE,
	RULE_PCI_CAPABILITY,
	RULE_PCI_ACCESS_ALIGN,
	RULE_PCI_ACCESS_PLACE,
	RULE_PCI_MSIX_TABLE,
	RULE_PCI_DECOY,
	RULE_PCI_SECOND,
	RULE_PCI_CAPS_UNREAD,
	RULE_PCI_INTERFACES,
	RULE_PCI_LEGACY_CONFIG,

	RULE_MMIO_WIDTH,
	RULE_MMIO_CONFIG_WIDTH,
	RULE_MMIO_NOTHING,
	RULE_MMIO_READ_ONLY,
	RULE_MMIO_WRITE_ONLY,
	RULE_MMIO_DEVICE_SEL,
	RULE_MMIO_DRIVER_SEL,
	RULE_MMIO_QUEUE_SIZE,
	RULE_MMIO_QUEUE_LIVE,
	RULE_MMIO_ACK,

	N_VDEV_RULES
};

const char *vdev_rule_name(enum vdev_rule rule);

struct vdev_rule_info {
	const char *name, *text;
	const char *clause;  /* several: with ", "; NULL: it is said without a keyword, */
	const char *section; /* here */
};
const struct vdev_rule_info *vdev_rule_info(enum vdev_rule rule);

/* The driver broke @rule; the rest says where: "queue_size, write of 4 bytes". From any thread. */
void vdev_rule_broken(struct vdev *dev, enum vdev_rule rule, const char *where, ...)
	G_GNUC_PRINTF(3, 4);

/* The same of an access of @len bytes to a register or structure called @what. */
void vdev_access_broken(struct vdev *dev, enum vdev_rule rule, const char *what, bool write,
			unsigned len);

/*
 * What transports have in common. They look, and change nothing; call them before what they judge.
 */

/* A write of a queue's register. Of RULE_NO_QUEUE and others that no transport has for itself it
 * tells, too. */
struct vdev_queue_rules {
	enum vdev_rule live, size, size_0;
};
void vdev_judge_queue(struct vdev *dev, unsigned q, enum vdev_queue_reg reg, uint64_t value,
		      const struct vdev_queue_rules *rules);

/* A kick that came as a register write. */
void vdev_judge_notify(struct vdev *dev, unsigned q);

/* An access of the configuration space, @width being the transport's rule for its width;
 * N_VDEV_RULES: it is a legacy interface, which has none, nor one about when it may be written. */
void vdev_judge_config(struct vdev *dev, uint64_t off, unsigned len, bool write,
		       enum vdev_rule width);

/* A write of the status, with the device's lock held. */
void vdev_judge_status(struct vdev *dev, uint32_t status);
