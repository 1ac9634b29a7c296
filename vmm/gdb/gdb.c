/*
 * Packets and their answers. A packet is found in a table by how it begins, and its function
 * appends the answer's text; the empty text says "not known here".
 *
 * Answering may turn the main loop (a machine that stops does). Meanwhile nothing is read and
 * nobody is accepted, so that an answer goes to whoever asked.
 */
#include "vmm/gdb/gdb.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/base/loop.h"
#include "vmm/gdb/arch.h"
#include "vmm/gdb/listen.h"
#include "vmm/gdb/packet.h"

#define CHUNK        1024u
#define UNSENT_PAUSE (64u << 10) /* a client that leaves so much unread is not listened to */
#define MEMORY_MAX   (GDB_PACKET_MAX / 2) /* bytes of guest memory in one packet */

/* Signals by GDB's numbers. */
#define SIGNAL_INT  2u
#define SIGNAL_TRAP 5u

struct gdb {
	const struct gdb_ops *ops;
	void *opaque;
	struct loop *loop;
	struct gdb_listener listener;
	GSource *listening;
	char *description;
	unsigned n_cpus;
	enum vcpu_run *how; /* each vCPU is to go on; of a packet that says so */
	bool *told;         /* that it has an action already */

	/* The client. */
	int fd; /* -1: none */
	GSource *watch;
	struct gdb_frame frame;
	GByteArray *unsent;
	GByteArray *last; /* the packet that was sent last */
	bool busy;
	bool no_acks;
	bool reasons;     /* it knows swbreak and hwbreak */
	bool waiting;     /* for the guest to stop */
	bool interrupted; /* by its Ctrl-C, or because it connected */
	unsigned cpu;     /* that registers and memory are read of */
};

/*
 * The client's socket.
 */
static void client_update(struct gdb *g)
{
	GIOCondition events = 0;

	loop_watch_events(g->listening, g->busy ? 0 : G_IO_IN);
	if (g->fd < 0)
		return;
	if (g->unsent->len)
		events |= G_IO_OUT;
	if (!g->busy && g->unsent->len < UNSENT_PAUSE)
		events |= G_IO_IN;
	loop_watch_events(g->watch, events);
}

static void all_do(struct gdb *g, enum vcpu_run how)
{
	for (unsigned i = 0; i < g->n_cpus; i++)
		g->how[i] = how;
}

static void go_on(struct gdb *g)
{
	all_do(g, VCPU_RUN);
	g->ops->remove_all(g->opaque);
	(void)g->ops->resume(g->how, g->opaque);
}

/* The guest goes on: without its debugger nobody else would tell it to. */
static void client_leaves(struct gdb *g)
{
	if (g->fd < 0)
		return;
	loop_unwatch(g_steal_pointer(&g->watch));
	close(g->fd);
	g->fd = -1;
	g->waiting = false;
	g_byte_array_set_size(g->unsent, 0);
	if (g->ops->stopped(g->opaque))
		go_on(g);
}

