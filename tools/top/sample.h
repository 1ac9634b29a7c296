/*
 * What a machine's queues have done, as its control socket tells it, and what they did between two
 * such looks.
 */
#pragma once

#include "devices/base/latencies.h"
#include "tools/top/client.h"

enum top_figure {
	TOP_KICKS,
	TOP_CHAINS,
	TOP_COMPLETED,
	TOP_BYTES_READ, /* by the device: what the driver sent */
	TOP_BYTES_WRITTEN,
	TOP_INTERRUPTS,
	TOP_SUPPRESSED, /* batches without one */
	TOP_FAULTS,
	N_TOP_FIGURES,
};

struct top_queue {
	char *device, *type, *transport;
	unsigned q;
	bool enabled, started;
	unsigned size, in_flight;
	char *fault; /* of the ring, or NULL */
	uint64_t figure[N_TOP_FIGURES];
	uint64_t violations;        /* of this queue; queue 0 has the device's own, too */
	struct latencies latencies; /* of chains, since somebody measures */
};

struct top_sample {
	gint64 at; /* g_get_monotonic_time() */
	char *name, *status;
	bool checked;      /* somebody checks the drivers */
	GPtrArray *queues; /* of struct top_queue, as the command line has the devices */
};

/* Asks for all of it. NULL with @err. */
struct top_sample *top_sample_new(struct top_client *c, GError **err);
void top_sample_free(struct top_sample *s); /* NULL is fine */

/* A queue between two looks. */
struct top_row {
	const struct top_queue *queue; /* of the second look */
	bool checked;                  /* somebody checks its driver */
	double rate[N_TOP_FIGURES];    /* a second */
	double batch;                  /* chains that were given back together, on average; or 0 */
	double suppressed;             /* part of the batches that took no interrupt */
	uint64_t measured;             /* chains */
	double p50, p90, p99, p999;    /* of their latencies, in ns; 0: there were none */
};

/* Rows of @after that lives as long as they do, in its order; @before NULL: since the queues'
 * beginning there are no rates. An array of struct top_row. */
GArray *top_rows_new(const struct top_sample *before, const struct top_sample *after);
