/* The link over virtio-mmio, as a driver does it (VIRTIO 1.4, 4.2.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/rig-impl.h"

#define BASE RIG_MMIO_BASE
#define GSI  RIG_MMIO_GSI

static uint32_t get(struct rig *r, unsigned off)
{
	return (uint32_t)board_fake_read(r->board, false, BASE + off, 4);
}

static void put(struct rig *r, unsigned off, uint32_t value)
{
	board_fake_write(r->board, false, BASE + off, 4, value);
}

static void link_open(struct rig *r)
{
	bool cached = r->link->variant == RIG_MMIO_CACHED;

	r->board = board_fake_new(true); /* which is there whether it is used or not */
	r->transport = rig_attach(r, "mmio", cached ? "cached-registers=on" : "", NULL);
	assert_int_equal(get(r, 0x000), 0x74726976);
	assert_int_equal(get(r, 0x004), 2);
	assert_int_equal(get(r, 0x008), r->dev->class->id);
}

static void link_close(struct rig *r)
{
	rig_detach(r);
}

static void *transport(struct rig *r)
{
	return r->transport;
}

static uint32_t offered(struct rig *r, uint32_t select)
{
	put(r, 0x014, select);
	return get(r, 0x010);
}

static void accept_bits(struct rig *r, uint32_t select, uint32_t bits)
{
	put(r, 0x024, select);
	put(r, 0x020, bits);
}

static uint32_t status(struct rig *r)
{
	return get(r, 0x070);
}

static void set_status(struct rig *r, uint32_t value)
{
	put(r, 0x070, value);
}

static void config_read(struct rig *r, size_t off, void *dst, size_t len)
{
	uint64_t value =
		GUINT64_TO_LE(board_fake_read(r->board, false, BASE + 0x100 + off, (unsigned)len));

	memcpy(dst, &value, len);
}

static void config_write(struct rig *r, size_t off, const void *src, size_t len)
{
	uint64_t value = 0;

	memcpy(&value, src, len);
	board_fake_write(r->board, false, BASE + 0x100 + off, (unsigned)len,
			 GUINT64_FROM_LE(value));
}

static uint32_t generation(struct rig *r)
{
	return get(r, 0x0fc);
}

static unsigned queue_max(struct rig *r, unsigned q)
{
	put(r, 0x030, q);
	return get(r, 0x034);
}

static void put64(struct rig *r, unsigned off, uint64_t value)
{
	put(r, off, (uint32_t)value);
	put(r, off + 4, (uint32_t)(value >> 32));
}

static void queue_set(struct rig *r, unsigned q, const struct rig_ring *ring)
{
	put(r, 0x030, q);
	assert_int_equal(get(r, 0x044), 0);
	put(r, 0x038, ring->size);
	put64(r, 0x080, ring->desc);
	put64(r, 0x090, ring->driver);
	put64(r, 0x0a0, ring->device);
	put(r, 0x044, 1);
}

static bool queue_enabled(struct rig *r, unsigned q)
{
	put(r, 0x030, q);
	return get(r, 0x044);
}

static void queue_reset(struct rig *r, unsigned q)
{
	put(r, 0x030, q);
	put(r, 0x0c0, 1);
	assert_int_equal(get(r, 0x0c0), 0);
}

static void kick(struct rig *r, unsigned q)
{
	unsigned len;

	put(r, 0x050, rig_kick_value(r, q, &len));
}

static void interrupts(struct rig *r)
{
	uint32_t cause;

	if (board_fake_take_edges(r->board, GSI) == 0)
		return;
	cause = get(r, 0x060);
	put(r, 0x064, cause); /* before handling, as drivers do */
	if (cause & 2)
		rig_config_interrupted(r);
	for (unsigned q = 0; cause & 1 && q < VDEV_QUEUES_MAX; q++)
		if (r->queue[q].vq)
			rig_interrupted(r, q);
}

const struct rig_link_ops rig_mmio_ops = {
	.open = link_open,
	.close = link_close,
	.transport = transport,
	.offered = offered,
	.accept = accept_bits,
	.status = status,
	.set_status = set_status,
	.config_read = config_read,
	.config_write = config_write,
	.generation = generation,
	.queue_max = queue_max,
	.queue_set = queue_set,
	.queue_enabled = queue_enabled,
	.queue_reset = queue_reset,
	.kick = kick,
	.interrupts = interrupts,
};
