/*
 * The test device, queue 0 of which copies what it is given, behind vfio-user's server, and a
 * client of the test's own, with a driver of the library's on it.
 */
#pragma once

#include <glib.h>

#include "devices/core/vdev.h"
#include "tests/support/vfio-user-client.h"
#include "transport/driver/virtio.h"
#include "transport/vfio-user/vfio-user.h"
#include "virtqueue/driver/drv.h"

#define VFU_BENCH_RAM     (1u << 20)
#define VFU_BENCH_BUFS    0x40000u /* offset of buffers */
#define VFU_BENCH_SIZE    64u
#define VFU_BENCH_VECTORS 4u /* the configuration's and a queue's each */

struct vfu_bench {
	struct loop *main;
	struct gmem mem;
	struct vdev *dev;
	struct vfio_user *server;
	struct vfu_client client;
	unsigned ended, closed; /* connections that are over, and that a case has closed */
	int memfd;
	uint8_t *ram;
	struct gmem far; /* the same, */
	bool is_far;     /* which has no descriptor: the client reaches it */
	struct virtio_io io;
	struct virtio_dev driver;
	struct virtio_queue regs;
	struct drv_vq vq; /* of queue 0 */
	int irq[VFU_BENCH_VECTORS];
	GString *log;
	guint handler;
};

int vfu_bench_setup(void **state);
int vfu_bench_setup_legacy(void **state); /* a transitional function */
int vfu_bench_setup_far(void **state);    /* memory without a descriptor */
int vfu_bench_teardown(void **state);

/* The server closes the connection, with one line that has @text; and takes another, which has
 * begun. */
void vfu_assert_closed(struct vfu_bench *b, const char *text);

/* Versions are agreed on; all of the memory is at 0; and the driver runs with queue 0: by MSI-X, or
 * by INTx, whose descriptor is b->irq[0]. */
void vfu_bench_begin(struct vfu_bench *b, bool packed, bool intx);

/* A request to copy byte @what; does it want a kick? Its kick; and its answer, with the interrupt
 * that tells of it. */
bool vfu_bench_add(struct vfu_bench *b, uint8_t what);
void vfu_bench_kick(struct vfu_bench *b);
void vfu_bench_ask(struct vfu_bench *b, uint8_t what);          /* both */
void vfu_bench_await_answer(struct vfu_bench *b, uint8_t what); /* without an interrupt */
void vfu_assert_answered(struct vfu_bench *b, uint8_t what);

/* What the eventfd has counted since it was last asked; and until it has. */
uint64_t vfu_bench_count(int fd);
void vfu_bench_await(int fd);
