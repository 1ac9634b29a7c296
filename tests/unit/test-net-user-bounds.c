/*
 * What a hostile guest can make the user network keep: memory and descriptors have bounds, and
 * within them all goes on. libslirp is the real one; the guest is frames made by hand.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/net-frames.h"
#include "tests/support/open-files.h"

#define HOST  0x0a000202u
#define GUEST 0x0a00020fu
#define SITE  0xfec0u /* IPv6: the guest's network; the host is ::2 */
#define FIN   1u
#define SYN   2u
#define RST   4u
#define ACK   16u
#define TCP   6u
#define UDP   17u
#define MIB   ((size_t)1 << 20)

/* A connection's two buffers, and what comes with them (see devices/backend/net/user/flow.h, which
 * is not asked here). */
#define CONNECTION ((size_t)272 << 10)
#define KEPT_MAX   (20 * MIB) /* of segments */
#define SOCKETS    1024u

static struct loop *loop;
static uint8_t frame[NET_FRAME_MAX];
static uint8_t zeroes[NET_FRAME_MAX];

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN); /* as in the program */
	loop = loop_main();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static size_t arp(uint8_t *at, uint32_t address, uint8_t mac)
{
	static const uint8_t head[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 2 };
	uint32_t from = htonl(address);

	memset(at, 0, 60);
	memcpy(at + 6, mac_guest, 6);
	memcpy(at + 12, head, sizeof(head));
	memcpy(at + 22, mac_guest, 6);
	at[27] = mac;
	memcpy(at + 28, &from, 4);
	return 60;
}

/* Tells whose the guest's IPv6 address is. An advertisement's checksum is where UDP has its
 * destination. */
static size_t advertise(uint8_t *at)
{
	uint8_t target[16] = { SITE >> 8, SITE & 0xff, [15] = 0x15 };
	struct packet p = { .version = 6,
			    .protocol = 58,
			    .net6 = SITE,
			    .src = 0x15,
			    .dst = 2,
			    .sport = 136 << 8,
			    .payload = target,
			    .len = sizeof(target) };
	size_t len = frame_packet(at, &p);

	at[21] = 255; /* hops */
	memcpy(at + 56, at + 60, 2);
	memset(at + 60, 0, 2);
	return len;
}

static void open_net(struct rec *r, GPtrArray *hostfwd)
{
	struct net_options opt = { .kind = NET_USER, .n_channels = 1, .hostfwd = hostfwd };
	GError *err = NULL;

	assert_true(rec_open(r, &opt, loop, &err));
	assert_null(err);
	r->be->ops->receive(r->be, 0, true);
	assert_int_equal(rec_send(r, frame, arp(frame, GUEST, 1)), 0);
	assert_int_equal(rec_send(r, frame, advertise(frame)), 0);
}

/*
 * Measures.
 */

/* The sanitizers' allocator knows; without them it is not there. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
	struct mallinfo2 info;

	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

/*
 * The guest.
 */
static void forget(struct rec *r)
{
	do {
		rec_forget(r);
		r->be->ops->receive(r->be, 0, true); /* those that found no room */
	} while (r->n);
}

static void send_packet(struct rec *r, const struct packet *p)
{
	assert_int_equal(rec_send(r, frame, frame_packet(frame, p)), 0);
	if (r->n > REC_FRAMES / 2)
		forget(r);
}

struct peer { /* of the host, for one connection */
	int listener, fd;
	struct packet p; /* what the guest sends: ready for data at p.seq */
};

static uint16_t listen_on(struct peer *peer, int family)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	bool v4 = family == AF_INET;
	struct sockaddr *sa = v4 ? (struct sockaddr *)&sin : (struct sockaddr *)&sin6;
	socklen_t len = v4 ? sizeof(sin) : sizeof(sin6);

	peer->listener = socket(family, SOCK_STREAM, 0);
	peer->fd = -1;
	assert_int_equal(bind(peer->listener, sa, len), 0);
	assert_int_equal(listen(peer->listener, 4096), 0);
	assert_int_equal(getsockname(peer->listener, sa, &len), 0);
	return ntohs(v4 ? sin.sin_port : sin6.sin6_port);
}

