/* A console's ports: which there are, and port_remove. */
#include "devices/console/console.h"
#include "vmm/control/control-impl.h"

static void add_port(const struct console_port_state *state, void *arg)
{
	JsonBuilder *b = arg;

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "id");
	json_builder_add_int_value(b, state->id);
	if (state->name) {
		json_builder_set_member_name(b, "name");
		json_builder_add_string_value(b, state->name);
	}
	json_builder_set_member_name(b, "connected");
	json_builder_add_boolean_value(b, state->connected);
	json_builder_set_member_name(b, "open");
	json_builder_add_boolean_value(b, state->open);
	json_builder_end_object(b);
}

void control_add_ports(JsonBuilder *b, struct vdev *dev)
{
	json_builder_set_member_name(b, "ports");
	json_builder_begin_array(b);
	console_ports(dev, add_port, b);
	json_builder_end_array(b);
}

void control_port_remove(struct control_call *call)
{
	const char *path = control_arg_string(call, "path", "");
	const char *port = control_arg_string(call, "port", "");
	struct vdev *dev = control_find_device(call, path);

	if (!dev || !console_is(dev))
		control_fail(call, "there is no console '%s'; query-virtio lists devices", path);
	else if (!console_port_remove(dev, port))
		control_fail(call,
			     "'%s' has no port '%s' that could be removed; query-virtio-status "
			     "lists its ports, and the one without a name stays",
			     path, port);
}
