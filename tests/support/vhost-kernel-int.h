/* Between the two halves of tests/support/vhost-kernel.h: the calls, and what becomes of rings. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/vhost/kernel.h"
#include "virtqueue/gmem.h"
#include "virtqueue/vq.h"

#define VHK_RINGS     2u
#define VHK_RX        0u
#define VHK_TX        1u
#define VHK_FRAME_MAX 70000u

#define VHK_NET_F_MRG_RXBUF   15
#define VHK_VSOCK_F_SEQPACKET 1

struct vhk_ring {
	struct vq *vq;
	unsigned size, base;
	struct vhost_vring_addr addr;
	bool has_addr;
	int kick, call, err; /* duplicates; -1 */
	bool runs;
	bool starved; /* the driver has no buffers: nothing is read for it until it kicks */
};

struct vhk {
	int fd;   /* the number that it is known by: an eventfd, to wake the thread */
	bool net; /* else vsock */
	pthread_t thread;
	pthread_mutex_t lock;
	bool over;

	bool owned;
	uint64_t features, offered, cid;
	struct gmem mem;
	uint64_t log;
	int tap;
	struct vhk_ring ring[VHK_RINGS];
	uint8_t frame[VHK_FRAME_MAX], sent[VHK_FRAME_MAX];
	size_t held; /* bytes of a packet that waits for a buffer of the driver's */
};

static inline bool vhk_has(const struct vhk *k, unsigned bit)
{
	return k->features >> bit & 1;
}

/* The thread; k->over ends it. */
void *vhk_work(void *k);

/* With the lock. 0 or -errno: the ring has all that it needs, and runs; it gives its position back.
 */
int vhk_ring_begin(struct vhk *k, struct vhk_ring *r);
void vhk_ring_end(struct vhk_ring *r);
/* It is told that the kernel cannot go on. */
void vhk_ring_break(struct vhk_ring *r);

/* An address of this process, as the calls have it. */
void *vhk_user(uint64_t address);
