/* A console with several ports, and what is said about windows and options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/chr/chr.h"
#include "devices/console/console-impl.h"
#include "devices/console/console.h"
#include "devices/registry.h"
#include "tests/support/console-peer.h"

/*
 * Several ports.
 */
static void ports_are_added_and_named(struct rig *r)
{
	struct ctl c;
	struct msg m;

	assert_int_equal(rig_config32(r, CFG_MAX_PORTS), 3);
	assert_int_equal(rig_n_queues(r), 8);
	ctl_ports_up(&c, r);
	for (unsigned id = 0; id < 3; id++)
		ctl_expect(&c, CONSOLE_PORT_ADD, id, 1);
	ctl_silence(&c);
	ctl_say(r, 1, CONSOLE_PORT_READY, 1);
	m = ctl_expect(&c, CONSOLE_PORT_NAME, 1, 1);
	assert_int_equal(m.n_extra, strlen("org.test.echo"));
	assert_string_equal(m.extra, "org.test.echo");
	ctl_say(r, 0, CONSOLE_PORT_READY, 1);
	ctl_expect(&c, CONSOLE_CONSOLE_PORT, 0, 1);
	ctl_say(r, 2, CONSOLE_PORT_READY, 1);
	m = ctl_expect(&c, CONSOLE_PORT_NAME, 2, 1);
	assert_string_equal(m.extra, "b");
	ctl_silence(&c);
	ctl_say(r, 0, CONSOLE_DEVICE_READY, 1); /* DEV-CONSOLE-MULTIPORT-01: not added again */
	ctl_silence(&c);
}

static void ports_are_added_again_after_a_reset(struct rig *r)
{
	struct ctl c;

	for (unsigned i = 0; i < 2; i++) {
		ctl_ports_up(&c, r);
		for (unsigned id = 0; id < 3; id++)
			ctl_expect(&c, CONSOLE_PORT_ADD, id, 1);
		rig_reset(r);
	}
}

static void a_client_opens_and_closes_its_port(struct rig *r)
{
	struct ctl c;
	int fd;

	ctl_ports_up(&c, r);
	for (unsigned id = 0; id < 3; id++)
		ctl_expect(&c, CONSOLE_PORT_ADD, id, 1);
	ctl_say(r, 1, CONSOLE_PORT_READY, 1);
	ctl_expect(&c, CONSOLE_PORT_NAME, 1, 1);
	for (unsigned i = 0; i < 2; i++) {
		fd = host_connect(r, "a");
		ctl_expect(&c, CONSOLE_PORT_OPEN, 1, 1);
		close(fd);
		ctl_expect(&c, CONSOLE_PORT_OPEN, 1, 0);
	}
	fd = host_connect(r, "b"); /* a port the driver has not taken notice of */
	ctl_silence(&c);
	ctl_say(r, 2, CONSOLE_PORT_READY, 1);
	ctl_expect(&c, CONSOLE_PORT_NAME, 2, 1);
	ctl_expect(&c, CONSOLE_PORT_OPEN, 2, 1);
	close(fd);
}

static void a_port_nobody_has_open_is_not_read(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 64);
	struct rig_req *req;
	struct ctl c;
	int fd = host_connect(r, "a");

	ctl_ports_up(&c, r);
	ctl_say(r, 1, CONSOLE_PORT_READY, 1);
	req = rig_submit(r, RX1, &b, 0, 1);
	host_says(fd, "first", 5);
	rig_wait_idle(r);
	assert_false(req->done);
	ctl_say(r, 1, CONSOLE_PORT_OPEN, 1);
	assert_int_equal(rig_wait(r, req), 5);
	assert_memory_equal(b.p, "first", 5);
	ctl_say(r, 1, CONSOLE_PORT_OPEN, 0);
	req = rig_submit(r, RX1, &b, 0, 1);
	host_says(fd, "second", 6);
	rig_wait_idle(r);
	assert_false(req->done);
	ctl_say(r, 1, CONSOLE_PORT_OPEN, 1);
	assert_int_equal(rig_wait(r, req), 6);
	close(fd);
}

