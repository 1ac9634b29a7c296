/*
 * `ringside serve' as a process, in its sandbox: what its threads do when a driver breaks a ring,
 * when a front-end goes and the next one comes, and at the end. In a program of its own because the
 * tests of the transport have neither a sandbox nor other processes.
 */
#include <glib.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/eventfd.h"
#include "tests/support/vfio-user-client.h"
#include "tests/support/vhost-user-front.h"
#include "transport/pci/regs.h"
#include "virtqueue/vring.h"

#define RAM  (1u << 20)
#define USER 0x7f0000000000ull
#define SIZE 16u
/* Offsets of a split ring in it. */
#define DESC  0x0u
#define AVAIL 0x1000u
#define USED  0x2000u

struct process {
	char *dir, *socket;
	pid_t pid;
	struct front front;
	struct vfu_client client; /* of vfio-user */
	struct virtio_io io;
	struct virtio_dev driver;
	int memfd;
	uint8_t *ram;
	int kick, call, err, intx, unmask;
};

static int setup_with(void **state, const char *protocol, const char *level)
{
	struct process *p = g_new0(struct process, 1);
	g_autofree char *disk = NULL, *device = NULL;

	p->client.socket.fd = -1;
	p->front = (struct front){ -1, -1, -1 };
	p->dir = g_dir_make_tmp("ringside-serve-XXXXXX", NULL);
	assert_non_null(p->dir);
	p->socket = g_build_filename(p->dir, "socket", NULL);
	disk = g_build_filename(p->dir, "disk", NULL);
	assert_true(g_file_set_contents(disk, g_strnfill(4096, 'x'), 4096, NULL));
	device = g_strdup_printf("blk,path=%s,iothread=disk", disk);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid == 0) {
		execl("build/ringside", "ringside", "serve", device, protocol, p->socket,
		      "--sandbox", level, NULL);
		_exit(127);
	}
	p->memfd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(p->memfd, RAM), 0);
	p->ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, p->memfd, 0);
	assert_ptr_not_equal(p->ram, MAP_FAILED);
	assert_true(eventfd_open(&p->kick, "", NULL) && eventfd_open(&p->call, "", NULL) &&
		    eventfd_open(&p->err, "", NULL));
	assert_true(eventfd_open(&p->intx, "", NULL) && eventfd_open(&p->unmask, "", NULL));
	*state = p;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, "--vhost-user", "on");
}

static int strict_setup(void **state)
{
	return setup_with(state, "--vhost-user", "strict");
}

static int vfio_setup(void **state)
{
	return setup_with(state, "--vfio-user", "on");
}

static int vfio_strict_setup(void **state)
{
	return setup_with(state, "--vfio-user", "strict");
}

static int teardown(void **state)
{
	struct process *p = *state;
	g_autofree char *disk = g_build_filename(p->dir, "disk", NULL);

	if (p->pid)
		kill(p->pid, SIGKILL);
	front_close(&p->front);
	client_close(&p->client);
	munmap(p->ram, RAM);
	close(p->memfd);
	eventfd_close(&p->kick);
	eventfd_close(&p->call);
	eventfd_close(&p->err);
	eventfd_close(&p->intx);
	eventfd_close(&p->unmask);
	unlink(disk);
	unlink(p->socket);
	rmdir(p->dir);
	g_free(p->dir);
	g_free(p->socket);
	g_free(p);
	return 0;
}

/* A connection to it. */
static int connect_to(struct process *p)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	gint64 end = g_get_monotonic_time() + 60ll * G_USEC_PER_SEC;

	g_strlcpy(to.sun_path, p->socket, sizeof(to.sun_path));
	while (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		if (g_get_monotonic_time() > end)
			fail_msg("ringside serve does not come up");
		g_usleep(10000);
	}
	return fd;
}

/* One queue, with a ring at the beginning of the memory. */
static void begin(struct process *p)
{
	struct vhu_mem_region m = { .region = { 0, RAM, USER, 0 } };
	struct vhu_addr a = { .desc = USER + DESC, .avail = USER + AVAIL, .used = USER + USED };
	uint64_t f = 1ull << VIRTIO_F_VERSION_1 | 1ull << VHU_F_PROTOCOL_FEATURES;

	memset(p->ram, 0, RAM);
	p->front = (struct front){ .fd = connect_to(p), .backend_fd = -1, .events_fd = -1 };
	front_begin(&p->front, UINT64_MAX);
	assert_true(front_set_u64(&p->front, VHU_SET_FEATURES, f, -1));
	assert_true(front_set(&p->front, VHU_ADD_MEM_REG, &m, sizeof(m), p->memfd));
	assert_true(front_set_state(&p->front, VHU_SET_VRING_NUM, 0, SIZE));
	assert_true(front_set_state(&p->front, VHU_SET_VRING_BASE, 0, 0));
	assert_true(front_set(&p->front, VHU_SET_VRING_ADDR, &a, sizeof(a), -1));
	assert_true(front_set_u64(&p->front, VHU_SET_VRING_ERR, 0, p->err));
	assert_true(front_set_u64(&p->front, VHU_SET_VRING_CALL, 0, p->call));
	assert_true(front_set_u64(&p->front, VHU_SET_VRING_KICK, 0, p->kick));
	assert_true(front_set_state(&p->front, VHU_SET_VRING_ENABLE, 0, 1));
}

