/* The link over virtio-mmio, with an exact InterruptStatus or with cached registers; and over
 * version 1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/rig-impl.h"

static void link_open(struct rig *r)
{
	bool cached = r->link->variant == RIG_MMIO_CACHED;

	r->board = board_fake_new(true); /* which is there whether it is used or not */
	r->transport = rig_attach(r, "mmio", cached ? "cached-registers=on" : "", NULL);
	r->io = rig_io(r);
	if (r->link->variant == RIG_MMIO_LEGACY)
		assert_true(virtio_mmio_legacy_probe(&r->driver, &r->io, RIG_MMIO_BASE));
	else
		assert_true(virtio_mmio_probe(&r->driver, &r->io, RIG_MMIO_BASE));
}

static void link_close(struct rig *r)
{
	rig_detach(r);
}

static void *transport(struct rig *r)
{
	return r->transport;
}

static void interrupts(struct rig *r)
{
	if (board_fake_take_edges(r->board, RIG_MMIO_GSI))
		rig_interrupted_by(r, virtio_interrupt(&r->driver));
}

const struct rig_link_ops rig_mmio_ops = {
	.open = link_open,
	.close = link_close,
	.transport = transport,
	.interrupts = interrupts,
};
