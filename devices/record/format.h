/*
 * The format of a record, as its writer (writer.c) and its reader (tools/trace/reader.c) share it.
 * docs/record.md tells it byte by byte; whatever changes here changes there, and RECORD_VERSION
 * with it.
 *
 * A file is a header and then blocks, each with its length and a checksum, and each readable by
 * itself: what is predicted from events before (times, addresses, queues) begins anew with a block.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "virtqueue/le.h"

#define RECORD_VERSION 2u
#define RECORD_MAGIC   "\x89RSREC\r\n"

struct record_header {
	uint8_t magic[8]; /* RECORD_MAGIC */
	le32 version;
	le32 bytes;     /* of this header */
	le64 monotonic; /* both clocks at one moment, in ns */
	le64 realtime;
	le32 reserved;
	le32 check; /* record_check() of all before it */
};

#define RECORD_BLOCK_MAGIC 0x4b4c4252u /* "RBLK" */
#define RECORD_BLOCK_MAX   (64u << 10) /* bytes of a block's body */

struct record_block {
	le32 magic;
	le32 bytes;  /* of the body, which follows */
	le64 time;   /* ns, CLOCK_MONOTONIC, that the first event's is told from */
	le32 number; /* counts from 0 */
	le32 events;
	le32 body_check;
	le32 check; /* of all before it */
};

enum record_type {
	RECORD_DEVICE = 1,
	RECORD_THREAD,
	RECORD_LOST,
	RECORD_READ, /* of a register */
	RECORD_WRITE,
	RECORD_STATUS,
	RECORD_FEATURES,
	RECORD_CONFIG_READ,
	RECORD_CONFIG_WRITE,
	RECORD_CONFIG_INTERRUPT,
	RECORD_RULE,
	RECORD_QUEUE_START,
	RECORD_QUEUE_STOP,
	RECORD_KICK,
	RECORD_POPPED,
	RECORD_UNPOPPED,
	RECORD_PUSHED,
	RECORD_INTERRUPT,
	RECORD_SUPPRESSED,
	RECORD_FAULT,
	RECORD_PAYLOAD,
	RECORD_DIGEST,
	RECORD_END,
	RECORD_OPTIONS,
	RECORD_OFFER,
	N_RECORD_TYPES
};

/* An event's first byte: its type, and what the event before has in common with it or not. */
#define RECORD_TYPE    0x1fu
#define RECORD_SAME    0x20u /* its device and queue: they are not told */
#define RECORD_THREADS 0x40u /* another thread's: its number follows the time */
#define RECORD_BACK    0x80u /* its time lies before the last one's */

#define RECORD_BUFS_MAX    1024u       /* of a chain that are told */
#define RECORD_PAYLOAD_MAX (16u << 10) /* bytes of one RECORD_PAYLOAD */
#define RECORD_TEXT_MAX    255u
#define RECORD_OPTIONS_MAX 4096u

#define RECORD_QUEUE_PACKED 1u /* a bit of RECORD_QUEUE_START */

/* How a buffer's address is told: by its distance from somewhere, or as it is. */
enum record_from { RECORD_FROM_LAST, RECORD_FROM_FIRST, RECORD_FROM_BEFORE, RECORD_AS_IT_IS };

/* Buffers of the last chain of a queue, to tell those of the next from: both sides keep the same
 * table, which is cleared at a block's begin. A queue that meets another one's place takes it. */
#define RECORD_PLACES     64u
#define RECORD_PLACE_BUFS 4u

struct record_place {
	uint32_t device, queue;
	uint64_t addr[RECORD_PLACE_BUFS];
};

static inline struct record_place *record_place(struct record_place *places, uint32_t device,
						uint32_t queue)
{
	struct record_place *p = &places[(device * 8 + queue) % RECORD_PLACES];

	if (p->device != device || p->queue != queue) {
		memset(p, 0, sizeof(*p));
		p->device = device;
		p->queue = queue;
	}
	return p;
}

static inline uint64_t record_zigzag(uint64_t delta)
{
	return delta << 1 ^ (delta >> 63 ? UINT64_MAX : 0);
}

static inline uint64_t record_unzigzag(uint64_t v)
{
	return v >> 1 ^ (v & 1 ? UINT64_MAX : 0);
}

/* A hash of @len bytes after what *@hash has seen; begins as RECORD_HASH. Whole words come first,
 * so that parts but the last are multiples of 8 bytes. */
#define RECORD_HASH 0x9e3779b97f4a7c15ull

static inline uint64_t record_hash(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len) {
		size_t n = len < 8 ? len : 8;
		le64 word = 0;

		memcpy(&word, at, n);
		hash = (hash ^ le64_cpu(word) ^ (uint64_t)n << 56) * 0xff51afd7ed558ccdull;
		hash ^= hash >> 32;
		at += n;
		len -= n;
	}
	return hash;
}

static inline uint32_t record_check(const void *bytes, size_t len)
{
	uint64_t hash = record_hash(RECORD_HASH, bytes, len);

	return (uint32_t)(hash ^ hash >> 32);
}
