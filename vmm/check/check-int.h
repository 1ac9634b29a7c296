/*
 * Inside the checker: a device that is looked at, and who looks.
 *
 * Threads. What registers show is judged under the device's lock, since vCPUs may be several; what
 * passes through a queue on the queue's owner, with state of that queue alone. What both need
 * (which features were negotiated) is the device's, and stands still while queues run.
 */
#pragma once

#include <pthread.h>

#include "devices/core/observe.h"
#include "vmm/check/check.h"
#include "vmm/check/rules.h"

#define CHECK_BUFFER 4096u
#define CHECK_LINES  3u /* of a rule, for a device */

struct check_dev;

/* What a type of device adds; every function may be NULL. */
struct check_type {
	const char *class;
	enum check_group group;
	size_t state_size; /* bytes of its own for a device */

	/* Fields that are there with a feature only; ends with an empty row, or NULL. */
	const struct check_field {
		uint16_t off, len, feature;
	} * fields;

	/* On the queue's owner. @c is whole; its bytes may change under us, and are copied before
	 * they are judged. */
	void (*popped)(struct check_dev *d, unsigned q, const struct vq_chain *c);
	/* It was never popped. */
	void (*unpopped)(struct check_dev *d, unsigned q, const struct vq_chain *c);
	/* It goes back; its cursors are where the device left them. */
	void (*pushed)(struct check_dev *d, unsigned q, const struct vq_chain *c);
	/* With the lock held. Of a read after, of a write before it. */
	void (*config)(struct check_dev *d, size_t off, const uint8_t *bytes, size_t len,
		       bool write);
	/* The driver began anew. */
	void (*reset)(struct check_dev *d);
	/* On the queue's owner, every now and then while it runs: wait_ms later than before. */
	void (*tick)(struct check_dev *d, unsigned q);

	/* Of a chain: readable bytes before its data, writable bytes behind them. */
	uint8_t head, tail;
};

extern const struct check_type check_blk, check_net, check_console, check_input, check_rng;

/* A descriptor as it was when the device took it, and whose. */
struct check_desc {
	uint64_t addr, rest;
	bool ours;    /* it is in flight, and was not overwritten by the device */
	uint16_t id;  /* the chain's */
	uint32_t sum; /* of the indirect table that it refers to */
};

struct check_queue {
	struct check_dev *dev;
	unsigned index;
	bool runs, packed;
	bool blind; /* where its chains are in the ring is not known */
	uint16_t size;
	const struct vring_desc *desc; /* split, */
	const struct vring_avail *avail;
	const struct vring_used *used;
	const struct vring_packed_desc *ring;   /* or packed: in guest memory, while it runs */
	const struct vring_packed_event *event; /* the device's */
	struct check_desc *shadow;
	uint16_t *first;        /* packed, by id: the place of a chain's first descriptor */
	bool *been;             /* packed, by place and wrap: the next descriptor was there */
	bool was_used;          /* packed: at pos there is, or was, a used descriptor */
	_Atomic int kick_place; /* the last that a notification named; -1: none since we looked */
	unsigned kicked[2];     /* while avail_event, a bait, said no, or yes */
	bool event_asks;        /* it says yes */
	unsigned n_data;        /* descriptors of the chain taken last that have data */
	uint16_t pos, used_pos; /* where the next chain begins; packed: where the next used one goes
				 */

	/* Notifications that are due: see check_ring_tick(). */
	GSource *timer;
	uint16_t seen; /* split: the available index, when we looked last */
	uint16_t told; /* up to here the device knows of chains */
	bool asked;    /* it wanted to be told of what comes then, when we looked last */
	unsigned overdue;
};

