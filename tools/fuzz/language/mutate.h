/*
 * Changing inputs as what they are, records with arguments, instead of as bytes: a record is made
 * up, doubled, moved, dropped, or one argument of it is changed, into something of its kind. For
 * libFuzzer (main.c) and for AFL++ (mutate-afl.c). Needs the grammars and nothing of the code under
 * test.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/input.h"

struct mutator {
	const struct grammar *g;
	/* Changes bytes as bytes (libFuzzer's own mutations, which know its dictionary); may be
	 * NULL. */
	size_t (*bytes)(uint8_t *data, size_t size, size_t max);
	uint64_t seed;
};

/* A number below @sides. */
uint32_t mutate_dice(struct mutator *m, uint32_t sides);

/* Changes @data in place; returns its new size, at most @max. */
size_t mutate(struct mutator *m, uint8_t *data, size_t size, size_t max);

/* Begins as one input and goes on as another. */
size_t mutate_cross(struct mutator *m, struct input a, struct input b, uint8_t *out, size_t max);
