#include "vmm/control/types.h"

#include "virtqueue/vq.h"
#include "vmm/control/keys.h"

/*
 * The protocol's own.
 */
static const struct control_type version_triple =
	CONTROL_TYPE_OBJECT(MEMBER("micro", &control_int), MEMBER("minor", &control_int),
			    MEMBER("major", &control_int));
const struct control_type control_version_info =
	CONTROL_TYPE_OBJECT(MEMBER("qemu", &version_triple), MEMBER("package", &control_string));

/* There are none to be had, so only an empty list fits. */
static const struct control_type qmp_capability = { .kind = CONTROL_ENUM,
						    .values = (const char *const[]){ NULL } };
static const struct control_type qmp_capabilities = CONTROL_TYPE_ARRAY(&qmp_capability);
const struct control_type control_capabilities_args =
	CONTROL_TYPE_OBJECT(OPTIONAL("enable", &qmp_capabilities));

static const struct control_type command_info =
	CONTROL_TYPE_OBJECT(MEMBER("name", &control_string));
const struct control_type control_command_infos = CONTROL_TYPE_ARRAY(&command_info);

/* query-qmp-schema tells of itself. */
static const struct control_type strings = CONTROL_TYPE_ARRAY(&control_string);
static const struct control_type ints = CONTROL_TYPE_ARRAY(&control_int);
static const struct control_type schema_meta_type = CONTROL_TYPE_ENUM("builtin", "enum", "array",
								      "object", "command", "event");
static const struct control_type json_type = CONTROL_TYPE_ENUM("string", "int", "boolean", "value");
static const struct control_type schema_builtin =
	CONTROL_TYPE_OBJECT(MEMBER("json-type", &json_type));
static const struct control_type schema_enum_member =
	CONTROL_TYPE_OBJECT(MEMBER("name", &control_string));
static const struct control_type schema_enum_members = CONTROL_TYPE_ARRAY(&schema_enum_member);
static const struct control_type schema_enum =
	CONTROL_TYPE_OBJECT(MEMBER("members", &schema_enum_members), MEMBER("values", &strings));
static const struct control_type schema_array =
	CONTROL_TYPE_OBJECT(MEMBER("element-type", &control_string));
static const struct control_type schema_object_member =
	CONTROL_TYPE_OBJECT(MEMBER("name", &control_string), MEMBER("type", &control_string),
			    OPTIONAL("default", &control_any));
static const struct control_type schema_object_members = CONTROL_TYPE_ARRAY(&schema_object_member);
static const struct control_type schema_object_variant =
	CONTROL_TYPE_OBJECT(MEMBER("case", &control_string), MEMBER("type", &control_string));
static const struct control_type schema_object_variants =
	CONTROL_TYPE_ARRAY(&schema_object_variant);
static const struct control_type schema_object = CONTROL_TYPE_OBJECT(
	MEMBER("members", &schema_object_members), OPTIONAL("tag", &control_string),
	OPTIONAL("variants", &schema_object_variants));
static const struct control_type schema_command = CONTROL_TYPE_OBJECT(
	MEMBER("arg-type", &control_string), MEMBER("ret-type", &control_string));
static const struct control_type schema_event =
	CONTROL_TYPE_OBJECT(MEMBER("arg-type", &control_string));
static const struct control_type schema_info = {
	.kind = CONTROL_OBJECT,
	.members = (const struct control_member[]){ MEMBER("name", &control_string),
						    MEMBER("meta-type", &schema_meta_type),
						    { 0 } },
	.tag = "meta-type",
	.variants = (const struct control_variant[]){ { "builtin", &schema_builtin },
						      { "enum", &schema_enum },
						      { "array", &schema_array },
						      { "object", &schema_object },
						      { "command", &schema_command },
						      { "event", &schema_event },
						      { 0 } },
};
const struct control_type control_schema_infos = CONTROL_TYPE_ARRAY(&schema_info);

/*
 * The machine.
 */
static const struct control_type run_state = CONTROL_TYPE_ENUM("running", "paused", "io-error",
							       "shutdown");
