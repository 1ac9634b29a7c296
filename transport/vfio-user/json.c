/*
 * A reader of JSON (RFC 8259) that keeps nothing: it walks through the text and calls for each
 * value that is a number or a word, with where it is. Strings are not unescaped, for none that
 * matters has an escape.
 */
#include "transport/vfio-user/json.h"

#include <glib.h>
#include <string.h>

#define DEPTH_MAX 8u

struct vfu_json {
	const char *at; /* the next character; the text ends with NUL */
	struct vfu_json_name path[DEPTH_MAX];
	unsigned depth; /* objects and arrays around it */
	void (*value)(void *opaque, const struct vfu_json_name *path, unsigned depth,
		      const char *value, size_t len);
	void *opaque;
};

static void vfu_json_blanks(struct vfu_json *j)
{
	j->at += strspn(j->at, " \t\r\n");
}

/* Takes @c if it comes next. */
static bool vfu_json_take(struct vfu_json *j, char c)
{
	vfu_json_blanks(j);
	if (*j->at != c)
		return false;
	j->at++;
	return true;
}

static bool vfu_json_string(struct vfu_json *j, struct vfu_json_name *ret)
{
	const char *begin;

	if (!vfu_json_take(j, '"'))
		return false;
	begin = j->at;
	while (*j->at != '"') {
		if ((unsigned char)*j->at < ' ' || (*j->at == '\\' && !*++j->at))
			return false;
		j->at++;
	}
	*ret = (struct vfu_json_name){ begin, (size_t)(j->at++ - begin) };
	return true;
}

/* A number, true, false or null: whoever needs one looks what it is. */
static bool vfu_json_word(struct vfu_json *j)
{
	size_t len = strspn(j->at, "+-.0123456789abcdefghijklmnopqrstuvwxyzE");

	if (len)
		j->value(j->opaque, j->path, j->depth, j->at, len);
	j->at += len;
	return len > 0;
}

static bool vfu_json_value(struct vfu_json *j);

/* The members of an object, or (they have no names) of an array, up to @end. */
static bool vfu_json_members(struct vfu_json *j, char end, bool named)
{
	struct vfu_json_name *name = &j->path[j->depth];
	bool ok = true;

	if (j->depth == DEPTH_MAX)
		return false;
	if (vfu_json_take(j, end))
		return true;
	j->depth++;
	do {
		*name = (struct vfu_json_name){ "", 0 };
		ok = (!named || (vfu_json_string(j, name) && vfu_json_take(j, ':'))) &&
		     vfu_json_value(j);
	} while (ok && vfu_json_take(j, ','));
	j->depth--;
	return ok && vfu_json_take(j, end);
}

/* NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX deep */
static bool vfu_json_value(struct vfu_json *j)
{
	struct vfu_json_name ignored;

	if (vfu_json_take(j, '{'))
		return vfu_json_members(j, '}', true);
	if (vfu_json_take(j, '['))
		return vfu_json_members(j, ']', false);
	return *j->at == '"' ? vfu_json_string(j, &ignored) : vfu_json_word(j);
}

bool vfu_json_read(const char *text,
		   void (*value)(void *opaque, const struct vfu_json_name *path, unsigned depth,
				 const char *value, size_t len),
		   void *opaque)
{
	struct vfu_json j = { .at = text, .value = value, .opaque = opaque };

	if (!vfu_json_take(&j, '{') || !vfu_json_members(&j, '}', true))
		return false;
	vfu_json_blanks(&j);
	return !*j.at;
}
