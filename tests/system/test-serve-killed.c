/*
 * A disk by `ringside serve' that is killed (SIGKILL) at random moments, in the middle of I/O, and
 * started again. The front-end is ours, and keeps what is in flight for it (INFLIGHT_SHMFD); its
 * driver writes blocks that say which they are and how often they were written, reads others and
 * compares. No request may get stuck, none that was completed may be undone, and what was written
 * again may not be overwritten by what was before it.
 *
 * RINGSIDE_KILLS in the environment: how often, for each ring.
 */
#include <glib.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/eventfd.h"
#include "tests/support/vhost-user-front.h"
#include "virtqueue/driver/drv.h"

#define RAM    (1u << 20)
#define USER   0x7f0000000000ull
#define SIZE   64u
#define SLOTS  20u      /* requests at a time */
#define ROOM   0x2000u  /* of a request, in memory, */
#define FIRST  0x40000u /* from here on */
#define BLOCK  4096u
#define BLOCKS 64u

enum { READ, WRITE };

struct request {
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} * header;
	uint64_t *data;
	uint8_t *status;
	unsigned block;
	bool busy, write;
};

struct killed {
	char *dir, *socket, *disk;
	bool packed;
	GRand *rand;
	pid_t pid;
	struct front front;
	int memfd, kick, call, inflight_fd;
	struct vhu_inflight inflight;
	uint8_t *ram;
	struct drv_vq vq;
	struct request request[SLOTS];
	uint64_t written[BLOCKS]; /* how often, as far as completed */
	bool in_use[BLOCKS];      /* by a request under way */
	unsigned long done, kills, hit, busy;
};

static bool is_packed;

/*
 * The process.
 */
static void start(struct killed *k)
{
	g_autofree char *device = g_strdup_printf("blk,path=%s,iothread=disk,ring=%s", k->disk,
						  k->packed ? "packed" : "split");

	k->pid = fork();
	assert_true(k->pid >= 0);
	if (k->pid == 0) {
		execl("build/ringside", "ringside", "serve", device, "--vhost-user", k->socket,
		      NULL);
		_exit(127);
	}
}

static void connect_to(struct killed *k)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	gint64 end = g_get_monotonic_time() + 100ll * G_USEC_PER_SEC;

	g_strlcpy(to.sun_path, k->socket, sizeof(to.sun_path));
	while (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		if (g_get_monotonic_time() > end)
			fail_msg("ringside serve does not come up");
		g_usleep(1000);
	}
	k->front = (struct front){ .fd = fd, .backend_fd = -1, .events_fd = -1 };
}

/* The first time the back-end makes the buffer, afterwards it gets it back. */
static void give_inflight(struct killed *k)
{
	struct vhu_inflight i = { .n_queues = 1, .queue_size = SIZE };

	if (k->inflight_fd < 0) {
		assert_true(front_send(&k->front, VHU_GET_INFLIGHT_FD, 0, &i, sizeof(i), NULL, 0));
		assert_int_equal(front_answer_fd(&k->front, VHU_GET_INFLIGHT_FD, &k->inflight,
						 sizeof(i), &k->inflight_fd),
				 sizeof(i));
		assert_true(k->inflight_fd >= 0);
	}
	assert_true(front_set(&k->front, VHU_SET_INFLIGHT_FD, &k->inflight, sizeof(k->inflight),
			      k->inflight_fd));
}

