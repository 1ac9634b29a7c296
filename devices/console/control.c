/*
 * The control queues of a console with several ports (5.3.6.2).
 *
 * What the driver is to be told is kept as state, not as a list of messages: a bit for each kind
 * and port. A driver that asks again and again and takes nothing therefore costs nothing, and a
 * message always says how things are when it is written. The bits are sent in the order the driver
 * expects: a port is added, then described, then opened.
 */
#include <string.h>

#include "devices/console/console-impl.h"

#define RECEIVE_BUDGET 256u

struct message { /* 5.3.6.2 */
	le32 id;
	le16 event;
	le16 value;
};

static bool console_control_is_queued(const struct console_port *port, enum console_event event)
{
	return port->queued & 1u << event;
}

/*
 * From the driver.
 */
static void console_control_device_ready(struct console *con, struct console_port *unused,
					 uint16_t value)
{
	(void)unused;
	if (value != 1) {
		vdev_guest_note(&con->dev, "the driver could not set the console up");
		return;
	}
	for (unsigned i = 0; i < con->max_ports; i++)
		if (con->port[i] && !con->port[i]->added &&
		    !con->port[i]->gone) /* 5.3.6.2.1: once */
			con->port[i]->queued |= 1u << CONSOLE_PORT_ADD;
}

static void console_control_port_ready(struct console *con, struct console_port *port,
				       uint16_t value)
{
	if (value != 1) {
		vdev_guest_note(&con->dev, "the driver could not set port %u up", port->id);
		return;
	}
	port->ready = true;
	if (port->is_console) {
		console_control_queue(port, CONSOLE_CONSOLE_PORT);
		if (con->cols)
			console_control_queue(port, CONSOLE_RESIZE);
	}
	if (port->name)
		console_control_queue(port, CONSOLE_PORT_NAME);
	if (port->chr->connected)
		console_control_queue(port, CONSOLE_PORT_OPEN);
}

static void console_control_port_open(struct console *con, struct console_port *port,
				      uint16_t value)
{
	(void)con;
	port->guest_open = value != 0;
	console_port_input(port);
}

/* Events a driver may send; about_port: its id must be one that it was told of. */
static const struct {
	void (*handle)(struct console *con, struct console_port *port, uint16_t value);
	bool about_port;
} received[N_CONSOLE_EVENTS] = {
	[CONSOLE_DEVICE_READY] = { console_control_device_ready, false },
	[CONSOLE_PORT_READY] = { console_control_port_ready, true },
	[CONSOLE_PORT_OPEN] = { console_control_port_open, true },
};

/* A port is there for a driver once it was told so: what it says before answers nothing. What it
 * says of one that is gone may have crossed our message. */
static void console_control_receive_about_port(struct console *con, uint32_t id, uint16_t event,
					       uint16_t value)
{
	struct console_port *port = id < con->max_ports ? con->port[id] : NULL;

	if (!port)
		vdev_guest_note(&con->dev, "control event %u about port %u, which is not there",
				event, id);
	else if (!port->gone && !port->added)
		vdev_guest_note(&con->dev,
				"control event %u about port %u, which was not announced "
				"(VIRTIO 1.4, 5.3.6.2)",
				event, id);
	else if (!port->gone)
		received[event].handle(con, port, value);
}

static void console_control_receive_one(struct console *con, struct vq_chain *c)
{
	struct message m;
	uint16_t event;

	if (!vq_pull(c, &m, sizeof(m))) {
		vdev_guest_note(&con->dev, "a control message of %zu bytes", c->rd.left);
		return;
	}
	event = le16_cpu(m.event);
	if (event >= N_CONSOLE_EVENTS || !received[event].handle)
		vdev_guest_note(&con->dev, "control event %u is none that a driver sends", event);
	else if (!received[event].about_port)
		received[event].handle(con, NULL, le16_cpu(m.value));
	else
		console_control_receive_about_port(con, le32_cpu(m.id), event, le16_cpu(m.value));
}

