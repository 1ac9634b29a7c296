/*
 * Rules that are about the order of accesses: what a driver has to have read, or written, before
 * it goes on. All of it under the device's lock.
 *
 * Where registers are read without a trap (cached-registers=on) nobody knows what a driver has
 * read, and none of these is judged.
 */
#include <string.h>

#include "transport/mmio/regs.h"
#include "transport/virtio-pci/regs.h"
#include "vmm/check/check-int.h"

static struct check_queue_regs *regs_queue(struct check_dev *d)
{
	return &d->regs.queue[MIN(d->regs.queue_select, (unsigned)VDEV_QUEUES_MAX - 1)];
}

static void regs_forget(struct check_regs *r)
{
	r->features_ok_unread = r->generation = r->config_vector_unread = false;
	r->status_reads = r->unacked = 0;
	memset(r->queue, 0, sizeof(r->queue));
}

/*
 * Status (2.1, 3.1.1).
 */

static void status_written(struct check_dev *d, uint32_t value)
{
	struct check_regs *r = &d->regs;

	if (!r->began && value && !vdev_status(d->dev))
		check_broken(d, CHECK_NO_RESET, -1, -1, "status %#x is written", value);
	r->began = true;
	r->refused = value & VIRTIO_S_FEATURES_OK && !(value & VIRTIO_S_FAILED) &&
		     !(vdev_status(d->dev) & VIRTIO_S_FEATURES_OK) && !d->dev->legacy;
	r->refused_us = g_get_monotonic_time();
	if (value == 0) {
		regs_forget(r);
		r->reset_unread = true;
		return;
	}
	if (r->reset_unread && !d->dev->legacy &&
	    !(r->mmio && d->dev->opt_legacy != VDEV_LEGACY_OFF)) /* version 1 does not ask for it */
		check_broken(d, r->mmio ? CHECK_RESET_UNREAD : CHECK_PCI_RESET_UNREAD, -1, -1,
			     "status %#x is written", value);
	r->reset_unread = false;
	if (value & VIRTIO_S_DRIVER_OK && r->features_ok_unread)
		check_broken(d, CHECK_FEATURES_UNREAD, -1, -1, NULL);
	if (value & VIRTIO_S_DRIVER_OK && r->config_vector_unread)
		check_broken(d, CHECK_PCI_VECTOR_UNREAD, -1, -1, "the configuration's");
	r->config_vector_unread = false;
	r->features_ok_unread = value & VIRTIO_S_FEATURES_OK &&
				!(vdev_status(d->dev) & VIRTIO_S_FEATURES_OK);
}

static void status_read(struct check_regs *r)
{
	r->reset_unread = r->features_ok_unread = false;
}

/*
 * Queues.
 */

static void queue_reset(struct check_dev *d)
{
	struct check_queue_regs *q = regs_queue(d);

	q->enabled = false;
	q->reset_unread = q->was_reset = true;
	q->desc_written = false;
}

/* Before the device looks at the ring, which it then writes to. */
static void queue_judge_used_flags(struct check_dev *d, unsigned q)
{
	le16 flags = 0;

	if (q < d->n_queues && !check_accepted(d, VIRTIO_F_RING_PACKED) &&
	    !regs_queue(d)->was_enabled &&
	    gmem_read(d->dev->mem, d->dev->queue[q].device, &flags, sizeof(flags)) && flags)
		check_broken(d, CHECK_USED_FLAGS, (int)q, -1, "%#x", le16_cpu(flags));
}

static void queue_enabled(struct check_dev *d)
{
	struct check_queue_regs *q = regs_queue(d);
	int index = (int)d->regs.queue_select;

	queue_judge_used_flags(d, d->regs.queue_select);
	if (vdev_status(d->dev) & VIRTIO_S_DRIVER_OK && !q->was_enabled && !q->was_reset &&
	    !d->joined)
		check_broken(d, CHECK_QUEUE_LATE, index, -1, NULL);
	q->enabled = q->was_enabled = true;
	if (q->reset_unread)
		check_broken(d, CHECK_QUEUE_RESET_UNREAD, index, -1, NULL);
	else if (q->was_reset && !q->desc_written)
		check_broken(d, CHECK_QUEUE_AGAIN, index, -1, NULL);
	if (q->ready_unread)
		check_broken(d, CHECK_MMIO_READY_UNREAD, index, -1, NULL);
	if (q->vector_unread)
		check_broken(d, CHECK_PCI_VECTOR_UNREAD, index, -1, NULL);
	if (d->regs.mmio && !q->size_written)
		check_broken(d, CHECK_MMIO_SIZE_UNWRITTEN, index, -1, NULL);
	q->reset_unread = q->was_reset = q->ready_unread = q->vector_unread = false;
}

