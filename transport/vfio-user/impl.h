/* What the files of this transport share. */
#pragma once

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
	struct given_map map; /* none: no descriptor came with it, and it is in no table of ours */
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
	bool holding;    /* some are */
	GSource *timer;  /* while some are: the last message of a change does not say that it is */
	bool told_short; /* that no memory is shared */
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
	bool serving; /* a message, or the loop while that waits */
	bool lost;    /* the connection is over after it */
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
