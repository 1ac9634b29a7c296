/*
 * Requests and answers of the control socket.
 *
 * A request is an object with "execute", perhaps "arguments" and "id"; commands are rows of a table
 * (commands.c), and their arguments are checked against the types that the rows name, so that a
 * command's function starts from arguments that are there and of the right type. Any answer carries
 * the request's id.
 */
#include "vmm/control/control.h"

#include <errno.h>
#include <string.h>

#include "devices/base/error.h"
#include "vmm/control/control-impl.h"
#include "vmm/control/json.h"
#include "vmm/control/sock.h"
#include "vmm/control/types.h"

struct control {
	struct control_sock *sock;
	const struct control_ops *ops;
	void *opaque;
	struct control_held *held;
};

/*
 * Answers.
 */
void control_add_int(JsonBuilder *b, const char *name, gint64 value)
{
	json_builder_set_member_name(b, name);
	json_builder_add_int_value(b, value);
}

void control_add_bool(JsonBuilder *b, const char *name, bool value)
{
	json_builder_set_member_name(b, name);
	json_builder_add_boolean_value(b, value);
}

void control_add_string(JsonBuilder *b, const char *name, const char *value)
{
	json_builder_set_member_name(b, name);
	json_builder_add_string_value(b, value);
}

/* The member that clients look for is called "qemu", whoever answers. */
void control_add_version(JsonBuilder *b)
{
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "qemu");
	json_builder_begin_object(b);
	control_add_int(b, "micro", CONTROL_VERSION_MICRO);
	control_add_int(b, "minor", CONTROL_VERSION_MINOR);
	control_add_int(b, "major", CONTROL_VERSION_MAJOR);
	json_builder_end_object(b);
	json_builder_set_member_name(b, "package");
	json_builder_add_string_value(b, "ringside");
	json_builder_end_object(b);
}

/* What @b has built as a line; free with g_free(). */
static char *line_of(JsonBuilder *b)
{
	g_autoptr(JsonGenerator) gen = json_generator_new();
	g_autoptr(JsonNode) root = json_builder_get_root(b);
	g_autofree char *text = NULL;

	json_generator_set_root(gen, root);
	text = json_generator_to_data(gen, NULL);
	return g_strconcat(text, "\r\n", NULL);
}

/* Ends @b, an object begun, and sends it with the request's @id (NULL: it had none). */
static void control_answer(struct control_client *client, JsonBuilder *b, JsonNode *id)
{
	g_autofree char *line = NULL;

	if (id) {
		json_builder_set_member_name(b, "id");
		json_builder_add_value(b, json_node_copy(id));
	}
	json_builder_end_object(b);
	line = line_of(b);
	control_client_send(client, line, strlen(line));
}

static void answer_error(struct control_client *client, const char *class, const char *desc,
			 JsonNode *id)
{
	g_autoptr(JsonBuilder) b = json_builder_new();

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "error");
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "class");
	json_builder_add_string_value(b, class);
	json_builder_set_member_name(b, "desc");
	json_builder_add_string_value(b, desc);
	json_builder_end_object(b);
	control_answer(client, b, id);
}

#define GENERIC   "GenericError"
#define NOT_FOUND "CommandNotFound"

static bool greets(const struct control_command *command)
{
	return strcmp(command->name, CONTROL_CAPABILITIES) == 0;
}

/* What @b has built, or an empty object. */
static JsonNode *built(JsonBuilder *b)
{
	JsonNode *value = json_builder_get_root(b);

	if (value)
		return value;
	json_builder_begin_object(b);
	json_builder_end_object(b);
	return json_builder_get_root(b);
}

static JsonNode *answer_of(const struct control_call *call)
{
	JsonNode *node;

	if (!call->text)
		return built(call->out);
	node = json_node_new(JSON_NODE_VALUE);
	json_node_set_string(node, call->text);
	return node;
}

/* Adds the member @name. That the value is of @type is ours to see to, and seen to here: what
 * query-qmp-schema says holds for all that goes out. */
static void add_checked(JsonBuilder *b, const char *name, JsonNode *value,
			const struct control_type *type, const char *whose)
{
	g_autofree char *wrong = control_misfit(type, value, name, whose);

	if (wrong)
		g_critical("control socket: %s", wrong);
	json_builder_set_member_name(b, name);
	json_builder_add_value(b, value); /* which is the builder's then */
}

