/* The checker's rules of device types: each is broken by a driver here, told by its name, and
 * nothing else is. */
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
#include "transport/mmio/regs.h"

/*
 * Disks: of 1 MiB.
 */
#define SECTORS (1u << 11)

static void request(struct rig *r, uint32_t type, uint64_t sector, uint32_t out, uint32_t in)
{
	rig_start(r, RIG_ALL);
	rig_wait(r, bd_submit(r, type, sector, out, in));
}

static void beyond_capacity(struct rig *r)
{
	request(r, BLK_T_IN, SECTORS - 1, 0, 1024);
}

static void far_beyond_capacity(struct rig *r)
{
	request(r, BLK_T_OUT, UINT64_MAX, 512, 0);
}

static void flush_of_a_sector(struct rig *r)
{
	request(r, BLK_T_FLUSH, 8, 0, 0);
}

static void flush_with_data(struct rig *r)
{
	request(r, BLK_T_FLUSH, 0, 512, 0);
}

static void a_read_of_500_bytes(struct rig *r)
{
	request(r, BLK_T_IN, 0, 0, 500);
}

static void a_write_of_700_bytes(struct rig *r)
{
	request(r, BLK_T_OUT, 0, 700, 0);
}

static void id_of_19_bytes(struct rig *r)
{
	request(r, BLK_T_GET_ID, 0, 0, 19);
}

static void ranges(struct rig *r, uint32_t type, unsigned n, uint32_t bytes, uint32_t flags)
{
	struct blk_header h = { cpu_le32(type), 0, 0 };
	struct rig_buf bufs[] = { rig_dup(r, &h, sizeof(h)), rig_alloc(r, 16 * n),
				  rig_alloc(r, 1) };
	struct blk_range *range = bufs[1].p;

	for (unsigned i = 0; i < n; i++)
		range[i] = (struct blk_range){ cpu_le64(8ul * i), cpu_le32(8), cpu_le32(flags) };
	bufs[1].len = bytes;
	rig_start(r, RIG_ALL);
	rig_do(r, 0, bufs, 2, 1);
}

static void half_a_range(struct rig *r)
{
	ranges(r, BLK_T_DISCARD, 2, 24, 0);
}

static void discard_that_unmaps(struct rig *r)
{
	ranges(r, BLK_T_DISCARD, 1, 16, BLK_RANGE_UNMAP);
}

static void discard_of_too_many(struct rig *r)
{
	unsigned most;

	rig_start(r, RIG_ALL);
	most = rig_config32(r, offsetof(struct blk_config, max_discard_seg));
	ranges(r, BLK_T_DISCARD, most + 1, 16 * (most + 1), 0);
}

static void zeroes_for_too_many(struct rig *r)
{
	unsigned most;

	rig_start(r, RIG_ALL);
	most = rig_config32(r, offsetof(struct blk_config, max_write_zeroes_seg));
	ranges(r, BLK_T_WRITE_ZEROES, most + 1, 16 * (most + 1), 0);
}

static void range_beyond_capacity(struct rig *r)
{
	struct blk_header h = { cpu_le32(BLK_T_WRITE_ZEROES), 0, 0 };
	struct blk_range range = { cpu_le64(SECTORS), cpu_le32(1), 0 };
	struct rig_buf bufs[] = { rig_dup(r, &h, sizeof(h)), rig_dup(r, &range, sizeof(range)),
				  rig_alloc(r, 1) };

	rig_start(r, RIG_ALL);
	rig_do(r, 0, bufs, 2, 1);
}

static void writeback_early(struct rig *r)
{
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	(void)rig_config8(r, offsetof(struct blk_config, writeback));
}

/* Header and data in one. */
static void legacy_request_in_one(struct rig *r)
{
	struct blk_header h = { cpu_le32(BLK_T_OUT), 0, 0 };
	struct rig_buf bufs[] = { rig_alloc(r, 16 + 512), rig_alloc(r, 1) };

	memcpy(bufs[0].p, &h, sizeof(h));
	rig_start(r, rig_all_but(VIRTIO_F_ANY_LAYOUT));
	rig_do(r, 0, bufs, 1, 1);
}

static void legacy_type_swapped(struct rig *r)
{
	request(r, GUINT32_SWAP_LE_BE(BLK_T_FLUSH), 0, 0, 0);
}

static void three_segments(struct rig *r)
{
	rig_start(r, RIG_ALL);
	bd_write_in_parts(r, 3);
}

