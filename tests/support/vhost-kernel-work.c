#include "tests/support/vhost-kernel-int.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "devices/base/eventfd.h"

#define VSOCK_HEADER 44u

void *vhk_user(uint64_t address)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel's interface has numbers */
	return (void *)(uintptr_t)address;
}

/*
 * A ring begins and ends.
 */
static uint64_t gpa_of(const struct vhk *k, uint64_t user)
{
	for (unsigned i = 0; i < k->mem.n; i++) {
		const struct gmem_region *r = &k->mem.region[i];

		if (user - (uintptr_t)r->hva < r->len)
			return r->gpa + (user - (uintptr_t)r->hva);
	}
	return UINT64_MAX;
}

static struct vq_position ring_position(const struct vhk_ring *r, bool packed)
{
	const struct vring_used *used = vhk_user(r->addr.used_user_addr);

	if (packed)
		return (struct vq_position){ (uint16_t)r->base, (uint16_t)(r->base >> 16) };
	return (struct vq_position){ (uint16_t)r->base, le16_cpu(used->idx) };
}

static void kernel_settle_log(struct vhk *k)
{
	if (vhk_has(k, VHOST_F_LOG_ALL))
		gmem_log_to(&k->mem, vhk_user(k->log), UINT64_MAX);
	else
		gmem_log_stop(&k->mem);
}

int vhk_ring_begin(struct vhk *k, struct vhk_ring *r)
{
	bool packed = vhk_has(k, VIRTIO_F_RING_PACKED);
	struct vq_config c = {
		.desc = gpa_of(k, r->addr.desc_user_addr),
		.driver = gpa_of(k, r->addr.avail_user_addr),
		.device = gpa_of(k, r->addr.used_user_addr),
		.size = (uint16_t)r->size,
		.packed = packed,
		.event_idx = vhk_has(k, VIRTIO_F_EVENT_IDX),
		.indirect = vhk_has(k, VIRTIO_F_INDIRECT_DESC),
		.in_order = vhk_has(k, VIRTIO_F_IN_ORDER),
		.log_ring = r->addr.flags ? VQ_LOG_RING_AT : VQ_LOG_NO_RING,
		.log_device = r->addr.log_guest_addr,
	};

	if (r->runs)
		return 0;
	if (!r->has_addr)
		return -EFAULT;
	c.position = ring_position(r, packed);
	kernel_settle_log(k);
	if (vq_start(r->vq, &k->mem, &c) != VQ_OK)
		return -EFAULT;
	r->runs = true;
	r->starved = false;
	return 0;
}

void vhk_ring_end(struct vhk_ring *r)
{
	struct vq_position at;
	bool packed = vq_packed(r->vq);

	if (!r->runs)
		return;
	at = vq_stop(r->vq);
	r->base = packed ? at.next_avail | (unsigned)at.next_used << 16 : at.next_avail;
	r->runs = false;
}

/*
 * The thread.
 */
static size_t net_header_size(const struct vhk *k)
{
	return vhk_has(k, VHK_NET_F_MRG_RXBUF) || vhk_has(k, VIRTIO_F_VERSION_1) ? 12 : 10;
}

static bool has_own_header(const struct vhk *k)
{
	return vhk_has(k, VHOST_NET_F_VIRTIO_NET_HDR);
}

static void ring_done(struct vhk_ring *r)
{
	if (vq_publish(r->vq) && r->call >= 0)
		eventfd_signal(r->call);
}

void vhk_ring_break(struct vhk_ring *r)
{
	if (r->err >= 0)
		eventfd_signal(r->err);
	r->starved = true;
}

/* One chain, or NULL: there will be a kick. */
static struct vq_chain *ring_take(struct vhk_ring *r)
{
	struct vq_chain *c;
	int n;

	do {
		n = vq_pop(r->vq, &c, 1);
		if (n < 0)
			vhk_ring_break(r);
		if (n != 0)
			return n > 0 ? c : NULL;
	} while (!vq_enable_notify(r->vq));
	return NULL;
}

/* As many chains as @len bytes take, if the driver can do that; else one. 0: there are not enough
 * of them now. */
static unsigned rx_gather(struct vhk *k, size_t len, bool many, struct vq_chain **ret, unsigned max)
{
	struct vhk_ring *r = &k->ring[VHK_RX];
	unsigned n = 0;
	size_t room = 0;

	while (n < max && (n == 0 || (many && room < len))) {
		ret[n] = ring_take(r);
		if (!ret[n])
			break;
		room += ret[n++]->wr.left;
	}
	r->starved = n == 0 || (many && room < len);
	while (r->starved && n > 0)
		vq_unpop(r->vq, ret[--n]);
	return n;
}

