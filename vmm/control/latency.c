/* query-latency: how long devices have chains, while somebody asks. */
#include <errno.h>

#include "devices/base/latencies.h"
#include "vmm/control/control-impl.h"

static void add_latencies(struct vdev *dev, unsigned q, const struct latencies *l, void *arg)
{
	g_autofree char *object = g_strdup_printf("%s/%u", vdev_name(dev), q);
	JsonBuilder *b = arg;

	json_builder_begin_object(b);
	control_add_string(b, "object", object);
	control_add_int(b, "count", (gint64)l->n);
	json_builder_set_member_name(b, "buckets");
	json_builder_begin_array(b);
	for (unsigned at = 0; at < LATENCY_BUCKETS; at++) {
		if (!l->in[at])
			continue;
		json_builder_begin_object(b);
		control_add_int(b, "below-ns", (gint64)latencies_end(at));
		control_add_int(b, "count", (gint64)l->in[at]);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
}

void control_query_latency(struct control_call *call)
{
	int ret;

	json_builder_begin_array(call->out);
	ret = call->ops->for_each_latency(call->opaque, add_latencies, call->out);
	json_builder_end_array(call->out);
	if (ret == -EBUSY)
		control_fail(call, "the machine is about to stop or to reset; ask again");
	else if (ret < 0)
		control_fail(call, "latency: %s", g_strerror(-ret));
}
