#include "devices/vhost-user/front.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "devices/base/eventfd.h"

#define CONTEXT "--device vhost-user"

#define VIRTIO_ID_NET     1u
#define VIRTIO_ID_FS      26u
#define VIRTIO_FS_TAG_MAX 36u

#define VIRTIO_NET_F_MAC 5
/* What a network card tells in its configuration space, but for the address: MTU, STATUS,
 * HASH_REPORT, RSS, SPEED_DUPLEX. */
#define VHU_NET_BY_CONFIG (1ull << 3 | 1ull << 16 | 1ull << 57 | 1ull << 60 | 1ull << 63)

static const char *const memory_names[] = { "guest", "bounce", NULL };

static const struct prop vhu_front_props[] = {
	{ "socket", PROP_STR, offsetof(struct vhu_front, path), .required = true,
	  .also = "path chardev sock", .help = "unix socket on which the back-end listens" },
	{ "type", PROP_STR, offsetof(struct vhu_front, type), .required = true,
	  .also = "virtio-id device-id",
	  .help = "type of the device: a name of those below, or virtio's number for it" },
	{ "queues", PROP_U32, offsetof(struct vhu_front, queues), .min = 1, .max = VDEV_QUEUES_MAX,
	  .also = "num-queues num-request-queues num_vqs",
	  .help = "how many, as counted below (without it: what the back-end has, or one)" },
	{ "tag", PROP_STR, offsetof(struct vhu_front, tag),
	  .help = "type=fs: by which the guest mounts it; at most 36 bytes" },
	{ "mac", PROP_MAC, offsetof(struct vhu_front, mac),
	  .help = "type=net: the guest's address, where the back-end does not say it" },
	{ "config-size", PROP_U32, offsetof(struct vhu_front, config_size), .min = 1,
	  .max = VDEV_CONFIG_MAX, .also = "config_size",
	  .help = "bytes of its configuration space, where the type does not tell" },
	{ "memory", PROP_ENUM, offsetof(struct vhu_front, opt_memory), .default_value = "guest",
	  .choices = memory_names,
	  .help = "what the back-end sees: the guest's memory, or a small region of its own, into "
		  "which all that it needs is copied" },
	{ "size", PROP_SIZE, offsetof(struct vhu_front, bounce_size), .min = VHU_BOUNCE_MIN,
	  .max = VHU_BOUNCE_MAX,
	  .help = "memory=bounce: of that region (64M); each queue has its share" },
	{ 0 },
};

/*
 * The driver's calls.
 */

/* The configuration space is then as the back-end's reset left it (input's selectors). */
static void front_do_reset(void *arg)
{
	struct vhu_front *f = arg;

	vhu_session_reset(f);
	if (vhu_link_is_open(&f->link) && !vhu_front_refresh_config(f, false))
		vhu_front_lost(f);
}

static void front_reset(struct vdev *dev)
{
	loop_call_serving(vhu_front_of(dev)->loop, front_do_reset, dev);
}

struct front_write {
	struct vhu_front *f;
	struct vhu_config c;
};

static void front_do_write(void *arg)
{
	const struct front_write *w = arg;
	struct vhu_front *f = w->f;
	uint32_t size = (uint32_t)offsetof(struct vhu_config, bytes) + w->c.len;

	if (!vhu_link_is_open(&f->link) || !vhu_link_has(&f->link, VHU_PF_CONFIG))
		return;
	if (!vhu_link_tell(&f->link, VHU_SET_CONFIG, &w->c, size, NULL, 0) ||
	    !vhu_front_refresh_config(f, false))
		vhu_front_lost(f);
}

/* What it reads next may depend on it (input's select), so the write is over when the space is as
 * the back-end has it then. */
static void front_config_forward(struct vdev *dev, size_t off, const uint8_t *bytes, size_t len)
{
	struct front_write w = { .f = vhu_front_of(dev),
				 .c = { .offset = (uint32_t)off, .len = (uint32_t)len } };

	memcpy(w.c.bytes, bytes, len);
	loop_call_serving(w.f->loop, front_do_write, &w);
}

/*
 * Opening: what the back-end says makes the device.
 */
static bool front_check_bounce(struct vhu_front *f, GError **err)
{
	if (f->opt_memory != VHU_MEMORY_BOUNCE && f->bounce_size)
		return ringside_usage(err, CONTEXT ": size= is for memory=bounce");
	if (f->opt_memory == VHU_MEMORY_BOUNCE && f->kind.by_address)
		return ringside_usage(err,
				      CONTEXT ",type=%s,memory=bounce: requests of this type "
					      "name guest memory",
				      f->type);
	if (!f->bounce_size)
		f->bounce_size = VHU_BOUNCE_DEFAULT;
	return true;
}