static bool is_syn_ack(const struct rec_frame *f, const struct packet *p)
{
	size_t th;

	if (f->data[12] != (p->version == 4 ? 0x08 : 0x86) || f->len < 54)
		return false;
	if (f->data[p->version == 4 ? 23 : 20] != TCP)
		return false;
	th = frame_transport(f->data);
	return (f->data[th + 13] & (SYN | ACK)) == (SYN | ACK) &&
	       (f->data[th + 2] << 8 | f->data[th + 3]) == p->sport;
}

static uint32_t await_syn_ack(struct rec *r, const struct packet *p)
{
	for (unsigned i = 0;; i++) {
		const uint8_t *f;
		uint32_t seq;

		rec_await(r, i + 1);
		f = r->frame[i].data;
		if (!is_syn_ack(&r->frame[i], p))
			continue;
		memcpy(&seq, f + frame_transport(f) + 4, 4);
		return ntohl(seq);
	}
}

static void connect_guest(struct rec *r, struct peer *peer, unsigned version, uint16_t sport)
{
	peer->p = (struct packet){ .version = version,
				   .protocol = TCP,
				   .net6 = SITE,
				   .src = version == 4 ? GUEST : 0x15,
				   .dst = version == 4 ? HOST : 2,
				   .sport = sport,
				   .tcp_flags = SYN,
				   .seq = 100 };
	peer->p.dport = listen_on(peer, version == 4 ? AF_INET : AF_INET6);
	forget(r);
	send_packet(r, &peer->p);
	peer->p.ack = await_syn_ack(r, &peer->p) + 1;
	peer->p.tcp_flags = ACK;
	peer->p.seq = 101;
	send_packet(r, &peer->p);
	peer->fd = accept(peer->listener, NULL, NULL);
	assert_true(peer->fd >= 0);
}

static void disconnect(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	close(peer->listener);
}

/* @n bytes that the guest sent, value by value. */
static void expect_bytes(struct rec *r, struct peer *peer, size_t n)
{
	static uint8_t got[65536];
	size_t done = 0;

	for (gint64 end = g_get_monotonic_time() + 20ll * G_USEC_PER_SEC; done < n;) {
		ssize_t len = recv(peer->fd, got + done, n - done, MSG_DONTWAIT);

		assert_true(len > 0 || (len < 0 && errno == EAGAIN));
		done += len > 0 ? (size_t)len : 0;
		g_main_context_iteration(NULL, FALSE);
		assert_true(g_get_monotonic_time() < end);
		if (r->n > REC_FRAMES / 2)
			forget(r);
	}
	for (size_t i = 0; i < n; i++)
		assert_int_equal(got[i], (uint8_t)(i * 7));
}

/*
 * Segments out of order.
 */

/* Bytes at odd offsets, from the far end of the region down: none is the next one. */
static void send_holes(struct rec *r, const struct peer *peer)
{
	for (unsigned at = 60001; at >= 3; at -= 2) {
		struct packet p = peer->p;
		uint8_t byte = (uint8_t)(at * 7);

		p.seq += at;
		p.payload = &byte;
		p.len = 1;
		send_packet(r, &p);
	}
}

static void holes(unsigned version)
{
	struct peer peer[4];
	uint8_t bytes[1000];
	size_t before;
	struct rec r;

	open_net(&r, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(peer); i++)
		connect_guest(&r, &peer[i], version, (uint16_t)(2000 + i));
	before = allocated();
	for (size_t i = 0; i < G_N_ELEMENTS(peer); i++)
		send_holes(&r, &peer[i]);
	assert_in_range(allocated(), 0, before + KEPT_MAX);
	for (size_t at = 0; at < 60000; at += sizeof(bytes)) { /* the holes are filled */
		struct packet p = peer[3].p;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)((at + i) * 7);
		p.seq += (uint32_t)at;
		p.payload = bytes;
		p.len = sizeof(bytes);
		send_packet(&r, &p);
	}
	expect_bytes(&r, &peer[3], 60000);
	rec_close(&r);
	for (size_t i = 0; i < G_N_ELEMENTS(peer); i++)
		disconnect(&peer[i]);
}

static void segments_out_of_order_are_few(void **state)
{
	(void)state;
	holes(4);
}

static void segments_out_of_order_are_few_on_ipv6(void **state)
{
	(void)state;
	holes(6);
}

