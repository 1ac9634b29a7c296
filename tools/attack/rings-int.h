/*
 * What rings.c and the layouts of rings (split.c, packed.c) share.
 */
#pragma once

#include "tools/attack/rings.h"
#include "virtqueue/vring.h"

#define ATTACK_FOLLOWED 64u /* descriptors of a chain: no more are there to be found */

/* What follows chains, and how far it has come. */
struct attack_walk {
	struct attack_rings *a;
	struct {
		uint64_t at, end;
	} table[64];
	unsigned n_tables;
	bool lost; /* there were more tables */
};

struct attack_layout {
	/* Ring @r into the memory a->before, with nothing used. */
	void (*place)(struct attack_rings *a, unsigned r);
	/* Notes what its chains let the device do. */
	void (*walk)(struct attack_walk *w, unsigned r);
	/* Notes what the device may write of the ring itself. */
	void (*allow)(struct attack_rings *a, unsigned r);
	/* So many chains were used; the @i-th of them, of the last ATTACK_SIZE. */
	unsigned (*used)(const struct attack_rings *a, unsigned r);
	void (*element)(const struct attack_rings *a, unsigned r, unsigned i, uint32_t *ret_id,
			uint32_t *ret_len);
};

extern const struct attack_layout attack_split, attack_packed;

static inline const struct drv_vq *attack_vq(const struct attack_rings *a, unsigned r)
{
	return &a->peer->queue[r].vq;
}

/* A descriptor as entry @i of a ring or table at @table. */
void attack_place_split(uint8_t *table, unsigned i, const struct attack_desc *d);
void attack_place_packed(uint8_t *table, unsigned i, const struct attack_desc *d);

/* The device may write these bytes. */
void attack_allow(struct attack_rings *a, uint64_t at, uint64_t len);

/* Follows one descriptor: what it lets the device write, also by a table. Returns the bytes. */
uint64_t attack_walk_desc(struct attack_walk *w, const struct attack_desc *d);

/* A chain was made available @times, of so many writable bytes. */
void attack_note_chain(struct attack_rings *a, unsigned r, uint32_t id, uint64_t writable,
		       uint32_t times);
