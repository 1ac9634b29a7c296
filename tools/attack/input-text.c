/*
 * Inputs as text: what a finding is kept in, and can be changed by hand.
 *
 *	ringside fuzz vhost-user 1
 *	kind blk
 *	number 1234
 *	features 0x130000000
 *	ring 0 idx 1 flags 0 event 0
 *	avail 0 3
 *	desc 0 3 addr 0x3000 len 16 flags 0x1 next 4
 *	table 2 addr 0x3200 len 512 flags 0x2 next 0
 *	header 0x3000 00000000000000000000000000000000
 *	message request 8 flags 0x1 size 8 fds memory,event payload 0000000010000000
 *
 * What is all zeroes has no line; `avail RING` and `desc RING N` are of a ring.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "devices/base/error.h"
#include "tools/attack/input.h"

#define FIRST_LINE "ringside fuzz vhost-user 1"

/*
 * Writing.
 */
static void write_desc(FILE *out, const struct attack_desc *d)
{
	fprintf(out, " addr 0x%" PRIx64 " len %" PRIu32 " flags 0x%x next %u\n", d->addr, d->len,
		d->flags, d->next);
}

static bool is_empty(const struct attack_desc *d)
{
	static const struct attack_desc empty;

	return memcmp(d, &empty, sizeof(empty)) == 0;
}

static void write_ring(FILE *out, unsigned r, const struct attack_ring *ring)
{
	unsigned n = ATTACK_SIZE;

	fprintf(out, "ring %u idx %u flags 0x%x event %u\n", r, ring->idx, ring->flags,
		ring->event);
	while (n && ring->avail[n - 1] == 0)
		n--;
	if (n)
		fprintf(out, "avail %u", r);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, " %u%s", ring->avail[i], i + 1 == n ? "\n" : "");
	for (unsigned i = 0; i < ATTACK_SIZE; i++) {
		if (is_empty(&ring->desc[i]))
			continue;
		fprintf(out, "desc %u %u", r, i);
		write_desc(out, &ring->desc[i]);
	}
}

static const char *const files[] = {
	[FILE_MEMORY] = "memory",   [FILE_EVENT] = "event", [FILE_SHORT] = "short",
	[FILE_SHRINKS] = "shrinks", [FILE_NULL] = "null",   [FILE_PIPE] = "pipe",
	[FILE_SOCKET] = "socket",
};
static_assert(G_N_ELEMENTS(files) == N_ATTACK_FILES, "name every file");

static void write_hex(FILE *out, const uint8_t *bytes, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "%02x", bytes[i]);
	fputc('\n', out);
}

static void write_message(FILE *out, const struct attack_message *msg)
{
	fprintf(out, "message request %" PRIu32 " flags 0x%" PRIx32 " size %" PRIu32, msg->request,
		msg->flags, msg->size);
	for (unsigned i = 0; i < msg->n_fds; i++)
		fprintf(out, "%s%s", i ? "," : " fds ", files[msg->fd[i]]);
	fputs(" payload ", out);
	write_hex(out, msg->payload, msg->sent);
}

void attack_write_text(FILE *out, const struct attack_input *in)
{
	fprintf(out, FIRST_LINE "\nkind %s\nnumber %" PRIu64 "\nfeatures 0x%" PRIx64 "\n",
		in->kind->name, in->number, in->features);
	for (unsigned r = 0; r < in->kind->n_rings; r++)
		write_ring(out, r, &in->ring[r]);
	for (unsigned i = 0; i < ATTACK_ENTRIES; i++) {
		if (is_empty(&in->table[i]))
			continue;
		fprintf(out, "table %u", i);
		write_desc(out, &in->table[i]);
	}
	for (unsigned i = 0; i < in->n_headers; i++) {
		const struct attack_header *h = &in->header[i];

		fprintf(out, "header 0x%" PRIx32 " ", h->at);
		write_hex(out, h->bytes, h->len);
	}
	for (unsigned i = 0; i < in->n_messages; i++)
		write_message(out, &in->message[i]);
}

/*
 * Reading: a line is words, of which the first says what it is.
 */
static bool read_number(const char *word, uint64_t max, uint64_t *ret)
{
	char *end;

	if (!word || !g_ascii_isdigit(word[0]))
		return false;
	*ret = g_ascii_strtoull(word, &end, 0);
	return *end == '\0' && *ret <= max;
}

static bool read_u16(const char *word, uint16_t *ret)
{
	uint64_t n;

	if (!read_number(word, UINT16_MAX, &n))
		return false;
	*ret = (uint16_t)n;
	return true;
}

/* Words that alternate with @names, which are @n. */
static bool read_named(char *const *words, const char *const *names, unsigned n,
		       const uint64_t *max, uint64_t *ret)
{
	for (unsigned i = 0; i < n; i++)
		if (g_strcmp0(words[2ul * i], names[i]) != 0 ||
		    !read_number(words[2ul * i + 1], max[i], &ret[i]))
			return false;
	return true;
}

static bool read_desc(char *const *words, struct attack_desc *d)
{
	static const char *const names[] = { "addr", "len", "flags", "next" };
	static const uint64_t max[] = { UINT64_MAX, UINT32_MAX, UINT16_MAX, UINT16_MAX };
	uint64_t n[4];

	if (!read_named(words, names, 4, max, n) || words[8])
		return false;
	*d = (struct attack_desc){ n[0], (uint32_t)n[1], (uint16_t)n[2], (uint16_t)n[3] };
	return true;
}

static struct attack_ring *read_which(struct attack_input *in, const char *word)
{
	uint64_t r;

	return in->kind && read_number(word, in->kind->n_rings - 1, &r) ? &in->ring[r] : NULL;
}

