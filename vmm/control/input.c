/*
 * input-send-event: the events of QMP as those of evdev, and to which device they go.
 *
 * All events of one command make one report if one device offers them all; otherwise each goes to
 * the first device that does, in one report a device. Nothing is sent unless all can be.
 */
#include <string.h>

#include "devices/input/input.h"
#include "vmm/control/control-impl.h"
#include "vmm/control/keys.h"

#define EVENTS_MAX   (INPUT_REPORT_MAX / 4) /* of QMP; a contact's makes three of ours */
#define DEVICES_MAX  64u
#define QMP_AXIS_MAX 0x7fff

struct events {
	struct input_ev ev[INPUT_REPORT_MAX];
	unsigned n;
};

static void input_add(struct events *e, unsigned type, unsigned code, gint64 value)
{
	e->ev[e->n++] = (struct input_ev){ (uint16_t)type, (uint16_t)code, (int32_t)value };
}

/*
 * Members, by type; false if there is none such.
 */
static JsonNode *value_member(JsonObject *o, const char *name, GType type)
{
	JsonNode *node = json_object_get_member(o, name);

	return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type ? node
											     : NULL;
}

static const char *string_member(JsonObject *o, const char *name)
{
	JsonNode *node = value_member(o, name, G_TYPE_STRING);

	return node ? json_node_get_string(node) : NULL;
}

static bool bool_member(JsonObject *o, const char *name, bool *ret)
{
	JsonNode *node = value_member(o, name, G_TYPE_BOOLEAN);

	if (node)
		*ret = json_node_get_boolean(node);
	return node != NULL;
}

static bool int_member(JsonObject *o, const char *name, gint64 min, gint64 max, gint64 *ret)
{
	JsonNode *node = value_member(o, name, G_TYPE_INT64);

	if (node)
		*ret = json_node_get_int(node);
	return node && *ret >= min && *ret <= max;
}

