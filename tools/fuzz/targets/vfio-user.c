/*
 * Messages of vfio-user, from a client that says what it likes, with descriptors of any kind; a
 * device behind it, whose driver reaches it by such messages and has rings in the client's memory.
 * The heading chooses device, ring and the legacy interface. What counts as a bug is what
 * sanitizers say, a descriptor that is closed twice or never, and work without end.
 *
 * SAY is any message; SET_UP says all that a driver says until a ring runs, so that what follows
 * finds one; ACCESS, IRQS and MAP are messages of the kind that each names, sound but for what is
 * in them.
 */
#include <string.h>

#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/trace.h"
#include "tools/fuzz/targets/served.h"
#include "transport/pci/msix.h"
#include "transport/vfio-user/impl.h"
#include "transport/virtio-pci/regs.h"

#define NOTIFY  0x3000u /* of the BAR */
#define LEGACY  0x80u   /* of the heading */
#define VECTORS 4u

struct vfio_client {
	struct served s;
	struct vfio_user *server;
	int fd; /* the server's socket; -1: it has closed it */
	uint16_t id;
	uint32_t bar; /* the region of virtio 1's registers */
};

static void fuzz_vfio_ended(void *opaque)
{
	struct vfio_client *c = opaque;

	c->fd = -1;
	trace("client: the connection is closed");
}

static void fuzz_vfio_connect(struct vfio_client *c)
{
	if (c->fd >= 0)
		return;
	c->fd = host_fd_new(HOST_STREAM);
	host_room(c->fd, 1u << 20);
	if (!vfio_user_connect(c->server, c->fd))
		fuzz_bug("there is a client still");
}

static void fuzz_vfio_send(struct vfio_client *c, const struct vfu_header *h, const void *payload,
			   uint32_t size, const int *fds, unsigned n)
{
	fuzz_vfio_connect(c);
	trace("client: message %u, flags %#x, %u bytes, %u descriptors", h->command, h->flags, size,
	      n);
	host_send_fds(fds, n);
	host_feed(c->fd, h, sizeof(*h));
	if (size && c->fd >= 0)
		host_feed(c->fd, payload, size);
	served_turn(&c->s, 2);
}

static void fuzz_vfio_say(struct vfio_client *c, uint16_t command, const void *payload,
			  uint32_t size, const int *fds, unsigned n)
{
	struct vfu_header h = { ++c->id, command, (uint32_t)sizeof(h) + size, VFU_REQUEST, 0 };

	fuzz_vfio_send(c, &h, payload, size, fds, n);
}

static void fuzz_vfio_any(struct vfio_client *c, struct input *in)
{
	uint8_t command = in8(in), flags = in8(in), kinds = in8(in),
		n = in8(in) % (HOST_SENT_MAX + 1);
	struct vfu_header h = { ++c->id, command % (VFU_N_COMMANDS + 2), 0, flags & 0x3f, 0 };
	uint32_t size = (uint32_t)MIN(in_left(in), 512);
	int fds[HOST_SENT_MAX];

	h.size = (uint32_t)sizeof(h) + size + (flags >> 7);
	for (unsigned i = 0; i < n; i++)
		fds[i] = served_fd(kinds + i);
	fuzz_vfio_send(c, &h, in->at, size, fds, n);
}

/*
 * Accesses of registers.
 */
static void fuzz_vfio_write(struct vfio_client *c, uint32_t region, uint64_t off, uint32_t len,
			    uint64_t value)
{
	struct vfu_access a = { off, region, len };
	uint8_t bytes[sizeof(a) + sizeof(value)];

	memcpy(bytes, &a, sizeof(a));
	memcpy(bytes + sizeof(a), &value, sizeof(value));
	fuzz_vfio_say(c, VFU_REGION_WRITE, bytes, (uint32_t)sizeof(a) + len, NULL, 0);
}

static void fuzz_vfio_access(struct vfio_client *c, struct input *in)
{
	static const uint32_t regions[] = { VFU_BAR0, 2, VFU_CONFIG, VFU_ROM };
	static const uint32_t lens[] = { 1, 2, 4, 8, 3, 0, 64, VFU_XFER };
	uint8_t how = in8(in);
	uint16_t off = in16(in);
	uint32_t region = regions[how % 4], len = lens[how / 4 % 8];
	struct vfu_access a = { off, region, len };

	if (how & 0x20)
		fuzz_vfio_say(c, VFU_REGION_READ, &a, sizeof(a), NULL, 0);
	else
		fuzz_vfio_write(c, region, off, MIN(len, 8), in64(in));
}

