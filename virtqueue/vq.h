/*
 * The device's side of a virtqueue, whatever its layout (VIRTIO 1.4, 2.6 Virtqueues).
 *
 * The driver owns the other side and may be hostile. Each descriptor is copied once, and only the
 * copy is judged and used; every address goes through gmem_at() or gmem_room(); a chain has a
 * budget. A driver's mistake leaves a named fault in the queue, and from then on the queue is dead:
 * vq_pop() answers -1 and nothing of guest memory is touched until vq_stop() and a new vq_start().
 *
 * One thread at a time owns a started queue; there is no lock in here, and nothing is allocated
 * between vq_start() and vq_stop(). Batches are the natural unit:
 *
 *	vq_disable_notify(vq);                          kicks are useless while we look
 *	do {
 *		while ((n = vq_pop(vq, chains, BATCH)) > 0)
 *			... vq_push() each, now or later, in any order ...
 *		if (vq_publish(vq))                     one index store and one decision a batch
 *			interrupt();
 *	} while (n == 0 && !vq_enable_notify(vq));      false: more came meanwhile
 *
 * The layouts are behind struct vq_layout: split.c and packed.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtqueue/chain.h"
#include "virtqueue/gmem.h"
#include "virtqueue/vring.h"

/* What a driver can get wrong in a ring. vq_fault_name() and vq_fault_text() tell about each. */
enum vq_fault {
	VQ_OK,
	VQ_FAULT_SIZE,             /* queue size 0, too large, or (split) no power of two */
	VQ_FAULT_RING_ALIGN,       /* a part of the ring is misaligned */
	VQ_FAULT_RING_ADDRESS,     /* a part of the ring is not in memory */
	VQ_FAULT_AVAIL_JUMP,       /* avail.idx moved by more than the queue size */
	VQ_FAULT_HEAD,             /* a descriptor index not below the queue size */
	VQ_FAULT_HEAD_IN_FLIGHT,   /* a head made available again before it was used */
	VQ_FAULT_LOOP,             /* a chain longer than the queue */
	VQ_FAULT_NEXT,             /* next not below the table's size */
	VQ_FAULT_ORDER,            /* a readable descriptor after a writable one */
	VQ_FAULT_LENGTH,           /* a descriptor of length 0 */
	VQ_FAULT_TOTAL,            /* a chain of more than 2^32 bytes */
	VQ_FAULT_ADDRESS,          /* a buffer that is not all in memory */
	VQ_FAULT_PIECES,           /* buffers cut by memory regions' borders into too many pieces */
	VQ_FAULT_INDIRECT,         /* INDIRECT without the feature */
	VQ_FAULT_INDIRECT_NEXT,    /* INDIRECT together with NEXT */
	VQ_FAULT_INDIRECT_LEN,     /* table length 0, no multiple of 16, or too many entries */
	VQ_FAULT_INDIRECT_ADDRESS, /* the table is not in memory */
	VQ_FAULT_INDIRECT_NESTED,  /* INDIRECT inside a table */
	VQ_FAULT_PARTIAL,          /* packed: a list made available before all of it was */
	VQ_FAULT_TAKEN_BACK,       /* packed: what was available once no longer is */
	VQ_FAULT_EVENT,            /* packed: reserved event flags */
	N_VQ_FAULTS,
};

/* Short name ("avail-jump") and one sentence with the specification clause; for any @fault. */
const char *vq_fault_name(enum vq_fault fault);
const char *vq_fault_text(enum vq_fault fault);

/* Where in the ring both sides are: what must be kept to stop a queue and go on later. */
struct vq_position {
	uint16_t next_avail; /* split: index; packed: offset in bits 0-14, wrap counter in bit 15 */
	uint16_t next_used;
};

/* A queue that was never started: both indices 0 (split), both wrap counters 1 (packed). */
struct vq_position vq_position_initial(bool packed);

