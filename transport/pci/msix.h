/*
 * MSI-X of a PCI function: capability, vector table and pending bits (PCI Local Bus 3.0, 6.8.2),
 * over the board's messages.
 *
 * To interrupt, write to a vector's eventfd, from any thread and without asking for its state: a
 * masked vector's eventfd is merely not attached to the message. What was written meanwhile is the
 * pending bit, and attaching an eventfd that has been written sends the message, so nothing is lost
 * between a look at the mask and a write; no order of the two exists in which it could be.
 */
#pragma once

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "transport/pci/config.h"

#define PCI_MSIX_TABLE_MAX 2048u /* vectors */

struct pci_msix_vector {
	int fd;  /* eventfd: writing it is the interrupt */
	int msi; /* the board's handle */
	bool attached;
	bool moved; /* address or data changed since the board was told */
	uint64_t address;
	uint32_t data, control;
};

struct pci_msix {
	struct pci_function *f;
	unsigned cap; /* offset of the capability */
	unsigned n;
	pthread_mutex_t lock; /* of the vectors; taken after f->lock */
	bool live;            /* enabled, not masked as a whole, and allowed to write to memory */
	struct pci_msix_vector *vector;
};

struct pci_msix_layout {
	unsigned n; /* vectors, 1 to PCI_MSIX_TABLE_MAX */
	unsigned bar;
	uint32_t table, pending; /* offsets in it, multiples of 8 */
};

/* Adds the capability to @f. After pci_root_add() gave @f its board, messages are opened with
 * pci_msix_open(): false with a host error when there are no more. */
void pci_msix_init(struct pci_msix *x, struct pci_function *f, const struct pci_msix_layout *l);
bool pci_msix_open(struct pci_msix *x, GError **err);
void pci_msix_clear(struct pci_msix *x);

/* Accesses to the table and to the pending bits; @off counts from their first byte. */
uint64_t pci_msix_table_read(struct pci_msix *x, uint64_t off, unsigned len);
int pci_msix_table_write(struct pci_msix *x, uint64_t off, unsigned len, uint64_t value);
uint64_t pci_msix_pending_read(struct pci_msix *x, uint64_t off, unsigned len);

/* The driver chose MSI-X over INTx. With f->lock held. */
bool pci_msix_enabled(const struct pci_msix *x);

/* The capability or the command register may have been written: attaches and detaches what is to
 * be. With f->lock held. 0, or -errno when the board refused a message. */
int pci_msix_update(struct pci_msix *x);

/* All vectors masked, none pending. */
void pci_msix_reset(struct pci_msix *x);
