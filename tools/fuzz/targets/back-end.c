/*
 * Our vhost-user front-end (devices/vhost-user) with a back-end that is hostile: what it answers,
 * what it says unasked, on either connection, what it writes into rings, and that it goes and comes
 * back. The driver is sound; the input is it, too. The heading chooses the type of the device,
 * memory=bounce, and what the back-end can do.
 *
 * The back-end answers as a sound one would, but for the answers that ANSWER is about. With
 * memory=bounce it has no guest memory: so then the guest's ring has to stay sound whatever it
 * does, and no chain comes back with more written than it has room for. What else counts as a bug
 * is what sanitizers say, a descriptor that is closed twice or never, and a wait without end.
 */
#include <string.h>

#include "devices/registry.h"
#include "devices/vhost-user/front.h"
#include "devices/vhost-user/region.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/trace.h"
#include "tools/fuzz/targets/served.h"
#include "transport/direct.h"

#define BIT(n)    (1ull << (n))
#define REGION    0x20000ul /* bytes, of memory=bounce */
#define FAR_AWAY  2000u     /* milliseconds: a connection is tried again before */
#define LATER_MAX 31u

/* An answer that is another than it should be. */
enum wrong {
	WRONG_SILENT,
	WRONG_CLOSED,
	WRONG_REQUEST,
	WRONG_FLAGS,
	WRONG_LENGTH,
	WRONG_PAYLOAD,
	WRONG_HALF,
	WRONG_TWICE,
	WRONG_FDS,
	WRONG_EVENTS, /* right, but something comes before it on the other connection */
	N_WRONGS,
};

struct answer {
	bool set;
	unsigned later; /* so many others come first */
	uint8_t wrong, fds, size;
	uint8_t payload[64];
};

struct back_ring {
	struct vhu_addr addr;
	uint16_t next_used; /* of a packed one */
	uint32_t base;
};

struct back_end {
	struct served s;
	struct direct *direct;
	int fd; /* on which it is being told something */
	int memory_fd;
	bool bounce;
	uint64_t features, protocol, ring_features, status;
	struct answer next;
	struct back_ring ring[VDEV_QUEUES_MAX];
	uint8_t config[VHU_CONFIG_MAX];
};

/* That of memory=bounce. */
static _Alignas(4096) uint8_t region[REGION];

/*
 * Answers.
 */
static void fuzz_back_feed(int fd, uint32_t request, uint32_t flags, const void *payload,
			   uint32_t size, uint32_t says)
{
	struct vhu_header h = { request, flags | VHU_VERSION, says };

	trace("back-end: message %u, flags %#x, %u bytes of %u", request, h.flags, size, says);
	host_feed(fd, &h, sizeof(h));
	if (size)
		host_feed(fd, payload, size);
}

static void fuzz_back_events(const struct answer *a)
{
	const struct vhu_header h = { a->payload[0] % 8, VHU_VERSION | (a->fds & 0xcu), 0 };

	if (host_pair() >= 0)
		host_feed(host_pair(), &h, sizeof(h));
}

static void fuzz_back_fds(const struct answer *a)
{
	int fds[HOST_SENT_MAX];
	unsigned n = a->fds % (HOST_SENT_MAX + 1);

	for (unsigned i = 0; i < n; i++)
		fds[i] = served_fd(a->payload[0] + i);
	host_send_fds(fds, n);
}

static void fuzz_back_wrong(struct back_end *b, const struct answer *a, uint32_t request,
			    uint8_t *payload, uint32_t size)
{
	uint32_t flags = VHU_REPLY, says = size;

	trace("back-end: a wrong answer, %u", a->wrong);
	switch (a->wrong) {
	case WRONG_SILENT:
		return;
	case WRONG_CLOSED:
		host_hang_up(b->fd, a->fds & 1);
		return;
	case WRONG_REQUEST:
		request += 1u + a->fds;
		break;
	case WRONG_FLAGS:
		flags = a->fds;
		break;
	case WRONG_LENGTH:
		says = size = a->fds * 8u;
		break;
	case WRONG_PAYLOAD:
		memcpy(payload, a->payload, MIN(a->size, size));
		break;
	case WRONG_HALF:
		size /= 2;
		break;
	case WRONG_TWICE:
		fuzz_back_feed(b->fd, request, flags, payload, size, says);
		break;
	case WRONG_FDS:
		fuzz_back_fds(a);
		break;
	default:
		fuzz_back_events(a);
	}
	fuzz_back_feed(b->fd, request, flags, payload, size, says);
}

