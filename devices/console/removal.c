/*
 * Ports are looked at, and taken away, by whoever manages the machine, while the device runs.
 *
 * A port that is gone keeps its place in the device's table, so that its number is not given to
 * another one, and so that its queues, which a driver may still use, have somebody who minds them.
 * All that changes on the loop; only the host's end is closed on the main thread, which alone may
 * remove the files of sockets.
 */
#include "devices/console/console.h"

#include <string.h>

#include "devices/console/console-impl.h"

/*
 * Looking.
 */
struct survey {
	struct console *con;
	struct console_port_state state[CONSOLE_PORTS_MAX];
	unsigned n;
};

static void console_removal_survey(void *arg)
{
	struct survey *s = arg;

	for (unsigned i = 0; i < s->con->max_ports; i++) {
		const struct console_port *port = s->con->port[i];

		if (port && !port->gone)
			s->state[s->n++] = (struct console_port_state){
				.id = i,
				.name = port->name,
				.connected = port->chr->connected,
				.open = port->guest_open,
			};
	}
}

void console_ports(struct vdev *dev,
		   void (*each)(const struct console_port_state *state, void *arg), void *arg)
{
	struct survey s = { .con = (struct console *)dev };

	loop_call(dev->loop, console_removal_survey, &s);
	for (unsigned i = 0; i < s.n; i++)
		each(&s.state[i], arg);
}

/*
 * Taking away.
 */
struct removal {
	struct console_port *port;
	struct chr *chr;
};

static void console_removal_take_away(void *arg)
{
	struct removal *r = arg;
	struct console_port *port = r->port;

	console_port_output(port); /* a last chance for what waits */
	chr_detach(port->chr);
	r->chr = g_steal_pointer(&port->chr);
	port->gone = true;
	port->ready = false;
	port->guest_open = false;
	port->input_len = 0;
	console_port_output(port);
	console_control_removed(port);
}

static struct console_port *console_removal_find_port(struct console *con, const char *name)
{
	for (unsigned i = 1; i < con->max_ports; i++)
		if (con->port[i] && !con->port[i]->gone && strcmp(con->port[i]->name, name) == 0)
			return con->port[i];
	return NULL;
}

bool console_port_remove(struct vdev *dev, const char *name)
{
	struct removal r = { .port = console_removal_find_port((struct console *)dev, name) };

	if (!r.port)
		return false;
	loop_call(dev->loop, console_removal_take_away, &r);
	if (r.chr->kept_path)
		g_ptr_array_remove(dev->kept_paths, (gpointer)r.chr->kept_path);
	chr_close(r.chr);
	return true;
}
