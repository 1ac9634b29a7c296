/*
 * What the parts of a player share: play.c the steps and the devices, life.c what the driver does
 * with registers and the configuration space, rings.c its queues, chains.c what goes through them.
 */
#pragma once

#include "devices/core/vdev.h"
#include "tools/replay/memory.h"
#include "tools/replay/outside.h"
#include "tools/replay/play.h"
#include "transport/direct.h"
#include "virtqueue/driver/drv.h"

/* A chain that the driver has made available, and what became of it. */
struct play_flight {
	const struct replay_chain *chain;
	const struct replay_chain *made; /* the same, as it was when it was popped first */
	bool unpopped; /* the recorded device put it back: it is popped once more */
	bool done;
	uint32_t len;
	uint8_t *written; /* len bytes of what it wrote, at most what was writable */
};

struct play_queue {
	struct drv_vq *drv;          /* NULL: it does not run, and all of this is zero */
	bool disabled;               /* for a while: it goes on from where it is */
	struct play_flight **flight; /* by the record's head */
	GHashTable *made;            /* the set of all, freed when they leave it */
	GPtrArray *given;            /* of struct replay_chain: outside is to give them together */
};

struct play_device {
	struct play *play;
	const struct replay_device *how;
	struct outside outside;
	struct vdev *dev;
	struct direct *direct;
	bool over;                      /* what follows cannot be played */
	bool legacy;                    /* its driver of now */
	const struct replay_step *late; /* a read that does not fit yet: play_config_read() */
	struct play_queue queue[VDEV_QUEUES_MAX];
};

struct play {
	const struct replay_script *s;
	struct replay_memory *memory;
	GMainContext *context;
	unsigned wait_ms;
	struct play_device *device;
	guint at; /* the step that is played */
	struct replay_result *result;
};

/* play.c: what was not played, and why. And that something goes otherwise: false, for whoever says
 * it. */
void play_note(struct play_device *d, const char *what);
bool G_GNUC_PRINTF(3, 4)
	play_diverges(struct play_device *d, const struct replay_step *step, const char *fmt, ...);

/*
 * rings.c
 */

/* Has the devices work until done(@arg), or for @ms (for as long as a device may take): false. */
bool play_wait_for(struct play_device *d, bool (*done)(void *arg), void *arg, unsigned ms);
bool play_wait(struct play_device *d, bool (*done)(void *arg), void *arg);

/* Whatever can be done at once, is. */
void play_settle(struct play_device *d);

/* NULL: nothing of that head is. */
struct play_flight *play_in_flight(const struct play_queue *pq, const struct replay_chain *c);

/* It was reset, if it ran. */
void play_forget_queue(struct play_queue *pq);

/* Lays out and enables the queue that @start is about, or lets it go on. False: play_diverges(). */
bool play_enable(struct play_device *d, const struct replay_step *start);

/*
 * life.c, chains.c: a step of that type. False: play_diverges().
 */
bool play_status(struct play_device *d, const struct replay_step *step);
bool play_started(struct play_device *d, const struct replay_step *step);
bool play_stopped(struct play_device *d, const struct replay_step *step);
bool play_config_read(struct play_device *d, const struct replay_step *step);
bool play_late_read(struct play_device *d); /* the read that play_config_read() put off */
bool play_config_written(struct play_device *d, const struct replay_step *step);

bool play_popped(struct play_device *d, const struct replay_step *step);
bool play_unpopped(struct play_device *d, const struct replay_step *step);
bool play_pushed(struct play_device *d, const struct replay_step *step);
