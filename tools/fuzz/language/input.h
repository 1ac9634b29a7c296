/*
 * Reading an input: bytes from front to back. An input is a few bytes of heading, whose number and
 * meaning are the target's, then records: one byte of operation, one of length, and as many of
 * arguments. Whatever is missing reads as zero, so that every string of bytes is an input and
 * cutting one off anywhere leaves an input.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct input {
	const uint8_t *at, *end;
};

static inline size_t in_left(const struct input *in)
{
	return (size_t)(in->end - in->at);
}

static inline uint8_t in8(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static inline uint16_t in16(struct input *in)
{
	uint16_t low = in8(in);

	return (uint16_t)(low | in8(in) << 8);
}

static inline uint32_t in32(struct input *in)
{
	uint32_t low = in16(in);

	return low | (uint32_t)in16(in) << 16;
}

static inline uint64_t in64(struct input *in)
{
	uint64_t low = in32(in);

	return low | (uint64_t)in32(in) << 32;
}

/* The next @len bytes, or those that are left, as an input of their own. */
static inline struct input in_part(struct input *in, size_t len)
{
	struct input part = { in->at, in->at + (len < in_left(in) ? len : in_left(in)) };

	in->at = part.end;
	return part;
}

/* The next record. False at the end. */
static inline bool in_record(struct input *in, uint8_t *ret_op, struct input *ret_args)
{
	if (!in_left(in))
		return false;
	*ret_op = in8(in);
	*ret_args = in_part(in, in8(in));
	return true;
}
