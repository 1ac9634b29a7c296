/*
 * Both sides of one ring with memory between them and no device: a queue (virtqueue/vq.h) and a
 * reference driver (virtqueue/driver/drv.h), for the tests of the rings themselves.
 *
 * Guest memory is two adjoining regions, the second mapped elsewhere, so that a buffer across
 * RINGPAIR_BORDER is contiguous for the guest alone. The ring lies at the start of the first;
 * buffers are free to be anywhere from RINGPAIR_DATA on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtqueue/driver/drv.h"
#include "virtqueue/vq.h"

#define RINGPAIR_GPA    0x100000u
#define RINGPAIR_REGION 0x200000u /* bytes of each of the two */
#define RINGPAIR_BORDER (RINGPAIR_GPA + RINGPAIR_REGION)
#define RINGPAIR_END    (RINGPAIR_GPA + 2 * RINGPAIR_REGION)
#define RINGPAIR_DATA   (RINGPAIR_GPA + 0x180000u)

struct ringpair {
	struct gmem mem;
	uint8_t *region[2];
	uint8_t *before; /* both regions as ringpair_remember() found them */
	struct drv_vq drv;
	struct vq *vq;
	struct vq_config cfg; /* as vq_start() got it */
};

/* The features of a ring under test; the rest of drv_config is the pair's business. */
struct ringpair_spec {
	uint16_t size;
	bool packed, event_idx, in_order, indirect;
	uint16_t start_at; /* split: the first index, to reach the wrap of 16 bits sooner */
};

/* Makes memory and both sides, and starts the queue. Fails the test if it cannot. */
void ringpair_open(struct ringpair *p, const struct ringpair_spec *spec);
void ringpair_close(struct ringpair *p);

/* The guest's bytes at @gpa, in one region. */
void *ringpair_at(struct ringpair *p, uint64_t gpa);

/* Notes all of guest memory; ringpair_untouched() tells whether it is still the same. */
void ringpair_remember(struct ringpair *p);
bool ringpair_untouched(struct ringpair *p);

/* Adds and publishes a chain of @n_rd readable and @n_wr writable buffers of @len bytes each, one
 * after the other from @gpa on. Returns its id. */
int ringpair_send(struct ringpair *p, uint64_t gpa, uint32_t len, unsigned n_rd, unsigned n_wr);

/* Pops the one chain that must be there. */
struct vq_chain *ringpair_pop(struct ringpair *p);

/* Takes the one used chain that must be there; returns its length. */
uint32_t ringpair_used(struct ringpair *p);

/* Sends @n chains of one readable and one writable buffer; chain i reads as i and writes at most i
 * + 1 bytes. What the device sees is ringpair_number(), what the driver gets back
 * ringpair_cookie(). */
void ringpair_send_numbered(struct ringpair *p, unsigned n);
unsigned ringpair_number(struct vq_chain *c);
void *ringpair_cookie(unsigned i);

/* Fills what the chain has to write with zeroes, and pushes it. */
void ringpair_complete(struct ringpair *p, struct vq_chain *c);

/* Runs a case on every combination of layout and features, in a ring of RINGPAIR_SIZE entries. */
#define RINGPAIR_SIZE 16
void ringpair_each(void (*run)(const struct ringpair_spec *spec));

/*
 * Chains written by hand. In a split ring descriptors from RINGPAIR_RAW on are the tests', those
 * below the reference driver's; in a packed ring they go where the reference driver would put its
 * next.
 */
#define RINGPAIR_RAW   32u
#define RINGPAIR_TABLE (RINGPAIR_DATA + 0x10000)

/* Descriptor RINGPAIR_RAW + @i, its next the following one. */
void ringpair_raw(struct ringpair *p, unsigned i, struct drv_buf buf, unsigned flags);
/* Entry @i of the table at RINGPAIR_TABLE, for either layout. */
void ringpair_entry(struct ringpair *p, unsigned i, struct drv_buf buf, unsigned flags);
/* Makes a split chain available. */
void ringpair_offer(struct ringpair *p, unsigned head);
/* The next packed descriptor, available at once. Its id is 7. */
void ringpair_raw_packed(struct ringpair *p, struct drv_buf buf, unsigned flags);
