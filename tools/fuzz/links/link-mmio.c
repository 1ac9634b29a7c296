/* virtio-mmio, with the exact InterruptStatus and with cached registers. */
#include "tools/fuzz/fixture/world.h"
#include "tools/fuzz/language/story.h"
#include "transport/mmio/mmio.h"

#define BASE 0xd0000000u
#define GSI  5u

static uint32_t get(struct world *w, unsigned off)
{
	return (uint32_t)fuzz_board_read(w->board, false, BASE + off, 4);
}

static void put(struct world *w, unsigned off, uint32_t value)
{
	fuzz_board_write(w->board, false, BASE + off, 4, value);
}

static void link_open(struct world *w)
{
	struct mmio_config config = { .base = BASE,
				      .gsi = GSI,
				      .cached_registers = w->link->variant };
	GError *err = NULL;

	w->board = fuzz_board_new(true);
	w->transport = mmio_new(w->dev, fuzz_board_board(w->board), &config, &err);
	if (!w->transport)
		fuzz_bug("mmio: %s", err->message);
}

static void link_close(struct world *w)
{
	mmio_free(w->transport);
}

static void machine_reset(struct world *w)
{
	mmio_reset(w->transport);
}

static void ready(struct world *w)
{
	(void)w;
}

static void settle(struct world *w)
{
	put(w, 0x014, 0);
	put(w, 0x024, 0);
	put(w, 0x030, 0);
}

static uint32_t offered(struct world *w, unsigned select)
{
	put(w, 0x014, select);
	return get(w, 0x010);
}

static void accept_bits(struct world *w, unsigned select, uint32_t bits)
{
	put(w, 0x024, select);
	put(w, 0x020, bits);
}

static uint32_t status(struct world *w)
{
	return get(w, 0x070);
}

static void set_status(struct world *w, uint32_t value)
{
	put(w, 0x070, value);
}

static unsigned queue_max(struct world *w, unsigned q)
{
	put(w, 0x030, q);
	return get(w, 0x034);
}

static void put64(struct world *w, unsigned off, uint64_t value)
{
	put(w, off, (uint32_t)value);
	put(w, off + 4, (uint32_t)(value >> 32));
}

static void queue_set(struct world *w, unsigned q, const struct link_ring *ring)
{
	put(w, 0x030, q);
	put(w, 0x038, ring->size);
	put64(w, 0x080, ring->desc);
	put64(w, 0x090, ring->driver);
	put64(w, 0x0a0, ring->device);
	put(w, 0x044, 1);
}

static void queue_reset(struct world *w, unsigned q)
{
	put(w, 0x030, q);
	put(w, 0x0c0, 1);
}

static void kick(struct world *w, unsigned q, uint32_t value)
{
	(void)q;
	put(w, 0x050, value);
}

static uint64_t read_area(struct world *w, enum link_area area, uint32_t off, unsigned len)
{
	if (area == LINK_CONFIG)
		off += 0x100;
	return area <= LINK_CONFIG ? fuzz_board_read(w->board, false, BASE + off, len) : 0;
}

static void write_area(struct world *w, enum link_area area, uint32_t off, unsigned len,
		       uint64_t value)
{
	if (area == LINK_CONFIG)
		off += 0x100;
	if (area <= LINK_CONFIG)
		fuzz_board_write(w->board, false, BASE + off, len, value);
}

static unsigned interrupts(struct world *w)
{
	unsigned n = fuzz_board_interrupts(w->board);
	uint32_t cause;

	if (!n)
		return 0;
	cause = get(w, 0x060);
	put(w, 0x064, cause);
	story("driver: InterruptStatus was %#x", cause);
	return n;
}

#define OPS                                                                                     \
	.open = link_open, .close = link_close, .machine_reset = machine_reset, .ready = ready, \
	.settle = settle, .offered = offered, .accept = accept_bits, .status = status,          \
	.set_status = set_status, .queue_max = queue_max, .queue_set = queue_set,               \
	.queue_reset = queue_reset, .kick = kick, .read = read_area, .write = write_area,       \
	.interrupts = interrupts

const struct link_ops link_mmio = { .name = "mmio", .variant = false, OPS };
const struct link_ops link_mmio_cached = { .name = "mmio-cached", .variant = true, OPS };
