#include "devices/core/rules.h"

#include <stdarg.h>

#include "devices/core/observe.h"

#define PCI_QUEUE "4.1.4.3.2"

static const struct vdev_rule_info rules[] = {
	[RULE_STATUS_CLEARED] = { "status-cleared",
				  "a bit that is set is cleared by a reset only, and stays",
				  "DRV-BASE-STATUS-02", "2.1.1" },
	[RULE_STATUS_AFTER_FAILED] = { "status-after-failed",
				       "after FAILED comes a reset and nothing else",
				       "DRV-BASE-STATUS-03", "2.1.1" },
	[RULE_STATUS_ORDER] = { "status-order",
				"the steps are reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK "
				"and its re-reading, queues, DRIVER_OK",
				"DRV-BASE-INIT-01, DRV-BASE-STATUS-01, DRV-MMIO-INIT-06", "3.1.1" },
	[RULE_STATUS_NO_FEATURES_OK] = { "status-no-features-ok",
					 "DRIVER_OK without FEATURES_OK starts nothing",
					 "DRV-BASE-INIT-06", "3.1.1" },
	[RULE_STATUS_SUSPEND] = { "status-suspend", "SUSPEND was not negotiated, and is ignored",
				  "DRV-BASE-SUSPEND-01", "3.4.1" },
	[RULE_STATUS_UNKNOWN] = { "status-unknown",
				  "no such bit is the driver's, and it is ignored", NULL, "2.1" },
	[RULE_STATUS_LEGACY] = { "status-legacy",
				 "FEATURES_OK is no step of a legacy driver's, and is ignored",
				 "DRV-BASE-LEGINIT-01, DRV-BASE-LEGFEAT-01, DRV-BASE-LEGFEAT-03",
				 "3.1.2" },
	[RULE_FEATURE_NOT_OFFERED] = { "feature-not-offered",
				       "accepted and not offered: FEATURES_OK stays clear",
				       "DRV-BASE-FEAT-01, DRV-BASE-FEAT-05, DRV-BASE-RESFEAT-10",
				       "2.2.1" },
	[RULE_FEATURE_UNKNOWN] = { "feature-unknown",
				   "a bait that is no feature of any version, accepted: FEATURES_OK "
				   "stays clear",
				   "DRV-BASE-FEAT-05, DRV-BASE-FEAT-04", "2.2.1" },
	[RULE_FEATURE_NEEDS] = { "feature-needs",
				 "accepted without what it needs: FEATURES_OK stays clear",
				 "DRV-BASE-FEAT-02", "2.2.1" },
	[RULE_FEATURE_VERSION_1] = { "feature-version-1",
				     "offered and not accepted: FEATURES_OK stays clear, for this is "
				     "not the legacy interface",
				     "DRV-BASE-RESFEAT-01", "6.1" },
	[RULE_FEATURE_FROZEN] = { "feature-frozen",
				  "features are final after FEATURES_OK, and stay as they are",
				  "DRV-BASE-INIT-04", "3.1.1" },
	[RULE_LEGACY_FEATURE] = { "legacy-feature",
				  "accepted and not offered, or without what it needs: it does not "
				  "count",
				  "DRV-BASE-FEAT-01, DRV-BASE-FEAT-02", "2.2.1" },
	[RULE_LEGACY_SIZE] = { "legacy-page-size",
			       "GuestPageSize and QueueAlign are powers of two, and written before "
			       "QueuePFN: there is no queue",
			       NULL, "4.2.4" },
	[RULE_CONFIG_EARLY] = { "config-early",
				"no write of the configuration space before FEATURES_OK",
				"DRV-BASE-INIT-03", "3.1.1" },
	[RULE_CONFIG_BEYOND] = { "config-beyond",
				 "the device's configuration space ends before: it reads as 0, and "
				 "writes are lost",
				 "DRV-BASE-CFG-03", "2.5.1" },
	[RULE_NOTIFY_EARLY] = { "notify-early", "no notification before DRIVER_OK; it is lost",
				"DRV-BASE-INIT-07", "3.1.1" },
	[RULE_NOTIFY_NO_QUEUE] = { "notify-no-queue", "there is no such queue", NULL,
				   "4.1.5.2, 4.2.3.3" },
	[RULE_NO_QUEUE] = { "no-queue", "there is no such queue: the write is lost", NULL,
			    "4.1.5.1.3, 4.2.3.2" },
	[RULE_QUEUE_RESET] = { "queue-reset", "must be 1, and RING_RESET negotiated", NULL,
			       "2.6.1, 4.1.4.3, 4.2.2" },
	[RULE_QUEUE_VALUE] = { "queue-value", "must be 1, on mmio 0 or 1", NULL, "4.1.4.3, 4.2.2" },

	[RULE_PCI_WIDTH] = { "width",
			     "an access is as wide as its field, of 64-bit fields 32 bits: a read "
			     "gives the bytes that are there, a write is lost",
			     "DRV-PCI-LAYOUT-01", "4.1.3.1" },
	[RULE_PCI_CONFIG_WIDTH] = { "config-width",
				    "an access is as wide as its field and aligned, of 64-bit "
				    "fields 32 bits",
				    "DRV-PCI-LAYOUT-01", "4.1.3.1" },
	[RULE_PCI_READ_ONLY] = { "read-only", "the driver does not write it; the write is lost",
				 "DRV-PCI-COMMON-01", PCI_QUEUE },
	[RULE_PCI_NOTHING] = { "nothing-there",
			       "there is no register: it reads as 0, and writes "
			       "are lost",
			       NULL, "4.1.4" },
	[RULE_PCI_QUEUE_LIVE] = { "queue-live",
				  "a queue is configured before it is enabled; the write is lost",
				  "DRV-PCI-COMMON-04", PCI_QUEUE },
	[RULE_PCI_QUEUE_SIZE_0] = { "queue-size", "not 0, with a packed ring", "DRV-PCI-COMMON-02",
				    PCI_QUEUE },
	[RULE_PCI_QUEUE_SIZE] = { "queue-size",
				  "a power of two unless the ring is packed, and no more than "
				  "there is",
				  "DRV-PCI-COMMON-03", PCI_QUEUE },
	[RULE_PCI_QUEUE_DISABLE] = { "queue-disable", "0 is never written; the queue stays enabled",
				     "DRV-PCI-COMMON-06", PCI_QUEUE },
	[RULE_PCI_VECTOR] = { "vector", "it is not in the MSI-X table, so there is none now",
			      "DRV-PCI-MSIX-04", "4.1.5.1.2.2" },
	[RULE_PCI_NOTIFY_WIDTH] = { "notify-width",
				    "a notification has 16 bits, with NOTIFICATION_DATA 32",
				    "DRV-PCI-KICK-01, DRV-PCI-KICK-02", "4.1.5.2.1" },
	[RULE_PCI_NOTIFY_VALUE] = { "notify-value",
				    "it begins with the queue's index, with NOTIF_CONFIG_DATA with "
				    "queue_notif_config_data",
				    "DRV-PCI-KICK-03, DRV-PCI-KICK-04, DRV-PCI-KICK-05, DRV-PCI-KICK-06",
				    "4.1.5.2.1" },
	[RULE_PCI_CAPABILITY] = { "capability", "it is read-only", "DRV-PCI-CAPS-08", "4.1.4.1" },
	[RULE_PCI_ACCESS_ALIGN] = { "pci-cfg-align",
				    "cap.offset is a multiple of cap.length, which is 1, 2 or 4",
				    "DRV-PCI-PCICFG-01, DRV-PCI-PCICFG-02", "4.1.4.9.2" },
	[RULE_PCI_ACCESS_PLACE] = { "pci-cfg-place", "it points at no virtio structure",
				    "DRV-PCI-PCICFG-03", "4.1.4.9.2" },
	[RULE_PCI_MSIX_TABLE] = { "msix-table",
				  "accesses have 4 or 8 aligned bytes, and pending bits are read "
				  "only",
				  NULL, "PCI Local Bus 3.0, 6.8.2" },
	[RULE_PCI_DECOY] = { "decoy",
			     "a bait that a capability of a reserved type points at: it reads as 0, "
			     "and writes are lost",
			     "DRV-PCI-CAPS-01", "4.1.4.1" },
	[RULE_PCI_SECOND] = { "second-structure",
			      "a bait: of two capabilities of a type the later one is used, which "
			      "works all the same",
			      "DRV-PCI-CAPS-02", "4.1.4.1" },
	[RULE_PCI_CAPS_UNREAD] = { "capabilities-unread",
				   "nobody has read from virtio's capabilities where it is",
				   "DRV-PCI-LEGDETECT-03, DRV-PCI-LEGDETECT-01", "4.1.5.1.1.1" },
	[RULE_PCI_INTERFACES] = { "two-interfaces",
				  "between two resets a driver uses the legacy interface or the "
				  "other",
				  "DRV-PCI-LEGLAYOUT-01", "4.1.4.10" },
	[RULE_PCI_LEGACY_CONFIG] = { "legacy-config-place",
				     "while MSI-X is enabled the device's configuration space begins at "
				     "24, and two vectors are here",
				     "DRV-PCI-LEGLAYOUT-03", "4.1.4.10" },

	[RULE_MMIO_WIDTH] = { "width",
			      "registers are accessed by 32 aligned bits: a read gives the bytes "
			      "that are there, a write is lost",
			      "DRV-MMIO-REGS-04", "4.2.2.2" },
	[RULE_MMIO_CONFIG_WIDTH] = { "config-width",
				     "an access is as wide as its field and aligned, of 64-bit "
				     "fields 32 bits",
				     "DRV-MMIO-REGS-05", "4.2.2.2" },
	[RULE_MMIO_NOTHING] = { "nothing-there",
				"there is no such register: it reads as 0, and "
				"writes are lost",
				"DRV-MMIO-REGS-01", "4.2.2.2" },
	[RULE_MMIO_READ_ONLY] = { "read-only", "the write is lost", "DRV-MMIO-REGS-02", "4.2.2.2" },
	[RULE_MMIO_WRITE_ONLY] = { "write-only", "it reads as 0", "DRV-MMIO-REGS-03", "4.2.2.2" },
	[RULE_MMIO_DEVICE_SEL] = { "device-features-sel", "DeviceFeaturesSel is written before",
				   "DRV-MMIO-REGS-12", "4.2.2.2" },
	[RULE_MMIO_DRIVER_SEL] = { "driver-features-sel", "DriverFeaturesSel is written before",
				   "DRV-MMIO-REGS-13", "4.2.2.2" },
	[RULE_MMIO_QUEUE_SIZE] = { "queue-size",
				   "QueueSize is 1 to QueueSizeMax, and a power of two unless the "
				   "ring is packed",
				   "DRV-MMIO-REGS-14", "4.2.2.2" },
	[RULE_MMIO_QUEUE_LIVE] = { "queue-live", "not while QueueReady is 1; the write is lost",
				   "DRV-MMIO-REGS-15, DRV-MMIO-REGS-16", "4.2.2.2" },
	[RULE_MMIO_ACK] = { "ack", "InterruptACK has bits 0 and 1", "DRV-MMIO-REGS-20", "4.2.2.2" },
};
G_STATIC_ASSERT(G_N_ELEMENTS(rules) == N_VDEV_RULES);