static void begin(struct killed *k)
{
	struct vhu_mem_region m = { .region = { 0, RAM, USER, 0 } };
	struct vhu_addr a = { .desc = USER + k->vq.desc,
			      .avail = USER + k->vq.driver,
			      .used = USER + k->vq.device };
	uint64_t f = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_EVENT_IDX |
		     (uint64_t)k->packed << VIRTIO_F_RING_PACKED | 1ull << VHU_F_PROTOCOL_FEATURES;

	start(k);
	connect_to(k);
	front_begin(&k->front, UINT64_MAX);
	assert_true(front_set_u64(&k->front, VHU_SET_FEATURES, f, -1));
	give_inflight(k);
	assert_true(front_set(&k->front, VHU_ADD_MEM_REG, &m, sizeof(m), k->memfd));
	assert_true(front_set_state(&k->front, VHU_SET_VRING_NUM, 0, SIZE));
	/* Where it was is not known any more: the buffer knows. */
	assert_true(front_set_state(&k->front, VHU_SET_VRING_BASE, 0, k->packed ? 0x80008000 : 0));
	assert_true(front_set(&k->front, VHU_SET_VRING_ADDR, &a, sizeof(a), -1));
	assert_true(front_set_u64(&k->front, VHU_SET_VRING_CALL, 0, k->call));
	assert_true(front_set_u64(&k->front, VHU_SET_VRING_KICK, 0, k->kick));
	assert_true(front_set_state(&k->front, VHU_SET_VRING_ENABLE, 0, 1));
}

static void end(struct killed *k)
{
	kill(k->pid, SIGKILL);
	assert_int_equal(waitpid(k->pid, NULL, 0), k->pid);
	front_close(&k->front);
}

/*
 * The driver.
 */
static void fill(struct request *r, uint64_t number)
{
	for (unsigned i = 0; i < BLOCK / 8; i += 2) {
		r->data[i] = r->block;
		r->data[i + 1] = number;
	}
}

static void check(const struct request *r, uint64_t number)
{
	for (unsigned i = 0; i < BLOCK / 8; i += 2)
		if (r->data[i + 1] != number || (number && r->data[i] != r->block))
			fail_msg("block %u says that it is block %lu, written %lu times, not %lu",
				 r->block, r->data[i], r->data[i + 1], number);
}

static void ask(struct killed *k, struct request *r)
{
	uint64_t at = FIRST + (uint64_t)(r - k->request) * ROOM;
	struct drv_buf bufs[] = { { at, 16 }, { at + 4096, BLOCK }, { at + 16, 1 } };

	do
		r->block = (unsigned)g_rand_int_range(k->rand, 0, BLOCKS);
	while (k->in_use[r->block]);
	r->write = g_rand_int_range(k->rand, 0, 3) > 0;
	r->busy = k->in_use[r->block] = true;
	k->busy++;
	r->header->type = r->write ? 1 : 0;
	r->header->sector = r->block * (BLOCK / 512ull);
	*r->status = 0xff;
	fill(r, r->write ? k->written[r->block] + 1 : UINT64_MAX);
	assert_true(drv_add(&k->vq, bufs, r->write ? 2 : 1, r->write ? 1 : 2, r) >= 0);
}

static void answered(struct killed *k, struct request *r)
{
	assert_true(r->busy);
	assert_int_equal(*r->status, 0);
	if (r->write)
		k->written[r->block]++;
	else
		check(r, k->written[r->block]);
	r->busy = k->in_use[r->block] = false;
	k->busy--;
	k->done++;
}

static void take_answers(struct killed *k)
{
	void *cookie;
	uint32_t len;

	while (drv_used(&k->vq, &cookie, &len))
		answered(k, cookie);
	if (k->vq.broken)
		fail_msg("the driver finds %s", k->vq.broken);
}

/* Keeps it busy until @until, or, if @last, until all is answered. */
static void work(struct killed *k, gint64 until, bool last)
{
	struct pollfd p = { k->call, POLLIN, 0 };
	gint64 stuck = g_get_monotonic_time() + 60ll * G_USEC_PER_SEC;
	uint64_t count;

	while (last ? k->busy > 0 : g_get_monotonic_time() < until) {
		for (unsigned i = 0; i < SLOTS && !last; i++)
			if (!k->request[i].busy)
				ask(k, &k->request[i]);
		if (drv_publish(&k->vq))
			eventfd_signal(k->kick);
		if (!drv_enable_notify(&k->vq) || poll(&p, 1, 1) > 0)
			(void)!read(k->call, &count, sizeof(count));
		take_answers(k);
		if (g_get_monotonic_time() > stuck)
			fail_msg("%lu requests are stuck", k->busy);
	}
}

