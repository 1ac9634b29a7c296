/*
 * The socket device (VIRTIO 1.4, 5.10): streams between programs of the guest and of the host,
 * without a network. The kernel serves it (devices/vhost/vhost.h, /dev/vhost-vsock): the host's
 * programs reach the guest by its address, guest-cid, in the address family AF_VSOCK, and no byte
 * passes through here.
 *
 * The third queue is for events, of which there is one: the guest goes on elsewhere, where nobody
 * knows its connections. So a device that was restored tells that.
 */
#include <string.h>

#include "devices/base/pack.h"
#include "devices/vhost/vhost.h"

#define CONTEXT "--device vsock"

/* Feature bits (5.10.3). */
enum { VSOCK_F_STREAM = 0, VSOCK_F_SEQPACKET = 1, VSOCK_F_NO_IMPLIED_STREAM = 2 };

enum { VSOCK_RX, VSOCK_TX, VSOCK_EVENT, VSOCK_QUEUES };

#define VSOCK_EVENT_TRANSPORT_RESET 0u

struct vsock {
	struct vdev vdev; /* first */
	uint32_t guest_cid;
	struct vhost vhost;
	bool moved; /* connections are lost, and the driver does not know; the owner's */
};

static struct vsock *vsock_of(struct vdev *dev)
{
	return (struct vsock *)dev;
}

static const struct prop vsock_props[] = {
	{ "guest-cid", PROP_U32, offsetof(struct vsock, guest_cid), .required = true, .min = 3,
	  .max = UINT32_MAX - 1, .also = "cid guest_cid context-id",
	  .help = "the guest's address (context identifier), by which programs of the host reach "
		  "it; theirs is 2" },
	{ 0 },
};

/*
 * The kernel's device.
 */
static bool vsock_run(struct vhost *v, unsigned ring, bool on)
{
	int running = on;

	/* Both begin with the first. */
	return ring != VSOCK_RX || vhost_call(v, VHOST_VSOCK_SET_RUNNING, &running);
}

static const struct vhost_kind vsock_kind = {
	.path = "/dev/vhost-vsock",
	.module = "vhost_vsock",
	.together = true,
	.run = vsock_run,
};

static bool vsock_take_address(struct vsock *vsock, GError **err)
{
	uint64_t cid = vsock->guest_cid;

	if (vhost_call(&vsock->vhost, VHOST_VSOCK_SET_GUEST_CID, &cid))
		return true;
	return ringside_usage(err, CONTEXT ",guest-cid=%u: %s; each guest of a host has its own",
			      vsock->guest_cid, vsock->vhost.wrong);
}

static bool vsock_open(struct vdev *dev, GError **err)
{
	struct vsock *vsock = vsock_of(dev);
	le64 cid = cpu_le64(vsock->guest_cid);
	const uint64_t own = 1u << VSOCK_F_STREAM | 1u << VSOCK_F_SEQPACKET |
			     1u << VSOCK_F_NO_IMPLIED_STREAM;

	vdev_config_set(dev, 0, &cid, sizeof(cid), false);
	return vhost_open(&vsock->vhost, &vsock_kind, dev, VSOCK_RX, CONTEXT, err) &&
	       vhost_offer(&vsock->vhost, own, CONTEXT, err) && vsock_take_address(vsock, err);
}

static void vsock_close(struct vdev *dev)
{
	vhost_close(&vsock_of(dev)->vhost);
}

/*
 * Events.
 */
static void vsock_kick(struct vdev *dev, unsigned q)
{
	struct vsock *vsock = vsock_of(dev);
	const le32 event = cpu_le32(VSOCK_EVENT_TRANSPORT_RESET);
	struct vq_chain *c = q == VSOCK_EVENT && vsock->moved ? vdev_take(dev, q) : NULL;

	if (!c)
		return;
	vsock->moved = false;
	if (!vq_put(c, &event, sizeof(event)))
		vdev_guest_bug(dev,
			       "queue %u: a buffer without room for an event (VIRTIO 1.4, "
			       "5.10.6.7)",
			       q);
	vq_push(c->vq, c);
	vdev_flush(dev, q);
}

static void vsock_forget(void *arg)
{
	((struct vsock *)arg)->moved = false;
}

static void vsock_reset(struct vdev *dev)
{
	loop_call(dev->loop, vsock_forget, dev);
}

/* What connections there are, the kernel keeps. */
static void vsock_save(struct vdev *dev, GByteArray *out)
{
	(void)dev;
	(void)out;
}

static void vsock_arrive(void *arg)
{
	((struct vsock *)arg)->moved = true;
}

static bool vsock_load(struct vdev *dev, struct unpack *in, GError **err)
{
	(void)in;
	(void)err;
	loop_call(dev->loop, vsock_arrive, dev);
	return true;
}

static const unsigned char vsock_offered[] = { VSOCK_F_STREAM, VSOCK_F_SEQPACKET,
					       VSOCK_F_NO_IMPLIED_STREAM, 255 };

static const struct vdev_feature vsock_features[] = {
	{ "stream", VSOCK_F_STREAM, 0 },
	{ "seqpacket", VSOCK_F_SEQPACKET, 0 },
	{ "no_implied_stream", VSOCK_F_NO_IMPLIED_STREAM, 0 },
	{ 0 },
};

/* struct virtio_vsock_config. */
static const struct vdev_field config_fields[] = { { 8, 1 }, { 0 } };

static const struct syscall_use vsock_syscalls[] = {
	{ SYSCALL_IOCTL(VHOST_VSOCK_SET_RUNNING) },
	{ .name = NULL },
};

const struct vdev_class vsock_class = {
	.name = "vsock",
	.summary = "sockets between guest and host without a network (AF_VSOCK), by the kernel",
	.id = 19,
	.pci_class = 0x078000, /* communication device */
	.size = sizeof(struct vsock),
	.config_size = sizeof(uint64_t),
	.config_fields = config_fields,
	.queue_size = 128,
	.n_queues = VSOCK_QUEUES,
	.feature_bits = vsock_offered,
	.features = vsock_features,
	.props = vsock_props,
	.syscalls = vsock_syscalls,
	.outside = true,
	.open = vsock_open,
	.close = vsock_close,
	.kick = vsock_kick,
	.reset = vsock_reset,
	.state_version = 1,
	.save = vsock_save,
	.load = vsock_load,
};
