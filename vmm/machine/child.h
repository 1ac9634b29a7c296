/*
 * Back-ends of vhost-user that belong to the machine: each is a program which a process of ours
 * starts, and starts again when it dies.
 *
 * That process is made before the machine has anything, memory included: it has the socket that the
 * program listens on, and a pipe, by whose end it knows that the machine is gone. Then it ends the
 * program and takes the socket's file away. It sees nothing of the guest, and the machine needs no
 * right to start programs.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

struct child {
	char *socket; /* on which it is found; NULL: there is none */
	int alive;    /* closed with us */
};

#define CHILD_SOCKET_FD 3 /* the listening socket, in the program */

/* Starts @argv, which ends with NULL and begins with a path; @name: what it is called in messages;
 * @given: the option that asked for it, likewise. False with a host error. */
bool child_start(struct child *ret, char *const *argv, const char *name, const char *given,
		 GError **err);
void child_clear(struct child *c);
