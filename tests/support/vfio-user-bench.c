#include "tests/support/vfio-user-bench.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/eventfd.h"
#include "tests/support/echo.h"
#include "transport/pci/regs.h"

static void vfu_bench_ended(void *opaque)
{
	((struct vfu_bench *)opaque)->ended++;
}

static void vfu_bench_logged(const gchar *domain, GLogLevelFlags level, const gchar *text,
			     gpointer data)
{
	(void)domain;
	(void)level;
	g_string_append_printf(((struct vfu_bench *)data)->log, "%s\n", text);
}

static int vfu_bench_open(void **state, const char *device)
{
	struct vfu_bench *b = g_new0(struct vfu_bench, 1);
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(device, &name);
	struct vdev_env env = { .mem = &b->mem };

	b->main = env.main_loop = loop_main();
	b->log = g_string_new(NULL);
	b->handler = g_log_set_handler("ringside", G_LOG_LEVEL_MASK, vfu_bench_logged, b);
	b->dev = vdev_new(&echo_class, pairs, &env, NULL);
	assert_non_null(b->dev);
	b->server = vfio_user_new(b->dev, &b->mem, b->main, vfu_bench_ended, b, NULL);
	assert_non_null(b->server);
	b->memfd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(b->memfd, VFU_BENCH_RAM), 0);
	b->ram = mmap(NULL, VFU_BENCH_RAM, PROT_READ | PROT_WRITE, MAP_SHARED, b->memfd, 0);
	assert_ptr_not_equal(b->ram, MAP_FAILED);
	for (unsigned i = 0; i < VFU_BENCH_VECTORS; i++)
		assert_true(eventfd_open(&b->irq[i], "", NULL));
	b->io = client_io(&b->client);
	client_open(&b->client, b->server);
	*state = b;
	return 0;
}

int vfu_bench_setup(void **state)
{
	return vfu_bench_open(state, "echo,ring=packed,id=echo");
}

int vfu_bench_setup_legacy(void **state)
{
	return vfu_bench_open(state, "echo,legacy=on,id=echo");
}

int vfu_bench_setup_far(void **state)
{
	int ret = vfu_bench_open(state, "echo,ring=packed,id=echo");
	struct vfu_bench *b = *state;

	b->is_far = true;
	assert_int_equal(gmem_add(&b->far, 0, VFU_BENCH_RAM, b->ram), 0);
	return ret;
}

int vfu_bench_teardown(void **state)
{
	struct vfu_bench *b = *state;

	vfio_user_free(b->server);
	vdev_free(b->dev);
	client_close(&b->client);
	loop_free(b->main);
	munmap(b->ram, VFU_BENCH_RAM);
	close(b->memfd);
	for (unsigned i = 0; i < VFU_BENCH_VECTORS; i++)
		eventfd_close(&b->irq[i]);
	g_log_remove_handler("ringside", b->handler);
	g_string_free(b->log, TRUE);
	g_free(b);
	return 0;
}

void vfu_assert_closed(struct vfu_bench *b, const char *text)
{
	uint8_t rest[VFU_PAYLOAD];
	uint32_t len;

	while (client_answer(&b->client, b->client.in.header.command, rest, sizeof(rest), &len) >=
	       0)
		;
	assert_int_equal(b->ended, ++b->closed);
	if (!strstr(b->log->str, text))
		fail_msg("no '%s' in: %s", text, b->log->str);
	g_string_truncate(b->log, 0);
	client_close(&b->client);
	client_open(&b->client, b->server);
	assert_int_equal(client_version(&b->client, NULL), 0);
}

/*
 * The driver.
 */
static void vfu_bench_interrupts(struct vfu_bench *b, bool intx)
{
	const uint32_t given = VFU_IRQ_DATA_EVENTFD | VFU_IRQ_ACTION_TRIGGER;

	assert_int_equal(client_set_irqs(&b->client, intx ? VFU_INTX : VFU_MSIX, given, 0,
					 intx ? 1 : VFU_BENCH_VECTORS, b->irq),
			 0);
	if (!intx)
		virtio_pci_msix(&b->driver, PCI_MSIX_CONTROL_ENABLE);
}

