/* virtio-mmio's registers, version 2 (VIRTIO 1.4, 4.2.2), and those that version 1 has in their
 * place (4.2.4): offsets in the region, each 32 bits wide. For the transport and for drivers: it
 * needs no library. */
#pragma once

enum {
	R_MAGIC = 0x000,
	R_VERSION = 0x004,
	R_DEVICE_ID = 0x008,
	R_VENDOR_ID = 0x00c,
	R_DEVICE_FEATURES = 0x010,
	R_DEVICE_FEATURES_SEL = 0x014,
	R_DRIVER_FEATURES = 0x020,
	R_DRIVER_FEATURES_SEL = 0x024,
	R_QUEUE_SEL = 0x030,
	R_QUEUE_SIZE_MAX = 0x034,
	R_QUEUE_SIZE = 0x038,
	R_QUEUE_READY = 0x044,
	R_QUEUE_NOTIFY = 0x050,
	R_INTERRUPT_STATUS = 0x060,
	R_INTERRUPT_ACK = 0x064,
	R_STATUS = 0x070,
	R_QUEUE_DESC = 0x080,
	R_QUEUE_DRIVER = 0x090,
	R_QUEUE_DEVICE = 0x0a0,
	R_SHM_SEL = 0x0ac,
	R_SHM_LEN = 0x0b0,
	R_SHM_BASE = 0x0b8,
	R_QUEUE_RESET = 0x0c0,
	R_CONFIG_GENERATION = 0x0fc,
	R_CONFIG = 0x100,

	/* Version 1, for legacy drivers. */
	R_GUEST_PAGE_SIZE = 0x028,
	R_QUEUE_ALIGN = 0x03c,
	R_QUEUE_PFN = 0x040,
};

#define MMIO_MAGIC          0x74726976u /* "virt" */
#define MMIO_VERSION        2u
#define MMIO_VERSION_LEGACY 1u

#define MMIO_INT_USED   1u
#define MMIO_INT_CONFIG 2u