static void ports_do_not_mix(struct rig *r)
{
	int fd[3] = { host_connect(r, "s"), host_connect(r, "a"), host_connect(r, "b") };
	const unsigned rx[3] = { RX0, RX1, RX2 }, tx[3] = { TX0, TX1, TX2 };
	struct ctl c;

	ctl_ports_up(&c, r);
	for (unsigned id = 0; id < 3; id++)
		ctl_say(r, id, CONSOLE_PORT_OPEN, 1);
	for (unsigned id = 0; id < 3; id++) {
		char text[2] = { (char)('0' + id), 0 };

		guest_says(r, tx[id], text);
		host_says(fd[id], text, 1);
	}
	for (unsigned id = 3; id-- > 0;) {
		char text[2] = { (char)('0' + id), 0 };

		host_hears(r, fd[id], text, 1);
		guest_hears(r, rx[id], text);
		host_hears_nothing(r, fd[id]);
		close(fd[id]);
	}
}

static void without_multiport_there_is_port_0(struct rig *r)
{
	int s = host_connect(r, "s"), a = host_connect(r, "a");
	struct rig_buf b = rig_dup(r, "no", 2), in = rig_alloc(r, 8);
	struct rig_req *tx1, *rx1;

	rig_start(r, RIG_NONE);
	guest_says(r, TX0, "yes");
	host_hears(r, s, "yes", 3);
	host_says(s, "in", 2);
	guest_hears(r, RX0, "in");
	tx1 = rig_submit(r, TX1, &b, 1, 0);
	rx1 = rig_submit(r, RX1, &in, 0, 1);
	host_says(a, "in", 2);
	host_hears_nothing(r, a);
	assert_false(tx1->done);
	assert_false(rx1->done);
	close(s);
	close(a);
}

static void ports_alone_begin_at_1(struct rig *r)
{
	struct ctl c;

	assert_int_equal(rig_config32(r, CFG_MAX_PORTS), 5);
	assert_false(vfeatures_has(rig_offered(r), CONSOLE_F_EMERG_WRITE));
	ctl_ports_up(&c, r);
	ctl_expect(&c, CONSOLE_PORT_ADD, 1, 1);
	ctl_silence(&c);
	rig_config_write(r, CFG_EMERG, "x", 1);
	rig_wait_idle(r);
}

static void messages_that_make_no_sense_are_noted(struct rig *r)
{
	struct rig_buf b = rig_dup(r, "1234567", 7);
	struct ctl c;

	ctl_ports_up(&c, r);
	for (unsigned id = 0; id < 3; id++)
		ctl_expect(&c, CONSOLE_PORT_ADD, id, 1);
	ctl_say(r, 3, CONSOLE_PORT_READY, 1);
	ctl_say(r, UINT32_MAX, CONSOLE_PORT_OPEN, 1);
	ctl_say(r, 0, CONSOLE_PORT_NAME, 1);
	ctl_say(r, 0, UINT16_MAX, 1);
	ctl_say(r, 1, CONSOLE_PORT_READY, 0);
	ctl_say(r, 1, CONSOLE_DEVICE_READY, 0);
	assert_int_equal(rig_do(r, CTRL_TX, &b, 1, 0), 0);
	ctl_silence(&c);
	assert_int_equal(rig_logged(r, "which is not there"), 2);
	assert_int_equal(rig_logged(r, "none that a driver sends"), 2);
	assert_int_equal(rig_logged(r, "could not set"), 2);
	assert_int_equal(rig_logged(r, "control message of 7 bytes"), 1);
	assert_false(rig_status(r) & VIRTIO_S_NEEDS_RESET);
	ctl_say(r, 2, CONSOLE_PORT_READY, 1);
	ctl_expect(&c, CONSOLE_PORT_NAME, 2, 1);
}

/* What a driver asks for again and again it gets once there is a buffer, and once. */
static void questions_do_not_pile_up(struct rig *r)
{
	struct ctl c;

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 1000; i++)
		ctl_say(r, 0, CONSOLE_DEVICE_READY, 1);
	ctl_start(&c, r);
	for (unsigned id = 0; id < 3; id++)
		ctl_expect(&c, CONSOLE_PORT_ADD, id, 1);
	ctl_silence(&c);
	for (unsigned i = 0; i < 1000; i++)
		ctl_say(r, 2, CONSOLE_PORT_READY, 1);
	for (unsigned i = 0; i < CTL_BUFFERS + 1; i++)
		ctl_expect(&c, CONSOLE_PORT_NAME, 2, 1);
	ctl_silence(&c);
}