/* While the memory's changes are logged: what counts as written when the device writes its part of
 * a ring. */
enum vq_log_ring {
	VQ_LOG_RING,    /* that */
	VQ_LOG_RING_AT, /* of the device area: what lies as far from vq_config.log_device */
	VQ_LOG_NO_RING, /* nothing; buffers alone */
};

/* An account of what is in flight, kept outside of the queue: see vq_config.inflight. */
struct vq_inflight_area;

/*
 * Whose ring is not in this process's memory: the queue works on a copy, which somebody keeps in
 * step with the driver's (vq_config.far). The functions are called on the owner's thread.
 */
struct vq_far {
	const struct gmem *ring; /* the copy: where the ring's addresses are found */

	/* Used buffers are in the copy, and not with the driver yet: vq_publish() says that no
	 * interrupt is wanted. */
	void (*published)(struct vq_far *f);

	/* vq_kicked(): the driver has something, or may have. */
	void (*kicked)(struct vq_far *f);

	/* The queue has stopped, or could not be started, and leaves the copy alone. */
	void (*stopped)(struct vq_far *f);
};

/* Bytes of it, for a queue of @size entries or fewer. */
size_t vq_inflight_bytes(unsigned size);

struct vq_config {
	uint64_t desc;   /* guest addresses: descriptor table or packed ring, */
	uint64_t driver; /* available ring or driver's event suppression, */
	uint64_t device; /* used ring or device's event suppression */
	uint16_t size;
	bool packed, event_idx, indirect, in_order; /* negotiated VIRTIO_F_* */
	bool notify_on_empty;                       /* VIRTIO_F_NOTIFY_ON_EMPTY, legacy: split */
	size_t request_size;                        /* device's bytes in each chain */
	enum vq_log_ring log_ring;
	uint64_t log_device; /* a guest address; need not be memory */
	/* Where the queue notes what is in flight; NULL: nowhere. Zeroes at first, aligned to 8. A
	 * queue that is started with what another of this size left goes on from there, not from
	 * `position`: what was in flight is popped first, in its order. Whatever else is in it
	 * counts as nothing. */
	struct vq_inflight_area *inflight;
	struct vq_far *far; /* NULL: the ring is in memory. Not with a log or an account */
	struct vq_position position;
};

/* Counted by the owner alone; read by others with relaxed loads, so they may lag a little. The
 * kicks are the caller's to count, since it is the caller they reach. */
struct vq_stats {
	uint64_t kicks;      /* notifications that reached the owner */
	uint64_t chains;     /* popped */
	uint64_t completed;  /* given back to the driver */
	uint64_t bytes_read; /* readable bytes in popped chains */
	uint64_t bytes_written;
	uint64_t interrupts; /* published batches that wanted one */
	uint64_t suppressed; /* published batches that did not */
	uint64_t faults;
};

struct vq; /* opaque to devices; the layouts see virtqueue/vq-impl.h */

struct vq *vq_new(void);
void vq_free(struct vq *vq); /* NULL is fine; must be stopped */

/*
 * Starts a queue on @mem, which must stay as it is until vq_stop(). Checks what 2.7 and 2.8 demand
 * of sizes, alignments and addresses. Returns VQ_OK or the fault. When the host has no memory for
 * the chain pool it aborts, like g_malloc().
 */
enum vq_fault vq_start(struct vq *vq, const struct gmem *mem, const struct vq_config *cfg);

/* Bytes of memory that a started queue of @size entries or fewer takes at most: the chains' (of
 * address space at once, of memory as the driver keeps them in flight). */
size_t vq_memory_max(unsigned size, size_t request_size);

/* Ends all use of guest memory. Chains still in flight become void: drain the device first
 * (vq_in_flight() says how many). Returns the position to continue from. Idempotent. */
struct vq_position vq_stop(struct vq *vq);

/* A started queue that nobody works on: regions were added to its memory, or those taken away that
 * it did not use (vq_uses_memory()), or the log of what is written was switched on or off. */
