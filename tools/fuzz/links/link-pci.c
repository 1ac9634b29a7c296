/*
 * virtio-pci: with MSI-X, with INTx, and with every access to a structure made through the PCI
 * configuration access capability. The function is the first on the bus; where its structures are
 * is found once, when the device is made, and its BAR is put where we want it before each start.
 */
#include "tools/fuzz/fixture/fixture.h"
#include "tools/fuzz/language/trace.h"
#include "transport/pci/regs.h"
#include "transport/virtio-pci/regs.h"
#include "transport/virtio-pci/virtio-pci.h"

#define ECAM     FIXTURE_ECAM
#define MEM      (8ull << 40)
#define MEM_SIZE (1ull << 30)
#define MSI_ADDR 0xfee01000u
#define SLOT     1u

enum { BY_MSIX, BY_INTX, BY_ACCESS };

struct pci_link {
	struct pci_root *root;
	struct vpci *pci;
};

static uint32_t link_pci_cfg(struct fixture *fx, unsigned reg, unsigned len)
{
	return fx->io.pci_read(fx, SLOT, reg, len);
}

static void cfg_write(struct fixture *fx, unsigned reg, unsigned len, uint32_t value)
{
	fx->io.pci_write(fx, SLOT, reg, len, value);
}

/* The function has one BAR. */
static uint64_t link_pci_get(struct fixture *fx, uint32_t off, unsigned len)
{
	if (fx->driver.pci.by_access)
		return virtio_pci_access_read(&fx->driver, 0, off, len);
	return board_fake_read(fx->board, false, fx->driver.pci.bar[0] + off, len);
}

static void link_pci_put(struct fixture *fx, uint32_t off, unsigned len, uint64_t value)
{
	if (fx->driver.pci.by_access)
		virtio_pci_access_write(&fx->driver, 0, off, len, (uint32_t)value);
	else
		board_fake_write(fx->board, false, fx->driver.pci.bar[0] + off, len, value);
}

static void link_pci_open(struct fixture *fx)
{
	struct pci_root_config config = { .ecam_base = ECAM,
					  .mem_base = MEM,
					  .mem_size = MEM_SIZE };
	struct pci_link *l = g_new0(struct pci_link, 1);
	GError *err = NULL;

	fx->transport = l;
	fx->board = fuzz_board_new(false);
	l->root = pci_root_new(board_fake_board(fx->board), &config, &err);
	l->pci = l->root ? vpci_new(fx->dev, l->root, SLOT, &err) : NULL;
	if (!l->pci)
		fuzz_bug("pci: %s", err->message);
	if (!virtio_pci_probe(&fx->driver, &fx->io, SLOT))
		fuzz_bug("pci: %s", fx->driver.error ? fx->driver.error : "there is no device");
	fx->driver.pci.by_access = fx->link->variant == BY_ACCESS;
}

static void link_pci_close(struct fixture *fx)
{
	struct pci_link *l = fx->transport;

	vpci_free(l->pci);
	pci_root_free(l->root);
	g_free(l);
}

static void link_pci_machine_reset(struct fixture *fx)
{
	struct pci_link *l = fx->transport;

	pci_root_reset(l->root);
	board_fake_eoi_all(fx->board);
}

static uint32_t link_pci_common(const struct fixture *fx, unsigned field)
{
	return fx->driver.pci.common.offset + field;
}

static void link_pci_reset_selectors(struct fixture *fx)
{
	link_pci_put(fx, link_pci_common(fx, VPCI_DEVICE_FEATURE_SELECT), 4, 0);
	link_pci_put(fx, link_pci_common(fx, VPCI_DRIVER_FEATURE_SELECT), 4, 0);
	link_pci_put(fx, link_pci_common(fx, VPCI_QUEUE_SELECT), 2, 0);
	if (fx->driver.pci.by_access)
		for (unsigned reg = VPCI_CAP_BAR; reg <= VPCI_CAP_EXTRA; reg += 4)
			cfg_write(fx, fx->driver.pci.access_cap + reg, 4, 0);
}

/*
 * The driver.
 */
#define VECTORS 9u /* that the driver sets up */

static void link_pci_ready(struct fixture *fx)
{
	virtio_pci_restore_bars(&fx->driver);
	virtio_pci_command(&fx->driver, PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
	if (fx->link->variant == BY_INTX) {
		virtio_pci_msix(&fx->driver, 0);
		return;
	}
	virtio_pci_msix(&fx->driver, PCI_MSIX_CONTROL_ENABLE | PCI_MSIX_CONTROL_MASK_ALL);
	for (unsigned v = 0; v < VECTORS; v++)
		virtio_pci_msix_entry(&fx->driver, v, MSI_ADDR, 0x40 + v);
	virtio_pci_msix(&fx->driver, PCI_MSIX_CONTROL_ENABLE);
}

static void link_pci_vector(struct fixture *fx, int q)
{
	if (fx->link->variant == BY_INTX)
		return;
	if (q < 0)
		link_pci_put(fx, link_pci_common(fx, VPCI_CONFIG_MSIX_VECTOR), 2, 0);
	else
		link_pci_put(fx, link_pci_common(fx, VPCI_QUEUE_MSIX_VECTOR), 2, (unsigned)q + 1);
}

static uint64_t link_pci_read_area(struct fixture *fx, enum link_area area, uint32_t off,
				   unsigned len)
{
	const struct virtio_pci *pci = &fx->driver.pci;

	switch (area) {
	case LINK_REGISTERS:
		return link_pci_get(fx, link_pci_common(fx, off), len);
	case LINK_CONFIG:
		return pci->config.length ? link_pci_get(fx, pci->config.offset + off, len) : 0;
	case LINK_PCI:
		return link_pci_cfg(fx, off & 0xfff, len);
	default:
		return board_fake_read(fx->board, false, pci->bar[0] + off, len);
	}
}

static void link_pci_write_area(struct fixture *fx, enum link_area area, uint32_t off, unsigned len,
				uint64_t value)
{
	const struct virtio_pci *pci = &fx->driver.pci;

	switch (area) {
	case LINK_REGISTERS:
		link_pci_put(fx, link_pci_common(fx, off), len, value);
		break;
	case LINK_CONFIG:
		if (pci->config.length)
			link_pci_put(fx, pci->config.offset + off, len, value);
		break;
	case LINK_PCI:
		cfg_write(fx, off & 0xfff, len, (uint32_t)value);
		break;
	default:
		board_fake_write(fx->board, false, pci->bar[0] + off, len, value);
		break;
	}
}

static unsigned link_pci_interrupts(struct fixture *fx)
{
	unsigned n = board_fake_interrupts(fx->board), causes;

	if (n && fx->link->variant == BY_INTX) {
		causes = virtio_interrupt(&fx->driver);
		trace("driver: ISR status was %#x", causes);
		board_fake_eoi_all(fx->board);
	}
	return n;
}

#define OPS                                                                                      \
	.open = link_pci_open, .close = link_pci_close, .machine_reset = link_pci_machine_reset, \
	.ready = link_pci_ready, .reset_selectors = link_pci_reset_selectors,                    \
	.vector = link_pci_vector, .read = link_pci_read_area, .write = link_pci_write_area,     \
	.interrupts = link_pci_interrupts

const struct link_ops link_pci = { .name = "pci", .variant = BY_MSIX, OPS };
const struct link_ops link_pci_intx = { .name = "pci-intx", .variant = BY_INTX, OPS };
const struct link_ops link_pci_access = { .name = "pci-access", .variant = BY_ACCESS, OPS };
