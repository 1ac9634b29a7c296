/*
 * virtio-pci (VIRTIO 1.4, 4.1.4 PCI Device Layout).
 *
 * One 64-bit BAR of four pages holds everything:
 *
 *	0x0000  common configuration
 *	0x0100  ISR status
 *	0x0200  device configuration
 *	0x0400  a decoy, and
 *	0x0600  the common configuration once more, if the device is baited
 *	0x1000  MSI-X table
 *	0x2000  MSI-X pending bits
 *	0x3000  notify region: four bytes for each queue
 *
 * The notify region has its page to itself. Since each queue has its own address there, a doorbell
 * needs no match on the value and takes writes of any width; with NOTIFICATION_DATA and
 * NOTIF_CONFIG_DATA too, whose values are of no use to us.
 *
 * With legacy=on the function is a transitional one: BAR 0 is the legacy interface's I/O ports
 * (legacy.c), and all of the above is in the BAR after it, registers 2 and 3. With legacy=only that
 * has MSI-X alone, and there is no capability of virtio's. Both interfaces lead to one device, with
 * one status; selectors and vectors are the same for both, since a device has one driver at a time.
 *
 * Doorbells hang where the BAR is decoded and while the queue is enabled and the device runs: a
 * legacy driver's at its one port, told apart by the value. They are taken down and put up again
 * when the BAR moves. The INTx line is wired only while a driver runs that has not switched MSI-X
 * on.
 *
 * Locks, in this order: f.lock (configuration space), p->lock (registers), the MSI-X table's. All
 * are held across calls into the device, which may wait for queues' owners: owners take none of
 * them (irq.c).
 */
#include "transport/virtio-pci/virtio-pci.h"

#include <string.h>

#include "devices/base/eventfd.h"
#include "devices/core/legacy.h"
#include "devices/core/observe.h"
#include "devices/core/rules.h"
#include "transport/registry.h"
#include "transport/virtio-pci/impl.h"

#define BAR_BYTES    0x4000u
#define AT_COMMON    0x0000u
#define AT_ISR       0x0100u
#define AT_CONFIG    0x0200u
#define AT_DECOY     0x0400u
#define AT_SECOND    0x0600u
#define AT_TABLE     0x1000u
#define AT_PENDING   0x2000u
#define AT_NOTIFY    0x3000u
#define NOTIFY_BYTES 0x1000u
#define NOTIFY_EACH  4ul /* notify_off_multiplier */
#define DECOY_BYTES  0x0100u
#define DECOY_TYPE   0x5au /* cfg_type: no structure has it */
#define PADDING      4u    /* bytes behind a baited capability */
#define PORTS_BAR    0u    /* of the legacy interface, if there is one */

/*
 * The BAR. Each region takes accesses that lie inside it; everything else reads 0, and is told of.
 */
struct region {
	const char *name;
	enum vdev_space space;
	uint32_t at, size;
	uint64_t (*read)(struct vpci *p, uint64_t off, unsigned len);
	void (*write)(struct vpci *p, uint64_t off, unsigned len, uint64_t value);
};

static uint64_t common_read(struct vpci *p, uint64_t off, unsigned len)
{
	uint64_t value;

	pthread_mutex_lock(&p->lock);
	value = vpci_common_read(p, off, len);
	pthread_mutex_unlock(&p->lock);
	return value;
}

static void common_write(struct vpci *p, uint64_t off, unsigned len, uint64_t value)
{
	pthread_mutex_lock(&p->lock);
	vpci_common_write(p, off, len, value);
	pthread_mutex_unlock(&p->lock);
}

static uint64_t isr_read(struct vpci *p, uint64_t off, unsigned len)
{
	if (off || len != 1)
		vdev_access_broken(p->dev, RULE_PCI_WIDTH, "ISR status", false, len);
	return off == 0 ? vpci_irq_isr(p) : 0;
}

static uint64_t config_read(struct vpci *p, uint64_t off, unsigned len)
{
	uint64_t value = 0;

	vdev_judge_config(p->dev, off, len, false, RULE_PCI_CONFIG_WIDTH);
	vdev_config_read(p->dev, off, &value, len);
	return GUINT64_FROM_LE(value);
}

