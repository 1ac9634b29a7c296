/*
 * A PCI function's configuration space, of whatever device: type 0 header, 64-bit memory BARs and
 * I/O BARs, capabilities, command register. The rules (which bits can be written, what a BAR's size
 * looks like) are data in the function: a byte of values and a byte of write mask per register.
 *
 * Locking: pci_config_read() and pci_config_write() take f->lock and call the ops with it held;
 * BAR accesses (bar_read, bar_write) come without it.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "transport/board.h"
#include "transport/pci/regs.h"

#define PCI_CONFIG_BYTES 256u
#define PCI_BARS         3u /* 64-bit ones: BAR registers 0/1, 2/3, 4/5; of ports the first */

struct pci_function;

struct pci_function_ops {
	/* Accesses to BAR @bar, with @off + @len inside it. */
	uint64_t (*bar_read)(struct pci_function *f, unsigned bar, uint64_t off, unsigned len);
	void (*bar_write)(struct pci_function *f, unsigned bar, uint64_t off, unsigned len,
			  uint64_t value);

	/* BAR @bar is decoded at f->bar[bar].mapped from now on (0: nowhere). */
	void (*remapped)(struct pci_function *f, unsigned bar);

	/* Bytes [reg, reg + len) are about to be read; have been written. For registers that are
	 * more than memory, the command register among them. NULL: there are none. */
	void (*before_read)(struct pci_function *f, unsigned reg, unsigned len);
	void (*written)(struct pci_function *f, unsigned reg, unsigned len);

	/* Machine reset; the configuration space has its first values again. Without the lock. */
	void (*reset)(struct pci_function *f);
};

struct pci_bar {
	uint64_t size;    /* power of two, at least 4096, of ports 4 to 256; 0: not there */
	bool io;          /* ports instead of memory */
	uint64_t address; /* as the bus assigned it: the value after reset */
	uint64_t mapped;  /* where it is decoded now; 0: nowhere */
	struct board_region region;
	struct pci_function *function;
};

struct pci_function {
	const struct pci_function_ops *ops;
	struct board *board; /* these three: pci_root_add() */
	unsigned slot;
	unsigned gsi; /* of pin A */

	pthread_mutex_t lock;
	uint8_t config[PCI_CONFIG_BYTES];
	uint8_t wmask[PCI_CONFIG_BYTES];       /* the bits a driver may change */
	uint8_t after_reset[PCI_CONFIG_BYTES]; /* what config is then */
	struct pci_bar bar[PCI_BARS];
	unsigned cap_end, cap_last; /* next free byte; the last capability's offset */
};

struct pci_ids {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class; /* class << 16 | subclass << 8 | interface */
	uint8_t revision;
	bool intx; /* has pin A */
};

/* Makes an empty configuration space. The function is zeroed but for what is filled in. */
void pci_config_init(struct pci_function *f, const struct pci_function_ops *ops,
		     const struct pci_ids *ids);

/* Unmaps the BARs. */
void pci_config_clear(struct pci_function *f);

/* Declares BAR @bar, of memory or of ports. Before pci_root_add(). */
void pci_config_bar(struct pci_function *f, unsigned bar, uint64_t size);
void pci_config_io_bar(struct pci_function *f, unsigned bar, uint64_t size);

/* Appends a capability of @len bytes (@body begins with its id; the second byte, the link, is
 * filled in) and returns its offset. @writable: write mask of the same length, or NULL. Aborts
 * when the 192 bytes are full: the set of capabilities is ours, not the user's. */
unsigned pci_config_cap(struct pci_function *f, const void *body, unsigned len,
			const uint8_t *writable);

/* Takes what is there as the state after reset: the bus calls it when BARs and line are filled
 * in. */
void pci_config_seal(struct pci_function *f);
void pci_config_reset(struct pci_function *f);

/* @reg + @len at most PCI_CONFIG_BYTES, @len 1, 2 or 4, aligned. */
uint32_t pci_config_read(struct pci_function *f, unsigned reg, unsigned len);
void pci_config_write(struct pci_function *f, unsigned reg, unsigned len, uint32_t value);

/* Little-endian fields of the space, unlocked. */
uint16_t pci_config_get16(const struct pci_function *f, unsigned reg);
uint32_t pci_config_get32(const struct pci_function *f, unsigned reg);
void pci_config_set16(struct pci_function *f, unsigned reg, uint16_t value);
void pci_config_set32(struct pci_function *f, unsigned reg, uint32_t value);
