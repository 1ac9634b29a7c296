/*
 * A device without a machine: it is opened as for a guest of ours, and served to other programs
 * over a socket. `ringside serve' runs one.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/check/check.h"
#include "vmm/console/terminal.h"
#include "vmm/sandbox/sandbox.h"

enum serve_protocol_id { SERVE_VHOST_USER, SERVE_VFIO_USER, SERVE_VDUSE, N_SERVE_PROTOCOLS };

struct serve_config {
	const char *device; /* NAME[,KEY=VALUE...], as --device takes it */
	enum serve_protocol_id protocol;
	const char *where;         /* PATH, connect:PATH or fd:N; a name for SERVE_VDUSE */
	gboolean once;             /* it ends with the first front-end */
	const char *record;        /* a file for what happens to the device, or NULL */
	struct check_config check; /* of drivers */
	enum sandbox_level sandbox;
	struct terminal_mode *mode; /* for chr=stdio */
};

/* Opens the device and the socket, and serves until SIGTERM or SIGINT, or until a connection that
 * was to be the only one is over; with check.fatal until a driver broke a rule. The report of what
 * they broke goes to stderr. False with a usage or host error. *ret_violations: how often MUSTs
 * were broken. */
bool serve_run(const struct serve_config *cfg, uint64_t *ret_violations, GError **err);
