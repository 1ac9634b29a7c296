/*
 * Network card (VIRTIO 1.4, 5.1) on the host's own network (backend=user): asks
 * 10.0.2.2 for its address (ARP), then sends it an echo request (ICMP) and has that back.
 */
#include "guest-fw/virtio.h"

enum {
	F_CSUM = 0,
	F_MTU = 3,
	F_MAC = 5,
	F_MRG_RXBUF = 15,
	F_STATUS = 16,
};

enum { RX, TX, N_QUEUES };

#define HEADER  12u /* of virtio, before each frame */
#define FRAME   1514u
#define BUFFERS 8u
#define FRAMES  64u /* with others among them */

#define ETHER 14u
#define ARP   28u
#define IP    20u
#define ICMP  64u /* with its data */

static const uint8_t our_ip[] = { 10, 0, 2, 15 }, host_ip[] = { 10, 0, 2, 2 };

struct net {
	struct virtio *v;
	uint8_t our_mac[6], host_mac[6];
	uint8_t *out; /* header and frame */
	uint8_t *in;  /* BUFFERS of them, a page each */
};

static void fw_net_put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void fw_net_copy(uint8_t *to, const uint8_t *from, size_t n)
{
	__builtin_memcpy(to, from, n);
}

/* The internet checksum (RFC 1071). */
static unsigned fw_net_checksum(const uint8_t *bytes, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i += 2)
		sum += (unsigned)bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/*
 * Frames out and in.
 */
static bool fw_net_send(struct net *net, uint32_t len)
{
	const struct drv_buf bufs[] = {
		buf_of(net->out, HEADER),
		buf_of(net->out + HEADER, len),
	};
	uint32_t used;

	return queue_do(net->v->queue[TX], bufs, 2, 0, &used);
}

/* Takes frames until one has @bytes at @offset; *ret_frame is it, until the next call. */
static bool fw_net_expect(struct net *net, unsigned offset, const uint8_t *bytes, size_t n,
			  const uint8_t **ret_frame)
{
	struct queue *q = net->v->queue[RX];
	uint8_t *at;
	uint32_t len;

	for (unsigned i = 0; i < FRAMES; i++) {
		if (!queue_wait(q, (void **)&at, &len))
			return false;
		if (len < HEADER || len > HEADER + FRAME)
			return virtio_fail(net->v, "a frame of impossible length");
		if (!queue_give(q, at, HEADER + FRAME))
			return false;
		queue_kick(q);
		if (len >= HEADER + offset + n && fw_same(at + HEADER + offset, bytes, n)) {
			*ret_frame = at + HEADER;
			return true;
		}
	}
	return virtio_fail(net->v, "other frames than the answer");
}

/*
 * The two questions.
 */
static uint8_t *fw_net_ether(struct net *net, unsigned type)
{
	uint8_t *frame = net->out + HEADER;

	__builtin_memset(net->out, 0, HEADER + FRAME);
	fw_net_copy(frame, net->host_mac, 6);
	fw_net_copy(frame + 6, net->our_mac, 6);
	fw_net_put16(frame + 12, type);
	return frame + ETHER;
}

static bool fw_net_arp(struct net *net)
{
	static const uint8_t request[] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	static const uint8_t reply[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 2 };
	const uint8_t *frame;
	uint8_t *p;

	__builtin_memset(net->host_mac, 0xff, 6);
	p = fw_net_ether(net, 0x0806);
	fw_net_copy(p, request, sizeof(request));
	fw_net_copy(p + 8, net->our_mac, 6);
	fw_net_copy(p + 14, our_ip, 4);
	fw_net_copy(p + 24, host_ip, 4);
	if (!fw_net_send(net, ETHER + ARP) || !fw_net_expect(net, 12, reply, sizeof(reply), &frame))
		return false;
	fw_net_copy(net->host_mac, frame + ETHER + 8, 6);
	return fw_same(frame + ETHER + 14, host_ip, 4) || virtio_fail(net->v, "a wrong ARP reply");
}

static bool fw_net_ping(struct net *net)
{
	uint8_t *ip = fw_net_ether(net, 0x0800), *icmp = ip + IP;
	static const uint8_t start[] = { 0x45, 0 }, echo_reply = 0;
	const unsigned data = ETHER + IP + 8;
	const uint8_t *frame;

	fw_net_copy(ip, start, sizeof(start));
	fw_net_put16(ip + 2, IP + ICMP);
	ip[8] = 64; /* hops */
	ip[9] = 1;  /* ICMP */
	fw_net_copy(ip + 12, our_ip, 4);
	fw_net_copy(ip + 16, host_ip, 4);
	fw_net_put16(ip + 10, fw_net_checksum(ip, IP));
	icmp[0] = 8; /* echo request */
	for (unsigned i = 8; i < ICMP; i++)
		icmp[i] = (uint8_t)(i + fw_ticks());
	fw_net_put16(icmp + 2, fw_net_checksum(icmp, ICMP));
	/* Known by its data: who had the device before us may have answers under way, too. */
	if (!fw_net_send(net, ETHER + IP + ICMP) ||
	    !fw_net_expect(net, data, icmp + 8, ICMP - 8, &frame))
		return false;
	if (frame[ETHER + IP] != echo_reply || !fw_same(frame + ETHER + 12, host_ip, 4))
		return virtio_fail(net->v, "a wrong echo");
	return true;
}

static bool fw_net_test(struct virtio *v)
{
	struct net net = { .v = v,
			   .out = fw_take(HEADER + FRAME),
			   .in = fw_take((size_t)BUFFERS * 4096) };

	for (unsigned i = 0; i < 6; i++)
		net.our_mac[i] = (uint8_t)virtio_config_read(&v->dev, i, 1);
	if (!queue_give_all(v->queue[RX], net.in, BUFFERS, 4096, HEADER + FRAME))
		return false;
	v->did = "ARP and echo answered by 10.0.2.2";
	return fw_net_arp(&net) && fw_net_ping(&net);
}

const struct driver net_driver = {
	.id = 1,
	.name = "net",
	.features = 1ull << F_CSUM | 1ull << F_MTU | 1ull << F_MAC | 1ull << F_MRG_RXBUF |
		    1ull << F_STATUS,
	.n_queues = N_QUEUES,
	.test = fw_net_test,
};
