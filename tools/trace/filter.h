/* Which events are wanted: all that is said must hold. */
#pragma once

#include "tools/trace/reader.h"

struct trace_filter {
	char *device;        /* NULL: any */
	int queue, head;     /* -1: any */
	uint32_t types;      /* bits; 0: all */
	int64_t from, until; /* ns since the record's begin */
};

/* Words of the command line, each NULL where it is not given. False with a usage error. */
struct trace_words {
	char *device, *queue, *types, *time, *head;
};
bool trace_filter_parse(const struct trace_words *words, struct trace_filter *ret, GError **err);

bool trace_filter_pass(const struct trace_filter *f, struct trace_reader *t,
		       const struct trace_event *e);
