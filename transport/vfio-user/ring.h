/*
 * A queue whose ring, or buffers, are reached by messages: what far.c and the ring formats
 * (far-split.c, far-packed.c) share.
 *
 * The queue runs on a copy of the driver's ring. It is a ring like any other, with the queue as the
 * device and this as the driver, who never is interrupted and always kicks. Two flows go on beside
 * each other:
 *
 *	look    what the driver has made available: entries, then descriptors, then indirect
 *	        tables, then the readable buffers; then it is available in the copy, too.
 *	back    what the queue has used: the writable buffers, then used elements, then the index
 *	        (or the first flags); then whether the driver wants to be interrupted.
 *
 * A ring lives from a queue's start until it has stopped and all that it used is with the driver.
 * If it is to go on, another one is there by then, and has its turn after it.
 */
#pragma once

#include "transport/vfio-user/impl.h"
#include "virtqueue/vring.h"

/* What the queue has of the driver's, until it is used. */
struct vfu_chain {
	GList link;
	uint16_t id, n_slots; /* as in struct vq_chain */
	uint64_t writable;    /* bytes */
	unsigned n;
	struct vfu_buf {
		uint64_t address;
		uint32_t len;
	} buf[]; /* the writable ones */
};

/* What was used together: it becomes visible in one. */
struct vfu_batch {
	GList link;
	uint16_t old, now; /* where the ring goes on, before and after it */
	GArray *pos;       /* of uint16_t: where, */
	GArray *word;      /* of le64: an element (split), or the second half of a descriptor */
};

struct vfu_desc {
	uint64_t address;
	uint32_t len;
	uint16_t flags, link; /* split: next; packed: id */
};

struct vfu_ring;
typedef void (*vfu_visit_fn)(struct vfu_ring *r, const struct vfu_desc *d);

struct vfu_ring_layout {
	void (*begin)(
		struct vfu_ring *r);      /* the copy, as a queue wants it that starts from there */
	void (*look)(struct vfu_ring *r); /* the flow's first step; then vfu_ring_take() */
	/* Calls visit() for each descriptor in the ring of chains that are new, and
	 * vfu_ring_chain() after each chain. */
	void (*walk)(struct vfu_ring *r, vfu_visit_fn visit);
	void (*offer)(struct vfu_ring *r); /* what is new is available in the copy */
	void (*collect)(struct vfu_ring *r, struct vfu_batch *b); /* what is used there */
	void (*show)(struct vfu_ring *r); /* the first step after a batch's buffers; then
					     vfu_ring_shown() */
};

extern const struct vfu_ring_layout vfu_split_ring, vfu_packed_ring;

struct vfu_ring {
	struct vq_far vq; /* first */
	GList link;
	struct vfio_user *v;
	unsigned q;
	const struct vfu_ring_layout *layout;
	struct vq_config at;
	struct gmem mem; /* of the copy */
	void *part[3];   /* its memory */

	/* By the queue, on its thread. */
	atomic_bool asked, published, stopped;
	atomic_bool goes_on; /* with stopped */

	struct vfu_flow look, back;
	bool told;           /* the driver, that kicks are wanted */
	bool armed;          /* split: for the next one */
	bool partial;        /* packed: a list was seen in part */
	uint16_t seen;       /* what the driver made available is in the copy up to here, */
	uint16_t next;       /* and is being fetched up to here */
	uint16_t used;       /* what the queue used was collected up to here */
	uint8_t *table;      /* the driver's descriptors as they were read */
	uint8_t word[8];     /* what a step reads, */
	uint8_t word_out[8]; /* and writes */
	uint8_t word_event[8];
	GArray *building;          /* of struct vfu_buf */
	uint64_t fetched;          /* readable bytes of the chain */
	GQueue fresh;              /* struct vfu_chain: being fetched */
	GQueue in_flight;          /* with the queue, in the driver's order */
	uint16_t gone, gone_slots; /* the last one that was used */
	GQueue batches;            /* the first one is on its way */

	struct {
		struct vring_desc *desc;
		struct vring_avail *avail;
		struct vring_used *used;
	} split;
	struct {
		struct vring_packed_desc *desc;
		struct vring_packed_event *driver, *device;
	} packed;
};

/* A step: descriptors of all that is new are known. */
void vfu_ring_take(struct vfu_ring *r);

/* In walk(): a chain's last descriptor was visited. */
void vfu_ring_chain(struct vfu_ring *r, uint16_t id, uint16_t n_slots);

/* In collect(): @id was used, with @len bytes; @word belongs at @pos. With what it skips, so many
 * places. */
uint16_t vfu_ring_used(struct vfu_ring *r, struct vfu_batch *b, uint16_t id, uint32_t len,
		       uint16_t pos, le64 word);

/* The first batch is visible to the driver, which wants an interrupt or does not. */
void vfu_ring_shown(struct vfu_ring *r, bool interrupt);

static inline struct vfu_batch *vfu_ring_batch(struct vfu_ring *r)
{
	return g_queue_peek_head(&r->batches);
}

/* Two words of a descriptor, or of a table's entry. */
static inline struct vfu_desc vfu_desc_of(bool packed, const uint8_t *at)
{
	le64 words[2];
	uint64_t rest;
	uint16_t third, fourth;

	memcpy(words, at, sizeof(words));
	rest = le64_cpu(words[1]);
	third = (uint16_t)(rest >> 32);
	fourth = (uint16_t)(rest >> 48);
	return (struct vfu_desc){ .address = le64_cpu(words[0]),
				  .len = (uint32_t)rest,
				  .flags = packed ? fourth : third,
				  .link = packed ? third : fourth };
}
