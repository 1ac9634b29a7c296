#include <errno.h>
#include <string.h>

#include "tools/fuzz/host/fakes-int.h"
#include "tools/fuzz/host/host.h"
#include "tools/fuzz/language/trace.h"

#define ALL_WORK                                                                           \
	(NET_DO_CSUM | NET_DO_TSO4 | NET_DO_TSO6 | NET_DO_ECN | NET_DO_UFO | NET_DO_USO4 | \
	 NET_DO_USO6)
#define ECHO_MAX 4096u /* bytes of a frame that is echoed */

struct fake_net {
	struct net_backend be;
	bool on[NET_CHANNELS_MAX];
	GByteArray *held[NET_CHANNELS_MAX]; /* a frame that was refused */
	struct net_offload held_off[NET_CHANNELS_MAX];
	unsigned used; /* channels */
	unsigned busy, lost;
	bool echo;
	unsigned sum; /* of all bytes sent: so that they are read */
};

static bool fake_net_give(struct fake_net *n, unsigned channel, GByteArray *frame,
			  const struct net_offload *off)
{
	/* A copy of the right length, so that what lies beyond is forbidden. */
	g_autofree uint8_t *data = g_memdup2(frame->data, frame->len);

	return n->be.events->frame(n->be.opaque, channel, data, frame->len, off);
}

static void fake_net_forget(struct fake_net *n, unsigned channel)
{
	g_clear_pointer(&n->held[channel], g_byte_array_unref);
}

/* Takes over @frame. */
static void fake_net_arrive(struct fake_net *n, unsigned channel, GByteArray *frame,
			    const struct net_offload *off)
{
	if (!n->on[channel] || n->held[channel]) {
		g_byte_array_unref(frame); /* as on a link that nobody reads */
		return;
	}
	trace("net backend: a frame of %u bytes for channel %u", frame->len, channel);
	n->held[channel] = frame;
	n->held_off[channel] = *off;
	if (fake_net_give(n, channel, frame, off))
		fake_net_forget(n, channel);
	n->be.events->batch_end(n->be.opaque, channel);
}

/*
 * The seam.
 */
static void check_send(const struct fake_net *n, unsigned channel, const struct net_offload *off,
		       unsigned pieces, size_t len)
{
	if (channel >= n->be.n_channels)
		fuzz_bug("net backend: there is no channel %u", channel);
	if (pieces == 0 || pieces > NET_IOV_MAX || len < NET_FRAME_MIN || len > NET_FRAME_MAX)
		fuzz_bug("net backend: a frame of %zu bytes in %u pieces", len, pieces);
	if (off->need_csum && (size_t)off->csum_start + off->csum_offset + 2 > len)
		fuzz_bug("net backend: a checksum at %u + %u in a frame of %zu bytes",
			 off->csum_start, off->csum_offset, len);
	if (off->hdr_len > len)
		fuzz_bug("net backend: headers of %u bytes in a frame of %zu", off->hdr_len, len);
	if ((off->segment && !(n->be.tx_offloads & (NET_DO_TSO4 | NET_DO_TSO6))) ||
	    (off->need_csum && !(n->be.tx_offloads & NET_DO_CSUM)))
		fuzz_bug("net backend: work is left undone that nobody takes");
}

static int fake_send(struct net_backend *be, unsigned channel, const struct iovec *iov, unsigned n,
		     const struct net_offload *off)
{
	struct fake_net *net = (struct fake_net *)be;
	size_t len = net_iov_len(iov, n);

	check_send(net, channel, off, n, len);
	if (net->busy) {
		net->busy--;
		return -EAGAIN;
	}
	if (net->lost) {
		net->lost--;
		return -ENETDOWN;
	}
	for (unsigned i = 0; i < n; i++)
		for (size_t j = 0; j < iov[i].iov_len; j++)
			net->sum += ((const uint8_t *)iov[i].iov_base)[j];
	trace("net backend: the guest sends %zu bytes in %u pieces, sum %u", len, n, net->sum);
	if (net->echo && len <= ECHO_MAX) {
		GByteArray *frame = g_byte_array_new();

		for (unsigned i = 0; i < n; i++)
			g_byte_array_append(frame, iov[i].iov_base, (guint)iov[i].iov_len);
		fake_net_arrive(net, channel, frame, off);
	}
	return 0;
}

static void fake_receive(struct net_backend *be, unsigned channel, bool on)
{
	struct fake_net *n = (struct fake_net *)be;

	if (channel >= be->n_channels)
		fuzz_bug("net backend: there is no channel %u", channel);
	n->on[channel] = on;
	if (!on) {
		fake_net_forget(n, channel);
	} else if (n->held[channel]) {
		if (fake_net_give(n, channel, n->held[channel], &n->held_off[channel]))
			fake_net_forget(n, channel);
		be->events->batch_end(be->opaque, channel);
	}
}

static void fake_discard(struct net_backend *be, unsigned channel)
{
	struct fake_net *n = (struct fake_net *)be;

	if (channel >= be->n_channels || n->on[channel])
		fuzz_bug("net backend: channel %u is discarded, and listened to", channel);
	fake_net_forget(n, channel);
}

