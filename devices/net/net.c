/*
 * The network device (VIRTIO 1.4, 5.1).
 *
 * Queues come in pairs, receive 2k and transmit 2k + 1, each pair served by one channel of the
 * backend; the control queue is behind the last pair, or behind the first if the driver did not
 * accept VIRTIO_NET_F_MQ. All of them belong to one loop, so nothing here needs a lock.
 *
 *	net.c           options, configuration space, life
 *	features.c  which features, and what they need of each other
 *	header.c    the header before each frame; checksums (pure)
 *	layout.c    where a frame's own headers end (pure)
 *	filter.c    which frames are for this guest (pure)
 *	rx.c tx.c ctrl.c   the three kinds of queue
 *	vhost.c     the first two served by the kernel
 *
 * The backends are in devices/backend/net*.c.
 */
#include "devices/net/net.h"

#include <string.h>

#include "devices/backend/open.h"

#define OFFSET(field) offsetof(struct net, field)

static const struct prop net_props[] = {
	{ "backend", PROP_STR, OFFSET(spec), "user",
	  .help = "what is at the other end of the link: a network of its own made of the host's "
		  "sockets, a tap device, another ringside, or nothing; a user network uses at most "
		  "1024 of the host's sockets, and 321 MiB of memory: user|tap|socket|null, and "
		  "short for ifname= and path= tap:IFNAME and socket:PATH",
	  .also = "type mode netdev kind" },
	{ "mac", PROP_MAC, OFFSET(opt_mac), .also = "macaddr address guest_mac",
	  .help = "the guest's address (without it one that depends on the device's id and backend)" },
	{ "mtu", PROP_U32, OFFSET(opt.mtu), .min = 1280, .max = 65535,
	  .help = "largest packet, told to the driver" },
	{ "queue-pairs", PROP_U32, OFFSET(opt.n_channels), "1", .min = 1, .max = NET_CHANNELS_MAX,
	  .also = "queues mq num_queues queue_pairs",
	  .help = "receive and transmit queues, for a tap made with multi_queue, and null" },
	{ "hostfwd", PROP_LIST, OFFSET(opt.hostfwd),
	  .help = "user: a port of the host that leads to one of the guest, "
		  "tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT (host's, guest's); may be repeated" },
	{ "net", PROP_STR, OFFSET(opt.net),
	  .help = "user: the guest's network (10.0.2.0/24 without it)" },
	{ "dns", PROP_STR, OFFSET(opt.dns),
	  .help = "user: the name server's address in the guest's network (its number 3 without it)" },
	{ "hostname", PROP_STR, OFFSET(opt.hostname), .help = "user: the guest's name, by DHCP" },
	{ "restrict", PROP_BOOL, OFFSET(opt.restricted), "off",
	  .help = "user: let the guest reach nothing but what hostfwd= connects" },
	{ "ifname", PROP_STR, OFFSET(opt.ifname), .help = "tap: the device's name",
	  .also = "tap dev iface tapif host_dev_name" },
	{ "fd", PROP_LIST, OFFSET(opt.fds), .also = "fds",
	  .help = "tap: a descriptor of an open tap; once for each queue pair" },
	{ "vhost", PROP_BOOL, OFFSET(opt_vhost), "off",
	  .help = "tap: the kernel serves the queues (/dev/vhost-net), and no frame passes through "
		  "ringside (docs/vhost.md)" },
	{ "path", PROP_STR, OFFSET(opt.path), .help = "socket: the unix socket's path" },
	{ "listen", PROP_BOOL, OFFSET(opt.listen), "off",
	  .help = "socket: be the end that listens; the other end connects, in any order" },
	{ "generate", PROP_U32, OFFSET(opt.generate), .min = 60, .max = 65535,
	  .help = "null: frames of so many bytes for the guest, numbered, as fast as it takes them" },
	{ 0 },
};

