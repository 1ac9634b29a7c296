/*
 * The vhost-user front-end (devices/vhost-user/) against back-ends of the test's own, in a thread:
 * one that answers a certain message wrongly, late, or not at all, or closes the connection there;
 * and one that has requests in hand when it goes. That devices work with a back-end that is right
 * is shown by tests/device/test-vhost-user-front.c.
 */
#include <glib.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/eventfd.h"
#include "devices/core/engine.h"
#include "devices/registry.h"
#include "devices/vhost-user/front.h"
#include "tests/support/open-files.h"
#include "virtqueue/driver/drv.h"

#define RAM  (1u << 20)
#define SIZE 16u

#define FEATURES (1ull << VIRTIO_F_VERSION_1 | 1ull << VHU_F_PROTOCOL_FEATURES)
#define PROTOCOL                                                                     \
	(1ull << VHU_PF_MQ | 1ull << VHU_PF_REPLY_ACK | 1ull << VHU_PF_BACKEND_REQ | \
	 1ull << VHU_PF_CONFIG | 1ull << VHU_PF_RESET_DEVICE | 1ull << VHU_PF_STATUS)

/*
 * The back-end.
 */
enum misdeed {
	NOTHING,
	CLOSE,    /* the connection, instead of an answer */
	SHORT,    /* an answer of one byte less */
	LONG,     /* of one byte more */
	OTHER,    /* an answer to another message */
	NO_REPLY, /* a message, and not an answer */
	VERSION,  /* of the protocol: 2 */
	HUGE,     /* an answer of a gigabyte, of which nothing comes */
	HALF,     /* half an answer, and the end */
	REFUSE,   /* with REPLY_ACK: no */
	TWICE,    /* two answers */
	N_QUICK,
	SILENT = N_QUICK, /* no answer */
};

struct script {
	pthread_t thread;
	int listener;
	_Atomic int fd;
	_Atomic unsigned on; /* the message at which it does */
	_Atomic enum misdeed misdeed;
	_Atomic unsigned connections, seen[VHU_N_REQUESTS], done;
	_Atomic uint16_t base; /* of queue 0, as it was told last */
	uint64_t protocol;
	int kick;
};

static void script_answer(struct script *s, uint32_t request, const void *payload, uint32_t size)
{
	uint8_t bytes[sizeof(struct vhu_config) + 1] = { 0 };
	struct vhu_header h = { request, VHU_VERSION | VHU_REPLY, size };
	enum misdeed m = request == s->on ? s->misdeed : NOTHING;

	memcpy(bytes, payload, size);
	s->done += m != NOTHING;
	switch (m) {
	case CLOSE:
		shutdown(s->fd, SHUT_RDWR);
		return;
	case SILENT:
		return;
	case SHORT:
		h.size--;
		break;
	case LONG:
		h.size++;
		break;
	case OTHER:
		h.request++;
		break;
	case NO_REPLY:
		h.flags &= ~VHU_REPLY;
		break;
	case VERSION:
		h.flags ^= 3;
		break;
	case HUGE:
		h.size = 1u << 30;
		break;
	case HALF:
		(void)!send(s->fd, &h, sizeof(h) / 2, MSG_NOSIGNAL);
		shutdown(s->fd, SHUT_RDWR);
		return;
	case REFUSE:
		memset(bytes, 0xff, sizeof(bytes));
		break;
	case TWICE:
		(void)!send(s->fd, &h, sizeof(h), MSG_NOSIGNAL);
		(void)!send(s->fd, bytes, h.size, MSG_NOSIGNAL);
		break;
	default:
		break;
	}
	(void)!send(s->fd, &h, sizeof(h), MSG_NOSIGNAL);
	(void)!send(s->fd, bytes, h.size > sizeof(bytes) ? 0 : h.size, MSG_NOSIGNAL);
}

static void script_obey(struct script *s, struct msg_socket *in, struct vhu_message *m)
{
	uint32_t request = m->header.request;
	uint64_t value = 0;

	s->seen[request]++;
	if (request == VHU_SET_VRING_BASE)
		s->base = (uint16_t)m->payload.state.value;
	if (request == VHU_GET_VRING_BASE)
		m->payload.state.value = s->base;
	if (request == VHU_SET_VRING_KICK && m->payload.state.index == 0) {
		eventfd_close(&s->kick);
		s->kick = msg_socket_take_fd(in, 0);
	}
	if (request == VHU_GET_FEATURES)
		value = FEATURES;
	else if (request == VHU_GET_PROTOCOL_FEATURES)
		value = s->protocol;
	else if (request == VHU_GET_QUEUE_NUM)
		value = 1;
	else if (request == VHU_GET_STATUS)
		value = 0xff;
	if (request == VHU_GET_VRING_BASE || request == VHU_GET_CONFIG)
		script_answer(s, request, m->payload.bytes, m->header.size);
	else if (value || m->header.flags & VHU_NEED_REPLY)
		script_answer(s, request, &value, sizeof(value));
}

