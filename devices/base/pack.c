#include "devices/base/pack.h"

#include <string.h>

void pack_bytes(GByteArray *out, const void *bytes, size_t len)
{
	if (len)
		g_byte_array_append(out, bytes, (guint)len);
}

void pack_u8(GByteArray *out, uint8_t value)
{
	pack_bytes(out, &value, sizeof(value));
}

void pack_u16(GByteArray *out, uint16_t value)
{
	value = GUINT16_TO_LE(value);
	pack_bytes(out, &value, sizeof(value));
}

void pack_u32(GByteArray *out, uint32_t value)
{
	value = GUINT32_TO_LE(value);
	pack_bytes(out, &value, sizeof(value));
}

void pack_u64(GByteArray *out, uint64_t value)
{
	value = GUINT64_TO_LE(value);
	pack_bytes(out, &value, sizeof(value));
}

void unpack_bytes(struct unpack *in, void *dst, size_t len)
{
	if (in->bad || len > in->left) {
		in->bad = true;
		memset(dst, 0, len);
		return;
	}
	if (len)
		memcpy(dst, in->at, len);
	in->at += len;
	in->left -= len;
}

uint8_t unpack_u8(struct unpack *in)
{
	uint8_t value;

	unpack_bytes(in, &value, sizeof(value));
	return value;
}

uint16_t unpack_u16(struct unpack *in)
{
	uint16_t value;

	unpack_bytes(in, &value, sizeof(value));
	return GUINT16_FROM_LE(value);
}

uint32_t unpack_u32(struct unpack *in)
{
	uint32_t value;

	unpack_bytes(in, &value, sizeof(value));
	return GUINT32_FROM_LE(value);
}

uint64_t unpack_u64(struct unpack *in)
{
	uint64_t value;

	unpack_bytes(in, &value, sizeof(value));
	return GUINT64_FROM_LE(value);
}

bool unpack_done(const struct unpack *in)
{
	return !in->bad && in->left == 0;
}
