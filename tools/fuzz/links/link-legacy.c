/*
 * The legacy interfaces: virtio-mmio version 1, and the I/O ports of a transitional function, which
 * has BARs of both kinds. The registers of both are their first bytes, and the configuration space
 * what is behind them.
 */
#include "tools/fuzz/fixture/fixture.h"
#include "tools/fuzz/language/trace.h"
#include "transport/mmio/mmio.h"
#include "transport/mmio/regs.h"
#include "transport/pci/regs.h"
#include "transport/virtio-pci/regs.h"
#include "transport/virtio-pci/virtio-pci.h"

#define BASE     0xd0000000u
#define GSI      5u
#define MEM      (8ull << 40)
#define MEM_SIZE (1ull << 30)
#define PORTS    0xc000u
#define MSI_ADDR 0xfee01000u
#define SLOT     1u
#define VECTORS  9u /* that the driver sets up */

/*
 * virtio-mmio, version 1.
 */

static void mmio_open(struct fixture *fx)
{
	struct mmio_config config = { .base = BASE, .gsi = GSI };
	GError *err = NULL;

	fx->board = fuzz_board_new(true);
	fx->transport = mmio_new(fx->dev, board_fake_board(fx->board), &config, &err);
	if (!fx->transport)
		fuzz_bug("mmio: %s", err->message);
	if (!virtio_mmio_legacy_probe(&fx->driver, &fx->io, BASE))
		fuzz_bug("mmio: there is no legacy device");
}

static void mmio_close(struct fixture *fx)
{
	mmio_free(fx->transport);
}

static void mmio_machine_reset(struct fixture *fx)
{
	mmio_reset(fx->transport);
}

static void mmio_reset_selectors(struct fixture *fx)
{
	static const unsigned selectors[] = { R_DEVICE_FEATURES_SEL, R_DRIVER_FEATURES_SEL,
					      R_QUEUE_SEL };

	for (unsigned i = 0; i < G_N_ELEMENTS(selectors); i++)
		board_fake_write(fx->board, false, BASE + selectors[i], 4, 0);
}

static uint64_t mmio_read_area(struct fixture *fx, enum link_area area, uint32_t off, unsigned len)
{
	if (area == LINK_CONFIG)
		off += R_CONFIG;
	return area <= LINK_CONFIG ? board_fake_read(fx->board, false, BASE + off, len) : 0;
}

static void mmio_write_area(struct fixture *fx, enum link_area area, uint32_t off, unsigned len,
			    uint64_t value)
{
	if (area == LINK_CONFIG)
		off += R_CONFIG;
	if (area <= LINK_CONFIG)
		board_fake_write(fx->board, false, BASE + off, len, value);
}

static unsigned mmio_interrupts(struct fixture *fx)
{
	unsigned n = board_fake_interrupts(fx->board), causes;

	if (!n)
		return 0;
	causes = virtio_interrupt(&fx->driver);
	trace("driver: InterruptStatus was %#x", causes);
	return n;
}

const struct link_ops link_legacy_mmio = {
	.name = "legacy-mmio",
	.legacy = true,
	.open = mmio_open,
	.close = mmio_close,
	.machine_reset = mmio_machine_reset,
	.reset_selectors = mmio_reset_selectors,
	.read = mmio_read_area,
	.write = mmio_write_area,
	.interrupts = mmio_interrupts,
};

/*
 * PCI.
 */

struct pci_link {
	struct pci_root *root;
	struct vpci *pci;
};