const struct control_type control_status_info =
	CONTROL_TYPE_OBJECT(MEMBER("running", &control_bool), MEMBER("singlestep", &control_bool),
			    MEMBER("status", &run_state));

const struct control_type control_name_info =
	CONTROL_TYPE_OBJECT(OPTIONAL("name", &control_string));

static const struct control_type cpu_target = CONTROL_TYPE_ENUM("x86_64");
static const struct control_type cpu_info =
	CONTROL_TYPE_OBJECT(MEMBER("cpu-index", &control_int), MEMBER("qom-path", &control_string),
			    MEMBER("thread-id", &control_int), MEMBER("target", &cpu_target));
const struct control_type control_cpu_infos = CONTROL_TYPE_ARRAY(&cpu_info);

const struct control_type control_human_monitor_args = CONTROL_TYPE_OBJECT(
	MEMBER("command-line", &control_string), OPTIONAL("cpu-index", &control_int));

const struct control_type control_chardev_send_break_args =
	CONTROL_TYPE_OBJECT(MEMBER("id", &control_string));

static const struct control_type address_space = CONTROL_TYPE_ENUM("io", "memory");
static const struct control_type unanswered = CONTROL_TYPE_OBJECT(
	MEMBER("space", &address_space), MEMBER("address", &control_int),
	MEMBER("reads", &control_int), MEMBER("writes", &control_int),
	MEMBER("bytes", &control_int), MEMBER("exact", &control_bool),
	OPTIONAL("name", &control_string), OPTIONAL("given-by", &control_string));
const struct control_type control_unanswered_list = CONTROL_TYPE_ARRAY(&unanswered);

#define VIOLATION_MEMBERS                                                                \
	MEMBER("device", &control_string), MEMBER("rule", &control_string),              \
		OPTIONAL("clause", &control_string), MEMBER("section", &control_string), \
		MEMBER("level", &control_string), MEMBER("advice", &control_bool),       \
		MEMBER("text", &control_string), MEMBER("seen", &control_string),        \
		OPTIONAL("queue", &control_int), OPTIONAL("head", &control_int)
static const struct control_type check_finding =
	CONTROL_TYPE_OBJECT(VIOLATION_MEMBERS, MEMBER("count", &control_int),
			    MEMBER("first-us", &control_int), MEMBER("last-us", &control_int));
const struct control_type control_check_findings = CONTROL_TYPE_ARRAY(&check_finding);
static const struct control_type violation_data = CONTROL_TYPE_OBJECT(VIOLATION_MEMBERS);

static const struct control_type vcpu_state = CONTROL_TYPE_ENUM("running", "halted", "off");
/* Which registers there are is the architecture's. */
static const struct control_type vcpu_registers =
	CONTROL_TYPE_OBJECT(MEMBER("cpu-index", &control_int), MEMBER("state", &vcpu_state),
			    OPTIONAL("symbol", &control_string), MEMBER("code", &control_string),
			    MEMBER("registers", &control_any));
const struct control_type control_registers = CONTROL_TYPE_ARRAY(&vcpu_registers);

static const struct control_type stats_target = CONTROL_TYPE_ENUM("vm", "vcpu");
const struct control_type control_query_stats_args =
	CONTROL_TYPE_OBJECT(OPTIONAL("target", &stats_target), OPTIONAL("vcpus", &strings));
static const struct control_type stats = CONTROL_TYPE_OBJECT(MEMBER("name", &control_string),
							     MEMBER("value", &control_int));
static const struct control_type stats_list = CONTROL_TYPE_ARRAY(&stats);
static const struct control_type stats_provider = CONTROL_TYPE_ENUM("ringside");
static const struct control_type stats_result =
	CONTROL_TYPE_OBJECT(MEMBER("provider", &stats_provider), MEMBER("object", &control_string),
			    MEMBER("stats", &stats_list));
const struct control_type control_stats_results = CONTROL_TYPE_ARRAY(&stats_result);

static const struct control_type latency_bucket =
	CONTROL_TYPE_OBJECT(MEMBER("below-ns", &control_int), MEMBER("count", &control_int));
