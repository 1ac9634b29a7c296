/*
 * vhost-user's back-end against a front-end of the test's own: what messages do, and what becomes
 * of those that are wrong. That devices work over it is shown by tests/device, over the rig's link;
 * that QEMU's messages are understood, by tests/system/vhost-user.
 */
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/eventfd.h"
#include "devices/base/given.h"
#include "devices/base/msg-socket.h"
#include "tests/support/echo.h"
#include "tests/support/open-files.h"
#include "tests/support/vhost-user-bench.h"
#include "transport/vhost-user/vhost-user.h"
#include "virtqueue/driver/drv.h"

/*
 * Messages.
 */
static const struct {
	uint32_t request, size;
} sized[] = {
	{ VHU_GET_FEATURES, 0 },
	{ VHU_SET_FEATURES, 8 },
	{ VHU_SET_OWNER, 0 },
	{ VHU_SET_VRING_NUM, 8 },
	{ VHU_SET_VRING_ADDR, 40 },
	{ VHU_SET_VRING_BASE, 8 },
	{ VHU_GET_VRING_BASE, 8 },
	{ VHU_SET_VRING_KICK, 8 },
	{ VHU_SET_VRING_CALL, 8 },
	{ VHU_SET_VRING_ERR, 8 },
	{ VHU_GET_PROTOCOL_FEATURES, 0 },
	{ VHU_SET_PROTOCOL_FEATURES, 8 },
	{ VHU_GET_QUEUE_NUM, 0 },
	{ VHU_SET_VRING_ENABLE, 8 },
	{ VHU_SET_BACKEND_REQ_FD, 0 },
	{ VHU_RESET_DEVICE, 0 },
	{ VHU_GET_MAX_MEM_SLOTS, 0 },
	{ VHU_ADD_MEM_REG, 40 },
	{ VHU_REM_MEM_REG, 40 },
	{ VHU_SET_STATUS, 8 },
	{ VHU_GET_STATUS, 0 },
	{ VHU_SET_LOG_BASE, 16 },
};

static void each_message_has_its_size(void **state)
{
	static const uint8_t zeroes[64];
	struct vhu_bench *b = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(sized); i++)
		for (int by = -1; by <= 1; by += 2) {
			if (by < 0 && !sized[i].size)
				continue;
			front_begin(&b->front, UINT64_MAX);
			assert_true(front_send(&b->front, sized[i].request, 0, zeroes,
					       sized[i].size + (uint32_t)by, NULL, 0));
			vhu_assert_closed(b, "payload of another size");
		}
}

static void what_is_not_known_ends_the_connection(void **state)
{
	static const uint32_t unknown[] = {
		0, VHU_IOTLB_MSG, VHU_POSTCOPY_ADVISE, VHU_VRING_KICK, VHU_N_REQUESTS, UINT32_MAX
	};
	struct vhu_bench *b = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(unknown); i++) {
		front_begin(&b->front, UINT64_MAX);
		assert_true(front_send(&b->front, unknown[i], 0, NULL, 0, NULL, 0));
		vhu_assert_closed(b, "not among what was offered");
	}
	/* And what belongs to a feature that was not negotiated. */
	assert_true(front_send(&b->front, VHU_GET_STATUS, 0, NULL, 0, NULL, 0));
	vhu_assert_closed(b, "not among what was offered");
}

/* Page faults (postcopy), XEN_MMAP, shared objects, and whatever is thought of next. */
static void only_protocol_features_that_are_offered_can_be_accepted(void **state)
{
	static const uint32_t postcopy[] = { VHU_POSTCOPY_ADVISE, VHU_POSTCOPY_LISTEN,
					     VHU_POSTCOPY_END };
	struct vhu_bench *b = *state;
	uint64_t f = front_get(&b->front, VHU_GET_PROTOCOL_FEATURES);

	assert_false(f >> 8 & 1);
	assert_false(f >> 17 & 3);
	assert_int_equal(f >> 20, 0);
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t with = f | 1ull << bit;

		if (f >> bit & 1)
			continue;
		assert_true(front_send(&b->front, VHU_SET_PROTOCOL_FEATURES, 0, &with, sizeof(with),
				       NULL, 0));
		vhu_assert_closed(b, "protocol features that were not offered");
	}
	for (size_t i = 0; i < G_N_ELEMENTS(postcopy); i++) {
		front_begin(&b->front, UINT64_MAX);
		assert_true(front_send(&b->front, postcopy[i], 0, NULL, 0, NULL, 0));
		vhu_assert_closed(b, "not among what was offered");
	}
}

