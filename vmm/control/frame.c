#include "vmm/control/frame.h"

void control_frame_init(struct control_frame *frame)
{
	*frame = (struct control_frame){ .text = g_string_new(NULL) };
}

void control_frame_free(struct control_frame *frame)
{
	g_string_free(frame->text, TRUE);
}

static enum control_frame_state give_up(struct control_frame *frame, char c,
					enum control_frame_state why)
{
	frame->depth = 0;
	frame->in_string = frame->escaped = false;
	frame->skipping = c != '\n';
	return why;
}

/* A character outside of all brackets. */
static enum control_frame_state between_texts(struct control_frame *frame, char c)
{
	g_string_truncate(frame->text, 0);
	if (frame->skipping) {
		frame->skipping = c != '\n';
		return CONTROL_FRAME_MORE;
	}
	if (c == '{' || c == '[') {
		g_string_append_c(frame->text, c);
		frame->depth = 1;
		return CONTROL_FRAME_MORE;
	}
	return g_ascii_isspace(c) ? CONTROL_FRAME_MORE : give_up(frame, c, CONTROL_FRAME_BAD);
}

enum control_frame_state control_frame_take(struct control_frame *frame, char c)
{
	if (frame->depth == 0)
		return between_texts(frame, c);
	if (frame->text->len == CONTROL_TEXT_MAX)
		return give_up(frame, c, CONTROL_FRAME_LONG);
	g_string_append_c(frame->text, c);
	if (frame->escaped) {
		frame->escaped = false;
	} else if (frame->in_string) {
		frame->escaped = c == '\\';
		frame->in_string = c != '"';
	} else if (c == '"') {
		frame->in_string = true;
	} else if (c == '{' || c == '[') {
		if (++frame->depth > CONTROL_DEPTH_MAX)
			return give_up(frame, c, CONTROL_FRAME_DEEP);
	} else if (c == '}' || c == ']') {
		if (--frame->depth == 0)
			return CONTROL_FRAME_TEXT;
	}
	return CONTROL_FRAME_MORE;
}
