/*
 * A tap device of the host: the kernel's end of a link whose other end is the guest.
 *
 * With IFF_VNET_HDR each frame travels behind a 12-byte header that says what work is left to do on
 * it; it is struct tap_header here and struct net_offload everywhere else. A tap without it works
 * too, with plain frames. A multiqueue tap gives one file descriptor for each channel; channels not
 * in use are detached, so that the kernel steers no flow to them. Finding the tap is in tap-open.c.
 */
#include "devices/backend/net/tap.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/base/error.h"

/* Newer than some kernel headers that we build with. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define READ_BUDGET 64u /* frames in one turn of the loop */
/* Frames that the kernel's queue of a tap has room for: by itself (1000), and if the operator made
 * it long. */
#define QUEUE_USUAL 1024u
#define QUEUE_MAX   16384u

/* As the kernel lays it out, little-endian (TUNSETVNETLE). */
struct tap_header {
	uint8_t flags;
	uint8_t segment;
	uint16_t hdr_len, seg_size, csum_start, csum_offset, buffers;
};
#define TAP_NEED_CSUM  1u
#define TAP_CSUM_VALID 2u

struct tap_channel {
	struct tap *tap;
	int fd;
	bool wanted;    /* the device wants frames */
	bool attached;  /* set_channels() */
	bool full;      /* the device refused `frame`, `len` bytes with its header */
	unsigned stale; /* frames of the kernel's queue that are nobody's, at most; see discard */
	size_t len;
	GSource *watch;
	uint8_t *buffer; /* header and frame */
};

struct tap {
	struct net_backend be;
	bool vnet;
	unsigned n;
	struct tap_channel channel[NET_CHANNELS_MAX];
};

#define BUFFER_SIZE (sizeof(struct tap_header) + NET_FRAME_MAX)

static const struct {
	unsigned work, tun;
} offload_bits[] = {
	{ NET_DO_CSUM, TUN_F_CSUM },   { NET_DO_TSO4, TUN_F_TSO4 }, { NET_DO_TSO6, TUN_F_TSO6 },
	{ NET_DO_ECN, TUN_F_TSO_ECN }, { NET_DO_UFO, TUN_F_UFO },   { NET_DO_USO4, TUN_F_USO4 },
	{ NET_DO_USO6, TUN_F_USO6 },
};

/*
 * Frames for the guest.
 */
static bool tap_deliver(struct tap_channel *ch)
{
	struct tap *tap = ch->tap;
	struct net_backend *be = &tap->be;
	unsigned channel = (unsigned)(ch - tap->channel);
	size_t skip = tap->vnet ? sizeof(struct tap_header) : 0;
	struct net_offload off = { 0 };
	struct tap_header h;

	if (ch->len < skip + NET_FRAME_MIN)
		return true;
	if (tap->vnet) {
		memcpy(&h, ch->buffer, sizeof(h));
		off = (struct net_offload){
			.need_csum = h.flags & TAP_NEED_CSUM,
			.csum_valid = h.flags & TAP_CSUM_VALID,
			.segment = h.segment,
			.hdr_len = GUINT16_FROM_LE(h.hdr_len),
			.seg_size = GUINT16_FROM_LE(h.seg_size),
			.csum_start = GUINT16_FROM_LE(h.csum_start),
			.csum_offset = GUINT16_FROM_LE(h.csum_offset),
		};
	}
	return be->events->frame(be->opaque, channel, ch->buffer + skip, ch->len - skip, &off);
}

/* The interface was taken away, or the kernel is out of sorts: no use to go on reading. */
static void tap_lost(struct tap_channel *ch, int errnum)
{
	struct net_backend *be = &ch->tap->be;
	g_autofree char *text = g_strdup_printf("tap %s: %s; the link is down",
						be->name ? be->name : "", g_strerror(errnum));

	loop_unwatch(g_steal_pointer(&ch->watch));
	ch->wanted = false;
	be->events->trouble(be->opaque, false, text);
	be->events->link(be->opaque, false);
}

/* A tap has no way to empty its queue but to read it. The kernel gives as much of a frame as there
 * is room for, and the rest is gone. */
static void tap_drop_stale(struct tap_channel *ch, unsigned budget)
{
	for (; ch->stale && budget; budget--)
		ch->stale = read(ch->fd, ch->buffer, sizeof(struct tap_header)) < 0 ? 0
										    : ch->stale - 1;
}

