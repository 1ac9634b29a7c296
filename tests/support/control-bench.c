#include "tests/support/control-bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/kvm/registers.h"

/*
 * The machine.
 */
static const char *fake_status(void *opaque)
{
	return ((struct bench *)opaque)->status;
}

static const char *fake_name(void *opaque)
{
	return ((struct bench *)opaque)->name;
}

static unsigned fake_n_vcpus(void *opaque)
{
	(void)opaque;
	return 2;
}

static gint64 fake_vcpu_thread(void *opaque, unsigned cpu)
{
	(void)opaque;
	return 4711 + cpu;
}

static void fake_quit(void *opaque)
{
	((struct bench *)opaque)->quits++;
}

static void fake_powerdown(void *opaque)
{
	struct bench *b = opaque;

	b->powerdowns++;
	control_event("POWERDOWN", false, b->ctl);
}

static void fake_reset(void *opaque)
{
	struct bench *b = opaque;

	b->resets++;
	control_event("RESET", false, b->ctl);
}

static void control_bench_fake_stop(void *opaque)
{
	struct bench *b = opaque;

	b->stops++;
	for (unsigned i = 0; b->turns && i < 1000; i++)
		g_main_context_iteration(NULL, FALSE);
	b->status = "paused";
	control_event("STOP", false, b->ctl);
}

static void fake_cont(void *opaque)
{
	struct bench *b = opaque;

	b->conts++;
	b->status = "running";
	control_event("RESUME", false, b->ctl);
}

static int fake_while_paused(void *opaque, void (*fn)(void *arg), void *arg)
{
	struct bench *b = opaque;

	if (!b->busy)
		fn(arg);
	return b->busy ? -EBUSY : 0;
}

static bool fake_send_break(void *opaque)
{
	return ++((struct bench *)opaque)->breaks == 1; /* and then the serial port is gone */
}

static void fake_devices(void *opaque, control_device_fn fn, void *arg)
{
	struct bench *b = opaque;

	for (unsigned i = 0; i < b->n_rigs; i++)
		fn(rig_dev(b->rig[i]), i % 2 ? "mmio" : "pci", arg);
}

static void fake_stats(void *opaque, control_stat_fn fn, void *arg)
{
	(void)opaque;
	fn("vcpu0", "exits-io", 7, arg);
	fn("vcpu0", "exits-mmio", 8, arg);
	fn("vcpu1", "exits-io", 9, arg);
}

static void fake_unanswered(void *opaque, control_unanswered_fn fn, void *arg)
{
	const struct unanswered timer = {
		.io = true, .exact = true, .addr = 0x40, .reads = 95000, .len = 1
	};
	const struct unanswered page = { .addr = 0xfed000f0, .writes = 7, .len = 8 };

	(void)opaque;
	fn(&timer, "interval timer", "--pc pit=on", arg);
	fn(&page, NULL, NULL, arg);
}

/* Of the first device's first queue, 100 more with each question, one of them long. */
static int fake_latency(void *opaque, control_latency_fn fn, void *arg)
{
	struct bench *b = opaque;

	if (b->busy)
		return -EBUSY;
	for (unsigned i = 0; i < 99; i++)
		latencies_add(&b->latencies, 1000);
	latencies_add(&b->latencies, 5000000);
	if (b->n_rigs)
		fn(rig_dev(b->rig[0]), 0, &b->latencies, arg);
	return 0;
}

static int fake_vcpus(void *opaque, control_registers_fn fn, void *arg)
{
	static const struct vcpu_registers r = {
		.n = 2,
		.reg = { { "rax", 64, UINT64_MAX }, { "cs", 16, 8 } },
		.halted = true,
		.n_code = 2,
		.code = { 0xf4, 0x0b },
	};
	struct bench *b = opaque;

	fn(0, &r, "cpu_idle+0x2", arg);
	fn(1, &r, NULL, arg);
	return b->vcpus_error;
}

static bool fake_findings(void *opaque, check_finding_fn fn, void *arg)
{
	const struct check_finding whole = {
		.v = { "blk-length", "DRV-BLK-OP-06", "5.2.6.1", "MUST", "text", "500 bytes",
		       "blk0", 0, 7, false },
		.count = 3,
		.first = 1.5,
		.last = 2,
	};
	const struct check_finding bare = {
		.v = { "next", NULL, "2.7.5", "", "text", "", "blk0", -1, -1, false }, .count = 1
	};
	struct bench *b = opaque;

	if (!b->checks)
		return false;
	fn(&whole, arg);
	fn(&bare, arg);
	return true;
}

