#include "tests/support/vfio-user-client.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/fd-message.h"
#include "transport/pci/regs.h"
#include "transport/vfio-user/vfio-user.h"

static ssize_t client_payload_size(const void *header)
{
	const struct vfu_header *h = header;

	assert_in_range(h->size, sizeof(*h), sizeof(*h) + VFU_PAYLOAD);
	return (ssize_t)(h->size - sizeof(*h));
}

static const struct msg_format client_format = { sizeof(struct vfu_header), client_payload_size };

void client_turn(void)
{
	if (!g_main_context_iteration(NULL, FALSE))
		g_usleep(20);
}

void client_begin(struct vfu_client *c, int fd)
{
	*c = (struct vfu_client){ .id = 0x1000 };
	msg_socket_open(&c->socket, fd, &client_format, &c->in.header, &c->in.payload);
}

void client_open(struct vfu_client *c, struct vfio_user *v)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	client_begin(c, pair[0]);
	assert_true(vfio_user_connect(v, pair[1]));
}

void client_close(struct vfu_client *c)
{
	loop_unwatch(g_steal_pointer(&c->watch));
	g_queue_clear_full(&c->kept, g_free);
	msg_socket_close(&c->socket);
}

/*
 * Memory.
 */
static void client_keep(struct vfu_client *c)
{
	assert_int_equal(c->socket.n_fds, 0);
	g_queue_push_tail(&c->kept, g_memdup2(&c->in, sizeof(c->in)));
	msg_socket_next(&c->socket);
}

static bool client_take_kept(struct vfu_client *c)
{
	g_autofree void *first = g_queue_pop_head(&c->kept);

	if (first)
		memcpy(&c->in, first, sizeof(c->in));
	return first;
}

bool client_take(struct vfu_client *c)
{
	struct vfu_header h;

	if (c->socket.have && c->socket.have == c->in.header.size)
		msg_socket_next(&c->socket);
	if (!c->socket.have && client_take_kept(c))
		return true;
	if (!c->socket.have &&
	    (recv(c->socket.fd, &h, sizeof(h), MSG_PEEK | MSG_DONTWAIT) != sizeof(h) ||
	     (h.flags & VFU_TYPE) != VFU_REQUEST))
		return false;
	return msg_socket_receive(&c->socket) == MESSAGE_WHOLE && c->in.header.flags == VFU_REQUEST;
}

void client_do(struct vfu_client *c, const struct gmem *memory)
{
	struct vfu_dma_access *a = &c->in.payload.dma;
	struct vfu_header *h = &c->in.header;
	bool write = h->command == VFU_DMA_WRITE;
	uint32_t data = (uint32_t)a->count;

	assert_true(write || h->command == VFU_DMA_READ);
	assert_int_equal(h->size, sizeof(*h) + sizeof(*a) + (write ? a->count : 0));
	assert_int_equal(c->socket.n_fds, 0);
	if (write)
		assert_true(gmem_write(memory, a->address, a->data, data));
	else
		assert_true(gmem_read(memory, a->address, a->data, data));
	c->n_writes += write;
	c->n_reads += !write;
	c->longest = MAX(c->longest, data);
	h->flags = VFU_REPLY;
	h->size = (uint32_t)sizeof(*h) + (write ? 0 : (uint32_t)sizeof(*a) + data);
	(void)msg_send(c->socket.fd, &(struct msg_out){ .header = h,
							.header_size = sizeof(*h),
							.payload = a,
							.payload_size = h->size - sizeof(*h) });
	msg_socket_next(&c->socket);
}

static void client_on_socket(void *arg, GIOCondition revents)
{
	struct vfu_client *c = arg;

	(void)revents;
	while (c->memory && client_take(c))
		client_do(c, c->memory);
}

void client_serve_memory(struct vfu_client *c, struct loop *main, const struct gmem *memory)
{
	c->memory = memory;
	client_on_socket(c, 0);
	if (!c->watch)
		c->watch = loop_watch(main, c->socket.fd, G_IO_IN, client_on_socket, c);
}

bool client_send(struct vfu_client *c, uint16_t command, uint32_t flags, const void *payload,
		 uint32_t size, const int *fds, unsigned n_fds)
{
	struct vfu_header header = { ++c->id, command, (uint32_t)sizeof(header) + size, flags, 0 };

	return send_any_message(c->socket.fd, &(struct msg_out){ .header = &header,
								 .header_size = sizeof(header),
								 .payload = payload,
								 .payload_size = size,
								 .fds = fds,
								 .n_fds = n_fds });
}