/*
 * Interrupts and memory.
 */
static void fuzz_vfio_irqs(struct vfio_client *c, struct input *in)
{
	uint8_t index = in8(in), flags = in8(in), start = in8(in), n = in8(in) % (MSG_FDS_MAX + 1);
	struct vfu_irq_set set = { .argsz = sizeof(set),
				   .flags = flags & 0x3f,
				   .index = index % (VFU_N_IRQS + 1),
				   .start = start & 0x80 ? UINT32_MAX - start % 8 : start % 8,
				   .count = n };
	uint8_t bytes[sizeof(set) + MSG_FDS_MAX];
	uint32_t data = flags & VFU_IRQ_DATA_BOOL ? n : 0;
	bool given = flags & VFU_IRQ_DATA_EVENTFD && !(flags & 0x80);
	int fds[MSG_FDS_MAX];

	memset(bytes, 1, sizeof(bytes));
	memcpy(bytes, &set, sizeof(set));
	for (unsigned i = 0; given && i < n; i++)
		fds[i] = served_fd(0);
	fuzz_vfio_say(c, VFU_SET_IRQS, bytes, (uint32_t)sizeof(set) + data, fds, given ? n : 0);
}

static void fuzz_vfio_map_at(struct vfio_client *c, uint64_t address, uint64_t offset,
			     uint64_t size, uint32_t flags, int fd)
{
	struct vfu_dma_map m = { sizeof(m), flags, offset, address, size };

	fuzz_vfio_say(c, VFU_DMA_MAP, &m, sizeof(m), &fd, fd >= 0);
}

/* Places and lengths in quarters of a file. */
static void fuzz_vfio_map(struct vfio_client *c, struct input *in)
{
	uint8_t what = in8(in), place = in8(in);
	uint64_t address = place % 8 * (uint64_t)(SERVED_FILE / 4);
	uint64_t size = (place / 8 % 4 + 1) * (uint64_t)(SERVED_FILE / 4);
	struct vfu_dma_unmap u = { sizeof(u), 0, address, size };

	if (what & 1)
		u = (struct vfu_dma_unmap){ .argsz = sizeof(u), .flags = VFU_DMA_UNMAP_ALL };
	if (what & 2)
		fuzz_vfio_say(c, VFU_DMA_UNMAP, &u, sizeof(u), NULL, 0);
	else
		fuzz_vfio_map_at(c, address, place / 32 % 4 * (uint64_t)(SERVED_FILE / 4), size,
				 VFU_DMA_READABLE | (what & 4 ? 0 : VFU_DMA_WRITEABLE),
				 what & 8 ? -1 : served_fd(4 + what / 16));
}

/*
 * A ring that runs.
 */
static void fuzz_vfio_common(struct vfio_client *c, uint32_t field, uint32_t len, uint64_t value)
{
	fuzz_vfio_write(c, c->bar, field, len, value);
}

