/* Where a register is that an input names. */
#pragma once

enum link_area {
	LINK_REGISTERS, /* of the transport: mmio's, or pci's common configuration */
	LINK_CONFIG,    /* the device's configuration space */
	LINK_PCI,       /* the function's own configuration space, by ECAM */
	LINK_BAR,       /* anywhere in pci's BAR */
	N_LINK_AREAS,
};
