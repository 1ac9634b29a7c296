/* virtio-mmio, with the exact InterruptStatus and with cached registers. */
#include "tools/fuzz/fixture/fixture.h"
#include "tools/fuzz/language/trace.h"
#include "transport/mmio/mmio.h"
#include "transport/mmio/regs.h"

#define BASE 0xd0000000u
#define GSI  5u

static void link_mmio_put(struct fixture *fx, unsigned off, uint32_t value)
{
	board_fake_write(fx->board, false, BASE + off, 4, value);
}

static void link_mmio_open(struct fixture *fx)
{
	struct mmio_config config = { .base = BASE,
				      .gsi = GSI,
				      .cached_registers = fx->link->variant };
	GError *err = NULL;

	fx->board = fuzz_board_new(true);
	fx->transport = mmio_new(fx->dev, board_fake_board(fx->board), &config, &err);
	if (!fx->transport)
		fuzz_bug("mmio: %s", err->message);
	if (!virtio_mmio_probe(&fx->driver, &fx->io, BASE))
		fuzz_bug("mmio: there is no device");
}

static void link_mmio_close(struct fixture *fx)
{
	mmio_free(fx->transport);
}

static void link_mmio_machine_reset(struct fixture *fx)
{
	mmio_reset(fx->transport);
}

static void link_mmio_reset_selectors(struct fixture *fx)
{
	link_mmio_put(fx, R_DEVICE_FEATURES_SEL, 0);
	link_mmio_put(fx, R_DRIVER_FEATURES_SEL, 0);
	link_mmio_put(fx, R_QUEUE_SEL, 0);
}

static uint64_t link_mmio_read_area(struct fixture *fx, enum link_area area, uint32_t off,
				    unsigned len)
{
	if (area == LINK_CONFIG)
		off += R_CONFIG;
	return area <= LINK_CONFIG ? board_fake_read(fx->board, false, BASE + off, len) : 0;
}

static void link_mmio_write_area(struct fixture *fx, enum link_area area, uint32_t off,
				 unsigned len, uint64_t value)
{
	if (area == LINK_CONFIG)
		off += R_CONFIG;
	if (area <= LINK_CONFIG)
		board_fake_write(fx->board, false, BASE + off, len, value);
}

static unsigned link_mmio_interrupts(struct fixture *fx)
{
	unsigned n = board_fake_interrupts(fx->board), causes;

	if (!n)
		return 0;
	causes = virtio_interrupt(&fx->driver);
	trace("driver: InterruptStatus was %#x", causes);
	return n;
}

#define OPS                                                                                     \
	.open = link_mmio_open, .close = link_mmio_close,                                       \
	.machine_reset = link_mmio_machine_reset, .reset_selectors = link_mmio_reset_selectors, \
	.read = link_mmio_read_area, .write = link_mmio_write_area,                             \
	.interrupts = link_mmio_interrupts

const struct link_ops link_mmio = { .name = "mmio", .variant = false, OPS };
const struct link_ops link_mmio_cached = { .name = "mmio-cached", .variant = true, OPS };