static void fuzz_vfio_begin(struct vfio_client *c, unsigned how)
{
	static const char json[] = "\0\0\0\0{\"capabilities\":{\"max_msg_fds\":8,"
				   "\"write_multiple\":true}}";
	static const uint8_t irqs[] = { VFU_MSIX, VFU_IRQ_DATA_EVENTFD | VFU_IRQ_ACTION_TRIGGER, 0,
					VECTORS };
	struct input in = { irqs, irqs + sizeof(irqs) };
	unsigned msix = vpci_msix(c->server->pci)->cap;

	if (!c->server->versioned)
		fuzz_vfio_say(c, VFU_VERSION, json, how & 1 ? sizeof(json) : 4, NULL, 0);
	fuzz_vfio_map_at(c, 0, 0, SERVED_FILE, VFU_DMA_READABLE | VFU_DMA_WRITEABLE, served_fd(4));
	fuzz_vfio_write(c, VFU_CONFIG, PCI_COMMAND, 2,
			PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
	if (how & 2)
		return;
	fuzz_vfio_write(c, VFU_CONFIG, msix + PCI_MSIX_CONTROL, 2, PCI_MSIX_CONTROL_ENABLE);
	fuzz_vfio_irqs(c, &in);
}

static void fuzz_vfio_ring(struct vfio_client *c, unsigned q)
{
	const struct drv_vq *vq = &c->s.vq[q];

	fuzz_vfio_common(c, VPCI_QUEUE_SELECT, 2, q);
	fuzz_vfio_common(c, VPCI_QUEUE_SIZE, 2, SERVED_SIZE);
	fuzz_vfio_common(c, VPCI_QUEUE_MSIX_VECTOR, 2, q);
	fuzz_vfio_common(c, VPCI_QUEUE_DESC, 8, vq->desc);
	fuzz_vfio_common(c, VPCI_QUEUE_DRIVER, 8, vq->driver);
	fuzz_vfio_common(c, VPCI_QUEUE_DEVICE, 8, vq->device);
	fuzz_vfio_common(c, VPCI_QUEUE_ENABLE, 2, 1);
}

static void fuzz_vfio_set_up(struct vfio_client *c, struct input *in)
{
	static const uint8_t begun = VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER;
	unsigned rings = in8(in), how = in8(in);

	fuzz_vfio_begin(c, how);
	fuzz_vfio_common(c, VPCI_DEVICE_STATUS, 1, 0);
	fuzz_vfio_common(c, VPCI_DEVICE_STATUS, 1, begun);
	fuzz_vfio_common(c, VPCI_DRIVER_FEATURE_SELECT, 4, 1);
	fuzz_vfio_common(c, VPCI_DRIVER_FEATURE, 4,
			 1u << (VIRTIO_F_VERSION_1 - 32) | (unsigned)c->s.packed
								   << (VIRTIO_F_RING_PACKED - 32));
	fuzz_vfio_common(c, VPCI_DEVICE_STATUS, 1, begun | VIRTIO_S_FEATURES_OK);
	for (unsigned q = 0; q < SERVED_RINGS; q++)
		if ((rings & 3) != q + 1 && served_lay_out(&c->s, q))
			fuzz_vfio_ring(c, q);
	fuzz_vfio_common(c, VPCI_DEVICE_STATUS, 1,
			 begun | VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK);
}

/*
 * The rest.
 */
static void fuzz_vfio_chain(struct vfio_client *c, struct input *in)
{
	served_chain(&c->s, in);
}

static void fuzz_vfio_memory(struct vfio_client *c, struct input *in)
{
	(void)c;
	served_bytes(in);
}

static void fuzz_vfio_kick(struct vfio_client *c, struct input *in)
{
	unsigned q = in8(in);

	fuzz_vfio_write(c, c->bar, NOTIFY + q % 4 * 4, 2, q % 4);
}

/* A while passes, which may be long enough for a change of memory to be over. */
static void fuzz_vfio_time(struct vfio_client *c, struct input *in)
{
	uint8_t n = in8(in);

	if (n & 0x80)
		host_advance(400000000u);
	served_time(&c->s, in);
}

static void fuzz_vfio_hang_up(struct vfio_client *c, struct input *in)
{
	(void)in;
	if (c->fd >= 0)
		host_hang_up(c->fd, false);
	served_turn(&c->s, 2);
}

static void (*const run[N_VFIO_OPS])(struct vfio_client *c, struct input *in) = {
	[VFIO_SAY] = fuzz_vfio_any,       [VFIO_SET_UP] = fuzz_vfio_set_up,
	[VFIO_ACCESS] = fuzz_vfio_access, [VFIO_IRQS] = fuzz_vfio_irqs,
	[VFIO_MAP] = fuzz_vfio_map,       [VFIO_CHAIN] = fuzz_vfio_chain,
	[VFIO_MEMORY] = fuzz_vfio_memory, [VFIO_KICK] = fuzz_vfio_kick,
	[VFIO_TURN] = fuzz_vfio_time,     [VFIO_HANG_UP] = fuzz_vfio_hang_up,
};

static void fuzz_vfio_input(void *opaque)
{
	struct input *in = opaque, args;
	struct vfio_client c = { .fd = -1 };
	uint8_t heading = in8(in), op;
	bool legacy = heading & LEGACY &&
		      heading / 2 % 8 < 3; /* a disk, a network card, a console */

	c.bar = legacy ? 2 : VFU_BAR0;
	served_open(&c.s, heading & 15, legacy ? ",legacy=on" : "");
	c.server = vfio_user_new(c.s.dev, &c.s.mem, c.s.loop, fuzz_vfio_ended, &c, NULL);
	if (!c.server)
		fuzz_bug("the device cannot be served");
	while (in_record(in, &op, &args))
		run[op % N_VFIO_OPS](&c, &args);
	vfio_user_free(c.server);
	served_close(&c.s);
}

void fuzz_vfio_user_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };

	(void)t;
	served_run(fuzz_vfio_input, &in);
}
