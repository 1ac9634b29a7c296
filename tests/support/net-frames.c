#include "tests/support/net-frames.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

const uint8_t mac_guest[6] = { 0x52, 0x54, 0, 1, 2, 3 };
const uint8_t mac_host[6] = { 0x52, 0x55, 10, 0, 2, 2 };
const uint8_t mac_broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

#define TCP 6u
#define UDP 17u

static size_t header(uint8_t *frame, const uint8_t *dst, unsigned type)
{
	memcpy(frame, dst, 6);
	memcpy(frame + 6, mac_guest, 6);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	return 14;
}

size_t frame_plain(uint8_t *frame, const uint8_t *dst, size_t len, uint8_t seed)
{
	for (size_t i = header(frame, dst, 0x88b5); i < len; i++)
		frame[i] = (uint8_t)(seed + i);
	return len;
}

bool frame_is_plain(const uint8_t *frame, size_t len, uint8_t seed)
{
	if (len < 14 || frame[12] != 0x88 || frame[13] != 0xb5)
		return false;
	for (size_t i = 14; i < len; i++)
		if (frame[i] != (uint8_t)(seed + i))
			return false;
	return true;
}

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
	while (bytes--) {
		at[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

static uint32_t get(const uint8_t *at, unsigned bytes)
{
	uint32_t v = 0;

	while (bytes--)
		v = v << 8 | *at++;
	return v;
}

/* By the book: words of 16 bits in network order, one at a time. */
static uint32_t add(uint32_t acc, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		acc += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		acc = (acc & 0xffff) + (acc >> 16);
	}
	return acc;
}

size_t frame_ip(const uint8_t *frame)
{
	return get(frame + 12, 2) == 0x8100 ? 18 : 14;
}

size_t frame_transport(const uint8_t *frame)
{
	size_t ip = frame_ip(frame);

	return ip + (frame[ip] >> 4 == 4 ? (frame[ip] & 15) * 4u : 40u);
}

static unsigned protocol(const uint8_t *frame)
{
	size_t ip = frame_ip(frame);

	return frame[ip] >> 4 == 4 ? frame[ip + 9] : frame[ip + 6];
}

static size_t csum_offset(const uint8_t *frame)
{
	return protocol(frame) == TCP ? 16 : 6;
}

static uint32_t pseudo(const uint8_t *frame, size_t len)
{
	size_t ip = frame_ip(frame), th = frame_transport(frame);
	bool v4 = frame[ip] >> 4 == 4;
	uint8_t rest[4] = { 0, (uint8_t)protocol(frame), (uint8_t)((len - th) >> 8),
			    (uint8_t)(len - th) };

	return add(add(0, frame + ip + (v4 ? 12 : 8), v4 ? 8 : 32), rest, 4);
}

static size_t put_ip(uint8_t *ip, const struct packet *p, size_t payload)
{
	if (p->version == 6) {
		memset(ip, 0, 40);
		ip[0] = 0x60;
		put(ip + 4, payload, 2);
		ip[6] = (uint8_t)p->protocol;
		ip[7] = 64;
		put(ip + 8, p->net6 ? p->net6 : 0xfd00, 2);
		put(ip + 24, p->net6 ? p->net6 : 0xfd00, 2);
		put(ip + 20, p->src, 4);
		put(ip + 36, p->dst, 4);
		return 40;
	}
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put(ip + 2, 20 + payload, 2);
	ip[8] = 64;
	ip[9] = (uint8_t)p->protocol;
	put(ip + 12, p->src, 4);
	put(ip + 16, p->dst, 4);
	put(ip + 10, ~add(0, ip, 20) & 0xffff, 2);
	return 20;
}

static size_t put_transport(uint8_t *th, const struct packet *p)
{
	size_t n = p->protocol == TCP ? 20 : 8;

	memset(th, 0, n);
	put(th, p->sport, 2);
	put(th + 2, p->dport, 2);
	if (p->protocol == TCP) {
		put(th + 4, p->seq, 4);
		put(th + 8, p->ack, 4);
		th[12] = 0x50;
		th[13] = p->tcp_flags;
		put(th + 14, 65535, 2);
	} else {
		put(th + 4, n + p->len, 2);
	}
	if (p->len)
		memcpy(th + n, p->payload, p->len);
	return n + p->len;
}

size_t frame_packet(uint8_t *frame, const struct packet *p)
{
	size_t len = header(frame, mac_host, p->vlan ? 0x8100 : p->version == 6 ? 0x86dd : 0x0800);
	size_t payload = (p->protocol == TCP ? 20 : 8) + p->len;
	uint8_t *th;

	if (p->vlan) {
		put(frame + len, 5, 2);
		put(frame + len + 2, p->version == 6 ? 0x86dd : 0x0800, 2);
		len += 4;
	}
	len += put_ip(frame + len, p, payload);
	th = frame + len;
	len += put_transport(th, p);
	put(th + csum_offset(frame),
	    ~add(pseudo(frame, len), th, len - frame_transport(frame)) & 0xffff, 2);
	return len;
}

bool frame_is_right(const uint8_t *frame, size_t len)
{
	size_t ip = frame_ip(frame), th = frame_transport(frame);
	bool v4 = frame[ip] >> 4 == 4;

	if (v4 && (add(0, frame + ip, th - ip) != 0xffff || get(frame + ip + 2, 2) != len - ip))
		return false;
	if (!v4 && get(frame + ip + 4, 2) != len - ip - 40)
		return false;
	return add(pseudo(frame, len), frame + th, len - th) == 0xffff;
}

void frame_leave_csum(uint8_t *frame, size_t len, struct net_offload *off)
{
	off->need_csum = true;
	off->csum_start = (uint16_t)frame_transport(frame);
	off->csum_offset = (uint16_t)csum_offset(frame);
	put(frame + off->csum_start + off->csum_offset, pseudo(frame, len), 2);
}

/*
 * The recorder.
 */
static bool on_frame(void *opaque, unsigned channel, uint8_t *data, size_t len,
		     const struct net_offload *off)
{
	struct rec *r = opaque;

	if (r->refuse || r->n == REC_FRAMES) {
		r->refused++;
		return false;
	}
	r->frame[r->n++] = (struct rec_frame){ channel, len, *off, g_memdup2(data, len) };
	return true;
}

static void on_batch_end(void *opaque, unsigned channel)
{
	struct rec *r = opaque;

	(void)channel;
	r->batches++;
}

static void on_writable(void *opaque, unsigned channel)
{
	struct rec *r = opaque;

	(void)channel;
	r->writable++;
}

static void on_link(void *opaque, bool up)
{
	struct rec *r = opaque;

	r->up = up;
	r->links++;
}

static void on_trouble(void *opaque, bool guest, const char *text)
{
	struct rec *r = opaque;

	(void)guest;
	print_message("# trouble: %s\n", text);
	r->troubles++;
}

static const struct net_events rec_events = {
	.frame = on_frame,
	.batch_end = on_batch_end,
	.writable = on_writable,
	.link = on_link,
	.trouble = on_trouble,
};

bool rec_open(struct rec *r, const struct net_options *opt, struct loop *loop, GError **err)
{
	*r = (struct rec){ .loop = loop, .up = true };
	r->be = net_backend_open(opt, loop, &rec_events, r, err);
	return r->be != NULL;
}

void rec_forget(struct rec *r)
{
	while (r->n > 0)
		g_free(r->frame[--r->n].data);
}

void rec_close(struct rec *r)
{
	net_backend_close(r->be);
	rec_forget(r);
}

int rec_send(struct rec *r, const void *frame, size_t len)
{
	static const struct net_offload nothing;
	struct iovec iov = { (void *)frame, len };

	return r->be->ops->send(r->be, 0, &iov, 1, &nothing);
}

static gboolean expire(gpointer flag)
{
	*(bool *)flag = true;
	return G_SOURCE_REMOVE;
}

static void turn(struct rec *r, unsigned ms, bool (*enough)(const struct rec *r, unsigned arg),
		 unsigned arg)
{
	bool late = false;
	GSource *timer = g_timeout_source_new(ms);

	g_source_set_callback(timer, expire, &late, NULL);
	g_source_attach(timer, loop_context(r->loop));
	while (!late && !(enough && enough(r, arg)))
		g_main_context_iteration(loop_context(r->loop), TRUE);
	g_source_destroy(timer);
	g_source_unref(timer);
}

static bool enough_frames(const struct rec *r, unsigned n)
{
	return r->n >= n;
}

static bool enough_refusals(const struct rec *r, unsigned n)
{
	return r->refused >= n;
}

static bool link_is(const struct rec *r, unsigned up)
{
	return r->up == up;
}

void rec_await(struct rec *r, unsigned n)
{
	turn(r, 10000, enough_frames, n);
	assert_in_range(r->n, n, REC_FRAMES);
}

void rec_await_refused(struct rec *r, unsigned n)
{
	turn(r, 10000, enough_refusals, n);
	assert_in_range(r->refused, n, UINT_MAX);
}

void rec_await_link(struct rec *r, bool up)
{
	turn(r, 10000, link_is, up);
	assert_int_equal(r->up, up);
}

void rec_wait_idle(struct rec *r)
{
	turn(r, 50, NULL, 0);
}