static const unsigned char net_offered[] = {
	NET_F_MAC,           NET_F_MRG_RXBUF, NET_F_STATUS,        NET_F_CTRL_VQ, NET_F_CTRL_RX,
	NET_F_CTRL_RX_EXTRA, NET_F_CTRL_VLAN, NET_F_CTRL_MAC_ADDR, 255,
};

/*
 * What the backend tells us.
 */
static void net_link_changed(void *opaque, bool up)
{
	struct net *net = opaque;

	net->carrier = up;
	net_tell_link(net);
}

static void net_backend_trouble(void *opaque, bool guest, const char *text)
{
	struct net *net = opaque;

	if (guest)
		vdev_guest_note(&net->dev, "%s", text);
	else
		vdev_host_error(&net->dev, "%s", text);
}

static const struct net_events net_events = {
	.frame = net_rx_frame,
	.batch_end = net_rx_flush,
	.writable = net_tx_retry,
	.link = net_link_changed,
	.trouble = net_backend_trouble,
};

/*
 * Life.
 */

/* Two devices of one machine differ by their id, two machines on one link by their backend. FNV-1a;
 * 52:54:00 is locally administered. */
static void net_default_mac(struct net *net)
{
	const char *const parts[] = { net->dev.id, net->be->name };
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
		for (const char *p = parts[i] ? parts[i] : ""; *p; p++)
			hash = (hash ^ (uint8_t)*p) * 16777619u;
	hash ^= hash >> 24;
	memcpy(net->opt_mac,
	       (uint8_t[6]){ 0x52, 0x54, 0, (uint8_t)(hash >> 16), (uint8_t)(hash >> 8),
			     (uint8_t)hash },
	       6);
}

static bool net_check_mac(const uint8_t *m, GError **err)
{
	if (!(m[0] & 1))
		return true;
	return ringside_usage(
		err,
		"--device net,mac=%02x:%02x:%02x:%02x:%02x:%02x: a multicast address; "
		"the first byte must be even",
		m[0], m[1], m[2], m[3], m[4], m[5]);
}

/* Reset and negotiation run on the owner's thread though all queues are stopped: a backend may have
 * something to say (the peer hung up) at any time. */
static void net_forget_driver(void *arg)
{
	struct net *net = arg;
	struct vdev *dev = &net->dev;

	net->tx_offloads = 0;
	net->merge = false;
	net->header = NET_HEADER_BYTES;
	net->hdr_len = false;
	net->mtu = 0;
	net->ctrl_queue = VDEV_QUEUES_MAX;
	net->stale = true;
	net->mac_written = 0;
	net->mac_taken = 0;
	net_filter_init(&net->filter, net->opt_mac, false, false);
	vdev_config_set(dev, offsetof(struct net_config, mac), net->opt_mac, 6, false);
	(void)net_set_rx_offloads(net, 0);
	if (net_set_pairs(net, 1) < 0)
		vdev_host_error(dev, "the tap's queues could not be detached");
}

static void net_reset(struct vdev *dev)
{
	loop_call(dev->loop, net_forget_driver, dev);
}

static void net_restart_backend(void *arg)
{
	struct net *net = arg;

	if (net->be->ops->restart)
		net->be->ops->restart(net->be);
}

static void net_restart(struct vdev *dev)
{
	loop_call(dev->loop, net_restart_backend, dev);
}