/* With NOTIFICATION_DATA: the queue's owner looks at it (4.1.5.2, 4.2.3.3). */
static void notified(struct check_dev *d, unsigned q, const struct vdev_access *a)
{
	if (q < d->n_queues && a->len == 4 && check_accepted(d, VIRTIO_F_NOTIFICATION_DATA) &&
	    check_accepted(d, VIRTIO_F_RING_PACKED))
		d->queue[q].kick_place = (uint16_t)(a->value >> 16);
}

/*
 * virtio-pci (4.1.4.3).
 */

/* To take one away, while the device may be gone, is no setting up. */
static void config_vector_written(struct check_dev *d, uint16_t vector)
{
	d->regs.config_vector_unread = vector != VPCI_NO_VECTOR;
	if (vector != VPCI_NO_VECTOR && vdev_status(d->dev) & VIRTIO_S_DRIVER_OK)
		check_broken(d, CHECK_PCI_VECTOR_LATE, -1, -1, "%u", vector);
}

static void queue_vector_written(struct check_dev *d, uint16_t vector)
{
	struct check_queue_regs *q = regs_queue(d);

	q->vector_unread = vector != VPCI_NO_VECTOR;
	if (q->vector_unread && q->enabled)
		check_broken(d, CHECK_PCI_QUEUE_VECTOR_LATE, (int)d->regs.queue_select, -1, "%u",
			     vector);
}

static void common_written(struct check_dev *d, const struct vdev_access *a)
{
	struct check_regs *r = &d->regs;

	switch (a->at) {
	case VPCI_DEVICE_STATUS:
		status_written(d, (uint8_t)a->value);
		break;
	case VPCI_QUEUE_SELECT:
		r->queue_select = (uint16_t)a->value;
		break;
	case VPCI_CONFIG_MSIX_VECTOR:
		config_vector_written(d, (uint16_t)a->value);
		break;
	case VPCI_QUEUE_MSIX_VECTOR:
		queue_vector_written(d, (uint16_t)a->value);
		break;
	case VPCI_QUEUE_DESC:
		regs_queue(d)->desc_written = true;
		break;
	case VPCI_QUEUE_ENABLE:
		if (a->value == 1)
			queue_enabled(d);
		break;
	case VPCI_QUEUE_RESET:
		if (a->value == 1 && check_accepted(d, VIRTIO_F_RING_RESET))
			queue_reset(d);
		break;
	default:
		break;
	}
}

static void common_read(struct check_dev *d, const struct vdev_access *a)
{
	struct check_regs *r = &d->regs;

	switch (a->at) {
	case VPCI_DEVICE_STATUS:
		status_read(r);
		break;
	case VPCI_CONFIG_GENERATION:
		r->generation = true;
		break;
	case VPCI_CONFIG_MSIX_VECTOR:
		r->config_vector_unread = false;
		break;
	case VPCI_QUEUE_MSIX_VECTOR:
		regs_queue(d)->vector_unread = false;
		break;
	case VPCI_QUEUE_RESET:
		regs_queue(d)->reset_unread = false;
		break;
	default:
		break;
	}
}

/*
 * The steps of a driver that uses the legacy interface (3.1.2).
 */

static void legacy_status_written(struct check_dev *d, uint32_t value)
{
	uint32_t before = vdev_status(d->dev);

	/* DRIVER_OK alone is told of by the device */
	if (value & VIRTIO_S_DRIVER &&
	    (!(value & VIRTIO_S_ACKNOWLEDGE) ||
	     (value & VIRTIO_S_DRIVER_OK && !(before & VIRTIO_S_DRIVER))))
		check_broken(d, CHECK_LEGACY_ORDER, -1, -1, "status %#x after %#x", value, before);
}

