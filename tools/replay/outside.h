/*
 * What was on the host's side of a recorded device: disks, networks, streams, keyboards. A replay
 * has none of them; what they gave is in the record, as what the device wrote for its driver, and
 * is given again when its turn comes.
 *
 * For each class of devices there is a struct outside_class: which options reach out of the device,
 * and what stands in for them. Networks and streams are wrappers (devices/backend/spec.h) called
 * `recorded' in front of `null'; a disk is a file in memory that has what was read from it before
 * it was written; input events are sent as by the control socket.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "devices/backend/spec.h"
#include "tools/replay/script.h"

#define OUTSIDE_PORTS_MAX 64u

struct vdev;
struct recorded_net;
struct recorded_chr;

struct outside {
	const struct outside_class *class;
	const struct replay_script *script;
	uint32_t number;   /* the device's, in the script */
	uint64_t accepted; /* features, bits 0 to 63, since the driver settled them */

	int disk_fd;                                 /* blk; -1: none */
	struct recorded_net *net;                    /* their backends'; NULL: none yet */
	struct recorded_chr *chr[OUTSIDE_PORTS_MAX]; /* in the order of ports */
	unsigned n_chr;
	bool connected[OUTSIDE_PORTS_MAX]; /* is somebody at the other end in the beginning? */
	bool columns_first;                /* in what tells of a window (resize=spec) */
};

struct outside_class {
	const char *name;
	const char *drop; /* options that reach out of the device, blanks around each */

	/* Adds to @pairs what takes their place. False, with @ret_why (static): it cannot be
	 * replayed. NULL: nothing to be added. */
	bool (*options)(struct outside *o, GPtrArray *pairs, const char **ret_why);

	/*
	 * Gives again what became @n chains of queue @q, which the device got no data for but from
	 * outside. more(): does the next chain belong to the same, so that it takes that, too?
	 * NULL: it is always one; the class gets nothing from outside.
	 */
	bool (*more)(const struct outside *o, struct replay_chain *const *chains, unsigned n);
	void (*give)(struct outside *o, struct vdev *dev, unsigned q,
		     struct replay_chain *const *chains, unsigned n);

	/* The field of the configuration space that the outside changes, when it likes: a link goes
	 * down, a disk grows. @len 0: there is none. And it has, as it did when it was recorded:
	 * @bytes are the field's. NULL: there is nothing else to it. */
	size_t field, field_len;
	void (*configured)(struct outside *o, struct vdev *dev, const uint8_t *bytes);

	bool random; /* what it writes differs each time: only how much is compared */
};

/* NULL: devices of that class cannot be replayed. */
const struct outside_class *outside_class_find(const char *name);
extern const struct outside_class outside_blk, outside_net, outside_console, outside_input,
	outside_rng;

/*
 * The options for the device of @o, which has its script and number, as the record has them but
 * for what reaches outside. NULL, and @ret_why in words (static): it cannot be replayed.
 */
GPtrArray *outside_options(struct outside *o, const char **ret_why);

/* While vdev_new() makes the device of @o: a wrapper has no other way to know whose it is. */
extern struct outside *outside_opening;
extern const struct backend_wrapper *const outside_wrappers[]; /* for struct vdev_env */

void outside_close(struct outside *o); /* after the device */

/* For the classes: a field of the recorded configuration space, little-endian, 0 beyond it; a
 * feature that was offered; an option more. */
uint64_t outside_config(const struct outside *o, size_t off, unsigned bytes);
bool outside_offered(const struct outside *o, unsigned bit);
void outside_option(GPtrArray *pairs, const char *key, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* outside-net.c, outside-console.c */
struct net_backend *outside_wrap_net(struct net_backend *next, const void *options);
struct chr *outside_wrap_chr(struct chr *next, const void *options);
