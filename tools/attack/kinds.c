/*
 * The kinds of devices, and what is asked of them.
 */
#include <string.h>

#include "devices/blk/wire.h"
#include "devices/net/header.h"
#include "tools/attack/maker.h"

/* Any device: buffers to be read, then buffers to be written. */
static void any_chain(struct attack_maker *m, unsigned ring)
{
	unsigned n_rd = (unsigned)maker_below(m, 4), n_wr = (unsigned)maker_below(m, 4);
	uint64_t bytes[2] = { maker_below(m, 32), maker_below(m, 64) };

	(void)ring;
	if (n_rd)
		maker_add_header(m, bytes, sizeof(bytes));
	for (unsigned i = 1; i < n_rd; i++)
		maker_add(m, 1 + (uint32_t)maker_below(m, 2048), false);
	for (unsigned i = 0; i < n_wr; i++)
		maker_add(m, 1 + (uint32_t)maker_below(m, 2048), true);
}

/*
 * Disks.
 */
static uint64_t blk_sector(struct attack_maker *m)
{
	static const uint64_t far[] = { UINT64_MAX, UINT64_MAX / BLK_SECTOR,
					1ull << 55, 1u << 31,
					2047,       2048 };

	return maker_once_in(m, 6) ? far[maker_below(m, G_N_ELEMENTS(far))] : maker_below(m, 64);
}

/* What discards and zeroes are about. */
static void blk_add_segments(struct attack_maker *m)
{
	struct blk_range segment[2];

	for (unsigned i = 0; i < G_N_ELEMENTS(segment); i++) {
		segment[i].sector = cpu_le64(blk_sector(m));
		segment[i].n_sectors = cpu_le32((uint32_t)blk_sector(m));
		segment[i].flags = cpu_le32((uint32_t)maker_below(m, 3));
	}
	maker_add_header(m, segment, (uint16_t)(sizeof(segment[0]) * (1 + maker_below(m, 2))));
}

static void blk_chain(struct attack_maker *m, unsigned ring)
{
	static const uint32_t types[] = { BLK_T_IN,     BLK_T_IN,      BLK_T_IN,
					  BLK_T_OUT,    BLK_T_OUT,     BLK_T_FLUSH,
					  BLK_T_GET_ID, BLK_T_DISCARD, BLK_T_WRITE_ZEROES };
	static const uint32_t sizes[] = { 512, 512, 1024, 4096, 20, 511, 513 };
	uint32_t type = types[maker_below(m, G_N_ELEMENTS(types))];
	struct blk_header h = { .sector = cpu_le64(blk_sector(m)) };

	(void)ring;
	h.type = cpu_le32(maker_once_in(m, 16) ? (uint32_t)maker_below(m, 32) : type);
	maker_add_header(m, &h, sizeof(h));
	if (type == BLK_T_DISCARD || type == BLK_T_WRITE_ZEROES)
		blk_add_segments(m);
	else if (type != BLK_T_FLUSH)
		for (uint64_t n = maker_below(m, 3) + 1; n; n--)
			maker_add(m, sizes[maker_below(m, G_N_ELEMENTS(sizes))], type != BLK_T_OUT);
	if (!maker_once_in(m, 16))
		maker_add(m, 1, true);
}

/* The first sector. */
static void blk_probe(struct attack_maker *m)
{
	const struct blk_header h = { .type = cpu_le32(BLK_T_IN) };

	maker_add_header(m, &h, sizeof(h));
	maker_add(m, BLK_SECTOR, true);
	maker_add(m, 1, true);
}

/*
 * Network cards: the first queue receives, the second transmits.
 */
static void net_transmit(struct attack_maker *m)
{
	/* flags, gso_type, then 16 bits each of hdr_len, gso_size, csum_start, csum_offset,
	 * num_buffers (5.1.6); an Ethernet header follows */
	uint8_t bytes[NET_HEADER_BYTES + 14] = { 0 };

	if (maker_once_in(m, 2))
		bytes[0] = (uint8_t)maker_below(m, 4);
	if (maker_once_in(m, 2))
		bytes[1] = (uint8_t)maker_below(m, 6);
	for (unsigned i = 2; i < NET_HEADER_BYTES; i += 2)
		if (maker_once_in(m, 3))
			bytes[i] = (uint8_t)maker_below(m, 256);
	if (maker_once_in(m, 8))
		memset(bytes + 2, 0xff, NET_HEADER_BYTES - 2);
	memset(bytes + NET_HEADER_BYTES, 0x02, 12);
	bytes[NET_HEADER_BYTES + 12] = 0x08;
	maker_add_header(
		m, bytes,
		(uint16_t)(maker_once_in(m, 8) ? maker_below(m, sizeof(bytes)) : sizeof(bytes)));
	for (uint64_t n = maker_below(m, 3); n; n--)
		maker_add(m, (uint32_t)maker_below(m, maker_once_in(m, 8) ? 8192 : 700), false);
}

static void net_receive(struct attack_maker *m)
{
	static const uint32_t sizes[] = { 2048, 1526, 12, 10, 1, 4, 64, 4096 };

	for (uint64_t n = 1 + (maker_once_in(m, 2) ? maker_below(m, 5) : 0); n; n--)
		maker_add(m, sizes[maker_below(m, G_N_ELEMENTS(sizes))], true);
}

static void net_chain(struct attack_maker *m, unsigned ring)
{
	if (ring == 0)
		net_receive(m);
	else
		net_transmit(m);
}

/* A frame to nobody. */
static void net_probe(struct attack_maker *m)
{
	const uint8_t frame[NET_HEADER_BYTES + 14] = { [NET_HEADER_BYTES] = 2,
						       [NET_HEADER_BYTES + 6] = 2 };

	maker_add_header(m, frame, sizeof(frame));
	maker_add(m, 64 - 14, false);
}

static const struct attack_kind kinds[] = {
	/* one queue, chains of any buffers */
	{ "any", 1, any_chain, NULL, 0 },
	{ "blk", 1, blk_chain, blk_probe, 0 },
	{ "net", 2, net_chain, net_probe, 1 },
};

const struct attack_kind *attack_kind_nth(unsigned n)
{
	return n < G_N_ELEMENTS(kinds) ? &kinds[n] : NULL;
}

const struct attack_kind *attack_kind_find(const char *name)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}
