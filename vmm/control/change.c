/* What changes a device under its driver: block_resize, set_link. */
#include "devices/blk/disk.h"
#include "devices/net/card.h"
#include "vmm/control/control-impl.h"

struct resize {
	struct vdev *dev;
	uint64_t size;
	GError *err;
};

static void resize_paused(void *arg)
{
	struct resize *r = arg;

	(void)blk_resize(r->dev, r->size, &r->err);
}

/* A disk has one name, which QEMU's clients give as that of its device or of its node. */
static const char *resize_name(struct control_call *call)
{
	const char *device = control_arg_string(call, "device", NULL);
	const char *node = control_arg_string(call, "node-name", NULL);

	if (!device == !node) {
		control_fail(call, "block_resize needs 'device' or 'node-name', and not both");
		return NULL;
	}
	return device ? device : node;
}

void control_block_resize(struct control_call *call)
{
	gint64 size = control_arg_int(call, "size", 0);
	struct resize r = { .size = (uint64_t)size };
	const char *name = resize_name(call);

	if (!name)
		return;
	r.dev = control_find_device(call, name);
	if (!r.dev || !blk_is(r.dev))
		control_fail(call, "there is no disk '%s'; query-block lists them", name);
	else if (size < 0)
		control_fail(call, "'size' is a number of bytes");
	else if (call->ops->while_paused(call->opaque, resize_paused, &r) < 0)
		control_fail(call, "the machine is about to stop or reset; ask again");
	if (r.err)
		control_fail(call, "%s", r.err->message);
	g_clear_error(&r.err);
}

void control_set_link(struct control_call *call)
{
	const char *name = control_arg_string(call, "name", "");
	struct vdev *dev = control_find_device(call, name);

	if (!dev || !net_is(dev))
		control_fail(call, "there is no network card '%s'; query-virtio lists devices",
			     name);
	else
		net_set_link(dev, json_object_get_boolean_member(call->args, "up"));
}
