/*
 * The commands: a table of names, functions and arguments, and the simple ones themselves.
 */
#include <stdarg.h>
#include <string.h>

#include "vmm/control/control-impl.h"
#include "vmm/kvm/registers.h"

/*
 * Commands.
 */
static void query_status(struct control_call *call)
{
	const char *status = call->ops->status(call->opaque);

	json_builder_begin_object(call->out);
	json_builder_set_member_name(call->out, "running");
	json_builder_add_boolean_value(call->out, strcmp(status, "running") == 0);
	json_builder_set_member_name(call->out, "singlestep");
	json_builder_add_boolean_value(call->out, FALSE);
	json_builder_set_member_name(call->out, "status");
	json_builder_add_string_value(call->out, status);
	json_builder_end_object(call->out);
}

static void query_version(struct control_call *call)
{
	control_add_version(call->out);
}

static void query_commands(struct control_call *call);

static void command_quit(struct control_call *call)
{
	call->quit = true;
}

static void command_powerdown(struct control_call *call)
{
	call->ops->powerdown(call->opaque);
}

static void command_reset(struct control_call *call)
{
	call->ops->reset(call->opaque);
}

static void command_stop(struct control_call *call)
{
	call->ops->stop(call->opaque);
}

static void command_cont(struct control_call *call)
{
	call->ops->cont(call->opaque);
}

/* The serial port has QEMU's name for its first. */
static void command_send_break(struct control_call *call)
{
	const char *id = control_arg_string(call, "id", "");

	if (strcmp(id, "serial0") != 0)
		control_fail(call, "'id': there is no stream '%s'; the serial port is serial0", id);
	else if (!call->ops->send_break(call->opaque))
		control_fail(call, "there is no serial port (--serial none)");
}

static void add_unanswered(const struct unanswered *u, const char *name, const char *gives,
			   void *arg)
{
	JsonBuilder *b = arg;

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "space");
	json_builder_add_string_value(b, u->io ? "io" : "memory");
	json_builder_set_member_name(b, "address");
	json_builder_add_int_value(b, (gint64)u->addr);
	json_builder_set_member_name(b, "reads");
	json_builder_add_int_value(b, (gint64)u->reads);
	json_builder_set_member_name(b, "writes");
	json_builder_add_int_value(b, (gint64)u->writes);
	json_builder_set_member_name(b, "bytes");
	json_builder_add_int_value(b, u->len);
	json_builder_set_member_name(b, "exact");
	json_builder_add_boolean_value(b, u->exact);
	if (name) {
		json_builder_set_member_name(b, "name");
		json_builder_add_string_value(b, name);
	}
	if (gives) {
		json_builder_set_member_name(b, "given-by");
		json_builder_add_string_value(b, gives);
	}
	json_builder_end_object(b);
}

static void query_unanswered(struct control_call *call)
{
	json_builder_begin_array(call->out);
	call->ops->for_each_unanswered(call->opaque, add_unanswered, call->out);
	json_builder_end_array(call->out);
}

/* Numbers as in a debugger: JSON's have no unsigned 64 bits. */
static void add_registers(unsigned cpu, const struct vcpu_registers *r, const char *where,
			  void *arg)
{
	g_autoptr(GString) code = g_string_new(NULL);
	JsonBuilder *b = arg;

	for (unsigned i = 0; i < r->n_code; i++)
		g_string_append_printf(code, "%02x", r->code[i]);
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "cpu-index");
	json_builder_add_int_value(b, cpu);
	json_builder_set_member_name(b, "state");
	json_builder_add_string_value(b, r->off ? "off" : r->halted ? "halted" : "running");
	if (where) {
		json_builder_set_member_name(b, "symbol");
		json_builder_add_string_value(b, where);
	}
	json_builder_set_member_name(b, "code");
	json_builder_add_string_value(b, code->str);
	json_builder_set_member_name(b, "registers");
	json_builder_begin_object(b);
	for (unsigned i = 0; i < r->n; i++) {
		g_autofree char *value = g_strdup_printf("0x%" G_GINT64_MODIFIER "x",
							 r->reg[i].value);

		json_builder_set_member_name(b, r->reg[i].name);
		json_builder_add_string_value(b, value);
	}
	json_builder_end_object(b);
	json_builder_end_object(b);
}

static void query_registers(struct control_call *call)
{
	int ret;

	json_builder_begin_array(call->out);
	ret = call->ops->for_each_vcpu(call->opaque, add_registers, call->out);
	json_builder_end_array(call->out);
	if (ret < 0)
		control_fail(call, "registers: %s", g_strerror(-ret));
}

