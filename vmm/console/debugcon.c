#include "vmm/console/debugcon.h"

#include "vmm/console/gather.h"

struct debugcon {
	struct chr *chr;
	struct gather *gather;
	struct bus *bus;
	struct board_region region[DEBUGCON_PORTS];
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
	static const uint16_t ports[DEBUGCON_PORTS] = { DEBUGCON_PORT, DEBUGCON_FIRMWARE_PORT };
	int ret = 0;

	d->bus = bus;
	for (unsigned i = 0; i < DEBUGCON_PORTS && ret == 0; i++) {
		d->region[i] = (struct board_region){
			.base = ports[i],
			.size = 1,
			.io = true,
			.read = debugcon_read,
			.write = debugcon_write,
			.opaque = d,
		};
		ret = bus_add(bus, &d->region[i]);
	}
	return ret;
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
	for (unsigned i = 0; d->bus && i < DEBUGCON_PORTS; i++)
		bus_del(d->bus, &d->region[i]);
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