static void config_write(struct vpci *p, uint64_t off, unsigned len, uint64_t value)
{
	uint64_t bytes = GUINT64_TO_LE(value);

	vdev_judge_config(p->dev, off, len, true, RULE_PCI_CONFIG_WIDTH);
	vdev_config_write(p->dev, off, &bytes, len);
}

/* Of the vector table and of the pending bits. */
static void judge_msix(struct vpci *p, uint64_t off, unsigned len, bool write)
{
	if ((len != 4 && len != 8) || off % len)
		vdev_access_broken(p->dev, RULE_PCI_MSIX_TABLE, "MSI-X", write, len);
}

static uint64_t table_read(struct vpci *p, uint64_t off, unsigned len)
{
	judge_msix(p, off, len, false);
	return pci_msix_table_read(&p->msix, off, len);
}

static void table_write(struct vpci *p, uint64_t off, unsigned len, uint64_t value)
{
	int ret = pci_msix_table_write(&p->msix, off, len, value);

	judge_msix(p, off, len, true);
	if (ret < 0)
		vdev_host_error(p->dev, "MSI-X: %s", g_strerror(-ret));
}

static uint64_t pending_read(struct vpci *p, uint64_t off, unsigned len)
{
	judge_msix(p, off, len, false);
	return pci_msix_pending_read(&p->msix, off, len);
}

static void pending_write(struct vpci *p, uint64_t off, unsigned len, uint64_t value)
{
	(void)off;
	(void)value;
	vdev_access_broken(p->dev, RULE_PCI_MSIX_TABLE, "MSI-X pending bits", true, len);
}

/* What a kick of queue @q begins with. */
static unsigned notify_id(const struct vpci *p, unsigned q)
{
	return p->kick_config ? NOTIF_DATA_BASE + q : q;
}

static void judge_notify(struct vpci *p, unsigned q, unsigned len, uint64_t value)
{
	vdev_judge_notify(p->dev, q);
	if (q >= p->dev->n_queues || !(vdev_status(p->dev) & VIRTIO_S_DRIVER_OK))
		return;
	if (len != (p->kick_wide ? 4 : 2))
		vdev_rule_broken(p->dev, RULE_PCI_NOTIFY_WIDTH, "queue %u, %u bytes", q, len);
	else if ((value & 0xffff) != notify_id(p, q))
		vdev_rule_broken(p->dev, RULE_PCI_NOTIFY_VALUE, "queue %u, value %#x", q,
				 (unsigned)value);
}

/* A kick that no doorbell took: its address says which queue, whatever was written. */
static void notify_write(struct vpci *p, uint64_t off, unsigned len, uint64_t value)
{
	unsigned q = (unsigned)(off / NOTIFY_EACH);

	if (off % NOTIFY_EACH) {
		vdev_access_broken(p->dev, RULE_PCI_NOTHING, "between notification addresses", true,
				   len);
		return;
	}
	judge_notify(p, q, len, value);
	vdev_notify(p->dev, q);
}

static uint64_t decoy_read(struct vpci *p, uint64_t off, unsigned len)
{
	vdev_rule_broken(p->dev, RULE_PCI_DECOY, "read of %u bytes at %#x", len, (unsigned)off);
	return 0;
}

static void decoy_write(struct vpci *p, uint64_t off, unsigned len, uint64_t value)
{
	(void)value;
	vdev_rule_broken(p->dev, RULE_PCI_DECOY, "write of %u bytes at %#x", len, (unsigned)off);
}

static uint64_t second_read(struct vpci *p, uint64_t off, unsigned len)
{
	vdev_rule_broken(p->dev, RULE_PCI_SECOND, "read of %u bytes at %#x", len, (unsigned)off);
	return common_read(p, off, len);
}

static void second_write(struct vpci *p, uint64_t off, unsigned len, uint64_t value)
{
	vdev_rule_broken(p->dev, RULE_PCI_SECOND, "write of %u bytes at %#x", len, (unsigned)off);
	common_write(p, off, len, value);
}

