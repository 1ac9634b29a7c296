/*
 * The types of the commands' arguments and answers and of the events' data (types.c). Those that
 * QEMU has too are named as its QAPI names them.
 */
#pragma once

#include "vmm/control/schema.h"

extern const struct control_type control_capabilities_args, control_chardev_send_break_args,
	control_input_send_event_args, control_port_remove_args, control_query_stats_args,
	control_path_args, control_virtio_queue_args, control_human_monitor_args,
	control_send_key_args, control_block_resize_args, control_set_link_args,
	control_virtio_element_args, control_x_virtio_queue_args;

extern const struct control_type control_command_infos, control_registers, control_stats_results,
	control_status_info, control_check_findings, control_unanswered_list, control_version_info,
	control_virtio_devices, control_virtio_infos, control_virtio_queues, control_virtio_status,
	control_schema_infos, control_block_infos, control_cpu_infos, control_name_info,
	control_virtio_element, control_x_virtio_queue_status, control_x_virtio_status,
	control_latencies, control_virtio_ring;

/* NULL behind the last. */
extern const struct control_event_type {
	const char *name;
	const struct control_type *data; /* NULL: it has none */
} control_events[];
