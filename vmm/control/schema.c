/* Types of JSON values: whether a value is of one, and what query-qmp-schema says of them. */
#include "vmm/control/schema.h"

#include <string.h>

#define LISTED_MAX 12u /* an enumeration of more values is not spelled out in messages */

static const struct control_member no_members[] = { { 0 } };

const struct control_type control_string = { .kind = CONTROL_STRING };
const struct control_type control_int = { .kind = CONTROL_INT };
const struct control_type control_bool = { .kind = CONTROL_BOOL };
const struct control_type control_any = { .kind = CONTROL_ANY };
const struct control_type control_nothing = { .kind = CONTROL_OBJECT, .members = no_members };

const char *control_enum_value(const struct control_type *type, unsigned i)
{
	return type->value ? type->value(i) : type->values[i];
}

static bool schema_enum_has(const struct control_type *type, const char *text)
{
	const char *value;

	for (unsigned i = 0; (value = control_enum_value(type, i)); i++)
		if (strcmp(value, text) == 0)
			return true;
	return false;
}

/*
 * Checking.
 */
struct check {
	GString *where;    /* members and indices to the value that is looked at */
	const char *what;  /* it is called there, */
	const char *whose; /* and whose it is */
	char *wrong;       /* the first thing that is */
};

static void schema_say(struct check *c, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static void schema_say(struct check *c, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	if (c->wrong)
		return;
	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	c->wrong = c->where->len ? g_strdup_printf("%s '%s' of %s %s", c->what, c->where->str,
						   c->whose, text)
				 : g_strdup_printf("%s %s", c->whose, text);
}

static bool schema_is_value(JsonNode *node, GType type)
{
	return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type;
}

static void schema_check_enum(struct check *c, const struct control_type *type, JsonNode *node)
{
	g_autoptr(GString) list = g_string_new(NULL);
	const char *value;
	unsigned n = 0;

	if (!schema_is_value(node, G_TYPE_STRING)) {
		schema_say(c, "must be a string");
		return;
	}
	if (schema_enum_has(type, json_node_get_string(node)))
		return;
	for (; n <= LISTED_MAX && (value = control_enum_value(type, n)); n++)
		g_string_append_printf(list, "%s'%s'", n ? ", " : "", value);
	if (n == 0)
		schema_say(c, "has no value that could be named");
	else if (n > LISTED_MAX)
		schema_say(c, "has no value '%s'; query-qmp-schema lists them",
			   json_node_get_string(node));
	else
		schema_say(c, "must be one of %s", list->str);
}

static void schema_check(struct check *c, const struct control_type *type, JsonNode *node);

static void schema_check_array(struct check *c, const struct control_type *type, JsonNode *node)
{
	gsize len = c->where->len;
	JsonArray *array;

	if (!JSON_NODE_HOLDS_ARRAY(node)) {
		schema_say(c, "must be an array");
		return;
	}
	array = json_node_get_array(node);
	for (guint i = 0; i < json_array_get_length(array) && !c->wrong; i++) {
		g_string_append_printf(c->where, "[%u]", i);
		schema_check(c, type->element, json_array_get_element(array, i));
		g_string_truncate(c->where, len);
	}
}

static const struct control_member *schema_member(const struct control_type *type, const char *name)
{
	for (const struct control_member *m = type->members; m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

/* The members that come with the tag's @value. */
static const struct control_type *schema_variant(const struct control_type *type, const char *value)
{
	for (const struct control_variant *v = type->variants; v->value; v++)
		if (strcmp(v->value, value) == 0)
			return v->type;
	return &control_nothing;
}

/* Those of @o; none if @type has no tag, or @o no value of it. */
static const struct control_type *schema_variant_of(const struct control_type *type, JsonObject *o)
{
	JsonNode *node = type->tag ? json_object_get_member(o, type->tag) : NULL;

	return node && schema_is_value(node, G_TYPE_STRING)
		       ? schema_variant(type, json_node_get_string(node))
		       : &control_nothing;
}

static void schema_check_members(struct check *c, const struct control_type *type, JsonObject *o)
{
	const char *noun = c->where->len ? "" : c->what, *blank = *noun ? " " : "";
	gsize len = c->where->len;

	for (const struct control_member *m = type->members; m->name && !c->wrong; m++) {
		if (!json_object_has_member(o, m->name)) {
			if (!m->optional)
				schema_say(c, "needs %s%s'%s'", noun, blank, m->name);
			continue;
		}
		g_string_append_printf(c->where, "%s%s", len ? "." : "", m->name);
		schema_check(c, m->type, json_object_get_member(o, m->name));
		g_string_truncate(c->where, len);
	}
}

static void schema_check_object(struct check *c, const struct control_type *type, JsonObject *o)
{
	const struct control_type *variant = schema_variant_of(type, o);
	g_autoptr(GList) names = json_object_get_members(o);

	for (GList *l = names; l && type->tag == NULL; l = l->next)
		if (!schema_member(type, l->data))
			schema_say(c, "has no %s '%s'", c->where->len ? "member" : c->what,
				   (char *)l->data);
	schema_check_members(c, type, o);
	for (GList *l = names; l && type->tag; l = l->next)
		if (!schema_member(type, l->data) && !schema_member(variant, l->data))
			schema_say(c, "has no member '%s'", (char *)l->data);
	schema_check_members(c, variant, o);
}

static void schema_check(struct check *c, const struct control_type *type, JsonNode *node)
{
	switch (type->kind) {
	case CONTROL_STRING:
		if (!schema_is_value(node, G_TYPE_STRING))
			schema_say(c, "must be a string");
		break;
	case CONTROL_INT:
		if (!schema_is_value(node, G_TYPE_INT64))
			schema_say(c, "must be an integer");
		break;
	case CONTROL_BOOL:
		if (!schema_is_value(node, G_TYPE_BOOLEAN))
			schema_say(c, "must be true or false");
		break;
	case CONTROL_ANY:
		break;
	case CONTROL_ENUM:
		schema_check_enum(c, type, node);
		break;
	case CONTROL_ARRAY:
		schema_check_array(c, type, node);
		break;
	case CONTROL_OBJECT:
		if (JSON_NODE_HOLDS_OBJECT(node))
			schema_check_object(c, type, json_node_get_object(node));
		else
			schema_say(c, "must be an object");
		break;
	}
}

char *control_misfit(const struct control_type *type, JsonNode *node, const char *what,
		     const char *whose)
{
	g_autoptr(GString) where = g_string_new(NULL);
	struct check c = { .where = where, .what = what, .whose = whose };

	schema_check(&c, type ? type : &control_nothing, node);
	return c.wrong;
}

char *control_misfit_object(const struct control_type *type, JsonObject *o, const char *what,
			    const char *whose)
{
	g_autoptr(GString) where = g_string_new(NULL);
	struct check c = { .where = where, .what = what, .whose = whose };

	schema_check_object(&c, type ? type : &control_nothing, o);
	return c.wrong;
}

bool control_is(const struct control_type *type, JsonNode *node)
{
	g_autofree char *wrong = control_misfit(type, node, "", "");

	return !wrong;
}

/*
 * Telling. Names of types mean nothing, as QMP has it: a number for each, in the order in which
 * they are met, "[...]" for an array.
 */
struct control_schema {
	JsonBuilder *b;
	GPtrArray *types; /* of const struct control_type, those met so far */
};

static void schema_text(JsonBuilder *b, const char *name, const char *value)
{
	json_builder_set_member_name(b, name);
	json_builder_add_string_value(b, value);
}

static bool schema_same(const struct control_type *a, const struct control_type *b)
{
	if (a == b)
		return true;
	return a->kind == CONTROL_ARRAY && b->kind == CONTROL_ARRAY &&
	       schema_same(a->element, b->element);
}

/* Its number, given now if it had none. */
static guint schema_number(struct control_schema *s, const struct control_type *type)
{
	for (guint i = 0; i < s->types->len; i++)
		if (schema_same(g_ptr_array_index(s->types, i), type))
			return i;
	g_ptr_array_add(s->types, (gpointer)type);
	return s->types->len - 1;
}

/* The kinds that QAPI has built in: their names, and what they are in JSON. */
static const struct {
	const char *name, *json;
} builtins[] = {
	[CONTROL_STRING] = { "str", "string" },
	[CONTROL_INT] = { "int", "int" },
	[CONTROL_BOOL] = { "bool", "boolean" },
	[CONTROL_ANY] = { "any", "value" },
};

/* Free with g_free(). */
static char *schema_name(struct control_schema *s, const struct control_type *type)
{
	guint number = schema_number(s, type);
	g_autofree char *element = NULL;

	if (type->kind < G_N_ELEMENTS(builtins))
		return g_strdup(builtins[type->kind].name);
	if (type->kind != CONTROL_ARRAY)
		return g_strdup_printf("%u", number);
	element = schema_name(s, type->element);
	return g_strdup_printf("[%s]", element);
}

static void schema_refer(struct control_schema *s, const char *member,
			 const struct control_type *type)
{
	g_autofree char *name = schema_name(s, type ? type : &control_nothing);

	schema_text(s->b, member, name);
}

static void schema_begin(struct control_schema *s, const char *name, const char *meta)
{
	json_builder_begin_object(s->b);
	schema_text(s->b, "name", name);
	schema_text(s->b, "meta-type", meta);
}

struct control_schema *control_schema_new(JsonBuilder *b)
{
	struct control_schema *s = g_new0(struct control_schema, 1);

	s->b = b;
	s->types = g_ptr_array_new();
	json_builder_begin_array(b);
	return s;
}

void control_schema_command(struct control_schema *s, const char *name,
			    const struct control_type *args, const struct control_type *ret)
{
	schema_begin(s, name, "command");
	schema_refer(s, "arg-type", args);
	schema_refer(s, "ret-type", ret);
	json_builder_end_object(s->b);
}

void control_schema_event(struct control_schema *s, const char *name,
			  const struct control_type *data)
{
	schema_begin(s, name, "event");
	schema_refer(s, "arg-type", data);
	json_builder_end_object(s->b);
}

/* "members" is what newer clients read, "values" what all do. */
static void schema_tell_values(struct control_schema *s, const struct control_type *type)
{
	const char *value;

	json_builder_set_member_name(s->b, "members");
	json_builder_begin_array(s->b);
	for (unsigned i = 0; (value = control_enum_value(type, i)); i++) {
		json_builder_begin_object(s->b);
		schema_text(s->b, "name", value);
		json_builder_end_object(s->b);
	}
	json_builder_end_array(s->b);
	json_builder_set_member_name(s->b, "values");
	json_builder_begin_array(s->b);
	for (unsigned i = 0; (value = control_enum_value(type, i)); i++)
		json_builder_add_string_value(s->b, value);
	json_builder_end_array(s->b);
}

/* Every value of the tag has a row, as in QAPI, the empty ones too. */
static void schema_tell_variants(struct control_schema *s, const struct control_type *type)
{
	const struct control_type *tag = schema_member(type, type->tag)->type;
	const char *value;

	schema_text(s->b, "tag", type->tag);
	json_builder_set_member_name(s->b, "variants");
	json_builder_begin_array(s->b);
	for (unsigned i = 0; (value = control_enum_value(tag, i)); i++) {
		json_builder_begin_object(s->b);
		schema_text(s->b, "case", value);
		schema_refer(s, "type", schema_variant(type, value));
		json_builder_end_object(s->b);
	}
	json_builder_end_array(s->b);
}

static void schema_tell_members(struct control_schema *s, const struct control_type *type)
{
	json_builder_set_member_name(s->b, "members");
	json_builder_begin_array(s->b);
	for (const struct control_member *m = type->members; m->name; m++) {
		json_builder_begin_object(s->b);
		schema_text(s->b, "name", m->name);
		schema_refer(s, "type", m->type);
		if (m->optional) {
			json_builder_set_member_name(s->b, "default");
			json_builder_add_null_value(s->b);
		}
		json_builder_end_object(s->b);
	}
	json_builder_end_array(s->b);
	if (type->tag)
		schema_tell_variants(s, type);
}

static void schema_tell_type(struct control_schema *s, const struct control_type *type)
{
	static const char *const metas[] = {
		[CONTROL_STRING] = "builtin", [CONTROL_INT] = "builtin", [CONTROL_BOOL] = "builtin",
		[CONTROL_ANY] = "builtin",    [CONTROL_ENUM] = "enum",   [CONTROL_ARRAY] = "array",
		[CONTROL_OBJECT] = "object",
	};
	g_autofree char *name = schema_name(s, type);

	schema_begin(s, name, metas[type->kind]);
	if (type->kind == CONTROL_ENUM)
		schema_tell_values(s, type);
	else if (type->kind == CONTROL_ARRAY)
		schema_refer(s, "element-type", type->element);
	else if (type->kind == CONTROL_OBJECT)
		schema_tell_members(s, type);
	else
		schema_text(s->b, "json-type", builtins[type->kind].json);
	json_builder_end_object(s->b);
}

/* Telling one may be the first mention of others, which are told in turn. */
void control_schema_end(struct control_schema *s)
{
	for (guint i = 0; i < s->types->len; i++)
		schema_tell_type(s, g_ptr_array_index(s->types, i));
	json_builder_end_array(s->b);
	g_ptr_array_unref(s->types);
	g_free(s);
}
