/* Questions about devices, queues and statistics: from copies of the devices' states. */
#include <string.h>

#include "devices/console/console.h"
#include "devices/core/state.h"
#include "devices/input/input.h"
#include "devices/net/card.h"
#include "vmm/control/control-impl.h"

/*
 * As JSON.
 */
static void add_features(JsonBuilder *b, const char *name, struct vfeatures f)
{
	json_builder_set_member_name(b, name);
	json_builder_begin_array(b);
	for (unsigned bit = 0; bit < 128; bit++)
		if (vfeatures_has(f, bit))
			json_builder_add_int_value(b, bit);
	json_builder_end_array(b);
}

/* As features=LIST has them, one for each bit; "" for one that nobody here knows. */
static void add_feature_names(JsonBuilder *b, const char *name, const struct vdev *dev,
			      struct vfeatures f)
{
	json_builder_set_member_name(b, name);
	json_builder_begin_array(b);
	for (unsigned bit = 0; bit < 128; bit++)
		if (vfeatures_has(f, bit))
			json_builder_add_string_value(b, vdev_feature_name(dev->class, bit));
	json_builder_end_array(b);
}

static const struct {
	uint32_t bit;
	const char *name;
} statuses[] = {
	{ VIRTIO_S_ACKNOWLEDGE, "ACKNOWLEDGE" },        { VIRTIO_S_DRIVER, "DRIVER" },
	{ VIRTIO_S_FEATURES_OK, "FEATURES_OK" },        { VIRTIO_S_DRIVER_OK, "DRIVER_OK" },
	{ VIRTIO_S_NEEDS_RESET, "DEVICE_NEEDS_RESET" }, { VIRTIO_S_FAILED, "FAILED" },
};

static void add_status(JsonBuilder *b, uint32_t status)
{
	json_builder_set_member_name(b, "status");
	json_builder_begin_array(b);
	for (size_t i = 0; i < G_N_ELEMENTS(statuses); i++)
		if (status & statuses[i].bit)
			json_builder_add_string_value(b, statuses[i].name);
	json_builder_end_array(b);
}

/* The figures of a queue, by name. */
static const struct {
	const char *name;
	size_t offset;
} figures[] = {
	{ "kicks", offsetof(struct vq_stats, kicks) },
	{ "chains", offsetof(struct vq_stats, chains) },
	{ "completed", offsetof(struct vq_stats, completed) },
	{ "bytes-read", offsetof(struct vq_stats, bytes_read) },
	{ "bytes-written", offsetof(struct vq_stats, bytes_written) },
	{ "interrupts", offsetof(struct vq_stats, interrupts) },
	{ "suppressed", offsetof(struct vq_stats, suppressed) },
	{ "faults", offsetof(struct vq_stats, faults) },
};

static uint64_t add_figure(const struct vq_stats *stats, size_t i)
{
	uint64_t value;

	memcpy(&value, (const char *)stats + figures[i].offset, sizeof(value));
	return value;
}

static void add_queue(JsonBuilder *b, unsigned q, const struct vdev_queue_state *s)
{
	json_builder_begin_object(b);
	control_add_int(b, "queue", q);
	control_add_int(b, "size", s->size);
	control_add_int(b, "size-max", s->size_max);
	control_add_bool(b, "enabled", s->enabled);
	control_add_bool(b, "started", s->started);
	control_add_int(b, "desc", (gint64)s->desc);
	control_add_int(b, "driver", (gint64)s->driver);
	control_add_int(b, "device", (gint64)s->device);
	control_add_int(b, "next-avail", s->position.next_avail);
	control_add_int(b, "next-used", s->position.next_used);
	control_add_int(b, "in-flight", s->in_flight);
	if (s->fault != VQ_OK)
		control_add_string(b, "fault", vq_fault_name(s->fault));
	for (size_t i = 0; i < G_N_ELEMENTS(figures); i++)
		control_add_int(b, figures[i].name, (gint64)add_figure(&s->stats, i));
	json_builder_end_object(b);
}

/*
 * Finding a device.
 */
struct search {
	const char *id;
	struct vdev *found;
	const char *transport;
};

static void match(struct vdev *dev, const char *transport, void *arg)
{
	struct search *s = arg;

	if (!s->found && strcmp(vdev_name(dev), s->id) == 0) {
		s->found = dev;
		s->transport = transport;
	}
}

static struct search find_device(const struct control_call *call, const char *id)
{
	struct search s = { .id = id };

	call->ops->for_each_device(call->opaque, match, &s);
	return s;
}

struct vdev *control_find_device(const struct control_call *call, const char *id)
{
	return find_device(call, id).found;
}

struct vdev *control_find_path(struct control_call *call, const char **ret_transport)
{
	struct search s = find_device(call, control_arg_string(call, "path", ""));

	if (!s.found)
		control_fail(call, "there is no device '%s'; query-virtio lists them", s.id);
	else if (ret_transport)
		*ret_transport = s.transport;
	return s.found;
}

struct vdev *control_find_queue(struct control_call *call, unsigned *ret_q)
{
	struct vdev *dev = control_find_path(call, NULL);
	gint64 q = control_arg_int(call, "queue", 0);

	if (!dev)
		return NULL;
	if (q < 0 || q >= dev->n_queues) {
		control_fail(call, "'%s' has queues 0 to %u", vdev_name(dev), dev->n_queues - 1);
		return NULL;
	}
	*ret_q = (unsigned)q;
	return dev;
}

/*
 * Commands.
 */