static void await(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t count;

	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
}

/* A sector, read: header, data, status. */
static void read_sector(struct process *p)
{
	struct vring_desc *desc = (void *)(p->ram + DESC);
	struct vring_avail *avail = (void *)(p->ram + AVAIL);

	desc[0] = (struct vring_desc){ cpu_le64(0x3000), cpu_le32(16), cpu_le16(1), cpu_le16(1) };
	desc[1] = (struct vring_desc){ cpu_le64(0x4000), cpu_le32(512), cpu_le16(3), cpu_le16(2) };
	desc[2] = (struct vring_desc){ cpu_le64(0x5000), cpu_le32(1), cpu_le16(2), 0 };
	p->ram[0x5000] = 0xff;
	__atomic_store_n(&avail->idx, cpu_le16(1), __ATOMIC_RELEASE);
	eventfd_signal(p->kick);
	await(p->call);
	assert_int_equal(p->ram[0x5000], 0);
	assert_int_equal(p->ram[0x4000 + 511], 'x');
}

static void break_ring(struct process *p)
{
	struct vring_avail *avail = (void *)(p->ram + AVAIL);

	__atomic_store_n(&avail->idx, cpu_le16(SIZE + 5), __ATOMIC_RELEASE);
	eventfd_signal(p->kick);
	await(p->err);
	assert_true(front_get(&p->front, VHU_GET_STATUS) & VIRTIO_S_NEEDS_RESET);
	assert_true(front_config_changes(&p->front) > 0); /* by the queue's own thread */
}

/* Memory that goes away under the queue's thread: the front-end's fault, and the next one's concern
 * no more. */
static void shorten(struct process *p)
{
	char byte;

	assert_int_equal(ftruncate(p->memfd, 0), 0);
	eventfd_signal(p->kick);
	while (recv(p->front.fd, &byte, 1, 0) > 0)
		;
	assert_int_equal(ftruncate(p->memfd, RAM), 0);
	(void)!read(p->err, &(uint64_t){ 0 },
		    sizeof(uint64_t)); /* a ring of zeroes may be broken */
}

static void end(struct process *p)
{
	int status;

	kill(p->pid, SIGTERM);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	p->pid = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_false(g_file_test(p->socket, G_FILE_TEST_EXISTS));
}

static void a_disk_serves_one_front_end_after_another(void **state)
{
	struct process *p = *state;

	for (int i = 0; i < 3; i++) {
		begin(p);
		read_sector(p);
		if (i == 1)
			shorten(p);
		else
			break_ring(p);
		front_close(&p->front);
	}
	end(p);
}

/*
 * The same by vfio-user: kicks are the eventfds that the process gives.
 */
static void take_doorbell(struct process *p)
{
	uint8_t bytes[16 + 40 * MSG_FDS_MAX] = { 0 };
	struct vfu_io_fds ask = { .argsz = sizeof(bytes) };
	uint32_t len;

	assert_true(client_send(&p->client, VFU_GET_REGION_IO_FDS, 0, &ask, sizeof(ask), NULL, 0));
	assert_int_equal(
		client_answer(&p->client, VFU_GET_REGION_IO_FDS, bytes, sizeof(bytes), &len), 0);
	assert_int_equal(p->client.n_fds, 1);
	eventfd_close(&p->kick);
	p->kick = p->client.fds[0];
}

static void give_interrupt(struct process *p, uint32_t vector, int fd)
{
	assert_int_equal(client_set_irqs(&p->client, VFU_MSIX,
					 VFU_IRQ_DATA_EVENTFD | VFU_IRQ_ACTION_TRIGGER, vector, 1,
					 fd < 0 ? NULL : &fd),
			 0);
}

