/*
 * A device as the host's own (transport/vduse/): the test is the kernel, in the place of
 * transport/vduse/sys.c, and the driver in it. tests/system/vduse is about the real one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/eventfd.h"
#include "tests/support/echo.h"
#include "transport/vduse/impl.h"
#include "transport/vduse/sys.h"
#include "virtqueue/driver/drv.h"

#define NAME  "test0"
#define BYTES 65536u         /* of each region */
#define RINGS 0x100000000ull /* where that of rings lies; that of buffers is at 0 */
#define SIZE  64u

/* The kernel; one. */
static struct {
	int absent, create; /* what open() of the control device and CREATE_DEV fail with */
	bool used;          /* a driver has the device: it cannot be destroyed */
	unsigned made, destroyed;
	struct vduse_dev_config c;
	uint8_t config[VDEV_CONFIG_MAX];
	unsigned config_irqs;
	int ours; /* the test's end of the device's descriptor */
	uint16_t size_max[ECHO_QUEUES];

	uint64_t features;
	bool driver_ok;
	struct vduse_vq_info info[ECHO_QUEUES];
	int kick[ECHO_QUEUES];
	unsigned irqs[ECHO_QUEUES], refused;
	struct {
		bool there;
		uint64_t start;
		uint8_t perm;
		int fd;
		uint8_t *bytes;
	} region[2];       /* buffers, rings */
	const char *fails; /* the ioctl that does */
} kernel;

static int create_dev(const struct vduse_dev_config *c)
{
	if (kernel.create)
		return -kernel.create;
	if (kernel.made > kernel.destroyed)
		return -EEXIST;
	kernel.made++;
	kernel.c = *c;
	memcpy(kernel.config, c->config, c->config_size);
	return 0;
}

static int destroy_dev(const char *name)
{
	if (strcmp(name, NAME) != 0 || kernel.made == kernel.destroyed)
		return -EINVAL;
	if (kernel.used)
		return -EBUSY;
	kernel.destroyed++;
	return 0;
}

static int get_fd(struct vduse_iotlb_entry *e)
{
	for (size_t i = 0; i < G_N_ELEMENTS(kernel.region); i++) {
		uint64_t start = kernel.region[i].start, last = start + BYTES - 1;

		if (!kernel.region[i].there || last < e->start || start > e->last)
			continue;
		*e = (struct vduse_iotlb_entry){ 0, start, last, kernel.region[i].perm };
		return dup(kernel.region[i].fd);
	}
	return -EINVAL;
}

static int inject(uint32_t q)
{
	if (!kernel.driver_ok) {
		kernel.refused++;
		return -EINVAL;
	}
	kernel.irqs[q]++;
	return 0;
}

static int set_config(const struct vduse_config_data *d)
{
	if (!d->length || d->offset + d->length > kernel.c.config_size)
		return -EINVAL;
	memcpy(kernel.config + d->offset, d->buffer, d->length);
	return 0;
}

int vduse_sys_open(const char *path)
{
	int pair[2];

	if (strcmp(path, "/dev/vduse/control") == 0)
		return kernel.absent ? -kernel.absent : eventfd(0, EFD_CLOEXEC);
	assert_string_equal(path, "/dev/vduse/" NAME);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	kernel.ours = pair[0];
	return pair[1];
}