static void pci_open(struct fixture *fx)
{
	struct pci_root_config config = { .ecam_base = FIXTURE_ECAM,
					  .mem_base = MEM,
					  .mem_size = MEM_SIZE,
					  .io_base = PORTS,
					  .io_size = 0x1000 };
	struct pci_link *l = g_new0(struct pci_link, 1);
	GError *err = NULL;

	fx->transport = l;
	fx->board = fuzz_board_new(false);
	l->root = pci_root_new(board_fake_board(fx->board), &config, &err);
	l->pci = l->root ? vpci_new(fx->dev, l->root, SLOT, &err) : NULL;
	if (!l->pci)
		fuzz_bug("pci: %s", err->message);
	if (!virtio_pci_legacy_probe(&fx->driver, &fx->io, SLOT))
		fuzz_bug("pci: %s", fx->driver.error ? fx->driver.error : "there is no device");
}

static void pci_close(struct fixture *fx)
{
	struct pci_link *l = fx->transport;

	vpci_free(l->pci);
	pci_root_free(l->root);
	g_free(l);
}

static void pci_machine_reset(struct fixture *fx)
{
	struct pci_link *l = fx->transport;

	pci_root_reset(l->root);
	board_fake_eoi_all(fx->board);
}

static void pci_ready(struct fixture *fx)
{
	virtio_pci_restore_bars(&fx->driver);
	virtio_pci_command(&fx->driver,
			   PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
	virtio_pci_msix(&fx->driver, PCI_MSIX_CONTROL_ENABLE | PCI_MSIX_CONTROL_MASK_ALL);
	for (unsigned v = 0; v < VECTORS; v++)
		virtio_pci_msix_entry(&fx->driver, v, MSI_ADDR, 0x40 + v);
	virtio_pci_msix(&fx->driver, PCI_MSIX_CONTROL_ENABLE);
}

static void put_port(struct fixture *fx, unsigned off, unsigned len, uint64_t value)
{
	board_fake_write(fx->board, true, fx->driver.pci.ports + off, len, value);
}

static void pci_reset_selectors(struct fixture *fx)
{
	put_port(fx, VPCI_LEGACY_QUEUE_SELECT, 2, 0);
}

static void pci_vector(struct fixture *fx, int q)
{
	if (q < 0)
		put_port(fx, VPCI_LEGACY_CONFIG_VECTOR, 2, 0);
	else
		put_port(fx, VPCI_LEGACY_QUEUE_VECTOR, 2, (unsigned)q + 1);
}

static uint64_t pci_read_area(struct fixture *fx, enum link_area area, uint32_t off, unsigned len)
{
	switch (area) {
	case LINK_REGISTERS:
		return board_fake_read(fx->board, true, fx->driver.pci.ports + off, len);
	case LINK_CONFIG:
		return board_fake_read(fx->board, true,
				       fx->driver.pci.ports + VPCI_LEGACY_BYTES_MSIX + off, len);
	case LINK_PCI:
		return fx->io.pci_read(fx, SLOT, off & 0xfff, len);
	default: /* of memory, where the rest is */
		return board_fake_read(fx->board, false, fx->driver.pci.bar[2] + off, len);
	}
}

static void pci_write_area(struct fixture *fx, enum link_area area, uint32_t off, unsigned len,
			   uint64_t value)
{
	switch (area) {
	case LINK_REGISTERS:
		put_port(fx, off, len, value);
		break;
	case LINK_CONFIG:
		put_port(fx, VPCI_LEGACY_BYTES_MSIX + off, len, value);
		break;
	case LINK_PCI:
		fx->io.pci_write(fx, SLOT, off & 0xfff, len, (uint32_t)value);
		break;
	default:
		board_fake_write(fx->board, false, fx->driver.pci.bar[2] + off, len, value);
		break;
	}
}

static unsigned pci_interrupts(struct fixture *fx)
{
	return board_fake_interrupts(fx->board);
}

const struct link_ops link_legacy_pci = {
	.name = "legacy-pci",
	.legacy = true,
	.open = pci_open,
	.close = pci_close,
	.machine_reset = pci_machine_reset,
	.ready = pci_ready,
	.reset_selectors = pci_reset_selectors,
	.vector = pci_vector,
	.read = pci_read_area,
	.write = pci_write_area,
	.interrupts = pci_interrupts,
};
