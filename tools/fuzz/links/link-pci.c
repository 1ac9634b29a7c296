/*
 * virtio-pci: with MSI-X, with INTx, and with every access to a structure made through the PCI
 * configuration access capability. The function is the first on the bus; where its structures are is
 * found once, when the device is made, and its BAR is put where we want it before each start.
 */
#include "tools/fuzz/fixture/world.h"
#include "tools/fuzz/language/story.h"
#include "transport/virtio-pci/virtio-pci.h"

#define ECAM     0xe0000000ull
#define MEM      (8ull << 40)
#define MEM_SIZE (1ull << 30)
#define MSI_ADDR 0xfee01000u

enum { BY_MSIX, BY_INTX, BY_ACCESS };

struct pci_link {
	struct pci_root *root;
	struct vpci *pci;
	uint64_t bar; /* where it was at first */
	uint32_t common, notify, isr;
	uint32_t device; /* 0: a device without such a structure */
	unsigned multiplier, access_cap, msix_cap, table, n_vectors;
};

static uint32_t cfg(struct world *w, unsigned reg, unsigned len)
{
	return (uint32_t)fuzz_board_read(w->board, false, ECAM + (1u << 15) + reg, len);
}

static void cfg_write(struct world *w, unsigned reg, unsigned len, uint32_t value)
{
	fuzz_board_write(w->board, false, ECAM + (1u << 15) + reg, len, value);
}

static uint64_t get(struct world *w, uint32_t off, unsigned len)
{
	struct pci_link *l = w->transport;

	if (w->link->variant != BY_ACCESS)
		return fuzz_board_read(w->board, false, l->bar + off, len);
	cfg_write(w, l->access_cap + 4, 1, 0);
	cfg_write(w, l->access_cap + 8, 4, off);
	cfg_write(w, l->access_cap + 12, 4, len);
	return cfg(w, l->access_cap + 16, len <= 4 ? len : 4);
}

static void put(struct world *w, uint32_t off, unsigned len, uint64_t value)
{
	struct pci_link *l = w->transport;

	if (w->link->variant != BY_ACCESS) {
		fuzz_board_write(w->board, false, l->bar + off, len, value);
		return;
	}
	cfg_write(w, l->access_cap + 4, 1, 0);
	cfg_write(w, l->access_cap + 8, 4, off);
	cfg_write(w, l->access_cap + 12, 4, len);
	cfg_write(w, l->access_cap + 16, len <= 4 ? len : 4, (uint32_t)value);
}

/*
 * Finding everything, once.
 */
static void virtio_cap(struct world *w, unsigned cap)
{
	struct pci_link *l = w->transport;
	uint32_t off = cfg(w, cap + 8, 4);

	switch (cfg(w, cap + 3, 1)) {
	case 1:
		l->common = off;
		break;
	case 2:
		l->notify = off;
		l->multiplier = cfg(w, cap + 16, 4);
		break;
	case 3:
		l->isr = off;
		break;
	case 4:
		l->device = off;
		break;
	case 5:
		l->access_cap = cap;
		break;
	default:
		break;
	}
}

static void link_open(struct world *w)
{
	struct pci_root_config config = { .ecam_base = ECAM,
					  .mem_base = MEM,
					  .mem_size = MEM_SIZE };
	struct pci_link *l = g_new0(struct pci_link, 1);
	GError *err = NULL;

	w->transport = l;
	w->board = fuzz_board_new(false);
	l->root = pci_root_new(fuzz_board_board(w->board), &config, &err);
	l->pci = l->root ? vpci_new(w->dev, l->root, 1, &err) : NULL;
	if (!l->pci)
		fuzz_bug("pci: %s", err->message);
	l->bar = (cfg(w, 0x10, 4) & ~0xfull) | (uint64_t)cfg(w, 0x14, 4) << 32;
	for (unsigned cap = cfg(w, 0x34, 1); cap; cap = cfg(w, cap + 1, 1)) {
		if (cfg(w, cap, 1) == 0x09)
			virtio_cap(w, cap);
		else if (cfg(w, cap, 1) == 0x11)
			l->msix_cap = cap;
	}
	l->n_vectors = (cfg(w, l->msix_cap + 2, 2) & 0x7ff) + 1;
	l->table = cfg(w, l->msix_cap + 4, 4) & ~7u;
}

static void link_close(struct world *w)
{
	struct pci_link *l = w->transport;

	vpci_free(l->pci);
	pci_root_free(l->root);
	g_free(l);
}

static void machine_reset(struct world *w)
{
	struct pci_link *l = w->transport;

	pci_root_reset(l->root);
	fuzz_board_eoi(w->board);
}

static void settle(struct world *w)
{
	struct pci_link *l = w->transport;

	put(w, l->common + 0x00, 4, 0);
	put(w, l->common + 0x08, 4, 0);
	put(w, l->common + 0x16, 2, 0);
	if (w->link->variant == BY_ACCESS)
		for (unsigned reg = 4; reg <= 16; reg += 4)
			cfg_write(w, l->access_cap + reg, 4, 0);
}

/*
 * The driver.
 */
#define VECTORS 9u /* that the driver sets up */

