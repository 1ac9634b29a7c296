/*
 * "Did you mean": the nearest of some names to a word that is none of them.
 *
 *	struct nearest near = NEAREST(word);
 *
 *	for (...)
 *		nearest_try(&near, name);
 *	if (near.best) ...
 */
#pragma once

struct nearest {
	const char *word, *best; /* best: NULL if none was near */
	unsigned least;          /* so few edits make the word of best */
};

#define NEAREST(text) ((struct nearest){ .word = (text) })

/* @name stays the caller's, and is best's if it is nearer than those before it. */
void nearest_try(struct nearest *n, const char *name);
