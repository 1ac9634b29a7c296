/*
 * Charts as inline SVG, for report-html.c: bars of two series in groups, upright for figures, lying
 * for changes. Colours and fonts come from the page's style sheet.
 */
#pragma once

#include <stdio.h>

#define CHART_GROUPS 16u
#define CHART_SERIES 2u

struct chart {
	const char *title, *note;
	const char *axis;                 /* what the groups' labels are */
	const char *series[CHART_SERIES]; /* the second may be NULL: there is one */
	unsigned n;
	char label[CHART_GROUPS][32];
	double value[CHART_SERIES][CHART_GROUPS]; /* NAN: none */
	/* Columns' whiskers: the quartiles of what the value is the median of; both 0: none. */
	double low[CHART_SERIES][CHART_GROUPS], high[CHART_SERIES][CHART_GROUPS];
};

/* From zero up. */
void chart_columns(FILE *out, const struct chart *c);

/* Changes in percent, left and right of a line at zero. */
void chart_changes(FILE *out, const struct chart *c);
