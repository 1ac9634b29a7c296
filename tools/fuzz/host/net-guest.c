#include "tools/fuzz/host/net-guest.h"

#include "devices/backend/net/user/packet.h"
#include "tools/fuzz/language/trace.h"

#define PORT      1000u /* of the first flow */
#define LARGE     4096u /* packets: takes long */
#define DATA_MAX  1400u
#define DHCP_LEN  300u
#define FIRST_SEQ 100u

#define COUNT_OF_KINDS (N_FLOODS + 3)

struct flood {
	unsigned kind, flow, n;
	uint16_t at, step, len;
	uint8_t flags;
};

void net_guest_init(struct net_guest *g)
{
	*g = (struct net_guest){ .frame = g_malloc0(NET_FRAME_MAX) };
}

void net_guest_free(struct net_guest *g)
{
	g_free(g->frame);
}

static struct net_packet packet_of(unsigned flow, unsigned protocol)
{
	struct net_packet p = { .version = flow % 2 ? 6 : 4,
				.protocol = protocol,
				.mac = { 0x52, 0x54, 0, 0, 0, 1 },
				.sport = (uint16_t)(PORT + flow),
				.dport = 80 };
	static const uint8_t guest[4] = { 10, 0, 2, 15 }, host[4] = { 10, 0, 2, 2 };

	if (p.version == 4) {
		memcpy(p.src, guest, 4);
		memcpy(p.dst, host, 4);
	} else {
		p.src[0] = p.dst[0] = 0xfe;
		p.src[1] = p.dst[1] = 0xc0;
		p.src[15] = 15;
		p.dst[15] = 2;
	}
	return p;
}

/*
 * Connections.
 */
void net_guest_syn(struct net_guest *g, unsigned n, net_guest_send_fn send, void *arg)
{
	struct net_guest_flow *flow = &g->flow[n % NET_GUEST_FLOWS];
	struct net_packet p = packet_of(n % NET_GUEST_FLOWS, NET_TCP);

	p.flags = NET_SYN;
	p.seq = FIRST_SEQ;
	g->last = n % NET_GUEST_FLOWS;
	*flow = (struct net_guest_flow){ .seq = FIRST_SEQ + 1 };
	send(arg, g->frame, net_packet_make(g->frame, &p, 0));
}

void net_guest_ack(struct net_guest *g, unsigned n, net_guest_send_fn send, void *arg)
{
	const struct net_guest_flow *flow = &g->flow[n % NET_GUEST_FLOWS];
	struct net_packet p = packet_of(n % NET_GUEST_FLOWS, NET_TCP);

	trace("guest: flow %u is %s", n % NET_GUEST_FLOWS, flow->open ? "open" : "refused");
	p.flags = NET_ACK;
	p.seq = flow->seq;
	p.ack = flow->ack;
	if (flow->open)
		send(arg, g->frame, net_packet_make(g->frame, &p, 0));
}

void net_guest_saw(struct net_guest *g, const uint8_t *frame, size_t len)
{
	struct net_packet p;
	unsigned n;

	if (!net_packet_parse(frame, len, &p) || !p.version || p.protocol != NET_TCP || !p.at)
		return;
	n = p.dport - PORT;
	if (n >= NET_GUEST_FLOWS || (p.flags & (NET_SYN | NET_ACK)) != (NET_SYN | NET_ACK))
		return;
	g->flow[n].open = true;
	g->flow[n].ack = p.seq + 1;
}

/*
 * Floods: the @i-th packet.
 */
static void udp_header(uint8_t *frame, const struct net_packet *p, size_t len)
{
	uint8_t *udp = frame + (p->version == 4 ? 34 : 54);

	net_put_be16(udp, p->sport);
	net_put_be16(udp + 2, p->dport);
	net_put_be16(udp + 4, (unsigned)len);
	net_put_be16(udp + 6, 0);
	if (p->version == 6)
		net_packet_sum(frame, p, len, 6);
}

static size_t net_guest_segment(struct net_guest *g, const struct flood *f, uint16_t at)
{
	const struct net_guest_flow *flow = &g->flow[f->flow];
	struct net_packet p = packet_of(f->flow, NET_TCP);

	p.flags = (f->flags & ~NET_SYN & ~NET_RST) | NET_ACK;
	p.seq = flow->seq + at;
	p.ack = flow->ack;
	return net_packet_make(g->frame, &p, f->len);
}

static size_t net_guest_first_syn(struct net_guest *g, const struct flood *f, uint16_t at)
{
	struct net_packet p = packet_of(f->flow, NET_TCP);

	p.flags = NET_SYN;
	p.sport = (uint16_t)(PORT + NET_GUEST_FLOWS + at);
	return net_packet_make(g->frame, &p, f->flags & 1 ? f->len : 0);
}

static size_t net_guest_datagram(struct net_guest *g, const struct flood *f, uint16_t at)
{
	struct net_packet p = packet_of(f->flow, NET_UDP);
	size_t len = net_packet_make(g->frame, &p, 8u + f->len);

	p.sport = at;
	udp_header(g->frame, &p, 8u + f->len);
	return len;
}