static void ready(struct world *w)
{
	struct pci_link *l = w->transport;

	cfg_write(w, 0x10, 4, (uint32_t)l->bar);
	cfg_write(w, 0x14, 4, (uint32_t)(l->bar >> 32));
	cfg_write(w, 0x04, 2, 0x0006);
	if (w->link->variant == BY_INTX) {
		cfg_write(w, l->msix_cap + 2, 2, 0);
		return;
	}
	cfg_write(w, l->msix_cap + 2, 2, 0xc000);
	for (unsigned v = 0; v < l->n_vectors && v < VECTORS; v++) {
		put(w, l->table + v * 16, 4, MSI_ADDR);
		put(w, l->table + v * 16 + 8, 4, 0x40 + v);
		put(w, l->table + v * 16 + 12, 4, 0);
	}
	cfg_write(w, l->msix_cap + 2, 2, 0x8000);
}

static uint64_t common(struct world *w, uint32_t off, unsigned len)
{
	return get(w, ((struct pci_link *)w->transport)->common + off, len);
}

static void set_common(struct world *w, uint32_t off, unsigned len, uint64_t value)
{
	put(w, ((struct pci_link *)w->transport)->common + off, len, value);
}

static uint32_t offered(struct world *w, unsigned select)
{
	set_common(w, 0x00, 4, select);
	return (uint32_t)common(w, 0x04, 4);
}

static void accept_bits(struct world *w, unsigned select, uint32_t bits)
{
	set_common(w, 0x08, 4, select);
	set_common(w, 0x0c, 4, bits);
}

static uint32_t status(struct world *w)
{
	return (uint32_t)common(w, 0x14, 1);
}

static void set_status(struct world *w, uint32_t value)
{
	set_common(w, 0x14, 1, value);
	if (value == 3 && w->link->variant != BY_INTX) /* a driver sets this beside DRIVER */
		set_common(w, 0x10, 2, 0);
}

static unsigned queue_max(struct world *w, unsigned q)
{
	if (q >= common(w, 0x12, 2))
		return 0;
	set_common(w, 0x16, 2, q);
	return (unsigned)common(w, 0x18, 2);
}

static void put_halves(struct world *w, uint32_t off, uint64_t value)
{
	set_common(w, off, 4, (uint32_t)value);
	set_common(w, off + 4, 4, value >> 32);
}

static void queue_set(struct world *w, unsigned q, const struct link_ring *ring)
{
	set_common(w, 0x16, 2, q);
	set_common(w, 0x18, 2, ring->size);
	put_halves(w, 0x20, ring->desc);
	put_halves(w, 0x28, ring->driver);
	put_halves(w, 0x30, ring->device);
	if (w->link->variant != BY_INTX)
		set_common(w, 0x1a, 2, q + 1);
	set_common(w, 0x1c, 2, 1);
}

static void queue_reset(struct world *w, unsigned q)
{
	set_common(w, 0x16, 2, q);
	set_common(w, 0x3a, 2, 1);
}

static void kick(struct world *w, unsigned q, uint32_t value)
{
	struct pci_link *l = w->transport;

	put(w, l->notify + q * l->multiplier, 2, value);
}

static uint64_t read_area(struct world *w, enum link_area area, uint32_t off, unsigned len)
{
	struct pci_link *l = w->transport;

	switch (area) {
	case LINK_REGISTERS:
		return get(w, l->common + off, len);
	case LINK_CONFIG:
		return l->device ? get(w, l->device + off, len) : 0;
	case LINK_PCI:
		return cfg(w, off & 0xfff, len);
	default:
		return fuzz_board_read(w->board, false, l->bar + off, len);
	}
}

static void write_area(struct world *w, enum link_area area, uint32_t off, unsigned len,
		       uint64_t value)
{
	struct pci_link *l = w->transport;

	switch (area) {
	case LINK_REGISTERS:
		put(w, l->common + off, len, value);
		break;
	case LINK_CONFIG:
		if (l->device)
			put(w, l->device + off, len, value);
		break;
	case LINK_PCI:
		cfg_write(w, off & 0xfff, len, (uint32_t)value);
		break;
	default:
		fuzz_board_write(w->board, false, l->bar + off, len, value);
		break;
	}
}

static unsigned interrupts(struct world *w)
{
	struct pci_link *l = w->transport;
	unsigned n = fuzz_board_interrupts(w->board);
	uint64_t isr;

	if (n && w->link->variant == BY_INTX) {
		isr = get(w, l->isr, 1);
		story("driver: ISR status was %#lx", isr);
		fuzz_board_eoi(w->board);
	}
	return n;
}

#define OPS                                                                                     \
	.open = link_open, .close = link_close, .machine_reset = machine_reset, .ready = ready, \
	.settle = settle, .offered = offered, .accept = accept_bits, .status = status,          \
	.set_status = set_status, .queue_max = queue_max, .queue_set = queue_set,               \
	.queue_reset = queue_reset, .kick = kick, .read = read_area, .write = write_area,       \
	.interrupts = interrupts

const struct link_ops link_pci = { .name = "pci", .variant = BY_MSIX, OPS };
const struct link_ops link_pci_intx = { .name = "pci-intx", .variant = BY_INTX, OPS };
const struct link_ops link_pci_access = { .name = "pci-access", .variant = BY_ACCESS, OPS };
