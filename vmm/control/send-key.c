/*
 * send-key: keys are pressed one after the other, held down for a while, and released in the
 * opposite order. Each goes to the first input device that has it.
 *
 * What is held is kept by the devices' names, for a device may be gone when the time is over. Keys
 * that are held when another send-key comes are released before.
 */
#include <string.h>

#include "devices/base/loop.h"
#include "devices/input/input.h"
#include "vmm/control/control-impl.h"

#define SEND_KEY_MAX       16u
#define SEND_KEY_HOLD_MS   100
#define SEND_KEY_HOLD_MOST 60000

struct held_key {
	char *device;
	uint16_t code;
};

struct control_held {
	const struct control_ops *ops;
	void *opaque;
	struct loop *loop;
	GSource *timer; /* NULL: nothing is held */
	struct held_key key[SEND_KEY_MAX];
	unsigned n;
};

struct key_search {
	const char *name; /* NULL: any device */
	uint16_t code;
	struct vdev *found;
};

static void send_key_match(struct vdev *dev, const char *transport, void *arg)
{
	struct key_search *s = arg;

	(void)transport;
	if (!s->found && input_offers(dev, EV_KEY, s->code) &&
	    (!s->name || strcmp(vdev_name(dev), s->name) == 0))
		s->found = dev;
}

static struct vdev *send_key_find(const struct control_held *held, const char *name, uint16_t code)
{
	struct key_search s = { .name = name, .code = code };

	held->ops->for_each_device(held->opaque, send_key_match, &s);
	return s.found;
}

static void send_key_one(struct vdev *dev, uint16_t code, bool down)
{
	const struct input_ev ev = { EV_KEY, code, down };

	(void)input_send(dev, &ev, 1);
}

static void send_key_release(struct control_held *held)
{
	while (held->n) {
		struct held_key *key = &held->key[--held->n];
		struct vdev *dev = send_key_find(held, key->device, key->code);

		if (dev)
			send_key_one(dev, key->code, false);
		g_free(key->device);
	}
	if (held->timer)
		loop_unwatch(g_steal_pointer(&held->timer));
}

static gboolean on_hold_over(void *arg)
{
	send_key_release(arg);
	return G_SOURCE_REMOVE;
}

struct control_held *control_held_new(const struct control_ops *ops, void *opaque)
{
	struct control_held *held = g_new0(struct control_held, 1);

	held->ops = ops;
	held->opaque = opaque;
	held->loop = loop_main();
	return held;
}

void control_held_free(struct control_held *held)
{
	send_key_release(held);
	loop_free(held->loop);
	g_free(held);
}

/* The devices of all keys, so that nothing is pressed if one of them cannot be. */
static bool send_key_parse(struct control_call *call, JsonArray *keys, struct vdev **ret_dev,
			   uint16_t *ret_code)
{
	unsigned n = json_array_get_length(keys);

	if (n > SEND_KEY_MAX)
		control_fail(call, "at most %u keys at once", SEND_KEY_MAX);
	for (unsigned i = 0; i < n && !call->error; i++) {
		JsonNode *key = json_array_get_element(keys, i);

		ret_code[i] = control_key_value(json_node_get_object(key));
		ret_dev[i] = ret_code[i] ? send_key_find(call->held, NULL, ret_code[i]) : NULL;
		if (!ret_code[i])
			control_fail(call, "key %u: there is no such key", i);
		else if (!ret_dev[i])
			control_fail(call, "key %u: no input device has it", i);
	}
	return !call->error;
}

void control_send_key(struct control_call *call)
{
	JsonArray *keys = json_object_get_array_member(call->args, "keys");
	gint64 hold = control_arg_int(call, "hold-time", SEND_KEY_HOLD_MS);
	struct control_held *held = call->held;
	struct vdev *dev[SEND_KEY_MAX] = { NULL };
	uint16_t code[SEND_KEY_MAX] = { 0 };

	if (hold < 0 || hold > SEND_KEY_HOLD_MOST) {
		control_fail(call, "'hold-time' is from 0 to %u ms", SEND_KEY_HOLD_MOST);
		return;
	}
	if (!send_key_parse(call, keys, dev, code))
		return;
	send_key_release(held);
	for (unsigned i = 0; i < json_array_get_length(keys); i++) {
		send_key_one(dev[i], code[i], true);
		held->key[held->n++] = (struct held_key){ g_strdup(vdev_name(dev[i])), code[i] };
	}
	held->timer = g_timeout_source_new((guint)hold);
	g_source_set_callback(held->timer, on_hold_over, held, NULL);
	g_source_attach(held->timer, loop_context(held->loop));
}
