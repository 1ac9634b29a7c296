/*
 * What query-qmp-schema says is what the control socket does: every answer of every command, and
 * every event, is held against the schema as a client would, from the schema's own text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "tests/support/control-bench.h"

/*
 * The schema.
 */
struct schema {
	JsonParser *parser;
	GHashTable *entity; /* of JsonObject, by name */
};

static JsonNode *parse(JsonParser *parser, const char *text)
{
	assert_true(json_parser_load_from_data(parser, text, -1, NULL));
	return json_parser_get_root(parser);
}

static const char *text_of(JsonObject *o, const char *member)
{
	return json_object_get_string_member(o, member);
}

static void schema_load(struct schema *s, struct qmp *c)
{
	g_autofree char *line = NULL;
	JsonArray *all;

	qmp_say(c, "{\"execute\":\"query-qmp-schema\"}");
	line = qmp_hear(c);
	s->parser = json_parser_new();
	s->entity = g_hash_table_new(g_str_hash, g_str_equal);
	all = json_object_get_array_member(json_node_get_object(parse(s->parser, line)), "return");
	for (guint i = 0; i < json_array_get_length(all); i++) {
		JsonObject *o = json_node_get_object(json_array_get_element(all, i));

		assert_true(g_hash_table_insert(s->entity, (gpointer)text_of(o, "name"), o));
	}
}

static void schema_free(struct schema *s)
{
	g_hash_table_unref(s->entity);
	g_object_unref(s->parser);
}

static JsonObject *schema_type(const struct schema *s, const char *name)
{
	JsonObject *type = g_hash_table_lookup(s->entity, name);

	if (!type)
		fail_msg("the schema has no type '%s'", name);
	return type;
}

/* Fails unless @node is of the type that the schema calls @name. */
static void must_be(const struct schema *s, const char *name, JsonNode *node, const char *what);

static void must_be_builtin(JsonObject *type, JsonNode *node, const char *what)
{
	const char *json = text_of(type, "json-type");
	GType want = strcmp(json, "string") == 0 ? G_TYPE_STRING
		     : strcmp(json, "int") == 0  ? G_TYPE_INT64
						 : G_TYPE_BOOLEAN;

	if (strcmp(json, "value") == 0)
		return;
	if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != want)
		fail_msg("%s is no %s", what, json);
}

static void must_be_in_enum(JsonObject *type, JsonNode *node, const char *what)
{
	JsonArray *values = json_object_get_array_member(type, "values");
	bool found = false;

	assert_true(JSON_NODE_HOLDS_VALUE(node));
	for (guint i = 0; i < json_array_get_length(values); i++)
		found |= strcmp(json_node_get_string(json_array_get_element(values, i)),
				json_node_get_string(node)) == 0;
	if (!found)
		fail_msg("%s: '%s' is no value", what, json_node_get_string(node));
}

/* How many members of @type the object has. */
static unsigned must_have_members(const struct schema *s, JsonObject *type, JsonObject *o,
				  const char *what)
{
	JsonArray *members = json_object_get_array_member(type, "members");
	unsigned n = 0;

	for (guint i = 0; i < json_array_get_length(members); i++) {
		JsonObject *m = json_node_get_object(json_array_get_element(members, i));
		g_autofree char *path = g_strdup_printf("%s.%s", what, text_of(m, "name"));

		if (json_object_has_member(o, text_of(m, "name"))) {
			must_be(s, text_of(m, "type"),
				json_object_get_member(o, text_of(m, "name")), path);
			n++;
		} else if (!json_object_has_member(m, "default")) {
			fail_msg("%s is missing", path);
		}
	}
	return n;
}

static JsonObject *variant_of(const struct schema *s, JsonObject *type, JsonObject *o)
{
	JsonArray *variants = json_object_get_array_member(type, "variants");
	const char *tag = text_of(o, text_of(type, "tag"));

	for (guint i = 0; i < json_array_get_length(variants); i++) {
		JsonObject *v = json_node_get_object(json_array_get_element(variants, i));

		if (strcmp(text_of(v, "case"), tag) == 0)
			return schema_type(s, text_of(v, "type"));
	}
	fail_msg("no variant of '%s'", tag);
	return NULL;
}

static void must_be_object(const struct schema *s, JsonObject *type, JsonNode *node,
			   const char *what)
{
	g_autoptr(GList) names = NULL;
	unsigned n;
	JsonObject *o;

	if (!JSON_NODE_HOLDS_OBJECT(node))
		fail_msg("%s is no object", what);
	o = json_node_get_object(node);
	n = must_have_members(s, type, o, what);
	if (json_object_has_member(type, "tag"))
		n += must_have_members(s, variant_of(s, type, o), o, what);
	names = json_object_get_members(o);
	if (g_list_length(names) != n)
		fail_msg("%s has members that the schema does not know", what);
}