static void a_header_is_looked_at_before_its_payload_comes(void **state)
{
	static const struct vhu_header broken[] = {
		{ VHU_GET_FEATURES, VHU_VERSION, VHU_PAYLOAD + 1 },
		{ VHU_GET_FEATURES, VHU_VERSION, UINT32_MAX },
		{ VHU_GET_FEATURES, 0, 0 },
		{ VHU_GET_FEATURES, 2, 0 },
	};
	struct vhu_bench *b = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(broken); i++) {
		assert_int_equal(send(b->front.fd, &broken[i], sizeof(broken[i]), 0),
				 sizeof(broken[i]));
		vhu_assert_closed(b, "no message of vhost-user");
	}
}

static void descriptors_that_belong_to_nothing_end_the_connection(void **state)
{
	struct vhu_bench *b = *state;
	int fds[24];

	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		fds[i] = b->kick;
	assert_true(front_send(&b->front, VHU_GET_FEATURES, 0, NULL, 0, fds, 1));
	vhu_assert_closed(b, "more descriptors");
	assert_true(front_send(&b->front, VHU_GET_FEATURES, 0, NULL, 0, fds, MSG_FDS_MAX + 1));
	vhu_assert_closed(b, "no message of vhost-user");
	assert_true(front_send(&b->front, VHU_GET_FEATURES, 0, NULL, 0, fds, 24));
	vhu_assert_closed(b, "no message of vhost-user");
}

static void a_message_may_come_in_pieces(void **state)
{
	const struct vhu_header h = { VHU_GET_FEATURES, VHU_VERSION, 0 };
	struct vhu_bench *b = *state;
	uint64_t features;

	for (size_t i = 0; i < sizeof(h); i++) {
		assert_int_equal(send(b->front.fd, (const char *)&h + i, 1, 0), 1);
		front_turn();
	}
	assert_int_equal(front_answer(&b->front, VHU_GET_FEATURES, &features, 8), 8);
}

static void half_a_message_and_no_more_is_an_end_like_others(void **state)
{
	struct vhu_bench *b = *state;

	assert_int_equal(send(b->front.fd, "half", 4, 0), 4);
	front_close(&b->front);
	for (int i = 0; i < 1000 && !b->ended; i++)
		front_turn();
	assert_int_equal(b->ended, 1);
	assert_string_equal(b->log->str, "");
}

static void there_is_one_front_end_at_a_time(void **state)
{
	struct vhu_bench *b = *state;
	int pair[2];
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_false(vhost_user_connect(b->back, pair[1]));
	assert_int_equal(read(pair[0], &byte, 1), 0);
	close(pair[0]);
	assert_true(front_get(&b->front, VHU_GET_FEATURES));
}

/*
 * Features, configuration, status.
 */
static void only_what_is_offered_can_be_accepted(void **state)
{
	struct vhu_bench *b = *state;
	uint64_t f = front_get(&b->front, VHU_GET_FEATURES);

	assert_false(f >> VIRTIO_F_ACCESS_PLATFORM & 1);
	assert_false(f >> VIRTIO_F_NOTIFICATION_DATA & 1);
	assert_false(f >> VIRTIO_F_RING_RESET & 1);
	for (unsigned bit = 0; bit < 64; bit++) {
		if (f >> bit & 1)
			continue;
		front_begin(&b->front, UINT64_MAX);
		assert_false(front_set_u64(&b->front, VHU_SET_FEATURES, f | 1ull << bit, -1));
		vhu_assert_closed(b, "features that were not offered");
	}
}

