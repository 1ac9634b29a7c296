#include "vmm/x86/debug-exit.h"

static uint64_t debug_exit_read(void *opaque, uint64_t off, unsigned len)
{
	(void)opaque;
	(void)off;
	(void)len;
	return 0;
}

static void debug_exit_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct debug_exit *d = opaque;

	(void)off;
	(void)len;
	d->written(d->opaque, (uint32_t)value);
}

void debug_exit_init(struct debug_exit *d, uint16_t port,
		     void (*written)(void *opaque, uint32_t value), void *opaque)
{
	d->written = written;
	d->opaque = opaque;
	d->region = (struct board_region){
		.base = port,
		.size = DEBUG_EXIT_PORTS,
		.io = true,
		.read = debug_exit_read,
		.write = debug_exit_write,
		.opaque = d,
	};
}