static void vfio_begin(struct process *p)
{
	struct virtio_queue q = {
		.size = SIZE, .desc = DESC, .driver = AVAIL, .device = USED, .vector = 1
	};

	memset(p->ram, 0, RAM);
	client_begin(&p->client, connect_to(p));
	assert_int_equal(client_version(&p->client, "{\"capabilities\":{\"max_msg_fds\":8}}"), 0);
	assert_int_equal(client_map(&p->client, 0, RAM, 0, p->memfd), 0);
	client_place_bars(&p->client);
	p->io = client_io(&p->client);
	assert_true(virtio_pci_probe(&p->driver, &p->io, 0));
	virtio_pci_command(&p->driver, PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
	virtio_pci_msix(&p->driver, PCI_MSIX_CONTROL_ENABLE);
	take_doorbell(p);
	give_interrupt(p, 0, p->err);
	give_interrupt(p, 1, p->call);
	assert_true(virtio_negotiate(&p->driver, (struct virtio_features){ { 0, 0 } }));
	assert_true(virtio_pci_config_vector(&p->driver, 0));
	assert_true(virtio_queue_start(&p->driver, &q));
	virtio_driver_ok(&p->driver);
}

/* In pieces, of which one cannot be written: each kind of mapping there is. */
static void vfio_change_memory(struct process *p)
{
	struct vfu_dma_map rom = { sizeof(rom), VFU_DMA_READABLE, RAM / 2, RAM / 2, RAM / 2 };

	assert_int_equal(client_unmap(&p->client, 0, RAM), 0);
	assert_int_equal(client_map(&p->client, 0, RAM / 2, 0, p->memfd), 0);
	assert_int_equal(client_ask(&p->client, VFU_DMA_MAP, &rom, sizeof(rom), p->memfd), 0);
}

/* A vector is taken and given back, and INTx used, for their calls. */
static void vfio_change_interrupts(struct process *p)
{
	give_interrupt(p, 1, -1);
	give_interrupt(p, 1, p->call);
	virtio_pci_msix(&p->driver, 0);
	assert_int_equal(client_set_irqs(&p->client, VFU_INTX,
					 VFU_IRQ_DATA_EVENTFD | VFU_IRQ_ACTION_TRIGGER, 0, 1,
					 &p->intx),
			 0);
	assert_int_equal(client_set_irqs(&p->client, VFU_INTX,
					 VFU_IRQ_DATA_EVENTFD | VFU_IRQ_ACTION_UNMASK, 0, 1,
					 &p->unmask),
			 0);
	eventfd_signal(p->unmask);
	virtio_pci_msix(&p->driver, PCI_MSIX_CONTROL_ENABLE);
}

static void vfio_break_ring(struct process *p)
{
	struct vring_avail *avail = (void *)(p->ram + AVAIL);

	__atomic_store_n(&avail->idx, cpu_le16(SIZE + 5), __ATOMIC_RELEASE);
	eventfd_signal(p->kick);
	await(p->err);
	assert_true(virtio_status(&p->driver) & VIRTIO_S_NEEDS_RESET);
}

static void a_disk_serves_one_client_after_another(void **state)
{
	struct process *p = *state;

	for (int i = 0; i < 3; i++) {
		vfio_begin(p);
		vfio_change_memory(p);
		vfio_change_interrupts(p);
		read_sector(p);
		vfio_break_ring(p);
		assert_int_equal(client_ask(&p->client, VFU_RESET, NULL, 0, -1), 0);
		if (i == 1) /* malformed */
			assert_int_equal(client_ask(&p->client, VFU_RESET, &(int){ 0 }, 4, -1), -1);
		client_close(&p->client);
	}
	end(p);
}

/*
 * The operator's mistakes.
 */
static void a_socket_that_cannot_be_is_said(void **state)
{
	static const struct {
		const char *args[5], *says;
	} wrong[] = {
		{ { "rng" }, "serve: where to?" },
		{ { "rng", "--vhost-user", "a", "--vfio-user", "b" }, "one of --vhost-user" },
		{ { "rng", "--vfio-user", "connect:/nowhere/s" },
		  "--vfio-user connect:/nowhere/s: No such file" },
		{ { "rng", "--vfio-user", "fd:99" }, "--vfio-user fd:99: no stream socket" },
		{ { "rng", "--vhost-user", "fd:x" }, "--vhost-user fd:x: no number" },
		{ { "nothing", "--vfio-user", "a" }, "serve nothing: there is no such device" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		const char *argv[8] = { "build/ringside", "serve" };
		g_autofree char *said = NULL;
		int status = 0;

		memcpy(argv + 2, wrong[i].args, sizeof(wrong[i].args));
		assert_true(g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, NULL, &said,
					 &status, NULL));
		assert_true(WIFEXITED(status) && WEXITSTATUS(status));
		if (!strstr(said, wrong[i].says))
			fail_msg("no '%s' in: %s", wrong[i].says, said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_disk_serves_one_front_end_after_another, setup,
						teardown),
		{ "a_disk_serves_one_front_end_after_another, strict",
		  a_disk_serves_one_front_end_after_another, strict_setup, teardown, NULL },
		cmocka_unit_test_setup_teardown(a_disk_serves_one_client_after_another, vfio_setup,
						teardown),
		{ "a_disk_serves_one_client_after_another, strict",
		  a_disk_serves_one_client_after_another, vfio_strict_setup, teardown, NULL },
		cmocka_unit_test(a_socket_that_cannot_be_is_said),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("serve", tests, NULL, NULL);
}