static void configuration_reads_as_nothing_beyond_its_end(void **state)
{
	struct vhu_bench *b = *state;
	struct vhu_config c = { .offset = 0, .len = VHU_CONFIG_MAX };

	front_begin(&b->front, UINT64_MAX);
	echo_set_pair(b->dev, 0x11223344, true);
	assert_true(front_send(&b->front, VHU_GET_CONFIG, 0, &c, 12 + VHU_CONFIG_MAX, NULL, 0));
	assert_int_equal(front_answer(&b->front, VHU_GET_CONFIG, &c, sizeof(c)), sizeof(c));
	assert_memory_equal(c.bytes, "\x44\x33\x22\x11\x44\x33\x22\x11", 8);
	for (unsigned i = 20; i < VHU_CONFIG_MAX; i++)
		assert_int_equal(c.bytes[i], 0);
	c = (struct vhu_config){ .offset = ECHO_WRITABLE, .len = 2, .bytes = { 5, 6 } };
	assert_true(front_set(&b->front, VHU_SET_CONFIG, &c, 12 + 2, -1));
	assert_true(front_send(&b->front, VHU_GET_CONFIG, 0, &c, 12 + 2, NULL, 0));
	assert_int_equal(front_answer(&b->front, VHU_GET_CONFIG, &c, sizeof(c)), 14);
	assert_memory_equal(c.bytes, "\x06\x07", 2);
	c.offset = VHU_CONFIG_MAX - 1;
	assert_true(front_send(&b->front, VHU_GET_CONFIG, 0, &c, 12 + 2, NULL, 0));
	vhu_assert_closed(b, "beyond the space");
	front_begin(&b->front, UINT64_MAX);
	c.offset = 0;
	assert_true(front_send(&b->front, VHU_GET_CONFIG, 0, &c, 12 + 1, NULL, 0));
	vhu_assert_closed(b, "another size than it says");
}

/*
 * Memory.
 */
static void memory_that_cannot_be_is_refused(void **state)
{
	static const struct {
		struct vhu_region region;
		const char *why;
	} wrong[] = {
		{ { 0, 0, BENCH_HIGH, 0 }, "impossible size" },
		{ { 0, UINT64_MAX, BENCH_HIGH, 0 }, "impossible" },
		{ { 0, BENCH_RAM, BENCH_HIGH, UINT64_MAX - 4095 }, "impossible" },
		{ { 0, BENCH_RAM, UINT64_MAX - 10, 0 }, "impossible" },
		{ { 0, BENCH_RAM + 1, BENCH_HIGH, 0 }, "too short" },
		{ { 0, BENCH_RAM, BENCH_HIGH, 4096 }, "too short" },
		{ { UINT64_MAX - 4095, BENCH_RAM, BENCH_HIGH, 0 }, "wraps" },
		{ { 0x1001, 4096, BENCH_HIGH, 0 }, "aligned" },
	};
	struct vhu_bench *b = *state;
	struct vhu_mem_region m;

	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		front_begin(&b->front, UINT64_MAX);
		m.region = wrong[i].region;
		assert_false(front_set(&b->front, VHU_ADD_MEM_REG, &m, sizeof(m), b->memfd));
		vhu_assert_closed(b, wrong[i].why);
		assert_int_equal(b->mem.n, 0);
	}
	m.region = (struct vhu_region){ 0, BENCH_RAM, BENCH_HIGH, 0 };
	front_begin(&b->front, UINT64_MAX);
	assert_false(front_set(&b->front, VHU_ADD_MEM_REG, &m, sizeof(m), -1));
	vhu_assert_closed(b, "without a descriptor");
	front_begin(&b->front, UINT64_MAX);
	assert_true(front_set(&b->front, VHU_ADD_MEM_REG, &m, sizeof(m), b->memfd));
	m.region.gpa = BENCH_RAM / 2;
	assert_false(front_set(&b->front, VHU_ADD_MEM_REG, &m, sizeof(m), b->memfd));
	vhu_assert_closed(b, "overlaps");
	front_begin(&b->front, UINT64_MAX);
	assert_false(front_set(&b->front, VHU_REM_MEM_REG, &m, sizeof(m), -1));
	vhu_assert_closed(b, "not there");
}

