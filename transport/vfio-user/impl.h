/* What the files of this transport share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "devices/base/given.h"
#include "devices/base/msg-socket.h"
#include "transport/vfio-user/vfio-user.h"
#include "transport/vfio-user/wire.h"
#include "transport/virtio-pci/virtio-pci.h"
#include "virtqueue/gmem.h"

/*
 * dma.c: memory.
 */
#define VFU_DMA_MAX 256u /* regions, with those that the device does not reach */

struct vfu_region_of_memory {
	uint64_t address, size;
	bool writeable;
	struct given_map map; /* none: no descriptor came with it, and it is reached by messages */
	uint8_t *copies;      /* then: memory of ours, for what is fetched and what is to be written
				 (far.c); NULL: it is not reached at all */
	int fd;               /* the file's, for whoever maps it elsewhere; -1. Owned */
};

/* A queue that was taken away from the device, because memory changes: where it goes on from. */
struct vfu_held {
	bool is;
	struct vq_position at;
};

struct vfu_dma {
	struct gmem *mem; /* the device's; nobody else changes it */
	unsigned n;
	struct vfu_region_of_memory region[VFU_DMA_MAX];
	struct vfu_held held[VDEV_QUEUES_MAX];
	bool holding;   /* some are */
	bool changing;  /* and the change is not over: what is not mapped is let alone */
	GSource *timer; /* meanwhile: the last message of a change does not say that it is */
};

/*
 * access.c: memory that is reached by messages.
 */
#define VFU_SENT_MAX 16u /* messages that wait for an answer */

/* A sequence of steps. The next one is taken when all accesses are over that the one before it
 * began. */
struct vfu_flow {
	struct vfio_user *v;
	struct vfu_ring *ring;
	unsigned left;                       /* accesses, */
	void (*step)(struct vfu_ring *ring); /* and what comes then; NULL: it is over */
};

/* What was sent and has no answer yet. */
struct vfu_sent {
	bool write;
	uint16_t id;
	uint64_t address;
	uint32_t count;
	uint8_t *bytes; /* where what is read goes; NULL: nobody wants it any more */
	struct vfu_flow *flow;
};

struct vfu_accesses {
	GQueue waiting; /* of struct vfu_access_op */
	unsigned n_sent;
	struct vfu_sent sent[VFU_SENT_MAX]; /* the oldest first */
	uint32_t sent_bytes;
	uint16_t id;
	uint32_t max_bytes; /* of data in a message: what both sides take */
	GSource *tick;      /* while some are sent: a client that does not answer */
	unsigned silent;    /* ticks */
	bool pumping;
	char wrong[96]; /* with what the client answered; the buffer of the text */
};

/*
 * far.c: queues whose memory is reached by messages.
 */
struct vfu_far {
	struct vdev_far far; /* first */
	struct vfio_user *v;
	struct gmem mem; /* all memory: what is mapped, and the copies of what is not */
	int fd;          /* an eventfd: a ring wants something */
	GSource *watch;
	pthread_mutex_t lock;         /* of */
	GQueue ring[VDEV_QUEUES_MAX]; /* of struct vfu_ring; the last one may run */
	_Atomic unsigned n;           /* rings, in all of them */
	atomic_bool suspending;       /* queues that stop go on later */
	atomic_bool told;             /* that there are such queues */
};

/*
 * board.c: interrupts.
 */
#define VFU_VECTORS_MAX (VDEV_QUEUES_MAX + 1u)

struct vfu_vector {
	bool open;
	int fd;    /* the function's eventfd while it is attached; -1. Not owned */
	int given; /* the client's, which takes its place then; -1. Owned */
};

struct vfu_intx {
	int line, resample; /* the function's, while its line is wired; -1. Not owned */
	GSource *line_watch;
	bool masked;
	int given, unmask; /* the client's; -1. Owned */
	GSource *unmask_watch;
};

struct vfu_board {
	struct board board; /* first */
	struct loop *main;
	unsigned n_vectors;
	struct vfu_vector vector[VFU_VECTORS_MAX];
	struct vfu_intx intx;
	bool calls_moved; /* what a queue's interrupt is written to has changed */
};

struct vfio_user {
	struct vdev *dev;
	struct loop *main;
	void (*ended)(void *opaque);
	void *opaque;

	struct vfu_board board;
	struct pci_root *root;
	struct vpci *pci;
	struct vfu_dma dma;
	struct vfu_accesses accesses;
	struct vfu_far far;

	struct msg_socket socket;
	GSource *watch; /* of it; NULL: there is no client */
	struct {
		struct vfu_header header;
		union vfu_payload payload;
	} in;                 /* the message under way */
	bool versioned;       /* it began with a version */
	unsigned max_msg_fds; /* descriptors that it takes with one message */
	bool gave_kicks;      /* it has descriptors of ours */
	int lost_fd;          /* an eventfd: a file of its is shorter than what is mapped */
	GSource *lost_watch;
	bool serving;         /* a message, or the loop while that waits */
	bool lost;            /* the connection is over after it */
	unsigned patience_ms; /* for an answer to DMA_READ and DMA_WRITE */
};