/* What was last seen of registers. */
struct check_regs {
	_Atomic bool mmio; /* queues' owners look, too */
	bool seen_any;
	bool magic, version, device_id, first_told, device_id_told;
	bool began;              /* the status was written, once */
	bool reset_unread;       /* status 0 was written, and not read since */
	bool features_ok_unread; /* FEATURES_OK was written, and the status not read since */
	bool generation;
	bool refused; /* FEATURES_OK was written, and is not set; */
	int64_t refused_us;
	bool config_vector_unread;
	unsigned queue_select;
	unsigned status_reads; /* of InterruptStatus, that no InterruptACK came for yet */
	unsigned unacked;      /* so often in a row it was read with a bit set that stays */
	struct check_queue_regs {
		bool reset_unread, was_reset, desc_written, vector_unread, ready_unread;
		bool size_read, size_written, placed, was_enabled;
		bool enabled; /* the device is not asked: its lock is held where it tells */
	} queue[VDEV_QUEUES_MAX];
};

struct check_dev {
	struct vdev_observer base;
	struct checker *checker;
	struct vdev *dev; /* NULL: it left */
	char *name;
	const struct check_type *type; /* NULL: none of those above */
	pthread_mutex_t lock;
	struct check_regs regs;
	struct check_queue *queue;
	unsigned n_queues;
	void *own; /* the type's */

	_Atomic int64_t needs_reset_us; /* since then DEVICE_NEEDS_RESET is set; 0: it is not, or it
					   was told */
	_Atomic bool joined; /* the driver was there before: its beginning is not known */

	pthread_mutex_t found_lock; /* innermost */
	struct check_found {
		uint64_t count;
		int64_t first_us, last_us;
		int queue, head;
		const char *clause; /* of those that the rule has */
		char *seen;
	} found[N_CHECK_RULES];
};

struct checker {
	const struct check_config *cfg;
	unsigned wait_ms;
	GPtrArray *devices;   /* of struct check_dev; those that left stay for the report */
	unsigned n_pages;     /* of them: baits */
	pthread_mutex_t lock; /* of the array */
	int64_t began_us;
	bool advice[N_CHECK_RULES]; /* check_is_advice() */
	_Atomic uint64_t n_violations;
	check_first_fn first;
	void *first_opaque;
	FILE *json, *junit;
	char json_buffer[CHECK_BUFFER], junit_buffer[CHECK_BUFFER];
};

/* What is told of a driver is told of one of these, until the checker goes. */
struct check_dev *check_dev_new(struct checker *c, const char *name);

/* The driver broke @rule. @q, @head: -1 where it is about none. @seen may be NULL. */
void check_broken(struct check_dev *d, unsigned rule, int q, int head, const char *seen, ...)
	G_GNUC_PRINTF(5, 6);

/* Is it advice alone? */
bool check_is_advice(unsigned rule);

/* Copies @len readable bytes from @off on: how many of them there were. */
size_t check_peek(const struct vq_chain *c, size_t off, void *dst, size_t len);

static inline bool check_accepted(const struct check_dev *d, unsigned bit)
{
	return vdev_accepted(d->dev, bit);
}

/* registers.c, with the lock held */
void check_registers(struct check_dev *d, const struct vdev_access *a);
void check_registers_status(struct check_dev *d, uint32_t before, uint32_t after);
void check_registers_config(struct check_dev *d, size_t off, size_t len, bool write);
/* It leaves: nobody else calls. */
void check_registers_end(struct check_dev *d);
/* From any thread, every now and then. */
void check_registers_tick(struct check_dev *d);

/* rings.c, on the queue's owner */
void check_ring_started(struct check_queue *q);
void check_ring_stopped(struct check_queue *q, bool for_good);
void check_ring_popped(struct check_queue *q, const struct vq_chain *c);
void check_ring_unpopped(struct check_queue *q, const struct vq_chain *c);
void check_ring_pushed(struct check_queue *q, const struct vq_chain *c);
void check_ring_kicked(struct check_queue *q);
/* Of a legacy driver's ring with an index that cannot be: can it be in the other byte order? Then
 * that is told. */
bool check_ring_is_swapped(struct check_queue *q);

/* report.c: the violation of @rule that @f tells of; its line, the @count-th */
struct check_violation check_describe(const struct check_dev *d, unsigned rule,
				      const struct check_found *f);
void check_say(const struct check_violation *v, uint64_t count);
