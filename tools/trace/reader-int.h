/* What reader.c and decode.c share. */
#pragma once

#include "tools/trace/reader.h"

/* A block's body, and how far it is read. */
struct trace_block {
	const uint8_t *at;
	size_t left;
	uint32_t events; /* left */
	bool bad;

	uint64_t time;
	uint32_t thread, device;
	int queue;
	struct record_place places[RECORD_PLACES];
	struct trace_buf bufs[RECORD_BUFS_MAX];
};

void trace_block_begin(struct trace_block *b, const uint8_t *body, size_t len, uint32_t events,
		       uint64_t time);

/* The next event; false: that was the last, or (b->bad) the rest makes no sense. */
bool trace_block_next(struct trace_block *b, struct trace_event *ret);