/* The header in four, the last together with data. */
static void three_segments_and_a_header(struct rig *r)
{
	struct blk_header h = { cpu_le32(BLK_T_OUT), 0, 0 };
	struct rig_buf all = rig_alloc(r, 16 + 512);
	struct rig_buf bufs[] = { rig_part(all, 0, 4),    rig_part(all, 4, 4), rig_part(all, 8, 4),
				  rig_part(all, 12, 516), rig_alloc(r, 512),   rig_alloc(r, 512),
				  rig_alloc(r, 1) };

	memcpy(all.p, &h, sizeof(h));
	rig_start(r, rig_all_but(VIRTIO_F_INDIRECT_DESC));
	rig_do(r, 0, bufs, 6, 1);
}

/*
 * Network cards: their frames go nowhere.
 */
enum { TCP4 = 1, UDP_FRAGMENTS = 3, TCP6 = 4, UDP_L4 = 5, TUNNEL4 = 0x20, TUNNEL6 = 0x40 };

#define ETHERNET 14u
#define IPV4     20u
#define TCP      20u
#define START    (ETHERNET + IPV4)

/* A TCP segment from 10.0.2.15 to 10.0.2.2 with @payload bytes; *ret_pseudo: the sum of its
 * pseudo header. */
static struct rig_buf segment(struct rig *r, unsigned payload, uint16_t *ret_pseudo)
{
	static const uint8_t head[] = { 0x52, 0x54, 0,    1, 2, 3,  0x52, 0x54, 0, 4, 5,  6,
					8,    0,    0x45, 0, 0, 0,  0,    0,    0, 0, 64, 6,
					0,    0,    10,   0, 2, 15, 10,   0,    2, 2 };
	struct rig_buf b = rig_alloc(r, START + TCP + payload);
	uint8_t *p = b.p;
	unsigned total = IPV4 + TCP + payload;
	uint32_t sum = 0;

	memcpy(p, head, sizeof(head));
	p[ETHERNET + 2] = (uint8_t)(total >> 8);
	p[ETHERNET + 3] = (uint8_t)total;
	for (unsigned i = 0; i < IPV4; i += 2)
		sum += (unsigned)p[ETHERNET + i] << 8 | p[ETHERNET + i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	p[ETHERNET + 10] = (uint8_t)(~sum >> 8);
	p[ETHERNET + 11] = (uint8_t)~sum;
	p[START + 12] = 0x50; /* 5 words of header */
	sum = 0x0a00u + 0x020f + 0x0a00 + 0x0202 + 6 + TCP + payload;
	*ret_pseudo = (uint16_t)((sum & 0xffff) + (sum >> 16));
	p[START + 16] = (uint8_t)(*ret_pseudo >> 8);
	p[START + 17] = (uint8_t)*ret_pseudo;
	return b;
}

/* What stands behind the card has none of it, and a driver that uses it is judged all the same. */
static void offer_segmentation(struct rig *r)
{
	static const unsigned bits[] = { NET_F_CSUM,     NET_F_HOST_TSO4, NET_F_HOST_TSO6,
					 NET_F_HOST_ECN, NET_F_HOST_UFO,  NET_F_HOST_USO };

	for (size_t i = 0; i < G_N_ELEMENTS(bits); i++)
		vfeatures_set(&rig_dev(r)->offered, bits[i], true);
}

static void send_on(struct rig *r, unsigned q, struct vfeatures f, struct net_header h,
		    struct rig_buf frame)
{
	struct rig_buf bufs[] = { rig_dup(r, &h, sizeof(h)), frame };

	offer_segmentation(r);
	rig_start(r, f);
	rig_do(r, q, bufs, 2, 0);
}

static void send_header(struct rig *r, struct vfeatures f, struct net_header h)
{
	uint16_t sum;

	send_on(r, 1, f, h, segment(r, 100, &sum));
}

static struct net_header checksummed(void)
{
	return (struct net_header){ .flags = NET_HDR_F_NEEDS_CSUM,
				    .csum_start = cpu_le16(START),
				    .csum_offset = cpu_le16(16) };
}

static struct net_header segmented(uint8_t type)
{
	struct net_header h = checksummed();

	h.gso_type = type;
	h.gso_size = cpu_le16(50);
	h.hdr_len = cpu_le16(START + TCP);
	return h;
}

static void num_buffers_1(struct rig *r)
{
	send_header(r, RIG_ALL, (struct net_header){ .num_buffers = cpu_le16(1) });
}

static void half_a_header(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 6);

	rig_start(r, RIG_ALL);
	rig_do(r, 1, &b, 1, 0);
}

