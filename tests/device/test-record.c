/* A record says what happened, over every link; and what it cannot say, it says that it cannot. */
#include "devices/record/record.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/record/format.h"
#include "tests/support/echo.h"
#include "tests/support/rig.h"
#include "tools/trace/reader.h"

/* "record" in the rig's directory, with more of what --record takes. Free with g_free(). */
static char *record_path(struct rig *r, const char *more)
{
	return g_strdup_printf("%s/record%s", rig_dir(r), more);
}

static struct recorder *record_from_here(struct rig *r, const char *more, bool start)
{
	g_autofree char *spec = record_path(r, more);
	g_autoptr(GError) err = NULL;
	struct recorder *rec = recorder_open(spec, "--record", &err);

	assert_null(err);
	assert_non_null(rec);
	recorder_add(rec, rig_dev(r));
	if (start)
		recorder_start(rec, NULL, NULL);
	return rec;
}

static void record_ends(struct rig *r, struct recorder *rec)
{
	vdev_pause(rig_dev(r));
	recorder_remove(rec, rig_dev(r));
	vdev_resume(rig_dev(r));
	recorder_close(rec);
}

static struct trace_reader *record_read(struct rig *r)
{
	g_autofree char *path = record_path(r, "");
	g_autoptr(GError) err = NULL;
	struct trace_reader *t = trace_open(path, &err);

	assert_null(err);
	return t;
}

/* What the events add up to. */
struct sums {
	unsigned n[N_RECORD_TYPES];
	uint64_t kicks, last_time, end_events, end_lost;
	struct trace_account account;
};

static struct sums record_sum(struct rig *r)
{
	struct trace_reader *t = record_read(r);
	struct sums s = { 0 };
	struct trace_event e;

	while (trace_next(t, &e, NULL)) {
		s.n[e.type]++;
		if (e.type == RECORD_KICK)
			s.kicks += e.value[0];
		if (e.type == RECORD_END) {
			s.end_events = e.value[0];
			s.end_lost = e.value[1];
		}
		s.last_time = e.time;
	}
	s.account = trace_account(t);
	trace_close(t);
	return s;
}

static void request(struct rig *r, unsigned q)
{
	struct rig_buf bufs[] = { rig_dup(r, "0123456789abcdef", 16), rig_alloc(r, 16) };

	assert_int_equal(rig_do(r, q, bufs, 1, 1), 16);
}

static void counts_are_the_queues_own(struct rig *r)
{
	struct recorder *rec = record_from_here(r, "", true);
	const struct vq_stats *stats = vq_stats(rig_dev(r)->queue[ECHO_COPY].vq);
	struct sums s;

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 300; i++)
		request(r, ECHO_COPY);
	rig_wait_idle(r);
	rig_reset(r);
	record_ends(r, rec);
	s = record_sum(r);
	assert_int_equal(s.n[RECORD_POPPED] - s.n[RECORD_UNPOPPED], stats->chains);
	assert_int_equal(s.n[RECORD_PUSHED], stats->completed);
	assert_int_equal(s.kicks, stats->kicks);
	assert_int_equal(s.n[RECORD_INTERRUPT], stats->interrupts);
	assert_int_equal(s.n[RECORD_SUPPRESSED], stats->suppressed);
	assert_int_equal(s.n[RECORD_DEVICE], 1);
	/* A vhost-user front-end has them paused at times. */
	if (!g_str_has_prefix(rig_link_name(r), "vhost-user")) {
		assert_int_equal(s.n[RECORD_QUEUE_START], ECHO_QUEUES);
		assert_int_equal(s.n[RECORD_QUEUE_STOP], ECHO_QUEUES);
	}
	assert_true(s.n[RECORD_STATUS] >= 2);
	assert_int_equal(s.n[RECORD_FEATURES], 1);
	assert_true(s.account.whole);
	assert_int_equal(s.account.lost + s.account.skipped + s.account.missing + s.account.bad, 0);
	assert_int_equal(s.end_events, s.account.events - 1); /* all but itself */
	assert_int_equal(s.end_lost, 0);
}

/*
 * What each event says.
 */
struct seen {
	unsigned popped, pushed, starts, statuses;
	uint64_t popped_at;
	GByteArray *payload[2];
	uint64_t digest[2], told[2];
};

