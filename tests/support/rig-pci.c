/*
 * The link over virtio-pci, as a driver does it (VIRTIO 1.4, 4.1.4): finds the function on the bus,
 * walks its capabilities, switches decoding on, and works through the structures they name. With
 * MSI-X (a vector for each queue and one for the configuration), with INTx, or with every access to
 * a structure made through the PCI configuration access capability.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/rig-impl.h"
#include "transport/pci/root.h"

#define ECAM        RIG_PCI_ECAM
#define MEM         (8ull << 40)
#define MEM_SIZE    (1ull << 30)
#define MSI_ADDR    RIG_PCI_MSI_ADDR
#define MSI_DATA    RIG_PCI_MSI_DATA
#define VECTORS_MAX (VDEV_QUEUES_MAX + 1)

struct place {
	unsigned bar;
	uint32_t off, len;
	bool found;
};

struct pci_link {
	struct pci_root *root;
	unsigned slot;
	uint64_t bar[6];
	struct place common, notify, isr, device;
	uint32_t multiplier;
	unsigned access_cap; /* offset of the PCI_CFG capability */
	unsigned msix_cap, n_vectors;
	uint16_t notify_off[VDEV_QUEUES_MAX];
	uint16_t kick_id[VDEV_QUEUES_MAX]; /* what a kick calls the queue (4.1.5.2) */
};

/*
 * Configuration space, by ECAM.
 */

static uint32_t cfg_read(struct rig *r, unsigned slot, unsigned reg, unsigned len)
{
	return (uint32_t)board_fake_read(r->board, false, ECAM + (slot << 15) + reg, len);
}

static void cfg_write(struct rig *r, unsigned reg, unsigned len, uint32_t value)
{
	struct pci_link *l = r->transport;

	board_fake_write(r->board, false, ECAM + (l->slot << 15) + reg, len, value);
}

static uint32_t cfg(struct rig *r, unsigned reg, unsigned len)
{
	struct pci_link *l = r->transport;

	return cfg_read(r, l->slot, reg, len);
}

/*
 * Structures, in a BAR.
 */

static void aim(struct rig *r, const struct place *p, uint32_t off, unsigned len)
{
	struct pci_link *l = r->transport;

	cfg_write(r, l->access_cap + 4, 1, p->bar);
	cfg_write(r, l->access_cap + 8, 4, p->off + off);
	cfg_write(r, l->access_cap + 12, 4, len);
}

static uint32_t get(struct rig *r, const struct place *p, uint32_t off, unsigned len)
{
	struct pci_link *l = r->transport;

	if (r->link->variant == RIG_PCI_CFG) {
		aim(r, p, off, len);
		return cfg(r, l->access_cap + 16, len);
	}
	return (uint32_t)board_fake_read(r->board, false, l->bar[p->bar] + p->off + off, len);
}

static void put(struct rig *r, const struct place *p, uint32_t off, unsigned len, uint32_t value)
{
	struct pci_link *l = r->transport;

	if (r->link->variant == RIG_PCI_CFG) {
		aim(r, p, off, len);
		cfg_write(r, l->access_cap + 16, len, value);
	} else {
		board_fake_write(r->board, false, l->bar[p->bar] + p->off + off, len, value);
	}
}

/*
 * Finding everything.
 */

static void map_bars(struct rig *r)
{
	struct pci_link *l = r->transport;

	for (unsigned b = 0; b < 6; b++) {
		uint32_t low = cfg(r, 0x10 + b * 4, 4);

		if ((low & 7) != 4) /* 64-bit memory is all there may be */
			continue;
		l->bar[b] = (low & ~0xfull) | (uint64_t)cfg(r, 0x14 + b * 4, 4) << 32;
		b++;
	}
	cfg_write(r, 0x04, 2, 0x0006);
}

static void virtio_cap(struct rig *r, unsigned cap)
{
	struct pci_link *l = r->transport;
	struct place p = { cfg(r, cap + 4, 1), cfg(r, cap + 8, 4), cfg(r, cap + 12, 4), true };

	switch (cfg(r, cap + 3, 1)) {
	case 1:
		l->common = p;
		break;
	case 2:
		l->notify = p;
		l->multiplier = cfg(r, cap + 16, 4);
		break;
	case 3:
		l->isr = p;
		break;
	case 4:
		l->device = p;
		break;
	case 5:
		l->access_cap = cap;
		break;
	default:
		break;
	}
}

