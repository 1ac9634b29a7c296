/*
 * The network device's parts to each other. A reader begins with net.c.
 */
#pragma once

#include "devices/backend/net/net.h"
#include "devices/core/vdev.h"
#include "devices/net/filter.h"
#include "devices/net/header.h"

extern const struct vdev_class net_class;

/* Feature bits (VIRTIO 1.4, 5.1.3). */
enum {
	NET_F_CSUM = 0,
	NET_F_GUEST_CSUM = 1,
	NET_F_CTRL_GUEST_OFFLOADS = 2,
	NET_F_MTU = 3,
	NET_F_MAC = 5,
	NET_F_GUEST_TSO4 = 7,
	NET_F_GUEST_TSO6 = 8,
	NET_F_GUEST_ECN = 9,
	NET_F_GUEST_UFO = 10,
	NET_F_HOST_TSO4 = 11,
	NET_F_HOST_TSO6 = 12,
	NET_F_HOST_ECN = 13,
	NET_F_HOST_UFO = 14,
	NET_F_MRG_RXBUF = 15,
	NET_F_STATUS = 16,
	NET_F_CTRL_VQ = 17,
	NET_F_CTRL_RX = 18,
	NET_F_CTRL_VLAN = 19,
	NET_F_CTRL_RX_EXTRA = 20,
	NET_F_MQ = 22,
	NET_F_CTRL_MAC_ADDR = 23,
	NET_F_GUEST_USO4 = 54,
	NET_F_GUEST_USO6 = 55,
	NET_F_HOST_USO = 56,
};

/* Bits that CTRL_GUEST_OFFLOADS_SET may name. */
#define NET_GUEST_OFFLOADS                                                                \
	(1ull << NET_F_GUEST_CSUM | 1ull << NET_F_GUEST_TSO4 | 1ull << NET_F_GUEST_TSO6 | \
	 1ull << NET_F_GUEST_ECN | 1ull << NET_F_GUEST_UFO | 1ull << NET_F_GUEST_USO4 |   \
	 1ull << NET_F_GUEST_USO6)

/* Configuration space (5.1.4). */
struct net_config {
	uint8_t mac[6];
	le16 status;
	le16 max_pairs;
	le16 mtu;
};
#define NET_S_LINK_UP 1u

/* Buffers that one frame may be spread over. */
#define NET_MERGE_MAX 1024u

/* What became of frames that the guest or the network never saw. Owner's thread. */
struct net_drops {
	uint64_t filtered; /* not for this guest */
	uint64_t too_long; /* longer than the buffers, or than the MTU */
	uint64_t no_queue; /* no receive queue */
	uint64_t no_link;  /* received while the operator has the link down */
	uint64_t unusable; /* work left undone that the driver did not agree to */
	uint64_t tx_bad;   /* the driver's header or length is wrong */
	uint64_t tx_lost;  /* the backend would not have it */
};

/* A receive queue and its transmit queue. */
struct net_pair {
	bool rx_on;
	bool rx_waits;                 /* the backend holds a frame until there are buffers */
	bool rx_dirty;                 /* used buffers not published yet */
	bool tx_on;                    /* the transmit queue runs */
	struct vq_chain *first, *last; /* transmits that the backend had no room for, in order */
};

struct net {
	struct vdev dev;
	char *spec; /* of the backend */
	struct net_options opt;
	uint8_t opt_mac[6];
	bool opt_vhost;

	struct net_backend *be;
	bool carrier;   /* the backend says that the link is up, */
	bool link_down; /* and the operator that it is down; the owner's, both */
	unsigned max_pairs;
	struct net_pair pair[NET_CHANNELS_MAX];