static bool send_unsent(struct gdb *g)
{
	while (g->unsent->len) {
		ssize_t n = send(g->fd, g->unsent->data, g->unsent->len,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		g_byte_array_remove_range(g->unsent, 0, (guint)n);
	}
	return true;
}

static void client_send(struct gdb *g, const void *bytes, size_t len)
{
	if (g->fd < 0)
		return;
	g_byte_array_append(g->unsent, bytes, (guint)len);
	if (send_unsent(g))
		client_update(g);
	else
		client_leaves(g);
}

static void send_packet(struct gdb *g, const GString *text)
{
	g_byte_array_set_size(g->last, 0);
	gdb_frame_append(g->last, text->str, text->len);
	client_send(g, g->last->data, g->last->len);
}

/*
 * Numbers in packets: hexadecimal.
 */
static bool take_number(const char **at, uint64_t *ret)
{
	char *end;

	if (!g_ascii_isxdigit(**at))
		return false;
	*ret = g_ascii_strtoull(*at, &end, 16);
	*at = end;
	return true;
}

static bool take_char(const char **at, char c)
{
	bool is = **at == c;

	*at += is;
	return is;
}

/* "ADDRESS,LENGTH". */
static bool take_range(const char **at, uint64_t *addr, uint64_t *len)
{
	return take_number(at, addr) && take_char(at, ',') && take_number(at, len);
}

static void add_hex(GString *out, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		g_string_append_printf(out, "%02x", ((const uint8_t *)bytes)[i]);
}

/* @len bytes, which are all that is left of the packet. */
static bool take_hex(const char *at, uint8_t *out, size_t len)
{
	if (strlen(at) != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = g_ascii_xdigit_value(at[2 * i]);
		int low = g_ascii_xdigit_value(at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high * 16 + low);
	}
	return true;
}

/* A thread's number; *ret_any for 0 and -1, which mean any and all. */
static bool take_thread(struct gdb *g, const char **at, unsigned *ret_cpu, bool *ret_any)
{
	uint64_t n;

	*ret_any = g_str_has_prefix(*at, "-1");
	if (*ret_any) {
		*at += strlen("-1");
		return true;
	}
	if (!take_number(at, &n) || n > g->n_cpus)
		return false;
	*ret_any = n == 0;
	if (n)
		*ret_cpu = (unsigned)n - 1;
	return true;
}

/*
 * Packets. Each function is called with what follows the name, @len bytes and a 0, while the guest
 * is stopped. Returns false if there is no answer yet.
 */
static bool say(GString *out, bool ok)
{
	g_string_append(out, ok ? "OK" : "E22");
	return true;
}

static void add_stop(struct gdb *g, const struct vcpu_stop *stop, GString *out)
{
	static const char *const watch[] = {
		[VCPU_STOP_WRITE] = "watch", [VCPU_STOP_ACCESS] = "awatch"
	};

	if (stop->reason == VCPU_STOP_WRITE || stop->reason == VCPU_STOP_ACCESS)
		g_string_append_printf(out, "%s:%" PRIx64 ";", watch[stop->reason], stop->addr);
	else if (stop->reason == VCPU_STOP_INSTRUCTION && g->reasons)
		g_string_append(out, "swbreak:;");
	else if (stop->reason == VCPU_STOP_EXECUTE && g->reasons)
		g_string_append(out, "hwbreak:;");
}

static bool on_why(struct gdb *g, const char *args, size_t len, GString *out)
{
	struct vcpu_stop stop;
	bool at = g->ops->stopped_at(&stop, g->opaque);

	(void)args;
	(void)len;
	if (at)
		g->cpu = stop.cpu;
	g_string_append_printf(out, "T%02xthread:%x;",
			       at || !g->interrupted ? SIGNAL_TRAP : SIGNAL_INT, g->cpu + 1);
	if (at)
		add_stop(g, &stop, out);
	return true;
}

static bool on_read_all(struct gdb *g, const char *args, size_t len, GString *out)
{
	uint8_t regs[GDB_REGS_MAX];

	(void)args;
	(void)len;
	if (!g->ops->read_regs(g->cpu, regs, g->opaque))
		return say(out, false);
	add_hex(out, regs, gdb_regs_size());
	return true;
}

static bool on_write_all(struct gdb *g, const char *args, size_t len, GString *out)
{
	uint8_t regs[GDB_REGS_MAX];

	(void)len;
	return say(out, take_hex(args, regs, gdb_regs_size()) &&
				g->ops->write_regs(g->cpu, regs, g->opaque));
}

static bool on_read_one(struct gdb *g, const char *args, size_t len, GString *out)
{
	uint8_t regs[GDB_REGS_MAX];
	size_t at, size;
	uint64_t n;

	(void)len;
	if (!take_number(&args, &n) || n > UINT16_MAX || !gdb_reg_at((unsigned)n, &at, &size) ||
	    !g->ops->read_regs(g->cpu, regs, g->opaque))
		return say(out, false);
	add_hex(out, regs + at, size);
	return true;
}

static bool on_write_one(struct gdb *g, const char *args, size_t len, GString *out)
{
	uint8_t regs[GDB_REGS_MAX];
	size_t at, size;
	uint64_t n;

	(void)len;
	return say(out, take_number(&args, &n) && n <= UINT16_MAX && take_char(&args, '=') &&
				gdb_reg_at((unsigned)n, &at, &size) &&
				g->ops->read_regs(g->cpu, regs, g->opaque) &&
				take_hex(args, regs + at, size) &&
				g->ops->write_regs(g->cpu, regs, g->opaque));
}

/* As much as can be read, from the beginning on: GDB asks for more than it needs. */
static bool on_read_memory(struct gdb *g, const char *args, size_t len, GString *out)
{
	uint8_t bytes[MEMORY_MAX];
	uint64_t addr, n;

	(void)len;
	if (!take_range(&args, &addr, &n))
		return say(out, false);
	n = MIN(n, sizeof(bytes));
	while (n && !g->ops->read_memory(g->cpu, addr, bytes, n, g->opaque))
		n /= 2;
	if (!n)
		return say(out, false);
	add_hex(out, bytes, n);
	return true;
}

static bool on_write_memory(struct gdb *g, const char *args, size_t len, GString *out)
{
	uint8_t bytes[MEMORY_MAX];
	uint64_t addr, n;

	(void)len;
	return say(out, take_range(&args, &addr, &n) && n <= sizeof(bytes) &&
				take_char(&args, ':') && take_hex(args, bytes, n) &&
				(!n || g->ops->write_memory(g->cpu, addr, bytes, n, g->opaque)));
}

static bool on_write_binary(struct gdb *g, const char *args, size_t len, GString *out)
{
	const char *end = args + len;
	uint64_t addr, n;

	return say(out, take_range(&args, &addr, &n) && take_char(&args, ':') &&
				n == (size_t)(end - args) &&
				(!n || g->ops->write_memory(g->cpu, addr, args, n, g->opaque)));
}

/* "TYPE,ADDRESS,KIND". Reads alone cannot be watched by this processor: an access is. */
static bool take_break(const char *at, struct vcpu_hw_break *ret)
{
	static const enum vcpu_stop_reason reasons[] = { VCPU_STOP_INSTRUCTION, VCPU_STOP_EXECUTE,
							 VCPU_STOP_WRITE, VCPU_STOP_ACCESS,
							 VCPU_STOP_ACCESS };
	uint64_t type, len;

	if (!take_number(&at, &type) || type >= G_N_ELEMENTS(reasons) || !take_char(&at, ',') ||
	    !take_range(&at, &ret->addr, &len))
		return false;
	ret->reason = reasons[type];
	ret->len = type < 2 ? 1 : (unsigned)MIN(len, 16);
	return ret->len == 1 ||
	       ((ret->len == 2 || ret->len == 4 || ret->len == 8) && ret->addr % ret->len == 0);
}

static bool on_insert(struct gdb *g, const char *args, size_t len, GString *out)
{
	struct vcpu_hw_break b;

	(void)len;
	return say(out, take_break(args, &b) && g->ops->insert(g->cpu, &b, g->opaque));
}

static bool on_remove(struct gdb *g, const char *args, size_t len, GString *out)
{
	struct vcpu_hw_break b;

	(void)len;
	return say(out, take_break(args, &b) && g->ops->remove(&b, g->opaque));
}

/* Threads. */
static bool on_select(struct gdb *g, const char *args, size_t len, GString *out)
{
	unsigned cpu = g->cpu;
	bool any;

	(void)len;
	if (*args != 'g' && *args != 'c')
		return say(out, false);
	args++;
	if (!take_thread(g, &args, &cpu, &any))
		return say(out, false);
	g->cpu = cpu;
	return say(out, true);
}

static bool on_alive(struct gdb *g, const char *args, size_t len, GString *out)
{
	unsigned cpu;
	bool any;

	(void)len;
	return say(out, take_thread(g, &args, &cpu, &any) && !any);
}

static bool on_threads(struct gdb *g, const char *args, size_t len, GString *out)
{
	(void)args;
	(void)len;
	for (unsigned i = 0; i < g->n_cpus; i++)
		g_string_append_printf(out, "%c%x", i ? ',' : 'm', i + 1);
	return true;
}

static bool on_no_more_threads(struct gdb *g, const char *args, size_t len, GString *out)
{
	(void)g;
	(void)args;
	(void)len;
	g_string_append_c(out, 'l');
	return true;
}

static bool on_thread_info(struct gdb *g, const char *args, size_t len, GString *out)
{
	g_autofree char *text = NULL;
	unsigned cpu;
	bool any;

	(void)len;
	if (!take_thread(g, &args, &cpu, &any) || any)
		return say(out, false);
	text = g->ops->describe(cpu, g->opaque);
	add_hex(out, text, MIN(strlen(text), MEMORY_MAX));
	return true;
}

static bool on_current_thread(struct gdb *g, const char *args, size_t len, GString *out)
{
	(void)args;
	(void)len;
	g_string_append_printf(out, "QC%x", g->cpu + 1);
	return true;
}

/* Going on, as g->how says. */
static bool resume(struct gdb *g, GString *out)
{
	g->waiting = true;
	g->interrupted = false;
	if (g->ops->resume(g->how, g->opaque))
		return false;
	g->waiting = false;
	return say(out, false);
}

/* c, C and s, S: all go on, or one steps and the others are held. An address to go on at does not
 * exist here: GDB writes rip. */
static bool on_continue(struct gdb *g, const char *args, size_t len, GString *out)
{
	(void)args;
	(void)len;
	all_do(g, VCPU_RUN);
	return resume(g, out);
}

static bool on_step(struct gdb *g, const char *args, size_t len, GString *out)
{
	(void)args;
	(void)len;
	all_do(g, VCPU_HOLD);
	g->how[g->cpu] = VCPU_STEP;
	return resume(g, out);
}

/* One ";ACTION[:THREAD]". The first that is about a vCPU counts. */
static bool take_action(struct gdb *g, const char **at)
{
	char action = (*at)[0] == ';' ? (*at)[1] : 0;
	unsigned cpu = 0;
	bool all = true;
	uint64_t signal;

	if (!action || !strchr("cCsS", action))
		return false;
	*at += 2;
	if ((action == 'C' || action == 'S') && !take_number(at, &signal))
		return false;
	if (take_char(at, ':') && !take_thread(g, at, &cpu, &all))
		return false;
	for (unsigned i = 0; i < g->n_cpus; i++) {
		if (g->told[i] || (!all && i != cpu))
			continue;
		g->told[i] = true;
		g->how[i] = g_ascii_tolower(action) == 's' ? VCPU_STEP : VCPU_RUN;
	}
	return true;
}

static bool on_vcont(struct gdb *g, const char *args, size_t len, GString *out)
{
	all_do(g, VCPU_HOLD);
	memset(g->told, 0, g->n_cpus * sizeof(g->told[0]));
	if (!*args)
		return say(out, false);
	while (*args)
		if (!take_action(g, &args))
			return say(out, false);
	(void)len;
	return resume(g, out);
}

static bool on_vcont_asked(struct gdb *g, const char *args, size_t len, GString *out)
{
	(void)g;
	(void)args;
	(void)len;
	g_string_append(out, "vCont;c;C;s;S");
	return true;
}

static bool on_detach(struct gdb *g, const char *args, size_t len, GString *out)
{
	(void)args;
	(void)len;
	go_on(g);
	return say(out, true);
}

static bool on_kill(struct gdb *g, const char *args, size_t len, GString *out)
{
	(void)args;
	(void)len;
	g->ops->quit(g->opaque);
	return say(out, true);
}

/* What is there. */
static bool on_supported(struct gdb *g, const char *args, size_t len, GString *out)
{
	(void)len;
	g->reasons = strstr(args, "swbreak+") && strstr(args, "hwbreak+");
	g_string_append_printf(out,
			       "PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;"
			       "vContSupported+;swbreak+;hwbreak+",
			       GDB_PACKET_MAX);
	return true;
}

static bool on_no_acks(struct gdb *g, const char *args, size_t len, GString *out)
{
	(void)args;
	(void)len;
	g->no_acks = true;
	return say(out, true);
}

/* A part of the target description. */
static bool on_description(struct gdb *g, const char *args, size_t len, GString *out)
{
	size_t size = strlen(g->description);
	uint64_t at, n;

	(void)len;
	if (!take_range(&args, &at, &n) || at > size)
		return say(out, false);
	n = MIN(n, GDB_PACKET_MAX / 2); /* each byte may be escaped */
	g_string_append_c(out, at + n < size ? 'm' : 'l');
	g_string_append_len(out, g->description + at, (gssize)MIN(n, size - at));
	return true;
}

static bool on_attached(struct gdb *g, const char *args, size_t len, GString *out)
{
	(void)g;
	(void)args;
	(void)len;
	g_string_append_c(out, '1');
	return true;
}

static const struct {
	const char *word, *help;
	size_t op; /* where in struct gdb_ops */
} monitor_words[] = {
	{ "reset", "as the reset button", offsetof(struct gdb_ops, reset) },
	{ "powerdown", "as the power button", offsetof(struct gdb_ops, powerdown) },
	{ "quit", "ends the machine", offsetof(struct gdb_ops, quit) },
};

static bool monitor_help(GString *out)
{
	g_autoptr(GString) text = g_string_new("monitor takes:\n");

	for (size_t i = 0; i < G_N_ELEMENTS(monitor_words); i++)
		g_string_append_printf(text, "  %-10s %s\n", monitor_words[i].word,
				       monitor_words[i].help);
	add_hex(out, text->str, text->len);
	return true;
}

static bool on_monitor(struct gdb *g, const char *args, size_t len, GString *out)
{
	char word[16] = "";

	if (len % 2 || len / 2 >= sizeof(word) || !take_hex(args, (uint8_t *)word, len / 2))
		return monitor_help(out);
	for (size_t i = 0; i < G_N_ELEMENTS(monitor_words); i++) {
		void (*const *op)(void *) =
			(const void *)((const char *)g->ops + monitor_words[i].op);

		if (strcmp(monitor_words[i].word, word) != 0)
			continue;
		(*op)(g->opaque);
		return say(out, true);
	}
	return monitor_help(out);
}

static const struct gdb_command {
	const char *name;
	enum { STOPPED, ALWAYS } when; /* may it run, or is the guest stopped first? */
	bool (*run)(struct gdb *g, const char *args, size_t len, GString *out);
} commands[] = {
	{ "?", STOPPED, on_why },
	{ "g", STOPPED, on_read_all },
	{ "G", STOPPED, on_write_all },
	{ "p", STOPPED, on_read_one },
	{ "P", STOPPED, on_write_one },
	{ "m", STOPPED, on_read_memory },
	{ "M", STOPPED, on_write_memory },
	{ "X", STOPPED, on_write_binary },
	{ "Z", STOPPED, on_insert },
	{ "z", STOPPED, on_remove },
	{ "H", ALWAYS, on_select },
	{ "T", ALWAYS, on_alive },
	{ "c", STOPPED, on_continue },
	{ "C", STOPPED, on_continue },
	{ "s", STOPPED, on_step },
	{ "S", STOPPED, on_step },
	{ "D", STOPPED, on_detach },
	{ "k", ALWAYS, on_kill },
	{ "vCont?", ALWAYS, on_vcont_asked },
	{ "vCont", STOPPED, on_vcont },
	{ "vKill", ALWAYS, on_kill },
	{ "qSupported", ALWAYS, on_supported },
	{ "qXfer:features:read:target.xml:", ALWAYS, on_description },
	{ "qfThreadInfo", ALWAYS, on_threads },
	{ "qsThreadInfo", ALWAYS, on_no_more_threads },
	{ "qThreadExtraInfo,", STOPPED, on_thread_info },
	{ "qC", ALWAYS, on_current_thread },
	{ "qAttached", ALWAYS, on_attached },
	{ "qRcmd,", ALWAYS, on_monitor },
	{ "QStartNoAckMode", ALWAYS, on_no_acks },
};

/* GDB asks nothing while the guest runs; but somebody else (`cont` on the control socket) may have
 * it run while GDB thinks that it is stopped. */
static bool stop_first(struct gdb *g)
{
	if (!g->ops->stopped(g->opaque)) {
		g->interrupted = true;
		g->ops->stop(g->opaque);
	}
	return g->ops->stopped(g->opaque);
}

static bool run_command(struct gdb *g, GString *out)
{
	const char *text = g->frame.text;

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		const struct gdb_command *c = &commands[i];
		size_t n = strlen(c->name);

		if (strncmp(text, c->name, n) != 0)
			continue;
		if (c->when == ALWAYS || stop_first(g))
			return c->run(g, text + n, g->frame.len - n, out);
		g->waiting = c->run == on_why; /* gdb_stopped() answers */
		return !g->waiting && say(out, false);
	}
	return true;
}