/* What a handler has: the payload, in which it leaves its answer, too. */
struct vfu_message {
	union vfu_payload *p;
	uint32_t size;        /* of the payload; an answer's */
	int error;            /* errno: it cannot be met, and is answered so; 0 */
	int fds[MSG_FDS_MAX]; /* that go with the answer; not owned */
	unsigned n_fds;
};

/*
 * Handlers answer NULL, or what is wrong with a message so that there can be no other.
 */
const char *vfu_version(struct vfio_user *v, struct vfu_message *m);

const char *vfu_dma_map(struct vfio_user *v, struct vfu_message *m);
const char *vfu_dma_unmap(struct vfio_user *v, struct vfu_message *m);

const char *vfu_get_region_info(struct vfio_user *v, struct vfu_message *m);
const char *vfu_get_region_io_fds(struct vfio_user *v, struct vfu_message *m);
const char *vfu_region_read(struct vfio_user *v, struct vfu_message *m);
const char *vfu_region_write(struct vfio_user *v, struct vfu_message *m);
const char *vfu_region_write_multi(struct vfio_user *v, struct vfu_message *m);

const char *vfu_get_irq_info(struct vfio_user *v, struct vfu_message *m);
const char *vfu_set_irqs(struct vfio_user *v, struct vfu_message *m);

/* messages.c: serves the message in @v->in, with its answer. NULL, or what is wrong with it. */
const char *vfu_serve(struct vfio_user *v);

/* The message's name, for a line about it. */
const char *vfu_command_name(uint32_t command);

/* A change of memory is over, unless DMA_MAP and DMA_UNMAP go on: queues that were held go on whose
 * rings are in memory. */
void vfu_dma_settle(struct vfio_user *v);
/* The device was reset: there is nothing to go on from. */
void vfu_dma_forget_held(struct vfio_user *v);
/* No queue runs: all regions go. */
void vfu_dma_clear(struct vfio_user *v);

/* The region that has the address, or NULL. */
const struct vfu_region_of_memory *vfu_dma_find(const struct vfio_user *v, uint64_t address);

/*
 * access.c. All on the main thread. vfu_get() reads the driver's memory at @address into @to, and
 * vfu_put() writes it from @from, which both stay there until the flow's next step; what is no
 * memory is passed over. Nothing happens before vfu_pump(), which goes on with whatever can be. A
 * flow is gone on with by vfu_flow_run(): after the first step was set.
 */
void vfu_get(struct vfu_flow *f, uint64_t address, void *to, uint64_t len);
void vfu_put(struct vfu_flow *f, uint64_t address, const void *from, uint64_t len);
void vfu_flow_run(struct vfu_flow *f);
void vfu_pump(struct vfio_user *v);

/* Takes no further step; what was not sent is not begun. It is over when f->left is 0. */
void vfu_flow_cancel(struct vfu_flow *f);

/* The memory at @bytes goes: nothing is read there, and what is to be written from there was. */
void vfu_access_forget(struct vfio_user *v, const uint8_t *bytes, uint64_t len);

/* The message in @v->in is an answer to one of these. NULL, or what is wrong with it. */
bool vfu_access_is_answer(const struct vfio_user *v);
const char *vfu_access_answer(struct vfio_user *v);

/* The connection is over: so is all this. */
void vfu_access_clear(struct vfio_user *v);

/* The connection has failed, as was told: it ends as soon as nobody is in the middle of it. */
void vfu_fail(struct vfio_user *v);
bool vfu_end_if_lost(struct vfio_user *v); /* nobody is: true if it has ended */

/*
 * far.c.
 */
bool vfu_far_open(struct vfio_user *v, GError **err);
void vfu_far_close(struct vfio_user *v); /* no queue runs; never opened is fine */

/* Goes on with whatever can be gone on with. */
void vfu_far_go_on(struct vfio_user *v);

/* Is a queue served through copies whose ring lies there? */
bool vfu_far_wants(const struct vfio_user *v, const struct vq_config *at);

/* Queues have stopped, and memory goes: what they have used so far is noted, to be written later.
 */
void vfu_far_collect(struct vfio_user *v);

/* The connection is over, and no queue runs: rings are forgotten. */
void vfu_far_clear(struct vfio_user *v);

void vfu_board_init(struct vfu_board *b, struct loop *main);
/* The client's descriptors are forgotten. */
void vfu_board_clear(struct vfu_board *b);
/* @fd is the board's now; -1 takes back the one there is. */
void vfu_board_give_vector(struct vfu_board *b, unsigned vector, int fd);
void vfu_board_give_intx(struct vfu_board *b, int fd);
void vfu_board_give_unmask(struct vfu_board *b, int fd);
void vfu_board_mask_intx(struct vfu_board *b, bool masked);

/* After a reset: what the client has given is there still. */
void vfu_irqs_restore(struct vfio_user *v);
