/*
 * What tests of streams share (devices/backend/chr/chr.h): a user of one, and a loop that turns
 * while something is awaited.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>
#include <stdbool.h>

#include "devices/backend/chr/chr.h"
#include "devices/backend/spec.h"

/* A user that keeps what it reads and sends what it is given. */
struct user {
	struct loop *loop;
	struct chr *chr;
	char *dir, *path;
	GByteArray *got;
	GByteArray *out; /* not yet taken by the stream */
	bool reading;
	unsigned arrivals, departures, troubles;
};

/* With a directory of its own, in which @path is free. */
struct user *user_new(void);
void user_free(struct user *u);

/* Opens SPEC, or "KIND:PATH", and attaches it; detaches and closes it. */
void user_open_spec(struct user *u, const char *spec);
void user_open(struct user *u, const char *kind);
/* The same with @wrappers that SPEC may name (devices/backend/spec.h). */
void user_open_wrapped(struct user *u, const char *spec,
		       const struct backend_wrapper *const *wrappers);
void user_shut(struct user *u);

/* Sends what the stream takes; the rest goes when it can. */
void user_send(struct user *u, const void *bytes, size_t len);

/* Says again what it wants, after a change of @reading. */
void user_want(struct user *u);

/* Lets the loop do whatever it has to do. */
void user_wait_idle(void);

#define UNTIL(cond)                                                             \
	do {                                                                    \
		gint64 end_ = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND; \
		while (!(cond)) {                                               \
			assert_true(g_get_monotonic_time() < end_);             \
			if (!g_main_context_iteration(NULL, FALSE))             \
				g_usleep(500);                                  \
		}                                                               \
	} while (0)

/* Opening @spec is a mistake of the operator's, and one line says @why. */
void chr_refused(const char *spec, const char *why);
