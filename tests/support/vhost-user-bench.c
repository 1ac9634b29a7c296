#include "tests/support/vhost-user-bench.h"

#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/eventfd.h"
#include "tests/support/echo.h"

static void vhu_bench_ended(void *opaque)
{
	((struct vhu_bench *)opaque)->ended++;
}

static void vhu_bench_logged(const gchar *domain, GLogLevelFlags level, const gchar *text,
			     gpointer data)
{
	(void)domain;
	(void)level;
	g_string_append_printf(((struct vhu_bench *)data)->log, "%s\n", text);
}

struct vhu_bench *vhu_bench_open(const struct vdev_class *class, const char *spec)
{
	struct vhu_bench *b = g_new0(struct vhu_bench, 1);
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	struct vdev_env env = { .mem = &b->mem };

	b->main = env.main_loop = loop_main();
	b->size = BENCH_SIZE;
	b->log = g_string_new(NULL);
	b->handler = g_log_set_handler("ringside", G_LOG_LEVEL_MASK, vhu_bench_logged, b);
	b->dev = vdev_new(class, pairs, &env, NULL);
	assert_non_null(b->dev);
	b->back = vhost_user_new(b->dev, &b->mem, b->main, vhu_bench_ended, b, NULL);
	assert_non_null(b->back);
	b->memfd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(b->memfd, BENCH_RAM), 0);
	b->ram = mmap(NULL, BENCH_RAM, PROT_READ | PROT_WRITE, MAP_SHARED, b->memfd, 0);
	assert_ptr_not_equal(b->ram, MAP_FAILED);
	assert_true(eventfd_open(&b->kick, "", NULL) && eventfd_open(&b->call, "", NULL) &&
		    eventfd_open(&b->err, "", NULL));
	front_open(&b->front, b->back);
	return b;
}

int vhu_bench_setup(void **state)
{
	*state = vhu_bench_open(&echo_class, "echo,ring=packed,id=echo");
	return 0;
}

int vhu_bench_teardown(void **state)
{
	struct vhu_bench *b = *state;

	vhost_user_free(b->back);
	vdev_free(b->dev);
	front_close(&b->front);
	loop_free(b->main);
	munmap(b->ram, BENCH_RAM);
	close(b->memfd);
	eventfd_close(&b->kick);
	eventfd_close(&b->call);
	eventfd_close(&b->err);
	g_log_remove_handler("ringside", b->handler);
	g_string_free(b->log, TRUE);
	g_free(b);
	return 0;
}

/* The back-end closes the connection, with one line that has @text; and takes another. */
void vhu_assert_closed(struct vhu_bench *b, const char *text)
{
	uint8_t rest[64];

	while (front_answer(&b->front, 0, rest, 0) >= 0)
		;
	assert_int_equal(b->ended, ++b->closed);
	if (!strstr(b->log->str, text))
		fail_msg("no '%s' in: %s", text, b->log->str);
	g_string_truncate(b->log, 0);
	front_close(&b->front);
	front_open(&b->front, b->back);
	assert_true(front_get(&b->front, VHU_GET_FEATURES) >> VHU_F_PROTOCOL_FEATURES & 1);
}

void vhu_bench_give_memory(struct vhu_bench *b, uint64_t gpa)
{
	struct vhu_mem_table t = { .n = 1, .region = { { gpa, BENCH_RAM, BENCH_HIGH, 0 } } };

	assert_true(front_send(&b->front, VHU_SET_MEM_TABLE, VHU_NEED_REPLY, &t,
			       8 + sizeof(t.region[0]), &b->memfd, 1));
	assert_int_equal(front_answer(&b->front, VHU_SET_MEM_TABLE, &t, 8), 8);
}