const char *vdev_rule_name(enum vdev_rule rule)
{
	return rules[rule].name;
}

const struct vdev_rule_info *vdev_rule_info(enum vdev_rule rule)
{
	return &rules[rule];
}

void vdev_rule_broken(struct vdev *dev, enum vdev_rule rule, const char *where, ...)
{
	const char *clause = rules[rule].clause;
	char place[64];
	va_list ap;

	va_start(ap, where);
	(void)g_vsnprintf(place, sizeof(place), where, ap);
	va_end(ap);
	vdev_saw_rule(dev, rule, place);
	if (dev->checked)
		return;
	vdev_guest_note(dev, "%s: %s: %s (%s%s%s)", place, rules[rule].name, rules[rule].text,
			clause ? clause : "", clause ? "; " : "", rules[rule].section);
}

void vdev_access_broken(struct vdev *dev, enum vdev_rule rule, const char *what, bool write,
			unsigned len)
{
	vdev_rule_broken(dev, rule, "%s, %s of %u byte%s", what, write ? "write" : "read", len,
			 len == 1 ? "" : "s");
}

/*
 * Queues.
 */

static bool rules_size_fits(struct vdev *dev, unsigned q, uint64_t size)
{
	bool packed = vdev_accepted(dev, VIRTIO_F_RING_PACKED);

	return size && size <= vdev_queue_read(dev, q, VQR_SIZE_MAX) &&
	       (packed || (size & (size - 1)) == 0);
}