static void list_device(struct vdev *dev, const char *transport, void *arg)
{
	JsonBuilder *b = arg;

	json_builder_begin_object(b);
	control_add_string(b, "path", vdev_name(dev));
	control_add_string(b, "name", dev->class->name);
	control_add_string(b, "transport", transport);
	json_builder_end_object(b);
}

void control_query_virtio(struct control_call *call)
{
	json_builder_begin_array(call->out);
	call->ops->for_each_device(call->opaque, list_device, call->out);
	json_builder_end_array(call->out);
}

static void add_link(JsonBuilder *b, struct vdev *dev)
{
	struct net_card card;

	net_card(dev, &card);
	control_add_bool(b, "link-up", card.up);
}

void control_query_virtio_status(struct control_call *call)
{
	const char *transport = NULL;
	struct vdev *dev = control_find_path(call, &transport);
	JsonBuilder *b = call->out;
	g_autofree struct vdev_state *state = NULL;

	if (!dev)
		return;
	state = g_new(struct vdev_state, 1);
	vdev_state_get_device(dev, state);
	json_builder_begin_object(b);
	control_add_string(b, "path", vdev_name(dev));
	control_add_string(b, "name", dev->class->name);
	control_add_string(b, "transport", transport);
	control_add_int(b, "device-id", dev->type);
	if (dev->opt_legacy != VDEV_LEGACY_OFF) {
		control_add_string(b, "legacy", dev->opt_legacy == VDEV_LEGACY_ON ? "on" : "only");
		control_add_bool(b, "legacy-driver", state->legacy);
	}
	control_add_int(b, "num-vqs", state->n_queues);
	add_status(b, state->status);
	add_features(b, "host-features", state->offered);
	add_feature_names(b, "host-feature-names", dev, state->offered);
	add_features(b, "guest-features", state->accepted);
	add_feature_names(b, "guest-feature-names", dev, state->accepted);
	if (input_offers(dev, EV_LED, LED_NUML))
		control_add_int(b, "leds", input_leds(dev));
	if (input_is(dev))
		control_add_int(b, "reports-dropped", (gint64)input_dropped(dev));
	if (net_is(dev))
		add_link(b, dev);
	if (console_is(dev))
		control_add_ports(b, dev);
	json_builder_end_object(b);
}

void control_query_virtio_queue(struct control_call *call)
{
	bool all = !json_object_has_member(call->args, "queue");
	unsigned one = 0;
	struct vdev *dev = control_find_queue(call, &one);

	if (!dev)
		return;
	json_builder_begin_array(call->out);
	for (unsigned q = 0; q < dev->n_queues; q++) {
		if (all || q == one) {
			struct vdev_queue_state s;

			vdev_queue_state_get(dev, q, &s);
			add_queue(call->out, q, &s);
		}
	}
	json_builder_end_array(call->out);
}

/*
 * All figures: those the machine has, then those of the queues. An element of the answer is about
 * one thing, as in QMP.
 */
struct stats_out {
	JsonBuilder *b;
	const char *target; /* only these: "vm", "vcpu"; NULL: all */
	JsonArray *vcpus;   /* of the vCPUs only these ("vcpu0"); NULL: all */
	char *object;       /* the element that is begun, or NULL */
};

/* Is the figure about @object asked for? */
static bool stats_wanted(const struct stats_out *out, const char *object)
{
	bool vcpu = g_str_has_prefix(object, "vcpu");

	if (out->target && strcmp(out->target, vcpu ? "vcpu" : "vm") != 0)
		return false;
	if (!vcpu || !out->vcpus)
		return true;
	for (guint i = 0; i < json_array_get_length(out->vcpus); i++)
		if (strcmp(json_node_get_string(json_array_get_element(out->vcpus, i)), object) ==
		    0)
			return true;
	return false;
}

static void end_object(struct stats_out *out)
{
	if (!out->object)
		return;
	json_builder_end_array(out->b);
	json_builder_end_object(out->b);
	g_clear_pointer(&out->object, g_free);
}

static void add_stat(const char *object, const char *name, uint64_t value, void *arg)
{
	struct stats_out *out = arg;

	if (!stats_wanted(out, object))
		return;
	if (g_strcmp0(object, out->object) != 0) {
		end_object(out);
		out->object = g_strdup(object);
		json_builder_begin_object(out->b);
		control_add_string(out->b, "provider", "ringside");
		control_add_string(out->b, "object", object);
		json_builder_set_member_name(out->b, "stats");
		json_builder_begin_array(out->b);
	}
	json_builder_begin_object(out->b);
	control_add_string(out->b, "name", name);
	control_add_int(out->b, "value", (gint64)value);
	json_builder_end_object(out->b);
}

static void add_device_stats(struct vdev *dev, const char *transport, void *arg)
{
	(void)transport;
	for (unsigned q = 0; q < dev->n_queues; q++) {
		g_autofree char *object = g_strdup_printf("%s/%u", vdev_name(dev), q);
		struct vdev_queue_state s;

		vdev_queue_state_get(dev, q, &s);
		for (size_t i = 0; i < G_N_ELEMENTS(figures); i++)
			add_stat(object, figures[i].name, add_figure(&s.stats, i), arg);
	}
}

void control_query_stats(struct control_call *call)
{
	struct stats_out out = { call->out, control_arg_string(call, "target", NULL), NULL, NULL };

	if (json_object_has_member(call->args, "vcpus"))
		out.vcpus = json_object_get_array_member(call->args, "vcpus");
	json_builder_begin_array(call->out);
	call->ops->for_each_stat(call->opaque, add_stat, &out);
	call->ops->for_each_device(call->opaque, add_device_stats, &out);
	end_object(&out);
	json_builder_end_array(call->out);
}
