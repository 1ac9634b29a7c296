/*
 * vfio-user's server against a client of the test's own: what messages do, and what becomes of
 * those that are wrong. That devices work over it is shown by tests/device, over the rig's links;
 * that QEMU's messages are understood, by tests/system/vfio-user.
 */
#include <errno.h>
#include <glib.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/eventfd.h"
#include "devices/base/given.h"
#include "tests/support/echo.h"
#include "tests/support/open-files.h"
#include "tests/support/vfio-user-bench.h"
#include "transport/pci/regs.h"

/* The client goes, without a word, and another one comes. */
static void go_and_come(struct vfu_bench *b)
{
	client_close(&b->client);
	while (b->ended == b->closed)
		client_turn();
	b->closed++;
	client_open(&b->client, b->server);
}

#define TRIGGER (VFU_IRQ_DATA_EVENTFD | VFU_IRQ_ACTION_TRIGGER)

/*
 * The version.
 */
static void a_session_begins_with_a_version(void **state)
{
	struct vfu_bench *b = *state;
	struct vfu_info info = { .argsz = sizeof(info) };

	assert_true(client_send(&b->client, VFU_GET_INFO, 0, &info, sizeof(info), NULL, 0));
	vfu_assert_closed(b, "GET_INFO: before a version");
	assert_int_equal(client_ask(&b->client, VFU_GET_INFO, &info, sizeof(info), -1), 0);
	assert_int_equal(client_version(&b->client, NULL), -1);
	vfu_assert_closed(b, "VERSION: once more");
}

static void capabilities_are_answered_with_fewer(void **state)
{
	struct vfu_bench *b = *state;
	char text[512];
	uint32_t len;

	assert_true(client_send(&b->client, VFU_VERSION, 0, "\0\0\1\0{}", 7, NULL, 0));
	assert_int_equal(client_answer(&b->client, VFU_VERSION, text, sizeof(text), &len), 0);
	assert_memory_equal(text, "\0\0\0\0{\"capabilities\":", 20);
	assert_int_equal(text[len - 1], 0);
	assert_null(strstr(text + 4, "write_multiple"));
	go_and_come(b);
	assert_int_equal(client_version(&b->client, "{\"capabilities\":{\"twin_socket\":"
						    "{\"supported\":true},\"x\":[1,null,\"\\\"}\"]"
						    ", \"write_multiple\" : true}}"),
			 0);
	assert_non_null(strstr(b->client.in.payload.version.data, "\"write_multiple\":true"));
	assert_null(strstr(b->client.in.payload.version.data, "twin_socket"));
}

static void no_version_is_no_session(void **state)
{
	static const struct {
		const char *bytes;
		uint32_t len;
		const char *why;
	} wrong[] = {
		{ "\1\0\0\0", 4, "another major version" },
		{ "\0\0\0\0{}", 6, "no object of JSON" }, /* no NUL */
		{ "\0\0\0\0", 5, "no object of JSON" },
		{ "\0\0\0\0[]", 7, "no object of JSON" },
		{ "\0\0\0\0{\"a\":1", 11, "no object of JSON" },
		{ "\0\0\0\0{\"a\":1}x", 13, "no object of JSON" },
		{ "\0\0\0\0{\"a\\", 9, "no object of JSON" },
		{ "\0\0\0\0{\"a\":[[[[[[[[[[]]]]]]]]]]}", 31, "no object of JSON" },
		{ "\0\0\0", 3, "another size" },
	};
	struct vfu_bench *b = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		go_and_come(b);
		assert_true(client_send(&b->client, VFU_VERSION, 0, wrong[i].bytes, wrong[i].len,
					NULL, 0));
		vfu_assert_closed(b, wrong[i].why);
	}
}

/*
 * Messages.
 */
static const struct {
	uint16_t command, size;
	bool more; /* may be longer */
} sized[] = {
	{ VFU_DMA_MAP, 32, false },           { VFU_DMA_UNMAP, 24, false },
	{ VFU_GET_INFO, 16, false },          { VFU_GET_REGION_INFO, 32, false },
	{ VFU_GET_REGION_IO_FDS, 16, false }, { VFU_GET_IRQ_INFO, 16, false },
	{ VFU_SET_IRQS, 20, true },           { VFU_REGION_READ, 16, false },
	{ VFU_REGION_WRITE, 16, true },       { VFU_RESET, 0, false },
	{ VFU_REGION_WRITE_MULTI, 8, true },  { VFU_FEATURE, 8, true },
};

static void each_message_has_its_size(void **state)
{
	static const uint8_t zeroes[64];
	struct vfu_bench *b = *state;

	assert_int_equal(client_version(&b->client, NULL), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(sized); i++)
		for (int by = -1; by <= 1; by += 2) {
			if (by < 0 ? !sized[i].size : sized[i].more)
				continue;
			assert_true(client_send(&b->client, sized[i].command, 0, zeroes,
						sized[i].size + (uint32_t)by, NULL, 0));
			vfu_assert_closed(b, "payload of another size");
		}
}

static void what_is_not_for_us_is_answered_with_an_error(void **state)
{
	static const uint16_t unknown[] = { 0,
					    VFU_DIRTY_PAGES,
					    VFU_FEATURE,
					    VFU_MIG_DATA_READ,
					    VFU_MIG_DATA_WRITE,
					    VFU_N_COMMANDS,
					    UINT16_MAX };
	struct vfu_bench *b = *state;
	uint8_t bytes[32] = { 0 };

	assert_int_equal(client_version(&b->client, NULL), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(unknown); i++)
		assert_int_equal(client_ask(&b->client, unknown[i], bytes, sizeof(bytes), -1),
				 EOPNOTSUPP);
	for (unsigned i = VFU_DMA_READ; i <= VFU_DMA_WRITE; i++) {
		assert_true(client_send(&b->client, (uint16_t)i, 0, bytes, 16, NULL, 0));
		vfu_assert_closed(b, "for a server to send");
	}
	assert_int_equal(b->log->len, 0);
}

