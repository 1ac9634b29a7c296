/*
 * Virtqueue layouts and the bits that go with them (VIRTIO 1.4, 2.7 Split Virtqueues, 2.8 Packed
 * Virtqueues, 2.2 Feature Bits, 2.1 Device Status Field), as both sides of a ring see them.
 *
 * Freestanding: guest-fw and the reference driver use it too.
 */
#pragma once

#include "virtqueue/le.h"

/* Descriptor flags; AVAIL and USED exist in packed rings only. */
#define VRING_DESC_F_NEXT     (1u << 0)
#define VRING_DESC_F_WRITE    (1u << 1) /* the device writes to it */
#define VRING_DESC_F_INDIRECT (1u << 2)
#define VRING_DESC_F_AVAIL    (1u << 7)
#define VRING_DESC_F_USED     (1u << 15)

#define VRING_AVAIL_F_NO_INTERRUPT 1u /* split: the driver wants no interrupts */
#define VRING_USED_F_NO_NOTIFY     1u /* split: the device wants no kicks */

#define VRING_QUEUE_SIZE_MAX 32768u

/* Split ring: desc table, driver area (avail), device area (used). */
struct vring_desc {
	le64 addr;
	le32 len;
	le16 flags;
	le16 next;
};

struct vring_avail {
	le16 flags;
	le16 idx;
	le16 ring[]; /* queue size entries, then used_event */
};

struct vring_used_elem {
	le32 id;
	le32 len;
};

struct vring_used {
	le16 flags;
	le16 idx;
	struct vring_used_elem ring[]; /* queue size entries, then avail_event */
};

/* Sizes in bytes and alignments of a split ring's three parts (2.7). The event fields count. */
#define VRING_DESC_ALIGN  16u
#define VRING_AVAIL_ALIGN 2u
#define VRING_USED_ALIGN  4u

static inline uint64_t vring_desc_bytes(unsigned size)
{
	return 16ull * size;
}

static inline uint64_t vring_avail_bytes(unsigned size)
{
	return 6ull + 2ull * size;
}

static inline uint64_t vring_used_bytes(unsigned size)
{
	return 6ull + 8ull * size;
}

/*
 * A legacy driver's split ring is in one piece (2.7.2): the available ring right behind the
 * descriptor table, the used ring at the next multiple of @align, a power of two. Offsets from the
 * table.
 */
#define VRING_LEGACY_ALIGN 4096u /* over PCI; over MMIO the driver says it */

static inline uint64_t vring_legacy_driver_offset(unsigned size)
{
	return vring_desc_bytes(size);
}

static inline uint64_t vring_legacy_device_offset(unsigned size, uint32_t align)
{
	uint64_t end = vring_desc_bytes(size) + vring_avail_bytes(size);

	return (end + align - 1) & ~(uint64_t)(align - 1);
}

/*
 * Packed ring: one table, and an event suppression structure for each side. What follows a
 * descriptor's address is read and written in one go, as `rest`: flags that were seen brought
 * length and id along.
 */
struct vring_packed_desc {
	le64 addr;
	union {
		struct {
			le32 len;
			le16 id;
			le16 flags;
		};
		le64 rest; /* see vring_packed_rest() */
	};
};

static inline uint64_t vring_packed_rest(uint32_t len, uint16_t id, uint16_t flags)
{
	return len | (uint64_t)id << 32 | (uint64_t)flags << 48;
}

static inline uint16_t vring_rest_flags(uint64_t rest)
{
	return (uint16_t)(rest >> 48);
}

struct vring_packed_event {
	le16 off_wrap; /* bits 0-14 descriptor offset, bit 15 wrap counter */
	le16 flags;
};

#define VRING_EVENT_ALIGN 4u

#define VRING_FETCH_MAX 64u /* descriptors: see vring_packed_fetch() */

#define VRING_EVENT_ENABLE  0u
#define VRING_EVENT_DISABLE 1u
#define VRING_EVENT_DESC    2u

/*
 * The event index test (2.7.7.2, 2.7.10): true if @event lies among the indices that moved on
 * when the index went from @old to @new_idx, all modulo 2^16. Never compare for equality: a batch
 * may step over the event.
 */
static inline int vring_need_event(uint16_t event, uint16_t new_idx, uint16_t old)
{
	return (uint16_t)(new_idx - event - 1) < (uint16_t)(new_idx - old);
}

/*
 * A place in a packed ring: descriptor offset in bits 0-14, ring wrap counter in bit 15 (2.8.1), as
 * event suppression and notification data have it too.
 */
#define VRING_POS_WRAP (1u << 15)

static inline unsigned vring_pos_off(uint16_t pos)
{
	return pos & (VRING_POS_WRAP - 1);
}

