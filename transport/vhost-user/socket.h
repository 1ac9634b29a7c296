/*
 * Messages of vhost-user over a connected unix socket, with the descriptors that come with them.
 *
 * A front-end may send a message in pieces, or half of one and no more: what has come is kept, and
 * nobody waits for the rest. No more is read than the message that is under way, so descriptors
 * belong to the message with whose first byte they came.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "devices/base/syscalls.h"
#include "transport/vhost-user/wire.h"

struct vhu_socket {
	int fd;      /* non-blocking; owned */
	size_t have; /* bytes of the message under way */
	struct {
		struct vhu_header header;
		union vhu_payload payload;
	} in;
	int fds[VHU_FDS_MAX]; /* that came with it; owned until they are taken */
	unsigned n_fds;
};

enum vhu_received {
	VHU_MESSAGE, /* all of it is in @s->in */
	VHU_MORE,    /* not yet */
	VHU_CLOSED,  /* the other side is gone */
	VHU_BROKEN,  /* too large, too many descriptors, or no version 1 */
};

void vhu_socket_open(struct vhu_socket *s, int fd);
void vhu_socket_close(struct vhu_socket *s); /* closed already is fine */

/* Goes on with the message under way; after VHU_MESSAGE call vhu_socket_next(). */
enum vhu_received vhu_socket_receive(struct vhu_socket *s);

/* Done with the message: descriptors that were not taken are closed. */
void vhu_socket_next(struct vhu_socket *s);

/* Takes the message's @n-th descriptor: the caller's now. -1 if there is none (any more). */
int vhu_socket_take_fd(struct vhu_socket *s, unsigned n);

/* Sends a message of @size bytes of payload on @fd, in one piece and without waiting. False if the
 * other side does not take it. */
bool vhu_send(int fd, uint32_t request, uint32_t flags, const void *payload, uint32_t size);

extern const struct syscall_use vhu_socket_syscalls[];
