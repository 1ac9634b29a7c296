/*
 * Event loops and who owns what.
 *
 * A loop is a GMainContext and the one thread that runs it. Everything a live queue does happens on
 * its loop's thread; whoever else wants to change a live queue asks the loop with loop_call() and
 * waits. The data path therefore needs no lock.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "devices/base/poller.h"

struct loop;

/* The loop of the calling thread over the default context; the main thread runs it itself (with
 * g_main_context_iteration() or a GMainLoop). */
struct loop *loop_main(void);

/* A loop over a context of its own. Its thread comes with loop_start(): until then loop_call() runs
 * on its caller's thread, and what is posted waits. */
struct loop *loop_new(const char *name);

/* Starts the loop's thread, once, called as the loop is (at most 15 characters count). @first runs
 * on it before the loop serves anything, and is waited for; it may be NULL. */
void loop_start(struct loop *loop, void (*first)(void *arg), void *arg);

/* How long the loop's own thread may look for more before it sleeps (poller.h): 0, as at first, or
 * the longest window in nanoseconds. */
void loop_set_poll(struct loop *loop, uint64_t max_ns);
struct poller loop_poll_stats(struct loop *loop);

/* On the loop's thread: @ring, whose descriptor is watched, need not tell, if the loop would look
 * again now before it sleeps (poller_add()): false if it would not. And: not any more. */
bool loop_look_at(struct loop *loop, struct poller_ring *ring);
void loop_look_away(struct loop *loop, struct poller_ring *ring);

/* Stops and joins the thread; the main loop has none. NULL is fine. */
void loop_free(struct loop *loop);

GMainContext *loop_context(struct loop *loop);

/* Runs fn(arg) on the loop's thread and returns when it has. Runs it at once when the caller is
 * that thread, or when no thread runs the context. Never call it with a lock held that code on the
 * loop may take. */
void loop_call(struct loop *loop, void (*fn)(void *arg), void *arg);

/* The same, and whoever runs a loop goes on serving it meanwhile, as in loop_wait(): for what may
 * take long on the loop's thread. */
void loop_call_serving(struct loop *loop, void (*fn)(void *arg), void *arg);

/*
 * For what takes longer than a call. Somebody begins it, with loop_call(); code on the loop's
 * thread ends it with loop_done(); loop_wait() returns when it has ended. Whoever runs a loop goes
 * on serving it while it waits here, whichever loop it waits for; so it must not hold a lock that
 * anything on its own loop may take. *@done begins as { 0 } and can be waited for by one thread at
 * a time.
 */
struct loop_done {
	bool done;            /* under the loop's lock */
	GMainContext *waiter; /* to be woken up; NULL: nobody runs one there */
};
void loop_wait(struct loop *loop, struct loop_done *done);
void loop_done(struct loop *loop, struct loop_done *done);

/* Runs fn(arg) on the loop's thread, soon; does not wait. */
void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg);

/*
 * Watches a file descriptor: fn(arg, revents) on the loop's thread whenever one of @events (G_IO_IN
 * ...) is there. G_IO_ERR and G_IO_HUP come unasked, and in every turn while they last; with 0 the
 * watch is paused, and fn is called for nothing at all; with G_IO_HUP it waits for these two alone.
 * Returns a source to be ended with loop_unwatch(), which may be called from within fn;
 * loop_watch_events() changes the events. All three only on the loop's thread, or while nothing
 * runs it. loop_unwatch() also ends sources that are GLib's own, such as timers.
 */
typedef void (*loop_watch_fn)(void *arg, GIOCondition revents);
GSource *loop_watch(struct loop *loop, int fd, GIOCondition events, loop_watch_fn fn, void *arg);
void loop_watch_events(GSource *source, GIOCondition events);
void loop_unwatch(GSource *source); /* NULL is fine */
