/*
 * Cuts a stream of characters into JSON texts. Clients of QMP send objects with or without a line
 * end behind them, so the end of one is found by counting brackets.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define CONTROL_TEXT_MAX  (64u << 10) /* bytes of one text */
#define CONTROL_DEPTH_MAX 32u         /* brackets inside brackets */

struct control_frame {
	GString *text;
	unsigned depth;
	bool in_string, escaped;
	bool skipping; /* to the end of the line, after something that was no text */
};

enum control_frame_state {
	CONTROL_FRAME_MORE, /* nothing complete yet */
	CONTROL_FRAME_TEXT, /* frame->text is one text, whose brackets match in number */
	CONTROL_FRAME_BAD,  /* no object: the line is skipped */
	CONTROL_FRAME_LONG, /* more than CONTROL_TEXT_MAX: the line is skipped */
	CONTROL_FRAME_DEEP, /* more than CONTROL_DEPTH_MAX: the line is skipped */
};

void control_frame_init(struct control_frame *frame);
void control_frame_free(struct control_frame *frame); /* not the struct */

/* Takes one character. After anything but MORE the frame is ready for the next text; frame->text
 * holds until the next call. */
enum control_frame_state control_frame_take(struct control_frame *frame, char c);