/* No part of a file of that name is mapped here. */
static bool is_unmapped(const char *name)
{
	g_autofree char *maps = NULL;

	assert_true(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
	return !strstr(maps, name);
}

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!given_fault(info->si_addr))
		signal(sig, SIG_DFL);
}

/* Under a ring that runs, and elsewhere: the connection ends, and nothing else. */
static void a_file_may_be_shortened(void **state)
{
	struct sigaction bus = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO }, old;
	struct vhu_bench *b = *state;

	assert_int_equal(sigaction(SIGBUS, &bus, &old), 0);
	for (int i = 0; i < 6; i++) {
		vhu_bench_begin(b, i % 2, 0);
		vhu_bench_ask(b, 1);
		vhu_assert_answered(b, 1);
		vhu_bench_ask(b, 2);
		assert_int_equal(ftruncate(b->memfd, i < 3 ? 0 : BENCH_BUFS), 0);
		vhu_assert_closed(b, "has become shorter");
		assert_int_equal(ftruncate(b->memfd, BENCH_RAM), 0);
	}
	sigaction(SIGBUS, &old, NULL);
	assert_false(given_fault(b));
}

/* Where pages are huge, what is mapped begins and ends with them; here there are none to be had, so
 * that touching them is a fault as above. */
static void memory_in_huge_pages_is_mapped_anywhere(void **state)
{
	struct vhu_bench *b = *state;
	struct vhu_mem_region m = { .region = { 0x3000, 0x5000, BENCH_HIGH, 0x203000 } };
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | 21u << 26 /* 2 MiB */);
	unsigned files;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	front_begin(&b->front, UINT64_MAX);
	files = open_files();
	for (int i = 0; i < 3; i++) {
		assert_true(front_set(&b->front, VHU_ADD_MEM_REG, &m, sizeof(m), fd));
		assert_int_equal(b->mem.n, 1);
		assert_int_equal((uintptr_t)b->mem.region[0].hva % (2 << 20), 0x3000);
		assert_true(front_set(&b->front, VHU_REM_MEM_REG, &m, sizeof(m), -1));
	}
	assert_int_equal(open_files(), files);
	assert_true(is_unmapped("huge"));
	close(fd);
}

static void a_memory_table_has_as_many_descriptors_as_regions(void **state)
{
	struct vhu_mem_table t = {
		.n = 2, .region = { { 0, 4096, BENCH_HIGH, 0 }, { 8192, 4096, BENCH_HIGH, 0 } }
	};
	const uint32_t size = 8 + 2 * sizeof(t.region[0]);
	struct vhu_bench *b = *state;
	int fds[] = { b->memfd, b->memfd };

	assert_true(front_send(&b->front, VHU_SET_MEM_TABLE, 0, &t, size, fds, 2));
	front_get(&b->front, VHU_GET_FEATURES);
	assert_int_equal(b->mem.n, 2);
	assert_true(front_send(&b->front, VHU_SET_MEM_TABLE, 0, &t, size, fds, 1));
	vhu_assert_closed(b, "another number of descriptors");
	assert_true(front_send(&b->front, VHU_SET_MEM_TABLE, 0, &t, size - 1, fds, 2));
	vhu_assert_closed(b, "another size than it says");
	t.n = VHU_MEM_MAX + 1;
	assert_true(front_send(&b->front, VHU_SET_MEM_TABLE, 0, &t, size, fds, 2));
	vhu_assert_closed(b, "another size than it says");
	assert_int_equal(b->mem.n, 0);
}

/*
 * Rings.
 */
