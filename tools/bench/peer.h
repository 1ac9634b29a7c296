/*
 * A device behind a vhost-user socket, and our driver's side of its first queues: what `ringside
 * bench` measures other people's devices by, and ours. The driver's memory is a file of its own
 * that the back-end maps, and nothing else is.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/vhost-user/link.h"
#include "virtqueue/driver/drv.h"

#define PEER_QUEUES 2u

struct peer {
	struct vhu_link link;
	uint64_t features; /* that the back-end offers */
	uint8_t config[VHU_CONFIG_MAX];

	uint8_t *memory; /* of memory_size bytes, at guest address 0 */
	size_t memory_size;
	int memory_fd;
	uint64_t used; /* bytes of it that are given away */

	struct peer_queue {
		struct drv_vq vq;
		int kick_fd, call_fd;
	} queue[PEER_QUEUES];
};

/* Features of the protocol that benchmarks have a use for. */
#define PEER_PROTOCOL (1ull << VHU_PF_MQ | 1ull << VHU_PF_REPLY_ACK | 1ull << VHU_PF_CONFIG)

/* Connects to the back-end at @path, and asks it for its features and @config_size bytes of the
 * configuration space. @protocol: what is accepted of its protocol features. False with an error;
 * peer_close() in any case. */
bool peer_open(struct peer *p, const char *path, uint64_t protocol, uint32_t config_size,
	       GError **err);
void peer_close(struct peer *p);

/* Gives the back-end @size bytes of memory and the first @n queues, each with a ring of @cfg (size,
 * packed, event_idx, in_order), the features that it takes and @features of the device. */
bool peer_start(struct peer *p, unsigned n, const struct drv_config *cfg, uint64_t features,
		size_t size, GError **err);

/* Tells the back-end of ring @q, from its first entry on, and has it run. False: see p->link. */
bool peer_tell_ring(struct peer *p, unsigned q);

/* Of what is told then: that it begins from its first entry; its kick, with which it runs. */
struct vhu_small peer_base(const struct peer *p, unsigned q);
struct vhu_small peer_kick(const struct peer *p, unsigned q);

/* @len bytes, page-aligned; their guest address, which is their place in p->memory. */
uint64_t peer_take(struct peer *p, size_t len);

/* Sets @err, a host error; always false. */
bool peer_fail(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* Makes what was added to queue @q available, with a kick if the device wants one. */
void peer_publish(struct peer *p, unsigned q);

/* Sleeps until the device has used something of queue @q. False with an error: it has not for five
 * seconds, or broke a rule. */
bool peer_await(struct peer *p, unsigned q, GError **err);

/* The same for who does not sleep: one look later. @turns counts those in vain, from 0. */
bool peer_look(struct peer *p, unsigned q, unsigned *turns, GError **err);

/* The time, of no particular beginning. */
uint64_t peer_now_ns(void);