static const struct region regions[] = {
	{ "common configuration", VDEV_SPACE_COMMON, AT_COMMON, VPCI_COMMON_BYTES, common_read,
	  common_write },
	{ "ISR status", VDEV_SPACE_ISR, AT_ISR, 4, isr_read, NULL },
	{ "configuration space", VDEV_SPACE_CONFIG, AT_CONFIG, VDEV_CONFIG_MAX, config_read,
	  config_write },
	{ "MSI-X table", VDEV_SPACE_MSIX, AT_TABLE, AT_PENDING - AT_TABLE, table_read,
	  table_write },
	{ "MSI-X pending bits", VDEV_SPACE_PENDING, AT_PENDING, AT_NOTIFY - AT_PENDING,
	  pending_read, pending_write },
	{ "notification", VDEV_SPACE_NOTIFY, AT_NOTIFY, NOTIFY_BYTES, NULL, notify_write },
	{ "decoy", VDEV_SPACE_NONE, AT_DECOY, DECOY_BYTES, decoy_read, decoy_write },
	{ "second common configuration", VDEV_SPACE_COMMON, AT_SECOND, VPCI_COMMON_BYTES,
	  second_read, second_write },
};

#define BAITS 2u /* of the regions, the last */

#define FIRST_MSIX 3u /* of the regions, which a function without structures has, too */

static const struct region *region_at(const struct vpci *p, uint64_t off, unsigned len)
{
	unsigned n = G_N_ELEMENTS(regions) - (p->dev->baited && p->modern ? 0 : BAITS);

	for (unsigned i = p->modern ? 0 : FIRST_MSIX; i < n; i++)
		if (off >= regions[i].at && off - regions[i].at < regions[i].size &&
		    len <= regions[i].size - (off - regions[i].at))
			return &regions[i];
	return NULL;
}

/* An access that no region takes. */
static void nothing_there(struct vpci *p, const struct region *r, uint64_t off, bool write,
			  unsigned len)
{
	char what[32];

	(void)g_snprintf(what, sizeof(what), "%s at %#x in the BAR", r ? r->name : "gap",
			 (unsigned)off);
	vdev_access_broken(p->dev, RULE_PCI_NOTHING, what, write, len);
}

static uint64_t ports_read(struct vpci *p, uint64_t off, unsigned len)
{
	uint64_t value;

	pthread_mutex_lock(&p->lock);
	value = vpci_legacy_read(p, off, len);
	pthread_mutex_unlock(&p->lock);
	return value;
}

static void ports_write(struct vpci *p, uint64_t off, unsigned len, uint64_t value)
{
	pthread_mutex_lock(&p->lock);
	vpci_legacy_write(p, off, len, value);
	pthread_mutex_unlock(&p->lock);
}

/* Told of an access: @r is where it went in the BAR of the structures; NULL: nowhere. */
static void tell_access(struct vpci *p, unsigned bar, const struct region *r, uint64_t off,
			unsigned len, bool write, uint64_t value)
{
	struct vdev_access a = { VDEV_SPACE_NONE, off, off, value, len, write };

	if (bar != p->bar) {
		a.space = VDEV_SPACE_PORTS;
	} else if (r) {
		a.space = r->space;
		a.at = off - r->at;
	}
	vdev_saw_access(p->dev, &a);
}

/* Is the other interface's driver at it? A write of the status may be its reset. */
static void judge_interface(struct vpci *p, unsigned bar, const struct region *r, uint64_t off)
{
	bool legacy = bar != p->bar, to_status;

	if (!p->legacy || !p->modern || !vdev_status(p->dev) ||
	    (!legacy && (!r || (r->space != VDEV_SPACE_COMMON && r->space != VDEV_SPACE_NOTIFY))))
		return;
	to_status = legacy ? off == VPCI_LEGACY_STATUS
			   : r->space == VDEV_SPACE_COMMON && off - r->at == VPCI_DEVICE_STATUS;
	if (legacy != vdev_is_legacy(p->dev) && !to_status)
		vdev_rule_broken(p->dev, RULE_PCI_INTERFACES, "%s at %#x",
				 legacy ? "I/O ports" : r->name, (unsigned)off);
}

/* MSI-X is where its own capability says, and is not virtio's. */
static void judge_knowledge(struct vpci *p, unsigned bar, const struct region *r)
{
	if (bar == p->bar && r && r->space != VDEV_SPACE_MSIX && r->space != VDEV_SPACE_PENDING &&
	    !p->caps_read && !atomic_exchange(&p->caps_read, true)) /* once is enough */
		vdev_rule_broken(p->dev, RULE_PCI_CAPS_UNREAD, "%s", r->name);
}