static const struct control_type latency_buckets = CONTROL_TYPE_ARRAY(&latency_bucket);
static const struct control_type latency = CONTROL_TYPE_OBJECT(MEMBER("object", &control_string),
							       MEMBER("count", &control_int),
							       MEMBER("buckets", &latency_buckets));
const struct control_type control_latencies = CONTROL_TYPE_ARRAY(&latency);

/*
 * Devices.
 */
const struct control_type control_path_args = CONTROL_TYPE_OBJECT(MEMBER("path", &control_string));

static const struct control_type virtio_device =
	CONTROL_TYPE_OBJECT(MEMBER("path", &control_string), MEMBER("name", &control_string),
			    MEMBER("transport", &control_string));
const struct control_type control_virtio_devices = CONTROL_TYPE_ARRAY(&virtio_device);
static const struct control_type virtio_info = CONTROL_TYPE_OBJECT(MEMBER("path", &control_string),
								   MEMBER("name", &control_string));
const struct control_type control_virtio_infos = CONTROL_TYPE_ARRAY(&virtio_info);

static const struct control_type legacy = CONTROL_TYPE_ENUM("on", "only");
static const struct control_type device_status = CONTROL_TYPE_ENUM(
	"ACKNOWLEDGE", "DRIVER", "FEATURES_OK", "DRIVER_OK", "DEVICE_NEEDS_RESET", "FAILED");
static const struct control_type device_statuses = CONTROL_TYPE_ARRAY(&device_status);
static const struct control_type console_port =
	CONTROL_TYPE_OBJECT(MEMBER("id", &control_int), OPTIONAL("name", &control_string),
			    MEMBER("connected", &control_bool), MEMBER("open", &control_bool));
static const struct control_type console_ports = CONTROL_TYPE_ARRAY(&console_port);
const struct control_type control_virtio_status = CONTROL_TYPE_OBJECT(
	MEMBER("path", &control_string), MEMBER("name", &control_string),
	MEMBER("transport", &control_string), MEMBER("device-id", &control_int),
	OPTIONAL("legacy", &legacy), OPTIONAL("legacy-driver", &control_bool),
	MEMBER("num-vqs", &control_int), MEMBER("status", &device_statuses),
	MEMBER("host-features", &ints), MEMBER("host-feature-names", &strings),
	MEMBER("guest-features", &ints), MEMBER("guest-feature-names", &strings),
	OPTIONAL("leds", &control_int), OPTIONAL("reports-dropped", &control_int),
	OPTIONAL("link-up", &control_bool), OPTIONAL("ports", &console_ports));

static const char *types_fault(unsigned i)
{
	return i + 1 < N_VQ_FAULTS ? vq_fault_name(i + 1) : NULL; /* 0 is none */
}

static const struct control_type ring_fault = { .kind = CONTROL_ENUM, .value = types_fault };
static const struct control_type virtio_queue = CONTROL_TYPE_OBJECT(
	MEMBER("queue", &control_int), MEMBER("size", &control_int),
	MEMBER("size-max", &control_int), MEMBER("enabled", &control_bool),
	MEMBER("started", &control_bool), MEMBER("desc", &control_int),
	MEMBER("driver", &control_int), MEMBER("device", &control_int),
	MEMBER("next-avail", &control_int), MEMBER("next-used", &control_int),
	MEMBER("in-flight", &control_int), OPTIONAL("fault", &ring_fault),
	MEMBER("kicks", &control_int), MEMBER("chains", &control_int),
	MEMBER("completed", &control_int), MEMBER("bytes-read", &control_int),
	MEMBER("bytes-written", &control_int), MEMBER("interrupts", &control_int),
	MEMBER("suppressed", &control_int), MEMBER("faults", &control_int));
const struct control_type control_virtio_queues = CONTROL_TYPE_ARRAY(&virtio_queue);
const struct control_type control_virtio_queue_args =
	CONTROL_TYPE_OBJECT(MEMBER("path", &control_string), OPTIONAL("queue", &control_int));

const struct control_type control_port_remove_args =
	CONTROL_TYPE_OBJECT(MEMBER("path", &control_string), MEMBER("port", &control_string));

