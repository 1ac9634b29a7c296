/*
 * Messages of vhost-user, from a front-end that says what it likes, with descriptors of any kind; a
 * device behind it, whose driver has rings in the front-end's memory. The heading chooses device
 * and ring. What counts as a bug is what sanitizers say, a descriptor that is closed twice or
 * never, and work without end.
 *
 * SAY is any message; SET_UP says all that a ring needs, so that what follows finds one that runs.
 */
#include <string.h>

#include "devices/registry.h"
#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/host/fakes.h"
#include "tools/fuzz/host/host.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/input.h"
#include "tools/fuzz/language/trace.h"
#include "transport/vhost-user/vhost-user.h"
#include "transport/vhost-user/wire.h"
#include "virtqueue/driver/drv.h"

#define FILES      4u
#define FILE_BYTES 0x10000u
#define USER       0x7f0000000000ull
#define RINGS      2u       /* that have a driver; each in half of file 0, */
#define ROOM       0x8000ul /* of which this is one's, buffers last */
#define BUFS       0x6000ul
#define SIZE       16u
#define TURNS      8u

/* Files of memory, as the front-end shares them: 0 is the guest's. */
static _Alignas(4096) uint8_t memory[FILES][FILE_BYTES];

struct front_end {
	struct fakes fakes;
	GMainContext *context;
	struct loop *loop;
	struct gmem mem;
	struct vdev *dev;
	struct vhost_user *back;
	int fd; /* the back-end's socket; -1: it has closed it */
	bool packed;
	struct drv_vq vq[RINGS];
	bool driven[RINGS];
};

static void fuzz_front_ended(void *opaque)
{
	struct front_end *f = opaque;

	f->fd = -1;
	trace("front-end: the connection is closed");
}

static void fuzz_front_turn(struct front_end *f, unsigned n)
{
	for (unsigned i = 0; i < n && i < TURNS; i++)
		if (!g_main_context_iteration(f->context, FALSE))
			break;
}

static void fuzz_front_connect(struct front_end *f)
{
	if (f->fd >= 0)
		return;
	f->fd = host_fd_new(HOST_STREAM);
	host_room(f->fd, 1u << 20);
	if (!vhost_user_connect(f->back, f->fd))
		fuzz_bug("there is a front-end still");
}

/* A new descriptor of the kind that a number stands for. */
static int fuzz_front_fd(unsigned kind)
{
	switch (kind % 8) {
	case 0:
	case 1:
		return host_fd_new(HOST_EVENT);
	case 2:
		return host_fd_new(HOST_STREAM);
	case 3:
		return host_file_new(memory[1], FILE_BYTES, 64); /* a short one */
	default:
		return host_file_new(memory[kind % FILES], FILE_BYTES, FILE_BYTES);
	}
}

static void fuzz_front_say(struct front_end *f, uint32_t request, uint32_t flags,
			   const void *payload, uint32_t size, const int *fds, unsigned n)
{
	struct vhu_header h = { request, flags, size };

	fuzz_front_connect(f);
	trace("front-end: message %u, flags %#x, %u bytes, %u descriptors", request, flags, size,
	      n);
	host_send_fds(fds, n);
	host_feed(f->fd, &h, sizeof(h));
	if (size && f->fd >= 0)
		host_feed(f->fd, payload, MIN(size, VHU_PAYLOAD));
	fuzz_front_turn(f, 2);
}

static void fuzz_front_any(struct front_end *f, struct input *in)
{
	uint8_t request = in8(in), flags = in8(in), kinds = in8(in),
		n = in8(in) % (HOST_SENT_MAX + 1);
	uint8_t payload[VHU_PAYLOAD] = { 0 };
	size_t size = MIN(in_left(in), sizeof(payload));
	int fds[HOST_SENT_MAX];

	memcpy(payload, in->at, size);
	for (unsigned i = 0; i < n; i++)
		fds[i] = fuzz_front_fd(kinds + i);
	fuzz_front_say(f, request % 48, (flags & ~VHU_VERSION_MASK) | VHU_VERSION, payload,
		       (uint32_t)size + (flags >> 7), fds, n);
}

/*
 * A ring that runs.
 */