static struct vfeatures without_segmentation(void)
{
	struct vfeatures f = RIG_ALL;

	vfeatures_set(&f, NET_F_HOST_TSO4, false);
	vfeatures_set(&f, NET_F_HOST_TSO6, false);
	vfeatures_set(&f, NET_F_HOST_ECN, false);
	vfeatures_set(&f, NET_F_HOST_UFO, false);
	vfeatures_set(&f, NET_F_HOST_USO, false);
	return f;
}

static void checksum_not_negotiated(struct rig *r)
{
	struct vfeatures f = without_segmentation();

	vfeatures_set(&f, NET_F_CSUM, false);
	send_header(r, f, checksummed());
}

static void data_valid(struct rig *r)
{
	send_header(r, RIG_ALL, (struct net_header){ .flags = NET_HDR_F_DATA_VALID });
}

static void tso4(struct rig *r)
{
	send_header(r, rig_all_but(NET_F_HOST_TSO4), segmented(TCP4));
}

static void tso6(struct rig *r)
{
	send_header(r, rig_all_but(NET_F_HOST_TSO6), segmented(TCP6));
}

static void ufo(struct rig *r)
{
	send_header(r, rig_all_but(NET_F_HOST_UFO), segmented(UDP_FRAGMENTS));
}

static void uso(struct rig *r)
{
	send_header(r, rig_all_but(NET_F_HOST_USO), segmented(UDP_L4));
}

static void no_segmentation(struct rig *r)
{
	send_header(r, without_segmentation(), segmented(TCP4));
}

static void tunnel(struct rig *r)
{
	send_header(r, RIG_ALL, segmented(TCP4 | TUNNEL4));
}

static void tunnel_of_both(struct rig *r)
{
	send_header(r, RIG_ALL, segmented(TCP4 | TUNNEL4 | TUNNEL6));
}

static void tunnel_of_fragments(struct rig *r)
{
	send_header(r, RIG_ALL, segmented(UDP_FRAGMENTS | TUNNEL4));
}

static void tunnel_checksum(struct rig *r)
{
	struct net_header h = segmented(TCP4 | TUNNEL4);

	h.flags |= 8;
	send_header(r, RIG_ALL, h);
}

static void tunnel_checksum_alone(struct rig *r)
{
	struct net_header h = checksummed();

	h.flags |= 8;
	send_header(r, RIG_ALL, h);
}

static void segments_without_checksum(struct rig *r)
{
	struct net_header h = segmented(TCP4);

	h.flags = 0;
	send_header(r, RIG_ALL, h);
}

static void segments_of_0(struct rig *r)
{
	struct net_header h = segmented(TCP4);

	h.gso_size = 0;
	send_header(r, RIG_ALL, h);
}

static void checksum_beyond_the_frame(struct rig *r)
{
	struct net_header h = checksummed();

	h.csum_offset = cpu_le16(4000);
	send_header(r, RIG_ALL, h);
}

static void wrong_pseudo_header(struct rig *r)
{
	uint16_t sum;
	struct rig_buf frame = segment(r, 100, &sum);

	((uint8_t *)frame.p)[START + 17] ^= 1;
	send_on(r, 1, RIG_ALL, checksummed(), frame);
}

static void wrong_ip_checksum(struct rig *r)
{
	uint16_t sum;
	struct rig_buf frame = segment(r, 100, &sum);

	((uint8_t *)frame.p)[ETHERNET + 11] ^= 1;
	send_on(r, 1, RIG_ALL, checksummed(), frame);
}

static void congestion_not_told(struct rig *r)
{
	uint16_t sum;
	struct rig_buf frame = segment(r, 100, &sum);

	((uint8_t *)frame.p)[START + 13] |= 0x80;
	send_on(r, 1, RIG_ALL, segmented(TCP4), frame);
}

static void larger_than_mtu(struct rig *r)
{
	uint16_t sum;

	send_on(r, 1, RIG_ALL, checksummed(), segment(r, 1400, &sum));
}

static void small_receive_buffer(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 8);

	rig_start(r, RIG_ALL);
	rig_submit(r, 0, &b, 0, 1);
	RIG_UNTIL(r, check_told());
}

static void readable_receive_buffer(struct rig *r)
{
	struct rig_buf b[] = { rig_alloc(r, 8), rig_alloc(r, 2000) };

	rig_start(r, RIG_ALL);
	rig_submit(r, 0, b, 1, 1);
	RIG_UNTIL(r, check_told());
}

