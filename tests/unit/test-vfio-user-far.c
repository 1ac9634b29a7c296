/*
 * vfio-user's server with memory that it reaches by messages alone: what it asks of its client, and
 * what becomes of answers that are wrong, late or missing. That devices work so is shown by
 * tests/device, over the rig's links; that QEMU answers, by tests/system/vfio-user.
 */
#include <errno.h>
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/echo.h"
#include "tests/support/vfio-user-bench.h"
#include "transport/pci/regs.h"
#include "transport/vfio-user/impl.h"

/* From now on the server's requests stay where they are. */
static void serve_no_more(struct vfu_bench *b)
{
	client_serve_memory(&b->client, b->main, NULL);
}

static void serve(struct vfu_bench *b)
{
	client_serve_memory(&b->client, b->main, &b->far);
}

static const struct vfu_header *take(struct vfu_bench *b)
{
	gint64 end = g_get_monotonic_time() + 30ll * G_USEC_PER_SEC;

	while (!client_take(&b->client)) {
		if (g_get_monotonic_time() > end)
			fail_msg("no request of the server's");
		client_turn();
	}
	return &b->client.in.header;
}

/* Answers all up to the first that is a @command about the buffers, which waits for client_do(). */
static void serve_up_to(struct vfu_bench *b, uint16_t command)
{
	while (take(b)->command != command || b->client.in.payload.dma.address < VFU_BENCH_BUFS)
		client_do(&b->client, &b->far);
}

static void do_what_was_sent(struct vfu_bench *b)
{
	while (client_take(&b->client))
		client_do(&b->client, &b->far);
}

/* The last message that was taken is answered like this. */
static void answer(struct vfu_bench *b, struct vfu_header h, const void *payload, uint32_t size)
{
	h.size = (uint32_t)sizeof(h) + size;
	assert_true(msg_send(b->client.socket.fd, &(struct msg_out){ .header = &h,
								     .header_size = sizeof(h),
								     .payload = payload,
								     .payload_size = size }));
}

static void a_queue_is_served(void **state)
{
	struct vfu_bench *b = *state;

	for (unsigned packed = 0; packed < 2; packed++) {
		b->client.n_reads = b->client.n_writes = 0;
		vfu_bench_begin(b, packed, false);
		assert_int_equal(b->mem.n, 0);
		for (uint8_t i = 1; i < 100; i++) {
			vfu_bench_ask(b, i);
			vfu_assert_answered(b, i);
		}
		assert_true(b->client.n_reads > 99 * 3 && b->client.n_writes > 99 * 3);
		assert_non_null(strstr(b->log->str, "reached by messages"));
		assert_ptr_equal(strchr(b->log->str, '\n'), b->log->str + b->log->len - 1);
		assert_true(virtio_reset(&b->driver));
		assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
	}
}

/* Kicks are asked for, and interrupts can be suppressed. */
static void suppression_is_heeded(void **state)
{
	struct vfu_bench *b = *state;

	for (unsigned packed = 0; packed < 2; packed++) {
		vfu_bench_begin(b, packed, false);
		drv_disable_notify(&b->vq);
		vfu_bench_ask(b, 1);
		vfu_bench_await_answer(b, 1);
		for (unsigned turns = 0; turns < 100; turns++)
			client_turn();
		assert_int_equal(vfu_bench_count(b->irq[1]), 0);
		(void)drv_enable_notify(&b->vq);
		vfu_bench_ask(b, 2);
		vfu_bench_await(b->irq[1]);
		assert_int_equal(vfu_bench_count(b->irq[1]), 0);
		vfu_bench_await_answer(b, 2);
		assert_true(virtio_reset(&b->driver));
		assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
	}
}