static void a_header_is_looked_at_before_its_payload_comes(void **state)
{
	static const struct {
		struct vfu_header header;
		const char *why;
	} broken[] = {
		{ { 1, VFU_RESET, 15, 0, 0 }, "no message of vfio-user" },
		{ { 1, VFU_RESET, 0, 0, 0 }, "no message of vfio-user" },
		{ { 1, VFU_REGION_WRITE, 16 + VFU_PAYLOAD + 1, 0, 0 }, "no message of vfio-user" },
		{ { 1, VFU_REGION_WRITE, UINT32_MAX, 0, 0 }, "no message of vfio-user" },
		{ { 1, VFU_RESET, 16, VFU_REPLY, 0 }, "an answer to what was not asked" },
		{ { 1, VFU_RESET, 16, 2, 0 }, "flags that there are not" },
		{ { 1, VFU_RESET, 16, VFU_ERROR, 0 }, "flags that there are not" },
		{ { 1, VFU_RESET, 16, 0x80000000u, 0 }, "flags that there are not" },
	};
	struct vfu_bench *b = *state;

	assert_int_equal(client_version(&b->client, NULL), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(broken); i++) {
		assert_int_equal(
			send(b->client.socket.fd, &broken[i].header, sizeof(broken[i].header), 0),
			sizeof(broken[i].header));
		vfu_assert_closed(b, broken[i].why);
	}
}

static void descriptors_that_belong_to_nothing_end_the_connection(void **state)
{
	struct vfu_bench *b = *state;
	unsigned files = open_files();
	int fds[MSG_FDS_MAX + 1];

	for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++)
		fds[i] = b->memfd;
	assert_int_equal(client_version(&b->client, NULL), 0);
	assert_true(client_send(&b->client, VFU_RESET, 0, NULL, 0, fds, 1));
	vfu_assert_closed(b, "more descriptors");
	assert_true(client_send(&b->client, VFU_RESET, 0, NULL, 0, fds, G_N_ELEMENTS(fds)));
	vfu_assert_closed(b, "no message of vfio-user");
	assert_int_equal(open_files(), files);
}

static void a_message_may_come_in_pieces_and_end_in_one(void **state)
{
	struct vfu_bench *b = *state;
	struct {
		struct vfu_header header;
		struct vfu_info info;
	} m = { { 7, VFU_GET_INFO, sizeof(m), 0, 0 }, { .argsz = 16 } };
	uint32_t len;

	assert_int_equal(client_version(&b->client, NULL), 0);
	b->client.id = 7;
	for (size_t i = 0; i < sizeof(m); i++) {
		assert_int_equal(send(b->client.socket.fd, (char *)&m + i, 1, 0), 1);
		for (int turn = 0; turn < 3; turn++)
			client_turn();
	}
	assert_int_equal(client_answer(&b->client, VFU_GET_INFO, &m.info, 16, &len), 0);
	assert_int_equal(m.info.num_regions, 9);
	assert_int_equal(m.info.num_irqs, 5);
	assert_int_equal(send(b->client.socket.fd, &m, 9, 0), 9);
	assert_int_equal(shutdown(b->client.socket.fd, SHUT_WR), 0);
	vfu_assert_closed(b, "");
}

static void who_wants_no_answer_gets_none(void **state)
{
	struct vfu_bench *b = *state;
	struct {
		struct vfu_access a;
		uint8_t command[2];
	} m = { { PCI_COMMAND, VFU_CONFIG, 2 }, { PCI_COMMAND_MEMORY, 0 } };

	assert_int_equal(client_version(&b->client, NULL), 0);
	assert_true(client_send(&b->client, VFU_REGION_WRITE, VFU_NO_REPLY, &m, 18, NULL, 0));
	m.a.region = VFU_N_REGIONS; /* an error, too */
	assert_true(client_send(&b->client, VFU_REGION_WRITE, VFU_NO_REPLY, &m, 18, NULL, 0));
	assert_int_equal(client_get(&b->client, VFU_CONFIG, PCI_COMMAND, 2), PCI_COMMAND_MEMORY);
}

static void there_is_one_client_at_a_time(void **state)
{
	struct vfu_bench *b = *state;
	int pair[2];
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_false(vfio_user_connect(b->server, pair[1]));
	assert_int_equal(recv(pair[0], &byte, 1, 0), 0);
	close(pair[0]);
	assert_int_equal(client_version(&b->client, NULL), 0);
}

/*
 * Regions.
 */
static void the_function_has_its_regions(void **state)
{
	static const uint64_t size[VFU_N_REGIONS] = { [0] = 0x4000, [VFU_CONFIG] = 256 };
	struct vfu_bench *b = *state;
	struct vfu_region_info info;

	assert_int_equal(client_version(&b->client, NULL), 0);
	for (uint32_t i = 0; i < VFU_N_REGIONS; i++) {
		info = (struct vfu_region_info){ .argsz = sizeof(info), .index = i };
		assert_int_equal(client_ask(&b->client, VFU_GET_REGION_INFO, &info, 32, -1), 0);
		assert_int_equal(info.size, size[i]);
		assert_int_equal(info.index, i);
		assert_int_equal(info.flags, size[i] ? 3 : 0);
	}
	info = (struct vfu_region_info){ .argsz = sizeof(info), .index = VFU_N_REGIONS };
	assert_int_equal(client_ask(&b->client, VFU_GET_REGION_INFO, &info, 32, -1), EINVAL);
	info = (struct vfu_region_info){ .argsz = sizeof(info) - 1 };
	assert_int_equal(client_ask(&b->client, VFU_GET_REGION_INFO, &info, 32, -1), EINVAL);
}

static void a_transitional_function_has_ports_besides(void **state)
{
	struct vfu_bench *b = *state;
	struct vfu_region_info info = { .argsz = sizeof(info), .index = 0 };

	assert_int_equal(client_version(&b->client, NULL), 0);
	assert_int_equal(client_ask(&b->client, VFU_GET_REGION_INFO, &info, 32, -1), 0);
	assert_int_equal(info.size, 64);
	assert_int_equal(client_get(&b->client, VFU_CONFIG, PCI_BAR0, 4) & PCI_BAR_IO, PCI_BAR_IO);
	/* Its features, and its configuration space as a legacy driver reads it. */
	assert_true(client_get(&b->client, 0, VPCI_LEGACY_DEVICE_FEATURES, 4) &
		    (1u << ECHO_F_BASE));
	echo_set_pair(b->dev, 0x11223344, false);
	assert_int_equal(client_get(&b->client, 0, VPCI_LEGACY_BYTES, 8), 0x1122334411223344);
	vfu_bench_begin(b, false, false);
	vfu_bench_ask(b, 3);
	vfu_assert_answered(b, 3);
}

