/*
 * memory=bounce against a back-end of the test's own: what it is given, and what it can do with it.
 * It is a hostile one: it has the region mapped, and writes what it likes into its rings.
 */
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/backend/unix-listen.h"
#include "devices/base/eventfd.h"
#include "devices/core/engine.h"
#include "devices/core/state.h"
#include "devices/registry.h"
#include "devices/vhost-user/front.h"

#define RAM   (1u << 20)
#define SIZE  16u
#define SLOTS 64u

#define BIT(n) (1ull << (n))
#define FEATURES                                                                            \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VHU_F_PROTOCOL_FEATURES) | BIT(VIRTIO_F_EVENT_IDX) | \
	 BIT(VIRTIO_F_INDIRECT_DESC))
#define PROTOCOL                                                                            \
	(BIT(VHU_PF_MQ) | BIT(VHU_PF_REPLY_ACK) | BIT(VHU_PF_CONFIG) | BIT(VHU_PF_STATUS) | \
	 BIT(VHU_PF_CONFIGURE_MEM_SLOTS) | BIT(VHU_PF_INFLIGHT_SHMFD))

/*
 * The back-end: it says yes to all, and keeps what it is given.
 */
struct mad {
	pthread_t thread;
	int listener;
	_Atomic int fd;
	_Atomic unsigned connections, files; /* descriptors of files, not eventfds */
	_Atomic unsigned seen[VHU_N_REQUESTS];
	_Atomic bool running;     /* queue 0 */
	pthread_mutex_t lock;     /* of what follows: its thread writes, the test reads */
	uint64_t accepted, extra; /* features; those it offers besides */
	uint8_t *map;
	struct vhu_region region;
	int seals;
	struct vhu_addr addr;
	int kick, call;
};