	/* As negotiated, or as the control queue set it later. Written while all queues are
	 * stopped, or by the owner. */
	unsigned ctrl_queue;  /* its number; past the last one: there is none */
	bool merge;           /* MRG_RXBUF */
	size_t header;        /* bytes before each frame */
	bool hdr_len;         /* one of GUEST_TSO4 to GUEST_USO6: the header's hdr_len is told */
	unsigned tx_offloads; /* NET_DO_* that the driver may leave undone, */
	unsigned rx_offloads; /* and that we may */
	uint32_t mtu;         /* 0: not negotiated */
	unsigned pairs;       /* in use */
	bool listens;         /* one of their receive queues runs: the backend delivers */
	bool stale;           /* if not: what arrives meanwhile is nobody's */
	struct net_filter filter;
	/* The address that a legacy driver wrote into the configuration space, on a vCPU's thread:
	 * a 1 and the bytes, first byte first, or 0; and what of that the filter has. */
	_Atomic uint64_t mac_written;
	uint64_t mac_taken;

	struct net_vhost *vhost; /* of each pair; NULL: frames pass here */

	struct net_drops drops;
	uint8_t *
		frame; /* NET_FRAME_MAX: to gather one that is in too many pieces, or to alter it */
	struct vq_chain *merged[NET_MERGE_MAX];
};

/* State of a transmit chain: its header, once judged. */
struct net_tx {
	struct vq_chain *next;
	struct net_offload off;
};

/* features.c */
void net_offer_features(struct net *net);
extern const struct vdev_feature net_features[];
/* NET_DO_* for the feature bits in @f: what the driver may leave undone, what we may. */
unsigned net_tx_offloads(struct vfeatures f);
unsigned net_rx_offloads(struct vfeatures f);

/* net.c: where the control queue ends at the transport, the receive queues that run tell how many
 * pairs are in use: @least, or more. While none does, as many as before. */
void net_follow_queues(struct net *net, unsigned least);

/* The filter has the address that a legacy driver wrote. */
void net_take_mac(struct net *net);

/* rx.c */
bool net_rx_frame(void *opaque, unsigned channel, uint8_t *data, size_t len,
		  const struct net_offload *off);
void net_rx_flush(void *opaque, unsigned channel);
/* Receive queues came or went, or pairs: the backend delivers if it can to any, without what
 * is stale. */
void net_rx_listen(struct net *net);
void net_rx_discard(struct net *net, unsigned channel); /* what waits with the backend */
void net_rx_start(struct net *net, unsigned pair);
void net_rx_stop(struct net *net, unsigned pair, enum vdev_stop why);
void net_rx_kick(struct net *net, unsigned pair); /* there are buffers, or the link went down */

/* tx.c */
void net_tx_handle(struct vdev *dev, unsigned q, struct vq_chain *c);
void net_tx_retry(void *opaque, unsigned channel);
void net_tx_start(struct net *net, unsigned pair);
void net_tx_stop(struct net *net, unsigned pair, enum vdev_stop why);

void net_tx_give_back(struct net *net,
		      unsigned pair); /* what waits, of a paused queue, into its ring */

/* card.c: the link is what the backend and the operator say. On the owner's thread. */
void net_tell_link(struct net *net);
void net_set_link_down(struct net *net, bool down);

/* vhost.c: if it is asked for, the kernel moves the frames. */
bool net_vhost_open(struct net *net, GError **err);
void net_vhost_close(struct net *net);
/* The driver's features are known. With all queues stopped. */
void net_vhost_negotiated(struct net *net);
/* As pairs come into use and go, and the link. On the owner's thread. */
void net_vhost_update(struct net *net);
/* While none of it runs: what has arrived is nobody's. */
void net_vhost_discard(struct net *net);

/* state.c */
void net_save(struct vdev *dev, GByteArray *out);
bool net_load(struct vdev *dev, struct unpack *in, GError **err);

/* ctrl.c */
void net_ctrl_handle(struct vdev *dev, unsigned q, struct vq_chain *c);
/* The first @pairs queue pairs are in use; 0 or -errno. */
int net_set_pairs(struct net *net, unsigned pairs);
/* The same while queues run: those that leave are silent, those that come deliver. False: the
 * backend refuses. */
bool net_use_pairs(struct net *net, unsigned pairs);
/* 0 or -errno */
int net_set_rx_offloads(struct net *net, unsigned work);