static uint64_t bar_read(struct pci_function *f, unsigned bar, uint64_t off, unsigned len)
{
	struct vpci *p = (struct vpci *)f;
	const struct region *r = region_at(p, off, len);
	uint64_t value = 0;

	judge_knowledge(p, bar, r);
	if (bar != p->bar)
		value = ports_read(p, off, len);
	else if (r && r->read)
		value = r->read(p, off - r->at, len);
	else
		nothing_there(p, r, off, false, len);
	tell_access(p, bar, r, off, len, false, value);
	return value;
}

static void bar_write(struct pci_function *f, unsigned bar, uint64_t off, unsigned len,
		      uint64_t value)
{
	struct vpci *p = (struct vpci *)f;
	const struct region *r = region_at(p, off, len);

	tell_access(p, bar, r, off, len, true, value);
	judge_knowledge(p, bar, r);
	judge_interface(p, bar, r, off);
	if (bar != p->bar)
		ports_write(p, off, len, value);
	else if (r && r->write)
		r->write(p, off - r->at, len, value);
	else
		nothing_there(p, r, off, true, len);
}

/*
 * The way to the BAR through configuration space (4.1.4.9): the capability names a place, accesses
 * to the four bytes after it go there. Lengths other than 1, 2 and 4 and places beyond the BAR or
 * misaligned go nowhere.
 */

struct place {
	uint32_t off, len;
};

/* A BAR's number, as capabilities have it: 64-bit ones take two. */
static uint8_t bar_register(const struct vpci *p)
{
	return (uint8_t)(2 * p->bar);
}

static bool access_place(const struct vpci *p, struct place *ret)
{
	unsigned cap = p->access_cap;
	struct place at = { pci_config_get32(&p->f, cap + VPCI_CAP_OFFSET),
			    pci_config_get32(&p->f, cap + VPCI_CAP_LENGTH) };

	if (!at.len) /* as at first: who reads all of configuration space means nothing by it */
		return false;
	if ((at.len != 1 && at.len != 2 && at.len != 4) || at.off % at.len) {
		vdev_rule_broken(p->dev, RULE_PCI_ACCESS_ALIGN, "pci_cfg_data, %#x bytes at %#x",
				 at.len, at.off);
		return false;
	}
	if (p->f.config[cap + VPCI_CAP_BAR] != bar_register(p) || at.off >= BAR_BYTES ||
	    !region_at(p, at.off, at.len)) {
		vdev_rule_broken(p->dev, RULE_PCI_ACCESS_PLACE, "pci_cfg_data, BAR %u at %#x",
				 p->f.config[cap + VPCI_CAP_BAR], at.off);
		return false;
	}
	*ret = at;
	return true;
}

static bool touches(unsigned reg, unsigned len, unsigned first, unsigned n)
{
	return reg < first + n && first < reg + len;
}

static void access_read(struct vpci *p)
{
	struct place at;

	if (access_place(p, &at))
		pci_config_set32(&p->f, p->access_cap + VPCI_CAP_EXTRA,
				 (uint32_t)bar_read(&p->f, p->bar, at.off, at.len));
}

static void access_write(struct vpci *p)
{
	uint32_t data = pci_config_get32(&p->f, p->access_cap + VPCI_CAP_EXTRA);
	struct place at;

	if (access_place(p, &at))
		bar_write(&p->f, p->bar, at.off, at.len,
			  at.len == 4 ? data : data & ((1u << (8 * at.len)) - 1));
}

/*
 * Configuration space.
 */

static void before_read(struct pci_function *f, unsigned reg, unsigned len)
{
	struct vpci *p = (struct vpci *)f;

	if (touches(reg, len, PCI_STATUS, 1)) {
		bool pending = !pci_msix_enabled(&p->msix) && atomic_load(&p->isr);

		f->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
		f->config[PCI_STATUS] |= pending ? PCI_STATUS_INTERRUPT : 0;
	}
	if (p->modern && touches(reg, len, p->caps + VPCI_CAP_BAR, VPCI_CAP_LENGTH - VPCI_CAP_BAR))
		p->caps_read = true;
	if (p->modern && touches(reg, len, p->access_cap + VPCI_CAP_EXTRA, 4))
		access_read(p);
}

