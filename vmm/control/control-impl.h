/* What the commands of the control socket share. JSON stays in control*.c. */
#pragma once

#include <json-glib/json-glib.h>

#include "vmm/control/control.h"
#include "vmm/control/schema.h"

struct control_call {
	const struct control_ops *ops;
	void *opaque;
	JsonObject *args;          /* of the type that the command's row names; never NULL */
	JsonBuilder *out;          /* the answer; left alone, it is an empty object */
	char *text;                /* the answer, if that is a string; to be freed */
	char *error;               /* why it failed; to be freed */
	bool quit;                 /* once the answer is out */
	struct control_held *held; /* keys that send-key holds down */
};

#define CONTROL_CAPABILITIES "qmp_capabilities" /* the one command before all others */

struct control_command {
	const char *name;
	void (*run)(struct control_call *call);
	const struct control_type *args, *ret; /* NULL: an empty object */
};

/* commands.c: the command, or NULL. */
const struct control_command *control_command_find(const char *name);

/* control.c: the program's version, as an object. */
void control_add_version(JsonBuilder *b);

/* A member of the object that is begun (control.c). */
void control_add_int(JsonBuilder *b, const char *name, gint64 value);
void control_add_bool(JsonBuilder *b, const char *name, bool value);
void control_add_string(JsonBuilder *b, const char *name, const char *value);

/* Sets call->error. */
void control_fail(struct control_call *call, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* Members of call->args, or the default. */
const char *control_arg_string(const struct control_call *call, const char *name,
			       const char *default_value);
gint64 control_arg_int(const struct control_call *call, const char *name, gint64 default_value);

/* The device called @id, or NULL. */
struct vdev *control_find_device(const struct control_call *call, const char *id);

/* query.c */
void control_query_name(struct control_call *call);
void control_query_cpus_fast(struct control_call *call);
void control_query_block(struct control_call *call);

/* check.c: members of the object that is begun */
void control_add_violation(JsonBuilder *b, const struct check_violation *v);
void control_query_check(struct control_call *call);

/* change.c */
void control_block_resize(struct control_call *call);
void control_set_link(struct control_call *call);

/* hmp.c: as QEMU's monitor for people */
void control_human_monitor_command(struct control_call *call);

/* x-virtio.c: as QEMU words them */
void control_x_query_virtio(struct control_call *call);
void control_x_query_virtio_status(struct control_call *call);
void control_x_query_virtio_queue_status(struct control_call *call);
void control_x_query_virtio_queue_element(struct control_call *call);
char *control_virtio_name(const struct vdev *dev); /* "virtio-net"; free with g_free() */

/* virtio.c */
/* The device the call's path names, and its transport; sets its error if there is none. */
struct vdev *control_find_path(struct control_call *call, const char **ret_transport);
/* The same with a queue of it, by number: that of the call's queue, or 0. NULL: no such device or
 * queue. */
struct vdev *control_find_queue(struct control_call *call, unsigned *ret_q);
void control_query_virtio(struct control_call *call);
void control_query_virtio_status(struct control_call *call);
void control_query_virtio_queue(struct control_call *call);
void control_query_stats(struct control_call *call);

/* latency.c */
void control_query_latency(struct control_call *call);

/* ring.c */
/* The names of a descriptor's @flags, as an array that is the next member "flags". */
void control_add_desc_flags(JsonBuilder *b, uint16_t flags, bool packed);
void control_query_virtio_ring(struct control_call *call);

/* console.c */
void control_port_remove(struct control_call *call);
void control_add_ports(JsonBuilder *b, struct vdev *dev); /* a member of the object that is begun */

/* input.c */
void control_input_send_event(struct control_call *call);
uint16_t control_key_value(JsonObject *key); /* a KeyValue of QMP; 0: there is no such key */

/* send-key.c */
struct control_held;
struct control_held *control_held_new(const struct control_ops *ops, void *opaque);
void control_held_free(struct control_held *held); /* keys that are still down come up */
void control_send_key(struct control_call *call);