/* There are none to be had; a client may still say so. */
static void capabilities(struct control_call *call)
{
	if (json_object_has_member(call->args, "enable") &&
	    json_array_get_length(json_object_get_array_member(call->args, "enable")) > 0)
		control_fail(call, "there are no capabilities to enable");
}

static const struct control_command commands[] = {
	{ CONTROL_CAPABILITIES, capabilities, { { "enable", CONTROL_ARRAY, false } } },
	{ "chardev-send-break", command_send_break, { { "id", CONTROL_STRING, true } } },
	{ "cont", command_cont, { { 0 } } },
	{ "input-send-event",
	  control_input_send_event,
	  { { "events", CONTROL_ARRAY, true },
	    { "device", CONTROL_STRING, false },
	    { "head", CONTROL_INT, false } } },
	{ "port_remove",
	  control_port_remove,
	  { { "path", CONTROL_STRING, true }, { "port", CONTROL_STRING, true } } },
	{ "query-commands", query_commands, { { 0 } } },
	{ "query-registers", query_registers, { { 0 } } },
	{ "query-stats",
	  control_query_stats,
	  { { "target", CONTROL_STRING, false }, { "vcpus", CONTROL_ARRAY, false } } },
	{ "query-status", query_status, { { 0 } } },
	{ "query-unanswered", query_unanswered, { { 0 } } },
	{ "query-version", query_version, { { 0 } } },
	{ "query-virtio", control_query_virtio, { { 0 } } },
	{ "query-virtio-queue",
	  control_query_virtio_queue,
	  { { "path", CONTROL_STRING, true }, { "queue", CONTROL_INT, false } } },
	{ "query-virtio-status",
	  control_query_virtio_status,
	  { { "path", CONTROL_STRING, true } } },
	{ "quit", command_quit, { { 0 } } },
	{ "stop", command_stop, { { 0 } } },
	{ "system_powerdown", command_powerdown, { { 0 } } },
	{ "system_reset", command_reset, { { 0 } } },
	{ "x-query-virtio", control_query_virtio, { { 0 } } },
};

static void query_commands(struct control_call *call)
{
	json_builder_begin_array(call->out);
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		json_builder_begin_object(call->out);
		json_builder_set_member_name(call->out, "name");
		json_builder_add_string_value(call->out, commands[i].name);
		json_builder_end_object(call->out);
	}
	json_builder_end_array(call->out);
}

/*
 * Arguments.
 */
void control_fail(struct control_call *call, const char *fmt, ...)
{
	va_list ap;

	g_free(call->error);
	va_start(ap, fmt);
	call->error = g_strdup_vprintf(fmt, ap);
	va_end(ap);
}

const char *control_arg_string(const struct control_call *call, const char *name,
			       const char *default_value)
{
	return json_object_has_member(call->args, name)
		       ? json_object_get_string_member(call->args, name)
		       : default_value;
}

gint64 control_arg_int(const struct control_call *call, const char *name, gint64 default_value)
{
	return json_object_has_member(call->args, name)
		       ? json_object_get_int_member(call->args, name)
		       : default_value;
}

bool control_node_is(JsonNode *node, enum control_arg_type type)
{
	switch (type) {
	case CONTROL_STRING:
		return JSON_NODE_HOLDS_VALUE(node) &&
		       json_node_get_value_type(node) == G_TYPE_STRING;
	case CONTROL_INT:
		return JSON_NODE_HOLDS_VALUE(node) &&
		       json_node_get_value_type(node) == G_TYPE_INT64;
	case CONTROL_ARRAY:
		return JSON_NODE_HOLDS_ARRAY(node);
	}
	return false;
}

static const struct control_arg *find_arg(const struct control_command *command, const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(command->args) && command->args[i].name; i++)
		if (strcmp(command->args[i].name, name) == 0)
			return &command->args[i];
	return NULL;
}

bool control_args_fit(struct control_call *call, const struct control_command *command)
{
	static const char *const types[] = { "a string", "an integer", "an array" };
	g_autoptr(GList) names = json_object_get_members(call->args);

	for (GList *l = names; l; l = l->next) {
		const struct control_arg *arg = find_arg(command, l->data);

		if (!arg)
			control_fail(call, "%s has no argument '%s'", command->name,
				     (char *)l->data);
		else if (!control_node_is(json_object_get_member(call->args, l->data), arg->type))
			control_fail(call, "argument '%s' of %s must be %s", arg->name,
				     command->name, types[arg->type]);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(command->args) && command->args[i].name; i++)
		if (command->args[i].required &&
		    !json_object_has_member(call->args, command->args[i].name))
			control_fail(call, "%s needs argument '%s'", command->name,
				     command->args[i].name);
	return !call->error;
}

const struct control_command *control_command_find(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}