/* Virtio's capabilities. */
static void capability_written(struct vpci *p, unsigned reg, unsigned len)
{
	if (touches(reg, len, p->caps, p->access_cap + VPCI_CAP_BAR - p->caps))
		vdev_access_broken(p->dev, RULE_PCI_CAPABILITY, "virtio capability", true, len);
	if (touches(reg, len, p->access_cap + VPCI_CAP_EXTRA, 4))
		access_write(p);
}

static void written(struct pci_function *f, unsigned reg, unsigned len)
{
	struct vpci *p = (struct vpci *)f;
	int ret;

	if (p->modern)
		capability_written(p, reg, len);
	if (!touches(reg, len, PCI_COMMAND, 2) && !touches(reg, len, p->msix.cap, 4))
		return;
	ret = pci_msix_update(&p->msix);
	if (ret < 0)
		vdev_host_error(p->dev, "MSI-X: %s", g_strerror(-ret));
	pthread_mutex_lock(&p->lock);
	p->msix_on = pci_msix_enabled(&p->msix);
	vpci_irq_retarget(p);
	vpci_follow_state(p);
	pthread_mutex_unlock(&p->lock);
	vpci_irq_command(p, pci_config_get16(f, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE);
}

/*
 * Doorbells.
 */

/* Where queue @q's kicks would be taken from a driver that runs; an address of 0: nowhere. */
static struct board_doorbell doorbell_of(const struct vpci *p, unsigned q)
{
	struct board_doorbell doorbell = { .fd = p->dev->queue[q].kick_fd };

	if (vdev_is_legacy(p->dev)) {
		doorbell.addr = p->ports_at ? p->ports_at + VPCI_LEGACY_QUEUE_NOTIFY : 0;
		doorbell.io = true;
		doorbell.len = 2;
		doorbell.has_match = true;
		doorbell.match = q;
	} else {
		doorbell.addr = p->notify_at ? p->notify_at + q * NOTIFY_EACH : 0;
		if (p->dev->checked && p->kick_wide) { /* every value means something */
			doorbell.addr = 0;
		} else if (p->dev->checked) { /* a kick that is not what it should be traps */
			doorbell.len = 2;
			doorbell.has_match = true;
			doorbell.match = notify_id(p, q);
		}
	}
	return doorbell;
}

static void doorbell_down(struct vpci *p, unsigned q)
{
	if (p->doorbell[q].addr)
		p->f.board->ops->doorbell(p->f.board, &p->doorbell[q], false);
	p->doorbell[q].addr = 0;
}

/* Should the board refuse, kicks trap and arrive all the same. */
static void doorbell_set(struct vpci *p, unsigned q, bool on)
{
	struct board_doorbell wanted = doorbell_of(p, q);

	if (!on || p->doorbell[q].addr != wanted.addr || p->doorbell[q].io != wanted.io)
		doorbell_down(p, q);
	if (on && wanted.addr && !p->doorbell[q].addr &&
	    p->f.board->ops->doorbell(p->f.board, &wanted, true) == 0)
		p->doorbell[q] = wanted;
}

void vpci_follow_state(struct vpci *p)
{
	bool running = vdev_in_use(p->dev);

	p->kick_wide = running && vdev_accepted(p->dev, VIRTIO_F_NOTIFICATION_DATA);
	p->kick_config = running && vdev_accepted(p->dev, VIRTIO_F_NOTIF_CONFIG_DATA);
	for (unsigned q = 0; q < p->dev->n_queues; q++)
		doorbell_set(p, q, running && vdev_queue_read(p->dev, q, VQR_ENABLE));
	vpci_irq_line(p, running && !p->msix_on);
}

static void remapped(struct pci_function *f, unsigned bar)
{
	struct vpci *p = (struct vpci *)f;
	uint64_t at = f->bar[bar].mapped;

	pthread_mutex_lock(&p->lock);
	for (unsigned q = 0; q < p->dev->n_queues; q++)
		doorbell_down(p, q);
	if (bar == p->bar)
		p->notify_at = at ? at + AT_NOTIFY : 0;
	else
		p->ports_at = at;
	vpci_follow_state(p);
	pthread_mutex_unlock(&p->lock);
}

/* Of the device and of the registers: machine reset, and the end. */
static void vpci_reset(struct pci_function *f)
{
	struct vpci *p = (struct vpci *)f;

	pthread_mutex_lock(&p->lock);
	vdev_set_status(p->dev, 0);
	p->device_feature_select = 0;
	p->driver_feature_select = 0;
	p->queue_select = 0;
	p->msix_on = false;
	vpci_irq_reset(p);
	vpci_follow_state(p);
	pthread_mutex_unlock(&p->lock);
	pci_msix_reset(&p->msix);
	vpci_irq_command(p, false);
}

static const struct pci_function_ops function_ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.remapped = remapped,
	.before_read = before_read,
	.written = written,
	.reset = vpci_reset,
};

