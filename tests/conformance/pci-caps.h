/* virtio-pci's structures, found as a driver finds them: by the capabilities that name them. */
#pragma once

#include "tests/conformance/conform.h"
#include "tests/support/pci-peek.h"

enum {
	CAP_COMMON = 1,
	CAP_NOTIFY,
	CAP_ISR,
	CAP_DEVICE,
	CAP_PCI_ACCESS,
	CAP_SHARED = 8,
	CAP_VENDOR
};

/* Common configuration (4.1.4.3). */
enum {
	DEVICE_FEATURE_SELECT = 0x00,
	DEVICE_FEATURE = 0x04,
	DRIVER_FEATURE_SELECT = 0x08,
	DRIVER_FEATURE = 0x0c,
	CONFIG_VECTOR = 0x10,
	NUM_QUEUES = 0x12,
	STATUS = 0x14,
	GENERATION = 0x15,
	QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18,
	QUEUE_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_NOTIFY_OFF = 0x1e,
	QUEUE_DESC = 0x20,
	QUEUE_DRIVER = 0x28,
	QUEUE_DEVICE = 0x30,
	QUEUE_RESET = 0x3a,
};

#define NO_VECTOR 0xffffu

struct pci_cap {
	unsigned at; /* in configuration space; 0: there is none */
	unsigned cap_len, bar;
	uint32_t off, len;
};

/* The virtio capability of this type, and how many there are. */
struct pci_cap pci_cap_find(struct rig *r, unsigned type);
unsigned pci_cap_count(struct rig *r, unsigned type);

/* A field of the common configuration; with pci_queue_*(), of queue @q. */
uint32_t pci_get(struct rig *r, unsigned field, unsigned len);
void pci_set(struct rig *r, unsigned field, unsigned len, uint32_t value);
uint32_t pci_queue_get(struct rig *r, unsigned q, unsigned field, unsigned len);
void pci_queue_set(struct rig *r, unsigned q, unsigned field, unsigned len, uint32_t value);
