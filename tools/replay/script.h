/*
 * A record (docs/record.md) as a script: what the driver did, in order, and what the device did
 * about it. All of it is in memory; chains are put together with their payloads.
 *
 * Nothing of a record is trusted: whatever does not fit together is an error, or is left out.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/record/format.h"
#include "tools/trace/reader.h"

/* A chain, from being popped to being pushed. */
struct replay_chain {
	uint16_t head; /* packed: buffer id; of the record */
	unsigned n_rd, n_wr;
	struct trace_buf *buf;       /* n_rd + n_wr, none of which wraps */
	GByteArray *read, *written;  /* payloads, as far as they were recorded */
	uint64_t readable, writable; /* bytes in all */
	bool pushed;
	uint32_t len; /* used length, if it was */
};

/* One thing that happened. */
struct replay_step {
	enum record_type type;
	uint32_t device;
	int queue; /* TRACE_NO_QUEUE: it is none's */
	uint64_t time;
	uint64_t number; /* of the event in the record, from 0 */
	uint64_t value[5];
	struct replay_chain *chain; /* POPPED, UNPOPPED, PUSHED */
	GBytes *bytes;              /* CONFIG_READ, CONFIG_WRITE */
};

/* A device, as it was made. */
struct replay_device {
	bool told;
	char *class, *id, *options;
	uint64_t n_queues, offered[2];
	GBytes *config;    /* before there was a driver; NULL: the record does not say */
	uint64_t max_size; /* of its queues, as the driver set them */
};

struct replay_script {
	char *file;
	uint64_t begin;    /* ns, CLOCK_MONOTONIC */
	GArray *steps;     /* of struct replay_step, in order of time */
	GArray *devices;   /* of struct replay_device, by number */
	GPtrArray *chains; /* all of them */
	struct trace_account account;
};

/* NULL with @err: no record, one that lacks what a replay takes (options, payloads), or one that
 * contradicts itself. */
struct replay_script *replay_script_read(const char *file, GError **err);
void replay_script_free(struct replay_script *s); /* NULL is fine */

static inline struct replay_step *replay_step(const struct replay_script *s, guint i)
{
	return &g_array_index(s->steps, struct replay_step, i);
}

static inline struct replay_device *replay_device(const struct replay_script *s, guint i)
{
	return &g_array_index(s->devices, struct replay_device, i);
}

/* The first step from @from on that is @device's, and of one of @types (1 << RECORD_...), or NULL.
 */
const struct replay_step *replay_find(const struct replay_script *s, guint from, uint32_t device,
				      uint32_t types);