void vq_memory_changed(struct vq *vq);

/* A started queue that nobody works on, with a split ring: its driver, a legacy one, has accepted
 * other features. Of @cfg event_idx, indirect and notify_on_empty count. */
void vq_features_changed(struct vq *vq, const struct vq_config *cfg);

/* May it still touch this region without another look at the table? Part of its ring lies there, or
 * chains are in flight, wherever they lie. */
bool vq_uses_memory(const struct vq *vq, const struct gmem_region *r);

/* If the memory's changes are logged: all writable buffers of chains in flight are marked, for
 * devices may have written there. When the device pauses; vq_stop() does it itself. */
void vq_log_in_flight(const struct vq *vq);

bool vq_started(const struct vq *vq);
bool vq_packed(const struct vq *vq);
uint16_t vq_size(const struct vq *vq);
unsigned vq_in_flight(const struct vq *vq);
/* Split, a started queue: does the device have the chain of head @id (below vq_size())? From its
 * pop to its publish. */
bool vq_is_in_flight(const struct vq *vq, uint16_t id);
struct vq_position vq_position(const struct vq *vq);
enum vq_fault vq_fault(const struct vq *vq); /* what killed the queue, or VQ_OK */
uint16_t vq_fault_head(const struct vq *vq); /* the broken chain: its head, or offset if packed */
struct vq_stats *vq_stats(struct vq *vq);    /* survive vq_stop() */

/*
 * Takes up to @max chains the driver made available. Returns how many, 0 if there is none (or all
 * the pool's chains are in flight), -1 if the driver broke the ring: see vq_fault(). Chains before
 * the broken one are delivered first.
 */
int vq_pop(struct vq *vq, struct vq_chain **chains, unsigned max);

/*
 * For a device that takes chains one by one and writes into each at once: has the beginning of a
 * buffer fetched that comes @n chains later. Stores to a line which the driver's processor has wait
 * for it, and all stores behind them; fetched some chains ahead, lines come side by side. A hint,
 * without effect on the ring. Returns for how many bytes; 0 if that chain is not available (or @n
 * is not less than vq_size()), or begins with no device-writable buffer. Chains count as if they
 * had one descriptor each.
 */
size_t vq_fetch_ahead(const struct vq *vq, unsigned n);

/* Gives the last popped chain(s) back to the ring unused, last popped first: the next vq_pop()
 * returns them anew. Only for chains of which nothing has been consumed or pushed since.
 * vq_enable_notify() asks for no kick for them, but at the first chain after
 * them. */
void vq_unpop(struct vq *vq, struct vq_chain *c);

/* Returns a chain to the driver with c->written as its used length. Not seen before vq_publish().
 */
void vq_push(struct vq *vq, struct vq_chain *c);

/* Makes the pushed chains visible to the driver. True if it wants an interrupt for them. */
bool vq_publish(struct vq *vq);

/* Tells the driver that kicks are useless for now. A hint: some still come. */
void vq_disable_notify(struct vq *vq);

/* Asks for a kick at the next chain that was never popped. False if there is one already: look
 * again instead. */
bool vq_enable_notify(struct vq *vq);

/* The driver has kicked, or had no occasion to yet. For a queue with vq_config.far. */
void vq_kicked(struct vq *vq);

/* True if a vq_pop() would find something (or a new fault). Not while vq_pool_exhausted(). */
bool vq_pending(const struct vq *vq);

/*
 * True if the last vq_pop() had to leave a chain where it was, because all of the pool's room for
 * long chains was taken. (Only rings of more than 1024 entries, with many chains of more than
 * VQ_CHAIN_SHORT buffers in flight, can do that.) No kick will come for the chain left behind, and
 * vq_enable_notify() is content: whoever pushes a chain later must look whether vq_pending(), which
 * becomes true with the room the push gave back.
 */
bool vq_pool_exhausted(const struct vq *vq);
