#include <errno.h>
#include <string.h>

#include "devices/backend/chr/chr-impl.h"
#include "devices/console/console-impl.h"
#include "tools/fuzz/host/fakes-int.h"
#include "tools/fuzz/language/trace.h"

#define ROOM_FIRST 0x100000u

struct fake_chr {
	struct chr chr;
	GByteArray *in;
	size_t at;
	uint32_t room;
	bool want_read, want_write;
	uint16_t cols, rows;
	unsigned sum; /* of all bytes written: so that they are read */
};

static size_t fake_read(struct chr *chr, void *buf, size_t len)
{
	struct fake_chr *c = (struct fake_chr *)chr;
	size_t n = MIN(len, c->in->len - c->at);

	if (n)
		memcpy(buf, c->in->data + c->at, n);
	c->at += n;
	return n;
}

/* While nobody is there, all goes to the backlog. */
static size_t fake_write(struct chr *chr, const void *buf, size_t len)
{
	struct fake_chr *c = (struct fake_chr *)chr;
	size_t n = chr->connected ? MIN(len, c->room) : len;

	for (size_t i = 0; i < n; i++)
		c->sum += ((const uint8_t *)buf)[i];
	if (chr->connected)
		c->room -= (uint32_t)n;
	trace("stream: %zu of %zu bytes come out, sum %u", n, len, c->sum);
	return n;
}

static void fake_want(struct chr *chr, bool readable, bool writable)
{
	((struct fake_chr *)chr)->want_read = readable;
	((struct fake_chr *)chr)->want_write = writable;
}

static void fake_attach(struct chr *chr)
{
	(void)chr;
}

static bool fake_size(struct chr *chr, uint16_t *cols, uint16_t *rows)
{
	const struct fake_chr *c = (const struct fake_chr *)chr;

	*cols = c->cols;
	*rows = c->rows;
	return c->cols && c->rows;
}

static void fake_chr_close(struct chr *chr)
{
	struct fake_chr *c = (struct fake_chr *)chr;

	fakes_forget(c);
	g_byte_array_unref(c->in);
	g_free(c);
}

static const struct chr_ops ops = {
	.read = fake_read,
	.write = fake_write,
	.want = fake_want,
	.attach = fake_attach,
	.detach = fake_attach,
	.size = fake_size,
	.close = fake_chr_close,
};

/*
 * The input's part.
 */
static bool fake_chr_attached(const struct fake_chr *c)
{
	return c->chr.user != NULL;
}

void fake_chr_bytes(struct fake_chr *c, struct input bytes)
{
	trace("stream: %zu bytes come in", in_left(&bytes));
	g_byte_array_append(c->in, bytes.at, (guint)in_left(&bytes));
	if (fake_chr_attached(c) && c->want_read)
		c->chr.user->readable(c->chr.arg);
}

void fake_chr_connect(struct fake_chr *c, bool on)
{
	if (!fake_chr_attached(c) || c->chr.connected == on)
		return;
	trace("stream: somebody %s", on ? "comes" : "leaves");
	c->chr.connected = on;
	if (c->chr.user->connected)
		c->chr.user->connected(c->chr.arg, on);
	if (!on && c->want_write)
		c->chr.user->writable(c->chr.arg);
}

void fake_chr_room(struct fake_chr *c, uint32_t room)
{
	c->room = room;
	if (fake_chr_attached(c) && room && c->want_write)
		c->chr.user->writable(c->chr.arg);
}

void fake_chr_size(struct fake_chr *c, uint16_t cols, uint16_t rows)
{
	c->cols = cols;
	c->rows = rows;
	if (fake_chr_attached(c) && c->chr.user->resized)
		c->chr.user->resized(c->chr.arg);
}

void fake_chr_trouble(struct fake_chr *c)
{
	if (fake_chr_attached(c) && c->chr.user->trouble)
		c->chr.user->trouble(c->chr.arg, "write", EIO);
}

/* A console keeps, whoever drives it, what it has read and not passed on, and what it has to write.
 */
static void forget_bytes(struct fake_chr *c)
{
	if (c->chr.user != &console_chr_user)
		return;
	((struct console_port *)c->chr.arg)->input_len = 0;
	if (c->want_write)
		c->chr.user->writable(c->chr.arg);
}

void fake_chr_begin(struct fake_chr *c)
{
	g_byte_array_set_size(c->in, 0);
	c->at = 0;
	c->room = ROOM_FIRST;
	fake_chr_connect(c, true);
	fake_chr_size(c, 80, 25);
	forget_bytes(c);
	c->room = ROOM_FIRST;
	c->sum = 0;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
struct chr *__real_chr_open(const char *spec, struct chr *terminal, const char *context,
			    GError **err);
struct chr *__wrap_chr_open(const char *spec, struct chr *terminal, const char *context,
			    GError **err);
struct chr *__wrap_chr_open(const char *spec, struct chr *terminal, const char *context,
			    GError **err)
{
	struct fake_chr *c;

	/* Those that need nothing of the host but descriptors of ours. */
	if (fakes_real_too() && (strcmp(spec, "unix:real") == 0 || strcmp(spec, "null") == 0))
		return __real_chr_open(spec, terminal, context, err);
	c = g_new0(struct fake_chr, 1);
	c->chr.ops = &ops;
	c->chr.connected = true;
	c->in = g_byte_array_new();
	c->room = ROOM_FIRST;
	c->cols = 80;
	c->rows = 25;
	if (fakes_take_chr(c))
		return &c->chr;
	fake_chr_close(&c->chr);
	ringside_usage(err, "%s: enough", context);
	return NULL;
}
/* NOLINTEND(bugprone-reserved-identifier) */
