/* query-check, and what the event DRIVER_VIOLATION says: rules that a guest's drivers broke. */
#include "vmm/control/control-impl.h"

void control_add_violation(JsonBuilder *b, const struct check_violation *v)
{
	control_add_string(b, "device", v->device);
	control_add_string(b, "rule", v->rule);
	if (v->clauses)
		control_add_string(b, "clause", v->clauses);
	control_add_string(b, "section", v->section);
	control_add_string(b, "level", v->level);
	control_add_bool(b, "advice", v->advice);
	control_add_string(b, "text", v->text);
	control_add_string(b, "seen", v->seen);
	if (v->queue >= 0)
		control_add_int(b, "queue", v->queue);
	if (v->head >= 0)
		control_add_int(b, "head", v->head);
}

static void add_finding(const struct check_finding *f, void *arg)
{
	JsonBuilder *b = arg;

	json_builder_begin_object(b);
	control_add_violation(b, &f->v);
	control_add_int(b, "count", (gint64)f->count);
	control_add_int(b, "first-us", (gint64)(f->first * 1e6));
	control_add_int(b, "last-us", (gint64)(f->last * 1e6));
	json_builder_end_object(b);
}

void control_query_check(struct control_call *call)
{
	json_builder_begin_array(call->out);
	if (!call->ops->for_each_finding(call->opaque, add_finding, call->out))
		control_fail(call, "nobody checks the drivers: the run has no --check");
	json_builder_end_array(call->out);
}
