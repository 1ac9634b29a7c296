/*
 * ACPI machine language. Opcodes are from ACPI 6.3, 20.3 (AML Byte Stream Byte Values), resource
 * descriptors from 6.4 (Resource Data Types for ACPI).
 */
#include "vmm/acpi/aml.h"

#include <string.h>

enum {
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_WORD = 0x0b,
	OP_DWORD = 0x0c,
	OP_STRING = 0x0d,
	OP_QWORD = 0x0e,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_METHOD = 0x14,
	OP_DUAL_NAME = 0x2e,
	OP_MULTI_NAME = 0x2f,
	OP_EXTENDED = 0x5b,
	OP_IF = 0xa0,
	EXT_REGION = 0x80,
	EXT_FIELD = 0x81,
	EXT_DEVICE = 0x82,

	METHOD_SERIALIZED = 0x08,
	REGION_IO = 1,
	FIELD_BYTE_ACCESS = 1,
};

static void byte(GByteArray *a, uint8_t value)
{
	g_byte_array_append(a, &value, 1);
}

/* A little-endian number of @n bytes. */
static void aml_number(GByteArray *a, uint64_t value, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		byte(a, (uint8_t)(value >> 8 * i));
}

/* One segment of a name, padded with underscores. Returns what follows it. */
static const char *aml_name_segment(GByteArray *a, const char *name)
{
	size_t len = strcspn(name, ".");

	g_assert(len >= 1 && len <= 4);
	g_byte_array_append(a, (const guint8 *)name, (guint)len);
	g_byte_array_append(a, (const guint8 *)"____", (guint)(4 - len));
	return name[len] ? name + len + 1 : NULL;
}

void aml_path(GByteArray *a, const char *name)
{
	unsigned segments = 1;

	if (*name == '\\')
		byte(a, (uint8_t)*name++);
	for (const char *s = name; *s; s++)
		segments += *s == '.';
	if (segments == 2)
		byte(a, OP_DUAL_NAME);
	if (segments > 2) {
		byte(a, OP_MULTI_NAME);
		byte(a, (uint8_t)segments);
	}
	while (name)
		name = aml_name_segment(a, name);
}

/*
 * The length counts itself. One byte holds 6 bits of it; else the first holds the low 4 bits and
 * how many bytes follow.
 */
static unsigned encode_length(gsize body, uint8_t out[4])
{
	unsigned n = 1;

	if (body + 1 < 1u << 6) {
		out[0] = (uint8_t)(body + 1);
		return 1;
	}
	while (body + n >= 1ull << (8 * n - 4))
		n++;
	g_assert(n <= 4);
	body += n;
	out[0] = (uint8_t)((n - 1) << 6 | (body & 0xf));
	for (unsigned i = 1; i < n; i++)
		out[i] = (uint8_t)(body >> (8 * i - 4));
	return n;
}

void aml_end(GByteArray *a, gsize mark)
{
	gsize body = a->len - mark;
	uint8_t length[4];
	unsigned n = encode_length(body, length);

	g_byte_array_set_size(a, a->len + n);
	memmove(a->data + mark + n, a->data + mark, body);
	memcpy(a->data + mark, length, n);
}

gsize aml_scope(GByteArray *a, const char *name)
{
	gsize mark;

	byte(a, OP_SCOPE);
	mark = a->len;
	aml_path(a, name);
	return mark;
}

gsize aml_device(GByteArray *a, const char *name)
{
	gsize mark;

	byte(a, OP_EXTENDED);
	byte(a, EXT_DEVICE);
	mark = a->len;
	aml_path(a, name);
	return mark;
}

gsize aml_method(GByteArray *a, const char *name, unsigned n_args)
{
	gsize mark;

	byte(a, OP_METHOD);
	mark = a->len;
	aml_path(a, name);
	byte(a, (uint8_t)(n_args | METHOD_SERIALIZED));
	return mark;
}

gsize aml_package(GByteArray *a, uint8_t n_elements)
{
	gsize mark;

	byte(a, OP_PACKAGE);
	mark = a->len;
	byte(a, n_elements);
	return mark;
}

gsize aml_buffer(GByteArray *a, uint64_t size)
{
	gsize mark;

	byte(a, OP_BUFFER);
	mark = a->len;
	aml_int(a, size);
	return mark;
}

gsize aml_if(GByteArray *a)
{
	byte(a, OP_IF);
	return a->len;
}

void aml_op(GByteArray *a, enum aml_op op)
{
	byte(a, (uint8_t)op);
}

/* Zero and One have opcodes of their own that look like the numbers. */
void aml_int(GByteArray *a, uint64_t value)
{
	unsigned n = value <= 1            ? 0
		     : value <= UINT8_MAX  ? 1
		     : value <= UINT16_MAX ? 2
		     : value <= UINT32_MAX ? 4
					   : 8;
	static const uint8_t ops[] = {
		[1] = OP_BYTE, [2] = OP_WORD, [4] = OP_DWORD, [8] = OP_QWORD
	};

	if (n == 0)
		byte(a, (uint8_t)value);
	else
		byte(a, ops[n]);
	aml_number(a, value, n);
}

void aml_name(GByteArray *a, const char *name)
{
	byte(a, OP_NAME);
	aml_path(a, name);
}

void aml_name_int(GByteArray *a, const char *name, uint64_t value)
{
	aml_name(a, name);
	aml_int(a, value);
}

void aml_name_string(GByteArray *a, const char *name, const char *value)
{
	aml_name(a, name);
	byte(a, OP_STRING);
	g_byte_array_append(a, (const guint8 *)value, (guint)strlen(value) + 1);
}

