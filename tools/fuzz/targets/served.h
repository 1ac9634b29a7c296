/*
 * A device of any class that another program is served with, for the targets that are this program:
 * the device, on a loop of its own, and what such a program sends: files with memory, descriptors
 * of any kind. It also drives rings that lie in the first of the files.
 */
#pragma once

#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/host/fakes.h"
#include "tools/fuzz/host/host.h"
#include "tools/fuzz/language/input.h"
#include "virtqueue/driver/drv.h"
#include "virtqueue/gmem.h"

#define SERVED_FILES 4u
#define SERVED_FILE  0x10000u /* bytes of each */
#define SERVED_RINGS 2u       /* that have a driver; each in half of file 0 */
#define SERVED_SIZE  16u      /* entries */
#define SERVED_TURNS 8u       /* of the loop, at most, in one record */

/* A chain. */
struct served_request {
	bool in_flight;
	uint32_t writable; /* bytes */
};

struct served {
	struct fakes fakes;
	GMainContext *context;
	struct loop *loop;
	struct gmem mem;
	struct vdev *dev;
	bool packed;
	struct drv_vq vq[SERVED_RINGS];
	bool driven[SERVED_RINGS];
	struct served_request request[SERVED_RINGS][SERVED_SIZE];
};

/* Runs @run(@opaque) on an input's host; descriptors that are open afterwards and were not before
 * are a bug. */
void served_run(void (*run)(void *opaque), void *opaque);

/* The device that a byte of heading chooses, with its ring's layout, and @more options. */
void served_open(struct served *s, unsigned heading, const char *more);
/* The same with a specification, as after --device. False: it does not open. */
bool served_open_as(struct served *s, const char *spec);
void served_close(struct served *s); /* also if it has not */

void served_turn(struct served *s, unsigned n);

/* A new descriptor of the kind that a number stands for; from 4 to 7 file @kind % 4, mappable. */
int served_fd(unsigned kind);

/* Ring @q's driver begins, in file 0: addresses in s->vq[q] count from its first byte. False: there
 * is no such. */
bool served_lay_out(struct served *s, unsigned q);

/* Records that need nothing of the protocol: a chain, whose cookie is its request, and its kick, as
 * an eventfd; bytes in a file; a kick; time, and turns of the loop. */
void served_chain(struct served *s, struct input *in);
void served_bytes(struct input *in);
void served_kick(struct served *s, unsigned q);
void served_time(struct served *s, struct input *in);
