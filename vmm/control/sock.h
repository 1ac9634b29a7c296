/*
 * The control socket's clients, as sockets: who is there, what they send in pieces, what they are
 * still to be sent. Knows no JSON.
 *
 * Handling a text may turn the main loop (a machine that stops does), so a client may leave while
 * one of its texts is handled; its struct then stays until that is done, and what is sent to it
 * goes nowhere.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "vmm/control/frame.h"

#define CONTROL_CLIENTS_MAX 16u
/* bytes a client may leave unread before it is hung up on */
#define CONTROL_UNSENT_MAX (4u << 20)

struct control_sock;

struct control_client {
	bool greeted; /* the user's own: capabilities were negotiated */

	struct control_sock *sock;
	int fd; /* -1: has left */
	GSource *watch;
	struct control_frame frame;
	GByteArray *unsent;
	unsigned refs;
	bool busy; /* a text of its is being handled: nothing more is read */
};

struct control_sock_user {
	void (*came)(struct control_client *client, void *arg);
	/* @state is not MORE; the text is client->frame.text. */
	void (*text)(struct control_client *client, enum control_frame_state state, void *arg);
};

/* Listens at @path, on the default context. NULL with an error that begins with "--control". */
struct control_sock *control_sock_new(const char *path, const struct control_sock_user *user,
				      void *arg, GError **err);

/* Sends what it can within a tenth of a second, hangs up and removes the file. NULL is fine. */
void control_sock_free(struct control_sock *sock);

/* Sends, now or as soon as the client reads. */
void control_client_send(struct control_client *client, const void *bytes, size_t len);

/* Sends to all that are greeted. */
void control_sock_tell(struct control_sock *sock, const void *bytes, size_t len);