static void fuzz_front_u64(struct front_end *f, uint32_t request, uint64_t value, int fd)
{
	fuzz_front_say(f, request, VHU_VERSION, &value, sizeof(value), &fd, fd >= 0);
}

static void fuzz_front_state(struct front_end *f, uint32_t request, unsigned q, uint32_t value)
{
	struct vhu_state s = { q, value };

	fuzz_front_say(f, request, VHU_VERSION, &s, sizeof(s), NULL, 0);
}

static bool fuzz_front_lay_out(struct front_end *f, unsigned q)
{
	struct drv_config cfg = {
		.size = SIZE, .packed = f->packed, .base = memory[0] + q * ROOM, .gpa = q * ROOM
	};

	cfg.len = drv_bytes(&cfg);
	f->driven[q] = cfg.len <= BUFS && drv_vq_init(&f->vq[q], &cfg);
	return f->driven[q];
}

static void fuzz_front_ring(struct front_end *f, unsigned q, unsigned how)
{
	struct vhu_addr a = { .index = q, .flags = how & 1 };

	if (!fuzz_front_lay_out(f, q))
		return;
	a.desc = USER + f->vq[q].desc;
	a.avail = USER + f->vq[q].driver;
	a.used = USER + f->vq[q].device;
	a.log = f->vq[q].device;
	fuzz_front_state(f, VHU_SET_VRING_NUM, q, SIZE);
	fuzz_front_state(f, VHU_SET_VRING_BASE, q, f->packed ? 0x80008000u : 0);
	fuzz_front_say(f, VHU_SET_VRING_ADDR, VHU_VERSION, &a, sizeof(a), NULL, 0);
	fuzz_front_u64(f, VHU_SET_VRING_CALL, q, fuzz_front_fd(0));
	fuzz_front_u64(f, VHU_SET_VRING_KICK, q, fuzz_front_fd(0));
	fuzz_front_state(f, VHU_SET_VRING_ENABLE, q, 1);
}

static void fuzz_front_set_up(struct front_end *f, struct input *in)
{
	struct vhu_mem_region m = { .region = { 0, FILE_BYTES, USER, 0 } };
	struct vhu_inflight i = { FILE_BYTES, 0, 2, SIZE };
	struct vhu_area log = { 64, 0 };
	unsigned q = in8(in) % RINGS, how = in8(in);
	int fd = fuzz_front_fd(4);

	fuzz_front_u64(f, VHU_SET_PROTOCOL_FEATURES, 0x9b22bull & ~((how & 8ull) << 13), -1);
	fuzz_front_u64(f, VHU_SET_FEATURES,
		       1ull << VHU_F_PROTOCOL_FEATURES | 1ull << VIRTIO_F_VERSION_1 |
			       (uint64_t)f->packed << VIRTIO_F_RING_PACKED |
			       (uint64_t)(how & 1) << VHU_F_LOG_ALL,
		       -1);
	if (how & 1) {
		int to = fuzz_front_fd(6);

		fuzz_front_say(f, VHU_SET_LOG_BASE, VHU_VERSION, &log, sizeof(log), &to, 1);
	}
	if (how & 2) {
		int to = fuzz_front_fd(7);

		fuzz_front_say(f, VHU_SET_INFLIGHT_FD, VHU_VERSION, &i, sizeof(i), &to, 1);
	}
	fuzz_front_say(f, VHU_ADD_MEM_REG, VHU_VERSION, &m, sizeof(m), &fd, 1);
	fuzz_front_ring(f, q, how);
}

/*
 * Its driver.
 */
static void fuzz_front_chain(struct front_end *f, struct input *in)
{
	unsigned q = in8(in) % RINGS, shape = in8(in), len = in16(in) % 0x400 + 1;
	unsigned n_rd = shape % 4, n_wr = shape / 16 % 4, n = n_rd + n_wr;
	uint64_t at = q * ROOM + BUFS;
	struct drv_buf bufs[8];
	size_t size = MIN(in_left(in), 64);

	if (!f->driven[q] || !n || q >= f->dev->n_queues)
		return;
	memcpy(memory[0] + at, in->at, size);
	for (unsigned i = 0; i < n; i++)
		bufs[i] = (struct drv_buf){ at + i * 0x400ul,
					    i == 0 && n_rd ? (uint32_t)MAX(size, 1) : len };
	if (drv_add(&f->vq[q], bufs, n_rd, n_wr, f) >= 0)
		(void)drv_publish(&f->vq[q]);
	host_event_add(f->dev->queue[q].kick_fd, 1);
	fuzz_front_turn(f, 2);
}

