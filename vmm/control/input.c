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

uint16_t control_key_value(JsonObject *key)
{
	if (strcmp(json_object_get_string_member(key, "type"), "qcode") == 0)
		return control_key(json_object_get_string_member(key, "data"));
	return control_key_number(json_object_get_int_member(key, "data"));
}

static void input_add(struct events *e, unsigned type, unsigned code, gint64 value)
{
	e->ev[e->n++] = (struct input_ev){ (uint16_t)type, (uint16_t)code, (int32_t)value };
}

/*
 * Kinds of events, whose members are those of their types (types.c). Each returns what is wrong
 * beyond that, or NULL.
 */
static bool in_range(gint64 value, gint64 min, gint64 max)
{
	return value >= min && value <= max;
}

static bool axis_is_y(JsonObject *o)
{
	return strcmp(json_object_get_string_member(o, "axis"), "y") == 0;
}

static const char *key_event(JsonObject *data, struct events *e)
{
	JsonObject *key = json_object_get_object_member(data, "key");
	uint16_t code = control_key_value(key);

	if (!code)
		return "there is no such key";
	input_add(e, EV_KEY, code, json_object_get_boolean_member(data, "down"));
	return NULL;
}

static const char *button_event(JsonObject *data, struct events *e)
{
	unsigned n = 0;

	(void)control_button(json_object_get_string_member(data, "button"),
			     json_object_get_boolean_member(data, "down"), &e->ev[e->n], &n);
	e->n += n;
	return NULL;
}

static const char *rel_event(JsonObject *data, struct events *e)
{
	gint64 value = json_object_get_int_member(data, "value");

	if (!in_range(value, INT32_MIN, INT32_MAX))
		return "'value' of a rel event is a number of 32 bits";
	input_add(e, EV_REL, axis_is_y(data) ? REL_Y : REL_X, value);
	return NULL;
}

static const char *abs_event(JsonObject *data, struct events *e)
{
	gint64 value = json_object_get_int_member(data, "value");

	if (!in_range(value, 0, QMP_AXIS_MAX))
		return "'value' of an abs event is from 0 to 32767";
	input_add(e, EV_ABS, axis_is_y(data) ? ABS_Y : ABS_X, value);
	return NULL;
}

static const char *touch_data(JsonObject *data, struct events *e)
{
	gint64 value;

	if (!json_object_has_member(data, "axis") || !json_object_has_member(data, "value"))
		return "an mtt event of type data needs 'axis' and 'value'";
	value = json_object_get_int_member(data, "value");
	if (!in_range(value, 0, QMP_AXIS_MAX))
		return "'value' of an mtt event is from 0 to 32767";
	input_add(e, EV_ABS, axis_is_y(data) ? ABS_MT_POSITION_Y : ABS_MT_POSITION_X, value);
	return NULL;
}

static const char *touch_event(JsonObject *data, struct events *e)
{
	const char *type = json_object_get_string_member(data, "type");
	gint64 slot = json_object_get_int_member(data, "slot");
	gint64 id = json_object_get_int_member(data, "tracking-id");

	if (!in_range(slot, 0, INPUT_SLOTS - 1) || !in_range(id, -1, UINT16_MAX))
		return "an mtt event's 'slot' is from 0 to 9, its 'tracking-id' from -1 to 65535";
	input_add(e, EV_ABS, ABS_MT_SLOT, slot);
	if (strcmp(type, "data") == 0)
		return touch_data(data, e);
	if (strcmp(type, "end") == 0 || strcmp(type, "cancel") == 0)
		id = -1;
	input_add(e, EV_ABS, ABS_MT_TRACKING_ID, id);
	return NULL;
}

static const struct {
	const char *type;
	const char *(*parse)(JsonObject *data, struct events *e);
} kinds[] = {
	{ "key", key_event }, { "btn", button_event }, { "rel", rel_event },
	{ "abs", abs_event }, { "mtt", touch_event },
};

static const char *parse_event(JsonObject *event, struct events *e)
{
	const char *type = json_object_get_string_member(event, "type");
	JsonObject *data = json_object_get_object_member(event, "data");

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (strcmp(type, kinds[i].type) == 0)
			return kinds[i].parse(data, e);
	g_assert_not_reached(); /* of a type that types.c has and kinds[] has not */
}

static bool parse_events(struct control_call *call, struct events *e)
{
	JsonArray *events = json_object_get_array_member(call->args, "events");
	unsigned n = json_array_get_length(events);

	if (n > EVENTS_MAX)
		control_fail(call, "at most %u events at once", EVENTS_MAX);
	for (unsigned i = 0; i < n && !call->error; i++) {
		JsonNode *event = json_array_get_element(events, i);
		const char *wrong = parse_event(json_node_get_object(event), e);

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
