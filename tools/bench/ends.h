/*
 * The two ends of what is measured: a driver and a device with a ring between them, or producer
 * and consumer of a bare one. measure.c runs them, on two threads or alternating on one; what they
 * do in the measured time is in ends.c and bare.c, where nothing is allocated, locked or printed.
 *
 * An end keeps its own accounts on cache lines of its own: time it waited for the other (so that
 * the rest is its own work), and the notifications that it would have, or has, sent.
 */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <x86intrin.h>

#include "tools/bench/matrix.h"
#include "virtqueue/driver/drv.h"
#include "virtqueue/vq.h"

#define BENCH_GPA    0x100000u
#define BENCH_MEMORY (1u << 20) /* bytes: rings, tables, buffers */
#define BENCH_BATCH  256u       /* at most */

struct bench_end {
	_Alignas(128) uint64_t idle; /* ticks */
	uint64_t notifications;
	int event_fd; /* MODE_SLEEP: where it sleeps; else -1 */
};

struct bench_bare;

struct bench_ends {
	unsigned batch; /* what fits of the variant's */
	unsigned slots; /* ring entries that a batch takes */
	bool sleep;
	uint64_t chains;    /* to be moved in one run */
	const char *failed; /* NULL, or what went wrong; whoever sees it leaves */
	const struct bench_work *work;

	struct gmem mem;
	struct drv_buf bufs[16];         /* of every chain */
	_Alignas(128) struct drv_vq drv; /* nothing of the device's on its lines */
	_Alignas(128) struct vq *vq;
	struct bench_bare *bare;

	struct bench_end driver, device;
	_Alignas(128) struct drv_chain offered[BENCH_BATCH]; /* the driver's */
	struct drv_done done[BENCH_BATCH];
	_Alignas(128) struct vq_chain *popped[BENCH_BATCH]; /* the device's */
};

/* What two threads, or one, do until e->chains chains went all the way. */
struct bench_work {
	void (*driver)(struct bench_ends *e);
	void (*device)(struct bench_ends *e);
	void (*both)(struct bench_ends *e);
};

extern const struct bench_work bench_ring_work, bench_bare_work;

/* Lays everything out in @memory (BENCH_MEMORY bytes, 4096-aligned, zeroed here). False if the host
 * refuses: see errno. */
bool bench_ends_open(struct bench_ends *e, const struct bench_variant *v, void *memory);
void bench_ends_close(struct bench_ends *e); /* a zeroed one is fine */

static inline uint64_t bench_ticks(void)
{
	return __rdtsc();
}

/* One step of polling. Who polled for longer than the other side can take is on a busy machine, and
 * lets others have the processor: the other side may be among them. */
static inline void bench_relax(unsigned *n)
{
	if (++*n < 4096)
		_mm_pause();
	else
		sched_yield();
}

static inline void bench_fail(struct bench_ends *e, const char *what)
{
	__atomic_store_n(&e->failed, what, __ATOMIC_RELAXED);
}

static inline bool bench_failed(const struct bench_ends *e)
{
	return __atomic_load_n(&e->failed, __ATOMIC_RELAXED);
}
