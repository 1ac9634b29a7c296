/* The protocols in which a device is served: a row each. */
#include "transport/vduse/vduse.h"
#include "transport/vfio-user/vfio-user.h"
#include "transport/vhost-user/vhost-user.h"
#include "vmm/serve/serve-int.h"

static void *vhost_open(struct vdev *dev, struct gmem *mem, struct serve *s, GError **err)
{
	return vhost_user_new(dev, mem, s->main, serve_ended, s, err);
}

static void vhost_free(void *transport)
{
	vhost_user_free(transport);
}

static void vhost_connect(void *transport, int fd)
{
	(void)vhost_user_connect(transport, fd);
}

static void *vfio_open(struct vdev *dev, struct gmem *mem, struct serve *s, GError **err)
{
	return vfio_user_new(dev, mem, s->main, serve_ended, s, err);
}

static void vfio_free(void *transport)
{
	vfio_user_free(transport);
}

static void vfio_connect(void *transport, int fd)
{
	(void)vfio_user_connect(transport, fd);
}

static void *vduse_open(struct vdev *dev, struct gmem *mem, struct serve *s, GError **err)
{
	g_autofree char *context = g_strdup_printf("--vduse %s", s->cfg->where);
	struct vduse *v = vduse_new(dev, mem, s->main, s->cfg->where, context, err);

	if (v)
		g_message("serve: %s is a vDPA device: vdpa dev add name %s mgmtdev vduse",
			  vdev_name(dev), s->cfg->where);
	return v;
}

static void vduse_close(void *transport)
{
	vduse_free(transport);
}

const struct serve_protocol serve_protocols[N_SERVE_PROTOCOLS] = {
	[SERVE_VHOST_USER] = { "--vhost-user", vhost_open, vhost_free, vhost_connect,
			       vhost_user_syscalls, vhost_user_queue_syscalls },
	[SERVE_VFIO_USER] = { "--vfio-user", vfio_open, vfio_free, vfio_connect, vfio_user_syscalls,
			      NULL },
	[SERVE_VDUSE] = { "--vduse", vduse_open, vduse_close, NULL, vduse_syscalls,
			  vduse_queue_syscalls },
};