static bool line_kind(struct attack_input *in, char *const *words)
{
	in->kind = words[0] ? attack_kind_find(words[0]) : NULL;
	return in->kind;
}

static bool line_number(struct attack_input *in, char *const *words)
{
	return read_number(words[0], UINT64_MAX, &in->number);
}

static bool line_features(struct attack_input *in, char *const *words)
{
	return read_number(words[0], UINT64_MAX, &in->features);
}

static bool line_ring(struct attack_input *in, char *const *words)
{
	static const char *const names[] = { "idx", "flags", "event" };
	static const uint64_t max[] = { UINT16_MAX, UINT16_MAX, UINT16_MAX };
	struct attack_ring *ring = read_which(in, words[0]);
	uint64_t n[3];

	if (!ring || !read_named(words + 1, names, 3, max, n) || words[7])
		return false;
	ring->idx = (uint16_t)n[0];
	ring->flags = (uint16_t)n[1];
	ring->event = (uint16_t)n[2];
	return true;
}

static bool line_avail(struct attack_input *in, char *const *words)
{
	struct attack_ring *ring = read_which(in, words[0]);

	if (!ring)
		return false;
	for (unsigned i = 0; words[i + 1]; i++)
		if (i == ATTACK_SIZE || !read_u16(words[i + 1], &ring->avail[i]))
			return false;
	return true;
}

static bool line_desc(struct attack_input *in, char *const *words)
{
	struct attack_ring *ring = read_which(in, words[0]);
	uint64_t i;

	return ring && read_number(words[1], ATTACK_SIZE - 1, &i) &&
	       read_desc(words + 2, &ring->desc[i]);
}

static bool line_table(struct attack_input *in, char *const *words)
{
	uint64_t i;

	return read_number(words[0], ATTACK_ENTRIES - 1, &i) && read_desc(words + 1, &in->table[i]);
}

/* Up to @max bytes; -1: it is no such number of them. */
static int read_hex(const char *hex, uint8_t *bytes, size_t max)
{
	size_t n = strlen(hex) / 2;

	if (n > max || hex[2 * n] != '\0')
		return -1;
	for (size_t i = 0; i < n; i++) {
		int high = g_ascii_xdigit_value(hex[2 * i]);
		int low = g_ascii_xdigit_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return (int)n;
}

static bool line_header(struct attack_input *in, char *const *words)
{
	struct attack_header *h = &in->header[in->n_headers];
	uint64_t at;
	int n;

	if (!in->kind || in->n_headers == ATTACK_HEADERS || !words[0] || !words[1])
		return false;
	n = read_hex(words[1], h->bytes, ATTACK_HEADER);
	if (n < 0 || !read_number(words[0], attack_memory_end(in) - (uint64_t)n, &at) ||
	    at < attack_data_at(in))
		return false;
	h->at = (uint32_t)at;
	h->len = (uint16_t)n;
	in->n_headers++;
	return true;
}

static bool read_file(const char *name, uint8_t *ret)
{
	for (unsigned i = 0; i < N_ATTACK_FILES; i++)
		if (strcmp(files[i], name) == 0) {
			*ret = (uint8_t)i;
			return true;
		}
	return false;
}

static bool read_fds(const char *list, struct attack_message *msg)
{
	g_auto(GStrv) names = g_strsplit(list, ",", -1);

	for (unsigned i = 0; names[i]; i++, msg->n_fds++)
		if (i == ATTACK_FDS || !read_file(names[i], &msg->fd[i]))
			return false;
	return true;
}

static bool line_message(struct attack_input *in, char *const *words)
{
	static const char *const names[] = { "request", "flags", "size" };
	static const uint64_t max[] = { UINT32_MAX, UINT32_MAX, UINT32_MAX };
	struct attack_message *msg = &in->message[in->n_messages];
	uint64_t n[3];
	int sent;

	if (in->n_messages == ATTACK_MESSAGES || !read_named(words, names, 3, max, n))
		return false;
	words += 6;
	if (words[0] && words[1] && strcmp(words[0], "fds") == 0) {
		if (!read_fds(words[1], msg))
			return false;
		words += 2;
	}
	if (!words[0] || strcmp(words[0], "payload") != 0 || !words[1] || words[2])
		return false;
	sent = read_hex(words[1], msg->payload, ATTACK_PAYLOAD);
	msg->request = (uint32_t)n[0];
	msg->flags = (uint32_t)n[1];
	msg->size = (uint32_t)n[2];
	msg->sent = (uint16_t)sent;
	in->n_messages++;
	return sent >= 0;
}

static bool read_line(struct attack_input *in, const char *line)
{
	static const struct {
		const char *name;
		bool (*read)(struct attack_input *in, char *const *words);
	} rows[] = {
		{ "kind", line_kind },   { "number", line_number }, { "features", line_features },
		{ "ring", line_ring },   { "avail", line_avail },   { "desc", line_desc },
		{ "table", line_table }, { "header", line_header }, { "message", line_message },
	};
	g_auto(GStrv) words = g_strsplit(line, " ", -1);

	if (!words[0] || line[0] == '#')
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (strcmp(rows[i].name, words[0]) == 0)
			return rows[i].read(in, words + 1);
	return false;
}

bool attack_read_text(struct attack_input *in, const char *text, GError **err)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	*in = (struct attack_input){ 0 };
	if (!lines[0] || strcmp(lines[0], FIRST_LINE) != 0)
		return ringside_usage(err, "its first line is not \"" FIRST_LINE "\"");
	for (unsigned i = 1; lines[i]; i++)
		if (!read_line(in, lines[i]))
			return ringside_usage(err, "line %u cannot be understood: %s", i + 1,
					      lines[i]);
	return in->kind || ringside_usage(err, "it names no kind of device");
}
