/*
 * What a console keeps: how far the driver and the device have come in telling each other of ports
 * (VIRTIO 1.4, 5.3.6.2), and the bytes of each port that are neither with the guest nor with the
 * host yet.
 */
#include <string.h>

#include "devices/base/pack.h"
#include "devices/console/console-impl.h"

#define PORT_ADDED 1u
#define PORT_READY 2u
#define PORT_OPEN  4u
#define PORT_GONE  8u
#define PORT_FLAGS 15u

/* Of a copy, which shares the bytes: to be emptied. */
static void save_stash(struct chr_fifo stash, GByteArray *out)
{
	while (stash.len) {
		size_t len;
		const uint8_t *bytes = chr_fifo_peek(&stash, &len);

		pack_bytes(out, bytes, len);
		chr_fifo_drop(&stash, len);
	}
}

static void save_port(const struct console_port *port, GByteArray *out)
{
	pack_u16(out, (uint16_t)port->id);
	pack_u8(out, (uint8_t)((port->added ? PORT_ADDED : 0) | (port->ready ? PORT_READY : 0) |
			       (port->guest_open ? PORT_OPEN : 0) | (port->gone ? PORT_GONE : 0)));
	pack_u16(out, (uint16_t)port->queued);
	pack_u32(out, port->tx_done);
	pack_u32(out, (uint32_t)port->input_len);
	pack_bytes(out, port->input + port->input_at, port->input_len);
	pack_u32(out, (uint32_t)port->stash.len);
	save_stash(port->stash, out);
}

struct saving {
	struct console *con;
	GByteArray *out;
};

static void save_on_loop(void *arg)
{
	const struct saving *s = arg;
	struct console *con = s->con;
	unsigned n = 0;

	console_take_emergency(con);
	for (unsigned i = 0; i < con->max_ports; i++)
		n += con->port[i] != NULL;
	pack_u16(s->out, con->cols);
	pack_u16(s->out, con->rows);
	pack_u16(s->out, (uint16_t)n);
	for (unsigned i = 0; i < con->max_ports; i++)
		if (con->port[i])
			save_port(con->port[i], s->out);
}

void console_save(struct vdev *dev, GByteArray *out)
{
	struct saving s = { (struct console *)dev, out };

	loop_call(dev->loop, save_on_loop, &s);
}

struct loading {
	struct console *con;
	struct unpack *in;
	const char *wrong; /* NULL: nothing */
};

static const char *load_stash(struct console_port *port, struct unpack *in)
{
	uint32_t len = unpack_u32(in);
	uint8_t bytes[256];

	chr_fifo_free(&port->stash);
	if (len > PORT_STASH_MAX || len > in->left)
		return "more output than a port's buffer holds";
	while (len) {
		uint32_t n = MIN(len, sizeof(bytes));

		unpack_bytes(in, bytes, n);
		chr_fifo_put(&port->stash, bytes, n);
		len -= n;
	}
	return NULL;
}

static const char *load_port(struct console *con, struct unpack *in)
{
	unsigned id = unpack_u16(in), flags = unpack_u8(in), queued = unpack_u16(in);
	struct console_port *port = id < con->max_ports ? con->port[id] : NULL;

	if (!port || flags & ~PORT_FLAGS || queued >> N_CONSOLE_EVENTS)
		return "a port that is not there, or cannot be so";
	if (!!(flags & PORT_GONE) != port->gone)
		return "a port that was taken away";
	port->added = flags & PORT_ADDED;
	port->ready = flags & PORT_READY;
	port->guest_open = flags & PORT_OPEN;
	port->queued = queued;
	port->tx_done = unpack_u32(in);
	port->input_at = 0;
	port->input_len = unpack_u32(in);
	if (port->input_len > sizeof(port->input) || port->input_len > in->left) {
		port->input_len = 0;
		return "more input than a port's buffer holds";
	}
	unpack_bytes(in, port->input, port->input_len);
	if (port->queued & 1u << CONSOLE_PORT_NAME && !port->name)
		return "a name of a port that has none";
	return load_stash(port, in);
}

static void load_on_loop(void *arg)
{
	struct loading *l = arg;
	struct console *con = l->con;
	unsigned cols = unpack_u16(l->in), rows = unpack_u16(l->in), n = unpack_u16(l->in);

	for (unsigned i = 0; i < n && !l->wrong; i++)
		l->wrong = load_port(con, l->in);
	/* Another window: as if it had been resized. */
	if (!l->wrong && con->port[0] && con->cols && (cols != con->cols || rows != con->rows))
		console_control_queue(con->port[0], CONSOLE_RESIZE);
}

bool console_load(struct vdev *dev, struct unpack *in, GError **err)
{
	struct loading l = { (struct console *)dev, in, NULL };

	loop_call(dev->loop, load_on_loop, &l);
	return !l.wrong || ringside_usage(err, "%s: state: %s", vdev_name(dev), l.wrong);
}