static void configuration_space_can_be_read_in_any_pieces(void **state)
{
	struct vfu_bench *b = *state;
	uint8_t whole[256], bytes[256];

	assert_int_equal(client_version(&b->client, NULL), 0);
	assert_int_equal(client_read(&b->client, VFU_CONFIG, 0, whole, 256), 0);
	assert_int_equal(whole[0] | whole[1] << 8, 0x1af4);
	for (unsigned len = 1; len < 20; len++)
		for (unsigned off = 0; off + len <= 256; off += len) {
			assert_int_equal(client_read(&b->client, VFU_CONFIG, off, bytes, len), 0);
			assert_memory_equal(bytes, whole + off, len);
		}
}

static void an_access_beyond_a_region_is_refused(void **state)
{
	static const struct {
		uint64_t region, off;
		uint32_t len;
	} wrong[] = {
		{ VFU_CONFIG, 255, 2 },
		{ VFU_CONFIG, 257, 0 },
		{ VFU_CONFIG, UINT64_MAX, 4 },
		{ 0, 0x4000, 4 },
		{ 0, 0x3ffe, 4 },
		{ 0, UINT64_MAX - 3, 4 },
		{ 1, 0, 4 },
		{ VFU_ROM, 0, 4 },
		{ VFU_VGA, 0, 1 },
		{ VFU_N_REGIONS, 0, 4 },
		{ UINT32_MAX, 0, 4 },
		{ UINT32_MAX / 2 + 1, 0, 4 },
	};
	struct vfu_bench *b = *state;
	struct vfu_access a = { 0, 0, VFU_XFER + 1 };
	uint8_t bytes[8] = { 0 };

	assert_int_equal(client_version(&b->client, NULL), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		assert_int_equal(client_read(&b->client, (uint32_t)wrong[i].region, wrong[i].off,
					     bytes, wrong[i].len),
				 EINVAL);
		assert_int_equal(client_write(&b->client, (uint32_t)wrong[i].region, wrong[i].off,
					      bytes, wrong[i].len),
				 EINVAL);
	}
	assert_int_equal(client_ask(&b->client, VFU_REGION_READ, &a, sizeof(a), -1), EINVAL);
	a.count = UINT32_MAX;
	assert_int_equal(client_ask(&b->client, VFU_REGION_READ, &a, sizeof(a), -1), EINVAL);
	assert_int_equal(b->log->len, 0);
	a.count = 1;
	assert_true(client_send(&b->client, VFU_REGION_WRITE, 0, &a, sizeof(a), NULL, 0));
	vfu_assert_closed(b, "another number of bytes");
}

static void all_of_a_bar_can_be_read(void **state)
{
	struct vfu_bench *b = *state;
	uint8_t page[4096];

	assert_int_equal(client_version(&b->client, NULL), 0);
	for (unsigned at = 0; at < 4; at++)
		assert_int_equal(client_read(&b->client, 0, at * 4096ull, page, 4096), 0);
}

static void writes_can_be_put_together(void **state)
{
	struct vfu_bench *b = *state;
	struct {
		uint64_t count;
		struct vfu_write_one one[3];
	} m = { 2,
		{ { PCI_COMMAND, VFU_CONFIG, 2, { PCI_COMMAND_MEMORY, 0 } },
		  { PCI_INTERRUPT_LINE, VFU_CONFIG, 1, { 9 } } } };
	uint64_t done;
	uint32_t len;

	assert_int_equal(client_version(&b->client, NULL), 0);
	assert_true(client_send(&b->client, VFU_REGION_WRITE_MULTI, 0, &m, 8 + 48, NULL, 0));
	assert_int_equal(client_answer(&b->client, VFU_REGION_WRITE_MULTI, &done, 8, &len), 0);
	assert_int_equal(done, 2);
	assert_int_equal(client_get(&b->client, VFU_CONFIG, PCI_INTERRUPT_LINE, 1), 9);
	m.one[1].count = 9;
	assert_int_equal(client_ask(&b->client, VFU_REGION_WRITE_MULTI, &m, 8 + 48, -1), EINVAL);
	assert_true(client_send(&b->client, VFU_REGION_WRITE_MULTI, 0, &m, 8 + 24, NULL, 0));
	vfu_assert_closed(b, "another number of writes");
	m.count = UINT64_MAX;
	assert_true(client_send(&b->client, VFU_REGION_WRITE_MULTI, 0, &m, 8 + 24, NULL, 0));
	vfu_assert_closed(b, "another number of writes");
	assert_true(client_send(&b->client, VFU_REGION_WRITE_MULTI, 0, &m, 8 + 25, NULL, 0));
	vfu_assert_closed(b, "another number of writes");
}

/*
 * Memory.
 */