static void goes_on(struct vhu_bench *b, bool packed)
{
	uint32_t base;

	vhu_bench_begin(b, packed, 0x10000000);
	for (uint8_t i = 1; i <= 100; i++) {
		vhu_bench_ask(b, i);
		vhu_assert_answered(b, i);
		if (i % 9)
			continue;
		base = vhu_bench_take_ring(b);
		assert_int_equal(base, packed ? (i * 2 % BENCH_SIZE |
						 (i * 2 / BENCH_SIZE % 2 ? 0 : 0x8000)) *
							0x10001u
					      : i);
		vhu_bench_ask(b, 200); /* while nobody serves it */
		for (int turn = 0; turn < 20; turn++)
			front_turn();
		assert_int_equal(b->ram[BENCH_BUFS + 200 * 16ul + 8], 0);
		vhu_bench_give_ring(b, base);
		vhu_assert_answered(b, 200);
		b->ram[BENCH_BUFS + 200 * 16ul + 8] = 0;
		base = vhu_bench_take_ring(b);
		vhu_bench_give_ring(b, base);
		i++;
		vhu_bench_ask(b, i);
		vhu_assert_answered(b, i);
		break;
	}
	/* And memory comes and goes under it. */
	for (uint8_t i = 120; i < 124; i++) {
		struct vhu_mem_region m = { .region = { 0x90000000, 4096, BENCH_HIGH * 2, 0 } };

		vhu_bench_ask(b, i);
		vhu_assert_answered(b, i);
		assert_true(front_set(&b->front, i % 2 ? VHU_REM_MEM_REG : VHU_ADD_MEM_REG, &m,
				      sizeof(m), i % 2 ? -1 : b->memfd));
		vhu_bench_give_memory(b, 0x10000000);
		if (!(i % 2))
			assert_true(front_set(&b->front, VHU_ADD_MEM_REG, &m, sizeof(m), b->memfd));
	}
}

static void a_split_ring_is_taken_and_given_back(void **state)
{
	goes_on(*state, false);
}

static void a_packed_ring_is_taken_and_given_back(void **state)
{
	goes_on(*state, true);
}

static void rings_that_cannot_be_end_the_connection(void **state)
{
	static const uint32_t with_state[] = { VHU_SET_VRING_NUM, VHU_SET_VRING_BASE,
					       VHU_GET_VRING_BASE, VHU_SET_VRING_ENABLE };
	static const uint32_t with_fd[] = { VHU_SET_VRING_KICK, VHU_SET_VRING_CALL,
					    VHU_SET_VRING_ERR };
	struct vhu_bench *b = *state;
	struct vhu_state s = { ECHO_QUEUES, 1 };

	for (size_t i = 0; i < G_N_ELEMENTS(with_state); i++) {
		front_begin(&b->front, UINT64_MAX);
		assert_true(front_send(&b->front, with_state[i], 0, &s, sizeof(s), NULL, 0));
		vhu_assert_closed(b, "a queue that the device does not have");
	}
	for (size_t i = 0; i < G_N_ELEMENTS(with_fd); i++) {
		front_begin(&b->front, UINT64_MAX);
		assert_false(front_set_u64(&b->front, with_fd[i], ECHO_QUEUES, b->kick));
		vhu_assert_closed(b, "a queue that the device does not have");
		front_begin(&b->front, UINT64_MAX);
		assert_false(front_set_u64(&b->front, with_fd[i], 0, -1));
		vhu_assert_closed(b, "without the descriptor");
	}
	vhu_bench_begin(b, false, 0);
	assert_false(front_set_state(&b->front, VHU_SET_VRING_BASE, 0, 7));
	vhu_assert_closed(b, "a ring that runs");
	vhu_bench_begin(b, true, 0);
	vhu_bench_take_ring(b);
	assert_true(front_set_state(&b->front, VHU_SET_VRING_BASE, 0, BENCH_SIZE));
	assert_false(front_set_u64(&b->front, VHU_SET_VRING_KICK, 0, b->kick));
	vhu_assert_closed(b, "no position in its ring");
	front_begin(&b->front, UINT64_MAX);
	assert_false(front_set_state(&b->front, VHU_SET_VRING_NUM, 0, 0));
	vhu_assert_closed(b, "a queue size that there is not");
}

/* QEMU's driver may have a ring of 1024 where the device's own would have had 64: the front-end is
 * not told ours. */