static void tap_readable(void *arg, GIOCondition revents)
{
	struct tap_channel *ch = arg;
	struct net_backend *be = &ch->tap->be;
	unsigned n;

	(void)revents;
	if (ch->stale) {
		tap_drop_stale(ch, READ_BUDGET);
		return;
	}
	for (n = 0; n < READ_BUDGET && !ch->full; n++) {
		ssize_t got = read(ch->fd, ch->buffer, BUFFER_SIZE);

		if (got < 0) {
			if (errno != EAGAIN && errno != EINTR)
				tap_lost(ch, errno);
			break;
		}
		ch->len = (size_t)got;
		ch->full = !tap_deliver(ch);
	}
	if (ch->full)
		loop_watch_events(ch->watch, 0);
	if (n)
		be->events->batch_end(be->opaque, (unsigned)(ch - ch->tap->channel));
}

static void tap_watch(struct tap_channel *ch)
{
	bool on = ch->wanted && ch->attached;

	if (on && !ch->watch)
		ch->watch = loop_watch(ch->tap->be.loop, ch->fd, G_IO_IN, tap_readable, ch);
	else if (!on)
		loop_unwatch(g_steal_pointer(&ch->watch));
}

static void tap_receive(struct net_backend *be, unsigned channel, bool on)
{
	struct tap_channel *ch = &((struct tap *)be)->channel[channel];

	ch->wanted = on;
	if (on && ch->full) {
		ch->full = !tap_deliver(ch);
		be->events->batch_end(be->opaque, channel);
		if (ch->full)
			return;
		if (ch->watch)
			loop_watch_events(ch->watch, G_IO_IN);
	}
	tap_watch(ch);
}

/* Nobody is there to count how many frames there are, so all that the queue can have been full of
 * count; the first empty read ends it. */
static void tap_discard(struct net_backend *be, unsigned channel)
{
	struct tap_channel *ch = &((struct tap *)be)->channel[channel];

	ch->full = false;
	ch->stale = QUEUE_MAX;
	tap_drop_stale(ch, QUEUE_USUAL);
}

/*
 * Frames from the guest.
 */
static int tap_send(struct net_backend *be, unsigned channel, const struct iovec *iov, unsigned n,
		    const struct net_offload *off)
{
	struct tap *tap = (struct tap *)be;
	struct tap_header h = {
		.flags = off->need_csum ? TAP_NEED_CSUM : 0,
		.segment = off->segment,
		.hdr_len = GUINT16_TO_LE(off->hdr_len),
		.seg_size = GUINT16_TO_LE(off->seg_size),
		.csum_start = GUINT16_TO_LE(off->csum_start),
		.csum_offset = GUINT16_TO_LE(off->csum_offset),
	};
	struct iovec all[NET_IOV_MAX + 1] = { { &h, sizeof(h) } };
	ssize_t ret;

	memcpy(all + 1, iov, n * sizeof(*iov));
	do {
		ret = tap->vnet ? writev(tap->channel[channel].fd, all, (int)n + 1)
				: writev(tap->channel[channel].fd, iov, (int)n);
	} while (ret < 0 && errno == EINTR);
	/* A tap takes all or nothing, and never asks to wait: what it has no room for is lost, as
	 * on a wire. */
	return ret < 0 ? (errno == EAGAIN ? -ENOBUFS : -errno) : 0;
}

/*
 * Settings.
 */
static unsigned tap_tun_offloads(unsigned work)
{
	unsigned tun = 0;

	/* The kernel knows the two kinds of UDP segment only together. */
	if ((work & (NET_DO_USO4 | NET_DO_USO6)) != (NET_DO_USO4 | NET_DO_USO6))
		work &= ~(unsigned)(NET_DO_USO4 | NET_DO_USO6);
	for (size_t i = 0; i < G_N_ELEMENTS(offload_bits); i++)
		if (work & offload_bits[i].work)
			tun |= offload_bits[i].tun;
	return tun;
}

static int tap_set_offloads(struct net_backend *be, unsigned work)
{
	struct tap *tap = (struct tap *)be;

	if (tap->vnet && ioctl(tap->channel[0].fd, TUNSETOFFLOAD, tap_tun_offloads(work)) < 0)
		return -errno;
	return 0;
}