/* False: the connection was closed. */
static bool client_receive(struct vfu_client *c)
{
	gint64 end = g_get_monotonic_time() + 30ll * G_USEC_PER_SEC;

	msg_socket_next(&c->socket);
	for (;;) {
		enum msg_received got;

		client_on_socket(c, 0);
		got = msg_socket_receive(&c->socket);
		if (got == MESSAGE_WHOLE && c->in.header.flags == VFU_REQUEST)
			client_keep(c);
		else if (got != MESSAGE_MORE)
			return got == MESSAGE_WHOLE;
		if (g_get_monotonic_time() > end)
			fail_msg("no answer from the server");
		client_turn();
	}
}

int client_answer(struct vfu_client *c, uint16_t command, void *payload, uint32_t size,
		  uint32_t *ret_len)
{
	const struct vfu_header *h = &c->in.header;
	uint32_t len;

	*ret_len = 0;
	if (!client_receive(c))
		return -1;
	assert_int_equal(h->command, command);
	assert_int_equal(h->id, c->id);
	len = h->size - (uint32_t)sizeof(*h);
	if (h->flags & VFU_ERROR) {
		assert_int_equal(h->flags, VFU_REPLY | VFU_ERROR);
		assert_int_equal(len, 0);
		assert_int_not_equal(h->error, 0);
		return (int)h->error;
	}
	assert_int_equal(h->flags, VFU_REPLY);
	assert_true(len <= size);
	if (len)
		memcpy(payload, &c->in.payload, len);
	c->n_fds = c->socket.n_fds;
	for (unsigned i = 0; i < c->n_fds; i++)
		c->fds[i] = msg_socket_take_fd(&c->socket, i);
	*ret_len = len;
	return 0;
}

int client_ask(struct vfu_client *c, uint16_t command, void *payload, uint32_t size, int fd)
{
	uint32_t len;

	if (!client_send(c, command, 0, payload, size, &fd, fd >= 0))
		return -1;
	return client_answer(c, command, payload, size, &len);
}

int client_version(struct vfu_client *c, const char *capabilities)
{
	uint8_t bytes[1024] = { 0 };
	uint32_t len = 4;
	int ret;

	if (capabilities) {
		memcpy(bytes + len, capabilities, strlen(capabilities) + 1);
		len += (uint32_t)strlen(capabilities) + 1;
	}
	if (!client_send(c, VFU_VERSION, 0, bytes, len, NULL, 0))
		return -1;
	ret = client_answer(c, VFU_VERSION, bytes, sizeof(bytes), &len);
	c->versioned |= ret == 0;
	return ret;
}

/*
 * Regions.
 */
int client_read(struct vfu_client *c, uint32_t region, uint64_t off, void *dst, uint32_t len)
{
	uint8_t bytes[sizeof(struct vfu_access) + VFU_XFER];
	struct vfu_access a = { off, region, len };
	uint32_t got;
	int ret;

	if (!client_send(c, VFU_REGION_READ, 0, &a, sizeof(a), NULL, 0))
		return -1;
	ret = client_answer(c, VFU_REGION_READ, bytes, sizeof(bytes), &got);
	if (ret)
		return ret;
	assert_int_equal(got, sizeof(a) + len);
	assert_memory_equal(bytes, &a, sizeof(a));
	memcpy(dst, bytes + sizeof(a), len);
	return 0;
}

int client_write(struct vfu_client *c, uint32_t region, uint64_t off, const void *src, uint32_t len)
{
	uint8_t bytes[sizeof(struct vfu_access) + VFU_XFER];
	struct vfu_access a = { off, region, len };
	uint32_t got;
	int ret;

	memcpy(bytes, &a, sizeof(a));
	memcpy(bytes + sizeof(a), src, len);
	if (!client_send(c, VFU_REGION_WRITE, 0, bytes, (uint32_t)sizeof(a) + len, NULL, 0))
		return -1;
	ret = client_answer(c, VFU_REGION_WRITE, bytes, sizeof(bytes), &got);
	if (ret)
		return ret;
	assert_int_equal(got, sizeof(a));
	assert_memory_equal(bytes, &a, sizeof(a));
	return 0;
}

uint64_t client_get(struct vfu_client *c, uint32_t region, uint64_t off, unsigned len)
{
	uint64_t value = 0;

	assert_int_equal(client_read(c, region, off, &value, len), 0);
	return GUINT64_FROM_LE(value);
}

void client_set(struct vfu_client *c, uint32_t region, uint64_t off, unsigned len, uint64_t value)
{
	uint64_t bytes = GUINT64_TO_LE(value);

	assert_int_equal(client_write(c, region, off, &bytes, len), 0);
}

/*
 * Memory, interrupts.
 */
int client_map(struct vfu_client *c, uint64_t address, uint64_t size, uint64_t offset, int fd)
{
	struct vfu_dma_map m = { sizeof(m), VFU_DMA_READABLE | VFU_DMA_WRITEABLE, offset, address,
				 size };

	return client_ask(c, VFU_DMA_MAP, &m, sizeof(m), fd);
}

