#include "tools/trace/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "tools/trace/reader-int.h"

#define NAMES_MAX 4096u /* of devices, and of threads, that are remembered */

/* The file is read in pieces: what a block needs is made to lie together. */
#define ROOM (4 * (sizeof(struct record_block) + RECORD_BLOCK_MAX))

struct trace_reader {
	int fd;
	char *file;
	struct record_header header;
	uint8_t *buf; /* ROOM bytes, of which those from at to end are unread */
	size_t at, end;
	size_t body; /* of the block that is being read: it goes when that is over */
	struct trace_block block;
	uint32_t number;                        /* of the next block */
	GPtrArray *devices, *classes, *threads; /* of char *, or NULL */
	GString *scratch;
	struct trace_account account;
};

/*
 * Names.
 */
static void trace_learn(GPtrArray *names, uint32_t i, const char *at, size_t len)
{
	GString *name = g_string_new(NULL);

	for (size_t k = 0; k < len; k++)
		g_string_append_c(name, g_ascii_isgraph(at[k]) ? at[k] : '?');
	if (i < NAMES_MAX) {
		if (i >= names->len)
			g_ptr_array_set_size(names, (int)i + 1);
		g_free(names->pdata[i]);
		names->pdata[i] = g_string_free(name, FALSE);
	} else {
		g_string_free(name, TRUE);
	}
}

static const char *trace_name(struct trace_reader *t, GPtrArray *names, uint32_t i,
			      const char *what)
{
	if (i < names->len && names->pdata[i])
		return names->pdata[i];
	g_string_printf(t->scratch, "%s%u", what, i);
	return t->scratch->str;
}

const char *trace_device(struct trace_reader *t, uint32_t device)
{
	return trace_name(t, t->devices, device, "device");
}

const char *trace_class(struct trace_reader *t, uint32_t device)
{
	bool told = device < t->classes->len && t->classes->pdata[device];

	return told ? t->classes->pdata[device] : "";
}

const char *trace_thread(struct trace_reader *t, uint32_t thread)
{
	return trace_name(t, t->threads, thread, "thread");
}

/*
 * The file.
 */
/* Has the bytes from t->at to @bytes further on. False: the file has fewer, or @err. */
static bool trace_fill(struct trace_reader *t, size_t bytes, GError **err)
{
	while (t->end - t->at < bytes) {
		ssize_t n;

		if (t->at) {
			memmove(t->buf, t->buf + t->at, t->end - t->at);
			t->end -= t->at;
			t->at = 0;
		}
		n = read(t->fd, t->buf + t->end, ROOM - t->end);
		if (n < 0 && errno != EINTR)
			return ringside_error_errno(err, errno, "%s", t->file);
		if (n == 0)
			return false;
		if (n > 0)
			t->end += (size_t)n;
	}
	return true;
}

static bool trace_is_header(const struct record_header *h)
{
	return memcmp(h->magic, RECORD_MAGIC, sizeof(h->magic)) == 0 &&
	       le32_cpu(h->check) == record_check(h, offsetof(struct record_header, check));
}

static bool trace_read_header(struct trace_reader *t, GError **err)
{
	struct record_header *h = &t->header;

	if (!trace_fill(t, sizeof(*h), err))
		return (err && *err) ||
		       ringside_usage(err, "%s: not a record (ringside run --record FILE)",
				      t->file);
	memcpy(h, t->buf, sizeof(*h));
	if (!trace_is_header(h))
		return ringside_usage(err, "%s: not a record (ringside run --record FILE)",
				      t->file);
	/* Those of version 1 have fewer types of events. */
	if (!le32_cpu(h->version) || le32_cpu(h->version) > RECORD_VERSION ||
	    le32_cpu(h->bytes) != sizeof(*h))
		return ringside_usage(err, "%s: a record of version %u; this program reads 1 to %u",
				      t->file, le32_cpu(h->version), RECORD_VERSION);
	t->at += sizeof(*h);
	t->account.bytes += sizeof(*h);
	return true;
}

static bool trace_is_block(const struct record_block *b)
{
	return le32_cpu(b->magic) == RECORD_BLOCK_MAGIC && le32_cpu(b->bytes) <= RECORD_BLOCK_MAX &&
	       le32_cpu(b->check) == record_check(b, offsetof(struct record_block, check));
}