static void fuzz_back_answer(struct back_end *b, uint32_t request, uint8_t *payload, uint32_t size)
{
	struct answer a = b->next;

	if (a.set && b->next.later-- == 0) {
		b->next.set = false;
		fuzz_back_wrong(b, &a, request, payload, size);
	} else {
		fuzz_back_feed(b->fd, request, VHU_REPLY, payload, size, size);
	}
}

/* Of questions with a number for an answer. False: it is none of these. */
static bool fuzz_back_number(const struct back_end *b, uint32_t request, uint64_t *ret)
{
	switch (request) {
	case VHU_GET_FEATURES:
		*ret = b->features;
		return true;
	case VHU_GET_PROTOCOL_FEATURES:
		*ret = b->protocol;
		return true;
	case VHU_GET_QUEUE_NUM:
	case VHU_GET_MAX_MEM_SLOTS:
		*ret = 4;
		return true;
	case VHU_GET_STATUS:
		*ret = b->status;
		return true;
	default:
		return false;
	}
}

static void fuzz_back_ask(struct back_end *b, uint32_t request, union vhu_payload *p, uint32_t size)
{
	if (fuzz_back_number(b, request, &p->u64)) {
		fuzz_back_answer(b, request, p->bytes, sizeof(p->u64));
	} else if (request == VHU_GET_CONFIG) {
		memcpy(p->config.bytes, b->config, MIN(p->config.len, VHU_CONFIG_MAX));
		fuzz_back_answer(b, request, p->bytes, size);
	} else if (request == VHU_GET_VRING_BASE) {
		p->state.value = b->ring[p->state.index % VDEV_QUEUES_MAX].base;
		fuzz_back_answer(b, request, p->bytes, sizeof(p->state));
	} else if (request == VHU_GET_INFLIGHT_FD) {
		int fd = served_fd(5);

		p->inflight.size = SERVED_FILE;
		host_send_fds(&fd, 1);
		fuzz_back_answer(b, request, p->bytes, sizeof(p->inflight));
	}
}

/*
 * What it is told.
 */
static void fuzz_back_told(struct back_end *b, uint32_t request, const union vhu_payload *p)
{
	struct back_ring *ring = &b->ring[p->state.index % VDEV_QUEUES_MAX];

	switch (request) {
	case VHU_SET_FEATURES:
		b->ring_features = p->u64;
		break;
	case VHU_SET_STATUS:
		b->status = p->u64;
		break;
	case VHU_SET_VRING_BASE:
		ring->base = p->state.value;
		ring->next_used = (uint16_t)(ring->base >> 16);
		break;
	case VHU_SET_VRING_ADDR:
		ring->addr = p->addr;
		break;
	default:
		break;
	}
}

/* A whole message of the front-end's, or its answer on the other connection. */
static void fuzz_back_heard(void *opaque, int fd, const void *bytes, size_t len)
{
	struct back_end *b = opaque;
	union vhu_payload p = { 0 };
	struct vhu_header h;
	union vhu_payload done = { 0 };

	if (len < sizeof(h) || fd == host_pair())
		return;
	memcpy(&h, bytes, sizeof(h));
	memcpy(&p, (const uint8_t *)bytes + sizeof(h), MIN(len - sizeof(h), sizeof(p)));
	trace("back-end: is told message %u, %zu bytes", h.request, len - sizeof(h));
	b->fd = fd;
	fuzz_back_told(b, h.request, &p);
	if (h.flags & VHU_NEED_REPLY)
		fuzz_back_answer(b, h.request, done.bytes, sizeof(done.u64));
	else
		fuzz_back_ask(b, h.request, &p, h.size);
}

/*
 * What it does.
 */
static struct vhu_front *fuzz_back_front(struct back_end *b)
{
	return vhu_front_of(b->s.dev);
}

static void fuzz_back_next(struct back_end *b, struct input *in)
{
	struct answer *a = &b->next;

	a->set = true;
	a->later = in8(in) & LATER_MAX;
	a->wrong = in8(in) % N_WRONGS;
	a->fds = in8(in);
	a->size = (uint8_t)MIN(in_left(in), sizeof(a->payload));
	memset(a->payload, 0, sizeof(a->payload));
	memcpy(a->payload, in->at, a->size);
}

