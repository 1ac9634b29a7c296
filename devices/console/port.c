/*
 * A port's bytes, both ways, without loss.
 *
 * Output: one chain at a time is taken off the transmit queue and given back when the host has all
 * of it. When the host is full the chain stays with us and the rest in the ring, so the guest feels
 * the slowness, and nothing is buffered here. Two things cannot wait for the host and go to the
 * stash instead, which is written first: the rest of a chain when its queue is stopped, and
 * emergency output.
 *
 * Input: a small buffer is filled from the host and emptied into receive buffers. While the guest
 * gives none, or has the port closed, the host's end is not read.
 *
 * A port that is gone takes what the guest transmits, or a driver might wait for its buffers for
 * ever, and leaves receive buffers alone: Linux takes them out of the ring's entries by itself
 * then.
 */
#include <string.h>

#include "devices/console/console-impl.h"

#define WRITE_MAX  (64u << 10)  /* bytes for the host at once */
#define OUT_BUDGET (256u << 10) /* bytes and */
#define MESSAGES   256u         /* chains in a turn of the loop, then others get theirs */

static unsigned console_port_rx_queue(const struct console_port *port)
{
	return port->id == 0 ? CONSOLE_RX0 : 2 * port->id + 2;
}

static unsigned console_port_tx_queue(const struct console_port *port)
{
	return console_port_rx_queue(port) + 1;
}

/* Without multiport there is port 0 alone, and nobody ever says that it is open. */
static bool console_port_accepts_input(const struct console_port *port)
{
	return port->rx_runs && !port->gone &&
	       (port->con->multiport ? port->guest_open : port->id == 0);
}

static void console_port_want(struct console_port *port, bool host_is_full)
{
	if (!port->gone)
		chr_want(port->chr, console_port_accepts_input(port) && port->input_len == 0,
			 host_is_full);
}

/*
 * Output.
 */

/* False if the host is full. */
static bool console_port_write_stash(struct console_port *port)
{
	if (port->gone)
		return true;
	while (port->stash.len) {
		size_t len, n;
		const uint8_t *bytes = chr_fifo_peek(&port->stash, &len);

		n = chr_write(port->chr, bytes, len);
		if (n == 0)
			return false;
		chr_fifo_drop(&port->stash, n);
	}
	return true;
}

/* Writes of the port's chain up to *budget bytes. False if the host is full. */
static bool console_port_write_chain(struct console_port *port, size_t *budget)
{
	struct vq_cursor *rd = &port->tx->rd;

	if (port->gone)
		vq_skip(port->tx, rd->left);
	while (rd->left && *budget) {
		size_t len = MIN(MIN(rd->iov->iov_len, WRITE_MAX), *budget);
		size_t n = chr_write(port->chr, rd->iov->iov_base, len);

		if (n == 0)
			return false;
		vq_skip(port->tx, n);
		port->tx_done += (uint32_t)n;
		*budget -= n;
	}
	return true;
}

/* Makes port->tx the chain to write. False if there is none. */
static bool console_port_next_chain(struct console_port *port)
{
	struct vdev *dev = &port->con->dev;

	if (!port->tx_runs)
		return false;
	if (port->tx)
		return true;
	if (port->id != 0 && !port->con->multiport)
		return false;
	port->tx = vdev_take(dev, console_port_tx_queue(port));
	if (port->tx)
		(void)vq_skip(port->tx, MIN(port->tx_done, port->tx->rd.left));
	if (port->tx && port->tx->wr.left)
		vdev_guest_note(dev, "port %u: writable bytes in a transmit buffer", port->id);
	return port->tx != NULL;
}

void console_port_output(struct console_port *port)
{
	struct vdev *dev = &port->con->dev;
	bool room = console_port_write_stash(port), pushed = false;
	size_t budget = OUT_BUDGET;

	for (unsigned i = 0; room && console_port_next_chain(port); i++) {
		if (i == MESSAGES || budget == 0) {
			vdev_again(dev, console_port_tx_queue(port));
			break;
		}
		room = console_port_write_chain(port, &budget);
		if (port->tx->rd.left == 0) {
			vq_push(dev->queue[console_port_tx_queue(port)].vq, port->tx);
			port->tx = NULL;
			port->tx_done = 0;
			pushed = true;
		}
	}
	if (pushed)
		vdev_flush(dev, console_port_tx_queue(port));
	console_port_want(port, !room);
}

