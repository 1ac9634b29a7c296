/*
 * The network device's tests, shared: the peer on the other end of its link (a real unix socket),
 * and the driver's everyday requests.
 */
#pragma once

#include "devices/net/net.h"
#include "tests/support/rig.h"

#define RX       0u
#define TX       1u
#define CTRL     2u
#define HDR      12u
#define ACK_OK   0
#define ACK_ERR  1
#define NET_PEER "net,backend=socket,path=@/peer,listen=on,mac=52:54:00:01:02:03"
#define USER     "net,mac=52:54:00:01:02:03,restrict=on"

#define CASE(device, function)                                       \
	{                                                            \
		.name = #function, .spec = (device), .run = function \
	}

/* Without MRG_RXBUF a legacy driver's header is another one: tests/conformance/test-legacy.c. */
#define MODERN_CASE(device, function)                                                     \
	{                                                                                 \
		.name = #function, .spec = (device), .run = function, .links = RIG_MODERN \
	}

/* Over vhost-user a network card's control queue is the front-end's. */
#define CTRL_LINKS RIG_STAYS
#define CTRL_CASE(device, function)                                                       \
	{                                                                                 \
		.name = #function, .spec = (device), .run = function, .links = CTRL_LINKS \
	}

extern const struct net_header net_plain; /* nothing is left to do */

/* The peer, and the one receive buffer that the driver keeps offered to it. */
struct net_peer {
	struct rig *r;
	int fd;
	struct rig_buf buf;
	struct rig_req *req;
};

/* Connects, and waits until the device knows. */
struct net_peer net_peer_connect(struct rig *r);
void net_peer_send(struct net_peer *p, const void *frame, size_t len);
/* One frame of the device's, which works meanwhile; its length. @frame has room for any. */
size_t net_peer_receive(struct net_peer *p, void *frame);

/* The driver offers a receive buffer: p->buf, p->req. */
void net_offer(struct net_peer *p, uint32_t len);
/* Does a frame of the peer's to @dst reach the driver? With a VLAN's tag unless that is 0. */
bool net_arrives(struct net_peer *p, const uint8_t *dst, uint16_t vlan);

/* The driver transmits a frame; the used length. */
uint32_t net_transmit(struct rig *r, const struct net_header *h, const void *frame, uint32_t len);

/* Runs a control command of @len bytes of data on the control queue @q; its ack. */
uint8_t net_command_on(struct rig *r, unsigned q, uint8_t class, uint8_t cmd, const void *data,
		       uint32_t len);
/* The same on queue 2, where it is without VIRTIO_NET_F_MQ. */
uint8_t net_command(struct rig *r, uint8_t class, uint8_t cmd, const void *data, uint32_t len);
uint8_t net_command1(struct rig *r, uint8_t class, uint8_t cmd, uint8_t value);

/* Every command under every set of the features that are about commands: it is acknowledged if the
 * set has one of its own, and an error if not; all other classes and commands are an error. */
void net_check_commands(struct rig *r);

struct net_drops net_drops(struct rig *r);

/* On a user network: asks who the host is; the header before its answer. */
const struct net_header *net_arp_answer(struct rig *r);
