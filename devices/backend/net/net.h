/*
 * Network backends: where a network device's frames go to and come from on the host.
 *
 * A backend moves Ethernet frames and knows no virtio. It has one or more channels, each a stream
 * of frames of its own (a queue of a multiqueue tap); all but open and close happens on the loop
 * that the backend was opened with, so neither side needs a lock.
 *
 * Frames may carry work that their sender left undone (a checksum to complete, a large segment to
 * cut up): struct net_offload says which. `tx_offloads` tells what a backend will do for frames
 * sent to it, `rx_offloads` what it may leave undone on frames it hands over, once set_offloads()
 * allowed it.
 *
 * Both directions have backpressure: send() may answer -EAGAIN and says later, by writable(), that
 * it is worth another try; frame() may answer false, and the backend then keeps the frame and
 * pauses the channel until receive() is called again.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "devices/base/loop.h"
#include "devices/base/syscalls.h"

#define NET_ETH_HEADER 14u
#define NET_FRAME_MIN  NET_ETH_HEADER
/* Ethernet, VLAN tag, IPv6 header and its largest payload, rounded up. */
#define NET_FRAME_MAX    65600u
#define NET_CHANNELS_MAX 16u
/* Pieces of a frame that send() takes. */
#define NET_IOV_MAX 32u

/* Kinds of work. */
enum {
	NET_DO_CSUM = 1 << 0, /* complete the transport checksum */
	NET_DO_TSO4 = 1 << 1, /* cut TCP over IPv4, */
	NET_DO_TSO6 = 1 << 2, /* TCP over IPv6, */
	NET_DO_ECN = 1 << 3,  /* with the congestion bit set, too, */
	NET_DO_UFO = 1 << 4,  /* fragment UDP, */
	NET_DO_USO4 = 1 << 5, /* cut UDP over IPv4, */
	NET_DO_USO6 = 1 << 6, /* UDP over IPv6 */
};

/* The kinds of segment in net_offload.segment; NET_SEG_ECN is or-ed in. The values are those of the
 * kernel's interface to taps. */
enum {
	NET_SEG_NONE = 0,
	NET_SEG_TCP4 = 1,
	NET_SEG_UDP = 3,
	NET_SEG_TCP6 = 4,
	NET_SEG_UDP_L4 = 5,
	NET_SEG_ECN = 0x80,
};

/* What is left to do on one frame. All zero: nothing. Judged before it crosses the seam: csum_start
 * + csum_offset + 2 does not exceed the frame, hdr_len neither. */
struct net_offload {
	bool need_csum;      /* sum from csum_start on, to be stored csum_offset behind it */
	bool csum_valid;     /* checksums were checked, or made by whom we trust */
	uint8_t segment;     /* NET_SEG_*, implies need_csum */
	uint16_t hdr_len;    /* a hint: bytes up to the payload */
	uint16_t seg_size;   /* payload bytes of each piece */
	uint16_t csum_start; /* from the beginning of the frame */
	uint16_t csum_offset;
};

/* What a backend tells its device. All on the backend's loop. */
struct net_events {
	/* A frame for the guest; @data may be altered. False: no room now, keep it and pause. */
	bool (*frame)(void *opaque, unsigned channel, uint8_t *data, size_t len,
		      const struct net_offload *off);
	/* The frames so far are a batch. */
	void (*batch_end)(void *opaque, unsigned channel);
	/* A send() that answered -EAGAIN may be tried again. */
	void (*writable)(void *opaque, unsigned channel);
	/* The link went up or down. Without a word it is up. */
	void (*link)(void *opaque, bool up);
	/* Something is wrong, on the host (@guest false) or with what the guest sent. */
	void (*trouble)(void *opaque, bool guest, const char *text);
};

struct net_backend;

