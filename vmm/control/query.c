/* What QEMU's clients ask a machine about: its name, processors and disks. */
#include <errno.h>

#include "devices/blk/disk.h"
#include "vmm/control/control-impl.h"

void control_query_name(struct control_call *call)
{
	const char *name = call->ops->name(call->opaque);

	if (!name)
		return;
	json_builder_begin_object(call->out);
	control_add_string(call->out, "name", name);
	json_builder_end_object(call->out);
}

/* There is no tree of objects: a processor's path is what query-stats calls it. */
void control_query_cpus_fast(struct control_call *call)
{
	JsonBuilder *b = call->out;

	json_builder_begin_array(b);
	for (unsigned cpu = 0; cpu < call->ops->n_vcpus(call->opaque); cpu++) {
		g_autofree char *path = g_strdup_printf("vcpu%u", cpu);

		json_builder_begin_object(b);
		control_add_int(b, "cpu-index", cpu);
		control_add_string(b, "qom-path", path);
		control_add_int(b, "thread-id", call->ops->vcpu_thread(call->opaque, cpu));
		control_add_string(b, "target", "x86_64");
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

/*
 * query-block.
 */
static void query_add_image(JsonBuilder *b, const struct blk_disk *disk)
{
	json_builder_set_member_name(b, "image");
	json_builder_begin_object(b);
	control_add_string(b, "filename", disk->file);
	control_add_string(b, "format", "raw");
	control_add_int(b, "virtual-size", (gint64)disk->size);
	json_builder_end_object(b);
}

static void query_add_cache(JsonBuilder *b, const struct blk_disk *disk)
{
	json_builder_set_member_name(b, "cache");
	json_builder_begin_object(b);
	control_add_bool(b, "writeback", disk->writeback);
	control_add_bool(b, "direct", disk->direct);
	control_add_bool(b, "no-flush", disk->no_flush);
	json_builder_end_object(b);
}

/* Nothing is throttled, encrypted or layered here; clients want to be told so. */
static void query_add_medium(JsonBuilder *b, const char *id, const struct blk_disk *disk)
{
	static const char *const limits[] = { "bps",  "bps_rd",  "bps_wr",
					      "iops", "iops_rd", "iops_wr" };

	json_builder_set_member_name(b, "inserted");
	json_builder_begin_object(b);
	control_add_string(b, "file", disk->file);
	control_add_string(b, "node-name", id);
	control_add_bool(b, "ro", disk->ro);
	control_add_string(b, "drv", "raw");
	control_add_int(b, "backing_file_depth", 0);
	control_add_bool(b, "encrypted", false);
	control_add_string(b, "detect_zeroes", "off");
	for (size_t i = 0; i < G_N_ELEMENTS(limits); i++)
		control_add_int(b, limits[i], 0);
	query_add_image(b, disk);
	query_add_cache(b, disk);
	control_add_int(b, "write_threshold", 0);
	json_builder_end_object(b);
}

static void query_add_disk(struct vdev *dev, const char *transport, void *arg)
{
	JsonBuilder *b = arg;
	struct blk_disk disk;

	(void)transport;
	if (!blk_is(dev))
		return;
	blk_disk(dev, &disk);
	json_builder_begin_object(b);
	control_add_string(b, "device", vdev_name(dev));
	control_add_string(b, "qdev", vdev_name(dev));
	control_add_string(b, "type", "unknown");
	control_add_bool(b, "removable", false);
	control_add_bool(b, "locked", false);
	if (disk.stops)
		control_add_string(b, "io-status",
				   disk.held_for == 0        ? "ok"
				   : disk.held_for == ENOSPC ? "nospace"
							     : "failed");
	query_add_medium(b, vdev_name(dev), &disk);
	json_builder_end_object(b);
}

void control_query_block(struct control_call *call)
{
	json_builder_begin_array(call->out);
	call->ops->for_each_device(call->opaque, query_add_disk, call->out);
	json_builder_end_array(call->out);
}