void vdev_judge_queue(struct vdev *dev, unsigned q, enum vdev_queue_reg reg, uint64_t value,
		      const struct vdev_queue_rules *r)
{
	if (q >= dev->n_queues) {
		vdev_rule_broken(dev, RULE_NO_QUEUE, "queue %u", q);
		return;
	}
	if (reg >= VQR_SIZE && reg <= VQR_DEVICE && vdev_queue_read(dev, q, VQR_ENABLE))
		vdev_rule_broken(dev, r->live, "queue %u", q);
	if (reg == VQR_SIZE && !rules_size_fits(dev, q, value))
		vdev_rule_broken(dev,
				 value == 0 && vdev_accepted(dev, VIRTIO_F_RING_PACKED) ? r->size_0
											: r->size,
				 "queue %u, %" G_GUINT64_FORMAT " of %u entries", q, value,
				 (unsigned)vdev_queue_read(dev, q, VQR_SIZE_MAX));
	if (reg >= VQR_SIZE && reg <= VQR_DEVICE && !dev->legacy &&
	    !(vdev_status(dev) & VIRTIO_S_FEATURES_OK))
		vdev_rule_broken(dev, RULE_STATUS_ORDER, "queue %u, configured before FEATURES_OK",
				 q);
	if (reg == VQR_ENABLE && value > 1)
		vdev_rule_broken(dev, RULE_QUEUE_VALUE, "queue %u, enabled with %" G_GUINT64_FORMAT,
				 q, value);
	else if (reg == VQR_ENABLE && value && !(vdev_status(dev) & VIRTIO_S_FEATURES_OK))
		vdev_rule_broken(dev, RULE_STATUS_ORDER, "queue %u, enabled before FEATURES_OK", q);
	if (reg == VQR_RESET && (value != 1 || !vdev_accepted(dev, VIRTIO_F_RING_RESET)))
		vdev_rule_broken(dev, RULE_QUEUE_RESET, "queue %u, reset with %" G_GUINT64_FORMAT,
				 q, value);
}

