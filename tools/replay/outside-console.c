/*
 * Streams that were recorded: what the driver sends goes nowhere; what it got, and that somebody
 * came to the other end or left, comes again.
 */
#include <string.h>

#include "devices/backend/chr/wrap.h"
#include "devices/console/console-impl.h"
#include "devices/console/console.h"
#include "tools/replay/outside.h"

#define CONTROL_BYTES 8u /* of a control message (5.3.6.2), before what follows it */

struct recorded_chr {
	struct chr_wrap wrap;
	GByteArray *input;
	bool wanted; /* chr_want() asked for it */
	uint16_t cols, rows;
};

static size_t recorded_read(struct chr *chr, void *buf, size_t len)
{
	struct recorded_chr *r = (struct recorded_chr *)chr;
	size_t n = MIN(len, r->input->len);

	memcpy(buf, r->input->data, n);
	g_byte_array_remove_range(r->input, 0, (guint)n);
	return n;
}

static void recorded_offer(struct recorded_chr *r)
{
	if (r->wanted && r->input->len && r->wrap.base.user)
		r->wrap.base.user->readable(r->wrap.base.arg);
}

static void recorded_want(struct chr *chr, bool readable, bool writable)
{
	((struct recorded_chr *)chr)->wanted = readable;
	chr_wrap_ops.want(chr, false, writable);
}

static bool recorded_size(struct chr *chr, uint16_t *cols, uint16_t *rows)
{
	const struct recorded_chr *r = (struct recorded_chr *)chr;

	*cols = r->cols;
	*rows = r->rows;
	return r->cols;
}

static void recorded_close(struct chr *chr)
{
	g_byte_array_unref(((struct recorded_chr *)chr)->input);
	chr_wrap_ops.close(chr);
}

struct chr *outside_wrap_chr(struct chr *next, const void *options)
{
	static struct chr_ops ops;
	struct outside *o = outside_opening;
	struct recorded_chr *r = g_new0(struct recorded_chr, 1);

	(void)options;
	ops = chr_wrap_ops;
	ops.read = recorded_read;
	ops.want = recorded_want;
	ops.size = recorded_size;
	ops.close = recorded_close;
	r->input = g_byte_array_new();
	r->cols = (uint16_t)outside_config(o, offsetof(struct console_config, cols), 2);
	r->rows = (uint16_t)outside_config(o, offsetof(struct console_config, rows), 2);
	chr_wrap_init(&r->wrap, next, &ops, &chr_wrap_user);
	if (o->n_chr < OUTSIDE_PORTS_MAX) {
		r->wrap.base.connected = o->connected[o->n_chr];
		o->chr[o->n_chr++] = r;
	}
	return &r->wrap.base;
}

/* Streams to which somebody comes: nobody is there in the beginning. */
static bool outside_console_connected(const char *spec)
{
	return !strstr(spec, "unix:") && !g_str_has_prefix(spec, "pty") && !strstr(spec, ",pty") &&
	       !strstr(spec, ":pty");
}

/* "NAME:SPEC": the name stays. */
static void outside_console_port(struct outside *o, struct prop_pair *pair, unsigned i)
{
	const char *colon = pair->value ? strchr(pair->value, ':') : NULL;
	char *value;

	if (!colon || i >= OUTSIDE_PORTS_MAX)
		return;
	o->connected[i] = outside_console_connected(colon + 1);
	value = g_strdup_printf("%.*s:recorded:null", (int)(colon - pair->value), pair->value);
	g_free(pair->value);
	pair->value = value;
}

