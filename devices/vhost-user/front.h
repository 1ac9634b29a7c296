/*
 * A device whose queues another process serves, by vhost-user; this is the front-end's side.
 *
 * The class (front.c) has the driver's registers, features and configuration space by the core, as
 * any device; each queue has an engine (rings.c, devices/core/engine.h) that hands the ring to the
 * back-end: its addresses, kick and call descriptors. So no chain passes through this process.
 * session.c is what is said on a connection before the first ring and when it is lost; link.c is
 * the connection; connect.c has it come again. With memory=bounce no queue has an engine: chains
 * are copied (bounce.h).
 *
 * Threads. All that is said to the back-end is said by one thread, that of @loop, which owns the
 * queues, too. It is one of the device's own: it may wait for an answer, and nobody else waits with
 * it but who wants something of this device. A vCPU that does stands still as long as a device of
 * hardware would make it; the main thread goes on serving its loop (loop_wait()).
 *
 * A back-end that dies, is silent or talks nonsense loses its connection and is told of in one
 * line. To the driver its device is then one that takes long: requests wait. When a back-end is
 * there again under the same name, it gets the rings, and goes on from where its predecessor was
 * (rings.c).
 */
#pragma once

#include "devices/base/appear.h"
#include "devices/core/engine.h"
#include "devices/vhost-user/bounce.h"
#include "devices/vhost-user/kinds.h"
#include "devices/vhost-user/link.h"

struct vhu_front_ring {
	bool wanted; /* the core has started it */
	bool live;   /* and the back-end has it */
	bool lost;   /* a back-end had it, and went: where it is has to be found out */
	struct vq_config config;
	int err_fd; /* eventfd: the back-end cannot go on with it */
	GSource *err_watch;
};

enum vhu_front_memory { VHU_MEMORY_GUEST, VHU_MEMORY_BOUNCE };

struct vhu_front {
	struct vdev vdev; /* first */

	/* Options. */
	char *path, *type, *tag;
	uint32_t queues, config_size;
	uint8_t mac[6];
	unsigned opt_memory; /* enum vhu_front_memory */
	uint64_t bounce_size;

	struct vhu_kind kind;
	struct loop *loop;
	struct vhu_link link;
	GSource *watch, *events_watch; /* of the link's sockets */
	GSource *retry;                /* timer, while there is no connection, */
	unsigned retry_ms;             /* of so long; */
	struct appear appear;          /* and whether a socket appears meanwhile */
	char told[160];                /* why it was lost last, as the operator was told */

	/* What the back-end has said. */
	uint64_t features;
	uint64_t own;        /* those of the device's type that options make */
	uint64_t queues_max; /* 1 without MQ */
	uint64_t slots_max;

	/* What it was told: */
	bool ready;         /* features, memory and what goes with them, for the rings to come */
	bool driver_ok;     /* device status */
	struct gmem memory; /* regions; n = 0: none */
	int inflight_fd;    /* where it notes what it has in hand, which outlives it; -1 */
	struct vhu_inflight inflight;

	struct vhu_front_ring ring[VDEV_QUEUES_MAX];
	struct vhu_bounce *bounce; /* NULL: the back-end has the guest's memory */
};

static inline struct vhu_front *vhu_front_of(struct vdev *dev)
{
	return (struct vhu_front *)dev;
}

/* Queues that the back-end serves: the first ones. */
unsigned vhu_front_served(const struct vhu_front *f);

/*
 * session.c. On the loop's thread; false: the connection is lost, and l->wrong says why.
 */

/* The first words on a new connection: what the back-end can do. */
bool vhu_session_begin(struct vhu_front *f);

/* The configuration space as it is: the back-end's, or made of options. */
bool vhu_session_config(struct vhu_front *f, uint8_t *ret);

/* Before a ring: features as the driver accepted them, memory as it is now. */
bool vhu_session_ready(struct vhu_front *f);

/* The rings are there (STATUS). */
bool vhu_session_driver_ok(struct vhu_front *f);

/* After a reset by the driver, with no ring live. */
void vhu_session_reset(struct vhu_front *f);

/* Of a struct vdev's features those that go to the back-end, and come from it. */
uint64_t vhu_session_passed(const struct vhu_front *f);

/*
 * rings.c. On the loop's thread.
 */
extern const struct vdev_engine vhu_engine;

/* A connection has come: all rings that are wanted go to the back-end. False: it is lost again. */
bool vhu_rings_resume(struct vhu_front *f);

/* It has gone: no ring is live. */
void vhu_rings_lost(struct vhu_front *f);

/* A ring as a back-end is told of it, wherever it is: addresses are those of its memory table. */
struct vhu_ring_at {
	unsigned size;
	uint32_t base; /* vhu_ring_encode() */
	uint64_t desc, driver, device;
	int kick_fd, call_fd;
};

/* A position as SET_VRING_BASE has it. */
uint32_t vhu_ring_encode(bool packed, struct vq_position at);

/* Gives ring @q to the back-end, and takes it back. False: the connection is lost. */
bool vhu_ring_tell(struct vhu_front *f, unsigned q, const struct vhu_ring_at *at);
bool vhu_ring_take_back(struct vhu_front *f, unsigned q, uint32_t *ret_base);

/* Until ring[q].err_watch ends: what it says it cannot go on with needs a reset. */
void vhu_ring_heed_errors(struct vhu_front *f, unsigned q);

/*
 * connect.c. On the loop's thread.
 */

/* Something said false: the connection has gone, and is to come again. */
void vhu_front_lost(struct vhu_front *f);

/* When the device is opened, and closed. False: errno says why not. */
bool vhu_front_connect(struct vhu_front *f);
void vhu_front_watch(struct vhu_front *f);
void vhu_front_unwatch(struct vhu_front *f);

/* The configuration space as it is now, to the driver. False: the connection is lost. */
bool vhu_front_refresh_config(struct vhu_front *f, bool notify);
