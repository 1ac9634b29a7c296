/*
 * Whether a Linux guest has panicked, told from what it prints on a console.
 *
 * A kernel whose driver for the panic device (vmm/x86/pvpanic.h) is loaded says so there; a stock
 * kernel loads it late or never. It prints "Kernel panic - not syncing: REASON", then either asks
 * for a reset (panic=SECONDS), or prints "---[ end Kernel panic" and stands there for ever. So a
 * reset soon after the first line is a panic, unless the kernel said that it was asked to reboot;
 * and silence after the second line may be one: it may as well be an old log that somebody looks
 * at. vmm/machine/panic-look.h decides.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct panic_watch {
	char line[256]; /* the line so far; what is longer is cut */
	size_t n;
	char reason[200]; /* after the colon; empty: none seen */
	size_t since;     /* bytes printed after the line with the reason */
	bool ended;       /* the second line was the last thing printed */
};

void panic_watch_reset(struct panic_watch *w);

/* The guest printed this. */
void panic_watch_feed(struct panic_watch *w, const uint8_t *data, size_t len);

/* Why a reset at this moment is a panic, or NULL if it is none. */
const char *panic_watch_reason(const struct panic_watch *w);
