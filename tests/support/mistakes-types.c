/*
 * Mistakes in requests to devices of a type.
 */
#include "tests/support/mistakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/blk/wire.h"
#include "devices/console/console-impl.h"
#include "devices/input/input.h"
#include "devices/net/net.h"
#include "tests/support/blk-driver.h"
#include "tests/support/check-case.h"
#include "tests/support/rig-impl.h"

/* A disk of 1 MiB. */
static void disk(struct rig *r, uint32_t type, uint64_t sector, uint32_t out, uint32_t in)
{
	rig_start(r, RIG_ALL);
	rig_wait(r, bd_submit(r, type, sector, out, in));
}

/* A network card's frame of 60 bytes, to 52:54:..., behind @len bytes of @header. */
static struct rig_req *send_frame(struct rig *r, struct net_header header, uint32_t len)
{
	static const uint8_t frame[60] = { 0x52, 0x54, 0, 1, 2, 3, 0x52, 0x54, 0, 4, 5, 6, 8, 6 };
	struct rig_buf bufs[] = { rig_dup(r, &header, len), rig_dup(r, frame, sizeof(frame)) };

	return rig_submit(r, 1, bufs, 2, 0);
}

static struct rig_req *command(struct rig *r, uint8_t class, uint8_t what, const void *data,
			       uint32_t len)
{
	uint8_t head[] = { class, what };
	struct rig_buf bufs[] = { rig_dup(r, head, 2), rig_dup(r, data, len), rig_alloc(r, 1) };

	return rig_submit(r, rig_has(r, NET_F_MQ) ? rig_n_queues(r) - 1 : 2, bufs, 2, 1);
}

static void console_control(struct rig *r, uint16_t event, uint16_t value)
{
	struct {
		le32 id;
		le16 event, value;
	} m = { 0, cpu_le16(event), cpu_le16(value) };
	struct rig_buf b = rig_dup(r, &m, sizeof(m));

	rig_do(r, CONSOLE_CONTROL_TX, &b, 1, 0);
}

/* Until the driver is told that port 0 is a console. */
static void console_begin(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 64);

	rig_start(r, RIG_ALL);
	console_control(r, CONSOLE_DEVICE_READY, 1);
	rig_do(r, CONSOLE_CONTROL_RX, &b, 0, 1);
	console_control(r, CONSOLE_PORT_READY, 1);
	rig_do(r, CONSOLE_CONTROL_RX, &b, 0, 1);
	assert_int_equal(((uint8_t *)b.p)[4], CONSOLE_CONSOLE_PORT);
}

/*
 * Without a mistake.
 */

static void disk_life(struct rig *r)
{
	disk(r, BLK_T_IN, 0, 0, 4096);
	rig_wait(r, bd_submit(r, BLK_T_OUT, 8, 512, 0));
	rig_wait(r, bd_submit(r, BLK_T_FLUSH, 0, 0, 0));
	rig_wait(r, bd_submit(r, BLK_T_GET_ID, 0, 0, BLK_ID_BYTES));
	assert_int_equal(virtio_config_read64(&r->driver, 0), 2048);
}

static void net_life(struct rig *r)
{
	rig_start(r, RIG_ALL);
	rig_wait(r, command(r, 0, 0, "\1", 1));
	rig_wait(r, send_frame(r, (struct net_header){ 0 }, sizeof(struct net_header)));
}

static void console_life(struct rig *r)
{
	console_begin(r);
	console_control(r, CONSOLE_PORT_OPEN, 1);
	check_pass(r, 100);
}

static void rng_life(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 64);

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 200; i++)
		rig_do(r, 0, &b, 0, 1);
}

/*
 * Features, shapes, directions.
 */

static void sets_the_receive_mode(struct rig *r)
{
	rig_start(r, life_without(NET_F_CTRL_RX, NET_F_CTRL_RX_EXTRA));
	rig_wait(r, command(r, 0, 0, "\1", 1));
}

static void sets_coalescing_of_a_queue(struct rig *r)
{
	rig_start(r, RIG_ALL);
	rig_wait(r, command(r, 6, 2, "\0\0\0\0\1\0\0\0\0\0\0\0", 12));
}

static void has_more_segments_than_seg_max(struct rig *r)
{
	rig_start(r, RIG_ALL);
	bd_write_in_parts(r, 3);
}

static void reads_into_readable_buffers(struct rig *r)
{
	disk(r, BLK_T_IN, 0, 512, 0);
}

static void cut_behind_the_head(struct drv_vq *vq, uint16_t head)
{
	vq->split.desc[head].flags = 0;
}

static void forgets_next(struct rig *r)
{
	rig_start(r, life_direct());
	plant_chains(r, 0, cut_behind_the_head);
	rig_wait(r, bd_submit(r, BLK_T_FLUSH, 0, 0, 0));
}

static void commands_in_its_probe(struct rig *r)
{
	life_negotiate(r, RIG_ALL);
	life_start_queues(r);
	command(r, 4, 0, "\1\0", 2);
	rig_driver_ok(r);
	rig_wait_idle(r);
}

static void reads_mtu(struct rig *r)
{
	rig_start(r, RIG_ALL);
	(void)rig_config16(r, offsetof(struct net_config, mtu));
}

