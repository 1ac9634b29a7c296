/* What a client says of itself, as JSON. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The name of a member; an array's have none. Not ended by NUL. */
struct vfu_json_name {
	const char *text;
	size_t len;
};

/*
 * Reads an object and calls @value for each number, true, false and null in it: with the names on
 * the way there (@depth of them), and what is written there. False: it is no object of JSON, or
 * nested too deeply; some of it may have been told of.
 */
bool vfu_json_read(const char *text,
		   void (*value)(void *opaque, const struct vfu_json_name *path, unsigned depth,
				 const char *value, size_t len),
		   void *opaque);
