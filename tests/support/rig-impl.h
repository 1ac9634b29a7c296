/* What the rig's files share: the rig itself and what a link must be able to do. */
#pragma once

#include "tests/support/rig.h"
#include "transport/registry.h"

#define RIG_LOW_GPA   0x0ull
#define RIG_LOW_LEN   (16ull << 20)
#define RIG_HIGH_GPA  (4ull << 30)
#define RIG_HIGH_LEN  (48ull << 20)
#define RIG_GUARD     64u
#define RIG_GUARD_VAL 0xa5

/* What a driver programs into a queue. */
struct rig_ring {
	uint16_t size;
	uint64_t desc, driver, device;
};

/* A way to a device. The functions are what a driver does over it; they may assert. */
struct rig_link_ops {
	void (*open)(struct rig *r); /* transport, and what a driver does before virtio begins */
	void (*close)(struct rig *r);

	uint32_t (*offered)(struct rig *r, uint32_t select);
	void (*accept)(struct rig *r, uint32_t select, uint32_t bits);
	uint32_t (*status)(struct rig *r);
	void (*set_status)(struct rig *r, uint32_t status);

	/* At most 4 bytes, a power of two, aligned. */
	void (*config_read)(struct rig *r, size_t off, void *dst, size_t len);
	void (*config_write)(struct rig *r, size_t off, const void *src, size_t len);
	uint32_t (*generation)(struct rig *r);

	unsigned (*queue_max)(struct rig *r, unsigned q); /* 0: no such queue */
	void (*queue_set)(struct rig *r, unsigned q, const struct rig_ring *ring); /* and enable */
	void *(*transport)(struct rig *r); /* NULL: there is none */
	bool (*queue_enabled)(struct rig *r, unsigned q);
	void (*queue_reset)(struct rig *r, unsigned q);
	void (*kick)(struct rig *r, unsigned q);

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

extern const struct rig_link_ops rig_direct_ops, rig_mmio_ops, rig_pci_ops;

enum { RIG_MMIO_EXACT, RIG_MMIO_CACHED };
enum { RIG_PCI_MSIX, RIG_PCI_INTX, RIG_PCI_CFG };

/* What a kick of @q writes, and how many bytes of it: 2, or 4 with NOTIFICATION_DATA (2.9.3). */
uint32_t rig_kick_value(struct rig *r, unsigned q, unsigned *ret_len);

void rig_interrupted(struct rig *r, unsigned q);
void rig_config_interrupted(struct rig *r);

/* Puts the device on the transport called @name with @options ("slot=3", or ""), on the rig's board and on
 * @pci, which may be NULL; answers its handle. And takes it off. */
void *rig_attach(struct rig *r, const char *name, const char *options, struct pci_root *pci);
void rig_detach(struct rig *r);

struct rig_queue {
	struct drv_vq *vq; /* NULL: not started */
	bool interrupted;
	unsigned interrupts;
};

struct rig_arena {
	uint8_t *base;
	uint64_t gpa, len, used;
};

struct rig {
	const struct rig_link *link;
	void *transport;             /* the link's */
	const struct transport *row; /* what rig_attach() attached: */
	void *row_options, *handle;
	struct board_fake *board;
	struct vdev *dev;
	struct loop *main, *thread, *worker;
	struct rig_arena low, high;
	struct gmem mem;
	GArray *bufs; /* of struct rig_buf: whose surroundings are watched */
	GPtrArray *reqs;
	char *dir;

	struct rig_queue queue[VDEV_QUEUES_MAX];
	unsigned config_interrupts;
	struct vfeatures accepted;

	pthread_mutex_t log_lock;
	GString *log;
	guint log_handler;
};