/* Whether the queue is enabled is not asked: the answer may take as long as another queue's reset.
 */
void vdev_judge_notify(struct vdev *dev, unsigned q)
{
	if (!(vdev_status(dev) & VIRTIO_S_DRIVER_OK) && !dev->legacy)
		vdev_rule_broken(dev, RULE_NOTIFY_EARLY, "queue %u", q);
	else if (q >= dev->n_queues)
		vdev_rule_broken(dev, RULE_NOTIFY_NO_QUEUE, "queue %u", q);
}

/*
 * Configuration space.
 */

/* Is [off, off + len) one field, a half of one of 64 bits, or among those of any width? */
static bool rules_is_field(const struct vdev_field *f, uint64_t off, unsigned len)
{
	for (; f->width; f++) {
		unsigned width = f->width == 8 ? 4 : f->width;
		unsigned size = f->width == VDEV_UNION ? f->n : f->n * f->width;

		if (off < size)
			return off % len == 0 && (f->width == VDEV_UNION ? len <= 4 : len == width);
		off -= size;
	}
	return true;
}

void vdev_judge_config(struct vdev *dev, uint64_t off, unsigned len, bool write,
		       enum vdev_rule width)
{
	const struct vdev_class *class = dev->class;
	bool legacy = width == N_VDEV_RULES;
	bool early = write && !legacy && !(vdev_status(dev) & VIRTIO_S_FEATURES_OK);
	enum vdev_rule rule = N_VDEV_RULES;
	char what[40];