/* A port's name and state are told after the port itself; a driver that is ahead of us is not
 * heard. */
static void a_port_is_announced_before_it_is_described(struct rig *r)
{
	struct ctl c;
	int fd = host_connect(r, "a");

	rig_start(r, RIG_ALL);
	ctl_start(&c, r);
	ctl_say(r, 1, CONSOLE_PORT_READY, 1);
	ctl_say(r, 1, CONSOLE_PORT_OPEN, 1);
	ctl_say(r, 0, CONSOLE_PORT_READY, 1);
	ctl_silence(&c);
	assert_int_equal(rig_logged(r, "not announced"), 3);
	ctl_say(r, 0, CONSOLE_DEVICE_READY, 1);
	for (unsigned id = 0; id < 3; id++)
		ctl_expect(&c, CONSOLE_PORT_ADD, id, 1);
	ctl_silence(&c);
	ctl_say(r, 1, CONSOLE_PORT_READY, 1);
	ctl_expect(&c, CONSOLE_PORT_NAME, 1, 1);
	ctl_expect(&c, CONSOLE_PORT_OPEN, 1, 1);
	close(fd);
}

/*
 * Ports that are taken away.
 */
static void expect_ports(struct ctl *c, struct rig *r, unsigned ports)
{
	ctl_ports_up(c, r);
	for (unsigned id = 0; id < 3; id++)
		if (ports & 1u << id)
			ctl_expect(c, CONSOLE_PORT_ADD, id, 1);
	ctl_silence(c);
}

static void host_sees_the_end(struct rig *r, int fd)
{
	char byte;

	RIG_UNTIL(r, recv(fd, &byte, 1, 0) == 0);
	close(fd);
}

static void a_port_is_removed(struct rig *r)
{
	g_autofree char *path = g_build_filename(rig_dir(r), "a", NULL);
	struct rig_buf b = rig_alloc(r, 64);
	int fd = host_connect(r, "a");
	struct rig_req *req;
	struct ctl c;

	expect_ports(&c, r, 7);
	ctl_say(r, 1, CONSOLE_PORT_READY, 1);
	ctl_expect(&c, CONSOLE_PORT_NAME, 1, 1);
	ctl_expect(&c, CONSOLE_PORT_OPEN, 1, 1);
	ctl_say(r, 1, CONSOLE_PORT_OPEN, 1);
	req = rig_submit(r, RX1, &b, 0, 1);
	assert_true(console_port_remove(rig_dev(r), "org.test.echo"));
	ctl_expect(&c, CONSOLE_PORT_REMOVE, 1, 1);
	host_sees_the_end(r, fd);
	assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
	guest_says(r, TX1, "to nobody");     /* taken, or a driver would wait for ever */
	ctl_say(r, 1, CONSOLE_PORT_OPEN, 0); /* this crossed our message */
	ctl_say(r, 1, CONSOLE_PORT_READY, 1);
	ctl_say(r, 0, CONSOLE_DEVICE_READY, 1);
	ctl_silence(&c);
	assert_false(req->done); /* the buffer is the driver's: a used length would be written */
	assert_int_equal(rig_logged(r, "control event"), 0);
	assert_false(console_port_remove(rig_dev(r), "org.test.echo"));
	rig_reset(r);
	expect_ports(&c, r, 5); /* the number stays unused */
	ctl_say(r, 2, CONSOLE_PORT_OPEN, 1);
	fd = host_connect(r, "b");
	guest_says(r, TX2, "still here");
	host_hears(r, fd, "still here", 10);
	close(fd);
}

static void a_port_nobody_was_told_of_is_removed(struct rig *r)
{
	struct ctl c;

	assert_true(console_port_remove(rig_dev(r), "b")); /* before there is a driver */
	rig_start(r, RIG_ALL);
	ctl_say(r, 0, CONSOLE_DEVICE_READY, 1); /* which has no buffer for our answer yet */
	assert_true(console_port_remove(rig_dev(r), "org.test.echo"));
	ctl_start(&c, r);
	ctl_expect(&c, CONSOLE_PORT_ADD, 0, 1);
	ctl_silence(&c); /* DEV-CONSOLE-MULTIPORT-02 */
	assert_false(console_port_remove(rig_dev(r), "c"));
	assert_false(console_port_remove(rig_dev(r), ""));
}