static bool outside_console_options(struct outside *o, GPtrArray *pairs, const char **ret_why)
{
	bool first = outside_offered(o, CONSOLE_F_EMERG_WRITE); /* port 0 is there */
	unsigned n = first;

	(void)ret_why;
	o->connected[0] = true;
	for (guint i = pairs->len; i > 0; i--) {
		const struct prop_pair *pair = g_ptr_array_index(pairs, i - 1);

		if (strcmp(pair->key, "chr") != 0)
			continue;
		o->connected[0] = !pair->value || outside_console_connected(pair->value);
		g_ptr_array_remove_index(pairs, i - 1);
	}
	for (guint i = 0; i < pairs->len; i++) {
		struct prop_pair *pair = g_ptr_array_index(pairs, i);

		if (strcmp(pair->key, "port") == 0)
			outside_console_port(o, pair, n++);
		else if (strcmp(pair->key, "resize") == 0)
			o->columns_first = strcmp(pair->value ? pair->value : "", "spec") == 0;
	}
	if (first)
		prop_add(pairs, "chr", "recorded:null");
	return true;
}

/* Of a port's queue pair: its stream. */
static struct recorded_chr *outside_console_stream(const struct outside *o, unsigned port)
{
	bool first = outside_offered(o, CONSOLE_F_EMERG_WRITE); /* is port 0's */
	unsigned i = first ? port : port - 1;

	return (first || port) && i < o->n_chr ? o->chr[i] : NULL;
}

static void outside_console_find(const struct console_port_state *state, void *arg)
{
	struct console_port_state *wanted = arg;

	if (state->id == wanted->id)
		*wanted = *state;
}

static void outside_console_remove(struct vdev *dev, uint32_t id)
{
	struct console_port_state port = { .id = id };

	console_ports(dev, outside_console_find, &port);
	if (port.name)
		(void)console_port_remove(dev, port.name);
}

/* The console's window has another size. */
static void outside_console_resize(struct outside *o, const struct replay_chain *c)
{
	struct recorded_chr *r = outside_console_stream(o, 0);
	le16 size[2];

	if (!r || c->written->len < CONTROL_BYTES + sizeof(size))
		return;
	memcpy(size, c->written->data + CONTROL_BYTES, sizeof(size));
	r->cols = le16_cpu(size[!o->columns_first]);
	r->rows = le16_cpu(size[o->columns_first]);
	if (r->wrap.base.user && r->wrap.base.user->resized)
		r->wrap.base.user->resized(r->wrap.base.arg);
}

/* A message that nothing the driver said is the cause of: somebody came or left, or a port was
 * taken away. */
static void outside_console_tell(struct outside *o, struct vdev *dev, const struct replay_chain *c)
{
	struct {
		le32 id;
		le16 event, value;
	} m;
	struct recorded_chr *r;

	if (c->written->len < sizeof(m))
		return;
	memcpy(&m, c->written->data, sizeof(m));
	if (le16_cpu(m.event) == CONSOLE_RESIZE)
		outside_console_resize(o, c);
	if (le16_cpu(m.event) == CONSOLE_PORT_REMOVE)
		outside_console_remove(dev, le32_cpu(m.id));
	r = outside_console_stream(o, le32_cpu(m.id));
	if (!r || le16_cpu(m.event) != CONSOLE_PORT_OPEN || !r->wrap.base.user)
		return;
	r->wrap.base.connected = m.value != 0;
	r->wrap.base.user->connected(r->wrap.base.arg, r->wrap.base.connected);
}

static void outside_console_give(struct outside *o, struct vdev *dev, unsigned q,
				 struct replay_chain *const *chains, unsigned n)
{
	bool multiport = o->accepted >> CONSOLE_F_MULTIPORT & 1;
	struct recorded_chr *r;

	(void)n;
	if (multiport && q == CONSOLE_CONTROL_RX) {
		outside_console_tell(o, dev, chains[0]);
		return;
	}
	r = outside_console_stream(o, q < 2 ? 0 : q / 2 - 1);
	if (!r)
		return;
	g_byte_array_append(r->input, chains[0]->written->data, chains[0]->written->len);
	recorded_offer(r);
}

const struct outside_class outside_console = {
	.name = "console",
	.drop = " ",
	.options = outside_console_options,
	.give = outside_console_give,
	.field = offsetof(struct console_config, cols),
	.field_len = 2 * sizeof(le16),
};
