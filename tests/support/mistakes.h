/*
 * What real drivers have done wrong, planted in our driver's side
 * (tests/unit/test-driver-mistakes.c, docs/driver-mistakes.md).
 *
 * The driver is the rig's, on transport/driver and virtqueue/driver. Both are reached through
 * tables of functions (struct virtio_ops, struct virtio_io, struct drv_layout); a mistake is
 * another function in one of them, or a step left out of a driver's life.
 */
#pragma once

#include "tests/support/rig.h"
#include "transport/driver/virtio.h"
#include "virtqueue/driver/drv-impl.h"
#include "vmm/check/rules.h"

#define NONE N_CHECK_RULES

struct mistake {
	unsigned kind;    /* of those in the test, from 1 on; 0: it is none */
	const char *what; /* the driver ... */
	unsigned rule;    /* that it breaks; NONE: nobody can tell, or there is none */
	const char *spec; /* NULL: the echo device */
	const char *links;
	void (*run)(struct rig *r);
	const char *also; /* rules that are broken with it, with blanks between */
	const char *why;  /* of NONE */
	bool bait;        /* with baits */
};

struct mistakes {
	const struct mistake *rows;
	size_t n;
};

extern const struct mistakes mistakes_of_life, mistakes_of_rings, mistakes_of_types;

#define BOTH   "mmio pci"
#define ALL    "mmio pci pci-packed"
#define PCI    "pci pci-packed"
#define MMIO   "mmio mmio-packed"
#define PACKED "pci-packed mmio-packed"

#define DISK    "blk,path=@/disk"
#define NET     "net,backend=null"
#define CONSOLE "console,chr=null,port=a:null"

#define FAULT(name) (CHECK_FAULTS + VQ_FAULT_##name)

/*
 * Planting. What a wrong function stands for it may call.
 */
struct planted {
	struct rig *rig;
	const struct virtio_ops *right; /* of the driver, */
	struct virtio_ops wrong;        /* which has these */
	struct virtio_io right_io;      /* rig->io is wrong */
	const struct drv_layout *right_layout;
	struct drv_layout wrong_layout;
	void (*change)(struct drv_vq *vq, uint16_t head); /* of plant_chains() */
};
extern struct planted planted;

/* Runs @m with what can be planted: as run of a case. */
void mistake_run(struct rig *r, const struct mistake *m);

/* The ring of queue @q, which runs, has other functions from now on. */
struct drv_layout *plant_ring(struct rig *r, unsigned q);

/* The same of a ring of which each chain that is added, which nobody has seen yet, is changed;
 * @head: of a packed ring its buffer id. */
void plant_chains(struct rig *r, unsigned q, void (*change)(struct drv_vq *vq, uint16_t head));

/*
 * A driver's life in steps.
 */

/* Features but these; without chains that are one descriptor. */
struct vfeatures life_without(unsigned bit, unsigned other);
struct vfeatures life_direct(void);

/* Up to FEATURES_OK; all queues. */
void life_negotiate(struct rig *r, struct vfeatures want);
void life_start_queues(struct rig *r);

/* Requests that the echo device answers; a whole life with some. */
void life_requests(struct rig *r, unsigned n);
void life(struct rig *r, struct vfeatures want);
