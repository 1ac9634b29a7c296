#include "tests/support/net-inbox.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/net-frames.h"
#include "tests/support/net-own.h"

struct inbox inbox_open(struct rig *r)
{
	struct inbox in = { .r = r };

	tap_up(INBOX_TAP);
	in.host = tap_host_end(INBOX_TAP);
	return in;
}

void inbox_start(struct inbox *in, uint16_t pairs)
{
	rig_start(in->r, RIG_ALL);
	inbox_forget(in);
	if (pairs > 1)
		assert_int_equal(inbox_set_pairs(in->r, INBOX_CTRL, pairs), ACK_OK);
}

void inbox_forget(struct inbox *in)
{
	in->down = 0;
	memset(in->req, 0, sizeof(in->req));
}

void inbox_close(struct inbox *in)
{
	close(in->host);
}

uint8_t inbox_set_pairs(struct rig *r, unsigned q, uint16_t pairs)
{
	return net_command_on(r, q, 4, 0, &pairs, 2);
}

void inbox_take_away(struct inbox *in, unsigned k)
{
	rig_queue_reset(in->r, 2 * k);
	in->down |= 1u << k;
	in->req[k] = NULL;
}

void inbox_give_back(struct inbox *in, unsigned k)
{
	rig_queue_start(in->r, 2 * k, 0);
	in->down &= ~(1u << k);
}

void inbox_send(const struct inbox *in, uint8_t seed)
{
	uint8_t frame[100];

	frame_plain(frame, mac_guest, sizeof(frame), seed);
	assert_int_equal(send(in->host, frame, sizeof(frame), 0), sizeof(frame));
}

/* A receive queue that runs has a buffer. */
static void put_buffer(struct inbox *in, unsigned k)
{
	if (in->down & 1u << k || in->req[k])
		return;
	in->buf[k] = rig_alloc(in->r, 8000);
	in->req[k] = rig_submit(in->r, 2 * k, &in->buf[k], 0, 1);
}

static void put_buffers(struct inbox *in)
{
	for (unsigned k = 0; k < INBOX_PAIRS; k++)
		put_buffer(in, k);
}

/* Takes what is in queue @k's buffer. False if nothing is; there is a buffer for it then. */
static bool net_inbox_take(struct inbox *in, unsigned k, struct inbox_frame *ret)
{
	if (in->down & 1u << k)
		return false;
	if (in->req[k] && in->req[k]->done) {
		*ret = (struct inbox_frame){ in->buf[k].p, (uint8_t *)in->buf[k].p + HDR,
					     in->req[k]->len - HDR };
		in->req[k] = NULL;
		return true;
	}
	put_buffer(in, k);
	return false;
}

unsigned inbox_next(struct inbox *in, bool (*is)(const struct inbox_frame *f, unsigned arg),
		    unsigned arg, struct inbox_frame *ret)
{
	int64_t deadline = rig_deadline();

	for (;;) {
		for (unsigned k = 0; k < INBOX_PAIRS; k++)
			if (net_inbox_take(in, k, ret) && is(ret, arg))
				return k;
		rig_turn(in->r, deadline);
	}
}

static uint8_t seed_of(const struct inbox_frame *f)
{
	return (uint8_t)(f->data[14] - 14);
}

static bool is_plain(const struct inbox_frame *f, unsigned arg)
{
	(void)arg;
	return frame_is_plain(f->data, f->len, seed_of(f));
}

unsigned inbox_next_plain(struct inbox *in, uint8_t *ret_seed)
{
	struct inbox_frame f;
	unsigned k = inbox_next(in, is_plain, 0, &f);

	*ret_seed = seed_of(&f);
	return k;
}

unsigned inbox_receive(struct inbox *in, uint8_t seed)
{
	unsigned k;
	uint8_t got;

	put_buffers(
		in); /* a frame for a queue that is reset goes to one with a buffer, or nowhere */
	inbox_send(in, seed);
	k = inbox_next_plain(in, &got);
	assert_int_equal(got, seed);
	return k;
}

void inbox_inject(unsigned version, const struct net_header *h, const uint8_t *frame, size_t len)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(version == 4 ? 0x0800 : 0x86dd),
				  .sll_ifindex = (int)if_nametoindex(INBOX_TAP),
				  .sll_halen = 6 };
	struct iovec iov[2] = {
		{ (void *)h,
		  offsetof(struct net_header, num_buffers) }, /* the kernel's ends there */
		{ (void *)frame, len },
	};
	struct msghdr msg = {
		.msg_name = &ll, .msg_namelen = sizeof(ll), .msg_iov = iov, .msg_iovlen = 2
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1;

	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	assert_int_equal(sendmsg(fd, &msg, 0), iov[0].iov_len + len);
	close(fd);
}