/*
 * Life.
 */

static void vpci_put32(uint8_t *at, uint32_t value)
{
	value = GUINT32_TO_LE(value);
	memcpy(at, &value, sizeof(value));
}

static unsigned add_cap(struct vpci *p, uint8_t type, uint32_t at, uint32_t length)
{
	uint8_t body[VPCI_CAP_EXTRA + 4 + PADDING] = {
		PCI_CAP_VENDOR, [VPCI_CAP_TYPE] = type, [VPCI_CAP_BAR] = bar_register(p)
	};
	uint8_t writable[sizeof(body)] = { 0 };
	bool extra = type == VPCI_TYPE_NOTIFY || type == VPCI_TYPE_ACCESS;

	body[VPCI_CAP_LEN] = (uint8_t)(VPCI_CAP_EXTRA + (extra ? 4 : 0) +
				       (p->dev->baited && type != VPCI_TYPE_ACCESS ? PADDING : 0));
	vpci_put32(body + VPCI_CAP_OFFSET, at);
	vpci_put32(body + VPCI_CAP_LENGTH, length);
	if (type == VPCI_TYPE_NOTIFY)
		vpci_put32(body + VPCI_CAP_EXTRA, NOTIFY_EACH);
	if (type == VPCI_TYPE_ACCESS) {
		writable[VPCI_CAP_BAR] = 0xff;
		memset(writable + VPCI_CAP_OFFSET, 0xff, 12);
	}
	return pci_config_cap(&p->f, body, body[VPCI_CAP_LEN], writable);
}

/* As baits, structures are longer than drivers know them, and so are capabilities; the first is
 * of a kind that nobody knows, and the last of a kind that was there before (4.1.4.1). */
static void add_caps(struct vpci *p)
{
	bool bait = p->dev->baited;
	uint32_t notify = (uint32_t)(p->dev->n_queues * NOTIFY_EACH);
	uint32_t config = (uint32_t)p->dev->config_size;

	if (bait)
		add_cap(p, DECOY_TYPE, AT_DECOY, DECOY_BYTES);
	p->caps = add_cap(p, VPCI_TYPE_COMMON, AT_COMMON, bait ? AT_ISR : VPCI_COMMON_BYTES);
	add_cap(p, VPCI_TYPE_NOTIFY, AT_NOTIFY, bait ? NOTIFY_BYTES : notify);
	add_cap(p, VPCI_TYPE_ISR, AT_ISR, bait ? 4 : 1);
	if (config)
		add_cap(p, VPCI_TYPE_DEVICE, AT_CONFIG, bait ? VDEV_CONFIG_MAX : config);
	p->access_cap = add_cap(p, VPCI_TYPE_ACCESS, 0, 0);
	if (bait)
		add_cap(p, VPCI_TYPE_COMMON, AT_SECOND, VPCI_COMMON_BYTES);
}

/* Registers and configuration space, as a power of two. What is beyond 256 ports, which is the most
 * that a BAR can have, a legacy driver does not see. */
static uint64_t ports_bytes(const struct vdev *dev)
{
	uint64_t bytes = 32;

	while (bytes < VPCI_LEGACY_BYTES_MSIX + dev->config_size && bytes < 256)
		bytes *= 2;
	return bytes;
}

static void make_function(struct vpci *p)
{
	const struct vdev_class *class = p->dev->class;
	struct pci_ids ids = { .vendor = VPCI_VENDOR,
			       .device = (uint16_t)(VPCI_DEVICE_MODERN + p->dev->type),
			       .subsystem_vendor = VPCI_VENDOR,
			       .subsystem = (uint16_t)(VPCI_DEVICE_MODERN + p->dev->type),
			       .class = p->dev->pci_class,
			       .revision = 1,
			       .intx = true };
	struct pci_msix_layout msix = {
		.n = p->dev->n_queues + 1, .bar = p->bar, .table = AT_TABLE, .pending = AT_PENDING
	};

	if (p->legacy) { /* 4.1.2.3 */
		ids.device = class->legacy_id;
		ids.subsystem = (uint16_t)p->dev->type;
		ids.revision = 0;
	}
	pci_config_init(&p->f, &function_ops, &ids);
	if (p->legacy)
		pci_config_io_bar(&p->f, PORTS_BAR, ports_bytes(p->dev));
	pci_config_bar(&p->f, p->bar, BAR_BYTES);
	if (p->modern)
		add_caps(p);
	pci_msix_init(&p->msix, &p->f, &msix);
}

