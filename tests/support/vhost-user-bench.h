/*
 * The test device (whose queue 0 copies what it is given), or another, behind vhost-user's
 * back-end, and a front-end of the test's own, which is its driver, too.
 */
#pragma once

#include <glib.h>

#include "devices/core/vdev.h"
#include "tests/support/vhost-user-front.h"
#include "transport/vhost-user/vhost-user.h"
#include "virtqueue/driver/drv.h"

#define BENCH_RAM  (1u << 20)
#define BENCH_HIGH 0x7f0000000000ull /* where the front-end says that it has the memory */
#define BENCH_BUFS 0x40000u          /* offset of buffers */
#define BENCH_SIZE 64u

struct vhu_bench {
	struct loop *main;
	struct gmem mem;
	struct vdev *dev;
	struct vhost_user *back;
	struct front front;
	unsigned ended, closed; /* connections that are over, and that a case has closed */
	int memfd;
	uint8_t *ram;
	unsigned q;       /* the queue that it has a ring of: 0, */
	unsigned size;    /* and its size: BENCH_SIZE */
	struct drv_vq vq; /* of that */
	int kick, call, err;
	GString *log;
	guint handler;
};

/* With another device. */
struct vhu_bench *vhu_bench_open(const struct vdev_class *class, const char *spec);

int vhu_bench_setup(void **state);
int vhu_bench_teardown(void **state);

/* The back-end closes the connection, with one line that has @text; and takes another. */
void vhu_assert_closed(struct vhu_bench *b, const char *text);

/* All of the memory, at @gpa. */
void vhu_bench_give_memory(struct vhu_bench *b, uint64_t gpa);

/* Queue 0's ring, which has been made; it runs when it is enabled. */
void vhu_bench_give_ring(struct vhu_bench *b, uint32_t base);
struct vhu_addr vhu_bench_ring_address(const struct vhu_bench *b);

/* All of that on a new connection: the ring runs. */
void vhu_bench_begin(struct vhu_bench *b, bool packed, uint64_t gpa);
uint64_t vhu_bench_features(bool packed); /* that it negotiates */

/* GET_VRING_BASE. */
uint32_t vhu_bench_take_ring(struct vhu_bench *b);

/* A request to copy byte @what, and its answer. */
void vhu_bench_ask(struct vhu_bench *b, uint8_t what);
void vhu_assert_answered(struct vhu_bench *b, uint8_t what);