static void must_be(const struct schema *s, const char *name, JsonNode *node, const char *what)
{
	JsonObject *type = schema_type(s, name);
	const char *meta = text_of(type, "meta-type");

	if (strcmp(meta, "builtin") == 0) {
		must_be_builtin(type, node, what);
	} else if (strcmp(meta, "enum") == 0) {
		must_be_in_enum(type, node, what);
	} else if (strcmp(meta, "object") == 0) {
		must_be_object(s, type, node, what);
	} else {
		JsonArray *a;

		assert_string_equal(meta, "array");
		if (!JSON_NODE_HOLDS_ARRAY(node))
			fail_msg("%s is no array", what);
		a = json_node_get_array(node);
		for (guint i = 0; i < json_array_get_length(a); i++) {
			g_autofree char *path = g_strdup_printf("%s[%u]", what, i);

			must_be(s, text_of(type, "element-type"), json_array_get_element(a, i),
				path);
		}
	}
}

/*
 * Answers.
 */
static bool line_is_event(const char *line)
{
	return g_str_has_prefix(line, "{\"timestamp\"");
}

/* @line, an event, is as the schema says; marks it as seen in @seen. */
static void event_fits(const struct schema *s, const char *line, GHashTable *seen)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	JsonObject *event = json_node_get_object(parse(parser, line));
	JsonObject *entity = schema_type(s, text_of(event, "event"));
	g_autoptr(JsonObject) none = json_object_new();
	JsonNode *data = json_object_get_member(event, "data");
	JsonObject *type;

	assert_string_equal(text_of(entity, "meta-type"), "event");
	type = schema_type(s, text_of(entity, "arg-type"));
	if (data)
		must_be_object(s, type, data, text_of(event, "event"));
	else
		assert_int_equal(must_have_members(s, type, none, text_of(event, "event")), 0);
	g_hash_table_add(seen, (gpointer)text_of(entity, "name"));
}

/* Says @request, which succeeds with an answer of the command's type; its arguments are too. */
static void answer_fits(const struct schema *s, struct qmp *c, const char *request,
			GHashTable *seen)
{
	g_autoptr(JsonParser) asked = json_parser_new(), answered = json_parser_new();
	JsonObject *o = json_node_get_object(parse(asked, request));
	JsonObject *command = schema_type(s, text_of(o, "execute")), *answer;
	g_autofree char *line = NULL;

	assert_string_equal(text_of(command, "meta-type"), "command");
	if (json_object_has_member(o, "arguments"))
		must_be(s, text_of(command, "arg-type"), json_object_get_member(o, "arguments"),
			request);
	qmp_say(c, request);
	while ((line = qmp_hear(c)) && line_is_event(line)) {
		event_fits(s, line, seen);
		g_free(line);
	}
	answer = json_node_get_object(parse(answered, line));
	if (!json_object_has_member(answer, "return"))
		fail_msg("%s: %s", request, line);
	must_be(s, text_of(command, "ret-type"), json_object_get_member(answer, "return"),
		text_of(o, "execute"));
	g_hash_table_add(seen, (gpointer)text_of(command, "name"));
}

#define ASK(command)            "{\"execute\":\"" command "\"}"
#define ASK_WITH(command, args) "{\"execute\":\"" command "\",\"arguments\":{" args "}}"

/* What is asked of a machine with devices that have no driver, and again when they have one. */
static const char *const questions[] = {
	ASK("query-block"),
	ASK("query-check"),
	ASK("query-commands"),
	ASK("query-cpus-fast"),
	ASK("query-latency"),
	ASK("query-name"),
	ASK("query-qmp-schema"),
	ASK("query-registers"),
	ASK("query-stats"),
	ASK_WITH("query-stats", "\"target\":\"vcpu\",\"vcpus\":[\"vcpu0\"]"),
	ASK("query-status"),
	ASK("query-unanswered"),
	ASK("query-version"),
	ASK("query-virtio"),
	ASK("x-query-virtio"),
	ASK_WITH("x-query-virtio-status", "\"path\":\"con\""),
	ASK_WITH("x-query-virtio-status", "\"path\":\"keys\""),
	ASK_WITH("x-query-virtio-status", "\"path\":\"disk\""),
	ASK_WITH("x-query-virtio-queue-status", "\"path\":\"keys\",\"queue\":1"),
	ASK_WITH("human-monitor-command", "\"command-line\":\"help\",\"cpu-index\":1"),
	ASK_WITH("query-virtio-queue", "\"path\":\"con\""),
	ASK_WITH("query-virtio-queue", "\"path\":\"keys\",\"queue\":1"),
	ASK_WITH("query-virtio-status", "\"path\":\"con\""),
	ASK_WITH("query-virtio-status", "\"path\":\"keys\""),
};

