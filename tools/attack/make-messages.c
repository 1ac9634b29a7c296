/*
 * Messages of a hostile front-end: a few that make sense, in any order, of which some are then made
 * what no sound front-end sends. They come while rings run that an honest one has set up.
 *
 * Addresses of the front-end's begin at USER: SET_MEM_TABLE, mostly the first message, says so.
 */
#include <string.h>

#include "tools/attack/maker.h"
#include "transport/vhost-user/wire.h"

#define USER   0x7f0000000000ull
#define SENT   8u /* messages at most, before some come twice */
#define SINGLE 1u

/* A message that makes sense, but for what random numbers do to it. */
struct row {
	uint32_t request;
	uint16_t size;
	uint8_t n_fds, fd; /* enum attack_file */
	void (*fill)(struct attack_maker *m, union vhu_payload *p);
};

/* One value in so many is none that makes sense. */
static bool is_odd(struct attack_maker *m)
{
	return maker_once_in(m, 12);
}

static uint32_t any_queue(struct attack_maker *m)
{
	return (uint32_t)(is_odd(m) ? maker_next(m) : maker_below(m, m->in->kind->n_rings));
}

static struct vhu_region any_region(struct attack_maker *m, unsigned i)
{
	struct vhu_region r = { .len = attack_memory_end(m->in), .user = USER };

	r.gpa = i * (uint64_t)attack_memory_end(m->in);
	r.user += r.gpa;
	if (is_odd(m))
		r.len = maker_once_in(m, 2) ? maker_below(m, 1 << 20) : maker_next(m);
	if (is_odd(m))
		r.gpa = maker_once_in(m, 2) ? 0 : maker_next(m);
	if (is_odd(m))
		r.offset = maker_once_in(m, 2) ? ATTACK_PAGE : maker_next(m);
	return r;
}

static void fill_number(struct attack_maker *m, union vhu_payload *p)
{
	p->u64 = is_odd(m) ? maker_next(m) : maker_below(m, 64);
}

static void fill_features(struct attack_maker *m, union vhu_payload *p)
{
	p->u64 = m->in->features | 1ull << VHU_F_PROTOCOL_FEATURES;
	if (is_odd(m))
		p->u64 ^= 1ull << maker_below(m, 40);
}

static void fill_protocol(struct attack_maker *m, union vhu_payload *p)
{
	p->u64 = is_odd(m) ? maker_next(m) & ((1u << 20) - 1) : 1u << VHU_PF_MQ;
}

static void fill_state(struct attack_maker *m, union vhu_payload *p)
{
	p->state.index = any_queue(m);
	p->state.value = (uint32_t)(is_odd(m) ? maker_next(m) : maker_below(m, 5) * 8);
}

static void fill_ring(struct attack_maker *m, union vhu_payload *p)
{
	p->u64 = any_queue(m) | (is_odd(m) ? VHU_NO_FD : 0);
}

static void fill_addr(struct attack_maker *m, union vhu_payload *p)
{
	uint32_t q = any_queue(m);
	uint64_t at = USER + (q % ATTACK_RINGS) * (uint64_t)ATTACK_PAGE;

	p->addr = (struct vhu_addr){ .index = q, .desc = at, .avail = at + 256, .used = at + 512 };
	if (is_odd(m))
		p->addr.used = at + maker_below(m, 2ull * attack_memory_end(m->in));
	if (is_odd(m))
		p->addr.desc = maker_next(m);
	if (maker_once_in(m, 4))
		p->addr.flags = VHU_VRING_F_LOG;
	if (maker_once_in(m, 4))
		p->addr.log = maker_once_in(m, 2) ? maker_next(m) : maker_below(m, 1 << 20);
}

static void fill_table(struct attack_maker *m, union vhu_payload *p)
{
	p->table.n = (uint32_t)(is_odd(m) ? maker_below(m, 10) : SINGLE);
	for (unsigned i = 0; i < VHU_MEM_MAX; i++)
		p->table.region[i] = any_region(m, i);
}

static void fill_region(struct attack_maker *m, union vhu_payload *p)
{
	p->region.region = any_region(m, (unsigned)maker_below(m, 4));
}

static void fill_area(struct attack_maker *m, union vhu_payload *p)
{
	p->area.size = is_odd(m) ? maker_next(m) : maker_below(m, 65536);
	p->area.offset = is_odd(m) ? maker_next(m) : 0;
}

