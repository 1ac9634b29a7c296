/*
 * Devices as QEMU's commands for debugging tell of them: the same states as in virtio.c, in QEMU's
 * words and with the specification's names.
 */
#include <string.h>

#include "devices/console/console.h"
#include "devices/core/engine.h"
#include "devices/core/state.h"
#include "virtqueue/vring.h"
#include "vmm/control/control-impl.h"

#define X_DESCS_MAX 1024u /* of a chain, which a driver can make as long as it likes */

/* A console is what QEMU calls it by its older name. */
char *control_virtio_name(const struct vdev *dev)
{
	return g_strdup_printf("virtio-%s", console_is(dev) ? "serial" : dev->class->name);
}

static void x_add_name(JsonBuilder *b, const struct vdev *dev)
{
	g_autofree char *name = control_virtio_name(dev);

	control_add_string(b, "name", name);
}

static void x_list_device(struct vdev *dev, const char *transport, void *arg)
{
	JsonBuilder *b = arg;

	(void)transport;
	json_builder_begin_object(b);
	control_add_string(b, "path", vdev_name(dev));
	x_add_name(b, dev);
	json_builder_end_object(b);
}

void control_x_query_virtio(struct control_call *call)
{
	json_builder_begin_array(call->out);
	call->ops->for_each_device(call->opaque, x_list_device, call->out);
	json_builder_end_array(call->out);
}

/*
 * Status.
 */
static bool x_is_own(const struct vdev *dev, unsigned bit)
{
	for (const struct vdev_feature *row = dev->class->features; row && row->name; row++)
		if (row->bit == bit)
			return true;
	return false;
}

/* "VIRTIO_NET_F_MTU", "VIRTIO_RING_F_EVENT_IDX", "VIRTIO_F_VERSION_1", "bit 63" */
static char *x_feature(const struct vdev *dev, unsigned bit)
{
	g_autofree char *upper = g_ascii_strup(vdev_feature_name(dev->class, bit), -1);
	g_autofree char *class = g_ascii_strup(dev->class->name, -1);

	if (!*upper)
		return g_strdup_printf("bit %u", bit);
	if (x_is_own(dev, bit))
		return g_strdup_printf("VIRTIO_%s_F_%s", class, upper);
	return g_strdup_printf(
		"VIRTIO_%s%s",
		bit == VIRTIO_F_INDIRECT_DESC || bit == VIRTIO_F_EVENT_IDX ? "RING_F_" : "F_",
		upper);
}

static void x_add_feature_list(JsonBuilder *b, const char *name, const struct vdev *dev,
			       struct vfeatures f, bool own)
{
	json_builder_set_member_name(b, name);
	json_builder_begin_array(b);
	for (unsigned bit = 0; bit < 128; bit++)
		if (vfeatures_has(f, bit) && x_is_own(dev, bit) == own) {
			g_autofree char *text = x_feature(dev, bit);

			json_builder_add_string_value(b, text);
		}
	json_builder_end_array(b);
}

static void x_add_features(JsonBuilder *b, const char *name, const struct vdev *dev,
			   struct vfeatures f)
{
	json_builder_set_member_name(b, name);
	json_builder_begin_object(b);
	x_add_feature_list(b, "transports", dev, f, false);
	x_add_feature_list(b, "dev-features", dev, f, true);
	json_builder_end_object(b);
}

static const struct {
	uint32_t bit;
	const char *name;
} x_statuses[] = {
	{ VIRTIO_S_ACKNOWLEDGE, "VIRTIO_CONFIG_S_ACKNOWLEDGE" },
	{ VIRTIO_S_DRIVER, "VIRTIO_CONFIG_S_DRIVER" },
	{ VIRTIO_S_DRIVER_OK, "VIRTIO_CONFIG_S_DRIVER_OK" },
	{ VIRTIO_S_FEATURES_OK, "VIRTIO_CONFIG_S_FEATURES_OK" },
	{ VIRTIO_S_NEEDS_RESET, "VIRTIO_CONFIG_S_NEEDS_RESET" },
	{ VIRTIO_S_FAILED, "VIRTIO_CONFIG_S_FAILED" },
};