static void mac_written(struct rig *r)
{
	rig_start(r, RIG_ALL);
	rig_config_write(r, 0, "\2", 1);
}

/* Of the control queue, whose data are @len bytes. */
static void command(struct rig *r, struct vfeatures f, uint8_t class, uint8_t what,
		    const void *data, uint32_t len)
{
	uint8_t head[] = { class, what };
	struct rig_buf bufs[] = { rig_dup(r, head, 2), rig_dup(r, data, len), rig_alloc(r, 1) };

	rig_start(r, f);
	rig_do(r, rig_has(r, NET_F_MQ) ? rig_n_queues(r) - 1 : 2, bufs, 2, 1);
}

static void promiscuous(struct rig *r)
{
	struct vfeatures f = rig_all_but(NET_F_CTRL_RX);

	vfeatures_set(&f, NET_F_CTRL_RX_EXTRA, false);
	command(r, f, 0, 0, "\1", 1);
}

static void no_broadcast(struct rig *r)
{
	command(r, rig_all_but(NET_F_CTRL_RX_EXTRA), 0, 5, "\1", 1);
}

static void mac_table_unasked(struct rig *r)
{
	struct vfeatures f = rig_all_but(NET_F_CTRL_RX);

	vfeatures_set(&f, NET_F_CTRL_RX_EXTRA, false);
	command(r, f, 1, 0, "\0\0\0\0\0\0\0\0", 8);
}

static void one_mac_table(struct rig *r)
{
	command(r, RIG_ALL, 1, 0, "\0\0\0\0", 4);
}

static void nine_pairs(struct rig *r)
{
	command(r, RIG_ALL, 4, 0, "\11\0", 2);
}

static void no_pairs(struct rig *r)
{
	command(r, RIG_ALL, 4, 0, "\0\0", 2);
}

static void second_pair_first(struct rig *r)
{
	uint16_t sum;

	send_on(r, 3, RIG_ALL, (struct net_header){ 0 }, segment(r, 100, &sum));
}

static void pair_that_is_off(struct rig *r)
{
	struct net_header h = { 0 };
	uint16_t sum;
	struct rig_buf bufs[] = { rig_dup(r, &h, sizeof(h)), segment(r, 100, &sum) };

	command(r, RIG_ALL, 4, 0, "\2\0", 2);
	rig_do(r, 5, bufs, 2, 0);
}

static void offload_not_negotiated(struct rig *r)
{
	command(r, rig_all_but(NET_F_GUEST_TSO4), 5, 0, "\200\0\0\0\0\0\0\0", 8);
}

static void legacy_header_and_frame_in_one(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 200);

	rig_start(r, rig_all_but(VIRTIO_F_ANY_LAYOUT));
	rig_do(r, 1, &b, 1, 0);
}

static void legacy_command_in_one(struct rig *r)
{
	struct rig_buf bufs[] = { rig_dup(r, "\0\0\1", 3), rig_alloc(r, 1) };

	rig_start(r, rig_all_but(VIRTIO_F_ANY_LAYOUT));
	rig_do(r, 2, bufs, 1, 1);
}

static void legacy_command(struct rig *r, uint8_t class, uint8_t what, const void *data,
			   uint32_t len)
{
	command(r, rig_all_but(VIRTIO_F_ANY_LAYOUT), class, what, data, len);
}

static void legacy_tables(struct rig *r, uint32_t first, uint32_t second, uint32_t third)
{
	static const uint8_t empty[8];
	struct rig_buf bufs[] = { rig_dup(r, "\1\0", 2), rig_dup(r, empty, first),
				  rig_dup(r, empty, second), rig_dup(r, empty, third),
				  rig_alloc(r, 1) };

	rig_start(r, rig_all_but(VIRTIO_F_ANY_LAYOUT));
	rig_do(r, 2, bufs, 4, 1);
}

static void legacy_half_a_unicast_table(struct rig *r)
{
	legacy_tables(r, 2, 2, 4);
}

static void legacy_half_a_multicast_table(struct rig *r)
{
	legacy_tables(r, 4, 2, 2);
}

static void legacy_checksum_swapped(struct rig *r)
{
	struct net_header h = { .flags = NET_HDR_F_NEEDS_CSUM,
				.csum_start = GUINT16_SWAP_LE_BE(START),
				.csum_offset = GUINT16_SWAP_LE_BE(16) };
	uint16_t sum;
	struct rig_buf head = rig_dup(r, &h, 10), bufs[] = { head, segment(r, 100, &sum) };

	offer_segmentation(r);
	rig_start(r, rig_all_but(NET_F_MRG_RXBUF));
	rig_do(r, 1, bufs, 2, 0);
}

