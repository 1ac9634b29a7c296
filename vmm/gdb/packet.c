#include "vmm/gdb/packet.h"

#include <string.h>

#define ESCAPE      '}'
#define ESCAPE_FLIP 0x20
#define INTERRUPT   3

void gdb_frame_init(struct gdb_frame *f)
{
	memset(f, 0, sizeof(*f));
}

static void frame_begin(struct gdb_frame *f)
{
	gdb_frame_init(f);
	f->state = GDB_FRAME_TEXT;
}

static void frame_add(struct gdb_frame *f, char byte)
{
	f->sum = (uint8_t)(f->sum + (uint8_t)byte);
	if (byte == ESCAPE && !f->escaped) {
		f->escaped = true;
		return;
	}
	if (f->len < GDB_PACKET_MAX)
		f->text[f->len++] = f->escaped ? (char)(byte ^ ESCAPE_FLIP) : byte;
	else
		f->too_long = true;
	f->escaped = false;
}

static enum gdb_frame_event frame_end(struct gdb_frame *f)
{
	int high = g_ascii_xdigit_value(f->digit[0]), low = g_ascii_xdigit_value(f->digit[1]);

	f->state = GDB_FRAME_IDLE;
	f->text[f->len] = 0;
	if (high < 0 || low < 0 || high * 16 + low != f->sum || f->too_long)
		return GDB_FRAME_BAD;
	return GDB_FRAME_PACKET;
}

static enum gdb_frame_event frame_between(struct gdb_frame *f, char byte)
{
	if (byte == '$')
		frame_begin(f);
	else if (byte == '-')
		return GDB_FRAME_NAK;
	else if (byte == INTERRUPT)
		return GDB_FRAME_INTERRUPT;
	return GDB_FRAME_MORE;
}

enum gdb_frame_event gdb_frame_take(struct gdb_frame *f, char byte)
{
	switch (f->state) {
	case GDB_FRAME_TEXT:
		if (byte == '#')
			f->state = GDB_FRAME_SUM_HIGH;
		else if (byte == '$' && !f->escaped) /* the last one was cut off */
			frame_begin(f);
		else
			frame_add(f, byte);
		return GDB_FRAME_MORE;
	case GDB_FRAME_SUM_HIGH:
		f->digit[0] = byte;
		f->state = GDB_FRAME_SUM_LOW;
		return GDB_FRAME_MORE;
	case GDB_FRAME_SUM_LOW:
		f->digit[1] = byte;
		return frame_end(f);
	default:
		return frame_between(f, byte);
	}
}

static void frame_put(GByteArray *out, uint8_t byte, uint8_t *sum)
{
	g_byte_array_append(out, &byte, 1);
	*sum = (uint8_t)(*sum + byte);
}

void gdb_frame_append(GByteArray *out, const char *text, size_t len)
{
	uint8_t sum = 0;
	char end[4];

	g_byte_array_append(out, (const uint8_t *)"$", 1);
	for (size_t i = 0; i < len; i++) {
		bool special = text[i] && strchr("#$}*", text[i]);

		if (special)
			frame_put(out, ESCAPE, &sum);
		frame_put(out, (uint8_t)(special ? text[i] ^ ESCAPE_FLIP : text[i]), &sum);
	}
	g_snprintf(end, sizeof(end), "#%02x", sum);
	g_byte_array_append(out, (const uint8_t *)end, 3);
}