static void memory_that_cannot_be_is_refused(void **state)
{
	static const struct {
		struct vfu_dma_map map;
		int error;
	} wrong[] = {
		{ { 32, 3, 0, 0, 0 }, EINVAL },
		{ { 32, 3, 0, 0, 0x1001 }, EINVAL },
		{ { 32, 3, 0, 0x800, 0x1000 }, EINVAL },
		{ { 32, 3, 0x800, 0, 0x1000 }, EINVAL },
		{ { 32, 3, 0, 1u << 20, VFU_BENCH_RAM + 0x1000 }, EINVAL },
		{ { 32, 3, 0x1000, 1u << 20, VFU_BENCH_RAM }, EINVAL },
		{ { 32, 3, UINT64_MAX - 0xfff, 0, 0x1000 }, EINVAL },
		{ { 32, 3, 0, UINT64_MAX - 0xfff, 0x1000 }, EINVAL },
		{ { 32, 3, 0, 0x1000, UINT64_MAX - 0xfff }, EINVAL },
		{ { 32, 0, 0, 0, 0x1000 }, EINVAL },
		{ { 32, 2, 0, 0, 0x1000 }, EINVAL },
		{ { 32, 7, 0, 0, 0x1000 }, EINVAL },
		{ { 31, 3, 0, 0, 0x1000 }, EINVAL },
		{ { 32, 3, 0, 0x1000, 0x1000 }, EEXIST },
		{ { 32, 3, 0, 0, 0x2000 }, EEXIST },
	};
	struct vfu_bench *b = *state;

	assert_int_equal(client_version(&b->client, NULL), 0);
	assert_int_equal(client_map(&b->client, 0x1000, 0x1000, 0, b->memfd), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		struct vfu_dma_map m = wrong[i].map;

		assert_int_equal(client_ask(&b->client, VFU_DMA_MAP, &m, sizeof(m), b->memfd),
				 wrong[i].error);
		assert_int_equal(b->mem.n, 1);
	}
	assert_int_equal(client_unmap(&b->client, 0x1000, 0x2000), ENOENT);
	assert_int_equal(client_unmap(&b->client, 0, 0x1000), ENOENT);
	assert_int_equal(client_unmap(&b->client, 0x1000, 0x1000), 0);
	assert_int_equal(client_unmap(&b->client, 0x1000, 0x1000), ENOENT);
	assert_int_equal(b->mem.n, 0);
}

static void all_memory_can_go_at_once(void **state)
{
	struct vfu_bench *b = *state;
	struct vfu_dma_unmap all = { sizeof(all), VFU_DMA_UNMAP_ALL, 0, 0 };

	assert_int_equal(client_version(&b->client, NULL), 0);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(client_map(&b->client, i << 20, 0x1000, 0, b->memfd), 0);
	all.size = 0x1000;
	assert_int_equal(client_ask(&b->client, VFU_DMA_UNMAP, &all, sizeof(all), -1), EINVAL);
	all.size = 0;
	assert_int_equal(client_ask(&b->client, VFU_DMA_UNMAP, &all, sizeof(all), -1), 0);
	assert_int_equal(b->mem.n, 0);
	all.flags = 1;
	assert_int_equal(client_ask(&b->client, VFU_DMA_UNMAP, &all, sizeof(all), -1), EINVAL);
}

static void there_is_room_for_so_many_regions(void **state)
{
	struct vfu_bench *b = *state;
	unsigned n = 0;

	assert_int_equal(client_version(&b->client, NULL), 0);
	while (n < GMEM_REGIONS_MAX)
		assert_int_equal(client_map(&b->client, n++ * 0x2000ull, 0x1000, 0, b->memfd), 0);
	assert_int_equal(client_map(&b->client, n * 0x2000ull, 0x1000, 0, b->memfd), ENOSPC);
	/* Those that the device does not reach are not of these, and come to an end, too. */
	while (n < 256)
		assert_int_equal(client_map(&b->client, n++ * 0x2000ull, 0x1000, 0, -1), 0);
	assert_int_equal(client_map(&b->client, n * 0x2000ull, 0x1000, 0, -1), ENOSPC);
	assert_int_equal(b->mem.n, GMEM_REGIONS_MAX);
}

static void memory_without_a_descriptor_is_not_mapped(void **state)
{
	struct vfu_bench *b = *state;

	assert_int_equal(client_version(&b->client, NULL), 0);
	assert_int_equal(client_map(&b->client, 0, VFU_BENCH_RAM, 0, -1), 0);
	assert_int_equal(b->mem.n, 0);
	assert_int_equal(client_map(&b->client, 0x1000, 0x1000, 0, b->memfd), EEXIST);
	assert_int_equal(b->log->len, 0);
	assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
}

/* As a client does it while firmware shadows ROMs: @by by @by bytes. */
static void give_in_pieces(struct vfu_bench *b, uint64_t by)
{
	for (uint64_t at = 0; at < VFU_BENCH_RAM; at += by)
		assert_int_equal(client_map(&b->client, at, by, at, b->memfd), 0);
}

static void memory_changes_under_a_device_that_runs(void **state)
{
	struct vfu_bench *b = *state;

	for (int packed = 0; packed < 2; packed++) {
		vfu_bench_begin(b, packed, false);
		vfu_bench_ask(b, 1);
		vfu_assert_answered(b, 1);
		assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
		(void)vfu_bench_add(b, 2); /* meanwhile */
		give_in_pieces(b, VFU_BENCH_RAM / 4);
		vfu_bench_kick(b);
		vfu_assert_answered(b, 2);
		vfu_bench_ask(b, 3);
		vfu_assert_answered(b, 3);
		go_and_come(b);
	}
	assert_int_equal(b->log->len, 0);
}

static void a_queue_goes_on_though_nobody_says_that_a_change_is_over(void **state)
{
	struct vfu_bench *b = *state;

	vfu_bench_begin(b, false, false);
	assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
	(void)vfu_bench_add(b, 2);
	give_in_pieces(b, VFU_BENCH_RAM / 2);
	vfu_assert_answered(b, 2); /* without a message */
}

static void a_queue_waits_for_its_ring(void **state)
{
	struct vfu_bench *b = *state;

	vfu_bench_begin(b, false, false);
	assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
	(void)vfu_bench_add(b, 7);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(virtio_status(&b->driver) & VIRTIO_S_NEEDS_RESET, 0);
		vfu_bench_kick(b);
		g_usleep(1000);
		client_turn();
	}
	assert_int_equal(client_map(&b->client, 0, VFU_BENCH_RAM, 0, b->memfd), 0);
	vfu_assert_answered(b, 7);
	/* And if the driver does not wait: a reset forgets it. */
	assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
	assert_true(virtio_reset(&b->driver));
	assert_int_equal(client_map(&b->client, 0, VFU_BENCH_RAM, 0, b->memfd), 0);
	assert_int_equal(virtio_status(&b->driver), 0);
	assert_int_equal(vdev_queue_read(b->dev, ECHO_COPY, VQR_ENABLE), 0);
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
	struct vfu_bench *b = *state;

	assert_int_equal(sigaction(SIGBUS, &bus, &old), 0);
	for (int i = 0; i < 4; i++) {
		vfu_bench_begin(b, i % 2, false);
		(void)vfu_bench_add(b, 2);
		assert_int_equal(ftruncate(b->memfd, i < 2 ? 0 : VFU_BENCH_BUFS), 0);
		vdev_notify(b->dev, ECHO_COPY);
		vfu_assert_closed(b, "has become shorter");
		assert_int_equal(ftruncate(b->memfd, VFU_BENCH_RAM), 0);
	}
	sigaction(SIGBUS, &old, NULL);
}