static void see_payload(struct seen *s, const struct trace_event *e)
{
	unsigned written = (unsigned)e->value[0];
	le64 digest;

	assert_true(written < 2);
	if (e->type == RECORD_PAYLOAD) {
		assert_int_equal(e->value[1], s->payload[written]->len);
		g_byte_array_append(s->payload[written], e->bytes, (guint)e->n_bytes);
		s->told[written] = e->value[2];
		return;
	}
	assert_int_equal(e->n_bytes, sizeof(digest));
	memcpy(&digest, e->bytes, sizeof(digest));
	s->digest[written] = le64_cpu(digest);
	s->told[written] = e->value[1];
}

/* Of one request with these @bufs: one readable, two writable. */
static void see(struct seen *s, const struct trace_event *e, const struct rig_buf *bufs)
{
	switch (e->type) {
	case RECORD_POPPED:
		assert_int_equal(e->queue, ECHO_COPY);
		assert_int_equal(e->n_rd, 1);
		assert_int_equal(e->n_wr, 2);
		assert_int_equal(e->n_bufs, 3);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(e->buf[i].addr, bufs[i].gpa);
			assert_int_equal(e->buf[i].len, bufs[i].len);
		}
		s->popped++;
		s->popped_at = e->time;
		break;
	case RECORD_PUSHED:
		assert_int_equal(e->value[0], bufs[0].len);
		assert_true(e->time >= s->popped_at);
		s->pushed++;
		break;
	case RECORD_QUEUE_START:
		assert_true(e->value[0] > 0);
		s->starts++;
		break;
	case RECORD_STATUS:
		s->statuses++;
		break;
	case RECORD_PAYLOAD:
	case RECORD_DIGEST:
		see_payload(s, e);
		break;
	default:
		break;
	}
}

#define BYTES 40000u /* more than one RECORD_PAYLOAD has */

static struct seen record_one_request(struct rig *r, const char *more)
{
	struct rig_buf bufs[] = { rig_alloc(r, BYTES), rig_alloc(r, 1001), rig_alloc(r, BYTES) };
	struct seen s = { .payload = { g_byte_array_new(), g_byte_array_new() } };
	struct trace_event e;
	struct trace_reader *t;
	struct recorder *rec;

	for (unsigned i = 0; i < BYTES; i++)
		((uint8_t *)bufs[0].p)[i] = (uint8_t)(i * 7);
	rec = record_from_here(r, more, true);
	rig_start(r, RIG_ALL);
	assert_int_equal(rig_do(r, ECHO_COPY, bufs, 1, 2), BYTES);
	rig_wait_idle(r);
	record_ends(r, rec);
	t = record_read(r);
	while (trace_next(t, &e, NULL)) {
		see(&s, &e, bufs);
		if (e.type == RECORD_DEVICE)
			assert_string_equal(trace_class(t, e.device), "echo");
	}
	assert_true(trace_account(t).whole);
	trace_close(t);
	assert_int_equal(s.popped, 1);
	assert_int_equal(s.pushed, 1);
	assert_int_equal(s.starts, ECHO_QUEUES);
	assert_true(s.statuses > 0);
	return s;
}

static void seen_free(struct seen *s)
{
	g_byte_array_unref(s->payload[0]);
	g_byte_array_unref(s->payload[1]);
}

static void without_payload_there_is_none(struct rig *r)
{
	struct seen s = record_one_request(r, "");

	assert_int_equal(s.payload[0]->len + s.payload[1]->len + s.told[0] + s.told[1], 0);
	seen_free(&s);
}

static void all_of_a_payload_is_there(struct rig *r)
{
	struct seen s = record_one_request(r, ",payload=all");

	for (unsigned written = 0; written < 2; written++) {
		assert_int_equal(s.told[written], BYTES);
		assert_int_equal(s.payload[written]->len, BYTES);
		for (unsigned i = 0; i < BYTES; i++)
			assert_int_equal(s.payload[written]->data[i], (uint8_t)(i * 7));
	}
	seen_free(&s);
}

static void the_head_of_a_payload_is_there(struct rig *r)
{
	struct seen s = record_one_request(r, ",payload=head=5");

	for (unsigned written = 0; written < 2; written++) {
		assert_int_equal(s.told[written], BYTES);
		assert_int_equal(s.payload[written]->len, 5);
		assert_memory_equal(s.payload[written]->data, "\x00\x07\x0e\x15\x1c", 5);
	}
	seen_free(&s);
}

