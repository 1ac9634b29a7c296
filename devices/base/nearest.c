#include "devices/base/nearest.h"

#include <glib.h>
#include <string.h>

#define NAME_MAX_LEN 63u

/* Edits (insert, delete, replace, swap two neighbours) between a word and a short name. */
static unsigned nearest_distance(const char *a, const char *b)
{
	unsigned rows[3][NAME_MAX_LEN + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];
	size_t n = MIN(strlen(b), NAME_MAX_LEN);

	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned *spare = before;

		before = last;
		last = row;
		row = spare;
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			unsigned replaced = last[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = MIN(replaced, MIN(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], before[j - 2] + 1);
		}
	}
	return row[n];
}

/* A slip of the finger changes a third of a word at most; what differs by more is another word. */
static unsigned nearest_edits_max(const char *word)
{
	size_t n = strlen(word);

	return n < 3 ? 0 : (unsigned)MIN(MAX(n / 3, 1), 3);
}

void nearest_try(struct nearest *n, const char *name)
{
	unsigned d = nearest_distance(n->word, name);

	if (d <= nearest_edits_max(n->word) && (!n->best || d < n->least)) {
		n->least = d;
		n->best = name;
	}
}
