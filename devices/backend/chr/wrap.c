#include "devices/backend/chr/wrap.h"

static struct chr *chr_wrap_next(struct chr *chr)
{
	return ((struct chr_wrap *)chr)->next;
}

static size_t chr_wrap_read(struct chr *chr, void *buf, size_t len)
{
	return chr_read(chr_wrap_next(chr), buf, len);
}

static size_t chr_wrap_write(struct chr *chr, const void *buf, size_t len)
{
	return chr_write(chr_wrap_next(chr), buf, len);
}

static void chr_wrap_want(struct chr *chr, bool readable, bool writable)
{
	chr_want(chr_wrap_next(chr), readable, writable);
}

static void chr_wrap_attach(struct chr *chr)
{
	struct chr *next = chr_wrap_next(chr);

	next->loop = chr->loop;
	next->user = ((struct chr_wrap *)chr)->events;
	next->arg = chr;
	next->ops->attach(next);
}

static void chr_wrap_detach(struct chr *chr)
{
	struct chr *next = chr_wrap_next(chr);

	next->ops->detach(next);
	next->user = NULL;
}

static bool chr_wrap_size(struct chr *chr, uint16_t *cols, uint16_t *rows)
{
	return chr_size(chr_wrap_next(chr), cols, rows);
}

static void chr_wrap_close(struct chr *chr)
{
	chr_close(chr_wrap_next(chr));
	g_free(chr);
}

const struct chr_ops chr_wrap_ops = {
	.read = chr_wrap_read,
	.write = chr_wrap_write,
	.want = chr_wrap_want,
	.attach = chr_wrap_attach,
	.detach = chr_wrap_detach,
	.size = chr_wrap_size,
	.close = chr_wrap_close,
};

static void chr_wrap_readable(void *arg)
{
	const struct chr_wrap *w = arg;

	if (w->base.user->readable)
		w->base.user->readable(w->base.arg);
}

static void chr_wrap_writable(void *arg)
{
	const struct chr_wrap *w = arg;

	if (w->base.user->writable)
		w->base.user->writable(w->base.arg);
}

static void chr_wrap_connected(void *arg, bool on)
{
	struct chr_wrap *w = arg;

	w->base.connected = w->next->connected;
	if (w->base.user->connected)
		w->base.user->connected(w->base.arg, on);
}

static void chr_wrap_resized(void *arg)
{
	const struct chr_wrap *w = arg;

	if (w->base.user->resized)
		w->base.user->resized(w->base.arg);
}

static void chr_wrap_trouble(void *arg, const char *what, int errnum)
{
	const struct chr_wrap *w = arg;

	if (w->base.user->trouble)
		w->base.user->trouble(w->base.arg, what, errnum);
}

const struct chr_user chr_wrap_user = {
	.readable = chr_wrap_readable,
	.writable = chr_wrap_writable,
	.connected = chr_wrap_connected,
	.resized = chr_wrap_resized,
	.trouble = chr_wrap_trouble,
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
