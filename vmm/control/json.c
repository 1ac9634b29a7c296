/*
 * json-glib, loaded when there is a control socket and not before.
 *
 * With what it needs in turn (GIO, and so libmount, libselinux, ...) it is ten libraries: half of
 * all the time from exec to a guest's first instruction, and a megabyte of code that a process
 * without a control socket has no use for. So the functions that control*.c call are here under
 * their own names, and each hands over to the library's. A function missing here does not link.
 */
#include "vmm/control/json.h"

#include <dlfcn.h>
#include <json-glib/json-glib.h>

#include "devices/base/error.h"

#define LIBRARY "libjson-glib-1.0.so.0"

/* type, name, parameters, arguments */
#define FUNCTIONS(X)                                                                               \
	X(JsonNode *, json_array_get_element, (JsonArray * a, guint i), (a, i))                    \
	X(guint, json_array_get_length, (JsonArray * a), (a))                                      \
	X(JsonBuilder *, json_builder_add_boolean_value, (JsonBuilder * b, gboolean v), (b, v))    \
	X(JsonBuilder *, json_builder_add_int_value, (JsonBuilder * b, gint64 v), (b, v))          \
	X(JsonBuilder *, json_builder_add_null_value, (JsonBuilder * b), (b))                      \
	X(JsonBuilder *, json_builder_add_string_value, (JsonBuilder * b, const gchar *v), (b, v)) \
	X(JsonBuilder *, json_builder_add_value, (JsonBuilder * b, JsonNode * n), (b, n))          \
	X(JsonBuilder *, json_builder_begin_array, (JsonBuilder * b), (b))                         \
	X(JsonBuilder *, json_builder_begin_object, (JsonBuilder * b), (b))                        \
	X(JsonBuilder *, json_builder_end_array, (JsonBuilder * b), (b))                           \
	X(JsonBuilder *, json_builder_end_object, (JsonBuilder * b), (b))                          \
	X(JsonNode *, json_builder_get_root, (JsonBuilder * b), (b))                               \
	X(JsonBuilder *, json_builder_new, (void), ())                                             \
	X(JsonBuilder *, json_builder_set_member_name, (JsonBuilder * b, const gchar *n), (b, n))  \
	X(JsonGenerator *, json_generator_new, (void), ())                                         \
	X(void, json_generator_set_root, (JsonGenerator * g, JsonNode * n), (g, n))                \
	X(gchar *, json_generator_to_data, (JsonGenerator * g, gsize * len), (g, len))             \
	X(JsonNode *, json_node_copy, (JsonNode * n), (n))                                         \
	X(JsonArray *, json_node_get_array, (JsonNode * n), (n))                                   \
	X(gboolean, json_node_get_boolean, (JsonNode * n), (n))                                    \
	X(gint64, json_node_get_int, (JsonNode * n), (n))                                          \
	X(JsonNodeType, json_node_get_node_type, (JsonNode * n), (n))                              \
	X(JsonObject *, json_node_get_object, (JsonNode * n), (n))                                 \
	X(const gchar *, json_node_get_string, (JsonNode * n), (n))                                \
	X(GType, json_node_get_value_type, (JsonNode * n), (n))                                    \
	X(JsonNode *, json_node_new, (JsonNodeType type), (type))                                  \
	X(void, json_node_set_string, (JsonNode * n, const gchar *v), (n, v))                      \
	X(void, json_node_unref, (JsonNode * n), (n))                                              \
	X(JsonArray *, json_object_get_array_member, (JsonObject * o, const gchar *m), (o, m))     \
	X(gboolean, json_object_get_boolean_member, (JsonObject * o, const gchar *m), (o, m))      \
	X(gint64, json_object_get_int_member, (JsonObject * o, const gchar *m), (o, m))            \
	X(JsonNode *, json_object_get_member, (JsonObject * o, const gchar *m), (o, m))            \
	X(GList *, json_object_get_members, (JsonObject * o), (o))                                 \
	X(JsonObject *, json_object_get_object_member, (JsonObject * o, const gchar *m), (o, m))   \
	X(const gchar *, json_object_get_string_member, (JsonObject * o, const gchar *m), (o, m))  \
	X(gboolean, json_object_has_member, (JsonObject * o, const gchar *m), (o, m))              \
	X(JsonObject *, json_object_new, (void), ())                                               \
	X(JsonObject *, json_object_ref, (JsonObject * o), (o))                                    \
	X(void, json_object_unref, (JsonObject * o), (o))                                          \
	X(JsonNode *, json_parser_get_root, (JsonParser * p), (p))                                 \
	X(gboolean, json_parser_load_from_data,                                                    \
	  (JsonParser * p, const gchar *d, gssize len, GError **err), (p, d, len, err))            \
	X(JsonParser *, json_parser_new, (void), ())                                               \
	X(void, g_object_unref, (gpointer o), (o))

#define INDEX(type, name, params, args) AT_##name,
enum { FUNCTIONS(INDEX) N_FUNCTIONS };

#define NAME(type, name, params, args) [AT_##name] = #name,
static const char *const names[] = { FUNCTIONS(NAME) };

/* The process's, as a library's symbols are: what the dynamic linker would keep. */
static void *symbol[N_FUNCTIONS];

bool control_json_load(GError **err)
{
	void *library = dlopen(LIBRARY,
			       RTLD_NOW | RTLD_LOCAL); /* for good: types stay registered */
	const char *missing = NULL;

	for (unsigned i = 0; library && i < N_FUNCTIONS && !missing; i++) {
		symbol[i] = dlsym(library, names[i]);
		if (!symbol[i])
			missing = names[i];
	}
	if (library && !missing)
		return true;
	g_set_error(err, RINGSIDE_ERROR, RINGSIDE_ERROR_HOST, "--control: %s", dlerror());
	return false;
}

static void *function(unsigned i)
{
	g_autoptr(GError) err = NULL;

	if (!symbol[i] && !control_json_load(&err)) /* outside the program nobody loads it before */
		g_error("%s", err->message);
	return symbol[i];
}

#undef g_object_unref
#define FORWARD(type, name, params, args)                         \
	type name params                                          \
	{                                                         \
		return ((typeof(name) *)function(AT_##name))args; \
	}
FUNCTIONS(FORWARD)
