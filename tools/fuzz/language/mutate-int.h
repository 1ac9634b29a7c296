/* What mutate.c and mutate-make.c share. */
#pragma once

#include "tools/fuzz/language/mutate.h"

#define RECORD_MAX (2u + 255u)

static inline uint32_t dice(struct mutator *m, uint32_t sides)
{
	return mutate_dice(m, sides);
}

/* Of an argument by its letter (grammar.h): bytes, 0 for 's'; and something for it. */
unsigned mutate_width(char letter);
uint64_t mutate_argument(struct mutator *m, char letter);

void mutate_put(uint8_t *to, uint64_t value, unsigned len);

/* Bytes for an 's': an example, perhaps spoilt, or noise. Returns how many. */
unsigned mutate_some_bytes(struct mutator *m, uint8_t *to, unsigned room);

/* An operation, the heavier the likelier; and a record of one: returns its bytes. */
unsigned mutate_pick_op(struct mutator *m);
unsigned mutate_make_record(struct mutator *m, unsigned op, uint8_t rec[RECORD_MAX]);