/* Without MULTIPORT there is port 0 for the driver, and it stays. */
static void a_port_is_removed_without_multiport(struct rig *r)
{
	int fd = host_connect(r, "a"), s = host_connect(r, "s");

	rig_start(r, RIG_NONE);
	assert_true(console_port_remove(rig_dev(r), "org.test.echo"));
	host_sees_the_end(r, fd);
	guest_says(r, TX0, "yes");
	host_hears(r, s, "yes", 3);
	close(s);
}

/* What the host had no room for comes back to the driver all the same, be it after a pause. */
static void a_removed_port_gives_its_buffers_back(struct rig *r)
{
	enum { N = 40, LEN = 32768 };
	struct rig_buf big = rig_alloc(r, LEN);
	struct rig_req *reqs[N];
	struct ctl c;

	for (unsigned pause = 0; pause < 2; pause++) {
		int fd = host_connect(r, pause ? "b" : "a");
		unsigned waiting = 0;

		expect_ports(&c, r, pause ? 5 : 7);
		for (unsigned i = 0; i < N; i++)
			reqs[i] = rig_submit(r, pause ? TX2 : TX1, &big, 1, 0);
		rig_wait_idle(r);
		for (unsigned i = 0; i < N; i++)
			waiting += !reqs[i]->done;
		assert_true(waiting > 1);
		if (pause)
			vdev_pause(rig_dev(r));
		assert_true(console_port_remove(rig_dev(r), pause ? "b" : "org.test.echo"));
		if (pause)
			vdev_resume(rig_dev(r));
		for (unsigned i = 0; i < N; i++)
			assert_int_equal(rig_wait(r, reqs[i]), 0);
		ctl_expect(&c, CONSOLE_PORT_REMOVE, pause ? 2 : 1, 1);
		close(fd);
	}
}

static void a_control_buffer_that_is_too_small_is_noted(struct rig *r)
{
	struct rig_buf small = rig_alloc(r, 7);
	struct rig_req *req;
	struct ctl c;

	rig_start(r, RIG_ALL);
	req = rig_submit(r, CTRL_RX, &small, 0, 1);
	ctl_start(&c, r);
	ctl_say(r, 0, CONSOLE_DEVICE_READY, 1);
	assert_int_equal(rig_wait(r, req), 0);
	ctl_expect(&c, CONSOLE_PORT_ADD, 1, 1);
	assert_int_equal(rig_logged(r, "a control buffer of 7 bytes"), 1);
}

/*
 * The terminal: one of ours stands in for the machine's.
 */
struct terminal {
	struct chr chr;
	uint16_t cols, rows;
};

static size_t term_read(struct chr *chr, void *buf, size_t len)
{
	(void)chr;
	(void)buf;
	(void)len;
	return 0;
}

static size_t term_write(struct chr *chr, const void *buf, size_t len)
{
	(void)chr;
	(void)buf;
	return len;
}

static void term_want(struct chr *chr, bool readable, bool writable)
{
	(void)chr;
	(void)readable;
	(void)writable;
}

static void term_nothing(struct chr *chr)
{
	(void)chr;
}

static bool term_size(struct chr *chr, uint16_t *cols, uint16_t *rows)
{
	*cols = ((struct terminal *)chr)->cols;
	*rows = ((struct terminal *)chr)->rows;
	return true;
}

static void term_close(struct chr *chr)
{
	g_free(chr);
}

static const struct chr_ops term_ops = {
	.read = term_read,
	.write = term_write,
	.want = term_want,
	.attach = term_nothing,
	.detach = term_nothing,
	.size = term_size,
	.close = term_close,
};

extern const struct vdev_class console_class;

/* A console on a machine that has a terminal. */
static bool open_with_terminal(struct vdev *dev, GError **err)
{
	struct terminal *t = g_new0(struct terminal, 1);
	g_autofree struct vdev_env *env = g_memdup2(dev->env, sizeof(*env));

	t->chr.ops = &term_ops;
	t->chr.connected = true;
	t->cols = 80;
	t->rows = 24;
	env->terminal = &t->chr;
	dev->env = env;
	return console_class.open(dev, err);
}

static struct vdev_class terminal_class(void)
{
	struct vdev_class class = console_class;

