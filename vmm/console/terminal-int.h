/* What terminal.c (keys, mode) and terminal-stream.c (the streams) share. */
#pragma once

#include <pthread.h>

#include "devices/backend/chr/fifo.h"
#include "vmm/console/terminal.h"

struct terminal_stream {
	struct chr chr;
	struct terminal *t;
	GSource *readable, *writable; /* on chr.loop while attached */
};

struct terminal {
	struct loop *main;
	struct terminal_mode *mode;
	const struct terminal_ops *ops;
	void *opaque;

	bool tty; /* of standard input */
	bool escaped;
	GSource *watch; /* of standard input, on main */
	GSource *stall; /* a timer, while a terminal is not read for want of room */
	bool drop;      /* it is read all the same: for Ctrl-A, the rest is lost */

	pthread_mutex_t lock; /* of the following */
	struct chr_fifo input;
	bool full;    /* standard input is not read until there is room */
	bool taken;   /* some of it, since the timer was here last */
	int input_fd; /* eventfd: the buffer is not empty */

	int out;
	bool out_owned;           /* out was opened here, non-blocking */
	bool out_is_file;         /* writes never wait */
	bool out_broken;          /* and was told */
	pthread_mutex_t out_lock; /* two streams write */
	struct terminal_stream io, output, debug;
};

/* terminal-stream.c: the two streams and their output, ready for chr_attach(). */
void terminal_streams_init(struct terminal *t);
void terminal_streams_clear(struct terminal *t);

/* terminal.c: raises or lowers the eventfd, with the lock held. */
void terminal_set_event(struct terminal *t, bool on);

/* terminal.c: the buffer was full and has room. On main. */
void terminal_has_room(void *terminal);
