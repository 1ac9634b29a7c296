#include "tests/support/net-peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "tests/support/net-frames.h"

const struct net_header net_plain;

struct net_peer net_peer_connect(struct rig *r)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct net_peer p = { .r = r, .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };

	g_snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/peer", rig_dir(r));
	assert_int_equal(connect(p.fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	RIG_UNTIL(r, rig_config16(r, 6) & NET_S_LINK_UP);
	return p;
}

void net_peer_send(struct net_peer *p, const void *frame, size_t len)
{
	uint32_t prefix = htonl((uint32_t)len);

	assert_int_equal(send(p->fd, &prefix, 4, MSG_NOSIGNAL), 4);
	assert_int_equal(send(p->fd, frame, len, MSG_NOSIGNAL), len);
}

/* @len bytes from the device, which works meanwhile. */
static void peer_read(struct net_peer *p, void *dst, size_t len)
{
	int64_t deadline = rig_deadline();

	for (size_t done = 0; done < len;) {
		ssize_t n = recv(p->fd, (uint8_t *)dst + done, len - done, MSG_DONTWAIT);

		assert_true(n > 0 || (n < 0 && errno == EAGAIN));
		if (n > 0)
			done += (size_t)n;
		else
			rig_turn(p->r, deadline);
	}
}

size_t net_peer_receive(struct net_peer *p, void *frame)
{
	uint32_t prefix;

	peer_read(p, &prefix, sizeof(prefix));
	assert_in_range(ntohl(prefix), 1, NET_FRAME_MAX);
	peer_read(p, frame, ntohl(prefix));
	return ntohl(prefix);
}

/*
 * The driver.
 */
void net_offer(struct net_peer *p, uint32_t len)
{
	p->buf = rig_alloc(p->r, len);
	p->req = rig_submit(p->r, RX, &p->buf, 0, 1);
}

uint32_t net_transmit(struct rig *r, const struct net_header *h, const void *frame, uint32_t len)
{
	struct rig_buf bufs[2] = { rig_dup(r, h, HDR), rig_dup(r, frame, len) };

	return rig_do(r, TX, bufs, len ? 2 : 1, 0);
}

struct drops_of {
	const struct net *net;
	struct net_drops drops;
};

static void copy_drops(void *arg)
{
	struct drops_of *d = arg;

	d->drops = d->net->drops;
}

struct net_drops net_drops(struct rig *r)
{
	struct drops_of d = { .net = (struct net *)rig_dev(r) };

	rig_on_owner(r, copy_drops, &d);
	return d.drops;
}

uint8_t net_command_on(struct rig *r, unsigned q, uint8_t class, uint8_t cmd, const void *data,
		       uint32_t len)
{
	uint8_t head[2] = { class, cmd };
	struct rig_buf bufs[3] = { rig_dup(r, head, 2) };
	unsigned n_rd = 1;

	if (len)
		bufs[n_rd++] = rig_dup(r, data, len);
	bufs[n_rd] = rig_alloc(r, 1);
	*(uint8_t *)bufs[n_rd].p = 0xee;
	assert_int_equal(rig_do(r, q, bufs, n_rd, 1), 1);
	return *(uint8_t *)bufs[n_rd].p;
}

uint8_t net_command(struct rig *r, uint8_t class, uint8_t cmd, const void *data, uint32_t len)
{
	return net_command_on(r, CTRL, class, cmd, data, len);
}

uint8_t net_command1(struct rig *r, uint8_t class, uint8_t cmd, uint8_t value)
{
	return net_command(r, class, cmd, &value, 1);
}

/* Does a frame of the peer's reach the driver? */
bool net_arrives(struct net_peer *p, const uint8_t *dst, uint16_t vlan)
{
	uint64_t before = net_drops(p->r).filtered;
	uint8_t frame[100];

	if (!p->req || p->req->done)
		net_offer(p, 2000);
	frame_plain(frame, dst, sizeof(frame), 1);
	if (vlan) {
		frame[12] = 0x81;
		frame[13] = 0;
		frame[14] = (uint8_t)(vlan >> 8);
		frame[15] = (uint8_t)vlan;
	}
	net_peer_send(p, frame, sizeof(frame));
	RIG_UNTIL(p->r, p->req->done || net_drops(p->r).filtered > before);
	return p->req->done;
}

static size_t arp_for_host(uint8_t *frame)
{
	static const uint8_t head[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };

	memset(frame, 0, 60);
	memcpy(frame, mac_broadcast, 6);
	memcpy(frame + 6, mac_guest, 6);
	memcpy(frame + 12, head, sizeof(head));
	memcpy(frame + 22, mac_guest, 6);
	memcpy(frame + 28, (uint8_t[4]){ 10, 0, 2, 15 }, 4);
	memcpy(frame + 38, (uint8_t[4]){ 10, 0, 2, 2 }, 4);
	return 60;
}

/* The network speaks IPv6 by itself; what else comes is passed over. */
const struct net_header *net_arp_answer(struct rig *r)
{
	uint8_t frame[60];

	assert_int_equal(net_transmit(r, &net_plain, frame, (uint32_t)arp_for_host(frame)), 0);
	for (unsigned i = 0; i < 100; i++) {
		struct rig_buf buf = rig_alloc(r, 1600);
		const uint8_t *got = (uint8_t *)buf.p + HDR;

		assert_in_range(rig_do(r, RX, &buf, 0, 1), HDR + NET_FRAME_MIN, 1600);
		if (got[12] == 8 && got[13] == 6 && got[21] == 2)
			return buf.p;
	}
	fail_msg("no answer");
	return NULL;
}