	class.open = open_with_terminal;
	return class;
}

/*
 * A machine that listens to what the guest prints.
 */
static struct {
	struct chr_tap tap;
	GMutex lock; /* it hears on the owner's thread */
	GString *heard;
} listener;

static void hear(struct chr_tap *tap, const uint8_t *data, size_t len)
{
	assert_ptr_equal(tap, &listener.tap);
	g_mutex_lock(&listener.lock);
	g_string_append_len(listener.heard, (const char *)data, (gssize)len);
	g_mutex_unlock(&listener.lock);
}

static struct chr_tap *make_tap(void *opaque)
{
	(void)opaque;
	if (listener.heard)
		g_string_free(listener.heard, TRUE);
	listener.heard = g_string_new(NULL);
	listener.tap.written = hear;
	return &listener.tap;
}

static bool open_with_listener(struct vdev *dev, GError **err)
{
	g_autofree struct vdev_env *env = g_memdup2(dev->env, sizeof(*env));

	env->console_tap = make_tap;
	dev->env = env;
	return console_class.open(dev, err);
}

static struct vdev_class listener_class(void)
{
	struct vdev_class class = console_class;

	class.open = open_with_listener;
	return class;
}

static bool has_heard(const char *text)
{
	bool ret;

	g_mutex_lock(&listener.lock);
	ret = strcmp(listener.heard->str, text) == 0;
	g_mutex_unlock(&listener.lock);
	return ret;
}

/* The console's output, emergency output too, and no other port's. */
static void a_listener_hears_the_console_alone(struct rig *r)
{
	const uint32_t emergency = '!';
	struct ctl c;

	rig_config_write(r, CFG_EMERG, &emergency, 4);
	RIG_UNTIL(r, has_heard("!"));
	ctl_ports_up(&c, r);
	guest_says(r, TX1, "not for the listener");
	guest_says(r, TX0, "hello");
	RIG_UNTIL(r, has_heard("!hello"));
	guest_says(r, TX0, ", again");
	RIG_UNTIL(r, has_heard("!hello, again"));
}

struct resize {
	struct chr *chr;
	uint16_t cols, rows;
};

static void resize_on_owner(void *arg)
{
	const struct resize *s = arg;
	struct terminal *t = (struct terminal *)s->chr;

	t->cols = s->cols;
	t->rows = s->rows;
	s->chr->user->resized(s->chr->arg);
}

static void resize(struct rig *r, uint16_t cols, uint16_t rows)
{
	struct resize s = { ((struct console *)rig_dev(r))->port[0]->chr, cols, rows };

	rig_on_owner(r, resize_on_owner, &s);
}

static void a_resized_window_is_told(struct rig *r)
{
	uint8_t before;

	assert_int_equal(rig_config16(r, CFG_COLS), 80);
	assert_int_equal(rig_config16(r, CFG_ROWS), 24);
	rig_start(r, RIG_ALL);
	before = rig_config_generation(r);
	resize(r, 100, 50);
	RIG_UNTIL(r, rig_config_interrupts(r) == 1);
	assert_int_equal(rig_config16(r, CFG_COLS), 100);
	assert_int_equal(rig_config16(r, CFG_ROWS), 50);
	assert_int_not_equal(rig_config_generation(r), before);
	resize(r, 100, 50);
	rig_wait_idle(r);
	assert_int_equal(rig_config_interrupts(r), 1); /* nothing new */
}

static void expect_resize(struct rig *r, uint16_t first, uint16_t second)
{
	struct ctl c;
	struct msg m;

	ctl_ports_up(&c, r);
	ctl_expect(&c, CONSOLE_PORT_ADD, 0, 1);
	ctl_expect(&c, CONSOLE_PORT_ADD, 1, 1);
	ctl_say(r, 0, CONSOLE_PORT_READY, 1);
	ctl_expect(&c, CONSOLE_CONSOLE_PORT, 0, 1);
	ctl_expect(&c, CONSOLE_RESIZE, 0, 1);
	ctl_expect(&c, CONSOLE_PORT_OPEN, 0, 1);
	resize(r, 100, 50);
	m = ctl_expect(&c, CONSOLE_RESIZE, 0, 1);
	assert_int_equal(m.n_extra, 4);
	assert_memory_equal(m.extra, ((uint16_t[]){ first, second }), 4);
}

