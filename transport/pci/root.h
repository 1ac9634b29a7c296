/*
 * PCI bus 0: the host bridge at 00:00.0, up to 31 functions at 00:01.0 to 00:1f.0, and the two ways
 * into their configuration space: the ECAM region and I/O ports 0xcf8/0xcfc.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "transport/board.h"
#include "transport/pci/config.h"

#define PCI_ECAM_SIZE 0x100000u /* bus 0: 256 functions of 4 KiB */
#define PCI_SLOTS     32u
#define PCI_GSI_BASE  16u /* INTx: lines PCI_GSI_BASE to PCI_GSI_BASE + 3 */

struct pci_root_config {
	uint64_t ecam_base;          /* PCI_ECAM_SIZE bytes, 1 MiB-aligned */
	uint64_t mem_base, mem_size; /* for BARs: 64-bit, non-prefetchable window */
	unsigned io_base, io_size;   /* for those of ports; 0 ports: there are none */
	bool no_ports;               /* leave 0xcf8/0xcfc out: ECAM alone costs one exit instead of
					two for each access, when the guest has no other way */
	/* The chipset's reset control register, a byte at port 0xcf9: bit 2 was set. On the thread
	 * that wrote it; NULL: nothing happens. */
	void (*reset)(void *opaque);
	void *opaque;
};

struct pci_root;

/* NULL with an error when the board refuses the regions. @board must outlive the root. */
struct pci_root *pci_root_new(struct board *board, const struct pci_root_config *config,
			      GError **err);

/* All functions must have been removed. NULL is fine. */
void pci_root_free(struct pci_root *root);

/* Machine reset: every function back to its state after pci_root_add(), in slot order. While no
 * vCPU runs. */
void pci_root_reset(struct pci_root *root);

/*
 * Plugs @f into @slot (1 to 31; 0: the first free one): gives its BARs addresses, its pin A a line,
 * fills in f->board, f->slot and f->gsi. @f stays the caller's. False with a usage error when the
 * slot is taken or the bus or the memory window is full.
 */
bool pci_root_add(struct pci_root *root, struct pci_function *f, unsigned slot, GError **err);

/* Takes @f off; its slot and its BARs' addresses are free for others. */
void pci_root_remove(struct pci_root *root, struct pci_function *f);

/* The interrupt line of @pin (0: A, ... 3: D) at @slot: what ACPI's _PRT must say. */
unsigned pci_root_gsi(unsigned slot, unsigned pin);

/* Configuration space of bus 0 as a guest sees it: absent functions read all ones. @reg below
 * 4096, @len 1, 2 or 4, aligned to it. */
uint32_t pci_root_read(struct pci_root *root, unsigned devfn, unsigned reg, unsigned len);
void pci_root_write(struct pci_root *root, unsigned devfn, unsigned reg, unsigned len,
		    uint32_t value);