/* Unasked. */
static void fuzz_back_say(struct back_end *b, struct input *in)
{
	uint8_t where = in8(in), request = in8(in), flags = in8(in), more = in8(in);
	int fd = where & 1 ? host_pair() : fuzz_back_front(b)->link.s.fd;
	uint32_t size = (uint32_t)MIN(in_left(in), 256);
	const struct answer fds = { .fds = more & 3 };

	if (fd < 0)
		return;
	fuzz_back_fds(&fds);
	fuzz_back_feed(fd, request % VHU_N_REQUESTS, flags & 0xfcu, in->at, size,
		       size + (more >> 7));
	served_turn(&b->s, 2);
}

static void fuzz_back_config(struct back_end *b, struct input *in)
{
	const struct answer event = { .payload = { VHU_BACKEND_CONFIG_CHANGE }, .fds = in8(in) };
	size_t off = in8(in), size = MIN(in_left(in), VHU_CONFIG_MAX - off);

	memcpy(b->config + off, in->at, size);
	fuzz_back_events(&event);
	served_turn(&b->s, 2);
}

static void fuzz_back_call(struct back_end *b, struct input *in)
{
	unsigned q = in8(in) % b->s.dev->n_queues, what = in8(in);
	struct vhu_front *f = fuzz_back_front(b);
	int fd = what & 1 ? f->ring[q].err_fd : vdev_queue_call_fd(b->s.dev, q);

	if (b->bounce && !(what & 1) && q < f->bounce->n)
		fd = f->bounce->queue[q].call_fd;
	if (fd >= 0)
		host_event_add(fd, 1);
	served_turn(&b->s, 2);
}

/* Where the back-end finds what the front-end has at @user; @len bytes of it. NULL: nowhere. */
static void *fuzz_back_at(const struct back_end *b, uint64_t user, size_t len)
{
	uint64_t off = user - BOUNCE_GPA;

	return b->bounce && off < REGION && len <= REGION - off ? region + off : NULL;
}

/* A used element: of the oldest chain, or of whatever the input says. */
static void fuzz_back_use_packed(const struct back_end *b, struct back_ring *ring, bool oldest,
				 uint16_t id, uint32_t len)
{
	unsigned off = vring_pos_off(ring->next_used) % SERVED_SIZE;
	struct vring_packed_desc *d = fuzz_back_at(b, ring->addr.desc + 16ul * off, sizeof(*d));

	if (!d)
		return;
	if (!oldest)
		d->id = cpu_le16(id);
	d->len = cpu_le32(len);
	d->flags = cpu_le16(VRING_DESC_F_WRITE | vring_pos_used_flags(ring->next_used));
	ring->next_used = vring_pos_advance(ring->next_used, 1, SERVED_SIZE);
}

static void fuzz_back_use_split(const struct back_end *b, const struct back_ring *ring, bool oldest,
				uint16_t id, uint32_t len)
{
	const struct vring_avail *avail = fuzz_back_at(b, ring->addr.avail,
						       vring_avail_bytes(SERVED_SIZE));
	struct vring_used *used = fuzz_back_at(b, ring->addr.used, vring_used_bytes(SERVED_SIZE));
	uint16_t idx;

	if (!avail || !used)
		return;
	idx = le16_cpu(used->idx);
	if (oldest)
		id = le16_cpu(avail->ring[idx % SERVED_SIZE]);
	used->ring[idx % SERVED_SIZE] = (struct vring_used_elem){ cpu_le32(id), cpu_le32(len) };
	used->idx = cpu_le16((uint16_t)(idx + 1));
}

static void fuzz_back_use(struct back_end *b, struct input *in)
{
	struct back_ring *ring = &b->ring[in8(in) % SERVED_RINGS];
	uint8_t how = in8(in), id = in8(in);
	uint32_t len = how & 4 ? in32(in) : in8(in);

	if (b->ring_features >> VIRTIO_F_RING_PACKED & 1)
		fuzz_back_use_packed(b, ring, how & 3, id, len);
	else
		fuzz_back_use_split(b, ring, how & 3, id, len);
}

/* Into what it has: the region, or else all of the guest's memory. */
static void fuzz_back_scribble(struct back_end *b, struct input *in)
{
	uint32_t at = in32(in) % REGION;
	size_t size = MIN(in_left(in), REGION - at);
	struct input rest = *in;

	if (b->bounce)
		memcpy(region + at, in->at, size);
	else
		served_bytes(&rest);
}

