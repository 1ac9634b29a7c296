#include "devices/backend/chr/wrap.h"

static struct chr *next_of(struct chr *chr)
{
	return ((struct chr_wrap *)chr)->next;
}

static size_t wrap_read(struct chr *chr, void *buf, size_t len)
{
	return chr_read(next_of(chr), buf, len);
}

static size_t wrap_write(struct chr *chr, const void *buf, size_t len)
{
	return chr_write(next_of(chr), buf, len);
}

static void wrap_want(struct chr *chr, bool readable, bool writable)
{
	chr_want(next_of(chr), readable, writable);
}

static void wrap_attach(struct chr *chr)
{
	struct chr *next = next_of(chr);

	next->loop = chr->loop;
	next->user = ((struct chr_wrap *)chr)->events;
	next->arg = chr;
	next->ops->attach(next);
}

static void wrap_detach(struct chr *chr)
{
	struct chr *next = next_of(chr);

	next->ops->detach(next);
	next->user = NULL;
}

static bool wrap_size(struct chr *chr, uint16_t *cols, uint16_t *rows)
{
	return chr_size(next_of(chr), cols, rows);
}

static void wrap_close(struct chr *chr)
{
	chr_close(next_of(chr));
	g_free(chr);
}

const struct chr_ops chr_wrap_ops = {
	.read = wrap_read,
	.write = wrap_write,
	.want = wrap_want,
	.attach = wrap_attach,
	.detach = wrap_detach,
	.size = wrap_size,
	.close = wrap_close,
};

static void wrap_readable(void *arg)
{
	const struct chr_wrap *w = arg;

	if (w->base.user->readable)
		w->base.user->readable(w->base.arg);
}

static void wrap_writable(void *arg)
{
	const struct chr_wrap *w = arg;

	if (w->base.user->writable)
		w->base.user->writable(w->base.arg);
}

static void wrap_connected(void *arg, bool on)
{
	struct chr_wrap *w = arg;

	w->base.connected = w->next->connected;
	if (w->base.user->connected)
		w->base.user->connected(w->base.arg, on);
}

static void wrap_resized(void *arg)
{
	const struct chr_wrap *w = arg;

	if (w->base.user->resized)
		w->base.user->resized(w->base.arg);
}

static void wrap_trouble(void *arg, const char *what, int errnum)
{
	const struct chr_wrap *w = arg;

	if (w->base.user->trouble)
		w->base.user->trouble(w->base.arg, what, errnum);
}

const struct chr_user chr_wrap_user = {
	.readable = wrap_readable,
	.writable = wrap_writable,
	.connected = wrap_connected,
	.resized = wrap_resized,
	.trouble = wrap_trouble,
};

void chr_wrap_init(struct chr_wrap *w, struct chr *next, const struct chr_ops *ops,
		   const struct chr_user *events)
{
	w->base = *next;
	w->base.ops = ops;
	w->base.where = g_steal_pointer(&next->where);
	w->base.tap = NULL;
	w->next = next;
	w->events = events;
}