static void legacy_features_written(struct check_dev *d)
{
	for (unsigned q = 0; q < d->n_queues; q++)
		if (d->regs.queue[q].placed) {
			check_broken(d, CHECK_LEGACY_ORDER, (int)q, -1, "features after a queue");
			return;
		}
	if (!(vdev_status(d->dev) & VIRTIO_S_DRIVER))
		check_broken(d, CHECK_LEGACY_ORDER, -1, -1, "features before DRIVER");
}

static void legacy_address_written(struct check_dev *d, uint32_t value)
{
	struct check_queue_regs *q = regs_queue(d);
	int index = (int)d->regs.queue_select;

	if (value && !q->size_read)
		check_broken(d, CHECK_LEGACY_SIZE_UNREAD, index, -1, NULL);
	if (value && !(vdev_status(d->dev) & VIRTIO_S_DRIVER))
		check_broken(d, CHECK_LEGACY_ORDER, index, -1, "a queue before DRIVER");
	else if (value && !q->placed && vdev_status(d->dev) & VIRTIO_S_DRIVER_OK && !d->joined)
		check_broken(d, CHECK_LEGACY_ORDER, index, -1, "a queue after DRIVER_OK");
	q->placed |= value != 0;
}

static void legacy_notified(struct check_dev *d, unsigned q)
{
	if (!(vdev_status(d->dev) & VIRTIO_S_DRIVER_OK))
		check_broken(d, CHECK_LEGACY_ORDER, (int)q, -1, "a notification before DRIVER_OK");
}

/*
 * The legacy interface in I/O ports (4.1.4.10).
 */

static void ports_accessed(struct check_dev *d, const struct vdev_access *a)
{
	switch (a->at) {
	case VPCI_LEGACY_QUEUE_SELECT:
		if (a->write)
			d->regs.queue_select = (uint16_t)a->value;
		break;
	case VPCI_LEGACY_QUEUE_SIZE:
		regs_queue(d)->size_read |= !a->write;
		break;
	case VPCI_LEGACY_QUEUE_ADDRESS:
		if (a->write)
			legacy_address_written(d, (uint32_t)a->value);
		break;
	case VPCI_LEGACY_DRIVER_FEATURES:
		if (a->write)
			legacy_features_written(d);
		break;
	case VPCI_LEGACY_QUEUE_NOTIFY:
		if (a->write)
			legacy_notified(d, (uint16_t)a->value);
		break;
	case VPCI_LEGACY_STATUS:
		if (a->write) {
			legacy_status_written(d, (uint8_t)a->value);
			status_written(d, (uint8_t)a->value);
		}
		status_read(&d->regs); /* that it has to be is newer */
		break;
	default:
		break;
	}
}

/*
 * virtio-mmio (4.2.2, 4.2.3).
 */

/* MagicValue, Version and DeviceID come first; once is enough for a run. */
static void mmio_first(struct check_dev *d, const struct vdev_access *a)
{
	struct check_regs *r = &d->regs;

	if (!a->write && a->at == R_MAGIC)
		r->magic = true;
	else if (!a->write && a->at == R_VERSION)
		r->version = true;
	else if ((!r->magic || !r->version) && !r->first_told) {
		r->first_told = true;
		check_broken(d, CHECK_MMIO_FIRST, -1, -1, "%s at %#x", a->write ? "write" : "read",
			     (unsigned)a->at);
	} else if (!a->write && a->at == R_DEVICE_ID)
		r->device_id = true;
	else if (!r->device_id && !r->device_id_told && !r->first_told && a->at != R_VENDOR_ID) {
		r->device_id_told = true;
		check_broken(d, CHECK_MMIO_DEVICE_ID, -1, -1, "%s at %#x",
			     a->write ? "write" : "read", (unsigned)a->at);
	}
}

#define UNACKED_MOST 16u /* a handler that looks again before it acknowledges is none of that */