static void legacy_pairs_swapped(struct rig *r)
{
	legacy_command(r, 4, 0, "\0\2", 2);
}

static void legacy_mac_table_swapped(struct rig *r)
{
	legacy_command(r, 1, 0, "\0\0\0\1\2\0\0\0\0\1\0\0\0\0", 14);
}

static void legacy_vlan_swapped(struct rig *r)
{
	legacy_command(r, 2, 0, "\1\144", 2);
}

static void legacy_offloads_swapped(struct rig *r)
{
	vfeatures_set(&rig_dev(r)->offered, NET_F_GUEST_CSUM, true);
	legacy_command(r, 5, 0, "\0\0\0\0\0\0\0\2", 8);
}

static void small_receive_ring(struct rig *r, struct vfeatures f, uint32_t each)
{
	struct rig_buf b = rig_alloc(r, each);

	rig_start(r, f);
	for (unsigned i = 0; !check_told() && i < 50; i++)
		rig_do(r, 0, &b, 0, 1);
	rig_wait_idle(r);
}

static void mtu_does_not_fit(struct rig *r)
{
	small_receive_ring(r, rig_all_but(NET_F_MRG_RXBUF), 1500);
}

static void mtu_does_not_fit_in_all(struct rig *r)
{
	small_receive_ring(r, RIG_ALL, 100);
}

/* All but the second pair. */
static void pairs_without_queues(struct rig *r)
{
	struct rig_buf bufs[] = { rig_dup(r, "\4\0", 2), rig_dup(r, "\2\0", 2), rig_alloc(r, 1) };

	assert_true(rig_negotiate(r, rig_offered(r)));
	for (unsigned q = 0; q < rig_n_queues(r); q++)
		if (q != 2 && q != 3)
			rig_queue_start(r, q, 0);
	rig_driver_ok(r);
	rig_do(r, rig_n_queues(r) - 1, bufs, 2, 1);
}

static void security(struct rig *r)
{
	send_header(r, RIG_ALL, (struct net_header){ .flags = 16 });
}

static void rss(struct rig *r)
{
	command(r, RIG_ALL, 4, 1, "\0\0\0\0", 4);
}

static void rss_context(struct rig *r)
{
	command(r, RIG_ALL, 9, 0, "\0\0", 2);
}

static void coalescing(struct rig *r)
{
	command(r, RIG_ALL, 6, 0, "\0\0\0\0\0\0\0\0", 8);
}

static void queue_coalescing(struct rig *r)
{
	command(r, RIG_ALL, 6, 2, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
}

static void tunnel_hash(struct rig *r)
{
	command(r, RIG_ALL, 7, 0, "\0\0\0\0", 4);
}

/*
 * Consoles.
 */

static void writable_output(struct rig *r)
{
	struct rig_buf b[] = { rig_alloc(r, 8), rig_alloc(r, 8) };

	rig_start(r, RIG_ALL);
	rig_do(r, CONSOLE_TX0, b, 1, 1);
}

static void control(struct rig *r, uint32_t id, uint16_t event, uint16_t value)
{
	struct {
		le32 id;
		le16 event, value;
	} m = { cpu_le32(id), cpu_le16(event), cpu_le16(value) };
	struct rig_buf b = rig_dup(r, &m, sizeof(m));

	rig_do(r, CONSOLE_CONTROL_TX, &b, 1, 0);
}

static void readable_input(struct rig *r)
{
	struct rig_buf b[] = { rig_alloc(r, 8), rig_alloc(r, 8) };

	rig_start(r, RIG_ALL);
	rig_submit(r, CONSOLE_CONTROL_RX, b, 1, 1);
	control(r, 0, CONSOLE_DEVICE_READY, 1);
	rig_wait_idle(r);
}

static void no_device_ready(struct rig *r)
{
	rig_start(r, RIG_ALL);
	control(r, 0, CONSOLE_PORT_READY, 1);
}

static void console_is_not_opened(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 64);

	rig_start(r, RIG_ALL);
	control(r, 0, CONSOLE_DEVICE_READY, 1);
	rig_do(r, CONSOLE_CONTROL_RX, &b, 0, 1);
	control(r, 0, CONSOLE_PORT_READY, 1);
	rig_do(r, CONSOLE_CONTROL_RX, &b, 0, 1);
	assert_int_equal(((uint8_t *)b.p)[4], CONSOLE_CONSOLE_PORT);
	control(r, 0, CONSOLE_PORT_OPEN, 0);
}