static void chains_in_hand_are_given_back_before_memory_goes(void **state)
{
	struct vfu_bench *b = *state;
	struct drv_buf bufs[] = { { VFU_BENCH_BUFS, 1 }, { VFU_BENCH_BUFS + 8, 1 } };

	vfu_bench_begin(b, false, false);
	b->regs.index = ECHO_KEEP;
	b->regs.vector = 2;
	b->regs.notify_id = ECHO_KEEP;
	virtio_reset(&b->driver);
	assert_true(virtio_negotiate(&b->driver, (struct virtio_features){ { 0, 0 } }));
	assert_true(drv_vq_init(&b->vq, &b->vq.cfg));
	assert_true(virtio_queue_start(&b->driver, &b->regs));
	virtio_driver_ok(&b->driver);
	assert_true(drv_add(&b->vq, bufs, 1, 1, b->ram) >= 0);
	(void)drv_publish(&b->vq);
	vfu_bench_kick(b);
	while (!echo_kept(b->dev))
		client_turn();
	echo_busy(b->dev);
	loop_post(b->main, echo_idle, b->dev); /* its host ends in the middle of it */
	assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
	assert_int_equal(echo_kept(b->dev), 0);
}

static void what_is_written_to_memory_that_is_read_only_is_lost(void **state)
{
	struct vfu_bench *b = *state;
	struct vfu_dma_map rom = { sizeof(rom), VFU_DMA_READABLE, VFU_BENCH_BUFS, VFU_BENCH_BUFS,
				   0x1000 };
	void *cookie;
	uint32_t len;

	vfu_bench_begin(b, false, false);
	assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
	assert_int_equal(client_map(&b->client, 0, VFU_BENCH_BUFS, 0, b->memfd), 0);
	assert_int_equal(client_ask(&b->client, VFU_DMA_MAP, &rom, sizeof(rom), b->memfd), 0);
	b->ram[VFU_BENCH_BUFS + 5 * 16 + 8] = 0x55;
	vfu_bench_ask(b, 5);
	vfu_bench_await(b->irq[1]);
	assert_true(drv_used(&b->vq, &cookie, &len));
	assert_int_equal(b->ram[VFU_BENCH_BUFS + 5 * 16 + 8], 0x55);
	assert_int_equal(b->log->len, 0);
}

/*
 * Interrupts.
 */
static void there_are_intx_and_msix(void **state)
{
	static const uint32_t count[VFU_N_IRQS] = { 1, 0, VFU_BENCH_VECTORS, 0, 0 };
	struct vfu_bench *b = *state;
	struct vfu_irq_info info;

	assert_int_equal(client_version(&b->client, NULL), 0);
	for (uint32_t i = 0; i < VFU_N_IRQS; i++) {
		info = (struct vfu_irq_info){ .argsz = sizeof(info), .index = i };
		assert_int_equal(client_ask(&b->client, VFU_GET_IRQ_INFO, &info, 16, -1), 0);
		assert_int_equal(info.count, count[i]);
		assert_int_equal(info.flags, i == VFU_INTX ? 7 : i == VFU_MSIX ? 1 : 0);
	}
	info = (struct vfu_irq_info){ .argsz = sizeof(info), .index = VFU_N_IRQS };
	assert_int_equal(client_ask(&b->client, VFU_GET_IRQ_INFO, &info, 16, -1), EINVAL);
}

static void interrupts_that_cannot_be_are_refused(void **state)
{
	static const struct {
		uint32_t index, flags, start, count;
	} wrong[] = {
		{ VFU_MSI, TRIGGER, 0, 1 },
		{ VFU_ERR, TRIGGER, 0, 1 },
		{ VFU_REQ, TRIGGER, 0, 1 },
		{ VFU_N_IRQS, TRIGGER, 0, 1 },
		{ UINT32_MAX, TRIGGER, 0, 1 },
		{ VFU_INTX, TRIGGER, 1, 1 },
		{ VFU_INTX, TRIGGER, 0, 2 },
		{ VFU_MSIX, TRIGGER, VFU_BENCH_VECTORS, 1 },
		{ VFU_MSIX, TRIGGER, UINT32_MAX, 2 },
		{ VFU_MSIX, VFU_IRQ_DATA_NONE | VFU_IRQ_ACTION_TRIGGER, 0, VFU_BENCH_VECTORS + 1 },
		{ VFU_MSIX, VFU_IRQ_DATA_NONE | VFU_IRQ_ACTION_TRIGGER, 1, UINT32_MAX },
		{ VFU_MSIX, VFU_IRQ_DATA_NONE | VFU_IRQ_ACTION_MASK, 0, 1 },
		{ VFU_MSIX, VFU_IRQ_DATA_EVENTFD | VFU_IRQ_ACTION_UNMASK, 0, 1 },
		{ VFU_INTX, VFU_IRQ_DATA_EVENTFD | VFU_IRQ_ACTION_MASK, 0, 1 },
		{ VFU_INTX, VFU_IRQ_DATA_NONE, 0, 1 },
		{ VFU_INTX, VFU_IRQ_DATA_NONE | VFU_IRQ_ACTION, 0, 1 },
	};
	struct vfu_bench *b = *state;
	unsigned files;

	assert_int_equal(client_version(&b->client, NULL), 0);
	files = open_files();
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		bool fds = wrong[i].flags & VFU_IRQ_DATA_EVENTFD && wrong[i].count <= MSG_FDS_MAX;

		assert_int_equal(client_set_irqs(&b->client, wrong[i].index, wrong[i].flags,
						 wrong[i].start, wrong[i].count,
						 fds ? b->irq : NULL),
				 EINVAL);
	}
	/* What is no eventfd, among some that are. */
	assert_int_equal(client_set_irqs(&b->client, VFU_MSIX, TRIGGER, 0, 2,
					 (int[]){ b->irq[0], b->memfd }),
			 EINVAL);
	assert_int_equal(open_files(), files);
	assert_int_equal(b->log->len, 0);
}