static void a_ring_has_the_size_that_the_front_end_says(void **state)
{
	struct vhu_bench *b = *state;

	b->size = 1024;
	assert_true(b->size > vdev_queue_size(b->dev));
	vhu_bench_begin(b, false, 0);
	vhu_bench_ask(b, 7);
	vhu_assert_answered(b, 7);
}

static void a_ring_beyond_all_sizes_is_the_drivers_mistake(void **state)
{
	struct vhu_bench *b = *state;

	vhu_bench_begin(b, false, 0);
	vhu_bench_take_ring(b);
	b->size = 2048;
	vhu_bench_give_ring(b, 0);
	assert_true(g_str_has_prefix(b->log->str, "echo: guest bug: queue 0: size: "));
}

/* DPDK's virtio-user and SPDK say the available side of a packed ring alone. */
static void a_packed_ring_begins_at_half_a_base(void **state)
{
	struct vhu_bench *b = *state;

	vhu_bench_begin(b, true, 0);
	vhu_bench_take_ring(b);
	assert_true(drv_vq_init(&b->vq, &b->vq.cfg));
	vhu_bench_give_ring(b, 0x8000);
	for (uint8_t i = 1; i < 100; i++) { /* past the ring's end */
		vhu_bench_ask(b, i);
		vhu_assert_answered(b, i);
	}
}

/* What is in the used ring's index before the device has it is the guest's affair. */
static void a_guest_cannot_end_the_connection(void **state)
{
	struct vhu_bench *b = *state;

	vhu_bench_begin(b, false, 0);
	vhu_bench_take_ring(b);
	assert_true(drv_vq_init(&b->vq, &b->vq.cfg));
	b->vq.split.used->idx = cpu_le16(0x7fff);
	vhu_bench_give_ring(b, 0);
	b->vq.split.used->idx = 0;
	vhu_bench_ask(b, 1);
	vhu_assert_answered(b, 1);
}

static void a_late_call_descriptor_is_signalled(void **state)
{
	struct vhu_bench *b = *state;
	int other;

	vhu_bench_begin(b, false, 0);
	assert_true(eventfd_open(&other, "", NULL));
	assert_true(front_set_u64(&b->front, VHU_SET_VRING_CALL, ECHO_COPY, other));
	assert_int_equal(read(other, &(uint64_t){ 0 }, sizeof(uint64_t)), sizeof(uint64_t));
	eventfd_close(&other);
}

static void only_eventfds_are_kicks_and_calls(void **state)
{
	static const uint32_t with_fd[] = { VHU_SET_VRING_KICK, VHU_SET_VRING_CALL,
					    VHU_SET_VRING_ERR };
	struct vhu_bench *b = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(with_fd); i++) {
		front_begin(&b->front, UINT64_MAX);
		assert_false(front_set_u64(&b->front, with_fd[i], 0, b->memfd));
		vhu_assert_closed(b, "without the descriptor");
	}
}

/* Without SET_VRING_ENABLE, as front-ends did before there were protocol features; they end with
 * RESET_OWNER, after which nothing starts by itself. */
static void an_old_front_end_enables_nothing(void **state)
{
	struct vhu_bench *b = *state;

	vhu_bench_begin(b, false, 0);
	assert_true(front_set(&b->front, VHU_RESET_OWNER, NULL, 0, -1));
	assert_true(front_set_u64(&b->front, VHU_SET_FEATURES, 1ull << VIRTIO_F_VERSION_1, -1));
	vhu_bench_give_memory(b, 0);
	assert_true(drv_vq_init(&b->vq, &b->vq.cfg));
	vhu_bench_give_ring(b, 0);
	vhu_bench_ask(b, 5);
	vhu_assert_answered(b, 5);
	assert_true(front_set_state(&b->front, VHU_SET_VRING_ENABLE, ECHO_COPY, 0));
	assert_true(front_set(&b->front, VHU_RESET_OWNER, NULL, 0, -1));
	vhu_bench_give_memory(b, 0);
	assert_true(front_set_state(&b->front, VHU_SET_VRING_BASE, ECHO_COPY, 0)); /* it stands */
}

