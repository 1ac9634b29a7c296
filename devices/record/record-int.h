/* What the recorder's files share. */
#pragma once

#include <pthread.h>

#include "devices/core/observe.h"
#include "devices/record/format.h"
#include "devices/record/record.h"
#include "devices/record/ring.h"

#define RECORD_RINGS     128u
#define RECORD_RING_SIZE ((size_t)1 << 20)

enum record_payload { RECORD_PAYLOAD_NONE, RECORD_PAYLOAD_DIGESTS, RECORD_PAYLOAD_BYTES };

struct record_options {
	char *file;
	enum record_payload payload;
	uint64_t most; /* bytes of each direction of a chain */
};

/* options.c: False with a usage error. */
bool record_options_parse(const char *spec, const char *context, struct record_options *ret,
			  GError **err);

/* Where the writable buffers of a chain in flight are. In all they may take RECORD_FLIGHT_MAX
 * bytes: a guest can have long chains, and many. */
#define RECORD_FLIGHT_MAX (RECORD_MEMORY_MORE / 4 * 3)

struct record_flight {
	struct iovec *iov;
	unsigned n, room;
};

struct record_queue {
	struct record_flight *flight; /* by head; NULL: payloads are not wanted */
	unsigned size;
};

struct record_device {
	struct vdev_observer base;
	struct recorder *recorder;
	struct vdev *dev; /* not to be touched: it may be gone */
	uint16_t number;
	unsigned n_queues;
	struct record_queue *queue;
};

/* The block in the making (encode.c). */
struct record_writing {
	uint8_t *body; /* RECORD_BLOCK_MAX bytes */
	size_t n;
	uint32_t events, losses; /* of the events so many tell of a loss, */
	uint64_t lost;           /* together of so many events */
	uint64_t first, time;    /* the block's, the last event's */
	uint16_t device, queue;
	unsigned thread;
	struct record_place places[RECORD_PLACES];
};

struct recorder {
	struct record_options options;
	int fd;
	uint64_t offset;    /* where the next block goes */
	uint32_t number;    /* of the next block */
	GPtrArray *devices; /* of struct record_device */

	_Atomic size_t flight_bytes; /* of struct record_flight, in all */

	void *map; /* the rings' memory */
	size_t map_bytes;
	struct record_ring ring[RECORD_RINGS];
	_Atomic unsigned n_rings;  /* wanted: there may be fewer */
	pthread_key_t mine;        /* the calling thread's ring */
	_Atomic uint64_t homeless; /* events of threads that got none */

	/* The writer's. */
	pthread_t thread;
	bool started;
	void (*first)(void *arg);
	void *first_arg;
	atomic_bool stop;
	_Atomic uint32_t sleeping; /* a futex: 1 while it does */
	struct record_writing w;
	uint8_t *room;         /* a block's head, and w.body */
	uint64_t events, lost; /* written; told of as lost, or to be: */
	uint64_t unwritten;
	bool refused; /* the host would not take a block */
};

/* Without a last word. */
void recorder_free(struct recorder *r);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t record_now(void);

/* observe.c: frees a struct record_device. */
void record_device_free(void *device);

/* writer.c: wakes the writer up, if it sleeps. */
void record_wake(struct recorder *r);
/* All that the rings hold becomes blocks; the last one may wait to be filled. How many events. */
unsigned record_drain(struct recorder *r);
void record_flush(struct recorder *r);
/* The record's last words. */
void record_end(struct recorder *r);
void *record_writer(void *recorder);

/* encode.c: appends an event, for which there is room. @thread: the ring's number. */
void record_encode(struct record_writing *w, const struct record_raw *raw, unsigned thread);
void record_encode_thread(struct record_writing *w, const struct record_ring *ring, unsigned thread,
			  uint64_t time);
void record_encode_lost(struct record_writing *w, uint64_t time, unsigned thread, uint64_t lost);
void record_encode_end(struct record_writing *w, uint64_t time, uint64_t events, uint64_t lost);
/* A block begins: nothing is known. */
void record_encode_begin(struct record_writing *w);