#define FAILS(request)                                                   \
	do {                                                             \
		if (kernel.fails && strcmp(kernel.fails, #request) == 0) \
			return -EIO;                                     \
	} while (0)

int vduse_sys_ioctl(int fd, unsigned long request, void *arg)
{
	const struct vduse_vq_config *c = arg;
	const struct vduse_vq_eventfd *kick = arg;
	struct vduse_vq_info *info = arg;

	(void)fd;
	switch (request) {
	case VDUSE_SET_API_VERSION:
		return *(uint64_t *)arg == VDUSE_API_VERSION ? 0 : -EINVAL;
	case VDUSE_CREATE_DEV:
		return create_dev(arg);
	case VDUSE_DESTROY_DEV:
		return destroy_dev(arg);
	case VDUSE_VQ_SETUP:
		FAILS(VDUSE_VQ_SETUP);
		kernel.size_max[c->index] = c->max_size;
		return 0;
	case VDUSE_DEV_GET_FEATURES:
		FAILS(VDUSE_DEV_GET_FEATURES);
		*(uint64_t *)arg = kernel.features;
		return 0;
	case VDUSE_VQ_GET_INFO:
		FAILS(VDUSE_VQ_GET_INFO);
		*info = kernel.info[info->index];
		return 0;
	case VDUSE_VQ_SETUP_KICKFD:
		FAILS(VDUSE_VQ_SETUP_KICKFD);
		kernel.kick[kick->index] = kick->fd;
		return 0;
	case VDUSE_IOTLB_GET_FD:
		return get_fd(arg);
	case VDUSE_VQ_INJECT_IRQ:
		return inject(*(uint32_t *)arg);
	case VDUSE_DEV_SET_CONFIG:
		return set_config(arg);
	case VDUSE_DEV_INJECT_CONFIG_IRQ:
		kernel.config_irqs++;
		return 0;
	default:
		fail_msg("an ioctl that is none of VDUSE's: %#lx", request);
		return -ENOTTY;
	}
}

/*
 * The device, and its driver.
 */
struct bench {
	struct loop *main;
	struct gmem mem;
	struct vdev *dev;
	struct vduse *v;
	struct drv_vq vq;
	GString *log;
	guint handler;
};

static void logged(const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer data)
{
	(void)domain;
	(void)level;
	g_string_append_printf(((struct bench *)data)->log, "%s\n", text);
}

static void open_region(unsigned i, uint64_t start, bool there)
{
	kernel.region[i].fd = memfd_create("region", MFD_CLOEXEC);
	assert_int_equal(ftruncate(kernel.region[i].fd, BYTES), 0);
	kernel.region[i].bytes = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
				      kernel.region[i].fd, 0);
	assert_ptr_not_equal(kernel.region[i].bytes, MAP_FAILED);
	kernel.region[i].start = start;
	kernel.region[i].there = there;
	kernel.region[i].perm = VDUSE_ACCESS_RW;
}

static void close_region(unsigned i)
{
	munmap(kernel.region[i].bytes, BYTES);
	close(kernel.region[i].fd);
}

static struct vduse *open_vduse(struct bench *b, const char *name, GError **err)
{
	return vduse_new(b->dev, &b->mem, b->main, name, "--vduse", err);
}

static int setup(void **state)
{
	struct bench *b = g_new0(struct bench, 1);
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split("echo,ring=packed,id=echo", &name);
	struct vdev_env env = { .mem = &b->mem };

	memset(&kernel, 0, sizeof(kernel));
	open_region(0, 0, false);
	open_region(1, RINGS, true);
	b->main = env.main_loop = loop_main();
	b->log = g_string_new(NULL);
	b->handler = g_log_set_handler("ringside", G_LOG_LEVEL_MASK, logged, b);
	b->dev = vdev_new(&echo_class, pairs, &env, NULL);
	assert_non_null(b->dev);
	b->v = open_vduse(b, NAME, NULL);
	assert_non_null(b->v);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	vduse_free(b->v);
	vdev_free(b->dev);
	loop_free(b->main);
	close_region(0);
	close_region(1);
	if (kernel.ours > 0)
		close(kernel.ours);
	g_log_remove_handler("ringside", b->handler);
	g_string_free(b->log, TRUE);
	g_free(b);
	return 0;
}

static void turn(struct bench *b)
{
	if (!g_main_context_iteration(loop_context(b->main), FALSE))
		g_usleep(100);
}

#define UNTIL(b, cond)                                                        \
	do {                                                                  \
		gint64 end_ = g_get_monotonic_time() + 30ll * G_USEC_PER_SEC; \
		while (!(cond)) {                                             \
			if (g_get_monotonic_time() > end_)                    \
				fail_msg("%s: not within 30 s", #cond);       \
			turn(b);                                              \
		}                                                             \
	} while (0)

/* A message and its answer; the result. */
static uint32_t tell(struct bench *b, struct vduse_dev_request req, struct vduse_dev_response *ret)
{
	static uint32_t id;
	struct vduse_dev_response resp;

	req.request_id = ++id;
	assert_int_equal(write(kernel.ours, &req, sizeof(req)), sizeof(req));
	UNTIL(b, read(kernel.ours, &resp, sizeof(resp)) == sizeof(resp));
	assert_int_equal(resp.request_id, id);
	if (ret)
		*ret = resp;
	return resp.result;
}

static uint32_t set_status(struct bench *b, uint8_t status)
{
	return tell(b, (struct vduse_dev_request){ .type = VDUSE_SET_STATUS, .s = { status } },
		    NULL);
}

#define BEGUN (VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER)

static void negotiate(struct bench *b, bool packed)
{
	kernel.features = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_ACCESS_PLATFORM |
			  (uint64_t)packed << VIRTIO_F_RING_PACKED;
	assert_int_equal(set_status(b, 0), VDUSE_REQ_RESULT_OK);
	assert_int_equal(set_status(b, VIRTIO_S_ACKNOWLEDGE), VDUSE_REQ_RESULT_OK);
	assert_int_equal(set_status(b, BEGUN), VDUSE_REQ_RESULT_OK);
	assert_int_equal(set_status(b, BEGUN | VIRTIO_S_FEATURES_OK), VDUSE_REQ_RESULT_OK);
	assert_false(vdev_accepted(b->dev, VIRTIO_F_ACCESS_PLATFORM));
}

static void make_ring(struct bench *b, bool packed)
{
	struct drv_config cfg = {
		.size = SIZE, .packed = packed, .base = kernel.region[1].bytes, .gpa = RINGS
	};

	memset(kernel.region[1].bytes, 0, BYTES);
	cfg.len = drv_bytes(&cfg);
	assert_true(cfg.len <= BYTES && drv_vq_init(&b->vq, &cfg));
	kernel.info[ECHO_COPY] = (struct vduse_vq_info){ .index = ECHO_COPY,
							 .num = SIZE,
							 .desc_addr = b->vq.desc,
							 .driver_addr = b->vq.driver,
							 .device_addr = b->vq.device,
							 .ready = 1 };
	if (packed)
		kernel.info[ECHO_COPY].packed = (struct vduse_vq_state_packed){ 1, 0, 1, 0 };
}

static uint32_t driver_ok(struct bench *b)
{
	uint32_t result = set_status(b, BEGUN | VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK);

	kernel.driver_ok = result == VDUSE_REQ_RESULT_OK;
	return result;
}

static void begin(struct bench *b, bool packed)
{
	kernel.driver_ok = false;
	negotiate(b, packed);
	make_ring(b, packed);
	assert_int_equal(driver_ok(b), VDUSE_REQ_RESULT_OK);
}

/* A request to copy byte @what, whose buffers are made to be there. */
static void ask(struct bench *b, uint8_t what)
{
	struct drv_buf bufs[] = { { what * 16ull, 1 }, { what * 16ull + 8, 1 } };
	uint8_t *at = kernel.region[0].bytes + what * 16ul;

	kernel.region[0].there = true;
	at[0] = what;
	at[8] = 0;
	assert_true(drv_add(&b->vq, bufs, 1, 1, at) >= 0);
	if (drv_publish(&b->vq))
		eventfd_signal(kernel.kick[ECHO_COPY]);
}

static void answered(struct bench *b, uint8_t what)
{
	const uint8_t *at = kernel.region[0].bytes + what * 16ul;
	void *cookie = NULL;
	uint32_t len;

	UNTIL(b, kernel.irqs[ECHO_COPY]);
	kernel.irqs[ECHO_COPY] = 0;
	assert_true(drv_used(&b->vq, &cookie, &len));
	assert_ptr_equal(cookie, at);
	assert_int_equal(at[8], what);
}

/*
 * Cases.
 */
static void the_device_is_made_as_it_is(void **state)
{
	struct bench *b = *state;

	assert_string_equal(kernel.c.name, NAME);
	assert_int_equal(kernel.c.device_id, b->dev->type);
	assert_int_equal(kernel.c.vq_num, ECHO_QUEUES);
	assert_int_equal(kernel.c.config_size, b->dev->config_size);
	assert_true(kernel.c.features >> VIRTIO_F_ACCESS_PLATFORM & 1);
	assert_true(kernel.c.features >> VIRTIO_F_RING_PACKED & 1);
	assert_true(kernel.c.features >> ECHO_F_BASE & 1);
	assert_false(kernel.c.features >> VIRTIO_F_RING_RESET & 1);
	assert_false(kernel.c.features >> VIRTIO_F_NOTIFICATION_DATA & 1);
	for (unsigned q = 0; q < ECHO_QUEUES; q++)
		assert_int_equal(kernel.size_max[q], vdev_queue_size(b->dev));
}

static void serve_requests(struct bench *b, bool packed)
{
	begin(b, packed);
	assert_int_not_equal(kernel.kick[ECHO_COPY], b->dev->queue[ECHO_COPY].kick_fd);
	for (uint8_t i = 1; i < 200; i++) {
		ask(b, i);
		answered(b, i);
		/* when all of the memory is known, the queue has its kicks itself */
		assert_int_equal(kernel.kick[ECHO_COPY], b->dev->queue[ECHO_COPY].kick_fd);
	}
	assert_int_equal(b->log->len, 0);
}

static void a_driver_is_served_whose_memory_comes_later(void **state)
{
	struct bench *b = *state;

	for (unsigned round = 0; round < 4; round++) {
		kernel.region[0].there = false;
		serve_requests(b, round & 1);
	}
	assert_int_equal(set_status(b, 0), VDUSE_REQ_RESULT_OK);
	assert_int_equal(b->mem.n, 0);
}

static void what_was_there_before_driver_ok_is_answered_after_it(void **state)
{
	struct bench *b = *state;

	negotiate(b, false);
	make_ring(b, false);
	kernel.kick[ECHO_COPY] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ask(b, 7);
	close(kernel.kick[ECHO_COPY]);
	assert_int_equal(set_status(b, BEGUN | VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK),
			 VDUSE_REQ_RESULT_OK);
	UNTIL(b, kernel.refused > 2);
	assert_int_equal(kernel.irqs[ECHO_COPY], 0);
	kernel.driver_ok = true;
	answered(b, 7);
	ask(b, 8);
	answered(b, 8);
}

static void memory_that_moves_is_followed(void **state)
{
	struct bench *b = *state;

	begin(b, true);
	for (uint8_t i = 1; i < 10; i++) {
		ask(b, i);
		answered(b, i);
		close_region(0);
		open_region(0, 0, true);
		assert_int_equal(tell(b,
				      (struct vduse_dev_request){ .type = VDUSE_UPDATE_IOTLB,
								  .iova = { 0, UINT64_MAX } },
				      NULL),
				 VDUSE_REQ_RESULT_OK);
	}
}

static void memory_that_is_not_to_be_had_any_more_needs_a_reset(void **state)
{
	struct bench *b = *state;

	begin(b, false);
	ask(b, 1);
	answered(b, 1);
	kernel.region[0].perm = VDUSE_ACCESS_WO;
	(void)tell(b, (struct vduse_dev_request){ .type = VDUSE_UPDATE_IOTLB }, NULL);
	assert_true(vdev_status(b->dev) & VIRTIO_S_NEEDS_RESET);
	assert_non_null(strstr(b->log->str, "memory that is not for reading"));
	kernel.region[0].perm = VDUSE_ACCESS_RW;
	begin(b, false);
	ask(b, 2);
	answered(b, 2);
}

static void go_on_elsewhere(struct bench *b, bool packed)
{
	const struct vduse_dev_request req = { .type = VDUSE_GET_VQ_STATE,
					       .vq_state = { .index = ECHO_COPY } };
	struct vduse_dev_response resp;

	begin(b, packed);
	for (uint8_t i = 1; i <= 100; i++) {
		ask(b, i);
		answered(b, i);
	}
	assert_int_equal(tell(b, req, &resp), VDUSE_REQ_RESULT_OK);
	assert_int_equal(resp.vq_state.index, ECHO_COPY);
	if (packed)
		kernel.info[ECHO_COPY].packed = resp.vq_state.packed;
	else
		kernel.info[ECHO_COPY].split = resp.vq_state.split;
	kernel.driver_ok = false;
	negotiate(b, packed);
	assert_int_equal(driver_ok(b), VDUSE_REQ_RESULT_OK);
	ask(b, 101);
	answered(b, 101);
}

static void a_ring_goes_on_from_where_its_state_says(void **state)
{
	go_on_elsewhere(*state, false);
	go_on_elsewhere(*state, true);
}

static void what_cannot_be_is_answered_so(void **state)
{
	struct bench *b = *state;

	assert_int_equal(tell(b, (struct vduse_dev_request){ .type = 99 }, NULL),
			 VDUSE_REQ_RESULT_FAILED);
	assert_int_equal(tell(b,
			      (struct vduse_dev_request){ .type = VDUSE_GET_VQ_STATE,
							  .vq_state = { .index = ECHO_QUEUES } },
			      NULL),
			 VDUSE_REQ_RESULT_FAILED);
	assert_int_equal(set_status(b, 0), VDUSE_REQ_RESULT_OK);
	assert_int_equal(set_status(b, BEGUN), VDUSE_REQ_RESULT_OK);
	kernel.features = 1ull << VIRTIO_F_ACCESS_PLATFORM; /* no VERSION_1 */
	assert_int_equal(set_status(b, BEGUN | VIRTIO_S_FEATURES_OK), VDUSE_REQ_RESULT_FAILED);
	kernel.fails = "VDUSE_DEV_GET_FEATURES";
	assert_int_equal(set_status(b, BEGUN | VIRTIO_S_FEATURES_OK), VDUSE_REQ_RESULT_FAILED);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const calls[] = { "VDUSE_VQ_GET_INFO", "VDUSE_VQ_SETUP_KICKFD",
						     NULL };

		kernel.fails = NULL;
		negotiate(b, false);
		make_ring(b, false);
		kernel.fails = calls[i];
		kernel.region[1].perm = calls[i] ? VDUSE_ACCESS_RW : VDUSE_ACCESS_WO;
		assert_int_equal(driver_ok(b), VDUSE_REQ_RESULT_FAILED);
	}
	kernel.region[1].perm = VDUSE_ACCESS_RW;
	negotiate(b, false);
	make_ring(b, false);
	kernel.info[ECHO_COPY].desc_addr += BYTES; /* the driver's mistake */
	assert_int_equal(driver_ok(b), VDUSE_REQ_RESULT_OK);
	assert_true(vdev_status(b->dev) & VIRTIO_S_NEEDS_RESET);
	begin(b, false);
	ask(b, 1);
	answered(b, 1);
}

/* As QEMU does it by vhost-vdpa. */
static void a_driver_may_leave_the_first_steps_to_another(void **state)
{
	struct bench *b = *state;

	for (unsigned round = 0; round < 2; round++) {
		kernel.driver_ok = false;
		kernel.features = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_ACCESS_PLATFORM;
		assert_int_equal(set_status(b, 0), VDUSE_REQ_RESULT_OK);
		assert_int_equal(set_status(b, VIRTIO_S_FEATURES_OK), VDUSE_REQ_RESULT_OK);
		make_ring(b, false);
		assert_int_equal(driver_ok(b), VDUSE_REQ_RESULT_OK);
		ask(b, 1);
		answered(b, 1);
	}
	assert_int_equal(b->log->len, 0);
}

static void a_changed_configuration_is_the_kernels_to_tell(void **state)
{
	struct bench *b = *state;
	uint32_t value;

	begin(b, false);
	echo_set_pair(b->dev, 4711, true);
	memcpy(&value, kernel.config + ECHO_PAIR, sizeof(value));
	assert_int_equal(value, 4711);
	assert_int_equal(kernel.config_irqs, 1);
	echo_set_pair(b->dev, 4712, false);
	memcpy(&value, kernel.config + ECHO_PAIR, sizeof(value));
	assert_int_equal(value, 4712);
	assert_int_equal(kernel.config_irqs, 1);
}

static void refused(struct bench *b, const char *name, const char *text)
{
	g_autoptr(GError) err = NULL;

	assert_null(open_vduse(b, name, &err));
	if (!strstr(err->message, text))
		fail_msg("'%s' is not in '%s'", text, err->message);
}

static void what_the_operator_can_mend_is_told(void **state)
{
	static const char *const names[] = { "", "a/b", ".", ".." };
	struct bench *b = *state;

	vduse_free(g_steal_pointer(&b->v));
	assert_int_equal(kernel.made, kernel.destroyed);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		refused(b, names[i], "--vduse: no name of a device");
	kernel.absent = ENOENT;
	refused(b, NAME, "modprobe vduse");
	kernel.absent = EACCES;
	refused(b, NAME, "root may");
	kernel.absent = 0;
	kernel.create = EINVAL;
	refused(b, NAME, "the kernel takes no echo there");
	kernel.create = EPERM;
	refused(b, NAME, "VDUSE_CREATE_DEV: Operation not permitted");
	kernel.create = 0;
	kernel.fails = "VDUSE_VQ_SETUP";
	refused(b, NAME, "VDUSE_VQ_SETUP: Input/output error");
	close(kernel.ours);
	kernel.ours = 0;
	assert_int_equal(kernel.made, kernel.destroyed); /* and nothing stays */
}

static void a_name_in_use_is_left_alone_and_one_that_is_not_is_replaced(void **state)
{
	struct bench *b = *state;

	kernel.used = true;
	vduse_free(g_steal_pointer(&b->v));
	assert_non_null(strstr(b->log->str, "the host uses test0 still"));
	close(kernel.ours);
	kernel.ours = 0;
	refused(b, NAME, "the host uses it: vdpa dev del test0");
	kernel.used = false;
	b->v = open_vduse(b, NAME, NULL);
	assert_non_null(b->v);
	begin(b, false);
	ask(b, 1);
	answered(b, 1);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_device_is_made_as_it_is),
		CASE(a_driver_is_served_whose_memory_comes_later),
		CASE(what_was_there_before_driver_ok_is_answered_after_it),
		CASE(memory_that_moves_is_followed),
		CASE(memory_that_is_not_to_be_had_any_more_needs_a_reset),
		CASE(a_ring_goes_on_from_where_its_state_says),
		CASE(what_cannot_be_is_answered_so),
		CASE(a_driver_may_leave_the_first_steps_to_another),
		CASE(a_changed_configuration_is_the_kernels_to_tell),
		CASE(what_the_operator_can_mend_is_told),
		CASE(a_name_in_use_is_left_alone_and_one_that_is_not_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
