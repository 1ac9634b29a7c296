#include "vmm/x86/pvpanic.h"

#include "vmm/x86/layout.h"

enum { PANICKED = 0x1, CRASH_LOADED = 0x2 };

static uint64_t port_read(void *opaque, uint64_t off, unsigned len)
{
	(void)opaque;
	(void)off;
	(void)len;
	return PANICKED | CRASH_LOADED;
}

static void port_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct pvpanic *p = opaque;

	(void)off;
	(void)len;
	if (value & PANICKED)
		p->ops->panicked(p->opaque);
	else if (value & CRASH_LOADED)
		p->ops->crash_loaded(p->opaque);
}

void pvpanic_init(struct pvpanic *p, const struct pvpanic_ops *ops, void *opaque)
{
	p->ops = ops;
	p->opaque = opaque;
	p->region = (struct board_region){
		.base = LAYOUT_PVPANIC_PORT,
		.size = 1,
		.io = true,
		.read = port_read,
		.write = port_write,
		.opaque = p,
	};
}