/*
 * 22: a network card's header and buffers.
 */

static void sends_a_header_of_10_bytes(struct rig *r)
{
	rig_start(r, RIG_ALL);
	rig_wait(r, send_frame(r, (struct net_header){ 0 }, 10));
}

static void receives_large_packets_into_small_buffers(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 2048);

	vfeatures_set(&rig_dev(r)->offered, NET_F_GUEST_CSUM, true);
	vfeatures_set(&rig_dev(r)->offered, NET_F_GUEST_TSO4, true);
	rig_start(r, rig_all_but(NET_F_MRG_RXBUF));
	for (unsigned i = 0; i < 10; i++)
		rig_do(r, 0, &b, 0, 1);
}

/* One header for both directions, in which the device leaves what it says of a received frame. */
static void sends_a_header_that_was_received(struct rig *r)
{
	vfeatures_set(&rig_dev(r)->offered, NET_F_CSUM, true);
	rig_start(r, RIG_ALL);
	rig_wait(r, send_frame(r, (struct net_header){ .flags = NET_HDR_F_DATA_VALID },
			       sizeof(struct net_header)));
}

/*
 * 24: device types.
 */

static void reads_beyond_the_disk(struct rig *r)
{
	disk(r, BLK_T_IN, 2047, 0, 1024);
}

static void flushes_a_sector(struct rig *r)
{
	disk(r, BLK_T_FLUSH, 8, 0, 0);
}

static void asks_for_a_long_id(struct rig *r)
{
	disk(r, BLK_T_GET_ID, 0, 0, 512);
}

static void does_not_open_the_console(struct rig *r)
{
	console_begin(r);
	RIG_UNTIL(r, check_told());
}

static void selects_half(struct rig *r)
{
	rig_start(r, RIG_NONE);
	rig_config_write(r, 0, "\1", 1);
	(void)rig_config8(r, 2);
}

static void offers_readable_buffers_for_entropy(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 64);

	rig_start(r, RIG_ALL);
	rig_do(r, 0, &b, 1, 0);
}

static const struct mistake rows[] = {
	{ 0, "makes no mistake", NONE, DISK, ALL, .run = disk_life },
	{ 0, "makes no mistake", NONE, NET, ALL, .run = net_life },
	{ 0, "makes no mistake", NONE, CONSOLE, ALL, .run = console_life },
	{ 0, "makes no mistake", NONE, "rng", ALL " legacy-pci legacy-mmio", .run = rng_life },
	{ 1, "sends a control command in its probe", RULE_NOTIFY_EARLY, NET ",queue-pairs=2", ALL,
	  .run = commands_in_its_probe },
	{ 8, "sets the receive mode without CTRL_RX", CHECK_NET_RX_MODE, NET, ALL,
	  .run = sets_the_receive_mode },
	{ 8, "sets a queue's coalescing without VQ_NOTF_COAL", CHECK_NET_QUEUE_COALESCING, NET, ALL,
	  .run = sets_coalescing_of_a_queue },
	{ 12, "ignores seg_max", CHECK_BLK_SEGMENTS, DISK ",seg-max=2", ALL,
	  .run = has_more_segments_than_seg_max },
	{ 12, "ignores size_max", NONE, .why = "our disks have no such limit" },
	{ 13, "reads a disk into readable buffers", CHECK_BLK_DIRECTION, DISK, ALL,
	  .run = reads_into_readable_buffers },
	{ 14, "forgets NEXT between header and the rest", CHECK_BLK_REQUEST, DISK, BOTH,
	  .run = forgets_next },
	{ 21, "reads a field whose feature is not there", CHECK_CONFIG_FEATURE, NET, BOTH,
	  .run = reads_mtu },
	{ 22, "sends the header of 10 bytes of before virtio 1", CHECK_NET_HEADER, NET, ALL,
	  .run = sends_a_header_of_10_bytes },
	{ 22, "has small receive buffers for large packets", CHECK_NET_RX_GSO,
	  NET ",generate=60,queue-size=8", ALL, .run = receives_large_packets_into_small_buffers },
	{ 22, "sends a header that the device wrote", CHECK_NET_RX_FLAGS, NET, ALL,
	  .run = sends_a_header_that_was_received },
	{ 24, "reads beyond the disk", CHECK_BLK_CAPACITY, DISK, ALL,
	  .run = reads_beyond_the_disk },
	{ 24, "flushes a sector", CHECK_BLK_FLUSH_SECTOR, DISK, ALL, .run = flushes_a_sector },
	{ 24, "asks for an identity of 512 bytes", CHECK_BLK_ID_LENGTH, DISK, ALL,
	  .run = asks_for_a_long_id },
	{ 24, "does not answer CONSOLE_PORT", CHECK_CONSOLE_UNANSWERED, CONSOLE, ALL,
	  .run = does_not_open_the_console },
	{ 24, "writes select and not subsel", CHECK_INPUT_SUBSEL, "input,type=keyboard", BOTH,
	  .run = selects_half },
	{ 24, "offers readable buffers for entropy", CHECK_RNG_WRITABLE, "rng", ALL,
	  .run = offers_readable_buffers_for_entropy },
};

const struct mistakes mistakes_of_types = { rows, G_N_ELEMENTS(rows) };
