/*
 * What becomes of a record's events: a text, JSON, a summary, ... Each is a struct trace_sink at
 * the begin of a larger one, which is told of the events that the filter lets pass.
 */
#pragma once

#include <stdio.h>

#include "tools/trace/reader.h"

struct trace_sink {
	void (*event)(struct trace_sink *s, struct trace_reader *t, const struct trace_event *e);
	/* That was the last one. */
	void (*end)(struct trace_sink *s, struct trace_reader *t);
	void (*free)(struct trace_sink *s);
};

struct trace_sink *trace_text_new(FILE *out, bool bytes); /* @bytes: payloads are shown */
struct trace_sink *trace_json_new(FILE *out);
struct trace_sink *trace_pcapng_new(FILE *out);
struct trace_sink *trace_perfetto_new(FILE *out);
struct trace_sink *trace_html_new(FILE *out);

/* "popped", ...; NULL: no event is called that. */
const char *trace_type_name(enum record_type type);
bool trace_type_find(const char *name, enum record_type *ret);

/*
 * Chains in flight: when each was popped, to tell how long its device had it. At most a million;
 * the rest is not known.
 */
struct trace_flights;
struct trace_flights *trace_flights_new(void);
void trace_flights_free(struct trace_flights *f);

/* To be told of all events; of RECORD_PUSHED, the nanoseconds since it was popped. False: that is
 * not known, or it is another event. */
bool trace_flights_event(struct trace_flights *f, const struct trace_event *e, uint64_t *ret_ns);