int client_unmap(struct vfu_client *c, uint64_t address, uint64_t size)
{
	struct vfu_dma_unmap m = { sizeof(m), 0, address, size }, asked = m;
	int ret = client_ask(c, VFU_DMA_UNMAP, &m, sizeof(m), -1);

	assert_memory_equal(&m, &asked, sizeof(m));
	return ret;
}

int client_set_irqs(struct vfu_client *c, uint32_t index, uint32_t flags, uint32_t start,
		    uint32_t count, const int *fds)
{
	struct vfu_irq_set s = { sizeof(s), flags, index, start, count };
	uint32_t len = 0;
	int ret;

	if (!client_send(c, VFU_SET_IRQS, 0, &s, sizeof(s), fds, fds ? count : 0))
		return -1;
	ret = client_answer(c, VFU_SET_IRQS, NULL, 0, &len);
	assert_int_equal(len, 0);
	return ret;
}

/*
 * A machine.
 */
static void client_place_bar(struct vfu_client *c, unsigned index, uint64_t size)
{
	struct client_bar *bar = &c->bar[index];
	unsigned reg = PCI_BAR0 + 4 * index;

	bar->size = size;
	bar->io = client_get(c, VFU_CONFIG, reg, 4) & PCI_BAR_IO;
	bar->base = bar->io ? CLIENT_PORTS : CLIENT_MEMORY;
	client_set(c, VFU_CONFIG, reg, 4, bar->base);
	if (!bar->io)
		client_set(c, VFU_CONFIG, reg + 4, 4, bar->base >> 32);
}

void client_place_bars(struct vfu_client *c)
{
	for (uint32_t i = 0; i < G_N_ELEMENTS(c->bar); i++) {
		struct vfu_region_info info = { .argsz = sizeof(info), .index = i };

		assert_int_equal(client_ask(c, VFU_GET_REGION_INFO, &info, sizeof(info), -1), 0);
		if (info.size)
			client_place_bar(c, i, info.size);
	}
}

/* The BAR that has the address; -1: nobody does. */
static int client_bar_at(const struct vfu_client *c, bool io, uint64_t addr, unsigned len)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(c->bar); i++) {
		uint64_t off = addr - c->bar[i].base;

		if (c->bar[i].io == io && off < c->bar[i].size && len <= c->bar[i].size - off)
			return (int)i;
	}
	return -1;
}

/* Where nothing is, reads give all ones and writes are lost. */
uint64_t client_load(struct vfu_client *c, bool io, uint64_t addr, unsigned len)
{
	int i = client_bar_at(c, io, addr, len);

	return i < 0 ? UINT64_MAX >> (64 - 8 * len)
		     : client_get(c, (uint32_t)i, addr - c->bar[i].base, len);
}

void client_store(struct vfu_client *c, bool io, uint64_t addr, unsigned len, uint64_t value)
{
	int i = client_bar_at(c, io, addr, len);

	if (i >= 0)
		client_set(c, (uint32_t)i, addr - c->bar[i].base, len, value);
}

/*
 * A driver.
 */
static uint64_t client_io_read(void *opaque, uint64_t addr, unsigned len)
{
	return client_load(opaque, false, addr, len);
}

static void client_io_write(void *opaque, uint64_t addr, unsigned len, uint64_t value)
{
	client_store(opaque, false, addr, len, value);
}

static uint32_t client_io_pci_read(void *opaque, uint64_t function, unsigned reg, unsigned len)
{
	(void)function;
	return (uint32_t)client_get(opaque, VFU_CONFIG, reg, len);
}

static void client_io_pci_write(void *opaque, uint64_t function, unsigned reg, unsigned len,
				uint32_t value)
{
	(void)function;
	client_set(opaque, VFU_CONFIG, reg, len, value);
}

static uint64_t client_io_port_read(void *opaque, uint16_t port, unsigned len)
{
	return client_load(opaque, true, port, len);
}

static void client_io_port_write(void *opaque, uint16_t port, unsigned len, uint64_t value)
{
	client_store(opaque, true, port, len, value);
}

static bool client_io_wait(void *opaque, uint64_t turn)
{
	(void)opaque;
	client_turn();
	return turn < 100000;
}

struct virtio_io client_io(struct vfu_client *c)
{
	return (struct virtio_io){ .read = client_io_read,
				   .write = client_io_write,
				   .pci_read = client_io_pci_read,
				   .pci_write = client_io_pci_write,
				   .port_read = client_io_port_read,
				   .port_write = client_io_port_write,
				   .wait = client_io_wait,
				   .opaque = c };
}
