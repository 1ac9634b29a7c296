/*
 * virtio console (VIRTIO 1.4, 5.3): one port, or several by name, each joined to a stream of bytes
 * on the host.
 *
 * Port 0 is the console; those given with port= are numbered from 1 on. port.c moves the bytes,
 * control.c talks about ports with the driver. The file here is the device's life: options,
 * configuration space, queues' starts and stops.
 *
 * Emergency output (a byte written to the configuration space, at any time, even before the device
 * is set up) comes on a vCPU's thread and the streams belong to the loop, so it takes a detour over
 * a small buffer and an eventfd. A guest that writes faster than the loop reads loses bytes.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "devices/backend/open.h"
#include "devices/console/console-impl.h"
#include "devices/console/console.h"

static struct console *console_of(struct vdev *dev)
{
	return (struct console *)dev;
}

/*
 * On the loop.
 */
void console_take_emergency(struct console *con)
{
	uint8_t bytes[EMERGENCY_MAX];
	uint64_t count;
	size_t n;

	(void)!read(con->emergency_fd, &count, sizeof(count));
	pthread_mutex_lock(&con->emergency_lock);
	n = con->n_emergency;
	memcpy(bytes, con->emergency, n);
	con->n_emergency = 0;
	pthread_mutex_unlock(&con->emergency_lock);
	if (n)
		console_port_emergency(con->port[0], bytes, n);
}

static void console_on_emergency(void *arg, GIOCondition revents)
{
	(void)revents;
	console_take_emergency(arg);
}

static void console_watch(void *arg)
{
	struct console *con = arg;

	con->emergency_watch = loop_watch(con->dev.loop, con->emergency_fd, G_IO_IN,
					  console_on_emergency, con);
}

static void console_unwatch(void *arg)
{
	struct console *con = arg;

	if (con->n_emergency)
		console_on_emergency(con, G_IO_IN);
	loop_unwatch(g_steal_pointer(&con->emergency_watch));
}

/*
 * Opening.
 */
static bool console_add_port(struct console *con, unsigned id, char *name, const char *spec,
			     GError **err)
{
	struct console_port *port = g_new0(struct console_port, 1);
	g_autofree char *context = NULL;

	con->port[id] = port;
	port->con = con;
	port->id = id;
	port->name = name;
	port->is_console = id == 0;
	chr_fifo_init(&port->stash, PORT_STASH_MAX);
	context = id == 0 ? g_strdup_printf("--device console,chr=%s", spec)
			  : g_strdup_printf("--device console,port=%s:%s", name, spec);
	port->chr = chr_spec_open(spec, con->dev.env->terminal, con->dev.env->wrappers, context,
				  err);
	if (!port->chr)
		return false;
	if (port->is_console && con->dev.env->console_tap)
		port->chr->tap = con->dev.env->console_tap(con->dev.env->opaque);
	vdev_add_syscalls(&con->dev, port->chr->syscalls);
	vdev_keep_path(&con->dev, port->chr->kept_path);
	if (port->chr->where)
		g_log("ringside", G_LOG_LEVEL_MESSAGE, "%s: port %u%s%s is at %s",
		      vdev_name(&con->dev), id, name ? " " : "", name ? name : "",
		      port->chr->where);
	return true;
}

static bool console_valid_name(const char *name)
{
	size_t len = strlen(name);

	for (const char *p = name; *p; p++)
		if (!g_ascii_isgraph(*p) || *p == '/')
			return false;
	return len > 0 && len <= CONSOLE_NAME_MAX;
}

/* "NAME:CHR" */
static bool console_add_named(struct console *con, unsigned id, const char *spec, GError **err)
{
	const char *colon = strchr(spec, ':');
	g_autofree char *name = colon ? g_strndup(spec, (gsize)(colon - spec)) : NULL;

	if (!name || !console_valid_name(name))
		return ringside_usage(err,
				      "--device console,port=%s: not NAME:CHR with a name of 1 to "
				      "%u printable characters (no slash, no colon)",
				      spec, CONSOLE_NAME_MAX);
	for (unsigned i = 1; i < id; i++)
		if (strcmp(con->port[i]->name, name) == 0)
			return ringside_usage(err, "--device console,port=%s: '%s' is given twice",
					      spec, name);
	return console_add_port(con, id, g_steal_pointer(&name), colon + 1, err);
}