static bool front_check(struct vhu_front *f, GError **err)
{
	char *whole;

	if (strlen(f->path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return ringside_usage(err, CONTEXT ",socket=%s: the path is too long", f->path);
	whole = g_canonicalize_filename(f->path, NULL);
	g_free(f->path);
	f->path = whole;
	if (!vhu_kind_find(&f->kind, f->type, CONTEXT, err))
		return false;
	if (f->tag && f->kind.id != VIRTIO_ID_FS)
		return ringside_usage(err, CONTEXT ",tag=%s: it is for type=fs", f->tag);
	if (f->tag && (!*f->tag || strlen(f->tag) > VIRTIO_FS_TAG_MAX))
		return ringside_usage(err, CONTEXT ",tag=%s: a tag has 1 to %u bytes", f->tag,
				      VIRTIO_FS_TAG_MAX);
	if (f->queues && !f->kind.more)
		return ringside_usage(err, CONTEXT ",queues=%u: type=%s has %u, always", f->queues,
				      f->type, f->kind.queues);
	return front_check_bounce(f, err);
}

static bool front_check_memory(const struct vhu_front *f, GError **err)
{
	const struct gmem *mem = f->vdev.mem;

	for (unsigned i = 0; i < mem->n && f->opt_memory == VHU_MEMORY_GUEST; i++)
		if (mem->region[i].fd < 0)
			return ringside_usage(err,
					      CONTEXT ": the back-end has to map guest memory: "
						      "--memory SIZE,shared=on, or memory=bounce");
	return true;
}

static bool front_no_backend(struct vhu_front *f, GError **err)
{
	g_autofree char *what = g_strdup_printf(CONTEXT ",socket=%s", f->path);

	if (errno == ECONNREFUSED || errno == ENOENT)
		return ringside_usage(err, "%s: no back-end listens there; start it first", what);
	return ringside_error_errno(err, errno, "%s", what);
}

static bool front_wrong(struct vhu_front *f, GError **err)
{
	return ringside_usage(err, CONTEXT ",socket=%s: the back-end: %s", f->path, f->link.wrong);
}

static bool front_has_mac(const struct vhu_front *f)
{
	static const uint8_t none[6];

	return memcmp(f->mac, none, sizeof(none)) != 0;
}

static bool front_shape_config(struct vhu_front *f, GError **err)
{
	struct vhu_kind *k = &f->kind;
	bool own = !vhu_link_has(&f->link, VHU_PF_CONFIG);

	f->vdev.config_size = f->config_size ? f->config_size : k->config_size;
	if (own && k->id == VIRTIO_ID_FS && !f->tag)
		return ringside_usage(err, CONTEXT ",type=fs: the back-end does not say by which "
						   "tag to mount it: tag=TAG");
	if (own && k->id == VIRTIO_ID_NET)
		k->withheld |= VHU_NET_BY_CONFIG;
	if (front_has_mac(f))
		f->own |= 1ull << VIRTIO_NET_F_MAC;
	return true;
}

/* Of the configuration space, unless the operator says it; 0: it does not tell. */
static unsigned front_counted(const struct vhu_front *f, const uint8_t *config)
{
	const struct vhu_kind *k = &f->kind;
	uint32_t n = 0;

	if (f->queues)
		return f->queues;
	if (!k->count_bytes && !k->name && vhu_link_has(&f->link, VHU_PF_MQ))
		return (unsigned)MIN(f->queues_max, VDEV_QUEUES_MAX);
	if (!k->count_bytes || !vhu_link_has(&f->link, VHU_PF_CONFIG) ||
	    (k->count_if & ~f->features))
		return 0;
	memcpy(&n, config + k->count_at, k->count_bytes);
	return GUINT32_FROM_LE(n);
}

static bool front_shape_queues(struct vhu_front *f, const uint8_t *config, GError **err)
{
	const struct vhu_kind *k = &f->kind;
	unsigned counted = front_counted(f, config), more = k->more ? MAX(counted, 1) : 0;

	if (more > VDEV_QUEUES_MAX - (unsigned)k->queues)
		return ringside_usage(err, CONTEXT ",queues=%u: too many; a device has %u at most",
				      more, VDEV_QUEUES_MAX);
	if (k->more && vhu_link_has(&f->link, VHU_PF_MQ) && more + k->queues > f->queues_max)
		return ringside_usage(err, CONTEXT ",queues=%u: the back-end has %u in all", more,
				      (unsigned)f->queues_max);
	f->vdev.n_queues = k->queues + more;
	for (unsigned q = 0; q < f->vdev.n_queues; q++) {
		struct vdev_queue *queue = &f->vdev.queue[q];

		queue->loop = f->loop;
		if (q >= vhu_front_served(f))
			continue;
		if (f->opt_memory == VHU_MEMORY_GUEST)
			queue->engine = &vhu_engine;
		if (!eventfd_open(&f->ring[q].err_fd, CONTEXT, err))
			return false;
	}
	return true;
}

#define COMMON_FIRST 24u /* feature bits of what is neither a type's nor free for it */
#define COMMON_LAST  49u

/* Of common features the core offers what it would of any device; the back-end has to have them. */
static bool front_shape_features(struct vhu_front *f, GError **err)
{
	struct vdev *dev = &f->vdev;
	uint64_t passed = vhu_session_passed(f);

	if (dev->opt_ring == VDEV_RING_PACKED &&
	    passed & ~f->features & 1ull << VIRTIO_F_RING_PACKED)
		return ringside_usage(err, CONTEXT ",ring=packed: the back-end does not offer it");
	for (unsigned bit = 0; bit < 64; bit++) {
		bool common = bit >= COMMON_FIRST && bit <= COMMON_LAST;
		bool has = f->features >> bit & 1;

		if (f->own >> bit & 1)
			vdev_offer(dev, bit, true);
		else if (passed >> bit & 1 && (!common || !has))
			vdev_offer(dev, bit, has);
	}
	return true;
}

static bool front_shape(struct vhu_front *f, GError **err)
{
	uint8_t config[VDEV_CONFIG_MAX] = { 0 };

	if (!front_shape_config(f, err))
		return false;
	if (!vhu_session_config(f, config))
		return front_wrong(f, err);
	if (!front_shape_queues(f, config, err) || !front_shape_features(f, err))
		return false;
	return vhu_front_refresh_config(f, false) || front_wrong(f, err);
}

static void front_begin(void *arg)
{
	vhu_front_watch(arg);
}

static void front_choose_loop(struct vhu_front *f)
{
	f->loop = f->vdev.opt_iothread ? f->vdev.loop : vdev_worker(&f->vdev);
	if (!f->loop)
		f->loop = f->vdev.loop;
}

static bool front_open_bounce(struct vhu_front *f, GError **err)
{
	if (f->opt_memory == VHU_MEMORY_GUEST)
		return true;
	vdev_add_syscalls(&f->vdev, bounce_region_syscalls);
	f->vdev.more_memory = f->bounce_size;
	f->vdev.more_files = 1 + 2 * vhu_front_served(f);
	return vhu_bounce_open(f, err) && (vhu_bounce_begin(f) || front_wrong(f, err));
}

static bool front_open(struct vdev *dev, GError **err)
{
	struct vhu_front *f = vhu_front_of(dev);

	vhu_link_init(&f->link);
	f->inflight_fd = -1;
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
		f->ring[q].err_fd = -1;
	if (!front_check(f, err) || !front_check_memory(f, err))
		return false;
	front_choose_loop(f);
	if (!vhu_front_connect(f))
		return front_no_backend(f, err);
	if (!vhu_session_begin(f))
		return front_wrong(f, err);
	if (!dev->opt_queue_size)
		dev->opt_queue_size = f->kind.queue_size;
	if (!front_shape(f, err) || !front_open_bounce(f, err))
		return false;
	dev->type = f->kind.id;
	dev->pci_class = f->kind.pci_class;
	vdev_add_syscalls(dev, msg_socket_syscalls);
	vdev_add_syscalls(dev, appear_syscalls);
	vdev_keep_path(dev, f->path);
	loop_call(f->loop, front_begin, f);
	return true;
}

static void front_end(void *arg)
{
	struct vhu_front *f = arg;

	vhu_front_unwatch(f);
	vhu_link_close(&f->link);
}

static void front_close(struct vdev *dev)
{
	struct vhu_front *f = vhu_front_of(dev);

	if (f->loop)
		loop_call(f->loop, front_end, f);
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
		eventfd_close(&f->ring[q].err_fd);
	eventfd_close(&f->inflight_fd);
	vhu_bounce_close(f);
}

static char *front_help(unsigned width)
{
	g_autofree char *kinds = vhu_kinds_help(width);

	return g_strconcat(kinds,
			   "The back-end is there before the guest starts. For one that ends later "
			   "requests\nwait until another listens on the same socket: "
			   "docs/vhost-user-front-end.md.\n",
			   NULL);
}

static const struct syscall_use front_syscalls[] = {
	{ SYSCALL_SOCKET(AF_UNIX) }, /* to connect again */
	{ .name = "connect" },
	{ .name = "socketpair", .arg = 0, .mask = UINT32_MAX, .value = AF_UNIX },
	{ .name = NULL },
};

const struct vdev_class vhost_user_class = {
	.name = "vhost-user",
	.summary = "a device of any type, served by another process over a socket",
	.size = sizeof(struct vhu_front),
	.queue_size = 128,
	.props = vhu_front_props,
	.syscalls = front_syscalls,
	.outside = true,
	.shares_memory = true,
	.request_size = sizeof(struct vhu_bounced),
	.open = front_open,
	.close = front_close,
	.reset = front_reset,
	.config_forward = front_config_forward,
	.queue_started = vhu_bounce_queue_started,
	.queue_stop = vhu_bounce_queue_stop,
	.kick = vhu_bounce_kick,
	.help = front_help,
};