/* A request is one of 1024 bytes: the descriptors. */
static void requests_are_as_long_as_the_client_takes_them(void **state)
{
	static const struct {
		const char *capabilities;
		uint32_t longest;
	} rows[] = {
		{ "{\"capabilities\":{\"max_data_xfer_size\":64}}", 64 },
		{ "{\"capabilities\":{\"max_data_xfer_size\":1000}}", 1000 },
		{ "{}", 1024 },
	};
	struct vfu_bench *b = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		assert_int_equal(client_version(&b->client, rows[i].capabilities), 0);
		vfu_bench_begin(b, false, false);
		vfu_bench_ask(b, 7);
		vfu_assert_answered(b, 7);
		assert_int_equal(b->client.longest, rows[i].longest);
		client_close(&b->client);
		while (b->ended == b->closed)
			client_turn();
		b->closed++;
		client_open(&b->client, b->server);
	}
	assert_int_equal(
		client_version(&b->client, "{\"capabilities\":{\"max_data_xfer_size\":8}}"), -1);
	vfu_assert_closed(b, "that no access fits in");
}

static void a_client_is_served_while_it_owes_an_answer(void **state)
{
	struct vfu_bench *b = *state;
	struct vfu_header h;
	struct vfu_dma_access a;
	uint8_t bytes[sizeof(a) + 4096];

	vfu_bench_begin(b, false, false);
	vfu_bench_ask(b, 1);
	vfu_assert_answered(b, 1);
	while (g_main_context_iteration(NULL, FALSE))
		;
	serve_no_more(b);
	vfu_bench_ask(b, 2);
	h = *take(b);
	assert_int_equal(h.command, VFU_DMA_READ);
	a = b->client.in.payload.dma;
	msg_socket_next(&b->client.socket);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(client_get(&b->client, VFU_CONFIG, 0, 2), 0x1af4);
	client_set(&b->client, VFU_CONFIG, PCI_COMMAND, 2,
		   PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
	memcpy(bytes, &a, sizeof(a));
	assert_true(gmem_read(&b->far, a.address, bytes + sizeof(a), a.count));
	h.flags = VFU_REPLY;
	answer(b, h, bytes, (uint32_t)(sizeof(a) + a.count));
	serve(b);
	vfu_assert_answered(b, 2);
}

static void a_wrong_answer_ends_the_connection(void **state)
{
	static const struct {
		const char *why;
		int id, command, flags, error, address, count, size;
	} rows[] = {
		{ "what was not asked", .id = 1 },
		{ "what was not asked", .command = VFU_DMA_WRITE },
		{ "DMA_READ: flags that there are not", .flags = 0x40 },
		{ "DMA_READ: 2 bytes at 0x402: Bad address", .flags = VFU_ERROR, .error = EFAULT },
		{ "about other memory", .address = 1 },
		{ "about other memory", .count = 1 },
		{ "another size", .size = -1 },
		{ "another size", .size = 1 },
		{ "another size", .size = -18 },
	};
	struct vfu_bench *b = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		uint8_t bytes[32] = { 0 };
		struct vfu_dma_access a;
		struct vfu_header h;

		vfu_bench_begin(b, false, false);
		serve_no_more(b);
		h = *take(b);
		a = b->client.in.payload.dma;
		assert_int_equal(a.count, 2);
		h.id += (uint16_t)rows[i].id;
		h.flags = VFU_REPLY | (uint32_t)rows[i].flags;
		h.error = (uint32_t)rows[i].error;
		a.address += (uint64_t)rows[i].address;
		a.count += (uint64_t)rows[i].count;
		if (rows[i].command)
			h.command = (uint16_t)rows[i].command;
		memcpy(bytes, &a, sizeof(a));
		answer(b, h, bytes, rows[i].error ? 0 : (uint32_t)(18 + rows[i].size));
		vfu_assert_closed(b, rows[i].why);
		assert_int_equal(vdev_status(b->dev), 0);
	}
}