static void walk_caps(struct rig *r)
{
	struct pci_link *l = r->transport;
	unsigned n = 0;

	assert_true(cfg(r, 0x06, 2) & 0x10);
	for (unsigned cap = cfg(r, 0x34, 1); cap; cap = cfg(r, cap + 1, 1)) {
		assert_true(++n < 48 && cap >= 0x40 && cap % 4 == 0);
		if (cfg(r, cap, 1) == 0x09)
			virtio_cap(r, cap);
		else if (cfg(r, cap, 1) == 0x11)
			l->msix_cap = cap;
	}
	assert_true(l->common.found && l->common.off % 4 == 0);
	assert_true(l->notify.found && l->isr.found && l->access_cap);
	assert_true(l->device.found == (r->dev->config_size > 0));
}

static void msix_on(struct rig *r)
{
	struct pci_link *l = r->transport;
	uint32_t where = cfg(r, l->msix_cap + 4, 4);
	struct place table = { where & 7, where & ~7u, 0, true };

	assert_int_not_equal(l->msix_cap, 0);
	l->n_vectors = (cfg(r, l->msix_cap + 2, 2) & 0x7ff) + 1;
	assert_true(l->n_vectors >= 2 && l->n_vectors <= VECTORS_MAX);
	cfg_write(r, l->msix_cap + 2, 2, 0xc000);
	for (unsigned v = 0; v < l->n_vectors; v++) {
		put(r, &table, v * 16, 4, MSI_ADDR);
		put(r, &table, v * 16 + 4, 4, 0);
		put(r, &table, v * 16 + 8, 4, MSI_DATA + v);
		put(r, &table, v * 16 + 12, 4, 0);
	}
	cfg_write(r, l->msix_cap + 2, 2, 0x8000);
}

static void link_open(struct rig *r)
{
	struct pci_link *l = g_new0(struct pci_link, 1);
	struct pci_root_config config = { .ecam_base = ECAM,
					  .mem_base = MEM,
					  .mem_size = MEM_SIZE };
	GError *err = NULL;

	r->transport = l;
	r->board = board_fake_new(false);
	l->root = pci_root_new(board_fake_board(r->board), &config, &err);
	if (!l->root)
		fail_msg("%s", err->message);
	rig_attach(r, "pci", "", l->root);
	while (cfg_read(r, l->slot, 0, 4) != (0x1af4u | (0x1040 + r->dev->class->id) << 16))
		assert_true(++l->slot < 32);
	walk_caps(r);
	map_bars(r);
	if (r->link->variant != RIG_PCI_INTX)
		msix_on(r);
}

static void link_close(struct rig *r)
{
	struct pci_link *l = r->transport;

	rig_detach(r);
	pci_root_free(l->root);
	g_free(l);
}

/*
 * The driver.
 */

static uint32_t common(struct rig *r, uint32_t off, unsigned len)
{
	return get(r, &((struct pci_link *)r->transport)->common, off, len);
}

static void set_common(struct rig *r, uint32_t off, unsigned len, uint32_t value)
{
	put(r, &((struct pci_link *)r->transport)->common, off, len, value);
}

static void *transport(struct rig *r)
{
	return r->handle;
}

static uint32_t offered(struct rig *r, uint32_t select)
{
	set_common(r, 0x00, 4, select);
	return common(r, 0x04, 4);
}

static void accept_bits(struct rig *r, uint32_t select, uint32_t bits)
{
	set_common(r, 0x08, 4, select);
	set_common(r, 0x0c, 4, bits);
}

static uint32_t status(struct rig *r)
{
	return common(r, 0x14, 1);
}

/* Vectors go with the reset, so a driver maps them anew: DRIVER comes before any queue. */
static void set_status(struct rig *r, uint32_t value)
{
	set_common(r, 0x14, 1, value);
	if (value == (VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER) && r->link->variant != RIG_PCI_INTX) {
		assert_int_equal(common(r, 0x10, 2), 0xffff);
		set_common(r, 0x10, 2, 0);
		assert_int_equal(common(r, 0x10, 2), 0);
	}
}

static void config_read(struct rig *r, size_t off, void *dst, size_t len)
{
	struct pci_link *l = r->transport;
	uint32_t value = GUINT32_TO_LE(get(r, &l->device, (uint32_t)off, (unsigned)len));

	memcpy(dst, &value, len);
}

