/*
 * A control socket to test: a machine made of counters, with devices on rigs, and a client.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "devices/base/latencies.h"
#include "tests/support/rig.h"
#include "vmm/control/control.h"

/*
 * The machine.
 */
#define RIGS 4

struct bench {
	bool checks; /* query-check has something to tell */
	char *dir, *path, *spec;
	struct control *ctl;
	const char *status, *name; /* name: NULL at first */
	unsigned quits, powerdowns, resets, stops, conts, breaks;
	struct rig *rig[RIGS]; /* its devices */
	unsigned n_rigs;
	int vcpus_error;            /* what query-registers fails with, or 0 */
	bool busy;                  /* there is no pausing now */
	struct latencies latencies; /* of the first device's first queue */
	bool turns;                 /* stopping turns the main loop, as the machine does */
};

extern const struct control_ops bench_ops; /* their opaque is a struct bench */

/* For cmocka: *state is a struct bench that listens. */
int bench_setup(void **state);
int bench_teardown(void **state);

/* One more device, called @id, on a rig of its own. */
struct rig *bench_add(struct bench *b, const char *id, const char *spec);

/* And a disk of 1 MiB, on a file of its own; @options begin with a comma or are empty. */
struct rig *bench_add_disk(struct bench *b, const char *id, const char *options);

/*
 * A client.
 */
struct qmp {
	int fd;
	GString *in;
};

#define CAPABILITIES "{\"execute\":\"qmp_capabilities\"}"

struct qmp *qmp_connect(struct bench *b); /* the greeting is yet to be heard */
struct qmp *qmp_greet(struct bench *b);   /* and capabilities negotiated */
void qmp_hang_up(struct qmp *c);

void qmp_say(struct qmp *c, const char *text);

/* The next line, NULL when the other end hung up. Free with g_free(). */
char *qmp_hear(struct qmp *c);

/* The next line contains @part; is an error of @class whose text contains @part; does not come. */
void qmp_expect(struct qmp *c, const char *part);
void qmp_expect_error(struct qmp *c, const char *class, const char *part);
void qmp_expect_silence(struct qmp *c);