struct net_backend_ops {
	void (*close)(struct net_backend *be);
	/* Sends a frame of @n pieces, @n at most NET_IOV_MAX. 0: taken; -EAGAIN: not now; other
	 * negative errno: lost. */
	int (*send)(struct net_backend *be, unsigned channel, const struct iovec *iov, unsigned n,
		    const struct net_offload *off);
	/* @on: (again) deliver frames of @channel, one that was refused first. May call back before
	 * it returns. Off: no frame() of that channel after it returns; what arrives may wait. */
	void (*receive)(struct net_backend *be, unsigned channel, bool on);
	/* While receive() is off: what has arrived on @channel so far is nobody's and never
	 * delivered. NULL: nothing waits. */
	void (*discard)(struct net_backend *be, unsigned channel);
	/* Work that may be left undone on frames for the guest, a subset of `rx_offloads`. */
	int (*set_offloads)(struct net_backend *be, unsigned work); /* NULL: rx_offloads is 0 */
	/* The first @n channels are in use. */
	int (*set_channels)(struct net_backend *be, unsigned n); /* NULL: there is one */
	/* The machine begins anew: what its guest had under way ends. NULL: nothing does. */
	void (*restart)(struct net_backend *be);
	/* The descriptor by which the kernel can move the frames of @channel itself, while
	 * receive() is off. It stays the backend's. NULL: frames pass here. */
	int (*kernel_fd)(struct net_backend *be, unsigned channel);
	/* If kernel_header: that has @bytes from now on. 0 or -errno. */
	int (*set_header)(struct net_backend *be, size_t bytes);
};

struct net_backend {
	const struct net_backend_ops *ops;
	const struct net_events *events;
	void *opaque;
	struct loop *loop;
	unsigned n_channels;
	unsigned tx_offloads, rx_offloads; /* NET_DO_* */
	bool kernel_header; /* before the frames of kernel_fd() there is one as a driver's */
	bool checked;       /* its frames' checksums are right: csum_valid may be set */
	char *name;         /* what distinguishes it on this host, or NULL */
	const struct syscall_use *syscalls[2];
	bool needs_network;    /* the host's, as it connects to whom the guest names */
	const char *kept_path; /* a file that it goes on using by this name, or NULL */
	unsigned files;        /* descriptors that it may come to need beside those it has; */
	size_t memory;         /* bytes, too: at most */
};

enum net_kind { NET_USER, NET_TAP, NET_SOCKET, NET_NULL, N_NET_KINDS };
extern const char *const net_kind_names[]; /* NULL-terminated */

/* What the operator asked for; the strings stay the caller's. Unset: NULL, empty lists, false, 0.
 */
struct net_options {
	unsigned kind; /* enum net_kind */
	uint32_t n_channels;
	uint32_t mtu;

	/* user */
	GPtrArray *hostfwd;
	char *net, *dns, *hostname;
	bool restricted;

	/* tap */
	char *ifname;
	GPtrArray *fds;

	/* socket */
	char *path;
	bool listen;

	/* null */
	uint32_t generate; /* bytes of a frame; 0: there are none */
};

/*
 * Opens the backend that @opt->kind names. Nothing is delivered before receive(). @context begins
 * each message ("--device net"). NULL with @err.
 */
struct net_backend *net_backend_open(const struct net_options *opt, struct loop *loop,
				     const struct net_events *events, void *opaque, GError **err);

/* NULL is fine. */
void net_backend_close(struct net_backend *be);

/* A frame's bytes in one piece: @dst has room for NET_FRAME_MAX. Returns how many, or 0 if there
 * are more. */
size_t net_gather(uint8_t *dst, const struct iovec *iov, unsigned n);
size_t net_iov_len(const struct iovec *iov, unsigned n);

/* A number in decimal within [@min, @max]; false otherwise. */
bool net_parse_number(const char *text, unsigned min, unsigned max, unsigned *ret);

/* For net.c alone: each kind's open, which fills in a backend whose events, opaque and loop are
 * set; on failure close is not called. */
typedef struct net_backend *(*net_open_fn)(const struct net_options *opt,
					   const struct net_backend *common, GError **err);
struct net_backend *net_user_open(const struct net_options *opt, const struct net_backend *common,
				  GError **err);
struct net_backend *net_tap_open(const struct net_options *opt, const struct net_backend *common,
				 GError **err);
struct net_backend *net_socket_open(const struct net_options *opt, const struct net_backend *common,
				    GError **err);
struct net_backend *net_null_open(const struct net_options *opt, const struct net_backend *common,
				  GError **err);
