/*
 * A vhost-user back-end of the test's own, in a thread with an event loop: a device of ringside's
 * on transport/vhost-user, for the front-end (devices/vhost-user/) to connect to.
 */
#pragma once

#include <stdbool.h>

#include "devices/core/vdev.h"

struct back;

/* Serves @spec ("blk,path=..."; "echo" is tests/support/echo.h's) on a socket at @path, one
 * front-end after another. */
struct back *back_open(const char *path, const char *spec);

/* In order: the device gives back what it has in hand; then the connection, the socket and the
 * device are gone. NULL is fine. */
void back_close(struct back *b);

struct vdev *back_dev(struct back *b);
struct loop *back_loop(struct back *b); /* the device's */

/* For cases' setup(), whose back-ends nobody closes: the next one takes the place of this, and the
 * last stays until the program ends. */
void back_keep(const char *path, const char *spec);
struct back *back_kept(void);
void back_unkeep(void);
