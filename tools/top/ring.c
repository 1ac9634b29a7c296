#include "tools/top/ring.h"

#include <string.h>

#include "virtqueue/vring.h"

#define OWNERS 3u
static const char *const owners[OWNERS] = { "driver", "available", "device" };

static unsigned ring_count(JsonArray *descs, const char *owner)
{
	unsigned n = 0;

	for (guint i = 0; i < json_array_get_length(descs); i++) {
		JsonObject *d = json_node_get_object(json_array_get_element(descs, i));

		n += strcmp(json_object_get_string_member(d, "owner"), owner) == 0;
	}
	return n;
}

static gint64 ring_int(JsonObject *o, const char *part, const char *member)
{
	return json_object_get_int_member(json_object_get_object_member(o, part), member);
}

/* "17", or of a packed ring "17, wrap counter 1" */
static char *ring_place(gint64 at, bool packed)
{
	if (!packed)
		return g_strdup_printf("%" G_GINT64_FORMAT, at);
	return g_strdup_printf("%u, wrap counter %d", vring_pos_off((uint16_t)at),
			       !!(at & VRING_POS_WRAP));
}

static void ring_add_split(GPtrArray *lines, JsonObject *o)
{
	bool event = json_object_has_member(o, "used-event");

	g_ptr_array_add(lines,
			g_strdup_printf("driver: avail idx %" G_GINT64_FORMAT
					"; device: used idx %" G_GINT64_FORMAT,
					ring_int(o, "avail", "idx"), ring_int(o, "used", "idx")));
	if (event) {
		g_ptr_array_add(
			lines,
			g_strdup_printf("driver wants an interrupt past used idx %" G_GINT64_FORMAT
					" (used_event); device a "
					"kick past avail idx %" G_GINT64_FORMAT " (avail_event)",
					json_object_get_int_member(o, "used-event"),
					json_object_get_int_member(o, "avail-event")));
		return;
	}
	g_ptr_array_add(lines,
			g_strdup_printf("driver wants %s; device wants %s",
					ring_int(o, "avail", "flags") & VRING_AVAIL_F_NO_INTERRUPT
						? "no interrupts"
						: "interrupts",
					ring_int(o, "used", "flags") & VRING_USED_F_NO_NOTIFY
						? "no kicks"
						: "kicks"));
}

static char *ring_event(JsonObject *o, const char *part, const char *what)
{
	g_autofree char *at = ring_place(ring_int(o, part, "off-wrap"), true);

	switch (ring_int(o, part, "flags") & 3) {
	case VRING_EVENT_ENABLE:
		return g_strdup_printf("%ss", what);
	case VRING_EVENT_DISABLE:
		return g_strdup_printf("no %ss", what);
	case VRING_EVENT_DESC:
		return g_strdup_printf("%s at %s", what, at);
	default:
		return g_strdup("what the reserved flags 3 say");
	}
}

static void ring_add_packed(GPtrArray *lines, JsonObject *o)
{
	g_autofree char *interrupt = ring_event(o, "driver-event", "interrupt");
	g_autofree char *kick = ring_event(o, "device-event", "kick");

	g_ptr_array_add(lines, g_strdup_printf("driver wants %s", interrupt));
	g_ptr_array_add(lines, g_strdup_printf("device wants %s", kick));
}

static void ring_add_descriptor(GPtrArray *lines, guint i, JsonObject *d)
{
	JsonArray *flags = json_object_get_array_member(d, "flags");
	g_autoptr(GString) line = g_string_new(NULL);

	g_string_append_printf(line, "%5u  %-9s  %16" G_GINT64_MODIFIER "x %10" G_GINT64_FORMAT, i,
			       json_object_get_string_member(d, "owner"),
			       json_object_get_int_member(d, "addr"),
			       json_object_get_int_member(d, "len"));
	if (json_object_has_member(d, "id"))
		g_string_append_printf(line, "  id %-5" G_GINT64_FORMAT,
				       json_object_get_int_member(d, "id"));
	g_string_append(line, " ");
	for (guint f = 0; f < json_array_get_length(flags); f++)
		g_string_append_printf(line, " %s",
				       json_node_get_string(json_array_get_element(flags, f)));
	if (json_object_has_member(d, "next"))
		g_string_append_printf(line, " -> %" G_GINT64_FORMAT,
				       json_object_get_int_member(d, "next"));
	g_ptr_array_add(lines, g_strdup(line->str));
}

static void ring_add_lines(GPtrArray *lines, JsonObject *o, bool busy)
{
	JsonArray *descs = json_object_get_array_member(o, "descriptors");
	bool packed = strcmp(json_object_get_string_member(o, "format"), "packed") == 0;
	g_autofree char *avail = ring_place(json_object_get_int_member(o, "next-avail"), packed);
	g_autofree char *used = ring_place(json_object_get_int_member(o, "next-used"), packed);

	g_ptr_array_add(lines,
			g_strdup_printf("%s ring, %u descriptors: %u the device's, %u available to "
					"it, %u the driver's",
					packed ? "packed" : "split", json_array_get_length(descs),
					ring_count(descs, owners[2]), ring_count(descs, owners[1]),
					ring_count(descs, owners[0])));
	g_ptr_array_add(lines, g_strdup_printf("device: takes next at %s; gives back next at %s",
					       avail, used));
	(packed ? ring_add_packed : ring_add_split)(lines, o);
	g_ptr_array_add(lines, g_strdup(packed ? "INDEX  OWNER               ADDRESS     LENGTH"
						 "  BUFFER    FLAGS"
					       : "INDEX  OWNER               ADDRESS     LENGTH"
						 "  FLAGS"));
	for (guint i = 0; i < json_array_get_length(descs); i++) {
		JsonObject *d = json_node_get_object(json_array_get_element(descs, i));

		if (!busy || strcmp(json_object_get_string_member(d, "owner"), owners[0]) != 0)
			ring_add_descriptor(lines, i, d);
	}
}

char **top_ring_new(struct top_client *c, const char *device, unsigned q, bool busy, GError **err)
{
	g_autofree char *args = top_path_args(device, (int)q);
	JsonNode *answer = top_ask(c, "query-virtio-ring", args, err);
	GPtrArray *lines;

	if (!answer)
		return NULL;
	lines = g_ptr_array_new();
	ring_add_lines(lines, json_node_get_object(answer), busy);
	json_node_unref(answer);
	g_ptr_array_add(lines, NULL);
	return (char **)g_ptr_array_free(lines, FALSE);
}
