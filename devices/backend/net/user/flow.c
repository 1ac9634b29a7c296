#include "devices/backend/net/user/flow.h"

#include <string.h>

/* of a packet buffer: its header, room before the packet, the allocator's */
#define OVERHEAD 384u
#define ECHO4    8u /* ICMP: the one that libslirp opens a socket for */

/*
 * The tables.
 */
static guint net_flow_hash_key(gconstpointer key)
{
	const uint8_t *p = key;
	guint h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < sizeof(struct net_flow_key); i++)
		h = (h ^ p[i]) * 16777619u;
	return h;
}

static gboolean net_flow_same_key(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, sizeof(struct net_flow_key)) == 0;
}
G_STATIC_ASSERT(sizeof(struct net_flow_key) == 38); /* no padding */

void net_flows_init(struct net_flows *f, unsigned max, unsigned mtu)
{
	*f = (struct net_flows){ .max = max, .buffer = mtu + OVERHEAD };
	f->by_fd = g_hash_table_new_full(g_int_hash, g_int_equal, NULL, g_free);
	f->by_key = g_hash_table_new(net_flow_hash_key, net_flow_same_key);
	f->listening = g_array_new(FALSE, FALSE, sizeof(struct net_flow_key));
}

void net_flows_free(struct net_flows *f)
{
	g_clear_pointer(&f->by_key, g_hash_table_unref);
	g_clear_pointer(&f->by_fd, g_hash_table_unref);
	g_clear_pointer(&f->listening, g_array_unref);
}

unsigned net_flows_count(const struct net_flows *f)
{
	return g_hash_table_size(f->by_fd);
}

bool net_flows_full(const struct net_flows *f)
{
	return net_flows_count(f) >= f->max;
}

/* Datagrams' sockets stay for minutes after the last one: connections keep a part for themselves.
 */
static bool net_flow_full_of_datagrams(const struct net_flows *f)
{
	return net_flows_full(f) || f->n_datagram >= f->max - f->max / 4;
}

struct net_flow *net_flows_of(const struct net_flows *f, int fd)
{
	return g_hash_table_lookup(f->by_fd, &fd);
}

/* Of a packet that the guest sends (@out) or receives. */
static struct net_flow_key net_flow_key_of(const struct net_packet *p, bool out)
{
	struct net_flow_key key = { .version = (uint8_t)p->version,
				    .protocol = (uint8_t)p->protocol,
				    .guest_port = out ? p->sport : p->dport };

	memcpy(key.guest, out ? p->src : p->dst, sizeof(key.guest));
	if (p->protocol == NET_TCP) {
		key.peer_port = out ? p->dport : p->sport;
		memcpy(key.peer, out ? p->dst : p->src, sizeof(key.peer));
	}
	return key;
}

static struct net_flow *net_flow_lookup(const struct net_flows *f, const struct net_flow_key *key)
{
	return g_hash_table_lookup(f->by_key, key);
}

/*
 * Segments out of order.
 */
static void net_flow_release(struct net_flows *f, struct net_flow *flow)
{
	f->held -= flow->held;
	flow->held = flow->n_held = 0;
}

static bool net_flow_hold(struct net_flows *f, struct net_flow *flow, const struct net_packet *p,
			  size_t *ret_bytes)
{
	uint32_t end = p->seq + (uint32_t)p->len;
	size_t bytes = f->buffer + (p->end > f->buffer - OVERHEAD ? p->end + OVERHEAD : 0);

	if (flow->acked && (int32_t)(p->seq - flow->ack) <= 0)
		return true;
	if (flow->n_held >= NET_FLOW_HELD_EACH || f->held + bytes > NET_FLOW_HELD)
		return false;
	if (!flow->n_held || (int32_t)(end - flow->held_end) > 0)
		flow->held_end = end;
	flow->n_held++;
	flow->held += bytes;
	f->held += bytes;
	*ret_bytes = bytes;
	return true;
}

/*
 * Packets of the guest.
 */
static bool net_flow_open_one(struct net_flows *f, const struct net_packet *p, bool room,
			      size_t *ret_bytes)
{
	if (!room)
		return false;
	f->opening = p;
	*ret_bytes = NET_FLOW_SOCKET;
	return true;
}

static bool net_flow_admit_tcp(struct net_flows *f, const struct net_packet *p, size_t *ret_bytes)
{
	struct net_flow_key key = net_flow_key_of(p, true);
	struct net_flow *flow = net_flow_lookup(f, &key);

	if (flow) {
		memcpy(flow->mac, p->mac, sizeof(flow->mac));
		flow->heard = true;
	}
	/* Data with a SYN would be kept until the peer has answered; it comes again without. */
	if (p->flags & NET_SYN && p->len)
		return false;
	if ((p->flags & (NET_SYN | NET_FIN | NET_RST | NET_ACK)) == NET_SYN) /* may replace one */
		return net_flow_open_one(f, p, flow || !net_flows_full(f), ret_bytes);
	if (!flow || (!p->len && !(p->flags & NET_FIN)))
		return true;
	return net_flow_hold(f, flow, p, ret_bytes);
}