/* A driver's mistake: the device needs a reset, and whoever waits for the error descriptor is told.
 */
static void a_broken_ring_is_told_of_and_a_reset_mends_it(void **state)
{
	struct vhu_bench *b = *state;
	struct pollfd p;

	vhu_bench_begin(b, false, 0);
	p = (struct pollfd){ b->err, POLLIN, 0 };
	b->vq.split.avail->idx = cpu_le16(BENCH_SIZE + 1);
	eventfd_signal(b->kick);
	for (int i = 0; i < 100000 && poll(&p, 1, 0) == 0; i++)
		front_turn();
	assert_int_equal(p.revents, POLLIN);
	assert_true(front_get(&b->front, VHU_GET_STATUS) & VIRTIO_S_NEEDS_RESET);
	assert_non_null(strstr(b->log->str, "avail-jump"));
	assert_true(front_set(&b->front, VHU_RESET_DEVICE, NULL, 0, -1));
	assert_false(front_get(&b->front, VHU_GET_STATUS) & VIRTIO_S_NEEDS_RESET);
	assert_true(drv_vq_init(&b->vq, &b->vq.cfg));
	vhu_bench_give_ring(b, 0);
	assert_true(front_set_state(&b->front, VHU_SET_VRING_ENABLE, ECHO_COPY, 1));
	vhu_bench_ask(b, 1);
	vhu_assert_answered(b, 1);
}

static void a_change_of_the_configuration_is_told(void **state)
{
	struct vhu_bench *b = *state;

	vhu_bench_begin(b, false, 0);
	assert_int_equal(front_config_changes(&b->front), 0);
	echo_set_pair(b->dev, 7, true);
	assert_int_equal(front_config_changes(&b->front), 1);
}

static void nothing_is_left_of_a_front_end(void **state)
{
	struct vhu_bench *b = *state;
	unsigned files;

	front_get(&b->front, VHU_GET_FEATURES);
	files = open_files();
	for (unsigned i = 0; i < 20; i++) {
		vhu_bench_begin(b, i % 2, 0);
		vhu_bench_ask(b, 3);
		vhu_assert_answered(b, 3);
		front_close(&b->front);
		for (int turn = 0; turn < 10000 && b->ended == i; turn++)
			front_turn();
		assert_int_equal(b->ended, i + 1);
		assert_int_equal(b->mem.n, 0);
		front_open(&b->front, b->back);
		front_get(&b->front, VHU_GET_FEATURES);
	}
	assert_int_equal(open_files(), files);
}

/*
 * A front-end that says what it likes: sound set-up, and in between any message with any payload
 * and any descriptors. (Under the address sanitizer, too.)
 */
#define NOISES 3000

static uint32_t any_of(GRand *rand, const uint32_t *values, size_t n)
{
	return g_rand_boolean(rand) ? values[g_rand_int_range(rand, 0, (gint32)n)]
				    : g_rand_int(rand);
}

static void fill(GRand *rand, uint8_t *bytes, uint32_t size)
{
	static const uint32_t values[] = { 0,          1,          2,          BENCH_SIZE,
					   4096,       BENCH_RAM,  BENCH_BUFS, 0x7f00,
					   0x10000000, 0x80008000, 0xff,       0x100,
					   UINT32_MAX, 0x1000 };

	for (uint32_t at = 0; at + 4 <= size; at += 4) {
		uint32_t v = any_of(rand, values, G_N_ELEMENTS(values));

		memcpy(bytes + at, &v, sizeof(v));
	}
}