static bool console_add_ports(struct console *con, GError **err)
{
	unsigned n = con->opt_ports ? con->opt_ports->len : 0;
	const char *chr = con->opt_chr;

	if (!chr && n == 0)
		chr = "stdio";
	con->max_ports = MAX(con->opt_max_ports, n + 1);
	if (con->max_ports > CONSOLE_PORTS_MAX ||
	    (con->opt_max_ports && con->opt_max_ports < n + 1))
		return ringside_usage(err,
				      "--device console: %u ports (port 0 counts), but max-ports "
				      "is %u",
				      n + 1,
				      con->opt_max_ports ? con->opt_max_ports : CONSOLE_PORTS_MAX);
	if (chr && !console_add_port(con, 0, NULL, chr, err))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!console_add_named(con, i + 1, g_ptr_array_index(con->opt_ports, i), err))
			return false;
	return true;
}

/* The window's size: the options', else the stream's. */
static void console_find_size(struct console *con)
{
	uint16_t cols, rows;

	con->cols = con->opt_cols;
	con->rows = con->opt_rows;
	if (con->cols || !con->port[0] || !chr_size(con->port[0]->chr, &cols, &rows))
		return;
	con->cols = cols;
	con->rows = rows;
}

static void console_fill_config(struct console *con)
{
	const struct console_config cfg = {
		.cols = cpu_le16(con->cols),
		.rows = cpu_le16(con->rows),
		.max_nr_ports = cpu_le32(con->max_ports),
	};

	vdev_config_set(&con->dev, 0, &cfg, sizeof(cfg), false);
}

static bool console_open(struct vdev *dev, GError **err)
{
	struct console *con = console_of(dev);

	if (!con->opt_cols != !con->opt_rows)
		return ringside_usage(err, "--device console: cols and rows go together");
	if (!console_add_ports(con, err))
		return false;
	console_find_size(con);
	console_fill_config(con);
	vdev_offer(dev, CONSOLE_F_SIZE, con->cols != 0);
	vdev_offer(dev, CONSOLE_F_EMERG_WRITE, con->port[0] != NULL);
	vdev_offer(dev, CONSOLE_F_MULTIPORT, con->max_ports > 1);
	dev->n_queues = con->max_ports > 1 ? 2 * (con->max_ports + 1) : 2;
	con->emergency_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (con->emergency_fd < 0)
		return ringside_error_errno(err, errno, "--device console: eventfd");
	pthread_mutex_init(&con->emergency_lock, NULL);
	loop_call(dev->loop, console_watch, con);
	for (unsigned i = 0; i < con->max_ports; i++)
		if (con->port[i])
			chr_attach(con->port[i]->chr, dev->loop, &console_chr_user, con->port[i]);
	return true;
}

static void console_close_port(struct console_port *port)
{
	if (port->chr) {
		chr_detach(port->chr);
		chr_close(port->chr);
	}
	chr_fifo_free(&port->stash);
	g_free(port->name);
	g_free(port);
}

static void console_close(struct vdev *dev)
{
	struct console *con = console_of(dev);

	if (con->emergency_watch) { /* the device may be half-made: emergency_fd is one then only */
		loop_call(dev->loop, console_unwatch, con);
		pthread_mutex_destroy(&con->emergency_lock);
		close(con->emergency_fd);
	}
	for (unsigned i = 0; i < CONSOLE_PORTS_MAX; i++)
		if (con->port[i])
			console_close_port(con->port[i]);
}

/*
 * Life with a driver.
 */
static void console_set_negotiated(void *arg)
{
	struct console *con = arg;

	con->multiport = vdev_accepted(&con->dev, CONSOLE_F_MULTIPORT);
}

static void console_negotiated(struct vdev *dev)
{
	loop_call(dev->loop, console_set_negotiated, dev);
}

static void console_forget_driver(void *arg)
{
	struct console *con = arg;

	con->multiport = false;
	console_control_reset(con);
}

static void console_reset(struct vdev *dev)
{
	loop_call(dev->loop, console_forget_driver, dev);
}

/* The port whose pair @q belongs to, or NULL. */
static struct console_port *console_port_of(struct console *con, unsigned q)
{
	unsigned id = q < 2 ? 0 : q / 2 - 1;

	if (q == CONSOLE_CONTROL_RX || q == CONSOLE_CONTROL_TX || id >= con->max_ports)
		return NULL;
	return con->port[id];
}

static void console_queue_started(struct vdev *dev, unsigned q)
{
	struct console *con = console_of(dev);
	struct console_port *port = console_port_of(con, q);

	if (q == CONSOLE_CONTROL_RX)
		con->control_runs = true;
	else if (port && q % 2 == 0)
		port->rx_runs = true;
	else if (port)
		port->tx_runs = true;
}

