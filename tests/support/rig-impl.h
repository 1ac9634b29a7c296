/* What the rig's files share: the rig itself and what a link must be able to do. */
#pragma once

#include "tests/support/referee.h"
#include "tests/support/rig.h"
#include "transport/driver/virtio.h"
#include "transport/registry.h"

#define RIG_LOW_GPA   0x0ull
#define RIG_LOW_LEN   (16ull << 20)
#define RIG_HIGH_GPA  (4ull << 30)
#define RIG_HIGH_LEN  (48ull << 20)
#define RIG_GUARD     64u
#define RIG_GUARD_VAL 0xa5

/* A way to a device: what the driver library (transport/driver/virtio.h) leaves to its user.
 * These may assert. */
struct rig_link_ops {
	/* Makes the transport, and finds the device behind it: r->driver. */
	void (*open)(struct rig *r);
	void (*close)(struct rig *r);
	void *(*transport)(struct rig *r); /* NULL: there is none */

	/* DRIVER was set: interrupt vectors, which a reset takes away. NULL: nothing to be done. */
	void (*driver_set)(struct rig *r);

	/* Takes what interrupts there are, as the interrupt handler would, and tells of them with
	 * rig_interrupted() and rig_config_interrupted(). */
	void (*interrupts)(struct rig *r);
};

struct rig_link {
	const char *name;
	const struct rig_link_ops *ops;
	unsigned variant;    /* the link's own business */
	bool thread;         /* the queues are on a loop thread of their own */
	const char *options; /* for the device: its ring and features */
	bool usual;          /* part of every run */
};

extern const struct rig_link_ops rig_direct_ops, rig_mmio_ops, rig_pci_ops, rig_vhost_user_ops,
	rig_bounce_ops, rig_vfio_user_ops;

enum { RIG_MMIO_EXACT, RIG_MMIO_CACHED, RIG_MMIO_LEGACY };
enum { RIG_PCI_MSIX, RIG_PCI_INTX, RIG_PCI_CFG, RIG_PCI_LEGACY, RIG_PCI_LEGACY_INTX };
/* With descriptors for all memory; for none; or but for that with the rings, with the buffers. */
enum {
	RIG_VFIO_MSIX,
	RIG_VFIO_INTX,
	RIG_VFIO_LEGACY,
	RIG_VFIO_FAR,
	RIG_VFIO_FAR_RINGS,
	RIG_VFIO_FAR_BUFFERS
};

/* Registers of r->board, for virtio_mmio_probe() and virtio_pci_probe(). A function is its slot. */
struct virtio_io rig_io(struct rig *r);

/* The rig's arenas are the table again, after a link whose transport had a table of its own. */
void rig_remember_memory(struct rig *r);

void rig_interrupted(struct rig *r, unsigned q);
void rig_config_interrupted(struct rig *r);

/* Puts the device on the transport called @name with @options ("slot=3", or ""), on the rig's
 * board and on @pci, which may be NULL; answers its handle. And takes it off. */
void *rig_attach(struct rig *r, const char *name, const char *options, struct pci_root *pci);
void rig_detach(struct rig *r);

/* What each interrupt that all queues share asks for: a look at those that were started. */
void rig_interrupted_by(struct rig *r, unsigned causes);

struct rig_queue {
	struct drv_vq *vq; /* NULL: not started */
	struct virtio_queue regs;
	bool interrupted;
	unsigned interrupts;
	uint16_t notify_off,
		kick_id; /* pci: where a kick goes, and what it calls the queue (4.1.5.2) */
};

struct rig_arena {
	uint8_t *base;
	int fd; /* memfd: a process of its own could map it, too */
	uint64_t gpa, len, used;
};

/* Of every rig's log: any thread writes lines there. */
extern pthread_mutex_t rig_log_lock;

struct rig {
	const struct rig_case *c;
	const struct rig_link *link;
	void *transport;             /* the link's */
	const struct transport *row; /* what rig_attach() attached: */
	struct transport_env env;    /* of the row's transport */
	void *row_options, *handle;
	struct board_fake *board;
	struct virtio_io io;
	struct virtio_dev driver;
	int64_t patience_ends; /* of the reset that is being waited for */
	struct vdev *dev;
	struct referee *referee;   /* over pci; elsewhere nobody looks at the device */
	struct recorder *recorder; /* RIG_REPLAY: what it did is done again in the end */
	struct loop *main, *thread, *worker;
	struct rig_arena low, high;
	struct gmem mem;
	GArray *bufs; /* of struct rig_buf: whose surroundings are watched */
	GPtrArray *reqs;
	char *dir;

	struct rig_queue queue[VDEV_QUEUES_MAX];
	unsigned config_interrupts;

	GString *log;
	guint log_handler;
};