static const char *const orders[] = {
	ASK_WITH("input-send-event",
		 "\"events\":[{\"type\":\"key\",\"data\":{\"down\":true,\"key\":{\"type\":"
		 "\"qcode\",\"data\":\"a\"}}}],\"device\":\"keys\",\"head\":0"),
	ASK_WITH("send-key", "\"keys\":[{\"type\":\"number\",\"data\":30}],\"hold-time\":1"),
	ASK_WITH("block_resize", "\"node-name\":\"disk\",\"size\":2097152"),
	ASK_WITH("set_link", "\"name\":\"net0\",\"up\":false"),
	ASK_WITH("query-virtio-status", "\"path\":\"net0\""),
	ASK_WITH("port_remove", "\"path\":\"con\",\"port\":\"a\""),
	ASK_WITH("chardev-send-break", "\"id\":\"serial0\""),
	ASK("stop"),
	ASK("query-status"),
	ASK("cont"),
	ASK("system_powerdown"),
	ASK("system_reset"),
	ASK("quit"),
};

static void ask_all(const struct schema *s, struct qmp *c, GHashTable *seen)
{
	for (size_t i = 0; i < G_N_ELEMENTS(questions); i++)
		answer_fits(s, c, questions[i], seen);
}

static void tell_all_events(const struct schema *s, struct bench *b, struct qmp *c,
			    GHashTable *seen)
{
	static const char *const events[] = {
		"STOP",     "RESUME",         "POWERDOWN",        "RESET",
		"SHUTDOWN", "GUEST_PANICKED", "GUEST_CRASHLOADED"
	};

	for (size_t i = 0; i < 2 * G_N_ELEMENTS(events); i++) {
		g_autofree char *line = NULL;

		control_event(events[i / 2], i % 2, b->ctl);
		line = qmp_hear(c);
		event_fits(s, line, seen);
	}
}

static void tell_io_errors(const struct schema *s, struct bench *b, struct qmp *c, GHashTable *seen)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct vdev_io_error error = { i, i ? VDEV_ERROR_STOP : VDEV_ERROR_REPORT,
						     i ? ENOSPC : EIO };
		g_autofree char *line = NULL;

		control_io_error("disk", &error, b->ctl);
		line = qmp_hear(c);
		event_fits(s, line, seen);
	}
}

/* With all that it can have, and with as little. */
static void tell_violations(const struct schema *s, struct bench *b, struct qmp *c,
			    GHashTable *seen)
{
	const struct check_violation violations[] = {
		{ "blk-length", "DRV-BLK-OP-06", "5.2.6.1", "MUST", "text", "500 bytes", "disk", 0,
		  7, false },
		{ "next", NULL, "2.7.5", "", "text", "", "disk", -1, -1, true },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(violations); i++) {
		g_autofree char *line = NULL;

		control_violation(&violations[i], b->ctl);
		line = qmp_hear(c);
		event_fits(s, line, seen);
	}
}

static void all_is_seen(const struct schema *s, GHashTable *seen)
{
	GHashTableIter iter;
	gpointer name, entity;

	g_hash_table_iter_init(&iter, s->entity);
	while (g_hash_table_iter_next(&iter, &name, &entity)) {
		const char *meta = text_of(entity, "meta-type");

		if ((strcmp(meta, "command") == 0 || strcmp(meta, "event") == 0) &&
		    !g_hash_table_contains(seen, name) && strcmp(name, "qmp_capabilities") != 0)
			fail_msg("%s was not held against the schema", (char *)name);
	}
}

/* Split with EVENT_IDX and without, and packed. */
static void rings_fit(const struct schema *s, struct qmp *c, GHashTable *seen)
{
	static const char *const devices[] = { "keys", "net0", "con" };

	for (size_t i = 0; i < G_N_ELEMENTS(devices); i++) {
		g_autofree char *ask = g_strdup_printf(
			ASK_WITH("query-virtio-ring", "\"path\":\"%s\",\"queue\":0"), devices[i]);

		answer_fits(s, c, ask, seen);
	}
}

