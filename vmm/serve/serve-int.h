/* What the files of this folder share. */
#pragma once

#include "devices/backend/unix-listen.h"
#include "devices/core/vdev.h"
#include "devices/record/record.h"
#include "vmm/serve/serve.h"

struct serve_thread {
	char *name;
	struct loop *loop;
	struct poller_wish poll;
	bool private; /* the device's own: no iothread=NAME means it */
	struct sandbox_filter *filter;
};

struct serve {
	const struct serve_config *cfg;
	struct loop *main;
	GPtrArray *threads; /* of struct serve_thread: event loops */
	struct terminal *terminal;
	struct gmem mem;
	struct vdev *dev;
	struct recorder *recorder; /* NULL: nothing is recorded */
	struct checker *checker;   /* NULL: nobody checks */
	const struct serve_protocol *protocol;
	void *transport; /* the protocol's */

	struct unix_listener listener; /* fd -1: there is one connection and no more */
	GSource *listening;
	int connection; /* until it is served; -1 */
	int signals;
	GSource *signal_watch;
	bool over;

	struct sandbox_filter *filter;        /* the main thread's */
	struct sandbox_filter *writer_filter; /* the recorder's */
};

struct serve_protocol {
	const char *option; /* that asks for it */

	/* Puts the device, whose memory's table is the transport's from now on, on it; served on
	 * the main thread, with serve_ended(). NULL with a host error. */
	void *(*open)(struct vdev *dev, struct gmem *mem, struct serve *s, GError **err);
	void (*free)(void *transport);            /* NULL is fine */
	void (*connect)(void *transport, int fd); /* NULL: it has no socket */

	/* Of the kernel: for the main thread, and (NULL: nothing) for those that queues run on. */
	const struct syscall_use *const *syscalls;
	const struct syscall_use *queue_syscalls;
};
extern const struct serve_protocol serve_protocols[N_SERVE_PROTOCOLS];

/* socket.c: opens what the protocol's option says. */
bool serve_open_socket(struct serve *s, GError **err);
/* And begins to serve whoever is there, and who comes. */
void serve_begin(struct serve *s);
void serve_close_socket(struct serve *s);
void serve_ended(void *opaque);

/* confine.c: the process shuts itself in; the threads begin, each sealed. */
bool serve_confine(struct serve *s, GError **err);
void serve_free_filters(struct serve *s);