static void trace_step(struct trace_reader *t, size_t bytes, bool skipped)
{
	t->at += bytes;
	t->account.bytes += bytes;
	if (skipped)
		t->account.skipped += bytes;
}

/* Over bytes that begin no block. */
static bool trace_find_block(struct trace_reader *t, struct record_block *ret, GError **err)
{
	while (trace_fill(t, sizeof(*ret), err)) {
		memcpy(ret, t->buf + t->at, sizeof(*ret));
		if (trace_is_block(ret))
			return true;
		trace_step(t, 1, true);
	}
	return false;
}

static void trace_count_missing(struct trace_reader *t, uint32_t number)
{
	if (number > t->number)
		t->account.missing += number - t->number;
	t->number = number + 1;
}

static bool trace_next_block(struct trace_reader *t, GError **err)
{
	struct record_block b;
	size_t bytes;

	trace_step(t, t->body, false);
	t->body = 0;
	while (trace_find_block(t, &b, err)) {
		bytes = le32_cpu(b.bytes);
		if (!trace_fill(t, sizeof(b) + bytes, err))
			return false; /* it may come yet */
		trace_step(t, sizeof(b), false);
		if (record_check(t->buf + t->at, bytes) != le32_cpu(b.body_check)) {
			trace_step(t, bytes, true);
			continue;
		}
		trace_count_missing(t, le32_cpu(b.number));
		t->body = bytes;
		trace_block_begin(&t->block, t->buf + t->at, bytes, le32_cpu(b.events),
				  le64_cpu(b.time));
		return true;
	}
	return false;
}

struct trace_reader *trace_open(const char *file, GError **err)
{
	struct trace_reader *t = g_new0(struct trace_reader, 1);

	t->file = g_strdup(file);
	t->buf = g_malloc(ROOM);
	t->devices = g_ptr_array_new_with_free_func(g_free);
	t->classes = g_ptr_array_new_with_free_func(g_free);
	t->threads = g_ptr_array_new_with_free_func(g_free);
	t->scratch = g_string_new(NULL);
	t->fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (t->fd < 0)
		ringside_error_errno(err, errno, "%s", file);
	else if (trace_read_header(t, err))
		return t;
	trace_close(t);
	return NULL;
}

void trace_close(struct trace_reader *t)
{
	if (!t)
		return;
	if (t->fd >= 0)
		close(t->fd);
	g_ptr_array_unref(t->devices);
	g_ptr_array_unref(t->classes);
	g_ptr_array_unref(t->threads);
	g_string_free(t->scratch, TRUE);
	g_free(t->buf);
	g_free(t->file);
	g_free(t);
}

static void trace_account_event(struct trace_reader *t, const struct trace_event *e)
{
	t->account.events++;
	switch (e->type) {
	case RECORD_DEVICE:
		trace_learn(t->classes, e->device, e->text[0].at, e->text[0].len);
		trace_learn(t->devices, e->device, e->text[1].at, e->text[1].len);
		break;
	case RECORD_THREAD:
		trace_learn(t->threads, e->thread, (const char *)e->bytes, e->n_bytes);
		break;
	case RECORD_LOST:
		t->account.lost += e->value[0];
		break;
	case RECORD_END:
		t->account.whole = true;
		break;
	default:
		break;
	}
}

bool trace_next(struct trace_reader *t, struct trace_event *ret, GError **err)
{
	while (!trace_block_next(&t->block, ret)) {
		if (t->block.bad) {
			t->account.bad++;
			t->block.bad = false;
			t->block.events = 0;
		}
		if (!trace_next_block(t, err))
			return false;
	}
	trace_account_event(t, ret);
	return true;
}

struct trace_account trace_account(const struct trace_reader *t)
{
	struct trace_account a = t->account;

	a.skipped += t->end - t->at - t->body; /* the rest is no whole block */
	return a;
}

uint64_t trace_begin(const struct trace_reader *t)
{
	return le64_cpu(t->header.monotonic);
}

uint64_t trace_wall(const struct trace_reader *t)
{
	return le64_cpu(t->header.realtime);
}
