/*
 * The reader of records takes nothing on trust. A record that was cut off anywhere reads up to its
 * last whole block; one that was spoilt, with or without checksums that fit, harms nobody.
 * RINGSIDE_CORRUPTIONS in the environment says how many to try.
 */
#include "tools/trace/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/record/record.h"
#include "tests/support/echo.h"
#include "tests/support/rig.h"
#include "tools/trace/sink.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CORRUPTIONS 10000u /* each takes ten times as long */
#else
#define CORRUPTIONS 100000u
#endif
#define TRUNCATIONS 1000u

struct sample {
	GByteArray *bytes; /* a record */
	int fd;            /* a file with what is to be read */
	char *path;
	GRand *rand;
	FILE *null;
	GArray *events; /* of struct trace_event, without what they point to */
};

/* A record of a short life, with a bit of everything. */
static void sample_record(struct rig *r, const char *path, unsigned requests)
{
	g_autofree char *spec = g_strdup_printf("%s,payload=head=24", path);
	struct rig_buf bufs[] = { rig_alloc(r, 40), rig_alloc(r, 20), rig_alloc(r, 50) };
	struct recorder *rec = recorder_open(spec, "--record", NULL);
	uint8_t byte = 3;

	assert_non_null(rec);
	recorder_add(rec, rig_dev(r));
	recorder_start(rec, NULL, NULL);
	rig_start(r, RIG_ALL);
	rig_config_write(r, ECHO_WRITABLE, &byte, 1);
	for (unsigned i = 0; i < requests; i++)
		rig_do(r, ECHO_COPY, bufs, 1, 2);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_wait_idle(r);
	vdev_pause(rig_dev(r));
	recorder_remove(rec, rig_dev(r));
	vdev_resume(rig_dev(r));
	recorder_close(rec);
}

static void sample_write(struct sample *s, size_t len)
{
	assert_int_equal(ftruncate(s->fd, 0), 0);
	assert_int_equal(pwrite(s->fd, s->bytes->data, len, 0), (ssize_t)len);
}

static void sample_open(struct sample *s, struct rig *r, unsigned requests)
{
	g_autofree char *path = g_strdup_printf("%s/record", rig_dir(r));
	struct trace_reader *t;
	struct trace_event e;
	gsize len;
	char *text;

	sample_record(r, path, requests);
	assert_true(g_file_get_contents(path, &text, &len, NULL));
	s->bytes = g_byte_array_new_take((guint8 *)text, len);
	s->fd = memfd_create("record", MFD_CLOEXEC);
	s->path = g_strdup_printf("/proc/self/fd/%d", s->fd);
	s->rand = g_rand_new_with_seed(20261201);
	s->null = fopen("/dev/null", "w");
	s->events = g_array_new(FALSE, FALSE, sizeof(struct trace_event));
	sample_write(s, len);
	t = trace_open(s->path, NULL);
	while (trace_next(t, &e, NULL))
		g_array_append_val(s->events, e);
	assert_true(trace_account(t).whole);
	trace_close(t);
}

static void sample_close(struct sample *s)
{
	g_byte_array_unref(s->bytes);
	close(s->fd);
	g_free(s->path);
	g_rand_free(s->rand);
	fclose(s->null);
	g_array_unref(s->events);
}

/* How many events lie in whole blocks of the first @len bytes. */
static unsigned whole_events(const struct sample *s, size_t len)
{
	size_t at = sizeof(struct record_header);
	struct record_block b;
	unsigned n = 0;

	while (at + sizeof(b) <= len) {
		memcpy(&b, s->bytes->data + at, sizeof(b));
		at += sizeof(b) + le32_cpu(b.bytes);
		if (at > len)
			break;
		n += le32_cpu(b.events);
	}
	return n;
}

static void truncated_it_reads_to_the_last_whole_block(struct rig *r)
{
	struct sample s;

	sample_open(&s, r, 3000);
	assert_true(s.bytes->len > 100000); /* a few blocks */
	for (unsigned i = 0; i < TRUNCATIONS; i++) {
		size_t len = (size_t)g_rand_int_range(s.rand, 0, (gint32)s.bytes->len);
		unsigned n = 0;
		struct trace_reader *t;
		struct trace_event e;

		sample_write(&s, len);
		t = trace_open(s.path, NULL);
		assert_int_equal(t != NULL, len >= sizeof(struct record_header));
		while (t && trace_next(t, &e, NULL)) {
			const struct trace_event *want;

			assert_true(n < s.events->len);
			want = &g_array_index(s.events, struct trace_event, n++);
			assert_int_equal(e.type, want->type);
			assert_int_equal(e.time, want->time);
			assert_int_equal(e.head, want->head);
			assert_memory_equal(e.value, want->value, sizeof(e.value));
		}
		assert_int_equal(n, whole_events(&s, len));
		if (t)
			assert_false(trace_account(t).whole);
		trace_close(t);
	}
	sample_close(&s);
}