static void fill_inflight(struct attack_maker *m, union vhu_payload *p)
{
	fill_area(m, p);
	p->inflight.n_queues = (uint16_t)(any_queue(m) + 1);
	p->inflight.queue_size = is_odd(m) ? (uint16_t)maker_next(m) : (uint16_t)ATTACK_SIZE;
}

static void fill_config(struct attack_maker *m, union vhu_payload *p)
{
	p->config.offset = (uint32_t)(is_odd(m) ? maker_next(m) : maker_below(m, 64));
	p->config.len = (uint32_t)(is_odd(m) ? maker_next(m) : maker_below(m, VHU_CONFIG_MAX - 8));
	p->config.flags = (uint32_t)maker_below(m, 2);
}

static void fill_transfer(struct attack_maker *m, union vhu_payload *p)
{
	p->transfer.direction = (uint32_t)maker_below(m, 3);
	p->transfer.phase = maker_once_in(m, 8);
}

enum { U64 = 8, TABLE = 8 + VHU_MEM_MAX * 32, CONFIG = 12 + VHU_CONFIG_MAX };

static const struct row rows[] = {
	{ VHU_GET_FEATURES, 0, 0, 0, NULL },
	{ VHU_SET_FEATURES, U64, 0, 0, fill_features },
	{ VHU_SET_OWNER, 0, 0, 0, NULL },
	{ VHU_RESET_OWNER, 0, 0, 0, NULL },
	{ VHU_SET_MEM_TABLE, TABLE, 1, FILE_MEMORY, fill_table },
	{ VHU_SET_MEM_TABLE, TABLE, 1, FILE_SHORT, fill_table },
	{ VHU_SET_LOG_BASE, 16, 1, FILE_MEMORY, fill_area },
	{ VHU_SET_LOG_FD, 0, 1, FILE_EVENT, NULL },
	{ VHU_SET_VRING_NUM, U64, 0, 0, fill_state },
	{ VHU_SET_VRING_ADDR, sizeof(struct vhu_addr), 0, 0, fill_addr },
	{ VHU_SET_VRING_ADDR, sizeof(struct vhu_addr), 0, 0, fill_addr },
	{ VHU_SET_VRING_BASE, U64, 0, 0, fill_state },
	{ VHU_GET_VRING_BASE, U64, 0, 0, fill_state },
	{ VHU_SET_VRING_KICK, U64, 1, FILE_EVENT, fill_ring },
	{ VHU_SET_VRING_KICK, U64, 1, FILE_EVENT, fill_ring },
	{ VHU_SET_VRING_CALL, U64, 1, FILE_EVENT, fill_ring },
	{ VHU_SET_VRING_ERR, U64, 1, FILE_EVENT, fill_ring },
	{ VHU_GET_PROTOCOL_FEATURES, 0, 0, 0, NULL },
	{ VHU_SET_PROTOCOL_FEATURES, U64, 0, 0, fill_protocol },
	{ VHU_GET_QUEUE_NUM, 0, 0, 0, NULL },
	{ VHU_SET_VRING_ENABLE, U64, 0, 0, fill_state },
	{ VHU_SEND_RARP, U64, 0, 0, fill_number },
	{ VHU_NET_SET_MTU, U64, 0, 0, fill_number },
	{ VHU_SET_BACKEND_REQ_FD, 0, 1, FILE_SOCKET, NULL },
	{ VHU_GET_CONFIG, CONFIG, 0, 0, fill_config },
	{ VHU_SET_CONFIG, CONFIG, 0, 0, fill_config },
	{ VHU_GET_INFLIGHT_FD, 24, 0, 0, fill_inflight },
	{ VHU_SET_INFLIGHT_FD, 24, 1, FILE_MEMORY, fill_inflight },
	{ VHU_RESET_DEVICE, 0, 0, 0, NULL },
	{ VHU_GET_MAX_MEM_SLOTS, 0, 0, 0, NULL },
	{ VHU_ADD_MEM_REG, 40, 1, FILE_MEMORY, fill_region },
	{ VHU_REM_MEM_REG, 40, 0, 0, fill_region },
	{ VHU_SET_STATUS, U64, 0, 0, fill_number },
	{ VHU_GET_STATUS, 0, 0, 0, NULL },
	{ VHU_SET_DEVICE_STATE_FD, U64, 1, FILE_PIPE, fill_transfer },
	{ VHU_CHECK_DEVICE_STATE, 0, 0, 0, NULL },
};

