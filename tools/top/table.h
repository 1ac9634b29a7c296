/* What `ringside top` shows, as lines of text. */
#pragma once

#include "tools/top/sample.h"

enum top_sort {
	TOP_SORT_DEVICE,
	TOP_SORT_KICKS,
	TOP_SORT_INTERRUPTS,
	TOP_SORT_CHAINS,
	TOP_SORT_BYTES,
	TOP_SORT_DEPTH,
	TOP_SORT_LATENCY,
	N_TOP_SORTS
};

/* "device", "kicks", ... ; of a name N_TOP_SORTS if there is no such order. */
const char *top_sort_name(enum top_sort sort);
enum top_sort top_sort_find(const char *name);

/* The busiest first, by @sort; queues that are alike stay as the command line has them. */
void top_sort_rows(GArray *rows, enum top_sort sort);

/* A line on the machine, of at most @width columns. Free with g_free(). */
char *top_title(const struct top_sample *s, const GArray *rows, unsigned width);

/* The columns' names, and a row: as many columns as have room in @width, the most telling first.
 * Free with g_free(). */
char *top_heading(unsigned width);
char *top_line(const struct top_row *row, unsigned width);

/* Queues that were never started are left out of a table. */
bool top_row_is_shown(const struct top_row *row);
