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
#include "tests/support/vhost-user-front.h"
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
	int memfd;
	uint8_t *ram;
	int kick, call, err;
};

static const char *level = "on";

static int setup(void **state)
{
	struct process *p = g_new0(struct process, 1);
	g_autofree char *disk = NULL, *device = NULL;

	p->dir = g_dir_make_tmp("ringside-serve-XXXXXX", NULL);
	assert_non_null(p->dir);
	p->socket = g_build_filename(p->dir, "socket", NULL);
	disk = g_build_filename(p->dir, "disk", NULL);
	assert_true(g_file_set_contents(disk, g_strnfill(4096, 'x'), 4096, NULL));
	device = g_strdup_printf("blk,path=%s,iothread=disk", disk);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid == 0) {
		execl("build/ringside", "ringside", "serve", device, "--vhost-user", p->socket,
		      "--sandbox", level, NULL);
		_exit(127);
	}
	p->memfd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(p->memfd, RAM), 0);
	p->ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, p->memfd, 0);
	assert_ptr_not_equal(p->ram, MAP_FAILED);
	assert_true(eventfd_open(&p->kick, "", NULL) && eventfd_open(&p->call, "", NULL) &&
		    eventfd_open(&p->err, "", NULL));
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct process *p = *state;
	g_autofree char *disk = g_build_filename(p->dir, "disk", NULL);

	if (p->pid)
		kill(p->pid, SIGKILL);
	front_close(&p->front);
	munmap(p->ram, RAM);
	close(p->memfd);
	eventfd_close(&p->kick);
	eventfd_close(&p->call);
	eventfd_close(&p->err);
	unlink(disk);
	unlink(p->socket);
	rmdir(p->dir);
	g_free(p->dir);
	g_free(p->socket);
	g_free(p);
	return 0;
}

static void connect_to(struct process *p)
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
	p->front = (struct front){ .fd = fd, .backend_fd = -1, .events_fd = -1 };
}

/* One queue, with a ring at the beginning of the memory. */
static void begin(struct process *p)
{
	struct vhu_mem_region m = { .region = { 0, RAM, USER, 0 } };
	struct vhu_addr a = { .desc = USER + DESC, .avail = USER + AVAIL, .used = USER + USED };
	uint64_t f = 1ull << VIRTIO_F_VERSION_1 | 1ull << VHU_F_PROTOCOL_FEATURES;

	memset(p->ram, 0, RAM);
	connect_to(p);
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
		break_ring(p);
		front_close(&p->front);
	}
	end(p);
}

static int strict_setup(void **state)
{
	level = "strict";
	return setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_disk_serves_one_front_end_after_another, setup,
						teardown),
		{ "a_disk_serves_one_front_end_after_another, strict",
		  a_disk_serves_one_front_end_after_another, strict_setup, teardown, NULL },
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("serve", tests, NULL, NULL);
}
