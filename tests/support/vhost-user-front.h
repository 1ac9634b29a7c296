/*
 * A front-end of vhost-user for tests: messages as they come to a test's mind, sound or not, over a
 * socket pair. The back-end is served by the test's own thread: whoever waits for an answer turns
 * the main loop meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/vhost-user/wire.h"

struct vhost_user;

struct front {
	int fd;
	int backend_fd; /* what it tells of by itself: SET_BACKEND_REQ_FD; -1 */
	int events_fd;  /* the back-end's end of that one */
};

/* Connects a new front-end to @v. */
void front_open(struct front *f, struct vhost_user *v);
void front_close(struct front *f);

/* One turn of the main loop, without waiting. */
void front_turn(void);

/* Sends @size bytes of payload and @n_fds descriptors, which stay the caller's. False if the
 * connection is closed. */
bool front_send(struct front *f, uint32_t request, uint32_t flags, const void *payload,
		uint32_t size, const int *fds, unsigned n_fds);

/* The answer to come: its payload, of at most @size bytes. Its length; -1: the connection was
 * closed instead. Fails the test if neither comes, or if it is no answer to @request. */
int front_answer(struct front *f, uint32_t request, void *payload, uint32_t size);

/* The same, with the descriptor that comes along, the caller's; -1: none. */
int front_answer_fd(struct front *f, uint32_t request, void *payload, uint32_t size, int *ret_fd);

/* Sends, and waits for the answer: a number. */
uint64_t front_get(struct front *f, uint32_t request);

/* Sends with NEED_REPLY (REPLY_ACK is negotiated), and waits: was it taken? */
bool front_set(struct front *f, uint32_t request, const void *payload, uint32_t size, int fd);
bool front_set_u64(struct front *f, uint32_t request, uint64_t value, int fd);
bool front_set_state(struct front *f, uint32_t request, unsigned index, uint32_t value);

/* Negotiates the protocol features of @wanted that there are; and, for BACKEND_REQ, a second
 * socket. */
void front_begin(struct front *f, uint64_t wanted);

/* How many CONFIG_CHANGE_MSG have come since it was last asked. */
unsigned front_config_changes(struct front *f);
