/*
 * The operator's terminal: standard input and output as a stream of bytes that one part of the
 * machine may take (devices/backend/chr/chr.h), and the keys that are ours.
 *
 * When standard input is a terminal it is put into raw mode, so that all keys, Ctrl-C too, reach
 * the guest; Ctrl-A x quits, Ctrl-A i shows the processors' registers, Ctrl-A b sends a
 * break to the serial port, Ctrl-A h shows help, Ctrl-A Ctrl-A sends one Ctrl-A. What was read
 * before anybody could take it waits: up to 1 MiB, and whoever pastes more waits, too, unless the
 * guest takes nothing for a second. A standard input that is no terminal is read as it is, no
 * faster than it is taken, and nothing is changed about it.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "devices/backend/chr/chr.h"
#include "devices/base/loop.h"

/* How the terminal was found. It lives outside struct terminal because whatever ends the process,
 * deadly signals too, must be able to put it back: see main.c. */
struct terminal_mode {
	struct termios found;
	volatile sig_atomic_t raw; /* it differs from that now */
};

/* Puts standard input's mode back if it was changed. Safe in a signal handler. */
void terminal_restore(struct terminal_mode *mode);

struct terminal;

/* What keys of ours ask for; on @main. */
struct terminal_ops {
	void (*leave)(void *opaque);      /* Ctrl-A x */
	void (*info)(void *opaque);       /* Ctrl-A i */
	void (*send_break)(void *opaque); /* Ctrl-A b */
};

/* @mode and @ops outlive it. */
struct terminal *terminal_new(struct loop *main, struct terminal_mode *mode,
			      const struct terminal_ops *ops, void *opaque);
void terminal_free(struct terminal *t); /* restores; NULL is fine */

/* Raw mode and reading begin: when the guest does, and after the process was stopped and went
 * on. */
void terminal_start(struct terminal *t);

/* Lines of ours, each ended by a line feed, on standard output; as much as it takes at once. */
void terminal_say(struct terminal *t, const char *text);

/* SIGWINCH came. */
void terminal_resized(struct terminal *t);

/* The stream to give to chr_open("stdio"). */
struct chr *terminal_chr(struct terminal *t);

/* A second stream that only writes to standard output: for the serial port while a console has the
 * terminal. */
struct chr *terminal_output(struct terminal *t);

/* A third, which only writes, too: for the debug console, whoever else has the terminal. */
struct chr *terminal_debug(struct terminal *t);

/* What a key means, after *escaped said whether the one before it was Ctrl-A. */
enum terminal_key {
	TERMINAL_KEY_DATA,
	TERMINAL_KEY_NONE,
	TERMINAL_KEY_LEAVE,
	TERMINAL_KEY_INFO,
	TERMINAL_KEY_BREAK,
	TERMINAL_KEY_HELP,
};
enum terminal_key terminal_key(bool *escaped, unsigned char byte);
