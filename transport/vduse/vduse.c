/* The device's life, and the kernel's messages. */
#include "transport/vduse/vduse.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "devices/core/engine.h"
#include "transport/vduse/impl.h"
#include "transport/vduse/sys.h"

#define CONTROL      "/dev/vduse/control"
#define ALIGN        4096u /* of rings */
#define RETRY_MS     1u    /* at first; twice as long each time, */
#define RETRY_MAX_MS 1000u /* up to this */

#define BIT(n) (1ull << (n))

bool vduse_call_named(struct vduse *v, unsigned long request, const char *name, void *arg)
{
	int ret = vduse_sys_ioctl(v->fd, request, arg);

	if (ret < 0)
		vdev_host_error(v->dev, "vduse %s: %s: %s", v->name, name, g_strerror(-ret));
	return ret >= 0;
}

/*
 * Features.
 */

/* What the kernel does not let such devices offer: a control queue would be in its locks' way, and
 * a configuration space that can be written to. */
static const struct {
	uint32_t type;
	uint64_t withheld;
} types[] = {
	/* MQ, and all that is CTRL_VQ's */
	{ 1, BIT(2) | BIT(17) | BIT(18) | BIT(19) | BIT(20) | BIT(21) | BIT(22) | BIT(23) },
	{ 2, BIT(11) }, /* CONFIG_WCE */
};

/* ACCESS_PLATFORM is the kernel's to have and ours to see to: addresses are its own (IOVA). */
static uint64_t vduse_offered(const struct vdev *dev)
{
	uint64_t f = dev->offered.w[0] & ~VDEV_TRANSPORT_FEATURES;

	for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
		if (types[i].type == dev->type)
			f &= ~types[i].withheld;
	return f | BIT(VIRTIO_F_ACCESS_PLATFORM);
}

