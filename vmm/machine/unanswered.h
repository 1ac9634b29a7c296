/*
 * Accesses that nobody answers: a guest that waits for a device which is not there makes the same
 * one again and again, and shows nothing else. They are counted by port, or by page of memory.
 *
 * A guest may make as many different ones as it likes, so the table has a bound: when it is full,
 * the place with the fewest accesses gives way to a new one, which inherits their number as its
 * rank (Metwally and others, "Efficient computation of frequent and top-k elements in data
 * streams", 2005). What a guest does often thus stays in the table, whatever it does besides.
 *
 * Every function may be called from any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define UNANSWERED_MAX  64u
#define UNANSWERED_PAGE 4096u

/* One place. */
struct unanswered {
	bool io;       /* an I/O port; else a page of memory */
	bool several;  /* addresses in that page */
	bool exact;    /* it never gave way to another: the numbers are all there were */
	uint64_t addr; /* the last one */
	uint64_t reads, writes;
	unsigned len; /* bytes of the last access */
};

struct unanswered_table;

struct unanswered_table *unanswered_new(void);
void unanswered_free(struct unanswered_table *t); /* NULL is fine */

/* An access of @len bytes at @addr. */
void unanswered_add(struct unanswered_table *t, bool io, uint64_t addr, unsigned len, bool write);

/* The places, those with most accesses first; returns how many. *ret_all: accesses in all, also of
 * places that are not in the table any more. */
unsigned unanswered_get(struct unanswered_table *t, struct unanswered ret[UNANSWERED_MAX],
			uint64_t *ret_all);

/* The guest begins anew. */
void unanswered_reset(struct unanswered_table *t);