/* They have no bytes that could overlap. */
static void ends_out_of_order_are_few(void **state)
{
	struct peer peer;
	struct packet p;
	size_t before;
	struct rec r;

	(void)state;
	open_net(&r, NULL);
	connect_guest(&r, &peer, 4, 2000);
	before = allocated();
	p = peer.p;
	p.tcp_flags = FIN | ACK;
	p.seq += 1000;
	for (unsigned i = 0; i < 20000; i++)
		send_packet(&r, &p);
	assert_in_range(allocated(), 0, before + KEPT_MAX);
	rec_close(&r);
	disconnect(&peer);
}

/* What a few lost frames leave behind is kept, so that they alone are sent again. */
static void a_lost_segment_costs_itself_alone(void **state)
{
	uint8_t bytes[1400];
	struct peer peer;
	struct rec r;

	(void)state;
	open_net(&r, NULL);
	connect_guest(&r, &peer, 4, 2000);
	for (unsigned i = 1; i <= 40; i++) {
		unsigned at = i % 40; /* the first one last */
		struct packet p = peer.p;

		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)((at * sizeof(bytes) + k) * 7);
		p.seq += (uint32_t)(at * sizeof(bytes));
		p.payload = bytes;
		p.len = sizeof(bytes);
		send_packet(&r, &p);
	}
	expect_bytes(&r, &peer, 40 * sizeof(bytes));
	rec_close(&r);
	disconnect(&peer);
}

/* A request to connect waits in libslirp until the peer has answered: with all that came in it. */
static void data_in_a_syn_is_not_kept(void **state)
{
	struct packet p = { .version = 4,
			    .protocol = TCP,
			    .src = GUEST,
			    .dst = HOST,
			    .tcp_flags = SYN,
			    .payload = zeroes,
			    .len = 60000 };
	struct peer peer;
	size_t before;
	struct rec r;

	(void)state;
	open_net(&r, NULL);
	p.dport = listen_on(&peer, AF_INET);
	before = allocated();
	for (unsigned i = 0; i < 500; i++) {
		p.sport = (uint16_t)(1000 + i);
		send_packet(&r, &p);
	}
	assert_in_range(allocated(), 0, before + 500 * CONNECTION);
	rec_close(&r);
	disconnect(&peer);
}

/*
 * Fragments.
 */

/* Bytes [@at, @at + @len) of the payload of @p, the frame built by frame_packet(). */
static void send_fragment(struct rec *r, const uint8_t *whole, size_t payload, size_t at,
			  size_t len, uint16_t id)
{
	static uint8_t part[NET_FRAME_MAX];
	bool more = at + len < payload;
	uint32_t sum = 0;

	memcpy(part, whole, 34);
	memcpy(part + 34, whole + 34 + at, len);
	part[16] = (uint8_t)((20 + len) >> 8);
	part[17] = (uint8_t)(20 + len);
	part[18] = (uint8_t)(id >> 8);
	part[19] = (uint8_t)id;
	part[20] = (uint8_t)((more ? 0x20 : 0) | at / 8 >> 8);
	part[21] = (uint8_t)(at / 8);
	part[24] = part[25] = 0;
	for (unsigned i = 14; i < 34; i += 2)
		sum += (uint32_t)part[i] << 8 | part[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	part[24] = (uint8_t)(sum >> 8);
	part[25] = (uint8_t)sum;
	assert_int_equal(rec_send(r, part, 34 + len), 0);
}

static void fragments_are_few(void **state)
{
	struct packet p = { .version = 4,
			    .protocol = UDP,
			    .src = GUEST,
			    .dst = HOST,
			    .dport = 9,
			    .payload = zeroes,
			    .len = 60000 };
	static uint8_t whole[NET_FRAME_MAX];
	size_t before;
	struct rec r;

	(void)state;
	open_net(&r, NULL);
	(void)frame_packet(whole, &p);
	before = allocated();
	for (unsigned i = 0; i < 2000; i++)
		send_fragment(&r, whole, 60008, 0, 48000, (uint16_t)i);
	assert_in_range(allocated(), 0, before + 2 * MIB);
	rec_close(&r);
}

static void a_datagram_in_fragments_arrives(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static uint8_t whole[NET_FRAME_MAX], data[8992], got[10000];
	struct packet p = { .version = 4,
			    .protocol = UDP,
			    .src = GUEST,
			    .dst = HOST,
			    .payload = data,
			    .len = sizeof(data) };
	static const size_t order[] = { 3000, 7504, 0, 0, 1504, 6000, 4504 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(sin);
	struct rec r;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + (i >> 8));
	p.dport = ntohs(sin.sin_port);
	(void)frame_packet(whole, &p);
	open_net(&r, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(order); i++)
		send_fragment(&r, whole, 9000, order[i], order[i] % 3000 == 1504 ? 1496 : 1504, 7);
	rec_wait_idle(&r);
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), sizeof(data));
	assert_memory_equal(got, data, sizeof(data));
	close(fd);
	rec_close(&r);
}