static int tap_attach(struct tap_channel *ch, bool on)
{
	struct ifreq ifr = { .ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

	if (ch->attached == on)
		return 0;
	if (ioctl(ch->fd, TUNSETQUEUE, &ifr) < 0)
		return -errno;
	ch->attached = on;
	ch->stale = 0; /* the kernel empties a queue that it detaches */
	return 0;
}

static int tap_set_channels(struct net_backend *be, unsigned n)
{
	struct tap *tap = (struct tap *)be;

	for (unsigned i = 0; i < tap->n && tap->n > 1; i++) {
		struct tap_channel *ch = &tap->channel[i];
		int ret;

		if (i >= n) /* before the detach: a detached descriptor polls as broken */
			loop_unwatch(g_steal_pointer(&ch->watch));
		ret = tap_attach(ch, i < n);
		if (ret < 0)
			return ret;
		tap_watch(ch);
		if (ch->watch && ch->full)
			loop_watch_events(ch->watch, 0);
	}
	return 0;
}

static int tap_kernel_fd(struct net_backend *be, unsigned channel)
{
	return ((struct tap *)be)->channel[channel].fd;
}

static int tap_set_header(struct net_backend *be, size_t bytes)
{
	struct tap *tap = (struct tap *)be;
	int size = (int)bytes;

	for (unsigned i = 0; i < tap->n; i++)
		if (ioctl(tap->channel[i].fd, TUNSETVNETHDRSZ, &size) < 0)
			return -errno;
	return 0;
}

static void tap_close(struct net_backend *be)
{
	struct tap *tap = (struct tap *)be;

	for (unsigned i = 0; i < tap->n; i++) {
		loop_unwatch(tap->channel[i].watch);
		close(tap->channel[i].fd);
		g_free(tap->channel[i].buffer);
	}
	g_free(be->name);
	g_free(tap);
}

/*
 * Opening.
 */

/* Which work the kernel takes and gives: we ask for all, then for less. */
static int tap_set_up_header(struct tap *tap)
{
	static const unsigned tries[] = {
		NET_DO_CSUM | NET_DO_TSO4 | NET_DO_TSO6 | NET_DO_ECN | NET_DO_UFO | NET_DO_USO4 |
			NET_DO_USO6,
		NET_DO_CSUM | NET_DO_TSO4 | NET_DO_TSO6 | NET_DO_ECN | NET_DO_UFO,
		NET_DO_CSUM | NET_DO_TSO4 | NET_DO_TSO6 | NET_DO_ECN,
	};
	int little = 1, ret;

	if (!tap->vnet)
		return 0;
	for (unsigned i = 0; i < tap->n; i++)
		if (ioctl(tap->channel[i].fd, TUNSETVNETLE, &little) < 0)
			return -errno;
	ret = tap_set_header(&tap->be, sizeof(struct tap_header));
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < G_N_ELEMENTS(tries) && !tap->be.tx_offloads; i++)
		if (tap_set_offloads(&tap->be, tries[i]) == 0)
			tap->be.tx_offloads = tap->be.rx_offloads = tries[i];
	return tap_set_offloads(&tap->be, 0);
}

static bool tap_set_up(struct tap *tap, GError **err)
{
	struct ifreq ifr = { 0 };
	int ret;

	if (ioctl(tap->channel[0].fd, TUNGETIFF, &ifr) == 0)
		tap->be.name = g_strndup(ifr.ifr_name, IFNAMSIZ);
	ret = tap_set_up_header(tap);
	for (unsigned i = 0; i < tap->n; i++) {
		tap->channel[i].attached = true;
		tap->channel[i].buffer = g_malloc(BUFFER_SIZE);
	}
	if (ret == 0)
		ret = tap_set_channels(&tap->be, 1);
	if (ret < 0)
		return ringside_error_errno(err, -ret, "--device net,ifname=%s: setting it up",
					    tap->be.name ? tap->be.name : "");
	tap->be.n_channels = tap->n;
	return true;
}

static const struct syscall_use tap_syscalls[] = {
	{ SYSCALL_IOCTL(TUNSETOFFLOAD) },
	{ SYSCALL_IOCTL(TUNSETQUEUE) },
	{ SYSCALL_IOCTL(TUNSETVNETHDRSZ) },
	{ .name = NULL },
};

static const struct net_backend_ops tap_ops = {
	.close = tap_close,
	.send = tap_send,
	.receive = tap_receive,
	.discard = tap_discard,
	.set_offloads = tap_set_offloads,
	.set_channels = tap_set_channels,
	.kernel_fd = tap_kernel_fd,
	.set_header = tap_set_header,
};

struct net_backend *net_tap_open(const struct net_options *opt, const struct net_backend *common,
				 GError **err)
{
	struct tap *tap = g_new0(struct tap, 1);
	struct tap_fds fds = { .n = 0 };
	bool ok;

	tap->be = *common;
	tap->be.ops = &tap_ops;
	tap->be.syscalls[0] = tap_syscalls;
	ok = tap_find(opt, &fds, err);
	tap->be.kernel_header = tap->vnet = fds.vnet;
	tap->n = fds.n;
	for (unsigned i = 0; i < fds.n; i++) {
		tap->channel[i].fd = fds.fd[i];
		tap->channel[i].tap = tap;
	}
	if (ok && tap_set_up(tap, err))
		return &tap->be;
	tap_close(&tap->be);
	return NULL;
}