	if (off >= dev->config_size || len > dev->config_size - off)
		rule = RULE_CONFIG_BEYOND;
	else if (!legacy && class->config_fields && !rules_is_field(class->config_fields, off, len))
		rule = width;
	else if (early && !(class->config_early && off == class->config_early))
		rule = RULE_CONFIG_EARLY;
	if (rule == N_VDEV_RULES)
		return;
	(void)g_snprintf(what, sizeof(what), "configuration space at %#x", (unsigned)off);
	vdev_access_broken(dev, rule, what, write, len);
}

/*
 * Status.
 */
#define SUSPEND_BIT 16u

static const uint32_t status_steps = VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_FEATURES_OK |
				     VIRTIO_S_DRIVER_OK;

/* Which rule a step breaks that is taken now. */
static enum vdev_rule rules_judge_steps(uint32_t before, uint32_t status)
{
	uint32_t added = status & ~before;

	if (added & VIRTIO_S_DRIVER && !(before & VIRTIO_S_ACKNOWLEDGE))
		return RULE_STATUS_ORDER;
	if (added & VIRTIO_S_FEATURES_OK && !(before & VIRTIO_S_DRIVER))
		return RULE_STATUS_ORDER;
	if (added & VIRTIO_S_DRIVER_OK && !(before & VIRTIO_S_FEATURES_OK))
		return status & VIRTIO_S_FEATURES_OK ? RULE_STATUS_ORDER
						     : RULE_STATUS_NO_FEATURES_OK;
	return N_VDEV_RULES;
}

void vdev_judge_status(struct vdev *dev, uint32_t status)
{
	uint32_t before = dev->status, driver_bits = status_steps | VIRTIO_S_FAILED;
	enum vdev_rule rule = rules_judge_steps(before, status);

	if (status == 0)
		return;
	if (dev->legacy && (rule == RULE_STATUS_NO_FEATURES_OK || rule == RULE_STATUS_ORDER))
		rule = status & VIRTIO_S_DRIVER ? N_VDEV_RULES : RULE_STATUS_ORDER;
	if (dev->legacy)
		driver_bits &= ~(uint32_t)VIRTIO_S_FEATURES_OK;
	if (before & driver_bits & ~status)
		rule = RULE_STATUS_CLEARED;
	else if (before & VIRTIO_S_FAILED && status & status_steps & ~before)
		rule = RULE_STATUS_AFTER_FAILED;
	else if (status & SUSPEND_BIT)
		rule = RULE_STATUS_SUSPEND;
	else if (dev->legacy && status & VIRTIO_S_FEATURES_OK)
		rule = RULE_STATUS_LEGACY;
	else if (status & ~(driver_bits | (before & VIRTIO_S_NEEDS_RESET)))
		rule = RULE_STATUS_UNKNOWN;
	if (rule != N_VDEV_RULES)
		vdev_rule_broken(dev, rule, "status %#x after %#x", status, before);
}