static void script_serve(struct script *s)
{
	struct vhu_message m;
	struct msg_socket in;
	enum msg_received got = MESSAGE_MORE;

	msg_socket_open(&in, s->fd, &vhu_format, &m.header, &m.payload);
	while (got == MESSAGE_MORE || got == MESSAGE_WHOLE) {
		struct pollfd p = { .fd = s->fd, .events = POLLIN };

		(void)poll(&p, 1, -1);
		got = msg_socket_receive(&in);
		if (got == MESSAGE_WHOLE) {
			script_obey(s, &in, &m);
			msg_socket_next(&in);
		}
	}
	msg_socket_close(&in);
}

static void *script_run(void *arg)
{
	struct script *s = arg;

	int fd;

	while ((fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		s->fd = fd;
		s->connections++;
		script_serve(s);
		s->fd = -1;
	}
	eventfd_close(&s->kick);
	return NULL;
}

/*
 * A device with one queue on it, and its driver.
 */
struct bench {
	char *dir, *path;
	struct script script;
	struct loop *main;
	struct loop *worker;
	struct gmem mem;
	int memfd;
	uint8_t *ram;
	struct vdev *dev;
	GString *log;
	pthread_mutex_t log_lock;
	guint handler;
};

static void logged(const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer data)
{
	struct bench *b = data;

	(void)domain;
	(void)level;
	pthread_mutex_lock(&b->log_lock);
	g_string_append_printf(b->log, "%s\n", text);
	pthread_mutex_unlock(&b->log_lock);
}

static struct loop *make_worker(void *opaque, const char *name)
{
	struct bench *b = opaque;

	b->worker = loop_new(name);
	loop_start(b->worker, NULL, NULL);
	return b->worker;
}

static int script_listen(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy(at.sun_path, path, sizeof(at.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static void script_go(struct bench *b, const char *path)
{
	b->script.listener = script_listen(path);
	assert_int_equal(pthread_create(&b->script.thread, NULL, script_run, &b->script), 0);
}

static void script_end(struct bench *b)
{
	shutdown(b->script.listener, SHUT_RDWR);
	if (b->script.fd >= 0)
		shutdown(b->script.fd, SHUT_RDWR);
	pthread_join(b->script.thread, NULL);
	close(b->script.listener);
	unlink(b->path);
}

static int setup(void **state)
{
	struct bench *b = g_new0(struct bench, 1);

	b->dir = g_dir_make_tmp("ringside-test-XXXXXX", NULL);
	b->path = g_build_filename(b->dir, "back", NULL);
	b->main = loop_main();
	b->log = g_string_new(NULL);
	pthread_mutex_init(&b->log_lock, NULL);
	b->handler = g_log_set_handler("ringside", G_LOG_LEVEL_MASK, logged, b);
	b->memfd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(b->memfd, RAM), 0);
	b->ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, b->memfd, 0);
	assert_int_equal(gmem_add_file(&b->mem, 0, RAM, b->ram, b->memfd, 0), 0);
	b->script = (struct script){ .fd = -1, .protocol = PROTOCOL, .kick = -1 };
	script_go(b, b->path);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	vdev_free(b->dev);
	loop_free(b->worker);
	script_end(b);
	rmdir(b->dir);
	munmap(b->ram, RAM);
	close(b->memfd);
	g_log_remove_handler("ringside", b->handler);
	g_string_free(b->log, TRUE);
	loop_free(b->main);
	g_free(b->path);
	g_free(b->dir);
	g_free(b);
	return 0;
}

/* NULL with @err. */
static struct vdev *open_device(struct bench *b, GError **err)
{
	g_autofree char *spec = g_strdup_printf(
		"vhost-user,id=dev,socket=%s,type=62,config-size=8,queue-size=%u", b->path, SIZE);
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	struct vdev_env env = {
		.mem = &b->mem, .main_loop = b->main, .worker = make_worker, .opaque = b
	};

	b->dev = vdev_new(vdev_class_find(name), pairs, &env, err);
	if (!b->dev) {
		loop_free(b->worker);
		b->worker = NULL;
	}
	return b->dev;
}

/* A driver as it comes up: a split ring in the first pages. */
static void start(struct bench *b)
{
	struct vdev *dev = b->dev;

	vdev_set_status(dev, 0);
	memset(b->ram, 0, RAM / 2);
	vdev_set_status(dev, 1 | 2);
	vdev_features_accept(dev, 1, 1);
	vdev_set_status(dev, 1 | 2 | 8);
	vdev_queue_write(dev, 0, VQR_DESC, 0x1000, UINT64_MAX);
	vdev_queue_write(dev, 0, VQR_DRIVER, 0x2000, UINT64_MAX);
	vdev_queue_write(dev, 0, VQR_DEVICE, 0x3000, UINT64_MAX);
	vdev_queue_write(dev, 0, VQR_ENABLE, 1, UINT64_MAX);
	vdev_set_status(dev, 1 | 2 | 8 | 4);
}

static bool said(struct bench *b, const char *what)
{
	bool ret;

	pthread_mutex_lock(&b->log_lock);
	ret = strstr(b->log->str, what);
	pthread_mutex_unlock(&b->log_lock);
	return ret;
}

#define UNTIL(cond)                                                                         \
	do {                                                                                \
		gint64 end_ = g_get_monotonic_time() + 60ll * G_USEC_PER_SEC;               \
		while (!(cond)) {                                                           \
			if (g_get_monotonic_time() > end_)                                  \
				fail_msg("%s: it never was; said: %s", #cond, b->log->str); \
			if (!g_main_context_iteration(NULL, FALSE))                         \
				g_usleep(200);                                              \
		}                                                                           \
	} while (0)

/* What is said from now on counts, all of it: messages are rationed. */
static void listen_anew(struct bench *b)
{
	pthread_mutex_lock(&b->log_lock);
	g_string_truncate(b->log, 0);
	pthread_mutex_unlock(&b->log_lock);
	b->dev->log_window = b->dev->log_count = 0;
}

/*
 * Opening.
 */
static const enum vhu_request opening[] = { VHU_GET_FEATURES, VHU_GET_PROTOCOL_FEATURES,
					    VHU_SET_OWNER,    VHU_GET_QUEUE_NUM,
					    VHU_GET_CONFIG,   VHU_SET_BACKEND_REQ_FD };

static void what_is_wrong_at_the_beginning_is_the_operators_to_know(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(opening); i++)
		for (enum misdeed m = CLOSE; m < N_QUICK; m++) {
			g_autoptr(GError) err = NULL;
			unsigned before = b->script.done;

			if (m == REFUSE || m == TWICE)
				continue; /* a number like any other; it is found out later */
			b->script.on = opening[i];
			b->script.misdeed = m;
			assert_null(open_device(b, &err));
			assert_int_equal(b->script.done, before + 1);
			assert_non_null(strstr(err->message, "the back-end: "));
			assert_null(strchr(err->message, '\n'));
		}
	b->script.misdeed = NOTHING;
	assert_non_null(open_device(b, NULL));
}

static void nobody_listening_is_the_operators_mistake(void **state)
{
	struct bench *b = *state;
	g_autoptr(GError) err = NULL;

	unlink(b->path);
	assert_null(open_device(b, &err));
	assert_int_equal(err->code, RINGSIDE_ERROR_USAGE);
	assert_non_null(strstr(err->message, "no back-end listens there"));
}

static void memory_that_cannot_be_mapped_is_the_operators_mistake(void **state)
{
	struct bench *b = *state;
	g_autoptr(GError) err = NULL;

	b->mem.region[0].fd = -1;
	assert_null(open_device(b, &err));
	assert_int_equal(err->code, RINGSIDE_ERROR_USAGE);
	assert_non_null(strstr(err->message, "shared=on"));
}

/*
 * Running: whatever is wrong, the connection is over, one line says so, and the next one is used.
 */
static const enum vhu_request starting[] = {
	VHU_SET_FEATURES,   VHU_SET_MEM_TABLE,  VHU_SET_VRING_NUM,    VHU_SET_VRING_ADDR,
	VHU_SET_VRING_BASE, VHU_SET_VRING_KICK, VHU_SET_VRING_CALL,   VHU_SET_VRING_ERR,
	VHU_SET_STATUS,     VHU_GET_STATUS,     VHU_SET_VRING_ENABLE, VHU_GET_VRING_BASE,
	VHU_RESET_DEVICE,   VHU_SET_CONFIG,
};

static void live(struct bench *b)
{
	uint8_t byte = 1;

	start(b);
	vdev_config_write(b->dev, 0, &byte, 1);
	vdev_pause(b->dev);
	vdev_resume(b->dev);
	vdev_set_status(b->dev, 0);
}

static void die(struct bench *b)
{
	unsigned connections = b->script.connections;

	listen_anew(b);
	shutdown(b->script.fd, SHUT_RDWR);
	UNTIL(b->script.connections > connections && said(b, "it is there again"));
}

static void a_back_end_that_is_wrong_is_replaced(void **state)
{
	struct bench *b = *state;

	assert_non_null(open_device(b, NULL));
	for (size_t i = 0; i < G_N_ELEMENTS(starting); i++)
		for (enum misdeed m = CLOSE; m < N_QUICK; m++) {
			unsigned before, connections, enabled;

			if (m == REFUSE &&
			    (starting[i] == VHU_GET_VRING_BASE || starting[i] == VHU_GET_STATUS))
				continue; /* a position, a status */
			if (starting[i] == VHU_SET_MEM_TABLE)
				die(b); /* one connection hears of the same memory once */
			before = b->script.done;
			connections = b->script.connections;
			listen_anew(b);
			b->script.on = starting[i];
			b->script.misdeed = m;
			live(b);
			if (b->script.done == before)
				fail_msg("message %u, misdeed %u: not done; said: %s", starting[i],
					 m, b->log->str);
			UNTIL(said(b, "requests wait until there is another"));
			b->script.misdeed = NOTHING;
			UNTIL(b->script.connections > connections && said(b, "it is there again"));
			assert_int_equal(vdev_status(b->dev), 0);
			enabled = b->script.seen[VHU_SET_VRING_ENABLE];
			live(b);
			assert_int_equal(b->script.seen[VHU_SET_VRING_ENABLE], enabled + 2);
		}
}

static gboolean count(void *n)
{
	++*(unsigned *)n;
	return G_SOURCE_CONTINUE;
}

/* The device's thread waits for its answer, until its patience is over; the main thread waits for
 * the device, and serves its loop: for whom there is a timer here. */
static void a_silent_back_end_holds_up_nobody(void **state)
{
	struct bench *b = *state;
	unsigned turns = 0;
	guint timer = g_timeout_add(10, count, &turns);

	assert_true(g_main_context_acquire(NULL)); /* as the machine's main thread does */
	assert_non_null(open_device(b, NULL));
	start(b);
	vdev_pause(b->dev);
	b->script.on = VHU_SET_VRING_NUM;
	b->script.misdeed = SILENT;
	turns = 0;
	vdev_resume(b->dev);
	assert_true(turns > 10);
	UNTIL(said(b, "SET_VRING_NUM: no answer within 5 s"));
	b->script.misdeed = NOTHING;
	UNTIL(said(b, "it is there again"));
	g_source_remove(timer);
	g_main_context_release(NULL);
}

/* From now on it is not for the timer that the front-end tries. */
static void stop_the_timer(void *arg)
{
	struct bench *b = arg;

	assert_non_null(vhu_front_of(b->dev)->retry);
	g_source_set_ready_time(vhu_front_of(b->dev)->retry, -1);
}

static void a_socket_that_appears_is_tried_at_once(void **state)
{
	struct bench *b = *state;
	g_autofree char *other = g_strconcat(b->path, ".new", NULL);
	unsigned connections;

	assert_non_null(open_device(b, NULL));
	start(b);
	for (unsigned i = 0; i < 5; i++) {
		listen_anew(b);
		connections = b->script.connections;
		script_end(b);
		UNTIL(said(b, "requests wait until there is another"));
		loop_call(b->worker, stop_the_timer, b);
		script_go(b, other); /* another name is nobody's affair */
		assert_int_equal(rename(other, b->path), 0);
		UNTIL(said(b, "it is there again"));
		assert_int_equal(b->script.connections, connections + 1);
	}
}

static void an_answer_to_nothing_ends_the_connection(void **state)
{
	struct bench *b = *state;
	struct vhu_header h = { VHU_GET_FEATURES, VHU_VERSION | VHU_REPLY, 0 };

	assert_non_null(open_device(b, NULL));
	start(b);
	assert_int_equal(send(b->script.fd, &h, sizeof(h), MSG_NOSIGNAL), sizeof(h));
	UNTIL(said(b, "an answer to nothing, message 1") && said(b, "it is there again"));
}

/*
 * Where a ring goes on.
 */
static void make_available(struct bench *b, const uint16_t *heads, unsigned n)
{
	struct vring_avail *avail = (void *)(b->ram + 0x2000);
	uint16_t idx = le16_cpu(avail->idx);

	for (unsigned i = 0; i < n; i++)
		avail->ring[(idx + i) % SIZE] = cpu_le16(heads[i]);
	avail->idx = cpu_le16((uint16_t)(idx + n));
}

static void use(struct bench *b, const uint16_t *heads, unsigned n)
{
	struct vring_used *used = (void *)(b->ram + 0x3000);
	uint16_t idx = le16_cpu(used->idx);

	for (unsigned i = 0; i < n; i++)
		used->ring[(idx + i) % SIZE].id = cpu_le32(heads[i]);
	used->idx = cpu_le16((uint16_t)(idx + n));
}

static void used_in_order_it_goes_on_from_there(void **state)
{
	const uint16_t heads[] = { 3, 1, 2, 0 };
	struct bench *b = *state;

	assert_non_null(open_device(b, NULL));
	start(b);
	for (unsigned round = 0; round < 3 * SIZE; round++) {
		make_available(b, heads, 4);
		use(b, heads, 4);
	}
	make_available(b, heads, 4);
	use(b, heads, 2);
	die(b);
	assert_int_equal(b->script.base, 3 * SIZE * 4 + 2);
	assert_int_equal(vdev_status(b->dev) & 64, 0);
}

/* The same set in another order: what is left is still exactly known. */
static void used_out_of_order_with_the_rest_behind_it_goes_on(void **state)
{
	const uint16_t heads[] = { 3, 1, 2, 0 }, others[] = { 1, 3 };
	struct bench *b = *state;

	assert_non_null(open_device(b, NULL));
	start(b);
	make_available(b, heads, 4);
	use(b, others, 2);
	die(b);
	assert_int_equal(b->script.base, 2);
	assert_int_equal(vdev_status(b->dev) & 64, 0);
}

static void used_past_one_that_is_not_the_device_needs_a_reset(void **state)
{
	const uint16_t heads[] = { 3, 1, 2, 0 }, others[] = { 1, 2 };
	struct bench *b = *state;

	assert_non_null(open_device(b, NULL));
	start(b);
	make_available(b, heads, 4);
	use(b, others, 2);
	die(b);
	UNTIL(said(b, "what it had in hand cannot be told"));
	assert_int_equal(vdev_status(b->dev) & 64, 64);
	start(b); /* and a reset mends it */
	assert_int_equal(vdev_status(b->dev) & 64, 0);
	assert_int_equal(b->script.base, 0);
}

static void a_position_that_is_none_is_not_believed(void **state)
{
	struct bench *b = *state;
	struct vring_avail *avail;

	assert_non_null(open_device(b, NULL));
	start(b);
	avail = (void *)(b->ram + 0x2000);
	avail->idx = cpu_le16(SIZE + 1); /* the driver's mistake, with nobody to see it */
	die(b);
	UNTIL(vdev_status(b->dev) & 64);
}

/* Nothing is left open, however connections end. */
static void no_descriptor_is_lost(void **state)
{
	struct bench *b = *state;
	unsigned before;

	assert_non_null(open_device(b, NULL));
	start(b);
	die(b);
	before = open_files();
	for (unsigned i = 0; i < 5; i++)
		die(b);
	UNTIL(open_files() <= before); /* which may have been counted with some on their way */
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_wrong_at_the_beginning_is_the_operators_to_know),
		TEST(nobody_listening_is_the_operators_mistake),
		TEST(memory_that_cannot_be_mapped_is_the_operators_mistake),
		TEST(a_back_end_that_is_wrong_is_replaced),
		TEST(a_silent_back_end_holds_up_nobody),
		TEST(a_socket_that_appears_is_tried_at_once),
		TEST(an_answer_to_nothing_ends_the_connection),
		TEST(used_in_order_it_goes_on_from_there),
		TEST(used_out_of_order_with_the_rest_behind_it_goes_on),
		TEST(used_past_one_that_is_not_the_device_needs_a_reset),
		TEST(a_position_that_is_none_is_not_believed),
		TEST(no_descriptor_is_lost),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
