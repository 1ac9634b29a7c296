/*
 * Messages of vhost-user, from a front-end that says what it likes, with descriptors of any kind; a
 * device behind it, whose driver has rings in the front-end's memory. The heading chooses device
 * and ring. What counts as a bug is what sanitizers say, a descriptor that is closed twice or
 * never, and work without end.
 *
 * SAY is any message; SET_UP says all that a ring needs, so that what follows finds one that runs.
 */
#include <string.h>

#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/trace.h"
#include "tools/fuzz/targets/served.h"
#include "transport/vhost-user/vhost-user.h"
#include "transport/vhost-user/wire.h"

#define USER 0x7f0000000000ull

struct front_end {
	struct served s;
	struct vhost_user *back;
	int fd; /* the back-end's socket; -1: it has closed it */
};

static void fuzz_front_ended(void *opaque)
{
	struct front_end *f = opaque;

	f->fd = -1;
	trace("front-end: the connection is closed");
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
	served_turn(&f->s, 2);
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
		fds[i] = served_fd(kinds + i);
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

static void fuzz_front_ring(struct front_end *f, unsigned q, unsigned how)
{
	struct vhu_addr a = { .index = q, .flags = how & 1 };

	if (!served_lay_out(&f->s, q))
		return;
	a.desc = USER + f->s.vq[q].desc;
	a.avail = USER + f->s.vq[q].driver;
	a.used = USER + f->s.vq[q].device;
	a.log = f->s.vq[q].device;
	fuzz_front_state(f, VHU_SET_VRING_NUM, q, SERVED_SIZE);
	fuzz_front_state(f, VHU_SET_VRING_BASE, q, f->s.packed ? 0x80008000u : 0);
	fuzz_front_say(f, VHU_SET_VRING_ADDR, VHU_VERSION, &a, sizeof(a), NULL, 0);
	fuzz_front_u64(f, VHU_SET_VRING_CALL, q, served_fd(0));
	fuzz_front_u64(f, VHU_SET_VRING_KICK, q, served_fd(0));
	fuzz_front_state(f, VHU_SET_VRING_ENABLE, q, 1);
}

static void fuzz_front_set_up(struct front_end *f, struct input *in)
{
	struct vhu_mem_region m = { .region = { 0, SERVED_FILE, USER, 0 } };
	struct vhu_inflight i = { SERVED_FILE, 0, 2, SERVED_SIZE };
	struct vhu_area log = { 64, 0 };
	unsigned q = in8(in) % SERVED_RINGS, how = in8(in);
	int fd = served_fd(4);

	fuzz_front_u64(f, VHU_SET_PROTOCOL_FEATURES, 0x9b22bull & ~((how & 8ull) << 13), -1);
	fuzz_front_u64(f, VHU_SET_FEATURES,
		       1ull << VHU_F_PROTOCOL_FEATURES | 1ull << VIRTIO_F_VERSION_1 |
			       (uint64_t)f->s.packed << VIRTIO_F_RING_PACKED |
			       (uint64_t)(how & 1) << VHU_F_LOG_ALL,
		       -1);
	if (how & 1) {
		int to = served_fd(6);

		fuzz_front_say(f, VHU_SET_LOG_BASE, VHU_VERSION, &log, sizeof(log), &to, 1);
	}
	if (how & 2) {
		int to = served_fd(7);

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
	served_chain(&f->s, in);
}

static void fuzz_front_memory(struct front_end *f, struct input *in)
{
	(void)f;
	served_bytes(in);
}

static void fuzz_front_kick(struct front_end *f, struct input *in)
{
	served_kick(&f->s, in8(in));
}

static void fuzz_front_turns(struct front_end *f, struct input *in)
{
	served_time(&f->s, in);
}

static void fuzz_front_hang_up(struct front_end *f, struct input *in)
{
	(void)in;
	if (f->fd >= 0)
		host_hang_up(f->fd, false);
	served_turn(&f->s, 2);
}

static void (*const run[N_FRONT_OPS])(struct front_end *f, struct input *in) = {
	[FRONT_SAY] = fuzz_front_any,         [FRONT_SET_UP] = fuzz_front_set_up,
	[FRONT_CHAIN] = fuzz_front_chain,     [FRONT_MEMORY] = fuzz_front_memory,
	[FRONT_KICK] = fuzz_front_kick,       [FRONT_TURN] = fuzz_front_turns,
	[FRONT_HANG_UP] = fuzz_front_hang_up,
};

static void fuzz_front_input(void *opaque)
{
	struct input *in = opaque, args;
	struct front_end f = { .fd = -1 };
	uint8_t op;

	served_open(&f.s, in8(in), "");
	f.back = vhost_user_new(f.s.dev, &f.s.mem, f.s.loop, fuzz_front_ended, &f, NULL);
	if (!f.back)
		fuzz_bug("the device cannot be served");
	while (in_record(in, &op, &args))
		run[op % N_FRONT_OPS](&f, &args);
	vhost_user_free(f.back);
	served_close(&f.s);
}

void fuzz_front_end_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };

	(void)t;
	served_run(fuzz_front_input, &in);
}