/* Most often of the size that it has, and in memory that there is. */
static void say_something(struct vhu_bench *b, GRand *rand, const int *fds)
{
	size_t which = (size_t)g_rand_int_range(rand, 0, G_N_ELEMENTS(sized) + 2);
	bool table = which >= G_N_ELEMENTS(sized);
	uint32_t request = table ? (which % 2 ? VHU_SET_MEM_TABLE : VHU_GET_CONFIG)
				 : sized[which].request;
	uint32_t size = table ? (uint32_t)g_rand_int_range(rand, 0, 300) & ~3u : sized[which].size;
	uint8_t bytes[304] = { 0 };
	int sent[MSG_FDS_MAX + 2];
	unsigned n = g_rand_boolean(rand)
			     ? (unsigned)g_rand_int_range(rand, 0, MSG_FDS_MAX + 2)
			     : request >= VHU_SET_VRING_KICK && request <= VHU_SET_VRING_ERR;

	if (g_rand_int_range(rand, 0, 20) == 0)
		size = (size + 4) % sizeof(bytes);
	fill(rand, bytes, size);
	for (unsigned i = 0; i < n; i++)
		sent[i] = fds[g_rand_int_range(rand, 0, 5)];
	(void)front_send(&b->front, request, g_rand_boolean(rand) ? VHU_NEED_REPLY : 0, bytes, size,
			 sent, n);
}

static void drain(struct vhu_bench *b)
{
	uint8_t bytes[4096];

	for (int turn = 0; turn < 4; turn++)
		(void)g_main_context_iteration(NULL, FALSE);
	while (recv(b->front.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void noise_harms_nobody(void **state)
{
	struct vhu_bench *b = *state;
	GRand *rand = g_rand_new_with_seed(1);
	unsigned files = 0, seen = b->ended;
	int pipes[2], fds[5];

	assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
	memcpy(fds, (int[]){ b->memfd, b->kick, b->call, pipes[0], pipes[1] }, sizeof(fds));
	vhu_bench_begin(b, false, 0);
	for (unsigned i = 0; i < NOISES; i++) {
		say_something(b, rand, fds);
		drain(b);
		if (b->ended == seen)
			continue;
		seen = b->ended;
		front_close(&b->front);
		front_open(&b->front, b->back);
		if (!files)
			files = open_files();
		assert_int_equal(open_files(), files);
		vhu_bench_begin(b, i % 2, (uint64_t)(i % 3) << 32);
		vhu_bench_ask(b, 9);
		vhu_assert_answered(b, 9);
	}
	assert_true(seen > NOISES / 100);
	g_rand_free(rand);
	close(pipes[0]);
	close(pipes[1]);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, vhu_bench_setup, vhu_bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_message_has_its_size),
		TEST(what_is_not_known_ends_the_connection),
		TEST(only_protocol_features_that_are_offered_can_be_accepted),
		TEST(a_header_is_looked_at_before_its_payload_comes),
		TEST(descriptors_that_belong_to_nothing_end_the_connection),
		TEST(a_message_may_come_in_pieces),
		TEST(half_a_message_and_no_more_is_an_end_like_others),
		TEST(there_is_one_front_end_at_a_time),
		TEST(only_what_is_offered_can_be_accepted),
		TEST(configuration_reads_as_nothing_beyond_its_end),
		TEST(memory_that_cannot_be_is_refused),
		TEST(a_file_may_be_shortened),
		TEST(memory_in_huge_pages_is_mapped_anywhere),
		TEST(a_memory_table_has_as_many_descriptors_as_regions),
		TEST(a_split_ring_is_taken_and_given_back),
		TEST(a_packed_ring_is_taken_and_given_back),
		TEST(rings_that_cannot_be_end_the_connection),
		TEST(a_ring_has_the_size_that_the_front_end_says),
		TEST(a_ring_beyond_all_sizes_is_the_drivers_mistake),
		TEST(a_packed_ring_begins_at_half_a_base),
		TEST(a_guest_cannot_end_the_connection),
		TEST(a_late_call_descriptor_is_signalled),
		TEST(only_eventfds_are_kicks_and_calls),
		TEST(an_old_front_end_enables_nothing),
		TEST(a_broken_ring_is_told_of_and_a_reset_mends_it),
		TEST(a_change_of_the_configuration_is_told),
		TEST(nothing_is_left_of_a_front_end),
		TEST(noise_harms_nobody),
	};

	return cmocka_run_group_tests_name("vhost-user", tests, NULL, NULL);
}
