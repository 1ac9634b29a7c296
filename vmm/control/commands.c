/*
 * The commands: a table of names, functions and types (types.c), and the simple ones themselves.
 */
#include <stdarg.h>
#include <string.h>

#include "vmm/control/control-impl.h"
#include "vmm/control/types.h"
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
static void query_qmp_schema(struct control_call *call);

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
	(void)call;
}

static const struct control_command commands[] = {
	{ CONTROL_CAPABILITIES, capabilities, &control_capabilities_args, NULL },
	{ "block_resize", control_block_resize, &control_block_resize_args, NULL },
	{ "chardev-send-break", command_send_break, &control_chardev_send_break_args, NULL },
	{ "cont", command_cont, NULL, NULL },
	{ "human-monitor-command", control_human_monitor_command, &control_human_monitor_args,
	  &control_string },
	{ "input-send-event", control_input_send_event, &control_input_send_event_args, NULL },
	{ "port_remove", control_port_remove, &control_port_remove_args, NULL },
	{ "query-block", control_query_block, NULL, &control_block_infos },
	{ "query-check", control_query_check, NULL, &control_check_findings },
	{ "query-commands", query_commands, NULL, &control_command_infos },
	{ "query-cpus-fast", control_query_cpus_fast, NULL, &control_cpu_infos },
	{ "query-latency", control_query_latency, NULL, &control_latencies },
	{ "query-name", control_query_name, NULL, &control_name_info },
	{ "query-qmp-schema", query_qmp_schema, NULL, &control_schema_infos },
	{ "query-registers", query_registers, NULL, &control_registers },
	{ "query-stats", control_query_stats, &control_query_stats_args, &control_stats_results },
	{ "query-status", query_status, NULL, &control_status_info },
	{ "query-unanswered", query_unanswered, NULL, &control_unanswered_list },
	{ "query-version", query_version, NULL, &control_version_info },
	{ "query-virtio", control_query_virtio, NULL, &control_virtio_devices },
	{ "query-virtio-queue", control_query_virtio_queue, &control_virtio_queue_args,
	  &control_virtio_queues },
	{ "query-virtio-ring", control_query_virtio_ring, &control_x_virtio_queue_args,
	  &control_virtio_ring },
	{ "query-virtio-status", control_query_virtio_status, &control_path_args,
	  &control_virtio_status },
	{ "quit", command_quit, NULL, NULL },
	{ "send-key", control_send_key, &control_send_key_args, NULL },
	{ "set_link", control_set_link, &control_set_link_args, NULL },
	{ "stop", command_stop, NULL, NULL },
	{ "system_powerdown", command_powerdown, NULL, NULL },
	{ "system_reset", command_reset, NULL, NULL },
	{ "x-query-virtio", control_x_query_virtio, NULL, &control_virtio_infos },
	{ "x-query-virtio-queue-element", control_x_query_virtio_queue_element,
	  &control_virtio_element_args, &control_virtio_element },
	{ "x-query-virtio-queue-status", control_x_query_virtio_queue_status,
	  &control_x_virtio_queue_args, &control_x_virtio_queue_status },
	{ "x-query-virtio-status", control_x_query_virtio_status, &control_path_args,
	  &control_x_virtio_status },
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

static void query_qmp_schema(struct control_call *call)
{
	struct control_schema *s = control_schema_new(call->out);

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		control_schema_command(s, commands[i].name, commands[i].args, commands[i].ret);
	for (const struct control_event_type *e = control_events; e->name; e++)
		control_schema_event(s, e->name, e->data);
	control_schema_end(s);
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

const struct control_command *control_command_find(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}