static void interrupt_status_read(struct check_dev *d, uint32_t value)
{
	struct check_regs *r = &d->regs;

	r->status_reads++;
	r->unacked = value ? r->unacked + 1 : 0;
	if (r->unacked == UNACKED_MOST)
		check_broken(d, CHECK_MMIO_NOT_ACKED, -1, -1, "%#x, %u times", value, UNACKED_MOST);
}

static void interrupt_acked(struct check_dev *d, uint32_t value)
{
	struct check_regs *r = &d->regs;

	if (!r->status_reads)
		check_broken(d, CHECK_MMIO_ACK_UNREAD, -1, -1, "%#x is written", value);
	else
		r->status_reads--; /* two processors may have read before one acknowledges */
	r->unacked = 0;
}

static void queue_ready_written(struct check_dev *d, uint32_t value)
{
	struct check_queue_regs *q = regs_queue(d);

	if (value) {
		queue_enabled(d);
		return;
	}
	q->ready_unread = q->enabled;
	q->enabled = false;
}

static void mmio_written(struct check_dev *d, unsigned off, uint32_t value)
{
	switch (off) {
	case R_STATUS:
		status_written(d, value);
		break;
	case R_QUEUE_SEL:
		d->regs.queue_select = value;
		break;
	case R_QUEUE_SIZE:
		regs_queue(d)->size_written = true;
		break;
	case R_QUEUE_DESC:
		regs_queue(d)->desc_written = true;
		break;
	case R_QUEUE_READY:
		queue_ready_written(d, value);
		break;
	case R_QUEUE_RESET:
		if (value == 1 && check_accepted(d, VIRTIO_F_RING_RESET))
			queue_reset(d);
		break;
	case R_INTERRUPT_ACK:
		interrupt_acked(d, value);
		break;
	default:
		break;
	}
}

static void mmio_legacy_written(struct check_dev *d, unsigned off, uint32_t value)
{
	switch (off) {
	case R_STATUS:
		legacy_status_written(d, value);
		break;
	case R_DRIVER_FEATURES:
		legacy_features_written(d);
		break;
	case R_QUEUE_PFN:
		legacy_address_written(d, value);
		break;
	case R_QUEUE_NOTIFY:
		legacy_notified(d, value);
		break;
	default:
		break;
	}
}

static void mmio_was_read(struct check_dev *d, unsigned off, uint32_t value)
{
	switch (off) {
	case R_STATUS:
		status_read(&d->regs);
		break;
	case R_CONFIG_GENERATION:
		d->regs.generation = true;
		break;
	case R_QUEUE_SIZE_MAX:
		regs_queue(d)->size_read = true;
		break;
	case R_QUEUE_READY:
		regs_queue(d)->ready_unread = false;
		break;
	case R_QUEUE_RESET:
		regs_queue(d)->reset_unread = false;
		break;
	case R_INTERRUPT_STATUS:
		interrupt_status_read(d, value);
		break;
	default:
		break;
	}
}

static void mmio_accessed(struct check_dev *d, const struct vdev_access *a)
{
	d->regs.mmio = true;
	mmio_first(d, a);
	if (a->write && a->at == R_QUEUE_NOTIFY)
		notified(d, (unsigned)a->value & 0xffff, a);
	if (a->at >= R_CONFIG || a->len != 4)
		return;
	if (a->write && d->dev->opt_legacy != VDEV_LEGACY_OFF) /* it is version 1 */
		mmio_legacy_written(d, (unsigned)a->at, (uint32_t)a->value);
	if (a->write)
		mmio_written(d, (unsigned)a->at, (uint32_t)a->value);
	else
		mmio_was_read(d, (unsigned)a->at, (uint32_t)a->value);
}

void check_registers(struct check_dev *d, const struct vdev_access *a)
{
	if (d->dev->unseen_reads)
		return;
	d->regs.seen_any = true;
	if (a->space == VDEV_SPACE_MMIO)
		mmio_accessed(d, a);
	else if (a->space == VDEV_SPACE_PORTS)
		ports_accessed(d, a);
	else if (a->space == VDEV_SPACE_NOTIFY && a->write)
		notified(d, (unsigned)a->at / sizeof(uint32_t), a);
	else if (a->space == VDEV_SPACE_COMMON && a->write)
		common_written(d, a);
	else if (a->space == VDEV_SPACE_COMMON)
		common_read(d, a);
}