static void x_add_status(JsonBuilder *b, uint32_t status)
{
	json_builder_set_member_name(b, "status");
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "statuses");
	json_builder_begin_array(b);
	for (size_t i = 0; i < G_N_ELEMENTS(x_statuses); i++)
		if (status & x_statuses[i].bit)
			json_builder_add_string_value(b, x_statuses[i].name);
	json_builder_end_array(b);
	json_builder_end_object(b);
}

/* Does anybody else serve a queue of it, another process or the kernel? */
static bool x_vhost_started(const struct vdev *dev, uint32_t status)
{
	bool any = false;

	for (unsigned q = 0; q < dev->n_queues; q++)
		any |= dev->queue[q].engine != &vdev_engine_here;
	return any && status & VIRTIO_S_DRIVER_OK;
}

void control_x_query_virtio_status(struct control_call *call)
{
	const char *transport = NULL;
	struct vdev *dev = control_find_path(call, &transport);
	g_autofree struct vdev_state *state = NULL;
	JsonBuilder *b = call->out;

	if (!dev)
		return;
	state = g_new(struct vdev_state, 1);
	vdev_state_get_device(dev, state);
	json_builder_begin_object(b);
	x_add_name(b, dev);
	control_add_int(b, "device-id", dev->type);
	control_add_bool(b, "vhost-started", x_vhost_started(dev, state->status));
	control_add_string(b, "device-endian", "little");
	x_add_features(b, "guest-features", dev, state->accepted);
	x_add_features(b, "host-features", dev, state->offered);
	x_add_features(b, "backend-features", dev, (struct vfeatures){ 0 });
	control_add_int(b, "num-vqs", state->n_queues);
	x_add_status(b, state->status);
	control_add_bool(b, "vm-running", strcmp(call->ops->status(call->opaque), "running") == 0);
	control_add_bool(b, "broken", state->status & VIRTIO_S_NEEDS_RESET);
	control_add_bool(b, "disabled", false);
	control_add_bool(b, "started", state->status & VIRTIO_S_DRIVER_OK);
	control_add_string(b, "bus-name", transport);
	json_builder_end_object(b);
}

/*
 * Queues.
 */
/* The device and the queue that the call names; NULL, and its error is set, if there are none. */
static struct vdev *x_find_queue(struct control_call *call, unsigned *ret_q,
				 struct vdev_queue_state *ret)
{
	struct vdev *dev = control_find_queue(call, ret_q);

	if (dev)
		vdev_queue_state_get(dev, *ret_q, ret);
	return dev;
}

void control_x_query_virtio_queue_status(struct control_call *call)
{
	struct vdev_queue_state s;
	JsonBuilder *b = call->out;
	unsigned q;
	struct vdev *dev = x_find_queue(call, &q, &s);

	if (!dev)
		return;
	json_builder_begin_object(b);
	x_add_name(b, dev);
	control_add_int(b, "queue-index", q);
	control_add_int(b, "inuse", s.in_flight);
	control_add_int(b, "vring-num", s.size);
	control_add_int(b, "vring-num-default", s.size_max);
	control_add_int(b, "vring-desc", (gint64)s.desc);
	control_add_int(b, "vring-avail", (gint64)s.driver);
	control_add_int(b, "vring-used", (gint64)s.device);
	control_add_int(b, "last-avail-idx", s.position.next_avail);
	control_add_int(b, "used-idx", s.position.next_used);
	json_builder_end_object(b);
}

/*
 * One chain, as it is in the guest's memory now: whatever is there, read once and trusted in
 * nothing.
 */
static void x_add_desc(JsonBuilder *b, const struct vring_desc *d)
{
	json_builder_begin_object(b);
	control_add_int(b, "addr", (gint64)le64_cpu(d->addr));
	control_add_int(b, "len", le32_cpu(d->len));
	control_add_desc_flags(b, le16_cpu(d->flags), false);
	json_builder_end_object(b);
}

