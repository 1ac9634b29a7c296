/*
 * An input of the attack: what a hostile driver leaves in the memory that it shares with a device,
 * rings, indirect tables, requests. It is made from a number, can be written to a file and read
 * back (input-text.c), and taken apart.
 *
 * The memory is laid out alike for each input: a page for each ring, a page of indirect tables,
 * data. Addresses in an input are guest addresses, which begin at 0.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ATTACK_SIZE    16u /* entries of a ring */
#define ATTACK_RINGS   2u
#define ATTACK_TABLES  4u  /* indirect ones, */
#define ATTACK_TABLE   16u /* of so many entries */
#define ATTACK_ENTRIES ((size_t)ATTACK_TABLES * ATTACK_TABLE)
#define ATTACK_PAGE    4096u
#define ATTACK_DATA    32768u
#define ATTACK_HEADERS 16u
#define ATTACK_HEADER  48u /* bytes */

/* A descriptor. */
struct attack_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next; /* of a packed ring: the buffer id in the place of next */
};

/* Of a packed ring idx and avail are nothing, and flags and event the driver's suppression. */
struct attack_ring {
	struct attack_desc desc[ATTACK_SIZE];
	uint16_t avail[ATTACK_SIZE];
	uint16_t flags, idx, event; /* of the available ring */
};

/* The first bytes of a buffer: a request, if a device is to take it for one. */
struct attack_header {
	uint32_t at; /* guest address, within the data */
	uint16_t len;
	uint8_t bytes[ATTACK_HEADER];
};

/* What comes with a message. */
enum attack_file {
	FILE_MEMORY,  /* the rings' and data's */
	FILE_EVENT,   /* an eventfd: the first ring's kick */
	FILE_SHORT,   /* of one page */
	FILE_SHRINKS, /* as long as the memory, until all messages were sent */
	FILE_NULL,
	FILE_PIPE,
	FILE_SOCKET,
	N_ATTACK_FILES,
};

#define ATTACK_MESSAGES 24u
#define ATTACK_PAYLOAD  280u /* bytes: the longest that makes sense, and some */
#define ATTACK_FDS      8u

/* A message of a hostile front-end. */
struct attack_message {
	uint32_t request, flags, size; /* the header; */
	uint16_t sent;                 /* bytes of payload behind it, whatever that says */
	uint8_t n_fds, fd[ATTACK_FDS]; /* enum attack_file */
	uint8_t payload[ATTACK_PAYLOAD];
};

struct attack_kind;

struct attack_input {
	const struct attack_kind *kind; /* of device */
	uint64_t number;
	uint64_t features; /* that the driver accepts */
	struct attack_ring ring[ATTACK_RINGS];
	struct attack_desc table[ATTACK_ENTRIES];
	struct attack_header header[ATTACK_HEADERS];
	unsigned n_headers;
	struct attack_message message[ATTACK_MESSAGES];
	unsigned n_messages;
};

/* A type of device: which queues it has, and what a sensible request to them is, from which inputs
 * depart. */
struct attack_maker;
struct attack_kind {
	const char *name;
	unsigned n_rings;
	void (*chain)(struct attack_maker *m, unsigned ring); /* maker.h */
	/* A request that any such device serves at once; NULL: there is none. */
	void (*probe)(struct attack_maker *m);
	unsigned probe_ring;
};

const struct attack_kind *attack_kind_nth(unsigned n); /* NULL behind the last */
const struct attack_kind *attack_kind_find(const char *name);

static inline bool attack_is_packed(const struct attack_input *in)
{
	return in->features >> 34 & 1; /* VIRTIO_F_RING_PACKED */
}

static inline uint32_t attack_tables_at(const struct attack_input *in)
{
	return in->kind->n_rings * ATTACK_PAGE;
}

static inline uint32_t attack_data_at(const struct attack_input *in)
{
	return attack_tables_at(in) + ATTACK_PAGE;
}

static inline uint32_t attack_memory_end(const struct attack_input *in)
{
	return attack_data_at(in) + ATTACK_DATA;
}

/* Where inputs come from: the same every time. */
struct attack_source {
	const struct attack_kind *kind;
	uint64_t seed;
	uint64_t offered, required; /* features that the driver can, and will, accept */
	bool messages;              /* of a hostile front-end, too */
};

void attack_make(struct attack_input *in, const struct attack_source *source, uint64_t number);

/* A sound one, of one request that is served at once. False: of this kind there is none. */
bool attack_make_probe(struct attack_input *in, const struct attack_source *source,
		       uint64_t features);

/* As text, a line for each part that is not empty; and back, with a usage error if it is none. */
void attack_write_text(FILE *out, const struct attack_input *in);
bool attack_read_text(struct attack_input *in, const char *text, GError **err);
