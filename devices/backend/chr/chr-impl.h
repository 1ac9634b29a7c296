/* What the kinds of streams share: a descriptor, its watch, and what is kept for a late reader. */
#pragma once

#include "devices/backend/chr/chr.h"
#include "devices/backend/chr/fifo.h"

/*
 * A stream over one non-blocking descriptor. Kinds begin their struct with it and set the fields
 * of the first group.
 */
struct chr_stream {
	struct chr chr;
	int fd;                             /* -1: nobody is there */
	bool is_socket;                     /* fd is one: write without SIGPIPE */
	void (*left)(struct chr_stream *s); /* the other end left; told before the user is */

	GSource *watch;      /* while attached, connected and not parked */
	GIOCondition events; /* it waits for */
	GSource *timer;      /* the kind's own */
	bool attached, want_read, want_write;
	bool eof;    /* no more input will come */
	bool hung;   /* takes no output any more, but may have input left */
	bool warned; /* of an output error; one message is enough */
	struct chr_fifo backlog;
};

void chr_stream_init(struct chr_stream *s, const struct chr_ops *ops);
void chr_stream_free(struct chr_stream *s); /* everything but the struct */

/* Somebody is at the other end of s->fd. On the loop, while attached. */
void chr_stream_arrived(struct chr_stream *s);

/* Calls fn(s) every @ms milliseconds while it returns TRUE, in place of an earlier timer. */
void chr_stream_timer(struct chr_stream *s, unsigned ms, GSourceFunc fn);

size_t chr_stream_read(struct chr *chr, void *buf, size_t len);
size_t chr_stream_write(struct chr *chr, const void *buf, size_t len);
void chr_stream_want(struct chr *chr, bool readable, bool writable);
void chr_stream_attach(struct chr *chr);
void chr_stream_detach(struct chr *chr);

/* The kinds: @arg is what follows the colon, or NULL. */
struct chr *chr_file_open(const char *arg, bool append, const char *context, GError **err);
struct chr *chr_pty_open(const char *arg, const char *context, GError **err);
struct chr *chr_unix_open(const char *arg, const char *context, GError **err);
