/* virtio-pci's structures (VIRTIO 1.4, 4.1.4): capabilities, the common configuration structure,
 * ISR status. For the transport and for drivers: it needs no library. */
#pragma once

#define VPCI_VENDOR        0x1af4u
#define VPCI_DEVICE_MODERN 0x1040u /* and the device type (4.1.2) */
#define VPCI_DEVICE_FIRST  0x1000u /* transitional: the type is the subsystem's id */
#define VPCI_DEVICE_LAST   0x107fu

/* struct virtio_pci_cap: offsets, and values of cfg_type. */
enum {
	VPCI_CAP_LEN = 2,
	VPCI_CAP_TYPE = 3,
	VPCI_CAP_BAR = 4,
	VPCI_CAP_OFFSET = 8,
	VPCI_CAP_LENGTH = 12,
	VPCI_CAP_EXTRA = 16, /* notify: notify_off_multiplier; PCI access: pci_cfg_data */
};
enum {
	VPCI_TYPE_COMMON = 1,
	VPCI_TYPE_NOTIFY = 2,
	VPCI_TYPE_ISR = 3,
	VPCI_TYPE_DEVICE = 4,
	VPCI_TYPE_ACCESS = 5,
};

/* struct virtio_pci_common_cfg (4.1.4.3). */
enum {
	VPCI_DEVICE_FEATURE_SELECT = 0x00,
	VPCI_DEVICE_FEATURE = 0x04,
	VPCI_DRIVER_FEATURE_SELECT = 0x08,
	VPCI_DRIVER_FEATURE = 0x0c,
	VPCI_CONFIG_MSIX_VECTOR = 0x10,
	VPCI_NUM_QUEUES = 0x12,
	VPCI_DEVICE_STATUS = 0x14,
	VPCI_CONFIG_GENERATION = 0x15,
	VPCI_QUEUE_SELECT = 0x16,
	VPCI_QUEUE_SIZE = 0x18,
	VPCI_QUEUE_MSIX_VECTOR = 0x1a,
	VPCI_QUEUE_ENABLE = 0x1c,
	VPCI_QUEUE_NOTIFY_OFF = 0x1e,
	VPCI_QUEUE_DESC = 0x20,
	VPCI_QUEUE_DRIVER = 0x28,
	VPCI_QUEUE_DEVICE = 0x30,
	VPCI_QUEUE_NOTIF_CONFIG_DATA = 0x38,
	VPCI_QUEUE_RESET = 0x3a,
	VPCI_COMMON_BYTES = 0x3c,
};

/* The legacy interface, in I/O ports (4.1.4.10): queue addresses are in units of 4096 bytes. The
 * device's configuration space follows the last register. */
enum {
	VPCI_LEGACY_DEVICE_FEATURES = 0x00,
	VPCI_LEGACY_DRIVER_FEATURES = 0x04,
	VPCI_LEGACY_QUEUE_ADDRESS = 0x08,
	VPCI_LEGACY_QUEUE_SIZE = 0x0c,
	VPCI_LEGACY_QUEUE_SELECT = 0x0e,
	VPCI_LEGACY_QUEUE_NOTIFY = 0x10,
	VPCI_LEGACY_STATUS = 0x12,
	VPCI_LEGACY_ISR = 0x13,
	VPCI_LEGACY_BYTES = 0x14,
	/* While MSI-X is enabled: */
	VPCI_LEGACY_CONFIG_VECTOR = 0x14,
	VPCI_LEGACY_QUEUE_VECTOR = 0x16,
	VPCI_LEGACY_BYTES_MSIX = 0x18,
};

#define VPCI_NO_VECTOR 0xffffu /* VIRTIO_MSI_NO_VECTOR (4.1.5.1.2) */

/* ISR status (4.1.4.5). */
#define VPCI_ISR_QUEUE  1u
#define VPCI_ISR_CONFIG 2u
