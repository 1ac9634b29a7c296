/*
 * Reading a record (docs/record.md), of which nothing is trusted: it may be cut off anywhere, or be
 * made to harm. What is no whole block is passed over and counted.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/record/format.h"

#define TRACE_NO_QUEUE (-1)

struct trace_buf {
	uint64_t addr, len;
};

struct trace_text {
	const char *at; /* of the record's bytes: anything but printable */
	size_t len;
};

/* What there is depends on the type; the rest is 0. Pointers hold until the next event. */
struct trace_event {
	enum record_type type;
	uint64_t time; /* ns, CLOCK_MONOTONIC */
	uint32_t thread;
	bool has_device;
	uint32_t device;
	int queue; /* TRACE_NO_QUEUE: it is none's */
	uint16_t head;
	unsigned n_rd, n_wr;         /* RECORD_POPPED: its buffers, */
	unsigned n_bufs;             /* of which so many are told: */
	const struct trace_buf *buf; /* readable ones first */
	unsigned n_values;
	uint64_t value[5]; /* in the order of docs/record.md */
	struct trace_text text[2];
	const uint8_t *bytes; /* RECORD_CONFIG_*, RECORD_PAYLOAD, RECORD_DIGEST */
	size_t n_bytes;
};

struct trace_reader;

/* NULL with a usage or host error: @file is no record, or of a version that this does not know. */
struct trace_reader *trace_open(const char *file, GError **err);
void trace_close(struct trace_reader *t); /* NULL is fine */

/* The next event; false: there is none (yet: it may be asked again, when the file has grown), or
 * the host does not let us read: then @err is set. */
bool trace_next(struct trace_reader *t, struct trace_event *ret, GError **err);

struct trace_account {
	bool whole;       /* the record ends as its writer meant it to */
	uint64_t skipped; /* bytes that are no part of a whole block */
	uint64_t missing; /* blocks that are not there */
	uint64_t bad;     /* blocks whose words make no sense from somewhere on */
	uint64_t events, lost;
	uint64_t bytes; /* of the file, so far */
};
struct trace_account trace_account(const struct trace_reader *t);

/* Both clocks at the moment that the record begins with, in ns. */
uint64_t trace_begin(const struct trace_reader *t);
uint64_t trace_wall(const struct trace_reader *t);

/* Names, printable; those that were never told are made of the number. Hold until the next event.
 */
const char *trace_device(struct trace_reader *t, uint32_t device);
const char *trace_class(struct trace_reader *t, uint32_t device); /* "" if it was never told */
const char *trace_thread(struct trace_reader *t, uint32_t thread);
