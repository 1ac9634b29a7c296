#include "vmm/console/debugcon.h"

#include "vmm/console/gather.h"

struct debugcon {
	struct chr *chr;
	struct gather *gather;
	struct bus *bus;
	struct board_region region;
	bool lost; /* told that the host failed */
};

static uint64_t debugcon_read(void *opaque, uint64_t off, unsigned len)
{
	(void)opaque;
	(void)off;
	(void)len;
	return DEBUGCON_PORT;
}

static void debugcon_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct debugcon *d = opaque;
	uint8_t byte = (uint8_t)value;

	(void)off;
	(void)len;
	gather_put(d->gather, &byte, 1);
	gather_wait(d->gather);
}

static void debugcon_want(void *opaque, bool writable)
{
	struct debugcon *d = opaque;

	chr_want(d->chr, false, writable);
}

static const struct gather_ops gather_ops = { .want = debugcon_want };

static void debugcon_writable(void *arg)
{
	struct debugcon *d = arg;

	gather_writable(d->gather);
}

static void debugcon_trouble(void *arg, const char *what, int errnum)
{
	struct debugcon *d = arg;

	if (!d->lost)
		g_warning("debug console: host: %s: %s", what, g_strerror(errnum));
	d->lost = true;
}

static const struct chr_user chr_user = {
	.writable = debugcon_writable,
	.trouble = debugcon_trouble,
};

int debugcon_plug(struct debugcon *d, struct bus *bus)
{
	d->region = (struct board_region){
		.base = DEBUGCON_PORT,
		.size = 1,
		.io = true,
		.read = debugcon_read,
		.write = debugcon_write,
		.opaque = d,
	};
	d->bus = bus;
	return bus_add(bus, &d->region);
}

struct debugcon *debugcon_new(struct chr *chr, struct loop *main, GError **err)
{
	struct debugcon *d = g_new0(struct debugcon, 1);

	d->chr = chr;
	d->gather = gather_new(chr, main, &gather_ops, d, "--debugcon", err);
	chr_attach(chr, main, &chr_user, d);
	if (!d->gather)
		g_clear_pointer(&d, debugcon_free);
	return d;
}

void debugcon_free(struct debugcon *d)
{
	if (!d)
		return;
	gather_free(d->gather);
	if (d->bus)
		bus_del(d->bus, &d->region);
	chr_detach(d->chr);
	chr_close(d->chr);
	g_free(d);
}

void debugcon_unthrottle(struct debugcon *d, bool unthrottled)
{
	gather_unthrottle(d->gather, unthrottled);
}

void debugcon_flush(struct debugcon *d)
{
	gather_flush(d->gather);
}