/*
 * Devices, as QEMU words them. What its devices have and these do not is left out (the interrupt
 * status, the queue selector, which are the transport's here; flags of its own).
 */
static const struct control_type x_features = CONTROL_TYPE_OBJECT(MEMBER("transports", &strings),
								  MEMBER("dev-features", &strings));
static const struct control_type x_status = CONTROL_TYPE_OBJECT(MEMBER("statuses", &strings));
static const struct control_type device_endian = CONTROL_TYPE_ENUM("little");
const struct control_type control_x_virtio_status = CONTROL_TYPE_OBJECT(
	MEMBER("name", &control_string), MEMBER("device-id", &control_int),
	MEMBER("vhost-started", &control_bool), MEMBER("device-endian", &device_endian),
	MEMBER("guest-features", &x_features), MEMBER("host-features", &x_features),
	MEMBER("backend-features", &x_features), MEMBER("num-vqs", &control_int),
	MEMBER("status", &x_status), MEMBER("vm-running", &control_bool),
	MEMBER("broken", &control_bool), MEMBER("disabled", &control_bool),
	MEMBER("started", &control_bool), MEMBER("bus-name", &control_string));

const struct control_type control_x_virtio_queue_args =
	CONTROL_TYPE_OBJECT(MEMBER("path", &control_string), MEMBER("queue", &control_int));
const struct control_type control_x_virtio_queue_status = CONTROL_TYPE_OBJECT(
	MEMBER("name", &control_string), MEMBER("queue-index", &control_int),
	MEMBER("inuse", &control_int), MEMBER("vring-num", &control_int),
	MEMBER("vring-num-default", &control_int), MEMBER("vring-desc", &control_int),
	MEMBER("vring-avail", &control_int), MEMBER("vring-used", &control_int),
	MEMBER("last-avail-idx", &control_int), MEMBER("used-idx", &control_int));

const struct control_type control_virtio_element_args =
	CONTROL_TYPE_OBJECT(MEMBER("path", &control_string), MEMBER("queue", &control_int),
			    OPTIONAL("index", &control_int));
static const struct control_type ring_desc_flag = CONTROL_TYPE_ENUM("next", "write", "indirect");
static const struct control_type ring_desc_flags = CONTROL_TYPE_ARRAY(&ring_desc_flag);
static const struct control_type ring_desc = CONTROL_TYPE_OBJECT(MEMBER("addr", &control_int),
								 MEMBER("len", &control_int),
								 MEMBER("flags", &ring_desc_flags));
static const struct control_type ring_descs = CONTROL_TYPE_ARRAY(&ring_desc);
static const struct control_type ring_avail = CONTROL_TYPE_OBJECT(
	MEMBER("flags", &control_int), MEMBER("idx", &control_int), MEMBER("ring", &control_int));
static const struct control_type ring_used = CONTROL_TYPE_OBJECT(MEMBER("flags", &control_int),
								 MEMBER("idx", &control_int));
const struct control_type control_virtio_element = CONTROL_TYPE_OBJECT(
	MEMBER("name", &control_string), MEMBER("index", &control_int),
	MEMBER("descs", &ring_descs), MEMBER("avail", &ring_avail), MEMBER("used", &ring_used));

/*
 * A ring, of either layout.
 */
static const struct control_type ring_format = CONTROL_TYPE_ENUM("split", "packed");
static const struct control_type ring_entry_owner = CONTROL_TYPE_ENUM("driver", "available",
								      "device");
static const struct control_type ring_entry_flag = CONTROL_TYPE_ENUM("next", "write", "indirect",
								     "avail", "used");
static const struct control_type ring_entry_flags = CONTROL_TYPE_ARRAY(&ring_entry_flag);
static const struct control_type ring_entry =
	CONTROL_TYPE_OBJECT(MEMBER("owner", &ring_entry_owner), MEMBER("addr", &control_int),
			    MEMBER("len", &control_int), MEMBER("flags", &ring_entry_flags),
			    OPTIONAL("next", &control_int), OPTIONAL("id", &control_int));