static void the_resize_message_is_as_linux_wants_it(struct rig *r)
{
	expect_resize(r, 50, 100);
}

static void the_resize_message_can_be_as_the_text_says(struct rig *r)
{
	expect_resize(r, 100, 50);
}

/*
 * What the operator can get wrong.
 */
static void refused(const char *spec, const char *why)
{
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	struct loop *loop = loop_main();
	struct vdev_env env = { .main_loop = loop };
	g_autoptr(GError) err = NULL;

	assert_null(vdev_new(vdev_class_find(name), pairs, &env, &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	assert_true(g_str_has_prefix(err->message, "--device console"));
	if (!strstr(err->message, why))
		fail_msg("'%s' does not say '%s'", err->message, why);
	loop_free(loop);
}

static void bad_options_are_refused(void **state)
{
	(void)state;
	refused("console", "no terminal");
	refused("console,chr=stdio", "no terminal");
	refused("console,chr=tcp:1", "none of");
	refused("console,chr=null,cols=80", "go together");
	refused("console,chr=null,port=a", "NAME:CHR");
	refused("console,chr=null,port=:null", "NAME:CHR");
	refused("console,chr=null,port=a/b:null", "NAME:CHR");
	refused("console,chr=null,port=a:null,port=a:null", "twice");
	refused("console,chr=null,port=a:nothing", "none of");
	refused("console,chr=null,max-ports=1,port=a:null", "max-ports");
	refused("console,chr=null,max-ports=64", "max-ports");
	refused("console,chr=null,resize=maybe", "resize");
}

#define THREE "console,chr=unix:@/s,port=org.test.echo:unix:@/a,port=b:unix:@/b"

#define CASE(n, s, ...)                                  \
	{                                                \
		.name = n, .spec = s, .run = __VA_ARGS__ \
	}

int main(void)
{
	const struct vdev_class terminal = terminal_class(), listens = listener_class();
	const struct rig_case cases[] = {
		CASE("ports are added and named", THREE, ports_are_added_and_named),
		CASE("ports are added again after a reset", THREE,
		     ports_are_added_again_after_a_reset),
		CASE("a client opens and closes its port", THREE,
		     a_client_opens_and_closes_its_port),
		CASE("a port nobody has open is not read", THREE,
		     a_port_nobody_has_open_is_not_read),
		CASE("ports do not mix", THREE, ports_do_not_mix),
		CASE("without multiport there is port 0", THREE, without_multiport_there_is_port_0),
		CASE("ports alone begin at 1", "console,port=a:null,max-ports=5",
		     ports_alone_begin_at_1),
		CASE("messages that make no sense are noted", THREE,
		     messages_that_make_no_sense_are_noted),
		CASE("questions do not pile up", THREE, questions_do_not_pile_up),
		CASE("a port is announced before it is described", THREE,
		     a_port_is_announced_before_it_is_described),
		CASE("a port is removed", THREE, a_port_is_removed),
		CASE("a port nobody was told of is removed", THREE,
		     a_port_nobody_was_told_of_is_removed),
		CASE("a port is removed without multiport", THREE,
		     a_port_is_removed_without_multiport),
		CASE("a removed port gives its buffers back", THREE,
		     a_removed_port_gives_its_buffers_back),
		CASE("a control buffer that is too small is noted", THREE,
		     a_control_buffer_that_is_too_small_is_noted),
		CASE("a resized window is told", "console,chr=stdio", a_resized_window_is_told,
		     .class = &terminal, .links = RIG_MODERN),
		CASE("a listener hears the console alone", "console,chr=null,port=a:null",
		     a_listener_hears_the_console_alone, .class = &listens),
		CASE("the resize message is as Linux wants it", "console,chr=stdio,port=a:null",
		     the_resize_message_is_as_linux_wants_it, .class = &terminal),
		CASE("the resize message can be as the text says",
		     "console,chr=stdio,port=a:null,resize=spec",
		     the_resize_message_can_be_as_the_text_says, .class = &terminal),
	};
	const struct CMUnitTest options[] = {
		cmocka_unit_test(bad_options_are_refused),
	};
	int failed;

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	failed = rig_run("console ports", cases, G_N_ELEMENTS(cases));
	return cmocka_run_group_tests_name("console options", options, NULL, NULL) || failed;
}