static void net_take_driver(void *arg)
{
	struct net *net = arg;
	struct vdev *dev = &net->dev;

	net->tx_offloads = net_tx_offloads(dev->accepted);
	net->merge = vdev_accepted(dev, NET_F_MRG_RXBUF);
	net->header = vdev_is_legacy(dev) && !net->merge ? NET_HEADER_BYTES_LEGACY
							 : NET_HEADER_BYTES;
	net->hdr_len = net_rx_offloads(dev->accepted) & ~(unsigned)NET_DO_CSUM;
	net->mtu = vdev_accepted(dev, NET_F_MTU) ? net->opt.mtu : 0;
	if (vdev_accepted(dev, NET_F_CTRL_VQ))
		net->ctrl_queue = 2 * (vdev_accepted(dev, NET_F_MQ) ? net->max_pairs : 1);
	net_filter_init(&net->filter, vdev_accepted(dev, NET_F_MAC) ? net->opt_mac : NULL,
			vdev_accepted(dev, NET_F_CTRL_RX), vdev_accepted(dev, NET_F_CTRL_VLAN));
	net->mac_taken = 0;
	if (net_set_rx_offloads(net, net_rx_offloads(dev->accepted)) < 0)
		vdev_host_error(dev, "the tap refuses offloads that it offered");
	if (net->vhost)
		net_vhost_negotiated(net);
}

static void net_negotiated(struct vdev *dev)
{
	loop_call(dev->loop, net_take_driver, dev);
}

/*
 * A legacy driver writes its address where the device's is (5.1.4.2), unless it took CTRL_MAC_ADDR;
 * byte by byte, so that it counts when the last one is written (5.1.6.5.2.1). That is on a vCPU's
 * thread, and the filter is the loop's: the next frame takes it.
 */
static void net_config_written(struct vdev *dev, size_t off, const uint8_t *bytes, size_t len,
			       uint8_t *config)
{
	struct net *net = (struct net *)dev;
	uint64_t mac = 1; /* so that it is never 0 */

	if (!vdev_is_legacy(dev) || vdev_accepted(dev, NET_F_CTRL_MAC_ADDR) || off >= 6)
		return;
	len = MIN(len, 6 - off);
	memcpy(config + off, bytes, len);
	for (unsigned i = 0; i < 6; i++)
		mac = mac << 8 | config[i];
	if (off + len == 6)
		net->mac_written = mac;
}

void net_take_mac(struct net *net)
{
	uint64_t mac = atomic_load_explicit(&net->mac_written, memory_order_relaxed);
	uint8_t bytes[6];

	if (mac == net->mac_taken)
		return;
	net->mac_taken = mac;
	for (unsigned i = 0; i < 6; i++)
		bytes[i] = (uint8_t)(mac >> (40 - 8 * i));
	net_filter_own(&net->filter, bytes);
}

/* What depends on the backend that was found. */
static void net_set_up(void *arg)
{
	static const uint8_t none[6];
	struct net *net = arg;
	struct vdev *dev = &net->dev;
	le16 pairs, mtu = cpu_le16((uint16_t)net->opt.mtu);

	if (memcmp(net->opt_mac, none, 6) == 0)
		net_default_mac(net);
	net->max_pairs = net->be->n_channels;
	dev->n_queues = 2 * net->max_pairs + 1;
	pairs = cpu_le16((uint16_t)net->max_pairs);
	vdev_config_set(dev, offsetof(struct net_config, max_pairs), &pairs, sizeof(pairs), false);
	vdev_config_set(dev, offsetof(struct net_config, mtu), &mtu, sizeof(mtu), false);
	net_offer_features(net);
	net_forget_driver(net);
}

static bool net_open(struct vdev *dev, GError **err)
{
	struct net *net = (struct net *)dev;
	const struct net_config config = { .status = cpu_le16(NET_S_LINK_UP) };

	if (!net_check_mac(net->opt_mac, err))
		return false;
	vdev_config_set(dev, 0, &config, sizeof(config), false);
	net->carrier = true;
	net->frame = g_malloc(NET_FRAME_MAX);
	net->be = net_spec_open(net->spec, &net->opt, dev->loop, &net_events, net,
				dev->env->wrappers, err);
	if (!net->be)
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(net->be->syscalls); i++)
		vdev_add_syscalls(dev, net->be->syscalls[i]);
	vdev_keep_path(dev, net->be->kept_path);
	dev->needs_network = net->be->needs_network;
	dev->more_files = net->be->files;
	dev->more_memory = net->be->memory;
	loop_call(dev->loop, net_set_up, net);
	return !net->opt_vhost || net_vhost_open(net, err);
}

