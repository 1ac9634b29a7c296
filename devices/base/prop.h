/*
 * Options as typed rows: one table per device class is read by the parser, by `--device blk,help`,
 * by the documentation and by the tests.
 *
 * A row says where in the device's struct a value lives; the parser writes it there. Strings are
 * owned by the struct and freed by prop_free(). Sizes take K, M, G, T (powers of 1024). A doubled
 * comma in a value is one comma. So is one before a '+' or '-' and a letter, for lists of things to
 * add and to take away: "features=-event_idx,+in_order,ring=packed" are two keys; and one before a
 * name and a colon, for specs of backends: "backend=fault:every=3,file:disk,ro=on" likewise.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum prop_type {
	PROP_END,
	PROP_STR,  /* char * */
	PROP_BOOL, /* bool: on/off, yes/no, true/false, 1/0; the key alone means on */
	PROP_U16,
	PROP_U32,
	PROP_U64,
	PROP_SIZE, /* uint64_t bytes with a suffix */
	PROP_ENUM, /* unsigned: index into choices */
	PROP_MAC,  /* uint8_t[6] */
	PROP_LIST, /* GPtrArray * of strings: may be given repeatedly, appends */
};

struct prop {
	const char *key;
	enum prop_type type;
	size_t offset;              /* into the struct handed to prop_parse() */
	const char *default_value;  /* value when not given, as text; NULL: zero / unset */
	const char *help;           /* one line, starts lower-case, no full stop */
	uint64_t min, max;          /* numbers: accepted range when max is not 0 */
	const char *const *choices; /* PROP_ENUM: NULL-terminated names */
	bool required;
	const char
		*also; /* what others call it, words separated by blanks: for "did you mean" only */
};

/* One "key=value" of a device specification, split but not judged. */
struct prop_pair {
	char *key;
	char *value; /* NULL when the key stood alone */
	bool used;   /* set by prop_parse() when a row took it */
};

/*
 * Splits "name,key=value,key" into the leading name (*ret_name, owned by the caller; NULL if the
 * first piece has a '=') and the pairs. Never fails: judging comes later. Free with
 * g_ptr_array_unref().
 */
GPtrArray *prop_split(const char *spec, char **ret_name);

/* Appends ",key=value" (",key" if that is NULL) to a specification, as prop_split() reads it. */
void prop_append(GString *spec, const char *key, const char *value);

/* Is there a pair of that @key? And one more, at the end. */
bool prop_has(GPtrArray *pairs, const char *key);
void prop_add(GPtrArray *pairs, const char *key, const char *value);

/*
 * Writes defaults, then every pair whose key a row of @rows has, into @object and marks it used.
 * @context ("--device blk") begins each message. False with a usage error on a bad value or a
 * missing required row.
 */
bool prop_parse(const struct prop *rows, void *object, GPtrArray *pairs, const char *context,
		GError **err);

/* False with a usage error (naming the nearest known key) if a pair was taken by no table. @tables
 * is NULL-terminated. */
bool prop_all_used(GPtrArray *pairs, const struct prop *const *tables, const char *context,
		   GError **err);

/* Frees what prop_parse() allocated in @object. */
void prop_free(const struct prop *rows, void *object);

/* Parses "512", "64K", "2G". False if it is no size. */
bool prop_size(const char *text, uint64_t *ret);

/* The table for `help`: one line a row, wrapped at @width columns. Free with g_free(). */
char *prop_help(const struct prop *rows, unsigned width);
