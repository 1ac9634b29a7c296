/* What the files of this transport share. */
#pragma once

#include <pthread.h>

#include "transport/vhost-user/memory.h"
#include "transport/vhost-user/socket.h"
#include "transport/vhost-user/vhost-user.h"

/* A queue as the front-end set it up. It runs while it has all that it needs: vhu_ring_settle(). */
struct vhu_ring {
	uint16_t size;
	bool has_addr;
	struct vhu_addr addr;
	uint32_t base; /* as SET_VRING_BASE has it: where it goes on from */
	bool has_kick; /* the device's kick descriptor is the front-end's */
	bool enabled;  /* by SET_VRING_ENABLE */
	bool running;
	/* Eventfds, of which the front-end's take the place (dup3()): so whoever writes one needs
	 * no lock. One that nobody reads while there is none. */
	int call_fd, err_fd;
};

/* A device's state that goes out or comes in: device-state.c. */
struct vhu_transfer {
	bool load;
	int fd; /* -1: it is over */
	GSource *watch;
	GByteArray *bytes; /* NULL: there is none */
	size_t done;       /* that were written */
	bool ended;        /* all was read */
};

struct vhost_user {
	struct vdev *dev;
	struct loop *main;
	void (*ended)(void *opaque);
	void *opaque;

	struct msg_socket socket;
	struct {
		struct vhu_header header;
		union vhu_payload payload;
	} in;           /* the message under way */
	GSource *watch; /* of it; NULL: there is no front-end */
	struct vhu_memory memory;
	int lost_fd; /* an eventfd: a file of the front-end's is shorter than what is mapped */
	GSource *lost_watch;
	bool serving;         /* a message, or the loop while that waits */
	bool lost;            /* and the connection is to end */
	struct given_map log; /* of pages that the device writes; log.c */
	uint64_t log_size;    /* bytes of it */
	int log_fd;           /* an eventfd: there may be more in it; -1 */

	struct given_map inflight; /* inflight.c */
	unsigned inflight_queues;
	uint64_t inflight_share; /* bytes of each */

	struct vhu_transfer transfer;

	uint64_t features; /* as the front-end set them: the device's, and the protocol's two */
	uint64_t protocol; /* features of the protocol, likewise */
	uint8_t status;    /* as it set it; 0 if it does not use that */
	struct vhu_ring ring[VDEV_QUEUES_MAX];

	pthread_mutex_t lock; /* of these: the device tells of changes from any thread */
	int backend_fd;       /* to the front-end; -1: none */
	bool wants_config;
};

static inline bool vhu_has(const struct vhost_user *v, enum vhu_protocol_feature f)
{
	return v->protocol >> f & 1;
}

#define VIRTIO_ID_NET 1u

/*
 * rings.c. Functions that answer a text: NULL, or what the front-end got wrong.
 */

/* The features it accepted, settled with the device (FEATURES_OK). False: they do not hold. */
bool vhu_negotiate(struct vhost_user *v);

/* Starts the ring if it has all it needs and does not run. */
const char *vhu_ring_settle(struct vhost_user *v, unsigned q);
const char *vhu_rings_settle(struct vhost_user *v);

/* Stops it if it runs; ring->base is where it goes on from. */
void vhu_ring_stop(struct vhost_user *v, unsigned q);
void vhu_rings_stop(struct vhost_user *v);

/* Stops all, and the device is as after a reset by its driver. */
void vhu_reset(struct vhost_user *v);

/* log.c: the front-end wants what the device writes logged, or not, as its features and its log
 * have it by now. Rings are stopped. */
void vhu_log_settle(struct vhost_user *v);
bool vhu_log_covers_memory(const struct vhost_user *v); /* if it is on */
void vhu_log_tell(const struct vhost_user *v);          /* there may be more in it */
void vhu_log_forget(struct vhost_user *v);

/* inflight.c: before a ring starts, and after; and when a device is reset: its rings stop. */
const char *vhu_inflight_settle(struct vhost_user *v, unsigned q);
void vhu_inflight_tell(const struct vhost_user *v, unsigned q);
void vhu_inflight_forget(struct vhost_user *v);
extern const struct syscall_use vhu_inflight_syscalls[];

/* device-state.c. */
void vhu_state_forget(struct vhost_user *v);

/* rings.c. */
bool vhu_any_ring_runs(const struct vhost_user *v);

/* messages.c: serves the message in @v->in, with its answer. */
const char *vhu_serve(struct vhost_user *v);

/* The message's name, for a line about it. */
const char *vhu_request_name(uint32_t request);

/* What a handler has: the payload, in which it leaves its answer, too. */
struct vhu_message {
	union vhu_payload *p;
	uint32_t size; /* of the payload; an answer's */
	int fd;        /* that goes with the answer; -1 */
};

/* Handlers of messages.c's table: ring-messages.c, */
const char *vhu_set_vring_num(struct vhost_user *v, struct vhu_message *m);
const char *vhu_set_vring_addr(struct vhost_user *v, struct vhu_message *m);
const char *vhu_set_vring_base(struct vhost_user *v, struct vhu_message *m);
const char *vhu_get_vring_base(struct vhost_user *v, struct vhu_message *m);
const char *vhu_set_vring_enable(struct vhost_user *v, struct vhu_message *m);
const char *vhu_set_vring_kick(struct vhost_user *v, struct vhu_message *m);
const char *vhu_set_vring_call(struct vhost_user *v, struct vhu_message *m);
const char *vhu_set_vring_err(struct vhost_user *v, struct vhu_message *m);
/* log.c. */
const char *vhu_set_log_base(struct vhost_user *v, struct vhu_message *m);
const char *vhu_set_log_fd(struct vhost_user *v, struct vhu_message *m);
/* device-state.c. */
const char *vhu_set_device_state_fd(struct vhost_user *v, struct vhu_message *m);
const char *vhu_check_device_state(struct vhost_user *v, struct vhu_message *m);
/* inflight.c. */
const char *vhu_get_inflight_fd(struct vhost_user *v, struct vhu_message *m);
const char *vhu_set_inflight_fd(struct vhost_user *v, struct vhu_message *m);

/* An eventfd that came with the message, or, if it says that it has none, a new one. -1: neither.
 * The caller's. Neither reading nor writing it makes us wait, unless its other owner has it so. */
int vhu_eventfd_of(struct vhost_user *v, bool none);

extern const char vhu_no_descriptor[], vhu_no_such_ring[]; /* what is wrong with messages */