/*
 * Packets that wait for an address.
 */
static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Asks the host for an echo, from whatever address: libslirp answers by itself. */
static size_t echo(uint32_t src, size_t len)
{
	struct packet p = { .version = 4,
			    .protocol = UDP,
			    .src = src,
			    .dst = HOST,
			    .payload = zeroes,
			    .len = len };
	size_t n = frame_packet(frame, &p);
	uint32_t sum = 0;

	frame[23] = 1; /* ICMP: the header's checksum changes by as much */
	for (unsigned i = 14; i < 34; i += 2)
		sum += i == 24 ? 0 : (uint32_t)frame[i] << 8 | frame[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(frame + 24, ~(sum + (sum >> 16)) & 0xffff);
	memset(frame + 34, 0, 8);
	frame[34] = 8;
	put16(frame + 36, 0xffff - 0x0800); /* of zeroes */
	return n;
}

static void answers_do_not_wait_for_addresses(void **state)
{
	size_t before;
	struct rec r;

	(void)state;
	open_net(&r, NULL);
	assert_int_equal(rec_send(&r, frame, echo(GUEST, 100)), 0);
	assert_int_equal(r.frame[r.n - 1].data[23], 1);
	before = allocated();
	for (uint32_t i = 0; i < 2000; i++) {
		assert_int_equal(rec_send(&r, frame, echo(GUEST + 1 + i, 30000)), 0);
		forget(&r);
	}
	assert_in_range(allocated(), 0, before + MIB);
	rec_close(&r);
}

/* libslirp sends one packet of a connection's at a time to an address that it looks for: all that
 * the guest makes it answer then waits behind it. */
static void acknowledgements_do_not_wait_for_addresses(void **state)
{
	struct peer peer;
	struct packet p;
	size_t before;
	struct rec r;

	(void)state;
	open_net(&r, NULL);
	connect_guest(&r, &peer, 4, 2000);
	for (uint32_t i = 1; i <= 32; i++) /* it remembers sixteen */
		assert_int_equal(rec_send(&r, frame, arp(frame, GUEST + i, (uint8_t)i)), 0);
	before = allocated();
	p = peer.p;
	p.seq -= 1; /* again: it is acknowledged each time */
	p.payload = zeroes;
	p.len = 1;
	for (unsigned i = 0; i < 50000; i++)
		send_packet(&r, &p);
	assert_in_range(allocated(), 0, before + MIB);
	rec_close(&r);
	disconnect(&peer);
}

/*
 * DHCP.
 */
static void discover(struct rec *r, unsigned n)
{
	uint8_t request[300] = { 1, 1, 6 };
	static const uint8_t options[] = { 99, 130, 83, 99, 53, 1, 1, 255 };
	struct packet p = { .version = 4,
			    .protocol = UDP,
			    .dst = 0xffffffff,
			    .sport = 68,
			    .dport = 67,
			    .payload = request,
			    .len = sizeof(request) };

	memcpy(request + 28, mac_guest, 6);
	put16(request + 32, n);
	memcpy(request + 236, options, sizeof(options));
	send_packet(r, &p);
}

static bool was_offered(const struct rec *r)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->frame[i].data[23] == UDP && r->frame[i].data[37] == 68)
			return true;
	return false;
}