struct vhu_addr vhu_bench_ring_address(const struct vhu_bench *b)
{
	return (struct vhu_addr){ .index = b->q,
				  .desc = BENCH_HIGH + b->vq.desc - b->vq.cfg.gpa,
				  .avail = BENCH_HIGH + b->vq.driver - b->vq.cfg.gpa,
				  .used = BENCH_HIGH + b->vq.device - b->vq.cfg.gpa };
}

void vhu_bench_give_ring(struct vhu_bench *b, uint32_t base)
{
	struct vhu_addr a = vhu_bench_ring_address(b);

	assert_true(front_set_state(&b->front, VHU_SET_VRING_NUM, b->q, b->size));
	assert_true(front_set_state(&b->front, VHU_SET_VRING_BASE, b->q, base));
	assert_true(front_set(&b->front, VHU_SET_VRING_ADDR, &a, sizeof(a), -1));
	assert_true(front_set_u64(&b->front, VHU_SET_VRING_CALL, b->q, b->call));
	assert_true(front_set_u64(&b->front, VHU_SET_VRING_ERR, b->q, b->err));
	assert_true(front_set_u64(&b->front, VHU_SET_VRING_KICK, b->q, b->kick));
}

uint64_t vhu_bench_features(bool packed)
{
	return 1ull << VIRTIO_F_VERSION_1 | (uint64_t)packed << VIRTIO_F_RING_PACKED |
	       1ull << VHU_F_PROTOCOL_FEATURES;
}

void vhu_bench_begin(struct vhu_bench *b, bool packed, uint64_t gpa)
{
	struct drv_config cfg = {
		.size = (uint16_t)b->size, .packed = packed, .base = b->ram, .gpa = gpa
	};
	uint64_t f = vhu_bench_features(packed);

	cfg.len = drv_bytes(&cfg);
	assert_true(cfg.len < BENCH_BUFS && drv_vq_init(&b->vq, &cfg));
	front_begin(&b->front, UINT64_MAX);
	assert_true(front_set_u64(&b->front, VHU_SET_FEATURES, f, -1));
	vhu_bench_give_memory(b, gpa);
	vhu_bench_give_ring(b, packed ? 0x80008000u : 0);
	assert_true(front_set_state(&b->front, VHU_SET_VRING_ENABLE, b->q, 1));
}

void vhu_bench_ask(struct vhu_bench *b, uint8_t what)
{
	uint64_t at = b->vq.cfg.gpa + BENCH_BUFS + what * 16ull;
	struct drv_buf bufs[] = { { at, 1 }, { at + 8, 1 } };

	b->ram[BENCH_BUFS + what * 16ul] = what;
	assert_true(drv_add(&b->vq, bufs, 1, 1, b->ram + BENCH_BUFS + what * 16ul) >= 0);
	if (drv_publish(&b->vq))
		eventfd_signal(b->kick);
}

/* The device has copied the byte, and says so by the descriptor it was given. */
void vhu_assert_answered(struct vhu_bench *b, uint8_t what)
{
	gint64 end = g_get_monotonic_time() + 30ll * G_USEC_PER_SEC;
	void *cookie = NULL;
	uint64_t count;
	uint32_t len;

	for (;;) {
		bool called = read(b->call, &count, sizeof(count)) == sizeof(count);

		if (called && drv_used(&b->vq, &cookie, &len))
			break;
		if (g_get_monotonic_time() > end)
			fail_msg("no interrupt");
		front_turn();
	}
	assert_ptr_equal(cookie, b->ram + BENCH_BUFS + what * 16ul);
	assert_int_equal(b->ram[BENCH_BUFS + what * 16ul + 8], what);
}

uint32_t vhu_bench_take_ring(struct vhu_bench *b)
{
	struct vhu_state s = { b->q, 0 };

	assert_true(front_send(&b->front, VHU_GET_VRING_BASE, 0, &s, sizeof(s), NULL, 0));
	assert_int_equal(front_answer(&b->front, VHU_GET_VRING_BASE, &s, sizeof(s)), sizeof(s));
	return s.value;
}