static struct attack_message make_message(struct attack_maker *m, const struct row *row)
{
	struct attack_message msg = {
		.request = row->request,
		.flags = VHU_VERSION | (maker_once_in(m, 4) ? VHU_NEED_REPLY : 0),
		.size = row->size,
		.sent = row->size,
		.n_fds = row->n_fds,
		.fd = { row->fd },
	};
	union vhu_payload p = { 0 };

	if (row->fill)
		row->fill(m, &p);
	memcpy(msg.payload, p.bytes, row->size);
	return msg;
}

/* A table of memory that is as it says, so that what comes after it makes sense. */
static struct attack_message make_table(struct attack_maker *m)
{
	const struct vhu_mem_table table = {
		.n = SINGLE,
		.region = { { .len = attack_memory_end(m->in), .user = USER } },
	};
	struct attack_message msg = {
		.request = VHU_SET_MEM_TABLE,
		.flags = VHU_VERSION,
		.size = 8 + sizeof(table.region[0]),
		.n_fds = 1,
		.fd = { maker_once_in(m, 8) ? FILE_SHRINKS : FILE_MEMORY },
	};

	msg.sent = (uint16_t)msg.size;
	memcpy(msg.payload, &table, msg.size);
	return msg;
}

/*
 * What no sound front-end sends.
 */
static void spoil_fds(struct attack_maker *m, struct attack_message *msg)
{
	msg->n_fds = (uint8_t)maker_below(m, ATTACK_FDS + 1);
	for (unsigned i = 0; i < msg->n_fds; i++)
		msg->fd[i] = (uint8_t)maker_below(m, N_ATTACK_FILES);
}

static void spoil_payload(struct attack_maker *m, struct attack_message *msg)
{
	static const uint64_t odd[] = { 0, 1, UINT64_MAX, 1ull << 63, 1ull << 32, UINT32_MAX };
	uint64_t value = maker_once_in(m, 2) ? odd[maker_below(m, G_N_ELEMENTS(odd))]
					     : maker_next(m);
	size_t at = maker_below(m, msg->sent + 1u) & ~3ull, room = ATTACK_PAYLOAD - at;

	memcpy(msg->payload + at, &value, MIN(room, maker_once_in(m, 2) ? 4u : 8u));
}

static void spoil_message(struct attack_maker *m, struct attack_message *msg)
{
	switch (maker_below(m, 8)) {
	case 0:
		msg->size = (uint32_t)(maker_once_in(m, 2) ? maker_next(m)
							   : maker_below(m, ATTACK_PAYLOAD + 1));
		break;
	case 1: /* another size, and it is true */
		msg->size = msg->sent = (uint16_t)maker_below(m, ATTACK_PAYLOAD + 1);
		break;
	case 2:
		msg->flags = (uint32_t)(maker_once_in(m, 2) ? maker_next(m) : maker_below(m, 16));
		break;
	case 3:
		msg->request = (uint32_t)(maker_once_in(m, 4) ? maker_next(m) : maker_below(m, 48));
		break;
	case 4:
		spoil_fds(m, msg);
		break;
	case 5: /* half of a message, and no more; what follows is taken for the rest */
		msg->sent = (uint16_t)maker_below(m, msg->sent + 1u);
		break;
	default:
		spoil_payload(m, msg);
	}
}

/* What is not sent is nothing. */
static void clear_rest(struct attack_message *msg)
{
	memset(msg->payload + msg->sent, 0, sizeof(msg->payload) - msg->sent);
	memset(msg->fd + msg->n_fds, 0, sizeof(msg->fd) - msg->n_fds);
}

void maker_make_messages(struct attack_maker *m)
{
	struct attack_input *in = m->in;
	uint64_t n = 1 + maker_below(m, SENT);

	if (!maker_once_in(m, 4))
		in->message[in->n_messages++] = make_table(m);
	for (uint64_t i = 0; i < n; i++)
		in->message[in->n_messages++] =
			make_message(m, &rows[maker_below(m, G_N_ELEMENTS(rows))]);
	for (uint64_t i = maker_once_in(m, 2) ? 0 : 1 + maker_below(m, 3); i; i--)
		spoil_message(m, &in->message[maker_below(m, in->n_messages)]);
	while (maker_once_in(m, 2) && in->n_messages < ATTACK_MESSAGES) {
		const struct attack_message again = in->message[maker_below(m, in->n_messages)];

		in->message[in->n_messages++] = again;
	}
	for (unsigned i = 0; i < in->n_messages; i++)
		clear_rest(&in->message[i]);
}