static void answers_that_cannot_be_given_leave_nothing(void **state)
{
	size_t before;
	struct rec r;

	(void)state;
	open_net(&r, NULL);
	for (unsigned i = 0; i < 16; i++) {
		forget(&r);
		discover(&r, i);
		assert_true(was_offered(&r));
	}
	before = allocated();
	for (unsigned i = 16; i < 30000; i++)
		discover(&r, i);
	assert_in_range(allocated(), 0, before + MIB);
	forget(&r);
	discover(&r, 3); /* has its address, and keeps it */
	assert_true(was_offered(&r));
	rec_close(&r);
}

/*
 * Descriptors.
 */
static void send_datagrams(struct rec *r, unsigned n)
{
	struct packet p = { .version = 4,
			    .protocol = UDP,
			    .src = GUEST,
			    .dst = HOST,
			    .dport = 9,
			    .payload = zeroes,
			    .len = 10 };

	for (unsigned i = 0; i < n; i++) {
		p.sport = (uint16_t)(1000 + i);
		send_packet(r, &p);
	}
}

static void send_syns(struct rec *r, uint16_t port, unsigned n)
{
	struct packet p = { .version = 4,
			    .protocol = TCP,
			    .src = GUEST,
			    .dst = HOST,
			    .dport = port,
			    .tcp_flags = SYN };

	for (unsigned i = 0; i < n; i++) {
		p.sport = (uint16_t)(10000 + i);
		send_packet(r, &p);
		if (i % 64 == 0)
			g_main_context_iteration(NULL, FALSE);
	}
}

static void sockets_have_a_limit_and_connections_a_part_of_it(void **state)
{
	unsigned before;
	struct peer peer;
	struct rec r;

	(void)state;
	open_net(&r, NULL);
	before = open_files();
	send_datagrams(&r, 3000);
	assert_in_range(open_files(), before + 100, before + SOCKETS);
	connect_guest(&r, &peer, 4, 2000);
	send_syns(&r, peer.p.dport, 3000);
	assert_in_range(open_files(), before + 100, before + 2 + SOCKETS);
	rec_close(&r);
	disconnect(&peer);
}

static void connections_end_when_the_machine_begins_anew(void **state)
{
	struct peer peer[3], flood;
	unsigned before;
	uint16_t port;
	uint8_t byte;
	struct rec r;

	(void)state;
	open_net(&r, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(peer); i++)
		connect_guest(&r, &peer[i], i == 2 ? 6 : 4, (uint16_t)(2000 + i));
	send_holes(&r, &peer[0]);
	assert_int_equal(send(peer[1].fd, "x", 1, 0), 1); /* nobody will acknowledge it */
	rec_wait_idle(&r);
	before = open_files();
	port = listen_on(&flood, AF_INET);
	send_syns(&r, port, 3000);
	rec_wait_idle(&r);
	assert_in_range(open_files(), before + 500, before + 1 + SOCKETS);
	send_syns(&r, port, 100); /* they may be connecting still */

	r.be->ops->receive(r.be, 0, false);
	if (r.be->ops->restart)
		r.be->ops->restart(r.be);
	rec_wait_idle(&r);
	assert_int_equal(open_files(), before + 1 - G_N_ELEMENTS(peer));
	for (unsigned i = 0; i < G_N_ELEMENTS(peer); i++) {
		ssize_t n = recv(peer[i].fd, &byte, 1, MSG_DONTWAIT);

		assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
		disconnect(&peer[i]);
	}
	r.be->ops->receive(r.be, 0, true);
	connect_guest(&r, &peer[0], 4, 2000); /* the new guest, from the same port */
	disconnect(&peer[0]);
	disconnect(&flood);
	rec_close(&r);
}

/*
 * Memory that is not there. The process is another one: what fails here ends it.
 */