static void vpci_destroy(struct vpci *p)
{
	if (p->f.board)
		pci_root_remove(p->root, &p->f);
	vpci_irq_close(p);
	pci_msix_clear(&p->msix);
	pci_config_clear(&p->f);
	pthread_mutex_destroy(&p->lock);
	g_free(p);
}

struct vpci *vpci_new(struct vdev *dev, struct pci_root *root, unsigned slot, GError **err)
{
	struct vpci *p = g_new0(struct vpci, 1);

	p->dev = dev;
	p->root = root;
	p->intx_fd = p->resample_fd = -1;
	p->legacy = dev->opt_legacy != VDEV_LEGACY_OFF;
	p->modern = dev->opt_legacy != VDEV_LEGACY_ONLY;
	p->bar = p->legacy ? PORTS_BAR + 1 : 0;
	pthread_mutex_init(&p->lock, NULL);
	make_function(p);
	if (!pci_root_add(root, &p->f, slot, err) || !pci_msix_open(&p->msix, err) ||
	    !vpci_irq_open(p, err)) {
		vpci_destroy(p);
		return NULL;
	}
	vpci_irq_reset(p);
	vdev_attach(dev, &vpci_transport_ops, p);
	return p;
}

void vpci_free(struct vpci *p)
{
	if (!p)
		return;
	pci_config_reset(&p->f);
	vdev_detach(p->dev);
	vpci_destroy(p);
}

unsigned vpci_slot(const struct vpci *p)
{
	return p->f.slot;
}

struct pci_function *vpci_function(struct vpci *p)
{
	return &p->f;
}

struct pci_msix *vpci_msix(struct vpci *p)
{
	return &p->msix;
}

bool vpci_doorbell(const struct vpci *p, unsigned q, unsigned bar, struct vpci_doorbell *ret)
{
	int fd = p->dev->queue[q].kick_fd;

	if (p->legacy && bar == 2 * PORTS_BAR) {
		*ret = (struct vpci_doorbell){ VPCI_LEGACY_QUEUE_NOTIFY, 2, true, q, fd };
		return true;
	}
	*ret = (struct vpci_doorbell){ AT_NOTIFY + q * NOTIFY_EACH, .fd = fd };
	return p->modern && bar == bar_register(p);
}

/*
 * The row of transport/registry.h.
 */

struct vpci_options {
	uint32_t slot;
};

static const struct prop vpci_props[] = {
	{ .key = "slot",
	  .type = PROP_U32,
	  .offset = offsetof(struct vpci_options, slot),
	  .max = PCI_SLOTS - 1,
	  .also = "addr",
	  .help = "its place on the bus, 00:SLOT.0; 0 is the first free one" },
	{ 0 },
};

static bool vpci_wants_place(const void *options)
{
	return ((const struct vpci_options *)options)->slot != 0;
}

static void *vpci_attach(struct vdev *dev, const struct transport_env *env, const void *options,
			 GError **err)
{
	const struct vpci_options *chosen = options;

	if (env->pci)
		return vpci_new(dev, env->pci, chosen->slot, err);
	ringside_usage(err, "transport=pci: this machine has no PCI bus");
	return NULL;
}

static void vpci_detach(void *handle)
{
	vpci_free(handle);
}

static void vpci_place(const void *handle, struct transport_place *ret)
{
	*ret = (struct transport_place){ .pci_slot = vpci_slot(handle) };
}

const struct transport pci_transport = {
	.name = "pci",
	.summary = "virtio-pci: a function on the PCI bus, with MSI-X or INTx",
	.props = vpci_props,
	.options_size = sizeof(struct vpci_options),
	.wants_place = vpci_wants_place,
	.attach = vpci_attach,
	.detach = vpci_detach,
	.place = vpci_place,
};