static void mad_take_memory(struct mad *m, struct msg_socket *in, const struct vhu_mem_region *r)
{
	int fd = msg_socket_take_fd(in, 0);

	m->region = r->region;
	m->seals = fcntl(fd, F_GET_SEALS);
	m->map = mmap(NULL, r->region.len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(m->map, MAP_FAILED);
	m->files++;
	close(fd);
}

static void mad_take_eventfd(struct msg_socket *in, int *fd)
{
	eventfd_close(fd);
	*fd = msg_socket_take_fd(in, 0);
}

static void mad_keep(struct mad *m, struct msg_socket *in, const struct vhu_message *msg)
{
	const union vhu_payload *p = &msg->payload;

	switch (msg->header.request) {
	case VHU_SET_FEATURES:
		m->accepted = p->u64;
		break;
	case VHU_ADD_MEM_REG:
		mad_take_memory(m, in, &p->region);
		break;
	case VHU_SET_VRING_ADDR:
		m->addr = p->addr;
		break;
	case VHU_SET_VRING_KICK:
		mad_take_eventfd(in, &m->kick);
		break;
	case VHU_SET_VRING_CALL:
		mad_take_eventfd(in, &m->call);
		break;
	case VHU_SET_VRING_ENABLE:
		m->running = true;
		break;
	case VHU_GET_VRING_BASE:
		m->running = false;
		break;
	default:
		break;
	}
}

static void mad_answer(struct mad *m, struct vhu_message *msg)
{
	uint32_t request = msg->header.request, size = sizeof(uint64_t);
	struct vhu_header h = { request, VHU_VERSION | VHU_REPLY, size };
	uint64_t value = 0;

	if (request == VHU_GET_FEATURES)
		value = FEATURES | m->extra;
	else if (request == VHU_GET_PROTOCOL_FEATURES)
		value = PROTOCOL;
	else if (request == VHU_GET_QUEUE_NUM)
		value = 1;
	else if (request == VHU_GET_MAX_MEM_SLOTS)
		value = SLOTS;
	else if (request == VHU_GET_STATUS)
		value = 0xff;
	else if (request == VHU_GET_CONFIG || request == VHU_GET_VRING_BASE)
		h.size = msg->header.size;
	else if (!(msg->header.flags & VHU_NEED_REPLY))
		return;
	(void)!send(m->fd, &h, sizeof(h), MSG_NOSIGNAL);
	(void)!send(m->fd,
		    h.size == size && request != VHU_GET_VRING_BASE ? (void *)&value
								    : msg->payload.bytes,
		    h.size, MSG_NOSIGNAL);
}

static void mad_serve(struct mad *m)
{
	struct vhu_message msg;
	struct msg_socket in;
	enum msg_received got = MESSAGE_MORE;

	msg_socket_open(&in, m->fd, &vhu_format, &msg.header, &msg.payload);
	while (got == MESSAGE_MORE || got == MESSAGE_WHOLE) {
		struct pollfd p = { .fd = m->fd, .events = POLLIN };

		(void)poll(&p, 1, -1);
		got = msg_socket_receive(&in);
		if (got == MESSAGE_WHOLE) {
			m->seen[msg.header.request]++;
			pthread_mutex_lock(&m->lock);
			mad_keep(m, &in, &msg);
			pthread_mutex_unlock(&m->lock);
			mad_answer(m, &msg);
			msg_socket_next(&in);
		}
	}
	msg_socket_close(&in);
}

static void *mad_run(void *arg)
{
	struct mad *m = arg;
	int fd;

	while ((fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		m->fd = fd;
		m->connections++;
		mad_serve(m);
		m->running = false;
	}
	eventfd_close(&m->kick);
	eventfd_close(&m->call);
	return NULL;
}

/*
 * A device of it, on 1 MiB of the guest's, and its driver.
 */
struct bench {
	char *dir, *path;
	struct unix_listener listener;
	struct mad mad;
	struct loop *main, *worker;
	struct gmem mem;
	uint8_t *ram;
	struct vdev *dev;
	struct drv_vq drv;
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

static struct loop *make_worker(void *opaque, const char *name)
{
	struct bench *b = opaque;

	b->worker = loop_new(name);
	loop_start(b->worker, NULL, NULL);
	return b->worker;
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
	/* In no file: nobody else can map it. */
	b->ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(gmem_add(&b->mem, 0, RAM, b->ram), 0);
	assert_true(unix_listen(&b->listener, b->path, "back", NULL));
	assert_int_equal(fcntl(b->listener.fd, F_SETFL, O_RDWR), 0);
	b->mad = (struct mad){ .listener = b->listener.fd, .fd = -1, .kick = -1, .call = -1 };
	pthread_mutex_init(&b->mad.lock, NULL);
	assert_int_equal(pthread_create(&b->mad.thread, NULL, mad_run, &b->mad), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	vdev_free(b->dev);
	loop_free(b->worker);
	shutdown(b->mad.listener, SHUT_RDWR);
	pthread_join(b->mad.thread, NULL);
	unix_unlisten(&b->listener);
	rmdir(b->dir);
	munmap(b->ram, RAM);
	g_log_remove_handler("ringside", b->handler);
	g_string_free(b->log, TRUE);
	loop_free(b->main);
	g_free(b->path);
	g_free(b->dir);
	g_free(b);
	return 0;
}

static struct vdev *open_with(struct bench *b, const char *options, GError **err)
{
	g_autofree char *spec = g_strdup_printf("vhost-user,id=dev,socket=%s,queue-size=%u,%s",
						b->path, SIZE, options);
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

static void open_device(struct bench *b)
{
	assert_non_null(open_with(b, "type=62,config-size=8,memory=bounce,size=256K", NULL));
}

/* A split ring in the first pages. */
static void start(struct bench *b)
{
	struct vdev *dev = b->dev;
	struct drv_config cfg = { .size = SIZE, .base = b->ram, .gpa = 0, .len = 0x4000 };

	vdev_set_status(dev, 0);
	assert_true(drv_vq_init(&b->drv, &cfg));
	vdev_set_status(dev, 1 | 2);
	vdev_features_accept(dev, 1, 1);
	vdev_set_status(dev, 1 | 2 | 8);
	vdev_queue_write(dev, 0, VQR_DESC, b->drv.desc, UINT64_MAX);
	vdev_queue_write(dev, 0, VQR_DRIVER, b->drv.driver, UINT64_MAX);
	vdev_queue_write(dev, 0, VQR_DEVICE, b->drv.device, UINT64_MAX);
	vdev_queue_write(dev, 0, VQR_ENABLE, 1, UINT64_MAX);
	vdev_set_status(dev, 1 | 2 | 8 | 4);
	UNTIL(b->mad.running);
}

/* A request of 16 bytes, and @room for an answer, which are seen to be 0xee as yet. */
static void request(struct bench *b, unsigned n, uint32_t room)
{
	struct drv_buf bufs[] = { { 0x8000 + n * 0x4000, 16 }, { 0x9000 + n * 0x4000, room } };

	memset(b->ram + bufs[0].gpa, 'a' + (int)n, 16);
	memset(b->ram + bufs[1].gpa, 0xee, room);
	assert_true(drv_add(&b->drv, bufs, 1, 1, b->ram + bufs[1].gpa) >= 0);
	if (drv_publish(&b->drv))
		vdev_notify(b->dev, 0);
}

/*
 * The back-end's side of its ring, a split one.
 */
static void *mad_at(const struct mad *m, uint64_t address)
{
	return m->map + (address - m->region.user);
}

static uint16_t mad_available(struct mad *m)
{
	const struct vring_avail *avail;
	uint16_t ret = 0;

	pthread_mutex_lock(&m->lock);
	avail = mad_at(m, m->addr.avail);
	if (m->running)
		ret = le16_cpu(__atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE));
	pthread_mutex_unlock(&m->lock);
	return ret;
}

static uint8_t *mad_map(struct mad *m)
{
	uint8_t *ret;

	pthread_mutex_lock(&m->lock);
	ret = m->map;
	pthread_mutex_unlock(&m->lock);
	return ret;
}

/* Uses the @n'th chain, of a table: what it reads it writes, in capitals; says @len. */
static void mad_use_locked(struct mad *m, uint16_t n, uint32_t id_plus, uint32_t len)
{
	const struct vring_avail *avail = mad_at(m, m->addr.avail);
	struct vring_used *used = mad_at(m, m->addr.used);
	const struct vring_desc *desc = mad_at(m, m->addr.desc), *table;
	uint16_t head = le16_cpu(avail->ring[n % SIZE]);
	const uint8_t *from;
	uint8_t *to;

	table = mad_at(m, le64_cpu(desc[head].addr));
	from = mad_at(m, le64_cpu(table[0].addr));
	to = mad_at(m, le64_cpu(table[1].addr));
	for (unsigned i = 0; i < 16; i++)
		to[i] = (uint8_t)g_ascii_toupper((char)from[i]);
	used->ring[n % SIZE] = (struct vring_used_elem){ cpu_le32(head + id_plus), cpu_le32(len) };
	__atomic_store_n(&used->idx, cpu_le16((uint16_t)(n + 1)), __ATOMIC_RELEASE);
	eventfd_signal(m->call);
}

static void mad_use(struct mad *m, uint16_t n, uint32_t id_plus, uint32_t len)
{
	pthread_mutex_lock(&m->lock);
	mad_use_locked(m, n, id_plus, len);
	pthread_mutex_unlock(&m->lock);
}

/* Waits for the driver's next answer; its length. */
static uint32_t answered(struct bench *b, uint8_t **ret)
{
	uint32_t len;

	UNTIL(drv_used(&b->drv, (void **)ret, &len));
	return len;
}

static bool broken(struct bench *b)
{
	return vdev_status(b->dev) & VIRTIO_S_NEEDS_RESET;
}

/*
 * What it is given.
 */
static void it_gets_one_file_which_is_the_region(void **state)
{
	struct bench *b = *state;
	struct mad *m = &b->mad;
	uint8_t *answer;

	open_device(b);
	start(b);
	request(b, 0, 100);
	UNTIL(mad_available(m) == 1);
	mad_use(m, 0, 0, 16);
	assert_int_equal(answered(b, &answer), 16);
	assert_memory_equal(answer, "AAAAAAAAAAAAAAAA", 16);
	for (unsigned i = 16; i < 92; i++) /* what it did not write stays as it was */
		assert_int_equal(answer[i], 0xee);
	assert_int_equal(m->files, 1);
	assert_int_equal(m->seen[VHU_ADD_MEM_REG], 1);
	assert_int_equal(m->seen[VHU_SET_MEM_TABLE] + m->seen[VHU_SET_INFLIGHT_FD] +
				 m->seen[VHU_GET_INFLIGHT_FD] + m->seen[VHU_SET_LOG_BASE],
			 0);
	assert_int_equal(m->region.len, 256 << 10);
	assert_int_equal(m->region.user, m->region.gpa); /* nothing of where we have it */
	assert_int_equal(m->seals, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_equal(m->accepted & (BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_F_INDIRECT_DESC)),
			 BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_F_INDIRECT_DESC));
}

/* Each connection has a region of its own: who was before cannot reach it. */
static void its_successor_gets_another_region(void **state)
{
	struct bench *b = *state;
	struct mad *m = &b->mad;
	uint8_t *answer, *old;

	open_device(b);
	start(b);
	request(b, 0, 100);
	UNTIL(mad_available(m) == 1);
	old = mad_map(m);
	shutdown(m->fd, SHUT_RDWR);
	UNTIL(m->connections == 2 && m->running && mad_available(m) == 1); /* it is begun anew */
	assert_ptr_not_equal(mad_map(m), old);
	memset(old, 0xff, m->region.len);
	mad_use(m, 0, 0, 16);
	assert_int_equal(answered(b, &answer), 16);
	assert_memory_equal(answer, "AAAAAAAAAAAAAAAA", 16);
	assert_int_equal(m->files, 2);
	munmap(old, m->region.len);
}

/* What it had used when it died is not done again. */
static void what_was_used_is_not_begun_anew(void **state)
{
	struct bench *b = *state;
	struct mad *m = &b->mad;
	uint8_t *answer;
	int call;

	open_device(b);
	start(b);
	request(b, 0, 100);
	request(b, 1, 100);
	UNTIL(mad_available(m) == 2);
	pthread_mutex_lock(&m->lock);
	call = m->call;
	m->call = eventfd(0, EFD_CLOEXEC); /* it dies before it can say so */
	mad_use_locked(m, 0, 0, 16);
	close(call);
	pthread_mutex_unlock(&m->lock);
	shutdown(m->fd, SHUT_RDWR);
	assert_int_equal(answered(b, &answer), 16);
	assert_memory_equal(answer, "AAAAAAAAAAAAAAAA", 16);
	UNTIL(m->connections == 2 && m->running && mad_available(m) == 1);
	mad_use(m, 0, 0, 16);
	assert_int_equal(answered(b, &answer), 16);
	assert_memory_equal(answer, "BBBBBBBBBBBBBBBB", 16);
}

/*
 * What it may lie about.
 */
static void nothing(void *arg)
{
	(void)arg;
}

static void lies(struct bench *b, uint16_t n, uint32_t id_plus, uint32_t len, const char *what)
{
	struct mad *m = &b->mad;
	g_autofree uint8_t *before = NULL;
	uint8_t *answer;

	start(b);
	request(b, 0, 100);
	UNTIL(mad_available(m) == 1);
	loop_call(b->worker, nothing, NULL);
	before = g_memdup2(b->ram, RAM);
	mad_use(m, n, id_plus, len);
	UNTIL(said(b, what) && broken(b));
	loop_call(b->worker, nothing, NULL);
	assert_memory_equal(b->ram, before, RAM); /* nothing of it got to the guest */
	start(b);                                 /* and a reset mends it */
	assert_false(broken(b));
	request(b, 0, 100);
	UNTIL(mad_available(m) == 1);
	mad_use(m, 0, 0, 16);
	assert_int_equal(answered(b, &answer), 16);
}

static void a_lie_is_named_and_the_device_needs_a_reset(void **state)
{
	struct bench *b = *state;

	open_device(b);
	lies(b, 0, 0, 101, "its back-end broke the ring: used length is more than was writable");
	b->dev->log_window = b->dev->log_count = 0;
	lies(b, 0, 1, 16, "its back-end broke the ring: used element names no chain in flight");
	lies(b, 0, 0x10000, 16, "used element names no chain in flight");
	lies(b, SIZE + 1, 0, 16, "its back-end broke the ring: used index jumps");
}

static void mad_scribble(struct mad *m, GRand *rand)
{
	pthread_mutex_lock(&m->lock);
	for (unsigned i = 0; i < 20; i++) {
		uint64_t at = (uint64_t)g_rand_int_range(rand, 0, 256 << 10);
		uint64_t n = (uint64_t)g_rand_int_range(rand, 1, 65536); /* MIN() takes it twice */

		memset(m->map + at, g_rand_int_range(rand, 0, 256), MIN(n, m->region.len - at));
		eventfd_signal(m->call);
	}
	pthread_mutex_unlock(&m->lock);
}

/* Over and over, all of the region: the guest's memory has what its driver and the core write. */
static void it_scribbles_over_all_that_it_has(void **state)
{
	struct bench *b = *state;
	struct mad *m = &b->mad;
	GRand *rand = g_rand_new_with_seed(7);

	open_device(b);
	for (unsigned round = 0; round < 50; round++) {
		start(b);
		memset(b->ram + 0x40000, 0x5a, RAM - 0x40000);
		for (unsigned i = 0; i < 4; i++)
			request(b, i, 100);
		mad_scribble(m, rand);
		loop_call(b->worker, nothing, NULL);
		for (unsigned i = 0x40000; i < RAM; i++)
			assert_int_equal(b->ram[i], 0x5a);
	}
	g_rand_free(rand);
	vdev_set_status(b->dev, 0);
}

/*
 * A pause, and what can be kept of a device that is paused.
 */
static bool saved(struct bench *b)
{
	g_autoptr(GByteArray) record = g_byte_array_new();

	return vdev_state_save(b->dev, record, NULL);
}

static void what_is_in_its_hands_is_available_again(void **state)
{
	struct bench *b = *state;
	struct mad *m = &b->mad;
	uint8_t *answer;

	open_device(b);
	start(b);
	for (unsigned i = 0; i < 3; i++)
		request(b, i, 100);
	UNTIL(mad_available(m) == 3);
	mad_use(m, 0, 0, 16);
	vdev_pause(b->dev);
	assert_int_equal(vq_in_flight(b->dev->queue[0].vq), 2);
	assert_true(saved(b));
	assert_int_equal(vq_in_flight(b->dev->queue[0].vq), 0);
	vdev_resume(b->dev);
	assert_int_equal(answered(b, &answer), 16);
	UNTIL(mad_available(m) == 2);
	for (unsigned i = 0; i < 2; i++) {
		mad_use(m, (uint16_t)i, 0, 16);
		assert_int_equal(answered(b, &answer), 16);
		assert_int_equal(answer[0], 'B' + i);
	}
}

static void out_of_order_it_cannot_be_kept(void **state)
{
	struct bench *b = *state;
	struct mad *m = &b->mad;
	struct vring_avail *avail;

	open_device(b);
	start(b);
	request(b, 0, 100);
	request(b, 1, 100);
	UNTIL(mad_available(m) == 2);
	avail = mad_at(m, m->addr.avail);
	avail->ring[0] = avail->ring[1]; /* the second, and not the first */
	mad_use(m, 0, 0, 16);
	vdev_pause(b->dev);
	assert_false(saved(b));
	assert_true(said(b, "its back-end left requests undone, and did later ones"));
	assert_true(broken(b));
}

/*
 * Room.
 */
static void what_has_no_room_waits_in_the_ring(void **state)
{
	struct bench *b = *state;
	struct mad *m = &b->mad;
	struct vhu_bounce_queue *q;
	uint8_t *answer;

	assert_non_null(open_with(b, "type=62,config-size=8,memory=bounce,size=64K", NULL));
	start(b);
	q = &vhu_front_of(b->dev)->bounce->queue[0];
	for (unsigned i = 0; i < 8; i++) /* 8 KiB of room each */
		request(b, i, 0x1f00);
	UNTIL(mad_available(m) == 7);
	assert_int_equal(bounce_room_max(&q->room) / 0x2000, 7);
	for (unsigned i = 0; i < 8; i++) {
		UNTIL(mad_available(m) > i);
		mad_use(m, (uint16_t)i, 0, 16);
		assert_int_equal(answered(b, &answer), 16);
		assert_int_equal(answer[0], 'A' + i);
	}
	assert_int_equal(mad_available(m), 8);
	assert_int_equal(q->room.n_used, 0);
}

static void what_can_have_no_room_ever_needs_a_reset(void **state)
{
	struct bench *b = *state;
	struct drv_buf buf = { 0x10000, 0x20000 };

	assert_non_null(open_with(b, "type=62,config-size=8,memory=bounce,size=64K", NULL));
	start(b);
	assert_true(drv_add(&b->drv, &buf, 0, 1, NULL) >= 0);
	(void)drv_publish(&b->drv);
	vdev_notify(b->dev, 0);
	UNTIL(said(b, "a request of 128K, and its share of the bounce memory is") && broken(b));
}

static void room_is_taken_lowest_first_and_comes_back(void **state)
{
	struct bounce_room room;
	uint64_t at[4];

	(void)state;
	bounce_room_open(&room, 4096, 200 * BOUNCE_ROOM_UNIT);
	assert_true(bounce_room_take(&room, 1, &at[0]));
	assert_true(bounce_room_take(&room, 100 * BOUNCE_ROOM_UNIT, &at[1]));
	assert_true(bounce_room_take(&room, 90 * BOUNCE_ROOM_UNIT + 1, &at[2]));
	assert_int_equal(at[0], 4096);
	assert_int_equal(at[1], 4096 + BOUNCE_ROOM_UNIT);
	assert_int_equal(at[2], 4096 + 101 * BOUNCE_ROOM_UNIT);
	assert_false(bounce_room_take(&room, 9 * BOUNCE_ROOM_UNIT, &at[3]));
	assert_true(bounce_room_take(&room, 8 * BOUNCE_ROOM_UNIT, &at[3]));
	bounce_room_give(&room, at[1], 100 * BOUNCE_ROOM_UNIT);
	assert_false(bounce_room_take(&room, 101 * BOUNCE_ROOM_UNIT, &at[1]));
	assert_true(bounce_room_take(&room, 64 * BOUNCE_ROOM_UNIT, &at[1]));
	assert_int_equal(at[1], 4096 + BOUNCE_ROOM_UNIT);
	bounce_room_give_all(&room);
	assert_true(bounce_room_take(&room, bounce_room_max(&room), &at[0]));
	bounce_room_close(&room);
}

/*
 * The operator.
 */
static void what_cannot_be_is_the_operators_to_know(void **state)
{
	static const struct {
		const char *options, *message;
	} cases[] = {
		{ "type=62,size=1M", "size= is for memory=bounce" },
		{ "type=16,memory=bounce", "requests of this type name guest memory" },
		{ "type=62,memory=bounce,size=64K,queue-size=1024",
		  "size=64K is too little; its queues need" },
		{ "type=62,memory=bounce,queue-size=1", "two entries at least" },
		{ "type=62", "--memory SIZE,shared=on, or memory=bounce" },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) err = NULL;

		assert_null(open_with(b, cases[i].options, &err));
		if (!strstr(err->message, cases[i].message))
			fail_msg("%s: %s", cases[i].options, err->message);
	}
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_gets_one_file_which_is_the_region),
		TEST(its_successor_gets_another_region),
		TEST(what_was_used_is_not_begun_anew),
		TEST(a_lie_is_named_and_the_device_needs_a_reset),
		TEST(it_scribbles_over_all_that_it_has),
		TEST(what_is_in_its_hands_is_available_again),
		TEST(out_of_order_it_cannot_be_kept),
		TEST(what_has_no_room_waits_in_the_ring),
		TEST(what_can_have_no_room_ever_needs_a_reset),
		cmocka_unit_test(room_is_taken_lowest_first_and_comes_back),
		TEST(what_cannot_be_is_the_operators_to_know),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
