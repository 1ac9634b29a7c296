/*
 * Messages over a connected unix socket, with the descriptors that come with them: a header of a
 * fixed size, which says how long the payload behind it is. (vhost-user and vfio-user are such.)
 *
 * The other side may send a message in pieces, or half of one and no more: what has come is kept,
 * and nobody waits for the rest. No more is read than the message that is under way, so descriptors
 * belong to the message with whose bytes they came.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "devices/base/syscalls.h"

#define MSG_FDS_MAX 8u /* descriptors with one message */

struct msg_format {
	size_t header_size;
	/* Bytes of payload that the header announces; -1: it is not sound, or they are too many for
	 * the buffer. */
	ssize_t (*payload_size)(const void *header);
};

struct msg_socket {
	int fd; /* owned; reading it waits for nothing, whether it is non-blocking or not */
	const struct msg_format *format;
	void *header, *payload; /* the owner's buffers, for the message under way */
	size_t have;            /* bytes of it: the header's first */
	int fds[MSG_FDS_MAX];   /* that came with it; owned until they are taken */
	unsigned n_fds;
};

enum msg_received {
	MESSAGE_WHOLE,  /* all of it is in the buffers */
	MESSAGE_MORE,   /* not yet */
	MESSAGE_CLOSED, /* the other side is gone */
	MESSAGE_BROKEN, /* a header that is not sound, or too many descriptors */
};

/* The buffers hold a header, and the longest payload that @format lets pass. */
void msg_socket_open(struct msg_socket *s, int fd, const struct msg_format *format, void *header,
		     void *payload);
void msg_socket_close(struct msg_socket *s); /* closed already is fine */

/* Goes on with the message under way; after MESSAGE_WHOLE call msg_socket_next(). */
enum msg_received msg_socket_receive(struct msg_socket *s);

/* Done with the message: descriptors that were not taken are closed. */
void msg_socket_next(struct msg_socket *s);

/* Takes the message's @n-th descriptor: the caller's now. -1 if there is none (any more). */
int msg_socket_take_fd(struct msg_socket *s, unsigned n);

/* A message to be sent; the buffers and descriptors stay the caller's. */
struct msg_out {
	const void *header, *payload;
	size_t header_size, payload_size;
	const int *fds;
	unsigned n_fds; /* at most MSG_FDS_MAX */
};

/* Sends it on @fd, in one piece and without waiting. False if the other side does not take it. */
bool msg_send(int fd, const struct msg_out *out);

extern const struct syscall_use msg_socket_syscalls[];