static void control_run_command(struct control *ctl, struct control_client *client,
				const struct control_command *command, JsonObject *args,
				JsonNode *id)
{
	g_autoptr(JsonBuilder) out = json_builder_new();
	g_autoptr(JsonBuilder) b = json_builder_new();
	struct control_call call = {
		.ops = ctl->ops, .opaque = ctl->opaque, .args = args, .out = out, .held = ctl->held
	};

	call.error = control_misfit_object(command->args, args, "argument", command->name);
	if (!call.error)
		command->run(&call);
	if (call.error) {
		answer_error(client, GENERIC, call.error, id);
		g_free(call.error);
		return;
	}
	if (greets(command))
		client->greeted = true;
	json_builder_begin_object(b);
	add_checked(b, "return", answer_of(&call), command->ret, command->name);
	g_free(call.text);
	control_answer(client, b, id);
	if (call.quit)
		ctl->ops->quit(ctl->opaque);
}

/*
 * Requests.
 */
/* Says what is wrong with the request's own members, or NULL. */
static char *request_error(JsonObject *request)
{
	g_autoptr(GList) names = json_object_get_members(request);
	JsonNode *node;

	for (GList *l = names; l; l = l->next)
		if (strcmp(l->data, "execute") != 0 && strcmp(l->data, "arguments") != 0 &&
		    strcmp(l->data, "id") != 0)
			return g_strdup_printf("a request has no member '%s'", (char *)l->data);
	node = json_object_get_member(request, "execute");
	if (!node || !control_is(&control_string, node))
		return g_strdup("a request needs 'execute', the name of a command");
	node = json_object_get_member(request, "arguments");
	if (node && !JSON_NODE_HOLDS_OBJECT(node))
		return g_strdup("'arguments' must be an object");
	return NULL;
}

static void handle(struct control *ctl, struct control_client *client, JsonObject *request)
{
	g_autoptr(JsonObject) none = json_object_new();
	g_autofree char *error = request_error(request);
	JsonNode *id = json_object_get_member(request, "id");
	const struct control_command *command;
	JsonObject *args = none;
	g_autofree char *unknown = NULL;

	if (error) {
		answer_error(client, GENERIC, error, id);
		return;
	}
	command = control_command_find(json_object_get_string_member(request, "execute"));
	if (!client->greeted && (!command || !greets(command))) {
		answer_error(client, NOT_FOUND, "the first command must be " CONTROL_CAPABILITIES,
			     id);
		return;
	}
	if (!command || (client->greeted && greets(command))) {
		unknown = g_strdup_printf(command ? "%s has been done already"
						  : "there is no command '%s'; query-commands "
						    "lists them",
					  json_object_get_string_member(request, "execute"));
		answer_error(client, NOT_FOUND, unknown, id);
		return;
	}
	if (json_object_has_member(request, "arguments"))
		args = json_object_get_object_member(request, "arguments");
	control_run_command(ctl, client, command, args, id);
}

static void on_text(struct control_client *client, enum control_frame_state state, void *arg)
{
	static const char *const refusals[] = {
		[CONTROL_FRAME_BAD] = "this is no JSON object",
		[CONTROL_FRAME_LONG] = "too long",
		[CONTROL_FRAME_DEEP] = "nested too deeply",
	};
	g_autoptr(JsonParser) parser = json_parser_new();
	const GString *text = client->frame.text;
	g_autoptr(GError) err = NULL;
	JsonNode *root;

	if (state != CONTROL_FRAME_TEXT) {
		answer_error(client, GENERIC, refusals[state], NULL);
		return;
	}
	if (!g_utf8_validate_len(text->str, text->len, NULL)) {
		answer_error(client, GENERIC, "this is no UTF-8 text", NULL);
		return;
	}
	if (!json_parser_load_from_data(parser, text->str, (gssize)text->len, &err)) {
		answer_error(client, GENERIC, "this is no JSON", NULL);
		return;
	}
	root = json_parser_get_root(parser);
	if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
		answer_error(client, GENERIC, "this is no JSON object", NULL);
		return;
	}
	handle(arg, client, json_node_get_object(root));
}

static void on_client(struct control_client *client, void *arg)
{
	g_autoptr(JsonBuilder) b = json_builder_new();

	(void)arg;
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "QMP");
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "version");
	control_add_version(b);
	json_builder_set_member_name(b, "capabilities");
	json_builder_begin_array(b);
	json_builder_end_array(b);
	json_builder_end_object(b);
	control_answer(client, b, NULL);
}

/*
 * Events.
 */