void console_control_receive(struct console *con)
{
	struct vdev *dev = &con->dev;
	struct vq_chain *c;

	for (unsigned i = 0; i < RECEIVE_BUDGET; i++) {
		c = vdev_take(dev, CONSOLE_CONTROL_TX);
		if (!c)
			break;
		console_control_receive_one(con, c);
		vq_push(dev->queue[CONSOLE_CONTROL_TX].vq, c);
		if (i == RECEIVE_BUDGET - 1)
			vdev_again(dev, CONSOLE_CONTROL_TX);
	}
	vdev_flush(dev, CONSOLE_CONTROL_TX);
	console_control_send(con);
}

/*
 * To the driver.
 */

/* What follows the header of @event about @port; returns its bytes and sets the header's value. */
static size_t console_control_payload(const struct console_port *port, enum console_event event,
				      uint16_t *value, uint8_t *extra)
{
	const struct console *con = port->con;
	/* The text says columns, then rows; Linux expects them the other way round. */
	bool linux_order = con->opt_resize_order == 0;
	le16 size[2] = { cpu_le16(linux_order ? con->rows : con->cols),
			 cpu_le16(linux_order ? con->cols : con->rows) };

	*value = 1;
	switch (event) {
	case CONSOLE_RESIZE:
		memcpy(extra, size, sizeof(size));
		return sizeof(size);
	case CONSOLE_PORT_NAME:
		memcpy(extra, port->name, strlen(port->name));
		return strlen(port->name);
	case CONSOLE_PORT_OPEN:
		*value = port->chr->connected;
		return 0;
	default:
		return 0;
	}
}

/* False if the driver has given no buffer. */
static bool console_control_send_one(struct console_port *port, enum console_event event)
{
	struct vdev *dev = &port->con->dev;
	struct vq_chain *c = vdev_take(dev, CONSOLE_CONTROL_RX);
	uint8_t bytes[sizeof(struct message) + CONSOLE_NAME_MAX];
	struct message m;
	uint16_t value;
	size_t len;

	if (!c)
		return false;
	len = console_control_payload(port, event, &value, bytes + sizeof(m));
	m.id = cpu_le32(port->id);
	m.event = cpu_le16(event);
	m.value = cpu_le16(value);
	memcpy(bytes, &m, sizeof(m));
	if (!vq_put(c, bytes, sizeof(m) + len))
		vdev_guest_note(dev, "a control buffer of %zu bytes, for a message of %zu",
				c->wr.left, sizeof(m) + len);
	vq_push(dev->queue[CONSOLE_CONTROL_RX].vq, c);
	port->queued &= ~(1u << event);
	if (event == CONSOLE_PORT_ADD || event == CONSOLE_PORT_REMOVE)
		port->added = event == CONSOLE_PORT_ADD;
	return true;
}

/* False if the driver has no more buffers. */
static bool console_control_send_queued(struct console_port *port)
{
	static const enum console_event order[] = {
		CONSOLE_PORT_ADD, CONSOLE_CONSOLE_PORT, CONSOLE_PORT_NAME,
		CONSOLE_RESIZE,   CONSOLE_PORT_OPEN,    CONSOLE_PORT_REMOVE,
	};

	for (size_t i = 0; i < G_N_ELEMENTS(order); i++)
		if (console_control_is_queued(port, order[i]) &&
		    !console_control_send_one(port, order[i]))
			return false;
	return true;
}

void console_control_send(struct console *con)
{
	if (!con->control_runs)
		return;
	for (unsigned i = 0; i < con->max_ports; i++)
		if (con->port[i] && !console_control_send_queued(con->port[i]))
			break;
	vdev_flush(&con->dev, CONSOLE_CONTROL_RX);
}

void console_control_queue(struct console_port *port, enum console_event event)
{
	if (port->con->multiport && port->ready)
		port->queued |= 1u << event;
}

void console_control_removed(struct console_port *port)
{
	port->queued = port->added ? 1u << CONSOLE_PORT_REMOVE : 0; /* DEV-CONSOLE-MULTIPORT-02 */
	console_control_send(port->con);
}

void console_control_reset(struct console *con)
{
	for (unsigned i = 0; i < con->max_ports; i++) {
		if (!con->port[i])
			continue;
		con->port[i]->queued = 0;
		con->port[i]->added = false;
		con->port[i]->ready = false;
		con->port[i]->guest_open = false;
	}
}
