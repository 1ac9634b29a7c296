#include "devices/nearest.h"

#include <glib.h>
#include <string.h>

/* Edits (insert, delete, replace) between two short words. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[64];
	size_t n = MIN(strlen(b), G_N_ELEMENTS(row) - 1);

	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 0; a[i]; i++) {
		unsigned diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 1; j <= n; j++) {
			unsigned replaced = diagonal + (a[i] != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[n];
}

void nearest_try(struct nearest *n, const char *name)
{
	unsigned d = distance(n->word, name);

	if (d < n->least) {
		n->least = d;
		n->best = name;
	}
}