/* A block in the midst is spoilt: those around it are read, and it is missed. */
static void a_spoilt_block_is_passed_over(struct rig *r)
{
	struct sample s;
	struct record_block first;
	struct trace_reader *t;
	struct trace_event e;
	size_t at = sizeof(struct record_header);
	unsigned n = 0;

	sample_open(&s, r, 3000);
	memcpy(&first, s.bytes->data + at, sizeof(first));
	s.bytes->data[at + sizeof(first) + 100] ^= 1;
	sample_write(&s, s.bytes->len);
	t = trace_open(s.path, NULL);
	while (trace_next(t, &e, NULL))
		n++;
	assert_int_equal(n, s.events->len - le32_cpu(first.events));
	assert_int_equal(trace_account(t).missing, 1);
	assert_int_equal(trace_account(t).skipped, le32_cpu(first.bytes));
	assert_true(trace_account(t).whole);
	trace_close(t);
	sample_close(&s);
}

/* All that can be made of it. */
static unsigned read_all(struct sample *s, unsigned turn)
{
	struct trace_reader *t = trace_open(s->path, NULL);
	struct trace_sink *sink;
	struct trace_event e;
	unsigned n = 0;

	if (!t)
		return 0;
	switch (turn / 4 % 5) {
	case 0:
		sink = trace_text_new(s->null, true);
		break;
	case 1:
		sink = trace_json_new(s->null);
		break;
	case 2:
		sink = trace_pcapng_new(s->null);
		break;
	case 3:
		sink = trace_perfetto_new(s->null);
		break;
	default:
		sink = trace_html_new(s->null);
		break;
	}
	while (trace_next(t, &e, NULL)) {
		sink->event(sink, t, &e);
		n++;
	}
	sink->end(sink, t);
	sink->free(sink);
	trace_close(t);
	return n;
}

static void spoil(struct sample *s, size_t from, size_t len)
{
	unsigned n = (unsigned)g_rand_int_range(s->rand, 1, 9);

	while (n--) {
		size_t at = from + (size_t)g_rand_int_range(s->rand, 0, (gint32)len);

		switch (g_rand_int_range(s->rand, 0, 3)) {
		case 0:
			s->bytes->data[at] ^= (guint8)(1 << g_rand_int_range(s->rand, 0, 8));
			break;
		case 1:
			s->bytes->data[at] = (guint8)g_rand_int(s->rand);
			break;
		default:
			memset(s->bytes->data + at, 0xff, MIN(from + len - at, 10));
			break;
		}
	}
}

/* Checksums that fit, as somebody would make them who means harm. */
static void make_fit(struct sample *s, size_t at)
{
	struct record_block b;

	memcpy(&b, s->bytes->data + at, sizeof(b));
	b.magic = cpu_le32(RECORD_BLOCK_MAGIC);
	b.bytes = cpu_le32((uint32_t)(s->bytes->len - at - sizeof(b)));
	b.body_check = cpu_le32(record_check(s->bytes->data + at + sizeof(b), le32_cpu(b.bytes)));
	b.check = cpu_le32(record_check(&b, offsetof(struct record_block, check)));
	memcpy(s->bytes->data + at, &b, sizeof(b));
}

static void whatever_is_spoilt_harms_nobody(struct rig *r)
{
	const char *given = getenv("RINGSIDE_CORRUPTIONS");
	unsigned n = given ? (unsigned)strtoul(given, NULL, 10) : CORRUPTIONS;
	size_t begin = sizeof(struct record_header);
	g_autofree guint8 *good = NULL;
	uint64_t read[2] = { 0 };
	struct sample s;

	sample_open(&s, r, 3);
	good = g_memdup2(s.bytes->data, s.bytes->len);
	for (unsigned i = 0; i < n; i++) {
		bool fits = i % 4 != 0;

		memcpy(s.bytes->data, good, s.bytes->len);
		if (fits) {
			spoil(&s, begin, s.bytes->len - begin);
			make_fit(&s, begin);
		} else {
			spoil(&s, 0, s.bytes->len);
		}
		sample_write(&s, s.bytes->len);
		read[fits] += read_all(&s, i);
	}
	/* With checksums that fit, what lies before the first spoilt byte is read, and more. */
	assert_true(read[1] > n / 2);
	assert_true(read[0] < n / 4 * (uint64_t)s.events->len);
	sample_close(&s);
}

#define DIRECT(fn)                                                                                \
	{                                                                                         \
		.name = #fn, .spec = "echo", .class = &echo_class, .run = fn, .direct_only = true \
	}

static const struct rig_case cases[] = {
	DIRECT(truncated_it_reads_to_the_last_whole_block),
	DIRECT(a_spoilt_block_is_passed_over),
	DIRECT(whatever_is_spoilt_harms_nobody),
};

int main(void)
{
	return rig_run("trace", cases, G_N_ELEMENTS(cases));
}