static void legacy_control_in_two(struct rig *r)
{
	struct rig_buf b[] = { rig_alloc(r, 4), rig_dup(r, "\0\0\1\0", 4) };

	rig_start(r, rig_all_but(VIRTIO_F_ANY_LAYOUT));
	rig_do(r, CONSOLE_CONTROL_TX, b, 2, 0);
}

static void console_is_not_answered(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 64);

	rig_start(r, RIG_ALL);
	control(r, 0, CONSOLE_DEVICE_READY, 1);
	rig_do(r, CONSOLE_CONTROL_RX, &b, 0, 1);
	control(r, 0, CONSOLE_PORT_READY, 1);
	rig_do(r, CONSOLE_CONTROL_RX, &b, 0, 1);
	assert_int_equal(((uint8_t *)b.p)[4], CONSOLE_CONSOLE_PORT);
	RIG_UNTIL(r, check_told());
}

static void legacy_event_swapped(struct rig *r)
{
	rig_start(r, RIG_ALL);
	control(r, 0, CONSOLE_DEVICE_READY, 1);
	control(r, 0, GUINT16_SWAP_LE_BE(CONSOLE_PORT_READY), 1);
}

static void legacy_emergency_swapped(struct rig *r)
{
	rig_start(r, RIG_ALL);
	rig_config_write(r, offsetof(struct console_config, emerg_wr), "\0\0\0A", 4);
}

/*
 * Input and entropy.
 */

static void half_a_query(struct rig *r)
{
	rig_start(r, RIG_NONE);
	rig_config_write(r, 0, "\1", 1);
	(void)rig_config8(r, 2);
}

static void size_written(struct rig *r)
{
	rig_start(r, RIG_NONE);
	rig_config_write(r, 2, "\1", 1);
}

static void readable_events(struct rig *r)
{
	struct rig_buf b[] = { rig_alloc(r, 8), rig_alloc(r, 8) };

	rig_start(r, RIG_ALL);
	rig_submit(r, 0, b, 1, 1);
	(void)input_send(rig_dev(r), &(struct input_ev){ EV_KEY, KEY_A, 1 }, 1);
	rig_wait_idle(r);
}

static void event_of_7_bytes(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 7);

	rig_start(r, RIG_ALL);
	rig_submit(r, 0, &b, 0, 1);
	(void)input_send(rig_dev(r), &(struct input_ev){ EV_KEY, KEY_A, 1 }, 1);
	rig_wait_idle(r);
}

static void status_of_7_bytes(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 7);

	rig_start(r, RIG_ALL);
	rig_do(r, 1, &b, 1, 0);
}

static void readable_entropy(struct rig *r)
{
	struct rig_buf b[] = { rig_alloc(r, 8), rig_alloc(r, 8) };

	rig_start(r, RIG_ALL);
	rig_do(r, 0, b, 1, 1);
}

#define DISK    "blk,path=@/disk"
#define NET     "net,backend=null"
#define SMALL   NET ",generate=60,mtu=1500,queue-size=8"
#define INPUT   "input,type=keyboard"
#define MODERN  "mmio pci pci-packed"
#define LEGACY  "legacy-mmio legacy-pci"
#define ADVICE  "advised-net-mac advised-blk-ro"
#define CONSOLE "console,chr=null"
#define PORTS   "console,chr=null,port=a:null"

