/*
 * How an input comes about: sensible requests, as a device of that kind expects them, cut into
 * buffers of any size and put into rings and tables; then a few fields are made what no sound
 * driver writes. Shared by make.c and kinds.c.
 */
#pragma once

#include "tools/attack/input.h"

struct attack_buffer {
	uint64_t at;
	uint32_t len;
	bool writable;
};

struct attack_maker {
	struct attack_input *in;
	uint64_t random;
	bool plain; /* buffers stay whole, chains direct */

	/* The chain at hand. */
	struct attack_buffer buffer[ATTACK_TABLE];
	unsigned n_buffers;

	/* What is taken. */
	unsigned n_tables;
	unsigned n_slots[ATTACK_RINGS];
	uint8_t slot[ATTACK_RINGS][ATTACK_SIZE]; /* in this order */
};

/* Any number; one below @n; true in one of @n. */
uint64_t maker_next(struct attack_maker *m);
uint64_t maker_below(struct attack_maker *m, uint64_t n);

static inline bool maker_once_in(struct attack_maker *m, uint64_t n)
{
	return maker_below(m, n) == 0;
}

/* Adds @len bytes to the chain at hand, in one buffer or several; their address, or that of the
 * first. */
uint64_t maker_add(struct attack_maker *m, uint32_t len, bool writable);

/* The same, with bytes that begin them. */
void maker_add_header(struct attack_maker *m, const void *bytes, uint16_t len);

/* make-messages.c: the input's messages. */
void maker_make_messages(struct attack_maker *m);
