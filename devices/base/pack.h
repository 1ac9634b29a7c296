/*
 * Numbers and bytes of a record, little-endian: put one after the other into a GByteArray, and
 * taken out again by a reader that never goes past the end. After a take that found too little
 * everything reads 0, so that a reader may take all it wants and ask once, at the end.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void pack_u8(GByteArray *out, uint8_t value);
void pack_u16(GByteArray *out, uint16_t value);
void pack_u32(GByteArray *out, uint32_t value);
void pack_u64(GByteArray *out, uint64_t value);
void pack_bytes(GByteArray *out, const void *bytes, size_t len);

/* What is left to be read; the bytes stay the caller's. */
struct unpack {
	const uint8_t *at;
	size_t left;
	bool bad; /* more was asked for than there was */
};

uint8_t unpack_u8(struct unpack *in);
uint16_t unpack_u16(struct unpack *in);
uint32_t unpack_u32(struct unpack *in);
uint64_t unpack_u64(struct unpack *in);
void unpack_bytes(struct unpack *in, void *dst, size_t len);

/* Was all there, and nothing more? */
bool unpack_done(const struct unpack *in);
