/* What the files of the user backend share: the backend, and its sockets' accounting
 * (sockets.c). All of it on the backend's loop. */
#pragma once

#include "devices/backend/net/user/flow.h"
#include "devices/backend/net/user/frame-filter.h"
#include "devices/backend/net/user/frame-queue.h"
#include "devices/backend/net/user/user.h"

#define USER_RESERVE      ((size_t)32 << 20) /* bytes of memory that are left alone */
#define USER_RESERVE_STEP ((size_t)8 << 20)  /* how many may be kept until it is looked again */

struct Slirp;
struct user_source;

struct user {
	struct net_backend be;
	struct Slirp *slirp;
	bool wanted;
	uint8_t *gather; /* NET_FRAME_MAX */

	struct net_frame_queue late;
	struct net_frame_filter filter;
	struct net_flows flows;
	size_t unseen; /* bytes that libslirp may have come to keep since memory was looked for */
	bool low;      /* there was too little */

	GArray *forwards;         /* struct user_forward */
	GArray *listeners;        /* int: their sockets that accept */
	unsigned ready, accepted; /* of them, in this turn */
	gint64 accept_at;         /* microseconds: none is watched before */

	struct user_source *source;
};

/* May libslirp keep @bytes more, or is the process's memory running out? */
bool user_has_room(struct user *u, size_t bytes);

/* Adds what hostfwd=@text says to @net. False with the operator's error. */
bool user_add_forward(struct user *u, const struct user_net *net, const char *text, GError **err);

/* For slirp_pollfds_fill(), once, while there are no other sockets: notes those that listen. */
int user_note_listener(int fd, int wants, void *opaque);
bool user_is_listener(const struct user *u, int fd);

/* Is there room for a connection that the host makes? */
bool user_can_accept(struct user *u);

/* libslirp has opened a socket, or is about to close it; @opaque is the struct user. */
void user_socket_opened(int fd, void *opaque);
void user_socket_closed(int fd, void *opaque);

/* How many descriptors the sockets may take. As many more are asked of the kernel; if the process
 * may have no more, most of those that there are stay with others. */
unsigned user_take_descriptors(void);
