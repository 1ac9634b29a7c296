/*
 * Attacks on a user network (backend=user). Connections go to a port of the host that leads back to
 * us: the test gives it as hostfwd=tcp:127.0.0.1:PORT-:22, and here as port=PORT.
 */
#include "guest-fw/hostile.h"

enum { RX, TX, N_QUEUES };
enum { SYN = 2, ACK = 16 };

#define QUEUE    256u
#define HEADER   12u /* of virtio, before each frame */
#define FRAME    1514u
#define BUFFERS  64u
#define LEN      55u /* Ethernet, IP, TCP, and at most one byte */
#define TCP_AT   34u
#define PATIENCE 2000u /* frames, until one is the answer */

#define HOLES       30000u
#define CONNECTIONS 1100u
#define FIRST_PORT  1024u
#define FIRST_SEQ   100u

struct net {
	struct virtio *v;
	unsigned port;
	uint8_t *out; /* BUFFERS of HEADER + FRAME, a page each */
	unsigned n_out;
};

static const uint8_t our_ip[] = { 10, 0, 2, 15 }, host_ip[] = { 10, 0, 2, 2 };

static void hostile_net_put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void hostile_net_put32(uint8_t *at, uint32_t value)
{
	hostile_net_put16(at, value >> 16);
	hostile_net_put16(at + 2, value & 0xffff);
}

static uint32_t hostile_net_get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static unsigned hostile_net_sum(unsigned sum, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i += 2)
		sum += (unsigned)bytes[i] << 8 | (i + 1 < n ? bytes[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Waits until the device has taken all. */
static void hostile_net_flush(struct net *net)
{
	struct queue *q = net->v->queue[TX];
	uint32_t len;
	void *cookie;

	queue_kick(q);
	for (; net->n_out; net->n_out--)
		if (!queue_wait(q, &cookie, &len))
			fw_panic(net->v->why);
}

/* A segment to the host, with @n bytes of data, 0 or 1; in what order is all that matters. */
static void hostile_net_send(struct net *net, unsigned port, unsigned flags, uint32_t seq,
			     uint32_t ack, unsigned n)
{
	uint8_t *page = net->out + (size_t)net->n_out * 4096, *f = page + HEADER, *tcp = f + TCP_AT;
	struct drv_buf bufs[] = { buf_of(page, HEADER), buf_of(f, LEN - 1 + n) };

	__builtin_memset(page, 0, HEADER + LEN);
	for (unsigned i = 0; i < 6; i++)
		f[6 + i] = (uint8_t)virtio_config_read(&net->v->dev, i, 1);
	hostile_net_put16(f + 12, 0x0800);
	f[14] = 0x45;
	hostile_net_put16(f + 16, 40 + n);
	f[22] = 64; /* hops */
	f[23] = 6;  /* TCP */
	__builtin_memcpy(f + 26, our_ip, 4);
	__builtin_memcpy(f + 30, host_ip, 4);
	hostile_net_put16(f + 24, ~hostile_net_sum(0, f + 14, 20) & 0xffff);
	hostile_net_put16(tcp, port);
	hostile_net_put16(tcp + 2, net->port);
	hostile_net_put32(tcp + 4, seq);
	hostile_net_put32(tcp + 8, ack);
	tcp[12] = 0x50;
	tcp[13] = (uint8_t)flags;
	hostile_net_put16(tcp + 14, 65535);
	hostile_net_put16(tcp + 16,
			  ~hostile_net_sum(hostile_net_sum(6 + 20 + n, f + 26, 8), tcp, 20 + n) &
				  0xffff);
	if (!queue_add(net->v->queue[TX], bufs, 2, 0, page))
		fw_panic("no room to send");
	if (++net->n_out == BUFFERS)
		hostile_net_flush(net);
}

/* The sequence number of the host's answer to a SYN from @port. */
static uint32_t hostile_net_await_syn_ack(struct net *net, unsigned port)
{
	struct queue *q = net->v->queue[RX];
	uint32_t len, seq;
	uint8_t *at;

	for (unsigned i = 0; i < PATIENCE; i++) {
		if (!queue_wait(q, (void **)&at, &len))
			fw_panic(net->v->why);
		seq = hostile_net_get32(at + HEADER + TCP_AT + 4);
		if (at[HEADER + 23] == 6 && at[HEADER + TCP_AT + 13] == (SYN | ACK) &&
		    (at[HEADER + TCP_AT + 2] << 8 | at[HEADER + TCP_AT + 3]) == (int)port)
			return seq;
		if (!queue_give(q, at, HEADER + FRAME))
			fw_panic(net->v->why);
		queue_kick(q);
	}
	fw_panic("the host does not answer");
}

static struct net hostile_net_begin(struct virtio *v)
{
	struct net net = { .v = v,
			   .port = (unsigned)fw_option_number("port", 0),
			   .out = fw_take((size_t)BUFFERS * 4096) };
	uint8_t *in = fw_take((size_t)BUFFERS * 4096);

	if (!queue_give_all(v->queue[RX], in, BUFFERS, 4096, HEADER + FRAME))
		fw_panic(v->why);
	return net;
}

static _Noreturn void hostile_net_stay(void)
{
	for (;;)
		fw_relax();
}

/* Bytes at odd offsets, from the far end of the region down. */
static const char *hostile_net_holes(struct virtio *v)
{
	struct net net = hostile_net_begin(v);
	uint32_t ack;

	hostile_net_send(&net, FIRST_PORT, SYN, FIRST_SEQ, 0, 0);
	hostile_net_flush(&net);
	ack = hostile_net_await_syn_ack(&net, FIRST_PORT) + 1;
	hostile_net_send(&net, FIRST_PORT, ACK, FIRST_SEQ + 1, ack, 0);
	for (unsigned i = HOLES; i > 0; i--)
		hostile_net_send(&net, FIRST_PORT, ACK, FIRST_SEQ + 2 + 2 * i, ack, 1);
	hostile_net_flush(&net);
	say("hostile: %u bytes, and as many holes\n", HOLES);
	hostile_net_stay();
}

/* As many connections as it takes; and again, after a reset of the machine. */
static const char *hostile_net_connections(struct virtio *v)
{
	struct net net = hostile_net_begin(v);

	for (unsigned i = 0; i < CONNECTIONS; i++)
		hostile_net_send(&net, FIRST_PORT + i, SYN, FIRST_SEQ, 0, 0);
	hostile_net_flush(&net);
	say("hostile: %u connections, then a reset\n", CONNECTIONS);
	machine_reset();
}

const struct attack net_attacks[] = {
	{ "net-holes", 1, 0, N_QUEUES, QUEUE, hostile_net_holes },
	{ "net-connections", 1, 0, N_QUEUES, QUEUE, hostile_net_connections },
	{ 0 },
};
