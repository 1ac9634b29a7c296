/*
 * What the parts of `ringside bench net` share: what is varied (net.c), and one measurement
 * (net-run.c).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "tools/bench/sockets.h"

enum net_axis {
	NET_OP,    /* transmit, receive, echo */
	NET_SIZE,  /* bytes of a frame, without its checksum */
	NET_DEPTH, /* frames in flight */
	NET_RING,  /* split, packed */
	NET_MERGE, /* off, on: MRG_RXBUF, with buffers of NET_SMALL bytes */
	NET_WAIT,  /* irq: asleep until there is something; poll */
	N_NET_AXES,
};

/* Values of NET_OP. */
enum net_op { NET_TRANSMIT, NET_RECEIVE, NET_ECHO };

#define NET_SIZE_MIN  60u
#define NET_SIZE_MAX  9014u
#define NET_DEPTH_MAX 256u
#define NET_SMALL     1024u

/* struct socket_bench's run(). */
bool net_run(const char *path, const unsigned *at, unsigned time_ms, struct latencies *l,
	     double *ret_rate, GError **err);
