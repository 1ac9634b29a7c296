/*
 * One program for all targets, started under the target's name (build/fuzz/blk-split is a link to
 * it) or with FUZZ_TARGET set. libFuzzer and AFL++'s driver both bring main() and call what is
 * here.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/language/mutate.h"

/* File-scope: set once, by the fuzzer's first call, for all the others. */
static const struct fuzz_target *target;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
				 uint8_t *out, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max) __attribute__((weak));

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = getenv("FUZZ_TARGET");

	(void)argc;
	fuzz_init();
	target = fuzz_target_find(name ? name : (*argv)[0]);
	if (target)
		return 0;
	(void)fprintf(stderr, "FUZZ_TARGET, or the name of this program, is one of:\n");
	for (guint i = 0; i < fuzz_targets()->len; i++)
		(void)fprintf(stderr, "    %s\n",
			      ((struct fuzz_target *)g_ptr_array_index(fuzz_targets(), i))->name);
	exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	target->run(target, data, size);
	return 0;
}

/* Inputs grow up to some dozens of records and no further, for each costs time; those of the corpus
 * that are longer may stay so. */
static size_t fuzz_main_limit(size_t size, size_t max)
{
	size_t grown = target->run == fuzz_device_run || target->run == fuzz_ring_run ? 256 : 512;

	return MIN(max, MAX(size, grown));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct mutator m = { grammar_of(target->name), LLVMFuzzerMutate, seed };

	return mutate(&m, data, size, fuzz_main_limit(size, max));
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
				 uint8_t *out, size_t max, unsigned seed)
{
	struct mutator m = { grammar_of(target->name), LLVMFuzzerMutate, seed };

	return mutate_cross(&m, (struct input){ a, a + a_len }, (struct input){ b, b + b_len }, out,
			    fuzz_main_limit(0, max));
}