static void net_close(struct vdev *dev)
{
	struct net *net = (struct net *)dev;

	net_vhost_close(net);
	net_backend_close(net->be);
	g_free(net->frame);
}

/*
 * Queues, by their number. One that is neither of the first kinds is unused.
 */
enum role { ROLE_RX, ROLE_TX, ROLE_CTRL, ROLE_NONE };

static enum role net_role_of(const struct net *net, unsigned q)
{
	if (q == net->ctrl_queue)
		return ROLE_CTRL;
	if (q > net->ctrl_queue || q / 2 >= net->max_pairs)
		return ROLE_NONE;
	return q % 2 ? ROLE_TX : ROLE_RX;
}

void net_follow_queues(struct net *net, unsigned least)
{
	unsigned pairs = 0;

	if (!vdev_control_elsewhere(&net->dev))
		return;
	for (unsigned i = 0; i < net->max_pairs; i++)
		if (net->pair[i].rx_on)
			pairs = i + 1;
	pairs = pairs ? MAX(pairs, least) : net->pairs;
	if (pairs != net->pairs && !net_use_pairs(net, pairs))
		vdev_host_error(&net->dev, "the tap's queues could not be attached");
}

static void net_queue_started(struct vdev *dev, unsigned q)
{
	struct net *net = (struct net *)dev;

	if (net_role_of(net, q) == ROLE_RX) {
		net_rx_start(net, q / 2);
		net_follow_queues(net, net->pairs);
	} else if (net_role_of(net, q) == ROLE_TX) {
		net_tx_start(net, q / 2);
	}
}

static bool net_queue_stop(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	struct net *net = (struct net *)dev;
	enum role role = net_role_of(net, q);

	if (why == VDEV_STOP_SAVE) {
		if (role == ROLE_TX)
			net_tx_give_back(net, q / 2);
		return true;
	}
	if (role == ROLE_RX) {
		net_rx_stop(net, q / 2, why);
		net_follow_queues(net, 1);
	} else if (role == ROLE_TX) {
		net_tx_stop(net, q / 2, why);
	}
	return true;
}

static void net_kick(struct vdev *dev, unsigned q)
{
	struct net *net = (struct net *)dev;

	switch (net_role_of(net, q)) {
	case ROLE_RX:
		net_rx_kick(net, q / 2);
		break;
	case ROLE_TX:
		vdev_drain(dev, q, net_tx_handle);
		net_rx_flush(net, q / 2); /* the backend may have answered at once */
		break;
	case ROLE_CTRL:
		vdev_drain(dev, q, net_ctrl_handle);
		break;
	case ROLE_NONE:
		break;
	}
}

/* struct net_config. */
static const struct vdev_field config_fields[] = { { 1, 6 }, { 2, 3 }, { 0 } };

const struct vdev_class net_class = {
	.name = "net",
	.summary = "network card on user sockets, a tap, a socket to another ringside, or nothing",
	.id = 1,
	.legacy_id = 0x1000,
	.pci_class = 0x020000, /* Ethernet controller */
	.size = sizeof(struct net),
	.request_size = sizeof(struct net_tx),
	.config_size = sizeof(struct net_config),
	.config_fields = config_fields,
	.queue_size = 256,
	.n_queues = 3,
	.feature_bits = net_offered,
	.features = net_features,
	.props = net_props,
	.open = net_open,
	.close = net_close,
	.negotiated = net_negotiated,
	.queue_started = net_queue_started,
	.queue_stop = net_queue_stop,
	.kick = net_kick,
	.reset = net_reset,
	.config_written = net_config_written,
	.restart = net_restart,
	.state_version = 2,
	.save = net_save,
	.load = net_load,
};