/* @table has @n descriptors. False: one of the chain is not among them, or not in memory. */
static bool x_add_chain(JsonBuilder *b, const struct gmem *mem, uint64_t table, unsigned n,
			unsigned head)
{
	unsigned left = MIN(n, X_DESCS_MAX), i = head;
	struct vring_desc d;

	do {
		if (i >= n || !gmem_read(mem, table + 16ull * i, &d, sizeof(d)))
			return false;
		x_add_desc(b, &d);
		i = le16_cpu(d.next);
	} while (le16_cpu(d.flags) & VRING_DESC_F_NEXT && --left);
	return true;
}

static bool x_add_descs(JsonBuilder *b, const struct gmem *mem, const struct vdev_queue_state *s,
			unsigned head)
{
	struct vring_desc d;
	bool ok = head < s->size && gmem_read(mem, s->desc + 16ull * head, &d, sizeof(d));
	unsigned n = ok ? le32_cpu(d.len) / sizeof(d) : 0;

	json_builder_set_member_name(b, "descs");
	json_builder_begin_array(b);
	if (ok && le16_cpu(d.flags) & VRING_DESC_F_INDIRECT)
		ok = x_add_chain(b, mem, le64_cpu(d.addr), n, 0);
	else if (ok)
		ok = x_add_chain(b, mem, s->desc, s->size, head);
	json_builder_end_array(b);
	return ok;
}

static bool x_is_packed(struct vdev *dev)
{
	g_autofree struct vdev_state *state = g_new(struct vdev_state, 1);

	vdev_state_get_device(dev, state);
	return vfeatures_has(state->accepted, VIRTIO_F_RING_PACKED);
}

static bool x_read_ring(const struct gmem *mem, const struct vdev_queue_state *s, unsigned index,
			le16 ret_avail[3], le16 ret_used[2])
{
	uint64_t entry = s->driver + sizeof(struct vring_avail) + 2ull * (index % s->size);

	return gmem_read(mem, s->driver, ret_avail, 4) && gmem_read(mem, entry, &ret_avail[2], 2) &&
	       gmem_read(mem, s->device, ret_used, 4);
}

static void x_add_rings(JsonBuilder *b, const le16 avail[3], const le16 used[2])
{
	json_builder_set_member_name(b, "avail");
	json_builder_begin_object(b);
	control_add_int(b, "flags", le16_cpu(avail[0]));
	control_add_int(b, "idx", le16_cpu(avail[1]));
	control_add_int(b, "ring", le16_cpu(avail[2]));
	json_builder_end_object(b);
	json_builder_set_member_name(b, "used");
	json_builder_begin_object(b);
	control_add_int(b, "flags", le16_cpu(used[0]));
	control_add_int(b, "idx", le16_cpu(used[1]));
	json_builder_end_object(b);
}

void control_x_query_virtio_queue_element(struct control_call *call)
{
	struct vdev_queue_state s;
	JsonBuilder *b = call->out;
	le16 avail[3] = { 0 }, used[2] = { 0 };
	gint64 index;
	unsigned q;
	struct vdev *dev = x_find_queue(call, &q, &s);

	if (!dev)
		return;
	index = control_arg_int(call, "index", s.position.next_avail);
	if (x_is_packed(dev))
		control_fail(call, "queue %u is a packed ring, which this command cannot tell", q);
	else if (!s.enabled || !s.size)
		control_fail(call, "queue %u is not enabled", q);
	else if (index < 0 || index > UINT16_MAX)
		control_fail(call, "'index' is from 0 to 65535");
	else if (!x_read_ring(dev->mem, &s, (unsigned)index, avail, used))
		control_fail(call, "queue %u is not in memory", q);
	if (call->error)
		return;
	json_builder_begin_object(b);
	x_add_name(b, dev);
	control_add_int(b, "index", le16_cpu(avail[2]));
	if (!x_add_descs(b, dev->mem, &s, le16_cpu(avail[2])))
		control_fail(call, "a descriptor of the chain is not there, or not in memory");
	x_add_rings(b, avail, used);
	json_builder_end_object(b);
}
