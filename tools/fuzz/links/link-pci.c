/*
 * virtio-pci: with MSI-X, with INTx, and with every access to a structure made through the PCI
 * configuration access capability. The function is the first on the bus; where its structures are is
 * found once, when the device is made, and its BAR is put where we want it before each start.
 */
#include "tools/fuzz/fixture/fixture.h"
#include "tools/fuzz/language/trace.h"
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

static uint32_t cfg(struct fixture *fx, unsigned reg, unsigned len)
{
	return (uint32_t)fuzz_board_read(fx->board, false, ECAM + (1u << 15) + reg, len);
}

static void cfg_write(struct fixture *fx, unsigned reg, unsigned len, uint32_t value)
{
	fuzz_board_write(fx->board, false, ECAM + (1u << 15) + reg, len, value);
}

static uint64_t get(struct fixture *fx, uint32_t off, unsigned len)
{
	struct pci_link *l = fx->transport;

	if (fx->link->variant != BY_ACCESS)
		return fuzz_board_read(fx->board, false, l->bar + off, len);
	cfg_write(fx, l->access_cap + 4, 1, 0);
	cfg_write(fx, l->access_cap + 8, 4, off);
	cfg_write(fx, l->access_cap + 12, 4, len);
	return cfg(fx, l->access_cap + 16, len <= 4 ? len : 4);
}

static void put(struct fixture *fx, uint32_t off, unsigned len, uint64_t value)
{
	struct pci_link *l = fx->transport;

	if (fx->link->variant != BY_ACCESS) {
		fuzz_board_write(fx->board, false, l->bar + off, len, value);
		return;
	}
	cfg_write(fx, l->access_cap + 4, 1, 0);
	cfg_write(fx, l->access_cap + 8, 4, off);
	cfg_write(fx, l->access_cap + 12, 4, len);
	cfg_write(fx, l->access_cap + 16, len <= 4 ? len : 4, (uint32_t)value);
}

/*
 * Finding everything, once.
 */