static void fuzz_front_memory(struct front_end *f, struct input *in)
{
	unsigned file = in8(in) % FILES, off = in16(in);
	size_t size = MIN(in_left(in), FILE_BYTES - off);

	(void)f;
	memcpy(memory[file] + off, in->at, size);
}

static void fuzz_front_kick(struct front_end *f, struct input *in)
{
	host_event_add(f->dev->queue[in8(in) % f->dev->n_queues].kick_fd, 1);
	fuzz_front_turn(f, 2);
}

static void fuzz_front_turns(struct front_end *f, struct input *in)
{
	host_advance(in8(in) * 1000ull);
	fuzz_front_turn(f, TURNS);
}

static void fuzz_front_hang_up(struct front_end *f, struct input *in)
{
	(void)in;
	if (f->fd >= 0)
		host_hang_up(f->fd, false);
	fuzz_front_turn(f, 2);
}

static void (*const run[N_FRONT_OPS])(struct front_end *f, struct input *in) = {
	[FRONT_SAY] = fuzz_front_any,         [FRONT_SET_UP] = fuzz_front_set_up,
	[FRONT_CHAIN] = fuzz_front_chain,     [FRONT_MEMORY] = fuzz_front_memory,
	[FRONT_KICK] = fuzz_front_kick,       [FRONT_TURN] = fuzz_front_turns,
	[FRONT_HANG_UP] = fuzz_front_hang_up,
};

static void fuzz_front_open(struct front_end *f, unsigned heading)
{
	static const char *const specs[] = { "blk,path=fake,queues=2",
					     "net,backend=tap,ifname=fake", "console,chr=fake",
					     "input,type=keyboard", "rng" };
	g_autofree char *spec = g_strdup_printf("%s,id=dev%s",
						specs[heading / 2 % G_N_ELEMENTS(specs)],
						heading & 1 ? ",ring=packed" : "");
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	struct vdev_env env = { .mem = &f->mem, .n_cpus = 1 };

	f->packed = heading & 1;
	f->fd = -1;
	f->context = g_main_context_new();
	g_main_context_set_poll_func(f->context, host_poll);
	host_set_context(f->context);
	fakes_collect(&f->fakes);
	f->loop = env.main_loop = loop_main();
	f->dev = vdev_new(vdev_class_find(name), pairs, &env, NULL);
	if (f->dev)
		f->back = vhost_user_new(f->dev, &f->mem, f->loop, fuzz_front_ended, f, NULL);
	if (!f->back)
		fuzz_bug("%s cannot be opened", spec);
	trace("device: %s", spec);
}

static void fuzz_front_close(struct front_end *f)
{
	host_send_fds(NULL, 0);
	vhost_user_free(f->back);
	vdev_free(f->dev);
	loop_free(f->loop);
	fakes_collect(NULL);
	host_set_context(NULL);
	g_main_context_unref(f->context);
}

void fuzz_front_end_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size }, args;
	unsigned before;
	uint8_t op;

	(void)t;
	memset(memory, 0, sizeof(memory));
	host_begin(1);
	host_running(true);
	host_memory(memory[0], sizeof(memory));
	(void)g_main_context_default(); /* GLib's own: a descriptor from its first use on */
	before = host_fds_open();
	{
		struct front_end f = { 0 };

		fuzz_front_open(&f, in8(&in));
		fakes_begin(&f.fakes);
		while (in_record(&in, &op, &args))
			run[op % N_FRONT_OPS](&f, &args);
		fuzz_front_close(&f);
	}
	if (host_fds_open() != before)
		fuzz_bug("%u descriptors are open, and were not", host_fds_open() - before);
	host_memory(NULL, 0);
	host_running(false);
}