static void fuzz_back_hang_up(struct back_end *b, struct input *in)
{
	int fd = fuzz_back_front(b)->link.s.fd;
	unsigned how = in8(in);

	host_answer(!(how & 1));
	if (how & 2)
		fd = host_pair();
	if (fd >= 0)
		host_hang_up(fd, how & 4);
	served_turn(&b->s, 2);
}

/*
 * The driver.
 */
static void fuzz_back_collect(struct back_end *b)
{
	for (unsigned q = 0; q < SERVED_RINGS; q++) {
		struct drv_vq *vq = &b->s.vq[q];
		struct served_request *c;
		void *cookie;
		uint32_t len;

		while (b->s.driven[q] && drv_used(vq, &cookie, &len)) {
			c = cookie;
			trace("driver: a chain comes back, %u bytes", len);
			if (b->bounce && (!c->in_flight || len > c->writable))
				fuzz_bug("a chain of %u writable bytes comes back with %u%s",
					 c->writable, len, c->in_flight ? "" : ", twice");
			c->in_flight = false;
		}
		if (b->s.driven[q] && b->bounce && vq->broken)
			fuzz_bug("the guest's ring is broken: %s", vq->broken);
	}
}

static void fuzz_back_reset(struct back_end *b)
{
	vdev_set_status(b->s.dev, 0);
	fuzz_back_collect(b);
	memset(b->s.driven, 0, sizeof(b->s.driven));
}

static void fuzz_back_ring(struct back_end *b, unsigned q)
{
	const struct drv_vq *vq = &b->s.vq[q];
	struct vdev *dev = b->s.dev;

	if (q >= dev->n_queues || !served_lay_out(&b->s, q))
		return;
	vdev_queue_write(dev, q, VQR_SIZE, SERVED_SIZE, UINT64_MAX);
	vdev_queue_write(dev, q, VQR_DESC, vq->desc, UINT64_MAX);
	vdev_queue_write(dev, q, VQR_DRIVER, vq->driver, UINT64_MAX);
	vdev_queue_write(dev, q, VQR_DEVICE, vq->device, UINT64_MAX);
	vdev_queue_write(dev, q, VQR_ENABLE, 1, UINT64_MAX);
}

static void fuzz_back_start(struct back_end *b, struct input *in)
{
	static const uint32_t begun = VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER;
	const uint64_t not = BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_F_INDIRECT_DESC) |
			     BIT(VIRTIO_F_IN_ORDER) | in8(in);
	struct vdev *dev = b->s.dev;
	unsigned rings = in8(in) % 4;
	uint32_t high;

	fuzz_back_reset(b);
	vdev_set_status(dev, VIRTIO_S_ACKNOWLEDGE);
	vdev_set_status(dev, begun);
	high = vdev_features_offered(dev, 1) & ~(uint32_t)(not >> 32);
	vdev_features_accept(dev, 0, vdev_features_offered(dev, 0) & ~(uint32_t) not );
	vdev_features_accept(dev, 1, high);
	vdev_set_status(dev, begun | VIRTIO_S_FEATURES_OK);
	b->s.packed = high >> (VIRTIO_F_RING_PACKED - 32) & 1;
	for (unsigned q = 0; q < SERVED_RINGS; q++)
		if (rings != q + 1)
			fuzz_back_ring(b, q);
	vdev_set_status(dev, begun | VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK);
	served_turn(&b->s, 2);
}

static void fuzz_back_end_driver(struct back_end *b, struct input *in)
{
	(void)in;
	fuzz_back_reset(b);
}

static void fuzz_back_chain(struct back_end *b, struct input *in)
{
	served_chain(&b->s, in);
}

static void fuzz_back_write(struct back_end *b, struct input *in)
{
	uint16_t off = in16(in);
	uint64_t value = in64(in);

	vdev_config_write(b->s.dev, off % VHU_CONFIG_MAX, &value, 1u << off / 0x4000);
}

static void fuzz_back_pause(struct back_end *b, struct input *in)
{
	unsigned how = in8(in);

	vdev_pause(b->s.dev);
	if (how & 1)
		served_turn(&b->s, 2);
	if (how & 2)
		vdev_restart(b->s.dev);
	vdev_resume(b->s.dev);
}