static size_t net_guest_fragment(struct net_guest *g, const struct flood *f, uint16_t at)
{
	struct net_packet p = packet_of(0, NET_UDP);
	size_t len = net_packet_make(g->frame, &p, f->len & ~7u);
	uint8_t *ip = g->frame + NET_IP;

	net_put_be16(ip + 4, f->flags & 2 ? at : 1);
	net_put_be16(ip + 6, (f->flags & 1 ? 0 : 0x2000u) | (at & 0x1fffu));
	net_put_be16(ip + 10, 0);
	net_put_be16(ip + 10, net_sum_end(net_sum(0, ip, 20)));
	return len;
}

static size_t net_guest_echo(struct net_guest *g, const struct flood *f, uint16_t at)
{
	struct net_packet p = packet_of(f->flow, f->flow % 2 ? NET_ICMPV6 : NET_ICMP);
	size_t payload = 8u + f->len, len;
	uint8_t *icmp = g->frame + (p.version == 4 ? 34 : 54);

	net_put_be16(p.src + (p.version == 4 ? 2 : 14), at);
	p.dst[p.version == 4 ? 3 : 15] ^= f->flags & 1; /* or to somebody beyond */
	len = net_packet_make(g->frame, &p, payload);
	memset(icmp, 0, 8);
	icmp[0] = p.version == 4 ? 8 : 128;
	if (p.version == 4)
		net_put_be16(icmp + 2, net_sum_end(net_sum(0, icmp, payload)));
	else
		net_packet_sum(g->frame, &p, payload, 2);
	return len;
}

static size_t net_guest_dhcp(struct net_guest *g, const struct flood *f, uint16_t at)
{
	static const uint8_t options[] = { 99, 130, 83, 99, 53, 1, 1, 255 };
	struct net_packet p = packet_of(0, NET_UDP);
	uint8_t *bootp = g->frame + 42;
	size_t len;

	memset(p.src, 0, 4);
	memset(p.dst, 0xff, 4);
	len = net_packet_make(g->frame, &p, 8 + DHCP_LEN);
	p.sport = 68;
	p.dport = 67;
	udp_header(g->frame, &p, 8 + DHCP_LEN);
	memset(bootp, 0, DHCP_LEN);
	net_put_be16(bootp + 30, at);
	memcpy(bootp + 236, options, sizeof(options));
	bootp[242] = 1 + f->flags % 8;
	return len;
}

static size_t net_guest_arp(struct net_guest *g, const struct flood *f, uint16_t at)
{
	static const uint8_t head[] = { 0, 1, 8, 0, 6, 4, 0, 2 };

	memset(g->frame, 0, 60);
	net_put_be16(g->frame + 12, NET_TYPE_ARP);
	memcpy(g->frame + 14, head, sizeof(head));
	net_put_be16(g->frame + 26, f->len);
	g->frame[28] = 10;
	net_put_be16(g->frame + 30, at);
	return 60;
}

static size_t (*const make[N_FLOODS])(struct net_guest *g, const struct flood *f, uint16_t at) = {
	[FLOOD_SEGMENT] = net_guest_segment,   [FLOOD_SYN] = net_guest_first_syn,
	[FLOOD_DATAGRAM] = net_guest_datagram, [FLOOD_FRAGMENT] = net_guest_fragment,
	[FLOOD_ECHO] = net_guest_echo,         [FLOOD_DHCP] = net_guest_dhcp,
	[FLOOD_ARP] = net_guest_arp,
};

/* Small numbers come most often; the largest size once in a run. */
static unsigned read_size(struct net_guest *g, uint8_t n)
{
	unsigned size = 1u << 2 * (n % 8);

	if (size >= LARGE && g->large++)
		return 16;
	return size;
}

/* Mostly short ones: more of them have room. */
static uint16_t read_len(uint8_t n)
{
	return (uint16_t)(n < 16 ? n : n * 97u % (DATA_MAX + 1));
}

void net_guest_flood(struct net_guest *g, struct input *in, net_guest_send_fn send, void *arg)
{
	struct flood f = { .kind = in8(in) % COUNT_OF_KINDS };
	unsigned flow = in8(in);
	int step;

	f.kind = f.kind < N_FLOODS ? f.kind : FLOOD_SEGMENT; /* there is most to be had */
	f.flow = flow < NET_GUEST_FLOWS / 2 ? g->last : flow % NET_GUEST_FLOWS;
	f.n = read_size(g, in8(in));
	f.at = in16(in);
	step = in8(in);
	f.step = (uint16_t)(step & 1 ? -(step + 1) : step); /* downwards, every other */
	f.len = read_len(in8(in));
	f.flags = in8(in);
	trace("guest: %u packets of kind %u, flow %u, %u bytes, from %u in steps of %u", f.n,
	      f.kind, f.flow, f.len, f.at, f.step);
	memset(g->frame, 0, 2ul * DATA_MAX);
	for (unsigned i = 0; i < f.n; i++)
		send(arg, g->frame, make[f.kind](g, &f, (uint16_t)(f.at + i * f.step)));
}