static bool console_queue_stop(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	struct console *con = console_of(dev);
	struct console_port *port = console_port_of(con, q);

	if (why == VDEV_STOP_SAVE) {
		if (port && q % 2)
			console_port_give_back(port);
	} else if (q == CONSOLE_CONTROL_RX) {
		con->control_runs = false;
	} else if (port && q % 2 == 0) {
		port->rx_runs = false;
		console_port_input(port); /* stops reading */
	} else if (port) {
		if (why == VDEV_STOP_RESET)
			console_port_drain(port);
		port->tx_runs = false;
		console_port_output(port); /* the stash goes out by itself */
	}
	return true;
}

static void console_kick(struct vdev *dev, unsigned q)
{
	struct console *con = console_of(dev);
	struct console_port *port = console_port_of(con, q);

	if (q == CONSOLE_CONTROL_RX && con->multiport)
		console_control_send(con);
	else if (q == CONSOLE_CONTROL_TX && con->multiport)
		console_control_receive(con);
	else if (port && q % 2 == 0)
		console_port_input(port);
	else if (port)
		console_port_output(port);
}

bool console_is(const struct vdev *dev)
{
	return dev->class->kick == console_kick;
}

/* Only emerg_wr is the driver's to write, only its low byte means something (5.3.5.1), and it reads
 * 0. */
static void console_config_written(struct vdev *dev, size_t off, const uint8_t *bytes, size_t len,
				   uint8_t *config)
{
	const size_t at = offsetof(struct console_config, emerg_wr);
	struct console *con = console_of(dev);
	uint64_t one = 1;

	(void)config;
	if (off > at || at - off >= len || !vfeatures_has(dev->offered, CONSOLE_F_EMERG_WRITE))
		return;
	pthread_mutex_lock(&con->emergency_lock);
	if (con->n_emergency < EMERGENCY_MAX) {
		con->emergency[con->n_emergency++] = bytes[at - off];
		(void)!write(con->emergency_fd, &one, sizeof(one));
	}
	pthread_mutex_unlock(&con->emergency_lock);
}

#define OPT(field) offsetof(struct console, field)

static const char *const resize_orders[] = { "linux", "spec", NULL };

static const struct prop console_props[] = {
	{ "chr", PROP_STR, OPT(opt_chr), .also = "chardev path stream backend",
	  .help = "what the console is connected to: " CHR_SPECS " (stdio if no port is given)" },
	{ "port", PROP_LIST, OPT(opt_ports),
	  .help = "NAME:CHR, a further port with a name; may be given repeatedly" },
	{ "max-ports", PROP_U32, OPT(opt_max_ports), .min = 1, .max = CONSOLE_PORTS_MAX,
	  .also = "max_ports",
	  .help = "ports the driver is told there may be (as many as there are)" },
	{ "cols", PROP_U16, OPT(opt_cols), .min = 1, .max = UINT16_MAX,
	  .help = "columns of the console's window; default: the terminal's" },
	{ "rows", PROP_U16, OPT(opt_rows), .min = 1, .max = UINT16_MAX,
	  .help = "rows of the console's window; default: the terminal's" },
	{ "resize", PROP_ENUM, OPT(opt_resize_order), .default_value = "linux",
	  .choices = resize_orders,
	  .help = "order in the resize message: rows first, as Linux has it, or columns first" },
	{ 0 },
};

static const struct vdev_feature console_features[] = {
	{ "size", CONSOLE_F_SIZE, 0 },
	{ "multiport", CONSOLE_F_MULTIPORT, 0 },
	{ "emerg_write", CONSOLE_F_EMERG_WRITE, 0 },
	{ 0 },
};

/* struct console_config. */
static const struct vdev_field config_fields[] = { { 2, 2 }, { 4, 2 }, { 0 } };

const struct vdev_class console_class = {
	.name = "console",
	.summary = "console and named ports, on a terminal, files, ptys or unix sockets",
	.id = 3,
	.legacy_id = 0x1003,
	.pci_class = 0x078000,
	.size = sizeof(struct console),
	.config_size = sizeof(struct console_config),
	.config_fields = config_fields,
	.config_early = offsetof(struct console_config, emerg_wr),
	.queue_size = 128,
	.n_queues = 2,
	.features = console_features,
	.props = console_props,
	.open = console_open,
	.close = console_close,
	.negotiated = console_negotiated,
	.queue_started = console_queue_started,
	.queue_stop = console_queue_stop,
	.kick = console_kick,
	.reset = console_reset,
	.config_written = console_config_written,
	.state_version = 1,
	.save = console_save,
	.load = console_load,
};