/* A packet for the driver; @header: of a frame, the bytes that tell how many buffers there are.
 * False: it has none now. */
static bool rx_put(struct vhk *k, uint8_t *bytes, size_t len, size_t header)
{
	struct vq_chain *c[64];
	unsigned n = rx_gather(k, len, header && vhk_has(k, VHK_NET_F_MRG_RXBUF), c,
			       G_N_ELEMENTS(c));
	size_t done = 0;

	if (header == 12) {
		bytes[10] = (uint8_t)n;
		bytes[11] = 0;
	}
	for (unsigned i = 0; i < n; i++) {
		done += vq_put_some(c[i], bytes + done, len - done);
		vq_push(k->ring[VHK_RX].vq, c[i]);
	}
	if (n)
		ring_done(&k->ring[VHK_RX]);
	return n;
}

/* What a driver has no buffer for stays in the tap, which others may then read. */
static bool rx_has_buffer(struct vhk_ring *r)
{
	struct vq_chain *c = ring_take(r);

	r->starved = !c;
	if (c)
		vq_unpop(r->vq, c);
	return c;
}

/* Frames of the tap, for the driver. */
static void net_receive(struct vhk *k)
{
	size_t header = net_header_size(k), skip = has_own_header(k) ? header : 0;

	while (k->ring[VHK_RX].runs && !k->ring[VHK_RX].starved) {
		if (!rx_has_buffer(&k->ring[VHK_RX]))
			return;
		if (!k->held) {
			ssize_t n = read(k->tap, k->frame + skip, sizeof(k->frame) - skip);

			if (n <= 0)
				return;
			memset(k->frame, 0, skip);
			k->held = skip + (size_t)n;
		}
		if (rx_put(k, k->frame, k->held, header))
			k->held = 0;
	}
}

static void net_send(struct vhk *k)
{
	size_t header = net_header_size(k), skip = has_own_header(k) ? header : 0;
	struct vq_chain *c;

	while ((c = ring_take(&k->ring[VHK_TX]))) {
		size_t n = vq_pull_some(c, k->sent, sizeof(k->sent));

		if (n > header)
			(void)!write(k->tap, k->sent + skip, n - skip);
		vq_push(k->ring[VHK_TX].vq, c);
		ring_done(&k->ring[VHK_TX]);
	}
}

/* Each packet comes back, if there is room for it now. */
static void vsock_echo(struct vhk *k)
{
	struct vq_chain *c;

	while ((c = ring_take(&k->ring[VHK_TX]))) {
		size_t n = vq_pull_some(c, k->frame, VHK_FRAME_MAX);

		if (n >= VSOCK_HEADER)
			(void)rx_put(k, k->frame, n, 0);
		vq_push(k->ring[VHK_TX].vq, c);
		ring_done(&k->ring[VHK_TX]);
	}
}

static void kernel_serve(struct vhk *k)
{
	for (unsigned i = 0; i < VHK_RINGS; i++) {
		uint64_t count;

		if (k->ring[i].runs && read(k->ring[i].kick, &count, sizeof(count)) > 0)
			k->ring[i].starved = false;
	}
	if (k->ring[VHK_TX].runs)
		(k->net ? net_send : vsock_echo)(k);
	if (k->net)
		net_receive(k);
}

static nfds_t kernel_poll_list(const struct vhk *k, struct pollfd *p)
{
	nfds_t n = 0;

	p[n++] = (struct pollfd){ .fd = k->fd, .events = POLLIN };
	for (unsigned i = 0; i < VHK_RINGS; i++)
		if (k->ring[i].runs)
			p[n++] = (struct pollfd){ .fd = k->ring[i].kick, .events = POLLIN };
	if (k->net && k->ring[VHK_RX].runs && !k->ring[VHK_RX].starved)
		p[n++] = (struct pollfd){ .fd = k->tap, .events = POLLIN };
	return n;
}

void *vhk_work(void *arg)
{
	struct vhk *k = arg;

	for (bool over = false; !over;) {
		struct pollfd p[VHK_RINGS + 2];
		uint64_t count;
		nfds_t n;

		pthread_mutex_lock(&k->lock);
		n = kernel_poll_list(k, p);
		pthread_mutex_unlock(&k->lock);
		(void)poll(p, n, -1);
		pthread_mutex_lock(&k->lock);
		(void)!read(k->fd, &count, sizeof(count));
		over = k->over;
		if (!over)
			kernel_serve(k);
		pthread_mutex_unlock(&k->lock);
	}
	return NULL;
}