static void what_was_answered_is_not_asked_any_more(void **state)
{
	struct vfu_bench *b = *state;
	uint8_t bytes[sizeof(struct vfu_dma_access) + 2] = { 0 };
	struct vfu_header h;

	vfu_bench_begin(b, true, false);
	serve_no_more(b);
	h = *take(b);
	client_do(&b->client, &b->far);
	h.flags = VFU_REPLY;
	answer(b, h, bytes, sizeof(bytes));
	vfu_assert_closed(b, "what was not asked");
}

static void a_client_that_does_not_answer_is_left(void **state)
{
	struct vfu_bench *b = *state;

	b->server->patience_ms = 40;
	vfu_bench_begin(b, false, false);
	serve_no_more(b);
	(void)take(b);
	vfu_assert_closed(b, "DMA_READ: not answered for 40 ms; the connection is closed");
	vfu_bench_begin(b, true, false);
	vfu_bench_ask(b, 1);
	vfu_assert_answered(b, 1);
}

/* Whatever is under way, what the queue has used is not lost. */
static void memory_can_go_and_come_meanwhile(void **state)
{
	static const uint16_t when[] = { VFU_DMA_READ, VFU_DMA_WRITE };
	struct vfu_bench *b = *state;

	for (unsigned i = 0; i < 2 * G_N_ELEMENTS(when); i++) {
		struct vfu_header h;
		struct vfu_dma_access a;
		uint8_t bytes[sizeof(a) + 1];
		bool write = when[i / 2] == VFU_DMA_WRITE;

		vfu_bench_begin(b, i % 2, false);
		serve_no_more(b);
		vfu_bench_ask(b, 9);
		serve_up_to(b, when[i / 2]);
		h = b->client.in.header;
		a = b->client.in.payload.dma;
		assert_int_equal(a.count, 1);
		bytes[sizeof(a)] = b->client.in.payload.dma.data[0];
		msg_socket_next(&b->client.socket);
		vfu_bench_ask(b, 10); /* after a write: used, and not collected */
		for (unsigned turns = 0; turns < 100; turns++) {
			do_what_was_sent(b);
			client_turn();
		}
		assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
		if (write)
			assert_true(gmem_write(&b->far, a.address, &bytes[sizeof(a)], 1));
		else
			assert_true(gmem_read(&b->far, a.address, &bytes[sizeof(a)], 1));
		memcpy(bytes, &a, sizeof(a));
		h.flags = VFU_REPLY;
		answer(b, h, bytes, write ? 0 : sizeof(bytes));
		do_what_was_sent(b);
		for (unsigned turns = 0; turns < 100; turns++)
			client_turn();
		assert_false(client_take(&b->client)); /* nothing, to what is no memory */
		assert_int_equal(client_map(&b->client, 0, VFU_BENCH_RAM, 0, -1), 0);
		serve(b);
		vfu_bench_await_answer(b, 9);
		vfu_bench_await_answer(b, 10);
		vfu_bench_ask(b, 11);
		vfu_assert_answered(b, 11);
		assert_true(virtio_reset(&b->driver));
		assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
	}
}

/* A reset is not over as long as something may be written still. */
static void a_reset_waits_for_what_was_sent(void **state)
{
	struct vfu_bench *b = *state;

	for (unsigned packed = 0; packed < 2; packed++) {
		struct vfu_header h;

		vfu_bench_begin(b, packed, false);
		serve_no_more(b);
		vfu_bench_ask(b, 3);
		serve_up_to(b, VFU_DMA_WRITE);
		h = b->client.in.header;
		msg_socket_next(&b->client.socket);
		b->driver.ops->set_status(&b->driver, 0);
		for (unsigned i = 0; i < 10; i++) {
			assert_int_not_equal(virtio_status(&b->driver), 0);
			do_what_was_sent(b);
		}
		h.flags = VFU_REPLY;
		answer(b, h, NULL, 0);
		while (virtio_status(&b->driver))
			;
		for (unsigned turns = 0; turns < 100; turns++)
			client_turn();
		assert_false(client_take(&b->client));
		assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
	}
}