static void vfu_bench_start_queue(struct vfu_bench *b, bool packed, bool intx)
{
	struct drv_config cfg = { .size = VFU_BENCH_SIZE, .packed = packed, .base = b->ram };

	cfg.len = drv_bytes(&cfg);
	assert_true(cfg.len < VFU_BENCH_BUFS && drv_vq_init(&b->vq, &cfg));
	b->regs = (struct virtio_queue){ .index = ECHO_COPY,
					 .size = VFU_BENCH_SIZE,
					 .desc = b->vq.desc,
					 .driver = b->vq.driver,
					 .device = b->vq.device,
					 .vector = intx ? VIRTIO_NO_VECTOR : 1 };
	assert_true(virtio_queue_start(&b->driver, &b->regs));
}

void vfu_bench_begin(struct vfu_bench *b, bool packed, bool intx)
{
	struct virtio_features f = { { (uint64_t)packed << VIRTIO_F_RING_PACKED, 0 } };

	if (!b->client.versioned)
		assert_int_equal(
			client_version(&b->client, "{\"capabilities\":{\"max_msg_fds\":8}}"), 0);
	assert_int_equal(client_map(&b->client, 0, VFU_BENCH_RAM, 0, b->is_far ? -1 : b->memfd), 0);
	if (b->is_far)
		client_serve_memory(&b->client, b->main, &b->far);
	client_place_bars(&b->client);
	assert_true(virtio_pci_probe(&b->driver, &b->io, 0));
	virtio_pci_command(&b->driver,
			   PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
	vfu_bench_interrupts(b, intx);
	assert_true(virtio_negotiate(&b->driver, f));
	if (!intx)
		assert_true(virtio_pci_config_vector(&b->driver, 0));
	vfu_bench_start_queue(b, packed, intx);
	virtio_driver_ok(&b->driver);
}

bool vfu_bench_add(struct vfu_bench *b, uint8_t what)
{
	uint64_t at = VFU_BENCH_BUFS + what * 16ull;
	struct drv_buf bufs[] = { { at, 1 }, { at + 8, 1 } };

	b->ram[at] = what;
	assert_true(drv_add(&b->vq, bufs, 1, 1, b->ram + at) >= 0);
	return drv_publish(&b->vq);
}

void vfu_bench_kick(struct vfu_bench *b)
{
	virtio_notify(&b->driver, &b->regs, 0);
}

void vfu_bench_ask(struct vfu_bench *b, uint8_t what)
{
	if (vfu_bench_add(b, what))
		vfu_bench_kick(b);
}

uint64_t vfu_bench_count(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void vfu_bench_turn(gint64 end, const char *what)
{
	if (g_get_monotonic_time() > end)
		fail_msg("no %s", what);
	client_turn();
}

static gint64 vfu_bench_deadline(void)
{
	return g_get_monotonic_time() + 30ll * G_USEC_PER_SEC;
}

void vfu_bench_await(int fd)
{
	gint64 end = vfu_bench_deadline();

	while (!vfu_bench_count(fd))
		vfu_bench_turn(end, "interrupt");
}

void vfu_bench_await_answer(struct vfu_bench *b, uint8_t what)
{
	gint64 end = vfu_bench_deadline();
	void *cookie = NULL;
	uint32_t len;

	while (!drv_used(&b->vq, &cookie, &len))
		vfu_bench_turn(end, "answer");
	assert_ptr_equal(cookie, b->ram + VFU_BENCH_BUFS + what * 16ul);
	assert_int_equal(b->ram[VFU_BENCH_BUFS + what * 16ul + 8], what);
}

void vfu_assert_answered(struct vfu_bench *b, uint8_t what)
{
	vfu_bench_await(b->irq[b->regs.vector == VIRTIO_NO_VECTOR ? 0 : b->regs.vector]);
	vfu_bench_await_answer(b, what);
}