static const struct check_case cases[] = {
	{ CHECK_BLK_CAPACITY, DISK, MODERN, beyond_capacity, NULL },
	{ CHECK_BLK_CAPACITY, DISK, MODERN, far_beyond_capacity, NULL },
	{ CHECK_BLK_CAPACITY, DISK, MODERN, range_beyond_capacity, NULL },
	{ CHECK_BLK_FLUSH_SECTOR, DISK, MODERN, flush_of_a_sector, NULL },
	{ CHECK_BLK_FLUSH_DATA, DISK, MODERN, flush_with_data, NULL },
	{ CHECK_BLK_LENGTH, DISK, MODERN, a_read_of_500_bytes, NULL },
	{ CHECK_BLK_LENGTH, DISK, MODERN, a_write_of_700_bytes, NULL },
	{ CHECK_BLK_ID_LENGTH, DISK, MODERN, id_of_19_bytes, NULL },
	{ CHECK_BLK_RANGES_LENGTH, DISK, MODERN, half_a_range, NULL },
	{ CHECK_BLK_DISCARD_UNMAP, DISK, MODERN, discard_that_unmaps, NULL },
	{ CHECK_BLK_DISCARD_SEGMENTS, DISK, MODERN, discard_of_too_many, NULL },
	{ CHECK_BLK_ZEROES_SEGMENTS, DISK, MODERN, zeroes_for_too_many, NULL },
	{ CHECK_BLK_WRITEBACK_EARLY, DISK, "mmio pci", writeback_early, NULL },
	{ CHECK_BLK_LEGACY_FRAMING, DISK, LEGACY, legacy_request_in_one, NULL },
	{ CHECK_BLK_LEGACY_ENDIAN, DISK, LEGACY, legacy_type_swapped, NULL },
	{ CHECK_BLK_SEGMENTS, DISK ",seg-max=2", MODERN, three_segments, NULL },
	{ CHECK_BLK_SEGMENTS, DISK ",seg-max=2", MODERN, three_segments_and_a_header, NULL },
	{ CHECK_ADVISED_BLK_RO, DISK ",ro=on", "pci", size_written, "config-width" },

	{ CHECK_NET_NUM_BUFFERS, NET, MODERN, num_buffers_1, NULL },
	{ CHECK_NET_HEADER, NET, MODERN, half_a_header, NULL },
	{ CHECK_NET_FLAGS, NET, MODERN, checksum_not_negotiated, NULL },
	{ CHECK_NET_RX_FLAGS, NET, MODERN, data_valid, NULL },
	{ CHECK_NET_TSO4, NET, MODERN, tso4, NULL },
	{ CHECK_NET_TSO6, NET, MODERN, tso6, NULL },
	{ CHECK_NET_UFO, NET, MODERN, ufo, NULL },
	{ CHECK_NET_USO, NET, MODERN, uso, NULL },
	{ CHECK_NET_NO_GSO, NET, MODERN, no_segmentation, NULL },
	{ CHECK_NET_TUNNEL, NET, MODERN, tunnel, NULL },
	{ CHECK_NET_TUNNEL_BOTH, NET, MODERN, tunnel_of_both, "net-tunnel" },
	{ CHECK_NET_TUNNEL_UFO, NET, MODERN, tunnel_of_fragments, "net-tunnel" },
	{ CHECK_NET_TUNNEL_CSUM, NET, MODERN, tunnel_checksum, "net-tunnel" },
	{ CHECK_NET_TUNNEL_NONE, NET, MODERN, tunnel_checksum_alone, "net-tunnel-csum" },
	{ CHECK_NET_GSO_CSUM, NET, MODERN, segments_without_checksum, NULL },
	{ CHECK_NET_GSO_SIZE, NET, MODERN, segments_of_0, NULL },
	{ CHECK_NET_CSUM_PLACE, NET, MODERN, checksum_beyond_the_frame, NULL },
	{ CHECK_NET_CSUM_PSEUDO, NET, MODERN, wrong_pseudo_header, NULL },
	{ CHECK_NET_IP_CSUM, NET, MODERN, wrong_ip_checksum, NULL },
	{ CHECK_NET_ECN, NET, MODERN, congestion_not_told, NULL },
	{ CHECK_NET_MTU, NET ",mtu=1280", MODERN, larger_than_mtu, NULL },
	{ CHECK_NET_RX_BUFFER, NET ",generate=60", MODERN, small_receive_buffer, NULL },
	{ CHECK_NET_RX_READABLE, NET ",generate=60", MODERN, readable_receive_buffer, NULL },
	{ CHECK_NET_CONFIG_WRITTEN, NET, "mmio pci", mac_written, NULL },
	{ CHECK_NET_RX_MODE, NET, MODERN, promiscuous, NULL },
	{ CHECK_NET_RX_EXTRA, NET, MODERN, no_broadcast, NULL },
	{ CHECK_NET_MAC_COMMAND, NET, MODERN, mac_table_unasked, NULL },
	{ CHECK_NET_MAC_TABLE, NET, MODERN, one_mac_table, NULL },
	{ CHECK_NET_PAIRS, NET ",queue-pairs=4", MODERN, nine_pairs, NULL },
	{ CHECK_NET_PAIRS, NET ",queue-pairs=4", MODERN, no_pairs, NULL },
	{ CHECK_NET_PAIRS_FIRST, NET ",queue-pairs=4", MODERN, second_pair_first, NULL },
	{ CHECK_NET_PAIRS_BEYOND, NET ",queue-pairs=4", MODERN, pair_that_is_off, NULL },
	{ CHECK_NET_OFFLOADS, NET, MODERN, offload_not_negotiated, NULL },
	{ CHECK_NET_LEGACY_HEADER, NET, LEGACY, legacy_header_and_frame_in_one, NULL },
	{ CHECK_NET_LEGACY_COMMAND, NET, LEGACY, legacy_command_in_one, NULL },
	{ CHECK_NET_LEGACY_UNICAST, NET, LEGACY, legacy_half_a_unicast_table, NULL },
	{ CHECK_NET_LEGACY_MULTICAST, NET, LEGACY, legacy_half_a_multicast_table, NULL },
	{ CHECK_NET_LEGACY_HEADER_ENDIAN, NET, LEGACY, legacy_checksum_swapped, NULL },
	{ CHECK_NET_LEGACY_PAIRS_ENDIAN, NET ",queue-pairs=4", LEGACY, legacy_pairs_swapped, NULL },
	{ CHECK_NET_LEGACY_MAC_ENDIAN, NET, LEGACY, legacy_mac_table_swapped, NULL },
	{ CHECK_NET_LEGACY_VLAN_ENDIAN, NET, LEGACY, legacy_vlan_swapped, NULL },
	{ CHECK_NET_LEGACY_OFFLOADS_ENDIAN, NET, LEGACY, legacy_offloads_swapped, NULL },
	{ CHECK_NET_RX_MTU, SMALL, MODERN, mtu_does_not_fit, NULL },
	{ CHECK_NET_RX_MTU, SMALL, MODERN, mtu_does_not_fit_in_all, NULL },
	{ CHECK_NET_PAIRS_QUEUES, NET ",queue-pairs=4", MODERN, pairs_without_queues, NULL },
	{ CHECK_NET_SECURITY, NET, MODERN, security, NULL },
	{ CHECK_NET_RSS, NET, MODERN, rss, NULL },
	{ CHECK_NET_RSS_CONTEXT, NET, MODERN, rss_context, NULL },
	{ CHECK_NET_COALESCING, NET, MODERN, coalescing, NULL },
	{ CHECK_NET_QUEUE_COALESCING, NET, MODERN, queue_coalescing, NULL },
	{ CHECK_NET_TUNNEL_HASH, NET, MODERN, tunnel_hash, NULL },

	{ CHECK_CONSOLE_RX, PORTS, MODERN, readable_input, NULL },
	{ CHECK_CONSOLE_TX, CONSOLE, MODERN, writable_output, NULL },
	{ CHECK_CONSOLE_READY, PORTS, MODERN, no_device_ready, NULL },
	{ CHECK_CONSOLE_OPEN, PORTS, MODERN, console_is_not_opened, NULL },
	{ CHECK_CONSOLE_LEGACY_CONTROL, PORTS, LEGACY, legacy_control_in_two, NULL },
	{ CHECK_CONSOLE_UNANSWERED, PORTS, MODERN, console_is_not_answered, NULL },
	{ CHECK_CONSOLE_LEGACY_ENDIAN, PORTS, LEGACY, legacy_event_swapped, NULL },
	{ CHECK_CONSOLE_LEGACY_EMERGENCY, CONSOLE, LEGACY, legacy_emergency_swapped, NULL },

	{ CHECK_INPUT_SUBSEL, INPUT, "mmio pci", half_a_query, NULL },
	{ CHECK_INPUT_WRITTEN, INPUT, "mmio pci", size_written, NULL },
	{ CHECK_INPUT_WRITABLE, INPUT, MODERN, readable_events, NULL },
	{ CHECK_INPUT_EVENT_BYTES, INPUT, MODERN, event_of_7_bytes, NULL },
	{ CHECK_INPUT_STATUS_BYTES, INPUT, MODERN, status_of_7_bytes, NULL },
	{ CHECK_RNG_WRITABLE, "rng", MODERN, readable_entropy, NULL },
};

static struct check_cases all = { cases, G_N_ELEMENTS(cases), .bait = false };

/* But for those that test-driver-mistakes has. */
static void every_rule_has_a_case(void **state)
{
	(void)state;
	for (unsigned rule = CHECK_BLK_WRITEBACK_EARLY; rule < N_CHECK_RULES; rule++)
		if (!check_cases_have(&all, rule) && rule != CHECK_BLK_REQUEST &&
		    rule != CHECK_BLK_DIRECTION && rule != CHECK_NET_RX_GSO)
			fail_msg("no case for %s", check_row(rule).name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(check_cases_run, &all),
		cmocka_unit_test(every_rule_has_a_case),
	};

	return cmocka_run_group_tests_name("check-types", tests, NULL, NULL);
}
