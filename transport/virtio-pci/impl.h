/* What virtio-pci.c, common.c and irq.c share and nobody else needs. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "transport/pci/msix.h"
#include "transport/virtio-pci/regs.h"
#include "transport/virtio-pci/virtio-pci.h"

#define NOTIF_DATA_BASE 0x100u /* queue_notif_config_data of queue 0: beyond any queue's index */

/* Where an interrupt goes, as queue_changed() sees it: an eventfd, or one of these. */
#define TARGET_NONE (-1)
#define TARGET_INTX (-2)

struct vpci {
	struct pci_function f; /* first: ops get this pointer */
	struct pci_msix msix;
	struct vdev *dev;
	struct pci_root *root;
	unsigned caps,
		access_cap;     /* the first virtio capability; VIRTIO_PCI_CAP_PCI_CFG, the last */
	unsigned bar;           /* of structures and MSI-X: 0, or 1 behind the legacy interface's */
	bool modern, legacy;    /* which interfaces there are */
	_Atomic bool caps_read; /* somebody knows where the structures are */

	pthread_mutex_t lock; /* of all below but the atomics; taken after f.lock */
	uint32_t device_feature_select, driver_feature_select;
	uint16_t queue_select;
	uint16_t config_vector, queue_vector[VDEV_QUEUES_MAX];
	bool msix_on;       /* as last seen under f.lock */
	uint64_t notify_at; /* guest-physical address of the notify region; 0: not decoded */
	uint64_t ports_at;  /* the first port of the legacy interface; 0: not decoded */
	/* Doorbells that hang at one of these, and which; an address of 0: none does. */
	struct board_doorbell doorbell[VDEV_QUEUES_MAX];
	bool irq_line_on; /* intx_fd is wired to the line */

	/* Read by owners without a lock. */
	_Atomic int config_target, queue_target[VDEV_QUEUES_MAX];
	_Atomic unsigned isr;
	_Atomic bool intx_off; /* by the command register */

	/* Of a running driver: what a kick looks like, for kicks that trap (4.1.5.2). */
	_Atomic bool kick_wide, kick_config;

	int intx_fd, resample_fd;
	GSource *resample_watch;
};

/* common.c: the common configuration structure (4.1.4.3), with p->lock held. */
uint64_t vpci_common_read(struct vpci *p, uint64_t off, unsigned len);
void vpci_common_write(struct vpci *p, uint64_t off, unsigned len, uint64_t value);

/* @vector, or none if it is beyond the table, which cannot be mapped and reads back as
 * VPCI_NO_VECTOR (4.1.5.1.2.1). */
uint16_t vpci_valid_vector(const struct vpci *p, uint64_t vector);

/* legacy.c: the ports, with p->lock held. */
uint64_t vpci_legacy_read(struct vpci *p, uint64_t off, unsigned len);
void vpci_legacy_write(struct vpci *p, uint64_t off, unsigned len, uint64_t value);

/* virtio-pci.c: doorbells and line follow the device's state. With p->lock held. */
void vpci_follow_state(struct vpci *p);

/* state.c: for the table of what the device may ask of its transport. */
void vpci_save(struct vdev *dev, GByteArray *out);
bool vpci_load(struct vdev *dev, struct unpack *in, GError **err);

/* irq.c. */
extern const struct vdev_transport_ops vpci_transport_ops;

bool vpci_irq_open(struct vpci *p, GError **err);
void vpci_irq_close(struct vpci *p);

/* Publishes where each interrupt goes; with p->lock held. */
void vpci_irq_retarget(struct vpci *p);

/* Wires and unwires the INTx line; with p->lock held. */
void vpci_irq_line(struct vpci *p, bool on);

/* Raises it if ISR status says so and the command register allows. */
void vpci_irq_raise(struct vpci *p);

/* Vectors unmapped, ISR 0 (4.1.5.1.2, 4.1.4.5.1); with p->lock held. */
void vpci_irq_reset(struct vpci *p);

/* Reading the ISR status clears it. */
unsigned vpci_irq_isr(struct vpci *p);

/* The command register's word on INTx; with f.lock held. */
void vpci_irq_command(struct vpci *p, bool intx_off);