static void interrupts_that_say_two_things_end_the_connection(void **state)
{
	static const struct {
		struct vfu_irq_set set;
		uint32_t more;
		unsigned fds;
		const char *why;
	} wrong[] = {
		{ { 20, VFU_IRQ_ACTION_TRIGGER, VFU_MSIX, 0, 1 }, 0, 0, "do not hold together" },
		{ { 20, 0x3 | VFU_IRQ_ACTION_TRIGGER, VFU_MSIX, 0, 1 }, 0, 0, "hold together" },
		{ { 20, 0x41 | VFU_IRQ_ACTION_TRIGGER, VFU_MSIX, 0, 1 }, 0, 0, "hold together" },
		{ { 20, 2 | VFU_IRQ_ACTION_TRIGGER, VFU_MSIX, 0, 2 }, 1, 0, "number of bytes" },
		{ { 20, 2 | VFU_IRQ_ACTION_TRIGGER, VFU_MSIX, 0, 1 }, 2, 0, "number of bytes" },
		{ { 20, 1 | VFU_IRQ_ACTION_TRIGGER, VFU_MSIX, 0, 1 }, 1, 0, "number of bytes" },
		{ { 20, TRIGGER, VFU_MSIX, 0, 1 }, 1, 1, "number of bytes" },
		{ { 20, TRIGGER, VFU_MSIX, 0, 1 }, 0, 2, "number of descriptors" },
		{ { 20, TRIGGER, VFU_MSIX, 0, 3 }, 0, 2, "number of descriptors" },
		{ { 20, 1 | VFU_IRQ_ACTION_TRIGGER, VFU_MSIX, 0, 1 }, 0, 1, "of descriptors" },
	};
	struct vfu_bench *b = *state;
	uint8_t bytes[32] = { 0 };

	assert_int_equal(client_version(&b->client, NULL), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		memcpy(bytes, &wrong[i].set, 20);
		assert_true(client_send(&b->client, VFU_SET_IRQS, 0, bytes, 20 + wrong[i].more,
					b->irq, wrong[i].fds));
		vfu_assert_closed(b, wrong[i].why);
	}
}

static void a_vector_that_is_taken_back_is_pending(void **state)
{
	struct vfu_bench *b = *state;

	vfu_bench_begin(b, true, false);
	assert_int_equal(client_set_irqs(&b->client, VFU_MSIX, TRIGGER, 1, 1, NULL), 0);
	vfu_bench_ask(b, 4);
	vfu_bench_await_answer(b, 4);
	assert_int_equal(vfu_bench_count(b->irq[1]), 0);
	assert_int_equal(client_get(&b->client, 0, 0x2000, 8), 1u << 1); /* pending bits */
	assert_int_equal(client_set_irqs(&b->client, VFU_MSIX, TRIGGER, 1, 1, &b->irq[3]), 0);
	assert_int_equal(vfu_bench_count(b->irq[3]), 1);
	assert_int_equal(client_get(&b->client, 0, 0x2000, 8), 0);
	/* All at once, and the same again. */
	assert_int_equal(client_set_irqs(&b->client, VFU_MSIX,
					 VFU_IRQ_DATA_NONE | VFU_IRQ_ACTION_TRIGGER, 0, 0, NULL),
			 0);
	vfu_bench_ask(b, 5);
	vfu_bench_await_answer(b, 5);
	assert_int_equal(vfu_bench_count(b->irq[3]), 0);
	assert_int_equal(client_set_irqs(&b->client, VFU_MSIX, TRIGGER, 0, 4, b->irq), 0);
	assert_int_equal(vfu_bench_count(b->irq[1]), 1);
}