static void every_answer_and_event_is_as_the_schema_says(void **state)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	struct bench *b = *state;
	struct rig *keys = bench_add(b, "keys", "input"), *con, *net;
	struct schema s;
	struct rig_buf buf;
	struct qmp *c;

	con = bench_add(b, "con", "console,chr=null,port=a:null,ring=packed");
	bench_add_disk(b, "disk", ",werror=stop");
	net = bench_add(b, "net0", "net");
	b->checks = true;
	c = qmp_greet(b);
	schema_load(&s, c);
	ask_all(&s, c, seen);
	rig_start(keys, RIG_ALL);
	rig_start(net, RIG_NONE);
	rig_start(con, RIG_ALL);
	ask_all(&s, c, seen);
	buf = rig_alloc(keys, 8);
	rig_submit(keys, 0, &buf, 0, 1);
	answer_fits(&s, c,
		    ASK_WITH("x-query-virtio-queue-element",
			     "\"path\":\"keys\",\"queue\":0,\"index\":0"),
		    seen);
	rings_fit(&s, c, seen);
	b->name = "the guest";
	buf.gpa = UINT64_MAX - 4;
	rig_submit(keys, 1, &buf, 1, 0);
	RIG_UNTIL(keys, rig_status(keys) & VIRTIO_S_NEEDS_RESET);
	ask_all(&s, c, seen);
	for (size_t i = 0; i < G_N_ELEMENTS(orders); i++)
		answer_fits(&s, c, orders[i], seen);
	tell_all_events(&s, b, c, seen);
	tell_io_errors(&s, b, c, seen);
	tell_violations(&s, b, c, seen);
	all_is_seen(&s, seen);
	schema_free(&s);
	qmp_hang_up(c);
}

/*
 * The schema itself.
 */
static void type_is_known(const struct schema *s, JsonObject *o, const char *member)
{
	const char *meta = text_of(schema_type(s, text_of(o, member)), "meta-type");

	assert_string_not_equal(meta, "command");
	assert_string_not_equal(meta, "event");
}

static void types_are_known(const struct schema *s, JsonObject *o, const char *member)
{
	JsonArray *list = json_object_has_member(o, member)
				  ? json_object_get_array_member(o, member)
				  : NULL;

	for (guint i = 0; list && i < json_array_get_length(list); i++)
		type_is_known(s, json_node_get_object(json_array_get_element(list, i)), "type");
}

static void what_the_schema_names_it_describes(void **state)
{
	static const char *const references[] = { "arg-type", "ret-type", "element-type" };
	struct qmp *c = qmp_greet(*state);
	GHashTableIter iter;
	gpointer entity;
	struct schema s;

	schema_load(&s, c);
	g_hash_table_iter_init(&iter, s.entity);
	while (g_hash_table_iter_next(&iter, NULL, &entity)) {
		for (size_t i = 0; i < G_N_ELEMENTS(references); i++)
			if (json_object_has_member(entity, references[i]))
				type_is_known(&s, entity, references[i]);
		if (strcmp(text_of(entity, "meta-type"), "object") == 0) {
			types_are_known(&s, entity, "members");
			types_are_known(&s, entity, "variants");
		}
	}
	schema_free(&s);
	qmp_hang_up(c);
}

/* @command without one that it needs, and with one it does not know. */
static void arguments_are_minded(const struct schema *s, struct qmp *c, JsonObject *command)
{
	JsonObject *type = schema_type(s, text_of(command, "arg-type"));
	JsonArray *members = json_object_get_array_member(type, "members");
	g_autofree char *more = g_strdup_printf(ASK_WITH("%s", "\"a-b-c\":1"),
						text_of(command, "name"));
	g_autofree char *bare = g_strdup_printf(ASK("%s"), text_of(command, "name"));
	const char *needed = NULL;

	for (guint i = 0; i < json_array_get_length(members) && !needed; i++) {
		JsonObject *m = json_node_get_object(json_array_get_element(members, i));

		if (!json_object_has_member(m, "default"))
			needed = text_of(m, "name");
	}
	qmp_say(c, more);
	qmp_expect_error(c, "GenericError", "has no argument 'a-b-c'");
	if (!needed)
		return;
	qmp_say(c, bare);
	qmp_expect_error(c, "GenericError", needed);
}

static void every_command_takes_what_the_schema_says(void **state)
{
	struct qmp *c = qmp_greet(*state);
	GHashTableIter iter;
	gpointer name, entity;
	struct schema s;

	schema_load(&s, c);
	g_hash_table_iter_init(&iter, s.entity);
	while (g_hash_table_iter_next(&iter, &name, &entity))
		if (strcmp(text_of(entity, "meta-type"), "command") == 0 &&
		    strcmp(name, "qmp_capabilities") != 0)
			arguments_are_minded(&s, c, entity);
	schema_free(&s);
	qmp_hang_up(c);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_answer_and_event_is_as_the_schema_says),
		TEST(what_the_schema_names_it_describes),
		TEST(every_command_takes_what_the_schema_says),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
