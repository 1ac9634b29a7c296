/*
 * The debug exit device of QEMU's (isa-debug-exit): whoever writes to its four I/O ports
 * ends the run, and what was written becomes the process's exit status. For kernels whose tests run
 * in a machine.
 *
 * May be called from any thread; so is the callback, on the one that wrote.
 */
#pragma once

#include "transport/board.h"

#define DEBUG_EXIT_PORTS 4u

struct debug_exit {
	void (*written)(void *opaque, uint32_t value);
	void *opaque;
	struct board_region region; /* for the board; its opaque is this struct */
};

/* At I/O port @port and the three behind it. */
void debug_exit_init(struct debug_exit *d, uint16_t port,
		     void (*written)(void *opaque, uint32_t value), void *opaque);