static bool net_flow_is_listening(const struct net_flows *f, const struct net_flow_key *key)
{
	for (guint i = 0; i < f->listening->len; i++)
		if (net_flow_same_key(&g_array_index(f->listening, struct net_flow_key, i), key))
			return true;
	return false;
}

static bool net_flow_admit_udp(struct net_flows *f, const struct net_packet *p, size_t *ret_bytes)
{
	struct net_flow_key key = net_flow_key_of(p, true);
	struct net_flow *flow = net_flow_lookup(f, &key);

	if (!flow)
		return net_flow_is_listening(f, &key) ||
		       net_flow_open_one(f, p, !net_flow_full_of_datagrams(f), ret_bytes);
	memcpy(flow->mac, p->mac, sizeof(flow->mac));
	return true;
}

bool net_flows_admit(struct net_flows *f, const struct net_packet *p, size_t *ret_bytes)
{
	*ret_bytes = 0;
	f->opening = NULL;
	if (p->version && p->protocol == NET_TCP)
		return net_flow_admit_tcp(f, p, ret_bytes);
	if (p->version && p->protocol == NET_UDP)
		return net_flow_admit_udp(f, p, ret_bytes);
	if (p->version == 4 && p->protocol == NET_ICMP && p->icmp == ECHO4)
		return net_flow_open_one(f, p, !net_flow_full_of_datagrams(f), ret_bytes);
	return true;
}

void net_flows_admitted(struct net_flows *f)
{
	f->opening = NULL;
}

/*
 * Sockets.
 */
void net_flows_opened(struct net_flows *f, int fd, const struct net_flow_key *key)
{
	const struct net_packet *p = f->opening;
	struct net_flow *flow;

	if (fd < 0)
		return;
	net_flows_closed(f, fd);
	flow = g_new0(struct net_flow, 1);
	flow->fd = fd;
	if (key) {
		flow->key = *key;
		flow->from_host = true;
		flow->version = key->version;
		memcpy(flow->guest, key->guest, sizeof(flow->guest));
	} else if (p) {
		if (p->protocol != NET_ICMP)
			flow->key = net_flow_key_of(p, true);
		flow->heard = true;
		flow->version = p->version;
		memcpy(flow->guest, p->src, sizeof(flow->guest));
		memcpy(flow->mac, p->mac, sizeof(flow->mac));
	}
	f->n_datagram += flow->key.protocol != NET_TCP;
	g_hash_table_insert(f->by_fd, &flow->fd, flow);
	if (flow->key.version)
		g_hash_table_replace(f->by_key, &flow->key, flow);
}

void net_flows_closed(struct net_flows *f, int fd)
{
	struct net_flow *flow = net_flows_of(f, fd);

	if (!flow)
		return;
	net_flow_release(f, flow);
	f->n_datagram -= flow->key.protocol != NET_TCP;
	if (net_flow_lookup(f, &flow->key) == flow)
		g_hash_table_remove(f->by_key, &flow->key);
	g_hash_table_remove(f->by_fd, &fd);
}

/*
 * Packets to the guest.
 */
void net_flows_sent(struct net_flows *f, const struct net_packet *p)
{
	struct net_flow_key key;
	struct net_flow *flow;

	/* A reset acknowledges whatever the guest said. */
	if (!p->version || p->protocol != NET_TCP || !p->at || p->flags & NET_RST)
		return;
	key = net_flow_key_of(p, false);
	flow = net_flow_lookup(f, &key);
	if (!flow)
		return;
	flow->began = true;
	flow->seq = p->seq + (uint32_t)p->len + !!(p->flags & NET_SYN) + !!(p->flags & NET_FIN);
	if (!(p->flags & NET_ACK) || (flow->acked && (int32_t)(p->ack - flow->ack) < 0))
		return;
	flow->acked = true;
	flow->ack = p->ack;
	if (flow->n_held && (int32_t)(flow->held_end - flow->ack) <= 0)
		net_flow_release(f, flow);
}

bool net_flow_reset(const struct net_flow *flow, struct net_packet *ret)
{
	const struct net_flow_key *key = &flow->key;

	if (key->protocol != NET_TCP || !flow->began)
		return false;
	*ret = (struct net_packet){
		.version = key->version,
		.protocol = NET_TCP,
		.sport = key->guest_port,
		.dport = key->peer_port,
		.flags = NET_RST | NET_ACK,
		.seq = flow->ack,
		.ack = flow->seq,
	};
	memcpy(ret->src, key->guest, sizeof(ret->src));
	memcpy(ret->dst, key->peer, sizeof(ret->dst));
	memcpy(ret->mac, flow->mac, sizeof(ret->mac));
	return true;
}