static const struct control_type ring_entries = CONTROL_TYPE_ARRAY(&ring_entry);
static const struct control_type ring_event = CONTROL_TYPE_OBJECT(MEMBER("flags", &control_int),
								  MEMBER("off-wrap", &control_int));
const struct control_type control_virtio_ring = CONTROL_TYPE_OBJECT(
	MEMBER("format", &ring_format), MEMBER("size", &control_int),
	MEMBER("next-avail", &control_int), MEMBER("next-used", &control_int),
	OPTIONAL("avail", &ring_used), OPTIONAL("used", &ring_used),
	OPTIONAL("used-event", &control_int), OPTIONAL("avail-event", &control_int),
	OPTIONAL("driver-event", &ring_event), OPTIONAL("device-event", &ring_event),
	MEMBER("descriptors", &ring_entries));

/*
 * Disks.
 */
static const struct control_type image_format = CONTROL_TYPE_ENUM("raw");
static const struct control_type detect_zeroes = CONTROL_TYPE_ENUM("off");
static const struct control_type image_info =
	CONTROL_TYPE_OBJECT(MEMBER("filename", &control_string), MEMBER("format", &image_format),
			    MEMBER("virtual-size", &control_int));
static const struct control_type cache_info =
	CONTROL_TYPE_OBJECT(MEMBER("writeback", &control_bool), MEMBER("direct", &control_bool),
			    MEMBER("no-flush", &control_bool));
static const struct control_type block_device_info = CONTROL_TYPE_OBJECT(
	MEMBER("file", &control_string), MEMBER("node-name", &control_string),
	MEMBER("ro", &control_bool), MEMBER("drv", &image_format),
	MEMBER("backing_file_depth", &control_int), MEMBER("encrypted", &control_bool),
	MEMBER("detect_zeroes", &detect_zeroes), MEMBER("bps", &control_int),
	MEMBER("bps_rd", &control_int), MEMBER("bps_wr", &control_int),
	MEMBER("iops", &control_int), MEMBER("iops_rd", &control_int),
	MEMBER("iops_wr", &control_int), MEMBER("image", &image_info), MEMBER("cache", &cache_info),
	MEMBER("write_threshold", &control_int));
static const struct control_type block_io_status = CONTROL_TYPE_ENUM("ok", "nospace", "failed");
static const struct control_type block_info = CONTROL_TYPE_OBJECT(
	MEMBER("device", &control_string), MEMBER("qdev", &control_string),
	MEMBER("type", &control_string), MEMBER("removable", &control_bool),
	MEMBER("locked", &control_bool), OPTIONAL("io-status", &block_io_status),
	MEMBER("inserted", &block_device_info));
const struct control_type control_block_infos = CONTROL_TYPE_ARRAY(&block_info);

const struct control_type control_block_resize_args =
	CONTROL_TYPE_OBJECT(OPTIONAL("device", &control_string),
			    OPTIONAL("node-name", &control_string), MEMBER("size", &control_int));

const struct control_type control_set_link_args =
	CONTROL_TYPE_OBJECT(MEMBER("name", &control_string), MEMBER("up", &control_bool));

/*
 * Input.
 */
static const struct control_type key_value_kind = CONTROL_TYPE_ENUM("number", "qcode");
static const struct control_type q_key_code = { .kind = CONTROL_ENUM, .value = control_key_name };
static const struct control_type key_number = CONTROL_TYPE_OBJECT(MEMBER("data", &control_int));
static const struct control_type key_qcode = CONTROL_TYPE_OBJECT(MEMBER("data", &q_key_code));
static const struct control_type key_value = {
	.kind = CONTROL_OBJECT,
	.members = (const struct control_member[]){ MEMBER("type", &key_value_kind), { 0 } },
	.tag = "type",
	.variants = (const struct control_variant[]){ { "number", &key_number },
						      { "qcode", &key_qcode },
						      { 0 } },
};

static const struct control_type input_button = { .kind = CONTROL_ENUM,
						  .value = control_button_name };
static const struct control_type input_axis = CONTROL_TYPE_ENUM("x", "y");
static const struct control_type multi_touch_type = CONTROL_TYPE_ENUM("begin", "update", "end",
								      "cancel", "data");