static void config_write(struct rig *r, size_t off, const void *src, size_t len)
{
	struct pci_link *l = r->transport;
	uint32_t value = 0;

	memcpy(&value, src, len);
	put(r, &l->device, (uint32_t)off, (unsigned)len, GUINT32_FROM_LE(value));
}

static uint32_t generation(struct rig *r)
{
	return (uint8_t)common(r, 0x15, 1);
}

static unsigned queue_max(struct rig *r, unsigned q)
{
	if (q >= common(r, 0x12, 2))
		return 0;
	set_common(r, 0x16, 2, q);
	return common(r, 0x18, 2);
}

static void put64(struct rig *r, uint32_t off, uint64_t value)
{
	set_common(r, off, 4, (uint32_t)value);
	set_common(r, off + 4, 4, (uint32_t)(value >> 32));
}

static void queue_set(struct rig *r, unsigned q, const struct rig_ring *ring)
{
	struct pci_link *l = r->transport;

	set_common(r, 0x16, 2, q);
	assert_int_equal(common(r, 0x1c, 2), 0);
	set_common(r, 0x18, 2, ring->size);
	put64(r, 0x20, ring->desc);
	put64(r, 0x28, ring->driver);
	put64(r, 0x30, ring->device);
	if (r->link->variant != RIG_PCI_INTX) {
		assert_int_equal(common(r, 0x1a, 2), 0xffff);
		set_common(r, 0x1a, 2, q + 1);
		assert_int_equal(common(r, 0x1a, 2), q + 1);
	}
	l->notify_off[q] = (uint16_t)common(r, 0x1e, 2);
	assert_true(l->notify_off[q] * l->multiplier + 4 <= l->notify.len);
	l->kick_id[q] = (uint16_t)q;
	if (rig_has(r, VIRTIO_F_NOTIF_CONFIG_DATA))
		l->kick_id[q] = (uint16_t)common(r, 0x38, 2);
	set_common(r, 0x1c, 2, 1);
}

static bool queue_enabled(struct rig *r, unsigned q)
{
	set_common(r, 0x16, 2, q);
	return common(r, 0x1c, 2);
}

static void queue_reset(struct rig *r, unsigned q)
{
	set_common(r, 0x16, 2, q);
	set_common(r, 0x3a, 2, 1);
	assert_int_equal(common(r, 0x3a, 2), 0);
}

static void kick(struct rig *r, unsigned q)
{
	struct pci_link *l = r->transport;
	unsigned len;
	uint32_t value = rig_kick_value(r, q, &len) - q + l->kick_id[q];

	put(r, &l->notify, l->notify_off[q] * l->multiplier, len, value);
}

static void take_irq_line(struct rig *r)
{
	struct pci_link *l = r->transport;
	unsigned gsi = cfg(r, 0x3c, 1), cause;

	if (!board_fake_level(r->board, gsi))
		return;
	assert_true(cfg(r, 0x06, 2) & 0x08 || get(r, &l->isr, 0, 1) == 0);
	cause = get(r, &l->isr, 0, 1);
	for (unsigned q = 0; cause & 1 && q < VDEV_QUEUES_MAX; q++)
		if (r->queue[q].vq)
			rig_interrupted(r, q);
	if (cause & 2)
		rig_config_interrupted(r);
	board_fake_eoi(r->board, gsi);
}

static void interrupts(struct rig *r)
{
	struct pci_link *l = r->transport;

	if (r->link->variant == RIG_PCI_INTX) {
		take_irq_line(r);
		return;
	}
	if (board_fake_take_msi(r->board, MSI_ADDR, MSI_DATA))
		rig_config_interrupted(r);
	for (unsigned v = 1; v < l->n_vectors; v++)
		if (board_fake_take_msi(r->board, MSI_ADDR, MSI_DATA + v))
			rig_interrupted(r, v - 1);
}

const struct rig_link_ops rig_pci_ops = {
	.open = link_open,
	.close = link_close,
	.transport = transport,
	.offered = offered,
	.accept = accept_bits,
	.status = status,
	.set_status = set_status,
	.config_read = config_read,
	.config_write = config_write,
	.generation = generation,
	.queue_max = queue_max,
	.queue_set = queue_set,
	.queue_enabled = queue_enabled,
	.queue_reset = queue_reset,
	.kick = kick,
	.interrupts = interrupts,
};
