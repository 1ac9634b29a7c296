/*
 * The mutator as AFL++ loads it (AFL_CUSTOM_MUTATOR_LIBRARY): a library of its own, with the
 * grammars and nothing else of the project. The target is in FUZZ_TARGET.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/fuzz/language/mutate.h"

struct afl {
	struct mutator m;
	uint8_t *out;
	size_t room;
};

void *afl_custom_init(void *afl, unsigned seed);
size_t afl_custom_fuzz(struct afl *a, uint8_t *buf, size_t size, uint8_t **ret_out,
		       const uint8_t *add, size_t add_size, size_t max);
void afl_custom_deinit(struct afl *a);

void *afl_custom_init(void *afl, unsigned seed)
{
	const char *target = getenv("FUZZ_TARGET");
	struct afl *a = calloc(1, sizeof(*a));

	(void)afl;
	if (!a || !target)
		abort();
	a->m = (struct mutator){ .g = grammar_of(target), .seed = seed };
	return a;
}

size_t afl_custom_fuzz(struct afl *a, uint8_t *buf, size_t size, uint8_t **ret_out,
		       const uint8_t *add, size_t add_size, size_t max)
{
	if (max > a->room) {
		free(a->out);
		a->out = malloc(max);
		a->room = max;
	}
	if (!a->out)
		abort();
	*ret_out = a->out;
	if (add && add_size && !mutate_dice(&a->m, 8))
		return mutate_cross(&a->m, (struct input){ buf, buf + size },
				    (struct input){ add, add + add_size }, a->out, max);
	if (size > max)
		size = max;
	memcpy(a->out, buf, size);
	return mutate(&a->m, a->out, size, max);
}

void afl_custom_deinit(struct afl *a)
{
	free(a->out);
	free(a);
}