static int fake_offloads(struct net_backend *be, unsigned work)
{
	if (work & ~be->rx_offloads)
		fuzz_bug("net backend: offloads %#x were never given", work & ~be->rx_offloads);
	return host_fails(HOST_FAIL_OFFLOAD) ? -EINVAL : 0;
}

static int fake_channels(struct net_backend *be, unsigned n)
{
	if (n == 0 || n > be->n_channels)
		fuzz_bug("net backend: %u channels of %u", n, be->n_channels);
	((struct fake_net *)be)->used = n;
	return host_fails(HOST_FAIL_OFFLOAD) ? -EINVAL : 0;
}

static void fake_net_close(struct net_backend *be)
{
	struct fake_net *n = (struct fake_net *)be;

	fakes_forget(n);
	for (unsigned i = 0; i < NET_CHANNELS_MAX; i++)
		fake_net_forget(n, i);
	g_free(n);
}

static const struct net_backend_ops tap_like = {
	.close = fake_net_close,
	.send = fake_send,
	.receive = fake_receive,
	.discard = fake_discard,
	.set_offloads = fake_offloads,
	.set_channels = fake_channels,
};

static const struct net_backend_ops socket_like = {
	.close = fake_net_close,
	.send = fake_send,
	.receive = fake_receive,
	.discard = fake_discard,
};

/*
 * The input's part.
 */
void fake_net_frame(struct fake_net *n, unsigned channel, struct input frame, uint32_t extra,
		    const struct net_offload *off)
{
	GByteArray *bytes = g_byte_array_new();
	guint len = (guint)in_left(&frame);

	g_byte_array_append(bytes, frame.at, len);
	g_byte_array_set_size(bytes, MAX(NET_FRAME_MIN, MIN(len + extra, NET_FRAME_MAX)));
	memset(bytes->data + len, 0, bytes->len - len);
	fake_net_arrive(n, channel % n->be.n_channels, bytes, off);
}

void fake_net_link(struct fake_net *n, bool up)
{
	trace("net backend: the link goes %s", up ? "up" : "down");
	n->be.events->link(n->be.opaque, up);
}

void fake_net_busy(struct fake_net *n, unsigned busy, unsigned lost)
{
	n->busy = busy;
	n->lost = lost;
}

void fake_net_writable(struct fake_net *n, unsigned channel)
{
	n->be.events->writable(n->be.opaque, channel % n->be.n_channels);
}

void fake_net_echo(struct fake_net *n, bool on)
{
	n->echo = on;
}

void fake_net_begin(struct fake_net *n)
{
	for (unsigned i = 0; i < NET_CHANNELS_MAX; i++) {
		if (n->on[i])
			fuzz_bug("net backend: channel %u delivers while no driver is there", i);
		fake_net_forget(n, i);
	}
	n->busy = n->lost = n->sum = 0;
	n->echo = false;
	n->be.events->link(n->be.opaque, true);
}

/* As the project's own. */
static unsigned tx_offloads_of(unsigned kind)
{
	if (kind == NET_TAP)
		return ALL_WORK;
	return kind == NET_USER ? NET_DO_TSO4 | NET_DO_TSO6 | NET_DO_ECN : 0;
}

static bool is_real(const struct net_options *opt)
{
	return (opt->path && strcmp(opt->path, "real") == 0) || (opt->fds && opt->fds->len) ||
	       (opt->hostname && strcmp(opt->hostname, "real") == 0);
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
struct net_backend *__real_net_backend_open(const struct net_options *opt, struct loop *loop,
					    const struct net_events *events, void *opaque,
					    GError **err);
struct net_backend *__wrap_net_backend_open(const struct net_options *opt, struct loop *loop,
					    const struct net_events *events, void *opaque,
					    GError **err);
struct net_backend *__wrap_net_backend_open(const struct net_options *opt, struct loop *loop,
					    const struct net_events *events, void *opaque,
					    GError **err)
{
	struct fake_net *n;

	/* "path=real" and "fd=..." are the project's own, on descriptors of ours. */
	if (fakes_real_too() && is_real(opt))
		return __real_net_backend_open(opt, loop, events, opaque, err);
	n = g_new0(struct fake_net, 1);
	n->be = (struct net_backend){
		.ops = opt->kind == NET_TAP ? &tap_like : &socket_like,
		.events = events,
		.opaque = opaque,
		.loop = loop,
		.n_channels = opt->kind == NET_TAP ? opt->n_channels : 1,
		.tx_offloads = tx_offloads_of(opt->kind),
		.rx_offloads = opt->kind == NET_TAP ? ALL_WORK : 0,
		.checked = opt->kind == NET_USER,
	};
	if (fakes_take_net(n))
		return &n->be;
	g_free(n);
	ringside_usage(err, "--device net: enough");
	return NULL;
}
/* NOLINTEND(bugprone-reserved-identifier) */