/*
 * Features that drivers are advised to accept.
 */

static const struct {
	const char *class; /* NULL: of any */
	unsigned bit, rule;
	const char *name;
} advised[] = {
	{ NULL, VIRTIO_F_ACCESS_PLATFORM, CHECK_ADVISED_ACCESS_PLATFORM, "ACCESS_PLATFORM" },
	{ NULL, VIRTIO_F_RING_PACKED, CHECK_ADVISED_RING_PACKED, "RING_PACKED" },
	{ NULL, VIRTIO_F_ORDER_PLATFORM, CHECK_ADVISED_ORDER_PLATFORM, "ORDER_PLATFORM" },
	{ NULL, VIRTIO_F_NOTIF_CONFIG_DATA, CHECK_ADVISED_NOTIF_CONFIG_DATA, "NOTIF_CONFIG_DATA" },
	{ "blk", 5, CHECK_ADVISED_BLK_RO, "RO" },
	{ "net", 5, CHECK_ADVISED_NET_MAC, "MAC" },
	{ "net", 3, CHECK_ADVISED_NET_MTU, "MTU" },
};

void check_registers_status(struct check_dev *d, uint32_t before, uint32_t after)
{
	if (after == 0)
		regs_forget(&d->regs);
	if (!(after & VIRTIO_S_NEEDS_RESET))
		d->needs_reset_us = 0;
	else if (!(before & VIRTIO_S_NEEDS_RESET))
		d->needs_reset_us = g_get_monotonic_time();
	if (after & VIRTIO_S_FEATURES_OK)
		d->regs.refused = false;
	if (before & VIRTIO_S_FEATURES_OK || !(after & VIRTIO_S_FEATURES_OK))
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(advised); i++)
		if ((!advised[i].class || strcmp(advised[i].class, d->dev->class->name) == 0) &&
		    vfeatures_has(d->dev->offered, advised[i].bit) &&
		    !vfeatures_has(d->dev->accepted, advised[i].bit))
			check_broken(d, advised[i].rule, -1, -1, NULL);
}

/* Is @since twice as long ago as anything may take? Then it does not come any more. */
static bool regs_overdue(const struct check_dev *d, int64_t since)
{
	return g_get_monotonic_time() - since > 2000 * (int64_t)d->checker->wait_ms;
}

void check_registers_tick(struct check_dev *d)
{
	int64_t since = d->needs_reset_us;

	if (since && regs_overdue(d, since) &&
	    atomic_compare_exchange_strong(&d->needs_reset_us, &since, 0))
		check_broken(d, CHECK_NEEDS_RESET, -1, -1, "for %u ms", 2 * d->checker->wait_ms);
}

void check_registers_end(struct check_dev *d)
{
	if (d->regs.refused && regs_overdue(d, d->regs.refused_us))
		check_broken(d, CHECK_NO_FAILED, -1, -1, NULL);
}

/*
 * Configuration space (2.5.1).
 */

/* Is [off, off + len) half of a field of 64 bits? */
static bool config_is_half(const struct vdev_field *f, size_t off, size_t len)
{
	for (; f && f->width; f++) {
		size_t size = f->width == VDEV_UNION ? f->n : (size_t)f->n * f->width;

		if (off < size)
			return f->width == 8 && len == 4;
		off -= size;
	}
	return false;
}

void check_registers_config(struct check_dev *d, size_t off, size_t len, bool write)
{
	const struct check_field *f = d->type ? d->type->fields : NULL;

	for (; f && f->len; f++)
		if (off < f->off + (size_t)f->len && f->off < off + len &&
		    !vfeatures_has(d->dev->offered, f->feature))
			check_broken(d, CHECK_CONFIG_FEATURE, -1, -1, "%s at %#x, feature bit %u",
				     write ? "write" : "read", (unsigned)off, f->feature);
	if (!write && !d->dev->legacy && !d->regs.generation &&
	    config_is_half(d->dev->class->config_fields, off, len))
		check_broken(d, CHECK_CONFIG_GENERATION, -1, -1, "at %#x", (unsigned)off);
}