static const struct control_type key_event = CONTROL_TYPE_OBJECT(MEMBER("key", &key_value),
								 MEMBER("down", &control_bool));
static const struct control_type btn_event = CONTROL_TYPE_OBJECT(MEMBER("button", &input_button),
								 MEMBER("down", &control_bool));
static const struct control_type move_event = CONTROL_TYPE_OBJECT(MEMBER("axis", &input_axis),
								  MEMBER("value", &control_int));
static const struct control_type multi_touch_event =
	CONTROL_TYPE_OBJECT(MEMBER("type", &multi_touch_type), MEMBER("slot", &control_int),
			    MEMBER("tracking-id", &control_int), OPTIONAL("axis", &input_axis),
			    OPTIONAL("value", &control_int));
static const struct control_type key_data = CONTROL_TYPE_OBJECT(MEMBER("data", &key_event));
static const struct control_type btn_data = CONTROL_TYPE_OBJECT(MEMBER("data", &btn_event));
static const struct control_type move_data = CONTROL_TYPE_OBJECT(MEMBER("data", &move_event));
static const struct control_type multi_touch_data =
	CONTROL_TYPE_OBJECT(MEMBER("data", &multi_touch_event));
static const struct control_type input_event_kind = CONTROL_TYPE_ENUM("key", "btn", "rel", "abs",
								      "mtt");
static const struct control_type input_event = {
	.kind = CONTROL_OBJECT,
	.members = (const struct control_member[]){ MEMBER("type", &input_event_kind), { 0 } },
	.tag = "type",
	.variants = (const struct control_variant[]){ { "key", &key_data },
						      { "btn", &btn_data },
						      { "rel", &move_data },
						      { "abs", &move_data },
						      { "mtt", &multi_touch_data },
						      { 0 } },
};
static const struct control_type input_events = CONTROL_TYPE_ARRAY(&input_event);
const struct control_type control_input_send_event_args =
	CONTROL_TYPE_OBJECT(OPTIONAL("device", &control_string), OPTIONAL("head", &control_int),
			    MEMBER("events", &input_events));

static const struct control_type key_values = CONTROL_TYPE_ARRAY(&key_value);
const struct control_type control_send_key_args =
	CONTROL_TYPE_OBJECT(MEMBER("keys", &key_values), OPTIONAL("hold-time", &control_int));

/*
 * Events.
 */
static const struct control_type shutdown_cause = CONTROL_TYPE_ENUM(
	"guest-reset", "host-qmp-system-reset", "guest-shutdown", "host-qmp-quit");
static const struct control_type shutdown_data =
	CONTROL_TYPE_OBJECT(MEMBER("guest", &control_bool), MEMBER("reason", &shutdown_cause));
static const struct control_type panic_action = CONTROL_TYPE_ENUM("poweroff", "run");
static const struct control_type panic_data = CONTROL_TYPE_OBJECT(MEMBER("action", &panic_action));

static const struct control_type io_operation_type = CONTROL_TYPE_ENUM("read", "write");
static const struct control_type block_error_action = CONTROL_TYPE_ENUM("report", "stop");
static const struct control_type block_io_error_data = CONTROL_TYPE_OBJECT(
	MEMBER("qom-path", &control_string), MEMBER("device", &control_string),
	MEMBER("node-name", &control_string), MEMBER("operation", &io_operation_type),
	MEMBER("action", &block_error_action), MEMBER("nospace", &control_bool),
	MEMBER("reason", &control_string));

const struct control_event_type control_events[] = {
	{ "BLOCK_IO_ERROR", &block_io_error_data },
	{ "DRIVER_VIOLATION", &violation_data },
	{ "GUEST_CRASHLOADED", &panic_data },
	{ "GUEST_PANICKED", &panic_data },
	{ "POWERDOWN", NULL },
	{ "RESET", &shutdown_data },
	{ "RESUME", NULL },
	{ "SHUTDOWN", &shutdown_data },
	{ "STOP", NULL },
	{ 0 },
};
