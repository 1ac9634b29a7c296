/*
 * The link over virtio-pci: with MSI-X (a vector for each queue and one for the configuration),
 * with INTx, or with every access to a structure made through the PCI configuration access
 * capability; and over its legacy interface, with both kinds of interrupts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/rig-impl.h"
#include "transport/pci/regs.h"
#include "transport/pci/root.h"

#define MEM         (8ull << 40)
#define MEM_SIZE    (1ull << 30)
#define VECTORS_MAX (VDEV_QUEUES_MAX + 1)

static bool is_intx(const struct rig *r)
{
	return r->link->variant == RIG_PCI_INTX || r->link->variant == RIG_PCI_LEGACY_INTX;
}

static void find_device(struct rig *r)
{
	const bool legacy = r->link->variant >= RIG_PCI_LEGACY;
	const struct virtio_pci *pci = &r->driver.pci;
	unsigned slot = 0;

	while (!(legacy ? virtio_pci_legacy_probe(&r->driver, &r->io, slot)
			: virtio_pci_probe(&r->driver, &r->io, slot))) {
		assert_null(r->driver.error);
		assert_true(++slot < 32);
	}
	assert_int_equal(r->driver.id, r->dev->type);
	virtio_pci_command(&r->driver,
			   PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
	if (legacy)
		return;
	assert_true(pci->common.offset % 4 == 0 && pci->access_cap);
	assert_true((pci->config.length > 0) == (r->dev->config_size > 0));
	r->driver.pci.by_access = r->link->variant == RIG_PCI_CFG;
}

static void msix_on(struct rig *r)
{
	unsigned n = r->driver.pci.msix_entries;

	assert_true(n >= 2 && n <= VECTORS_MAX);
	virtio_pci_msix(&r->driver, PCI_MSIX_CONTROL_ENABLE | PCI_MSIX_CONTROL_MASK_ALL);
	for (unsigned v = 0; v < n; v++)
		virtio_pci_msix_entry(&r->driver, v, RIG_PCI_MSI_ADDR, RIG_PCI_MSI_DATA + v);
	virtio_pci_msix(&r->driver, PCI_MSIX_CONTROL_ENABLE);
}

static void link_open(struct rig *r)
{
	struct pci_root_config config = { .ecam_base = RIG_PCI_ECAM,
					  .mem_base = MEM,
					  .mem_size = MEM_SIZE,
					  .io_base = RIG_PCI_IO,
					  .io_size = 0x1000 };
	GError *err = NULL;

	r->board = board_fake_new(false);
	r->transport = pci_root_new(board_fake_board(r->board), &config, &err);
	if (!r->transport)
		fail_msg("%s", err->message);
	rig_attach(r, "pci", "", r->transport);
	r->io = rig_io(r);
	find_device(r);
	if (!is_intx(r))
		msix_on(r);
}

static void link_close(struct rig *r)
{
	rig_detach(r);
	pci_root_free(r->transport);
}

static void *transport(struct rig *r)
{
	return r->handle;
}

static void driver_set(struct rig *r)
{
	if (!is_intx(r))
		assert_true(virtio_pci_config_vector(&r->driver, 0));
}

static void take_irq_line(struct rig *r)
{
	const struct virtio_io *io = &r->io;
	uint64_t function = r->driver.pci.function;
	unsigned gsi = io->pci_read(io->opaque, function, PCI_INTERRUPT_LINE, 1);
	bool pending;

	if (!board_fake_level(r->board, gsi))
		return;
	pending = io->pci_read(io->opaque, function, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT;
	if (!pending)
		assert_int_equal(virtio_interrupt(&r->driver), 0);
	rig_interrupted_by(r, virtio_interrupt(&r->driver));
	board_fake_eoi(r->board, gsi);
}

static void interrupts(struct rig *r)
{
	if (is_intx(r)) {
		take_irq_line(r);
		return;
	}
	if (board_fake_take_msi(r->board, RIG_PCI_MSI_ADDR, RIG_PCI_MSI_DATA))
		rig_config_interrupted(r);
	for (unsigned v = 1; v < r->driver.pci.msix_entries; v++)
		if (board_fake_take_msi(r->board, RIG_PCI_MSI_ADDR, RIG_PCI_MSI_DATA + v))
			rig_interrupted(r, v - 1);
}

const struct rig_link_ops rig_pci_ops = {
	.open = link_open,
	.close = link_close,
	.transport = transport,
	.driver_set = driver_set,
	.interrupts = interrupts,
};
