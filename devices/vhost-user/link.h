/*
 * The connection to a vhost-user back-end, from its front-end: one message at a time, and an answer
 * to each before the next.
 *
 * Whoever asks waits, with poll(), and no longer than a back-end may take. One that is late, closes
 * the connection, or answers what it was not asked ends it: the function that found out says false,
 * and so do all after it, and @wrong has the reason. So a late answer is never taken for that to
 * another question.
 *
 * What the back-end says of itself comes on a second socket (BACKEND_REQ), which is served
 * meanwhile: a back-end may want that acknowledged before it goes on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/vhost-user/socket.h"

/* How long a back-end may take: for a message; and for one that waits for the host's I/O. */
#define VHU_PATIENCE_MS      5000u
#define VHU_PATIENCE_STOP_MS 30000u

struct vhu_message {
	struct vhu_header header;
	union vhu_payload payload;
};

struct vhu_link {
	struct msg_socket s;      /* s.fd -1: there is no connection (any more) */
	struct msg_socket events; /* our end of the second one; -1: there is none */
	struct vhu_message in, event;
	uint64_t protocol;   /* VHU_PF_*, a bit for each, as negotiated */
	bool config_changed; /* the back-end said so; whoever looks clears it */
	char wrong[160];     /* why there is none any more */
	bool late;           /* that is: an answer was too late */
};

void vhu_link_init(struct vhu_link *l);         /* without a connection */
void vhu_link_open(struct vhu_link *l, int fd); /* takes it */
void vhu_link_close(struct vhu_link *l);        /* closed already is fine */

/* Takes @fd as our end of the second connection. */
void vhu_link_listen(struct vhu_link *l, int fd);

static inline bool vhu_link_is_open(const struct vhu_link *l)
{
	return l->s.fd >= 0;
}

static inline bool vhu_link_has(const struct vhu_link *l, enum vhu_protocol_feature feature)
{
	return l->protocol >> feature & 1;
}

/* Ends it, for a reason that ends up in @wrong. Always false. */
bool vhu_link_fail(struct vhu_link *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A message that has no answer: where REPLY_ACK was negotiated it is one all the same, and the
 * back-end can refuse. @fds stay the caller's. */
bool vhu_link_tell(struct vhu_link *l, enum vhu_request request, const void *payload, uint32_t size,
		   const int *fds, unsigned n_fds);
bool vhu_link_tell_u64(struct vhu_link *l, enum vhu_request request, uint64_t value);
bool vhu_link_tell_ring(struct vhu_link *l, enum vhu_request request, uint32_t q, uint32_t value);

/* All that was told before is done: returns when the back-end has seen to it. */
bool vhu_link_settle(struct vhu_link *l);

/* A message of one value, with a descriptor or (-1) without, which stays the caller's. */
struct vhu_small {
	enum vhu_request request;
	uint32_t size; /* of: */
	union {
		uint64_t u64;
		struct vhu_state state;
	} value;
	int fd;
};
bool vhu_link_tell_small(struct vhu_link *l, const struct vhu_small *m);

/* A question. @answer gets @answer_size bytes, which is what the answer must have, within
 * @patience_ms. @ret_fd: a descriptor that comes with it, the caller's then, or -1; NULL: none
 * does. @before and @behind go out in the same write, so that the back-end wakes up once for them
 * all; not where REPLY_ACK was negotiated, and only @before may have a descriptor; NULL: none. */
struct vhu_question {
	enum vhu_request request;
	const void *payload;
	uint32_t size;
	void *answer;
	uint32_t answer_size;
	unsigned patience_ms;
	int *ret_fd;
	const struct vhu_small *before, *behind;
};
bool vhu_link_ask(struct vhu_link *l, const struct vhu_question *q);
bool vhu_link_ask_u64(struct vhu_link *l, enum vhu_request request, uint64_t *ret);

/* There is something to be read while nobody asks: of the back-end's own messages, a few in one
 * turn; anything else ends it. */
void vhu_link_serve(struct vhu_link *l);
