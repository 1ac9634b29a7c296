/*
 * The framing of GDB's remote serial protocol ("Debugging with GDB", appendix E): "$text#xx", where
 * xx is the sum of the text's bytes; '+' and '-' acknowledge; a byte 3 between packets is the
 * operator's Ctrl-C. What the text says is gdb.c's affair.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GDB_PACKET_MAX 4096u /* bytes of a packet's text, in either direction */

enum gdb_frame_event {
	GDB_FRAME_MORE,      /* nothing is complete yet */
	GDB_FRAME_PACKET,    /* frame->text has a packet's text, unescaped, with a 0 behind it */
	GDB_FRAME_BAD,       /* a packet whose sum is wrong, or that is too long */
	GDB_FRAME_INTERRUPT, /* byte 3 */
	GDB_FRAME_NAK,       /* send the last packet again */
};

struct gdb_frame {
	char text[GDB_PACKET_MAX + 1];
	size_t len;
	bool escaped; /* the byte before was '}' */
	bool too_long;
	uint8_t sum;
	char digit[2];
	enum { GDB_FRAME_IDLE, GDB_FRAME_TEXT, GDB_FRAME_SUM_HIGH, GDB_FRAME_SUM_LOW } state;
};

void gdb_frame_init(struct gdb_frame *frame);

/* One more byte from the client. */
enum gdb_frame_event gdb_frame_take(struct gdb_frame *frame, char byte);

/* Appends the packet with this text to @out. */
void gdb_frame_append(GByteArray *out, const char *text, size_t len);
