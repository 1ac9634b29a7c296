/* What a record adds up to, queue by queue; of two records, beside each other. */
#pragma once

#include "tools/trace/sink.h"

struct trace_summary; /* is a struct trace_sink */

struct trace_summary *trace_summary_new(void);
struct trace_sink *trace_summary_sink(struct trace_summary *s); /* its free() frees it */

/* A row a queue, aligned; blanks between words. */
void trace_summary_print(const struct trace_summary *s, FILE *out);

/* What both have to say of a queue, and how much of @one's @two's is. Queues go together that have
 * the same name. */
void trace_summary_compare(const struct trace_summary *one, const struct trace_summary *two,
			   FILE *out);
