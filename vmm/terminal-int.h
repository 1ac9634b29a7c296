/* What terminal.c (keys, mode) and terminal-stream.c (the streams) share. */
#pragma once

#include <pthread.h>

#include "vmm/terminal.h"

#define TERMINAL_INPUT_MAX 4096u

struct terminal_stream {
	struct chr chr;
	struct terminal *t;
	GSource *readable, *writable; /* on chr.loop while attached */
};

struct terminal {
	struct loop *main;
	struct terminal_mode *mode;
	void (*leave)(void *opaque);
	void *opaque;

	bool tty; /* of standard input */
	bool escaped;
	GSource *watch; /* of standard input, on main */

	pthread_mutex_t lock; /* of the buffer */
	uint8_t input[TERMINAL_INPUT_MAX];
	size_t n_input;
	bool full;    /* standard input is not read until there is room */
	int input_fd; /* eventfd: the buffer is not empty */

	int out;
	bool out_owned;           /* out was opened here, non-blocking */
	bool out_is_file;         /* writes never wait */
	bool out_broken;          /* and was told */
	pthread_mutex_t out_lock; /* two streams write */
	struct terminal_stream io, output;
};

/* terminal-stream.c: the two streams and their output, ready for chr_attach(). */
void terminal_streams_init(struct terminal *t);
void terminal_streams_clear(struct terminal *t);

/* terminal.c: raises or lowers the eventfd, with the lock held. */
void terminal_set_event(struct terminal *t, bool on);
