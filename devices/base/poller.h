/*
 * When to sleep. Somebody who waits for descriptors may look at them again and again for a while
 * before it sleeps: waking up a thread takes longer than a disk's answer from the page cache. How
 * long it looks follows what it finds: the window grows while looking a little longer would have
 * been enough, and shrinks, to nothing at last, while it would not.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Something in memory that can be looked at without a call, and has a descriptor that tells of it
 * if that is wanted: a ring, and its kicks. While looking goes on it need not be wanted.
 */
struct poller_ring {
	bool (*look)(void *arg); /* is there something? */
	/* From now on the descriptor has to tell. False: there is something already. */
	bool (*arm)(void *arg);
	void *arg;
	int fd; /* among the descriptors that are waited for: G_IO_IN if something was found */

	bool unarmed; /* the poller's */
	struct poller_ring *next;
};

struct poller {
	uint64_t max_ns; /* the longest window; 0: it sleeps at once */

	struct poller_ring *rings; /* unarmed ones */

	/* The rest is counted by the thread that waits, and read by any (poller_stats()). */
	uint64_t window_ns; /* how long it looks now */
	uint64_t found;     /* times that looking found something */
	uint64_t slept;     /* times that it slept */
	uint64_t looked_ns; /* time that looking took, found or not */
};

/* As poll(2), which it calls; @timeout in milliseconds, -1: without end. What it looks at costs one
 * call each time. */
gint poller_poll(struct poller *p, GPollFD *fds, guint n, gint timeout);

/* @ring's descriptor does not tell any more, so the next waits look at it: until it is armed,
 * before a sleep, with nothing there; or is removed, which arms nothing, by whoever was told. (That
 * may be lost: GLib throws away what poll() says if descriptors came or went meanwhile.) */
void poller_add(struct poller *p, struct poller_ring *ring);
void poller_remove(struct poller *p, struct poller_ring *ring);

/* A copy that may lag behind. */
struct poller poller_stats(const struct poller *p);

/* The window that follows @window_ns after a wait of @waited_ns, looking and sleep together. */
uint64_t poller_next_window(uint64_t window_ns, uint64_t max_ns, uint64_t waited_ns);

/* Whoever knows the processors is to choose: POLLER_AUTO_NS, or 0. */
#define POLLER_AUTO    UINT64_MAX
#define POLLER_AUTO_NS 32000u
#define POLLER_MAX_NS  1000000000u

/* What those who share a thread want of it. */
struct poller_wish {
	bool said; /* else POLLER_AUTO */
	uint64_t max_ns;
};

/* One more of them, who asks for *@max_ns, or (NULL) does not mind. False: others want it
 * otherwise. */
bool poller_wish(struct poller_wish *wish, const uint64_t *max_ns);

/* What becomes of it; @spare counts the processors that nobody else is meant for. */
uint64_t poller_choose(const struct poller_wish *wish, unsigned *spare);

/* "off", "auto" or a time: "50us", "2ms". False: it is none, or longer than a second. */
bool poller_parse(const char *text, uint64_t *ret_ns);
