/*
 * Attacks on the operator's terminal, by what the monitor repeats of a guest in lines of its own.
 */
#include "guest-fw/hostile.h"

#define SERIAL_PORT 0x3f8

static void hostile_text_put(const char *bytes, size_t n)
{
	fw_out(SERIAL_PORT, bytes, n);
}

/* A panic whose reason is all that a terminal might take for a command: DEL, the C1 characters as
 * bytes and in UTF-8, what turns text around. */
static const char *panic_controls(struct virtio *v)
{
	static const char title[] = "\x1b]0;owned\a", turned[] = "\xe2\x80\xae\xff";

	(void)v;
	say("Kernel panic - not syncing: reason ");
	hostile_text_put(title, sizeof(title) - 1);
	for (unsigned c = 0x7f; c <= 0x9f; c++) {
		char wide[] = { '\xc2', (char)c };

		hostile_text_put(&wide[1], 1);
		if (c >= 0x80)
			hostile_text_put(wide, sizeof(wide));
	}
	hostile_text_put(turned, sizeof(turned) - 1);
	say(" end\n");
	machine_reset();
}

const struct attack text_attacks[] = {
	{ "panic-controls", .run = panic_controls },
	{ NULL },
};