const struct control_ops bench_ops = {
	.status = fake_status,
	.name = fake_name,
	.quit = fake_quit,
	.powerdown = fake_powerdown,
	.reset = fake_reset,
	.stop = control_bench_fake_stop,
	.cont = fake_cont,
	.while_paused = fake_while_paused,
	.send_break = fake_send_break,
	.for_each_device = fake_devices,
	.for_each_stat = fake_stats,
	.for_each_latency = fake_latency,
	.for_each_vcpu = fake_vcpus,
	.n_vcpus = fake_n_vcpus,
	.vcpu_thread = fake_vcpu_thread,
	.for_each_unanswered = fake_unanswered,
	.for_each_finding = fake_findings,
};

int bench_setup(void **state)
{
	struct bench *b = g_new0(struct bench, 1);

	b->dir = g_dir_make_tmp("ringside-control-XXXXXX", NULL);
	b->path = g_build_filename(b->dir, "s", NULL);
	b->spec = g_strdup_printf("unix:%s", b->path);
	b->status = "running";
	b->ctl = control_new(b->spec, &bench_ops, b, NULL);
	assert_non_null(b->ctl);
	*state = b;
	return 0;
}

int bench_teardown(void **state)
{
	struct bench *b = *state;

	control_free(b->ctl);
	for (unsigned i = 0; i < b->n_rigs; i++)
		rig_close(b->rig[i]);
	assert_false(g_file_test(b->path, G_FILE_TEST_EXISTS));
	assert_int_equal(g_rmdir(b->dir), 0);
	g_free(b->dir);
	g_free(b->path);
	g_free(b->spec);
	g_free(b);
	return 0;
}

static struct rig *bench_add_case(struct bench *b, const char *id, const struct rig_case *c)
{
	struct rig *r = rig_open(rig_link_find("direct"), c);

	assert_true(b->n_rigs < RIGS);
	b->rig[b->n_rigs++] = r;
	g_free(rig_dev(r)->id); /* the rig gives all the same */
	rig_dev(r)->id = g_strdup(id);
	return r;
}

struct rig *bench_add(struct bench *b, const char *id, const char *spec)
{
	return bench_add_case(b, id, &(struct rig_case){ .name = "control", .spec = spec });
}

static void bench_make_disk(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "disk", NULL);

	assert_true(g_file_set_contents(path, "", 0, NULL));
	assert_int_equal(truncate(path, 1 << 20), 0);
}

struct rig *bench_add_disk(struct bench *b, const char *id, const char *options)
{
	g_autofree char *spec = g_strconcat("blk,path=@/disk", options, NULL);

	return bench_add_case(
		b, id,
		&(struct rig_case){ .name = "control", .spec = spec, .setup = bench_make_disk });
}

/*
 * A client.
 */
struct qmp *qmp_connect(struct bench *b)
{
	struct qmp *c = g_new0(struct qmp, 1);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	c->in = g_string_new(NULL);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	g_strlcpy(addr.sun_path, b->path, sizeof(addr.sun_path));
	assert_int_equal(connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return c;
}

void qmp_hang_up(struct qmp *c)
{
	close(c->fd);
	g_string_free(c->in, TRUE);
	g_free(c);
}

void qmp_say(struct qmp *c, const char *text)
{
	assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The next line, NULL when the other end hung up. Free with g_free(). */
char *qmp_hear(struct qmp *c)
{
	gint64 end = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
	char buf[4096], *newline, *line;

	while (!(newline = strstr(c->in->str, "\r\n"))) {
		ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

		if (n == 0)
			return NULL;
		if (n > 0)
			g_string_append_len(c->in, buf, n);
		assert_true(g_get_monotonic_time() < end);
		g_main_context_iteration(NULL, FALSE);
	}
	line = g_strndup(c->in->str, (gsize)(newline - c->in->str));
	g_string_erase(c->in, 0, newline - c->in->str + 2);
	return line;
}

void qmp_expect(struct qmp *c, const char *part)
{
	g_autofree char *line = qmp_hear(c);

	assert_non_null(line);
	if (!strstr(line, part))
		fail_msg("'%s' does not say '%s'", line, part);
}

void qmp_expect_error(struct qmp *c, const char *class, const char *part)
{
	g_autofree char *line = qmp_hear(c);
	g_autofree char *start = g_strdup_printf("{\"error\":{\"class\":\"%s\"", class);

	assert_non_null(line);
	if (!g_str_has_prefix(line, start) || !strstr(line, part))
		fail_msg("'%s' is no %s about '%s'", line, class, part);
}

void qmp_expect_silence(struct qmp *c)
{
	char byte;

	for (unsigned i = 0; i < 100; i++)
		g_main_context_iteration(NULL, FALSE);
	assert_int_equal(c->in->len, 0);
	assert_int_equal(recv(c->fd, &byte, 1, 0), -1);
}

struct qmp *qmp_greet(struct bench *b)
{
	struct qmp *c = qmp_connect(b);

	qmp_expect(c, "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":");
	qmp_say(c, CAPABILITIES "\n");
	qmp_expect(c, "{\"return\":{}}");
	return c;
}