static void fuzz_back_turn(struct back_end *b, struct input *in)
{
	if (in8(in) & 1)
		host_advance(FAR_AWAY * 1000000ull);
	served_time(&b->s, in);
}

static void (*const run[N_BACK_OPS])(struct back_end *b, struct input *in) = {
	[BACK_START] = fuzz_back_start,       [BACK_CHAIN] = fuzz_back_chain,
	[BACK_RESET] = fuzz_back_end_driver,  [BACK_WRITE] = fuzz_back_write,
	[BACK_PAUSE] = fuzz_back_pause,       [BACK_ANSWER] = fuzz_back_next,
	[BACK_SAY] = fuzz_back_say,           [BACK_CONFIG] = fuzz_back_config,
	[BACK_USE] = fuzz_back_use,           [BACK_CALL] = fuzz_back_call,
	[BACK_SCRIBBLE] = fuzz_back_scribble, [BACK_HANG_UP] = fuzz_back_hang_up,
	[BACK_TURN] = fuzz_back_turn,
};

/*
 * Making it.
 */
static void fuzz_back_memory(struct back_end *b)
{
	b->memory_fd = served_fd(4);
	if (gmem_add_file(&b->s.mem, 0, SERVED_FILE, host_map(b->memory_fd, SERVED_FILE, 0),
			  b->memory_fd, 0) < 0)
		fuzz_bug("no memory");
	memset(region, 0, sizeof(region));
	host_memfd(region, sizeof(region));
}

/* False: it did not open, as after a wrong answer it may not. */
static bool fuzz_back_open(struct back_end *b, struct input *in)
{
	static const char *const types[] = {
		"blk",      "net,mac=52:54:00:00:00:01",  "rng",    "input", "vsock",
		"fs,tag=t", "42,queues=2,config-size=16", "console"
	};
	uint8_t type = in8(in), features = in8(in), protocol = in8(in), more = in8(in);
	g_autofree char *spec = g_strdup_printf(
		"vhost-user,socket=/fuzz,queue-size=%u,id=dev,type=%s%s%s", SERVED_SIZE,
		types[type / 4 % G_N_ELEMENTS(types)], type & 1 ? ",memory=bounce,size=128K" : "",
		type & 2 ? ",ring=packed" : "");

	b->bounce = type & 1;
	b->features = BIT(VIRTIO_F_VERSION_1) | BIT(VHU_F_PROTOCOL_FEATURES) |
		      BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_EVENT_IDX) |
		      BIT(VIRTIO_F_RING_PACKED);
	b->features ^= (features & 3ull) << VIRTIO_F_INDIRECT_DESC |
		       (features >> 2 & 1ull) << VIRTIO_F_RING_PACKED |
		       (features >> 3 & 1ull) << VHU_F_PROTOCOL_FEATURES | features >> 4;
	b->protocol = (BIT(VHU_PF_MQ) | BIT(VHU_PF_REPLY_ACK) | BIT(VHU_PF_BACKEND_REQ) |
		       BIT(VHU_PF_CONFIG) | BIT(VHU_PF_INFLIGHT_SHMFD) | BIT(VHU_PF_RESET_DEVICE) |
		       BIT(VHU_PF_CONFIGURE_MEM_SLOTS) | BIT(VHU_PF_STATUS)) ^
		      (protocol | (more & 0xf0ull) << 8);
	if (more & 1)
		fuzz_back_next(b, in);
	b->config[34] = 1; /* a disk's queues */
	host_hear(fuzz_back_heard, b);
	host_sockets(true);
	fuzz_back_memory(b);
	return served_open_as(&b->s, spec);
}

static void fuzz_back_input(void *opaque)
{
	struct input *in = opaque, args;
	struct back_end b = { .fd = -1 };
	uint8_t op;

	if (fuzz_back_open(&b, in)) {
		b.direct = direct_new(b.s.dev);
		while (in_record(in, &op, &args)) {
			run[op % N_BACK_OPS](&b, &args);
			fuzz_back_collect(&b);
		}
		vdev_set_status(b.s.dev, 0);
		direct_free(b.direct);
	}
	served_close(&b.s);
	host_fd_close(b.memory_fd);
	host_hear(NULL, NULL);
	host_memfd(NULL, 0);
}

void fuzz_back_end_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };

	(void)t;
	served_run(fuzz_back_input, &in);
}