static void virtio_cap(struct fixture *fx, unsigned cap)
{
	struct pci_link *l = fx->transport;
	uint32_t off = cfg(fx, cap + 8, 4);

	switch (cfg(fx, cap + 3, 1)) {
	case 1:
		l->common = off;
		break;
	case 2:
		l->notify = off;
		l->multiplier = cfg(fx, cap + 16, 4);
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

static void link_open(struct fixture *fx)
{
	struct pci_root_config config = { .ecam_base = ECAM,
					  .mem_base = MEM,
					  .mem_size = MEM_SIZE };
	struct pci_link *l = g_new0(struct pci_link, 1);
	GError *err = NULL;

	fx->transport = l;
	fx->board = fuzz_board_new(false);
	l->root = pci_root_new(fuzz_board_board(fx->board), &config, &err);
	l->pci = l->root ? vpci_new(fx->dev, l->root, 1, &err) : NULL;
	if (!l->pci)
		fuzz_bug("pci: %s", err->message);
	l->bar = (cfg(fx, 0x10, 4) & ~0xfull) | (uint64_t)cfg(fx, 0x14, 4) << 32;
	for (unsigned cap = cfg(fx, 0x34, 1); cap; cap = cfg(fx, cap + 1, 1)) {
		if (cfg(fx, cap, 1) == 0x09)
			virtio_cap(fx, cap);
		else if (cfg(fx, cap, 1) == 0x11)
			l->msix_cap = cap;
	}
	l->n_vectors = (cfg(fx, l->msix_cap + 2, 2) & 0x7ff) + 1;
	l->table = cfg(fx, l->msix_cap + 4, 4) & ~7u;
}

static void link_close(struct fixture *fx)
{
	struct pci_link *l = fx->transport;

	vpci_free(l->pci);
	pci_root_free(l->root);
	g_free(l);
}

static void machine_reset(struct fixture *fx)
{
	struct pci_link *l = fx->transport;

	pci_root_reset(l->root);
	fuzz_board_eoi(fx->board);
}

static void reset_selectors(struct fixture *fx)
{
	struct pci_link *l = fx->transport;

	put(fx, l->common + 0x00, 4, 0);
	put(fx, l->common + 0x08, 4, 0);
	put(fx, l->common + 0x16, 2, 0);
	if (fx->link->variant == BY_ACCESS)
		for (unsigned reg = 4; reg <= 16; reg += 4)
			cfg_write(fx, l->access_cap + reg, 4, 0);
}

/*
 * The driver.
 */
#define VECTORS 9u /* that the driver sets up */

static void ready(struct fixture *fx)
{
	struct pci_link *l = fx->transport;

	cfg_write(fx, 0x10, 4, (uint32_t)l->bar);
	cfg_write(fx, 0x14, 4, (uint32_t)(l->bar >> 32));
	cfg_write(fx, 0x04, 2, 0x0006);
	if (fx->link->variant == BY_INTX) {
		cfg_write(fx, l->msix_cap + 2, 2, 0);
		return;
	}
	cfg_write(fx, l->msix_cap + 2, 2, 0xc000);
	for (unsigned v = 0; v < l->n_vectors && v < VECTORS; v++) {
		put(fx, l->table + v * 16, 4, MSI_ADDR);
		put(fx, l->table + v * 16 + 8, 4, 0x40 + v);
		put(fx, l->table + v * 16 + 12, 4, 0);
	}
	cfg_write(fx, l->msix_cap + 2, 2, 0x8000);
}

static uint64_t common(struct fixture *fx, uint32_t off, unsigned len)
{
	return get(fx, ((struct pci_link *)fx->transport)->common + off, len);
}

static void set_common(struct fixture *fx, uint32_t off, unsigned len, uint64_t value)
{
	put(fx, ((struct pci_link *)fx->transport)->common + off, len, value);
}

static uint32_t offered(struct fixture *fx, unsigned select)
{
	set_common(fx, 0x00, 4, select);
	return (uint32_t)common(fx, 0x04, 4);
}

static void accept_bits(struct fixture *fx, unsigned select, uint32_t bits)
{
	set_common(fx, 0x08, 4, select);
	set_common(fx, 0x0c, 4, bits);
}

static uint32_t status(struct fixture *fx)
{
	return (uint32_t)common(fx, 0x14, 1);
}

static void set_status(struct fixture *fx, uint32_t value)
{
	set_common(fx, 0x14, 1, value);
	if (value == 3 && fx->link->variant != BY_INTX) /* a driver sets this beside DRIVER */
		set_common(fx, 0x10, 2, 0);
}

static unsigned queue_max(struct fixture *fx, unsigned q)
{
	if (q >= common(fx, 0x12, 2))
		return 0;
	set_common(fx, 0x16, 2, q);
	return (unsigned)common(fx, 0x18, 2);
}

static void put_halves(struct fixture *fx, uint32_t off, uint64_t value)
{
	set_common(fx, off, 4, (uint32_t)value);
	set_common(fx, off + 4, 4, value >> 32);
}

static void queue_set(struct fixture *fx, unsigned q, const struct link_ring *ring)
{
	set_common(fx, 0x16, 2, q);
	set_common(fx, 0x18, 2, ring->size);
	put_halves(fx, 0x20, ring->desc);
	put_halves(fx, 0x28, ring->driver);
	put_halves(fx, 0x30, ring->device);
	if (fx->link->variant != BY_INTX)
		set_common(fx, 0x1a, 2, q + 1);
	set_common(fx, 0x1c, 2, 1);
}

static void queue_reset(struct fixture *fx, unsigned q)
{
	set_common(fx, 0x16, 2, q);
	set_common(fx, 0x3a, 2, 1);
}

static void kick(struct fixture *fx, unsigned q, uint32_t value)
{
	struct pci_link *l = fx->transport;

	put(fx, l->notify + q * l->multiplier, 2, value);
}

static uint64_t read_area(struct fixture *fx, enum link_area area, uint32_t off, unsigned len)
{
	struct pci_link *l = fx->transport;

	switch (area) {
	case LINK_REGISTERS:
		return get(fx, l->common + off, len);
	case LINK_CONFIG:
		return l->device ? get(fx, l->device + off, len) : 0;
	case LINK_PCI:
		return cfg(fx, off & 0xfff, len);
	default:
		return fuzz_board_read(fx->board, false, l->bar + off, len);
	}
}

static void write_area(struct fixture *fx, enum link_area area, uint32_t off, unsigned len,
		       uint64_t value)
{
	struct pci_link *l = fx->transport;

	switch (area) {
	case LINK_REGISTERS:
		put(fx, l->common + off, len, value);
		break;
	case LINK_CONFIG:
		if (l->device)
			put(fx, l->device + off, len, value);
		break;
	case LINK_PCI:
		cfg_write(fx, off & 0xfff, len, (uint32_t)value);
		break;
	default:
		fuzz_board_write(fx->board, false, l->bar + off, len, value);
		break;
	}
}

static unsigned interrupts(struct fixture *fx)
{
	struct pci_link *l = fx->transport;
	unsigned n = fuzz_board_interrupts(fx->board);
	uint64_t isr;

	if (n && fx->link->variant == BY_INTX) {
		isr = get(fx, l->isr, 1);
		trace("driver: ISR status was %#lx", isr);
		fuzz_board_eoi(fx->board);
	}
	return n;
}

#define OPS                                                                                     \
	.open = link_open, .close = link_close, .machine_reset = machine_reset, .ready = ready, \
	.reset_selectors = reset_selectors, .offered = offered, .accept = accept_bits,          \
	.status = status, .set_status = set_status, .queue_max = queue_max,                     \
	.queue_set = queue_set, .queue_reset = queue_reset, .kick = kick, .read = read_area,    \
	.write = write_area, .interrupts = interrupts

const struct link_ops link_pci = { .name = "pci", .variant = BY_MSIX, OPS };
const struct link_ops link_pci_intx = { .name = "pci-intx", .variant = BY_INTX, OPS };
const struct link_ops link_pci_access = { .name = "pci-access", .variant = BY_ACCESS, OPS };
