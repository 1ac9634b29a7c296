/* Registers of a PCI function's configuration space and of MSI-X (PCI Local Bus 3.0, 6.1 and
 * 6.8.2). For the bus, for functions on it and for drivers: it needs no library. */
#pragma once

enum {
	PCI_VENDOR_ID = 0x00,
	PCI_DEVICE_ID = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08,
	PCI_CLASS = 0x09, /* interface, subclass, class */
	PCI_HEADER_TYPE = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_SUBSYSTEM_VENDOR = 0x2c,
	PCI_SUBSYSTEM_ID = 0x2e,
	PCI_CAP_POINTER = 0x34,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d,
	PCI_FIRST_CAP = 0x40,
};

#define PCI_COMMAND_IO           0x0001u
#define PCI_COMMAND_MEMORY       0x0002u
#define PCI_COMMAND_BUS_MASTER   0x0004u
#define PCI_COMMAND_INTX_DISABLE 0x0400u
#define PCI_STATUS_INTERRUPT     0x0008u
#define PCI_STATUS_CAPABILITIES  0x0010u

/* The low bits of a BAR register. */
#define PCI_BAR_IO       0x1u /* I/O ports instead of memory */
#define PCI_BAR_64       0x4u /* memory: the next register has the address's other half */
#define PCI_BAR_TYPE     0x6u
#define PCI_BAR_MEM_MASK (~0xfu)
#define PCI_BAR_IO_MASK  (~0x3u)

/* Capabilities: the first byte says which, the second where the next one is. */
#define PCI_CAP_VENDOR 0x09u
#define PCI_CAP_MSIX   0x11u
#define PCI_CAP_NEXT   1u

/* MSI-X: offsets in its capability. Table and pending bits are an offset in a BAR, whose number
 * is in bits 0-2. */
enum { PCI_MSIX_CONTROL = 2, PCI_MSIX_TABLE = 4, PCI_MSIX_PENDING = 8, PCI_MSIX_CAP_BYTES = 12 };

#define PCI_MSIX_CONTROL_ENABLE   0x8000u
#define PCI_MSIX_CONTROL_MASK_ALL 0x4000u
#define PCI_MSIX_CONTROL_SIZE     0x07ffu /* entries of the table, less one */
#define PCI_MSIX_BAR_MASK         0x7u

/* An entry of its table. */
enum {
	PCI_MSIX_ENTRY_ADDRESS = 0,
	PCI_MSIX_ENTRY_ADDRESS_HIGH = 4,
	PCI_MSIX_ENTRY_DATA = 8,
	PCI_MSIX_ENTRY_CONTROL = 12,
	PCI_MSIX_ENTRY_BYTES = 16,
};

#define PCI_MSIX_ENTRY_MASKED 1u