void console_port_emergency(struct console_port *port, const uint8_t *bytes, size_t len)
{
	chr_fifo_put(&port->stash, bytes, len);
	console_port_output(port);
}

void console_port_drain(struct console_port *port)
{
	struct vdev *dev = &port->con->dev;
	struct vq_chain *c = port->tx;
	size_t lost;

	port->tx_done = 0;
	if (!c)
		return;
	while (c->rd.left && !port->gone) {
		size_t n = chr_fifo_put(&port->stash, c->rd.iov->iov_base, c->rd.iov->iov_len);

		if (n == 0)
			break;
		vq_skip(c, n);
	}
	lost = port->gone ? 0 : c->rd.left;
	if (lost)
		vdev_host_error(dev, "port %u: %zu bytes lost: stopped while nobody read them",
				port->id, lost);
	vq_push(dev->queue[console_port_tx_queue(port)].vq, c);
	port->tx = NULL;
}

void console_port_give_back(struct console_port *port)
{
	if (port->tx)
		vq_unpop(port->con->dev.queue[console_port_tx_queue(port)].vq,
			 g_steal_pointer(&port->tx));
}

/*
 * Input.
 */

/* Gives the guest one buffer's worth. False if it has given none. */
static bool console_port_fill_one(struct console_port *port)
{
	struct vdev *dev = &port->con->dev;
	unsigned q = console_port_rx_queue(port);
	struct vq_chain *c = vdev_take(dev, q);
	size_t n;

	if (!c)
		return false;
	if (c->rd.left || !c->wr.left)
		vdev_guest_note(dev, "port %u: a receive buffer that is not writable only",
				port->id);
	n = vq_put_some(c, port->input + port->input_at, port->input_len);
	port->input_at += n;
	port->input_len -= n;
	vq_push(dev->queue[q].vq, c);
	return true;
}

void console_port_input(struct console_port *port)
{
	bool pushed = false;
	unsigned i;

	for (i = 0; i < MESSAGES && console_port_accepts_input(port); i++) {
		if (port->input_len == 0) {
			port->input_at = 0;
			port->input_len = chr_read(port->chr, port->input, sizeof(port->input));
		}
		if (port->input_len == 0 || !console_port_fill_one(port))
			break;
		pushed = true;
	}
	if (pushed)
		vdev_flush(&port->con->dev, console_port_rx_queue(port));
	if (i == MESSAGES)
		vdev_again(&port->con->dev, console_port_rx_queue(port));
	console_port_want(port, port->tx || port->stash.len);
}

/*
 * What the host's end tells.
 */
static void console_port_on_readable(void *arg)
{
	console_port_input(arg);
}

static void console_port_on_writable(void *arg)
{
	console_port_output(arg);
}

static void console_port_on_connected(void *arg, bool on)
{
	struct console_port *port = arg;

	(void)on; /* the message is composed when there is a buffer for it, and says what is then */
	console_control_queue(port, CONSOLE_PORT_OPEN);
	console_control_send(port->con);
}

static void console_port_on_resized(void *arg)
{
	struct console_port *port = arg;
	struct console *con = port->con;
	uint16_t cols, rows;
	le16 size[2];

	if (!port->is_console || con->opt_cols ||
	    !vfeatures_has(con->dev.offered, CONSOLE_F_SIZE) ||
	    !chr_size(port->chr, &cols, &rows) || (cols == con->cols && rows == con->rows))
		return;
	con->cols = cols;
	con->rows = rows;
	size[0] = cpu_le16(cols);
	size[1] = cpu_le16(rows);
	vdev_config_set(&con->dev, offsetof(struct console_config, cols), size, sizeof(size), true);
	console_control_queue(port, CONSOLE_RESIZE);
	console_control_send(con);
}

static void console_port_on_trouble(void *arg, const char *what, int errnum)
{
	struct console_port *port = arg;

	vdev_host_error(&port->con->dev, "port %u: %s: %s", port->id, what, g_strerror(errnum));
}

const struct chr_user console_chr_user = {
	.readable = console_port_on_readable,
	.writable = console_port_on_writable,
	.connected = console_port_on_connected,
	.resized = console_port_on_resized,
	.trouble = console_port_on_trouble,
};