static void a_client_can_interrupt_itself(void **state)
{
	struct vfu_bench *b = *state;
	struct {
		struct vfu_irq_set s;
		uint8_t which[3];
	} some = { { 23, VFU_IRQ_DATA_BOOL | VFU_IRQ_ACTION_TRIGGER, VFU_MSIX, 1, 3 },
		   { 1, 0, 1 } };

	assert_int_equal(client_version(&b->client, NULL), 0);
	assert_int_equal(client_set_irqs(&b->client, VFU_MSIX, TRIGGER, 0, 3, b->irq), 0);
	assert_int_equal(client_set_irqs(&b->client, VFU_MSIX,
					 VFU_IRQ_DATA_NONE | VFU_IRQ_ACTION_TRIGGER, 0, 2, NULL),
			 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(vfu_bench_count(b->irq[i]), i < 2);
	assert_int_equal(client_ask(&b->client, VFU_SET_IRQS, &some, 23, -1), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(vfu_bench_count(b->irq[i]), i == 1);
}

/* Its cause is taken, as a driver's interrupt handler does. */
static void take_cause(struct vfu_bench *b)
{
	assert_int_equal(virtio_interrupt(&b->driver), VIRTIO_INT_QUEUE);
}

static void intx_masks_itself(void **state)
{
	const uint32_t unmask = VFU_IRQ_DATA_NONE | VFU_IRQ_ACTION_UNMASK;
	struct vfu_bench *b = *state;

	vfu_bench_begin(b, false, true);
	vfu_bench_ask(b, 1);
	vfu_assert_answered(b, 1);
	vfu_bench_ask(b, 2);
	vfu_bench_await_answer(b, 2);
	client_turn();
	assert_int_equal(vfu_bench_count(b->irq[0]), 0); /* masked */
	/* It is asserted still. */
	assert_int_equal(client_set_irqs(&b->client, VFU_INTX, unmask, 0, 1, NULL), 0);
	vfu_bench_await(b->irq[0]);
	take_cause(b);
	assert_int_equal(client_set_irqs(&b->client, VFU_INTX, unmask, 0, 1, NULL), 0);
	for (int i = 0; i < 5; i++)
		client_turn();
	assert_int_equal(vfu_bench_count(b->irq[0]), 0); /* and now it is not */
	vfu_bench_ask(b, 3);
	vfu_assert_answered(b, 3);
	take_cause(b);
}

static void intx_can_be_masked_and_unmasked_by_an_eventfd(void **state)
{
	struct vfu_bench *b = *state;

	vfu_bench_begin(b, false, true);
	assert_int_equal(client_set_irqs(&b->client, VFU_INTX,
					 VFU_IRQ_DATA_EVENTFD | VFU_IRQ_ACTION_UNMASK, 0, 1,
					 &b->irq[1]),
			 0);
	assert_int_equal(client_set_irqs(&b->client, VFU_INTX,
					 VFU_IRQ_DATA_NONE | VFU_IRQ_ACTION_MASK, 0, 1, NULL),
			 0);
	vfu_bench_ask(b, 1);
	vfu_bench_await_answer(b, 1);
	for (int i = 0; i < 5; i++)
		client_turn();
	assert_int_equal(vfu_bench_count(b->irq[0]), 0);
	eventfd_signal(b->irq[1]);
	vfu_bench_await(b->irq[0]);
	take_cause(b);
	/* Given up: no line is left. */
	assert_int_equal(client_set_irqs(&b->client, VFU_INTX,
					 VFU_IRQ_DATA_NONE | VFU_IRQ_ACTION_TRIGGER, 0, 0, NULL),
			 0);
	vfu_bench_ask(b, 2);
	vfu_bench_await_answer(b, 2);
	assert_int_equal(vfu_bench_count(b->irq[0]), 0);
	/* And given again, it is told at once. */
	assert_int_equal(client_set_irqs(&b->client, VFU_INTX, TRIGGER, 0, 1, b->irq), 0);
	vfu_bench_await(b->irq[0]);
}

static void a_change_of_the_configuration_interrupts(void **state)
{
	struct vfu_bench *b = *state;

	vfu_bench_begin(b, true, false);
	echo_set_pair(b->dev, 5, true);
	vfu_bench_await(b->irq[0]);
}

/*
 * Doorbells.
 */
static void kicks_can_be_eventfds(void **state)
{
	struct vfu_bench *b = *state;
	uint8_t bytes[16 + 40 * MSG_FDS_MAX] = { 0 };
	struct vfu_io_fds *head = (struct vfu_io_fds *)bytes;
	struct vfu_io_fd one;

	vfu_bench_begin(b, false, false);
	*head = (struct vfu_io_fds){ .argsz = 16 };
	assert_int_equal(client_ask(&b->client, VFU_GET_REGION_IO_FDS, head, 16, -1), 0);
	assert_int_equal(head->argsz, 16 + ECHO_QUEUES * 40);
	assert_int_equal(b->client.n_fds, 0);
	assert_true(client_send(&b->client, VFU_GET_REGION_IO_FDS, 0, head, 16, NULL, 0));
	assert_int_equal(client_answer(&b->client, VFU_GET_REGION_IO_FDS, bytes, sizeof(bytes),
				       &(uint32_t){ 0 }),
			 0);
	assert_int_equal(head->count, ECHO_QUEUES);
	assert_int_equal(b->client.n_fds, ECHO_QUEUES);
	memcpy(&one, bytes + 16, sizeof(one));
	assert_int_equal(one.offset, 0x3000);
	assert_int_equal(one.fd_index | one.type | one.flags, 0);
	(void)vfu_bench_add(b, 6);
	eventfd_signal(b->client.fds[one.fd_index]);
	vfu_assert_answered(b, 6);
	/* The next client's device does not hear what this one has kept. */
	go_and_come(b);
	vfu_bench_begin(b, false, false);
	(void)vfu_bench_add(b, 7);
	eventfd_signal(b->client.fds[0]);
	client_turn();
	for (unsigned i = 0; i < ECHO_QUEUES; i++)
		close(b->client.fds[i]);
}

static void other_regions_have_no_doorbells(void **state)
{
	struct vfu_bench *b = *state;
	struct vfu_io_fds ask = { .argsz = 4096, .index = VFU_CONFIG };

	assert_int_equal(client_version(&b->client, NULL), 0);
	assert_int_equal(client_ask(&b->client, VFU_GET_REGION_IO_FDS, &ask, 16, -1), 0);
	assert_int_equal(ask.count, 0);
	ask = (struct vfu_io_fds){ .argsz = 15 };
	assert_int_equal(client_ask(&b->client, VFU_GET_REGION_IO_FDS, &ask, 16, -1), EINVAL);
	ask = (struct vfu_io_fds){ .argsz = 16, .index = VFU_N_REGIONS };
	assert_int_equal(client_ask(&b->client, VFU_GET_REGION_IO_FDS, &ask, 16, -1), EINVAL);
}

/*
 * Resets, ends.
 */
static void a_reset_leaves_memory_and_interrupts(void **state)
{
	struct vfu_bench *b = *state;

	vfu_bench_begin(b, false, false);
	vfu_bench_ask(b, 1);
	vfu_assert_answered(b, 1);
	assert_int_equal(client_ask(&b->client, VFU_RESET, NULL, 0, -1), 0);
	assert_int_equal(virtio_status(&b->driver), 0);
	assert_int_equal(client_get(&b->client, VFU_CONFIG, PCI_COMMAND, 2), 0);
	virtio_pci_command(&b->driver, PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
	virtio_pci_msix(&b->driver, PCI_MSIX_CONTROL_ENABLE);
	assert_true(virtio_negotiate(&b->driver, (struct virtio_features){ { 0, 0 } }));
	assert_true(drv_vq_init(&b->vq, &b->vq.cfg));
	assert_true(virtio_queue_start(&b->driver, &b->regs));
	virtio_driver_ok(&b->driver);
	vfu_bench_ask(b, 2);
	vfu_assert_answered(b, 2);
}

static void a_guest_cannot_end_the_connection(void **state)
{
	struct vfu_bench *b = *state;

	vfu_bench_begin(b, false, false);
	b->vq.split.avail->idx = cpu_le16(9999);
	vfu_bench_kick(b);
	vfu_bench_await(b->irq[0]);
	assert_true(virtio_status(&b->driver) & VIRTIO_S_NEEDS_RESET);
	assert_non_null(strstr(b->log->str, "avail-jump"));
	/* And memory may change then, too. */
	assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
	assert_int_equal(client_map(&b->client, 0, VFU_BENCH_RAM, 0, b->memfd), 0);
	assert_true(virtio_reset(&b->driver));
	assert_int_equal(b->ended, 0);
}

static void nothing_is_left_of_a_client(void **state)
{
	struct vfu_bench *b = *state;
	unsigned files = 0;

	for (int i = 0; i < 3; i++) {
		vfu_bench_begin(b, i % 2, i == 2);
		vfu_bench_ask(b, 1);
		vfu_assert_answered(b, 1);
		go_and_come(b);
		assert_int_equal(b->mem.n, 0);
		assert_int_equal(vdev_status(b->dev), 0);
		assert_int_equal(open_files(), files ? files : open_files());
		files = open_files();
	}
}

/*
 * Noise.
 */
#define NOISES 3000u

static void fill(GRand *rand, uint8_t *bytes, uint32_t size)
{
	for (uint32_t i = 0; i < size; i += 4)
		switch (g_rand_int_range(rand, 0, 5)) {
		case 0:
			bytes[i] = (uint8_t)g_rand_int(rand);
			break;
		case 1:
			bytes[i + 1] = 0x10;
			break;
		case 2:
			bytes[i] = (uint8_t)g_rand_int_range(rand, 0, 33);
			break;
		case 3:
			bytes[i + (unsigned)g_rand_int_range(rand, 0, 4)] = 0xff;
			break;
		default:
			break;
		}
}

static void say_something(struct vfu_bench *b, GRand *rand, const int *fds)
{
	size_t which = (size_t)g_rand_int_range(rand, 0, G_N_ELEMENTS(sized));
	uint32_t size = sized[which].size;
	uint8_t bytes[304] = { 0 };
	int sent[MSG_FDS_MAX + 2];
	unsigned n = g_rand_int_range(rand, 0, 12) == 0
			     ? (unsigned)g_rand_int_range(rand, 0, MSG_FDS_MAX + 2)
			     : sized[which].command == VFU_DMA_MAP ||
				       sized[which].command == VFU_SET_IRQS;

	if (sized[which].more)
		size += (uint32_t)g_rand_int_range(rand, 0, 30);
	if (g_rand_int_range(rand, 0, 30) == 0)
		size += 4;
	fill(rand, bytes, size);
	for (unsigned i = 0; i < n; i++)
		sent[i] = fds[g_rand_int_range(rand, 0, 4)];
	(void)client_send(&b->client, sized[which].command, g_rand_boolean(rand) ? VFU_NO_REPLY : 0,
			  bytes, size, sent, n);
}

static void drain(struct vfu_bench *b)
{
	uint8_t bytes[4096];

	for (int turn = 0; turn < 4; turn++)
		(void)g_main_context_iteration(NULL, FALSE);
	while (recv(b->client.socket.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void noise_harms_nobody(void **state)
{
	struct vfu_bench *b = *state;
	GRand *rand = g_rand_new_with_seed(1);
	unsigned files = 0, seen = b->ended;
	int fds[4] = { b->memfd, b->irq[1], b->irq[2], b->client.socket.fd };

	vfu_bench_begin(b, false, false);
	for (unsigned i = 0; i < NOISES; i++) {
		fds[3] = b->client.socket.fd;
		say_something(b, rand, fds);
		drain(b);
		if (b->ended == seen)
			continue;
		seen = b->ended;
		client_close(&b->client);
		client_open(&b->client, b->server);
		if (!files)
			files = open_files();
		assert_int_equal(open_files(), files);
		vfu_bench_begin(b, i % 2, i % 3 == 0);
		(void)vfu_bench_count(b->irq[0]);
		(void)vfu_bench_count(b->irq[1]);
		vfu_bench_ask(b, 9);
		vfu_assert_answered(b, 9);
	}
	assert_true(seen > NOISES / 100);
	g_rand_free(rand);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, vfu_bench_setup, vfu_bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_session_begins_with_a_version),
		TEST(capabilities_are_answered_with_fewer),
		TEST(no_version_is_no_session),
		TEST(each_message_has_its_size),
		TEST(what_is_not_for_us_is_answered_with_an_error),
		TEST(a_header_is_looked_at_before_its_payload_comes),
		TEST(descriptors_that_belong_to_nothing_end_the_connection),
		TEST(a_message_may_come_in_pieces_and_end_in_one),
		TEST(who_wants_no_answer_gets_none),
		TEST(there_is_one_client_at_a_time),
		TEST(the_function_has_its_regions),
		cmocka_unit_test_setup_teardown(a_transitional_function_has_ports_besides,
						vfu_bench_setup_legacy, vfu_bench_teardown),
		TEST(configuration_space_can_be_read_in_any_pieces),
		TEST(an_access_beyond_a_region_is_refused),
		TEST(all_of_a_bar_can_be_read),
		TEST(writes_can_be_put_together),
		TEST(memory_that_cannot_be_is_refused),
		TEST(all_memory_can_go_at_once),
		TEST(there_is_room_for_so_many_regions),
		TEST(memory_without_a_descriptor_is_not_mapped),
		TEST(memory_changes_under_a_device_that_runs),
		TEST(a_queue_goes_on_though_nobody_says_that_a_change_is_over),
		TEST(a_queue_waits_for_its_ring),
		TEST(a_file_may_be_shortened),
		TEST(chains_in_hand_are_given_back_before_memory_goes),
		TEST(what_is_written_to_memory_that_is_read_only_is_lost),
		TEST(there_are_intx_and_msix),
		TEST(interrupts_that_cannot_be_are_refused),
		TEST(interrupts_that_say_two_things_end_the_connection),
		TEST(a_vector_that_is_taken_back_is_pending),
		TEST(a_client_can_interrupt_itself),
		TEST(intx_masks_itself),
		TEST(intx_can_be_masked_and_unmasked_by_an_eventfd),
		TEST(a_change_of_the_configuration_interrupts),
		TEST(kicks_can_be_eventfds),
		TEST(other_regions_have_no_doorbells),
		TEST(a_reset_leaves_memory_and_interrupts),
		TEST(a_guest_cannot_end_the_connection),
		TEST(nothing_is_left_of_a_client),
		TEST(noise_harms_nobody),
	};

	return cmocka_run_group_tests_name("vfio-user", tests, NULL, NULL);
}
