/* query-virtio-ring: a queue's ring as it stands, and whose each descriptor is. */
#include "devices/core/ring-view.h"
#include "vmm/control/control-impl.h"

void control_add_desc_flags(JsonBuilder *b, uint16_t flags, bool packed)
{
	static const struct {
		const char *name;
		unsigned flag;
		bool packed;
	} names[] = {
		{ "next", VRING_DESC_F_NEXT, false },
		{ "write", VRING_DESC_F_WRITE, false },
		{ "indirect", VRING_DESC_F_INDIRECT, false },
		{ "avail", VRING_DESC_F_AVAIL, true },
		{ "used", VRING_DESC_F_USED, true },
	};

	json_builder_set_member_name(b, "flags");
	json_builder_begin_array(b);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (flags & names[i].flag && (packed || !names[i].packed))
			json_builder_add_string_value(b, names[i].name);
	json_builder_end_array(b);
}

static void ring_add_entry(JsonBuilder *b, const struct vring_view_entry *e, bool packed)
{
	static const char *const owners[] = {
		[VRING_DRIVERS] = "driver",
		[VRING_AVAILABLE] = "available",
		[VRING_DEVICES] = "device",
	};

	json_builder_begin_object(b);
	control_add_string(b, "owner", owners[e->owner]);
	control_add_int(b, "addr", (gint64)e->addr);
	control_add_int(b, "len", e->len);
	control_add_desc_flags(b, e->flags, packed);
	if (packed)
		control_add_int(b, "id", e->link);
	else if (e->flags & VRING_DESC_F_NEXT)
		control_add_int(b, "next", e->link);
	json_builder_end_object(b);
}

/* Two numbers of a ring's part, as an object @name. */
static void ring_add_pair(JsonBuilder *b, const char *name, const char *first, uint16_t value,
			  const char *second, uint16_t other)
{
	json_builder_set_member_name(b, name);
	json_builder_begin_object(b);
	control_add_int(b, first, value);
	control_add_int(b, second, other);
	json_builder_end_object(b);
}

static void ring_add_parts(JsonBuilder *b, const struct vring_view *view)
{
	if (view->packed) {
		ring_add_pair(b, "driver-event", "flags", view->avail_flags, "off-wrap",
			      view->avail_idx);
		ring_add_pair(b, "device-event", "flags", view->used_flags, "off-wrap",
			      view->used_idx);
		return;
	}
	ring_add_pair(b, "avail", "flags", view->avail_flags, "idx", view->avail_idx);
	ring_add_pair(b, "used", "flags", view->used_flags, "idx", view->used_idx);
	if (view->event_idx) {
		control_add_int(b, "used-event", view->used_event);
		control_add_int(b, "avail-event", view->avail_event);
	}
}

static void ring_add(JsonBuilder *b, const struct vring_view *view)
{
	json_builder_begin_object(b);
	control_add_string(b, "format", view->packed ? "packed" : "split");
	control_add_int(b, "size", view->size);
	control_add_int(b, "next-avail", view->position.next_avail);
	control_add_int(b, "next-used", view->position.next_used);
	ring_add_parts(b, view);
	json_builder_set_member_name(b, "descriptors");
	json_builder_begin_array(b);
	for (unsigned i = 0; i < view->size; i++)
		ring_add_entry(b, &view->entry[i], view->packed);
	json_builder_end_array(b);
	json_builder_end_object(b);
}

void control_query_virtio_ring(struct control_call *call)
{
	unsigned q;
	struct vdev *dev = control_find_queue(call, &q);
	g_autofree struct vring_view *view = NULL;
	g_autoptr(GError) err = NULL;

	if (!dev)
		return;
	view = vring_view_new(dev, q, &err);
	if (view)
		ring_add(call->out, view);
	else
		control_fail(call, "%s", err->message);
}