/* @n descriptors further round a ring of @size, at most once. */
static inline uint16_t vring_pos_advance(uint16_t pos, unsigned n, unsigned size)
{
	unsigned next = pos + n;

	if (vring_pos_off(pos) + n >= size)
		next = (next - size) ^ VRING_POS_WRAP;
	return next;
}

static inline uint16_t vring_pos_retreat(uint16_t pos, unsigned n, unsigned size)
{
	return vring_pos_advance(pos, size - n, size) ^ VRING_POS_WRAP;
}

/* The flags of a descriptor that is available, or used, at a place. */
static inline unsigned vring_pos_avail_flags(uint16_t pos)
{
	return pos & VRING_POS_WRAP ? VRING_DESC_F_AVAIL : VRING_DESC_F_USED;
}

static inline unsigned vring_pos_used_flags(uint16_t pos)
{
	return pos & VRING_POS_WRAP ? VRING_DESC_F_AVAIL | VRING_DESC_F_USED : 0;
}

/* Is a descriptor with these flags available, as seen from a place? */
static inline int vring_pos_is_available(uint16_t flags, uint16_t pos)
{
	return (flags & (VRING_DESC_F_AVAIL | VRING_DESC_F_USED)) == vring_pos_avail_flags(pos);
}

/*
 * The event test of packed rings (2.8.10): true if @event lies among the descriptors from @old up
 * to, not including, @now. An event of the other lap than @now's is one ring size behind.
 */
static inline int vring_pos_need_event(uint16_t event, uint16_t now, uint16_t old, unsigned size)
{
	uint16_t to = vring_pos_off(now), from = vring_pos_off(old);
	uint16_t at = vring_pos_off(event);

	if ((now ^ old) & VRING_POS_WRAP)
		from -= size;
	if ((now ^ event) & VRING_POS_WRAP)
		at -= size;
	return vring_need_event(at, to, from);
}

/*
 * A full barrier: everything before it, stores too, before everything after it. Each side needs one
 * between the index it publishes and the other side's suppression field it then reads. (The __sync
 * builtin, not __atomic_thread_fence: gcc's thread sanitizer refuses the latter. It need not know
 * of this one, all that the barrier orders being atomic anyway.)
 */
static inline void vring_full_barrier(void)
{
	__sync_synchronize();
}

/* Fetches a cache line that is going to be read and written, or written alone. */
#ifdef VRING_TRACED
void traced_prefetch(const void *at); /* tools/bench/trace.h */
#endif

static inline void vring_fetch_line(const void *at)
{
#ifdef VRING_TRACED
	traced_prefetch(at);
#elif defined(__x86_64__)
	/* the builtin would only mean to read; a processor that has no prefetchw ignores it */
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)at));
#else
	__builtin_prefetch(at, 1);
#endif
}

/*
 * Whoever finds a batch at @off of a packed ring calls this: the cache lines of its @n descriptors,
 * but the first, come all at once instead of one by one. The number is a guess, what the last batch
 * had: too few, and the lines are waited for; too many, and they are taken from the other side's
 * hands.
 */
static inline void vring_packed_fetch(const struct vring_packed_desc *ring, unsigned off,
				      unsigned n, unsigned size)
{
	const unsigned line = 64 / sizeof(*ring);

	if (n > VRING_FETCH_MAX)
		n = VRING_FETCH_MAX;
	for (unsigned at = off + line, end = off + n; at < end; at += line)
		vring_fetch_line(&ring[at < size ? at : at - size]);
}

/* Feature bits common to all devices (2.2, 6). */
enum {
	VIRTIO_F_NOTIFY_ON_EMPTY = 24, /* legacy */
	VIRTIO_F_ANY_LAYOUT = 27,      /* legacy */
	VIRTIO_F_INDIRECT_DESC = 28,
	VIRTIO_F_EVENT_IDX = 29,
	VIRTIO_F_UNUSED =
		30, /* legacy: offered, and accepted by drivers that do not negotiate (6.3) */
	VIRTIO_F_VERSION_1 = 32,
	VIRTIO_F_ACCESS_PLATFORM = 33,
	VIRTIO_F_RING_PACKED = 34,
	VIRTIO_F_IN_ORDER = 35,
	VIRTIO_F_ORDER_PLATFORM = 36,
	VIRTIO_F_SR_IOV = 37,
	VIRTIO_F_NOTIFICATION_DATA = 38,
	VIRTIO_F_NOTIF_CONFIG_DATA = 39,
	VIRTIO_F_RING_RESET = 40,
	VIRTIO_F_ADMIN_VQ = 41,
	VIRTIO_F_SUSPEND = 43,
};

/* Device status (2.1). */
enum {
	VIRTIO_S_ACKNOWLEDGE = 1,
	VIRTIO_S_DRIVER = 2,
	VIRTIO_S_DRIVER_OK = 4,
	VIRTIO_S_FEATURES_OK = 8,
	VIRTIO_S_NEEDS_RESET = 64,
	VIRTIO_S_FAILED = 128,
};