/* Some who have the device (QEMU, by vhost-vdpa) leave steps out: their driver has done them. */
static void vduse_take_first_steps(struct vdev *dev)
{
	if (!(vdev_status(dev) & VIRTIO_S_ACKNOWLEDGE))
		vdev_set_status(dev, VIRTIO_S_ACKNOWLEDGE);
	if (!(vdev_status(dev) & VIRTIO_S_DRIVER))
		vdev_set_status(dev, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
}

static bool vduse_negotiate(struct vduse *v)
{
	uint64_t f;

	vduse_take_first_steps(v->dev);
	if (!vduse_call(v, VDUSE_DEV_GET_FEATURES, &f))
		return false;
	f &= ~BIT(VIRTIO_F_ACCESS_PLATFORM);
	vdev_features_accept(v->dev, 0, (uint32_t)f);
	vdev_features_accept(v->dev, 1, (uint32_t)(f >> 32));
	return true;
}

/*
 * Messages.
 */
static void vduse_reset(struct vduse *v)
{
	vduse_rings_end(v);
	vdev_set_status(v->dev, 0);
	vduse_memory_clear(v);
}

/* The driver waits for the answer, so it makes nothing available meanwhile. */
static bool vduse_begin(struct vduse *v, uint8_t status)
{
	if (!vduse_memory_renew(v))
		return false;
	vdev_set_status(v->dev, status);
	return vduse_rings_begin(v);
}

/* A driver may set several bits at once. */
static bool vduse_set_status(struct vduse *v, uint8_t status)
{
	uint8_t added = status & ~(uint8_t)vdev_status(v->dev);

	if (status == 0) {
		vduse_reset(v);
		return true;
	}
	if (added & VIRTIO_S_FEATURES_OK && !vduse_negotiate(v))
		return false;
	status |= (uint8_t)vdev_status(v->dev);
	vdev_set_status(v->dev, status & ~(uint32_t)VIRTIO_S_DRIVER_OK);
	if (added & VIRTIO_S_FEATURES_OK && !(vdev_status(v->dev) & VIRTIO_S_FEATURES_OK))
		return false;
	return !(added & VIRTIO_S_DRIVER_OK) || vduse_begin(v, status);
}

static bool vduse_get_state(struct vduse *v, struct vduse_vq_state *state)
{
	struct vq_position at;

	if (state->index >= v->dev->n_queues)
		return false;
	if (v->ring[state->index].runs)
		v->ring[state->index].position = vdev_queue_suspend(v->dev, state->index);
	v->ring[state->index].runs = false;
	at = v->ring[state->index].position;
	if (vdev_accepted(v->dev, VIRTIO_F_RING_PACKED))
		state->packed = (struct vduse_vq_state_packed){
			.last_avail_counter = at.next_avail >> 15,
			.last_avail_idx = at.next_avail & 0x7fff,
			.last_used_counter = at.next_used >> 15,
			.last_used_idx = at.next_used & 0x7fff,
		};
	else
		state->split.avail_index = at.next_avail;
	return true;
}

static bool vduse_serve(struct vduse *v, const struct vduse_dev_request *req,
			struct vduse_dev_response *resp)
{
	switch (req->type) {
	case VDUSE_GET_VQ_STATE:
		resp->vq_state.index = req->vq_state.index;
		return vduse_get_state(v, &resp->vq_state);
	case VDUSE_SET_STATUS:
		return vduse_set_status(v, req->s.status);
	case VDUSE_UPDATE_IOTLB:
		vduse_rings_renew(v);
		return true;
	default:
		return false;
	}
}

/* One message at a time: to stop a ring may take as long as the host's I/O, and the loop goes on
 * meanwhile. */
static void vduse_listen(struct vduse *v, bool on)
{
	loop_watch_events(v->watch, on ? G_IO_IN : 0);
	loop_watch_events(v->kick_watch, on ? G_IO_IN : 0);
}

static void vduse_answer(struct vduse *v)
{
	struct vduse_dev_request req;
	struct vduse_dev_response resp = { .result = VDUSE_REQ_RESULT_OK };

	if (read(v->fd, &req, sizeof(req)) != sizeof(req))
		return;
	resp.request_id = req.request_id;
	if (!vduse_serve(v, &req, &resp))
		resp.result = VDUSE_REQ_RESULT_FAILED;
	if (write(v->fd, &resp, sizeof(resp)) != sizeof(resp))
		vdev_host_error(v->dev, "vduse %s: an answer that the kernel does not want",
				v->name);
}

static void vduse_said(void *arg, GIOCondition revents)
{
	struct vduse *v = arg;

	(void)revents;
	vduse_listen(v, false);
	vduse_answer(v);
	vduse_listen(v, true);
}

/* A driver whose memory was not complete has put more there, perhaps. */
static void vduse_kicked(void *arg, GIOCondition revents)
{
	struct vduse *v = arg;

	(void)revents;
	eventfd_clear(v->kick_fd);
	vduse_listen(v, false);
	vduse_rings_renew(v);
	vduse_listen(v, true);
}

static void vduse_try_later(struct vduse *v, unsigned ms);

static gboolean vduse_try_again(void *arg)
{
	struct vduse *v = arg;

	loop_unwatch(g_steal_pointer(&v->retry));
	if (!vduse_rings_pay(v))
		vduse_try_later(v, MIN(2 * v->retry_ms, RETRY_MAX_MS));
	return G_SOURCE_REMOVE;
}

static void vduse_try_later(struct vduse *v, unsigned ms)
{
	v->retry_ms = ms;
	v->retry = g_timeout_source_new(ms);
	g_source_set_callback(v->retry, vduse_try_again, v, NULL);
	g_source_attach(v->retry, loop_context(v->main));
}

static void vduse_owes(void *arg, GIOCondition revents)
{
	struct vduse *v = arg;

	(void)revents;
	eventfd_clear(v->owed_fd);
	if (!v->retry)
		vduse_try_later(v, RETRY_MS);
}

/* The driver named an address that it has mapped nothing at: the device had zeroes instead. */
static void vduse_lost(void *arg, GIOCondition revents)
{
	struct vduse *v = arg;

	(void)revents;
	eventfd_clear(v->lost_fd);
	vdev_guest_bug(v->dev, "a buffer where the driver has mapped no memory");
}

/*
 * From the device.
 */
static void vduse_queue_changed(struct vdev *dev, unsigned q)
{
	vduse_ring_interrupt(dev->transport_data, q);
}

static void vduse_config_stale(struct vdev *dev)
{
	struct vduse *v = dev->transport_data;
	g_autofree struct vduse_config_data *data =
		g_malloc0(sizeof(struct vduse_config_data) + VDEV_CONFIG_MAX);

	data->length = (uint32_t)dev->config_size;
	vdev_config_get(dev, 0, data->buffer, dev->config_size);
	if (data->length)
		(void)vduse_sys_ioctl(v->fd, VDUSE_DEV_SET_CONFIG, data);
}

static void vduse_config_changed(struct vdev *dev)
{
	const struct vduse *v = dev->transport_data;

	vduse_config_stale(dev);
	(void)vduse_sys_ioctl(v->fd, VDUSE_DEV_INJECT_CONFIG_IRQ, NULL);
}

static const struct vdev_transport_ops vduse_ops = {
	.queue_changed = vduse_queue_changed,
	.config_changed = vduse_config_changed,
	.config_stale = vduse_config_stale,
};

/*
 * Making and freeing.
 */
static bool vduse_open_control(struct vduse *v, const char *context, GError **err)
{
	uint64_t version = VDUSE_API_VERSION;
	int ret = v->control = vduse_sys_open(CONTROL);

	if (ret == -ENOENT || ret == -ENODEV || ret == -ENXIO)
		return ringside_usage(err,
				      "%s: there is no " CONTROL "; the kernel's module vduse "
				      "makes it (Linux 5.15 and later): modprobe vduse",
				      context);
	if (ret == -EACCES || ret == -EPERM)
		return ringside_usage(err, "%s: this user may not open " CONTROL "; root may",
				      context);
	if (ret >= 0)
		ret = vduse_sys_ioctl(v->control, VDUSE_SET_API_VERSION, &version);
	return ret >= 0 || ringside_error_errno(err, -ret, "%s: " CONTROL, context);
}

static int vduse_destroy(struct vduse *v)
{
	char name[VDUSE_NAME_MAX] = "";

	g_strlcpy(name, v->name, sizeof(name));
	return vduse_sys_ioctl(v->control, VDUSE_DESTROY_DEV, name);
}

static int vduse_create(struct vduse *v, struct vduse_dev_config *c)
{
	int ret = vduse_sys_ioctl(v->control, VDUSE_CREATE_DEV, c);

	/* One that nobody has is left of a process that was killed. */
	if (ret == -EEXIST && vduse_destroy(v) >= 0)
		ret = vduse_sys_ioctl(v->control, VDUSE_CREATE_DEV, c);
	return ret;
}

static bool vduse_make(struct vduse *v, const char *context, GError **err)
{
	struct vdev *dev = v->dev;
	g_autofree struct vduse_dev_config *c =
		g_malloc0(sizeof(struct vduse_dev_config) + VDEV_CONFIG_MAX);
	int ret;

	g_strlcpy(c->name, v->name, sizeof(c->name));
	c->vendor_id = 0x1af4;
	c->device_id = dev->type;
	c->features = vduse_offered(dev);
	c->vq_num = dev->n_queues;
	c->vq_align = ALIGN;
	c->config_size = (uint32_t)dev->config_size;
	vdev_config_get(dev, 0, c->config, dev->config_size);
	ret = vduse_create(v, c);
	v->made = ret >= 0;
	if (ret == -EEXIST || ret == -EBUSY)
		return ringside_usage(err,
				      "%s: there is a device of that name, and the host uses it: "
				      "vdpa dev del %s",
				      context, v->name);
	if (ret == -EINVAL)
		return ringside_usage(err,
				      "%s: the kernel takes no %s there; it takes disks, and "
				      "newer ones network cards",
				      context, dev->class->name);
	return ret >= 0 || ringside_error_errno(err, -ret, "%s: VDUSE_CREATE_DEV", context);
}

static bool vduse_set_up_queues(struct vduse *v, const char *context, GError **err)
{
	for (unsigned q = 0; q < v->dev->n_queues; q++) {
		struct vduse_vq_config c = {
			.index = q, .max_size = (uint16_t)vdev_queue_read(v->dev, q, VQR_SIZE_MAX)
		};
		int ret = vduse_sys_ioctl(v->fd, VDUSE_VQ_SETUP, &c);

		if (ret < 0)
			return ringside_error_errno(err, -ret, "%s: VDUSE_VQ_SETUP", context);
	}
	return true;
}

static bool vduse_open_device(struct vduse *v, const char *context, GError **err)
{
	g_autofree char *path = g_strdup_printf("/dev/vduse/%s", v->name);

	v->fd = vduse_sys_open(path);
	if (v->fd < 0)
		return ringside_error_errno(err, -v->fd, "%s: %s", context, path);
	return vduse_set_up_queues(v, context, err) && eventfd_open(&v->kick_fd, context, err) &&
	       eventfd_open(&v->owed_fd, context, err) && eventfd_open(&v->lost_fd, context, err);
}

static bool vduse_check_name(const char *name, const char *context, GError **err)
{
	if (*name && strlen(name) < VDUSE_NAME_MAX && !strchr(name, '/') && *name != '.')
		return true;
	return ringside_usage(err, "%s: no name of a device", context);
}

static void vduse_watch(struct vduse *v)
{
	v->watch = loop_watch(v->main, v->fd, G_IO_IN, vduse_said, v);
	v->kick_watch = loop_watch(v->main, v->kick_fd, G_IO_IN, vduse_kicked, v);
	v->owed_watch = loop_watch(v->main, v->owed_fd, G_IO_IN, vduse_owes, v);
	v->lost_watch = loop_watch(v->main, v->lost_fd, G_IO_IN, vduse_lost, v);
	given_tell(v->lost_fd);
}

struct vduse *vduse_new(struct vdev *dev, struct gmem *mem, struct loop *main, const char *name,
			const char *context, GError **err)
{
	struct vduse *v = g_new0(struct vduse, 1);

	v->dev = dev;
	v->mem = mem;
	v->main = main;
	v->name = g_strdup(name);
	v->control = v->fd = v->kick_fd = v->owed_fd = v->lost_fd = -1;
	if (!vduse_check_name(name, context, err) || !vduse_open_control(v, context, err) ||
	    !vduse_make(v, context, err) || !vduse_open_device(v, context, err)) {
		vduse_free(v);
		return NULL;
	}
	vduse_watch(v);
	vdev_attach(dev, &vduse_ops, v);
	return v;
}

static void vduse_unwatch(struct vduse *v)
{
	loop_unwatch(g_steal_pointer(&v->watch));
	loop_unwatch(g_steal_pointer(&v->kick_watch));
	loop_unwatch(g_steal_pointer(&v->owed_watch));
	loop_unwatch(g_steal_pointer(&v->lost_watch));
	loop_unwatch(g_steal_pointer(&v->retry));
}

void vduse_free(struct vduse *v)
{
	if (!v)
		return;
	if (v->watch) {
		given_tell(-1);
		vduse_unwatch(v);
		vduse_reset(v);
		vdev_detach(v->dev);
	}
	if (v->fd >= 0)
		close(v->fd);
	if (v->made && vduse_destroy(v) < 0)
		g_log("ringside", G_LOG_LEVEL_WARNING,
		      "%s: the host uses %s still, and waits: vdpa dev del %s", vdev_name(v->dev),
		      v->name, v->name);
	if (v->control >= 0)
		close(v->control);
	eventfd_close(&v->kick_fd);
	eventfd_close(&v->owed_fd);
	eventfd_close(&v->lost_fd);
	g_free(v->name);
	g_free(v);
}

static const struct syscall_use vduse_own_syscalls[] = {
	{ SYSCALL_IOCTL(VDUSE_DEV_GET_FEATURES) }, { SYSCALL_IOCTL(VDUSE_VQ_GET_INFO) },
	{ SYSCALL_IOCTL(VDUSE_VQ_SETUP_KICKFD) },  { SYSCALL_IOCTL(VDUSE_IOTLB_GET_FD) },
	{ SYSCALL_IOCTL(VDUSE_DESTROY_DEV) },      { .name = NULL },
};

/* Interrupts, and changes of the configuration. */
const struct syscall_use vduse_queue_syscalls[] = {
	{ SYSCALL_IOCTL(VDUSE_VQ_INJECT_IRQ) },
	{ SYSCALL_IOCTL(VDUSE_DEV_SET_CONFIG) },
	{ SYSCALL_IOCTL(VDUSE_DEV_INJECT_CONFIG_IRQ) },
	{ .name = NULL },
};

const struct syscall_use *const vduse_syscalls[] = { given_syscalls, vduse_own_syscalls, NULL };
