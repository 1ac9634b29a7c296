/*
 * virtio-pci (VIRTIO 1.4, 4.1 Virtio Over PCI Bus): one device as one PCI function with one BAR,
 * MSI-X with a vector for each queue and one for the configuration, and INTx for drivers that use
 * no MSI-X. A device with a legacy interface is a transitional function, with another BAR. The
 * design is explained in virtio-pci.c.
 */
#pragma once

#include <glib.h>

#include "devices/core/vdev.h"
#include "transport/pci/msix.h"
#include "transport/pci/root.h"

struct vpci;

/*
 * Puts @dev on the bus at @slot (1 to 31; 0: the first free one). Both stay the caller's and must
 * outlive the transport; dev->transport is ours from now on. NULL with a usage error (slot taken,
 * bus full, no I/O ports for a legacy interface) or a host error (the board refuses a vector).
 */
struct vpci *vpci_new(struct vdev *dev, struct pci_root *root, unsigned slot, GError **err);

/* Resets and detaches the device, takes it off the bus. No vCPU may run any more. NULL is fine. */
void vpci_free(struct vpci *pci);

/* Where it is: 00:SLOT.0. Machine reset comes with pci_root_reset(). */
unsigned vpci_slot(const struct vpci *pci);

/*
 * ---- for a bus that others make (transport/vfio-user) ----
 */
struct pci_function *vpci_function(struct vpci *pci);
struct pci_msix *vpci_msix(struct vpci *pci);

/* Where in a BAR a driver kicks, and the eventfd that takes the kick: in writes of @len bytes (0:
 * any), of ports those of the value @match. */
struct vpci_doorbell {
	uint64_t offset;
	unsigned len;
	bool io;
	uint64_t match;
	int fd; /* the device's */
};

/* That of queue @q in the BAR whose first register is @bar; false: queues have none there. */
bool vpci_doorbell(const struct vpci *pci, unsigned q, unsigned bar, struct vpci_doorbell *ret);
