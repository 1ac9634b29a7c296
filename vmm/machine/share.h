/*
 * Folders for the guest: each is served by a virtiofsd of its own, which a process of ours starts,
 * and starts again when it dies.
 *
 * That process is made before the machine has anything, memory included: it has the socket that
 * virtiofsd listens on, and a pipe, by whose end it knows that the machine is gone. Then it ends
 * virtiofsd and takes the socket's file away. It sees nothing of the guest, and the machine needs
 * no right to start programs.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

struct share {
	char *socket; /* on which a back-end of vhost-user for it is found */
	int alive;    /* closed with us */
};

/* @dir: the folder; @given: the option, for messages. False with @err: there is no virtiofsd, or
 * no such folder. */
bool share_start(struct share *ret, const char *dir, bool read_only, const char *given,
		 GError **err);
void share_clear(struct share *s);
