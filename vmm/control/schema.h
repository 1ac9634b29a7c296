/*
 * What the control socket takes and gives, as data: types of JSON values, in the terms of QEMU's
 * QAPI. A command's row names the type of its arguments and of its answer, an event's that of its
 * data. The same types are what arguments are checked against, what every answer and event is held
 * against before it goes out, and what query-qmp-schema tells, so none of these can disagree.
 */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

enum control_kind {
	CONTROL_STRING,
	CONTROL_INT, /* 64 bits; what is unsigned beyond that comes as negative */
	CONTROL_BOOL,
	CONTROL_ANY,
	CONTROL_ENUM, /* a string, one of `values' */
	CONTROL_ARRAY,
	CONTROL_OBJECT,
};

struct control_type {
	enum control_kind kind;
	/* An enumeration's values: a list that ends with NULL, or a function that gives the @i-th,
	 * NULL behind the last. */
	const char *const *values;
	const char *(*value)(unsigned i);
	const struct control_type *element; /* an array's */
	/* An object's, up to one without a name; then, if there is a tag (a member that is a
	 * required enumeration), those that come with each of its values. A value without a row
	 * comes with none. */
	const struct control_member *members;
	const char *tag;
	const struct control_variant *variants;
};

struct control_member {
	const char *name;
	const struct control_type *type;
	bool optional;
};

struct control_variant {
	const char *value;
	const struct control_type *type; /* an object without a tag */
};

extern const struct control_type control_string, control_int, control_bool, control_any;
extern const struct control_type control_nothing; /* an object without members */

/* Types in tables: CONTROL_TYPE_OBJECT(MEMBER("name", &control_string), ...) */
#define MEMBER(member_name, of)                                        \
	{                                                              \
		.name = (member_name), .type = (of), .optional = false \
	}
#define OPTIONAL(member_name, of)                                     \
	{                                                             \
		.name = (member_name), .type = (of), .optional = true \
	}
#define CONTROL_TYPE_OBJECT(...)                                                   \
	{                                                                          \
		.kind = CONTROL_OBJECT, .members = (const struct control_member[]) \
		{                                                                  \
			__VA_ARGS__,                                               \
			{                                                          \
				0                                                  \
			}                                                          \
		}                                                                  \
	}
#define CONTROL_TYPE_ENUM(...)                                        \
	{                                                             \
		.kind = CONTROL_ENUM, .values = (const char *const[]) \
		{                                                     \
			__VA_ARGS__, NULL                             \
		}                                                     \
	}
#define CONTROL_TYPE_ARRAY(of)                         \
	{                                              \
		.kind = CONTROL_ARRAY, .element = (of) \
	}

/*
 * Why @node is no value of @type: "argument 'events[0].data' of input-send-event needs 'down'".
 * @what is what the value is (a command's arguments: "argument"), @whose the command or event. NULL
 * if it is one; free with g_free().
 */
char *control_misfit(const struct control_type *type, JsonNode *node, const char *what,
		     const char *whose);
char *control_misfit_object(const struct control_type *type, JsonObject *o, const char *what,
			    const char *whose);
bool control_is(const struct control_type *type, JsonNode *node);

/* The @i-th value of an enumeration, NULL behind the last. */
const char *control_enum_value(const struct control_type *type, unsigned i);

/* query-qmp-schema's answer: a collection of what is to be told, then the telling. NULL types are
 * control_nothing. */
struct control_schema;
struct control_schema *control_schema_new(JsonBuilder *b);
void control_schema_command(struct control_schema *s, const char *name,
			    const struct control_type *args, const struct control_type *ret);
void control_schema_event(struct control_schema *s, const char *name,
			  const struct control_type *data);
void control_schema_end(struct control_schema *s); /* tells the types, and frees */
