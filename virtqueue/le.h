/*
 * Little-endian fields in guest memory.
 *
 * Everything virtio puts in memory is little-endian whatever the guest's byte order (VIRTIO 1.4,
 * 1.4 Structure Specifications). A legacy driver's fields are in the guest's byte order, which is
 * the same on all processors that ringside has. The types mark such fields; they are only ever read
 * and written through the functions here, so that a plain use stands out in a review.
 *
 * Freestanding: guest-fw and the reference driver use it too.
 */
#pragma once

#include <stdint.h>

typedef uint16_t le16;
typedef uint32_t le32;
typedef uint64_t le64;

static inline uint16_t le16_cpu(le16 v)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap16(v);
}

static inline uint32_t le32_cpu(le32 v)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap32(v);
}

static inline uint64_t le64_cpu(le64 v)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap64(v);
}

static inline le16 cpu_le16(uint16_t v)
{
	return le16_cpu(v);
}

static inline le32 cpu_le32(uint32_t v)
{
	return le32_cpu(v);
}

static inline le64 cpu_le64(uint64_t v)
{
	return le64_cpu(v);
}