static JsonObject *object_member(JsonObject *o, const char *name)
{
	JsonNode *node = json_object_get_member(o, name);

	return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

/* 0 for "x", 1 for "y", else -1. */
static int axis_member(JsonObject *o)
{
	const char *axis = string_member(o, "axis");

	return axis && strcmp(axis, "x") == 0 ? 0 : axis && strcmp(axis, "y") == 0 ? 1 : -1;
}

/*
 * Kinds of events. Each returns what is wrong, or NULL.
 */
static const char *key_event(JsonObject *data, struct events *e)
{
	JsonObject *key = object_member(data, "key");
	const char *type = key ? string_member(key, "type") : NULL;
	uint16_t code = 0;
	gint64 number;
	bool down;

	if (!type || !bool_member(data, "down", &down))
		return "a key event needs 'down' and 'key' with 'type' and 'data'";
	if (strcmp(type, "qcode") == 0 && string_member(key, "data"))
		code = control_key(string_member(key, "data"));
	else if (strcmp(type, "number") == 0 && int_member(key, "data", 0, 0xff, &number))
		code = control_key_number(number);
	if (!code)
		return "there is no such key";
	input_add(e, EV_KEY, code, down);
	return NULL;
}

static const char *button_event(JsonObject *data, struct events *e)
{
	const char *button = string_member(data, "button");
	unsigned n;
	bool down;

	if (!button || !bool_member(data, "down", &down))
		return "a btn event needs 'down' and 'button'";
	if (!control_button(button, down, &e->ev[e->n], &n))
		return "there is no such button";
	e->n += n;
	return NULL;
}

static const char *rel_event(JsonObject *data, struct events *e)
{
	int axis = axis_member(data);
	gint64 value;

	if (axis < 0 || !int_member(data, "value", INT32_MIN, INT32_MAX, &value))
		return "a rel event needs 'axis' (x or y) and 'value'";
	input_add(e, EV_REL, axis ? REL_Y : REL_X, value);
	return NULL;
}

static const char *abs_event(JsonObject *data, struct events *e)
{
	int axis = axis_member(data);
	gint64 value;

	if (axis < 0 || !int_member(data, "value", 0, QMP_AXIS_MAX, &value))
		return "an abs event needs 'axis' (x or y) and 'value' (0 to 32767)";
	input_add(e, EV_ABS, axis ? ABS_Y : ABS_X, value);
	return NULL;
}

static const char *touch_event(JsonObject *data, struct events *e)
{
	const char *type = string_member(data, "type");
	gint64 slot, id, value;
	int axis;

	if (!type || !int_member(data, "slot", 0, INPUT_SLOTS - 1, &slot) ||
	    !int_member(data, "tracking-id", -1, UINT16_MAX, &id))
		return "an mtt event needs 'type', 'slot' (0 to 9) and 'tracking-id'";
	input_add(e, EV_ABS, ABS_MT_SLOT, slot);
	if (strcmp(type, "end") == 0 || strcmp(type, "cancel") == 0) {
		input_add(e, EV_ABS, ABS_MT_TRACKING_ID, -1);
		return NULL;
	}
	if (strcmp(type, "begin") == 0 || strcmp(type, "update") == 0) {
		input_add(e, EV_ABS, ABS_MT_TRACKING_ID, id);
		return NULL;
	}
	axis = axis_member(data);
	if (strcmp(type, "data") != 0 || axis < 0 ||
	    !int_member(data, "value", 0, QMP_AXIS_MAX, &value))
		return "an mtt event is of type begin, update, end, cancel, or data with 'axis' "
		       "and 'value' (0 to 32767)";
	input_add(e, EV_ABS, axis ? ABS_MT_POSITION_Y : ABS_MT_POSITION_X, value);
	return NULL;
}

static const struct {
	const char *type;
	const char *(*parse)(JsonObject *data, struct events *e);
} kinds[] = {
	{ "key", key_event }, { "btn", button_event }, { "rel", rel_event },
	{ "abs", abs_event }, { "mtt", touch_event },
};

static const char *parse_event(JsonNode *node, struct events *e)
{
	JsonObject *event = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
	const char *type = event ? string_member(event, "type") : NULL;
	JsonObject *data = event ? object_member(event, "data") : NULL;

	if (!type || !data)
		return "an event needs 'type' and 'data'";
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (strcmp(type, kinds[i].type) == 0)
			return kinds[i].parse(data, e);
	return "an event is of type key, btn, rel, abs or mtt";
}

static bool parse_events(struct control_call *call, struct events *e)
{
	JsonArray *events = json_object_get_array_member(call->args, "events");
	unsigned n = json_array_get_length(events);

	if (n > EVENTS_MAX)
		control_fail(call, "at most %u events at once", EVENTS_MAX);
	for (unsigned i = 0; i < n && !call->error; i++) {
		const char *wrong = parse_event(json_array_get_element(events, i), e);

		if (wrong)
			control_fail(call, "event %u: %s", i, wrong);
	}
	return !call->error;
}

/*
 * Where they go.
 */
struct devices {
	struct vdev *dev[DEVICES_MAX];
	unsigned n;
};

static void input_collect(struct vdev *dev, const char *transport, void *arg)
{
	struct devices *d = arg;

	(void)transport;
	if (d->n < DEVICES_MAX && input_is(dev))
		d->dev[d->n++] = dev;
}

static bool offers_all(const struct vdev *dev, const struct events *e)
{
	for (unsigned i = 0; i < e->n; i++)
		if (!input_offers(dev, e->ev[i].type, e->ev[i].code))
			return false;
	return true;
}

/* The device for event @i: one for all if there is one. NULL if nobody takes it. */
static struct vdev *taker(const struct devices *d, const struct events *e, unsigned i)
{
	for (unsigned k = 0; k < d->n; k++)
		if (offers_all(d->dev[k], e))
			return d->dev[k];
	for (unsigned k = 0; k < d->n; k++)
		if (input_offers(d->dev[k], e->ev[i].type, e->ev[i].code))
			return d->dev[k];
	return NULL;
}

/* QMP's axes go from 0 to 32767, a device's as it says; numbers of contacts are no positions. */
static struct input_ev scaled(const struct vdev *dev, struct input_ev ev)
{
	struct input_axis_info axis;

	if (ev.type == EV_ABS && ev.code != ABS_MT_SLOT && ev.code != ABS_MT_TRACKING_ID &&
	    input_axis(dev, ev.code, &axis))
		ev.value = (int32_t)(axis.min +
				     ((int64_t)axis.max - axis.min) * ev.value / QMP_AXIS_MAX);
	return ev;
}

static void send_to(struct vdev *dev, struct vdev *const *to, const struct events *e)
{
	struct events mine = { .n = 0 };

	for (unsigned i = 0; i < e->n; i++)
		if (to[i] == dev)
			mine.ev[mine.n++] = scaled(dev, e->ev[i]);
	if (mine.n)
		(void)input_send(dev, mine.ev, mine.n); /* all are offered, and they are few */
}

void control_input_send_event(struct control_call *call)
{
	const char *id = control_arg_string(call, "device", NULL);
	struct vdev *to[INPUT_REPORT_MAX];
	struct devices d = { .n = 0 };
	struct events e = { .n = 0 };

	if (!parse_events(call, &e))
		return;
	call->ops->for_each_device(call->opaque, input_collect, &d);
	if (id) {
		d.dev[0] = control_find_device(call, id);
		d.n = 1;
		if (!d.dev[0] || !input_is(d.dev[0])) {
			control_fail(call, "there is no input device '%s'", id);
			return;
		}
	}
	for (unsigned i = 0; i < e.n; i++) {
		to[i] = taker(&d, &e, i);
		if (!to[i]) {
			control_fail(call, "no input device offers event type %u code %u",
				     e.ev[i].type, e.ev[i].code);
			return;
		}
	}
	for (unsigned k = 0; k < d.n; k++)
		send_to(d.dev[k], to, &e);
}