static const struct event_data {
	const char *event, *member, *by_guest, *by_host;
} event_data[] = {
	{ "RESET", "reason", "guest-reset", "host-qmp-system-reset" },
	{ "SHUTDOWN", "reason", "guest-shutdown", "host-qmp-quit" },
	{ "GUEST_PANICKED", "action", "poweroff", "poweroff" },
	{ "GUEST_CRASHLOADED", "action", "run", "run" },
};

static void add_event_data(JsonBuilder *b, const struct event_data *data, bool guest)
{
	json_builder_begin_object(b);
	if (strcmp(data->member, "reason") == 0) {
		json_builder_set_member_name(b, "guest");
		json_builder_add_boolean_value(b, guest);
	}
	json_builder_set_member_name(b, data->member);
	json_builder_add_string_value(b, guest ? data->by_guest : data->by_host);
	json_builder_end_object(b);
}

static const struct control_event_type *find_event(const char *name)
{
	for (const struct control_event_type *e = control_events; e->name; e++)
		if (strcmp(e->name, name) == 0)
			return e;
	g_critical("control socket: no event is called %s", name);
	return NULL;
}

/* Tells all of an event with what @data has built. */
static void tell_event(struct control *ctl, const char *name, JsonBuilder *data)
{
	const struct control_event_type *event = find_event(name);
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autofree char *line = NULL;
	gint64 now = g_get_real_time();

	if (!event)
		return;
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "timestamp");
	json_builder_begin_object(b);
	control_add_int(b, "seconds", now / G_USEC_PER_SEC);
	control_add_int(b, "microseconds", now % G_USEC_PER_SEC);
	json_builder_end_object(b);
	json_builder_set_member_name(b, "event");
	json_builder_add_string_value(b, name);
	if (event->data)
		add_checked(b, "data", built(data), event->data, name);
	json_builder_end_object(b);
	line = line_of(b);
	control_sock_tell(ctl->sock, line, strlen(line));
}

void control_event(const char *event, bool guest, void *opaque)
{
	g_autoptr(JsonBuilder) data = json_builder_new();

	if (!opaque)
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(event_data); i++)
		if (strcmp(event, event_data[i].event) == 0)
			add_event_data(data, &event_data[i], guest);
	tell_event(opaque, event, data);
}

void control_violation(const struct check_violation *v, void *opaque)
{
	g_autoptr(JsonBuilder) data = json_builder_new();

	if (!opaque)
		return;
	json_builder_begin_object(data);
	control_add_violation(data, v);
	json_builder_end_object(data);
	tell_event(opaque, "DRIVER_VIOLATION", data);
}

void control_io_error(const char *name, const struct vdev_io_error *error, void *opaque)
{
	static const char *const actions[] = {
		[VDEV_ERROR_REPORT] = "report", [VDEV_ERROR_STOP] = "stop"
	};
	g_autoptr(JsonBuilder) data = json_builder_new();

	if (!opaque)
		return;
	json_builder_begin_object(data);
	control_add_string(data, "qom-path", name);
	control_add_string(data, "device", name);
	control_add_string(data, "node-name", name);
	control_add_string(data, "operation", error->write ? "write" : "read");
	control_add_string(data, "action", actions[error->action]);
	control_add_bool(data, "nospace", error->errnum == ENOSPC);
	control_add_string(data, "reason", g_strerror(error->errnum));
	json_builder_end_object(data);
	tell_event(opaque, "BLOCK_IO_ERROR", data);
}

/*
 * Life.
 */
struct control *control_new(const char *spec, const struct control_ops *ops, void *opaque,
			    GError **err)
{
	static const struct control_sock_user user = { on_client, on_text };
	struct control *ctl;

	if (!g_str_has_prefix(spec, "unix:")) {
		ringside_usage(err, "--control %s: it takes unix:PATH", spec);
		return NULL;
	}
	if (!control_json_load(err))
		return NULL;
	ctl = g_new0(struct control, 1);
	ctl->ops = ops;
	ctl->opaque = opaque;
	ctl->sock = control_sock_new(spec + strlen("unix:"), &user, ctl, err);
	if (!ctl->sock)
		g_clear_pointer(&ctl, g_free);
	else
		ctl->held = control_held_new(ops, opaque);
	return ctl;
}

void control_free(struct control *ctl)
{
	if (!ctl)
		return;
	control_held_free(ctl->held);
	control_sock_free(ctl->sock);
	g_free(ctl);
}
