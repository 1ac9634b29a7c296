/*
 * A line of progress with the time left, for a person at a terminal who would otherwise see nothing
 * for minutes. It is written over itself, and gone in the end.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct progress {
	FILE *to; /* NULL: silent */
	double since, shown;
};

/* Begins. @to is a terminal, or NULL. */
void progress_begin(struct progress *p, FILE *to);

/*
 * @done of the work is done (0 to 1; 0: nobody knows): shows percent, the text of @fmt and the time
 * left, a few times a second however often it is called.
 */
void progress_show(struct progress *p, double done, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* How much is done when that is @rounds (and a part of one) after @seconds, and there are @max of
 * them, or, as none begins after @limit seconds, fewer, but @min at least. */
double progress_of_rounds(double seconds, double rounds, unsigned min, unsigned max, double limit);

double progress_seconds(const struct progress *p); /* since it began */

/* The line is taken away, for what comes next. */
void progress_end(struct progress *p);

/* The time left when @done of the work has taken @seconds. -1: not known yet. */
double progress_left(double seconds, double done);

/* The line itself, of @columns at most; free with g_free(). @left as above. */
char *progress_line(double seconds, double left, const char *text, unsigned columns);

/* stderr if it is a terminal, else NULL. */
FILE *progress_terminal(void);
