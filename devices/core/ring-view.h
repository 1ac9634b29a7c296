/*
 * A queue's ring as it stands, for people to look at: what lies in the guest's memory, and whose
 * each descriptor is. It is a picture of one moment of the device's side; the driver goes on
 * writing meanwhile, and nothing here trusts what it reads.
 */
#pragma once

#include "devices/core/vdev.h"

enum vring_owner {
	VRING_DRIVERS,   /* free, or used and the driver's again */
	VRING_AVAILABLE, /* made available; the device has not taken it yet */
	VRING_DEVICES,   /* taken and not given back */
};

/* An entry of the descriptor table, or of the packed ring, in the host's byte order. */
struct vring_view_entry {
	uint64_t addr;
	uint32_t len;
	uint16_t flags; /* VRING_DESC_F_* */
	uint16_t link;  /* split: next; packed: buffer id */
	enum vring_owner owner;
};

struct vring_view {
	bool packed, event_idx;
	struct vq_position position;
	/* Split: both rings' heads. Packed: both event suppression structures, device's as used. */
	uint16_t avail_flags, avail_idx, used_flags, used_idx;
	uint16_t used_event, avail_event; /* split, with EVENT_IDX */
	unsigned size;
	struct vring_view_entry entry[];
};

/*
 * Looks at queue @q of @dev, from any thread but an owner's. NULL with @err if it is not started,
 * not in memory, or served elsewhere (by another process, by the kernel), where nobody here knows
 * what was taken. Free with g_free().
 */
struct vring_view *vring_view_new(struct vdev *dev, unsigned q, GError **err);