/* What is in the file at last. */
static void check_disk(struct killed *k)
{
	g_autofree char *bytes = NULL;
	gsize len;

	assert_true(g_file_get_contents(k->disk, &bytes, &len, NULL));
	assert_int_equal(len, BLOCK * BLOCKS);
	for (unsigned b = 0; b < BLOCKS; b++) {
		struct request r = { .data = (uint64_t *)(bytes + (gsize)b * BLOCK), .block = b };

		check(&r, k->written[b]);
	}
}

static void nothing_is_lost(void **state)
{
	struct killed *k = *state;
	const char *wish = getenv("RINGSIDE_KILLS");
	unsigned long kills = wish ? strtoul(wish, NULL, 10) : 12;

	begin(k);
	while (k->kills < kills) {
		work(k, g_get_monotonic_time() + g_rand_int_range(k->rand, 0, 30000), false);
		end(k);
		take_answers(k); /* what it had shown before its end */
		k->kills++;
		k->hit += k->busy > 0;
		begin(k);
		if (k->kills % 4 == 0)
			work(k, 0, true);
	}
	work(k, 0, true);
	check_disk(k);
	print_message("%lu kills, %lu of them with requests under way; %lu requests\n", k->kills,
		      k->hit, k->done);
	assert_true(k->hit > 0 && k->done > kills);
	end(k);
}

/*
 * Set-up.
 */
static int setup(void **state)
{
	struct drv_config cfg = { .size = SIZE, .packed = is_packed, .event_idx = true };
	static const char empty[BLOCK * BLOCKS];
	struct killed *k = g_new0(struct killed, 1);

	k->packed = is_packed;
	k->rand = g_rand_new_with_seed(is_packed ? 7 : 8);
	k->inflight_fd = -1;
	k->dir = g_dir_make_tmp("ringside-killed-XXXXXX", NULL);
	assert_non_null(k->dir);
	k->socket = g_build_filename(k->dir, "socket", NULL);
	k->disk = g_build_filename(k->dir, "disk", NULL);
	assert_true(g_file_set_contents(k->disk, empty, sizeof(empty), NULL));
	k->memfd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(k->memfd, RAM), 0);
	k->ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, k->memfd, 0);
	assert_ptr_not_equal(k->ram, MAP_FAILED);
	assert_true(eventfd_open(&k->kick, "", NULL) && eventfd_open(&k->call, "", NULL));
	cfg.base = k->ram;
	cfg.len = drv_bytes(&cfg);
	assert_true(cfg.len < FIRST && drv_vq_init(&k->vq, &cfg));
	for (unsigned i = 0; i < SLOTS; i++) {
		uint8_t *at = k->ram + FIRST + (size_t)i * ROOM;

		k->request[i].header = (void *)at;
		k->request[i].status = at + 16;
		k->request[i].data = (void *)(at + 4096);
	}
	*state = k;
	return 0;
}

static int packed_setup(void **state)
{
	is_packed = true;
	return setup(state);
}

static int teardown(void **state)
{
	struct killed *k = *state;

	unlink(k->disk);
	unlink(k->socket);
	rmdir(k->dir);
	munmap(k->ram, RAM);
	close(k->memfd);
	close(k->inflight_fd);
	eventfd_close(&k->kick);
	eventfd_close(&k->call);
	g_rand_free(k->rand);
	g_free(k->dir);
	g_free(k->socket);
	g_free(k->disk);
	g_free(k);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "nothing_is_lost, split", nothing_is_lost, setup, teardown, NULL },
		{ "nothing_is_lost, packed", nothing_is_lost, packed_setup, teardown, NULL },
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("serve-killed", tests, NULL, NULL);
}