static void on_packet(struct gdb *g)
{
	g_autoptr(GString) out = g_string_new(NULL);

	if (!g->no_acks)
		client_send(g, "+", 1);
	if (run_command(g, out))
		send_packet(g, out);
}

static void on_frame(struct gdb *g, enum gdb_frame_event event)
{
	switch (event) {
	case GDB_FRAME_PACKET:
		on_packet(g);
		break;
	case GDB_FRAME_BAD:
		client_send(g, "-", 1);
		break;
	case GDB_FRAME_NAK:
		client_send(g, g->last->data, g->last->len);
		break;
	case GDB_FRAME_INTERRUPT:
		g->interrupted = true;
		g->ops->stop(g->opaque);
		break;
	case GDB_FRAME_MORE:
		break;
	}
}

static void take_bytes(struct gdb *g, const char *bytes, size_t len)
{
	g->busy = true;
	client_update(g);
	for (size_t i = 0; i < len && g->fd >= 0; i++)
		on_frame(g, gdb_frame_take(&g->frame, bytes[i]));
	g->busy = false;
	client_update(g);
}

static void on_client(void *arg, GIOCondition revents)
{
	struct gdb *g = arg;
	char chunk[CHUNK];
	ssize_t n = -1;

	errno = EAGAIN;
	if (revents & (G_IO_IN | G_IO_HUP | G_IO_ERR) && !g->busy)
		n = recv(g->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	if (n > 0)
		take_bytes(g, chunk, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		client_leaves(g);
	if (g->fd >= 0 && !send_unsent(g))
		client_leaves(g);
	client_update(g);
}

static void on_connection(void *arg, GIOCondition revents)
{
	struct gdb *g = arg;
	int fd = accept4(g->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd < 0)
		return;
	if (g->fd >= 0) { /* one at a time */
		close(fd);
		return;
	}
	g->fd = fd;
	g->no_acks = g->reasons = g->waiting = false;
	g->cpu = 0;
	gdb_frame_init(&g->frame);
	g_byte_array_set_size(g->last, 0);
	g->watch = loop_watch(g->loop, fd, 0, on_client, g);
	g->interrupted = true;
	g->busy = true;
	client_update(g);
	g->ops->stop(g->opaque);
	g->busy = false;
	client_update(g);
}

/*
 * What the guest does.
 */
void gdb_stopped(struct gdb *g)
{
	g_autoptr(GString) out = g_string_new(NULL);

	if (g->fd < 0 || !g->waiting)
		return;
	g->waiting = false;
	(void)on_why(g, "", 0, out);
	send_packet(g, out);
}

void gdb_ended(struct gdb *g)
{
	g_autoptr(GString) out = g_string_new("W00");

	if (g->fd >= 0 && g->waiting)
		send_packet(g, out);
	g->waiting = false;
}

/*
 * Life.
 */
struct gdb *gdb_new(const char *spec, const struct gdb_ops *ops, void *opaque, GError **err)
{
	struct gdb *g = g_new0(struct gdb, 1);

	if (!gdb_listen(&g->listener, spec, err)) {
		g_free(g);
		return NULL;
	}
	g->ops = ops;
	g->opaque = opaque;
	g->fd = -1;
	g->loop = loop_main();
	g->unsent = g_byte_array_new();
	g->last = g_byte_array_new();
	g->description = gdb_target_description();
	g->n_cpus = ops->cpus(opaque);
	g->how = g_malloc0_n(g->n_cpus, sizeof(*g->how));
	g->told = g_new0(bool, g->n_cpus);
	g->listening = loop_watch(g->loop, g->listener.fd, G_IO_IN, on_connection, g);
	return g;
}

void gdb_free(struct gdb *g)
{
	if (!g)
		return;
	if (g->fd >= 0) {
		loop_unwatch(g->watch);
		close(g->fd);
	}
	loop_unwatch(g->listening);
	gdb_unlisten(&g->listener);
	g_byte_array_unref(g->unsent);
	g_byte_array_unref(g->last);
	g_free(g->description);
	g_free(g->how);
	g_free(g->told);
	loop_free(g->loop);
	g_free(g);
}