/* It does not depend on how the driver cut the bytes up: 40000, and 1001 and the rest. */
static void a_digest_is_of_the_bytes(struct rig *r)
{
	struct seen s = record_one_request(r, ",payload=digest");
	g_autofree uint8_t *bytes = g_malloc(BYTES);
	uint64_t want;

	for (unsigned i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)(i * 7);
	want = record_hash(RECORD_HASH, bytes, BYTES);
	for (unsigned written = 0; written < 2; written++) {
		assert_int_equal(s.payload[written]->len, 0);
		assert_int_equal(s.told[written], BYTES);
		assert_int_equal(s.digest[written], want);
	}
	seen_free(&s);
}

static void registers_and_rules_are_told(struct rig *r)
{
	struct recorder *rec = record_from_here(r, "", true);
	struct trace_reader *t;
	struct trace_event e;
	unsigned writes = 0, configs = 0, rules = 0, faults = 0;
	uint8_t byte = 7;
	struct rig_buf buf = rig_alloc(r, 4);

	rig_start(r, RIG_ALL);
	rig_config_write(r, ECHO_WRITABLE, &byte, 1);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	(void)rig_add(r, ECHO_COPY, &buf, 1, 0);
	rig_spoil_address(r, ECHO_COPY, 1ull << 40);
	rig_publish(r, ECHO_COPY);
	rig_wait_idle(r);
	record_ends(r, rec);
	t = record_read(r);
	while (trace_next(t, &e, NULL)) {
		writes += e.type == RECORD_WRITE;
		if (e.type == RECORD_CONFIG_WRITE) {
			assert_int_equal(e.value[0], ECHO_WRITABLE);
			assert_int_equal(e.n_bytes, 1);
			assert_int_equal(e.bytes[0], 7);
			configs++;
		}
		if (e.type == RECORD_RULE) {
			assert_int_equal(e.text[0].len, strlen("status-cleared"));
			assert_memory_equal(e.text[0].at, "status-cleared", e.text[0].len);
			rules++;
		}
		if (e.type == RECORD_FAULT) {
			assert_int_equal(e.text[0].len, strlen("address"));
			assert_memory_equal(e.text[0].at, "address", e.text[0].len);
			faults++;
		}
	}
	trace_close(t);
	assert_int_equal(writes > 0, !g_str_has_prefix(rig_link_name(r), "direct"));
	assert_int_equal(configs, 1);
	assert_int_equal(rules, 1);
	assert_int_equal(faults, 1);
}

/* Nobody drains the rings: they fill. */
static void what_is_lost_is_counted(struct rig *r)
{
	const unsigned n = 30000;
	struct recorder *rec;
	struct sums s;

	rig_start(r, RIG_ALL);
	rec = record_from_here(r, "", false);
	for (unsigned i = 0; i < n; i++) {
		static struct rig_buf bufs[2];

		if (i == 0) {
			bufs[0] = rig_alloc(r, 4);
			bufs[1] = rig_alloc(r, 4);
		}
		rig_do(r, ECHO_COPY, bufs, 1, 1);
	}
	rig_wait_idle(r);
	record_ends(r, rec);
	s = record_sum(r);
	assert_true(s.account.whole);
	assert_true(s.n[RECORD_PUSHED] < n);
	assert_true(s.n[RECORD_LOST] > 0);
	assert_int_equal(s.account.lost, s.end_lost);
	/* A request is a kick, two of a chain, an interrupt; then there is the device, which is
	 * paused in the end. */
	assert_int_equal(s.n[RECORD_PUSHED] + s.n[RECORD_POPPED] + s.n[RECORD_KICK] +
				 s.n[RECORD_INTERRUPT] + s.n[RECORD_SUPPRESSED] +
				 s.n[RECORD_DEVICE] + s.n[RECORD_QUEUE_STOP] + s.account.lost,
			 4 * n + 1 + ECHO_QUEUES);
}