/* Three letters of 5 bits and four hex digits, as a big-endian number (ACPI 6.3, 19.6.37). */
void aml_name_eisaid(GByteArray *a, const char *name, const char *id)
{
	uint32_t v = (uint32_t)g_ascii_strtoull(id + 3, NULL, 16);

	g_assert(strlen(id) == 7);
	for (unsigned i = 0; i < 3; i++)
		v |= (uint32_t)(id[i] - '@') << (26 - 5 * i);
	aml_name(a, name);
	byte(a, OP_DWORD);
	aml_number(a, GUINT32_SWAP_LE_BE(v), 4);
}

void aml_io_fields(GByteArray *a, const char *region, uint16_t port, const char *const *names,
		   unsigned n)
{
	gsize mark;

	byte(a, OP_EXTENDED);
	byte(a, EXT_REGION);
	aml_path(a, region);
	byte(a, REGION_IO);
	aml_int(a, port);
	aml_int(a, n);

	byte(a, OP_EXTENDED);
	byte(a, EXT_FIELD);
	mark = a->len;
	aml_path(a, region);
	byte(a, FIELD_BYTE_ACCESS);
	for (unsigned i = 0; i < n; i++) {
		aml_name_segment(a, names[i]);
		byte(a, 8); /* bits */
	}
	aml_end(a, mark);
}

/* A UUID's first three groups are numbers and little-endian, the rest are bytes (19.6.142). */
void aml_uuid(GByteArray *a, const char *uuid)
{
	static const uint8_t order[] = {
		6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32, 34
	};
	gsize mark = aml_buffer(a, sizeof(order));

	g_assert(strlen(uuid) == 36);
	for (unsigned i = 0; i < sizeof(order); i++) {
		int high = g_ascii_xdigit_value(uuid[order[i]]);
		int low = g_ascii_xdigit_value(uuid[order[i] + 1]);

		byte(a, (uint8_t)(high << 4 | low));
	}
	aml_end(a, mark);
}

/* ---- resource templates ---- */

enum {
	RES_IO = 0x47, /* small: type 8, 7 bytes */
	RES_END = 0x79,
	RES_MEMORY32_FIXED = 0x86,
	RES_DWORD_SPACE = 0x87,
	RES_WORD_SPACE = 0x88,
	RES_IRQ = 0x89,
	RES_QWORD_SPACE = 0x8a,

	SPACE_MEMORY = 0,
	SPACE_IO = 1,
	SPACE_BUS = 2,
	SPACE_FIXED = 0x0c, /* first and last address are what they say */
	MEMORY_READ_WRITE = 0x01,
	IO_ENTIRE_RANGE = 0x03,

	IRQ_CONSUMER = 0x01,
};

GByteArray *aml_crs_begin(void)
{
	return g_byte_array_new();
}

/* A checksum of 0 means that there is none. */
void aml_crs_end(GByteArray *a, const char *name, GByteArray *crs)
{
	gsize mark;

	aml_number(crs, RES_END, 2);
	aml_name(a, name);
	mark = aml_buffer(a, crs->len);
	g_byte_array_append(a, crs->data, crs->len);
	aml_end(a, mark);
	g_byte_array_unref(crs);
}

void aml_crs_io(GByteArray *crs, uint16_t port, uint8_t len)
{
	byte(crs, RES_IO);
	byte(crs, 1); /* decodes 16 bits */
	aml_number(crs, port, 2);
	aml_number(crs, port, 2);
	byte(crs, 1); /* alignment */
	byte(crs, len);
}

void aml_crs_memory(GByteArray *crs, uint32_t base, uint32_t len)
{
	byte(crs, RES_MEMORY32_FIXED);
	aml_number(crs, 9, 2);
	byte(crs, MEMORY_READ_WRITE);
	aml_number(crs, base, 4);
	aml_number(crs, len, 4);
}

void aml_crs_irq(GByteArray *crs, uint32_t gsi, unsigned flags)
{
	byte(crs, RES_IRQ);
	aml_number(crs, 6, 2);
	byte(crs, (uint8_t)(flags | IRQ_CONSUMER));
	byte(crs, 1);
	aml_number(crs, gsi, 4);
}

/* An address space descriptor with numbers of @width bytes. */
static void crs_window(GByteArray *crs, uint8_t space, unsigned width, uint64_t base, uint64_t len)
{
	static const uint8_t tags[] = {
		[2] = RES_WORD_SPACE, [4] = RES_DWORD_SPACE, [8] = RES_QWORD_SPACE
	};
	static const uint8_t specific[] = {
		[SPACE_MEMORY] = MEMORY_READ_WRITE, [SPACE_IO] = IO_ENTIRE_RANGE, [SPACE_BUS] = 0
	};

	byte(crs, tags[width]);
	aml_number(crs, 3 + 5 * width, 2);
	byte(crs, space);
	byte(crs, SPACE_FIXED);
	byte(crs, specific[space]);
	aml_number(crs, 0, width); /* granularity */
	aml_number(crs, base, width);
	aml_number(crs, base + len - 1, width);
	aml_number(crs, 0, width); /* translation */
	aml_number(crs, len, width);
}

void aml_crs_bus_window(GByteArray *crs, uint16_t first, uint16_t n)
{
	crs_window(crs, SPACE_BUS, 2, first, n);
}

void aml_crs_io_window(GByteArray *crs, uint16_t port, uint16_t len)
{
	crs_window(crs, SPACE_IO, 2, port, len);
}

void aml_crs_memory_window(GByteArray *crs, uint64_t base, uint64_t len)
{
	crs_window(crs, SPACE_MEMORY, base + len - 1 <= UINT32_MAX ? 4 : 8, base, len);
}
