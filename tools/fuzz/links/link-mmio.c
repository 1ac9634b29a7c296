/* virtio-mmio, with the exact InterruptStatus and with cached registers. */
#include "tools/fuzz/fixture/fixture.h"
#include "tools/fuzz/language/trace.h"
#include "transport/mmio/mmio.h"

#define BASE 0xd0000000u
#define GSI  5u

static uint32_t get(struct fixture *fx, unsigned off)
{
	return (uint32_t)fuzz_board_read(fx->board, false, BASE + off, 4);
}

static void put(struct fixture *fx, unsigned off, uint32_t value)
{
	fuzz_board_write(fx->board, false, BASE + off, 4, value);
}

static void link_open(struct fixture *fx)
{
	struct mmio_config config = { .base = BASE,
				      .gsi = GSI,
				      .cached_registers = fx->link->variant };
	GError *err = NULL;

	fx->board = fuzz_board_new(true);
	fx->transport = mmio_new(fx->dev, fuzz_board_board(fx->board), &config, &err);
	if (!fx->transport)
		fuzz_bug("mmio: %s", err->message);
}

static void link_close(struct fixture *fx)
{
	mmio_free(fx->transport);
}

static void machine_reset(struct fixture *fx)
{
	mmio_reset(fx->transport);
}

static void ready(struct fixture *fx)
{
	(void)fx;
}

static void reset_selectors(struct fixture *fx)
{
	put(fx, 0x014, 0);
	put(fx, 0x024, 0);
	put(fx, 0x030, 0);
}

static uint32_t offered(struct fixture *fx, unsigned select)
{
	put(fx, 0x014, select);
	return get(fx, 0x010);
}

static void accept_bits(struct fixture *fx, unsigned select, uint32_t bits)
{
	put(fx, 0x024, select);
	put(fx, 0x020, bits);
}

static uint32_t status(struct fixture *fx)
{
	return get(fx, 0x070);
}

static void set_status(struct fixture *fx, uint32_t value)
{
	put(fx, 0x070, value);
}

static unsigned queue_max(struct fixture *fx, unsigned q)
{
	put(fx, 0x030, q);
	return get(fx, 0x034);
}

static void put64(struct fixture *fx, unsigned off, uint64_t value)
{
	put(fx, off, (uint32_t)value);
	put(fx, off + 4, (uint32_t)(value >> 32));
}

static void queue_set(struct fixture *fx, unsigned q, const struct link_ring *ring)
{
	put(fx, 0x030, q);
	put(fx, 0x038, ring->size);
	put64(fx, 0x080, ring->desc);
	put64(fx, 0x090, ring->driver);
	put64(fx, 0x0a0, ring->device);
	put(fx, 0x044, 1);
}

static void queue_reset(struct fixture *fx, unsigned q)
{
	put(fx, 0x030, q);
	put(fx, 0x0c0, 1);
}

static void kick(struct fixture *fx, unsigned q, uint32_t value)
{
	(void)q;
	put(fx, 0x050, value);
}

static uint64_t read_area(struct fixture *fx, enum link_area area, uint32_t off, unsigned len)
{
	if (area == LINK_CONFIG)
		off += 0x100;
	return area <= LINK_CONFIG ? fuzz_board_read(fx->board, false, BASE + off, len) : 0;
}

static void write_area(struct fixture *fx, enum link_area area, uint32_t off, unsigned len,
		       uint64_t value)
{
	if (area == LINK_CONFIG)
		off += 0x100;
	if (area <= LINK_CONFIG)
		fuzz_board_write(fx->board, false, BASE + off, len, value);
}

static unsigned interrupts(struct fixture *fx)
{
	unsigned n = fuzz_board_interrupts(fx->board);
	uint32_t cause;

	if (!n)
		return 0;
	cause = get(fx, 0x060);
	put(fx, 0x064, cause);
	trace("driver: InterruptStatus was %#x", cause);
	return n;
}

#define OPS                                                                                     \
	.open = link_open, .close = link_close, .machine_reset = machine_reset, .ready = ready, \
	.reset_selectors = reset_selectors, .offered = offered, .accept = accept_bits,          \
	.status = status, .set_status = set_status, .queue_max = queue_max,                     \
	.queue_set = queue_set, .queue_reset = queue_reset, .kick = kick, .read = read_area,    \
	.write = write_area, .interrupts = interrupts

const struct link_ops link_mmio = { .name = "mmio", .variant = false, OPS };
const struct link_ops link_mmio_cached = { .name = "mmio-cached", .variant = true, OPS };
