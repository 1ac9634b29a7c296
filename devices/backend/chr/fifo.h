/*
 * A bounded queue of bytes. Its memory is taken at the first byte and kept.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chr_fifo {
	uint8_t *bytes;
	size_t max;  /* set by chr_fifo_init() */
	size_t head; /* where the oldest byte is */
	size_t len;
};

void chr_fifo_init(struct chr_fifo *f, size_t max);
void chr_fifo_free(struct chr_fifo *f); /* its memory, not @f; usable again */

/* Appends as many of @len bytes as there is room for; returns how many. */
size_t chr_fifo_put(struct chr_fifo *f, const void *src, size_t len);

/* Appends all of @len bytes (the last @max of them, if there are more); the oldest give way. */
void chr_fifo_force(struct chr_fifo *f, const void *src, size_t len);

/* The oldest bytes that lie in one piece; *ret_len is 0 when it is empty. */
const uint8_t *chr_fifo_peek(const struct chr_fifo *f, size_t *ret_len);

/* Forgets the @len oldest bytes; at most f->len. */
void chr_fifo_drop(struct chr_fifo *f, size_t len);
