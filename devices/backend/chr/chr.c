#include "devices/backend/chr/chr.h"

#include <string.h>

#include "devices/backend/chr/chr-impl.h"
#include "devices/base/error.h"

/*
 * Nobody at all.
 */
static size_t chr_null_read(struct chr *chr, void *buf, size_t len)
{
	(void)chr;
	(void)buf;
	(void)len;
	return 0;
}

static size_t chr_null_write(struct chr *chr, const void *buf, size_t len)
{
	(void)chr;
	(void)buf;
	return len;
}

static void chr_null_want(struct chr *chr, bool readable, bool writable)
{
	(void)chr;
	(void)readable;
	(void)writable;
}

static void chr_null_attach(struct chr *chr)
{
	(void)chr;
}

static void chr_null_close(struct chr *chr)
{
	g_free(chr);
}

static const struct chr_ops null_ops = {
	.read = chr_null_read,
	.write = chr_null_write,
	.want = chr_null_want,
	.attach = chr_null_attach,
	.detach = chr_null_attach,
	.close = chr_null_close,
};

/*
 * The kinds by name.
 */
/* What the functions below get: what follows the colon (or NULL), and the machine's terminal. */
typedef struct chr *(*open_fn)(const char *arg, struct chr *terminal, const char *context,
			       GError **err);

static struct chr *chr_open_null(const char *arg, struct chr *terminal, const char *context,
				 GError **err)
{
	struct chr *chr = g_new0(struct chr, 1);

	(void)arg;
	(void)terminal;
	(void)context;
	(void)err;
	chr->ops = &null_ops;
	chr->connected = true;
	return chr;
}

static struct chr *chr_open_stdio(const char *arg, struct chr *terminal, const char *context,
				  GError **err)
{
	(void)arg;
	if (!terminal)
		ringside_usage(err, "%s: there is no terminal here", context);
	else if (terminal->taken)
		ringside_usage(err, "%s: another device has it already", context);
	else
		return terminal;
	return NULL;
}

static struct chr *chr_open_file(const char *arg, struct chr *terminal, const char *context,
				 GError **err)
{
	(void)terminal;
	return chr_file_open(arg, false, context, err);
}

static struct chr *chr_open_append(const char *arg, struct chr *terminal, const char *context,
				   GError **err)
{
	(void)terminal;
	return chr_file_open(arg, true, context, err);
}

static struct chr *chr_open_pty(const char *arg, struct chr *terminal, const char *context,
				GError **err)
{
	(void)terminal;
	return chr_pty_open(arg, context, err);
}

static struct chr *chr_open_unix(const char *arg, struct chr *terminal, const char *context,
				 GError **err)
{
	(void)terminal;
	return chr_unix_open(arg, context, err);
}

static const struct kind {
	const char *name;
	enum { ARG_NONE, ARG_MAY, ARG_MUST } arg;
	open_fn open;
} kinds[] = {
	{ "stdio", ARG_NONE, chr_open_stdio }, { "null", ARG_NONE, chr_open_null },
	{ "file", ARG_MUST, chr_open_file },   { "append", ARG_MUST, chr_open_append },
	{ "pty", ARG_MAY, chr_open_pty },      { "unix", ARG_MUST, chr_open_unix },
};

static const struct kind *chr_find_kind(const char *name, size_t len)
{
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (strlen(kinds[i].name) == len && strncmp(kinds[i].name, name, len) == 0)
			return &kinds[i];
	return NULL;
}

struct chr *chr_open(const char *spec, struct chr *terminal, const char *context, GError **err)
{
	size_t len = strcspn(spec, ":");
	const struct kind *kind = chr_find_kind(spec, len);
	const char *arg = spec[len] ? spec + len + 1 : NULL;
	bool has_arg = arg && arg[0];
	struct chr *chr;

	if (!kind || (kind->arg == ARG_NONE && arg) || (kind->arg == ARG_MUST && !has_arg) ||
	    (arg && !has_arg)) {
		ringside_usage(err, "%s: none of " CHR_SPECS, context);
		return NULL;
	}
	chr = kind->open(arg, terminal, context, err);
	if (chr)
		chr->taken = true;
	return chr;
}

void chr_close(struct chr *chr)
{
	if (!chr)
		return;
	chr->taken = false;
	chr->tap = NULL;
	g_clear_pointer(&chr->where, g_free);
	chr->ops->close(chr);
}

/*
 * On the loop.
 */
static void attach(void *arg)
{
	struct chr *chr = arg;

	chr->ops->attach(chr);
}

static void detach(void *arg)
{
	struct chr *chr = arg;

	chr->ops->detach(chr);
	chr->user = NULL;
}

void chr_attach(struct chr *chr, struct loop *loop, const struct chr_user *user, void *arg)
{
	chr->loop = loop;
	chr->user = user;
	chr->arg = arg;
	loop_call(loop, attach, chr);
}

void chr_detach(struct chr *chr)
{
	if (chr->user)
		loop_call(chr->loop, detach, chr);
}

size_t chr_read(struct chr *chr, void *buf, size_t len)
{
	return chr->ops->read(chr, buf, len);
}

size_t chr_write(struct chr *chr, const void *buf, size_t len)
{
	size_t n = chr->ops->write(chr, buf, len);

	if (chr->tap && n)
		chr->tap->written(chr->tap, buf, n);
	return n;
}

void chr_want(struct chr *chr, bool readable, bool writable)
{
	chr->ops->want(chr, readable, writable);
}

bool chr_size(struct chr *chr, uint16_t *cols, uint16_t *rows)
{
	return chr->ops->size && chr->ops->size(chr, cols, rows);
}