static size_t data_size(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	assert_true(f && fscanf(f, "%*u %*u %*u %*u %*u %lu", &pages) == 1);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void use_up_memory(void)
{
	struct peer peer;
	struct rlimit limit;
	uint16_t port;
	struct rec r;

	open_net(&r, NULL);
	port = listen_on(&peer, AF_INET);
	limit.rlim_cur = limit.rlim_max = data_size() + 64 * MIB;
	assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
	send_syns(&r, port, 1000); /* their buffers are four times as large */
	assert_in_range(open_files(), 50, 300);
}

static void without_memory_nothing_more_is_kept(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		use_up_memory();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/*
 * Ports of the host.
 */
#define CLIENTS 40u

static uint16_t forward(GPtrArray *list)
{
	struct peer peer;
	uint16_t port = listen_on(&peer, AF_INET);

	disconnect(&peer); /* it is free */
	g_ptr_array_add(list, g_strdup_printf("tcp:127.0.0.1:%u-:22", port));
	return port;
}

static int connect_host(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				   .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	(void)connect(fd, (struct sockaddr *)&sin, sizeof(sin));
	return fd;
}

/* Turns of the loop in half a second. */
static unsigned turns(struct rec *r)
{
	gint64 end = g_get_monotonic_time() + G_USEC_PER_SEC / 2;
	unsigned n = 0;

	(void)r;
	for (; g_get_monotonic_time() < end; n++)
		if (!g_main_context_iteration(NULL, FALSE))
			g_usleep(1000), n--;
	return n;
}

static bool is_syn(const struct rec_frame *f)
{
	return f->data[12] == 8 && f->data[13] == 0 && f->data[23] == TCP &&
	       (f->data[47] & (SYN | ACK)) == SYN;
}

static bool has_syn(const struct rec *r)
{
	for (unsigned i = 0; i < r->n; i++)
		if (is_syn(&r->frame[i]))
			return true;
	return false;
}

static void await_syn(struct rec *r)
{
	for (gint64 end = g_get_monotonic_time() + 20ll * G_USEC_PER_SEC; !has_syn(r);) {
		if (r->n > REC_FRAMES / 2)
			forget(r);
		g_main_context_iteration(NULL, FALSE);
		assert_true(g_get_monotonic_time() < end);
	}
}

static void without_descriptors_a_port_waits(void **state)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
	struct rlimit old, few;
	int client[CLIENTS];
	uint16_t port = forward(list);
	struct rec r;

	(void)state;
	open_net(&r, list);
	rec_wait_idle(&r);
	forget(&r);
	for (unsigned i = 0; i < CLIENTS; i++)
		client[i] = connect_host(port);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ 3, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_in_range(turns(&r), 0, 1000); /* not as many as there is time for */
	assert_false(has_syn(&r));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	await_syn(&r);
	for (unsigned i = 0; i < CLIENTS; i++)
		close(client[i]);
	rec_close(&r);
}

static void beyond_the_limit_a_port_waits(void **state)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
	uint16_t port = forward(list);
	struct peer flood;
	int client;
	struct rec r;

	(void)state;
	open_net(&r, list);
	send_datagrams(&r, 3000);
	send_syns(&r, listen_on(&flood, AF_INET), 3000);
	rec_wait_idle(&r);
	forget(&r);
	client = connect_host(port);
	assert_in_range(turns(&r), 0, 1000);
	assert_false(has_syn(&r));
	r.be->ops->restart(r.be);
	await_syn(&r);
	close(client);
	disconnect(&flood);
	rec_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_out_of_order_are_few),
		cmocka_unit_test(segments_out_of_order_are_few_on_ipv6),
		cmocka_unit_test(ends_out_of_order_are_few),
		cmocka_unit_test(a_lost_segment_costs_itself_alone),
		cmocka_unit_test(data_in_a_syn_is_not_kept),
		cmocka_unit_test(fragments_are_few),
		cmocka_unit_test(a_datagram_in_fragments_arrives),
		cmocka_unit_test(answers_do_not_wait_for_addresses),
		cmocka_unit_test(acknowledgements_do_not_wait_for_addresses),
		cmocka_unit_test(answers_that_cannot_be_given_leave_nothing),
		cmocka_unit_test(sockets_have_a_limit_and_connections_a_part_of_it),
		cmocka_unit_test(connections_end_when_the_machine_begins_anew),
		cmocka_unit_test(without_descriptors_a_port_waits),
		cmocka_unit_test(beyond_the_limit_a_port_waits),
		cmocka_unit_test(without_memory_nothing_more_is_kept),
	};
	size_t n = G_N_ELEMENTS(tests);

	if (__sanitizer_get_current_allocated_bytes)
		n--; /* the last one is about memory, and a sanitizer's own counts, too */
	return _cmocka_run_group_tests("bounds", tests, n, set_up, tear_down);
}