static void what_is_written_to_memory_that_is_read_only_is_lost(void **state)
{
	struct vfu_bench *b = *state;
	struct vfu_dma_map rom = { sizeof(rom), VFU_DMA_READABLE, 0, VFU_BENCH_BUFS,
				   VFU_BENCH_RAM - VFU_BENCH_BUFS };
	void *cookie;
	uint32_t len;

	vfu_bench_begin(b, false, false);
	assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
	assert_int_equal(client_map(&b->client, 0, VFU_BENCH_BUFS, 0, -1), 0);
	assert_int_equal(client_ask(&b->client, VFU_DMA_MAP, &rom, sizeof(rom), -1), 0);
	b->ram[VFU_BENCH_BUFS + 5 * 16 + 8] = 0x55;
	vfu_bench_ask(b, 5);
	vfu_bench_await(b->irq[1]);
	assert_true(drv_used(&b->vq, &cookie, &len));
	assert_int_equal(b->ram[VFU_BENCH_BUFS + 5 * 16 + 8], 0x55);
}

/* Video memory, a ROM: the machine's memory is mapped, and nothing is sent. */
static void a_little_memory_without_a_descriptor_changes_nothing(void **state)
{
	struct vfu_bench *b = *state;

	b->is_far = false;
	assert_int_equal(client_version(&b->client, NULL), 0);
	assert_int_equal(client_map(&b->client, 0xfd000000, 16u << 20, 0, -1), 0);
	vfu_bench_begin(b, true, false);
	client_serve_memory(&b->client, b->main, &b->far);
	vfu_bench_ask(b, 5);
	vfu_assert_answered(b, 5);
	assert_int_equal(b->client.n_reads + b->client.n_writes, 0);
	assert_int_equal(b->log->len, 0);
}

/* Chains that make no sense are the queue's to name. */
static void a_driver_that_breaks_its_ring_needs_a_reset(void **state)
{
	static const struct {
		uint16_t flags, next;
		uint32_t len;
		const char *name;
	} rows[] = {
		{ VRING_DESC_F_NEXT, 0, 1, "loop" },
		{ VRING_DESC_F_NEXT, 1000, 1, "next" },
		{ VRING_DESC_F_INDIRECT, 0, 16, "indirect" },
		{ 0, 0, 0, "length" },
		{ 0, 0, UINT32_MAX, "address" },
	};
	struct vfu_bench *b = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		vfu_bench_begin(b, false, false);
		(void)vfu_bench_add(b, 1);
		b->vq.split.desc[0].flags = rows[i].flags;
		b->vq.split.desc[0].next = rows[i].next;
		b->vq.split.desc[0].len = rows[i].len;
		vfu_bench_kick(b);
		while (!(virtio_status(&b->driver) & VIRTIO_S_NEEDS_RESET))
			;
		assert_non_null(strstr(b->log->str, rows[i].name));
		g_string_truncate(b->log, 0);
		assert_true(virtio_reset(&b->driver));
		assert_int_equal(client_unmap(&b->client, 0, VFU_BENCH_RAM), 0);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, vfu_bench_setup_far, vfu_bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_queue_is_served),
		TEST(suppression_is_heeded),
		TEST(requests_are_as_long_as_the_client_takes_them),
		TEST(a_client_is_served_while_it_owes_an_answer),
		TEST(a_wrong_answer_ends_the_connection),
		TEST(what_was_answered_is_not_asked_any_more),
		TEST(a_client_that_does_not_answer_is_left),
		TEST(memory_can_go_and_come_meanwhile),
		TEST(a_reset_waits_for_what_was_sent),
		TEST(what_is_written_to_memory_that_is_read_only_is_lost),
		TEST(a_little_memory_without_a_descriptor_changes_nothing),
		TEST(a_driver_that_breaks_its_ring_needs_a_reset),
	};

	return cmocka_run_group_tests_name("vfio-user-far", tests, NULL, NULL);
}