/* The disk is full, and then no longer. */
static void a_full_disk_is_told(struct rig *r)
{
	g_autofree char *path = record_path(r, "");
	struct rlimit old, little;
	struct recorder *rec;
	struct stat st;
	struct sums s;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	little = (struct rlimit){ 30000, old.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	rec = record_from_here(r, "", true);
	rig_start(r, RIG_ALL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	RIG_UNTIL(r, (request(r, ECHO_COPY), stat(path, &st) == 0 && st.st_size >= 30000));
	for (unsigned i = 0; i < 1000; i++)
		request(r, ECHO_COPY);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	for (unsigned i = 0; i < 100; i++)
		request(r, ECHO_COPY);
	rig_wait_idle(r);
	record_ends(r, rec);
	s = record_sum(r);
	assert_true(s.account.whole);
	assert_true(s.account.lost > 0);
	assert_int_equal(s.account.lost, s.end_lost);
	assert_true(s.n[RECORD_PUSHED] >= 100);
	/* Of the block that was refused a part may lie behind the last one. */
	assert_int_equal(s.account.missing + s.account.bad, 0);
}

/* A process of its own, which writes until it is killed. */
static void record_until_killed(struct rig *r)
{
	struct rig_buf bufs[2];

	(void)record_from_here(r, "", true);
	rig_start(r, RIG_ALL);
	bufs[0] = rig_alloc(r, 4);
	bufs[1] = rig_alloc(r, 4);
	for (;;)
		rig_do(r, ECHO_COPY, bufs, 1, 1);
}

static void killed_it_reads_to_the_last_whole_block(struct rig *r)
{
	g_autofree char *path = record_path(r, "");
	pid_t child = fork();
	struct stat st = { 0 };
	struct sums s;
	int status;

	assert_true(child >= 0);
	if (child == 0)
		record_until_killed(r);
	while (st.st_size < 100000) {
		g_usleep(1000);
		assert_int_equal(waitpid(child, &status, WNOHANG), 0);
		(void)stat(path, &st);
	}
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	s = record_sum(r);
	assert_false(s.account.whole);
	assert_int_equal(s.account.missing + s.account.bad, 0);
	assert_true(s.account.bytes >= 100000 - sizeof(struct record_block) - RECORD_BLOCK_MAX);
	assert_true(s.n[RECORD_PUSHED] > 100);
	assert_int_equal(s.n[RECORD_DEVICE], 1);
}

static void only_a_record_is_written_over(struct rig *r)
{
	static const struct {
		const char *spec, *says;
	} bad[] = {
		{ "disk", "it is no record; remove it first" },
		{ "fifo", "not a regular file" },
		{ "", "Is a directory" },
		{ "no/where", "No such file" },
		{ "record,payload=some", "it takes none, digest, head=BYTES or all" },
		{ "record,payload=head=0", "it takes none, digest, head=BYTES or all" },
		{ "record,payload", "it takes none, digest, head=BYTES or all" },
		{ "record,pay=all", "not known" },
	};
	g_autofree char *disk = g_strdup_printf("%s/disk", rig_dir(r));
	g_autofree char *fifo = g_strdup_printf("%s/fifo", rig_dir(r));
	g_autofree char *text = NULL;

	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_true(g_file_set_contents(disk, "a disk, and a long one", -1, NULL));
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *spec = g_strdup_printf("%s/%s", rig_dir(r), bad[i].spec);
		g_autoptr(GError) err = NULL;

		assert_null(recorder_open(spec, "--record", &err));
		assert_non_null(strstr(err->message, bad[i].says));
	}
	assert_true(g_file_get_contents(disk, &text, NULL, NULL));
	assert_string_equal(text, "a disk, and a long one");
	for (unsigned i = 0; i < 2; i++) { /* the second time over the first */
		record_ends(r, record_from_here(r, "", true));
		assert_true(record_sum(r).account.whole);
	}
}

#define CASE(fn)                                                             \
	{                                                                    \
		.name = #fn, .spec = "echo", .class = &echo_class, .run = fn \
	}

#define DIRECT(fn)                                                                                \
	{                                                                                         \
		.name = #fn, .spec = "echo", .class = &echo_class, .run = fn, .direct_only = true \
	}

static const struct rig_case cases[] = {
	CASE(counts_are_the_queues_own),
	CASE(without_payload_there_is_none),
	CASE(all_of_a_payload_is_there),
	CASE(the_head_of_a_payload_is_there),
	CASE(a_digest_is_of_the_bytes),
	{ .name = "registers_and_rules_are_told",
	  .spec = "echo",
	  .class = &echo_class,
	  .run = registers_and_rules_are_told,
	  .links = RIG_MODERN },
	DIRECT(what_is_lost_is_counted),
	DIRECT(a_full_disk_is_told),
	DIRECT(killed_it_reads_to_the_last_whole_block),
	DIRECT(only_a_record_is_written_over),
};

int main(void)
{
	return rig_run("record", cases, G_N_ELEMENTS(cases));
}
